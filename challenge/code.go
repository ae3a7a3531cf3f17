package challenge

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

const (
	// sentDigits is the length of a code that is sent (ASVS 5.0, 6.5.4).
	sentDigits = 6
	// maxInput bounds what is typed or pasted, in bytes, before anything else
	// looks at it: eight digits with blanks between them in the longest script
	// and direction marks have room in it.
	maxInput = 128
	// maxDraws bounds how often a draw is thrown away; one in about 4,400 is,
	// so that 32 in a row mean that the source is broken.
	maxDraws = 32
)

// newCode returns six digits, each of the million codes as likely as any other:
// draws from the incomplete last million of a 32-bit number are thrown away
// (rule 1).
func newCode(random io.Reader) (string, error) {
	const codes = 1_000_000
	const limit = (1 << 32) / codes * codes
	var b [4]byte
	for range maxDraws {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", fmt.Errorf("draw a code: %w", err)
		}
		if n := uint64(binary.BigEndian.Uint32(b[:])); n < limit {
			return fmt.Sprintf("%0*d", sentDigits, n%codes), nil
		}
	}
	return "", errors.New("draw a code: the source of randomness gives no usable numbers")
}

// NewID returns an id of 128 random bits in base64url, for a challenge or a
// factor.
func NewID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("draw an id: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// foldCode returns the code that a person meant: blanks, hyphens of all kinds
// and invisible marks are dropped, digits of other scripts become ASCII. It
// reports false unless exactly the given number of digits is left and nothing
// else (rule 7).
func foldCode(input string, digits int) (string, bool) {
	if len(input) > maxInput || !utf8.ValidString(input) {
		return "", false
	}
	out := make([]byte, 0, digits)
	for _, r := range input {
		if unicode.In(r, unicode.White_Space, unicode.Dash, unicode.Hyphen, unicode.Cf) {
			continue
		}
		d, ok := decimal(r)
		if !ok || len(out) == digits {
			return "", false
		}
		out = append(out, '0'+d)
	}
	return string(out), len(out) == digits
}

// decimal returns the value of a decimal digit of any script. Unicode keeps the
// ten digits of a script together and in order (Unicode Standard, 4.6), so a
// range of the table holds whole tens.
func decimal(r rune) (byte, bool) {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	return 0, false
}
