package twofactor

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// reaches sends cookies to pages of the app, a protected one, the login page
// and a static file, and returns what reached it in somebody's session or with
// a value of one.
func reaches(s *site, app *demoapp.App, lines ...string) (found []string) {
	s.t.Helper()
	tr := &trial{world: &world{site: s, app: app, options: app.Options()}, t: s.t}
	for _, path := range []string{"/contacts", "/login", "/assets/style.css"} {
		app.Reset()
		s.stranger().with(path, lines...)
		for _, seen := range byPeople(app) {
			if asAnybody(tr, seen) {
				found = append(found, seen.Method+" "+seen.URI+" as <"+seen.User+"> with "+strings.Join(seen.Cookies, ", "))
			}
		}
	}
	return found
}

// comesAs fails if the browser's request for the contacts does not reach the
// app in the user's session.
func comesAs(t *testing.T, c *client, app *demoapp.App, user, when string) {
	t.Helper()
	app.Reset()
	r := c.get("/contacts")
	if seen := byPeople(app); len(seen) != 1 || seen[0].User != user || r.StatusCode != http.StatusOK {
		t.Fatalf("%s %s gets %d to %q, %d requests reached the app", when, user, r.StatusCode, r.location(), len(seen))
	}
}

func TestRule32AnIdleSessionEndsWithTheAppsRememberMe(t *testing.T) {
	style, _ := demoapp.StyleNamed("several-cookies")
	app, upstream := serveDemo(t, style.Options)
	s := startSite(t, styleFile(t, "several-cookies"), upstream)
	clock := s.clock()
	c := s.client()
	c.signIn(bob, bobPassword)
	for range 2 {
		clock.pass(7*time.Hour + 50*time.Minute)
		comesAs(t, c, app, bob, "within eight hours")
	}
	jar := c.jarLine("/")
	clock.pass(8*time.Hour + time.Minute)
	if found := reaches(s, app, jar); len(found) > 0 {
		t.Errorf("an idle session opens: %q", found)
	}
	if r := c.get("/contacts"); r.location() != "/login" {
		t.Errorf("who comes back is not asked to sign in: %d to %q", r.StatusCode, r.location())
	}
	if found := reaches(s, app, c.jarLine("/")); len(found) > 0 {
		t.Errorf("what the browser holds afterwards opens: %q", found)
	}
	// The app still knows the session and the remember-me.
	if len(app.Sessions()) == 0 || len(app.Remembered()) == 0 {
		t.Error("the app has forgotten them, so that this shows nothing")
	}
}

func TestRule32ASessionEndsAfterADayHoweverOftenItIsUsed(t *testing.T) {
	app, upstream := serveDemo(t, demoapp.Options{})
	s := startSite(t, styleFile(t, "classic"), upstream)
	clock := s.clock()
	c := s.client()
	c.signIn(bob, bobPassword)
	for range 11 {
		clock.pass(2*time.Hour + 10*time.Minute)
		comesAs(t, c, app, bob, "within a day")
	}
	clock.pass(15 * time.Minute)
	if found := reaches(s, app, c.jarLine("/")); len(found) > 0 {
		t.Errorf("after 24 hours it opens: %q", found)
	}
}

func TestRule32APendingSessionEndsAfterTenMinutes(t *testing.T) {
	style, _ := demoapp.StyleNamed("kept-session")
	app, upstream := serveDemo(t, style.Options)
	s := startSite(t, styleFile(t, "kept-session"), upstream)
	clock := s.clock()
	c := s.client()
	if r := c.password(bob, bobPassword); r.location() != codePage {
		t.Fatalf("the password: %d", r.StatusCode)
	}
	page, code := c.get(codePage), s.textCode()
	jar := c.jarLine("/")
	clock.pass(10*time.Minute + time.Second)
	c.submit(page, codeField, map[string]string{"code": code})
	for when, line := range map[string]string{"after its time": jar, "with what a late code gave": c.jarLine("/")} {
		if found := reaches(s, app, line); len(found) > 0 {
			t.Errorf("%s a pending session opens: %q", when, found)
		}
	}
	if r := c.password(bob, bobPassword); r.location() != codePage {
		t.Errorf("signing in again gave %d to %q", r.StatusCode, r.location())
	}
}

// An app that changes its session's value at every answer takes the one before
// for a moment more: pages that were asked for together go on.
func TestRequestsWithTheValueOfBeforeGoOnAsLongAsTheAppTakesIt(t *testing.T) {
	var ahead atomic.Int64
	app, upstream := serveDemo(t, demoapp.Options{Rotate: true, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	s := startSite(t, styleFile(t, "rotating-session"), upstream)
	c := s.client()
	c.signIn(alice, alicePassword)
	old := c.jarLine("/")
	app.Reset()
	var all sync.WaitGroup
	for range 24 {
		one := s.stranger()
		all.Go(func() {
			if r := one.with("/contacts", old); r.StatusCode != http.StatusOK || len(r.setCookies("crm_session")) != 1 {
				t.Errorf("a parallel request gave %d and %q", r.StatusCode, r.Header["Set-Cookie"])
			}
		})
	}
	all.Wait()
	seen := byPeople(app)
	for _, one := range seen {
		if one.User != alice {
			t.Errorf("a parallel request reached the app as %q", one.User)
		}
	}
	if len(seen) != 24 {
		t.Errorf("%d of 24 requests reached the app", len(seen))
	}
	fresh := s.stranger().with("/contacts", old).setCookies("crm_session")
	// The grace is the app's: when it is over, so is the value, and the gateway
	// has nothing to do with it.
	ahead.Add(int64(6 * time.Second))
	app.Reset()
	s.stranger().with("/contacts", old)
	if seen := byPeople(app); len(seen) != 1 || seen[0].User != "" {
		t.Errorf("when the app's grace is over: %+v", seen)
	}
	if len(fresh) != 1 {
		t.Fatal("no new value came")
	}
	app.Reset()
	s.stranger().with("/contacts", c.jarLine("/", "crm_session")+"; crm_session="+fresh[0])
	if seen := byPeople(app); len(seen) != 1 || seen[0].User != alice {
		t.Errorf("the new value: %+v", seen)
	}
}

// An app may forget a session, or delete its cookie, before the gateway's ends.
func TestWhenTheAppEndsItsSessionTheNextLoginNeedsACode(t *testing.T) {
	for name, forgets := range map[string]func(l *ledger, c *client){
		"it forgets the session": func(l *ledger, _ *client) {
			l.mu.Lock()
			defer l.mu.Unlock()
			clear(l.users)
		},
		"it deletes the cookie": func(l *ledger, c *client) {
			l.pages["/expire"] = func(w http.ResponseWriter, _ *arrival) bool {
				w.Header().Add("Set-Cookie", "sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
				return false
			}
			c.get("/expire")
		},
		"it deletes the cookie and says that there is no session": func(l *ledger, c *client) {
			l.on("/expire", func(w http.ResponseWriter, _ *arrival) {
				w.Header().Add("Set-Cookie", "sid=deleted; Path=/; Max-Age=0")
				w.Header().Set("Location", "/login")
				w.WriteHeader(http.StatusFound)
			})
			c.get("/expire")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := ledgerStart(t)
			c := s.client()
			c.pass(alice)
			before := c.jarLine("/")
			forgets(l, c)
			l.reset()
			if r := c.get("/contacts"); strings.Contains(r.body, alice) {
				t.Errorf("the app still has alice: %d %s", r.StatusCode, r.body)
			}
			for _, a := range l.arrivals() {
				if l.user(a) != "" {
					t.Errorf("%s reached the app as %q", a.URI, l.user(a))
				}
			}
			c.get("/login")
			if r := c.tryLogin(carol, right); r.location() != codePage {
				t.Fatalf("the next login gave %d to %q", r.StatusCode, r.location())
			}
			mustNotOpen(t, s, l, "what was there before the next login", before)
			if r := c.enter(s.code(carol)); r.location() != "/dashboard" {
				t.Fatalf("the code: %d", r.StatusCode)
			}
			if r := c.get("/contacts"); !strings.Contains(r.body, carol) {
				t.Errorf("carol: %d %s", r.StatusCode, r.body)
			}
			mustNotOpen(t, s, l, "what was there before the code", before)
		})
	}
}
