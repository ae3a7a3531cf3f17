package handler

import (
	"context"
	"net/http"
)

// isInAlready reports whether the app gives this login's yes to whoever sends
// the values that it goes on with: many apps send on from their login page
// whoever is logged in, whatever password came with it. Then the login must go
// on without them, or a wrong password would count as right: a code would be
// sent for it, and tries be counted (rules 5 and 8).
//
// It is asked for in a verified session, and on a line of which a request may
// have logged somebody in, a registration for example. What the app cannot say
// counts as yes.
func (a *attempt) isInAlready() bool {
	if len(a.opened) == 0 || len(a.login.Yes) == 0 || !a.wasVerified && !a.g.proven.isDoubted(a.line, a.opened) {
		return false
	}
	target := a.siteURL()
	if f := a.login.Fields; f != nil {
		target.RawQuery = withoutFields(target.RawQuery, f)
	} else if a.r.Method == http.MethodGet || a.r.Method == http.MethodHead {
		// To ask would be the login itself.
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.r.Context()), proofWait)
	defer cancel()
	got, sets, err := a.get(ctx, &Proof{}, target, a.jar())
	if err != nil {
		return true
	}
	body := got.Body
	if body == nil {
		body = []byte{}
	}
	ans := &answer{status: got.Status, header: got.Header, at: target, sets: sets, now: a.now, body: body}
	if anyOf(a.login.Yes, ans) == seen {
		return true
	}
	a.goOnWith(sets)
	return false
}
