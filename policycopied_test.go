package twofactor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// copied is a browser of somebody else, elsewhere, with a copy of all cookies.
func (c *client) copied() (*client, *somewhere) {
	c.t.Helper()
	thief, w := c.s.browserAt(abroad, chromeOnLinux)
	for name, value := range c.cookies("/") {
		thief.setCookie(name, value)
	}
	return thief, w
}

// statusSite is the demo app, whose wrong password is told by its status alone.
func statusSite(t *testing.T, lines string) (*demoapp.App, *site) {
	t.Helper()
	app, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.shared, s.global = geography(t), behindProxy
	s.start(siteWith("login fields email password {\nyes redirect /dashboard*\nno status 200\n}\n"+lines, "reverse_proxy {$UPSTREAM}"), upstream)
	s.enrol(alice, account.KindPhone)
	s.enrol(bob, account.KindPhone)
	return app, s
}

func TestACopiedSessionIsNotToBeUsedByTheFieldsOfALogin(t *testing.T) {
	app, s := statusSite(t, "policy {\n"+quietly+"again ip browser\n}")
	c, _ := s.browserAt(atHome, firefoxOnWindows)
	c.asked()
	for _, path := range []string{"/contacts?email=x&password=y", "/profile?email=alice@example.com&password=y", "/contacts/export?email=x&password=y"} {
		thief, _ := c.copied()
		app.Reset()
		if r := thief.get(path); r.StatusCode == http.StatusOK && strings.Contains(r.body, "alice") {
			t.Errorf("%s is shown to a copy of the session:\n%.300s", path, visible(r.body))
		}
		for _, seen := range byPeople(app) {
			if seen.User != "" {
				t.Errorf("the app was asked %s %s as %q", seen.Method, seen.URI, seen.User)
			}
		}
	}
}

func TestWhatIsAllowedByOneRequestIsNotByTheOthersOfACopiedSession(t *testing.T) {
	for name, rule := range map[string]string{
		"never by a path": "never /profile",
		"trust by a path": "trust /profile\npoints new_browser 0\npoints new_system 0",
	} {
		t.Run(name, func(t *testing.T) {
			_, s := knownSite(t, "policy {\n"+quietly+"again ip browser\n"+rule+"\n}")
			c, _ := s.browserAt(atHome, firefoxOnWindows)
			c.asked()
			thief, _ := c.copied()
			if r := thief.get("/contacts"); r.StatusCode == http.StatusOK {
				t.Fatal("not asked at all")
			}
			if r := thief.get("/profile"); r.StatusCode != http.StatusOK {
				t.Fatalf("%d: %s", r.StatusCode, lastDecision(t).Reason)
			}
			if r := thief.get("/contacts"); r.StatusCode == http.StatusOK {
				t.Error("what one address is spared, all are")
			}
		})
	}
	t.Run("always by a path", func(t *testing.T) {
		_, s := knownSite(t, "policy {\n"+quietly+"again ip\nalways /contacts/export\n}")
		c, _ := s.browserAt(atHome, firefoxOnWindows)
		c.asked()
		thief, w := c.copied()
		w.ip, w.agent = nextDoor, firefoxOnWindows
		thief.get("/profile")
		if r := thief.get("/contacts/export"); r.StatusCode == http.StatusOK {
			t.Error("what is always asked for is not, once another address was not")
		}
	})
}

func TestACopiedSessionIsNotToBeUsedByTheFieldOfALogout(t *testing.T) {
	app, s := knownSite(t, "logout {\nquery action=logout\n}\npolicy {\n"+quietly+"again ip browser\n}")
	c, _ := s.browserAt(atHome, firefoxOnWindows)
	c.asked()
	thief, _ := c.copied()
	app.Reset()
	if r := thief.get("/contacts?action=logout"); r.StatusCode == http.StatusOK {
		t.Errorf("shown:\n%.200s", visible(r.body))
	}
	for _, seen := range byPeople(app) {
		if seen.User != "" {
			t.Errorf("the app was asked %s %s as %q", seen.Method, seen.URI, seen.User)
		}
	}
}

func TestACodeCountsForTheClientThatGaveIt(t *testing.T) {
	for _, tt := range []struct{ name, lines, path string }{
		{"a change", "", "/contacts"},
		{"a step-up", "step_up /contacts/export* {\nmax_age 5m\n}", "/contacts/export"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, s := knownSite(t, "policy {\n"+quietly+"again ip browser\n}\n"+tt.lines)
			clock := s.clock()
			c, w := s.browserAt(atHome, firefoxOnWindows)
			c.asked()
			clock.pass(10 * time.Minute)
			thief, _ := c.copied()
			thief.follow(thief.get(tt.path))
			if tt.lines == "" {
				w.agent = chromeOnLinux
			}
			r := c.stepped(c.get(tt.path))
			if r.location() != tt.path {
				t.Fatalf("the code led to %d %q", r.StatusCode, r.location())
			}
			if r := thief.get("/profile"); r.StatusCode == http.StatusOK {
				t.Error("the code of another client opens the session to the copy, as long as its old token is known")
			}
			again, _ := s.browserAt(abroad, chromeOnLinux)
			if !again.asked() {
				t.Errorf("the thief's place is familiar: %+v", lastDecision(t))
			}
		})
	}
}

func TestACopiedOwnCookieSaysNothingOfItsUserOnAPublicPage(t *testing.T) {
	s, u := handedSite(t, handedLines+"policy {\n"+quietly+"again browser\n}\n", "")
	s.enrol(alice, account.KindTOTP)
	c, _ := s.browserAt("", firefoxOnWindows)
	c.get("/login")
	if r := c.post("/login", filled(alice, right)); r.location() != "/.two-factor/challenge" {
		t.Fatalf("%d to %q", r.StatusCode, r.location())
	}
	c.enter(s.code(alice))
	thief, _ := s.browserAt("", chromeOnLinux)
	thief.setCookie(ownCookie, c.cookies("/")[ownCookie])
	u.reset()
	thief.get("/open/page")
	for _, a := range u.arrivals() {
		if got := handed(a); len(got) > 0 {
			t.Errorf("%s had %q", a.URI, got)
		}
	}
}

func TestWhoHasNoAccountAndIsLetInGoesOnElsewhere(t *testing.T) {
	s, _ := handedSite(t, "policy {\n"+quietly+"again browser\n}\nstep_up /export {\npolicy {\n"+quietly+"}\n}\n", "")
	c, w := s.browserAt("", firefoxOnWindows)
	c.letIn("ann")
	w.agent = chromeOnLinux
	if r := c.get("/home"); r.StatusCode != http.StatusOK {
		t.Errorf("%d:\n%s", r.StatusCode, visible(r.body))
	}
	if r := c.get("/export"); r.StatusCode != http.StatusForbidden {
		t.Errorf("a step-up: %d:\n%s", r.StatusCode, visible(r.body))
	}
}

func TestNothingIsLearntOfWhoHasNoAccount(t *testing.T) {
	s, _ := handedSite(t, "", "")
	s.client().letIn("ann")
	l := s.lease()
	defer l.Release()
	if raw, err := l.Parts().Store.History(t.Context(), defaultName, "ann"); err != nil || len(raw) > 0 {
		t.Errorf("something is learnt of nobody's account: %d bytes, %v", len(raw), err)
	}
}
