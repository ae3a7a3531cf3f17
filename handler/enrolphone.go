package handler

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"
	"golang.org/x/text/language"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Problems of a number that was typed, as addresses name them.
const (
	problemEmpty = "empty"
	problemKind  = "kind"
	problemSame  = "same"
	problemMany  = "many"
)

func itoa(n int) string { return strconv.Itoa(n) }

func isGone(err error) bool { return errors.Is(err, store.ErrNotFound) }

// replaced returns the phone whose number is to be changed; nil if none is. A code
// to the old number, or what stands for it, comes before the new one: false if
// the request has been answered.
func (p *person) replaced(id string) (*account.Factor, bool, error) {
	if id == "" {
		may, err := p.mayAdd()
		return nil, may, err
	}
	f, ok := p.acc.Factor(id)
	if !ok || f.Kind != account.KindPhone || p.ch != nil {
		return nil, false, p.refuse(page.ChangedElsewhere, nil)
	}
	if !p.isWithin(p.session.Steps.FreshAt(routeNumber+id), settingsAge) {
		return nil, false, p.redirect(p.to(pageChange, fieldShowFactor, id))
	}
	return f, true, nil
}

// change begins to change the number of a phone: with a code to the old one. Who
// has that no more gives a recovery code.
func (p *person) change() error {
	q := p.orig.Query()
	f, ok := p.acc.Factor(q.Get(fieldShowFactor))
	if !ok || f.Kind != account.KindPhone {
		return p.redirect(p.g.Prefix)
	}
	if p.isWithin(p.session.Steps.FreshAt(routeNumber+f.ID), settingsAge) {
		return p.redirect(p.to(pageEnrolPhone, fieldReplaces, f.ID))
	}
	answers := []string{f.ID}
	if q.Get(fieldLost) != "" {
		answers = nil
		for i := range p.acc.Factors {
			if p.acc.Factors[i].Kind == account.KindRecovery {
				answers = append(answers, p.acc.Factors[i].ID)
			}
		}
		if answers == nil {
			return p.refuse(page.NotAllowed, nil)
		}
	}
	return p.stepHere([]string{routeNumber + f.ID}, answers)
}

// lostNumber is the address for who has the number no more that is to be changed;
// empty of any other challenge.
func (v *visit) lostNumber(ch *account.Challenge, factor string) string {
	if ch.Purpose != account.PurposeStepUp || !slices.Contains(ch.Routes, routeNumber+factor) {
		return ""
	}
	return v.g.Prefix + pageChange + "?" + url.Values{fieldShowFactor: {factor}, fieldLost: {"1"}}.Encode()
}

// fieldLost says in an address that the person has the old number no more.
const fieldLost = "lost"

// showPhone asks for the number of a phone.
func (p *person) showPhone() error {
	q := p.orig.Query()
	old, ok, err := p.replaced(q.Get(fieldReplaces))
	if !ok {
		return err
	}
	return p.askNumber(old, "", "", numberProblem(q.Get(fieldProblem)))
}

func numberProblem(name string) page.NumberProblem {
	switch name {
	case problemMany:
		return page.NumberTooMany
	default:
		return page.NumberNone
	}
}

// askNumber shows the page that asks for a number, with what was typed.
func (p *person) askNumber(old *account.Factor, region, typed string, problem page.NumberProblem) error {
	if !p.parts.Challenges.CanSend() {
		return p.redirect(p.to(pageEnrol))
	}
	v := page.EnrolPhonePage{
		Host: p.site(), User: p.session.User, Countries: countries(), Region: region, Number: typed, Problem: problem,
		Post: p.form(pageEnrolPhone), Back: p.to(pageEnrol), Cancel: p.cancelForm(),
	}
	if v.Region == "" {
		v.Region = p.likelyRegion()
	}
	if old != nil {
		v.Replaces, v.Back = old.Hint, p.g.Prefix
		v.Post = p.form(pageEnrolPhone, fieldReplaces, old.ID)
	}
	return p.showNumber(v)
}

// showNumber shows the page that asks for a number. It is long by its countries, so
// that it goes out compressed, but with what was typed: nobody but the person can
// have chosen that, yet it stays out of what is compressed together with a token.
func (p *person) showNumber(v page.EnrolPhonePage) error {
	body, err := p.g.Pages.EnrolPhone(p.language(), v)
	if err == nil && v.Number == "" {
		body = page.Zip(p.r.Header.Get("Accept-Encoding"), p.w.Header(), body)
	}
	return p.show(body, err)
}

// countries are those that a number can be of.
func countries() []page.Country {
	regions := challenge.Regions()
	all := make([]page.Country, len(regions))
	for i, r := range regions {
		all[i] = page.Country{Region: r.ID, Code: r.Code}
	}
	return all
}

// likelyRegion is the country that stands in the field first: where the address
// is, or else what the browser's language says.
func (p *person) likelyRegion() string {
	if c := p.g.placeOf(addressIn(p.clientIP())).Country; c != "" && c != "ZZ" {
		return c
	}
	tags, _, err := language.ParseAcceptLanguage(bounded(p.r.Header.Get("Accept-Language"), maxAgent))
	if err != nil || len(tags) == 0 {
		return ""
	}
	region, confidence := tags[0].Region()
	if confidence < language.High || !region.IsCountry() {
		return ""
	}
	return region.String()
}

// takeNumber takes the number of a new phone and sends it a code.
func (p *person) takeNumber(form url.Values) error {
	old, ok, err := p.replaced(form.Get(fieldReplaces))
	if !ok {
		return err
	}
	region, typed := bounded(form.Get(page.FieldRegion), 2), bounded(form.Get(page.FieldNumber), 64)
	if typed == "" {
		return p.askNumber(old, region, "", page.NumberEmpty)
	}
	number, err := challenge.ParseNumber(region, typed)
	switch {
	case errors.Is(err, challenge.ErrNumberKind):
		return p.askNumber(old, region, typed, page.NumberKind)
	case err != nil:
		return p.askNumber(old, region, typed, page.NumberInvalid)
	}
	same, err := p.hasNumber(number.E164)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	if same {
		return p.askNumber(old, region, typed, page.NumberSame)
	}
	return p.beginPhone(challenge.Candidate{Number: number.E164}, old)
}

// hasNumber reports whether a phone of the account has this number.
func (p *person) hasNumber(e164 string) (bool, error) {
	for i := range p.acc.Factors {
		f := &p.acc.Factors[i]
		if f.Kind != account.KindPhone {
			continue
		}
		has, err := p.parts.Challenges.Secret(&p.acc, f)
		if err != nil || string(has) == e164 {
			return err == nil, err
		}
	}
	return false, nil
}

// beginPhone begins to enrol a phone and sends it a code.
func (p *person) beginPhone(c challenge.Candidate, old *account.Factor) error {
	replaces := ""
	if old != nil {
		replaces = old.ID
	}
	e, ok, err := p.begin(c, replaces)
	if !ok {
		return err
	}
	return p.sendEnrolment(&e)
}

// sendEnrolment sends the code of an enrolment and shows the page that asks for it.
func (p *person) sendEnrolment(e *account.Enrolment) error {
	ctx, cancel := p.ctx()
	defer cancel()
	out, err := p.parts.Challenges.SendEnrolment(ctx, challenge.EnrolSend{Enrolment: *e, Host: p.knownHost(), Site: p.g.Pages.SiteName(), Lang: string(p.language())})
	if err != nil {
		p.g.Logger.Error("a code could not be sent to a new phone", zap.String("user", p.acc.Name), zap.Error(err))
		out.State = challenge.SendFailed
	}
	p.recordEnrolSend(out.State, err != nil, e)
	problem := ""
	switch out.State {
	case challenge.SendFailed, challenge.SendCrowded:
		problem = problemText
	case challenge.SendWait:
		problem = problemEarly
		if out.Until.Sub(p.now) > time.Hour {
			return p.redirect(p.to(pageEnrolPhone, fieldReplaces, e.Replaces, fieldProblem, problemMany))
		}
	case challenge.SendGone:
		return p.refuse(page.EnrolmentExpired, nil)
	}
	if problem == "" {
		return p.redirect(p.to(pageEnrolCode, fieldEnrolment, e.ID))
	}
	return p.redirect(p.to(pageEnrolCode, fieldEnrolment, e.ID, fieldProblem, problem))
}

// sendAgain sends the code once more.
func (p *person) sendAgain(form url.Values) error {
	e, ok, err := p.enrolment(form.Get(fieldEnrolment), account.KindPhone)
	if !ok {
		return err
	}
	return p.sendEnrolment(&e)
}

// showCode asks for the code that was sent to a new phone.
func (p *person) showCode() error {
	q := p.orig.Query()
	if !q.Has(fieldEnrolment) {
		return p.redirect(p.to(pageEnrol))
	}
	e, ok, err := p.enrolment(q.Get(fieldEnrolment), account.KindPhone)
	if !ok {
		return err
	}
	number, err := p.parts.Challenges.Secret(&p.acc, &e.Factor)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	view := p.parts.Challenges.ViewEnrolment(&e, p.now)
	phone, send := p.phone(view), p.form(pageEnrolSend, fieldEnrolment, e.ID)
	v := page.EnrolCodePage{
		Host: p.site(), User: p.session.User, Number: challenge.ShowNumber(string(number)), State: phone.State, SendIn: phone.SendIn,
		Early: q.Get(fieldProblem) == problemEarly, Send: &send, Digits: view.Digits, Post: p.form(pageEnrolCode, fieldEnrolment, e.ID),
		Problem: shownProblem(q.Get(fieldProblem), view), TriesLeft: view.TriesLeft,
		Back: p.to(pageEnrolPhone), Cancel: p.cancelForm(),
	}
	if q.Get(fieldProblem) == problemText && !view.Sent && v.State == page.TextNone {
		v.State = page.TextFailed
	}
	if old, ok := p.acc.Factor(e.Replaces); ok {
		v.Replaces, v.Back = old.Hint, p.to(pageEnrolPhone, fieldReplaces, old.ID)
	}
	if slices.Contains([]page.TextState{page.TextUsedUp, page.TextRefused}, v.State) {
		v.Send = nil
	}
	if p.isProposed(&e) {
		v.Number, v.Back = "…"+e.Factor.Hint, ""
	}
	return p.show(p.g.Pages.EnrolCode(p.language(), v))
}

// takeProposed sends a code to the number that the owner of the team has entered.
// Who gets it there is the one whom the owner meant, so that nothing else has to
// confirm it.
func (p *person) takeProposed(url.Values) error {
	if p.acc.Proposed == nil || hasAnyFactor(&p.acc) || p.ch != nil && p.ch.Enrolled != "" {
		return p.refuse(page.ChangedElsewhere, nil)
	}
	return p.beginPhone(challenge.Candidate{Factor: p.acc.Proposed}, nil)
}

// isProposed reports whether the number is one that the owner of the team has
// entered for a user who has no factor: of that nobody is shown more than its end.
func (p *person) isProposed(e *account.Enrolment) bool {
	return p.acc.Proposed != nil && !hasAnyFactor(&p.acc) && p.acc.Proposed.ID == e.Factor.ID
}
