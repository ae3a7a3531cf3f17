package handler

import (
	"net/http"
	"net/url"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// forward passes the request on, with its seals opened, and seals what the
// answer sets.
func (v *visit) forward() error {
	if v.wantsTunnel() && !v.verified() {
		// What is said in it is not read, so nobody may speak there who has not
		// passed.
		return v.refuse(page.SignInNeeded, nil)
	}
	v.cleanHeaders()
	if v.waited() && !v.standingNow() {
		return v.refuse(page.SessionEnded, nil)
	}
	defer v.mayLogSomebodyIn()()
	defer v.cancelable()()
	body := v.watchBody()
	v.handIdentity()
	v.setCookies()
	defer v.restoreCookies()
	logout, err := v.isLogout()
	if err != nil {
		return v.refuse(page.Blocked, err)
	}
	out, tokens, err := v.tokenWriter()
	if err != nil {
		return v.refuse(page.Blocked, err)
	}
	ed := v.answerThrough(out, logout)
	defer v.room.endStream()
	if body.isLong() {
		if err := v.lasts(); err != nil {
			return v.refuse(page.SessionEnded, nil)
		}
	}
	err = v.next.ServeHTTP(ed, v.r)
	v.breakOff(v.room.endStream())
	ed.Finish()
	if v.isLost(ed, err) {
		return v.refuse(page.StepUpLost, err)
	}
	if v.cutOff() && (ed.Dropped() || !ed.Answered()) {
		return v.refuseLogin(errBodyTooLarge)
	}
	if body.isCut() && !ed.Answered() {
		return v.refuse(page.SessionEnded, nil)
	}
	if !ed.Dropped() {
		if err == nil && !tokens.finish() {
			return tokens.drop()
		}
		if tokens == nil {
			v.passed()
		}
		return err
	}
	if v.instead != nil {
		return v.instead()
	}
	return v.refuse(page.SessionEnded, nil)
}

// isLost reports whether a held request went to the app and its answer did not
// come back: what was asked for may have been done. A pass is given back for
// what can be asked for twice.
func (v *visit) isLost(ed *hold.Editor, err error) bool {
	lost := err != nil && !ed.Answered() || ed.Dropped()
	if !lost {
		return false
	}
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead {
		if !ed.Answered() {
			v.keepPass(http.StatusBadGateway)
		}
		return false
	}
	return v.replayed != nil
}

// cutOff reports whether a login was met in the body beyond the cap, so that
// the request was cut off.
func (v *visit) cutOff() bool { return v.body != nil && v.body.Met() }

func (v *visit) isLogout() (bool, error) {
	if len(v.g.Logout) == 0 || !v.verified() {
		return false, nil
	}
	return v.matches(v.g.Logout)
}

// edit is the one look at an answer's headers. It returns false if nothing of
// the answer may go out.
func (v *visit) edit(status int, h http.Header, logout bool) bool {
	if v.cutOff() {
		return false
	}
	v.keepPass(status)
	if !v.keepsPart(status) {
		return false
	}
	sets := v.answerCookies(h)
	proved := true
	if v.protected {
		proved, sets = v.stillProved(sets)
	}
	guarded := false
	for _, c := range sets {
		guarded = guarded || v.g.isGuarded(c.Name)
	}
	if !v.verified() && status >= 300 && status < 400 && v.isLoginPage() && v.leadsToProtected(status, h) {
		return v.undeclared(h.Get("Location"))
	}
	if logout && status < 400 {
		if err := v.endSession(LoggedOut); err != nil {
			v.instead = func() error { return v.refuse(page.StoreUnavailable, err) }
			return false
		}
		v.sealAll(v.r.Context(), h, sets, nil, false)
		v.dropOwn(h)
		return true
	}
	if !guarded && !v.protected {
		if len(h["Set-Cookie"]) > 0 {
			v.sealAll(v.r.Context(), h, sets, nil, false)
		}
		return true
	}
	if !proved || !v.standingNow() {
		if guarded {
			v.record(Event{Kind: CookieWithheld, Result: OldStanding})
		}
		v.keepReadable(h, sets)
		return !v.protected
	}
	if !guarded {
		if len(h["Set-Cookie"]) > 0 {
			v.sealAll(v.r.Context(), h, sets, nil, false)
		}
		return true
	}
	s, err := v.answerStanding(v.answerFlags())
	if err != nil {
		v.g.Logger.Error("no randomness for a line", zap.Error(err))
	}
	withCredentials, sets := v.mayKeepCredentials(sets)
	v.sealAll(v.r.Context(), h, sets, s, withCredentials)
	return true
}

// answerFlags says whether what this answer sets is to be proved before it is
// used: a method that may have logged somebody in set it, or it descends from
// what was not proved.
func (v *visit) answerFlags() byte {
	if v.g.whoProof == nil {
		return 0
	}
	if v.mayLogIn() {
		return seal.FlagToBeProved
	}
	if v.unproved() {
		return seal.FlagToBeProved
	}
	return 0
}

// mayLogIn reports whether the request is of a method by which apps log
// somebody in.
func (v *visit) mayLogIn() bool {
	return v.r.Method != http.MethodGet && v.r.Method != http.MethodHead || v.overridesMethod()
}

// mayLogSomebodyIn notes that the request may log somebody in under the values
// that it goes on with, and returns what notes that it is over. In a verified
// session it matters only to a proof.
func (v *visit) mayLogSomebodyIn() (over func()) {
	if len(v.opened) == 0 || !v.mayLogIn() || v.verified() && v.g.whoProof == nil {
		return func() {}
	}
	id := v.standingID()
	v.turn, v.running = v.g.proven.begin(id, v.now), true
	return func() { v.g.proven.end(id) }
}

// leadsToProtected reports whether an answer redirects to a protected address
// of this site.
func (v *visit) leadsToProtected(status int, h http.Header) bool {
	a := answer{status: status, header: h, at: v.siteURL()}
	target, ok := a.location()
	if !ok {
		return false
	}
	to := *v
	r := *v.r
	r.Method, r.URL = http.MethodGet, &url.URL{Path: target.Path, RawPath: target.RawPath, RawQuery: target.RawQuery}
	to.r, to.orig, to.allPaths = &r, r.URL, nil
	to.withoutBody()
	protected, err := to.isProtected()
	return err != nil || protected
}

// undeclared answers for a login page that sends an unverified browser on to a
// protected page: somebody is logged in at the app who passed no declared
// login. The line ends, and the browser is sent to the login page once more;
// if it comes without the line's cookies already, it gets a page.
func (v *visit) undeclared(leadsTo string) bool {
	if to, ok := resolveLocation(v.siteURL(), leadsTo); ok {
		leadsTo = to.Path
	}
	v.g.Logger.Error("the login page sends an unverified browser to a protected page: login_page is not the page with the login form, or a login that is not declared has opened a session",
		zap.String("login_page", v.g.LoginPage), zap.String("leads_to", bounded(leadsTo, 200)))
	if v.line.IsZero() || len(v.opened) == 0 {
		v.instead = func() error { return v.refuse(page.LoginLoop, nil) }
		return false
	}
	v.record(Event{Kind: Refused, Result: NotALogin})
	ctx, cancel := v.ctx()
	defer cancel()
	if err := v.parts.Store.StandLine(ctx, v.lineKey(), v.now, v.now.Add(v.g.AppSessionMax)); err != nil {
		v.instead = func() error { return v.refuse(page.StoreUnavailable, err) }
		return false
	}
	v.instead = func() error {
		v.deleteOpened(v.w.Header())
		return v.redirect(v.g.LoginPage)
	}
	return false
}

// endSession ends the browser's session in the store.
func (v *visit) endSession(why Result) error {
	ctx, cancel := v.ctx()
	defer cancel()
	err := v.parts.Store.EndSession(ctx, v.sessionID)
	if err != nil {
		v.g.Logger.Error("a session could not be ended", zap.Error(err))
	} else {
		v.recordSession(SessionExpired, why, &v.session)
	}
	v.session, v.found = account.Session{}, false
	return err
}
