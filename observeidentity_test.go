package twofactor

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func TestWhoPassedTheFirstFactorBeforeUsIsObserved(t *testing.T) {
	u, upstream := identityApp(t)
	s := startSite(t, observing(basicAuthUsers(t, "")), upstream)
	for range 3 {
		for _, user := range []string{alice, "ALICE@Example.com", "nobody@example.com"} {
			if r := s.client().page("/contacts", basic(user, right)); !isPageOf(r, user) || len(r.Header["Set-Cookie"]) > 0 {
				t.Errorf("%s: %d %v %s", user, r.StatusCode, r.Header, r.body)
			}
		}
	}
	s.client().page("/contacts", basic(bob, "wrong"))
	s.client().page("/contacts")
	s.client().asset("/logo.png", basic(carol, right))
	s.client().do(http.MethodGet, "/open/page", nil, nil)
	s.waitKeys(store.SeenUser, alice, "nobody@example.com")
	for _, n := range s.seen(store.SeenUser) {
		if n.Count != 1 || n.Detail == "" {
			t.Errorf("noted is %+v", n)
		}
	}
	log := s.twoFactorLog()
	for words, want := range map[string]int{
		"a user has logged in": 2, `"would_be":"asked for a code"`: 1, "there is no account of this name; import it": 1, "would be sent to the login page": 0,
	} {
		if n := strings.Count(log, words); n != want {
			t.Errorf("the log says %q %d times, want %d", words, n, want)
		}
	}
	for _, a := range u.arrivals() {
		if a.Header.Get("Authorization") == "" && a.path() != "/open/page" {
			t.Errorf("observing has taken Authorization off %s", a.URI)
		}
	}
}

// A seal of an enforcing time opens for its own identity only, observing too.
func TestUnderObserveAnIdentityOpensOnlyItsOwnSeals(t *testing.T) {
	l, upstream := newLedger(t)
	file := basicAuthUsers(t, "")
	s := startSite(t, file, upstream)
	c := s.client()
	c.page("/contacts", basic(alice, right))
	c.enterAs(alice, s.code(alice))
	c.page("/contacts", basic(alice, right))
	s.turn(observing(file), c)
	c.page("/contacts", basic(alice, right))
	if l.last(t).cookie("sid") == "" {
		t.Fatal("her seal does not open for her")
	}
	c.page("/contacts", basic(carol, right))
	if a := l.last(t); a.cookie("sid") != "" {
		t.Errorf("her seal opens for another: %q", a.Cookies)
	}
}
