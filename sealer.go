package twofactor

import (
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
)

// sealer is a key ring as the room challenge asks for it.
type sealer struct{ ring *seal.Ring }

// Seal implements challenge.Sealer. It cannot fail.
func (s sealer) Seal(purpose string, aad, plaintext []byte, now time.Time) ([]byte, error) {
	return s.ring.Seal(seal.Purpose(purpose), aad, plaintext, now), nil
}

// Open implements challenge.Sealer.
func (s sealer) Open(purpose string, aad, sealed []byte, now time.Time) ([]byte, error) {
	return s.ring.Open(seal.Purpose(purpose), aad, sealed, now)
}

// MAC implements challenge.Sealer.
func (s sealer) MAC(purpose string, parts ...[]byte) [32]byte {
	return s.ring.MAC(seal.Purpose(purpose), parts...)
}

// VerifyMAC implements challenge.Sealer.
func (s sealer) VerifyMAC(purpose string, mac [32]byte, parts ...[]byte) bool {
	return s.ring.VerifyMAC(seal.Purpose(purpose), mac[:], parts...)
}

var _ challenge.Sealer = sealer{}
