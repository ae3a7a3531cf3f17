package twofactor

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

func basicAuthInABrowser(r *styleRun) {
	t, contacts := r.t, "/contacts?q=maria"
	here := r.b.NewPerson(t)
	beside := here.NewTab(t)
	for _, p := range []*browser.Page{here, beside} {
		p.AnswerPrompts(alice, "wrong")
		p.Open(r.s.url + contacts)
	}
	if here.Status() != http.StatusUnauthorized || len(byPeople(r.app)) > 0 {
		t.Fatalf("a wrong password gave %d, and %d requests reached the app", here.Status(), len(byPeople(r.app)))
	}
	tried := beside.Prompts()
	here.AnswerPrompts(alice, alicePassword)
	here.Open(r.s.url + contacts)
	r.isChallenged("the right password", here, alice)
	asked := here.Prompts()
	here.Open(r.s.url + "/profile")
	r.isChallenged("another page", here, alice)
	if statuses, asks := background(beside, "/contacts", "/api/me"); !all(statuses, http.StatusForbidden) || asks {
		t.Errorf("with the challenge open, what the browser fetches gets %v and is asked for a password: %t", statuses, asks)
	}
	enterCode(here, wrongCode(r.s))
	says(t, here, "That code is not right")
	if n := len(byPeople(r.app)); n > 0 {
		t.Errorf("with the challenge open, %d requests reached the app", n)
	}
	enterCode(here, r.s.code(alice))
	if at := pathOf(t, here); at != contacts || !here.Has("#contacts") {
		t.Fatalf("the code led to %s:\n%s", at, here.Text())
	}
	r.holdsNothing("after the code", here)
	if got := here.Download("#export input[type=submit]"); !strings.Contains(string(got), "Maria Anders") {
		t.Errorf("the export is %q", got)
	}
	isSignedIn(t, r.s, here, alice)
	r.onlyEver(alice)
	if here.Prompts() != asked || beside.Prompts() != tried {
		t.Errorf("the browser has asked for the password %d times more since it was right", here.Prompts()-asked+beside.Prompts()-tried)
	}

	r.app.Reset()
	thief := r.thief(here)
	thief.AnswerPrompts(alice, alicePassword)
	thief.Open(r.s.url + contacts)
	r.isChallenged("her password and copied cookies in another browser", thief, alice)
	r.reachedNothing("in another browser")
	r.anotherUser(here)
	r.afterTheSession()
}

// portal is the operator's own sign-in for all sites, which forward_auth asks.
type portal struct {
	mu       sync.Mutex
	sessions map[string]string
}

func (p *portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.URL.Path == "/verify":
		user := ""
		if c, err := r.Cookie("portal"); err == nil {
			user = p.sessions[c.Value]
		}
		if user == "" {
			http.Redirect(w, r, "http://"+r.URL.Query().Get("portal")+"/?back="+r.Header.Get("X-Forwarded-Uri"), http.StatusFound)
			return
		}
		w.Header().Set(demoapp.TrustedHeader, user)
	case r.Method == http.MethodPost && r.FormValue("password") == right:
		token := rand.Text()
		p.sessions[token] = r.FormValue("email")
		// Cookies know no port: the site's forward_auth gets it too.
		http.SetCookie(w, &http.Cookie{Name: "portal", Value: token, Path: "/", HttpOnly: true})
		http.Redirect(w, r, r.FormValue("site")+r.FormValue("back"), http.StatusSeeOther)
	default:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<h1>One sign-in for all</h1><form method="post"><input name="back" type="hidden" value="%s">
			<input id="site" name="site"><input id="email" name="email"><input id="password" name="password"><button id="submit">Go</button></form>`, r.FormValue("back"))
	}
}

func TestBehindForwardAuthInABrowser(t *testing.T) {
	srv := httptest.NewServer(&portal{sessions: map[string]string{}})
	t.Cleanup(srv.Close)
	_, port, _ := strings.Cut(srv.Listener.Addr().String(), ":")
	r := entrance(t, browser.Start(t), demoapp.Options{Entrance: demoapp.EntranceTrusted}, `http://localhost:{$PORT} {
	forward_auth `+srv.Listener.Addr().String()+` {
		uri /verify?portal=localhost:`+port+`
		copy_headers Remote-User
	}
	two_factor {
		identity {http.request.header.Remote-User}
		public /assets/*
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`)
	signIn := func(p *browser.Page, user, password string) {
		p.Fill("#site", r.s.url)
		fillLogin(p, user, password)
		p.Click("#submit")
	}
	here := r.b.NewPerson(t)
	here.Open(r.s.url + "/contacts")
	signIn(here, alice, "wrong")
	says(t, here, "One sign-in for all")
	if n := len(byPeople(r.app)); n > 0 {
		t.Fatalf("%d requests reached the app before anybody signed in", n)
	}
	here.Open(r.s.url + "/contacts")
	signIn(here, alice, right)
	r.isChallenged("the portal's yes", here, alice)
	if n := len(byPeople(r.app)); n > 0 {
		t.Errorf("with the challenge open, %d requests reached the app", n)
	}
	enterCode(here, r.s.code(alice))
	if at := pathOf(t, here); at != "/contacts" || !here.Has("#contacts") {
		t.Fatalf("the code led to %s:\n%s", at, here.Text())
	}
	isSignedIn(t, r.s, here, alice)
	// What a page says of itself counts for nothing.
	here.Eval(`fetch("/contacts", {headers: {"Remote-User": "carol@example.com"}})`, nil)
	r.onlyEver(alice)

	// Her portal session and the app's cookies, but not the gateway's own.
	r.app.Reset()
	thief := r.thief(here)
	thief.Open(r.s.url + "/contacts")
	r.isChallenged("the portal's session in another browser", thief, alice)
	r.reachedNothing("in another browser")

	// Another user signs in at the portal, in her browser.
	here.Open("http://localhost:" + port + "/?back=/contacts")
	signIn(here, carol, right)
	r.isChallenged("another user of the portal", here, carol)
	r.reachedNothing("while carol has no code")
	enterCode(here, r.s.code(carol))
	isSignedIn(t, r.s, here, carol)
	r.onlyEver(carol)
}
