package twofactor

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// form is the header of a form that a browser posts.
func form(cookies string) http.Header {
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if cookies != "" {
		h["Cookie"] = []string{cookies}
	}
	return h
}

func loginBody(user, password string) io.Reader {
	return strings.NewReader(url.Values{"email": {user}, "password": {password}}.Encode())
}

// tryEverywhere sends a value wherever it might open something.
func tryEverywhere(c *client, cookies string) {
	for _, path := range []string{"/contacts", "/open/page", "/assets/a.css", "/login", "/"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			c.do(method, path, nil, http.Header{"Cookie": {cookies}})
		}
	}
}

func TestASealFromBeforeTheLoginOpensNothingDuringAndAfterIt(t *testing.T) {
	for _, mode := range []string{"unverified login_page", "unverified anonymous"} {
		t.Run(mode, func(t *testing.T) {
			s, l := ledgerStart(t, mode)
			victim := s.client()
			victim.get("/login")
			kept := "sid=" + victim.cookies("/")["sid"]
			thief := s.stranger()

			finish := inflight(t, l, "/login", func() reply { return victim.tryLogin(alice, right) })
			l.reset()
			tryEverywhere(thief, kept)
			for _, a := range l.arrivals() {
				if len(a.Cookies) > 0 {
					t.Errorf("while the login runs, %s %s reached the app with %q", a.Method, a.URI, a.Cookies)
				}
			}
			if r := finish(); r.location() != "/.two-factor/challenge" {
				t.Fatalf("the login: %d to %q", r.StatusCode, r.location())
			}
			delete(l.pages, "/login")
			check := func(when string) {
				t.Helper()
				l.reset()
				tryEverywhere(thief, kept)
				for _, a := range l.arrivals() {
					if len(a.Cookies) > 0 {
						t.Errorf("%s, %s %s reached the app with %q", when, a.Method, a.URI, a.Cookies)
					}
				}
				if got := l.reached(); len(got) > 0 {
					t.Errorf("%s, alice's session was reached: %v", when, got)
				}
			}
			check("while the challenge is open")
			if r := victim.enter(s.code(alice)); r.location() != "/dashboard" {
				t.Fatalf("the code: %d", r.StatusCode)
			}
			check("when the challenge is passed")
			l.reset()
			if r := victim.get("/contacts"); !strings.Contains(r.body, alice) {
				t.Errorf("the person at the app: %d %s", r.StatusCode, r.body)
			}
			l.pages["/logout"] = func(w http.ResponseWriter, _ *arrival) bool {
				// An app that forgets to log out.
				w.Header().Set("Location", "/login")
				w.WriteHeader(http.StatusFound)
				return true
			}
			victim.get("/logout")
			check("after the logout")
		})
	}
}

func TestInvariant01ParallelRequestsWithTheLoginsOwnCookieReachTheAppWithoutItsSession(t *testing.T) {
	style, _ := demoapp.StyleNamed("slow-login")
	app, upstream := serveDemo(t, style.Options)
	for _, mode := range []string{"", "unverified anonymous"} {
		t.Run("mode "+mode, func(t *testing.T) {
			s := startSite(t, strings.Replace(styleFile(t, "slow-login"), "login_page", mode+"\n\t\tlogin_page", 1), upstream)
			c := s.client()
			page := c.get("/login")
			kept := "crm_session=" + c.cookies("/")["crm_session"]
			logged := make(chan reply, 1)
			app.Reset()
			go func() {
				logged <- c.submit(page, `id="password"`, map[string]string{"email": alice, "password": alicePassword})
			}()
			eventually(t, "the app took the login", func() bool { return len(byPeople(app)) > 0 })
			attacker := s.stranger()
			attacker.http.Transport.(*http.Transport).MaxIdleConnsPerHost = 16
			for range 3 {
				var wg sync.WaitGroup
				for i := range 64 {
					wg.Go(func() {
						path := []string{"/contacts", "/contacts/export", "/profile", "/api/me", "/assets/app.css", "/login", "/dashboard", "/"}[i%8]
						req, _ := http.NewRequest([]string{"GET", "HEAD"}[i%2], s.url+path, nil)
						req.Header.Set("Cookie", kept)
						if res, err := attacker.http.Do(req); err == nil {
							body, _ := io.ReadAll(res.Body)
							res.Body.Close()
							if strings.Contains(string(body), alice) {
								t.Errorf("%s showed alice's page", path)
							}
						}
					})
				}
				wg.Wait()
				time.Sleep(300 * time.Millisecond)
			}
			if r := <-logged; r.location() != "/.two-factor/challenge" {
				t.Fatalf("the login: %d to %q", r.StatusCode, r.location())
			}
			for _, seen := range byPeople(app) {
				if seen.User != "" || (len(seen.Cookies) > 0 && seen.Method != http.MethodPost) {
					t.Errorf("%s %s reached the app as %q with %q", seen.Method, seen.URI, seen.User, seen.Cookies)
				}
			}
		})
	}
}

func TestARequestOnItsWayWhenTheLoginBeganGetsNothingOut(t *testing.T) {
	s, l := ledgerStart(t, "unverified anonymous", "readable theme")
	for _, path := range []string{"/list", "/open/list"} {
		t.Run(path, func(t *testing.T) {
			victim := s.client()
			victim.get("/login")
			kept := "sid=" + victim.cookies("/")["sid"]
			thief := s.stranger()
			send := func() reply { return thief.with(path, kept) }
			finish := inflight(t, l, path, send, func(w http.ResponseWriter, a *arrival) {
				// By now the session is alice's, and the app says so.
				w.Header().Add("Set-Cookie", "sid="+a.cookie("sid")+"; Path=/")
				w.Header().Add("Set-Cookie", "fresh=1; Path=/")
				w.Header().Add("Set-Cookie", "other=; Path=/; Max-Age=0")
				w.Header().Add("Set-Cookie", "theme=dark; Path=/")
				w.Header().Set("X-User", l.user(a))
				fmt.Fprintf(w, "the page of <%s>", l.user(a))
			})
			if r := victim.tryLogin(alice, right); r.location() != "/.two-factor/challenge" {
				t.Fatalf("the login: %d to %q", r.StatusCode, r.location())
			}
			r := finish()
			for _, name := range []string{"sid", "fresh", "other"} {
				if got := r.setCookies(name); len(got) > 0 {
					t.Errorf("the guarded cookie %s went out: %q", name, got)
				}
			}
			if path == "/list" && (strings.Contains(r.body, "the page") || r.Header.Get("X-User") != "" || r.StatusCode == 200) {
				t.Errorf("the answer of a protected route went out: %d %v %s", r.StatusCode, r.Header, r.body)
			}
		})
	}
}

// slowPost sends a request of which the body comes only when finish is called.
func slowPost(s *site, method, path, cookies string, size int) (finish func() reply) {
	r, w := io.Pipe()
	req, err := http.NewRequest(method, s.url+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	req.ContentLength = int64(size)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Cookie", cookies)
	done := make(chan reply, 1)
	c := s.stranger()
	go func() {
		res, err := c.http.Do(req)
		if err != nil {
			done <- reply{Response: &http.Response{StatusCode: 0, Header: http.Header{}}, body: err.Error()}
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		done <- reply{res, string(body)}
	}()
	chunk := strings.Repeat("x", 1000)
	for sent := 0; sent < size-1000; sent += 1000 {
		if _, err := io.WriteString(w, chunk); err != nil {
			s.t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond)
	return func() reply {
		go func() {
			_, _ = io.WriteString(w, chunk)
			_ = w.Close()
		}()
		select {
		case r := <-done:
			return r
		case <-time.After(15 * time.Second):
			s.t.Fatal("no answer came")
			return reply{}
		}
	}
}

// A body that is still coming when a login begins must not be what the app
// reads after it, with the session that the login has opened.
func TestInvariant03ABodyThatEndsAfterTheLoginBeganDoesNotReachTheApp(t *testing.T) {
	byRoute := `http://localhost:{$PORT} {
	@login {
		method POST
		path /login
	}
	two_factor {
		login @login {
			user form email
			yes redirect /dashboard*
			no status 200
		}
		login_page /login
		public /open/*
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`
	for name, config := range map[string]string{"logins by fields": ledgerConfig(), "logins by route": byRoute} {
		t.Run(name, func(t *testing.T) {
			l, upstream := newLedger(t)
			s := startSite(t, config, upstream)
			for _, size := range []int{3000, 100_000} {
				member := s.client()
				member.pass(bob)
				bodyAfterLogin(t, s, l, member, "/settings", member.jarLine("/"), size)
				visitor := s.client()
				visitor.get("/login")
				bodyAfterLogin(t, s, l, visitor, "/open/settings", visitor.jarLine("/"), size)
			}
		})
	}
}

// bodyAfterLogin begins a request, logs alice in, and ends the request.
func bodyAfterLogin(t *testing.T, s *site, l *ledger, c *client, path, cookies string, size int) {
	t.Helper()
	finish := slowPost(s, http.MethodPost, path, cookies, size)
	if r := c.tryLogin(alice, right); r.location() != "/.two-factor/challenge" {
		t.Fatalf("the login: %d to %q", r.StatusCode, r.location())
	}
	l.reset()
	r := finish()
	for _, a := range l.arrivals() {
		if len(a.Cookies) > 0 {
			t.Errorf("%s with %d bytes reached the app after the login with %q, the session of <%s>", path, size, a.Cookies, l.user(a))
		}
	}
	if r.StatusCode == 200 && strings.Contains(r.body, "@") {
		t.Errorf("%s: the answer went out: %s", path, r.body)
	}
}

func TestInvariant02ANewLoginSuspendsTheVerifiedSessionBeforeItIsForwarded(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.pass(alice)
	before := c.jarLine("/")
	finish := inflight(t, l, "/login", func() reply { return c.tryLogin(carol, right) })
	l.reset()
	other := s.stranger()
	for _, path := range []string{"/contacts", "/assets/a.css", "/open/page"} {
		r := other.with(path, before)
		if r.StatusCode == 200 && strings.Contains(r.body, "@") {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
	for _, a := range l.arrivals() {
		if len(a.Cookies) > 0 {
			t.Errorf("while the login runs, %s reached the app with %q", a.URI, a.Cookies)
		}
	}
	if r := finish(); r.location() != "/.two-factor/challenge" {
		t.Fatalf("the second login: %d to %q", r.StatusCode, r.location())
	}
	delete(l.pages, "/login")
	mustNotOpen(t, s, l, "alice's session after carol's right password", before)
	if r := c.enter(s.code(carol)); r.location() != "/dashboard" {
		t.Fatalf("carol's code: %d", r.StatusCode)
	}
	mustNotOpen(t, s, l, "alice's session after carol's code", before)
	mixed := ownCookie + "=" + c.cookies("/")[ownCookie] + "; " + before[strings.Index(before, "sid="):]
	mustNotOpen(t, s, l, "alice's seal with carol's own cookie", mixed)
	if r := c.get("/contacts"); !strings.Contains(r.body, carol) {
		t.Errorf("carol: %d %s", r.StatusCode, r.body)
	}
}

func TestASecondLoginWhileTheFirstIsAtTheAppWaitsAndThenGoesOnWithoutItsValues(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.get("/login")
	line := "sid=" + c.cookies("/")["sid"]
	finish := inflight(t, l, "/login", func() reply {
		return s.stranger().do(http.MethodPost, "/login", loginBody(alice, right), form(line))
	})
	second := make(chan reply, 1)
	go func() {
		second <- s.stranger().do(http.MethodPost, "/login", loginBody(carol, right), form(line))
	}()
	time.Sleep(150 * time.Millisecond)
	if n := len(l.arrivals()); n != 2 {
		t.Errorf("%d requests reached the app, want the page and one login", n)
	}
	first := finish()
	r := <-second
	if first.location() != "/.two-factor/challenge" || r.location() != "/.two-factor/challenge" {
		t.Fatalf("the logins: %d %q and %d %q", first.StatusCode, first.location(), r.StatusCode, r.location())
	}
	if a := l.last(t); a.cookie("sid") != "" || a.field("email") != carol {
		t.Errorf("the second login reached the app with %q", a.Cookies)
	}
}

func TestASecondLoginGetsAPageAfterTenSeconds(t *testing.T) {
	s, l := ledgerStart(t)
	c, v := s.client(), s.client()
	c.get("/login")
	v.pass(alice)
	line, session := "sid="+c.cookies("/")["sid"], v.jarLine("/")
	gate := make(chan struct{})
	l.pages["/login"] = func(_ http.ResponseWriter, a *arrival) bool {
		if a.Method == http.MethodPost {
			<-gate
		}
		return false
	}
	logins := func() (n int) {
		for _, a := range l.arrivals() {
			if a.Method == http.MethodPost {
				n++
			}
		}
		return n
	}
	var wg sync.WaitGroup
	start := func(cookies string) {
		wg.Go(func() { s.stranger().do(http.MethodPost, "/login", loginBody(carol, right), form(cookies)) })
	}
	l.reset()
	start(line)
	start(session)
	eventually(t, "both logins are there", func() bool { return logins() == 2 })
	begun := time.Now()
	for _, cookies := range []string{line, session} {
		wg.Go(func() {
			r := s.stranger().do(http.MethodPost, "/login", loginBody(alice, right), form(cookies))
			if took := time.Since(begun); r.StatusCode != http.StatusServiceUnavailable || took < 9*time.Second || took > 12*time.Second {
				t.Errorf("a second login got %d after %s", r.StatusCode, took)
			}
		})
	}
	time.Sleep(10500 * time.Millisecond)
	if n := logins(); n != 2 {
		t.Errorf("%d logins reached the app", n)
	}
	close(gate)
	wg.Wait()
}

func TestALockThatIsNeverSettledStandsAfterAMinute(t *testing.T) {
	s, l := ledgerStart(t)
	clock := s.clock()
	c := s.client()
	c.get("/login")
	line := "sid=" + c.cookies("/")["sid"]
	finish := inflight(t, l, "/login", func() reply {
		return s.stranger().do(http.MethodPost, "/login", loginBody(alice, "wrong"), form(line))
	})
	l.pages["/login"] = nil
	clock.pass(61 * time.Second)
	l.reset()
	begun := time.Now()
	r := s.stranger().do(http.MethodPost, "/login", loginBody(carol, right), form(line))
	if r.location() != "/.two-factor/challenge" || time.Since(begun) > 5*time.Second {
		t.Errorf("a login behind a standing lock: %d after %s", r.StatusCode, time.Since(begun))
	}
	if a := l.last(t); len(a.Cookies) != 0 {
		t.Errorf("it went on with the line's values: %q", a.Cookies)
	}
	if r := finish(); r.StatusCode == 200 && len(r.setCookies("sid")) > 0 {
		t.Errorf("the late no gave the line a new value")
	}
	mustNotOpen(t, s, l, "a no that came after the lock stood", line)
}

func TestACertainNoLiftsTheLockAndNothingElseDoes(t *testing.T) {
	s, l := ledgerStart(t)
	for _, test := range []struct {
		name  string
		lifts bool
		do    func(c *client)
	}{
		{"a certain no", true, func(c *client) { c.tryLogin(alice, "wrong") }},
		{"an answer that is not recognised", false, func(c *client) {
			l.on("/login", func(w http.ResponseWriter, _ *arrival) { w.WriteHeader(http.StatusTeapot) })
			c.tryLogin(alice, right)
		}},
		{"an app that breaks off", false, func(c *client) {
			l.on("/login", func(http.ResponseWriter, *arrival) { panic(http.ErrAbortHandler) })
			c.tryLogin(alice, right)
		}},
		{"a user without an account", false, func(c *client) { c.tryLogin("dave@example.com", right) }},
		{"a cancelled challenge", false, func(c *client) {
			c.tryLogin(alice, right)
			c.submit(c.get("/.two-factor/challenge"), "cancel", nil)
		}},
		{"a logout while pending", false, func(c *client) { c.tryLogin(alice, right); c.get("/logout") }},
		{"a wrong code", false, func(c *client) { c.tryLogin(alice, right); c.enter(wrongCodes(s, 1)[0]) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer delete(l.pages, "/login")
			c := s.client()
			c.get("/login")
			line := "sid=" + c.cookies("/")["sid"]
			test.do(c)
			delete(l.pages, "/login")
			if !test.lifts {
				mustNotOpen(t, s, l, test.name, line)
				return
			}
			l.reset()
			s.stranger().with("/open/page", line)
			if len(l.last(t).Cookies) == 0 {
				t.Error("the line must open again")
			}
		})
	}
}

func TestAnExpiredHoldLiftsNothing(t *testing.T) {
	s, l := ledgerStart(t)
	clock := s.clock()
	c := s.client()
	c.get("/login")
	line := "sid=" + c.cookies("/")["sid"]
	c.tryLogin(alice, right)
	clock.pass(11 * time.Minute)
	mustNotOpen(t, s, l, "after the hold expired", line)
	mustNotOpen(t, s, l, "with the own cookie", c.jarLine("/"))
	clock.pass(29 * 24 * time.Hour)
	mustNotOpen(t, s, l, "after 29 days", line)
	clock.pass(2 * 24 * time.Hour)
	mustNotOpen(t, s, l, "after 31 days, when the lock is forgotten", line)
}

func TestALoginWhilePendingGoesOnWithNoneOfThePendingValues(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.get("/login")
	c.tryLogin(alice, right)
	first := c.jarLine("/")
	l.reset()
	if r := c.tryLogin(carol, right); r.location() != "/.two-factor/challenge" {
		t.Fatalf("the second login: %d to %q", r.StatusCode, r.location())
	}
	if a := l.last(t); len(a.Cookies) != 0 {
		t.Errorf("it reached the app with %q", a.Cookies)
	}
	r := s.stranger().with("/.two-factor/challenge", first)
	if strings.Contains(r.body, alice) || strings.Contains(r.body, codeField) {
		t.Errorf("the first challenge is still open:\n%s", r.body)
	}
	c.enter(s.code(carol))
	if r := c.get("/contacts"); !strings.Contains(r.body, carol) {
		t.Errorf("carol: %d %s", r.StatusCode, r.body)
	}
	// A wrong password while pending leaves the challenge as it was.
	d := s.client()
	d.get("/login")
	d.tryLogin(alice, right)
	l.reset()
	if r := d.tryLogin(carol, "wrong"); r.StatusCode != 200 {
		t.Errorf("a wrong password while pending: %d", r.StatusCode)
	}
	if a := l.last(t); len(a.Cookies) != 0 {
		t.Errorf("it reached the app with %q", a.Cookies)
	}
	if r := d.enter(s.code(alice)); r.location() != "/dashboard" {
		t.Errorf("the challenge after it: %d to %q\n%s", r.StatusCode, r.location(), r.body)
	}
}

func TestInvariant02WhileALoginRunsInAPendingBrowserNothingElsePasses(t *testing.T) {
	s, l := ledgerStart(t, "unverified anonymous")
	c := s.client()
	c.get("/login")
	c.tryLogin(alice, right)
	jar := c.jarLine("/")
	finish := inflight(t, l, "/login", func() reply { return c.tryLogin(carol, right) })
	l.reset()
	for _, path := range []string{"/contacts", "/assets/a.css", "/open/page", "/login"} {
		r := s.stranger().do(http.MethodGet, path, nil, http.Header{"Cookie": {jar}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"*/*"}})
		if r.StatusCode != http.StatusUnauthorized && r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	for _, a := range l.arrivals() {
		t.Errorf("%s reached the app", a.URI)
	}
	finish()
}

func TestTwoLoginsAtOnceInOneVerifiedBrowserEndWithOneUser(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.pass(alice)
	jar := c.jarLine("/")
	var wg sync.WaitGroup
	answers := make([]reply, 4)
	for i := range answers {
		wg.Go(func() {
			answers[i] = s.stranger().do(http.MethodPost, "/login", loginBody([]string{bob, carol}[i%2], right), form(jar))
		})
	}
	wg.Wait()
	for i, r := range answers {
		if r.location() != "/.two-factor/challenge" {
			t.Errorf("login %d: %d to %q", i, r.StatusCode, r.location())
		}
	}
	mustNotOpen(t, s, l, "alice's session after all of them", jar)
	with := 0
	for _, a := range l.arrivals() {
		if a.Method == http.MethodPost && len(a.Cookies) > 0 {
			with++
		}
	}
	if with > 1 {
		t.Errorf("%d logins went to the app with alice's session", with)
	}
}

func TestASuspendedSessionGoesOnOnlyIfAProofSaysSo(t *testing.T) {
	wrong := func(t *testing.T, s *site, c *client) reply {
		t.Helper()
		r := c.tryLogin(carol, "wrong")
		if r.StatusCode != 200 {
			t.Fatalf("the wrong password: %d\n%s", r.StatusCode, r.body)
		}
		return r
	}
	t.Run("with a proof it goes on", func(t *testing.T) {
		s, _ := provedStart(t)
		c := s.client()
		c.pass(alice)
		wrong(t, s, c)
		if r := c.get("/contacts"); !strings.Contains(r.body, alice) {
			t.Errorf("alice: %d to %q", r.StatusCode, r.location())
		}
	})
	t.Run("with a proof that names another it ends", func(t *testing.T) {
		s, l := provedStart(t)
		c := s.client()
		c.pass(alice)
		jar := c.jarLine("/")
		l.pages["/login"] = func(w http.ResponseWriter, a *arrival) bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.users[a.cookie("sid")] = carol
			w.Header().Add("Set-Cookie", "fresh=1; Path=/")
			fmt.Fprint(w, "wrong, it says")
			return true
		}
		if r := wrong(t, s, c); len(r.setCookies("fresh")) > 0 {
			t.Errorf("its cookies went out: %q", r.Header["Set-Cookie"])
		}
		mustNotOpen(t, s, l, "a session that is carol's by now", jar)
	})
	t.Run("without a proof it ends", func(t *testing.T) {
		s, l := ledgerStart(t)
		c := s.client()
		c.pass(alice)
		jar := c.jarLine("/")
		wrong(t, s, c)
		mustNotOpen(t, s, l, "a session that nothing proves", jar)
	})
}
