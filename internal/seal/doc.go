// Package seal keeps the gateway's keys and seals values with them.
//
// A Ring holds secrets of 32 bytes, the newest first; the others only open what
// they once sealed. From each secret one key per purpose is derived by
// HKDF-SHA256 and from that one per UTC day, for AES-256-GCM with random
// nonces allows no more than 2^32 seals under one key (NIST SP 800-38D section
// 8.3).
//
// A seal is
//
//	version (1) | key id (4) | day (2) | nonce (12) | ciphertext | tag (16)
//
// of which everything before the nonce is authenticated together with the
// caller's additional data. Numbers are big-endian; the day counts from 1970.
package seal
