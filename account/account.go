// Package account holds the values that the gateway stores: accounts and their
// factors, sessions, challenges, holds and line locks, with the rules that are
// true of them wherever they are stored. It does no input or output and knows
// no engine; time always comes in as a parameter.
package account

import (
	"bytes"
	"time"
)

// Account is what the gateway knows of one user of the app.
type Account struct {
	// Instance is the name of the handler instance whose app this user is of.
	Instance string `json:"instance"`
	// ID is the folded form of Name (see [Fold]); it is the account's key
	// within the instance and never changes.
	ID string `json:"id"`
	// Name is the user name as the operator wrote it.
	Name string `json:"name"`
	// Aliases are further names, folded, under which the app lets the same
	// user in, a mail address for example.
	Aliases []string `json:"aliases,omitempty"`
	// Mail is the address that notices go to; empty if not known.
	Mail string `json:"mail,omitempty"`
	// Group is the operator's name for a set of users; empty if none.
	Group string `json:"group,omitempty"`
	// Factors are the second factors enrolled, in the order of enrolment.
	Factors []Factor `json:"factors,omitempty"`
	// Created and Updated are the times of the first and the last change that
	// was made by a person, not by a login.
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Kind is the kind of a factor.
type Kind string

// The kinds of factors that an account can have.
const (
	// KindTOTP is an authenticator app (RFC 6238).
	KindTOTP Kind = "totp"
	// KindPhone is a phone that takes a code by SMS.
	KindPhone Kind = "phone"
)

// Factor is one enrolled second factor. Its secret is sealed by whoever makes
// it; this package never sees it in the clear.
type Factor struct {
	// ID is random and unique within the account.
	ID string `json:"id"`
	// Kind says what it is.
	Kind Kind `json:"kind"`
	// Label is the name that the user or the operator gave it.
	Label string `json:"label,omitempty"`
	// Secret is the sealed TOTP seed, or the sealed E.164 phone number.
	Secret []byte `json:"secret"`
	// Hint is what may be shown of the secret after the password was right:
	// the last two digits of a phone number, nothing for an authenticator.
	Hint string `json:"hint,omitempty"`
	// TOTP holds the parameters of an authenticator; nil for a phone.
	TOTP *TOTP `json:"totp,omitempty"`
	// LastStep is the last TOTP time step that was accepted. Steps up to and
	// including it are never accepted again (RFC 6238 section 5.2).
	LastStep int64 `json:"last_step,omitempty"`
	// Failures counts failed codes in a row, across challenges.
	Failures int `json:"failures,omitempty"`
	// PausedUntil is when the factor may be tried again after too many
	// failures in a row; zero if it is not paused.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	// CurrentChallenge is the challenge whose code is the living one: a code
	// of any other challenge is dead.
	CurrentChallenge string `json:"current_challenge,omitempty"`
	// Created is when it was enrolled.
	Created time.Time `json:"created"`
}

// TOTP holds the parameters of an authenticator (RFC 6238).
type TOTP struct {
	// Algorithm is SHA1 or SHA256.
	Algorithm string `json:"algorithm"`
	// Digits is 6 or 8.
	Digits int `json:"digits"`
	// Period is the length of a time step in seconds: 15, 30 or 60.
	Period int `json:"period"`
}

// Factor returns the factor with the given id.
func (a *Account) Factor(id string) (*Factor, bool) {
	for i := range a.Factors {
		if a.Factors[i].ID == id {
			return &a.Factors[i], true
		}
	}
	return nil, false
}

// SameFactors reports whether two lists have the same factors, in whatever
// order, as far as it is about who can give a code: by their ids, kinds, secrets
// and parameters.
func SameFactors(a, b []Factor) bool {
	if len(a) != len(b) {
		return false
	}
	of := make(map[string]*Factor, len(a))
	for i := range a {
		of[a[i].ID] = &a[i]
	}
	for i := range b {
		was := of[b[i].ID]
		if was == nil || !was.isSame(&b[i]) {
			return false
		}
		delete(of, b[i].ID)
	}
	return true
}

func (f *Factor) isSame(other *Factor) bool {
	sameTOTP := f.TOTP == other.TOTP || f.TOTP != nil && other.TOTP != nil && *f.TOTP == *other.TOTP
	return sameTOTP && f.Kind == other.Kind && bytes.Equal(f.Secret, other.Secret)
}
