package handler

import (
	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// What people do who look after their own factors.
const (
	FactorChange    Kind = "authn_factor_change"
	FactorFailed    Kind = "authn_factor_fail"
	FactorConfirmed Kind = "authn_factor_confirmed"
	NotMeSaid       Kind = "user_not_me"
	DemandChanged   Kind = "authz_change"
	NoticeSent      Kind = "notice_send"
)

// Their results.
const (
	ForEnrolment  Result = "enrolment"
	FactorAdded   Result = "added"
	FactorRemoved Result = "removed"
	NumberChanged Result = "number_changed"
	FactorsOff    Result = "switched_off"
	RecoveryMade  Result = "recovery_codes_made"
	Proposed      Result = "proposed"
	NotConfirmed  Result = "not_confirmed"
	DemandOn      Result = "demanded"
	DemandOff     Result = "not_demanded"
	TeamRead      Result = "team"
)

// ownKinds are the kinds of those events.
func ownKinds() []KindInfo {
	return []KindInfo{
		{FactorChange, Warn, true, []Result{FactorAdded, FactorRemoved, NumberChanged, FactorsOff, RecoveryMade, Proposed},
			"the user changed their own factors; `proposed`: the owner of the team (`detail`) entered a number that the user has not confirmed yet"},
		{FactorFailed, Warn, true, []Result{WrongCode, MalformedCode, NoLivingCode, MaxRetries, NotConfirmed},
			"a code of a new factor was not right; `not_confirmed`: a code that was to show who adds the first one"},
		{FactorConfirmed, Info, true, []Result{Right},
			"a code of an invitation or a mail has shown who adds the first factor"},
		{NotMeSaid, Critical, true, []Result{Done},
			"the user says that somebody else has signed in: all sessions and devices have ended, and every login is asked for a code, or nobody signs in (`not_me`), until an operator ends that by `activate`. Caddy's log has it as an error, too"},
		{DemandChanged, Warn, true, []Result{DemandOn, DemandOff, TeamRead},
			"the owner of a team demands a second factor of its members, or does so no more; `detail` is the team. `team`: a login has said that the user belongs to another one now, and whoever owned the one before owns it no more"},
		{NoticeSent, Info, true, []Result{SendTaken, SendFailed, SendUnknown},
			"a user was told of a change by mail or text, and `detail` says of what; `unknown`: it is tried again later"},
	}
}

// recordOwn tells what the person has changed.
func (p *person) recordOwn(r Result, of account.Kind, hint string) {
	p.record(Event{Kind: FactorChange, Result: r, User: p.acc.Name, Account: p.acc.ID, Factor: of, Hint: hint})
}

// recordRefused tells that the code of a new factor was not right.
func (p *person) recordRefused(r challenge.Result, f *account.Factor) {
	result := WrongCode
	switch r := r.(type) {
	case challenge.Malformed:
		result = MalformedCode
	case challenge.NoCode:
		result = NoLivingCode
	case challenge.Exhausted:
		result = MaxRetries
	case challenge.Wrong:
		if r.Left == 0 {
			result = MaxRetries
		}
	}
	p.record(Event{Kind: FactorFailed, Result: result, User: p.acc.Name, Account: p.acc.ID, Factor: f.Kind, Hint: f.Hint})
}

// recordConfirm tells what became of a code that was to show who this is.
func (p *person) recordConfirm(right bool) {
	kind, result := FactorFailed, NotConfirmed
	if right {
		kind, result = FactorConfirmed, Right
	}
	p.record(Event{Kind: kind, Result: result, User: p.acc.Name, Account: p.acc.ID})
}

// recordEnrolSend tells that no text went out where one was wanted.
func (p *person) recordEnrolSend(state challenge.SendState, failed bool, e *account.Enrolment) {
	ev := Event{Kind: CodeSent, Result: SendRefused, User: p.acc.Name, Account: p.acc.ID, Challenge: short(e.ID), Factor: e.Factor.Kind, Hint: e.Factor.Hint, Detail: string(state)}
	switch {
	case failed:
		ev.Result, ev.Detail = SendFailed, "an error, see Caddy's log"
	case state == challenge.SendTaken, state == challenge.SendQueued, state == challenge.SendFailed:
		return
	}
	p.record(ev)
}

// ownMessages are the messages of these pages.
func ownMessages() []page.Message {
	return []page.Message{
		page.EnrolmentExpired, page.EnrolmentReplaced, page.Suspended, page.ConfirmNeeded, page.EnrolmentNeeded, page.NotAllowed,
		page.TooBusy, page.ChangedElsewhere, page.Invited,
	}
}
