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
	// Team is the name of the customer account that the user belongs to; empty if
	// none. Owner says that the user looks after its members.
	Team  string `json:"team,omitempty"`
	Owner bool   `json:"owner,omitempty"`
	// Language is the BCP 47 tag in which the user is written to; empty if it is
	// not known.
	Language string `json:"language,omitempty"`
	// Factors are the second factors enrolled, in the order of enrolment.
	Factors []Factor `json:"factors,omitempty"`
	// Proposed is a phone that the owner of the team has entered: it counts once
	// its user has entered a code of it. Nil if there is none.
	Proposed *Factor `json:"proposed,omitempty"`
	// Demand is the one for this user alone; nil if there is none.
	Demand *Demand `json:"demand,omitempty"`
	// Exempt lets the user in without a second factor, Suspended keeps the user
	// out; nil if not.
	Exempt    *Exemption  `json:"exempt,omitempty"`
	Suspended *Suspension `json:"suspended,omitempty"`
	// AllowOff lets the user switch the second factor off, whatever is demanded.
	AllowOff bool `json:"allow_off,omitempty"`
	// Invitation, made by the operator, and MailCode, sent to Mail at the user's
	// own wish, confirm a first enrolment; nil if there is none.
	Invitation *Invitation `json:"invitation,omitempty"`
	MailCode   *Invitation `json:"mail_code,omitempty"`
	// Offered is when a second factor was first offered, PutOff when the user
	// last said 'not now'.
	Offered time.Time `json:"offered,omitzero"`
	PutOff  time.Time `json:"put_off,omitzero"`
	// Texts are the times of the enrolment texts of the last 24 hours.
	Texts []time.Time `json:"texts,omitempty"`
	// Alarm is when the user said 'this was not me': from then on every login is
	// asked for a code, until the operator ends it. Zero if not.
	Alarm time.Time `json:"alarm,omitzero"`
	// Activated is when the operator last ended that: links of mails from before
	// say nothing any more.
	Activated time.Time `json:"activated,omitzero"`
	// Created and Updated are the times of the first and the last change that
	// was made by a person, not by a login.
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	// Was is the account as it was read before one takes its place
	// (store.Accounts.PutAccounts), without an ID if there was none; it is not stored.
	Was *Account `json:"-"`
}

// Kind is the kind of a factor.
type Kind string

// The kinds of factors that an account can have.
const (
	// KindTOTP is an authenticator app (RFC 6238).
	KindTOTP Kind = "totp"
	// KindPhone is a phone that takes a code by SMS.
	KindPhone Kind = "phone"
	// KindRecovery are recovery codes: an account has one set of them.
	KindRecovery Kind = "recovery"
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
	// Secret is the sealed TOTP seed, or the sealed E.164 phone number; of
	// recovery codes there is none.
	Secret []byte `json:"secret"`
	// Hint is what may be shown of the secret after the password was right:
	// the last two digits of a phone number, nothing for an authenticator.
	Hint string `json:"hint,omitempty"`
	// TOTP holds the parameters of an authenticator; nil for a phone.
	TOTP *TOTP `json:"totp,omitempty"`
	// Recovery is what is kept of recovery codes; nil for other kinds.
	Recovery *Recovery `json:"recovery,omitempty"`
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
	// Created is when it was enrolled, Used when a code of it was last right.
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
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

// DropIdleRecovery removes recovery codes that are the only factor left: they are
// the way back to one, and none by themselves.
func (a *Account) DropIdleRecovery() {
	if !a.HasFactor() {
		a.Factors = nil
	}
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
	return sameTOTP && f.Kind == other.Kind && bytes.Equal(f.Secret, other.Secret) && bytes.Equal(f.salt(), other.salt())
}

// salt tells one set of recovery codes from another.
func (f *Factor) salt() []byte {
	if f.Recovery == nil {
		return nil
	}
	return f.Recovery.Salt
}
