package twofactor

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const erin = "Erin@example.com"

func TestAnUnknownUserWithARightPasswordIsRefusedInWords(t *testing.T) {
	for _, line := range []string{"", "unknown_user refuse"} {
		app := startAnswering(t, loggedInWith(http.StatusFound, "app-secret", http.Header{"Location": {"/home"}}))
		s := startSite(t, oneLogin("yes redirect /home\nno status 200", line), app.address)
		c := s.client()
		app.visitor(c)
		r := c.post("/login", filled(erin, "x"))
		if r.StatusCode != http.StatusForbidden || !strings.Contains(r.body, erin) {
			t.Errorf("%s, want a page with 403 that names the user", words(r))
		}
		if !strings.Contains(words(r), "Ask the people who run") && !strings.Contains(words(r), "the people who run") {
			t.Errorf("the page does not say whom to ask: %s", words(r))
		}
		if all := fmt.Sprint(r.Header, r.body); strings.Contains(all, "app-secret") || r.location() != "" || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("something of the app's answer reached the browser: %v", r.Header)
		}
		if !strings.Contains(s.twoFactorLog(), "import the user") {
			t.Error("the log does not say what the operator can do")
		}
		if app.opens(c) {
			t.Error("the line's values still reach the app, which has logged them in")
		}
		if r := c.get("/inbox"); r.location() != "/login" {
			t.Errorf("after it a protected page gave %s", words(r))
		}
	}
}

func TestAnUnknownUserWithAWrongPasswordGetsTheAppsAnswer(t *testing.T) {
	app := startAnswering(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-App", "1") })
	s := startSite(t, oneLogin("yes redirect /home\nno status 200"), app.address)
	for _, user := range []string{alice, erin} {
		c := s.client()
		r := c.post("/login", filled(user, "wrong"))
		if r.StatusCode != 200 || r.Header.Get("X-App") != "1" || len(r.Header["Set-Cookie"]) != 0 {
			t.Errorf("%s: %s with %v, want the app's own answer and no cookie", user, words(r), r.Header)
		}
	}
}

func TestAnUnknownUserPassesWhereTheOperatorSaysSo(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, ledgerSite("", whoProof, "unknown_user allow"), upstream)
	c := s.client()
	c.get("/login")
	r := c.tryLogin(erin, right)
	if r.StatusCode != http.StatusFound || r.location() != "/dashboard" {
		t.Fatalf("%s, want the app's own answer at once", words(r))
	}
	if strings.Contains(fmt.Sprint(r.Header), "session-") {
		t.Error("the app's session came in the clear")
	}
	l.reset()
	if r := c.get("/contacts"); !strings.Contains(r.body, erin) {
		t.Errorf("a protected page gave %s", words(r))
	}
	if got := l.reached(); len(got) != 1 {
		t.Errorf("the app got %v, want one request with its session", got)
	}
	// Somebody whom we know is asked for a code all the same.
	other := s.client()
	other.get("/login")
	if r := other.tryLogin(alice, right); r.location() != codePage {
		t.Errorf("alice's login gave %s, want the challenge", words(r))
	}
}

func TestANameThatCannotBeReadIsNobodysAccount(t *testing.T) {
	app := startAnswering(t, loggedInWith(http.StatusFound, "app-secret", http.Header{"Location": {"/home"}}))
	s := startSite(t, oneLogin("yes redirect /home\nno status 200"), app.address)
	for _, name := range []string{"", " ", "\u00a0", "\xff\xfe"} {
		r := s.client().post("/login", filled(name, "x"))
		if r.StatusCode != http.StatusBadRequest || strings.Contains(fmt.Sprint(r.Header, r.body), "app-secret") {
			t.Errorf("%q: %s, want a page with 400", name, words(r))
		}
	}
}
