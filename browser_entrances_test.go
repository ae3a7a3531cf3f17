package twofactor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// waysIn are the styles of the demo app in which people do not sign in by a
// form, each with what they do instead.
var waysIn = map[string]func(*styleRun){
	"basic":         basicInABrowser,
	"keys":          keysInABrowser,
	"trusted":       basicAuthInABrowser,
	"several-users": severalUsersInABrowser,
}

// TestEveryWayInWithoutAForm is TestEveryStyleOfLogin for the styles that
// cannot go through its steps.
func TestEveryWayInWithoutAForm(t *testing.T) {
	b := browser.Start(t)
	for _, style := range demoapp.Styles() {
		if style.Options.ByForm() {
			continue // TestEveryStyleOfLogin
		}
		t.Run(style.Name, func(t *testing.T) {
			way, ok := waysIn[style.Name]
			if !ok {
				t.Fatal("nobody signs in in this style")
			}
			way(entrance(t, b, style.Options, styleFile(t, style.Name)))
		})
	}
}

// entrance is the app with these options, behind a gateway and without.
func entrance(t *testing.T, b *browser.Browser, o demoapp.Options, caddyfile string) *styleRun {
	app, upstream := serveDemo(t, o)
	twin := httptest.NewServer(demoapp.New(o))
	t.Cleanup(twin.Close)
	return &styleRun{t: t, b: b, app: app, opts: app.Options(), plain: twin.URL, s: startSite(t, caddyfile, upstream)}
}

// as is an address with a user name and a password in it, by which a browser
// that has others is told to send these.
func (s *site) as(user, password, path string) string {
	u, err := url.Parse(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// isChallenged checks that the browser shows the challenge, for this user.
func (r *styleRun) isChallenged(what string, p *browser.Page, user string) {
	r.t.Helper()
	if at := pathOf(r.t, p); at != atChallenge {
		r.t.Fatalf("%s led to %s and not to the challenge: %d\n%s", what, at, p.Status(), p.Text())
	}
	says(r.t, p, user)
	r.holdsNothing(what, p)
}

// reachedNothing checks that since the last Reset nothing of a session, and no
// credential, was at the app.
func (r *styleRun) reachedNothing(what string) {
	r.t.Helper()
	for _, seen := range byPeople(r.app) {
		if strings.Contains(seen.Header.Get("User-Agent"), "caddy-twofactor") {
			continue
		}
		for _, name := range []string{"Authorization", demoapp.KeyHeader, demoapp.TrustedHeader} {
			if seen.Header.Get(name) != "" {
				r.t.Errorf("%s: %s %s reached the app with %s", what, seen.Method, seen.URI, name)
			}
		}
		if seen.User != "" {
			r.t.Errorf("%s: %s %s reached the app as %s", what, seen.Method, seen.URI, seen.User)
		}
	}
}

// onlyEver checks that since the last Reset the app was used by this user only.
func (r *styleRun) onlyEver(user string) {
	r.t.Helper()
	n := 0
	for _, seen := range byPeople(r.app) {
		if seen.User == user {
			n++
		} else if seen.User != "" {
			r.t.Errorf("%s %s reached the app as %s, not as %s", seen.Method, seen.URI, seen.User, user)
		}
	}
	if n == 0 {
		r.t.Errorf("the app was not used by %s", user)
	}
}

// thief is another browser with all cookies of this one but the gateway's own.
func (r *styleRun) thief(of *browser.Page) *browser.Page {
	r.t.Helper()
	p := r.b.NewPerson(r.t)
	p.AnswerPrompts(alice, "wrong")
	p.Open(r.s.url + "/.two-factor/none")
	copied := 0
	for _, c := range of.Cookies() {
		if c.Name != ownCookie {
			p.SetCookie(c)
			copied++
		}
	}
	if copied == 0 {
		r.t.Error("there was no cookie of the app to copy")
	}
	return p
}

// background has a page fetch what browsers fetch by themselves, and returns
// the status of each and whether one of them asks for a password.
func background(p *browser.Page, paths ...string) (statuses []int, asks bool) {
	for _, path := range paths {
		var got struct {
			Status int
			Asks   bool
		}
		p.Eval(fmt.Sprintf(`(async () => {
			const image = new Image();
			await new Promise(done => { image.onload = image.onerror = done; image.src = %[1]q + "?image"; });
			const answer = await fetch(%[1]q);
			return {Status: answer.status, Asks: answer.headers.has("WWW-Authenticate")};
		})()`, path), &got)
		statuses, asks = append(statuses, got.Status), asks || got.Asks
	}
	return statuses, asks
}

func all(statuses []int, want int) bool {
	for _, s := range statuses {
		if s != want {
			return false
		}
	}
	return len(statuses) > 0
}

const aStyle = "/assets/style.css"

func basicInABrowser(r *styleRun) {
	t, contacts := r.t, r.s.url+"/contacts?q=maria"
	here, there := r.b.NewPerson(t), r.b.NewPerson(t)
	for _, p := range []*browser.Page{here, there} {
		p.AnswerPrompts(alice, "wrong")
	}
	// A page that is open beside it, from which the browser fetches.
	beside := here.NewTab(t)
	beside.AnswerPrompts(alice, "wrong")
	beside.Open(contacts)
	tried := beside.Prompts()
	here.Open(contacts)
	there.Open(r.plain + "/contacts?q=maria")
	r.sees("after a wrong password", here, there)
	if here.Status() != http.StatusUnauthorized || here.Header("WWW-Authenticate") != there.Header("WWW-Authenticate") {
		t.Errorf("a wrong password gave %d, %q", here.Status(), here.Header("WWW-Authenticate"))
	}
	r.reachedAs("")

	for _, p := range []*browser.Page{here, there} {
		p.AnswerPrompts(alice, alicePassword)
	}
	here.Open(contacts)
	there.Open(r.plain + "/contacts?q=maria")
	r.isChallenged("the right password", here, alice)
	asked := here.Prompts()
	r.app.Reset()
	here.Open(r.s.url + "/profile")
	r.isChallenged("another page", here, alice)
	if statuses, asks := background(beside, aStyle, "/contacts"); !all(statuses, http.StatusForbidden) || asks {
		t.Errorf("with the challenge open, what the browser fetches gets %v and is asked for a password: %t", statuses, asks)
	}
	enterCode(here, wrongCode(r.s))
	says(t, here, "That code is not right")
	r.reachedNothing("with the challenge open")

	enterCode(here, r.s.code(alice))
	r.sees("after the code", here, there)
	r.holdsNothing("after the code", here)
	for _, page := range []string{"/profile", "/", "/nothing", "/contacts"} {
		here.Open(r.s.url + page)
		there.Open(r.plain + page)
		r.sees("at "+page, here, there)
	}
	for _, button := range []string{"#export-link", "#export input[type=submit]"} {
		if got, want := here.Download(button), there.Download(button); len(want) == 0 || string(got) != string(want) {
			t.Errorf("the export by %s has %d bytes, the app's own %d", button, len(got), len(want))
		}
	}
	if statuses, _ := background(here, aStyle); !all(statuses, http.StatusOK) {
		t.Errorf("a style sheet in her session: %v", statuses)
	}
	r.onlyEver(alice)
	if here.Prompts() != asked || beside.Prompts() != tried {
		t.Errorf("the browser has asked for the password %d times more since it was right", here.Prompts()-asked+beside.Prompts()-tried)
	}

	r.app.Reset()
	thief := r.thief(here)
	thief.Open(contacts)
	if thief.Has("#contacts") {
		t.Error("copied cookies open the contacts")
	}
	r.reachedAs("")
	thief.AnswerPrompts(alice, alicePassword)
	thief.Open(contacts)
	r.isChallenged("her password and copied cookies in another browser", thief, alice)
	r.anotherUser(here)
	r.afterTheSession()
}

// reachedAs checks who used the app since the last Reset; "" is nobody.
func (r *styleRun) reachedAs(user string) {
	r.t.Helper()
	for _, seen := range byPeople(r.app) {
		if seen.User != user {
			r.t.Errorf("%s %s reached the app as %q, want %q", seen.Method, seen.URI, seen.User, user)
		}
	}
}

// anotherUser has carol use the browser in which alice is signed in, by a
// password that the browser sends with every request.
func (r *styleRun) anotherUser(p *browser.Page) {
	t := r.t
	p.Open(r.s.as(carol, carolPassword, "/contacts"))
	r.isChallenged("another user in her browser", p, carol)
	r.app.Reset()
	for _, path := range []string{"/profile", "/contacts"} {
		p.Open(r.s.url + path)
		r.isChallenged("with the challenge open, "+path, p, carol)
	}
	r.reachedNothing("while carol has no code")
	enterCode(p, r.s.code(carol))
	if !p.Has("#contacts") {
		t.Fatalf("carol's code led to %s:\n%s", p.URL(), p.Text())
	}
	isSignedIn(t, r.s, p, carol)
	r.onlyEver(carol)
	p.Open(r.s.as(alice, alicePassword, "/contacts"))
	r.isChallenged("the first user, again", p, alice)
}

// afterTheSession lets a session of bob's end, who has a phone: what his
// browser goes on sending by itself sends him no text.
func (r *styleRun) afterTheSession() {
	t := r.t
	p := r.b.NewPerson(t)
	p.AnswerPrompts(bob, bobPassword)
	before := len(r.s.texts())
	p.Open(r.s.url + "/contacts")
	r.isChallenged("bob's password", p, bob)
	if r.opts.Entrance == demoapp.EntranceTrusted {
		r.sent("by the password", before)
		p.Click(linkTo(t, p, "Send me a code"))
	}
	r.sent("at the challenge", before+1)
	enterCode(p, r.s.textCode())
	if !p.Has("#contacts") {
		t.Fatalf("bob's code led to %s:\n%s", p.URL(), p.Text())
	}
	r.s.clock().pass(9 * time.Hour)
	r.app.Reset()
	if statuses, asks := background(p, aStyle+"?1", "/contacts", aStyle+"?2"); r.opts.Entrance == demoapp.EntranceBasic && !all(statuses, http.StatusForbidden) || asks {
		t.Errorf("after the session, what the browser fetches gets %v and is asked for a password: %t", statuses, asks)
	}
	r.sent("for what the browser sends by itself", before+1)
	p.Open(r.s.url + "/profile")
	r.isChallenged("after the session, a page", p, bob)
	r.sent("for a page after the session", before+1)
	p.Click(linkTo(t, p, "Send me a code"))
	r.sent("by the button", before+2)
	enterCode(p, r.s.textCode())
	isSignedIn(t, r.s, p, bob)
}

func (r *styleRun) sent(when string, want int) {
	r.t.Helper()
	if n := len(r.s.texts()); n != want {
		r.t.Fatalf("%d texts were sent %s, want %d", n, when, want)
	}
}
