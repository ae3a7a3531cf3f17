package twofactor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// twoUsers are two browsers of one site, in which alice and carol are verified.
func twoUsers(t *testing.T, more ...string) (*site, *ledger, *client, *client) {
	t.Helper()
	s, l := ledgerStart(t, more...)
	a, c := s.client(), s.client()
	a.pass(alice)
	c.pass(carol)
	return s, l, a, c
}

// mustNotOpen sends cookies to a protected and to a public page, and fails if
// the app gets a session with them.
func mustNotOpen(t *testing.T, s *site, l *ledger, why string, lines ...string) {
	t.Helper()
	for _, path := range []string{"/contacts", "/open/page"} {
		l.reset()
		r := s.stranger().with(path, lines...)
		for _, a := range l.arrivals() {
			if sid := a.cookie("sid"); sid != "" || l.user(a) != "" {
				t.Errorf("%s: %s reached the app with the session %q of %q (Cookie: %q), answer %d", why, path, sid, l.user(a), a.Cookies, r.StatusCode)
			}
		}
		if path == "/contacts" && len(l.arrivals()) > 0 && r.StatusCode == http.StatusOK {
			if strings.Contains(r.body, "@example.com") {
				t.Errorf("%s: the page of a user came back: %s", why, r.body)
			}
		}
	}
}

func TestInvariant03ASealOpensOnlyInItsOwnBrowserForItsOwnUser(t *testing.T) {
	s, l, a, c := twoUsers(t)
	ofA, ofC := a.cookies("/"), c.cookies("/")
	l.reset()
	if r := a.get("/contacts"); r.StatusCode != 200 || !strings.Contains(r.body, alice) {
		t.Fatalf("alice in her own browser: %d %s", r.StatusCode, r.body)
	}
	for _, test := range []struct{ why, line string }{
		{"a seal without an own cookie", "sid=" + ofA["sid"]},
		{"carol's own cookie with alice's seal", ownCookie + "=" + ofC[ownCookie] + "; sid=" + ofA["sid"]},
		{"alice's own cookie with carol's seal", ownCookie + "=" + ofA[ownCookie] + "; sid=" + ofC["sid"]},
		{"both own cookies with both seals", ownCookie + "=" + ofA[ownCookie] + "; " + ownCookie + "=" + ofC[ownCookie] + "; sid=" + ofA["sid"] + "; sid=" + ofC["sid"]},
		{"the seal under another name", ownCookie + "=" + ofA[ownCookie] + "; SID=" + ofA["sid"]},
		{"the seal as the own cookie", ownCookie + "=" + ofA["sid"] + "; sid=" + ofA["sid"]},
		{"a raw session of alice", ownCookie + "=" + ofA[ownCookie] + "; sid=" + l.session(alice)},
		{"a raw session without an own cookie", "sid=" + l.session(alice)},
		{"a quoted seal", ownCookie + "=" + ofA[ownCookie] + `; sid="` + ofA["sid"] + `"`},
		{"a seal with one letter changed", ownCookie + "=" + ofA[ownCookie] + "; sid=" + flip(ofA["sid"])},
		{"a seal cut short", ownCookie + "=" + ofA[ownCookie] + "; sid=" + ofA["sid"][:len(ofA["sid"])-4]},
	} {
		mustNotOpen(t, s, l, test.why, test.line)
	}
}

// flip changes a letter in the middle.
func flip(s string) string {
	b := []byte(s)
	at := len(b) / 2
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}

func TestRule31EachCookieIsJudgedByItselfInAnySpellingOfItsName(t *testing.T) {
	s, l, a, _ := twoUsers(t, "readable theme")
	own := ownCookie + "=" + a.cookies("/")[ownCookie]
	seal := a.cookies("/")["sid"]
	raw := l.session(alice)
	want := func(why, cookies string, lines ...string) {
		t.Helper()
		l.reset()
		s.stranger().with("/contacts", lines...)
		seen := l.arrivals()
		if len(seen) != 1 || len(seen[0].Cookies) != 1 || seen[0].Cookies[0] != cookies {
			t.Errorf("%s: the app got %d requests, Cookie lines %q, want one %q", why, len(seen), cookiesOf(seen), cookies)
		}
	}
	opened := "sid=" + openedSession(t, l, alice)
	want("a raw one before the sealed one", opened, own+"; sid="+raw+"; sid="+seal)
	want("a raw one after the sealed one", opened, own+"; sid="+seal+"; sid="+raw)
	want("in two lines", opened, "sid="+raw, own+"; sid="+seal)
	want("the others stay in their order", "theme=dark; "+opened+"; theme=light", own+"; theme=dark; sid="+raw+"; x=1; sid="+seal+"; theme=light")
	for _, name := range []string{"sid ", " sid", "s.id", "sid[", "sid[x]", "sid%00", "+sid", "%73id", "sid\t", "$sid", "SID", "sid[]"} {
		want("a raw session as "+name, "theme=dark; "+opened, own+"; theme=dark; "+name+"="+raw+"; sid="+seal)
		if name == " sid" {
			continue // blanks before a name are no part of it
		}
		want("a seal as "+name, opened, own+"; "+name+"="+seal+"; sid="+seal)
	}
	want("a session inside a readable cookie", opened, own+"; theme=x, sid="+raw+"; sid="+seal)
	want("a readable cookie that swallows what follows", opened, own+`; theme="x; sid=`+seal)
	want("an unnamed cookie", opened, own+"; sid; =sid="+raw+"; sid="+seal)
}

func cookiesOf(seen []*arrival) (lines []string) {
	for _, a := range seen {
		lines = append(lines, a.Cookies...)
	}
	return lines
}

// openedSession is the app's session that the last request of a user came in.
func openedSession(t *testing.T, l *ledger, user string) string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	// A kept session has a lower number than those made directly.
	for i := 1; i <= l.next; i++ {
		if id := fmt.Sprintf("session-%d", i); l.users[id] == user {
			return id
		}
	}
	t.Fatalf("%s has no session", user)
	return ""
}

func TestAnAppThatReadsNamesAsPHPDoesGetsNoSessionPastTheSeals(t *testing.T) {
	app, upstream := serveDemo(t, demoapp.Options{})
	s := startSite(t, styleFile(t, "classic"), upstream)
	raw := app.NewSession(alice)
	for _, name := range []string{"crm_session", "crm.session", "crm session", "crm[session", " crm_session", "crm_session[0]", "CRM_SESSION", "crm%5fsession"} {
		app.Reset()
		r := s.stranger().with("/contacts", name+"="+raw)
		s.stranger().with("/login", name+"="+raw)
		for _, seen := range byPeople(app) {
			if seen.User != "" || len(seen.Cookies) > 0 {
				t.Errorf("a session made at the app, as %q, reached it: user %q, Cookie %q", name, seen.User, seen.Cookies)
			}
		}
		if r.location() != "/login" {
			t.Errorf("%q: %d to %q", name, r.StatusCode, r.location())
		}
	}
}

func TestASealOfOneInstanceOpensNothingAtAnother(t *testing.T) {
	l, upstream := newLedger(t)
	s := newSite(t)
	other := freePort(t)
	_, port, _ := strings.Cut(other, ":")
	t.Setenv("PORT2", port)
	second := strings.ReplaceAll(ledgerSite("second", ""), "{$PORT}", "{$PORT2}")
	s.start(ledgerConfig()+second, upstream)
	s.enrol(alice, account.KindTOTP)
	c := s.client()
	c.pass(alice)
	jar := c.cookies("/")
	l.reset()
	at2 := &site{t: t, url: "http://localhost:" + port}
	for _, line := range []string{
		c.jarLine("/"),
		"two-factor-second=" + jar[ownCookie] + "; sid=" + jar["sid"],
		"two-factor-second=" + jar[ownCookie] + "; " + c.jarLine("/"),
	} {
		mustNotOpen(t, at2, l, "the cookies of one instance at another", line)
	}
	for _, a := range l.arrivals() {
		if strings.Contains(strings.Join(a.Cookies, ";"), "two-factor") {
			t.Errorf("an own cookie reached the app: %q", a.Cookies)
		}
	}
	// An anonymous line's seal does not travel either.
	v := s.client()
	v.get("/login")
	l.reset()
	at2.stranger().with("/open/page", v.jarLine("/"))
	if sid := l.last(t).cookie("sid"); sid != "" {
		t.Errorf("an anonymous seal of one instance opened at another: %q", sid)
	}
}

func TestWithAVerifiedSessionAnonymousSealsAreTakenOff(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.client()
	c.pass(alice)
	v := s.client()
	v.get("/login")
	anonymous := v.cookies("/")["sid"]
	l.reset()
	s.stranger().with("/contacts", ownCookie+"="+c.cookies("/")[ownCookie]+"; sid="+anonymous)
	if a := l.last(t); len(a.Cookies) != 0 {
		t.Errorf("an anonymous seal opened in a verified session: %q", a.Cookies)
	}
	l.reset()
	s.stranger().with("/contacts", ownCookie+"="+c.cookies("/")[ownCookie]+"; sid="+anonymous+"; sid="+c.cookies("/")["sid"])
	if a := l.last(t); len(a.Cookies) != 1 || l.user(a) != alice {
		t.Errorf("the session's own seal behind an anonymous one: %q", a.Cookies)
	}
}

func TestTheSealsOfASecondLineStayShut(t *testing.T) {
	s, l := ledgerStart(t)
	one, two := s.client(), s.client()
	one.get("/login")
	two.get("/login")
	l.reset()
	s.stranger().with("/open/page", "sid="+one.cookies("/")["sid"]+"; sid="+two.cookies("/")["sid"])
	first := l.last(t)
	if len(first.Cookies) != 1 || strings.Count(first.Cookies[0], "sid=") != 1 {
		t.Fatalf("seals of two lines: the app got %q", first.Cookies)
	}
	s.stranger().with("/open/page", "sid="+two.cookies("/")["sid"]+"; sid="+one.cookies("/")["sid"])
	if second := l.last(t); second.cookie("sid") == first.cookie("sid") {
		t.Errorf("the first seal does not decide: %q and %q", first.Cookies, second.Cookies)
	}
}

// stale is a cookie of a line that a login has locked and that the app never
// sets again: it must not keep the seals of the next line shut, or the person
// could not log in again before it expires.
func TestASealOfALockedLineDoesNotShutTheNextLine(t *testing.T) {
	s, l := ledgerStart(t)
	l.pages["/open/once"] = func(w http.ResponseWriter, _ *arrival) bool {
		w.Header().Add("Set-Cookie", "campaign=spring; Path=/; Max-Age=864000")
		return false
	}
	c := s.client()
	c.get("/open/once")
	c.get("/login")
	if r := c.tryLogin(alice, right); r.location() != "/.two-factor/challenge" {
		t.Fatalf("the right password: %d", r.StatusCode)
	}
	page := c.get("/.two-factor/challenge")
	c.submit(page, "cancel", nil)
	stale := c.cookies("/")["campaign"]
	if stale == "" {
		t.Fatal("the cookie of the locked line is gone")
	}
	c.get("/login")
	l.reset()
	s.stranger().with("/login", "campaign="+stale+"; sid="+c.cookies("/")["sid"])
	a := l.last(t)
	if a.cookie("sid") == "" || a.cookie("campaign") != "" {
		t.Errorf("behind a seal of a locked line the app got %q, want the sid of the next line alone", a.Cookies)
	}
	l.reset()
	r := s.stranger().do(http.MethodPost, "/login", strings.NewReader(url.Values{"email": {alice}, "password": {right}}.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
		"Cookie":       {"campaign=" + stale + "; sid=" + c.cookies("/")["sid"]},
	})
	if got := l.last(t); got.cookie("sid") != a.cookie("sid") || r.location() != "/.two-factor/challenge" {
		t.Errorf("the next login went with %q to %q, want the sid of the next line", got.Cookies, r.location())
	}
	mustNotOpen(t, s, l, "after it the next line is locked too", "sid="+c.cookies("/")["sid"])
}

func TestAValueTooLargeForACookieIsKeptUnderAHandle(t *testing.T) {
	s, l := ledgerStart(t)
	big := strings.Repeat("0123456789", 390)
	l.pages["/open/big"] = func(w http.ResponseWriter, _ *arrival) bool {
		w.Header().Add("Set-Cookie", "cart="+big+"; Path=/")
		return false
	}
	c := s.client()
	r := c.get("/open/big")
	sealed := r.setCookies("cart")
	if len(sealed) != 1 || len(sealed[0])+len("cart") > 4096 || strings.Contains(sealed[0], "0123456789") {
		t.Fatalf("the large value went out as %d cookies of %d bytes", len(sealed), len(strings.Join(sealed, "")))
	}
	l.reset()
	c.get("/open/page")
	if got := l.last(t).cookie("cart"); got != big {
		t.Errorf("the app got %d bytes back, want %d", len(got), len(big))
	}
	mustNotOpen(t, s, l, "the handle alone", "cart="+sealed[0][:40])
	// A handle in a session of another browser opens nothing.
	v := s.client()
	v.pass(alice)
	l.reset()
	s.stranger().with("/open/page", v.jarLine("/")+"; cart="+sealed[0])
	if got := l.last(t).cookie("cart"); got != "" {
		t.Errorf("a handle of a line opened in a session")
	}
}

// counted counts what is written to the store.
type counted struct {
	store.Store
	values, lines, states atomic.Int64
	fail                  atomic.Bool
}

func (c *counted) PutValue(ctx context.Context, handle string, value []byte, expires time.Time) error {
	c.values.Add(1)
	return c.Store.PutValue(ctx, handle, value, expires)
}

func (c *counted) Value(ctx context.Context, handle string, now time.Time) ([]byte, error) {
	if c.fail.Load() {
		return nil, fmt.Errorf("the disk is on fire")
	}
	return c.Store.Value(ctx, handle, now)
}

func (c *counted) LockLine(ctx context.Context, key account.LineKey, login account.LoginID, now, until time.Time) (account.LockState, error) {
	if c.fail.Load() {
		return "", fmt.Errorf("the disk is on fire")
	}
	c.lines.Add(1)
	return c.Store.LockLine(ctx, key, login, now, until)
}

func (c *counted) LineState(ctx context.Context, key account.LineKey, now time.Time) (account.LockState, error) {
	if c.fail.Load() {
		return "", fmt.Errorf("the disk is on fire")
	}
	c.states.Add(1)
	return c.Store.LineState(ctx, key, now)
}

func (c *counted) Session(ctx context.Context, id account.SessionID, now time.Time) (account.Session, error) {
	if c.fail.Load() {
		return account.Session{}, fmt.Errorf("the disk is on fire")
	}
	return c.Store.Session(ctx, id, now)
}

func (c *counted) EndSession(ctx context.Context, id account.SessionID) error {
	if c.fail.Load() {
		return fmt.Errorf("the disk is on fire")
	}
	return c.Store.EndSession(ctx, id)
}

func (s *site) countedStore() *counted {
	s.t.Helper()
	c := &counted{}
	s.useStore(func(inner store.Store) store.Store { c.Store = inner; return c })
	return c
}

func TestAValueThatChangesAtEveryAnswerIsSealedAgainWithoutAStoreWrite(t *testing.T) {
	app, upstream := serveDemo(t, demoapp.Options{Rotate: true})
	s := startSite(t, styleFile(t, "rotating-session"), upstream)
	c := s.client()
	c.signIn(alice, alicePassword)
	writes := s.countedStore()
	last := ""
	for range 5 {
		app.Reset()
		r := c.get("/profile")
		if seen := byPeople(app); len(seen) != 1 || seen[0].User != alice {
			t.Fatalf("the changed value did not reach the app: %d %+v", r.StatusCode, seen)
		}
		if now := c.cookies("/")["crm_session"]; now == last {
			t.Error("the value was not sealed again")
		} else {
			last = now
		}
	}
	if writes.values.Load()+writes.lines.Load()+writes.states.Load() != 0 {
		t.Errorf("%d values and %d locks were written, %d locks were asked for", writes.values.Load(), writes.lines.Load(), writes.states.Load())
	}
}

func TestOnlyTheLastSetCookiePerNamePathAndDomainCounts(t *testing.T) {
	s, l := ledgerStart(t)
	l.pages["/open/twice"] = func(w http.ResponseWriter, _ *arrival) bool {
		for _, line := range []string{
			"a=first; Path=/", "a=second; Path=/", "a=narrow; Path=/open",
			"b=gone; Path=/; Max-Age=0", "b=there; Path=/",
			"c=there; Path=/", "c=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
			"d=deep", "e=e; Domain=localhost; Path=/; Secure; SameSite=Strict",
		} {
			w.Header().Add("Set-Cookie", line)
		}
		return false
	}
	c := s.stranger()
	r := c.get("/open/twice")
	values := map[string]string{}
	for _, line := range r.Header["Set-Cookie"] {
		name, rest, _ := strings.Cut(line, "=")
		value, attributes, _ := strings.Cut(rest, ";")
		values[name+attributes] = value
		for _, plain := range []string{"first", "second", "narrow", "there", "gone", "deep"} {
			if strings.Contains(value, plain) {
				t.Errorf("a guarded value went out in the clear: %s", line)
			}
		}
	}
	if n := len(r.setCookies("a")); n != 2 {
		t.Errorf("%d cookies a, want one for each of two paths: %q", n, r.Header["Set-Cookie"])
	}
	if got := r.setCookies("b"); len(got) != 1 || got[0] == "" {
		t.Errorf("deleted and set: %q", got)
	}
	if got := r.setCookies("c"); len(got) != 1 || got[0] != "" {
		t.Errorf("set and deleted: %q", got)
	}
	for _, line := range r.Header["Set-Cookie"] {
		if strings.HasPrefix(line, "d=") && !strings.HasSuffix(line, "Path=/open") {
			t.Errorf("the path that a browser would take is not written out: %s", line)
		}
		if strings.HasPrefix(line, "e=") && (!strings.Contains(line, "SameSite=Strict") || !strings.Contains(line, "Secure") || !strings.Contains(line, "Domain=localhost")) {
			t.Errorf("attributes were lost: %s", line)
		}
	}
	l.reset()
	c.with("/open/page", "a="+r.setCookies("a")[0]+"; b="+r.setCookies("b")[0])
	if got := l.last(t); got.cookie("a") != "second" || got.cookie("b") != "there" {
		t.Errorf("the app got %q", got.Cookies)
	}
}

func TestReadableCookiesGoThroughAndGuardedOnesDoNot(t *testing.T) {
	s, l := ledgerStart(t, "readable theme ui-*")
	l.pages["/open/set"] = func(w http.ResponseWriter, _ *arrival) bool {
		w.Header().Add("Set-Cookie", "theme=dark; Path=/")
		w.Header().Add("Set-Cookie", "ui-left=on; Path=/; Secure")
		w.Header().Add("Set-Cookie", "csrftoken=t0ken; Path=/")
		w.Header().Add("Set-Cookie", "Theme=x; Path=/")
		return false
	}
	c := s.stranger()
	r := c.get("/open/set")
	for name, want := range map[string]string{"theme": "dark", "ui-left": "on", "csrftoken": "t0ken"} {
		if got := r.setCookies(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s went out as %q", name, got)
		}
	}
	if got := r.setCookies("Theme"); len(got) != 1 || got[0] == "x" {
		t.Errorf("a name in another case is another cookie: %q", got)
	}
	l.reset()
	c.with("/open/page", "other=1; theme=dark; csrftoken=t0ken; script=2; ui-left=on")
	if got := l.last(t).Cookies; len(got) != 1 || got[0] != "theme=dark; csrftoken=t0ken; ui-left=on" {
		t.Errorf("the app got %q", got)
	}
}

func TestASealOlderThanTheAppsSessionsDoesNotOpen(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, ledgerConfig("app_session_max 1h"), upstream)
	clock := s.clock()
	c := s.stranger()
	sealed := c.get("/open/page").setCookies("sid")[0]
	clock.pass(59 * time.Minute)
	l.reset()
	c.with("/open/page", "sid="+sealed)
	if l.last(t).cookie("sid") == "" {
		t.Error("within the hour it must open")
	}
	clock.pass(2 * time.Minute)
	mustNotOpen(t, s, l, "a seal of more than an hour", "sid="+sealed)
}

func TestASealOlderThanTheStoresEpochDoesNotOpen(t *testing.T) {
	s, l := ledgerStart(t)
	c := s.stranger()
	sealed := c.get("/open/page").setCookies("sid")[0]
	time.Sleep(3 * time.Millisecond)
	s.newEpoch()
	mustNotOpen(t, s, l, "an anonymous seal of the epoch before", "sid="+sealed)
	sealed = c.get("/open/page").setCookies("sid")[0]
	l.reset()
	c.with("/open/page", "sid="+sealed)
	if l.last(t).cookie("sid") == "" {
		t.Error("a seal of the new epoch must open")
	}
}

// newEpoch begins a new epoch of the store, as a restored one would.
func (s *site) newEpoch() {
	s.t.Helper()
	s.editParts(func(p *handlerParts) { p.Epoch = time.Now() })
}

func TestInvariant09AStoreThatCannotSayOpensNothing(t *testing.T) {
	s, l := ledgerStart(t, "unverified anonymous")
	st := s.countedStore()
	big := strings.Repeat("0123456789", 390)
	l.pages["/open/big"] = func(w http.ResponseWriter, _ *arrival) bool {
		w.Header().Add("Set-Cookie", "cart="+big+"; Path=/open/big")
		return false
	}
	verified, visitor := s.client(), s.client()
	verified.pass(alice)
	verified.get("/open/big")
	visitor.get("/login")
	l.reset()
	st.fail.Store(true)
	for name, r := range map[string]reply{
		"a verified session":    verified.get("/contacts"),
		"an asset of it":        verified.get("/assets/a.css"),
		"a visitor with a line": visitor.get("/open/page"),
		"a visitor's login":     visitor.tryLogin(alice, right),
		"a login in a session":  verified.tryLogin(alice, right),
	} {
		if r.StatusCode != http.StatusServiceUnavailable || len(r.body) < 200 || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d with %d bytes, want a 503 page that says what to do", name, r.StatusCode, len(r.body))
		}
	}
	if seen := l.arrivals(); len(seen) != 0 {
		t.Errorf("%d requests reached the app, the first %s with %q", len(seen), seen[0].URI, seen[0].Cookies)
	}
	if r := s.stranger().get("/assets/a.css"); r.StatusCode != 200 {
		t.Errorf("what needs no store: %d", r.StatusCode)
	}
	st.fail.Store(false)
	if r := verified.get("/contacts"); r.StatusCode != 200 || !strings.Contains(r.body, alice) {
		t.Errorf("when the store is back: %d %s", r.StatusCode, r.body)
	}
}

func TestInvariant09AStoreThatFailsAtTheAnswerKeepsItBack(t *testing.T) {
	s, l := ledgerStart(t, "unverified anonymous")
	st := s.countedStore()
	c := s.client()
	c.get("/login")
	finish := inflight(t, l, "/list", func() reply { return c.get("/list") })
	st.fail.Store(true)
	if r := finish(); r.StatusCode == 200 || len(r.Header["Set-Cookie"]) > 0 || strings.Contains(r.body, "the page") {
		t.Errorf("the answer went out: %d %q %s", r.StatusCode, r.Header["Set-Cookie"], r.body)
	}
	st.fail.Store(false)
	v := s.client()
	v.pass(alice)
	finish = inflight(t, l, "/logout", func() reply { return v.get("/logout") })
	st.fail.Store(true)
	if r := finish(); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a logout that the store does not know of says %d to %q", r.StatusCode, r.location())
	}
}

func TestRule20ACookieInATrailerDoesNotLeaveUnsealed(t *testing.T) {
	s, l := ledgerStart(t, "credential cookie token")
	secret := "trailing-session"
	write := func(w http.ResponseWriter, status int) {
		w.Header().Set("Trailer", "Set-Cookie, X-Checksum")
		w.Header().Add("Set-Cookie", "other=x; Path=/")
		w.WriteHeader(status)
		fmt.Fprint(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set("Set-Cookie", "sid="+secret)
		w.Header().Set("X-Checksum", "1")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "sid="+secret)
	}
	l.on("/open/trailer", func(w http.ResponseWriter, _ *arrival) { write(w, 200) })
	l.on("/login", func(w http.ResponseWriter, _ *arrival) { write(w, 200) })
	l.on("/open/late", func(w http.ResponseWriter, _ *arrival) {
		fmt.Fprint(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Checksum", "1")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "sid="+secret)
	})
	for name, request := range map[string]string{
		"a trailer that was not announced": "GET /open/late HTTP/1.1\nHost: {host}\nTE: trailers\nConnection: close",
		"a page":                           "GET /open/trailer HTTP/1.1\nHost: {host}\nTE: trailers\nConnection: close",
		"a certain no":                     "POST /login?email=a&password=b HTTP/1.1\nHost: {host}\nTE: trailers\nContent-Length: 0\nConnection: close",
		"the login page":                   "GET /login HTTP/1.1\nHost: {host}\nTE: trailers\nConnection: close",
	} {
		r := s.raw(request)
		if got := r.Trailer["Set-Cookie"]; len(got) != 0 {
			t.Errorf("%s: a trailer sets %q", name, got)
		}
		for _, line := range append(r.Header["Set-Cookie"], r.Trailer["Set-Cookie"]...) {
			if strings.Contains(line, secret) || strings.Contains(line, "other=x") {
				t.Errorf("%s: unsealed: %s", name, line)
			}
		}
		if r.Trailer.Get("X-Checksum") != "1" {
			t.Errorf("%s: the other trailers must go on: %v", name, r.Trailer)
		}
	}
}
