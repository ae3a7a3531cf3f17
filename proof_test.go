package twofactor

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// kept is an app that keeps a visitor's session at a login under the value it
// has, answers right and wrong alike, and tells who is logged in on the page
// /me only. The right password is "right".
type kept struct {
	*answering
	mu    sync.Mutex
	users map[string]string
	next  int
	// pages answer in the app's place, by path; false lets the app answer.
	pages map[string]func(w http.ResponseWriter, r *http.Request, user string) bool
}

func startKept(t *testing.T) *kept {
	t.Helper()
	k := &kept{users: map[string]string{}, pages: map[string]func(http.ResponseWriter, *http.Request, string) bool{}}
	k.answering = startAnswering(t, k.serve)
	return k
}

// session starts a session of a user at the app itself.
func (k *kept) session(user string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next++
	id := fmt.Sprintf("session%d", k.next)
	k.users[id] = user
	return id
}

func (k *kept) page(path string, f func(w http.ResponseWriter, r *http.Request, user string) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pages[path] = f
}

func (k *kept) serve(w http.ResponseWriter, r *http.Request) {
	id := ""
	if c, err := r.Cookie("sid"); err == nil {
		id = c.Value
	}
	k.mu.Lock()
	user, known := k.users[id]
	page := k.pages[r.URL.Path]
	k.mu.Unlock()
	if !known {
		id = k.session("")
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/"})
	}
	login, _ := url.ParseQuery(lastBody(k.answering))
	if r.Method == http.MethodPost && login.Get("password") == "right" {
		user = strings.ToLower(strings.TrimSpace(login.Get("email")))
		k.mu.Lock()
		k.users[id] = user
		k.mu.Unlock()
	}
	if page != nil && page(w, r, user) {
		return
	}
	switch {
	case r.Method == http.MethodPost:
		w.Header().Set("Location", "/me")
		w.WriteHeader(http.StatusFound)
	case r.URL.Path == "/me" && user != "":
		fmt.Fprintf(w, "Log out <b class=\"user\">%s</b>", user)
	case r.URL.Path == "/me":
		_, _ = io.WriteString(w, "Please sign in")
	default:
		_, _ = io.WriteString(w, "a page for "+user)
	}
}

// lastBody is the body of the request that came last.
func lastBody(a *answering) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[len(a.seen)-1].Body
}

const (
	tellsBoth = "yes text \"Log out\"\nno text \"Please sign in\"\n"
	tellsWho  = tellsBoth + "user regex `class=\"user\">([^<]+)<`\n"
)

// proofLogin is a login of which only a proof tells.
func proofLogin(address, block string, more ...string) string {
	return oneLogin("proof "+address+" {\n"+block+"\n}", more...)
}

// logIn posts the login form from the login page.
func (c *client) logIn(user, password string) reply {
	c.t.Helper()
	c.get("/login")
	return c.post("/login", filled(user, password))
}

// proofs returns the requests for a path, and forgets all.
func (k *kept) proofs(path string) []got {
	var all []got
	for _, g := range k.requests() {
		if g.Method == http.MethodGet && (g.URI == path || strings.HasPrefix(g.URI, path+"?")) {
			all = append(all, g)
		}
	}
	return all
}

func TestAProofTellsRightFromWrong(t *testing.T) {
	says := func(body string) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	hops := func(n int) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if at := len(r.URL.RawQuery); at < n {
				w.Header().Set("Location", "?"+strings.Repeat("x", at+1))
				w.WriteHeader(http.StatusFound)
				return true
			}
			return false
		}
	}
	redirectTo := func(status int, to string) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Location", to)
			w.WriteHeader(status)
			return true
		}
	}
	const right, wrong, neither = "right", "wrong", "neither"
	tests := []struct {
		name, config string
		password     string
		page         func(http.ResponseWriter, *http.Request, string) bool
		want         string
	}{
		{"an address, right", proofLogin("/me", tellsBoth), right, nil, right},
		{"an address, wrong", proofLogin("/me", tellsBoth), wrong, nil, wrong},
		{"the answer's Location, right", proofLogin("location", tellsWho), right, nil, right},
		{"the answer's Location, wrong", proofLogin("location", tellsWho), wrong, nil, wrong},
		{"who it is, right", proofLogin("/me", tellsWho), right, nil, right},
		{"who it is, wrong", proofLogin("/me", tellsWho), wrong, nil, wrong},
		{"who it is without another sign of yes", proofLogin("/me", "no text \"Please sign in\"\nuser regex `class=\"user\">([^<]+)<`"), right, nil, right},
		{"three hops", proofLogin("/me", tellsBoth), right, hops(3), right},
		{"four hops", proofLogin("/me", tellsBoth), right, hops(4), neither},
		{"a hop to another site", proofLogin("/me", tellsBoth), right, redirectTo(302, "http://127.0.0.1:1/me"), neither},
		{"a hop to nowhere", proofLogin("/me", tellsBoth), right, redirectTo(302, ""), neither},
		{"a hop in circles", proofLogin("/me", tellsBoth), right, redirectTo(307, "/me"), neither},
		{"neither text", proofLogin("/me", tellsBoth), right, says("Hello"), neither},
		{"both texts", proofLogin("/me", tellsBoth), right, says("Log out. Please sign in"), neither},
		{"an empty body", proofLogin("/me", tellsBoth), right, func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.WriteHeader(200)
			return true
		}, neither},
		{"a status alone", proofLogin("/me", tellsBoth), wrong, func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.WriteHeader(http.StatusForbidden)
			return true
		}, neither},
		{"a text with an odd status", proofLogin("/me", tellsBoth), right, func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, "Log out")
			return true
		}, right},
		{"a body in a coding", proofLogin("/me", tellsBoth), right, func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "Log out")
			return true
		}, neither},
		{"a body larger than 256 KiB", proofLogin("/me", tellsBoth), right, says("Log out" + strings.Repeat(" ", 256<<10)), neither},
		{"a body of 256 KiB", proofLogin("/me", tellsBoth), right, says("Log out" + strings.Repeat(" ", 256<<10-7)), right},
		{"an answer that breaks off", proofLogin("/me", tellsBoth), right, func(w http.ResponseWriter, r *http.Request, _ string) bool {
			breakOff("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nLog out")(w, r)
			return true
		}, neither},
		{"no answer", proofLogin("/me", tellsBoth), right, func(w http.ResponseWriter, r *http.Request, _ string) bool {
			breakOff("")(w, r)
			return true
		}, neither},
		{"a JSON value", proofLogin("/me", "yes json user\nno json error"), right, says(`{"user":{"id":1}}`), right},
		{"a JSON value of no", proofLogin("/me", "yes json user\nno json error"), wrong, says(`{"user":null,"error":"none"}`), wrong},
		{"JSON values of both", proofLogin("/me", "yes json user\nno json error"), right, says(`{"user":1,"error":1}`), neither},
		{"a name in JSON", proofLogin("/me", "no json error\nuser json data.email"), right, says(`{"data":{"email":"` + alice + `"}}`), right},
		{"a name with entities", proofLogin("/me", tellsWho), right, says(`Log out <b class="user">alice&#64;example.com</b>`), right},
		{"a name twice", proofLogin("/me", tellsWho), right, says(`Log out <b class="user">alice@example.com</b><b class="user">alice@example.com</b>`), right},
		{"two names", proofLogin("/me", tellsWho), right, says(`Log out <b class="user">alice@example.com</b><b class="user">bob@example.com</b>`), neither},
		{"no name where one is asked for", oneLogin("yes redirect /me\nno status 200\nproof /me {\n" + tellsWho + "}"), right, says("Log out"), neither},
		{"a sign of yes in the answer and none in the proof", oneLogin("yes redirect /me\nno status 200\nproof /me {\nyes text \"Log out\"\nno text \"Please sign in\"\n}"), right, says("Hello"), right},
		{"a sign of yes in the answer and of no in the proof", oneLogin("yes redirect /me\nno status 200\nproof /me {\n" + tellsBoth + "}"), right, says("Please sign in"), neither},
		{"a proof that takes too long", proofLogin("/me", tellsWho), right, func(_ http.ResponseWriter, r *http.Request, _ string) bool {
			select {
			case <-r.Context().Done():
			case <-time.After(8 * time.Second):
			}
			return true
		}, neither},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := startKept(t)
			s := startSite(t, tt.config, app.address)
			c := s.client()
			c.get("/login")
			app.page("/me", tt.page)
			started := time.Now()
			r := c.post("/login", filled(alice, tt.password))
			if took := time.Since(started); took > 7*time.Second {
				t.Errorf("it took %s, though a proof has 5 seconds", took)
			}
			outcome := neither
			switch {
			case r.location() == codePage:
				outcome = right
			case r.StatusCode == http.StatusFound && r.location() == "/me":
				outcome = wrong
			case r.StatusCode != http.StatusBadGateway:
				t.Fatal(words(r))
			}
			if outcome != tt.want {
				t.Errorf("it was taken for %s, want %s: %s\n%s", outcome, tt.want, words(r), s.twoFactorLog())
			}
		})
	}
}

func TestAProofIsAskedByTheSameClientInTheOperatorsLanguage(t *testing.T) {
	for _, tt := range []struct{ line, want string }{{"", "en"}, {"language de-CH\n", "de-CH"}} {
		app := startKept(t)
		s := startSite(t, siteWith("login @login {\nuser form email\nproof /me/{http.two_factor.user} {\n"+tellsWho+tt.line+"}\n}",
			"@login {\nmethod POST\npath /login\n}\nreverse_proxy {$UPSTREAM}"), app.address)
		app.page("/me/"+alice, func(w http.ResponseWriter, r *http.Request, user string) bool {
			r.URL.Path = "/me"
			return false
		})
		c := s.client()
		c.get("/login")
		app.requests()
		h := withHeaders(urlencoded, http.Header{
			"User-Agent": {"Netscape/4"}, "Origin": {s.url}, "Referer": {s.url + "/login"}, "X-Requested-With": {"XMLHttpRequest"},
			"Accept-Language": {"tlh"}, "Accept-Encoding": {"gzip"}, "Authorization": {"Basic Ym9iOng="}, "X-Forwarded-For": {"6.6.6.6"},
			"X-Custom": {"1"}, "Range": {"bytes=0-1"}, "If-None-Match": {"*"},
		})
		c.do(http.MethodPost, "/login", strings.NewReader(filled(alice, "wrong").Encode()), h)
		seen := app.requests()
		if len(seen) != 2 {
			t.Fatalf("%v reached the app, want the login and one proof", uris(seen))
		}
		login, proof := seen[0], seen[1]
		if proof.Method != http.MethodGet || proof.URI != "/me/"+alice || proof.Body != "" {
			t.Errorf("the proof was %s %s", proof.Method, proof.URI)
		}
		if proof.Host != login.Host {
			t.Errorf("the proof's host is %s, want %s", proof.Host, login.Host)
		}
		for _, name := range []string{"User-Agent", "Origin", "Referer", "X-Requested-With", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
			if proof.Header.Get(name) != login.Header.Get(name) || login.Header.Get(name) == "" {
				t.Errorf("%s: the proof has %q, the login %q", name, proof.Header.Get(name), login.Header.Get(name))
			}
		}
		if got := proof.Header.Get("Accept-Language"); got != tt.want {
			t.Errorf("the proof is asked for in %q, want %q", got, tt.want)
		}
		if got := proof.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("the proof accepts the coding %q", got)
		}
		for _, name := range []string{"Authorization", "X-Custom", "Range", "If-None-Match", "Content-Type"} {
			if proof.Header.Get(name) != "" {
				t.Errorf("the client's %s reached the app in a proof", name)
			}
		}
		if login.Header.Get("Authorization") == "" {
			t.Error("the login lost its Authorization")
		}
	}
}

func TestAProofHasTheCookiesOfTheLoginAndItsAnswer(t *testing.T) {
	app := startAnswering(t, nil)
	app.to(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/login" && r.Method == http.MethodGet:
			w.Header()["Set-Cookie"] = []string{"sid=old; Path=/", "gone=1; Path=/", "stays=1; Path=/", "elsewhere=1; Path=/login"}
		case r.Method == http.MethodPost:
			w.Header()["Set-Cookie"] = []string{
				"sid=new; Path=/", "gone=; Path=/; Max-Age=0", "narrow=1; Path=/admin", "mine=1; Path=/me", "foreign=1; Domain=evil.example.com",
				"__Host-bad=1; Path=/me", "twice=1; Path=/", "twice=2; Path=/",
			}
			w.Header().Set("Location", "/me")
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/me" && r.URL.RawQuery == "":
			w.Header()["Set-Cookie"] = []string{"hop=1; Path=/", "sid=hopped; Path=/"}
			w.Header().Set("Location", "/me?2")
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/me":
			w.Header()["Set-Cookie"] = []string{"last=1; Path=/"}
			_, _ = io.WriteString(w, `Log out <b class="user">`+bob+`</b>`)
		}
	})
	s := startSite(t, proofLogin("/me", tellsWho), app.address)
	c := s.client()
	c.get("/login")
	app.requests()
	if r := c.post("/login", filled(bob, "x")); r.location() != codePage {
		t.Fatal(words(r))
	}
	seen := app.requests()
	if len(seen) != 3 {
		t.Fatalf("%v reached the app, want the login and two requests of the proof", uris(seen))
	}
	for i, want := range []string{"elsewhere=1 gone=1 sid=old stays=1", "mine=1 sid=new stays=1 twice=2", "hop=1 mine=1 sid=hopped stays=1 twice=2"} {
		pairs := strings.Split(seen[i].cookie(), "; ")
		slices.Sort(pairs)
		if got := strings.Join(pairs, " "); got != want {
			t.Errorf("%s got the cookies %s, want %s", seen[i].URI, got, want)
		}
	}
	c.enter(s.textCode())
	app.requests()
	c.get("/inbox")
	if seen = app.requests(); len(seen) != 1 {
		t.Fatalf("%v reached the app", uris(seen))
	}
	pairs := strings.Split(seen[0].cookie(), "; ")
	slices.Sort(pairs)
	if got, want := strings.Join(pairs, " "), "hop=1 last=1 sid=hopped stays=1 twice=2"; got != want {
		t.Errorf("after the release the app got %s, want %s: what the proof set is merged in", got, want)
	}
}

func TestTheCookiesOfAProofGoOutWithANoToo(t *testing.T) {
	app := startKept(t)
	s := startSite(t, proofLogin("/me", tellsWho), app.address)
	app.page("/me", func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", Path: "/"})
		return false
	})
	c := s.client()
	if r := c.logIn(alice, "wrong"); r.location() != "/me" {
		t.Fatal(words(r))
	}
	app.requests()
	c.get("/login")
	if seen := app.requests(); len(seen) != 1 || !strings.Contains(seen[0].cookie(), "seen=1") {
		t.Errorf("the app got %v, want the cookie that its proof has set", seen)
	}
}

func TestTheNameThatTheProofSaysIsTheAccount(t *testing.T) {
	app := startKept(t)
	s := startSite(t, siteWith("login fields email password {\nproof /me {\n"+tellsWho+"}\n}\n"+
		"login /magic* {\nproof /me {\n"+tellsWho+"}\n}", "reverse_proxy {$UPSTREAM}"), app.address)
	app.page("/me", func(w http.ResponseWriter, _ *http.Request, user string) bool {
		if user == "" {
			return false
		}
		fmt.Fprintf(w, "Log out <b class=\"user\">%s</b>", bob)
		return true
	})
	c := s.client()
	r := c.logIn(alice, "right")
	if r.location() != codePage {
		t.Fatal(words(r))
	}
	if texts := s.texts(); len(texts) != 1 {
		t.Errorf("%d texts were sent, want one to bob, whom the app logged in", len(texts))
	}
	if r := c.enter(s.code(alice)); r.StatusCode == http.StatusFound {
		t.Error("a code of alice's authenticator opened bob's session")
	}
	if r := c.enter(s.textCode()); r.StatusCode != http.StatusFound {
		t.Errorf("bob's code gave %s", words(r))
	}

	app.page("/magic", func(w http.ResponseWriter, r *http.Request, _ string) bool {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: app.session(bob), Path: "/"})
		w.Header().Set("Location", "/me")
		w.WriteHeader(http.StatusFound)
		return true
	})
	c = s.client()
	if r := c.get("/magic?token=1"); r.location() != codePage {
		t.Errorf("a login without a user field gave %s, want the challenge of whom the proof names", words(r))
	}
}

func TestAWrongPasswordInAVerifiedBrowserNeverCountsAsRight(t *testing.T) {
	tests := []struct{ name, block string }{
		{"the proof cannot say who", tellsBoth},
		{"the proof says who", tellsWho},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := startKept(t)
			s := startSite(t, proofLogin("/me", tt.block), app.address)
			c := s.client()
			if r := c.logIn(bob, "right"); r.location() != codePage {
				t.Fatal(words(r))
			}
			if r := c.enter(s.textCode()); r.StatusCode != http.StatusFound {
				t.Fatal(words(r))
			}
			for _, user := range []string{bob, carol} {
				r := c.post("/login", filled(user, "wrong"))
				if r.location() != "/me" || r.StatusCode != http.StatusFound {
					t.Errorf("a wrong password for %s gave %s, want the app's own answer", user, words(r))
				}
			}
			if n := len(s.texts()); n != 1 {
				t.Errorf("%d texts were sent, want none for a wrong password", n-1)
			}
			r := c.get("/inbox")
			if tt.block == tellsWho {
				if !strings.Contains(r.body, "a page for "+bob) {
					t.Errorf("the proof still names the user, but the browser gets %s", words(r))
				}
				return
			}
			if r.location() != "/login" {
				t.Errorf("nothing names the user any more, but the browser gets %s", words(r))
			}
			app.requests()
			c.get("/login")
			if seen := app.requests(); len(seen) != 1 || seen[0].cookie() == "" {
				t.Errorf("the app got %v, want the visitor's value that it has set, or its login form will not work", seen)
			}
		})
	}
}

func TestALoginOfSomebodyElseInAVerifiedBrowserAsksForTheirCode(t *testing.T) {
	for _, block := range []string{tellsBoth, tellsWho} {
		app := startKept(t)
		s := startSite(t, proofLogin("/me", block), app.address)
		c := s.client()
		c.logIn(bob, "right")
		c.enter(s.textCode())
		if r := c.post("/login", filled(carol, "right")); r.location() != codePage {
			t.Fatalf("a right password of another user gave %s", words(r))
		}
		if r := c.get("/inbox"); r.location() != codePage {
			t.Errorf("bob's page is still there: %s", words(r))
		}
		c.enter(s.code(carol))
		if r := c.get("/inbox"); !strings.Contains(r.body, "a page for "+carol) {
			t.Errorf("after carol's code: %s", words(r))
		}
	}
}

func TestACertainNoEndsAVerifiedSessionUnlessAProofStillNamesItsUser(t *testing.T) {
	proofs := map[string]string{
		"the proof names the user":       "proof /me {\n" + tellsWho + "}",
		"the proof names somebody else":  "proof /other {\n" + tellsWho + "}",
		"the proof names nobody":         "proof /nobody {\n" + tellsWho + "}",
		"there is no proof":              "",
		"the proof cannot say who it is": "proof /me {\nno text \"Please sign in\"\n}",
	}
	for name, proof := range proofs {
		t.Run(name, func(t *testing.T) {
			app := startKept(t)
			// The first login has no proof of its own; that of the second says who.
			s := startSite(t, siteWith("login /login {\nuser form email\nyes status 303\nno status 401\n}\nlogin fields a b {\nyes status 303\nno status 401\n"+proof+"\n}", "reverse_proxy {$UPSTREAM}"), app.address)
			app.page("/login", func(w http.ResponseWriter, r *http.Request, user string) bool {
				f, _ := url.ParseQuery(lastBody(app.answering))
				switch {
				case r.Method != http.MethodPost:
					return false
				case f.Get("password") == "right":
					w.WriteHeader(http.StatusSeeOther)
				default:
					http.SetCookie(w, &http.Cookie{Name: "tried", Value: "1", Path: "/"})
					w.WriteHeader(http.StatusUnauthorized)
				}
				return true
			})
			app.page("/other", func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				fmt.Fprintf(w, "Log out <b class=\"user\">%s</b>", carol)
				return true
			})
			app.page("/nobody", func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				_, _ = io.WriteString(w, "Please sign in")
				return true
			})
			c := s.client()
			if r := c.logIn(bob, "right"); r.location() != codePage {
				t.Fatal(words(r))
			}
			if r := c.enter(s.textCode()); r.StatusCode != http.StatusSeeOther {
				t.Fatal(words(r))
			}
			r := c.post("/login", filled(bob, "wrong"))
			if r.StatusCode != http.StatusUnauthorized {
				t.Fatalf("the wrong password gave %s", words(r))
			}
			goesOn := name == "the proof names the user"
			if tried := c.cookies("/")["tried"] != ""; tried != goesOn {
				t.Errorf("a cookie of the answer went out: %v, want %v", tried, goesOn)
			}
			page := c.get("/inbox")
			if got := strings.Contains(page.body, "a page for "+bob); got != goesOn {
				t.Errorf("after it: %s; want that the session goes on: %v", words(page), goesOn)
			}
		})
	}
}

func TestALineMustBeAVisitorsForAProofThatCannotSayWho(t *testing.T) {
	app := startKept(t)
	s := startSite(t, proofLogin("/me", tellsBoth), app.address)
	c := s.client()
	c.get("/login")
	app.requests()
	c.post("/login", filled(alice, "wrong"))
	seen := app.requests()
	if got := uris(seen); !slices.Equal(got, []string{"GET /me", "POST /login", "GET /me"}) {
		t.Fatalf("the app got %v, want that the line is proved just before the login", got)
	}
	if seen[1].cookie() == "" {
		t.Error("a visitor's values were taken off the login")
	}
	// Somebody has planted a session in this line that is logged in.
	app.logAllIn(alice)
	r := c.post("/login", filled(alice, "wrong"))
	if r.location() != "/me" {
		t.Errorf("a wrong password on a line that is logged in gave %s, want the app's answer and never a challenge", words(r))
	}
	for _, g := range app.requests() {
		if g.Method == http.MethodPost && g.cookie() != "" {
			t.Errorf("the login went on with the line's values %q", g.cookie())
		}
	}
}

// logAllIn logs all sessions of the app in as a user.
func (k *kept) logAllIn(user string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.users {
		k.users[id] = user
	}
}

// shells are ways to put the handler and its app into a route. In them LOGIN
// stands for the login block.
func shells(t *testing.T) map[string]string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("front"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const gate = "two_factor {\nLOGIN\nlogin_page /login\nprotect *\n}\n"
	const proxy = "reverse_proxy {$UPSTREAM}\n"
	return map[string]string{
		"plain":                 gate + proxy,
		"handle":                "handle /nothing {\nrespond no\n}\nhandle {\n" + gate + proxy + "}\n",
		"handle around the app": gate + "handle /nothing {\nrespond no\n}\nhandle {\n" + proxy + "}\n",
		"handle in handle":      "handle {\n" + gate + "handle {\nhandle {\n" + proxy + "}\n}\n}\n",
		"route":                 "route {\n" + gate + proxy + "}\n",
		"handle_path":           "handle_path /crm/* {\n" + gate + proxy + "}\n",
		"rewrite before":        "uri strip_prefix /crm\n" + gate + proxy,
		"rewrite between":       "route {\n" + gate + "uri strip_prefix /crm\n" + proxy + "}\n",
		"encode before":         "route {\nencode gzip {\nminimum_length 1\n}\n" + gate + proxy + "}\n",
		"encode between":        gate + "encode gzip {\nminimum_length 1\n}\n" + proxy,
		"basic_auth before":     "basic_auth {\nfront " + string(hash) + "\n}\n" + gate + proxy,
		"header before":         "header X-Front 1\nheader >Content-Security-Policy none\n" + gate + proxy,
		"request_body before":   "request_body {\nmax_size 10MB\n}\n" + gate + proxy,
	}
}

func TestAProofWorksBehindWhateverStandsBeforeUs(t *testing.T) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			prefix := ""
			if name == "handle_path" || strings.HasPrefix(name, "rewrite") {
				prefix = "/crm"
			}
			block := "login fields email password {\nproof " + prefix + "/me {\n" + tellsWho + "}\n}"
			access := t.TempDir() + "/access.log"
			config := "http://localhost:{$PORT} {\nlog {\noutput file " + access + "\n}\n" +
				strings.ReplaceAll(strings.ReplaceAll(shell, "LOGIN", block), "login_page /login", "login_page "+prefix+"/login") + "}\n"
			app := startKept(t)
			s := startSite(t, config, app.address)
			c := s.client()
			front := http.Header{}
			if name == "basic_auth before" {
				front["Authorization"] = []string{"Basic ZnJvbnQ6ZnJvbnQ="}
			}
			post := func(password string) reply {
				return c.do(http.MethodPost, prefix+"/login", strings.NewReader(filled(bob, password).Encode()), withHeaders(urlencoded, front))
			}
			requests := 1
			c.do(http.MethodGet, prefix+"/login", nil, front)
			app.requests()
			for range 2 {
				r := post("wrong")
				requests++
				if r.StatusCode != http.StatusFound || r.location() != "/me" {
					t.Fatalf("a wrong password gave %s\n%s", words(r), s.twoFactorLog())
				}
				if seen := app.requests(); len(seen) != 2 || seen[1].URI != "/me" || seen[1].cookie() == "" {
					t.Fatalf("the app got %v, want the login and one proof with the session", seen)
				}
			}
			r := post("right")
			requests++
			if r.location() != codePage {
				t.Fatalf("the right password gave %s\n%s", words(r), s.twoFactorLog())
			}
			if seen := app.requests(); len(seen) != 2 {
				t.Errorf("the app got %v, want the login and one proof", uris(seen))
			}
			loggedOnce(t, access, requests)
		})
	}
}

// loggedOnce checks that the access log has one line for each request of the
// client and none for what we asked ourselves.
func loggedOnce(t *testing.T, path string, want int) {
	t.Helper()
	lines := 0
	for range 100 {
		lines = 0
		text := readFile(t, path)
		for line := range bytes.Lines(text) {
			var entry struct {
				Msg string `json:"msg"`
			}
			if json.Unmarshal(line, &entry) == nil && entry.Msg == "handled request" {
				lines++
			}
		}
		if lines >= want {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if lines != want {
		t.Errorf("the access log has %d lines for %d requests", lines, want)
	}
}

func TestTheProofsClientIsTheLoginsBehindATrustedProxy(t *testing.T) {
	app := startKept(t)
	s := newSite(t)
	s.global = "servers {\ntrusted_proxies static 127.0.0.0/8 ::1\ntrusted_proxies_strict\nclient_ip_headers X-Real-Client X-Forwarded-For\n}"
	s.start("http://crm.example.com:{$PORT} {\ntwo_factor {\nlogin fields email password {\nproof /me {\n"+tellsWho+"}\n}\nlogin_page /login\nprotect *\n}\n"+
		"reverse_proxy {$UPSTREAM} {\nheader_up X-Client {client_ip}\n}\n}\n", app.address)
	s.enrol(bob, "phone")
	c := s.client()
	r, err := http.NewRequest(http.MethodPost, s.url+"/login", strings.NewReader(filled(bob, "right").Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "crm.example.com"
	r.Header = http.Header{"Content-Type": urlencoded["Content-Type"], "Accept": {"text/html"}, "X-Real-Client": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}}
	res, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.Header.Get("Location") != codePage {
		t.Fatalf("%d to %q\n%s", res.StatusCode, res.Header.Get("Location"), s.twoFactorLog())
	}
	seen := app.requests()
	if len(seen) != 2 {
		t.Fatalf("the app got %v", uris(seen))
	}
	for _, g := range seen {
		if g.Header.Get("X-Client") != "203.0.113.9" || g.Header.Get("X-Forwarded-Proto") != "https" || g.Host != "crm.example.com" {
			t.Errorf("%s %s: client %q, protocol %q, host %q; want the client's own", g.Method, g.URI,
				g.Header.Get("X-Client"), g.Header.Get("X-Forwarded-Proto"), g.Host)
		}
	}
}

// certificate writes the certificate of net/http/httptest, for example.com, and
// returns the names of its files.
func certificate(t *testing.T) string {
	t.Helper()
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	srv.Close()
	key, err := x509.MarshalPKCS8PrivateKey(srv.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: srv.Certificate().Raw},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert.pem") + " " + filepath.Join(dir, "key.pem")
}

func TestAProofWorksOverTLS(t *testing.T) {
	app := startKept(t)
	s := newSite(t)
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	s.global = "fallback_sni example.com"
	s.start("https://localhost:{$PORT} {\ntls "+certificate(t)+"\n"+
		"two_factor {\nlogin fields email password {\nproof /me {\n"+tellsWho+"}\n}\nlogin_page /login\nprotect *\n}\nreverse_proxy {$UPSTREAM}\n}\n", app.address)
	s.enrol(bob, "phone")
	c := s.client()
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	c.http.Transport = tr
	if r := c.logIn(bob, "wrong"); r.location() != "/me" || r.ProtoMajor != 2 {
		t.Fatalf("a wrong password gave %s over %s\n%s", words(r), r.Proto, s.twoFactorLog())
	}
	if r := c.logIn(bob, "right"); r.location() != codePage {
		t.Fatalf("the right password gave %s\n%s", words(r), s.twoFactorLog())
	}
	if c.cookies("/")["__Host-two-factor-default"] == "" {
		t.Error("our cookie is not one of this host alone")
	}
	for _, g := range app.requests() {
		if g.Header.Get("X-Forwarded-Proto") != "https" {
			t.Errorf("%s %s: the app is told %q", g.Method, g.URI, g.Header.Get("X-Forwarded-Proto"))
		}
	}
	if r := c.enter(s.textCode()); r.StatusCode != http.StatusFound {
		t.Error(words(r))
	}
}

func TestOnlyWhatTheAppSaidItselfIsAProof(t *testing.T) {
	down := func(w http.ResponseWriter, r *http.Request, _ string) bool {
		breakOff("")(w, r)
		return true
	}
	const gate = "two_factor {\nlogin fields email password {\nproof /me {\n" + tellsBoth + "}\n}\nlogin_page /login\nprotect *\n}\n"
	tests := []struct{ name, site string }{
		{"an error page of the server's", gate + "reverse_proxy {$UPSTREAM}\nhandle_errors {\nrespond \"Please sign in\"\n}"},
		{"an error page of the server's that says yes", gate + "reverse_proxy {$UPSTREAM}\nhandle_errors {\nrespond \"Log out\"\n}"},
		{"a page that is answered before us", "handle /me {\nrespond \"Please sign in\"\n}\nhandle {\n" + gate + "reverse_proxy {$UPSTREAM}\n}"},
		{"a redirect before us", "redir /me /login\n" + gate + "reverse_proxy {$UPSTREAM}"},
		{"a route without an app", gate + "@post method POST\nreverse_proxy @post {$UPSTREAM}"},
	}
	for _, tt := range tests {
		for _, password := range []string{"right", "wrong"} {
			t.Run(tt.name+", "+password, func(t *testing.T) {
				app := startKept(t)
				app.page("/me", down)
				s := startSite(t, "http://localhost:{$PORT} {\n"+tt.site+"\n}\n", app.address)
				r := s.client().post("/login", filled(alice, password))
				if r.StatusCode != http.StatusBadGateway || !strings.Contains(r.body, "Reference") {
					t.Errorf("it was taken for an answer: %s", words(r))
				}
			})
		}
	}
}

func TestProofsThatFailLeaveNothingBehind(t *testing.T) {
	app := startKept(t)
	app.page("/me", func(w http.ResponseWriter, r *http.Request, _ string) bool {
		breakOff("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nLog out")(w, r)
		return true
	})
	s := startSite(t, proofLogin("/me", tellsWho), app.address)
	c := s.client()
	count := func() int {
		c.http.CloseIdleConnections()
		n := 0
		for range 50 {
			runtime.GC()
			if m := runtime.NumGoroutine(); m == n {
				break
			} else {
				n = m
			}
			time.Sleep(20 * time.Millisecond)
		}
		return n
	}
	c.logIn(alice, "right")
	before := count()
	for range 20 {
		if r := c.post("/login", filled(alice, "right")); r.StatusCode != http.StatusBadGateway {
			t.Fatal(words(r))
		}
	}
	if after := count(); after > before+10 {
		t.Errorf("%d goroutines after 20 failed proofs, %d before", after, before)
	}
	if strings.Contains(s.logged(), "panic") {
		t.Error("a proxy that gave up on a proof was logged as a panic")
	}
}

func TestValuesThatALoginNobodyDeclaredMayHaveSetAreProvedBeforeTheyAreUsed(t *testing.T) {
	tests := []struct {
		name   string
		now    string // whose session it is now at the app
		page   func(http.ResponseWriter, *http.Request, string) bool
		status int
		goesOn bool
		proofs int
	}{
		{name: "still its user's", now: bob, status: 200, goesOn: true, proofs: 1},
		{name: "another user's", now: carol, status: 401, proofs: 1},
		{name: "nobody's any more", now: "", status: 401, proofs: 1},
		{name: "the page tells nothing", now: bob, status: 502, proofs: 2, goesOn: false,
			page: func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				_, _ = io.WriteString(w, "closed for today")
				return true
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := startKept(t)
			s := startSite(t, proofLogin("/me", tellsWho), app.address)
			c := s.client()
			c.logIn(bob, "right")
			c.enter(s.textCode())
			app.page("/settings", func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				http.SetCookie(w, &http.Cookie{Name: "sid", Value: app.session(tt.now), Path: "/"})
				return true
			})
			c.post("/settings", url.Values{"a": {"1"}})
			app.page("/me", tt.page)
			app.requests()
			first := c.get("/inbox")
			second := c.get("/inbox")
			if first.StatusCode != tt.status {
				t.Errorf("%s, want status %d", words(first), tt.status)
			}
			if got := second.StatusCode == 200 && strings.Contains(second.body, "a page for "+bob); got != tt.goesOn {
				t.Errorf("the second time: %s, want that it goes on: %v", words(second), tt.goesOn)
			}
			if got := len(app.proofs("/me")); got != tt.proofs {
				t.Errorf("%d proofs were asked for, want %d", got, tt.proofs)
			}
			if tt.name != "the page tells nothing" {
				return
			}
			app.page("/me", nil)
			if r := c.get("/inbox"); !strings.Contains(r.body, "a page for "+bob) {
				t.Errorf("when the app can tell again: %s", words(r))
			}
		})
	}
}

func TestWhatAProofSetsGoesOnWithTheRequestAndOutWithItsAnswer(t *testing.T) {
	app := startKept(t)
	s := startSite(t, proofLogin("/me", tellsWho), app.address)
	c := s.client()
	c.logIn(bob, "right")
	c.enter(s.textCode())
	c.post("/settings", url.Values{"a": {"1"}})
	app.page("/settings", func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: app.session(bob), Path: "/"})
		return true
	})
	c.post("/settings", url.Values{"a": {"1"}})
	renewed := app.session(bob)
	app.page("/me", func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: renewed, Path: "/"})
		return false
	})
	for range 2 {
		app.requests()
		if r := c.get("/inbox"); !strings.Contains(r.body, "a page for "+bob) {
			t.Fatal(words(r))
		}
		seen := app.requests()
		if last := seen[len(seen)-1]; last.cookie() != "sid="+renewed {
			t.Errorf("the app got %v, want the value that the proof has set", seen)
		}
	}
}

func TestACredentialSetInAVerifiedSessionGoesOutIfTheProofStillNamesItsUser(t *testing.T) {
	for _, user := range []string{bob, carol} {
		app := startKept(t)
		s := startSite(t, proofLogin("/me", tellsWho, "credential cookie remember"), app.address)
		c := s.client()
		c.logIn(bob, "right")
		c.enter(s.textCode())
		app.page("/api/remember", func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			http.SetCookie(w, &http.Cookie{Name: "remember", Value: "r", Path: "/"})
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: app.session(user), Path: "/"})
			return true
		})
		c.get("/api/remember")
		if went := c.cookies("/")["remember"] != ""; went != (user == bob) {
			t.Errorf("the app's session is %s's after it: the credential went out: %v", user, went)
		}
	}
}
