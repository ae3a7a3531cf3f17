package challenge

import (
	"encoding/binary"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
)

// Sealer seals what must not lie in the clear and hashes with a key. Each
// purpose has keys of its own.
type Sealer interface {
	// Seal returns the plaintext sealed for the purpose and bound to aad.
	Seal(purpose string, aad, plaintext []byte, now time.Time) ([]byte, error)
	// Open returns what was sealed for this purpose and aad, or an error.
	Open(purpose string, aad, sealed []byte, now time.Time) ([]byte, error)
	// MAC returns a keyed hash of the parts, each framed by its length.
	MAC(purpose string, parts ...[]byte) [32]byte
	// VerifyMAC reports in constant time whether the hash is one of the parts,
	// under the present key or an old one.
	VerifyMAC(purpose string, mac [32]byte, parts ...[]byte) bool
}

// The purposes of the keys that this package uses.
const (
	purposeFactor     = string(seal.PurposeFactor)
	purposeCode       = string(seal.PurposeCode)
	purposeOutbox     = "outbox"
	purposeInvitation = "invitation"
	purposeMailCode   = "mail-code"
)

// codeBinding is what a sent code is bound to: of any two challenges, accounts,
// sessions, factors or purposes, a code of one is worth nothing for the other
// (rule 4, ASVS 5.0, 6.6.2).
func codeBinding(ch *account.Challenge, factor string) []byte {
	session := ch.Session[:]
	if ch.Purpose == account.PurposeStepUp {
		// Another step-up may give the session a new id meanwhile.
		session = ch.Standing[:]
	}
	return frame([]byte(ch.Instance), []byte(ch.ID), []byte(ch.Account), session,
		[]byte(factor), []byte(ch.Purpose))
}

// factorBinding is what a factor's secret is bound to, so that a sealed secret
// that is moved to another account or factor does not open there.
func factorBinding(instance, accountID, factorID string, kind account.Kind) []byte {
	return frame([]byte(instance), []byte(accountID), []byte(factorID), []byte(kind))
}

// frame joins the parts, each behind its length, so that no two lists of parts
// give the same bytes.
func frame(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.BigEndian.AppendUint64(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}
