package challenge

import (
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// View is what the page of a challenge shows of one factor.
type View struct {
	Kind  account.Kind
	Label string
	// Hint is what may be shown of a number: its last two digits.
	Hint string
	// Digits is how many digits a code has; Period is how long a code of an
	// authenticator is shown, zero for a phone.
	Digits int
	// Recovery is how many recovery codes are left; the kind is KindRecovery then.
	Recovery int
	Period   time.Duration
	// TriesLeft is how many tries the living code has, or the authenticator in
	// this challenge; zero for a phone without a living code.
	TriesLeft int
	// PausedUntil is set while the factor is paused.
	PausedUntil time.Time

	// CanSend is true if the factor is a phone and there is a sender; what
	// follows is set only for a phone.
	CanSend bool
	// Sent is true if a code lives that was or is being sent, and CodeExpires
	// when it dies.
	Sent        bool
	CodeExpires time.Time
	// Status is what became of the last sending; empty if there was none.
	Status account.SendStatus
	// SendingsLeft is how many sendings the challenge has left, NextSend when
	// the next may be asked for; zero if at once, or never.
	SendingsLeft int
	NextSend     time.Time
}

// View returns what the page of a challenge shows of one of its factors at the
// given time. It returns an error that wraps store.ErrNotFound if the factor
// may not answer. It reads nothing: both values are to be fresh.
func (s *Service) View(ch *account.Challenge, acc *account.Account, factor string, now time.Time) (View, error) {
	f, err := factorOf(ch, acc, factor)
	if err != nil {
		return View{}, err
	}
	v := View{Kind: f.Kind, Label: f.Label, Hint: f.Hint}
	if now.Before(f.PausedUntil) {
		v.PausedUntil = f.PausedUntil
	}
	if f.Kind == account.KindRecovery {
		if f.Recovery != nil {
			v.Recovery = len(f.Recovery.Hashes)
		}
		v.Digits, v.TriesLeft = secretChars, max(0, s.limits.PerCode-ch.Tries[f.ID])
		return v, nil
	}
	if f.Kind == account.KindPhone {
		s.viewPhone(&v, ch, f, now)
		return v, nil
	}
	if _, err := totpOptions(f.TOTP); err != nil {
		return View{}, err
	}
	v.Digits = f.TOTP.Digits
	v.Period = time.Duration(f.TOTP.Period) * time.Second
	v.TriesLeft = max(0, s.limits.PerCode-ch.Tries[f.ID])
	return v, nil
}

func (s *Service) viewPhone(v *View, ch *account.Challenge, f *account.Factor, now time.Time) {
	v.Digits = sentDigits
	v.CanSend = s.sender != nil
	v.SendingsLeft = len(s.limits.Waits) + 1
	code, ok := ch.Codes[f.ID]
	if !ok {
		return
	}
	v.Status = code.Status
	v.SendingsLeft = max(0, v.SendingsLeft-len(code.Sends))
	if n := len(code.Sends); n > 0 && v.SendingsLeft > 0 {
		if next := code.Sends[n-1].Add(s.limits.Waits[n-1]); now.Before(next) {
			v.NextSend = next
		}
	}
	// A code without a try left stays dead in the page too, but its time and
	// status still tell what happened.
	if now.Before(code.Expires) && f.CurrentChallenge == ch.ID {
		v.Sent = true
		v.CodeExpires = code.Expires
		v.TriesLeft = max(0, s.limits.PerCode-code.Tries)
	}
}
