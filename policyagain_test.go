package twofactor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// stepped gives the code that a page of a session asks for, and returns the
// answer.
func (c *client) stepped(page reply) reply {
	c.t.Helper()
	asked := c.follow(page)
	if !strings.Contains(asked.body, "text message") {
		c.t.Fatalf("no code is asked for, but %d:\n%s", asked.StatusCode, asked.body)
	}
	sent := c.follow(c.submit(asked, "Send", nil))
	return c.submit(sent, codeField, map[string]string{"code": c.s.textCode()})
}

func TestInsideASessionThePolicyIsAskedAgainWhereTheOperatorSaysSo(t *testing.T) {
	for _, tt := range []struct {
		name, again string
		ip, agent   string
		asked       bool
	}{
		{"another address, which does not matter", "", abroad, firefoxOnWindows, false},
		{"another address", "again ip", abroad, firefoxOnWindows, true},
		{"an address of the same provider, few points", "again ip", nextDoor, firefoxOnWindows, false},
		{"the same address", "again ip country browser", atHome, firefoxOnWindows, false},
		{"another country", "again country", abroad, firefoxOnWindows, true},
		{"another address in the country", "again country", atWork, firefoxOnWindows, false},
		{"another browser, where only the address counts", "again ip", atHome, chromeOnLinux, false},
		{"another browser", "again browser", atHome, chromeOnLinux, true},
		{"the browser after an update", "again browser", atHome, firefoxUpdated, false},
		{"what is no address, and so the proxy's own", "again ip", "unknown", firefoxOnWindows, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app, s := knownSite(t, "policy {\n"+quietly+tt.again+"\n}")
			c, w := s.browserAt(atHome, firefoxOnWindows)
			c.asked()
			if r := c.get("/contacts"); r.StatusCode != http.StatusOK {
				t.Fatalf("%d", r.StatusCode)
			}
			w.ip, w.agent = tt.ip, tt.agent
			app.Reset()
			r := c.get("/contacts")
			if got := r.StatusCode != http.StatusOK; got != tt.asked {
				t.Fatalf("asked is %v: %d to %q, %s\n%s", got, r.StatusCode, r.location(), lastDecision(t).Reason, s.twoFactorLog())
			}
			if !tt.asked {
				return
			}
			if n := len(byPeople(app)); n > 0 {
				t.Errorf("%d requests reached the app before the code", n)
			}
			if r := c.do(http.MethodPost, "/contacts/export", strings.NewReader("q=Maria"), withHeaders(urlencoded, http.Header{"Sec-Fetch-Dest": {"empty"}, "Accept": {"application/json"}})); r.StatusCode != http.StatusForbidden {
				t.Errorf("a script gets %d", r.StatusCode)
			}
			if e := lastDecision(t); e.Verdict != policy.Challenge || e.Detail != "in a session" || e.Facts == nil {
				t.Errorf("%+v", e)
			}
			if r := c.stepped(r); r.StatusCode != http.StatusSeeOther || r.location() != "/contacts" {
				t.Fatalf("the code led to %d %q:\n%s", r.StatusCode, r.location(), r.body)
			}
			for range 3 {
				if r := c.get("/contacts"); r.StatusCode != http.StatusOK {
					t.Fatalf("after the code: %d to %q, %s", r.StatusCode, r.location(), lastDecision(t).Reason)
				}
			}
			// Back and forth between what has been given a code for asks nobody.
			w.ip, w.agent = atHome, firefoxOnWindows
			if r := c.get("/contacts"); r.StatusCode != http.StatusOK {
				t.Errorf("back at home: %d", r.StatusCode)
			}
			w.ip, w.agent = tt.ip, tt.agent
			if r := c.get("/contacts"); r.StatusCode != http.StatusOK {
				t.Errorf("and there once more: %d", r.StatusCode)
			}
		})
	}
}

func TestACopiedSessionIsAskedWhereItIsUsedFrom(t *testing.T) {
	app, s := knownSite(t, "policy {\n"+quietly+"again ip browser\n}")
	c, _ := s.browserAt(atHome, firefoxOnWindows)
	c.asked()
	thief, _ := s.browserAt(abroad, chromeOnLinux)
	for name, value := range c.cookies("/") {
		thief.setCookie(name, value)
	}
	app.Reset()
	for _, path := range []string{"/contacts", "/profile", "/contacts/export", "/live", "/assets/app.css"} {
		if r := thief.get(path); r.StatusCode == http.StatusOK && strings.Contains(r.body, alice) {
			t.Errorf("%s is shown to a copy of the session", path)
		}
	}
	for _, seen := range byPeople(app) {
		t.Errorf("the app was asked %s %s as %q", seen.Method, seen.URI, seen.User)
	}
}

func TestAStepUpWithAPolicyAsksOnlyWhereThatSaysSo(t *testing.T) {
	app, s := knownSite(t, "policy {\n"+quietly+"}\nstep_up /contacts/export* {\naction \"export all contacts\"\npolicy {\n"+quietly+"}\n}")
	c, w := s.browserAt(atHome, firefoxOnWindows)
	c.asked()
	if r := c.get("/contacts/export"); r.StatusCode != http.StatusOK {
		t.Fatalf("an export at home: %d to %q, %s", r.StatusCode, r.location(), lastDecision(t).Reason)
	}
	w.ip = abroad
	app.Reset()
	r := c.get("/contacts/export")
	if r.StatusCode == http.StatusOK || len(exports(app)) > 0 {
		t.Fatalf("an export abroad: %d", r.StatusCode)
	}
	if r := c.stepped(r); r.StatusCode != http.StatusOK || len(exports(app)) != 1 {
		t.Fatalf("after the code: %d, %d exports", r.StatusCode, len(exports(app)))
	}
}

func TestAStepUpsPolicyAlsoSaysWhichFactorsMayAnswer(t *testing.T) {
	app, s := knownSite(t, "policy {\n"+quietly+"}\nstep_up /contacts/export* {\npolicy {\n"+quietly+"high 100 totp\n}\n}")
	c, w := s.browserAt(atHome, firefoxOnWindows)
	c.asked()
	w.ip = abroad
	app.Reset()
	r := c.get("/contacts/export")
	if r.StatusCode != http.StatusForbidden || len(exports(app)) > 0 {
		t.Fatalf("somebody with a phone alone: %d to %q", r.StatusCode, r.location())
	}
}

func TestEachLoginMayHaveAPolicyOfItsOwn(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.global = behindProxy
	const answers = "yes redirect /dashboard*\nno status 200 text \"The e-mail address or the password is wrong\"\n"
	s.start("http://localhost:{$PORT} {\n@admin {\nmethod POST\npath /login\nheader User-Agent *Linux*\n}\ntwo_factor {\nlogin @admin {\nuser form email\n"+answers+"policy every_login\n}\n"+
		"login fields email password {\n"+answers+"}\npolicy {\n"+quietly+"points new_browser 0\npoints new_system 0\nchallenge 60\n}\nlogin_page /login\nprotect *\n}\nreverse_proxy {$UPSTREAM}\n}\n", upstream)
	s.enrol(alice, "phone")
	c, _ := s.browserAt(atHome, firefoxOnWindows)
	c.asked()
	for agent, asked := range map[string]bool{firefoxOnWindows: false, chromeOnLinux: true} {
		c, _ := s.browserAt(atHome, agent)
		if got := c.asked(); got != asked {
			t.Errorf("%s: asked is %v, %s", agent, got, lastDecision(t).Reason)
		}
	}
}

func TestWhatWasUsedLongAgoIsShortenedAndForgottenByItself(t *testing.T) {
	_, s := knownSite(t, "policy new_ip")
	clock := s.clock()
	c, _ := s.browserAt(atHome, firefoxOnWindows)
	c.asked()
	clock.pass(31 * 24 * time.Hour)
	c, _ = s.browserAt(atHome, firefoxOnWindows)
	if !c.asked() {
		t.Errorf("an address that was shortened is known whole: %+v", lastDecision(t))
	}
	if got := lastDecision(t).Reason; got != "50 points, of 50 that it takes" {
		t.Error(got)
	}
}

func TestWhileObservingEachLoginIsAssessedAndNobodyIsAsked(t *testing.T) {
	_, s := knownSite(t, "mode observe\npolicy new_ip")
	for i, tt := range []struct {
		ip      string
		verdict policy.Verdict
	}{{atHome, policy.Challenge}, {atHome, policy.Allow}, {nextDoor, policy.Challenge}, {atHome, policy.Allow}} {
		c, _ := s.browserAt(tt.ip, firefoxOnWindows)
		if r := c.password(alice, alicePassword); r.location() != "/dashboard" {
			t.Fatalf("login %d: %d to %q", i+1, r.StatusCode, r.location())
		}
		eventually(t, "the login is assessed", func() bool {
			e := lastDecision(t)
			return e.Facts != nil && e.Facts.Address.String() == tt.ip && e.Verdict == tt.verdict && e.Detail == "observed"
		})
	}
}
