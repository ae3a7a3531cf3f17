package twofactor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// identityApp is an app that believes what stands before it.
func identityApp(t *testing.T) (*scripted, string) {
	t.Helper()
	return serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		fmt.Fprintf(w, "the page %s of <%s>", a.path(), a.Header.Get("Remote-User"))
	})
}

// basicAuth is Caddy's own basic_auth in front of the gateway.
func basicAuthUsers(t *testing.T, more string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(right), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	users := ""
	for _, user := range []string{alice, "ALICE@Example.com", bob, carol, "nobody@example.com"} {
		users += "\t\t" + user + " " + string(hash) + "\n"
	}
	return "http://localhost:{$PORT} {\n\t@closed not path /open/*\n\tbasic_auth @closed {\n" + users + "\t}\n" + `	two_factor {
		identity {http.auth.user.id}
		public /open/*
		protect *
		` + more + `
	}
	reverse_proxy {$UPSTREAM} {
		header_up Remote-User {http.auth.user.id}
	}
}
`
}

func identityStart(t *testing.T, more ...string) (*site, *scripted) {
	t.Helper()
	u, upstream := identityApp(t)
	return startSite(t, basicAuthUsers(t, strings.Join(more, "\n\t\t")), upstream), u
}

// enterAs enters a code where every request carries Basic.
func (c *client) enterAs(user, code string) reply {
	c.t.Helper()
	form := hidden(c.page("/.two-factor/challenge", basic(user, right)).body, codeField)
	to := form.Get("")
	if to == "" {
		c.t.Fatalf("%s has no challenge page", user)
	}
	delete(form, "")
	form.Set("code", code)
	return c.do(http.MethodPost, to, strings.NewReader(form.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic(user, right)}})
}

func mustBeChallenged(t *testing.T, what string, r reply) {
	t.Helper()
	if r.StatusCode != http.StatusSeeOther || r.location() != "/.two-factor/challenge" || strings.Contains(r.body, "of <") {
		t.Fatalf("%s: no challenge but %d to %q\n%s", what, r.StatusCode, r.location(), r.body)
	}
}

func TestIdentityIsChallengedBehindBasicAuth(t *testing.T) {
	s, u := identityStart(t)
	c := s.client()
	if r := c.page("/contacts?x=1"); r.StatusCode != http.StatusUnauthorized || r.Header.Get("WWW-Authenticate") == "" {
		t.Fatalf("without the first factor: %d", r.StatusCode)
	}
	mustBeChallenged(t, "the first page", c.page("/contacts?x=1", basic(alice, right)))
	before := c.cookies("/")[ownCookie]
	for range 2 {
		mustBeChallenged(t, "another page", c.page("/contacts?x=2", basic(alice, right)))
	}
	if r := c.asset("/logo.png", basic(alice, right)); r.StatusCode != http.StatusForbidden || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("an image while the challenge is open: %d %s", r.StatusCode, r.body)
	}
	if c.cookies("/")[ownCookie] != before {
		t.Error("navigating again has begun another challenge")
	}
	if len(u.arrivals()) > 0 {
		t.Errorf("%s reached the app", u.arrivals()[0].URI)
	}
	r := c.enterAs(alice, s.code(alice))
	if r.StatusCode != http.StatusSeeOther || r.location() != "/contacts?x=1" {
		t.Fatalf("after the code: %d to %q\n%s", r.StatusCode, r.location(), r.body)
	}
	for _, user := range []string{alice, "ALICE@Example.com"} {
		if r := c.page(r.location(), basic(user, right)); !isPageOf(r, user) {
			t.Errorf("as %s: %d %s", user, r.StatusCode, r.body)
		}
	}
	if r := c.asset("/logo.png", basic(alice, right)); !isPageOf(r, alice) {
		t.Errorf("an image: %d %s", r.StatusCode, r.body)
	}
	for _, a := range u.arrivals() {
		if a.Header.Get("Authorization") != "" {
			t.Errorf("the password reached the app with %s", a.URI)
		}
	}
}

func TestInvariant03AnIdentityOpensOnlyItsOwnSession(t *testing.T) {
	s, u := identityStart(t)
	c := s.client()
	c.page("/contacts", basic(alice, right))
	c.enterAs(alice, s.code(alice))
	stolen := c.jarLine("/")
	u.reset()
	as := func(path, user, dest, cookies string) reply {
		return s.stranger().do(http.MethodGet, path, nil, http.Header{
			"Authorization": {basic(user, right)}, "Cookie": {cookies}, "Sec-Fetch-Dest": {dest}})
	}
	for name, r := range map[string]reply{
		"an image as another user":         as("/logo.png", carol, "image", stolen),
		"a script as another user":         as("/api", carol, "empty", stolen),
		"a frame as another user":          as("/contacts", carol, "iframe", stolen),
		"the same user in another browser": as("/api", alice, "empty", "x=1"),
		"no identity on a public page":     s.stranger().with("/open/page", stolen),
	} {
		if strings.Contains(r.body, "of <"+alice) || strings.Contains(r.body, "of <"+carol) {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	if r := c.page("/contacts", basic(alice, right)); !isPageOf(r, alice) {
		t.Fatalf("her own session has ended: %d to %q", r.StatusCode, r.location())
	}
	mustBeChallenged(t, "another user in the browser", c.page("/contacts", basic(carol, right)))
	if r := as("/api", alice, "empty", stolen); strings.Contains(r.body, "of <") {
		t.Errorf("alice's session goes on after carol's challenge: %d %s", r.StatusCode, r.body)
	}
	mustBeChallenged(t, "the first user again, while it is open", c.page("/contacts", basic(alice, right)))
	if r := c.enterAs(alice, s.code(alice)); r.location() != "/contacts" {
		t.Errorf("after the code: %d to %q", r.StatusCode, r.location())
	}
	if r := c.page("/contacts", basic(carol, right)); strings.Contains(r.body, "of <") {
		t.Errorf("carol by alice's code: %s", r.body)
	}
}

func TestTheCodeOfAnIdentityIsTakenFromItsOwnUserOnly(t *testing.T) {
	s, _ := identityStart(t)
	c := s.client()
	c.page("/contacts", basic(alice, right))
	form := hidden(c.page("/.two-factor/challenge", basic(alice, right)).body, codeField)
	to := form.Get("")
	delete(form, "")
	form.Set("code", s.code(alice))
	r := c.do(http.MethodPost, to, strings.NewReader(form.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic(carol, right)}})
	if r.StatusCode == http.StatusSeeOther || len(r.setCookies(ownCookie)) > 0 {
		t.Errorf("%d to %q", r.StatusCode, r.location())
	}
}

func TestInvariant05AnIdentitySendsNoCodeByItself(t *testing.T) {
	s, _ := identityStart(t)
	c := s.client()
	mustBeChallenged(t, "bob", c.page("/contacts", basic(bob, right)))
	page := c.page("/.two-factor/challenge", basic(bob, right))
	if n := len(s.texts()); n != 0 {
		t.Fatalf("%d texts were sent", n)
	}
	form := hidden(page.body, "Send me a code")
	to := form.Get("")
	delete(form, "")
	c.do(http.MethodPost, to, strings.NewReader(form.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic(bob, right)}})
	if n := len(s.texts()); n != 1 {
		t.Fatalf("%d texts were sent by the button, want one", n)
	}
	if r := c.enterAs(bob, s.textCode()); r.location() != "/contacts" {
		t.Errorf("after the code: %d to %q", r.StatusCode, r.location())
	}
}

func TestIdentityIsAskedAtNavigationsOnly(t *testing.T) {
	s, _ := identityStart(t)
	for name, h := range map[string]http.Header{
		"a script": {"Sec-Fetch-Dest": {"empty"}}, "a frame": {"Sec-Fetch-Dest": {"iframe"}},
		"curl": {"Sec-Fetch-Dest": {""}, "Accept": {"*/*"}},
	} {
		h["Authorization"] = []string{basic(alice, right)}
		if r := s.client().do(http.MethodGet, "/contacts", nil, h); r.StatusCode != http.StatusForbidden || len(r.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %d %v", name, r.StatusCode, r.Header)
		}
	}
	r := s.client().do(http.MethodHead, "/contacts", nil, http.Header{"Authorization": {basic(alice, right)}})
	if r.StatusCode != http.StatusForbidden {
		t.Errorf("HEAD: %d", r.StatusCode)
	}
	c := s.client()
	mustBeChallenged(t, "a form", c.do(http.MethodPost, "/save", strings.NewReader("a=b"), http.Header{
		"Authorization": {basic(alice, right)}, "Referer": {s.url + "/form?id=1"}, "Content-Type": {"application/x-www-form-urlencoded"}}))
	if r := c.enterAs(alice, s.code(alice)); r.location() != "/form?id=1" {
		t.Errorf("after a form: %d to %q", r.StatusCode, r.location())
	}
	c = s.client()
	c.page("//evil.example/x", basic(carol, right))
	if r := c.enterAs(carol, s.code(carol)); r.location() != "/" {
		t.Errorf("an address with two slashes leads to %q", r.location())
	}
}

func TestAnIdentityWithoutAnAccountIsRefusedOrAllowed(t *testing.T) {
	s, u := identityStart(t)
	if r := s.client().page("/contacts", basic("nobody@example.com", right)); r.StatusCode != http.StatusForbidden || len(u.arrivals()) > 0 {
		t.Errorf("refuse: %d", r.StatusCode)
	}
	c := s.client()
	c.reload(basicAuthUsers(t, "unknown_user allow"))
	if r := c.page("/contacts", basic("nobody@example.com", right)); r.location() != "/contacts" {
		t.Fatalf("allow: %d to %q", r.StatusCode, r.location())
	}
	if r := c.page("/contacts", basic("nobody@example.com", right)); !isPageOf(r, "nobody@example.com") {
		t.Errorf("allow: %d %s", r.StatusCode, r.body)
	}
}

func TestAnIdentityGoesNowhereAsAnAnonymousVisitor(t *testing.T) {
	s, u := identityStart(t, "unverified anonymous")
	mustBeChallenged(t, "a page", s.client().page("/contacts", basic(alice, right)))
	s.client().asset("/logo.png", basic(alice, right))
	if len(u.arrivals()) > 0 {
		t.Errorf("%s reached the app", u.arrivals()[0].URI)
	}
}

func TestAnIdentitySessionEndsAndIsKeptOverAReload(t *testing.T) {
	s, _ := identityStart(t)
	clock := s.clock()
	c := s.client()
	c.page("/contacts", basic(alice, right))
	c.enterAs(alice, s.code(alice))
	clock.pass(9 * time.Hour)
	mustBeChallenged(t, "after 9 hours", c.page("/contacts", basic(alice, right)))
	clock.pass(-9 * time.Hour)
	d := s.client()
	d.reload(basicAuthUsers(t, ""))
	d.page("/contacts", basic(carol, right))
	d.enterAs(carol, s.code(carol))
	d.reload(basicAuthUsers(t, ""))
	if r := d.page("/contacts", basic(carol, right)); !isPageOf(r, carol) {
		t.Errorf("after a reload: %d to %q", r.StatusCode, r.location())
	}
}

// forward_auth to a server of the operator's own, which knows its people by a
// cookie and says who in a header that is copied.
func TestIdentityIsChallengedBehindForwardAuth(t *testing.T) {
	auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, err := r.Cookie("sso")
		switch {
		case err == nil && k.Value == "guest":
		case err == nil:
			w.Header().Set("Remote-User", k.Value)
		default:
			w.Header().Set("Location", "https://sso.example.com/")
			w.WriteHeader(http.StatusFound)
		}
	}))
	t.Cleanup(auth.Close)
	u, upstream := identityApp(t)
	s := startSite(t, `http://localhost:{$PORT} {
	forward_auth `+auth.Listener.Addr().String()+` {
		uri /verify
		copy_headers Remote-User
	}
	two_factor {
		identity {http.request.header.Remote-User}
		readable sso
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`, upstream)
	c := s.client()
	if r := c.get("/contacts"); r.location() != "https://sso.example.com/" {
		t.Fatalf("without the first factor: %d to %q", r.StatusCode, r.location())
	}
	c.setCookie("sso", alice)
	mustBeChallenged(t, "alice", c.get("/contacts"))
	if r := c.enter(s.code(alice)); r.location() != "/contacts" {
		t.Fatalf("after the code: %d to %q", r.StatusCode, r.location())
	}
	if r := c.get("/contacts"); !isPageOf(r, alice) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	// What the client says of itself counts for nothing.
	for _, spelling := range []string{"Remote-User", "remote-user", "Remote_User"} {
		if r := c.do(http.MethodGet, "/contacts", nil, http.Header{spelling: {carol}}); !isPageOf(r, alice) {
			t.Errorf("%s: carol: %d %s", spelling, r.StatusCode, r.body)
		}
		for name := range u.last(t).Header {
			if name != "Remote-User" && strings.EqualFold(strings.ReplaceAll(name, "_", "-"), "Remote-User") {
				t.Errorf("%s: the app got the client's %s, which CGI reads as Remote-User", spelling, name)
			}
		}
	}
	u.reset()
	c.setCookie("sso", "guest")
	for name, h := range map[string]http.Header{"nobody": nil, "a made-up name": {"Remote-User": {alice}}} {
		r := c.do(http.MethodGet, "/contacts", nil, h)
		if strings.Contains(r.body, "of <") || len(u.arrivals()) > 0 {
			t.Errorf("%s in her session: %d %s", name, r.StatusCode, r.body)
		}
	}
	c.setCookie("sso", carol)
	mustBeChallenged(t, "carol in her browser", c.get("/contacts"))
}

func TestAnInstanceNeedsALoginOrAnIdentity(t *testing.T) {
	s := newSite(t)
	err := s.tryLoad(`http://localhost:{$PORT} {
	two_factor {
		protect *
	}
}
`)
	if err == nil || !strings.Contains(err.Error(), "at least one login or an identity") {
		t.Errorf("the Caddyfile: %v", err)
	}
	h := Handler{}
	if err := h.check(); err == nil || !strings.Contains(err.Error(), "neither a login nor an identity") {
		t.Errorf("the JSON: %v", err)
	}
}

func TestALoginUnderAnotherIdentityGoesWithoutTheSessionsValues(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, strings.Replace(basicAuthUsers(t, "login fields email password {\n\t\t\tyes redirect /dashboard*\n\t\t\tno status 200\n\t\t}"), "Remote-User", "X-Nobody", 1), upstream)
	c := s.client()
	c.page("/contacts", basic(alice, right))
	c.enterAs(alice, s.code(alice))
	c.page("/contacts", basic(alice, right))
	c.page("/contacts", basic(alice, right))
	if l.last(t).cookie("sid") == "" {
		t.Fatal("the app's session does not come with her requests")
	}
	l.reset()
	c.do(http.MethodPost, "/login", loginBody(carol, "wrong"), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic(carol, right)}})
	if a := l.last(t); a.cookie("sid") != "" {
		t.Errorf("her session reached the app with another's login: %q", a.Cookies)
	}
}

func TestAnIdentityThatNamesNobodyIsWarnedOfOnce(t *testing.T) {
	u, upstream := identityApp(t)
	s := startSite(t, strings.Replace(basicAuthUsers(t, ""), "identity {http.auth.user.id}", "identity {http.auth.usr.id}", 1), upstream)
	c := s.client()
	for range 2 {
		if r := c.page("/contacts", basic(alice, right)); r.StatusCode != http.StatusForbidden || len(u.arrivals()) > 0 {
			t.Errorf("%d to %q", r.StatusCode, r.location())
		}
	}
	c.get("/open/x")
	if n := strings.Count(s.twoFactorLog(), "identity names nobody"); n != 1 {
		t.Errorf("the log warns %d times, want once", n)
	}
}
