package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// MACSize is the size of a keyed hash in bytes.
const MACSize = sha256.Size

// MAC returns the keyed hash (HMAC-SHA256) of parts under the newest key for a
// purpose. Each part's length goes in before it, so that no two lists of parts
// have the same input.
func (r *Ring) MAC(p Purpose, parts ...[]byte) [MACSize]byte {
	return r.keys[0].purpose(p).sum(parts)
}

// MACs returns MAC's result under every key, newest first, to look up what was
// filed under an older one.
func (r *Ring) MACs(p Purpose, parts ...[]byte) [][MACSize]byte {
	macs := make([][MACSize]byte, len(r.keys))
	for i, k := range r.keys {
		macs[i] = k.purpose(p).sum(parts)
	}
	return macs
}

// VerifyMAC says whether mac is MAC's result for these parts under any key of
// the ring. The time it takes hangs on the number of keys and the size of the
// parts only.
func (r *Ring) VerifyMAC(p Purpose, mac []byte, parts ...[]byte) bool {
	found := false
	for _, k := range r.keys {
		sum := k.purpose(p).sum(parts)
		if hmac.Equal(sum[:], mac) {
			found = true
		}
	}
	return found
}

// A macState is a keyed hash ready for use, with the buffers that would
// otherwise be allocated for each.
type macState struct {
	hash.Hash
	size [8]byte
	sum  [MACSize]byte
}

func (k *purposeKey) sum(parts [][]byte) [MACSize]byte {
	s := k.macs.Get().(*macState)
	for _, part := range parts {
		binary.BigEndian.PutUint64(s.size[:], uint64(len(part)))
		_, _ = s.Write(s.size[:])
		_, _ = s.Write(part)
	}
	s.Sum(s.sum[:0])
	sum := s.sum
	s.Reset()
	k.macs.Put(s)
	return sum
}
