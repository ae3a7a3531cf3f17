package twofactor

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

const (
	alice, alicePassword = "alice@example.com", "correct horse"
	bob, bobPassword     = "bob@example.com", "battery staple"
	carol, carolPassword = "carol@example.com", "tulip mania"
)

func classicSite(t *testing.T) (*site, *demoapp.App) {
	t.Helper()
	app, upstream := serveDemo(t, demoapp.Options{})
	return startSite(t, styleFile(t, "classic"), upstream), app
}

func TestARightPasswordIsHeldUntilTheCode(t *testing.T) {
	s, app := classicSite(t)
	c := s.client()
	if r := c.get("/contacts"); r.StatusCode != http.StatusSeeOther || r.location() != "/login" {
		t.Fatalf("unverified: %d to %q, want 303 to /login", r.StatusCode, r.location())
	}
	r := c.password(alice, "wrong")
	if r.StatusCode != 200 || !strings.Contains(r.body, `id="password"`) {
		t.Fatalf("a wrong password gave %d:\n%s", r.StatusCode, r.body)
	}
	r = c.password(alice, alicePassword)
	if r.StatusCode != 303 || r.location() != "/.two-factor/challenge" {
		t.Fatalf("the right password gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
	app.Reset()
	if r := c.get("/contacts"); r.location() != "/.two-factor/challenge" {
		t.Fatalf("pending: %d to %q", r.StatusCode, r.location())
	}
	if seen := byPeople(app); len(seen) != 0 {
		t.Fatalf("a pending session reached the app: %+v", seen)
	}
	if r := c.enter("000000"); !strings.Contains(r.location(), "problem=wrong") {
		t.Fatalf("a wrong code gave %d to %q", r.StatusCode, r.location())
	}
	r = c.enter(s.code(alice))
	if r.StatusCode != 302 || r.location() != "/dashboard" {
		t.Fatalf("the right code gave %d to %q, want the app's own 302 to /dashboard\n%s", r.StatusCode, r.location(), r.body)
	}
	if r := c.get("/profile"); r.StatusCode != 200 || !strings.Contains(r.body, alice) {
		t.Fatalf("verified: %d\n%s", r.StatusCode, r.body)
	}
	for name, value := range c.cookies("/") {
		for id := range app.Sessions() {
			if strings.Contains(value, id) {
				t.Errorf("the cookie %s holds the app's session in the clear", name)
			}
		}
	}
}

func TestAPhoneGetsItsCodeByText(t *testing.T) {
	s, _ := classicSite(t)
	c := s.client()
	r := c.signIn(bob, bobPassword)
	if r.StatusCode != 302 || r.location() != "/dashboard" {
		t.Fatalf("the right code gave %d to %q\n%s", r.StatusCode, r.location(), r.body)
	}
	if r := c.get("/profile"); !strings.Contains(r.body, bob) {
		t.Fatalf("verified: %d\n%s", r.StatusCode, r.body)
	}
	if n := len(s.texts()); n != 1 {
		t.Errorf("%d texts were sent, want 1", n)
	}
}
