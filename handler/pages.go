package handler

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// ownPage answers a request under the prefix. Nothing of it reaches the app.
func (v *visit) ownPage(name string) error {
	if call, ok := isCall(name); ok {
		return v.callAPI(call)
	}
	if route, ok := v.g.ownPages[name]; ok {
		return v.lookAfter(route)
	}
	get := v.r.Method == http.MethodGet || v.r.Method == http.MethodHead
	switch {
	case !isOwnPage(name):
		return v.refuse(page.NotFound, nil)
	case name == "challenge" && get:
		return v.inChallenge(v.orig.Query().Get(fieldShowChallenge), v.showChallenge)
	case name == "choose" && get:
		return v.inChallenge(v.orig.Query().Get(fieldShowChallenge), v.showChoices)
	case get && v.verified():
		return v.redirect("/")
	case get:
		// Reloaded, or typed in: it is only the address of a form.
		return v.redirect(v.challengeAddress())
	case v.r.Method != http.MethodPost:
		v.w.Header().Set("Allow", "GET, HEAD, POST")
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("own pages take GET, HEAD and POST"))
	}
	if !v.smallForm() {
		return v.refuse(page.FormExpired, nil)
	}
	form, err := v.readForm()
	if err != nil {
		return v.refuse(page.FormExpired, err)
	}
	named := form.Get(page.FieldChallenge)
	switch {
	case name == "step-up":
		return v.goOnFromElsewhere(form)
	case name == "challenge":
		return v.answer(form)
	case v.hasSteps() && !v.isStepForm(form), v.pending() && !v.isOurForm(form, v.session.Challenge):
		return v.refuseForm(form)
	}
	switch name {
	case "cancel":
		if v.waitsForEnrolment() {
			return v.cancel()
		}
		return v.inChallenge(named, func(ch account.Challenge, _ account.Account) error { return v.cancelNamed(&ch) })
	case "send":
		return v.inChallenge(named, func(ch account.Challenge, acc account.Account) error { return v.send(form, ch, acc) })
	default:
		return v.inChallenge(named, func(ch account.Challenge, acc account.Account) error { return v.choose(form, ch, acc) })
	}
}

// isOwnPage reports whether there is a page of ours of this name.
func isOwnPage(name string) bool {
	switch name {
	case "challenge", "choose", "send", "cancel", "step-up":
		return true
	case apiPrefix + "state", apiPrefix + "choose", apiPrefix + "send", apiPrefix + "verify", apiPrefix + "cancel":
		return true
	default:
		return false
	}
}

// inChallenge goes on if the browser has an open challenge, in a verified
// session the one that is named, and says in words what else is the case.
func (v *visit) inChallenge(named string, then func(account.Challenge, account.Account) error) error {
	switch {
	case v.pending():
	case v.verified() && (v.session.Steps.Has(named) || named != "" && v.r.Method == http.MethodGet):
		return v.inStepUp(named, then)
	case v.found && v.session.Suspended():
		return v.refuse(page.LoginRunning, nil)
	case v.verified() || v.found && v.session.State == account.StatePassed:
		return v.refuse(page.AlreadyUsed, nil)
	case v.found && v.session.State == account.StateAgain:
		return v.signInOnceMore("")
	case v.found && v.session.State == account.StateCancelled:
		return v.refuse(page.Cancelled, nil)
	default:
		return v.refuse(page.ChallengeExpired, nil)
	}
	ch, acc, err := v.openChallenge()
	if err != nil {
		return v.challengeGone(err)
	}
	return then(ch, acc)
}

// shownFactor is the factor that the page is asked to show.
func shownFactor(asked string, ch account.Challenge) string {
	if ch.MayAnswer(asked) {
		return asked
	}
	return ch.Factors[0]
}

// showChallenge shows the page that asks for a code.
func (v *visit) showChallenge(ch account.Challenge, acc account.Account) error {
	q := v.orig.Query()
	factor := shownFactor(q.Get(fieldShowFactor), ch)
	view, err := v.parts.Challenges.View(&ch, &acc, factor, v.now)
	if err != nil {
		return v.challengeGone(err)
	}
	p := page.ChallengePage{
		Host: v.site(), User: v.session.User, Label: view.Label, Digits: view.Digits,
		Action: ch.Address, ChallengeID: ch.ID, FormToken: v.tokenOf(&ch), FactorID: factor,
		TriesLeft: view.TriesLeft, PausedFor: waitUntil(view.PausedUntil, v.now), CancelAction: v.g.Prefix + "cancel", StepUp: stepUpOf(&ch),
	}
	if p.Action == "" {
		p.Action = v.challengeAddress()
	}
	if len(ch.Factors) > 1 {
		p.OtherWay = v.pageOf(&ch, "choose", factor, "")
	}
	p.Remember, p.Copied = v.offer(&ch), ch.Stolen
	p.Recovery, p.Left = view.Kind == account.KindRecovery, view.Recovery
	p.Lost = v.lostNumber(&ch, factor)
	p.Problem = shownProblem(q.Get(fieldProblem), view)
	if view.Kind == account.KindPhone {
		p.Phone = v.phone(view)
		p.Phone.Early = q.Get(fieldProblem) == problemEarly
		if q.Get(fieldProblem) == problemText && !view.Sent && p.Phone.State == page.TextNone {
			p.Phone.State = page.TextFailed
		}
	}
	body, err := v.g.Pages.Challenge(v.language(), p)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	return v.g.Pages.Write(v.w, http.StatusOK, v.frame(), body)
}

// shownProblem is what the page says of the last code. What closes the field is
// told by the store alone: the address may be an old one, of a challenge that
// is no more.
func shownProblem(asked string, view challenge.View) page.CodeProblem {
	switch {
	case !view.PausedUntil.IsZero():
		return page.Paused
	case view.TriesLeft == 0 && (view.Kind == account.KindTOTP || view.Sent):
		return page.TooManyTries
	case hasExpired(view):
		return page.ExpiredCode
	}
	switch asked {
	case problemWrong:
		return page.WrongCode
	case problemLength:
		return page.WrongLength
	case problemUsed:
		return page.UsedCode
	}
	return page.NoProblem
}

// hasExpired reports whether a code went out to a phone and lives no more: it
// is too old, or a later challenge has killed it.
func hasExpired(view challenge.View) bool {
	return view.Kind == account.KindPhone && !view.Sent && view.Status != "" && view.Status != account.SendFailed
}

func (v *visit) phone(view challenge.View) *page.Phone {
	p := &page.Phone{Ending: view.Hint, SendAction: v.g.Prefix + "send", SendIn: waitUntil(view.NextSend, v.now)}
	switch {
	case !view.CanSend:
		p.State = page.TextRefused
	case view.SendingsLeft == 0 && view.Sent && view.Status != account.SendFailed:
		p.State = page.TextUsedUp
	case view.SendingsLeft == 0:
		p.State = page.TextRefused
	case view.Status == account.SendFailed:
		p.State = page.TextFailed
	case hasExpired(view):
		p.State = page.TextSent
	case !view.Sent:
		p.State = page.TextNone
	case view.Status == account.SendTaken:
		p.State = page.TextSent
	default:
		p.State = page.TextQueued
	}
	return p
}

// showChoices shows the account's factors.
func (v *visit) showChoices(ch account.Challenge, acc account.Account) error {
	p := page.ChoosePage{
		Host: v.site(), User: v.session.User, Action: v.g.Prefix + "choose", ChallengeID: ch.ID,
		FormToken:    v.tokenOf(&ch),
		Back:         v.pageOf(&ch, "challenge", shownFactor(v.orig.Query().Get(fieldShowFactor), ch), ""),
		CancelAction: v.g.Prefix + "cancel", StepUp: stepUpOf(&ch),
	}
	for _, id := range ch.Factors {
		view, err := v.parts.Challenges.View(&ch, &acc, id, v.now)
		if err != nil {
			continue
		}
		c := page.Choice{ID: id, Label: view.Label, Ending: view.Hint, PausedFor: waitUntil(view.PausedUntil, v.now)}
		c.Factor = factorOfPage(view.Kind)
		p.Choices = append(p.Choices, c)
	}
	body, err := v.g.Pages.Choose(v.language(), p)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	return v.g.Pages.Write(v.w, http.StatusOK, v.frame(), body)
}

// choose goes to the page of another factor; a phone gets its first code.
func (v *visit) choose(form url.Values, ch account.Challenge, acc account.Account) error {
	id := shownFactor(form.Get(page.FieldFactor), ch)
	view, err := v.parts.Challenges.View(&ch, &acc, id, v.now)
	if err != nil {
		return v.challengeGone(err)
	}
	if view.Kind == account.KindPhone && !view.Sent && view.CanSend {
		return v.sendTo(id, ch, acc, false)
	}
	return v.redirect(v.pageOf(&ch, "challenge", id, ""))
}

// send sends a code to a phone, for the first time or again.
func (v *visit) send(form url.Values, ch account.Challenge, acc account.Account) error {
	return v.sendTo(shownFactor(form.Get(page.FieldFactor), ch), ch, acc, isTicked(form))
}

// sendTo sends a code and shows the page of that phone. What the store does
// not know of, that nothing was sent, the page's address says.
func (v *visit) sendTo(factor string, ch account.Challenge, acc account.Account, remember bool) error {
	ctx, cancel := v.ctx()
	defer cancel()
	problem := ""
	switch v.sendCode(ctx, ch, &acc, factor).State {
	case challenge.SendFailed, challenge.SendCrowded:
		problem = problemText
	case challenge.SendWait:
		problem = problemEarly
	}
	return v.redirect(v.ticked(v.pageOf(&ch, "challenge", factor, problem), &ch, remember))
}

// cancel drops the hold at the user's wish. The values stay locked, and the
// browser keeps its cookie, so that what it still sends for this challenge
// from another tab is told in words.
func (v *visit) cancel() error {
	ctx, cancel := v.ctx()
	defer cancel()
	err := v.parts.Store.CancelSession(ctx, v.sessionID)
	if errors.Is(err, store.ErrNotFound) {
		// It ended in the meantime, or a code was faster.
		return v.redirect(v.challengeAddress())
	}
	if err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	v.recordSession(ChallengeCancelled, ByUser, &v.session)
	to := v.g.LoginPage
	if to == "" {
		to = "/"
	}
	return v.redirect(to)
}
