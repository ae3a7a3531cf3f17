// Package handler is the way of a request through the gateway: the gate that
// decides which way it goes, the app's login watched and held, proofs, hold
// and release, and the gateway's own pages.
package handler

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// ServeHTTP is the gate: it decides which way a request goes.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if call := ownCallOf(r.Context()); call != nil && call.gate == g {
		return call.serve(w, r, next)
	}
	settleLength(r)
	if g.Observe {
		return g.observe(w, r, next)
	}
	v := g.newVisit(w, r, next)
	v.readAddress()
	v.stripAddress()
	var sane bool
	if v.methods, sane = otherMethods(r); !sane || !strings.HasPrefix(r.URL.Path, "/") && r.Method != http.MethodOptions && r.Method != http.MethodConnect {
		return v.refuse(page.MaliciousPath, nil)
	}
	if bad, err := v.isRefusedPath(); err != nil || bad {
		return v.refuse(page.MaliciousPath, err)
	}
	if r.Method != strings.ToUpper(r.Method) {
		// Matchers compare a method as it stands, and some apps read it in upper
		// case: "post" would be a login that nobody watches.
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("a method is written in upper case"))
	}
	if r.Method == http.MethodTrace || r.Method == "TRACK" {
		// The app would echo the cookies that the browser must not see.
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("TRACE would show the app's session to the browser"))
	}
	if r.Method == http.MethodConnect && !isTunnel(r) {
		return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("a tunnel through CONNECT is not for an app"))
	}
	if !v.isSecureEnough() {
		return v.insecure()
	}
	lease, err := g.Lease()
	if err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	defer lease.Release()
	v.parts = lease.Parts()
	if err := v.readCookies(); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	v.readIdentity()
	g.takeOffIdentity(r.Header)
	v.place()
	if rest, ok := strings.CutPrefix(v.orig.Path, g.Prefix); ok {
		return v.ownPage(rest)
	}
	return v.reuse(v.route())
}

// route is the order in which the rules are asked.
func (v *visit) route() error {
	if done, err := v.answered(); done || err != nil {
		return err
	}
	return v.routeOn()
}

// routeOn is the order of the rules for what is no form of ours, and for a held
// request that is sent now.
func (v *visit) routeOn() error {
	if blocked, err := v.matches(v.g.Block); err != nil || blocked {
		return v.refuse(page.Blocked, err)
	}
	login, err := v.findLogin()
	if err != nil {
		return v.refuseLogin(err)
	}
	if login != nil {
		return v.login(login)
	}
	if v.found && v.session.State == account.StatePending {
		if v.anothers && v.identity != "" {
			return v.askIdentity()
		}
		return v.routePending()
	}
	if err := v.endAgain(); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	if err := v.heed(); err != nil {
		return v.refuseLogin(err)
	}
	if err := v.stripCredentials(); err != nil {
		return v.refuseLogin(err)
	}
	if err := v.openSeals(); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	if v.protected, err = v.isProtected(); err != nil {
		return v.refuse(page.Blocked, err)
	}
	steps, err := v.stepUpRoutes()
	if err != nil {
		return v.refuse(page.Blocked, err)
	}
	v.protected = v.protected || len(steps) > 0
	if v.verified() {
		// On a public page too: the app may be told there who is verified.
		changed, err := v.changeSteps()
		if err != nil {
			return v.refuse(page.StoreUnavailable, err)
		}
		steps = append(steps, changed...)
	}
	if v.protected && !v.verified() && v.identity != "" {
		return v.askIdentity()
	}
	if v.protected && !v.verified() && (len(steps) > 0 || !v.mayGoAnonymous()) {
		return v.askForLogin()
	}
	if ok, err := v.prove(); err != nil || !ok {
		return err
	}
	if len(steps) > 0 {
		if goesOn, err := v.stepUp(steps); err != nil || !goesOn {
			return err
		}
	} else if shown, err := v.showWaiting(); shown || err != nil {
		return err
	}
	return v.forward()
}

// routePending answers a request of a browser with an open challenge.
func (v *visit) routePending() error {
	logout, err := v.matches(v.g.Logout)
	if err != nil {
		return v.refuse(page.CodeNeeded, err)
	}
	if logout {
		return v.cancel()
	}
	if v.wantsPage() {
		v.count(PageShown, Result(page.CodeNeeded))
		return v.redirect(v.challengeAddress())
	}
	return v.problem(page.CodeNeeded)
}

// isProtected reports whether the request needs a verified session: protect
// matches any reading, and public does not match all that a careful app makes.
func (v *visit) isProtected() (bool, error) {
	if v.isLoginPage() {
		return false, nil
	}
	protected, err := v.matchesProtect()
	if err != nil || !protected {
		return err != nil, err
	}
	public, err := v.matchesAll(v.g.Public)
	return !public, err
}

// isLoginPage reports whether the browser asks for exactly the login page.
func (v *visit) isLoginPage() bool {
	return v.g.LoginPage != "" && v.orig.Path == v.g.LoginPage && (v.orig.RawPath == "" || v.orig.RawPath == v.g.LoginPage)
}

// mayGoAnonymous reports whether an unverified request to a protected route
// goes on as an anonymous visitor's.
func (v *visit) mayGoAnonymous() bool {
	if !v.g.Anonymous || v.r.ContentLength != 0 || len(v.r.TransferEncoding) > 0 {
		return false
	}
	return (v.r.Method == http.MethodGet || v.r.Method == http.MethodHead) && v.r.Header.Get("Upgrade") == ""
}

// askForLogin answers an unverified request to a protected route.
func (v *visit) askForLogin() error {
	v.hintForm()
	if !v.wantsPage() || v.g.LoginPage == "" {
		return v.refuse(page.SignInNeeded, nil)
	}
	v.count(PageShown, Result(page.SignInNeeded))
	return v.redirect(v.g.LoginPage)
}

// siteURL returns the address of the request as the browser sees it.
func (v *visit) siteURL() *url.URL {
	u := *v.orig
	u.Scheme, u.Host = "http", v.r.Host
	if v.secure() {
		u.Scheme = "https"
	}
	return &u
}
