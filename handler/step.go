package handler

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// A step-up route asks for a fresh code inside a verified session. What is met
// there is one of three things: a page that the person opens, which is held
// until the code is there and then sent once; a request of the app's own page
// (a script, a frame, an image), which waits until the person sees a page; or
// something that came from elsewhere, which opens nothing.

// stepUpRoutes returns the routes that this request is of. Somebody without a
// session reaches the login page, and somebody with one the logout, whatever the
// routes say.
func (v *visit) stepUpRoutes() ([]*StepUp, error) {
	if len(v.g.StepUps) == 0 || !v.verified() && v.isLoginPage() {
		return nil, nil
	}
	var asked []*StepUp
	for i := range v.g.StepUps {
		matched, err := v.matches(v.g.StepUps[i].Match)
		if err != nil {
			return nil, err
		}
		if matched {
			asked = append(asked, &v.g.StepUps[i])
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	return v.withoutLogout(asked)
}

// withoutLogout takes off the routes that the logout stands before. Both must be
// told by the path alone: apps that read a field at every address would else be
// asked for an export by a logout's address, or find a logout's field at an
// export's.
func (v *visit) withoutLogout(asked []*StepUp) ([]*StepUp, error) {
	if !v.verified() {
		return asked, nil
	}
	logout, err := v.matchesAll(v.g.Logout)
	if err != nil || !logout {
		return asked, err
	}
	bare := v.bare()
	if logout, err = bare.matchesAll(v.g.Logout); err != nil || !logout {
		return asked, err
	}
	var told []*StepUp
	for _, s := range asked {
		byPath, err := bare.matches(s.Match)
		if err != nil {
			return nil, err
		}
		if !byPath {
			told = append(told, s)
		}
	}
	return told, nil
}

// bare is the visit with nothing but its method and path, to ask rules about.
func (v *visit) bare() *visit {
	bare := *v
	r := *v.r
	u := *v.r.URL
	u.RawQuery = ""
	r.URL, r.Header = &u, http.Header{}
	bare.r, bare.allPaths, bare.query = &r, nil, ""
	bare.withoutBody()
	return &bare
}

// mayOpenStep reports whether a login of a verified session stands on a route
// that asks for a fresh code, or comes from a client of which one is to be asked
// for: what tells a login can stand at any address, and the app may answer it by
// what it has there.
func (v *visit) mayOpenStep() bool {
	routes, err := v.stepUpRoutes()
	if err != nil || len(v.stale(routes)) > 0 {
		return true
	}
	if changed, err := v.changeSteps(); err != nil || len(changed) > 0 {
		return true
	}
	return slices.ContainsFunc(v.beyond, func(b beyondCap) bool { return b.rule.kind == ruleStepUp })
}

// stepUp is the way of a request of a verified session to routes that ask for a
// fresh code. It returns true if the request goes on to the app.
func (v *visit) stepUp(routes []*StepUp) (bool, error) {
	stale, undecided, err := v.whereAsked(v.stale(routes))
	if err != nil || !undecided {
		return false, err
	}
	if len(stale) == 0 {
		return true, nil
	}
	if v.replayed != nil {
		if !v.replayed.covers(stale) {
			// The configuration has changed since.
			return false, v.refuseStep(page.StepUpNotSent, stale, nil)
		}
		return v.proveAgain()
	}
	id, err := v.requestID()
	if err != nil {
		return false, v.refuseUnkept(stale, err)
	}
	if asksOnce(stale) && v.isFromHere() {
		if passes, err := v.usePass(id); passes || err != nil {
			if err != nil {
				return false, v.refuse(page.StoreUnavailable, err)
			}
			return v.proveAgain()
		}
	}
	if v.isFromHere() {
		// What comes from elsewhere opens nothing, and costs the app nothing.
		if goesOn, err := v.proveAgain(); !goesOn || err != nil {
			return false, err
		}
	}
	return false, v.askForStep(id, stale)
}

// stale returns of the routes those for which no code was given in time. A
// route that asks at each request always is one.
func (v *visit) stale(routes []*StepUp) []*StepUp {
	return slices.DeleteFunc(slices.Clone(routes), func(s *StepUp) bool {
		if s.change {
			return !v.session.Steps.FreshAt(s.Key).IsZero()
		}
		maxAge := time.Duration(s.MaxAge)
		return maxAge > 0 && (v.isWithin(v.session.FactorAt, maxAge) || v.isWithin(v.session.Steps.FreshAt(s.Key), maxAge))
	})
}

func (v *visit) isWithin(at time.Time, maxAge time.Duration) bool {
	return !at.IsZero() && v.now.Before(at.Add(maxAge))
}

// asksOnce reports whether all that is asked for is a code for this request: the
// pass of one does not stand for what another route asks for.
func asksOnce(stale []*StepUp) bool {
	return !slices.ContainsFunc(stale, func(s *StepUp) bool { return s.MaxAge > 0 })
}

// proveAgain asks for the proof, if there is one: before a step-up opens it must
// be certain whose session it is.
func (v *visit) proveAgain() (bool, error) {
	if v.g.whoProof == nil || len(v.opened) == 0 || v.asking {
		return true, nil
	}
	return v.askWhose(v.g.whoProof)
}

// isFromHere reports whether the request comes from where a code was asked for:
// what another site, or the browser by itself, sends uses up no pass (rule 33).
func (v *visit) isFromHere() bool {
	from := v.origin()
	return from == fromPerson || from == fromPage
}

// usePass takes the pass of this request, if there is one. HEAD, and a range
// that is not the whole, are served while the pass lives and leave it, unless
// the app takes them for another method or has the whole for every range.
func (v *visit) usePass(id account.RequestID) (bool, error) {
	pass, ok := v.session.Steps.Pass(id, v.now)
	if !ok || pass.Taken {
		return false, nil
	}
	if len(v.methods) == 0 {
		switch {
		case v.r.Method == http.MethodHead:
			return true, nil
		case v.r.Method == http.MethodGet && isPart(v.r.Header["Range"]):
			v.pass, v.passPart = id, true
			return true, nil
		}
	}
	return v.takePass(id)
}

func (v *visit) takePass(id account.RequestID) (bool, error) {
	ctx, cancel := v.ctx()
	defer cancel()
	err := v.parts.Store.TakePass(ctx, v.sessionID, id, v.now)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrSpent):
		return false, nil
	case err != nil:
		return false, err
	}
	v.pass, v.passTaken = id, true
	return true, nil
}

// laterPart is a range that leaves the begin out: any other may be the whole.
var laterPart = regexp.MustCompile(`^bytes=0*[1-9][0-9]*-[0-9]*$`)

// isPart reports whether a Range asks for less than the whole.
func isPart(ranges []string) bool { return len(ranges) == 1 && laterPart.MatchString(ranges[0]) }

// keepsPart reports whether the answer to a range that was asked for beside the
// pass may go out: what is more than that range uses the pass up.
func (v *visit) keepsPart(status int) bool {
	if !v.passPart || status == http.StatusPartialContent || status == http.StatusNotModified || status >= 400 {
		return true
	}
	v.passPart = false
	taken, err := v.takePass(v.pass)
	switch {
	case err != nil:
		v.instead = func() error { return v.refuse(page.StoreUnavailable, err) }
	case !taken:
		v.instead = func() error { return v.refuse(page.StepUpUsed, nil) }
	}
	return taken && err == nil
}

// keepPass gives the pass back where the app did not do what it was asked for.
func (v *visit) keepPass(status int) {
	if !v.passTaken || status < 400 {
		return
	}
	v.passTaken = false
	ctx, cancel := v.ctx()
	defer cancel()
	err := v.parts.Store.ReturnPass(ctx, v.sessionID, v.pass, v.g.Clock())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		v.storeFailed()
		v.g.Logger.Error("a pass could not be given back: a code is asked for once more", zap.Error(err))
	}
}

// doing is what the routes do, in the operator's words.
func doing(routes []*StepUp) string {
	for _, s := range routes {
		if s.Action != "" {
			return s.Action
		}
	}
	return ""
}

// maxAge is how fresh the code must be.
func maxAge(routes []*StepUp) time.Duration {
	least := time.Duration(routes[0].MaxAge)
	for _, s := range routes[1:] {
		least = min(least, time.Duration(s.MaxAge))
	}
	return least
}

func keys(routes []*StepUp) []string {
	all := make([]string, len(routes))
	for i, s := range routes {
		all[i] = s.Key
	}
	return all
}

// refuseStep answers with a page or a problem document that names the action.
func (v *visit) refuseStep(m page.Message, routes []*StepUp, err error) error {
	p := v.refusal(m, err)
	p.Doing = doing(routes)
	return v.message(p)
}

// refuseUnkept answers for a request that cannot be kept until a code is there.
func (v *visit) refuseUnkept(routes []*StepUp, err error) error {
	if errors.Is(err, errRequestTooLarge) {
		return v.refuseStep(page.StepUpTooLarge, routes, nil)
	}
	return v.refuseLogin(err)
}
