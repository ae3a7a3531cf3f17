package twofactor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// TestLoginsByScriptInARealBrowser signs people in by the demo app's own
// scripts, which know nothing of a gateway.
func TestLoginsByScriptInARealBrowser(t *testing.T) {
	b := browser.Start(t)
	for _, tt := range []struct {
		name string
		test func(*testing.T, *browser.Browser)
	}{
		{"a session by cookie is there after the code", scriptGetsASession},
		{"a token comes with the password once more", scriptGetsAToken},
		{"a copied token opens nothing", copiedToken},
		{"a WebSocket opens in a verified session only", webSocketByCookie},
		{"the app's own words while the answer is held", scriptUnderstands},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, b) })
	}
}

// styleSite starts the demo app in a style of its own, with its Caddyfile. What
// goes to the browsers is kept.
func styleSite(t *testing.T, name string, edit func(o *demoapp.Options, caddyfile string) string) (*site, *demoapp.App, *wire) {
	t.Helper()
	style, ok := demoapp.StyleNamed(name)
	if !ok {
		t.Fatalf("there is no style %s", name)
	}
	text := styleFile(t, name)
	if edit != nil {
		text = edit(&style.Options, text)
	}
	app, upstream := serveDemo(t, style.Options)
	s := startSite(t, text, upstream)
	w := listenIn(t, s)
	return s, app, w
}

// signInByScript fills the login form in and waits for what the script says.
func signInByScript(p *browser.Page, user, password, says string) {
	fillLogin(p, user, password)
	p.Press("#submit")
	p.WaitText(says)
}

// reloadsToChallenge opens the next page, which is the challenge.
func reloadsToChallenge(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Reload()
	if pathOf(t, p) != atChallenge {
		t.Fatalf("the next page is %s and not the challenge:\n%s", p.URL(), p.Text())
	}
}

func scriptGetsASession(t *testing.T, b *browser.Browser) {
	s, app, w := styleSite(t, "nested-json", nil)
	p := b.NewPerson(t)
	p.Open(s.url + "/login?from=mail")
	signInByScript(p, alice, "wrong", "The e-mail address or the password is wrong.")
	app.Reset()
	signInByScript(p, alice, alicePassword, "The server gave an unexpected answer (401).")
	if pathOf(t, p) != "/login?from=mail" {
		t.Errorf("the app's script went on to %s", p.URL())
	}
	seen := byPeople(app)
	if len(seen) == 0 || !strings.Contains(string(seen[0].Body), `"auth":{"user":"alice@example.com"}`) {
		t.Fatalf("the login came to the app as %+v", seen)
	}
	var session string
	for value := range app.Sessions() {
		session = value
	}
	if session == "" {
		t.Fatal("the app has logged nobody in")
	}
	app.Reset()
	reloadsToChallenge(t, p)
	p.Open(s.url + "/contacts")
	if pathOf(t, p) != atChallenge {
		t.Errorf("the contacts led to %s", p.URL())
	}
	if got := byPeople(app); len(got) > 0 {
		t.Errorf("while the challenge is open, %s %s reached the app", got[0].Method, got[0].URI)
	}
	enterCode(p, s.code(alice))
	if pathOf(t, p) != "/login?from=mail" || !strings.Contains(strings.Join(p.Trail(), "\n"), "→ 303") {
		t.Errorf("the code led to %s:\n%s", p.URL(), strings.Join(p.Trail(), "\n"))
	}
	says(t, p, "using Old CRM as "+alice)
	isSignedIn(t, s, p, alice)
	if w.has(session) {
		t.Error("the app's session went to the browser in the clear")
	}
}

// tokenSite is the one page with a token, at an app whose clock can be moved.
func tokenSite(t *testing.T) (s *site, app *demoapp.App, w *wire, ahead *atomic.Int64) {
	t.Helper()
	ahead = new(atomic.Int64)
	s, app, w = styleSite(t, "tokens", func(o *demoapp.Options, caddyfile string) string {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		return caddyfile
	})
	return s, app, w, ahead
}

const (
	noLogin     = "Signing in did not work."
	boardIsOpen = "The board is open to "
)

// heldToken gives the password, and returns the token of the answer that is
// held for it.
func heldToken(t *testing.T, s *site, app *demoapp.App, p *browser.Page, user, password string) string {
	t.Helper()
	before := app.Tokens()
	p.Open(s.url + "/login")
	signInByScript(p, user, password, noLogin)
	for value, whose := range app.Tokens() {
		if _, old := before[value]; !old && whose == user {
			return value
		}
	}
	t.Fatalf("the app has given %s no token", user)
	return ""
}

// passesToAToken goes the whole way, and returns the token that the script has.
func passesToAToken(t *testing.T, s *site, p *browser.Page, user, password string) string {
	t.Helper()
	reloadsToChallenge(t, p)
	enterCode(p, s.code(user))
	says(t, p, onceMore, "no code will be asked for")
	follow(t, p, "Go to the sign-in page")
	signInByScript(p, user, password, boardIsOpen+user)
	p.WaitText("Maria Anders")
	return tokenOf(p)
}

// tokenOf is the token that the app's script has kept; empty if none.
func tokenOf(p *browser.Page) string {
	var token string
	p.Eval(`sessionStorage.getItem("crm_token") || ""`, &token)
	return token
}

// fetches asks for an address by a script of the page, with a token.
func fetches(p *browser.Page, address, token string) (status int) {
	p.Eval(fmt.Sprintf(`fetch(%q, {headers: {Authorization: "Bearer " + %q}}).then(r => r.status)`, address, token), &status)
	return status
}

// connects tries to open a WebSocket by a script of the page.
func connects(p *browser.Page, address string) (open bool) {
	p.Eval(fmt.Sprintf(`new Promise(done => {
		const s = new WebSocket(location.origin.replace(/^http/, "ws") + %q);
		s.onopen = () => { done(true); s.close(); };
		s.onclose = () => done(false);
	})`, address), &open)
	return open
}

// reached are the requests with a secret in their line or header.
func reached(app *demoapp.App, secret string) (lines []string) {
	for _, r := range byPeople(app) {
		if strings.Contains(fmt.Sprint(r.URI, r.Header), secret) {
			lines = append(lines, r.Method+" "+r.URI)
		}
	}
	return lines
}

func scriptGetsAToken(t *testing.T, b *browser.Browser) {
	s, app, w, ahead := tokenSite(t)
	p := b.NewPerson(t)
	p.Open(s.url + "/login")
	signInByScript(p, alice, "wrong", "The e-mail address or the password is wrong.")
	first := heldToken(t, s, app, p, alice, alicePassword)
	app.Reset()
	if got := fetches(p, "/api/contacts", first); got != http.StatusUnauthorized {
		t.Errorf("with the challenge open, the app's token gives %d", got)
	}
	if connects(p, "/live?access_token="+first) {
		t.Error("with the challenge open, the app's token opens the board")
	}
	if got := byPeople(app); len(got) > 0 {
		t.Errorf("with the challenge open, %s %s reached the app", got[0].Method, got[0].URI)
	}
	token := passesToAToken(t, s, p, alice, alicePassword)
	if token == first || app.Tokens()[token] != alice {
		t.Fatalf("the script has the token %q of %q", token, app.Tokens()[token])
	}
	if got := fetches(p, "/api/contacts", first); got != http.StatusUnauthorized || len(reached(app, first)) > 0 {
		t.Errorf("the token that was thrown away gives %d, and the app got %q", got, reached(app, first))
	}

	worksByToken(t, app, p, token)
	ahead.Add(int64(6 * time.Minute))
	app.Reset()
	showContacts(p)
	renewed := tokenOf(p)
	if renewed == token || app.Tokens()[renewed] != alice {
		t.Errorf("the token is not renewed: it is %q's", app.Tokens()[renewed])
	}
	var with []string
	for _, r := range byPeople(app) {
		with = append(with, r.Method+" "+r.URI+" "+r.Authorization)
	}
	if want := []string{"GET /api/contacts Bearer " + token, "POST /api/refresh Bearer " + token, "GET /api/contacts Bearer " + renewed}; !slices.Equal(with, want) {
		t.Errorf("the app got %q, want %q", with, want)
	}
	worksByToken(t, app, p, renewed)
	p.Reload()
	p.WaitText(boardIsOpen + alice)
	if w.has(first) || !w.has(token) {
		t.Errorf("on the wire to the browser: the token that was thrown away: %v, the one that was released: %v", w.has(first), w.has(token))
	}

	// The password passes once: another tab, in which the script has no token,
	// is asked for a code again.
	third := p.NewTab(t)
	heldToken(t, s, app, third, alice, alicePassword)
	reloadsToChallenge(t, third)
}

// showContacts empties the list and has the app's script fetch it again.
func showContacts(p *browser.Page) {
	p.Eval(`document.querySelector("#contacts tbody").replaceChildren()`, nil)
	p.Press("#show")
	p.WaitText("Maria Anders")
}

// worksByToken uses the page, and looks at what has reached the app.
func worksByToken(t *testing.T, app *demoapp.App, p *browser.Page, token string) {
	t.Helper()
	app.Reset()
	showContacts(p)
	var rows int
	p.Eval(`document.querySelectorAll("#contacts tbody tr").length`, &rows)
	if rows != 48 {
		t.Errorf("the page shows %d contacts", rows)
	}
	file := p.Download("#export-link")
	if want := exported(); string(file) != want || !strings.Contains(want, "Maria Anders") {
		t.Errorf("the export has %d bytes, the app's own %d", len(file), len(want))
	}
	seen := byPeople(app)
	if len(seen) != 2 || seen[0].URI != "/api/contacts" || seen[0].Authorization != "Bearer "+token || seen[1].URI != "/contacts/export?access_token="+token {
		t.Fatalf("the app got %+v", seen)
	}
	for _, r := range seen {
		if r.User != alice || len(r.Cookies) > 0 {
			t.Errorf("%s came to the app as %q with the cookies %q", r.URI, r.User, r.Cookies)
		}
	}
}

// exported is the file as the app itself gives it to anybody signed in.
func exported() string {
	app := demoapp.New(demoapp.Options{})
	r := httptest.NewRequest(http.MethodGet, "/contacts/export", nil)
	r.AddCookie(&http.Cookie{Name: app.Options().SessionCookie(), Value: app.NewSession(alice)})
	file := httptest.NewRecorder()
	app.ServeHTTP(file, r)
	return file.Body.String()
}

func copiedToken(t *testing.T, b *browser.Browser) {
	s, app, _, _ := tokenSite(t)
	p, thief := b.NewPerson(t), b.NewPerson(t)
	heldToken(t, s, app, p, alice, alicePassword)
	token := passesToAToken(t, s, p, alice, alicePassword)
	nothing := func(who string) {
		t.Helper()
		app.Reset()
		for _, address := range []string{"/api/contacts", "/api/me", "/api/refresh"} {
			if got := fetches(thief, address, token); got != http.StatusUnauthorized {
				t.Errorf("%s gets %d at %s", who, got, address)
			}
		}
		if connects(thief, "/live?access_token="+token) {
			t.Errorf("%s has the board open", who)
		}
		tab := thief.NewTab(t)
		tab.Open(s.url + "/contacts/export?access_token=" + token)
		if pathOf(t, tab) != "/login" {
			t.Errorf("%s is at %s", who, tab.URL())
		}
		if got := reached(app, token); len(got) > 0 {
			t.Errorf("%s's requests reached the app with the token: %q", who, got)
		}
	}
	thief.Open(s.url + "/login")
	nothing("a thief")
	heldToken(t, s, app, thief, carol, carolPassword)
	passesToAToken(t, s, thief, carol, carolPassword)
	nothing("a thief who is signed in as somebody else")
	worksByToken(t, app, p, token)
}

func webSocketByCookie(t *testing.T, b *browser.Browser) {
	s, app, _ := styleSite(t, "live", func(_ *demoapp.Options, caddyfile string) string {
		// A WebSocket needs a session where nothing else does, too.
		return strings.Replace(caddyfile, "public /assets/*\n", "public /assets/*\n\t\tpublic /live\n", 1)
	})
	p := b.NewPerson(t)
	// The challenge's own page could open none, whatever the gateway says.
	other := p.NewTab(t)
	other.Open(s.url + "/login")
	refused := func(when string) {
		t.Helper()
		app.Reset()
		if connects(other, "/live") {
			t.Errorf("%s a WebSocket opens", when)
		}
		if got := byPeople(app); len(got) > 0 {
			t.Errorf("%s it reached the app: %s %s", when, got[0].Method, got[0].URI)
		}
	}
	refused("without a session")
	askFor(t, s, p, alice, alicePassword)
	refused("while the challenge is open")
	stolen := &http.Cookie{Name: "crm_session", Value: app.NewSession(alice), Path: "/"}
	thief := b.NewPerson(t)
	thief.Open(s.url + "/login")
	thief.SetCookie(stolen)
	if app.Reset(); connects(thief, "/live") || len(byPeople(app)) > 0 {
		t.Error("a session made at the app directly has a WebSocket")
	}

	enterCode(p, s.code(alice))
	app.Reset()
	p.Click("#board-link")
	p.WaitText(boardIsOpen + alice)
	for n := 1; n <= 2; n++ {
		p.Fill("#words", "hello")
		p.Press("#send")
		p.WaitText(fmt.Sprintf("%d. %s: hello", n, alice))
	}
	seen := byPeople(app)
	i := slices.IndexFunc(seen, func(r demoapp.Request) bool { return r.URI == "/live" })
	if i < 0 || seen[i].User != alice || strings.Contains(fmt.Sprint(seen[i].Cookies), ownCookie) {
		t.Errorf("the app got %+v", seen)
	}
	complainsOfNothing(t, p)
}

func scriptUnderstands(t *testing.T, b *browser.Browser) {
	const words = "Open the page again: you will be asked for a code."
	s, app, _ := styleSite(t, "nested-json", func(_ *demoapp.Options, caddyfile string) string {
		return strings.Replace(caddyfile, "no status 401\n",
			"no status 401\n\t\t\tscript_answer status 403 `{\"ok\":false,\"message\":\""+words+"\"}`\n", 1)
	})
	p := b.NewPerson(t)
	p.Open(s.url + "/login")
	signInByScript(p, alice, alicePassword, words)
	if n := sessionsOf(app, alice); n != 1 {
		t.Fatalf("the app has %d sessions", n)
	}
	reloadsToChallenge(t, p)
	enterCode(p, s.code(alice))
	says(t, p, "using Old CRM as "+alice)
	isSignedIn(t, s, p, alice)
}
