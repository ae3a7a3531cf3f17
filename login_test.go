package twofactor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// oneLogin is a site whose login is told by its fields, with the given lines in
// its block and more lines of two_factor after it.
func oneLogin(block string, more ...string) string {
	return siteWith("login fields email password {\n"+block+"\n}\n"+strings.Join(more, "\n"), "reverse_proxy {$UPSTREAM}")
}

// siteWith is a site with these lines in two_factor, and after it.
func siteWith(lines, after string) string {
	return "http://localhost:{$PORT} {\n\ttwo_factor {\n" + lines + "\n\t\tlogin_page /login\n\t\tpublic /assets/*\n\t\tprotect *\n\t}\n\t" + after + "\n}\n"
}

// filled is a filled-in login form.
func filled(user, password string) url.Values {
	return url.Values{"email": {user}, "password": {password}}
}

var urlencoded = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}

func withHeaders(h http.Header, more http.Header) http.Header {
	all := h.Clone()
	for name, values := range more {
		all[name] = values
	}
	return all
}

// twoFactorLog returns what the gateway itself has logged.
func (s *site) twoFactorLog() string {
	s.t.Helper()
	var lines []string
	for line := range strings.SplitSeq(s.logged(), "\n") {
		if strings.Contains(line, `"logger":"http.handlers.two_factor`) || strings.Contains(line, `"logger":"two_factor`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestYesAndNoAreToldByEverySign(t *testing.T) {
	redirectTo := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	says := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	sets := func(line string, then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Set-Cookie", line)
			then(w, r)
		}
	}
	header := func(name, value string, then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, value)
			then(w, r)
		}
	}
	const yes, no, neither = "yes", "no", "neither"
	tests := []struct {
		name, block string
		answer      http.HandlerFunc
		want        string
	}{
		{"a status is yes", "yes status 302\nno status 200", status(302), yes},
		{"a status is no", "yes status 302\nno status 200", status(200), no},
		{"no status of the two", "yes status 302\nno status 200", status(500), neither},
		{"a class of status is yes", "yes status 2xx\nno status 4xx", status(204), yes},
		{"a class of status is no", "yes status 2xx\nno status 4xx", status(422), no},
		{"a header is yes", "yes header X-User\nno status 200", header("X-User", "1", status(200)), neither},
		{"a header is yes where no is another", "yes header X-User\nno header X-Failed", header("X-User", "1", status(200)), yes},
		{"a header that fits is no", "yes header X-User\nno header X-Login fail*", header("X-Login", "failed", status(200)), no},
		{"a header that does not fit", "yes header X-User\nno header X-Login fail*", header("X-Login", "ok", status(200)), neither},
		{"a redirect is yes", "yes redirect /home*\nno redirect /login", redirectTo("/home/1?x=2"), yes},
		{"a redirect is no", "yes redirect /home*\nno redirect /login", redirectTo("/login?error=1"), no},
		{"a redirect to another site", "yes redirect /home*\nno redirect /login", redirectTo("https://evil.example.com/home"), neither},
		{"a redirect to a relative address", "yes redirect /home*\nno redirect /login", redirectTo("home"), yes},
		{"a cookie is yes", "yes cookie app\nno status 200", sets("app=1", status(302)), yes},
		{"a cookie that is deleted", "yes cookie app\nno status 200", sets("app=1; Max-Age=0", status(302)), neither},
		{"a cookie by the beginning of its name", "yes cookie app_*\nno status 200", sets("app_1=1", status(302)), yes},
		{"a JSON value is yes", "yes json ok true\nno json ok false", says(`{"ok":true}`), yes},
		{"a JSON value is no", "yes json ok true\nno json ok false", says(`{"ok":false}`), no},
		{"a JSON value further in", "yes json data.0.token\nno json error", says(`{"data":[{"token":"t"}]}`), yes},
		{"a JSON body that is none", "yes json ok true\nno json ok false", says(`ok`), neither},
		{"a text is yes", "yes text Welcome\nno text Wrong", says("<h1>Welcome</h1>"), yes},
		{"a text is no", "yes text Welcome\nno text Wrong", says("<h1>Wrong</h1>"), no},
		{"both texts", "yes text Welcome\nno text Wrong", says("<h1>Welcome</h1> Wrong"), neither},
		{"both by headers", "yes status 200\nno header X-Login", header("X-Login", "1", status(200)), neither},
		{"signs of one line are all needed", "yes status 200 text Welcome\nno status 401", says("<h1>Wrong</h1>"), neither},
		{"signs of one line, all seen", "yes status 200 text Welcome\nno status 401", says("<h1>Welcome</h1>"), yes},
		{"one of two lines", "yes redirect /a\nyes redirect /b\nno status 401", redirectTo("/b"), yes},
		{"one of two lines of no", "yes redirect /a\nno status 401\nno text Wrong", says("Wrong"), no},
		{"307 is never a yes", "yes redirect /home\nno status 200", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/home")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, neither},
		{"308 is never a yes", "yes status 3xx\nno status 200", status(308), neither},
		{"307 may be a no", "yes status 302\nno status 307", status(307), no},
		{"what sets a credential is never a no", "yes status 302\nno status 200", sets("token=1", status(200)), neither},
		{"what deletes a credential may be a no", "yes status 302\nno status 200", sets("token=; Max-Age=0", status(200)), no},
		{"what sets a credential may be a yes", "yes status 302\nno status 200", sets("token=1", status(302)), yes},
		{"a body in a coding hides its signs", "yes text Welcome\nno status 401", header("Content-Encoding", "gzip", says("Welcome")), neither},
		{"a body in a coding is no no either", "yes text Welcome\nno status 200", header("Content-Encoding", "br", says("Wrong")), neither},
		{"a body in no coding", "yes text Welcome\nno status 401", header("Content-Encoding", "identity", says("Welcome")), yes},
		{"a yes by headers that the body contradicts", "yes status 200\nno text Wrong", says("Wrong"), neither},
		{"another protocol", "yes status 2xx\nno header Nothing", status(101), neither},
	}
	var lines strings.Builder
	answers := map[string]http.HandlerFunc{}
	for i, tt := range tests {
		path := fmt.Sprintf("/login%d", i)
		fmt.Fprintf(&lines, "login %s {\nuser form email\n%s\n}\n", path, tt.block)
		answers[path] = tt.answer
	}
	app := startAnswering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "app_session=app-secret; Path=/")
		w.Header().Set("X-App", "app-secret")
		answers[r.URL.Path](w, r)
	})
	s := startSite(t, siteWith(lines.String()+"credential cookie token", "reverse_proxy {$UPSTREAM}"), app.address)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := s.client()
			r := c.post(fmt.Sprintf("/login%d", i), filled(alice, "x"))
			got := neither
			switch {
			case r.location() == codePage:
				got = yes
			case r.Header.Get("X-App") != "":
				got = no
			case r.StatusCode != http.StatusBadGateway || !strings.Contains(r.body, "Reference"):
				t.Fatalf("neither the app's answer, nor a challenge, nor our page: %s", words(r))
			}
			if got != tt.want {
				t.Fatalf("it was taken for %s, want %s (%d %q)", got, tt.want, r.StatusCode, r.location())
			}
			if got == no {
				return
			}
			if all := fmt.Sprint(r.Header, r.body); strings.Contains(all, "app-secret") || strings.Contains(all, "app_session") {
				t.Errorf("something of the app's answer reached the browser: %v\n%s", r.Header, r.body)
			}
		})
	}
	for _, g := range app.requests() {
		if g.Header.Get("Accept-Encoding") != "identity" {
			t.Fatalf("a login was forwarded with Accept-Encoding %q, want identity", g.Header.Get("Accept-Encoding"))
		}
	}
}

func TestAFailureStreamsThroughAsTheAppWritesIt(t *testing.T) {
	release := make(chan struct{})
	app := startAnswering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-App", "1")
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
			return
		}
		_, _ = io.WriteString(w, strings.Repeat(" and more", 100_000))
	})
	s := startSite(t, oneLogin("yes status 302\nno status 200"), app.address)
	c := s.client()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/login", strings.NewReader(filled(alice, "wrong").Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 5)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "first" {
		t.Fatalf("while the app was still writing, %q came (%v), want its first bytes", first, err)
	}
	close(release)
	rest, err := io.ReadAll(res.Body)
	if err != nil || len(rest) != 900_000 {
		t.Fatalf("%d bytes came after the first (%v), want 900000: more than what can be held", len(rest), err)
	}
	if res.Header.Get("X-App") != "1" || res.StatusCode != 200 {
		t.Errorf("status %d, headers %v; want the app's", res.StatusCode, res.Header)
	}
}

func TestARightAnswerTooLargeToHoldIsRefused(t *testing.T) {
	app := startAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "app-secret"})
		w.Header().Set("Location", "/home")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "app-secret"+strings.Repeat("x", 256<<10))
	})
	s := startSite(t, oneLogin("yes redirect /home\nno status 200"), app.address)
	c := s.client()
	r := c.post("/login", filled(alice, alicePassword))
	if r.StatusCode != http.StatusBadGateway || strings.Contains(fmt.Sprint(r.Header, r.body), "app-secret") {
		t.Fatalf("%v %s; want a page of ours with status 502 and nothing of the app's", r.Header, words(r))
	}
	if len(c.cookies("/")) != 0 {
		t.Errorf("the browser has cookies: %v", c.cookies("/"))
	}
	if !strings.Contains(s.twoFactorLog(), "larger than 262144 bytes") {
		t.Error("the log does not say that the answer was too large")
	}
}

// visitor gives the browser a sealed cookie of an anonymous visitor, as the
// login page of the app does.
func (a *answering) visitor(c *client) {
	c.t.Helper()
	a.mu.Lock()
	before := a.answer
	a.mu.Unlock()
	a.to(func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "visitor", Path: "/"})
	})
	c.get("/login")
	a.to(before)
	if c.cookies("/")["sid"] == "" {
		c.t.Fatal("the visitor has no cookie")
	}
	a.requests()
}

// opens reports whether the browser's sealed cookies still reach the app.
func (a *answering) opens(c *client) bool {
	c.t.Helper()
	a.requests()
	c.get("/login")
	seen := a.requests()
	if len(seen) != 1 {
		c.t.Fatalf("%d requests reached the app, want one", len(seen))
	}
	return strings.Contains(seen[0].cookie(), "sid=visitor")
}

var referenceOnPage = regexp.MustCompile(`\b([0-9a-f]{8})\b`)

func TestAnAnswerThatIsNotRecognisedStaysHereAndLocksTheLine(t *testing.T) {
	app := startAnswering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "app-secret")
		}
	})
	s := startSite(t, oneLogin("yes status 302\nno status 200"), app.address)
	c := s.client()
	app.visitor(c)
	if !app.opens(c) {
		t.Fatal("a visitor's cookie does not reach the app before the login")
	}
	r := c.post("/login", filled(alice, alicePassword))
	if r.StatusCode != http.StatusBadGateway || strings.Contains(r.body, "app-secret") {
		t.Fatalf("%s; want our page with status 502", words(r))
	}
	m := referenceOnPage.FindString(r.body)
	if m == "" || !strings.Contains(s.twoFactorLog(), `"reference":"`+m+`"`) {
		t.Errorf("the page's reference %q is not in the log", m)
	}
	if app.opens(c) {
		t.Error("the line's values still reach the app after a login that was not recognised")
	}
	other := s.client()
	app.visitor(other)
	if !app.opens(other) {
		t.Error("another visitor's line is locked too")
	}
}

func TestACertainNoLiftsTheLock(t *testing.T) {
	app := startAnswering(t, func(w http.ResponseWriter, r *http.Request) {})
	s := startSite(t, oneLogin("yes status 302\nno status 200"), app.address)
	c := s.client()
	app.visitor(c)
	for range 3 {
		if r := c.post("/login", filled(alice, "wrong")); r.StatusCode != 200 {
			t.Fatalf("a wrong password gave %s", words(r))
		}
		if seen := app.requests(); len(seen) != 1 || !strings.Contains(seen[0].cookie(), "sid=visitor") {
			t.Fatalf("the login reached the app as %v, want once with the visitor's cookie", seen)
		}
	}
	if !app.opens(c) {
		t.Error("the visitor's values are locked after a wrong password")
	}
	if c.cookies("/")["two-factor-default"] != "" {
		t.Error("a browser got our cookie with a wrong password")
	}
}

func TestWhateverEndsALoginEarlyTheLineStaysLocked(t *testing.T) {
	tests := []struct {
		name, proxy string
		answer      http.HandlerFunc
		// status is what the browser gets; 0: a broken connection.
		status int
	}{
		{"the app breaks off before its headers", "reverse_proxy {$UPSTREAM}", breakOff(""), http.StatusBadGateway},
		{"the app breaks off in its body", "reverse_proxy {$UPSTREAM}",
			breakOff("HTTP/1.1 302 Found\r\nLocation: /home\r\nSet-Cookie: sid=app-secret\r\nContent-Length: 1000\r\n\r\nhalf"), 0},
		{"the app breaks off in a chunk", "reverse_proxy {$UPSTREAM}",
			breakOff("HTTP/1.1 302 Found\r\nLocation: /home\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf"), 0},
		{"the app does not answer in time", "reverse_proxy {$UPSTREAM} {\ntransport http {\nresponse_header_timeout 150ms\n}\n}",
			func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
				case <-time.After(5 * time.Second):
				}
			}, http.StatusGatewayTimeout},
		{"an error page of the server's own", "reverse_proxy {$UPSTREAM}\nhandle_errors {\nrespond \"Welcome\" 200\n}", breakOff(""), 200},
		{"nothing answers", "vars x y", nil, http.StatusBadGateway},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := startAnswering(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && tt.answer != nil {
					tt.answer(w, r)
				}
			})
			lines := "login fields email password {\nyes redirect /home\nyes text Welcome\nno status 401\n}\n"
			proxy := "reverse_proxy {$UPSTREAM}"
			caddyfile := siteWith(lines, "@get method GET\nhandle @get {\n"+proxy+"\n}\n"+tt.proxy)
			s := startSite(t, caddyfile, app.address)
			c := s.client()
			app.visitor(c)
			status := 0
			r, err := c.http.PostForm(s.url+"/login", filled(alice, alicePassword))
			if err == nil {
				defer r.Body.Close()
				status = r.StatusCode
				if r.Header.Get("Set-Cookie") != "" || r.Header.Get("Location") != "" {
					t.Errorf("something was released: %v", r.Header)
				}
			}
			if status != tt.status {
				t.Errorf("the browser got %d (%v), want %d", status, err, tt.status)
			}
			if app.opens(c) {
				t.Error("the line's values still reach the app")
			}
		})
	}
}

// breakOff answers with raw bytes and closes the connection.
func breakOff(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, raw)
	}
}

func TestTheLineStaysLockedWhenTheClientGoesAwayInALogin(t *testing.T) {
	arrived := make(chan struct{})
	app := startAnswering(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			close(arrived)
			<-r.Context().Done()
		}
	})
	s := startSite(t, oneLogin("yes status 302\nno status 200"), app.address)
	c := s.client()
	app.visitor(c)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/login", strings.NewReader(filled(alice, alicePassword).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	go func() {
		<-arrived
		cancel()
	}()
	if res, err := c.http.Do(r); !errors.Is(err, context.Canceled) {
		if err == nil {
			res.Body.Close()
		}
		t.Fatalf("the request was not cut off: %v", err)
	}
	app.to(home)
	if app.opens(c) {
		t.Error("the line's values still reach the app")
	}
	started := time.Now()
	again, err := c.http.PostForm(s.url+"/login", filled(alice, alicePassword))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Body.Close()
	if took := time.Since(started); again.StatusCode != http.StatusUnauthorized || took > 5*time.Second {
		t.Errorf("the next login got %d after %s; want a challenge at once, since the first one is over", again.StatusCode, took)
	}
}

// home is an app that takes everybody's password and says so by a redirect.
func home(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.RawQuery+r.Header.Get("X-Password"), "wrong") || r.URL.Path == "/deep/login" && r.URL.RawQuery == "" {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: "app-secret", Path: "/"})
	http.SetCookie(w, &http.Cookie{Name: "beside", Value: "1"})
	w.Header().Set("Location", "home")
	w.WriteHeader(http.StatusFound)
}

func TestALoginToldByItsRouteReadsTheUserWhereItStands(t *testing.T) {
	tests := []struct {
		name, user string
		method     string
		address    string
		header     http.Header
		body       string
		missing    http.Header // headers of a login that names nobody
		missingAt  string
		without    string
		nobody     int // what such a login gets, 400 if it is not said
	}{
		{name: "form", user: "user form email", method: "POST", address: "/in", header: urlencoded, body: "email=" + url.QueryEscape(alice) + "&password=x", without: "password=x"},
		{name: "json", user: "user json who.name", method: "POST", address: "/in", header: http.Header{"Content-Type": {"application/json"}}, body: `{"who":{"name":"` + alice + `"}}`, without: `{"who":{}}`},
		{name: "query", user: "user query u", method: "GET", address: "/in?u=" + url.QueryEscape(alice) + "&p=x", missingAt: "/in?p=x"},
		{name: "header", user: "user header X-User", method: "POST", address: "/in", header: http.Header{"X-User": {alice}}, missing: http.Header{}},
		{name: "basic", user: "user basic", method: "GET", address: "/in", header: http.Header{"Authorization": {"Basic YWxpY2VAZXhhbXBsZS5jb206eA=="}}, missing: http.Header{}, nobody: http.StatusSeeOther}, // without Basic it is no login
		{name: "placeholder", user: "user placeholder {http.request.header.X-Who}", method: "POST", address: "/in", header: http.Header{"X-Who": {alice}}, missing: http.Header{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := startAnswering(t, home)
			s := startSite(t, siteWith("login /in {\n"+tt.user+"\nyes redirect /home\nno status 200\n}", "reverse_proxy {$UPSTREAM}"), app.address)
			c := s.client()
			at, header := tt.address, tt.header
			if tt.missingAt != "" {
				at = tt.missingAt
			}
			if tt.missing != nil {
				header = tt.missing
			}
			if r := c.do(tt.method, at, strings.NewReader(tt.without), header); r.StatusCode != cmp.Or(tt.nobody, http.StatusBadRequest) {
				t.Errorf("a login that names nobody gave %s, want %d", words(r), cmp.Or(tt.nobody, http.StatusBadRequest))
			}
			if seen := app.requests(); len(seen) != 0 {
				t.Errorf("a login that names nobody reached the app: %v", uris(seen))
			}
			r := c.do(tt.method, tt.address, strings.NewReader(tt.body), tt.header)
			if r.location() != codePage {
				t.Fatalf("the right password gave %s", words(r))
			}
			r = c.enter(s.code(alice))
			if r.StatusCode != 302 || !strings.HasSuffix(r.location(), "home") {
				t.Errorf("the right code gave %d to %q, want the app's own 302", r.StatusCode, r.location())
			}
			if to, err := r.Request.URL.Parse(r.location()); err != nil || to.Path != "/home" {
				t.Errorf("the browser is led to %v, want /home", to)
			}
		})
	}
}

func TestTheAddressOfALoginWithThePasswordInItIsWrittenNowhere(t *testing.T) {
	for _, block := range []string{
		"login fields email password {\nyes redirect /deep/home\nno status 200\n}",
		"login /deep/* {\nuser query email\nyes redirect /deep/home\nno status 200\n}",
	} {
		app := startAnswering(t, home)
		s := startSite(t, siteWith(block, "reverse_proxy {$UPSTREAM}"), app.address)
		c := s.client()
		r := c.get("/deep/login?email=" + url.QueryEscape(alice) + "&password=pass-secret")
		if r.location() != codePage {
			t.Fatalf("the login gave %s", words(r))
		}
		page := c.get(codePage)
		r = c.submit(page, codeField, map[string]string{"code": s.code(alice)})
		if r.StatusCode != 302 || r.location() != "/deep/home" {
			t.Errorf("the code gave %d to %q, want 302 to /deep/home: what was relative to the login's address", r.StatusCode, r.location())
		}
		if !slices.ContainsFunc(r.Header["Set-Cookie"], func(l string) bool {
			return strings.HasPrefix(l, "beside=") && strings.HasSuffix(l, "; Path=/deep")
		}) {
			t.Errorf("the cookies %q are not for the folder of the login", r.Header["Set-Cookie"])
		}
		if r.Request.URL.Path != codePage {
			t.Errorf("the code went to %s, want the address under the prefix", r.Request.URL.Path)
		}
		if strings.Contains(page.body+fmt.Sprint(page.Header, r.Header), "pass-secret") {
			t.Error("the password is on a page")
		}
		if strings.Contains(s.twoFactorLog(), "pass-secret") {
			t.Error("the password is in the gateway's log")
		}
	}
}

func TestABodyThatIsTooLongOrCannotBeReadIsRefusedAndNotForwarded(t *testing.T) {
	long := strings.Repeat("x", 64<<10)
	json := http.Header{"Content-Type": {"application/json"}}
	tests := []struct {
		name, method, address string
		header                http.Header
		body                  string
		status                int
		words                 string
	}{
		{"longer than 64 KiB", "POST", "/in", urlencoded, "email=a&password=" + long, 413, "too"},
		{"longer than 64 KiB beside the user's name", "POST", "/head", http.Header{"X-User": {alice}, "Content-Type": {"text/plain"}}, long + "x", 413, "too"},
		{"longer than 64 KiB by its fields", "POST", "/anywhere", urlencoded, "email=a&password=b&z=" + long, 413, "too"},
		{"the user twice", "POST", "/in", urlencoded, "email=a&email=b&password=c", 400, "more than once"},
		{"the user twice by its fields", "POST", "/anywhere", urlencoded, "email=a&email=b&password=c", 400, "more than once"},
		{"the password twice by its fields", "POST", "/anywhere", urlencoded, "email=a&password=b&password=c", 400, "more than once"},
		{"in query and body", "POST", "/anywhere?email=a", urlencoded, "email=a&password=c", 400, "more than once"},
		{"a JSON key twice", "POST", "/json", json, `{"name":"a","name":"b"}`, 400, "JSON"},
		{"broken JSON", "POST", "/json", json, `{"name":"a"`, 400, "JSON"},
		{"two content types", "POST", "/in", http.Header{"Content-Type": {"application/x-www-form-urlencoded", "application/json"}}, "email=a&password=b", 400, ""},
		{"an odd charset", "POST", "/in", http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-7"}}, "email=a&password=b", 400, ""},
		{"a multipart without its boundary", "POST", "/in", http.Header{"Content-Type": {"multipart/form-data"}}, "email=a", 400, ""},
		{"no user", "POST", "/in", urlencoded, "password=c", 400, ""},
	}
	app := startAnswering(t, home)
	s := startSite(t, siteWith("login /in {\nuser form email\nyes redirect /home\nno status 200\n}\n"+
		"login /json {\nuser json name\nyes redirect /home\nno status 200\n}\n"+
		"login /head {\nuser header X-User\nyes redirect /home\nno status 200\n}\n"+
		"login fields email password {\nyes redirect /home\nno status 200\n}", "reverse_proxy {$UPSTREAM}"), app.address)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := s.client().do(tt.method, tt.address, strings.NewReader(tt.body), tt.header)
			if r.StatusCode != tt.status || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s %s, want a page with %d", r.Header.Get("Content-Type"), words(r), tt.status)
			}
			if !strings.Contains(r.body, tt.words) {
				t.Errorf("the page does not say %q: %s", tt.words, words(r))
			}
			if r := s.client().do(tt.method, tt.address, strings.NewReader(tt.body), withHeaders(script, tt.header)); r.StatusCode != tt.status ||
				r.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("a script got %d %s, want a problem document", r.StatusCode, r.Header.Get("Content-Type"))
			}
			if seen := app.requests(); len(seen) != 0 {
				t.Errorf("it reached the app: %v", uris(seen))
			}
		})
	}
}

func TestALoginBeyondTheCapOfAStreamingBodyIsCutOffAndWhatItUsedIsLocked(t *testing.T) {
	upload := "note=" + strings.Repeat("x", 80<<10)
	app := startAnswering(t, loggedInWith(http.StatusFound, "", http.Header{"Location": {"/home"}}))
	s := startSite(t, oneLogin("yes redirect /home\nno status 200", "public /upload"), app.address)

	visitor := s.client()
	app.visitor(visitor)
	verified := s.client()
	verified.post("/login", filled(bob, "x"))
	verified.enter(s.textCode())
	app.requests()
	for name, c := range map[string]*client{"a visitor": visitor, "a verified session": verified} {
		if r := c.do(http.MethodPost, "/upload", strings.NewReader(upload), urlencoded); r.StatusCode != http.StatusFound {
			t.Errorf("%s: an upload without a login gave %s", name, words(r))
		}
		if seen := app.requests(); len(seen) != 1 || seen[0].Body != upload || seen[0].cookie() == "" {
			t.Errorf("%s: an upload without a login did not arrive as it was sent", name)
		}
		r := c.do(http.MethodPost, "/upload", strings.NewReader(upload+"&email=a&password=b"), urlencoded)
		if r.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: an upload with a login gave %s, want 413", name, words(r))
		}
		if seen := app.requests(); len(seen) != 0 {
			t.Errorf("%s: a login beyond the cap reached the app", name)
		}
		c.get("/upload")
		if seen := app.requests(); len(seen) != 1 || seen[0].cookie() != "" {
			t.Errorf("%s: after it the app got %v, want a request without a cookie", name, seen)
		}
	}
}

func TestALoginByScriptIsAnsweredForTheScriptAndGoesOnAtTheNextPage(t *testing.T) {
	tests := []struct {
		name, answer string
		referer      string
		status       int
		contentType  string
		body         string
		back         string
	}{
		{"the problem document, from a page of the site", "", "{site}/inbox?folder=1#top", 401, "application/problem+json", codePage, "/inbox?folder=1"},
		{"a status and a body of the operator's", "script_answer status 403 `{\"error\":\"reload\"}`", "", 403, "application/json", `{"error":"reload"}`, "/"},
		{"a status alone", "script_answer status 204", "http://evil.example.com/page", 204, "", "", "/"},
		{"another port is another origin", "", "http://localhost:1/page", 401, "application/problem+json", codePage, "/"},
		{"a path that names a host", "", "{site}//evil.example.com/page", 401, "application/problem+json", codePage, "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := startAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "sid", Value: "app-secret", Path: "/"})
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"ok":true}`)
			})
			s := startSite(t, oneLogin("yes json ok true\nno json ok false\n"+tt.answer), app.address)
			c := s.client()
			header := withHeaders(urlencoded, script)
			if tt.referer != "" {
				header["Referer"] = []string{strings.ReplaceAll(tt.referer, "{site}", s.url)}
			}
			r := c.do(http.MethodPost, "/login", strings.NewReader(filled(alice, alicePassword).Encode()), header)
			if r.StatusCode != tt.status || r.Header.Get("Content-Type") != tt.contentType || !strings.Contains(r.body, tt.body) {
				t.Fatalf("the script got %d %s %s, want %d %s with %s", r.StatusCode, r.Header.Get("Content-Type"), r.body, tt.status, tt.contentType, tt.body)
			}
			app.requests()
			if r := c.do(http.MethodGet, "/data.json", nil, script); r.StatusCode != http.StatusUnauthorized {
				t.Errorf("another request of the script got %d, want 401", r.StatusCode)
			}
			if r := c.get("/inbox"); r.location() != codePage {
				t.Errorf("the next page gave %d to %q, want the challenge", r.StatusCode, r.location())
			}
			if seen := app.requests(); len(seen) != 0 {
				t.Errorf("a pending session reached the app: %v", uris(seen))
			}
			r = c.enter(s.code(alice))
			if r.StatusCode != http.StatusSeeOther || r.location() != tt.back {
				t.Errorf("the code gave %d to %q, want 303 to %q", r.StatusCode, r.location(), tt.back)
			}
			c.get("/inbox")
			if seen := app.requests(); len(seen) != 1 || !strings.Contains(seen[0].cookie(), "sid=app-secret") {
				t.Errorf("after the code the app got %v, want one request with its session", seen)
			}
		})
	}
}

func TestNamesThatTheAppTakesAsOneAreOneAccount(t *testing.T) {
	app := startAnswering(t, home)
	s := startSite(t, oneLogin("yes redirect /home\nno status 200"), app.address)
	l := s.lease()
	acc, err := l.Parts().Store.Account(t.Context(), defaultName, alice)
	if err != nil {
		t.Fatal(err)
	}
	acc.Aliases = []string{"asmith"}
	if err := l.Parts().Store.PutAccounts(t.Context(), []account.Account{acc}); err != nil {
		t.Fatal(err)
	}
	l.Release()
	for _, name := range []string{" ALICE@Example.com", "alice@example.com ", "ａｌｉｃｅ@example.com", "ASmith"} {
		c := s.client()
		if r := c.post("/login", filled(name, "x")); r.location() != codePage {
			t.Errorf("%q: %s, want alice's challenge", name, words(r))
			continue
		}
		if seen := app.requests(); len(seen) != 1 || !strings.Contains(seen[0].Body, url.QueryEscape(name)) {
			t.Errorf("%q: the app got %v, want the name as it was typed", name, seen)
		}
	}
}

func TestAnAccountWithoutAUsableFactorIsRefusedInWords(t *testing.T) {
	app := startAnswering(t, home)
	s := startSite(t, oneLogin("yes redirect /home\nno status 200"), app.address)
	s.enrol("dora@example.com")
	c := s.client()
	r := c.post("/login", filled("dora@example.com", "x"))
	if r.StatusCode != http.StatusForbidden || strings.Contains(fmt.Sprint(r.Header, r.body), "app-secret") || r.location() != "" {
		t.Fatal(words(r))
	}
	if len(c.cookies("/")) != 0 {
		t.Errorf("the browser got cookies: %v", c.cookies("/"))
	}
	if !strings.Contains(s.twoFactorLog(), "no factor that can be used") {
		t.Error("the log does not say so")
	}
}

func TestATextEndsInTheHostAndTheCode(t *testing.T) {
	app := startAnswering(t, home)
	s := startSite(t, oneLogin("yes redirect /home\nno status 200"), app.address)
	c := s.client()
	if r := c.post("/login", filled(bob, "x")); r.location() != codePage {
		t.Fatalf("%d to %q", r.StatusCode, r.location())
	}
	texts := s.texts()
	if len(texts) != 1 {
		t.Fatalf("%d texts were sent, want 1", len(texts))
	}
	if !regexp.MustCompile(`\n@localhost #\d{6}$`).MatchString(texts[0]) {
		t.Errorf("the text ends in %q, want @localhost and the code", texts[0])
	}
}
