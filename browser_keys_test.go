package twofactor

import (
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// useTool types a user and a key into the tool of the style "keys" and waits
// for its words.
func useTool(p *browser.Page, user, key, words string) {
	fillLogin(p, user, key)
	p.Press("#submit")
	p.WaitText(words)
}

// notHere is what the tool says to the gateway's own 401.
const notHere = "unexpected answer (401)"

func keysInABrowser(r *styleRun) {
	t := r.t
	here, there := r.b.NewPerson(t), r.b.NewPerson(t)
	here.Open(r.s.url + "/contacts")
	there.Open(r.plain + "/contacts")
	r.sees("before the key", here, there)
	useTool(here, alice, "wrong", "The user or the key is wrong.")
	useTool(here, bob, alicePassword, "The user or the key is wrong.")
	r.reachedAs("")

	useTool(here, alice, alicePassword, notHere)
	r.app.Reset()
	useTool(here, alice, alicePassword, notHere)
	here.Reload()
	r.isChallenged("the right key", here, alice)
	r.staysClosed(here)
	r.reachedNothing("with the challenge open")
	enterCode(here, r.s.code(alice))
	if at := pathOf(t, here); at != "/" {
		t.Fatalf("the code led to %s and not back to the tool", at)
	}
	r.holdsNothing("after the code", here)
	for range 2 {
		for _, p := range []*browser.Page{here, there} {
			useTool(p, alice, alicePassword, "Signed in as "+alice)
			p.WaitFor("#contacts")
		}
		r.sees("with the contacts", here, there)
	}
	r.onlyEver(alice)

	r.app.Reset()
	thief := r.thief(here)
	thief.Open(r.s.url + "/")
	useTool(thief, alice, alicePassword, notHere)
	if thief.Has("#contacts") {
		t.Error("a copied key and cookies open the contacts in another browser")
	}
	thief.Reload()
	r.isChallenged("a copied key", thief, alice)

	useTool(here, carol, carolPassword, notHere)
	here.Reload()
	r.isChallenged("another user's key in her browser", here, carol)
	r.app.Reset()
	here.Open(r.s.url + "/contacts")
	r.isChallenged("a page of the first user's", here, carol)
	r.reachedNothing("while carol has no code")
	enterCode(here, r.s.code(carol))
	useTool(here, carol, carolPassword, "Signed in as "+carol)
	r.onlyEver(carol)
	useTool(here, alice, alicePassword, notHere)
	here.Reload()
	r.isChallenged("the first user's key, again", here, alice)
}

// A link that logs in names the user in its path, and the key in its query is
// all that tells who may use it.
func TestALinkWithTheUserInItsPath(t *testing.T) {
	style, _ := demoapp.StyleNamed("link")
	r := entrance(t, browser.Start(t), style.Options, styleFile(t, style.Name))
	link := func(user, key string) string {
		return r.s.url + "/enter/" + user + "?" + url.Values{"key": {key}}.Encode()
	}
	here := r.b.NewPerson(t)
	here.Open(link(alice, "wrong"))
	says(t, here, "password is wrong")
	here.Open(link(alice, alicePassword))
	r.isChallenged("the right link", here, alice)
	if html := here.HTML(); strings.Contains(html, "correct") {
		t.Errorf("the challenge has the key in it:\n%s", html)
	}
	r.staysClosed(here)
	enterCode(here, r.s.code(alice))
	if at := pathOf(t, here); at != "/dashboard" {
		t.Fatalf("the code led to %s:\n%s", at, here.Text())
	}
	r.holdsNothing("after the code", here)
	here.Open(link(alice, alicePassword))
	if at := pathOf(t, here); at != "/dashboard" {
		t.Errorf("her link in her own session led to %s:\n%s", at, here.Text())
	}
	isSignedIn(t, r.s, here, alice)

	thief := r.thief(here)
	thief.Open(link(alice, alicePassword))
	r.isChallenged("a copied link", thief, alice)

	here.Open(link(carol, carolPassword))
	r.isChallenged("another user's link in her browser", here, carol)
	r.app.Reset()
	here.Open(r.s.url + "/profile")
	r.isChallenged("a page of the first user's", here, carol)
	r.reachedNothing("while carol has no code")
	enterCode(here, r.s.code(carol))
	isSignedIn(t, r.s, here, carol)
	r.onlyEver(carol)
}

func severalUsersInABrowser(r *styleRun) {
	t := r.t
	here := r.b.NewPerson(t)
	here.Open(r.s.url + "/contacts?username=" + alice)
	if at := pathOf(t, here); at != "/login" {
		t.Fatalf("before the login the contacts led to %s", at)
	}
	fillLogin(here, alice, "wrong")
	here.Click("#submit")
	says(t, here, "password is wrong")
	fillLogin(here, alice, alicePassword)
	here.Click("#submit")
	r.isChallenged("the right password", here, alice)
	r.app.Reset()
	here.Open(r.s.url + "/contacts?username=" + alice)
	r.isChallenged("a page with the challenge open", here, alice)
	r.reachedNothing("with the challenge open")
	enterCode(here, r.s.code(alice))
	if at := pathOf(t, here); at != "/dashboard?username="+alice {
		t.Fatalf("the code led to %s", at)
	}
	r.holdsNothing("after the code", here)
	r.usesAs(here, alice)

	thief := r.thief(here)
	thief.Open(r.s.url + "/contacts?username=" + alice)
	if at := pathOf(t, thief); at != "/login" || strings.Contains(thief.Text(), alice) {
		t.Errorf("copied cookies led to %s:\n%s", at, thief.Text())
	}

	// A second user signs in in the same session of the app.
	here.Open(r.s.url + "/login")
	says(t, here, "Signed in", alice)
	fillLogin(here, carol, carolPassword)
	here.Click("#submit")
	r.isChallenged("the second user's password", here, carol)
	r.app.Reset()
	for _, user := range []string{alice, carol} {
		here.Open(r.s.url + "/contacts?username=" + user)
		r.isChallenged("with the challenge open, a page of "+user, here, carol)
	}
	r.reachedNothing("while the second user has no code")
	enterCode(here, r.s.code(carol))
	if at := pathOf(t, here); at != "/dashboard?username="+carol {
		t.Fatalf("the second user's code led to %s", at)
	}
	r.usesAs(here, carol)
	here.Open(r.s.url + "/?username=" + carol)
	says(t, here, "Signed in", alice, carol)
	// The app would show either. Here the first user's pages are closed to the
	// second, by the app's own links too.
	r.app.Reset()
	here.Click(linkTo(t, here, alice))
	for _, path := range []string{"", "/contacts?username=" + alice, "/contacts?username=" + carol + "&username=" + alice, "/contacts"} {
		if path != "" {
			here.Open(r.s.url + path)
		}
		if at := pathOf(t, here); at != "/login" || here.Has("#contacts") {
			t.Errorf("%q in the second user's session led to %s:\n%s", path, at, here.Text())
		}
	}
	for _, seen := range byPeople(r.app) {
		if seen.User != "" {
			t.Errorf("%s reached the app as %s", seen.URI, seen.User)
		}
	}
	r.usesAs(here, carol)

	// To switch back is to sign in.
	here.Open(r.s.url + "/login")
	fillLogin(here, alice, alicePassword)
	here.Click("#submit")
	r.isChallenged("the first user, again", here, alice)
	enterCode(here, r.s.code(alice))
	r.usesAs(here, alice)
	here.Open(r.s.url + "/contacts?username=" + carol)
	if here.Has("#contacts") {
		t.Error("the second user's contacts are open to the first")
	}
}

// usesAs follows the app's own links and forms as one of the session's users.
func (r *styleRun) usesAs(p *browser.Page, user string) {
	t := r.t
	t.Helper()
	r.app.Reset()
	p.Open(r.s.url + "/?username=" + user)
	p.Click(linkTo(t, p, "Contacts"))
	p.Fill("#q", "maria")
	p.Submit("#search")
	if !p.Has("#contacts") || !strings.Contains(pathOf(t, p), "username=") {
		t.Fatalf("the search of %s led to %s:\n%s", user, p.URL(), p.Text())
	}
	for _, button := range []string{"#export-link", "#export input[type=submit]"} {
		if got := p.Download(button); !strings.Contains(string(got), "Maria Anders") {
			t.Errorf("the export by %s as %s is %q", button, user, got)
		}
	}
	p.Click(linkTo(t, p, "Profile"))
	says(t, p, "Signed in as "+user)
	r.onlyEver(user)
}
