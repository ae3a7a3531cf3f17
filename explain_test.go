package twofactor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

const (
	chrome  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
)

// explained is a site with an admin API, a database of countries, and a proxy in
// front that is believed, and the file of its config.
type explained struct {
	*site
	admin, config string
	audit         string
}

func explainSite(t *testing.T, lines string) *explained {
	t.Helper()
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	dir := t.TempDir()
	x := &explained{
		site: s, admin: freePort(t), config: filepath.Join(dir, "caddy.json"),
		audit: filepath.Join(os.Getenv("XDG_DATA_HOME"), "caddy", "two_factor", auditName),
	}
	database := filepath.Join(dir, "country.mmdb")
	data := geotest.Database(t, "GeoLite2-Country", geotest.Records{
		"192.0.2.0/24": geotest.Country("DE"), "198.51.100.0/24": geotest.Country("NZ"),
	})
	if err := os.WriteFile(database, data, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("UPSTREAM", upstream)
	adapted, err := adapt(fmt.Sprintf(`{
	admin %s
	persist_config off
	auto_https off
	log {
		output file %s
		level DEBUG
	}
	servers {
		trusted_proxies static 127.0.0.1/8
		trusted_proxies_strict
	}
	two_factor {
		geoip %s
		sms dev inbox {
			listen %s
		}
	}
}
%s`, x.admin, s.log, database, s.inbox, oneLogin("yes redirect /dashboard*\nno status 200", lines)))
	if err != nil {
		t.Fatal(err)
	}
	write(t, x.config, adapted)
	mustLoad(t, []byte(adapted))
	s.enrol(alice, account.KindTOTP)
	s.enrol(bob, account.KindPhone)
	return x
}

// comes is a browser that comes from an address.
func (x *explained) comes(ip, agent string) *client {
	c := x.client()
	c.http.Transport = comesFrom{c.http.Transport, ip, agent}
	return c
}

type comesFrom struct {
	http.RoundTripper
	ip, agent string
}

func (f comesFrom) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.ip)
	r.Header.Set("User-Agent", f.agent)
	return f.RoundTripper.RoundTrip(r)
}

// explain runs the command against the running Caddy.
func (x *explained) explain(t *testing.T, args ...string) (r explainResult) {
	t.Helper()
	out, err := command(t, "", append([]string{"explain", "--json", "--address", x.admin}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// decisions are the lines of the audit log that say what was decided.
func (x *explained) decisions(t *testing.T) (list []auditEntry) {
	t.Helper()
	if err := activeApp(t).shared.events.flush(auditPatience); err != nil {
		t.Fatal(err)
	}
	for _, e := range auditLines(t, x.audit) {
		if e.Event == handler.LoginAssessed {
			list = append(list, e)
		}
	}
	return list
}

func (x *explained) history(t *testing.T, user string) []byte {
	t.Helper()
	l := x.lease()
	defer l.Release()
	raw, err := l.Parts().Store.History(t.Context(), defaultName, account.Fold(user))
	if err == nil && raw == nil {
		raw, err = l.Parts().Store.History(t.Context(), defaultName+" observed", account.Fold(user))
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestALoginIsExplainedAsTheAuditLogThenSaysOfIt(t *testing.T) {
	verdicts := map[policy.Verdict]int{}
	for name, lines := range map[string]string{
		"the default": "", "new_ip": "policy new_ip", "new_device": "policy new_device", "every_login": "policy every_login",
		"a block":     "policy {\nlearning off\nchallenge 150\nhigh 200 totp\ndeny 260\npoints failed_passwords 100\npoints just_changed 0\n}",
		"group rules": "policy new_ip {\nnever user " + bob + "\n}",
	} {
		t.Run(name, func(t *testing.T) {
			x := explainSite(t, lines)
			for i, login := range []struct {
				ip, agent string
				wrong     int
			}{{"192.0.2.7", chrome, 0}, {"192.0.2.7", chrome, 0}, {"198.51.100.9", chrome, 0}, {"192.0.2.7", firefox, 6}} {
				c := x.comes(login.ip, login.agent)
				for range login.wrong {
					mustSay(t, c.password(bob, "wrong"), http.StatusOK)
				}
				before := x.history(t, bob)
				args := []string{strings.ToUpper(bob), "--ip", login.ip, "--user-agent", login.agent, "--device", "none"}
				first, got := x.explain(t, args...), x.explain(t, args...)
				if first.Decision.Reason != got.Decision.Reason || !slices.Equal(first.Decision.Assessment.Signals, got.Decision.Assessment.Signals) {
					t.Errorf("login %d is explained in two ways: %+v, %+v", i+1, first, got)
				}
				if !bytes.Equal(before, x.history(t, bob)) {
					t.Errorf("login %d: to explain it has changed the history", i+1)
				}
				r := c.password(bob, bobPassword)
				outcome := "let in without a second factor"
				switch {
				case r.location() == codePage:
					outcome = "asked for a code"
					c.enter(x.textCode())
				case r.location() != "/dashboard":
					outcome = "refused"
				}
				list := x.decisions(t)
				if len(list) != i+1 {
					t.Fatalf("the audit log tells of %d decisions after login %d", len(list), i+1)
				}
				e := list[i]
				verdicts[e.Verdict]++
				d := got.Decision
				if e.Verdict != d.Verdict || *e.Score != d.Assessment.Score || !slices.Equal(e.Signals, d.Assessment.Signals) ||
					e.Policy != d.Policy || e.Reason != d.Reason || e.High != d.High || !slices.Equal(e.Factors, d.Factors) || !reflect.DeepEqual(*e.Thresholds, d.Thresholds) {
					t.Errorf("login %d: explained as\n%+v\nand then\n%+v", i+1, d, e)
				}
				if !strings.HasPrefix(got.Outcome, outcome) {
					t.Errorf("login %d: %s, and was explained to be %s", i+1, outcome, got.Outcome)
				}
				facts := got.Facts
				facts.Time, facts.User, facts.Account = time.Time{}, "", ""
				if !reflect.DeepEqual(utc(facts), utc(*e.Facts)) {
					t.Errorf("login %d: by the facts\n%+v\nand then\n%+v", i+1, facts, *e.Facts)
				}
			}
		})
	}
	for _, v := range []policy.Verdict{policy.Allow, policy.Challenge, policy.Deny} {
		if verdicts[v] == 0 {
			t.Errorf("no login came to %s: the test tells nothing of it", v)
		}
	}
}

// utc are facts whose times are of one zone.
func utc(f policy.Facts) policy.Facts {
	f.Changed = f.Changed.UTC()
	return f
}

func TestALoginOfARememberedBrowserIsExplainedAsItIsLogged(t *testing.T) {
	x := explainSite(t, "")
	clock := x.clock()
	browser := x.comes("192.0.2.7", chrome)
	if r := browser.password(bob, bobPassword); r.location() != codePage {
		t.Fatal(words(r))
	}
	browser.submit(browser.get(codePage), codeField, ticks(x.textCode()))
	name, copied := browser.device()
	for i, device := range []string{"known", "known", "stolen"} {
		got := x.explain(t, bob, "--ip", "192.0.2.7", "--user-agent", chrome, "--device", device)
		if device == "stolen" {
			browser = x.comes("192.0.2.7", chrome)
			browser.setCookie(name, copied)
			clock.pass(account.DeviceGrace + time.Second)
		}
		browser.password(bob, bobPassword)
		list := x.decisions(t)
		if len(list) != i+2 {
			t.Fatalf("the audit log tells of %d decisions", len(list))
		}
		e, d := list[i+1], got.Decision
		if e.Verdict != d.Verdict || *e.Score != d.Assessment.Score || !slices.Equal(e.Signals, d.Assessment.Signals) || e.Facts.Device != policy.Device(device) {
			t.Errorf("login %d: explained as\n%+v\nand then\n%+v", i+1, d, e)
		}
	}
}

func TestALoginThatIsOnlyObservedIsExplainedAsItIsLogged(t *testing.T) {
	x := explainSite(t, "mode observe")
	for i, agent := range []string{chrome, chrome, firefox} {
		got := x.explain(t, bob, "--ip", "192.0.2.7", "--user-agent", agent)
		c := x.comes("192.0.2.7", agent)
		if r := c.password(bob, bobPassword); r.location() != "/dashboard" {
			t.Fatal(words(r))
		}
		var e auditEntry
		until(t, "the decision is in the audit log", func() bool {
			list := x.decisions(t)
			if len(list) <= i {
				return false
			}
			e = list[i]
			return true
		})
		if d := got.Decision; e.Verdict != d.Verdict || *e.Score != d.Assessment.Score || !slices.Equal(e.Signals, d.Assessment.Signals) {
			t.Errorf("login %d: explained as\n%+v\nand then\n%+v", i+1, d, e)
		}
		if i == 1 && got.Facts.Device != policy.DeviceUnwatched {
			t.Errorf("the device is %q", got.Facts.Device)
		}
		// What is learnt is learnt behind the answer.
		until(t, "it is learnt", func() bool {
			h, err := policy.ParseHistory(x.history(t, bob))
			return err == nil && h.Logins == i+1
		})
	}
	if r := x.explain(t, bob, "--ip", "192.0.2.7", "--user-agent", chrome, "--device", "none"); r.Facts.Device != policy.DeviceNone {
		t.Errorf("a device that was given is %q", r.Facts.Device)
	}
}

func TestANameThatWasOnlyObservedIsExplainedByWhatWasObserved(t *testing.T) {
	const carol, carolPassword = "carol@example.com", "tulip mania"
	x := explainSite(t, "mode observe")
	notes := func() string {
		return strings.Join(x.explain(t, carol, "--ip", "192.0.2.7", "--user-agent", chrome).Notes, " ")
	}
	if got := notes(); !strings.Contains(got, "the signals are those of a new user") {
		t.Errorf("before anything was observed: %s", got)
	}
	if r := x.comes("192.0.2.7", chrome).password(carol, carolPassword); r.location() != "/dashboard" {
		t.Fatal(words(r))
	}
	// What is learnt is learnt behind the answer.
	until(t, "it is learnt", func() bool { return len(x.history(t, carol)) > 0 })
	if got := notes(); !strings.Contains(got, "it is explained by what was observed of the name") || strings.Contains(got, "new user") {
		t.Errorf("after it was observed: %s", got)
	}
}

func TestAStoppedCaddysLoginsAreExplainedFromItsStoreAndConfig(t *testing.T) {
	x := explainSite(t, "policy {\ntrust {\nremote_ip 10.0.0.0/8\nmethod POST\n}\nalways /eve\nhigh 350 totp\ndeny 900\n}\n"+
		"step_up /export {\npolicy {\npoints new_country 100\n}\n}\n")
	x.comes("192.0.2.7", chrome).signIn(bob, bobPassword)
	for range 6 {
		mustSay(t, x.comes("198.51.100.9", firefox).password(bob, "wrong"), http.StatusOK)
	}
	at := time.Now().UTC().Add(time.Minute).Truncate(time.Second).Format(time.RFC3339)
	questions := map[string][]string{
		"a login":                     {bob, "--ip", "198.51.100.9", "--user-agent", firefox},
		"one of a remembered browser": {bob, "--ip", "192.0.2.7", "--user-agent", chrome, "--device", "known"},
		"one with an old token":       {alice, "--ip", "::ffff:192.0.2.7", "--device", "stolen"},
		"a step-up":                   {bob, "--ip", "198.51.100.9", "--user-agent", chrome, "--step-up", "1"},
		"a user whom nobody knows":    {"nobody", "--login", "1"},
		"a user agent without an end": {bob, "--user-agent", firefox + strings.Repeat(" x", 400)},
	}
	running := map[string][2]string{}
	ask := func(args []string, where ...string) (both [2]string) {
		t.Helper()
		for i, form := range [][]string{{"--json"}, nil} {
			out, err := command(t, "", slices.Concat([]string{"explain", "--time", at}, args, where, form)...)
			if err != nil {
				t.Fatal(err)
			}
			both[i] = out
		}
		return both
	}
	for what, args := range questions {
		running[what] = ask(args, "--address", x.admin)
		if what == "a login" || what == "a user whom nobody knows" {
			table := strings.ReplaceAll(running[what][1], time.Now().UTC().Format(time.DateOnly)+" ", "DATE ")
			golden(t, "explain_"+strings.ReplaceAll(what, " ", "_")+".txt", strings.ReplaceAll(table, time.Now().UTC().Format(time.DateOnly), "2026-01-02"))
		}
		for line := range strings.Lines(running[what][1]) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
				t.Errorf("%s: a line of %d columns: %s", what, n, line)
			}
		}
	}
	var r explainResult
	if err := json.Unmarshal([]byte(running["a login"][0]), &r); err != nil {
		t.Fatal(err)
	}
	if r.Facts.Place.Country != "NZ" || !strings.Contains(strings.Join(r.Notes, " "), "trust by method and remote_ip, always by path") {
		t.Errorf("the running Caddy says %+v", r)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(x.config)
	if err != nil {
		t.Fatal(err)
	}
	// Within this process its admin address still answers.
	write(t, x.config, strings.Replace(string(text), x.admin, freePort(t), 1))
	for what, args := range questions {
		if got := ask(args, "--config", x.config); got != running[what] {
			t.Errorf("%s: of the stopped Caddy\n%s\nof the running one\n%s", what, got[0], running[what][0])
		}
	}
	var acts int
	for _, e := range auditLines(t, x.audit) {
		if e.Event == handler.OperatorActed && e.Result == handler.Explained && e.User != "" {
			acts++
		}
	}
	if want := 4 * len(questions); acts != want {
		t.Errorf("the audit log tells of %d explanations, want %d", acts, want)
	}
	_, err = command(t, "", "explain", bob, "--store", filepath.Join(filepath.Dir(x.audit), "store.db"))
	if err == nil || !strings.Contains(err.Error(), "name that with --config") {
		t.Errorf("without a config: %v", err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(x.config), "country.mmdb")); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "", "explain", bob, "--config", x.config); err == nil || !strings.Contains(err.Error(), "country.mmdb") {
		t.Errorf("without its database it is explained: %v", err)
	}
	if out, err := command(t, "", "accounts", "--config", x.config); err != nil || !strings.Contains(out, bob) {
		t.Errorf("the other commands need the database: %v", err)
	}
}

func TestWhatCannotBeExplainedIsAnErrorThatSaysWhy(t *testing.T) {
	x := explainSite(t, "step_up /export\n")
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"an address that is none", `"192.0.2" is no IP address`, []string{bob, "--ip", "192.0.2"}},
		{"a name of a host", "is no IP address", []string{bob, "--ip", "localhost"}},
		{"an address with a zone", "is no IP address", []string{bob, "--ip", "fe80::1%eth0"}},
		{"a prefix", "is no IP address", []string{bob, "--ip", "192.0.2.0/24"}},
		{"a user agent with a line break", "control character", []string{bob, "--user-agent", "a\r\nb"}},
		{"a user agent with an escape", "control character", []string{bob, "--user-agent", "\x1b[2J"}},
		{"a user agent that is not UTF-8", "not UTF-8", []string{bob, "--user-agent", "\xff"}},
		{"a user agent of a megabyte", "at most 64 KiB", []string{bob, "--user-agent", strings.Repeat("x", 1<<20)}},
		{"a device that is none", `the device is known, none or stolen; got "nown"`, []string{bob, "--device", "nown"}},
		{"a device with an escape", `got "\x1b[2J"`, []string{bob, "--device", "\x1b[2J"}},
		{"a user with an escape", "cannot be the name of a user", []string{"\x1b[2J"}},
		{"a user without a name", "cannot be the name of a user", []string{" "}},
		{"a user with a name too long", "cannot be the name of a user", []string{strings.Repeat("x", 2000)}},
		{"a time that is none", "want a time such as", []string{bob, "--time", "yesterday"}},
		{"a time before all logins", "from 2000 to 2200", []string{bob, "--time", "1970-01-01T00:00:00Z"}},
		{"a login that there is not", "there is no login 2: instance default has 1", []string{bob, "--login", "2"}},
		{"a login before the first", "counted from 1", []string{bob, "--login", "0"}},
		{"a step-up that there is not", "there is no step_up 2", []string{bob, "--step-up", "2"}},
		{"a step-up without a policy", "step_up 1 has no policy of its own", []string{bob, "--step-up", "1"}},
		{"a login and a step-up", "none of the others can be", []string{bob, "--step-up", "1", "--login", "1"}},
		{"an instance that there is not", "there is no instance", []string{bob, "--instance", "other"}},
		{"no user", "accepts 1 arg", nil},
	} {
		_, err := command(t, "", append([]string{"explain", "--address", x.admin}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v, want an error with %q", c.name, err, c.want)
		}
	}
}

func TestTheAdminAPIExplainsForNobodyButTheOperator(t *testing.T) {
	x := explainSite(t, "")
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct {
		name, method, kind, body string
		origin                   string
		want                     int
	}{
		{"by GET", http.MethodGet, "application/json", "", "", http.StatusMethodNotAllowed},
		{"as a form, which a web page can send anywhere", http.MethodPost, "application/x-www-form-urlencoded", `{"user": "bob"}`, "", http.StatusUnsupportedMediaType},
		{"from a web page", http.MethodPost, "application/json", `{"user": "bob"}`, "https://evil.example", http.StatusForbidden},
		{"with an unknown field", http.MethodPost, "application/json", `{"user": "bob", "adress": "192.0.2.7"}`, "", http.StatusBadRequest},
		{"with two objects", http.MethodPost, "application/json", `{"user": "bob"} {}`, "", http.StatusBadRequest},
		{"with no object", http.MethodPost, "application/json", `"bob"`, "", http.StatusBadRequest},
		{"with too much", http.MethodPost, "application/json", `{"user": "` + strings.Repeat("x", maxExplainBytes) + `"}`, "", http.StatusBadRequest},
		{"as it should be", http.MethodPost, "application/json", `{"user": "bob"}`, "", http.StatusOK},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+x.admin+adminExplain, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c.kind)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, res.StatusCode, c.want)
		}
	}
}

func TestAFailingStoreExplainsNothing(t *testing.T) {
	x := explainSite(t, "")
	l := x.lease()
	defer l.Release()
	for _, method := range []string{"Account", "History", "Tries"} {
		parts := *l.Parts()
		broken := &failing{Store: parts.Store}
		broken.fail(method)
		parts.Store = broken
		e := explainer{gate: activeApp(t).instances.gate(defaultName), parts: &parts, now: time.Now()}
		got, err := e.run(t.Context(), explainRequest{User: bob})
		var input *inputError
		if err == nil || errors.As(err, &input) || got.Decision.Verdict != "" {
			t.Errorf("without %s it says %+v, %v", method, got, err)
		}
	}
}

func TestALineOfAnExplanationFitsATerminal(t *testing.T) {
	r := explainResult{User: strings.Repeat("ü", 300), Instance: defaultName, By: "instance", Facts: policy.Facts{Address: netip.MustParseAddr("2001:db8::1")}}
	r.Decision.Assessment.Signals = []policy.Signal{
		{Name: "impossible_travel", Points: 1000, State: policy.Unknown, Reason: strings.Repeat("w", 100) + " \x1b[2J\u202e" + strings.Repeat(" word", 50)},
		{Name: "new_ip"},
	}
	var b bytes.Buffer
	if err := r.write(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 || strings.HasSuffix(line, " \n") || strings.ContainsAny(line, "\x1b\u202e") {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
}
