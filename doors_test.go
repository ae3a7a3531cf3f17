package twofactor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// routedConfig tells the login by its route: POST /login.
func routedConfig(more string) string {
	return `http://localhost:{$PORT} {
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
		` + more + `
	}
	reverse_proxy {$UPSTREAM}
}
`
}

// sendsOn makes the ledger's login page follow next, and send whoever is
// logged in on without a look at the password, as Django's
// redirect_authenticated_user and Laravel's guest middleware do.
func sendsOn(l *ledger) {
	l.pages["/login"] = func(w http.ResponseWriter, a *arrival) bool {
		switch {
		case l.user(a) != "":
		case strings.ToUpper(a.Method) == http.MethodPost && a.field("password") == right:
			l.mu.Lock()
			l.users[a.cookie("sid")] = a.field("email")
			l.mu.Unlock()
		default:
			return false
		}
		to := a.field("next")
		if to == "" {
			to = "/dashboard"
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
		return true
	}
}

func lowerCaseLogin(s *site, c *client, user string) reply {
	body := url.Values{"email": {user}, "password": {right}, "next": {"/open/page"}}.Encode()
	return s.raw(fmt.Sprintf("post /login HTTP/1.1\nHost: {host}\nConnection: close\nContent-Type: application/x-www-form-urlencoded\nContent-Length: %d\nCookie: %s\n\n%s",
		len(body), c.jarLine("/"), body))
}

func TestAMethodInLowerCaseOpensNothingToAVisitor(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, routedConfig("unverified anonymous"), upstream)
	sendsOn(l)
	c := s.client()
	c.get("/open/page")
	lowerCaseLogin(s, c, bob)
	if r := c.get("/contacts"); strings.Contains(r.body, bob) {
		t.Errorf("bob's contacts without a code: %s", r.body)
	}
}

func TestAMethodInLowerCaseOpensNoOtherUsersSession(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, routedConfig(""), upstream)
	sendsOn(l)
	// The attacker is alice, and knows the password of bob.
	c := s.client()
	c.get("/open/page")
	lowerCaseLogin(s, c, bob)
	if r := c.tryLogin(alice, right); r.location() == "/.two-factor/challenge" {
		c.enter(s.code(alice))
	}
	if r := c.get("/contacts"); strings.Contains(r.body, bob) {
		t.Errorf("bob's contacts without bob's code: %s", r.body)
	}
}

func TestTRACEIsRefusedInAnyCase(t *testing.T) {
	s, _ := ledgerStart(t)
	for _, method := range []string{"trace", "Trace", "track"} {
		if r := s.raw(method + " /open/page HTTP/1.1\nHost: {host}\nConnection: close"); r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, r.StatusCode)
		}
	}
}

// secondDoor is a login that nobody declared and that keeps the session's id.
func secondDoor(l *ledger, sets bool) {
	l.pages["/open/door"] = func(w http.ResponseWriter, a *arrival) bool {
		if a.Method == http.MethodPost && a.field("pin") == right {
			l.mu.Lock()
			l.users[a.cookie("sid")] = a.field("who")
			l.mu.Unlock()
			if sets {
				w.Header().Add("Set-Cookie", "sid="+a.cookie("sid")+"; Path=/; HttpOnly")
			}
		}
		return false
	}
}

func throughTheDoor(s *site, cookies string) {
	s.stranger().do(http.MethodPost, "/open/door", strings.NewReader(url.Values{"who": {bob}, "pin": {right}}.Encode()),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {cookies}})
}

func TestAnOldSealDoesNotSpareASessionItsProof(t *testing.T) {
	for name, sets := range map[string]bool{"the app sets the cookie again": true, "the app sets no cookie": false} {
		t.Run(name, func(t *testing.T) {
			s, l := provedStart(t)
			secondDoor(l, sets)
			c := s.client()
			c.pass(alice)
			before := c.jarLine("/")
			throughTheDoor(s, before)
			if r := s.stranger().with("/contacts", before); strings.Contains(r.body, bob) {
				t.Errorf("bob's contacts in alice's session: %s", r.body)
			}
		})
	}
}

func TestAnOldSealDoesNotSpareALineItsProof(t *testing.T) {
	for name, sets := range map[string]bool{"the app sets the cookie again": true, "the app sets no cookie": false} {
		t.Run(name, func(t *testing.T) {
			s, l := provedStart(t, "unverified anonymous")
			secondDoor(l, sets)
			c := s.client()
			c.get("/open/page")
			before := c.jarLine("/")
			throughTheDoor(s, before)
			if r := s.stranger().with("/contacts", before); strings.Contains(r.body, bob) {
				t.Errorf("bob's contacts without any code: %s", r.body)
			}
		})
	}
}

func TestRule08AWrongPasswordInALoggedInBrowserSendsNoCode(t *testing.T) {
	s, l := ledgerStart(t)
	sendsOn(l)
	c := s.client()
	c.pass(alice)
	c.tryLogin(bob, "wrong")
	if n := len(s.texts()); n != 0 {
		t.Errorf("a wrong password for bob in alice's browser sent %d texts", n)
	}
}

func TestRule05WhoHasRegisteredAndLacksThePasswordPausesNobody(t *testing.T) {
	s, l := ledgerStart(t)
	sendsOn(l)
	l.pages["/open/register"] = func(w http.ResponseWriter, a *arrival) bool {
		l.mu.Lock()
		l.users[a.cookie("sid")] = "mallory@example.com"
		l.mu.Unlock()
		return false
	}
	for range 2 {
		c := s.client()
		c.get("/open/page")
		c.post("/open/register", url.Values{})
		if r := c.tryLogin(alice, "wrong"); r.location() != "/.two-factor/challenge" {
			continue
		}
		for range 5 {
			if page := c.get("/.two-factor/challenge"); strings.Contains(page.body, codeField) {
				c.submit(page, codeField, map[string]string{"code": "000000"})
			}
		}
	}
	l.pages["/login"] = nil
	c := s.client()
	c.get("/login")
	c.tryLogin(alice, right)
	if page := c.get("/.two-factor/challenge"); !strings.Contains(page.body, codeField) {
		t.Error("alice is locked out by somebody who knows neither her password nor a code")
	}
}

func TestASessionInABodyOpensNoOtherUsersSession(t *testing.T) {
	l, upstream := newLedger(t)
	inner := l.scripted.answer
	l.scripted.answer = func(w http.ResponseWriter, a *arrival) {
		// PHP with session.use_only_cookies=0, or session_id($_POST["PHPSESSID"]).
		if form, err := url.ParseQuery(a.Body); err == nil && form.Has("PHPSESSID") && a.cookie("sid") == "" {
			id := form.Get("PHPSESSID")
			l.mu.Lock()
			if _, ok := l.users[id]; !ok {
				l.users[id] = ""
			}
			l.mu.Unlock()
			a.Cookies = append(a.Cookies, "sid="+id)
		}
		inner(w, a)
	}
	s := startSite(t, ledgerConfig(), upstream)
	s.stranger().post("/login", url.Values{"email": {bob}, "password": {right}, "PHPSESSID": {"chosen"}})
	c := s.client()
	c.pass(alice)
	r := s.stranger().do(http.MethodPost, "/contacts", strings.NewReader("PHPSESSID=chosen"), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {ownCookie + "=" + c.cookies("/")[ownCookie]}})
	if strings.Contains(r.body, bob) {
		t.Errorf("bob's contacts without bob's code: %s", r.body)
	}
}

// An app takes one user by several names: by mail, by another accent.
func TestUnknownUsersPassOnlyByTheNameThatTheAppHasForThem(t *testing.T) {
	l, upstream := newLedger(t)
	s := newSite(t)
	t.Setenv("UPSTREAM", upstream)
	if err := s.tryLoad(ledgerSite("", "", "unknown_user allow")); err == nil || !strings.Contains(err.Error(), "a proof that says who") {
		t.Fatalf("by the letters that were typed: %v", err)
	}
	s.start(ledgerSite("", whoProof, "unknown_user allow"), upstream)
	s.enrol(bob, "phone")
	l.pages["/login"] = func(w http.ResponseWriter, a *arrival) bool {
		if a.field("password") != right {
			return false
		}
		l.mu.Lock()
		l.users[a.cookie("sid")] = bob // whatever was typed
		l.mu.Unlock()
		w.Header().Set("Location", "/dashboard")
		w.WriteHeader(http.StatusFound)
		return true
	}
	for _, name := range []string{"b\u00f3b@example.com", "bob\u200b@example.com", "bob@example.com\u00ad", "bob"} {
		c := s.client()
		c.get("/login")
		if r := c.tryLogin(name, right); r.location() != codePage {
			t.Errorf("%q passed without a code: %d to %q", name, r.StatusCode, r.location())
		}
	}
}

// keeping notes under which handles values are kept.
type keeping struct {
	store.Store
	mu      sync.Mutex
	handles map[string]time.Time
}

func (k *keeping) PutValue(ctx context.Context, handle string, value []byte, expires time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.handles[handle] = expires
	return k.Store.PutValue(ctx, handle, value, expires)
}

func TestAVisitorCannotFillTheStore(t *testing.T) {
	s, l := ledgerStart(t)
	n := 0
	l.pages["/open/big"] = func(w http.ResponseWriter, a *arrival) bool {
		if got := a.cookie("state"); n > 0 && !strings.HasPrefix(got, fmt.Sprintf("%d-", n)) {
			t.Errorf("answer %d came with the value %.10q", n, got)
		}
		n++
		w.Header().Add("Set-Cookie", fmt.Sprintf("state=%d-%s; Path=/", n, strings.Repeat("0123456789", 380)))
		return false
	}
	kept := &keeping{handles: map[string]time.Time{}}
	s.useStore(func(inner store.Store) store.Store { kept.Store = inner; return kept })
	c := s.client()
	for range 50 {
		c.get("/open/big")
	}
	if n := len(kept.handles); n != 1 {
		t.Errorf("the one cookie of one visitor is in the store %d times", n)
	}
	for _, expires := range kept.handles {
		if left := time.Until(expires); left > 25*time.Hour {
			t.Errorf("a visitor's value is kept for %s", left)
		}
	}
}

func TestACredentialInATrailerDoesNotReachTheApp(t *testing.T) {
	s, l := ledgerStart(t, "credential field X-Api-Key")
	s.raw("POST /open/upload HTTP/1.1\nHost: {host}\nConnection: close\nTransfer-Encoding: chunked\nTrailer: X-Api-Key, X-Original-Url\n\n3\nabc\n0\nX-Api-Key: secret\nX-Original-Url: /contacts")
	if a := l.last(t); a.Trailer.Get("X-Api-Key") != "" || a.Trailer.Get("X-Original-Url") != "" {
		t.Errorf("the trailers %v reached the app", a.Trailer)
	}
}

func TestBlockSeesTheMethodThatAHeaderNames(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, strings.Replace(ledgerConfig("block @delete"), "two_factor", "@delete {\n\t\tmethod DELETE\n\t\tpath /users/*\n\t}\n\ttwo_factor", 1), upstream)
	c := s.client()
	c.pass(alice)
	l.reset()
	c.do(http.MethodPost, "/users/1", nil, http.Header{"X-Http-Method-Override": {"DELETE"}})
	if seen := l.arrivals(); len(seen) > 0 {
		t.Errorf("%s %s with X-HTTP-Method-Override: DELETE reached the app past block", seen[0].Method, seen[0].URI)
	}
}

func TestAReleaseAtThePrefixLeadsToNoOtherSite(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, strings.Replace(ledgerConfig(), "yes redirect /dashboard*", "yes status 302", 1), upstream)
	l.pages["/login"] = func(w http.ResponseWriter, a *arrival) bool {
		if a.field("password") != right {
			return false
		}
		// An app that puts its own origin in front of what the client asks for.
		w.Header().Set("Location", "http://"+a.Host+a.field("next"))
		w.WriteHeader(http.StatusFound)
		return true
	}
	c := s.client()
	c.get("/login")
	c.get("/login?" + url.Values{"email": {alice}, "password": {right}, "next": {"//evil.example/x"}}.Encode())
	if r := c.enter(s.code(alice)); strings.HasPrefix(r.location(), "//") {
		t.Errorf("the release leads to %q", r.location())
	}
}
