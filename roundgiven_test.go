package twofactor

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// What has happened before a try.

// nothing has happened.
func nothing(*trial) {}

// aVisit has been made to the login page, with which the app began a session.
func aVisit(tr *trial) { tr.me.get(tr.options.Path(demoapp.PageLogin)) }

// aPassword was given, and no code: without a gateway that is all there is.
func aPassword(tr *trial) {
	tr.user = tr.newUser()
	tr.password(tr.me, tr.user)
}

// signedIn is the browser that tries, with a code.
func signedIn(tr *trial) {
	tr.user = tr.newUser()
	tr.pass(tr.me, tr.user)
}

// aVictim is signed in in a browser of their own, and the one that tries has
// been a visitor.
func aVictim(tr *trial) {
	aVisit(tr)
	tr.victim, tr.theirs = tr.newUser(), tr.browser()
	tr.pass(tr.theirs, tr.victim)
}

// bothSignedIn are the one who tries, as somebody else, and the victim.
func bothSignedIn(tr *trial) {
	aVictim(tr)
	signedIn(tr)
}

// oneOfTwo is a victim that is signed in, and a password without a code in the
// browser that tries.
func oneOfTwo(tr *trial) {
	aVictim(tr)
	aPassword(tr)
}

// aSessionMadeAtTheApp directly is the victim's, and known to the one who
// tries.
func aSessionMadeAtTheApp(before func(*trial)) func(*trial) {
	return func(tr *trial) {
		before(tr)
		tr.victim = tr.newUser()
		tr.value = tr.app.NewSession(tr.victim)
	}
}

// newUser is a user that no other try knows.
func (tr *trial) newUser() string {
	tr.t.Helper()
	if tr.next++; tr.next > roundUsers {
		tr.t.Fatal("there are too few users")
	}
	return roundUser(tr.next - 1)
}

// password gives the right password of a user.
func (tr *trial) password(c *client, user string) reply {
	tr.t.Helper()
	r := c.logInTo(tr.options, user, alicePassword)
	if tr.guarded && r.location() != codePage && r.StatusCode != http.StatusUnauthorized {
		tr.t.Fatalf("the right password of %s gave %d to %q: %s", user, r.StatusCode, r.location(), words(r))
	}
	return r
}

// pass signs a user in with all that is asked for, and sees to it that the app
// has them.
func (tr *trial) pass(c *client, user string) {
	tr.t.Helper()
	tr.password(c, user)
	switch {
	case tr.byText:
		c.enter(tr.textCode())
	case tr.guarded:
		c.enter(tr.code(user))
	}
	tr.isIn(c, user)
}

// isIn fails if the app does not have the user in this browser.
func (tr *trial) isIn(c *client, user string) {
	tr.t.Helper()
	tr.app.Reset()
	r := c.get(tr.options.Path(demoapp.PageContacts))
	seen := byPeople(tr.app)
	if len(seen) != 1 || seen[0].User != user {
		tr.t.Fatalf("%s is not signed in: %d to %q, %d requests reached the app", user, r.StatusCode, r.location(), len(seen))
	}
	tr.app.Reset()
}

// sessionName is the name of the app's session cookie.
func (tr *trial) sessionName() string { return tr.options.SessionCookie() }

// jar is the Cookie line of a browser, less some cookies.
func (tr *trial) jar(c *client, without ...string) string {
	tr.t.Helper()
	return c.jarLine(tr.options.Path(demoapp.PageContacts), without...)
}

// own is the gateway's cookie of a browser, as a pair with a semicolon; there
// is none without a gateway.
func (tr *trial) own(c *client) string {
	tr.t.Helper()
	value, ok := c.cookies("/")[ownCookie]
	if !ok {
		return ""
	}
	return ownCookie + "=" + value + "; "
}

// session is the value of the app's session in a browser, as it holds it.
func (tr *trial) session(c *client) string {
	tr.t.Helper()
	return c.cookies(tr.options.Path(demoapp.PageContacts))[tr.sessionName()]
}

// plant puts a cookie into a browser as a page of a sibling domain can: on a
// path of its choice, so that it is sent before the app's.
func (tr *trial) plant(c *client, name, value, path string) {
	tr.t.Helper()
	u, err := url.Parse(tr.url)
	if err != nil {
		tr.t.Fatal(err)
	}
	c.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: path}})
}

// What counts as the effect of a try.

// as counts what comes in the session of a user, be it that the app does not
// look at it.
func as(who func(*trial) string) func(*trial, demoapp.Request) bool {
	return func(tr *trial, seen demoapp.Request) bool {
		user := who(tr)
		return user != "" && (seen.User == user || tr.carries(seen, user))
	}
}

var (
	asMe     = as(func(tr *trial) string { return tr.user })
	asVictim = as(func(tr *trial) string { return tr.victim })
)

// asAnybody counts what comes in anybody's session.
func asAnybody(tr *trial, seen demoapp.Request) bool { return seen.User != "" || tr.carries(seen, "") }

// carries reports whether a request has a session of the user, or of anybody,
// among its cookies or in its address.
func (tr *trial) carries(seen demoapp.Request, user string) bool {
	pairs, _ := cookie.Parse(nil, seen.Cookies)
	for _, owners := range []map[string]string{tr.app.Sessions(), tr.app.Remembered()} {
		for value, owner := range owners {
			if user != "" && owner != user {
				continue
			}
			if strings.Contains(seen.URI, value) {
				return true
			}
			for _, p := range pairs {
				if strings.Contains(p.Value, value) {
					return true
				}
			}
		}
	}
	return false
}
