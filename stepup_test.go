package twofactor

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// stepSite is the demo app with these step-up routes.
func stepSite(t *testing.T, lines string) (*demoapp.App, *site) {
	t.Helper()
	app, upstream := serveDemo(t, demoOptions())
	return app, startSite(t, oneLogin("yes redirect /dashboard*\nno status 200", lines), upstream)
}

// askedFor fails unless the answer leads to a step-up, and returns its page.
func (c *client) askedFor(r reply) reply {
	c.t.Helper()
	if r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(r.location(), atChallenge+"?challenge=") {
		c.t.Fatalf("%s %s gave %d to %q, not a step-up:\n%s", r.Request.Method, r.Request.URL, r.StatusCode, r.location(), visible(r.body))
	}
	return c.get(r.location())
}

// texted asks for a text on the page of a step-up and returns the page that
// takes its code.
func (c *client) texted(page reply) reply {
	c.t.Helper()
	return c.follow(c.submit(page, "Send me a code", nil))
}

// step enters the code of a text at a step-up.
func (c *client) step(r reply) reply {
	c.t.Helper()
	return c.submit(c.texted(c.askedFor(r)), codeField, map[string]string{"code": c.s.textCode()})
}

// exports are the exports that reached the app in a user's session.
func exports(app *demoapp.App) (got []demoapp.Request) {
	for _, r := range byPeople(app) {
		if strings.Contains(r.URI, "/export") && r.User != "" {
			got = append(got, r)
		}
	}
	return got
}

const exportOnce = "step_up /contacts/export* {\n\t\t\taction \"export all contacts\"\n\t\t}"

func TestAnExportAsksForACodeAndComesAtItsOwnAddress(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	sent := len(s.texts())
	page := bob.askedFor(bob.get("/contacts/export?q=Maria"))
	mustSay(t, page, http.StatusOK, "export all contacts")
	if len(exports(app)) != 0 {
		t.Fatal("the export reached the app before the code")
	}
	if got := len(s.texts()); got != sent {
		t.Fatalf("%d texts went out before anybody asked for one", got-sent)
	}
	page = bob.texted(page)
	if text := s.texts()[0]; !strings.Contains(text, "export all contacts") {
		t.Errorf("the text does not name the action: %q", text)
	}
	before := bob.cookies("/")["two-factor-default"]
	r := bob.submit(page, codeField, map[string]string{"code": s.textCode()})
	if r.StatusCode != http.StatusOK || r.Request.URL.RequestURI() != "/contacts/export?q=Maria" {
		t.Fatalf("the code gave %d at %s:\n%s", r.StatusCode, r.Request.URL, visible(r.body))
	}
	if d := r.Header.Get("Content-Disposition"); !strings.Contains(d, "contacts.csv") || !strings.Contains(r.body, "Maria Anders") || strings.Contains(r.body, "Hanna") {
		t.Errorf("the export is not the app's: %q\n%s", d, r.body)
	}
	got := exports(app)
	if len(got) != 1 || got[0].Method != http.MethodGet || got[0].URI != "/contacts/export?q=Maria" || len(got[0].Body) != 0 || got[0].User != "bob@example.com" {
		t.Fatalf("what reached the app: %+v", got)
	}
	if now := bob.cookies("/")["two-factor-default"]; now == "" || now == before {
		t.Error("the session has no new token after the code (rule 19)")
	}
	bob.askedFor(bob.get("/contacts/export?q=Maria"))
	mustSay(t, bob.get("/contacts"), http.StatusOK, "Maria Anders")
}

func TestAHeldPostIsSentOnceWithItsBody(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	form := hidden(bob.get("/contacts").body, "separator")
	form.Del("")
	form.Set("columns", "email")
	form.Set("separator", "semicolon")
	page := bob.texted(bob.askedFor(bob.post("/contacts/export", form)))
	if n := len(exports(app)); n != 0 {
		t.Fatalf("%d exports reached the app before the code", n)
	}
	code := s.textCode()
	r := bob.submit(page, codeField, map[string]string{"code": code})
	mustSay(t, r, http.StatusOK)
	if !strings.HasPrefix(r.body, "E-mail\n") {
		t.Errorf("the export is not the chosen one: %.60q", r.body)
	}
	got := exports(app)
	if len(got) != 1 || got[0].Method != http.MethodPost || string(got[0].Body) != form.Encode() || got[0].Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Fatalf("what reached the app: %+v", got)
	}
	again := bob.submit(page, codeField, map[string]string{"code": code})
	mustSay(t, again, http.StatusConflict, "already used")
	if n := len(exports(app)); n != 1 {
		t.Fatalf("%d exports reached the app after a second click", n)
	}
}

func TestAStepUpWithMaxAgeOpensItsRouteForThatLong(t *testing.T) {
	app, s := stepSite(t, "step_up /contacts/export* {\n\t\t\tmax_age 3s\n\t\t}\n\t\tstep_up /profile* {\n\t\t\tmax_age 1h\n\t\t}")
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	mustSay(t, bob.get("/profile"), http.StatusOK)
	time.Sleep(3200 * time.Millisecond)
	r := bob.step(bob.get("/contacts/export"))
	if r.StatusCode != http.StatusSeeOther || r.location() != "/contacts/export" {
		t.Fatalf("the code gave %d to %q", r.StatusCode, r.location())
	}
	for range 2 {
		mustSay(t, bob.get("/contacts/export"), http.StatusOK)
	}
	if n := len(exports(app)); n != 2 {
		t.Fatalf("%d exports reached the app, want 2", n)
	}
	time.Sleep(3200 * time.Millisecond)
	bob.askedFor(bob.get("/contacts/export"))
}

func TestAScriptsStepUpWaitsForTheNextPage(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	fetch := func() reply { return bob.do(http.MethodGet, "/contacts/export", nil, script) }
	r := fetch()
	mustSay(t, r, http.StatusForbidden)
	for _, member := range []string{`"error":"insufficient_user_authentication"`, `"max_age":0`, `"challenge":"/.two-factor/challenge?challenge=`} {
		if !strings.Contains(r.body, member) {
			t.Errorf("the problem document has no %s:\n%s", member, r.body)
		}
	}
	if h := r.Header.Get("WWW-Authenticate"); !strings.Contains(h, `error="insufficient_user_authentication"`) {
		t.Errorf("WWW-Authenticate: %q", h)
	}
	page := bob.texted(bob.askedFor(bob.get("/contacts?q=Hanna")))
	r = bob.submit(page, codeField, map[string]string{"code": s.textCode()})
	if r.location() != "/contacts?q=Hanna" {
		t.Fatalf("the code leads to %q", r.location())
	}
	mustSay(t, bob.get("/contacts?q=Hanna"), http.StatusOK, "Hanna")
	if n := len(exports(app)); n != 0 {
		t.Fatalf("%d exports reached the app", n)
	}
	mustSay(t, bob.do(http.MethodHead, "/contacts/export", nil, script), http.StatusOK)
	mustSay(t, fetch(), http.StatusOK)
	mustSay(t, fetch(), http.StatusForbidden)
	mustSay(t, bob.do(http.MethodHead, "/contacts/export", nil, script), http.StatusForbidden)
}

func TestRule33AStepUpIsNotToBeHadFromElsewhere(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	sent := len(s.texts())
	for _, c := range []struct {
		name   string
		header http.Header
	}{
		{"a link from elsewhere", http.Header{"Sec-Fetch-Site": {"cross-site"}}},
		{"a link from a sibling", http.Header{"Sec-Fetch-Site": {"same-site"}}},
		{"a link in a browser that does not say from where", http.Header{"Sec-Fetch-Site": nil, "Sec-Fetch-Dest": nil}},
		{"a link whose referrer is another site", http.Header{"Sec-Fetch-Site": nil, "Sec-Fetch-Dest": nil, "Referer": {"https://evil.example/"}}},
		{"a prefetch", http.Header{"Sec-Purpose": {"prefetch"}}},
		{"a prerender", http.Header{"Sec-Purpose": {"prefetch;prerender"}}},
		{"an old prefetch", http.Header{"Purpose": {"prefetch"}, "Sec-Fetch-Dest": {"empty"}}},
		{"a frame of another site", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"iframe"}}},
		{"an image of another site", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"image"}}},
		{"a script of a sibling", http.Header{"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Dest": {"empty"}}},
	} {
		r := bob.do(http.MethodGet, "/contacts/export", nil, c.header)
		if r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: got %d to %q", c.name, r.StatusCode, r.location())
		}
	}
	mustSay(t, bob.get("/contacts"), http.StatusOK, "Maria Anders")
	r := bob.do(http.MethodPost, "/contacts/export", strings.NewReader("csrf=x"), withHeaders(urlencoded, http.Header{"Sec-Fetch-Site": {"same-site"}}))
	if r.StatusCode != http.StatusForbidden {
		t.Errorf("a form of a sibling: got %d to %q", r.StatusCode, r.location())
	}
	if got := len(s.texts()); got != sent {
		t.Errorf("%d texts went out", got-sent)
	}
	// The person may want it.
	page := bob.do(http.MethodGet, "/contacts/export?q=Ana", nil, http.Header{"Sec-Fetch-Site": {"cross-site"}})
	mustSay(t, page, http.StatusForbidden, "export all contacts")
	r = bob.step(bob.submit(page, `method="post"`, nil))
	mustSay(t, r, http.StatusOK)
	if got := exports(app); len(got) != 1 || got[0].URI != "/contacts/export?q=Ana" || got[0].Method != http.MethodGet {
		t.Fatalf("what reached the app: %+v", got)
	}
}

func TestAStepUpCanBeCancelled(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	page := bob.askedFor(bob.do(http.MethodGet, "/contacts/export", nil, http.Header{"Referer": {s.url + "/contacts?q=Ana"}}))
	r := bob.submit(page, "Cancel", nil)
	mustSay(t, r, http.StatusOK)
	if !strings.Contains(r.body, `href="/contacts?q=Ana"`) {
		t.Errorf("no way back:\n%s", visible(r.body))
	}
	again := bob.submit(page, "Send me a code", nil)
	if again.StatusCode == http.StatusSeeOther && len(s.texts()) > 1 {
		t.Error("a text was sent for a step-up that is cancelled")
	}
	if len(exports(app)) != 0 {
		t.Error("an export reached the app")
	}
	mustSay(t, bob.get("/contacts"), http.StatusOK)
}

func TestInvariant07AStepUpOpensTheOneRequestThatAsked(t *testing.T) {
	app, s := stepSite(t, exportOnce+"\n\t\tstep_up /profile*")
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	bob.do(http.MethodGet, "/contacts/export?q=Ana", nil, script)
	r := bob.submit(bob.texted(bob.askedFor(bob.get("/contacts"))), codeField, map[string]string{"code": s.textCode()})
	if r.location() != "/contacts" {
		t.Fatalf("the code leads to %q", r.location())
	}
	form := url.Values{"q": {"Ana"}}.Encode()
	for _, c := range []struct {
		name, method, path, body string
		header                   http.Header
	}{
		{"another query", http.MethodGet, "/contacts/export?q=Hanna", "", nil},
		{"no query", http.MethodGet, "/contacts/export", "", nil},
		{"another spelling", http.MethodGet, "/contacts/%65xport?q=Ana", "", nil},
		{"another method", http.MethodPost, "/contacts/export?q=Ana", form, urlencoded},
		{"another method by a header", http.MethodGet, "/contacts/export?q=Ana", "", http.Header{"X-Http-Method-Override": {"POST"}}},
		{"a body", http.MethodGet, "/contacts/export?q=Ana", form, urlencoded},
		{"another route", http.MethodGet, "/profile", "", nil},
	} {
		r := bob.do(c.method, c.path, strings.NewReader(c.body), withHeaders(script, c.header))
		if r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: got %d", c.name, r.StatusCode)
		}
	}
	if got := exports(app); len(got) != 0 {
		t.Errorf("what reached the app: %+v", got)
	}
	mustSay(t, bob.do(http.MethodGet, "/contacts/export?q=Ana", nil, script), http.StatusOK)
}

func TestAStepUpOnEverythingLeavesTheLoginPageAndTheLogoutOpen(t *testing.T) {
	app, s := stepSite(t, "step_up *\n\t\tlogout /logout")
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	bob.askedFor(bob.get("/contacts"))
	bob.askedFor(bob.get("/contacts;/logout"))
	if r := bob.get("/logout"); r.StatusCode == http.StatusSeeOther && strings.HasPrefix(r.location(), atChallenge) {
		t.Fatal("the logout asks for a code")
	}
	bob.get("/contacts")
	for _, r := range byPeople(app) {
		if strings.Contains(r.URI, "contacts") {
			t.Errorf("%s %s reached the app", r.Method, r.URI)
		}
	}
	mustSay(t, bob.get("/login"), http.StatusOK, "Sign in")
}

func TestAHeldRequestBeyondTheCapIsToldBeforeAnythingIsKept(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	for name, body := range map[string]io.Reader{
		"with its length": strings.NewReader("q=" + strings.Repeat("x", 1<<20)),
		"chunked":         io.MultiReader(strings.NewReader("q="), strings.NewReader(strings.Repeat("x", 1<<20))),
	} {
		r := bob.do(http.MethodPost, "/contacts/export", body, urlencoded)
		mustSay(t, r, http.StatusRequestEntityTooLarge, "too large")
		r = bob.do(http.MethodPost, "/contacts/export", strings.NewReader("q="+strings.Repeat("x", 1<<20)), withHeaders(script, urlencoded))
		if r.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s, by a script: got %d", name, r.StatusCode)
		}
	}
	if a := bob.call("state", nil).api(t, http.StatusOK); len(a.Challenges) != 0 {
		t.Errorf("challenges are open: %+v", a.Challenges)
	}
	r := bob.step(bob.do(http.MethodPost, "/contacts/export", strings.NewReader("q="+strings.Repeat("x", 1<<20-2)), urlencoded))
	if got := exports(app); len(got) != 1 || got[0].ContentLength != 1<<20 {
		t.Fatalf("the largest that fits: got %d, and %d exports reached the app", r.StatusCode, len(got))
	}
}

func TestAPassIsUsedUpByTheFirstAnswerBelow400(t *testing.T) {
	app, upstream := serveDemo(t, demoOptions())
	_ = app
	var mu sync.Mutex
	answers := []int{500, 404, 200, 200}
	var sent []string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/contacts/export" {
			httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream}).ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, r.Method+" "+r.Header.Get("Range"))
		if r.Method == http.MethodHead {
			return
		}
		status := answers[0]
		answers = answers[1:]
		w.WriteHeader(status)
	}))
	t.Cleanup(front.Close)
	s := startSite(t, oneLogin("yes redirect /dashboard*\nno status 200", exportOnce), front.Listener.Addr().String())
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	mustSay(t, bob.step(bob.get("/contacts/export")), http.StatusInternalServerError)
	mustSay(t, bob.get("/contacts/export"), http.StatusNotFound)
	mustSay(t, bob.do(http.MethodHead, "/contacts/export", nil, nil), http.StatusOK)
	mustSay(t, bob.get("/contacts/export"), http.StatusOK)
	bob.askedFor(bob.get("/contacts/export"))
	r := bob.do(http.MethodGet, "/contacts/export", nil, http.Header{"Range": {"bytes=100-"}})
	bob.askedFor(r)
	if want := []string{"GET ", "GET ", "HEAD ", "GET "}; !slices.Equal(sent, want) {
		t.Errorf("what reached the app: %q, want %q", sent, want)
	}
}

func TestALostAnswerOfAHeldPostIsToldAndNotRepeated(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	var sent atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/contacts/export" {
			httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream}).ServeHTTP(w, r)
			return
		}
		sent.Add(1)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(front.Close)
	s := startSite(t, oneLogin("yes redirect /dashboard*\nno status 200", exportOnce), front.Listener.Addr().String())
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	r := bob.step(bob.post("/contacts/export", url.Values{"q": {"Ana"}}))
	mustSay(t, r, http.StatusBadGateway, "may have been done")
	if n := sent.Load(); n != 1 {
		t.Errorf("it reached the app %d times", n)
	}
}

func TestOf64RightCodesAtOnceOneSendsTheHeldPost(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	form := hidden(bob.get("/contacts").body, "separator")
	form.Del("")
	page := bob.texted(bob.askedFor(bob.post("/contacts/export", form)))
	code := s.textCode()
	line := bob.jarLine("/contacts/export")
	answer := hidden(page.body, codeField)
	answer.Del("")
	answer.Set("code", code)
	var wg sync.WaitGroup
	var passed atomic.Int32
	for range 64 {
		wg.Go(func() {
			r := s.client().do(http.MethodPost, "/contacts/export", strings.NewReader(answer.Encode()),
				withHeaders(urlencoded, http.Header{"Cookie": {line}}))
			if r.StatusCode == http.StatusOK {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if got := exports(app); passed.Load() != 1 || len(got) != 1 || string(got[0].Body) != form.Encode() {
		t.Fatalf("%d passed, and %d exports reached the app", passed.Load(), len(got))
	}
}
