package twofactor

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// severalApp is an app that keeps several users in one session and is told by
// each request for whom it speaks.
type severalApp struct {
	*scripted
	mu    sync.Mutex
	next  int
	users map[string][]string
}

func severalStart(t *testing.T, speaks ...string) (*site, *severalApp) {
	t.Helper()
	p := &severalApp{users: map[string][]string{}}
	u, upstream := serveScripted(t, p.serve)
	p.scripted = u
	return startSite(t, ledgerConfig(speaks...), upstream), p
}

func (p *severalApp) serve(w http.ResponseWriter, a *arrival) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sid := a.cookie("sid")
	if _, ok := p.users[sid]; !ok {
		p.next++
		sid = fmt.Sprintf("session-%d", p.next)
		p.users[sid] = nil
		w.Header().Add("Set-Cookie", "sid="+sid+"; Path=/")
	}
	if a.path() == "/login" && a.field("password") == right {
		p.users[sid] = append(p.users[sid], a.field("email"))
		w.Header().Set("Location", "/dashboard")
		w.WriteHeader(http.StatusFound)
		return
	}
	// Any of the names counts that is logged in: the worst of all apps.
	for _, user := range p.users[sid] {
		if strings.Contains(fmt.Sprint(unescaped(a.URI), a.Header, unescaped(a.Body)), "name="+user) ||
			strings.Contains(a.Body, `"`+user+`"`) || slices.Contains(a.Header["X-User"], user) {
			fmt.Fprintf(w, "the page %s of <%s>", a.path(), user)
			return
		}
	}
	fmt.Fprintf(w, "the page %s of <>", a.path())
}

func unescaped(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func TestInvariant03SeveralUsersInOneSessionAreEachVerified(t *testing.T) {
	s, p := severalStart(t, "speaks_for query username")
	c := s.client()
	c.pass(alice)
	if r := c.get("/contacts?username=" + alice); !isPageOf(r, alice) {
		t.Fatalf("alice: %d %s", r.StatusCode, r.body)
	}
	c.pass(carol)
	for name, test := range map[string]struct {
		send func() reply
		user string
	}{
		"the verified user":        {func() reply { return c.get("/contacts?username=" + carol) }, carol},
		"in another spelling":      {func() reply { return c.get("/contacts?username=CAROL%40example.com") }, ""},
		"the other user":           {func() reply { return c.get("/contacts?username=" + alice) }, "-"},
		"both":                     {func() reply { return c.get("/contacts?username=" + carol + "&username=" + alice) }, "-"},
		"the other way round":      {func() reply { return c.get("/contacts?username=" + alice + "&username=" + carol) }, "-"},
		"percent-encoded":          {func() reply { return c.get("/contacts?username=" + carol + "&%75sername=" + alice) }, "-"},
		"an array":                 {func() reply { return c.get("/contacts?username=" + carol + "&username[]=" + alice) }, "-"},
		"behind a semicolon":       {func() reply { return c.get("/contacts?username=" + carol + ";username=" + alice) }, "-"},
		"with a blank":             {func() reply { return c.get("/contacts?username=" + carol + "&+username=" + alice) }, "-"},
		"nobody":                   {func() reply { return c.get("/contacts") }, "-"},
		"an empty name":            {func() reply { return c.get("/contacts?username=") }, "-"},
		"what cannot be read":      {func() reply { return c.get("/contacts?username=%zz" + alice) }, "-"},
		"a form beside it":         {func() reply { return c.post("/contacts?username="+carol, url.Values{"username": {alice}}) }, "-"},
		"a form that agrees":       {func() reply { return c.post("/contacts?username="+carol, url.Values{"username": {carol}}) }, carol},
		"a form of something else": {func() reply { return c.post("/contacts?username="+carol, url.Values{"a": {"b"}}) }, carol},
		"a form alone":             {func() reply { return c.post("/contacts", url.Values{"username": {carol}}) }, "-"},
		"a large form with the other": {func() reply {
			return c.post("/contacts?username="+carol, url.Values{"a": {strings.Repeat("x", 80<<10)}, "username": {alice}})
		}, "-"},
		"on a public page": {func() reply { return c.get("/open/page?username=" + alice) }, "-"},
	} {
		p.reset()
		r := test.send()
		switch {
		case test.user == "-" && (strings.Contains(r.body, "of <"+alice) || strings.Contains(r.body, "of <"+carol)):
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		case test.user != "-" && test.user != "" && !isPageOf(r, test.user):
			t.Errorf("%s: %d to %q %s", name, r.StatusCode, r.location(), r.body)
		case test.user == "" && r.StatusCode != http.StatusOK:
			t.Errorf("%s: %d to %q", name, r.StatusCode, r.location())
		}
		for _, a := range p.arrivals() {
			if test.user == "-" && a.cookie("sid") != "" {
				t.Errorf("%s: the session's values reached the app with %s", name, a.URI)
			}
		}
	}
	if r := c.get("/contacts?username=" + carol); !isPageOf(r, carol) {
		t.Errorf("the session has ended: %d to %q", r.StatusCode, r.location())
	}
	// The second user signs in from the app's own form, in the same session.
	if r := c.get("/login"); r.StatusCode != http.StatusOK || p.last(t).cookie("sid") == "" {
		t.Errorf("the login page: %d, %q", r.StatusCode, p.last(t).Cookies)
	}
	// The login page is asked for in nobody's name, not in another's: some apps
	// have all their pages at its address.
	for _, query := range []string{"username=" + alice, "username=" + carol + "&username=" + alice, "username=%zz"} {
		if r := c.get("/login?page=contacts&" + query); p.last(t).cookie("sid") != "" || strings.Contains(r.body, "of <"+alice) {
			t.Errorf("the login page with %s: %d %s, %q", query, r.StatusCode, r.body, p.last(t).Cookies)
		}
	}
	if r := c.get("/login?username=" + carol); !isPageOf(r, carol) {
		t.Errorf("the login page in her own name: %d %s", r.StatusCode, r.body)
	}
	if r := c.tryLogin(alice, "wrong"); r.StatusCode != http.StatusOK {
		t.Errorf("a wrong password: %d", r.StatusCode)
	}
}

func TestWhomARequestSpeaksForStandsWhereTheOperatorSays(t *testing.T) {
	json := func(c *client, body string) reply {
		return c.do(http.MethodPost, "/api", strings.NewReader(body), http.Header{"Content-Type": {"application/json"}})
	}
	header := func(c *client, fields ...string) reply { return c.api("/api", fields...) }
	for _, test := range []struct {
		name   string
		speaks []string
		send   func(c *client) reply
		opens  bool
	}{
		{"a form", []string{"speaks_for form username"}, func(c *client) reply { return c.post("/x", url.Values{"username": {alice}}) }, true},
		{"a form, somebody else", []string{"speaks_for form username"}, func(c *client) reply { return c.post("/x", url.Values{"username": {bob}}) }, false},
		{"a form, and the query as well", []string{"speaks_for form username"}, func(c *client) reply {
			return c.post("/x?username="+bob, url.Values{"username": {alice}})
		}, false},
		{"a form's field in the query", []string{"speaks_for form username"}, func(c *client) reply { return c.get("/x?username=" + alice) }, false},
		{"query or form, by query", []string{"speaks_for query username", "speaks_for form username"}, func(c *client) reply { return c.get("/x?username=" + alice) }, true},
		{"query or form, by form", []string{"speaks_for query username", "speaks_for form username"}, func(c *client) reply {
			return c.post("/x", url.Values{"username": {alice}})
		}, true},
		{"JSON", []string{"speaks_for json who.name"}, func(c *client) reply { return json(c, `{"who":{"name":"alice@example.com"}}`) }, true},
		{"JSON, somebody else", []string{"speaks_for json who.name"}, func(c *client) reply { return json(c, `{"who":{"name":"bob@example.com"}}`) }, false},
		{"JSON, twice", []string{"speaks_for json who.name"}, func(c *client) reply {
			return json(c, `{"who":{"name":"alice@example.com","name":"bob@example.com"}}`)
		}, false},
		{"JSON, broken", []string{"speaks_for json who.name"}, func(c *client) reply { return json(c, `{"who":{"name":"alice@example.com"}`) }, false},
		{"JSON that says to be text", []string{"speaks_for header X-User", "speaks_for json who.name"}, func(c *client) reply {
			return c.do(http.MethodPost, "/api", strings.NewReader(`{"who":{"name":"bob@example.com"}}`), http.Header{"Content-Type": {"text/plain"}, "X-User": {alice}})
		}, false},
		{"JSON that says to be a form", []string{"speaks_for header X-User", "speaks_for json who.name"}, func(c *client) reply {
			return c.do(http.MethodPost, "/api", strings.NewReader(`{"who":{"name":"bob@example.com"}}`), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "X-User": {alice}})
		}, false},
		{"text that is no JSON", []string{"speaks_for header X-User", "speaks_for json who.name"}, func(c *client) reply {
			return c.do(http.MethodPost, "/api", strings.NewReader("a note"), http.Header{"Content-Type": {"text/plain"}, "X-User": {alice}})
		}, true},
		{"a form without a type beside the query", []string{"speaks_for query username"}, func(c *client) reply {
			return c.do(http.MethodPost, "/x?username="+alice, strings.NewReader("username="+bob), http.Header{})
		}, false},
		{"text without the name beside the query", []string{"speaks_for query username"}, func(c *client) reply {
			return c.do(http.MethodPost, "/x?username="+alice, strings.NewReader("a=b"), http.Header{})
		}, true},
		{"a form in another coding beside the query", []string{"speaks_for query username"}, func(c *client) reply {
			return c.do(http.MethodPost, "/x?username="+alice, strings.NewReader("username="+bob), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Content-Encoding": {"deflate"}})
		}, false},
		{"a header", []string{"speaks_for header X-User"}, func(c *client) reply { return header(c, "X-User", alice) }, true},
		{"a header, somebody else", []string{"speaks_for header X-User"}, func(c *client) reply { return header(c, "X-User", bob) }, false},
		{"a header, twice", []string{"speaks_for header X-User"}, func(c *client) reply { return header(c, "X-User", alice, "X-User", bob) }, false},
		{"a header, none", []string{"speaks_for header X-User"}, func(c *client) reply { return header(c) }, false},
		{"an alias", []string{"speaks_for header X-User"}, func(c *client) reply { return header(c, "X-User", "Alice Archer") }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, p := severalStart(t, test.speaks...)
			s.alias(alice, "alice archer")
			c := s.client()
			c.pass(alice)
			p.reset()
			r := test.send(c)
			opened := false
			for _, a := range p.arrivals() {
				opened = opened || a.cookie("sid") != ""
			}
			if opened != test.opens {
				t.Errorf("the session was used: %v; answer %d to %q %s", opened, r.StatusCode, r.location(), r.body)
			}
		})
	}
}

// alias gives a user another name.
func (s *site) alias(user, alias string) {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	acc, err := l.Parts().Store.Account(s.t.Context(), defaultName, account.Fold(user))
	if err != nil {
		s.t.Fatal(err)
	}
	acc.Aliases = []string{alias}
	if err := l.Parts().Store.PutAccounts(s.t.Context(), []account.Account{acc}); err != nil {
		s.t.Fatal(err)
	}
}
