package handler

import (
	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// seeIdentity notes whose first factor was passed before us, once a name, where
// enforcing would ask for a code: at a navigation to a protected page. The
// store is asked beside the request.
func (v *visit) seeIdentity() {
	if v.readIdentity(); v.identity == "" || !v.isTopLevel() {
		return
	}
	folded := account.Fold(v.identity)
	if folded == "" || v.g.watch.isKnown(store.SeenUser, folded) {
		return
	}
	if protected, err := v.isProtected(); err == nil && !protected {
		return
	}
	g, user := v.g, v.identity
	s := &sighting{clientIP: v.clientIP(), userAgent: bounded(v.r.UserAgent(), maxAgent)}
	v.lookLater(func() { g.sawYes(s, 0, user) })
}
