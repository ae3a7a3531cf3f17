package twofactor

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// tokenApp is a scripted app without sessions in cookies: its login gives a
// token, which comes back in Authorization, in X-Auth-Token or in the query.
type tokenApp struct {
	*scripted
	mu   sync.Mutex
	next int
	// users are the tokens' users.
	users map[string]string
	// pages answer in place of the app, by path.
	pages map[string]func(w http.ResponseWriter, a *arrival)
}

func newTokenApp(t *testing.T) (*tokenApp, string) {
	t.Helper()
	p := &tokenApp{users: map[string]string{}, pages: map[string]func(http.ResponseWriter, *arrival){}}
	u, addr := serveScripted(t, p.serve)
	p.scripted = u
	return p, addr
}

// token makes a token at the app directly.
func (p *tokenApp) token(user string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	token := fmt.Sprintf("token-%d", p.next)
	p.users[token] = user
	return token
}

// speaks returns whose token a request carries.
func (p *tokenApp) speaks(a *arrival) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, value := range a.Header["Authorization"] {
		if _, token, ok := strings.Cut(value, " "); ok && p.users[token] != "" {
			return p.users[token]
		}
	}
	for name, values := range a.Header {
		if strings.EqualFold(strings.ReplaceAll(name, "_", "-"), "X-Auth-Token") {
			for _, value := range values {
				if p.users[value] != "" {
					return p.users[value]
				}
			}
		}
	}
	return p.users[a.field("access_token")]
}

func (p *tokenApp) serve(w http.ResponseWriter, a *arrival) {
	if page := p.pages[a.path()]; page != nil {
		page(w, a)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch a.path() {
	case "/api/login":
		var given struct{ Email, Password string }
		if json.Unmarshal([]byte(a.Body), &given) != nil || given.Password != right {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"ok":false}`)
			return
		}
		fmt.Fprintf(w, `{"ok":true,"access_token":%q}`, p.token(given.Email))
	case "/api/refresh":
		user := p.speaks(a)
		if user == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"access_token":%q}`, p.token(user))
	default:
		fmt.Fprintf(w, `{"user":%q}`, p.speaks(a))
	}
}

func tokenConfig(login string, more ...string) string {
	return `http://localhost:{$PORT} {
	two_factor {
		login /api/login {
			user json email
			yes json ok true
			no status 401
			` + login + `
		}
		login_page /login
		public /open/*
		protect *
		` + strings.Join(more, "\n\t\t") + `
	}
	reverse_proxy {$UPSTREAM}
}
`
}

func tokenStart(t *testing.T, more ...string) (*site, *tokenApp) {
	t.Helper()
	p, upstream := newTokenApp(t)
	more = append([]string{"carried header Authorization Bearer", "carried header X-Auth-Token", "carried query access_token",
		"token /api/refresh json access_token"}, more...)
	return startSite(t, tokenConfig("token json access_token", more...), upstream), p
}

// byScript sends a login as the app's script does.
func (c *client) byScript(user, password string) reply {
	c.t.Helper()
	body, err := json.Marshal(map[string]string{"email": user, "password": password})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do(http.MethodPost, "/api/login", strings.NewReader(string(body)), http.Header{
		"Content-Type": {"application/json"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"application/json"},
		"Referer": {c.s.url + "/login?from=mail"}})
}

const onceMore = "Sign in once more"

// passOnce gives password and code, after which the next password passes.
func (c *client) passOnce(user string) {
	c.t.Helper()
	if r := c.byScript(user, right); r.StatusCode != http.StatusUnauthorized || r.Header.Get("Content-Type") != "application/problem+json" || strings.Contains(r.body, "token-") {
		c.t.Fatalf("a login by script: %d %s %s", r.StatusCode, r.Header.Get("Content-Type"), r.body)
	}
	if r := c.enter(c.s.code(user)); r.StatusCode != http.StatusOK || !strings.Contains(r.body, onceMore) || strings.Contains(r.body, "token-") {
		c.t.Fatalf("after the code: %d\n%s", r.StatusCode, r.body)
	}
}

// takeToken goes the whole way to a token.
func (c *client) takeToken(user string) string {
	c.t.Helper()
	c.passOnce(user)
	r := c.byScript(user, right)
	return c.tokenOf(r)
}

func (c *client) tokenOf(r reply) string {
	c.t.Helper()
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.StatusCode != http.StatusOK || got.AccessToken == "" {
		c.t.Fatalf("no token came: %d %s", r.StatusCode, r.body)
	}
	return got.AccessToken
}

// api asks for a page of the app with header fields.
func (c *client) api(path string, fields ...string) reply {
	c.t.Helper()
	h := http.Header{"Sec-Fetch-Dest": {"empty"}, "Accept": {"application/json"}}
	for i := 0; i < len(fields); i += 2 {
		h[fields[i]] = append(h[fields[i]], fields[i+1])
	}
	return c.do(http.MethodGet, path, nil, h)
}

// sessionOf returns the id of the session of the browser's own cookie.
func sessionOf(c *client) account.SessionID {
	c.t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(c.cookies("/")[ownCookie])
	if err != nil || len(raw) == 0 {
		c.t.Fatalf("the browser has no own cookie: %v", err)
	}
	return sha256.Sum256(raw)
}

// reload loads another config under a browser that has connections open.
func (c *client) reload(caddyfile string) {
	c.t.Helper()
	c.s.load(caddyfile)
	c.http.CloseIdleConnections()
	c.s.settle()
}

func speaksOf(r reply, user string) bool { return r.body == fmt.Sprintf(`{"user":%q}`, user) }

func TestATokenWorksInItsOwnSessionAndNowhereElse(t *testing.T) {
	s, p := tokenStart(t)
	c := s.client()
	token := c.takeToken(alice)
	carried := map[string]func(c *client, token string) reply{
		"Authorization":            func(c *client, token string) reply { return c.api("/api/me", "Authorization", "Bearer "+token) },
		"another case of scheme":   func(c *client, token string) reply { return c.api("/api/me", "Authorization", "bEARER "+token) },
		"a header":                 func(c *client, token string) reply { return c.api("/api/me", "X-Auth-Token", token) },
		"the query":                func(c *client, token string) reply { return c.api("/api/me?a=b&access_token=" + token) },
		"Authorization, in public": func(c *client, token string) reply { return c.api("/open/me", "Authorization", "Bearer "+token) },
		"the query, in public":     func(c *client, token string) reply { return c.api("/open/me?access_token=" + token) },
	}
	other := s.client()
	others := other.takeToken(carol)
	thief := s.stranger()
	for name, send := range carried {
		if r := send(c, token); !speaksOf(r, alice) {
			t.Errorf("%s: the own token: %d %s", name, r.StatusCode, r.body)
		}
		if r := send(c, others); !speaksOf(r, "") {
			t.Errorf("%s: another session's token: %d %s", name, r.StatusCode, r.body)
		}
		if r := send(other, token); !speaksOf(r, "") {
			t.Errorf("%s: the token in another session: %d %s", name, r.StatusCode, r.body)
		}
		if r := send(c, p.token(alice)); !speaksOf(r, "") {
			t.Errorf("%s: a token of the same user that no answer here has given: %d %s", name, r.StatusCode, r.body)
		}
		p.reset()
		r := send(thief, token)
		if speaksOf(r, alice) {
			t.Errorf("%s: the token without the own cookie: %s", name, r.body)
		}
		for _, a := range p.arrivals() {
			if p.speaks(a) != "" {
				t.Errorf("%s: the token reached the app without its session: %s", name, a.URI)
			}
		}
	}
	if r := s.stranger().api("/api/me", "Authorization", "Bearer "+token); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a protected route without the own cookie: %d %s", r.StatusCode, r.body)
	}
}

func TestATokenInAnySpellingButTheDeclaredOneIsRemoved(t *testing.T) {
	s, p := tokenStart(t)
	c := s.client()
	own := c.takeToken(alice)
	evil := p.token(carol)
	for name, send := range map[string]func() reply{
		"the header twice":            func() reply { return c.api("/api/me", "X-Auth-Token", own, "X-Auth-Token", evil) },
		"the header as CGI reads it":  func() reply { return c.api("/api/me", "X_Auth_Token", evil) },
		"the header beside a variant": func() reply { return c.api("/api/me", "X-Auth-Token", own, "X_auth_token", evil) },
		"Authorization twice":         func() reply { return c.api("/api/me", "Authorization", "Bearer "+own, "Authorization", "Bearer "+evil) },
		"another scheme":              func() reply { return c.api("/api/me", "Authorization", "Token "+own) },
		"no scheme":                   func() reply { return c.api("/api/me", "Authorization", own) },
		"two tokens in one line":      func() reply { return c.api("/api/me", "Authorization", "Bearer "+own+", Bearer "+evil) },
		"two blanks":                  func() reply { return c.api("/api/me", "Authorization", "Bearer  "+evil) },
		"Basic":                       func() reply { return c.api("/api/me", "Authorization", "Basic "+own) },
		"the query twice":             func() reply { return c.api("/api/me?access_token=" + own + "&access_token=" + evil) },
		"the query, the last counts":  func() reply { return c.api("/api/me?access_token=" + evil + "&access_token=" + own) },
		"the query, percent-encoded":  func() reply { return c.api("/api/me?access%5Ftoken=" + evil) },
		"beside a percent-encoded":    func() reply { return c.api("/api/me?access_token=" + own + "&%61ccess_token=" + evil) },
		"the query, with a dot":       func() reply { return c.api("/api/me?access.token=" + evil) },
		"the query, as an array":      func() reply { return c.api("/api/me?access_token[]=" + evil) },
		"the query, in capitals":      func() reply { return c.api("/api/me?ACCESS_TOKEN=" + evil) },
		"behind a semicolon":          func() reply { return c.api("/api/me?a=b;access_token=" + evil) },
		"before a semicolon":          func() reply { return c.api("/api/me?access_token=" + own + ";access_token=" + evil) },
		"in a form":                   func() reply { return c.post("/api/me?access_token="+own, map[string][]string{"access_token": {evil}}) },
		"the path":                    func() reply { return c.api("/api/me;access_token=" + evil) },
		"a cookie's session name":     func() reply { return c.api("/api/me?sid=" + evil) },
	} {
		p.reset()
		r := send()
		for _, a := range p.arrivals() {
			if name == "in a form" {
				if strings.Contains(a.Body, evil) {
					t.Errorf("%s: the app got the body %q", name, a.Body)
				}
				continue
			}
			if name == "the header beside a variant" && p.speaks(a) == alice {
				// The server itself lets no such variant in.
				continue
			}
			if strings.Contains(fmt.Sprint(a.URI, a.Header, a.Body), "token-") {
				t.Errorf("%s: the app got %s %v, answer %d", name, a.URI, a.Header, r.StatusCode)
			}
		}
	}
}

func TestATokenThatIsRenewedInASessionIsBound(t *testing.T) {
	s, p := tokenStart(t)
	c := s.client()
	first := c.takeToken(alice)
	second := c.tokenOf(c.api("/api/refresh", "Authorization", "Bearer "+first))
	for _, token := range []string{first, second} {
		if r := c.api("/api/me", "Authorization", "Bearer "+token); !speaksOf(r, alice) {
			t.Errorf("%s: %d %s", token, r.StatusCode, r.body)
		}
	}
	if a := p.arrivals(); a[len(a)-3].Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("the app was asked for a coding: %v", a[len(a)-3].Header)
	}
	// After a reload too.
	c.reload(tokenConfig("token json access_token", "carried header Authorization Bearer", "token /api/refresh json access_token"))
	if r := c.api("/api/me", "Authorization", "Bearer "+second); !speaksOf(r, alice) {
		t.Errorf("after a reload: %d %s", r.StatusCode, r.body)
	}
	// What is no token goes out as it is, a stream at once.
	more := make(chan struct{})
	p.pages["/api/refresh"] = func(w http.ResponseWriter, _ *arrival) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprint(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-more
	}
	res, err := c.http.Get(s.url + "/api/refresh")
	if err != nil {
		t.Fatal(err)
	}
	stream := res.Body
	piece := make([]byte, 9)
	if _, err := io.ReadFull(stream, piece); err != nil || string(piece) != "data: 1\n\n" {
		t.Errorf("the begin of a stream is %q, %v", piece, err)
	}
	close(more)
	_ = stream.Close()
	for name, test := range map[string]struct {
		body  string
		bound bool
	}{
		"a token":   {`{"access_token":"TOKEN"}`, true},
		"no JSON":   {`{"access_token":"TOKEN"`, false},
		"a number":  {`{"access_token":1}`, false},
		"elsewhere": {`{"data":{"access_token":"TOKEN"}}`, false},
		"too large": {`{"access_token":"TOKEN","news":"` + strings.Repeat("x", 300<<10) + `"}`, false},
		"encoded":   {`{"access_token":"TOKEN"}`, false},
		"an error":  {`{"access_token":"TOKEN"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			fresh := p.token(carol)
			p.pages["/api/refresh"] = func(w http.ResponseWriter, _ *arrival) {
				w.Header().Set("X-Kept", "yes")
				if name == "encoded" {
					w.Header().Set("Content-Encoding", "br")
				}
				if name == "an error" {
					w.WriteHeader(http.StatusTeapot)
				}
				body := strings.ReplaceAll(test.body, "TOKEN", fresh)
				fmt.Fprint(w, body[:9])
				_ = http.NewResponseController(w).Flush()
				fmt.Fprint(w, body[9:])
			}
			r := c.api("/api/refresh")
			if r.body != strings.ReplaceAll(test.body, "TOKEN", fresh) || r.Header.Get("X-Kept") != "yes" || (r.StatusCode == http.StatusTeapot) != (name == "an error") {
				t.Errorf("the answer came as %d with %d bytes", r.StatusCode, len(r.body))
			}
			if got := speaksOf(c.api("/api/me", "Authorization", "Bearer "+fresh), carol); got != test.bound {
				t.Errorf("bound: %v, want %v", got, test.bound)
			}
		})
	}
}

func TestANewTokenDoesNotGoOutOfASessionThatHasEnded(t *testing.T) {
	s, p := tokenStart(t)
	c := s.client()
	token := c.takeToken(alice)
	p.pages["/api/refresh"] = func(w http.ResponseWriter, _ *arrival) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		// A login in another tab suspends the session while the answer comes.
		l := s.lease()
		id := sessionOf(c)
		_ = l.Parts().Store.EndSession(t.Context(), id)
		l.Release()
		fmt.Fprintf(w, `{"access_token":%q}`, p.token(alice))
	}
	r := c.api("/api/refresh", "Authorization", "Bearer "+token)
	if r.StatusCode != http.StatusUnauthorized || strings.Contains(r.body, "token-") {
		t.Errorf("the answer came as %d %s", r.StatusCode, r.body)
	}
}

func TestWhenTheStoreCannotBindATokenItOpensNothing(t *testing.T) {
	s, p := tokenStart(t)
	c := s.client()
	token := c.takeToken(alice)
	f := &failing{}
	f.fail("BindToken")
	s.useStore(func(inner store.Store) store.Store { f.Store = inner; return f })
	renewed := c.tokenOf(c.api("/api/refresh", "Authorization", "Bearer "+token))
	p.reset()
	if r := c.api("/api/me", "Authorization", "Bearer "+renewed); !speaksOf(r, "") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if !strings.Contains(s.logged(), "a new token could not be bound") {
		t.Error("the log does not say so")
	}
}

func TestLoginsByScriptWithATokenPassOnceAfterTheCode(t *testing.T) {
	challenged := func(t *testing.T, r reply) {
		t.Helper()
		if r.StatusCode != http.StatusUnauthorized || strings.Contains(r.body, "token-") || !strings.Contains(r.body, "challenge") {
			t.Errorf("no challenge but %d %s", r.StatusCode, r.body)
		}
	}
	t.Run("and not twice", func(t *testing.T) {
		s, _ := tokenStart(t)
		c := s.client()
		c.takeToken(alice)
		challenged(t, c.byScript(alice, right))
	})
	t.Run("the page leads back to where the login was", func(t *testing.T) {
		s, _ := tokenStart(t)
		c := s.client()
		c.byScript(alice, right)
		r := c.enter(s.code(alice))
		if !strings.Contains(r.body, `href="/login?from=mail"`) || !strings.Contains(r.body, "no code will be asked for") {
			t.Errorf("the page:\n%s", r.body)
		}
		if r := c.get("/.two-factor/challenge"); !strings.Contains(r.body, onceMore) {
			t.Errorf("the page, asked for again: %d\n%s", r.StatusCode, r.body)
		}
	})
	t.Run("until then nothing is open", func(t *testing.T) {
		s, p := tokenStart(t)
		c := s.client()
		c.passOnce(alice)
		p.reset()
		if r := c.get("/contacts"); r.location() != "/login" {
			t.Errorf("a protected page: %d to %q", r.StatusCode, r.location())
		}
		if r := c.api("/api/me", "Authorization", "Bearer token-1"); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("the token of the answer that was thrown away: %d %s", r.StatusCode, r.body)
		}
		if r := c.api("/open/me", "Authorization", "Bearer token-1"); !speaksOf(r, "") {
			t.Errorf("in public: %s", r.body)
		}
	})
	t.Run("a wrong password in between does not use it up", func(t *testing.T) {
		s, _ := tokenStart(t)
		c := s.client()
		c.passOnce(alice)
		for range 3 {
			if r := c.byScript(alice, "wrong"); r.body != `{"ok":false}` {
				t.Fatalf("a wrong password: %d %s", r.StatusCode, r.body)
			}
		}
		c.tokenOf(c.byScript(alice, right))
	})
	t.Run("another account does not pass by it", func(t *testing.T) {
		s, _ := tokenStart(t)
		c := s.client()
		c.passOnce(alice)
		challenged(t, c.byScript(carol, right))
		challenged(t, c.byScript(alice, right))
	})
	t.Run("another browser does not", func(t *testing.T) {
		s, _ := tokenStart(t)
		s.client().passOnce(alice)
		challenged(t, s.client().byScript(alice, right))
	})
	t.Run("after 2 minutes no more", func(t *testing.T) {
		s, _ := tokenStart(t)
		clock := s.clock()
		c := s.client()
		c.passOnce(alice)
		clock.pass(2 * time.Minute)
		challenged(t, c.byScript(alice, right))
	})
	t.Run("after a reload it does", func(t *testing.T) {
		s, _ := tokenStart(t)
		c := s.client()
		c.passOnce(alice)
		c.reload(tokenConfig("token json access_token"))
		c.tokenOf(c.byScript(alice, right))
	})
	t.Run("of many at once one passes", func(t *testing.T) {
		s, _ := tokenStart(t)
		c := s.client()
		c.passOnce(alice)
		line := c.jarLine("/")
		var passed atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				x := s.stranger()
				r := x.do(http.MethodPost, "/api/login", strings.NewReader(`{"email":"alice@example.com","password":"right"}`), http.Header{
					"Content-Type": {"application/json"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"application/json"}, "Cookie": {line}})
				if strings.Contains(r.body, "token-") {
					passed.Add(1)
				}
			})
		}
		wg.Wait()
		if n := passed.Load(); n != 1 {
			t.Errorf("%d have passed, want one", n)
		}
	})
	t.Run("the session has the factor that was passed", func(t *testing.T) {
		s, _ := tokenStart(t)
		c := s.client()
		c.takeToken(alice)
		id := sessionOf(c)
		l := s.lease()
		defer l.Release()
		got, err := l.Parts().Store.Session(t.Context(), id, time.Now())
		if err != nil || got.Factor != account.KindTOTP || got.FactorAt.IsZero() || got.State != account.StateVerified {
			t.Errorf("the session is %+v, %v", got, err)
		}
	})
	t.Run("a form's login with a token is released whole, and its token bound", func(t *testing.T) {
		s, p := tokenStart(t)
		p.pages["/api/login"] = func(w http.ResponseWriter, a *arrival) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"ok":true,"access_token":%q}`, p.token(alice))
		}
		c := s.client()
		r := c.do(http.MethodPost, "/api/login", strings.NewReader(`{"email":"alice@example.com","password":"right"}`), http.Header{"Content-Type": {"application/json"}})
		if r.location() != "/.two-factor/challenge" {
			t.Fatalf("%d to %q", r.StatusCode, r.location())
		}
		token := c.tokenOf(c.enter(s.code(alice)))
		if r := c.api("/api/me", "Authorization", "Bearer "+token); !speaksOf(r, alice) {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
	})
}

// A login by script whose answer carries no token is finished by the page that
// it came from.
func TestLoginsByScriptWithoutATokenGoBackToTheirPage(t *testing.T) {
	s, p := tokenStart(t)
	p.pages["/api/login"] = func(w http.ResponseWriter, _ *arrival) { fmt.Fprint(w, `{"ok":true}`) }
	c := s.client()
	c.byScript(alice, right)
	if r := c.enter(s.code(alice)); r.StatusCode != http.StatusSeeOther || r.location() != "/login?from=mail" {
		t.Errorf("after the code: %d to %q", r.StatusCode, r.location())
	}
}

func TestNoTokenStandsInTheStoreOrTheLog(t *testing.T) {
	s, _ := tokenStart(t)
	c := s.client()
	token := c.takeToken(alice)
	second := c.tokenOf(c.api("/api/refresh", "Authorization", "Bearer "+token))
	id := sessionOf(c)
	l := s.lease()
	defer l.Release()
	got, err := l.Parts().Store.Session(t.Context(), id, time.Now())
	raw, _ := json.Marshal(got)
	if err != nil || len(got.Tokens) != 2 || strings.Contains(string(raw), "token-") {
		t.Errorf("the session is %s, %v", raw, err)
	}
	for _, secret := range []string{token, second} {
		if strings.Contains(s.logged(), secret+`"`) || strings.Contains(s.logged(), "Bearer "+secret) {
			t.Errorf("%s stands in the log", secret)
		}
	}
}
