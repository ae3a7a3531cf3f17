package challenge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// verifier compares a code with what one factor expects.
type verifier interface {
	// digits is how many digits or letters a code has.
	digits() int
	// fold returns the code that a person meant; false if it cannot be one.
	fold(input string) (string, bool)
	// match compares in constant time. It is called after the attempt was
	// counted.
	match(ctx context.Context, code, challenge string, now time.Time) (match, error)
}

// match is what a code is worth, and what the store needs to spend it.
type match struct {
	right bool
	// used is true if it would be right but its time step was accepted before.
	used bool
	step int64
	hash [32]byte
}

// verifierOf returns the verifier for a factor. A secret that does not open is
// found here, before an attempt is counted: the operator's mistake costs the
// person nothing.
func (s *Service) verifierOf(acc *account.Account, f *account.Factor, now time.Time) (verifier, error) {
	switch f.Kind {
	case account.KindPhone:
		return phoneVerifier{s, f.ID}, nil
	case account.KindTOTP:
		if _, err := totpOptions(f.TOTP); err != nil {
			return nil, fmt.Errorf("factor %q: %w", f.ID, err)
		}
		secret, err := OpenFactorSecret(s.sealer, acc.Instance, acc.ID, f.ID, f.Kind, f.Secret, now)
		if err != nil {
			return nil, err
		}
		return totpVerifier{secret, f.TOTP, f.LastStep, s.limits.StepAhead}, nil
	case account.KindRecovery:
		if f.Recovery == nil || len(f.Recovery.Salt) == 0 {
			return nil, fmt.Errorf("factor %q has no recovery codes", f.ID)
		}
		return recoveryVerifier{s, f.Recovery}, nil
	default:
		return nil, fmt.Errorf("factor %q has the unknown kind %q", f.ID, f.Kind)
	}
}

type totpVerifier struct {
	secret    []byte
	params    *account.TOTP
	last      int64
	stepAhead bool
}

func (v totpVerifier) digits() int { return v.params.Digits }

func (v totpVerifier) fold(input string) (string, bool) { return foldCode(input, v.digits()) }

func (v totpVerifier) match(_ context.Context, code, _ string, now time.Time) (match, error) {
	m, err := matchTOTP(v.secret, v.params, code, v.last, now, v.stepAhead)
	if err != nil {
		return match{}, err
	}
	return match{right: m.found, used: m.used, step: m.step}, nil
}

type phoneVerifier struct {
	s      *Service
	factor string
}

func (phoneVerifier) digits() int { return sentDigits }

func (phoneVerifier) fold(input string) (string, bool) { return foldCode(input, sentDigits) }

// match reads the challenge again: the code may have been sent after it was
// read first.
func (v phoneVerifier) match(ctx context.Context, code, challenge string, now time.Time) (match, error) {
	ch, err := v.s.store.Challenge(ctx, challenge, now)
	if errors.Is(err, store.ErrNotFound) {
		return match{}, nil
	}
	if err != nil {
		return match{}, fmt.Errorf("read the challenge: %w", err)
	}
	sent, ok := ch.Codes[v.factor]
	if !ok {
		return match{}, nil
	}
	right := v.s.sealer.VerifyMAC(purposeCode, sent.Hash, codeBinding(&ch, v.factor), []byte(code))
	return match{right: right, hash: sent.Hash}, nil
}
