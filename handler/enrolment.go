package handler

import (
	"context"
	"errors"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// A right password of a user without a factor is held like one that waits for a
// code, where a factor is demanded or offered: the pending session leads to the
// pages of enrolment. The form that goes on afterwards is posted to the held
// address, as a code would be.

// fieldGoOn is the field of the form with which a login goes on that waits for an
// enrolment.
const (
	fieldGoOn   = "two_factor_go_on"
	goOnWith    = "with"
	goOnWithout = "without"
)

// errEnrolling means that the challenge of a pending session is an enrolment: no
// code answers it.
var errEnrolling = errors.New("the login waits for an enrolment")

// needs says how much a second factor is asked of the user, and makes the
// decision what comes of it: an exemption lets in, a user who has said 'this was
// not me' is always asked, and whom nothing is asked of, that has no factor,
// comes in where it is optional.
func (g *Gate) needs(ctx context.Context, s store.Changes, acc *account.Account, d *policy.Decision, now time.Time) (account.Need, error) {
	demands, err := s.Demands(ctx, g.Instance)
	if err != nil {
		return account.Need{}, err
	}
	need := acc.Need(g.Wanted(acc), demands, now)
	if d.Verdict == policy.Deny {
		return need, nil
	}
	switch {
	case !acc.Alarm.IsZero():
		if d.Verdict == policy.Allow {
			d.Verdict, d.Reason = policy.Challenge, "the user has said that somebody else signed in, on "+acc.Alarm.Format("2006-01-02")
		}
		d.Remember = false
		if need.Decider == account.DecidedByExemption {
			need = account.Need{State: account.NeedNone}
		}
	case need.Decider == account.DecidedByExemption:
		d.Verdict, d.Reason = policy.Allow, "exempt until "+need.By.Format("2006-01-02 15:04 MST")
	case g.isPutOff(acc, &need):
		d.Verdict, d.Reason = policy.Allow, "a second factor was put off"
	}
	if acc.HasFactor() {
		need.State = account.NeedNone
	}
	return need, nil
}

// isPutOff reports whether a user without a factor comes in because they have put
// one off. The password is all that this login has shown.
func (g *Gate) isPutOff(acc *account.Account, need *account.Need) bool {
	return !acc.HasFactor() && need.State == account.NeedNone && isOptional(g.Wanted(acc), need)
}

// isOptional reports whether a user without a factor comes in without one: it
// was offered, or is demanded later, and put off for now.
func isOptional(w account.Wanted, need *account.Need) bool {
	return need.Decider != account.DecidedByConfig || w.Mode != account.ModeOff
}

// asksForFactor reports whether a page leads to an enrolment.
func asksForFactor(need *account.Need) bool {
	return need.State != "" && need.State != account.NeedNone
}

// enrol holds the answer and leads to the pages of enrolment.
func (a *attempt) enrol(ctx context.Context, s account.Session, acc *account.Account, kept hold.Answer, need account.Need, f *policy.Facts) error {
	if !acc.Alarm.IsZero() {
		a.g.Logger.Warn("a right password was refused: the user has said that somebody else signed in, and has no factor; see 'caddy two-factor activate'", zap.String("user", s.User))
		return a.message(page.MessagePage{Message: page.Suspended, Host: a.site(), User: s.User})
	}
	token, err := a.makePending(&s)
	if err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	id, err := challenge.NewID(a.g.Rand)
	if err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	ch := account.Challenge{
		ID: id, Instance: a.g.Instance, Account: s.Account, Purpose: account.PurposeEnrolment, State: account.ChallengeOpen,
		Session: s.ID, Address: s.Address, Created: s.Created, Expires: s.Expires,
		MayPutOff: need.State != account.NeedRequired, Facts: factsToKeep(*f),
	}
	if ch.Confirmed, err = a.isConfirmed(ctx, acc, f); err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	s.Challenge = ch.ID
	if err := a.beginHeld(ctx, &s, &ch, kept); err != nil {
		return a.notBegun(err)
	}
	a.record(Event{Kind: ChallengeOpened, Result: ForEnrolment, User: s.User, Account: s.Account, Challenge: short(ch.ID), Detail: string(need.State)})
	if need.State != account.NeedRequired && acc.Offered.IsZero() {
		a.noteOffer(ctx, acc)
	}
	return a.showHeld(token)
}

// noteOffer begins the time of grace. An account that is not there yet has none.
func (v *visit) noteOffer(ctx context.Context, acc *account.Account) {
	now := v.g.Clock()
	_, err := v.parts.Store.ChangeAccount(ctx, store.Change{Instance: acc.Instance, Account: acc.ID, Edit: func(a *account.Account) error {
		if a.Offered.IsZero() {
			a.Offered = now
		}
		return nil
	}}, now)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		v.storeFailed()
		v.g.Logger.Error("when a second factor was first offered could not be noted; the time of grace begins later", zap.Error(err))
	}
}

// enrolling returns the open enrolment of the browser's pending session.
func (v *visit) enrolling() (account.Challenge, error) {
	ch, err := v.parts.Store.Challenge(v.r.Context(), v.session.Challenge, v.now)
	if err != nil {
		return ch, err
	}
	if ch.State != account.ChallengeOpen || ch.Session != v.sessionID || ch.Purpose != account.PurposeEnrolment {
		return ch, store.ErrNotFound
	}
	return ch, nil
}

// waitsForEnrolment reports whether this is a login that waits for one. Where the
// store cannot say, whoever asks next does.
func (v *visit) waitsForEnrolment() bool {
	if !v.pending() {
		return false
	}
	_, err := v.enrolling()
	return err == nil
}

// goOnForm is the form with which the login goes on, with the factor that was
// added or without one.
func (v *visit) goOnForm(ch *account.Challenge, with string) *page.Post {
	action := ch.Address
	if action == "" {
		action = v.challengeAddress()
	}
	return &page.Post{Action: action, Fields: []page.Hidden{
		{Name: page.FieldChallenge, Value: ch.ID}, {Name: page.FieldToken, Value: v.formToken(v.sessionID, ch.ID)}, {Name: fieldGoOn, Value: with},
	}}
}

// goOnEnrolled lets the login go on.
func (v *visit) goOnEnrolled(form url.Values) error {
	ctx, cancel := v.ctx()
	defer cancel()
	ch, err := v.enrolling()
	if err != nil {
		return v.challengeGone(err)
	}
	without := form.Get(fieldGoOn) == goOnWithout
	if !without && ch.Enrolled == "" || without && !ch.MayPutOff {
		return v.redirect(v.g.Prefix + "enrol")
	}
	token, id, err := v.g.newToken()
	if err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	next := v.session
	next.ID = id
	v.makeVerified(&next)
	if v.session.Again {
		v.makeAgain(&next)
	}
	if next.Standing, err = v.g.newStanding(); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	pass := store.PassEnrolment{Challenge: ch.ID, Session: v.sessionID, PutOff: without, Next: next}
	if without {
		if err := v.putOff(ctx); err != nil {
			return v.challengeGone(err)
		}
	} else {
		acc, err := v.parts.Store.Account(ctx, v.g.Instance, ch.Account)
		if err != nil {
			return v.challengeGone(err)
		}
		f, ok := acc.Factor(ch.Enrolled)
		if !ok {
			return v.redirect(v.g.Prefix + "enrol")
		}
		pass.Next.Factor, pass.Next.FactorAt, pass.Learn = f.Kind, f.Created, v.g.lessonOf(&ch)
	}
	held, err := v.parts.Store.PassEnrolment(ctx, pass, v.g.Clock())
	switch {
	case errors.Is(err, store.ErrSpent):
		return v.refuse(page.AlreadyUsed, nil)
	case err != nil:
		return v.challengeGone(err)
	}
	return v.releaseHold(ctx, held, pass.Next, token)
}

// putOff notes that the user wants no factor now. Who has no account yet gets one
// by it, so that it is not forgotten and the time of grace begins.
func (v *visit) putOff(ctx context.Context) error {
	now := v.g.Clock()
	c := store.Change{Instance: v.g.Instance, Account: v.session.Account, Edit: func(a *account.Account) error {
		if a.HasFactor() {
			return store.ErrNotFound // It was added meanwhile: nothing is put off any more.
		}
		a.PutOff = now
		if a.Offered.IsZero() {
			a.Offered = now
		}
		return nil
	}}
	if v.g.UnknownUser == EnrolUnknown {
		c.Create = &account.Account{Instance: c.Instance, ID: c.Account, Name: v.session.User, Created: now, Updated: now}
	}
	_, err := v.parts.Store.ChangeAccount(ctx, c, now)
	return err
}
