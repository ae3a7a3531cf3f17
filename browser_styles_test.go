package twofactor

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// TestEveryStyleOfLogin signs people in at the demo app in each of its styles,
// in a real browser, with nothing but the style's Caddyfile. What the person
// sees is held against the same app without a gateway. TestEveryWayInWithoutAForm
// has the other styles.
func TestEveryStyleOfLogin(t *testing.T) {
	b := browser.Start(t)
	for _, style := range demoapp.FormStyles() {
		t.Run(style.Name, func(t *testing.T) {
			app, upstream := serveDemo(t, style.Options)
			twin := httptest.NewServer(demoapp.New(style.Options))
			t.Cleanup(twin.Close)
			(&styleRun{
				t: t, b: b, app: app, opts: app.Options(), plain: twin.URL,
				s: startSite(t, styleFile(t, style.Name), upstream),
			}).run(style)
		})
	}
}

// styleRun is the app in one style, once behind the gateway and once without.
type styleRun struct {
	t    *testing.T
	b    *browser.Browser
	s    *site
	app  *demoapp.App
	opts demoapp.Options
	// plain is the address of an app of the same style without a gateway.
	plain string
}

func (r *styleRun) run(style demoapp.Style) {
	here, there := r.b.NewPerson(r.t), r.b.NewPerson(r.t)
	r.isSentToSignIn(here, there)
	r.wrongPassword(here, there)
	if style.Options.BigLogin {
		r.isRefused(here)
		return
	}
	r.challenged(here, alice, alicePassword)
	r.staysClosed(here)
	fillLogin(there, alice, alicePassword)
	there.Click("#submit")
	enterCode(here, r.s.code(alice))
	r.hasArrived(here, there)
	r.works(here, there)
	r.somebodyElse(here)
	r.logsOut(here, there)
	r.sessionFromOutside(there)
}

// isSentToSignIn asks for a protected page before any login.
func (r *styleRun) isSentToSignIn(here, there *browser.Page) {
	contacts := r.opts.Path(demoapp.PageContacts)
	here.Open(r.s.url + contacts)
	there.Open(r.plain + contacts)
	r.sees("before the login", here, there)
	if !here.Has("#password") {
		r.t.Fatalf("a visitor who asks for the contacts is not asked to sign in but sees:\n%s", here.Text())
	}
}

// wrongPassword passes as the app shows it.
func (r *styleRun) wrongPassword(here, there *browser.Page) {
	for _, p := range []*browser.Page{here, there} {
		fillLogin(p, alice, "wrong")
		if r.opts.No != demoapp.NoMessage {
			p.Click("#submit")
			continue
		}
		p.Press("#submit")
		p.WaitText("password is wrong")
	}
	r.sees("after a wrong password", here, there)
	if here.Status() != there.Status() {
		r.t.Errorf("a wrong password gave status %d, the app's own is %d", here.Status(), there.Status())
	}
	if !strings.Contains(here.Text(), "password is wrong") {
		r.t.Errorf("after a wrong password the app's own words are missing:\n%s", here.Text())
	}
	r.holdsNothing("after a wrong password", here)
}

// isRefused gives the right password where the answer cannot be held.
func (r *styleRun) isRefused(p *browser.Page) {
	fillLogin(p, alice, alicePassword)
	p.Click("#submit")
	if !strings.Contains(p.Text(), "The sign-in could not be finished") || p.Status() != http.StatusBadGateway {
		r.t.Fatalf("an answer beyond the cap gave %d:\n%s", p.Status(), p.Text())
	}
	r.holdsNothing("after the refusal", p)
	if !strings.Contains(r.s.logged(), "larger than 262144 bytes") {
		r.t.Error("the log does not say that the answer was too large")
	}
	p.Open(r.s.url + r.opts.Path(demoapp.PageContacts))
	if p.Has("#contacts") {
		r.t.Error("the session of the refused login is open")
	}
}

// challenged gives the right password, which leads to the challenge and to no
// session of the app.
func (r *styleRun) challenged(p *browser.Page, user, password string) {
	r.t.Helper()
	fillLogin(p, user, password)
	if r.opts.Yes == demoapp.YesJSON {
		// The app's script does not know the 401 and says so; the next page
		// that the browser opens is the challenge.
		p.Press("#submit")
		p.WaitText("unexpected answer (401)")
		p.Reload()
	} else {
		p.Click("#submit")
	}
	if at := pathOf(r.t, p); at != "/.two-factor/challenge" {
		r.t.Fatalf("the right password of %s led to %s and not to the challenge:\n%s", user, at, p.Text())
	}
	r.holdsNothing("while the challenge is open", p)
}

// staysClosed tries to get past the challenge.
func (r *styleRun) staysClosed(p *browser.Page) {
	r.app.Reset()
	p.Open(r.s.url + r.opts.Path(demoapp.PageContacts))
	if at := pathOf(r.t, p); at != "/.two-factor/challenge" {
		r.t.Fatalf("with the challenge open, the contacts led to %s", at)
	}
	enterCode(p, wrongCode(r.s))
	if !strings.Contains(p.Text(), "That code is not right") {
		r.t.Fatalf("a wrong code gave:\n%s", p.Text())
	}
	for _, seen := range byPeople(r.app) {
		if !strings.Contains(seen.Header.Get("User-Agent"), "caddy-twofactor") {
			r.t.Fatalf("with the challenge open, %s %s reached the app", seen.Method, seen.URI)
		}
	}
}

// hasArrived compares where the code leads with where the app leads.
func (r *styleRun) hasArrived(here, there *browser.Page) {
	if r.opts.Yes == demoapp.YesJSON {
		// The answer was for a script that is gone: the browser is sent back
		// to the page that it ran on.
		if at := pathOf(r.t, here); !strings.HasPrefix(at, r.opts.Path(demoapp.PageLogin)) {
			r.t.Fatalf("the code led to %s and not back to the login page", at)
		}
		if !strings.Contains(here.Text(), "using Old CRM as "+alice) {
			r.t.Fatalf("after the code the app knows nobody:\n%s", here.Text())
		}
		here.Open(r.s.url + r.opts.Path(demoapp.PageDashboard))
	}
	r.sees("after the code", here, there)
	if here.Status() != there.Status() {
		r.t.Errorf("the right code gave status %d, the app's own is %d", here.Status(), there.Status())
	}
	r.holdsNothing("after the code", here)
}

// works uses the app.
func (r *styleRun) works(here, there *browser.Page) {
	for _, page := range []demoapp.Page{demoapp.PageProfile, demoapp.PageContacts} {
		here.Open(r.s.url + r.opts.Path(page))
		there.Open(r.plain + r.opts.Path(page))
		r.sees("on the page "+string(page), here, there)
	}
	for _, button := range []string{"#export-link", "#export input[type=submit]"} {
		got, want := here.Download(button), there.Download(button)
		if len(want) == 0 || !bytes.Equal(got, want) {
			r.t.Errorf("the export by %s has %d bytes, the app's own %d", button, len(got), len(want))
		}
	}
	r.holdsNothing("after using the app", here)
}

// somebodyElse signs in in another browser, and neither hinders the other.
func (r *styleRun) somebodyElse(first *browser.Page) {
	second := r.b.NewPerson(r.t)
	second.Open(r.s.url + r.opts.Path(demoapp.PageLogin))
	r.challenged(second, bob, bobPassword)
	enterCode(second, r.s.textCode())
	for _, person := range []struct {
		page *browser.Page
		user string
	}{{second, bob}, {first, alice}} {
		person.page.Open(r.s.url + r.opts.Path(demoapp.PageProfile))
		if !strings.Contains(person.page.Text(), "Signed in as "+person.user) {
			r.t.Errorf("the profile of %s says:\n%s", person.user, person.page.Text())
		}
	}
}

// sessionFromOutside puts a session in that was made at the app directly, in a
// browser that knows nothing of the gateway yet.
func (r *styleRun) sessionFromOutside(thief *browser.Page) {
	thief.Open(r.s.url + r.opts.Path(demoapp.PageLogin))
	thief.SetCookie(&http.Cookie{Name: r.opts.SessionCookie(), Value: r.app.NewSession(alice), Path: "/"})
	for _, page := range []demoapp.Page{demoapp.PageContacts, demoapp.PageProfile, demoapp.PageLogin} {
		thief.Open(r.s.url + r.opts.Path(page))
		if thief.Has("#contacts") || strings.Contains(thief.Text(), alice) {
			r.t.Errorf("a session made at the app directly opens %s:\n%s", page, thief.Text())
		}
	}
}

// logsOut ends the session, at the app and here.
func (r *styleRun) logsOut(here, there *browser.Page) {
	before := here.Cookies()
	mine := sessionsOf(r.app, alice)
	here.Click("#menu li:last-child a")
	there.Click("#menu li:last-child a")
	r.sees("after the logout", here, there)
	if left := sessionsOf(r.app, alice); left >= mine {
		r.t.Errorf("the app has %d sessions of %s after the logout, %d before", left, alice, mine)
	}
	if n := len(r.app.Remembered()); r.opts.Remember && n != 1 {
		r.t.Errorf("the app remembers %d people after the logout, want only the one who is still there", n)
	}
	for _, c := range before {
		here.SetCookie(c)
	}
	here.Open(r.s.url + r.opts.Path(demoapp.PageContacts))
	if !here.Has("#password") || here.Has("#contacts") {
		r.t.Errorf("the cookies from before the logout open the contacts:\n%s", here.Text())
	}
	here.Open(r.s.url + atChallenge)
	if !strings.Contains(here.Text(), "You were not signed in") {
		r.t.Errorf("after the logout the gateway still knows the session:\n%s", here.Text())
	}
}

// sees compares address and visible text with those of the app alone.
func (r *styleRun) sees(when string, here, there *browser.Page) {
	r.t.Helper()
	if got, want := pathOf(r.t, here), pathOf(r.t, there); got != want {
		r.t.Fatalf("%s the browser is at %s; without the gateway it is at %s", when, got, want)
	}
	if got, want := here.Text(), there.Text(); got != want {
		r.t.Fatalf("%s the browser shows:\n%s\nwithout the gateway it shows:\n%s", when, got, want)
	}
}

// holdsNothing checks that no cookie of the browser has a value of an app
// session in it, in any form.
func (r *styleRun) holdsNothing(when string, p *browser.Page) {
	r.t.Helper()
	secrets := r.app.Sessions()
	for value, user := range r.app.Remembered() {
		secrets[value] = user
	}
	for _, c := range p.Cookies() {
		for value := range secrets {
			if carries(c.Value, value) {
				r.t.Errorf("%s the cookie %s holds an app session of %s", when, c.Name, secrets[value])
			}
		}
	}
}

// carries reports whether a text has a secret in it: as it is, percent-encoded,
// reversed, in hexadecimal digits, or in base64 of any kind at any place.
func carries(text, secret string) bool {
	if unescaped, err := url.QueryUnescape(text); err == nil && unescaped != text && carries(unescaped, secret) {
		return true
	}
	reversed := []byte(secret)
	for i, j := 0, len(reversed)-1; i < j; i, j = i+1, j-1 {
		reversed[i], reversed[j] = reversed[j], reversed[i]
	}
	for _, form := range []string{secret, string(reversed), hex.EncodeToString([]byte(secret))} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return true
		}
	}
	for shift := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		// The characters at both ends depend on what stands beside.
		encoded = encoded[4 : len(encoded)-4]
		if strings.Contains(strings.NewReplacer("-", "+", "_", "/").Replace(text), encoded) {
			return true
		}
	}
	return false
}

func TestTheSearchForASecretFindsItInAnyForm(t *testing.T) {
	const secret = "QWERTYUIOPASDFGHJKLZXCVBNM"
	for _, text := range []string{
		secret, "a" + strings.ToLower(secret) + "b", url.QueryEscape("{" + secret + "}"), "MNBVCXZLKJHGFDSAPOIUYTREWQ",
		hex.EncodeToString([]byte("x" + secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.RawURLEncoding.EncodeToString([]byte("?" + secret + "?")), base64.URLEncoding.EncodeToString([]byte("{}" + secret)),
	} {
		if !carries(text, secret) {
			t.Errorf("not found in %s", text)
		}
	}
	if carries("ABCDEFGHIJKLMNOPQRSTUVWXYZ", secret) {
		t.Error("found where it is not")
	}
}

func sessionsOf(app *demoapp.App, user string) (n int) {
	for _, whose := range app.Sessions() {
		if whose == user {
			n++
		}
	}
	return n
}

// fillLogin fills in the app's login form.
func fillLogin(p *browser.Page, user, password string) {
	p.Fill("#email", user)
	p.Fill("#password", password)
}

const continueButton = "#code ~ button"

// enterCode enters a code on the challenge page.
func enterCode(p *browser.Page, code string) {
	p.Fill("#code", code)
	p.Click(continueButton)
}

// wrongCode returns a code that no authenticator of the test shows now or soon.
func wrongCode(s *site) string {
	return wrongCodes(s, 1)[0]
}

// pathOf returns path and query of the address bar.
func pathOf(t *testing.T, p *browser.Page) string {
	t.Helper()
	u, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}
