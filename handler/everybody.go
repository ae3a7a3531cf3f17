package handler

import (
	"context"
	"net/http"
	"net/url"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
)

// everybodys reports whether the app answers this address with the same yes to
// a visitor who sends no fields at all. A login that was told by its fields can
// stand at any address, one that redirects everybody included, and then the
// yes says nothing of the password: no code may be sent for it, no try counted
// (rules 5 and 8). It is asked for only after a yes, so that a wrong password
// takes no other way than an unknown user, and not at the login page itself,
// which shows everybody the form.
func (a *attempt) everybodys() (bool, error) {
	fields := a.login.Fields
	if fields == nil || len(a.login.Yes) == 0 || a.isLoginPage() {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.r.Context()), proofWait)
	defer cancel()
	target := a.siteURL()
	target.RawQuery = withoutFields(target.RawQuery, fields)
	got, sets, err := a.get(ctx, &Proof{}, target, cookie.NewJar(a.r.Host))
	if err != nil {
		return false, err
	}
	ans := &answer{status: got.Status, header: got.Header, at: target, sets: sets, now: a.now, body: got.Body}
	if ans.body == nil {
		ans.body = []byte{}
	}
	return anyOf(a.login.Yes, ans) == seen, nil
}

// withoutFields removes a login's two fields from a query.
func withoutFields(query string, f *Fields) string {
	values, err := url.ParseQuery(readableQuery(query))
	if err != nil {
		return ""
	}
	if !values.Has(f.User) && !values.Has(f.Password) {
		return query
	}
	values.Del(f.User)
	values.Del(f.Password)
	return values.Encode()
}

// isFromElsewhere reports whether a page of another site made the browser send
// this login into the session that it has here: a link or an image with the
// two fields would else end the session.
func (v *visit) isFromElsewhere() bool {
	if !v.living() {
		return false
	}
	switch v.r.Header.Get("Sec-Fetch-Site") {
	case "cross-site":
		return true
	case "same-site":
		return v.r.Method == http.MethodGet || v.r.Method == http.MethodHead
	default:
		return false
	}
}
