package demoapp

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTheSessionAtTheLogin(t *testing.T) {
	t.Run("is new, and the one before stays anonymous", func(t *testing.T) {
		b := start(t, Options{})
		b.page(PageLogin).mustSet(t, "crm_session /")
		before := b.session()
		b.login(alice, "wrong").mustSet(t)
		b.login(alice, alicePassword).mustSet(t, "crm_session /")
		if b.session() == before {
			t.Error("the value is the old one")
		}
		b.withCookie(PageMe, before).must(t, 401, "").mustSet(t)
		b.withCookie(PageMe, b.session()).must(t, 200, "")
	})
	t.Run("is kept, and the value that a visitor had is logged in", func(t *testing.T) {
		b := start(t, Options{AtLogin: SessionKept})
		b.page(PageLogin)
		before := b.session()
		open := tokenOf(t, b.page(PageLogin).body)
		b.login(alice, alicePassword).mustSet(t)
		b.withCookie(PageMe, before).must(t, 200, "")
		b.submit(open, bob, bobPassword).must(t, 302, "/dashboard")
		b.mustBe(bob)
	})
	t.Run("is renewed, and the value before is worth nothing", func(t *testing.T) {
		b := start(t, Options{AtLogin: SessionRenewed})
		b.page(PageLogin)
		before := b.session()
		open := tokenOf(t, b.page(PageLogin).body)
		b.login(alice, alicePassword).mustSet(t, "crm_session /")
		b.withCookie(PageMe, before).must(t, 401, "").mustSet(t, "crm_session /")
		b.submit(open, bob, bobPassword).must(t, 302, "/dashboard")
		b.mustBe(bob)
	})
}

func TestAValueThatTheAppDidNotGiveIsNeverTaken(t *testing.T) {
	b := start(t, Options{AtLogin: SessionKept})
	got := b.withCookie(PageLogin, "chosen").mustSet(t, "crm_session /")
	if got.Cookies()[0].Value == "chosen" {
		t.Error("the visitor's own value became a session")
	}
}

func TestARotatingSessionHasANewValueAtEveryAnswer(t *testing.T) {
	c := newClock()
	b := start(t, Options{Rotate: true, Now: c.read})
	b.login(alice, alicePassword)
	old := b.session()
	for range 3 {
		before := b.session()
		b.page(PageDashboard).must(t, 200, "").mustSet(t, "crm_session /")
		if b.session() == before {
			t.Fatal("the value is the one before")
		}
	}
	b.get("/assets/style.css").mustSet(t)
	c.now = c.now.Add(5 * time.Second)
	b.withCookie(PageMe, old).must(t, 200, "").mustSet(t, "crm_session /")
	c.now = c.now.Add(time.Millisecond)
	b.withCookie(PageMe, old).must(t, 401, "")
	b.mustBe(alice)
	if got := b.app.Sessions(); got[old] != "" || got[b.session()] != alice {
		t.Errorf("sessions: %v", got)
	}
}

func TestAParallelRequestWithTheValueBeforeIsToldThePresentOne(t *testing.T) {
	b := start(t, Options{Rotate: true})
	val := b.app.NewSession(alice)
	first := b.withCookie(PageMe, val).must(t, 200, "")
	second := b.withCookie(PageMe, val).must(t, 200, "")
	if first.Cookies()[0].Value != second.Cookies()[0].Value {
		t.Error("the later of two parallel answers would end the session of the earlier")
	}
}

func TestASessionThatStartsAtTheLoginIsSetOnAWrongPasswordToo(t *testing.T) {
	b := start(t, Options{Start: StartAtLogin})
	b.page(PageStart).mustSet(t)
	b.login(alice, "wrong").must(t, 200, "").mustSet(t, "crm_session /")
	b.mustBe("")
	b.login(alice, "wrong").mustSet(t)
	b.login(alice, alicePassword).mustSet(t, "crm_session /")
	b.mustBe(alice)
	b = another(t, b.app, b.base)
	b.login(alice, alicePassword).mustSet(t, "crm_session /")
	b.mustBe(alice)
}

func TestASessionThatStartsAtYesIsNotSetOnAWrongPassword(t *testing.T) {
	b := start(t, Options{Start: StartAtYes})
	b.page(PageLogin).mustSet(t)
	b.login(alice, "wrong").mustSet(t)
	b.page(PageContacts).must(t, 302, "/login").mustSet(t)
	b.login(alice, alicePassword).mustSet(t, "crm_session /")
	b.mustBe(alice)
}

func TestTheRememberMeOpensASessionByItselfAndThePreferenceDoesNot(t *testing.T) {
	b := start(t, Options{Remember: true})
	b.login(alice, "wrong").mustSet(t)
	b.login(alice, alicePassword).mustSet(t, "crm_session /", "crm_remember / lasting", "crm_prefs / lasting")
	alone := func(name string) reply {
		r, err := http.NewRequest(http.MethodGet, b.base+"/api/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", name+"="+b.cookie(name))
		return another(t, b.app, b.base).send(r)
	}
	alone(PrefsCookie).must(t, 401, "")
	opened := alone(RememberCookie).must(t, 200, "").mustSay(t, alice).mustSet(t, "crm_session /")
	if b.app.Sessions()[opened.Cookies()[0].Value] != alice {
		t.Error("the remember-me opened no session")
	}
	if got := b.app.Remembered()[b.cookie(RememberCookie)]; got != alice {
		t.Errorf("the remember-me is %q's", got)
	}
}

func TestTwoPathsHaveTwoValuesAndEachIsGoodWhereItsPathSays(t *testing.T) {
	b := start(t, Options{TwoPaths: true})
	set := b.login(alice, alicePassword).mustSet(t, "crm_session /", "crm_session /contacts").Cookies()
	root, narrow := set[0].Value, set[1].Value
	if root == narrow {
		t.Fatal("the two values are one")
	}
	b.withCookie(PageMe, root).must(t, 200, "")
	b.withCookie(PageContacts, root).must(t, 302, "/login")
	b.withCookie(PageMe, narrow).must(t, 401, "")
	b.withCookie(PageContacts, narrow).must(t, 200, "")
	b.page(PageExport).must(t, 200, "")
	lines := b.app.Seen()[len(b.app.Seen())-1].Cookies
	if len(lines) != 1 || strings.Count(lines[0], "crm_session=") != 2 {
		t.Errorf("the browser sent %q", lines)
	}
	b.get("/logout").mustSet(t, "crm_session / deleted", "crm_session /contacts deleted")
	b.withCookie(PageContacts, narrow).must(t, 302, "/login")
}

func TestTheCookieIsDeletedAndSetInOneAnswer(t *testing.T) {
	for name, at := range map[string]SessionAtLogin{"new": SessionNew, "kept": SessionKept, "renewed": SessionRenewed} {
		t.Run(name, func(t *testing.T) {
			b := start(t, Options{DeleteAndSet: true, AtLogin: at})
			b.login(alice, "wrong").mustSet(t)
			b.login(alice, alicePassword).mustSet(t, "crm_session / deleted", "crm_session /")
			b.mustBe(alice)
		})
	}
}

func TestANarrowPathHoldsTheWholeAppAndItsCookies(t *testing.T) {
	b := start(t, Options{BasePath: "/crm"})
	b.get("/").must(t, 302, "/crm/").mustSet(t)
	b.get("/login").must(t, 404, "").mustSet(t)
	b.get("/crmx/login").must(t, 404, "")
	b.get("/crm").must(t, 200, "").mustSay(t, `href="/crm/login"`).mustSay(t, `href="/crm/assets/style.css"`).mustSet(t, "crm_session /crm")
	b.get("/crm/assets/style.css").must(t, 200, "")
	b.get("/crm/contacts").must(t, 302, "/crm/login")
	b.login(alice, alicePassword).must(t, 302, "/crm/dashboard").mustSet(t, "crm_session /crm")
	b.page(PageExport).must(t, 200, "")
	b.mustBe(alice)
}

func TestTheCookiesNameHasAHashOfTheSite(t *testing.T) {
	one, other := Options{HashedName: true}, Options{HashedName: true, Site: "http://other.example"}
	if one.SessionCookie() == other.SessionCookie() || len(one.SessionCookie()) != len("crm_session_")+32 {
		t.Fatalf("%s and %s", one.SessionCookie(), other.SessionCookie())
	}
	b := start(t, one)
	b.login(alice, alicePassword).mustSet(t, one.SessionCookie()+" /")
	b.mustBe(alice)
}

func TestCookiesAreReadAsPHPDoes(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  string
	}{
		{"one of several", []string{"a=1; crm_session=x; b=2"}, "x"},
		{"the first of two counts", []string{"crm_session=x; crm_session=y"}, "x"},
		{"several lines are one", []string{"a=1", "crm_session=x"}, "x"},
		{"a dot is an underscore", []string{"crm.session=x; crm_session=y"}, "x"},
		{"a bracket is an underscore", []string{"crm[session=x"}, "x"},
		{"a blank is an underscore", []string{"crm session=x"}, "x"},
		{"a pair that Go would drop", []string{`bad"name=1; crm_session=a b`}, "a b"},
		{"a percent sign is decoded", []string{"crm_session=%41"}, "A"},
		{"a broken percent sign is kept", []string{"crm_session=%4"}, "%4"},
		{"a name without a value is none", []string{"crm_session; a=1"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := readCookies(test.lines)["crm_session"]; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestASessionMadeAtTheAppDirectlyIsGoodOnEveryPage(t *testing.T) {
	for _, style := range FormStyles() {
		b := start(t, style.Options)
		val := b.app.NewSession("Bob@example.com")
		for _, p := range []Page{PageMe, PageContacts, PageExport} {
			if got := b.withCookie(p, val); got.StatusCode != 200 {
				t.Errorf("%s: %s answers %d", style.Name, p, got.StatusCode)
			}
		}
		if b.app.Sessions()[val] == "" && !style.Options.Rotate {
			t.Errorf("%s: the session is not listed", style.Name)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a session was made for nobody")
		}
	}()
	New(Options{}).NewSession("nobody@example.com")
}

func TestVisitorsWhoNeverComeBackAreForgotten(t *testing.T) {
	c := newClock()
	app := New(Options{Now: c.read})
	kept := app.NewSession(alice)
	for range maxValues {
		app.sessions.start("", c.now)
	}
	c.now = c.now.Add(lifeOfIdleVisitor + time.Second)
	app.sessions.start("", c.now)
	if n := len(app.sessions.values); n != 2 {
		t.Errorf("%d values are left", n)
	}
	if app.Sessions()[kept] != alice {
		t.Error("a user's session was swept away")
	}
}
