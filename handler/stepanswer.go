package handler

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// fieldShowChallenge names, in the address of a page of ours, the step-up that
// it shows; a pending session has one challenge only.
const fieldShowChallenge = "challenge"

// stepAddress is the address of a step-up's page.
func (v *visit) stepAddress(challenge string) string {
	return v.challengeAddress() + "?" + url.Values{fieldShowChallenge: {challenge}}.Encode()
}

// stepPage is the address of a step-up's page for one factor, with what was
// wrong with the last code.
func (v *visit) stepPage(name, challenge, factor, problem string) string {
	q := url.Values{fieldShowChallenge: {challenge}}
	if factor != "" {
		q.Set(fieldShowFactor, factor)
	}
	if problem != "" {
		q.Set(fieldProblem, problem)
	}
	return v.g.Prefix + name + "?" + q.Encode()
}

// stepToken is the token of the forms of a step-up. It is bound to what stays
// when the session gets a new id, so that the page of another tab goes on.
func (v *visit) stepToken(challenge string) string {
	mac := v.parts.Ring.MAC(purposeForm, []byte(v.g.Instance), v.session.Standing[:], []byte(challenge))
	return base64.RawURLEncoding.EncodeToString(mac[:16])
}

func (v *visit) isStepToken(form url.Values, challenge string) bool {
	return subtle.ConstantTimeCompare([]byte(form.Get(page.FieldToken)), []byte(v.stepToken(challenge))) == 1
}

// isStepForm reports whether a form was made for a step-up of this session and
// posted from a page of this site.
func (v *visit) isStepForm(form url.Values) bool {
	id := form[page.FieldChallenge]
	return isSameOrigin(v.r) && len(id) == 1 && v.isStepToken(form, id[0])
}

// hasSteps reports whether a form that came may be the answer to a step-up.
func (v *visit) hasSteps() bool {
	return v.verified() && v.session.Steps != nil && len(v.session.Steps.Challenges) > 0
}

// openStepUp returns an open step-up of the browser's session and its account.
func (v *visit) openStepUp(id string) (account.Challenge, account.Account, error) {
	if !v.session.Steps.Has(id) {
		return account.Challenge{}, account.Account{}, store.ErrNotFound
	}
	ctx := v.r.Context()
	ch, err := v.parts.Store.Challenge(ctx, id, v.now)
	if err != nil {
		return ch, account.Account{}, err
	}
	if ch.Standing != v.session.Standing || ch.Purpose != account.PurposeStepUp || len(ch.Factors) == 0 {
		return account.Challenge{}, account.Account{}, store.ErrNotFound
	}
	switch ch.State {
	case account.ChallengeOpen, account.ChallengeWaiting:
	case account.ChallengePassed:
		return ch, account.Account{}, store.ErrSpent
	default:
		return ch, account.Account{}, errStepCancelled
	}
	acc, err := v.parts.Store.Account(ctx, v.g.Instance, ch.Account)
	return ch, acc, err
}

var errStepCancelled = errors.New("the step-up was cancelled")

// stepGone says why a step-up of this session cannot be answered.
func (v *visit) stepGone(ch *account.Challenge, err error) error {
	switch {
	case errors.Is(err, store.ErrSpent) && v.mayRepeat(ch):
		return v.stepMessage(page.StepUpPassed, ch)
	case errors.Is(err, store.ErrSpent):
		return v.stepMessage(page.StepUpUsed, ch)
	case errors.Is(err, errStepCancelled):
		return v.stepMessage(page.StepUpCancelled, ch)
	case errors.Is(err, store.ErrNotFound):
		return v.stepMessage(page.StepUpExpired, ch)
	default:
		return v.refuse(page.StoreUnavailable, err)
	}
}

// mayRepeat reports whether a passed step-up has sent nothing: its request still
// has its pass.
func (v *visit) mayRepeat(ch *account.Challenge) bool {
	pass, ok := v.session.Steps.Pass(ch.Request, v.now)
	return ok && !pass.Taken
}

// stepMessage answers with a page that leads back to the app.
func (v *visit) stepMessage(m page.Message, ch *account.Challenge) error {
	p := v.refusal(m, nil)
	p.Doing = ch.Action
	back := ch.Back
	if back == "" {
		back = "/"
	}
	p.Ways = []page.Way{{Name: page.WayBack, To: back}}
	return v.message(p)
}

// answerStep checks a code that answers a step-up.
func (v *visit) answerStep(form url.Values) error {
	if !v.isStepForm(form) {
		if !isSameOrigin(v.r) {
			v.record(Event{Kind: FromElsewhere, Result: InForm})
		}
		return v.refuse(page.FormExpired, nil)
	}
	ch, acc, err := v.openStepUp(form.Get(page.FieldChallenge))
	if err != nil {
		if errors.Is(err, store.ErrSpent) {
			v.giveTokenAgain(ch.ID)
		}
		return v.stepGone(&ch, err)
	}
	if ch.Address != "" && v.address != ch.Address {
		return v.refuse(page.FormExpired, nil)
	}
	factor := form.Get(page.FieldFactor)
	if factor == "" {
		factor = ch.Factors[0]
	}
	if !ch.MayAnswer(factor) {
		return v.refuse(page.FormExpired, nil)
	}
	passed, result, err := v.checkStep(&ch, &acc, factor, form.Get(page.FieldCode), ch.Held)
	switch {
	case err != nil:
		return v.refuse(page.StoreUnavailable, err)
	case passed != nil:
		return v.stepPassed(&ch, passed)
	}
	switch result.(type) {
	case challenge.AlreadyUsed:
		if s, err := v.parts.Store.Session(v.r.Context(), v.sessionID, v.now); err == nil {
			v.sessionID, v.session = s.ID, s
			v.giveTokenAgain(ch.ID)
		}
		return v.stepGone(&ch, store.ErrSpent)
	case challenge.Gone:
		return v.stepGone(&ch, store.ErrNotFound)
	default:
		return v.redirect(v.stepPage("challenge", ch.ID, factor, problemOf(result)))
	}
}

// checkStep checks a code. With a right one the browser gets the session's new
// token with the answer.
func (v *visit) checkStep(ch *account.Challenge, acc *account.Account, factor, code string, take bool) (*challenge.Passed, challenge.Result, error) {
	token, id := v.nextToken(ch.ID)
	ctx, cancel := v.ctx()
	defer cancel()
	result, err := v.parts.Challenges.CheckStepUp(ctx, challenge.CheckRequest{
		Challenge: ch.ID, Session: v.sessionID, Account: acc, Factor: factor, Input: code, Next: account.Session{ID: id},
		Routes: v.ownRoutes(ch.Routes), Failed: v.failedNotice(ch, acc), Notices: v.usedNotice(acc, factor),
	}, take)
	if err != nil {
		return nil, nil, err
	}
	v.recordCheck(result, ch, acc, factor)
	passed, ok := result.(challenge.Passed)
	if !ok {
		return nil, result, nil
	}
	v.sessionID, v.session = id, passed.Session
	v.learnStep(ch)
	v.placeAnswer(&v.session, decisionOf(v.session.Factor))
	v.setOwn(v.w.Header(), token)
	return &passed, result, nil
}

// purposeNext is the purpose of the key that the next token is made with.
const purposeNext seal.Purpose = "next-token"

// nextToken is the token that the session has after a step-up. It is made of the
// one that the browser has, which nobody can do without the key: where the
// browser has dropped the answer that brought it, as at a second click, it is
// given once more.
func (v *visit) nextToken(challenge string) (string, account.SessionID) {
	mac := v.parts.Ring.MAC(purposeNext, []byte(v.g.Instance), []byte(v.token), []byte(challenge))
	return base64.RawURLEncoding.EncodeToString(mac[:]), sha256.Sum256(mac[:])
}

// giveTokenAgain gives the browser that has sent the code of this step-up twice
// the token that the first answer brought.
func (v *visit) giveTokenAgain(challenge string) {
	if token, id := v.nextToken(challenge); id == v.sessionID {
		v.setOwn(v.w.Header(), token)
	}
}

// stepPassed goes on after a right code: the held request is sent, or the
// browser is sent to where it was going.
func (v *visit) stepPassed(ch *account.Challenge, passed *challenge.Passed) error {
	if !ch.Held {
		if ch.Address != "" {
			return v.redirect(ch.Address)
		}
		return v.redirect(ch.Back)
	}
	held, err := v.openRequest(ch.Request, &passed.Hold)
	if err == nil && (held.At != v.address || !strings.EqualFold(held.Host, v.r.Host)) {
		// Hosts that share the session may be other apps at the same address.
		err = errors.New("the code came to another address than the held request")
	}
	if err != nil {
		p := v.refusal(page.StepUpNotSent, err)
		p.Doing = ch.Action
		return v.message(p)
	}
	if ch.Once {
		v.pass, v.passTaken = ch.Request, true
	}
	return v.sendHeld(held, v.ownRoutes(ch.Routes))
}

// inStepUp goes on with a step-up of this session, and says in words what else
// is the case. One that waits is open from here on: the person, or a script of
// this site, has asked for it.
func (v *visit) inStepUp(id string, then func(account.Challenge, account.Account) error) error {
	ch, acc, err := v.openStepUp(id)
	if err == nil && ch.State == account.ChallengeWaiting {
		ctx, cancel := v.ctx()
		defer cancel()
		ch, err = v.parts.Store.ShowStepUp(ctx, v.sessionID, id, ch.Back, v.now)
	}
	if err != nil {
		return v.stepGone(&ch, err)
	}
	return then(ch, acc)
}

// stepUpOf is what a page says of a step-up; nil of a login.
func stepUpOf(ch *account.Challenge) *page.StepUp {
	if ch.Purpose != account.PurposeStepUp {
		return nil
	}
	s := &page.StepUp{Doing: ch.Action}
	if ch.Held {
		s.Back = ch.Back
	}
	return s
}

// tokenOf is the token of the forms of a challenge's pages.
func (v *visit) tokenOf(ch *account.Challenge) string {
	if ch.Purpose == account.PurposeStepUp {
		return v.stepToken(ch.ID)
	}
	return v.formToken(v.sessionID, ch.ID)
}

// pageOf is the address of a challenge's page for one factor.
func (v *visit) pageOf(ch *account.Challenge, name, factor, problem string) string {
	if ch.Purpose == account.PurposeStepUp {
		return v.stepPage(name, ch.ID, factor, problem)
	}
	if name != "challenge" {
		return v.g.Prefix + name + "?" + url.Values{fieldShowFactor: {factor}}.Encode()
	}
	return v.challengePage(factor, problem)
}

// cancelNamed ends a challenge at the person's wish: of a login the hold is
// dropped; of a step-up too, and the person stays signed in.
func (v *visit) cancelNamed(ch *account.Challenge) error {
	if ch.Purpose != account.PurposeStepUp {
		return v.cancel()
	}
	ctx, cancel := v.ctx()
	defer cancel()
	if err := v.parts.Store.CancelStepUp(ctx, v.sessionID, ch.ID, v.now); err != nil {
		return v.stepGone(ch, err)
	}
	v.record(Event{Kind: ChallengeCancelled, Result: ByUser, User: v.session.User, Account: v.session.Account, Challenge: short(ch.ID), Detail: ch.Action})
	return v.stepMessage(page.StepUpCancelled, ch)
}

// showWaiting shows, at the next page that the person opens, the challenge of
// something that waits for a code.
func (v *visit) showWaiting() (bool, error) {
	if !v.verified() || v.session.Steps == nil || v.session.Steps.Waiting == "" || v.replayed != nil {
		return false, nil
	}
	if v.r.Method != http.MethodGet || !v.isTopLevel() || v.origin() != fromPerson || v.isLoginPage() {
		return false, nil
	}
	if logout, err := v.isLogout(); err != nil || logout {
		return false, nil //nolint:nilerr // Whoever asks next says so.
	}
	ctx, cancel := v.ctx()
	defer cancel()
	back := v.address
	if v.hasKeyInQuery() || !isPathHere(v.orig.Path) || len(back) > maxBack {
		back = "/"
	}
	ch, err := v.parts.Store.ShowStepUp(ctx, v.sessionID, v.session.Steps.Waiting, back, v.now)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrSpent):
		return false, nil
	case err != nil:
		// Nothing opens by it: the page is shown, and what waits goes on waiting.
		v.storeFailed()
		v.g.Logger.Error("a step-up that waits could not be shown", zap.Error(err))
		return false, nil
	}
	return true, v.redirect(v.stepAddress(ch.ID))
}
