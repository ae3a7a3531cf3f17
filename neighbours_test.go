package twofactor

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// neighbour is an app of several behind one Caddy.
type neighbour struct {
	name string
	app  *demoapp.App
	// s is the site with the neighbour's own address.
	s *site
	// user is the one who has an account here. The app knows the others too.
	user, password string
}

// neighbours are three apps behind one Caddy: two on hosts of one port, whose
// cookies have the same names, and one on another port of the second host.
func neighbours(t *testing.T) []*neighbour {
	t.Helper()
	s := newSite(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.url, "http://"), ":")
	_, other, _ := strings.Cut(freePort(t), ":")
	places := []*neighbour{
		{name: "one", user: alice, password: alicePassword, s: &site{url: "http://one.localhost:" + port}},
		{name: "two", user: bob, password: bobPassword, s: &site{url: "http://two.localhost:" + port}},
		{name: "three", user: carol, password: carolPassword, s: &site{url: "http://two.localhost:" + other}},
	}
	var caddyfile strings.Builder
	for _, p := range places {
		app, upstream := serveDemo(t, demoapp.Options{AtLogin: demoapp.SessionKept, HashedName: p.name == "three"})
		p.app, p.s.t, p.s.secret, p.s.taken = app, t, s.secret, map[string]int64{}
		caddyfile.WriteString(strings.NewReplacer("http://localhost:{$PORT:8080}", p.s.url, "{$UPSTREAM:127.0.0.1:8081}", upstream,
			"two_factor {", "two_factor "+p.name+" {").Replace(styleFile(t, "kept-session")))
	}
	s.start(caddyfile.String(), "")
	for _, p := range places {
		s.enrolAll(p.name, []string{p.user}, account.KindTOTP)
	}
	return places
}

// browser is a new browser at the neighbour, or one that is there already.
func (p *neighbour) browser(same *client) *client {
	c := p.s.client()
	c.http.Transport.(*http.Transport).DialContext = toLoopback
	if same != nil {
		c.jar, c.http.Jar = same.jar, same.jar
	}
	return c
}

func toLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
}

func (p *neighbour) signIn(t *testing.T, c *client) {
	t.Helper()
	if r := c.password(p.user, p.password); r.location() != codePage {
		t.Fatalf("%s at %s: %d to %q", p.user, p.name, r.StatusCode, r.location())
	}
	c.enter(p.s.code(p.user))
	comesAs(t, c, p.app, p.user, "at "+p.name)
}

// own and session are the two cookies of a browser at the neighbour.
func (p *neighbour) own(c *client) string     { return c.cookies("/")["two-factor-"+p.name] }
func (p *neighbour) session(c *client) string { return c.cookies("/")[p.app.Options().SessionCookie()] }

func TestAppsHostsAndPortsBehindOneCaddyDoNotMix(t *testing.T) {
	places := neighbours(t)
	browsers := map[*neighbour]*client{}
	for _, p := range places {
		browsers[p] = p.browser(nil)
		p.signIn(t, browsers[p])
	}
	for _, from := range places {
		for _, to := range places {
			if from == to {
				continue
			}
			there, own := to.app.Options().SessionCookie(), "two-factor-"+to.name+"="
			ofFrom := browsers[from]
			for why, line := range map[string]string{
				"all cookies":                        ofFrom.jarLine("/"),
				"both under the names of the other":  own + from.own(ofFrom) + "; " + there + "=" + from.session(ofFrom),
				"the app's alone":                    there + "=" + from.session(ofFrom),
				"the app's, in a session there":      own + to.own(browsers[to]) + "; " + there + "=" + from.session(ofFrom),
				"the gateway's with the app's there": own + from.own(ofFrom) + "; " + there + "=" + to.session(browsers[to]),
			} {
				for _, path := range []string{"/contacts", "/login", "/assets/style.css"} {
					to.app.Reset()
					c := to.browser(nil)
					c.http.Jar = nil
					c.with(path, line)
					for _, seen := range byPeople(to.app) {
						if len(seen.Cookies) > 0 || seen.User != "" {
							t.Errorf("%s of %s at %s: %s reached the app as <%s> with %q", why, from.name, to.name, path, seen.User, seen.Cookies)
						}
					}
				}
			}
			// An account of one is none of the other.
			stranger := to.browser(nil)
			if r := stranger.password(from.user, from.password); r.location() != "" || r.StatusCode < 400 {
				t.Errorf("%s, who has no account at %s: %d to %q", from.user, to.name, r.StatusCode, r.location())
			}
			if found := reachesBy(to, stranger); len(found) > 0 {
				t.Errorf("%s, who has no account at %s: %q", from.user, to.name, found)
			}
		}
	}
}

func reachesBy(p *neighbour, c *client) []string {
	p.app.Reset()
	c.get("/contacts")
	var found []string
	for _, seen := range byPeople(p.app) {
		if seen.User != "" {
			found = append(found, seen.URI+" as "+seen.User)
		}
	}
	return found
}

func TestOneBrowserIsSignedInAtSeveralAppsAtOnce(t *testing.T) {
	places := neighbours(t)
	first := places[0].browser(nil)
	all := map[*neighbour]*client{}
	for _, p := range places {
		all[p] = p.browser(first)
		p.signIn(t, all[p])
	}
	for range 3 {
		for _, p := range places {
			comesAs(t, all[p], p.app, p.user, "among the others at "+p.name)
			for _, seen := range byPeople(p.app) {
				if lines := strings.Join(seen.Cookies, "; "); strings.Contains(lines, "2f1.") || strings.Count(lines, "=") != 1 {
					t.Errorf("the app at %s got %q", p.name, lines)
				}
			}
		}
	}
	if r := all[places[1]].get("/logout"); r.location() != "/login" {
		t.Fatalf("the logout: %d to %q", r.StatusCode, r.location())
	}
	comesAs(t, all[places[0]], places[0].app, places[0].user, "after a logout at another host")
	comesAs(t, all[places[2]], places[2].app, places[2].user, "after a logout at another port")
	if found := reachesBy(places[1], all[places[1]]); len(found) > 0 {
		t.Errorf("after the logout: %q", found)
	}
	if found := reachesBy(places[1], all[places[1]]); len(found) > 0 {
		t.Errorf("after the logout, once more: %q", found)
	}
}
