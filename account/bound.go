package account

import (
	"encoding/hex"
	"fmt"
	"slices"
)

// MaxTokens is how many tokens are bound to one session at a time: the newest.
const MaxTokens = 16

// Fingerprint is the keyed hash of a credential or a token, cut to 128 bits.
// The value itself is never stored.
type Fingerprint [16]byte

// MarshalText writes the fingerprint in hexadecimal.
func (f Fingerprint) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, f[:]), nil
}

// UnmarshalText reads what MarshalText has written.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(f)) {
		return fmt.Errorf("a fingerprint has %d digits, not %d", hex.EncodedLen(len(f)), len(text))
	}
	if _, err := hex.Decode(f[:], text); err != nil {
		return fmt.Errorf("a fingerprint: %w", err)
	}
	return nil
}

// HasCredential reports whether the session's login came with this credential.
func (s *Session) HasCredential(f Fingerprint) bool {
	return s.Credential == f && f != Fingerprint{}
}

// HasToken reports whether the token is bound to the session.
func (s *Session) HasToken(f Fingerprint) bool { return slices.Contains(s.Tokens, f) }

// BindToken makes a token the session's newest, and reports whether that has
// changed anything. Beyond MaxTokens the oldest ones go. The list that was
// there is left as it was, since readers may share it.
func (s *Session) BindToken(f Fingerprint) bool {
	if n := len(s.Tokens); n > 0 && s.Tokens[n-1] == f {
		return false
	}
	next := make([]Fingerprint, 0, len(s.Tokens)+1)
	for _, t := range s.Tokens {
		if t != f {
			next = append(next, t)
		}
	}
	next = append(next, f)
	s.Tokens = next[max(0, len(next)-MaxTokens):]
	return true
}
