package twofactor

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestACredentialCookieSetOutsideALoginIsWithheld(t *testing.T) {
	set := func(l *ledger, path string) {
		l.pages[path] = func(w http.ResponseWriter, a *arrival) bool {
			w.Header().Add("Set-Cookie", "remember=secret; Path=/; Max-Age=864000")
			w.Header().Add("Set-Cookie", "Remember_Me=secret; Path=/")
			w.Header().Add("Set-Cookie", "lang=de; Path=/")
			if user := a.field("become"); user != "" {
				l.mu.Lock()
				l.users[a.cookie("sid")] = user
				l.mu.Unlock()
			}
			return false
		}
	}
	t.Run("of a visitor", func(t *testing.T) {
		s, l := ledgerStart(t, "credential cookie remember*")
		set(l, "/open/welcome")
		r := s.client().get("/open/welcome")
		if len(r.setCookies("remember"))+len(r.setCookies("Remember_Me")) != 0 || len(r.setCookies("lang")) != 1 {
			t.Errorf("set: %q", r.Header["Set-Cookie"])
		}
		if !strings.Contains(s.logged(), "credential cookie was set outside a login") {
			t.Error("the log does not say so")
		}
	})
	t.Run("in a verified session without a proof", func(t *testing.T) {
		s, l := ledgerStart(t, "credential cookie remember*")
		set(l, "/renew")
		c := s.client()
		c.pass(alice)
		if r := c.get("/renew"); len(r.setCookies("remember")) != 1 {
			t.Errorf("set: %q", r.Header["Set-Cookie"])
		}
	})
	t.Run("in a verified session if a proof names its user, and only then", func(t *testing.T) {
		s, l := provedStart(t, "credential cookie remember*")
		set(l, "/renew")
		c := s.client()
		c.pass(alice)
		if r := c.get("/renew"); len(r.setCookies("remember")) != 1 {
			t.Errorf("alice's own: %q", r.Header["Set-Cookie"])
		}
		if r := c.get("/renew?become=" + carol); len(r.setCookies("remember")) != 0 {
			t.Errorf("another user's: %q", r.Header["Set-Cookie"])
		}
	})
	t.Run("a login that sets one is no no", func(t *testing.T) {
		s, l := ledgerStart(t, "credential cookie remember*")
		l.on("/login", func(w http.ResponseWriter, _ *arrival) {
			w.Header().Add("Set-Cookie", "remember=secret; Path=/")
			fmt.Fprint(w, "wrong, it says")
		})
		c := s.client()
		r := c.tryLogin(alice, "wrong")
		if len(r.Header["Set-Cookie"]) > 0 || strings.Contains(r.body, "wrong, it says") {
			t.Errorf("the answer went out: %d %q", r.StatusCode, r.Header["Set-Cookie"])
		}
	})
}

// An app in which another form logs in too: the operator has not declared it.
func undeclared(l *ledger, path string) {
	l.pages[path] = func(w http.ResponseWriter, a *arrival) bool {
		if user := a.field("as"); user != "" {
			l.mu.Lock()
			sid := l.start(user)
			l.mu.Unlock()
			w.Header().Add("Set-Cookie", "sid="+sid+"; Path=/")
		}
		return false
	}
}

func TestWhatAnotherMethodSetIsProvedBeforeTheNextProtectedRequest(t *testing.T) {
	for _, test := range []struct {
		name string
		as   string
		send func(c *client, as string) reply
		sent bool // the next protected request reaches the app
	}{
		{"by POST, still the same user", alice, func(c *client, as string) reply {
			return c.post("/switch", url.Values{"as": {as}})
		}, true},
		{"by POST, another user", carol, func(c *client, as string) reply {
			return c.post("/switch", url.Values{"as": {as}})
		}, false},
		{"by PUT, another user", carol, func(c *client, as string) reply {
			return c.do(http.MethodPut, "/switch?as="+as, nil, nil)
		}, false},
		{"by GET with a method override, another user", carol, func(c *client, as string) reply {
			return c.do(http.MethodGet, "/switch?as="+as, nil, http.Header{"X-Http-Method-Override": {"POST"}})
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, l := provedStart(t)
			undeclared(l, "/switch")
			c := s.client()
			c.pass(alice)
			test.send(c, test.as)
			l.reset()
			r := c.get("/contacts")
			asked, reached := 0, 0
			for _, a := range l.arrivals() {
				if a.path() == "/me" {
					asked++
				} else {
					reached++
				}
			}
			if asked != 1 || (reached == 1) != test.sent {
				t.Fatalf("asked the proof %d times, %d requests reached the app, answer %d", asked, reached, r.StatusCode)
			}
			if !test.sent {
				if strings.Contains(r.body, carol) {
					t.Errorf("carol's page: %s", r.body)
				}
				if r := c.get("/contacts"); r.location() != "/login" {
					t.Errorf("the session goes on: %d to %q", r.StatusCode, r.location())
				}
				return
			}
			l.reset()
			c.get("/contacts")
			if n := len(l.arrivals()); n != 1 {
				t.Errorf("the node does not remember what it proved: %d requests", n)
			}
		})
	}
}

func TestNewValuesInheritThatTheyAreToBeProved(t *testing.T) {
	s, l := provedStart(t)
	undeclared(l, "/switch")
	l.pages["/open/turn"] = func(w http.ResponseWriter, a *arrival) bool {
		// A public page, for which nothing is proved, gives the session a new
		// value.
		l.mu.Lock()
		sid := l.start(l.users[a.cookie("sid")])
		l.mu.Unlock()
		w.Header().Add("Set-Cookie", "sid="+sid+"; Path=/")
		return false
	}
	c := s.client()
	c.pass(alice)
	c.post("/switch", url.Values{"as": {carol}})
	c.get("/open/turn")
	l.reset()
	r := c.get("/contacts")
	if got := l.reached(); len(got) > 0 || strings.Contains(r.body, carol) {
		t.Errorf("carol's session was reached: %v, %d %s", got, r.StatusCode, r.body)
	}
}

func TestAnAnonymousLineIsProvedAnonymous(t *testing.T) {
	s, l := provedStart(t, "unverified anonymous")
	undeclared(l, "/open/switch")
	c := s.client()
	c.post("/open/switch", url.Values{"as": {""}})
	l.reset()
	if r := c.get("/contacts"); r.StatusCode != 200 {
		t.Errorf("an anonymous visitor: %d", r.StatusCode)
	}
	c.post("/open/switch", url.Values{"as": {carol}})
	jar := c.jarLine("/")
	l.reset()
	r := c.get("/contacts")
	if got := l.reached(); len(got) > 0 || strings.Contains(r.body, carol) {
		t.Errorf("a session that an undeclared login opened was reached: %v, %d %s", got, r.StatusCode, r.body)
	}
	mustNotOpen(t, s, l, "its line afterwards", jar)
}

// A login that changes the user while the proof is being asked for must not be
// overtaken by the request that waited for it.
func TestARequestThatWaitedForAProofIsJudgedAgain(t *testing.T) {
	s, l := provedStart(t)
	undeclared(l, "/switch")
	c := s.client()
	c.pass(bob)
	c.post("/switch", url.Values{"as": {bob}})
	jar := c.jarLine("/")
	finish := inflight(t, l, "/me", func() reply { return s.stranger().with("/contacts", jar) }, func(w http.ResponseWriter, _ *arrival) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"user":%q}`, bob) // as it was when it was asked
	})
	if r := c.tryLogin(alice, right); r.location() != "/.two-factor/challenge" {
		t.Fatalf("the login: %d to %q %s", r.StatusCode, r.location(), r.body)
	}
	l.reset()
	r := finish()
	for _, a := range l.arrivals() {
		if a.path() == "/contacts" {
			t.Errorf("the request reached the app with %q, the session of %s", a.Cookies, l.user(a))
		}
	}
	if r.StatusCode == 200 {
		t.Errorf("an answer went out: %s", r.body)
	}
}

func TestCredentialsOutsideALoginAreRemoved(t *testing.T) {
	s, l := ledgerStart(t, "credential field api_key token", "credential cookie remember")
	verified := s.client()
	verified.pass(alice)
	header := http.Header{"Authorization": {"Basic YTpi"}}
	for name, c := range map[string]*client{"verified": verified, "a visitor": s.client()} {
		for _, test := range []struct{ uri, want string }{
			{"/open/a?PHPSESSID=x&b=1", "/open/a?b=1"},
			{"/open/a?b=1&phpsessid=x;sid=y", "/open/a?b=1"},
			{"/open/a?%50HPSESSID=x", "/open/a"},
			{"/open/a?PHPSESSID%5B%5D=x&c", "/open/a?c"},
			{"/open/a?ASP.NET_SessionId=x&remember=y&api_key=z&api.key=z", "/open/a"},
			{"/open/a;jsessionid=x/b;v=1?q", "/open/a/b;v=1?q"},
			{"/open/a;JSESSIONID=x", "/open/a"},
			{"/open/(S(abc))/a", "/open/a"},
			{"/open/a%3Bjsessionid=x", "/open/a"},
			{"/open/a?side=1&xsid=2&b=%zz", "/open/a?side=1&xsid=2&b=%zz"},
		} {
			l.reset()
			c.do(http.MethodGet, test.uri, nil, header)
			a := l.last(t)
			if strings.TrimSuffix(a.URI, "?") != test.want {
				t.Errorf("%s: %s reached the app as %s, want %s", name, test.uri, a.URI, test.want)
			}
			if got := a.Header.Get("Authorization"); got != "" {
				t.Errorf("%s: Authorization reached the app: %s", name, got)
			}
		}
		l.reset()
		c.post("/open/a", url.Values{"api_key": {"x"}, "token": {"y"}, "a": {"b"}})
		if a := l.last(t); a.Body != "a=b" {
			t.Errorf("%s: the body reached the app as %q", name, a.Body)
		}
		l.reset()
		c.do(http.MethodGet, "/open/a", nil, http.Header{"Api_key": {"x"}, "Api-Key": {"z"}, "Token": {"y"}})
		if a := l.last(t); a.Header.Get("Token") != "" {
			t.Errorf("%s: a header field declared a credential reached the app: %v", name, a.Header)
		}
	}
}

// The fields of a login log in on any page; a second credential beside them
// must not be what opens that page.
func TestALoginByItsFieldsCarriesNoOtherCredential(t *testing.T) {
	s, l := ledgerStart(t, "credential field api_key")
	l.on("/export", func(w http.ResponseWriter, a *arrival) {
		if a.Header.Get("Authorization") == "" && a.field("api_key") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "all the contacts")
	})
	for name, path := range map[string]string{"Basic": "/export", "a key": "/export?api_key=1"} {
		l.reset()
		r := s.client().do(http.MethodPost, path, loginBody("x", "y"), http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Basic YWxpY2U6cmlnaHQ="}})
		if strings.Contains(r.body, "all the contacts") {
			t.Errorf("%s beside the fields of a login opened a protected page", name)
		}
		if a := l.last(t); a.Header.Get("Authorization") != "" || a.field("api_key") != "" {
			t.Errorf("%s reached the app: %v %s", name, a.Header, a.URI)
		}
	}
}

func TestInvariant11OwnCookiesNeverReachTheApp(t *testing.T) {
	s, l := ledgerStart(t, "readable two-factor-* __Host-* __Secure-* Two* TWO*")
	c := s.client()
	c.pass(alice)
	token := c.cookies("/")[ownCookie]
	for _, name := range []string{
		ownCookie, "__Host-" + ownCookie, "__Secure-" + ownCookie, "two-factor-other", "two-factor-",
		"Two-Factor-Default", "TWO-FACTOR-DEFAULT", "__Host-Two-Factor-default", "__Host-two-factor-default[x]", "two-factor-default.x",
	} {
		for _, own := range []string{"", ownCookie + "=" + token + "; "} {
			l.reset()
			s.stranger().with("/open/page", own+name+"="+token)
			if a := l.last(t); strings.Contains(strings.Join(a.Cookies, ";"), token) {
				t.Errorf("%s reached the app: %q", name, a.Cookies)
			}
		}
	}
	// An app cannot set one either.
	l.pages["/open/fix"] = func(w http.ResponseWriter, _ *arrival) bool {
		w.Header().Add("Set-Cookie", ownCookie+"=fixed; Path=/")
		w.Header().Add("Set-Cookie", "__Host-"+ownCookie+"=fixed; Path=/; Secure")
		w.Header().Add("Set-Cookie", ownCookie+"=; Path=/; Max-Age=0")
		return false
	}
	for _, line := range s.client().get("/open/fix").Header["Set-Cookie"] {
		if strings.Contains(line, ownCookie) {
			t.Errorf("the app set our cookie: %s", line)
		}
	}
}

func TestRule23MisleadingHeadersChangeNothing(t *testing.T) {
	s, l := ledgerStart(t)
	misleading := http.Header{
		"X-Original-Url": {"/export"}, "X-Rewrite-Url": {"/export"}, "X-Original-Uri": {"/export"},
		"X-Http-Method-Override": {"POST"}, "X-Http-Method": {"POST"}, "X-Method-Override": {"POST"},
		"X-Forwarded-Uri": {"/export"}, "X-Forwarded-Path": {"/export"},
	}
	c := s.client()
	if r := c.do(http.MethodGet, "/export", nil, http.Header{"X-Original-Url": {"/assets/a.css"}, "X-Rewrite-Url": {"/login"}, "X-Forwarded-Uri": {"/open/"}}); r.location() != "/login" {
		t.Errorf("a protected address that calls itself public: %d to %q", r.StatusCode, r.location())
	}
	l.reset()
	c.do(http.MethodGet, "/open/page", nil, misleading)
	a := l.last(t)
	for name := range misleading {
		if got := a.Header.Get(name); got != "" {
			t.Errorf("%s: %s reached the app", name, got)
		}
	}
	c.pass(alice)
	l.reset()
	c.do(http.MethodGet, "/page", nil, misleading)
	a = l.last(t)
	for _, name := range []string{"X-Original-Url", "X-Rewrite-Url"} {
		if got := a.Header.Get(name); got != "" {
			t.Errorf("in a verified session, %s: %s reached the app", name, got)
		}
	}
	if a.Header.Get("X-Http-Method-Override") != "POST" {
		t.Error("a verified session may override the method: its app may need it")
	}
}

func TestRule27TheConnectionFieldTakesNothingOffThatTheGatewayHasSet(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.pass(alice)
	l.reset()
	s.raw("GET /contacts HTTP/1.1\nHost: {host}\nConnection: close, Cookie, X-Other\nX-Other: 1\nCookie: " + c.jarLine("/"))
	if a := l.last(t); l.user(a) != alice {
		t.Errorf("Connection: Cookie took the session off: %q", a.Cookies)
	}
	l.reset()
	body := "email=alice%40example.com&password=right"
	r := s.raw(fmt.Sprintf("POST /login HTTP/1.1\nHost: {host}\nConnection: Content-Type, Accept-Encoding, Cookie\nContent-Type: application/x-www-form-urlencoded\nContent-Length: %d\n\n%s", len(body), body))
	if a := l.last(t); a.Header.Get("Content-Type") == "" || a.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("the login reached the app without %v; answer %d", a.Header, r.StatusCode)
	}
}

func TestTRACEAndCONNECTAreRefused(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.pass(alice)
	l.reset()
	for _, method := range []string{"TRACE", "TRACK", "CONNECT"} {
		target := "/open/page"
		if method == "CONNECT" {
			target = "{host}"
		}
		for _, cookies := range []string{"", "\nCookie: " + c.jarLine("/")} {
			r := s.raw(method + " " + target + " HTTP/1.1\nHost: {host}\nConnection: close" + cookies)
			if r.StatusCode != http.StatusMethodNotAllowed || strings.Contains(r.body, "session-") {
				t.Errorf("%s: %d %s", method, r.StatusCode, r.body)
			}
		}
	}
	if seen := l.arrivals(); len(seen) > 0 {
		t.Errorf("%s %s reached the app", seen[0].Method, seen[0].URI)
	}
}

func TestACookieInARequestTrailerDoesNotReachTheApp(t *testing.T) {
	s, l := ledgerStart(t)
	trailers := make(chan http.Header, 4)
	l.on("/open/upload", func(w http.ResponseWriter, a *arrival) { trailers <- a.Trailer })
	s.raw("POST /open/upload HTTP/1.1\nHost: {host}\nConnection: close\nTransfer-Encoding: chunked\nTrailer: Cookie, Authorization, X-Sum\n\n3\nabc\n0\nCookie: sid=" + l.session(alice) + "\nAuthorization: Basic eA==\nX-Sum: 1")
	got := <-trailers
	if got.Get("Cookie") != "" || got.Get("Authorization") != "" || got.Get("X-Sum") != "1" {
		t.Errorf("the app got the trailers %v", got)
	}
}

func TestInvariant05TheFirstOwnCookieComesWithTheFirstRightPassword(t *testing.T) {
	s, _ := ledgerStart(t)
	c := s.client()
	for name, r := range map[string]reply{
		"a page":           c.get("/open/page"),
		"a protected page": c.get("/contacts"),
		"the login page":   c.get("/login"),
		"a wrong password": c.tryLogin(alice, "wrong"),
		"an unknown user":  c.tryLogin("nobody@example.com", "wrong"),
		"an own page":      c.get("/.two-factor/challenge"),
		"a logout":         c.get("/logout"),
	} {
		for _, line := range r.Header["Set-Cookie"] {
			if strings.Contains(line, "two-factor") {
				t.Errorf("%s sets our cookie: %s", name, line)
			}
		}
	}
	r := c.tryLogin(alice, right)
	pending := r.setCookies(ownCookie)
	if len(pending) != 1 || len(pending[0]) < 43 {
		t.Fatalf("the right password sets %q", r.Header["Set-Cookie"])
	}
	if len(r.Header["Set-Cookie"]) != 1 {
		t.Errorf("and more than that: %q", r.Header["Set-Cookie"])
	}
	for _, line := range r.Header["Set-Cookie"] {
		if !strings.Contains(line, "HttpOnly") || !strings.Contains(line, "SameSite=Lax") || !strings.Contains(line, "Path=/") || strings.Contains(line, "Domain") {
			t.Errorf("rule 19: %s", line)
		}
	}
	r = c.enter(s.code(alice))
	if verified := r.setCookies(ownCookie); len(verified) != 1 || verified[0] == pending[0] {
		t.Errorf("rule 19: the token did not change with the right code: %q", verified)
	}
	if r := s.stranger().with("/contacts", ownCookie+"="+pending[0]+"; sid="+c.cookies("/")["sid"]); r.StatusCode == 200 {
		t.Error("the pending token opens the verified session")
	}
}
