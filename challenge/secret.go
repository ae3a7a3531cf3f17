package challenge

import (
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

// The length of an authenticator's secret in bytes.
const (
	// MinTOTPSecret is the least that is taken: old apps gave out 80 bits.
	MinTOTPSecret = 10
	// GoodTOTPSecret is the least that RFC 4226, section 4, R6, asks for.
	GoodTOTPSecret = 16
	// MaxTOTPSecret is the most: a block of the hash.
	MaxTOTPSecret = 64
	// newTOTPSecret is what RFC 4226 recommends.
	newTOTPSecret = 20
	// maxBase32 bounds a secret that is typed or pasted, in bytes: 64 bytes are
	// 103 characters, with blanks between groups.
	maxBase32 = 256
)

// NewTOTPSecret returns a new secret of 160 bits for an authenticator.
func NewTOTPSecret(random io.Reader) ([]byte, error) {
	secret := make([]byte, newTOTPSecret)
	if _, err := io.ReadFull(random, secret); err != nil {
		return nil, fmt.Errorf("draw a secret: %w", err)
	}
	return secret, nil
}

// ParseTOTPSecret reads a secret in base32 as people have it: with or without
// blanks, hyphens, padding and capital letters. It reports weak if the secret
// is shorter than [GoodTOTPSecret], which is taken but should be told to the
// operator. Its errors never show the secret.
func ParseTOTPSecret(s string) (secret []byte, weak bool, err error) {
	if len(s) > maxBase32 {
		return nil, false, fmt.Errorf("the secret is longer than %d characters", maxBase32)
	}
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.White_Space, unicode.Dash, unicode.Cf) {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
	s = strings.TrimRight(s, "=")
	// Lengths that no number of bytes gives come from a lost character; the
	// decoder would take them.
	if n := len(s) % 8; n == 1 || n == 3 || n == 6 {
		return nil, false, errors.New("the secret is not whole: characters are missing or too many")
	}
	secret, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s)
	if err != nil {
		return nil, false, errors.New("the secret is not base32: it may hold the letters A to Z and the digits 2 to 7")
	}
	if err := checkTOTPSecret(secret); err != nil {
		return nil, false, err
	}
	return secret, len(secret) < GoodTOTPSecret, nil
}

// FormatTOTPSecret returns the secret in base32 without padding, the form that
// authenticator apps take.
func FormatTOTPSecret(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// SealFactorSecret seals the secret of a factor: the bytes of an authenticator's
// secret, or a phone's number in E.164 form. It opens only as the secret of the
// factor of that id and kind of that account of that instance.
func SealFactorSecret(s Sealer, instance, accountID, factorID string, kind account.Kind, secret []byte, now time.Time) ([]byte, error) {
	if err := checkFactor(kind, secret); err != nil {
		return nil, err
	}
	sealed, err := s.Seal(purposeFactor, factorBinding(instance, accountID, factorID, kind), secret, now)
	if err != nil {
		return nil, fmt.Errorf("seal the secret of factor %q: %w", factorID, err)
	}
	return sealed, nil
}

// OpenFactorSecret opens what [SealFactorSecret] sealed for the same factor.
func OpenFactorSecret(s Sealer, instance, accountID, factorID string, kind account.Kind, sealed []byte, now time.Time) ([]byte, error) {
	secret, err := s.Open(purposeFactor, factorBinding(instance, accountID, factorID, kind), sealed, now)
	if err != nil {
		return nil, fmt.Errorf("open the secret of factor %q (is its key still in the configuration?): %w", factorID, err)
	}
	if err := checkFactor(kind, secret); err != nil {
		return nil, fmt.Errorf("the secret of factor %q: %w", factorID, err)
	}
	return secret, nil
}

func checkFactor(kind account.Kind, secret []byte) error {
	switch kind {
	case account.KindTOTP:
		return checkTOTPSecret(secret)
	case account.KindPhone:
		return checkNumber(secret)
	default:
		return fmt.Errorf("there is no factor of kind %q", kind)
	}
}

func checkTOTPSecret(secret []byte) error {
	if len(secret) < MinTOTPSecret || len(secret) > MaxTOTPSecret {
		return fmt.Errorf("the secret has %d bytes; it must have from %d to %d", len(secret), MinTOTPSecret, MaxTOTPSecret)
	}
	return nil
}

func checkNumber(number []byte) error {
	if !sms.ValidNumber(string(number)) {
		return errors.New("the number is not a plus sign and 7 to 15 digits (E.164)")
	}
	return nil
}
