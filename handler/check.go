package handler

import (
	"errors"
	"net/url"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Problems of a code that was entered, as the challenge page's address names
// them; what they say is looked up, never taken from there.
const (
	problemWrong    = "wrong"
	problemLength   = "length"
	problemUsed     = "used"
	problemTries    = "tries"
	problemPaused   = "paused"
	problemExpired  = "expired"
	problemText     = "text"
	problemEarly    = "early"
	fieldProblem    = "problem"
	fieldShowFactor = "factor"
)

// check checks a code and releases what it opens. remember says that the person
// wants the browser to be remembered.
func (v *visit) check(code, factor string, remember bool) error {
	ctx, cancel := v.ctx()
	defer cancel()
	ch, acc, err := v.openChallenge()
	if err != nil {
		return v.challengeGone(err)
	}
	if factor == "" {
		factor = ch.Factors[0]
	}
	if !ch.MayAnswer(factor) {
		return v.refuse(page.FormExpired, nil)
	}
	token, id, err := v.g.newToken()
	if err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	next := v.session
	next.ID = id
	v.makeVerified(&next)
	switch {
	case v.api:
		// The client that asks takes the token with the answer.
		next.Again = false
	case v.session.Again:
		v.makeAgain(&next)
	}
	if next.Standing, err = v.g.newStanding(); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	request := challenge.CheckRequest{
		Challenge: ch.ID, Session: v.sessionID, Account: &acc, Factor: factor, Input: code, Next: next,
		Learn: v.g.lessonOf(&ch), Failed: v.failedNotice(&ch, &acc), Notices: v.usedNotice(&acc, factor),
	}
	device := ""
	if remember = remember && ch.Remember && v.g.RememberFor > 0; remember {
		if device, err = v.newDevice(&request); err != nil {
			return v.refuse(page.StoreUnavailable, err)
		}
	}
	result, err := v.parts.Challenges.Check(ctx, request)
	if err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	v.recordCheck(result, &ch, &acc, factor)
	switch r := result.(type) {
	case challenge.Passed:
		if remember {
			v.remembered(request.Device, &acc, device)
		}
		return v.releaseHold(ctx, r.Hold, r.Session, token)
	case challenge.AlreadyUsed:
		return v.refuse(page.AlreadyUsed, nil)
	case challenge.Gone:
		return v.challengeGone(store.ErrNotFound)
	default:
		if v.api {
			return v.codeProblem(result)
		}
		return v.redirect(v.ticked(v.challengePage(factor, problemOf(result)), &ch, remember))
	}
}

func problemOf(r challenge.Result) string {
	switch r := r.(type) {
	case challenge.Wrong:
		if r.Used {
			return problemUsed
		}
		return problemWrong
	case challenge.Malformed:
		return problemLength
	case challenge.Exhausted:
		return problemTries
	case challenge.Paused:
		return problemPaused
	default:
		return problemExpired
	}
}

// challengeAddress is the address of the challenge page.
func (v *visit) challengeAddress() string { return v.g.Prefix + "challenge" }

// challengePage is the address of the challenge page for one factor, with what
// was wrong with the last code.
func (v *visit) challengePage(factor, problem string) string {
	q := url.Values{}
	if factor != "" {
		q.Set(fieldShowFactor, factor)
	}
	if problem != "" {
		q.Set(fieldProblem, problem)
	}
	if len(q) == 0 {
		return v.challengeAddress()
	}
	return v.challengeAddress() + "?" + q.Encode()
}

// openChallenge returns the open challenge of the browser's pending session
// and its account.
func (v *visit) openChallenge() (account.Challenge, account.Account, error) {
	ctx := v.r.Context()
	ch, err := v.parts.Store.Challenge(ctx, v.session.Challenge, v.now)
	if err != nil {
		return ch, account.Account{}, err
	}
	if ch.Purpose == account.PurposeEnrolment && ch.State == account.ChallengeOpen {
		return ch, account.Account{}, errEnrolling
	}
	if ch.State != account.ChallengeOpen || ch.Session != v.sessionID || len(ch.Factors) == 0 {
		return ch, account.Account{}, store.ErrNotFound
	}
	acc, err := v.parts.Store.Account(ctx, v.g.Instance, ch.Account)
	return ch, acc, err
}

// challengeGone says why a challenge cannot be answered that was open a moment
// ago: another submit or tab may have been faster.
func (v *visit) challengeGone(err error) error {
	if errors.Is(err, errEnrolling) {
		if v.wantsPage() {
			return v.redirect(v.g.Prefix + pageEnrol)
		}
		return v.refuse(page.EnrolmentNeeded, nil)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return v.refuse(page.StoreUnavailable, err)
	}
	ctx, cancel := v.ctx()
	defer cancel()
	ch, err := v.parts.Store.Challenge(ctx, v.session.Challenge, v.now)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return v.refuse(page.StoreUnavailable, err)
	case ch.State == account.ChallengePassed:
		return v.refuse(page.AlreadyUsed, nil)
	case ch.State == account.ChallengeCancelled:
		return v.refuse(page.Cancelled, nil)
	}
	if s, err := v.parts.Store.Session(ctx, v.sessionID, v.now); err == nil && s.Suspended() {
		return v.refuse(page.LoginRunning, nil)
	}
	return v.refuse(page.ChallengeExpired, nil)
}
