package handler

import "net/http"

// doubt says why a yes does not count after all; empty if it does.
func (a *attempt) doubt(user string) string {
	p := a.login.Proof
	if p != nil && p.User != nil {
		if !p.Location || a.login.User == "" {
			return ""
		}
		// Where the answer leads may be the client's choice (next=…), and so
		// may be whom that page names: it must be who was typed.
		ctx, cancel := a.ctx()
		defer cancel()
		if !a.sameAccount(ctx, user, a.login.User) {
			return "the page that the answer leads to names another user than the one who was typed"
		}
		return ""
	}
	everybodys, err := a.everybodys()
	switch {
	case err != nil:
		return "the app could not be asked whether it answers everybody so: " + err.Error()
	case everybodys:
		return "the app answers this address so to everybody, with or without a password"
	}
	return ""
}

// redirectsPost reports whether a status asks for the same request, password
// and all, at another address.
func redirectsPost(status int) bool {
	return status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect
}

// isStill reports whether the name that a proof says is that of the verified
// session that this login went to the app with. Then the proof cannot tell
// whether the password was right: it would say the same after a wrong one.
func (a *attempt) isStill(user string) bool {
	if !a.wasVerified || a.withheld || user == "" {
		return false
	}
	ctx, cancel := a.ctx()
	defer cancel()
	return a.isAccount(ctx, user, a.old.Account)
}
