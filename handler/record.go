package handler

import (
	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// nameHashBytes is how much of that hash an event carries: enough to tell one
// name from others, too little to find one by.
const nameHashBytes = 4

// referenceLen is how much of a challenge's ID an event carries: 48 bits.
const referenceLen = 8

// nowhere is a recorder that records nothing.
type nowhere struct{}

func (nowhere) Record(Event) {}

// record tells what happened in this request.
func (v *visit) record(e Event) { v.recordFrom(v.browser(), e) }

// browser is what an event says of the request: its address and user agent.
// They are read before anything runs beside the request.
type browser struct{ clientIP, userAgent string }

func (v *visit) browser() browser { return browser{v.clientIP(), v.r.UserAgent()} }

func (v *visit) recordFrom(b browser, e Event) {
	e.Time, e.Instance, e.ClientIP, e.UserAgent = v.g.Clock(), v.g.Instance, b.clientIP, b.userAgent
	v.g.Recorder.Record(e)
}

// count counts what is not written down.
func (v *visit) count(k Kind, r Result) {
	v.g.Recorder.Record(Event{Kind: k, Result: r, Instance: v.g.Instance})
}

// record adds what was typed, as a hash: it is made of every login, whoever it
// names, so that it takes the same time (rule 26).
func (a *attempt) record(e Event) {
	e.NameHash = nameHash(a.typed())
	a.visit.record(e)
}

func (a *attempt) typed() account.TryName { return a.g.typedName(a.parts.Ring, a.login.User) }

// recordWrong tells of a wrong password, and counts it.
func (a *attempt) recordWrong() {
	a.g.noteTry(a.parts, a.typed(), a.clientIP(), a.g.Clock())
	a.record(Event{Kind: LoginFailed, Result: WrongPassword})
}

// message ends the login with a page: whatever it says, nobody is logged in.
func (a *attempt) message(p page.MessagePage) error {
	a.record(Event{Kind: LoginFailed, Result: Result(p.Message), User: p.User, Reference: p.Reference})
	return a.visit.message(p)
}

// refuse is visit.refuse, told as the end of a login.
func (a *attempt) refuse(m page.Message, err error) error {
	return a.message(a.refusal(m, err))
}

// recordAssessed tells what the policy has made of a right password.
func (a *attempt) recordAssessed(s account.Session, d policy.Decision, f *policy.Facts) {
	a.record(Event{Kind: LoginAssessed, Result: Result(d.Verdict), User: s.User, Account: s.Account, Decision: &d, Facts: f})
}

// recordSession tells what became of a session of this browser.
func (v *visit) recordSession(k Kind, r Result, s *account.Session) {
	v.record(Event{Kind: k, Result: r, User: s.User, Account: s.Account, Challenge: short(s.Challenge)})
}

// recordReplaced tells that a right password has ended the browser's session.
func (a *attempt) recordReplaced() {
	if a.old != nil {
		a.recordSession(SessionExpired, Replaced, a.old)
	}
}

// recordSettled tells what became of the session that a login had suspended
// and that did not pass.
func (a *attempt) recordSettled() {
	if a.wasVerified {
		a.recordSession(SessionExpired, NotPassed, a.old)
		return
	}
	a.recordSession(SessionResumed, NotPassed, a.old)
}

// recordFactor tells what happened in a challenge, with its factor.
func (v *visit) recordFactor(k Kind, r Result, detail string, ch *account.Challenge, acc *account.Account, factor string) {
	e := Event{Kind: k, Result: r, Detail: detail, User: acc.Name, Account: acc.ID, Challenge: short(ch.ID)}
	if f, ok := acc.Factor(factor); ok {
		e.Factor, e.Hint = f.Kind, f.Hint
	}
	v.record(e)
}

// recordCheck tells what a code was worth.
func (v *visit) recordCheck(r challenge.Result, ch *account.Challenge, acc *account.Account, factor string) {
	kind, result := LoginFailed, GoneChallenge
	switch r := r.(type) {
	case challenge.Passed:
		kind, result = ChallengePassed, Right
	case challenge.Wrong:
		switch {
		case r.Left == 0:
			kind, result = TriesUsedUp, MaxRetries
		case r.Used:
			result = UsedCode
		default:
			result = WrongCode
		}
	case challenge.Exhausted:
		kind, result = TriesUsedUp, MaxRetries
	case challenge.Paused:
		kind, result = FactorPaused, MaxRetries
	case challenge.Malformed:
		result = MalformedCode
	case challenge.NoCode:
		result = NoLivingCode
	case challenge.AlreadyUsed:
		result = AlreadyPassed
	}
	detail := ""
	if ch.Purpose == account.PurposeStepUp {
		detail = "step-up"
	}
	v.recordFactor(kind, result, detail, ch, acc, factor)
}

// recordSend tells that no text went out where one was wanted. What became of
// those that do, whoever sends them tells.
func (v *visit) recordSend(state challenge.SendState, err error, ch *account.Challenge, acc *account.Account, factor string) {
	switch {
	case err != nil:
		v.recordFactor(CodeSent, SendFailed, "an error, see Caddy's log", ch, acc, factor)
	case state == challenge.SendTaken, state == challenge.SendQueued, state == challenge.SendFailed:
	default:
		v.recordFactor(CodeSent, SendRefused, string(state), ch, acc, factor)
	}
}

// recordSuccess tells that an answer was released to this session.
func (v *visit) recordSuccess(s *account.Session) {
	result := ByPassword
	if s.Factor != "" {
		result = ByCode
	}
	v.record(Event{Kind: LoginSucceeded, Result: result, User: s.User, Account: s.Account, Challenge: short(s.Challenge), Factor: s.Factor})
}

// recordLost tells that an answer could not be released though the code was
// right.
func (v *visit) recordLost(s *account.Session) {
	v.record(Event{Kind: LoginFailed, Result: Result(page.HoldLost), User: s.User, Account: s.Account, Challenge: short(s.Challenge), Factor: s.Factor})
}

// recordPage tells what a page of ours has said: what bears on who may do what
// is written down, the rest counted.
func (v *visit) recordPage(p page.MessagePage) {
	switch p.Message {
	case page.Blocked, page.MaliciousPath:
		v.record(Event{Kind: Refused, Result: Result(p.Message), Reference: p.Reference})
	}
	v.count(PageShown, Result(p.Message))
}

// storeFailed counts a failure of the store that ends in no page.
func (v *visit) storeFailed() { v.count(StoreFailed, Done) }

// short returns the beginning of a challenge's ID.
func short(id string) string { return bounded(id, referenceLen) }

// RecordSends returns what tells a recorder of the texts that went to their
// provider. The request may have ended by then.
func RecordSends(to Recorder) func(challenge.Sending) {
	return func(s challenge.Sending) {
		e := Event{
			Time: s.Time, Instance: s.Instance, Kind: CodeSent, Result: SendUnknown, Account: s.Account,
			Challenge: short(s.Challenge), Factor: account.KindPhone, Hint: s.Hint,
		}
		switch s.Status {
		case account.SendTaken:
			e.Result = SendTaken
		case account.SendFailed:
			e.Result = SendFailed
		}
		to.Record(e)
	}
}
