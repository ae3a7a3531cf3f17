package twofactor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Browsers as they name themselves.
const (
	firefoxOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
	firefoxUpdated   = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0"
	chromeOnLinux    = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)

// Addresses of the test's world: two of one provider, one of another in the same
// country, one abroad, one that no database knows.
const (
	atHome    = "192.0.2.7"
	nextDoor  = "192.0.2.8"
	atWork    = "198.51.100.7"
	abroad    = "203.0.113.7"
	nowhereIP = "100.64.0.1"
)

// geography writes databases that know the test's world, and returns the lines that
// name them.
func geography(t *testing.T) string {
	t.Helper()
	city := geotest.Write(t, "city.mmdb", geotest.Database(t, "GeoLite2-City", geotest.Records{
		"192.0.2.0/24": geotest.City("DE", 52.5, 13.4, 20), "198.51.100.0/24": geotest.City("DE", 52.4, 13.1, 20),
		"203.0.113.0/24": geotest.City("NZ", -41.3, 174.8, 20),
	}))
	asn := geotest.Write(t, "asn.mmdb", geotest.Database(t, "GeoLite2-ASN", geotest.Records{
		"192.0.2.0/24": geotest.ASN(64500, "Home"), "198.51.100.0/24": geotest.ASN(64501, "Work"), "203.0.113.0/24": geotest.ASN(64502, "Away"),
	}))
	return "geoip " + city + " " + asn
}

// behindProxy lets a test say where its browsers are.
const behindProxy = "servers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}\n"

// somewhere is the transport of a browser that is at an address.
type somewhere struct {
	ip, agent string
	base      http.RoundTripper
}

func (w *somewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if w.ip != "" {
		r.Header.Set("X-Forwarded-For", w.ip)
	}
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("User-Agent", w.agent)
	return w.base.RoundTrip(r)
}

// browserAt is a fresh browser at an address.
func (s *site) browserAt(ip, agent string) (*client, *somewhere) {
	c := s.client()
	w := &somewhere{ip: ip, agent: agent, base: c.http.Transport}
	c.http.Transport = w
	return c, w
}

// knownSite is the demo app behind a policy, in the test's world.
func knownSite(t *testing.T, lines string) (*demoapp.App, *site) {
	t.Helper()
	app, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.shared, s.global = geography(t), behindProxy
	s.start(siteWith("login fields email password {\nyes redirect /dashboard*\nno status 200 text \"The e-mail address or the password is wrong\"\n}\n"+lines, "reverse_proxy {$UPSTREAM}"), upstream)
	s.enrol(alice, account.KindPhone)
	s.enrol(bob, account.KindPhone)
	return app, s
}

// asked signs alice in and reports whether she was asked for a code, which she
// then gives.
func (c *client) asked() bool {
	c.t.Helper()
	r := c.password(alice, alicePassword)
	switch r.location() {
	case "/.two-factor/challenge":
		if r := c.enter(c.s.textCode()); r.location() != "/dashboard" {
			c.t.Fatalf("the code led to %d %q:\n%s", r.StatusCode, r.location(), r.body)
		}
		return true
	case "/dashboard":
		return false
	}
	c.t.Fatalf("a right password gave %d to %q:\n%s\n%s", r.StatusCode, r.location(), r.body, c.s.twoFactorLog())
	return false
}

// quietly is a policy without what every new account raises.
const quietly = "points new_device 0\npoints just_changed 0\nlearning off\n"

func TestALoginIsAskedWhereItIsNotFamiliar(t *testing.T) {
	_, s := knownSite(t, "policy {\n"+quietly+"}")
	for _, tt := range []struct {
		name, ip, agent string
		asked           bool
	}{
		{"the first login", atHome, firefoxOnWindows, true},
		{"the same browser at the same address", atHome, firefoxOnWindows, false},
		{"after an update of the browser", atHome, firefoxUpdated, false},
		{"the next address of the provider", nextDoor, firefoxOnWindows, false},
		{"another provider in the country", atWork, firefoxOnWindows, false},
		{"abroad", abroad, firefoxOnWindows, true},
		{"another browser at home", atHome, chromeOnLinux, true},
		{"that browser once more", atHome, chromeOnLinux, false},
		{"an address that no database has", nowhereIP, firefoxOnWindows, true},
		{"that address once more", nowhereIP, firefoxOnWindows, false},
	} {
		c, _ := s.browserAt(tt.ip, tt.agent)
		if got := c.asked(); got != tt.asked {
			t.Errorf("%s: asked is %v\n%+v", tt.name, got, lastDecision(t))
		}
	}
	if c, _ := s.browserAt(atHome, firefoxOnWindows); c.password(bob, bobPassword).location() != "/.two-factor/challenge" {
		t.Error("what is familiar for alice is for bob")
	}
}

func TestRule21ARememberedBrowserIsNotAskedWhereTheRestIsFamiliar(t *testing.T) {
	for _, tt := range []struct {
		lines     string
		there     [3]bool // at home, next door and abroad
		forgotten bool
	}{
		{"policy new_device", [3]bool{false, false, false}, true},
		{"policy {\nlearning off\npoints just_changed 0\n}", [3]bool{false, false, true}, true},
		{"", [3]bool{false, true, true}, true},
		{"policy every_login", [3]bool{true, true, true}, false},
		{"policy {\nalways user alice@example.com\n}", [3]bool{true, true, true}, false},
		{"policy {\nremember off\n}", [3]bool{true, true, true}, false},
		{"policy {\nhigh 100\n}", [3]bool{true, true, true}, false},
	} {
		t.Run(tt.lines, func(t *testing.T) {
			_, s := knownSite(t, tt.lines)
			c, w := s.browserAt(atHome, firefoxOnWindows)
			page := c.mustAsk(alice, alicePassword)
			if has := strings.Contains(page.body, "two_factor_remember"); has != tt.forgotten {
				t.Fatalf("the page offers to remember: %v", has)
			}
			c.submit(page, codeField, ticks(s.textCode()))
			for i, ip := range []string{atHome, nextDoor, abroad} {
				w.ip = ip
				c.get("/logout")
				if got := c.asked(); got != tt.there[i] {
					t.Errorf("from %s: asked is %v, %s", ip, got, lastDecision(t).Reason)
				}
			}
			thief, _ := s.browserAt(atHome, firefoxOnWindows)
			if !thief.asked() {
				t.Errorf("another browser is not asked: %s", lastDecision(t).Reason)
			}
		})
	}
}

// lastDecision is the last assessment in the audit log.
func lastDecision(t *testing.T) (last auditEntry) {
	t.Helper()
	for _, last = range decisions(t) {
	}
	return last
}

// decisions are the assessments in the audit log.
func decisions(t *testing.T) (list []auditEntry) {
	t.Helper()
	l, err := filepath.Glob(filepath.Join(caddy.AppDataDir(), "two_factor", auditName))
	if err != nil || len(l) != 1 {
		t.Fatalf("the audit log: %v %v", l, err)
	}
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.(*App).shared.events.flush(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	for _, e := range auditLines(t, l[0]) {
		if e.Event == handler.LoginAssessed {
			list = append(list, e)
		}
	}
	return list
}

func TestTheLogSaysOfEachDecisionWhatItRestsOn(t *testing.T) {
	_, s := knownSite(t, "")
	c, _ := s.browserAt(abroad, firefoxOnWindows)
	c.asked()
	e := lastDecision(t)
	if e.Policy != policy.Unfamiliar || e.Verdict != policy.Challenge || *e.Score != 300 || e.Reason != "300 points, of 100 that it takes" {
		t.Errorf("%+v", e)
	}
	if len(e.Signals) != len(policy.Signals()) {
		t.Errorf("%d signals of %d", len(e.Signals), len(policy.Signals()))
	}
	if f := e.Facts; f == nil || f.Address.String() != abroad || f.Place.Country != "NZ" || f.Place.Network != 64502 || !f.Place.Located ||
		f.Agent != (policy.Agent{Browser: "Firefox", System: "Windows"}) || !f.Changed.IsZero() {
		t.Errorf("the facts are %+v", e.Facts)
	}
}

func TestWithoutAPolicyWhoeverIsNotRememberedIsAskedAtEachLogin(t *testing.T) {
	_, s := knownSite(t, "")
	for range 3 {
		c, _ := s.browserAt(atHome, firefoxOnWindows)
		if !c.asked() {
			t.Fatalf("a browser that is not remembered was not asked: %+v", lastDecision(t))
		}
	}
}

func TestOneWordSaysWhatOtherProductsDo(t *testing.T) {
	for _, tt := range []struct {
		preset string
		asked  [4]bool
	}{
		{"every_login", [4]bool{true, true, true, true}},
		{"new_device", [4]bool{true, true, true, true}},
		{"new_ip", [4]bool{true, false, true, false}},
		{"unfamiliar", [4]bool{true, true, true, true}},
	} {
		t.Run(tt.preset, func(t *testing.T) {
			_, s := knownSite(t, "policy "+tt.preset)
			for i, ip := range []string{atHome, atHome, nextDoor, atHome} {
				c, _ := s.browserAt(ip, firefoxOnWindows)
				if got := c.asked(); got != tt.asked[i] {
					t.Errorf("login %d, from %s: asked is %v, %s", i+1, ip, got, lastDecision(t).Reason)
				}
			}
		})
	}
}

func TestRulesOfWhoIsAskedGoByNameGroupAndRequest(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		asked       [3]bool // at home twice, then abroad
	}{
		{"always by name", quietly + "always user ALICE@example.com", [3]bool{true, true, true}},
		{"always by matcher", quietly + "always {\nclient_ip 192.0.2.0/24\n}", [3]bool{true, true, true}},
		{"never by name", quietly + "never user alice@example.com", [3]bool{false, false, false}},
		{"never by matcher", quietly + "never {\nclient_ip 192.0.2.0/24\n}", [3]bool{false, false, true}},
		{"a trusted address", quietly + "trust {\nclient_ip 203.0.113.0/24\n}", [3]bool{true, false, false}},
		{"always by an alias", quietly + "always user Ali", [3]bool{true, true, true}},
		{"a trusted user, by an alias", quietly + "trust user ali", [3]bool{true, false, false}},
		{"another's rule", quietly + "always user bob@example.com", [3]bool{true, false, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, s := knownSite(t, "policy {\n"+tt.rules+"\n}")
			s.alias(alice, "ali")
			for i, ip := range []string{atHome, atHome, abroad} {
				c, _ := s.browserAt(ip, firefoxOnWindows)
				if got := c.asked(); got != tt.asked[i] {
					t.Errorf("login %d, from %s: asked is %v, %s", i+1, ip, got, lastDecision(t).Reason)
				}
			}
		})
	}
}

func TestNeverIsNotToBeHadByASpellingOfThePath(t *testing.T) {
	_, s := knownSite(t, "policy {\nnever /login/internal\n}")
	c, _ := s.browserAt(atHome, firefoxOnWindows)
	for _, path := range []string{"/login/internal", "/login%2finternal", "/login/./internal", "/x/../login/internal", "/login/internal/", "/login;/internal"} {
		r := c.do(http.MethodPost, path, strings.NewReader(filled(alice, alicePassword).Encode()), urlencoded)
		if r.location() == "/dashboard" && path != "/login/internal" {
			t.Errorf("%s passes without a code", path)
		}
	}
}

func TestALoginFromAnAddressThatIsRefusedIsRefused(t *testing.T) {
	app, s := knownSite(t, "policy {\ndeny 300\n}")
	c, _ := s.browserAt(abroad, firefoxOnWindows)
	r := c.password(alice, alicePassword)
	if r.StatusCode != http.StatusForbidden || r.location() != "" || len(c.cookies("/")) > 1 {
		t.Fatalf("a login of 300 points gave %d to %q with %v", r.StatusCode, r.location(), c.cookies("/"))
	}
	app.Reset()
	c.get("/dashboard")
	for _, seen := range byPeople(app) {
		if seen.User != "" {
			t.Errorf("the app was asked as %s: %+v", seen.User, seen)
		}
	}
	if e := lastDecision(t); e.Verdict != policy.Deny || e.Reason != "300 points, of 300 that it takes" {
		t.Errorf("%+v", e)
	}
}

func TestFromHighOnOnlySomeFactorsMayAnswer(t *testing.T) {
	_, s := knownSite(t, "policy {\nhigh 200 totp\n}")
	s.enrol("carol@example.com", account.KindTOTP, account.KindPhone)
	c, _ := s.browserAt(abroad, firefoxOnWindows)
	if r := c.follow(c.password(carol, carolPassword)); strings.Contains(r.body, "text message") {
		t.Errorf("a text is offered:\n%s", r.body)
	}
	c, _ = s.browserAt(abroad, firefoxOnWindows)
	if r := c.password(bob, bobPassword); r.location() != "" || !strings.Contains(r.body, "no second factor") && r.StatusCode < 400 {
		t.Errorf("somebody with a phone alone gets %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
	if n := len(s.texts()); n != 0 {
		t.Errorf("%d texts were sent", n)
	}
}

func TestFailedPasswordsBeforeARightOneCount(t *testing.T) {
	_, s := knownSite(t, "policy {\n"+quietly+"challenge 50\npoints new_ip 0\npoints new_browser 0\npoints new_system 0\npoints new_network 0\npoints new_country 0\n}")
	c, _ := s.browserAt(atHome, firefoxOnWindows)
	if c.asked() {
		t.Fatalf("asked: %s", lastDecision(t).Reason)
	}
	thief, _ := s.browserAt(abroad, chromeOnLinux)
	for range 5 {
		thief.password("ALICE@example.com ", "wrong")
	}
	c, _ = s.browserAt(atHome, firefoxOnWindows)
	if !c.asked() {
		t.Errorf("five failed passwords count nothing: %+v", lastDecision(t))
	}
	// bob is not concerned, but for many names from one address.
	c, _ = s.browserAt(atHome, firefoxOnWindows)
	if r := c.password(bob, bobPassword); r.location() != "/dashboard" {
		t.Errorf("bob is asked for alice's failures")
	}
	for i := range 5 {
		thief.password(fmt.Sprintf("user%d@example.com", i), "wrong")
	}
	c, _ = s.browserAt(abroad, firefoxOnWindows)
	if r := c.password(bob, bobPassword); r.location() != "/.two-factor/challenge" {
		t.Errorf("five names from the address count nothing: %+v", lastDecision(t))
	}
}

func TestWhatAnAccountIsUsedToOutlivesARestart(t *testing.T) {
	_, s := knownSite(t, "policy new_ip")
	c, _ := s.browserAt(atHome, firefoxOnWindows)
	if !c.asked() {
		t.Fatal("the first login is not asked")
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	s.load(siteWith("login fields email password {\nyes redirect /dashboard*\nno status 200 text \"The e-mail address or the password is wrong\"\n}\npolicy new_ip", "reverse_proxy {$UPSTREAM}"))
	c, _ = s.browserAt(atHome, firefoxOnWindows)
	if c.asked() {
		t.Errorf("after a restart the address is new: %+v", lastDecision(t))
	}
}

func TestWhoOnlyKnowsThePasswordMakesNothingFamiliar(t *testing.T) {
	_, s := knownSite(t, "policy new_ip")
	for range 3 {
		thief, _ := s.browserAt(abroad, chromeOnLinux)
		if r := thief.password(alice, alicePassword); r.location() != "/.two-factor/challenge" {
			t.Fatalf("the thief gets %d to %q", r.StatusCode, r.location())
		}
	}
}

func TestInvariant09WithoutTheHistoryNobodyComesIn(t *testing.T) {
	for _, method := range []string{"History", "Tries"} {
		t.Run(method, func(t *testing.T) {
			_, s := knownSite(t, "policy {\nnever user alice@example.com\n}")
			s.useStore(func(in store.Store) store.Store { return &forgetful{Store: in, method: method} })
			c, _ := s.browserAt(atHome, firefoxOnWindows)
			r := c.password(alice, alicePassword)
			if r.StatusCode != http.StatusServiceUnavailable || r.location() != "" {
				t.Errorf("%d to %q", r.StatusCode, r.location())
			}
		})
	}
}

// forgetful is a store that cannot say what an account is used to.
type forgetful struct {
	store.Store
	method string
}

var errForgetful = errors.New("the disk is gone")

func (f *forgetful) History(ctx context.Context, instance, acc string) ([]byte, error) {
	if f.method == "History" {
		return nil, errForgetful
	}
	return f.Store.History(ctx, instance, acc)
}

func (f *forgetful) Tries(ctx context.Context, q store.TriesQuery, now time.Time) (store.TriesSeen, error) {
	if f.method == "Tries" {
		return store.TriesSeen{}, errForgetful
	}
	return f.Store.Tries(ctx, q, now)
}

func TestAFileThatIsNoDatabaseIsRefusedWithItsLine(t *testing.T) {
	none := geotest.Write(t, "city.mmdb", []byte("<html>Too many requests</html>"))
	list := geotest.Write(t, "tor.txt", []byte("192.0.2.1\n<html>\n"))
	for _, tt := range []struct{ line, says string }{
		{"geoip " + none, "is no database in MaxMind's format"},
		{"network_list tor " + list, "line 2"},
	} {
		text := "{\n\ttwo_factor {\n\t\tstore file\n\t\t" + tt.line + "\n\t}\n}\n"
		_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "at Caddyfile:4") {
			t.Errorf("%s: %v", tt.line, err)
		}
	}
	there := "{\n\ttwo_factor {\n\t\tgeoip /nowhere/city.mmdb {env.TWO_FACTOR_NONE}\n\t}\n}\n"
	if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(there), map[string]any{"filename": "Caddyfile"}); err != nil {
		t.Errorf("a file that is on another machine: %v", err)
	}
}

func TestPointsForWhatNoDatabaseTellsAreWarnedOf(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	for lines, warns := range map[string]bool{
		"policy {\npoints new_country 60\n}": true, "policy {\npoints new_country 60\nunknown ignore\n}": false, "policy unfamiliar": false,
	} {
		s := newSite(t)
		s.start(siteWith("login fields email password {\nyes redirect /dashboard*\nno status 200\n}\n"+lines, "reverse_proxy {$UPSTREAM}"), upstream)
		if has := strings.Contains(s.logged(), "everybody is asked for a code at every login"); has != warns {
			t.Errorf("%s: warned is %v", lines, has)
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}
