package twofactor

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// basicApp asks for Basic on every page, as apps behind a web server's own
// passwords do.
func basicApp(t *testing.T) (*scripted, string) {
	t.Helper()
	return serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		user := basicUser(a)
		if user == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="Old CRM"`)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, "the app's own 401")
			return
		}
		fmt.Fprintf(w, "the page %s of <%s>", a.path(), user)
	})
}

// basicUser is who speaks, by the first Authorization line that is right.
func basicUser(a *arrival) string {
	for _, line := range a.Header["Authorization"] {
		r := http.Request{Header: http.Header{"Authorization": {line}}}
		if user, password, ok := r.BasicAuth(); ok && password == right {
			return user
		}
	}
	return ""
}

const basicConfig = `http://localhost:{$PORT} {
	two_factor {
		login * {
			user basic
			yes status 2xx 3xx 404
			no status 401
		}
		unverified anonymous
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`

func basicStart(t *testing.T) (*site, *scripted) {
	t.Helper()
	u, upstream := basicApp(t)
	return startSite(t, basicConfig, upstream), u
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// page asks for a page with Authorization lines, as a navigation.
func (c *client) page(path string, authorization ...string) reply {
	c.t.Helper()
	return c.do(http.MethodGet, path, nil, http.Header{"Authorization": authorization})
}

// asset asks for an image with Authorization lines.
func (c *client) asset(path string, authorization ...string) reply {
	c.t.Helper()
	return c.do(http.MethodGet, path, nil, http.Header{"Authorization": authorization, "Sec-Fetch-Dest": {"image"}, "Accept": {"image/*"}})
}

// passBasic signs in with Basic and a code, and keeps sending Basic.
func (c *client) passBasic(user, password string) reply {
	c.t.Helper()
	r := c.page("/contacts", basic(user, password))
	if r.location() != "/.two-factor/challenge" {
		c.t.Fatalf("right Basic of %s gave %d to %q\n%s", user, r.StatusCode, r.location(), r.body)
	}
	form := hidden(c.page("/.two-factor/challenge", basic(user, password)).body, codeField)
	to := form.Get("")
	delete(form, "")
	form.Set("code", c.s.code(user))
	return c.do(http.MethodPost, to, strings.NewReader(form.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic(user, password)}})
}

func isPageOf(r reply, user string) bool {
	return r.StatusCode == http.StatusOK && strings.HasSuffix(r.body, " of <"+user+">")
}

func TestBasicOnEveryPage(t *testing.T) {
	s, u := basicStart(t)
	c := s.client()
	r := c.page("/contacts")
	if r.StatusCode != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") == "" || r.body != "the app's own 401" {
		t.Fatalf("without credentials: %d %v %s", r.StatusCode, r.Header, r.body)
	}
	r = c.page("/contacts", basic(alice, "wrong"))
	if r.StatusCode != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") == "" || r.body != "the app's own 401" {
		t.Fatalf("a wrong password: %d %v %s", r.StatusCode, r.Header, r.body)
	}
	if r = c.passBasic(alice, right); !isPageOf(r, alice) {
		t.Fatalf("after the code: %d %s", r.StatusCode, r.body)
	}
	for range 3 {
		if r := c.page("/contacts/2", basic(alice, right)); !isPageOf(r, alice) {
			t.Errorf("the browser's Basic in its session: %d %s", r.StatusCode, r.body)
		}
		if r := c.asset("/logo.png", basic(alice, right)); !isPageOf(r, alice) {
			t.Errorf("an asset: %d %s", r.StatusCode, r.body)
		}
	}
	r = c.do(http.MethodPost, "/contacts", strings.NewReader(strings.Repeat("x", 100<<10)), http.Header{"Authorization": {basic(alice, right)}})
	if !isPageOf(r, alice) {
		t.Errorf("a large upload in the session: %d %s", r.StatusCode, r.body)
	}
	u.reset()
	for name, r := range map[string]reply{
		"a page":            s.stranger().page("/contacts", basic(alice, right)),
		"an asset":          s.stranger().asset("/logo.png", basic(alice, right)),
		"POST":              s.stranger().do(http.MethodPost, "/x", strings.NewReader("a"), http.Header{"Authorization": {basic(alice, right)}}),
		"in another scheme": s.stranger().asset("/logo.png", "basic "+strings.TrimPrefix(basic(alice, right), "Basic ")),
	} {
		if strings.Contains(r.body, "of <") {
			t.Errorf("%s: Basic alone, in another browser, opens: %d %s", name, r.StatusCode, r.body)
		}
	}
}

func TestASecondUsersBasicInAVerifiedSessionIsChallenged(t *testing.T) {
	for name, send := range map[string]func(c *client) reply{
		"a page":   func(c *client) reply { return c.page("/contacts", basic(carol, right)) },
		"an asset": func(c *client) reply { return c.asset("/logo.png", basic(carol, right)) },
		"scheme in capitals": func(c *client) reply {
			return c.page("/contacts", "BASIC "+strings.TrimPrefix(basic(carol, right), "Basic "))
		},
		"two Authorization headers": func(c *client) reply { return c.page("/contacts", basic(alice, right), basic(carol, right)) },
		"in the other order":        func(c *client) reply { return c.page("/contacts", basic(carol, right), basic(alice, right)) },
		"POST": func(c *client) reply {
			return c.do(http.MethodPost, "/contacts", strings.NewReader("a=b"), http.Header{"Authorization": {basic(carol, right)}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := basicStart(t)
			c := s.client()
			c.passBasic(alice, right)
			r := send(c)
			if strings.Contains(r.body, "of <") {
				t.Errorf("%d %s", r.StatusCode, r.body)
			}
			if r := c.asset("/logo.png", basic(carol, right)); strings.Contains(r.body, "of <") {
				t.Errorf("afterwards: %d %s", r.StatusCode, r.body)
			}
		})
	}
}

func TestBasicThatCannotBeReadIsRefused(t *testing.T) {
	s, u := basicStart(t)
	c := s.client()
	c.passBasic(alice, right)
	u.reset()
	for name, line := range map[string]string{
		"no base64":        "Basic !!!!",
		"no colon":         "Basic " + base64.StdEncoding.EncodeToString([]byte("alice")),
		"no user":          basic("", right),
		"nothing":          "Basic",
		"a blank more":     "Basic  " + strings.TrimPrefix(basic(carol, right), "Basic "),
		"a tab":            "Basic\t" + strings.TrimPrefix(basic(carol, right), "Basic "),
		"not UTF-8":        "Basic " + base64.StdEncoding.EncodeToString([]byte("\xe9\xff:right")),
		"no scheme":        strings.TrimPrefix(basic(carol, right), "Basic "),
		"another scheme":   "Bearer " + strings.TrimPrefix(basic(carol, right), "Basic "),
		"credential's end": basic(alice, right) + "=",
	} {
		for _, c := range []*client{c, s.client()} {
			if r := c.page("/contacts", line); strings.Contains(r.body, "of <") {
				t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
			}
		}
	}
	for _, a := range u.arrivals() {
		if user := basicUser(a); user == carol {
			t.Errorf("the app was reached as %s with %q", user, a.Header["Authorization"])
		}
	}
}

func TestInAPendingSessionTheSameBasicIsNoNewLogin(t *testing.T) {
	s, u := basicStart(t)
	c := s.client()
	c.page("/contacts", basic(bob, right))
	sent := len(s.texts())
	if sent != 1 {
		t.Fatalf("%d texts were sent, want one", sent)
	}
	before := c.cookies("/")[ownCookie]
	u.reset()
	for range 3 {
		if r := c.page("/contacts", basic(bob, right)); r.location() != "/.two-factor/challenge" {
			t.Errorf("a reload: %d to %q", r.StatusCode, r.location())
		}
		if r := c.asset("/logo.png", basic(bob, right)); r.StatusCode != http.StatusForbidden || r.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("an asset: %d %v", r.StatusCode, r.Header)
		}
	}
	if n := len(s.texts()); n != sent {
		t.Errorf("%d more texts were sent", n-sent)
	}
	if c.cookies("/")[ownCookie] != before || len(u.arrivals()) > 0 {
		t.Errorf("a new login was begun, and %d requests reached the app", len(u.arrivals()))
	}
	if r := c.asset("/logo.png", basic(alice, right)); strings.Contains(r.body, "of <") {
		t.Errorf("another user's: %s", r.body)
	}
	if c.cookies("/")[ownCookie] == before {
		t.Error("another user's Basic is no new login")
	}
}

// A 401 would make a browser forget the password that it has sent.
func TestWhoeverSentBasicIsToldThatThePasswordWasNotRefused(t *testing.T) {
	s, _ := basicStart(t)
	c := s.client()
	c.page("/contacts", basic(bob, right))
	for name, test := range map[string]struct {
		authorization []string
		want          int
	}{
		"Basic":            {[]string{basic(bob, right)}, http.StatusForbidden},
		"in another case":  {[]string{"bASIC " + strings.TrimPrefix(basic(bob, right), "Basic ")}, http.StatusForbidden},
		"no Authorization": {nil, http.StatusUnauthorized},
		"a token":          {[]string{"Bearer abc"}, http.StatusUnauthorized},
		"another scheme":   {[]string{"Digest abc"}, http.StatusUnauthorized},
	} {
		r := c.asset("/logo.png", test.authorization...)
		if r.StatusCode != test.want || !strings.Contains(r.body, fmt.Sprintf(`"status":%d`, test.want)) {
			t.Errorf("%s: %d, want %d\n%s", name, r.StatusCode, test.want, r.body)
		}
	}
}

// What browsers send by themselves sends no code by itself.
func TestInvariant05BasicThatTheBrowserSendsByItselfSendsNoCode(t *testing.T) {
	for name, send := range map[string]func(s *site) reply{
		"with an asset": func(s *site) reply { return s.client().asset("/logo.png", basic(bob, right)) },
		"by a link from elsewhere": func(s *site) reply {
			return s.client().do(http.MethodGet, "/contacts", nil, http.Header{"Authorization": {basic(bob, right)}, "Sec-Fetch-Site": {"cross-site"}})
		},
		"after its session": func(s *site) reply {
			c := s.client()
			c.setCookie(ownCookie, strings.Repeat("A", 43))
			return c.page("/contacts", basic(bob, right))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := basicStart(t)
			send(s)
			if n := len(s.texts()); n != 0 {
				t.Errorf("%d texts were sent", n)
			}
		})
	}
}

// Basic that only came along with another login's form is worth nothing.
func TestBasicBesideAFormIsNotBound(t *testing.T) {
	u, upstream := serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		if a.path() == "/login" && a.field("password") == right {
			w.Header().Set("Location", "/")
			w.WriteHeader(http.StatusFound)
			return
		}
		fmt.Fprintf(w, "the page %s of <%s>", a.path(), basicUser(a))
	})
	s := startSite(t, `http://localhost:{$PORT} {
	two_factor {
		login /login {
			user form email
			yes redirect /
			no status 200
		}
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`, upstream)
	c := s.client()
	c.do(http.MethodPost, "/login", loginBody(alice, right), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic(carol, right)}})
	c.enter(s.code(alice))
	u.reset()
	if r := c.page("/contacts", basic(carol, right)); !isPageOf(r, "") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// An app that takes a key with the user's name on every page.
func TestAKeyOnEveryPageIsBoundToItsSession(t *testing.T) {
	_, upstream := serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		user := a.Header.Get("X-Api-User")
		if user == "" || a.Header.Get("X-Api-Key") != "key of "+user {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "the page %s of <%s>", a.path(), user)
	})
	s := startSite(t, `http://localhost:{$PORT} {
	@key header X-Api-User *
	two_factor {
		login @key {
			user header X-Api-User
			yes status 200
			no status 401
		}
		credential field X-Api-Key
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`, upstream)
	c := s.client()
	key := func(c *client, user, key string) reply {
		return c.api("/contacts", "X-Api-User", user, "X-Api-Key", "key of "+key)
	}
	if r := key(c, alice, alice); r.StatusCode != http.StatusUnauthorized || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("the first request: %d %s", r.StatusCode, r.body)
	}
	c.enter(s.code(alice))
	for range 2 {
		if r := key(c, alice, alice); !isPageOf(r, alice) {
			t.Errorf("in its session: %d %s", r.StatusCode, r.body)
		}
	}
	for name, r := range map[string]reply{
		"without the own cookie": key(s.stranger(), alice, alice),
		"another user's":         key(c, carol, carol),
	} {
		if strings.Contains(r.body, "of <") {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
}
