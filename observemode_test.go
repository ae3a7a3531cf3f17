package twofactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// turn reloads the site with another Caddyfile.
func (s *site) turn(caddyfile string, clients ...*client) {
	s.t.Helper()
	s.load(caddyfile)
	for _, c := range clients {
		c.http.CloseIdleConnections()
	}
	s.settle()
}

func TestABrowserOfAnEnforcingTimeKeepsWorkingUnderObserve(t *testing.T) {
	s, l := ledgerStart(t)
	c, visitor := s.client(), s.client()
	c.pass(alice)
	visitor.get("/login")
	sealed, anonymous := c.cookies("/")["sid"], visitor.cookies("/")["sid"]
	s.turn(observing(ledgerConfig()))

	if r := c.get("/contacts"); !strings.Contains(r.body, "<"+alice+">") {
		t.Errorf("under observe her page is %d %q", r.StatusCode, r.body)
	}
	a := l.last(t)
	if got := a.Cookies; len(got) != 1 || seal.IsSealed(a.cookie("sid")) || strings.Contains(got[0], "two-factor") {
		t.Errorf("the app got the cookies %q", got)
	}
	before := len(l.users)
	visitor.get("/open/x")
	if len(l.users) != before || l.last(t).cookie("sid") == "" {
		t.Error("a visitor's seal does not open under observe")
	}
	if c.cookies("/")["sid"] != sealed || visitor.cookies("/")["sid"] != anonymous {
		t.Error("observing has changed the browsers' cookies")
	}
	// In another browser, and without the own cookie, the seals open nothing.
	thief := s.stranger()
	thief.with("/contacts", "x=1; sid="+sealed+"; y=2")
	if got := l.last(t).Cookies; len(got) != 1 || got[0] != "x=1; y=2" {
		t.Errorf("a seal of somebody else's reached the app as %q", got)
	}
	s.turn(ledgerConfig())
	if r := c.get("/contacts"); !strings.Contains(r.body, "<"+alice+">") {
		t.Errorf("enforcing again, her page is %d %q", r.StatusCode, r.body)
	}
}

func TestALoginUnderObserveIsWorthNothingWhenEnforcingAgain(t *testing.T) {
	for _, anonymous := range []string{"", "unverified anonymous"} {
		for name, login := range map[string]func(c *client) reply{
			"a form":       func(c *client) reply { return c.tryLogin(bob, right) },
			"in the query": func(c *client) reply { return c.get("/login?email=" + bob + "&password=" + right) },
			"a long body": func(c *client) reply {
				return c.post("/login", url.Values{"a": {strings.Repeat("x", 70<<10)}, "email": {bob}, "password": {right}})
			},
			"a doubled one": func(c *client) reply { return c.post("/login", url.Values{"email": {bob, bob}, "password": {right}}) },
		} {
			t.Run(name+" "+anonymous, func(t *testing.T) {
				s, l := ledgerStart(t, anonymous)
				verified, visitor := s.client(), s.client()
				verified.pass(alice)
				visitor.get("/login")
				seals := map[*client]string{verified: verified.jarLine("/"), visitor: visitor.jarLine("/")}
				s.turn(observing(ledgerConfig(anonymous)), verified, visitor)
				for c := range seals {
					if r := login(c); r.location() != "/dashboard" {
						t.Fatalf("the login gave %d to %q", r.StatusCode, r.location())
					}
					if r := c.get("/contacts"); !strings.Contains(r.body, "<"+bob+">") {
						t.Errorf("after the login under observe, the page is %d %q", r.StatusCode, r.body)
					}
					if sid := c.cookies("/")["sid"]; seal.IsSealed(sid) || sid == "" {
						t.Errorf("the browser has %q, not the app's value", sid)
					}
				}
				s.turn(ledgerConfig(anonymous), verified, visitor)
				l.reset()
				for c, line := range seals {
					for _, lines := range []string{line, c.jarLine("/"), line + "; " + c.jarLine("/")} {
						for _, path := range []string{"/contacts", "/open/x", "/assets/x"} {
							if r := s.stranger().with(path, lines); strings.Contains(r.body, bob) || strings.Contains(r.body, alice) {
								t.Errorf("enforcing again, %s with %q shows %q", path, lines, r.body)
							}
						}
					}
				}
				if got := l.reached(); len(got) > 0 {
					t.Errorf("in a logged-in session the app was asked for %q", got)
				}
			})
		}
	}
}

func TestAnOpenChallengeIsAnsweredInWordsUnderObserve(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.get("/login")
	if r := c.tryLogin(alice, right); r.location() != "/.two-factor/challenge" {
		t.Fatalf("no challenge: %d", r.StatusCode)
	}
	page := c.get("/.two-factor/challenge")
	s.turn(observing(ledgerConfig()), c)
	l.reset()
	for name, r := range map[string]reply{
		"the code":      c.submit(page, codeField, map[string]string{"code": s.code(alice)}),
		"the page":      c.get("/.two-factor/challenge"),
		"another page":  c.get("/.two-factor/choose"),
		"a wish":        c.post("/.two-factor/send", url.Values{"a": {"b"}}),
		"a cancelling":  c.post("/.two-factor/cancel", url.Values{"a": {"b"}}),
		"by a script":   c.do(http.MethodGet, "/.two-factor/challenge", nil, script),
		"no such page":  c.get("/.two-factor/nothing"),
		"the code anew": c.submit(page, codeField, map[string]string{"code": "000000"}),
	} {
		if r.StatusCode < 400 || r.StatusCode >= 500 || len(r.setCookies("sid")) > 0 {
			t.Errorf("%s: %d, cookies %q", name, r.StatusCode, r.Header["Set-Cookie"])
		}
		if name == "the code" && !strings.Contains(r.body, `href="/login"`) {
			t.Errorf("%s does not lead to the login page:\n%s", name, r.body)
		}
	}
	if got := l.arrivals(); len(got) > 0 {
		t.Errorf("of the challenge the app got %s %s with %q", got[0].Method, got[0].URI, got[0].Body)
	}
	if r := c.tryLogin(alice, right); r.location() != "/dashboard" {
		t.Errorf("signing in under observe gave %d to %q", r.StatusCode, r.location())
	}
	s.turn(ledgerConfig(), c)
	if r := c.submit(page, codeField, map[string]string{"code": s.code(alice)}); r.location() != "" || len(r.setCookies("sid"))+len(r.setCookies(ownCookie)) > 0 {
		t.Errorf("the hold that observing dropped was released: %d to %q", r.StatusCode, r.location())
	}
}

func TestObservingAsksTheAppForNothingOfItsOwn(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, observing(ledgerSite("", whoProof)), upstream)
	c := s.client()
	c.get("/login")
	c.tryLogin(alice, "wrong")
	c.tryLogin(alice, right)
	c.get("/contacts")
	s.waitKeys(store.SeenUser, alice)
	var got []string
	for _, a := range l.arrivals() {
		got = append(got, a.Method+" "+a.URI)
	}
	if want := []string{"GET /login", "POST /login", "POST /login", "GET /contacts"}; !slices.Equal(got, want) {
		t.Errorf("the app was asked for %q, want %q", got, want)
	}
}

func TestALoginUnderObserveIsNotHeldUp(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "Welcome, ")
		_ = http.NewResponseController(w).Flush()
		<-release
		fmt.Fprint(w, strings.Repeat("x", 300<<10))
	}))
	t.Cleanup(srv.Close)
	s := startSite(t, observing(strings.Replace(oneLogin("yes text Welcome\nno text Wrong"), "reverse_proxy {$UPSTREAM}", "reverse_proxy {$UPSTREAM} {\n\t\tflush_interval -1\n\t}", 1)), srv.Listener.Addr().String())
	res, err := http.PostForm(s.url+"/login", filled(alice, right))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 9)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "Welcome, " {
		t.Errorf("the beginning is %q, %v", first, err)
	}
	close(release)
	rest, err := io.ReadAll(res.Body)
	if err != nil || len(rest) != 300<<10 {
		t.Errorf("the rest has %d bytes, %v", len(rest), err)
	}
	if got := s.waitSeen(store.SeenUnrecognised); !strings.Contains(got[0].Detail, "larger than 262144 bytes") {
		t.Errorf("noted is %q", got[0].Detail)
	}
}

func TestWhatIsObservedIsNotedAndLoggedOnce(t *testing.T) {
	l, upstream := newLedger(t)
	more := []string{"block /blocked*", "readable theme"}
	s := startSite(t, observing(ledgerConfig(more...)), upstream)
	l.on("/odd", func(w http.ResponseWriter, _ *arrival) { w.WriteHeader(http.StatusTeapot) })
	l.on("/set", func(w http.ResponseWriter, _ *arrival) {
		w.Header()["Set-Cookie"] = []string{"lang=de; Path=/", "theme=dark", "csrftoken=x", "gone=; Max-Age=0"}
	})
	l.pages["/login"] = func(w http.ResponseWriter, a *arrival) bool {
		if a.field("password") == right {
			w.Header().Add("Set-Cookie", "remember=1; HttpOnly")
		}
		return false
	}
	for range 2 {
		c := s.client()
		c.get("/login")
		c.tryLogin("nobody\u202e@example.com", right)
		c.tryLogin(bob, "wrong")
		c.post("/odd", filled(bob, right))
		c.post("/odd/17", url.Values{"email": {"a", "b"}, "password": {"c"}})
		c.get("/set")
		c.do(http.MethodPost, "/api/7", strings.NewReader("passwort=1"), withHeaders(urlencoded, http.Header{"Authorization": {"Basic YTpi"}, "Sec-Fetch-Dest": {"empty"}, "Cookie": {"\xff_ga=1"}}))
		c.get("/blocked/1")
		s.stranger().do(http.MethodGet, "/api/8", nil, script)
		s.raw("GET /a/%2e%2e/b HTTP/1.1\nHost: {host}\nConnection: close")
	}
	eventually(t, "all is noted", func() bool { return len(s.seen(store.SeenUnrecognised)) == 2 && len(s.seen(store.SeenUser)) == 1 })
	s.waitKeys(store.SeenCookie, "lang", "remember", "sid")
	s.waitKeys(store.SeenUnrecognised, "POST /odd 418", "POST /odd/* 200")
	u := s.seen(store.SeenUser)[0]
	if u.Count != 2 || u.Detail != "nobody\u202e@example.com" {
		t.Errorf("the user is noted as %+v", u)
	}
	for _, n := range s.seen(store.SeenCookie) {
		want := map[string]store.SeenMarks{
			"lang": store.SeenOpen | store.SeenElsewhere, "remember": store.SeenHTTPOnly | store.SeenAtYes, "sid": store.SeenHTTPOnly | store.SeenElsewhere,
		}[n.Key]
		if n.Marks != want {
			t.Errorf("the cookie %s has the marks %b, want %b", n.Key, n.Marks, want)
		}
	}
	if sent := s.seen(store.SeenSent); !slices.ContainsFunc(sent, func(n store.Seen) bool { return n.Key == "?_ga" }) {
		t.Errorf("sent are noted %v", sent)
	}
	log := s.twoFactorLog()
	for _, once := range []string{
		"a user has logged in", "refused: block", "malicious spelling", "Authorization would be removed", "no login tells it", "would be refused with 401",
		`"cookie":"lang"`, `"cookie":"remember"`, `"cookie":"sid"`, `"path":"/odd"`, `"path":"/odd/*"`,
	} {
		if n := strings.Count(log, once); n != 1 {
			t.Errorf("the log says %q %d times, want once", once, n)
		}
	}
	if strings.Contains(log, `"path":"/api/7"`) || strings.Contains(log, "YTpi") || strings.Contains(log, right+`"`) {
		t.Errorf("the log tells too much:\n%s", log)
	}
	s.turn(observing(ledgerConfig(more...)))
	s.client().tryLogin("nobody\u202e@example.com", right)
	eventually(t, "it is counted on after a reload", func() bool { return s.seen(store.SeenUser)[0].Count == 3 })
}

func TestInvariant09ObservingPassesRequestsOnWhenTheStoreFails(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.pass(alice)
	line := c.jarLine("/")
	s.turn(observing(ledgerConfig()))
	s.useStore(func(inner store.Store) store.Store { return &deadStore{inner} })
	if r := s.stranger().with("/contacts", line+"; x=1"); r.StatusCode != 200 {
		t.Errorf("the page is %d", r.StatusCode)
	}
	if got := l.last(t).Cookies; len(got) != 1 || got[0] != "x=1" {
		t.Errorf("the app got %q", got)
	}
	d := s.client()
	if r := d.tryLogin(bob, right); r.location() != "/dashboard" {
		t.Errorf("the login gave %d to %q", r.StatusCode, r.location())
	}
	eventually(t, "the log says so", func() bool {
		return strings.Contains(s.twoFactorLog(), "observed: ") && strings.Contains(s.twoFactorLog(), "dead")
	})
}

// deadStore answers nothing that a request asks for.
type deadStore struct{ store.Store }

var errDead = errors.New("dead")

func (d *deadStore) Session(context.Context, account.SessionID, time.Time) (account.Session, error) {
	return account.Session{}, errDead
}
func (d *deadStore) LineState(context.Context, account.LineKey, time.Time) (account.LockState, error) {
	return account.LockFree, errDead
}
func (d *deadStore) Account(context.Context, string, string) (account.Account, error) {
	return account.Account{}, errDead
}
func (d *deadStore) History(context.Context, string, string) ([]byte, error) {
	return nil, errDead
}
func (d *deadStore) Tries(context.Context, store.TriesQuery, time.Time) (store.TriesSeen, error) {
	return store.TriesSeen{}, errDead
}
func (d *deadStore) NoteSeen(context.Context, []store.Seen) ([]store.SeenKind, error) {
	return nil, errDead
}
