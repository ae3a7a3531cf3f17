package twofactor

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// startTLS serves hosts over TLS, as a real site is, with the same lines for
// each. Browsers of the tests reach every host under .test on this machine.
func startTLS(t *testing.T, upstream string, lines string, hosts ...string) *site {
	t.Helper()
	s := newSite(t)
	_, port, _ := strings.Cut(s.url, "localhost:")
	s.url = "https://" + hosts[0] + ":" + port
	s.global = "fallback_sni example.com"
	var addresses []string
	for _, h := range hosts {
		addresses = append(addresses, "https://"+h+":{$PORT}")
	}
	s.start(strings.Join(addresses, ", ")+" {\ntls "+certificate(t)+"\ntwo_factor {\n"+lines+"\n}\nreverse_proxy {$UPSTREAM}\n}\n", upstream)
	s.enrol(alice, account.KindTOTP)
	return s
}

func TestOverTLSOurCookieBelongsToThisHostAlone(t *testing.T) {
	_, upstream := serveDemo(t, demoapp.Options{})
	s := startTLS(t, upstream, "login fields email password {\nyes redirect /dashboard*\nno text \"The e-mail address or the password is wrong\"\n}\nlogin_page /login\npublic /style.css\nprotect *", "crm.shop.test")
	p := browser.Start(t).NewPerson(t)
	askFor(t, s, p, alice, alicePassword)
	pending := secretCookie(t, p, "__Host-two-factor-default")
	enterCode(p, s.code(alice))
	isSignedIn(t, s, p, alice)
	verified := secretCookie(t, p, "__Host-two-factor-default")
	if pending.Value == verified.Value {
		t.Error("the token is the same before the code and after it")
	}
	if verified.Domain != "crm.shop.test" {
		t.Errorf("our cookie goes to %q, not to this host alone", verified.Domain)
	}
	if p.Cookie("two-factor-default") != nil || p.Cookie("__Secure-two-factor-default") != nil {
		t.Error("there is an own cookie that another host could plant")
	}
}

// secretCookie returns our cookie, whose attributes are those of a secret.
func secretCookie(t *testing.T, p *browser.Page, name string) *http.Cookie {
	t.Helper()
	c := p.Cookie(name)
	if c == nil {
		t.Fatalf("there is no cookie %s: %v", name, p.Cookies())
	}
	if !c.Secure || !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("our cookie is not kept as a secret: %+v", c)
	}
	return c
}

// sharing is an app whose session is one for all hosts of a domain.
type sharing struct {
	*answering
	mu    sync.Mutex
	users map[string]string
}

func (s *sharing) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	login, _ := url.ParseQuery(lastBody(s.answering))
	id := ""
	if c, err := r.Cookie("shared"); err == nil {
		id = c.Value
	}
	switch {
	case login.Get("password") == "right":
		s.users["id-of-"+login.Get("email")] = login.Get("email")
		http.SetCookie(w, &http.Cookie{Name: "shared", Value: "id-of-" + login.Get("email"), Domain: "shop.test", Path: "/", Secure: true})
		http.Redirect(w, r, "/home", http.StatusFound)
	case r.URL.Path == "/login":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<form method="post">sign in<input id="email" name="email"><input id="password" name="password"><button id="submit">go</button></form>`)
	default:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<p>"+r.Host+" knows "+s.users[id]+"</p>")
	}
}

func TestHostsThatShareTheAppsSessionShareOneChallenge(t *testing.T) {
	app := &sharing{users: map[string]string{}}
	app.answering = startAnswering(t, app.serve)
	lines := "login /login {\nuser form email\nyes redirect /home\nno status 401\n}\nlogin_page /login\nprotect *\ncookie_domain shop.test"
	s := startTLS(t, app.address, lines, "crm.shop.test", "files.shop.test")
	other := strings.Replace(s.url, "crm.", "files.", 1)
	p := browser.Start(t).NewPerson(t)
	p.Open(other + "/home")
	if pathOf(t, p) != "/login" {
		t.Fatalf("before the login %s shows:\n%s", p.URL(), p.Text())
	}
	p.Open(s.url + "/login")
	fillLogin(p, alice, "right")
	p.Click("#submit")
	if pathOf(t, p) != atChallenge {
		t.Fatalf("the right password led to %s:\n%s", p.URL(), p.Text())
	}
	if c := secretCookie(t, p, "__Secure-two-factor-default"); c.Domain != ".shop.test" {
		t.Errorf("our cookie goes to %q", c.Domain)
	}
	app.requests()
	p.Open(other + "/home")
	if pathOf(t, p) != atChallenge {
		t.Fatalf("with an open challenge the other host shows %s:\n%s", p.URL(), p.Text())
	}
	if reached := app.requests(); len(reached) > 0 {
		t.Fatalf("with an open challenge the app got %v", reached)
	}

	// The challenge was opened on one host; its code form belongs to the address
	// that is held there.
	p.Open(s.url + atChallenge)
	enterCode(p, s.code(alice))
	says(t, p, "knows "+alice)
	if c := p.Cookie("shared"); c == nil || strings.Contains(c.Value, "id-of") {
		t.Errorf("the shared session is in the browser as %v", c)
	}
	p.Open(other + "/home")
	says(t, p, "files.shop.test", "knows "+alice)

	// A cookie that a sibling host plants beside ours locks nobody out by being
	// garbage, and opens nothing.
	p.SetCookie(&http.Cookie{Name: "__Secure-two-factor-default", Value: strings.Repeat("A", 43), Domain: "files.shop.test", Path: "/home", Secure: true})
	p.Open(other + "/home")
	says(t, p, "knows "+alice)
}
