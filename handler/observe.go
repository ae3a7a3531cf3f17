package handler

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// observe is the way of a request in `mode observe`: what would become of it
// is noted, and it goes on to the app as it came, but for the gateway's own
// cookies and seals, of which the app knows nothing. Nothing that fails here
// keeps the request from the app.
func (g *Gate) observe(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	v := g.newVisit(w, r, next)
	v.readAddress()
	lease, err := g.Lease()
	if err != nil {
		g.watch.fails("the store cannot be asked", err)
	} else {
		defer lease.Release()
		v.parts = lease.Parts()
	}
	v.readObserved()
	if rest, ok := strings.CutPrefix(v.orig.Path, g.Prefix); ok {
		return v.pastChallenge(isOwnPage(rest))
	}
	if v.isPastAnswer() {
		return v.pastChallenge(true)
	}
	v.seeIdentity()
	g.takeOffIdentity(r.Header)
	v.placeObserved()
	s := v.sightLogin()
	v.noteRefusals(s)
	back := v.openObserved(s.mayBe())
	restore := v.setObserved()
	defer restore()
	v.watchTrailer()
	who := v.isWhoPage()
	p := newPeek(w, who || s.isRead(), func(h http.Header, before int) {
		v.seeCookies(s, h, before)
		v.handBack(h, back)
	})
	err = next.ServeHTTP(p, r)
	v.noteSent()
	switch {
	case s.isRead():
		v.lookLater(func() { g.recognise(s, p) })
	case s != nil && !s.quiet:
		g.unrecognised(s, p.status, s.why)
	case who && p.status == http.StatusOK:
		at := v.siteURL()
		v.lookLater(func() { g.lookWho(at, p) })
	}
	return err
}

// readObserved reads the cookies of the request and finds the browser's
// session, one of an enforcing time.
func (v *visit) readObserved() {
	if v.parts == nil {
		v.parsePairs()
		return
	}
	if err := v.readCookies(); err != nil {
		v.g.watch.fails("a session cannot be asked for", err)
		v.found, v.session = false, account.Session{}
		v.parsePairs()
	}
}

// isPastAnswer reports whether the request is the code form of a challenge
// from an enforcing time, posted to the held address: the app knows nothing of
// it, and a code is not for it.
func (v *visit) isPastAnswer() bool {
	if !v.hasToken || !v.smallForm() {
		return false
	}
	keep := rememberBody(v.r)
	form, err := v.readForm()
	keep.after(v.r, err)
	return err == nil && form.Has(page.FieldChallenge)
}

// pastChallenge answers for a page of ours, of which a browser can still have
// one open from an enforcing time: nothing is held any more, so the hold is
// dropped and the person signs in again, without a code.
func (v *visit) pastChallenge(known bool) error {
	switch {
	case !known:
		return v.refuse(page.NotFound, nil)
	case v.verified() || v.found && v.session.State == account.StatePassed:
		return v.refuse(page.AlreadyUsed, nil)
	}
	if v.found && v.session.State == account.StatePending && v.parts != nil {
		ctx, cancel := v.ctx()
		defer cancel()
		if err := v.parts.Store.CancelSession(ctx, v.sessionID); err != nil && !errors.Is(err, store.ErrNotFound) {
			v.g.watch.fails("a hold cannot be dropped", err)
		}
	}
	return v.refuse(page.ChallengeExpired, nil)
}

// sighting is one request that is, or may be, a login, and its answer; nil for
// any other request.
type sighting struct {
	// login is nil if the request cannot be read for certain, and why says so.
	login *foundLogin
	why   string
	// quiet says that the reason is no news for the operator.
	quiet bool

	method, path string
	// at is the address of the request as the browser sees it.
	at        *url.URL
	clientIP  string
	userAgent string
	// told is what the matchers of the policy say.
	told matched
	// sets are the cookies of the answer.
	sets []cookie.SetCookie
}

// isRead reports whether the request was read for certain as a login.
func (s *sighting) isRead() bool { return s != nil && s.login != nil }

// mayBe reports whether the request may have logged somebody in.
func (s *sighting) mayBe() bool { return s != nil }

// sightLogin tells whether the request is a declared login. It is told by a
// copy of the request, since for a login the gateway takes off what it does
// not take off here.
func (v *visit) sightLogin() *sighting {
	s := &sighting{method: v.r.Method, path: pathPattern(v.orig.Path)}
	var keep *remembered
	if v.mayReadLogin() {
		keep = rememberBody(v.r)
		err := v.readBody()
		keep.after(v.r, err)
		if err != nil {
			// The client has gone, or the body is larger than the operator lets
			// through.
			s.quiet = true
			return s
		}
	}
	found, err := v.probe().findLogin()
	switch {
	case err != nil:
		s.why = err.Error()
	case found != nil:
		s.login = found
		if s.told, err = v.askMatchers(v.g.policyOf(found.Login)); err != nil {
			s.login, s.why = nil, err.Error()
		}
	case v.body != nil && !v.body.Whole():
		// What stands beyond is not read. It counts as a login where the
		// browser has seals, so that none of it comes back into an enforcing
		// time.
		s.quiet = true
	default:
		return nil
	}
	s.at, s.clientIP, s.userAgent = v.siteURL(), v.clientIP(), bounded(v.r.UserAgent(), maxAgent)
	return s
}

// mayReadLogin reports whether the body is needed to tell whether the request
// is a login.
func (v *visit) mayReadLogin() bool {
	if !v.hasBody() {
		return false
	}
	for i := range v.g.Logins {
		l := &v.g.Logins[i]
		if l.Fields != nil {
			return true
		}
		if ok, err := v.matches(l.Match); ok || err != nil {
			return true
		}
	}
	return false
}

// probe is the visit with a request of its own that may be changed.
func (v *visit) probe() *visit {
	p, r := *v, *v.r
	u := *v.r.URL
	r.URL, r.Header, r.Body = &u, v.r.Header.Clone(), http.NoBody
	p.r, p.allPaths = &r, nil
	if v.orig == v.r.URL {
		p.orig = &u
	} else {
		o := *v.orig
		p.orig = &o
	}
	return &p
}
