package challenge

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// totpMatch is what a code is worth at a time.
type totpMatch struct {
	// step is the time step of the code, if found.
	step  int64
	found bool
	// used is true if the code is right but its step was accepted before.
	used bool
}

// totpOptions returns the parameters for the library, or an error if they are
// not among those that are offered.
func totpOptions(p *account.TOTP) (hotp.ValidateOpts, error) {
	if p == nil {
		return hotp.ValidateOpts{}, errors.New("the authenticator has no parameters")
	}
	var o hotp.ValidateOpts
	switch p.Algorithm {
	case "SHA1":
		o.Algorithm = otp.AlgorithmSHA1
	case "SHA256":
		o.Algorithm = otp.AlgorithmSHA256
	default:
		return o, fmt.Errorf("the authenticator's algorithm is %q; it must be SHA1 or SHA256", p.Algorithm)
	}
	switch p.Digits {
	case 6:
		o.Digits = otp.DigitsSix
	case 8:
		o.Digits = otp.DigitsEight
	default:
		return o, fmt.Errorf("the authenticator's codes have %d digits; it must be 6 or 8", p.Digits)
	}
	if p.Period != 15 && p.Period != 30 && p.Period != 60 {
		return o, fmt.Errorf("the authenticator's period is %d s; it must be 15, 30 or 60", p.Period)
	}
	return o, nil
}

// matchTOTP looks for the code in the window: the step before, this one, and
// the next if ahead is set. It always computes every step and compares each in
// constant time, so that the time it takes does not tell which one matched. Of
// two steps with the same code the later is taken, or the code would be good a
// second time. Steps up to last are never found (RFC 6238, 5.2).
func matchTOTP(secret []byte, p *account.TOTP, code string, last int64, now time.Time, ahead bool) (totpMatch, error) {
	opts, err := totpOptions(p)
	if err != nil {
		return totpMatch{}, err
	}
	current := now.Unix() / int64(p.Period)
	if current < 1 {
		return totpMatch{}, errors.New("the clock stands before 1970")
	}
	high := current
	if ahead {
		high++
	}
	base32 := FormatTOTPSecret(secret)
	fresh, used := -1, 0
	for step := current - 1; step <= high; step++ {
		want, err := hotp.GenerateCodeCustom(base32, uint64(step), opts)
		if err != nil {
			return totpMatch{}, fmt.Errorf("compute the authenticator's code: %w", err)
		}
		equal := subtle.ConstantTimeCompare([]byte(want), []byte(code))
		// last and step are no secrets.
		if step <= last {
			used |= equal
			continue
		}
		fresh = subtle.ConstantTimeSelect(equal, int(step-current+1), fresh)
	}
	return totpMatch{step: current - 1 + int64(fresh), found: fresh >= 0, used: fresh < 0 && used == 1}, nil
}
