package account

import "crypto/subtle"

// Limits of recovery codes.
const (
	// RecoveryCodes is how many are made at once (rule 17).
	RecoveryCodes = 10
	// MaxSalt is the largest length of their salt, in bytes.
	MaxSalt = 64
)

// Recovery is what is kept of recovery codes: of each that is not spent its
// slow hash, all under one salt, so that a try costs one hash.
type Recovery struct {
	// Salt is random.
	Salt []byte `json:"salt"`
	// Hashes are those of the codes that are left.
	Hashes []TokenHash `json:"hashes"`
	// Of is how many there were.
	Of int `json:"of"`
}

// Spend takes the code of a hash out; false if it is not there. It looks at all
// of them, so that the time that it takes says nothing. The list that was there
// is left as it was.
func (r *Recovery) Spend(hash [32]byte) bool {
	if r == nil {
		return false
	}
	at := -1
	for i, h := range r.Hashes {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(h[:], hash[:]), i, at)
	}
	if at < 0 {
		return false
	}
	left := append([]TokenHash(nil), r.Hashes[:at]...)
	r.Hashes = append(left, r.Hashes[at+1:]...)
	return true
}
