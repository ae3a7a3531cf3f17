package handler

import (
	"net/url"
	"strings"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// fieldEnrolment names, in addresses and forms, the enrolment that a page is of,
// and fieldReplaces the factor whose place it takes.
const (
	fieldEnrolment = "enrolment"
	fieldReplaces  = "replaces"
)

// showEnrol offers the ways to a factor, or goes on where it was added already.
func (p *person) showEnrol() error {
	if p.ch != nil && p.ch.Enrolled != "" {
		return p.showAdded()
	}
	proposed := p.acc.Proposed != nil && !p.acc.HasFactor() && p.parts.Challenges.CanSend()
	if !proposed || p.isConfirmedHere() {
		if may, err := p.mayAdd(); !may {
			return err
		}
	}
	v := page.EnrolPage{Host: p.site(), User: p.session.User, App: p.to(pageEnrolApp), Cancel: p.cancelForm(), Back: p.backIn(p.g.Prefix)}
	if p.parts.Challenges.CanSend() {
		v.Phone = p.to(pageEnrolPhone)
	}
	if proposed {
		post := p.form(pageEnrolProposed)
		v.Proposed, v.Ending = &post, p.acc.Proposed.Hint
		if !p.isConfirmedHere() {
			v.App, v.Phone = "", ""
		}
	}
	if p.ch != nil {
		demands, err := p.parts.Store.Demands(p.r.Context(), p.g.Instance)
		if err != nil {
			return p.refuse(page.StoreUnavailable, err)
		}
		v.Demand, v.By = demandOf(p.acc.Need(p.g.Wanted(&p.acc), demands, p.now))
		if p.ch.MayPutOff {
			v.NotNow = p.goOnForm(p.ch, goOnWithout)
		} else {
			v.Demand = page.DemandNow
		}
	}
	return p.show(p.g.Pages.Enrol(p.language(), v))
}

// demandOf is what the pages say of how much a factor is asked for.
func demandOf(n account.Need) (page.Demand, time.Time) {
	switch n.State {
	case account.NeedRequired:
		return page.DemandNow, time.Time{}
	case account.NeedAnnounced:
		return page.DemandFrom, n.By
	case account.NeedOffered:
		return page.DemandOffered, n.By
	default:
		return page.DemandNone, time.Time{}
	}
}

// showAdded is where a login goes on whose factor was added, when the page that
// said so was lost. Its recovery codes are shown no more, so that new ones are made.
func (p *person) showAdded() error {
	return p.show(p.g.Pages.Sure(p.language(), page.SurePage{
		Host: p.site(), User: p.session.User, What: page.SureRecovery, Post: p.form(pageRecovery), Back: p.to(pageEnrol),
	}))
}

// begin begins an enrolment and returns it; false if the request has been
// answered.
func (p *person) begin(c challenge.Candidate, replaces string) (account.Enrolment, bool, error) {
	if len(p.acc.Factors) > account.MaxFactors {
		return account.Enrolment{}, false, p.refuse(page.NotAllowed, nil)
	}
	ctx, cancel := p.ctx()
	defer cancel()
	if !p.known && c.TOTP == nil {
		// What is sent to a phone is counted for its account.
		if _, err := p.create(ctx); err != nil {
			return account.Enrolment{}, false, p.refuse(page.StoreUnavailable, err)
		}
	}
	e, err := p.parts.Challenges.Enrol(ctx, &p.acc, p.session.Standing, c, replaces)
	if err != nil {
		return e, false, p.refuse(page.StoreUnavailable, err)
	}
	return e, true, nil
}

// enrolment finds the enrolment that an address or a form names, of a kind; false
// if the request has been answered.
func (p *person) enrolment(id string, kind account.Kind) (account.Enrolment, bool, error) {
	e, err := p.parts.Store.Enrolment(p.r.Context(), id, p.session.Standing, p.now)
	if err == nil && e.Account == p.acc.ID && e.Instance == p.g.Instance && e.Factor.Kind == kind {
		return e, true, nil
	}
	if err != nil && !isGone(err) {
		return e, false, p.refuse(page.StoreUnavailable, err)
	}
	return e, false, p.refuse(page.EnrolmentExpired, nil)
}

// showApp shows the secret of a new authenticator. The address names the
// enrolment, so that the page is the same when it is loaded again.
func (p *person) showApp() error {
	if may, err := p.mayAdd(); !may {
		return err
	}
	q := p.orig.Query()
	if !q.Has(fieldEnrolment) {
		if p.origin() != fromPerson {
			return p.redirect(p.to(pageEnrol))
		}
		e, ok, err := p.begin(challenge.Candidate{TOTP: p.newTOTP()}, "")
		if !ok {
			return err
		}
		return p.redirect(p.to(pageEnrolApp, fieldEnrolment, e.ID))
	}
	e, ok, err := p.enrolment(q.Get(fieldEnrolment), account.KindTOTP)
	if !ok {
		return err
	}
	secret, err := p.parts.Challenges.Secret(&p.acc, &e.Factor)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	view := p.parts.Challenges.ViewEnrolment(&e, p.now)
	v := page.EnrolAppPage{
		Host: p.site(), User: p.session.User, Issuer: p.issuer(), Account: p.acc.Name,
		Secret: challenge.FormatTOTPSecret(secret), Digits: view.Digits, Period: view.Period,
		Post: p.form(pageEnrolApp, fieldEnrolment, e.ID), Problem: shownProblem(q.Get(fieldProblem), view), TriesLeft: view.TriesLeft,
		Back: p.to(pageEnrol), Cancel: p.cancelForm(),
	}
	v.URI = otpauth(&v, e.Factor.TOTP)
	return p.show(p.g.Pages.EnrolApp(p.language(), v))
}

// newTOTP are the parameters of new authenticators: those that every app takes.
func (p *person) newTOTP() *account.TOTP {
	return &account.TOTP{Algorithm: "SHA1", Digits: 6, Period: int(time.Duration(p.g.Enrolment.Period) / time.Second)}
}

// issuer is what apps call the site.
func (p *person) issuer() string {
	if p.g.Enrolment.Issuer != "" {
		return p.g.Enrolment.Issuer
	}
	return strings.ReplaceAll(p.site(), ":", " ")
}

// otpauth is the address that an authenticator app reads (Key URI Format). The
// label repeats the issuer, as old apps show nothing else. Long names are cut, the
// user's first, so that the picture stays readable: that of a letter beyond ASCII
// takes six to nine characters.
func otpauth(v *page.EnrolAppPage, t *account.TOTP) string {
	q := url.Values{"secret": {v.Secret}}
	if t.Period != 30 {
		q.Set("period", itoa(t.Period))
	}
	name, issuer := []rune(strings.ReplaceAll(v.Account, ":", " ")), []rune(v.Issuer)
	for {
		q.Set("issuer", string(issuer))
		uri := "otpauth://" + "totp/" + url.PathEscape(string(issuer)) + ":" + url.PathEscape(string(name)) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
		switch {
		case len(uri) <= page.MaxOTPAuth:
			return uri
		case len(name) > shortName || len(issuer) == 0:
			name = name[:max(0, len(name)-1)]
		default:
			issuer = issuer[:len(issuer)-1]
		}
	}
}

// shortName is how many characters are left of a user's name before the issuer is
// cut too.
const shortName = 12
