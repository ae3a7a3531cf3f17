package handler

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Where the first factor was passed before us (basic_auth, forward_auth), every
// request says who it is. Whoever has no verified session of that very user is
// challenged at the first navigation to a protected page, and a session counts
// only for requests of its own user.

// readIdentity reads whose the request is and whether the browser's session is
// that user's.
func (v *visit) readIdentity() {
	if v.g.Identity == "" {
		return
	}
	if repl, ok := v.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		v.identity = repl.ReplaceAll(v.g.Identity, "")
		if name, _ := repl.GetString("http.auth.user.id"); v.identity == "" && name != "" {
			v.g.namesNobody()
		}
	}
	if !v.found {
		return
	}
	if v.identity == "" {
		// A session that a login has begun knows its user by itself.
		v.anothers = v.session.Identified
		return
	}
	v.anothers = !v.isSessionsName(v.identity) && !v.isAccount(v.r.Context(), v.identity, v.session.Account)
}

// namesNobody warns, once, that somebody has passed a first factor in Caddy and
// that the placeholder of identity does not say who: it may be mistyped.
func (g *Gate) namesNobody() {
	if g.nobody.CompareAndSwap(false, true) {
		g.Logger.Warn("identity names nobody in a request whose user Caddy knows: is the placeholder right? After basic_auth it is {http.auth.user.id}",
			zap.String("identity", g.Identity))
	}
}

// askIdentity answers a request of somebody whose first factor was passed
// before us and who has no verified session: a navigation gets the challenge,
// without an answer that would be held, and after the code a redirect to where
// it was going. Everything else is told to open a page. No code is sent for it:
// a link from elsewhere could have led here.
func (v *visit) askIdentity() error {
	if !v.isTopLevel() {
		return v.problem(page.CodeNeeded)
	}
	v.forgetLine()
	a := &attempt{visit: v, login: &foundLogin{Login: &Login{}, User: v.identity}, identified: true}
	if _, err := io.ReadFull(v.g.Rand, a.id[:]); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	var err error
	if a.told, err = v.askMatchers(v.g.Policy); err != nil {
		return v.refuse(page.Blocked, err)
	}
	defer a.leaveLocked()
	if err := a.suspendOnly(); err != nil {
		return a.busyOrDown(err)
	}
	return a.yes(v.identity, hold.Answer{Status: http.StatusSeeOther, Header: http.Header{
		"Location": {a.goesTo()}, "Cache-Control": {"no-store"}, "Referrer-Policy": {"no-referrer"},
	}, Body: []byte{}})
}

// isTopLevel reports whether the request is a navigation of a whole window.
func (v *visit) isTopLevel() bool {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodPost {
		return false
	}
	dest := v.r.Header.Get("Sec-Fetch-Dest")
	return v.wantsPage() && (dest == "" || dest == "document")
}

// goesTo is where the browser goes on after the code, kept here: what it asked
// for, or, where that was a form, the page that the form was on.
func (a *attempt) goesTo() string {
	if a.r.Method != http.MethodGet {
		return a.cameFrom()
	}
	if strings.HasPrefix(a.address, "//") {
		// In a Location that would be another host.
		return "/"
	}
	return a.address
}

// suspendOnly suspends the browser's session, whosever it is, and opens none of
// its values.
func (a *attempt) suspendOnly() error {
	if !a.living() {
		return nil
	}
	var s account.Session
	err := a.waiting(func(ctx context.Context) (err error) {
		s, err = a.parts.Store.SuspendSession(ctx, a.sessionID, a.id, a.g.Clock())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	// A step-up may have given it another id meanwhile.
	a.old, a.sessionID = &s, s.ID
	return nil
}
