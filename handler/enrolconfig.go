package handler

import (
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// Enrolment says how people come to a second factor of their own, and what they
// may change of it.
type Enrolment struct {
	// Mode is required, offered or off, for everybody whom no rule names. Default:
	// off.
	Mode account.Mode `json:"mode,omitempty"`
	// Rules are for groups and users. A user's own goes before those of groups, and
	// of each the first counts.
	Rules []EnrolmentRule `json:"rules,omitempty"`
	// From is when required begins, as RFC 3339 has it; until then it is announced
	// at the login. Default: at once.
	From time.Time `json:"from,omitzero"`
	// Again is how long 'not now' holds, from a minute to 366 days. Default: 7 days.
	Again caddy.Duration `json:"again,omitempty"`
	// Grace is after how long from the first offer it is required; 0, the default:
	// never.
	Grace caddy.Duration `json:"grace,omitempty"`
	// Confirm is how it is confirmed, before a first factor is added, that this is
	// the user and not a thief of the password: operator (the account came with a
	// factor, or the operator has invited the user), mail (a code to the address
	// that the operator gave), known_device (a remembered browser, or an address
	// that the user has used before), open (not at all). An invitation always
	// confirms. Default: operator, the strictest.
	Confirm string `json:"confirm,omitempty"`
	// SwitchOff is who may switch a second factor off where none is demanded:
	// code (the user, with a fresh code) or operator. Default: operator.
	SwitchOff string `json:"switch_off,omitempty"`
	// NotMe is what 'this was not me' does besides ending all sessions and
	// devices: challenge (every login is asked for a code, but suspend where a
	// factor was changed within 7 days) or suspend. Default: challenge.
	NotMe string `json:"not_me,omitempty"`
	// Issuer is what authenticator apps call the site, without a colon. Default: the
	// host.
	Issuer string `json:"issuer,omitempty"`
	// Period is how long a code of new authenticators is shown: 15, 30 or 60 s.
	// Default: 30 s, which every app takes.
	Period caddy.Duration `json:"period,omitempty"`
	// Owners says that owners of teams may end their own demand. Default: the
	// operator alone.
	OwnersOff bool `json:"owners_off,omitempty"`
}

// EnrolmentRule is for one group or one user.
type EnrolmentRule struct {
	// Group or User is whom it concerns, by the name in any spelling that folds to
	// the same.
	Group string `json:"group,omitempty"`
	User  string `json:"user,omitempty"`
	// Mode is required, offered or off.
	Mode account.Mode `json:"mode"`
}

// What Confirm, SwitchOff and NotMe can be.
const (
	ConfirmOperator    = "operator"
	ConfirmMail        = "mail"
	ConfirmKnownDevice = "known_device"
	ConfirmOpen        = "open"
	OffByCode          = "code"
	OffByOperator      = "operator"
	NotMeChallenge     = "challenge"
	NotMeSuspend       = "suspend"
)

// defaultAgain is how long 'not now' holds where the config does not say.
const defaultAgain = 7 * 24 * time.Hour

func (e *Enrolment) setDefaults() {
	if e.Mode == "" {
		e.Mode = account.ModeOff
	}
	if e.Again == 0 {
		e.Again = caddy.Duration(defaultAgain)
	}
	if e.Confirm == "" {
		e.Confirm = ConfirmOperator
	}
	if e.SwitchOff == "" {
		e.SwitchOff = OffByOperator
	}
	if e.NotMe == "" {
		e.NotMe = NotMeChallenge
	}
	if e.Period == 0 {
		e.Period = caddy.Duration(30 * time.Second)
	}
}

// Wanted is what the config wants of a user.
func (g *Gate) Wanted(acc *account.Account) account.Wanted {
	e := &g.Enrolment
	w := account.Wanted{Mode: e.Mode, From: e.From, Again: time.Duration(e.Again), Grace: time.Duration(e.Grace)}
	of := func(r EnrolmentRule) bool {
		folded := account.Fold(r.User)
		return folded != "" && (folded == acc.ID || slices.Contains(acc.Aliases, folded))
	}
	i := slices.IndexFunc(e.Rules, of)
	if i < 0 {
		i = slices.IndexFunc(e.Rules, func(r EnrolmentRule) bool {
			return r.Group != "" && strings.EqualFold(r.Group, acc.Group)
		})
	}
	if i < 0 {
		return w
	}
	r := e.Rules[i]
	w.Mode, w.Why = r.Mode, "user "+r.User
	if r.Group != "" {
		w.Why = "group " + r.Group
	}
	return w
}
