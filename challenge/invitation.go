package challenge

import (
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

const (
	// secretBytes is how long a recovery code and the code of an invitation are:
	// 80 bits (rule 17).
	secretBytes = 10
	// secretChars is how many characters that takes in base32.
	secretChars = 16
	// mailBytes is how long a code is that is sent by mail, lives for minutes and
	// has a few tries: 40 bits.
	mailBytes = 5
)

var letters = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSecretCode returns a code of 80 random bits as people read it: base32 in
// groups of four (RFC 4648, section 6).
func NewSecretCode(random io.Reader) (string, error) { return drawLetters(random, secretBytes) }

// NewMailCode returns a code of 40 random bits in the same form, for a mail.
func NewMailCode(random io.Reader) (string, error) { return drawLetters(random, mailBytes) }

func drawLetters(random io.Reader, n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("draw a code: %w", err)
	}
	s := letters.EncodeToString(b)
	var groups []string
	for ; len(s) > 4; s = s[4:] {
		groups = append(groups, s[:4])
	}
	return strings.Join(append(groups, s), "-"), nil
}

// FoldLetters returns a code of letters and digits as it was made: blanks and
// hyphens are dropped, letters become capitals, and what is easily taken for a
// letter becomes it (0 for O, 1 for I, 8 for B). It returns nothing if it cannot
// be a code: other characters, or more than 64 bytes.
func FoldLetters(input string) string {
	if len(input) > maxInput {
		return ""
	}
	out := make([]byte, 0, secretChars)
	for _, r := range input {
		if unicode.In(r, unicode.White_Space, unicode.Dash, unicode.Hyphen, unicode.Cf) {
			continue
		}
		switch r = unicode.ToUpper(r); r {
		case '0':
			r = 'O'
		case '1':
			r = 'I'
		case '8':
			r = 'B'
		}
		if (r < 'A' || r > 'Z') && (r < '2' || r > '7') || len(out) == 2*secretChars {
			return ""
		}
		out = append(out, byte(r))
	}
	return string(out)
}

// InvitationHash is [InvitationHash] with the keys of the service.
func (s *Service) InvitationHash(instance, accountID, code string) [32]byte {
	return InvitationHash(s.sealer, instance, accountID, code)
}

// MailCodeHash is what is kept of a code that was sent by mail: it is worth
// something in the session alone that has asked for it.
func (s *Service) MailCodeHash(instance, accountID string, standing account.StandingID, code string) [32]byte {
	return s.sealer.MAC(purposeMailCode, []byte(instance), []byte(accountID), standing[:], []byte(FoldLetters(code)))
}

// InvitationHash is what is kept of the code of an operator's invitation: it is
// worth something for this account alone. The code is folded first.
func InvitationHash(s Sealer, instance, accountID, code string) [32]byte {
	return s.MAC(purposeInvitation, []byte(instance), []byte(accountID), []byte(FoldLetters(code)))
}

func encodeID(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
