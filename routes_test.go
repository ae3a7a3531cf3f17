package twofactor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestInvariant06AnUnverifiedRequestToAProtectedRouteIsNotSent(t *testing.T) {
	s, l := ledgerStart(t)
	visitor := s.client()
	visitor.get("/login")
	l.reset()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "QUERY"} {
		if r := visitor.do(method, "/contacts?x=1", nil, nil); r.StatusCode != http.StatusSeeOther || r.location() != "/login" {
			t.Errorf("%s by a person: %d to %q", method, r.StatusCode, r.location())
		}
		r := visitor.do(method, "/contacts", nil, script)
		if r.StatusCode != http.StatusUnauthorized || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s by a script: %d %s", method, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	for _, a := range l.arrivals() {
		t.Errorf("%s %s reached the app", a.Method, a.URI)
	}
}

func TestInvariant06WithUnverifiedAnonymousARequestGoesOnAsAVisitors(t *testing.T) {
	s, l := ledgerStart(t, "unverified anonymous")
	c := s.client()
	c.get("/login")
	for _, test := range []struct {
		why, method, body string
		header            http.Header
		sent              bool
	}{
		{"GET", http.MethodGet, "", nil, true},
		{"HEAD", http.MethodHead, "", nil, true},
		{"POST", http.MethodPost, "", nil, false},
		{"OPTIONS", http.MethodOptions, "", nil, false},
		{"GET with a body", http.MethodGet, "a=b", nil, false},
		{"a WebSocket", http.MethodGet, "", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, false},
	} {
		l.reset()
		r := c.do(test.method, "/contacts", strings.NewReader(test.body), test.header)
		seen := l.arrivals()
		if (len(seen) == 1) != test.sent {
			t.Errorf("%s: %d requests reached the app, answer %d", test.why, len(seen), r.StatusCode)
		}
		if test.sent && len(seen) == 1 && (len(seen[0].Cookies) != 1 || l.user(seen[0]) != "") {
			t.Errorf("%s: with %q", test.why, seen[0].Cookies)
		}
	}
	l.reset()
	c.do(http.MethodGet, "/contacts", nil, http.Header{"X-Http-Method-Override": {"DELETE"}, "Authorization": {"Basic eDp5"}})
	if a := l.last(t); a.Header.Get("X-Http-Method-Override") != "" || a.Header.Get("Authorization") != "" {
		t.Errorf("with %v", a.Header)
	}
	mustNotOpen(t, s, l, "a raw session", "sid="+l.session(alice))
}

func TestRule22APendingSessionOpensNothing(t *testing.T) {
	for _, mode := range []string{"unverified login_page", "unverified anonymous"} {
		t.Run(mode, func(t *testing.T) {
			s, l := ledgerStart(t, mode, "block /xmlrpc.php")
			c := s.client()
			c.get("/login")
			if r := c.tryLogin(alice, right); r.location() != "/.two-factor/challenge" {
				t.Fatalf("%d", r.StatusCode)
			}
			jar := c.jarLine("/")
			l.reset()
			probe := s.stranger()
			for _, path := range []string{
				"/", "/contacts", "/contacts/", "/contacts.", "/contacts;x=1", "//contacts", "/CONTACTS", "/%63ontacts",
				"/assets/a.css", "/assets/", "/open/page", "/login", "/login/", "/login?x=1", "/favicon.ico", "/.well-known/security.txt",
				"/.two-factor", "/.two-factor/nothing", "/xmlrpc.php",
			} {
				for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "PROPFIND"} {
					for _, h := range []http.Header{nil, script, {"X-Http-Method-Override": {"GET"}}, {"Range": {"bytes=0-10"}}} {
						header := http.Header{"Cookie": {jar}}
						for name, values := range h {
							header[name] = values
						}
						r := probe.do(method, path, nil, header)
						if r.StatusCode == 200 || strings.Contains(r.body, "the page") {
							t.Errorf("%s %s %v: %d %s", method, path, h, r.StatusCode, r.body)
						}
					}
				}
			}
			for _, upgrade := range []string{
				"Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13",
				"Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
				"Connection: close\nExpect: 100-continue",
			} {
				for _, path := range []string{"/contacts", "/open/page", "/assets/a.css"} {
					if r := s.raw("GET " + path + " HTTP/1.1\nHost: {host}\n" + upgrade + "\nCookie: " + jar); r.StatusCode < 300 {
						t.Errorf("%s with %q: %d", path, upgrade, r.StatusCode)
					}
				}
			}
			for _, a := range l.arrivals() {
				t.Errorf("%s %s reached the app with %q", a.Method, a.URI, a.Cookies)
			}
			// It is the same by another name of the same machine.
			for _, host := range []string{"localhost.", "LOCALHOST", "127.0.0.1"} {
				r := probe.do(http.MethodGet, "/contacts", nil, http.Header{"Cookie": {jar}, "X-Forwarded-Host": {host}})
				if r.StatusCode == 200 {
					t.Errorf("by %s: %d", host, r.StatusCode)
				}
			}
			if r := c.enter(s.code(alice)); r.location() != "/dashboard" {
				t.Errorf("the challenge after all of it: %d to %q", r.StatusCode, r.location())
			}
		})
	}
}

// tunnelApp switches to whatever protocol it is asked for, and counts it.
func tunnelApp(t *testing.T) (addr string, asked func() []string) {
	t.Helper()
	u, addr := serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		if a.path() == "/login" && a.field("password") == right {
			w.Header().Set("Location", "/dashboard")
			w.WriteHeader(http.StatusFound)
			return
		}
		if a.Header.Get("Upgrade") == "" {
			fmt.Fprint(w, "a page")
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", a.Header.Get("Upgrade"))
		w.Header().Add("Set-Cookie", "sid=switched; Path=/")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	return addr, func() (protocols []string) {
		for _, a := range u.arrivals() {
			if p := a.Header.Get("Upgrade"); p != "" {
				protocols = append(protocols, p)
			}
		}
		u.reset()
		return protocols
	}
}

func TestATunnelNeedsAVerifiedSessionAndIsAWebSocket(t *testing.T) {
	addr, asked := tunnelApp(t)
	s := startSite(t, ledgerConfig(), addr)
	c := s.client()
	c.pass(alice)
	upgrade := func(path, protocol, cookies string) reply {
		return s.raw("GET " + path + " HTTP/1.1\nHost: {host}\nConnection: Upgrade, HTTP2-Settings\nUpgrade: " + protocol +
			"\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\nCookie: " + cookies)
	}
	for _, path := range []string{"/open/page", "/assets/a.css", "/login", "/contacts"} {
		for _, protocol := range []string{"websocket", "WebSocket", "h2c", "foo", "websocket, h2c"} {
			if r := upgrade(path, protocol, "x=1"); r.StatusCode == http.StatusSwitchingProtocols {
				t.Errorf("a visitor got a tunnel by %s at %s", protocol, path)
			}
		}
	}
	if got := asked(); len(got) > 0 {
		t.Errorf("the app was asked for %q by a visitor", got)
	}
	for _, protocol := range []string{"h2c", "foo", "websocket, h2c", "TLS/1.2"} {
		if r := upgrade("/contacts", protocol, c.jarLine("/")); r.StatusCode == http.StatusSwitchingProtocols {
			t.Errorf("a verified session got a tunnel by %s", protocol)
		}
	}
	if got := asked(); len(got) > 0 {
		t.Errorf("the app was asked for %q", got)
	}
	r := upgrade("/contacts", "WebSocket", c.jarLine("/"))
	if r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("a verified session's WebSocket: %d %s", r.StatusCode, r.body)
	}
	if got := r.setCookies("sid"); len(got) != 1 || got[0] == "switched" {
		t.Errorf("the cookie of the 101: %q", r.Header["Set-Cookie"])
	}
	// A login cannot become a tunnel either.
	body := "email=alice%40example.com&password=" + right
	r = s.raw(fmt.Sprintf("POST /login HTTP/1.1\nHost: {host}\nConnection: Upgrade\nUpgrade: websocket\nContent-Type: application/x-www-form-urlencoded\nContent-Length: %d\nCookie: %s\n\n%s", len(body), c.jarLine("/"), body))
	if r.StatusCode == http.StatusSwitchingProtocols {
		t.Error("a login became a tunnel")
	}
}

func TestInformationalAnswersStayHereOnGatedRoutes(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.Header().Add("Set-Cookie", "sid=early; Path=/")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Set-Cookie")
		if r.URL.Path == "/login" && r.Method == http.MethodPost {
			w.Header().Set("Location", "/dashboard")
			w.WriteHeader(http.StatusFound)
			return
		}
		fmt.Fprint(w, "a page")
	}))
	defer srv.Close()
	s := startSite(t, ledgerConfig("unverified anonymous"), srv.Listener.Addr().String())
	// The first answer that comes, informational or not.
	first := func(method, path, body, more string) reply {
		return s.raw(fmt.Sprintf("%s %s HTTP/1.1\nHost: {host}\nConnection: close\nContent-Type: application/x-www-form-urlencoded\nContent-Length: %d%s\n\n%s", method, path, len(body), more, body))
	}
	if r := first("GET", "/open/page", "", ""); r.StatusCode != 103 || len(r.Header["Set-Cookie"]) > 0 || r.Header.Get("Link") == "" {
		t.Errorf("a public page: %d %v", r.StatusCode, r.Header)
	}
	if r := first("GET", "/contacts", "", ""); r.StatusCode != 200 {
		t.Errorf("a protected page: %d", r.StatusCode)
	}
	c := s.client()
	c.pass(alice)
	if r := first("GET", "/contacts", "", "\nCookie: "+c.jarLine("/")); r.StatusCode != 200 {
		t.Errorf("a protected page in a verified session: %d", r.StatusCode)
	}
	if r := first("POST", "/login", "email=alice%40example.com&password=right", ""); r.StatusCode != 401 {
		t.Errorf("a login: %d", r.StatusCode)
	}
}

func TestBlockClosesARouteForEverybodyInAnyReading(t *testing.T) {
	s, l := ledgerStart(t, "block /xmlrpc.php", "block /api/login*", "public /xmlrpc.php")
	c := s.client()
	c.pass(alice)
	l.reset()
	for _, who := range []*client{c, s.client()} {
		for _, path := range []string{"/xmlrpc.php", "/xmlrpc.php/", "/XMLRPC.php", "/%78mlrpc.php", "//xmlrpc.php", "/xmlrpc.php;x", "/xmlrpc.php.", "/xmlrpc.php?PHPSESSID=1", "/api/login", "/api%2flogin", "/api/login/x", "/xmlrpc.php%20"} {
			if r := who.do(http.MethodPost, path, nil, nil); r.StatusCode != http.StatusForbidden && r.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d", path, r.StatusCode)
			}
		}
	}
	for _, a := range l.arrivals() {
		t.Errorf("%s reached the app", a.URI)
	}
}

func TestRule23NoSpellingOpensWhatAnotherCloses(t *testing.T) {
	l, upstream := newLedger(t)
	config := strings.Replace(ledgerConfig(), "protect *", "protect /export\n\t\tprotect /export/*\n\t\tprotect /private/*\n\t\tpublic /private/logo.png", 1)
	s := startSite(t, config, upstream)
	probe := func(target string) (reply, int) {
		l.reset()
		r := s.raw("GET " + target + " HTTP/1.1\nHost: {host}\nConnection: close")
		return r, len(l.arrivals())
	}
	for _, target := range []string{
		"/export", "/export/", "//export", "/Export", "/%65xport", "/expor%74", "/export;x=1", "/export;", "/export.", "/export%20",
		"/export/.x", "/export%2fx", "/export%2Fx", "/export/x;y", "/export;x/y", "/a;b/../export", "/./export", "/%2e/export", "/x/../export",
		"/x/%2e%2e/export", "/x/..%2fexport", "/x%2f..%2fexport", "/..;/export", "/x/..;a=b/export", "/%252e%252e/export", "/x/%252e%252e/export/%25zz",
		"/export%00", "/export%5c", "/%5cexport", "/\\export", "/export#a", "/export%3bx", "/%2565xport", "/%2565xport%25zz/../..", "/export//", "/export/;jsessionid=1",
		"/export?x#y", "/private/logo.png/../x", "/private/logo.png/..;/x", "/private/x;/../logo.png", "/private//logo.png/x", "/private/x?/private/logo.png",
		"/private/x%3f/../logo.png", "/x/%c0%ae%c0%ae/export", "/x/%c0%ae%c0%ae%c0%afexport", "/%2565xport/%25zz",
		"/private/logo.png;x", "/private/logo.png;x/y", "/private/logo.png%3bx", "/private/logo.png%2f",
	} {
		if r, n := probe(target); n > 0 {
			t.Errorf("%s reached the app, answer %d", target, r.StatusCode)
		}
	}
	// What serves only to make two parties read two paths is refused anywhere.
	for _, target := range []string{
		"/open/../x", "/open/%2e%2e/x", "/open/%252e%252e/x", "/open/%252e%252e/%25zz", "/open/%25252e./x", "/open/./x", "/open/..;a/x",
		"/open/%c0%ae%c0%ae/x", "/open/..%c0%afx", "/open/a%5cb", "/open/a%255cb", "/open/%c1%9cx", "/open/%00", "/open/%2500", "/open/%c0%80", "/open/a#b", "/open\\x",
	} {
		if r, n := probe(target); n > 0 || r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d requests reached the app, answer %d", target, n, r.StatusCode)
		}
	}
	for _, target := range []string{"/", "/exports", "/private/logo.png", "/open/a%20b", "/caf%C3%A9", "/%E0%20x", "/a;b=c/d", "/100%25", "/.well-known/x", "/a..b", "/x/...", "/open/%25zz"} {
		if r, n := probe(target); n != 1 || r.StatusCode != 200 {
			t.Errorf("%s: %d requests reached the app, answer %d", target, n, r.StatusCode)
		} else if got := l.last(t).URI; got != target {
			t.Errorf("%s reached the app as %s", target, got)
		}
	}
}

func TestAllowPathLetsOddSpellingsThroughAndNowhereElse(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, strings.Replace(ledgerConfig(), "protect *", "protect /export\n\t\tallow_path /files/*", 1), upstream)
	for target, want := range map[string]int{
		"/files/a%5cb": 200, "/files/a%5c..%5cb": 200, "/files/a/../b": 200, "/files/a%00": 200, "/files/%252e/a": 200, "/files/%c0%ae/a": 200, "/files/a#b": 200,
		"/files/..%5cexport": 400, "/files/%2e%2e/export": 400, "/files/../export": 400, "/export%00/../files/a": 400, "/files%5c..%5cexport": 400,
		"/files/..%5cother": 400, "/other/a%5cb": 400, "/files/..%255cother": 400, "/a%00/../files/b": 400,
	} {
		l.reset()
		r := s.raw("GET " + target + " HTTP/1.1\nHost: {host}\nConnection: close")
		if sent := len(l.arrivals()) == 1; r.StatusCode != want || sent != (want == 200) {
			t.Errorf("%s: %d, and it reached the app: %v", target, r.StatusCode, sent)
		} else if sent && l.last(t).URI != strings.ReplaceAll(target, "#", "%23") {
			t.Errorf("%s reached the app as %s", target, l.last(t).URI)
		}
	}
}

func TestLoginPageIsPublicForExactlyItsPath(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	for _, path := range []string{"/login/x", "/login;x", "/Login", "/login/", "/%6cogin", "//login"} {
		l.reset()
		if r := c.get(path); len(l.arrivals()) > 0 {
			t.Errorf("%s reached the app, answer %d", path, r.StatusCode)
		}
	}
	for _, path := range []string{"/login", "/login?next=/x"} {
		if r := c.get(path); r.StatusCode != 200 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestALogoutOfAPendingSessionIsOurs(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.get("/login")
	line := c.jarLine("/")
	c.tryLogin(alice, right)
	pending := c.jarLine("/")
	l.reset()
	r := c.get("/logout")
	if r.StatusCode != http.StatusSeeOther || r.location() != "/login" || len(l.arrivals()) != 0 {
		t.Errorf("%d to %q, %d requests reached the app", r.StatusCode, r.location(), len(l.arrivals()))
	}
	if r := s.stranger().with("/.two-factor/challenge", pending); strings.Contains(r.body, codeField) {
		t.Error("the challenge is still open")
	}
	mustNotOpen(t, s, l, "the values after the logout", line)
	mustNotOpen(t, s, l, "with the own cookie", pending)
	c.get("/login")
	if r := c.tryLogin(carol, right); r.location() != "/.two-factor/challenge" {
		t.Errorf("the next login: %d to %q", r.StatusCode, r.location())
	}
}

func TestALogoutOfAVerifiedSessionIsForwardedAndEndsItAtItsAnswer(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.pass(alice)
	jar := c.jarLine("/")
	l.pages["/logout"] = func(w http.ResponseWriter, _ *arrival) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	c.post("/logout", url.Values{})
	if r := c.get("/contacts"); r.StatusCode != 200 {
		t.Errorf("a logout that the app refused: %d to %q", r.StatusCode, r.location())
	}
	l.pages["/logout"] = func(w http.ResponseWriter, a *arrival) bool {
		w.Header().Add("Set-Cookie", "sid="+l.session("")+"; Path=/")
		w.Header().Add("Set-Cookie", "remember=; Path=/; Max-Age=0")
		return false
	}
	l.reset()
	r := c.get("/logout")
	if a := l.last(t); a.path() != "/logout" || a.cookie("sid") == "" || r.location() != "/login" {
		t.Errorf("%s with %q, answer %d to %q", a.URI, a.Cookies, r.StatusCode, r.location())
	}
	if len(r.setCookies("sid")) > 0 || len(r.setCookies("remember")) != 1 {
		t.Errorf("the answer sets %q", r.Header["Set-Cookie"])
	}
	mustNotOpen(t, s, l, "the session after the logout", jar)
}

func TestALoginPageThatLeadsInsideEndsTheLineAndDoesNotLoop(t *testing.T) {
	s, l := ledgerStart(t)
	l.pages["/open/magic"] = func(w http.ResponseWriter, a *arrival) bool {
		l.mu.Lock()
		l.users[a.cookie("sid")] = alice
		l.mu.Unlock()
		return false
	}
	loggedIn := func(w http.ResponseWriter, a *arrival) bool {
		if l.user(a) == "" {
			return false
		}
		w.Header().Set("Location", "/dashboard")
		w.Header().Add("Set-Cookie", "sid="+a.cookie("sid")+"; Path=/")
		w.WriteHeader(http.StatusFound)
		return true
	}
	l.pages["/login"] = loggedIn
	c := s.client()
	c.get("/open/page")
	c.get("/open/magic")
	line := c.jarLine("/")
	r := c.get("/login")
	if r.StatusCode != http.StatusSeeOther || r.location() != "/login" {
		t.Errorf("the first time: %d to %q", r.StatusCode, r.location())
	}
	if c.cookies("/")["sid"] != "" {
		t.Error("the line's cookie was not deleted")
	}
	if r = c.get("/login"); r.StatusCode != 200 || !strings.Contains(r.body, "the page /login") {
		t.Errorf("the second time: %d to %q", r.StatusCode, r.location())
	}
	mustNotOpen(t, s, l, "the line that an undeclared login opened", line)
	if !strings.Contains(s.logged(), "a login that is not declared has opened a session") {
		t.Error("the log does not name it")
	}
	// Where it leads inside whatever comes, it ends in a page.
	l.on("/login", func(w http.ResponseWriter, _ *arrival) {
		w.Header().Set("Location", "/dashboard")
		w.Header().Add("Set-Cookie", "sid=leaked; Path=/")
		w.WriteHeader(http.StatusFound)
	})
	for range 2 {
		r = c.get("/login")
	}
	if r.StatusCode < 400 || r.location() != "" || len(r.body) < 200 || len(r.Header["Set-Cookie"]) > 0 {
		t.Errorf("%d to %q, sets %q", r.StatusCode, r.location(), r.Header["Set-Cookie"])
	}
}

// A static file of the app that only the gateway protects: two made-up fields
// make a login of any request, and the app answers it with the file.
func TestInvariant06TheFieldsOfALoginDoNotOpenAProtectedAddress(t *testing.T) {
	s, l := ledgerStart(t)
	l.on("/report.pdf", func(w http.ResponseWriter, _ *arrival) {
		w.Header().Add("Set-Cookie", "seen=1; Path=/")
		fmt.Fprint(w, "all the figures")
	})
	visitor, pending := s.client(), s.client()
	pending.get("/login")
	pending.tryLogin(alice, right)
	fields := url.Values{"email": {"x"}, "password": {"y"}}
	for name, c := range map[string]*client{"a visitor": visitor, "a pending session": pending} {
		for how, r := range map[string]reply{
			"GET":  c.get("/report.pdf?" + fields.Encode()),
			"HEAD": c.do(http.MethodHead, "/report.pdf?"+fields.Encode(), nil, nil),
			"POST": c.post("/report.pdf", fields),
		} {
			if r.StatusCode != http.StatusSeeOther || strings.Contains(r.body, "figures") {
				t.Errorf("%s by %s: %d to %q %s", name, how, r.StatusCode, r.location(), r.body)
			}
		}
		if r := c.do(http.MethodGet, "/report.pdf?"+fields.Encode(), nil, script); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s by a script: %d %s", name, r.StatusCode, r.body)
		}
	}
	if r := visitor.post("/open/form", fields); r.StatusCode != 200 || !strings.Contains(r.body, "the page") {
		t.Errorf("at a public address the app's no goes on: %d", r.StatusCode)
	}
	if r := pending.enter(s.code(alice)); r.location() != "/dashboard" {
		t.Errorf("the challenge after it: %d to %q", r.StatusCode, r.location())
	}
}

// Many forms post to another address than that of their page, which protect *
// covers: what the app says of a wrong password there is for the person to
// read.
func TestAWrongPasswordPassesAsTheAppShowsItWhereTheFormPostsElsewhere(t *testing.T) {
	s, l := ledgerStart(t)
	const again = `<p>Wrong password.</p><form method="post"><input name="email"><input type="password" name="password"></form>`
	for path, answer := range map[string]struct {
		status int
		body   string
		passes bool
	}{
		"/session":      {200, again, true},
		"/session/page": {200, "<p>Wrong password, or the page of this address.</p>", false},
		"/session/echo": {200, `<p>&lt;input name="password"&gt;</p>`, false},
	} {
		l.on(path, func(w http.ResponseWriter, _ *arrival) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(answer.status)
			fmt.Fprint(w, answer.body)
		})
		r := s.client().post(path, url.Values{"email": {alice}, "password": {"wrong"}})
		if passes := r.StatusCode == answer.status && r.body == answer.body; passes != answer.passes {
			t.Errorf("%s: %d to %q\n%s", path, r.StatusCode, r.location(), r.body)
		}
	}
}

// The likeliest mistake of an operator: the form's field has another name.
func TestAFormThatNoLoginTellsIsNamedInTheLogWithoutItsValues(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.start(siteOf("http://localhost:{$PORT}", "login_page /login"), upstream)
	c := s.client()
	for range 3 {
		if r := c.post("/session", url.Values{"e-mail": {alice}, "password": {alicePassword}}); r.location() != "/login" {
			t.Errorf("%d to %q, want the login page", r.StatusCode, r.location())
		}
	}
	log := s.logged()
	if n := strings.Count(log, "no login tells it"); n != 1 {
		t.Errorf("the log says so %d times, want once in ten seconds", n)
	}
	if !strings.Contains(log, `"fields":["e-mail","password"]`) || strings.Contains(log, alicePassword) {
		t.Errorf("the log does not name the fields alone:\n%s", log)
	}
}

func TestALoginPageThatIsNoneIsNamedWithWhereItLeads(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.start(siteOf("http://localhost:{$PORT}", "login_page /dashboard"), upstream)
	s.client().get("/dashboard")
	log := s.logged()
	if !strings.Contains(log, "login_page is not the page with the login form") || !strings.Contains(log, `"leads_to":"/login"`) {
		t.Errorf("the log does not say where the page leads:\n%s", log)
	}
	if !strings.Contains(log, `"logger":"http.handlers.two_factor"`) || !strings.Contains(log, `"instance":"default"`) {
		t.Errorf("the log names neither the handler nor the instance:\n%s", log)
	}
}
