package twofactor

import (
	"cmp"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// minRounds is how many tries the table has at least.
const minRounds = 150

// round is one try to get round the gateway. It is made twice: through the
// gateway, where its effect may not reach the app, and through the same Caddy
// without the module, where it must, so that each is known to be able to fail.
type round struct {
	// group and name are a sentence together.
	group, name string
	// at names the site that it is made at, by roundSites.
	at string
	// given is what has happened before: who is in which browser.
	given func(*trial)
	// try is what is sent.
	try func(*trial)
	// counts tells of a request that reached the app whether it is the effect
	// that the try is after.
	counts func(*trial, demoapp.Request) bool
	// one says that of many requests one is meant to get through.
	one bool
}

// roundSite is a demo app with the Caddyfile that it stands behind.
type roundSite struct {
	options demoapp.Options
	// caddyfile is the whole of it, as those of testdata/styles.
	caddyfile string
	// kind is the factor of its users; the default is an authenticator.
	kind account.Kind
	// instances are those that it has beside the default one.
	instances []string
}

// roundTable is the whole table, by groups.
func roundTable() []round {
	return slices.Concat(
		roundPending(), roundUpgrades(), roundPaths(), roundHeaders(), roundCookies(), roundNames(), roundPlanted(),
		roundLogins(), roundTwoNames(), roundDoors(), roundTokens(), roundChallenges(), roundParallel(),
		roundSteps(),
	)
}

func TestNobodyGetsRoundTheGateway(t *testing.T) {
	rows, sites := roundTable(), roundSites(t)
	if len(rows) < minRounds {
		t.Errorf("the table has %d tries, want %d at least", len(rows), minRounds)
	}
	var names, ids []string
	for _, r := range rows {
		if _, ok := sites[r.at]; !ok {
			t.Fatalf("%s: there is no site %q", r.name, r.at)
		}
		if !slices.Contains(names, r.at) {
			names = append(names, r.at)
		}
		if id := r.at + "/" + r.group + "/" + r.name; slices.Contains(ids, id) {
			t.Errorf("two tries are named %s", id)
		} else {
			ids = append(ids, id)
		}
	}
	held, open := 0, 0
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			guarded, plain := startRound(t, sites[name])
			for _, r := range rows {
				if r.at != name {
					continue
				}
				t.Run(r.group+"/"+r.name, func(t *testing.T) {
					if seen := plain.run(t, &r); len(seen) == 0 {
						t.Error("without the module it does not reach the app either: it shows nothing")
					}
					open++
					for _, seen := range guarded.run(t, &r) {
						t.Errorf("%s %s reached the app as %q, page %q, with %q", seen.Method, seen.URI, seen.User, seen.Page, seen.Cookies)
					}
					held++
				})
			}
		})
	}
	t.Logf("%d tries were made through the gateway, %d through Caddy alone", held, open)
	if !t.Failed() && (held != len(rows) || open != len(rows)) && !partly() {
		t.Errorf("the table has %d tries", len(rows))
	}
}

// world is one of the two Caddys with the app behind it.
type world struct {
	*site
	app     *demoapp.App
	options demoapp.Options
	// guarded says that the gateway is there.
	guarded bool
	// byText says that its users get their codes by text.
	byText bool
	// next is the number of the next user that nobody has used.
	next int
	// tries counts the trials.
	tries int
	// flight is the last login that was on its way; see aLoginOnItsWay.
	flight *flight
	// second is the address of the site's second instance, if it has one.
	second string
}

const roundUsers = 400

func roundUser(n int) string { return fmt.Sprintf("user%03d@example.com", n) }

func everyRoundUser() (users []string) {
	for n := range roundUsers {
		users = append(users, roundUser(n))
	}
	return users
}

// startRound starts both worlds in one Caddy.
func startRound(t *testing.T, rs roundSite) (guarded, plain *world) {
	t.Helper()
	o := rs.options
	for _, user := range everyRoundUser() {
		o.Users = append(o.Users, demoapp.User{Email: user, Name: "User", Password: alicePassword})
	}
	app, upstream := serveDemo(t, o)
	bare, bareUpstream := serveDemo(t, o)
	s := newSite(t)
	s.apart = true
	ports := map[string]string{}
	for _, name := range []string{"SECOND", "PLAIN", "PLAINSECOND"} {
		_, ports[name], _ = strings.Cut(freePort(t), ":")
		t.Setenv(name, ports[name])
	}
	t.Setenv("BARE", bareUpstream)
	s.global = "servers {\n\t\tprotocols h1 h2 h2c\n\t}"
	s.start(rs.caddyfile+withoutGateway(rs.caddyfile), upstream)
	for _, instance := range append([]string{defaultName}, rs.instances...) {
		s.enrolAll(instance, everyRoundUser(), cmp.Or(rs.kind, account.KindTOTP))
	}
	guarded = &world{site: s, app: app, options: app.Options(), guarded: true, byText: rs.kind == account.KindPhone, second: "http://localhost:" + ports["SECOND"]}
	at := &site{t: t, url: "http://localhost:" + ports["PLAIN"], apart: true, taken: map[string]int64{}}
	plain = &world{site: at, app: bare, options: bare.Options(), second: "http://localhost:" + ports["PLAINSECOND"]}
	return guarded, plain
}

// withoutGateway is the Caddyfile of the same site without the module.
func withoutGateway(caddyfile string) string {
	var kept []string
	inside := false
	for line := range strings.SplitSeq(caddyfile, "\n") {
		switch {
		case strings.HasPrefix(line, "\ttwo_factor"):
			inside = true
		case inside && line == "\t}":
			inside = false
		case !inside:
			kept = append(kept, line)
		}
	}
	return strings.NewReplacer("{$PORT:8080}", "{$PLAIN}", "{$SECOND}", "{$PLAINSECOND}", "{$UPSTREAM:127.0.0.1:8081}", "{$BARE}").
		Replace(strings.Join(kept, "\n"))
}

// trial is one try in one of the worlds.
type trial struct {
	*world
	t *testing.T
	// me is the browser that tries, user whose password was given in it.
	me   *client
	user string
	// victim is at whom it aims, theirs the victim's browser.
	victim string
	theirs *client
	// value and more are kept from what was given for the try.
	value, more string
	form        url.Values
	// shown says that the app's answer came to the one who tries.
	shown bool
	// hits are how many requests have had the effect so far.
	hits   int
	tag    string
	trying bool
}

// run makes a try and returns the requests that had its effect.
func (w *world) run(t *testing.T, r *round) []demoapp.Request {
	t.Helper()
	w.site.t = t
	w.tries++
	tr := &trial{world: w, t: t, tag: fmt.Sprintf("%d", w.tries)}
	tr.me = tr.browser()
	r.given(tr)
	tr.trying = true
	r.try(tr)
	var reached []demoapp.Request
	for _, seen := range w.app.Seen() {
		if seen.Header.Get(roundTag) == tr.tag && r.counts(tr, seen) {
			reached = append(reached, seen)
		}
	}
	if r.one && w.guarded && tr.hits == 0 {
		t.Error("not even the one request that was meant to get through has reached the app")
	}
	return reached
}

// roundTag is the field by which the requests of a try are known at the app.
const roundTag = "X-Round"

// tagging marks the requests of a try.
type tagging struct {
	tr *trial
	http.RoundTripper
}

func (g *tagging) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.tr.trying {
		r = r.Clone(r.Context())
		r.Header.Set(roundTag, g.tr.tag)
	}
	return g.RoundTripper.RoundTrip(r)
}

// browser is a new browser.
func (tr *trial) browser() *client {
	c := tr.client()
	c.http.Transport = &tagging{tr, c.http.Transport}
	return c
}

// send sends a request with exactly these Cookie lines.
func (tr *trial) send(method, path, body string, header http.Header, lines ...string) reply {
	tr.t.Helper()
	c := tr.browser()
	c.http.Jar = nil
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if len(lines) > 0 {
		h["Cookie"] = lines
	}
	return c.do(method, path, strings.NewReader(body), h)
}

// bytes sends a request as it is written, {host} being the site's, with these
// Cookie lines.
func (tr *trial) bytes(head string, lines ...string) reply {
	tr.t.Helper()
	first, rest, _ := strings.Cut(head, "\n")
	first += "\n" + roundTag + ": " + tr.tag
	for _, line := range lines {
		first += "\nCookie: " + line
	}
	return tr.raw(first + "\n" + rest)
}

// partly reports whether the run was asked for a part of the table only.
func partly() bool {
	return strings.Contains(flag.Lookup("test.run").Value.String(), "/") || flag.Lookup("test.skip").Value.String() != ""
}
