package twofactor

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/report"
)

// someLogins records two instances: crm is observed, shop enforces.
func someLogins(t *testing.T, dir string) {
	t.Helper()
	crm := newGateway(t, "crm", "policy unfamiliar", true)
	// Each day; the first is asked, since all is new.
	for i := range 15 {
		crm.login(usually(november.AddDate(0, 0, i), "Anna"), passes)
	}
	away := usually(november.AddDate(0, 0, 15), "Anna")
	away.Address, away.Place.Network = usually(november, "").Address.Next(), 64501
	crm.login(away, passes) // 90 points
	away.Time = away.Time.Add(time.Hour)
	away.Agent.Browser, away.Agent.System = "Safari", "iOS"
	crm.login(away, passes) // 200 points: device, browser and system
	record(t, dir, crm.events[:9])
	putAside(t, dir, november.AddDate(0, 0, 8))
	record(t, dir, crm.events[9:])

	shop := newGateway(t, "shop", "policy new_device {\n\tdeny 101\n\tpoints just_changed 50\n}", false)
	at := november.AddDate(0, 0, 20)
	for i, end := range []ending{passes, fails, usesUp, isPaused, cancels, abandons} {
		shop.login(usually(at.Add(time.Duration(i)*time.Hour), "bob"), end)
	}
	known := usually(at.AddDate(0, 0, 1), "bob")
	known.Device = policy.DeviceKnown
	shop.login(known, passes)
	refused := usually(at.AddDate(0, 0, 1), "<b>carl\u202e")
	refused.Changed = refused.Time.Add(-time.Hour)
	shop.login(refused, passes)
	shop.unusual(at.AddDate(0, 0, 2))
	record(t, dir, shop.events)
}

// unusual records what is no plain login.
func (g *gateway) unusual(at time.Time) {
	f := usually(at, "bob")
	h := new(policy.History)
	d := g.policy.Decide(&f, h)
	inSession := d
	inSession.Verdict = policy.Challenge
	g.add(f, 0, handler.Event{Kind: handler.LoginAssessed, Decision: &inSession, Facts: &f, Detail: "in a session"})
	g.add(f, 0, handler.Event{Kind: handler.ChallengeOpened, Result: handler.ForStepUp, Challenge: "stepup"})
	g.add(f, time.Second, handler.Event{Kind: handler.CodeSent, Result: handler.SendTaken, Challenge: "stepup"})
	g.add(f, time.Second, handler.Event{Kind: handler.CodeSent, Result: handler.SendRefused, Challenge: "stepup"})
	before := d
	before.Verdict, before.Reason = policy.Allow, "a code was given just before"
	g.add(f, time.Minute, handler.Event{Kind: handler.LoginAssessed, Decision: &before, Facts: &f})
	g.add(f, time.Minute, handler.Event{Kind: handler.LoginSucceeded, Result: handler.ByCode, Factor: account.KindTOTP})
	// A user without an account, where that is allowed.
	guest := usually(at, "guest")
	g.add(guest, 0, handler.Event{Kind: handler.LoginAssessed, Decision: &policy.Decision{Verdict: policy.Allow}, Facts: &policy.Facts{}})
	g.add(guest, 0, handler.Event{Kind: handler.LoginSucceeded, Result: handler.ByPassword})
	// An account with nothing to ask for.
	none := usually(at, "none")
	g.add(none, 0, handler.Event{Kind: handler.LoginAssessed, Decision: &d, Facts: &none})
	g.add(none, 0, handler.Event{Kind: handler.LoginFailed, Result: "no_usable_factor"})
	// A line of before there were facts.
	g.add(none, time.Hour, handler.Event{Kind: handler.LoginAssessed, Decision: &policy.Decision{Verdict: policy.Challenge}})
	g.add(none, 0, handler.Event{Kind: handler.LoginFailed, Result: handler.WrongPassword})
}

// november2026 are the flags of the recorded month.
var november2026 = []string{"--from", "2026-11-01", "--to", "2026-11-30"}

func TestAReportHasTheFiguresOfTheLog(t *testing.T) {
	dir := t.TempDir()
	inDir(t)
	someLogins(t, dir)
	var r report.Report
	out, err := command(t, "", append(november2026, "report", "--audit", dir, "--json", "--policy", "new_ip", "--price", "0.075", "--currency", "EUR")...)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Observed != 17 || r.Enforced != 12 || r.InSession != 1 || r.Read.Files != 2 {
		t.Errorf("got %d observed, %d enforced, %d in a session of %d files", r.Observed, r.Enforced, r.InSession, r.Read.Files)
	}
	if want := (report.Challenges{Opened: 6, Passed: 1, Failed: 3, Cancelled: 1, Abandoned: 1, NoFactor: 1, Texts: 6, StepUpTexts: 1, Cost: "0.45"}); r.Challenges != want {
		t.Errorf("challenges: got %+v, want %+v", r.Challenges, want)
	}
	for _, c := range []struct {
		f                             report.Figures
		logins, asked, refused, letIn int
		users, usersAsked, most       int
		median                        float64
		cost                          json.Number
		notReplayable                 int
	}{
		// Anna's first login and her last, bob's six, and two of none; carl's is refused.
		{r.Policies[0], 29, 10, 1, 18, 5, 3, 6, 2, "0.75", 0},
		// Anna's first and that of the new address; bob's first, which passes; none's
		// and carl's. The old line has no facts.
		{r.Policies[1], 28, 5, 0, 23, 5, 4, 2, 1, "0.375", 1},
	} {
		got := fmt.Sprint(c.f.Logins, c.f.Asked, c.f.Refused, c.f.LetIn, c.f.Users, c.f.UsersAsked, c.f.Most, c.f.Median, c.f.CostAtMost, c.f.NotReplayable)
		if want := fmt.Sprint(c.logins, c.asked, c.refused, c.letIn, c.users, c.usersAsked, c.most, c.median, c.cost, c.notReplayable); got != want {
			t.Errorf("%s: got %s, want %s", c.f.Name, got, want)
		}
	}
	signals := map[string]report.SignalFigures{}
	for _, s := range r.Policies[0].Signals {
		signals[s.Signal] = s
	}
	if got, want := signals[policy.NewBrowser], (report.SignalFigures{Signal: policy.NewBrowser, Seen: 6, Asked: 4}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := signals[policy.NewDevice], (report.SignalFigures{Signal: policy.NewDevice, Seen: 11, Asked: 9, Alone: 7}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if days := r.Policies[0].Days; len(days) != 23 || days[15] != (report.DayFigures{Day: "2026-11-16", Logins: 2, Asked: 1}) || days[17].Logins != 0 {
		t.Errorf("days: got %+v", days)
	}
}

func TestAReportIsWrittenAsTextAndAsJSON(t *testing.T) {
	dir := t.TempDir()
	inDir(t)
	someLogins(t, dir)
	write(t, "mine.caddyfile", "# Half of the default.\npolicy unfamiliar {\n\tchallenge 50\n\tnever user bob\n}\n")
	args := append(november2026, "report", "--audit", dir, "--policy", "new_ip", "--policy", "mine.caddyfile", "--price", "0.075", "--currency", "EUR")
	for name, more := range map[string][]string{"report.txt": nil, "report.json": {"--json"}, "report_crm.txt": {"-i", "crm"}} {
		got, err := command(t, "", append(args, more...)...)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, got)
	}
	got, err := command(t, "", append(args, "--html", "page.html")...)
	if err != nil || got != "the report is in page.html\n" {
		t.Fatalf("got %q, %v", got, err)
	}
	info, err := os.Stat("page.html")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the page, which names users, has %v, %v", info, err)
	}
	page, err := command(t, "", append(args, "--html", "-")...)
	if err != nil || !strings.Contains(page, "&lt;b&gt;carl�") || strings.Contains(page, "<b>carl") {
		t.Errorf("the page does not name carl harmlessly: %v", err)
	}
}

func TestAReplayOfTheSamePolicyDecidesAsRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		observes bool
	}{
		"the default, observed": {"policy unfamiliar", true},
		"the default, enforced": {"policy unfamiliar", false},
		"a preset, enforced":    {"policy new_ip", false},
		"rules of all kinds":    {"policy unfamiliar {\n\tchallenge 70\n\thigh 150 totp\n\tdeny 300\n\tpoints unusual_hour 40\n\tlearning 5 10d\n\talways user usera\n\tnever user userb\n}", false},
		"unknown signals ask":   {"policy {\n\tunknown challenge\n\tlearning off\n}", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			g := newGateway(t, "crm", c.text, c.observes)
			g.anyLogins(rand.New(rand.NewPCG(5, 5)), 400, 9, 90*time.Minute)
			record(t, dir, g.events)
			rules, err := parsePolicy([]byte(c.text), name)
			if err != nil {
				t.Fatal(err)
			}
			log, err := report.Read(t.Context(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			// The last days, of which the histories are primed by those before.
			r, err := log.Report(report.Query{
				From: november.AddDate(0, 0, 4), To: november.AddDate(0, 1, 0), Retention: policy.DefaultRetention,
				Candidates: []report.Candidate{{Name: report.Recorded, Rules: rules}},
			})
			if err != nil {
				t.Fatal(err)
			}
			recorded, replayed := r.Policies[0], r.Policies[1]
			if recorded.Asked < 10 || recorded.LetIn < 10 {
				t.Fatalf("%d were asked and %d let in: the record says too little", recorded.Asked, recorded.LetIn)
			}
			replayed.Replayed = false
			if !reflect.DeepEqual(recorded, replayed) {
				t.Errorf("recorded\n%+v\nreplayed\n%+v", recorded, replayed)
			}
		})
	}
}

func TestAReportSaysWhatIsWrongWithAPolicy(t *testing.T) {
	dir := t.TempDir()
	inDir(t)
	someLogins(t, dir)
	for text, want := range map[string]string{
		"policy {\n\ttrust remote_ip 10.0.0.0/8\n}":                   "trust by a matcher cannot be replayed",
		"policy {\n\talways @office\n}":                               "always by a matcher cannot be replayed",
		"policy {\n\tnever {\n\t\tremote_ip 10.0.0.0/8\n\t}\n}":       "never by a matcher cannot be replayed",
		"policy {\n\tpoints new_moon 5\n}":                            "there is no signal 'new_moon'",
		"policy {\n\tchallenge 50\n}\npolicy new_ip":                  "one policy is replayed from a file; got 'policy'",
		"two_factor {\n\tpolicy new_ip\n}":                            "must hold one policy",
		"":                                                            "must hold one policy",
		"policy":                                                      "policy needs a word",
		"policy {\n\tchallenge 5":                                     "the block of the policy has no end",
		"policy unfamiliar {\n\tchallenge 90\n\tdeny 80\n}":           "deny 80 must be higher than challenge 90",
		"# " + strings.Repeat("x", maxPolicyFile) + "\npolicy new_ip": "is longer than 64 KiB",
	} {
		write(t, "bad.caddyfile", text)
		_, err := command(t, "", "report", "--audit", dir, "--policy", "bad.caddyfile")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %v, want %q", text, err, want)
		}
	}
	for want, args := range map[string][]string{
		"is neither a preset (every_login, new_device, new_ip, unfamiliar) nor a file": {"--policy", "newdevice"},
		"at most 3 policies": {"--policy", "new_ip", "--policy", "new_ip", "--policy", "new_ip", "--policy", "new_ip"},
	} {
		if _, err := command(t, "", append(args, "report", "--audit", dir)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
}

func TestAReportSaysWhatIsWrongWithItsFlags(t *testing.T) {
	dir := t.TempDir()
	inDir(t)
	for want, args := range map[string][]string{
		"there is no audit log in":                      {"--audit", dir},
		"or name its folder with --audit":               {"--audit", filepath.Join(dir, "none")},
		"--from must be a date such as 2026-11-30":      {"--from", "yesterday"},
		"--to must be a date such as 2026-11-30":        {"--to", "2026-13-01"},
		"before it begins":                              {"--from", "2026-11-30", "--to", "2026-11-28"},
		"--last must be a duration":                     {"--last", "month"},
		"--last must be more than 0":                    {"--last", "0d"},
		"the price of a text must be a number":          {"--price", "7ct"},
		"the currency must be 1 to 8 letters":           {"--price", "7", "--currency", "<b>"},
		"--currency needs a --price":                    {"--currency", "EUR"},
		"reading the config":                            {"--config", "none.json"},
		"if any flags in the group [json html] are set": {"--json", "--html", "x.html"},
		"[from last]":                                   {"--from", "2026-11-30", "--last", "3d"},
	} {
		if _, err := command(t, "", append([]string{"report"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
}

func TestTheDaysOfAPeriodAreThoseOfItsFlags(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for want, f := range map[string]reportFlags{
		"2026-10-31T12:00:00Z 2026-11-30T12:00:00Z": {},
		"2026-11-16T12:00:00Z 2026-11-30T12:00:00Z": {last: "14d"},
		"2026-11-01T00:00:00Z 2026-11-11T00:00:00Z": {from: "2026-11-01", to: "2026-11-10"},
		"2026-11-09T00:00:00Z 2026-11-11T00:00:00Z": {last: "48h", to: "2026-11-10"},
		"2026-11-01T08:00:00Z 2026-11-10T00:00:00Z": {from: "2026-11-01T09:00:00+01:00", to: "2026-11-10T00:00:00Z"},
	} {
		f.now = func() time.Time { return now }
		from, to, err := f.period()
		if got := from.UTC().Format(time.RFC3339) + " " + to.UTC().Format(time.RFC3339); err != nil || got != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}

func TestAReportFindsTheLogAndTheHistoryOfAConfig(t *testing.T) {
	data := ownDataDir(t)
	dir := inDir(t)
	someLogins(t, data)
	cfg := filepath.Join(dir, "caddy.json")
	write(t, cfg, string(config(`{"history": {"forget": "72h", "shorten": "48h"}}`, "")))
	write(t, filepath.Join(data, "store.db"), "")
	asked := func(args ...string) (recorded, replayed int) {
		t.Helper()
		out, err := command(t, "", append(append(november2026, "report", "--json", "--policy", "new_ip", "-i", "crm"), args...)...)
		if err != nil {
			t.Fatal(err)
		}
		var r report.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		return r.Policies[0].Asked, r.Policies[1].Asked
	}
	for _, args := range [][]string{nil, {"--config", cfg}, {"--store", filepath.Join(data, "store.db")}} {
		if recorded, replayed := asked(args...); recorded != 2 || replayed != 2 {
			t.Errorf("%v: %d and %d are asked, want 2 and 2", args, recorded, replayed)
		}
	}
	// Of an account that is forgotten each day every login is new.
	write(t, cfg, string(config(`{"history": {"forget": "2h", "shorten": "1h"}}`, "")))
	if recorded, replayed := asked("--config", cfg); recorded != 2 || replayed != 16 {
		t.Errorf("%d and %d are asked, want 2 and 16", recorded, replayed)
	}
	write(t, cfg, string(config(`{"history": {"forget": "1h", "shorten": "2h"}}`, "")))
	if _, err := command(t, "", "report", "--config", cfg); err == nil || !strings.Contains(err.Error(), "history:") {
		t.Errorf("a bad history gives %v", err)
	}
}

func TestAReportOfALogThatNobodyMayReadSaysWhoMay(t *testing.T) {
	err := logTrouble("/x", fmt.Errorf("open: %w", os.ErrPermission))
	if !strings.Contains(err.Error(), "run this as the user that Caddy runs as") {
		t.Errorf("got %v", err)
	}
}
