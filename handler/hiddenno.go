package handler

import (
	"net/http"

	"go.uber.org/zap"
)

// maySayNo reports whether the app's own no goes to the browser. A login that
// was told by its fields can stand at any address, and what the app says no
// with may be the very page of that address: where it needs a verified session,
// two made-up fields must not open it.
func (a *attempt) maySayNo() bool {
	if a.login.Fields == nil || a.wasVerified || a.g.Anonymous {
		return true
	}
	protected, err := a.isProtected()
	return err == nil && !protected
}

// sayNo answers in place of an app whose no may not be shown, with the cookies
// that it set.
func (a *attempt) sayNo(h http.Header) error {
	a.g.Logger.Warn("a wrong password was sent to a protected address, so that the app's answer is not shown: make the address of the login form public, or tell the login by it",
		zap.String("method", a.r.Method), zap.String("path", a.orig.Path))
	for _, line := range h["Set-Cookie"] {
		a.w.Header().Add("Set-Cookie", line)
	}
	if a.old != nil {
		return a.routePending()
	}
	return a.askForLogin()
}
