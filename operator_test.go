package twofactor

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// operatorSite is a Caddyfile with the instance crm.
const operatorSite = `{
	admin %s
	persist_config off
	auto_https off
	log {
		output discard
	}
}
http://localhost:%s {
	two_factor crm {
		login /login {
			user form email
			yes status 302
			no status 401
		}
		protect *
		prefix /.second/
		enrolment off {
			group support required
		}
	}
}
`

// operators is where an operator's commands work: through the admin API, or on the
// store of a stopped Caddy.
type operators struct {
	t    *testing.T
	dir  string
	args []string
	// running is the app; nil if Caddy is stopped.
	running *App
}

// eachPlace runs a test in both places. The instance crm has anna, with every field
// set, three sessions and no device; bob of the group sales, with an authenticator
// and two devices; and carla, with nothing.
func eachPlace(t *testing.T, test func(t *testing.T, o *operators)) {
	t.Helper()
	for _, stopped := range []bool{false, true} {
		t.Run(map[bool]string{false: "by the admin API", true: "on the store of a stopped Caddy"}[stopped], func(t *testing.T) {
			o := &operators{t: t, dir: ownDataDir(t)}
			address, port := freePort(t), freePort(t)
			text := fmt.Sprintf(operatorSite, address, port[strings.LastIndex(port, ":")+1:])
			file := filepath.Join(t.TempDir(), "Caddyfile")
			write(t, file, text)
			adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			o.running = mustLoad(t, adapted)
			lease := mustLease(t, o.running)
			o.fill(lease)
			lease.Release()
			o.args = []string{"--address", address}
			if stopped {
				if err := caddy.Stop(); err != nil {
					t.Fatal(err)
				}
				// The admin API of this process answers still.
				write(t, file, strings.Replace(text, address, freePort(t), 1))
				o.running, o.args = nil, []string{"--config", file, "--adapter", "caddyfile"}
			}
			test(t, o)
		})
	}
}

func (o *operators) fill(lease *Lease) {
	o.t.Helper()
	s := lease.Parts().Store
	fullAccount(o.t, lease)
	if err := s.PutAccounts(o.t.Context(), []account.Account{
		{Instance: "crm", ID: "bob", Name: "bob", Group: "sales", Factors: []account.Factor{{ID: "f", Kind: account.KindTOTP, Secret: []byte("x"), TOTP: &plainTOTP}}},
		{Instance: "crm", ID: "carla", Name: "carla"},
	}); err != nil {
		o.t.Fatal(err)
	}
	beginsSessions(o.t, s, "crm", "anna", 2)
	// One of the time before the name was an alias.
	beginsSessions(o.t, s, "crm", "a.berg", 1)
	remembersDevices(o.t, s, "crm", "bob", 0xb1, 0xb2)
}

// run runs a command in the instance crm.
func (o *operators) run(args ...string) (string, error) {
	o.t.Helper()
	return command(o.t, "", append(slices.Concat(args, o.args), "-i", "crm")...)
}

// says runs a command that must say something.
func (o *operators) says(want string, args ...string) {
	o.t.Helper()
	out, err := o.run(args...)
	if err != nil || !strings.Contains(out, want) {
		o.t.Errorf("%v: %v\n%s\nwant %q", args, err, out, want)
	}
}

// fails runs a command that must fail with an error that says something.
func (o *operators) fails(want string, args ...string) {
	o.t.Helper()
	if out, err := o.run(args...); err == nil || !strings.Contains(err.Error(), want) {
		o.t.Errorf("%v: %v\n%s\nwant an error with %q", args, err, out, want)
	}
}

// show is what accounts show says of a user.
func (o *operators) show(user string) (v accountDetail) {
	o.t.Helper()
	out, err := o.run("accounts", "show", user, "--json")
	if err != nil {
		o.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		o.t.Fatal(err)
	}
	return v
}

// audited are the acts of which the audit log tells, with what it tells of them,
// and what came of them; those of being shown are left out.
func (o *operators) audited() (lines []string) {
	o.t.Helper()
	if o.running != nil {
		if err := o.running.shared.events.flush(auditPatience); err != nil {
			o.t.Fatal(err)
		}
	}
	for _, e := range auditLines(o.t, filepath.Join(o.dir, auditName)) {
		switch {
		case e.Result == handler.ActShown || e.Level == handler.Info && e.Event != handler.SessionExpired && e.Event != handler.TokenRevoked:
		case e.Event == handler.OperatorActed:
			by, detail, _ := strings.Cut(e.Detail, ": ")
			if want := map[bool]string{true: byAdminAPI, false: byCommand}[o.running != nil]; by != want || e.Instance != "crm" {
				o.t.Errorf("%s of instance %q came by %q, want %q", e.Result, e.Instance, by, want)
			}
			lines = append(lines, strings.TrimSpace(fmt.Sprint(e.Result, " ", e.User, " ", detail)))
		case strings.HasPrefix(string(e.Event), "user_") || e.Event == handler.SessionExpired || e.Event == handler.TokenRevoked:
			lines = append(lines, fmt.Sprint(e.Event, " ", e.Result, " ", e.Account))
		}
	}
	return lines
}

// tells checks what the audit log tells.
func (o *operators) tells(want ...string) {
	o.t.Helper()
	if got := o.audited(); !slices.Equal(got, want) {
		o.t.Errorf("the audit log tells of\n%q, want\n%q", got, want)
	}
}

func TestAnOperatorSeesAllOfAnAccountButItsSecrets(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		out, err := o.run("accounts", "show", "A.BERG")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "show.txt", out)
		if out, err = o.run("accounts", "show", "anna", "--json"); err != nil {
			t.Fatal(err)
		}
		golden(t, "show.json", out)
		if v := o.show("bob"); v.Devices != 2 || v.Sessions != 2 || !v.Need.HasFactor || v.Need.DecidedBy != "config" || v.Need.ConfigUnknown {
			t.Errorf("got %+v", v)
		}
		o.says("changed: group", "accounts", "set", "carla", "--group", "support")
		if n := o.show("carla").Need; n.WithoutIt != account.NeedRequired || n.DecidedBy != "config" || n.Why != "group support" {
			t.Errorf("got %+v", n)
		}
		o.fails(`no account of "dora"`, "accounts", "show", "dora")
	})
}

func TestItIsSaidWhichOfCaddyfileAndStoreDecides(t *testing.T) {
	_, lease := importing(t)
	s := lease.Parts().Store
	at := importTime
	later := at.AddDate(0, 0, 10)
	for _, c := range []struct {
		name    string
		config  *handler.Enrolment
		change  func(a *account.Account)
		demands func(d *account.Demands)
		need    account.NeedState
		by      string
		words   string
	}{
		{"nothing", &handler.Enrolment{}, nil, nil, account.NeedNone, "config", "the Caddyfile: what it says for all"},
		{"a Caddyfile for all", &handler.Enrolment{Mode: account.ModeRequired}, nil, nil, account.NeedRequired, "config", "the Caddyfile: what it says for all"},
		{"a Caddyfile for a group", &handler.Enrolment{Rules: []handler.EnrolmentRule{{Group: "sales", Mode: account.ModeRequired}}}, nil, nil, account.NeedRequired, "config", "the Caddyfile: its rule for group sales"},
		{"a demand for all over an offer", &handler.Enrolment{Mode: account.ModeOffered}, nil, func(d *account.Demands) { d.All = &account.Demand{From: at} }, account.NeedRequired, "store", "the store: demand for all"},
		{"a demand for the group that is announced", &handler.Enrolment{}, nil, func(d *account.Demands) { d.Groups["sales"] = account.Demand{From: later} }, account.NeedAnnounced, "store", "the store: demand for the group (sales)"},
		{"a demand for another group", &handler.Enrolment{}, nil, func(d *account.Demands) { d.Groups["support"] = account.Demand{From: at} }, account.NeedNone, "config", "the Caddyfile: what it says for all"},
		{"a demand for the user", &handler.Enrolment{}, func(a *account.Account) { a.Demand = &account.Demand{From: at} }, nil, account.NeedRequired, "store", "the store: demand for the user (anna)"},
		{"an exemption over a Caddyfile", &handler.Enrolment{Mode: account.ModeRequired}, func(a *account.Account) { a.Exempt = &account.Exemption{Until: later, Why: "ill"} }, nil, account.NeedNone, "store", "the store: exemption (ill)"},
		{"an exemption that is over", &handler.Enrolment{Mode: account.ModeRequired}, func(a *account.Account) { a.Exempt = &account.Exemption{Until: at, Why: "ill"} }, nil, account.NeedRequired, "config", "the Caddyfile: what it says for all"},
		{"allow-off over a Caddyfile", &handler.Enrolment{Mode: account.ModeRequired}, func(a *account.Account) { a.AllowOff = true }, nil, account.NeedOffered, "store", "the store: allow-off"},
		{"a config that is not known", nil, nil, nil, account.NeedNone, "config", "nothing in the store; the config is not known here (name it with --config)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := account.Account{Instance: "crm", ID: "anna", Name: "Anna", Group: "sales"}
			if c.change != nil {
				c.change(&a)
			}
			err := s.ChangeDemands(t.Context(), "crm", func(d *account.Demands) error {
				*d = account.Demands{Groups: map[string]account.Demand{}, Teams: map[string]account.Demand{}}
				if c.demands != nil {
					c.demands(d)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.PutAccounts(t.Context(), []account.Account{a}); err != nil {
				t.Fatal(err)
			}
			o := operator{parts: lease.Parts(), instance: "crm", now: at}
			if c.config != nil {
				if o.gate, err = handler.New(handler.Config{Instance: "crm", Clock: time.Now, Enrolment: *c.config}); err != nil {
					t.Fatal(err)
				}
			}
			v, err := o.show(t.Context(), actOn{User: "anna"})
			if err != nil {
				t.Fatal(err)
			}
			if n := v.Need; n.WithoutIt != c.need || n.DecidedBy != c.by || n.decision() != c.words {
				t.Errorf("got %+v, %q; want %s, %s, %q", n, n.decision(), c.need, c.by, c.words)
			}
		})
	}
}

func TestAnOperatorAddsChangesAndSearchesAccounts(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		o.says("Dora in instance crm: added", "accounts", "add", "Dora", "--mail", "d@example.com", "--team", "acme", "--owner", "--language", "DE-at", "--alias", "D.One", "--alias", "d.two")
		v := o.show("d.one")
		if v.User != "Dora" || v.Mail != "d@example.com" || v.Team != "acme" || !v.Owner || v.Language != "de-AT" || !slices.Equal(v.Aliases, []string{"d.one", "d.two"}) || v.Need.HasFactor {
			t.Errorf("got %+v", v)
		}
		o.says("Dora in instance crm: changed: group, language, mail, owner", "accounts", "set", "d.two", "--mail", "", "--group", "sales", "--owner=false", "--language", "fr")
		if v = o.show("dora"); v.Mail != "" || v.Group != "sales" || v.Owner || v.Language != "fr" || v.Team != "acme" || len(v.Aliases) != 2 {
			t.Errorf("got %+v", v)
		}
		o.says("d.one\nd.two\n", "accounts", "aliases", "dora")
		o.says("d.two\nd.three\n", "accounts", "aliases", "dora", "--remove", "D.ONE", "--add", "D.Three", "--add", "d.two")
		o.says("Dora in instance crm: changed: aliases", "accounts", "set", "dora", "--alias", "d.four")
		o.says("d.four\n", "accounts", "aliases", "dora")
		for _, text := range []string{"DOR", "d.FOUR", " acme "} {
			out, err := o.run("accounts", "search", text, "--json")
			var found []accountView
			if err != nil || json.Unmarshal([]byte(out), &found) != nil || !slices.ContainsFunc(found, func(v accountView) bool { return v.User == "Dora" }) || slices.ContainsFunc(found, func(v accountView) bool { return v.User == "carla" }) {
				t.Errorf("searching %q: %v\n%s", text, err, out)
			}
		}
		o.says("no accounts", "accounts", "search", "nobody")
		for _, c := range []struct {
			want string
			args []string
		}{
			{`"dora" is a name of "Dora" already`, []string{"add", "dora"}},
			{`"d.four" is a name of "Dora" already`, []string{"add", "d.four"}},
			{"nothing was changed", []string{"add", "erik", "--alias", "dora"}},
			{"mail: want one address", []string{"add", "erik", "--mail", "Erik <e@example.com>"}},
			{"owner: an owner needs a team", []string{"add", "erik", "--owner"}},
			{"language: want a language tag", []string{"add", "erik", "--language", "x y"}},
			{"nothing was named", []string{"set", "dora"}},
			{"no account of", []string{"set", "erik", "--mail", ""}},
			{"cannot be the name", []string{"show", " "}},
			{"want a user name", []string{"add", "a\x00b"}},
			{`"x" is no alias of "Dora"`, []string{"aliases", "dora", "--add", "y", "--remove", "x"}},
			{"nothing was changed", []string{"aliases", "dora", "--add", "bob"}},
			{"at most 16", []string{"set", "dora", "--alias", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"}},
			{"unknown flag", []string{"add", "erik", "--phone", "+4915123456789"}},
			{"unknown command", []string{"destroy", "dora"}},
			{"want a text", []string{"search", " "}},
		} {
			o.fails(c.want, append([]string{"accounts"}, c.args...)...)
		}
		o.says("d.four\n", "accounts", "aliases", "dora")
		if _, err := o.run("accounts", "show", "erik"); err == nil {
			t.Error("an account was made of a request that was refused")
		}
		o.tells("account_added Dora aliases, language, mail, owner, team", "user_created operator dora",
			"account_changed Dora group, language, mail, owner", "user_updated operator dora",
			"account_changed Dora aliases: 2 added, 1 removed", "user_updated operator dora",
			"account_changed Dora aliases", "user_updated operator dora",
			"accounts_searched", "accounts_searched", "accounts_searched", "accounts_searched")
	})
}

func TestOfTwoOperatorsWhoAddOneUserAtOnceOneIsTold(t *testing.T) {
	_, lease := importing(t)
	for round := range 20 {
		user := fmt.Sprint("user", round)
		ended := make(chan error, 2)
		for n := range 2 {
			go func() {
				o := operator{parts: lease.Parts(), instance: "crm", now: time.Now().Add(time.Duration(n))}
				group := fmt.Sprint("group", n)
				_, err := o.add(t.Context(), accountFields{User: user, Group: &group})
				ended <- err
			}()
		}
		refused := 0
		for range 2 {
			if err := <-ended; err != nil {
				refused++
			}
		}
		if refused != 1 {
			t.Fatalf("%d of 2 were refused", refused)
		}
	}
}

func TestInvariant09AStoreThatFailsIsToldToAnOperator(t *testing.T) {
	ownDataDir(t)
	lease := mustLease(t, mustLoad(t, config(`{}`, "")))
	parts := lease.Parts()
	if err := parts.Store.PutAccounts(t.Context(), []account.Account{{Instance: "crm", ID: "anna", Name: "anna"}}); err != nil {
		t.Fatal(err)
	}
	lease.Release()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	requests := map[string]string{
		actAdd: `{"user": "dora"}`, actSet: `{"user": "anna", "mail": ""}`, actSearch: `{"text": "a"}`, actDemand: `{"all": true}`,
		actExempt:  `{"user": "anna", "until": "` + time.Now().Add(time.Hour).Format(time.RFC3339) + `", "why": "x"}`,
		actSuspend: `{"user": "anna", "why": "x"}`, actInvite: `{"user": "anna", "for": "1h"}`,
	}
	for name, a := range acts() {
		o := operator{parts: parts, instance: "crm", now: time.Now(), random: zeros{}}
		request, ok := requests[name]
		if !ok {
			request = `{"user": "anna"}`
		}
		result, err := a.run(t.Context(), &o, strings.NewReader(request))
		if err == nil || isStranger(err) || strings.Contains(err.Error(), "want") {
			t.Errorf("%s: got %v, %v", name, result, err)
		}
	}
}
