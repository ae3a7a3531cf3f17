package twofactor

import (
	"crypto/rand"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func TestASecondFactorIsDemandedOfManyAndOfOne(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		o.says("user Anna: from 2026-11-06T12:00:00Z, by carla\n", "demand")
		o.says("group sales in instance crm: a second factor is demanded from 2031-12-15T00:00:00Z; it concerns 2 accounts, of which 0 have none yet", "demand", "--group", "sales", "--from", "2031-12-15")
		o.says("team other in instance crm: a second factor is demanded from", "demand", "--team", "other")
		o.says("warning: it concerns no account yet", "demand", "--team", "other")
		o.says("all in instance crm: a second factor is demanded from 2031-01-01T08:00:00Z; it concerns 3 accounts, of which 1 have none yet", "demand", "--all", "--from", "2031-01-01T10:00:00+02:00")
		o.says("user carla in instance crm: a second factor is demanded from", "demand", " CARLA ")
		if n := o.show("carla").Need; n.WithoutIt != account.NeedRequired || n.Decider != account.DecidedForUser || n.DecidedBy != "store" {
			t.Errorf("carla is asked for %+v", n)
		}
		out, err := o.run("demand", "--json")
		var list demandResult
		if err != nil || json.Unmarshal([]byte(out), &list) != nil || !list.Listed || len(list.Demands) != 5 {
			t.Fatalf("%v\n%s", err, out)
		}
		var all []string
		for _, d := range list.Demands {
			all = append(all, d.For+" by "+d.By)
		}
		if want := []string{"all by operator", "group sales by operator", "team other by operator", "user Anna by carla", "user carla by operator"}; !slices.Equal(all, want) {
			t.Errorf("there are the demands %q, want %q", all, want)
		}
		o.says("user Anna in instance crm: the store demands no second factor any more", "demand", "anna", "--off")
		o.says("group sales in instance crm: the store demands no second factor any more", "demand", "--group", "sales", "--off")
		o.says("all in instance crm: the store demands no second factor any more", "demand", "--all", "--off")
		o.says("user carla", "demand", "carla", "--off")
		o.says("team other", "demand", "--team", "other", "--off")
		o.says("in instance crm the store demands a second factor of nobody", "demand")
		if n := o.show("carla").Need; n.WithoutIt != account.NeedNone || n.DecidedBy != "config" {
			t.Errorf("carla is asked for %+v", n)
		}
		for _, c := range []struct {
			want string
			args []string
		}{
			{"nothing is demanded", []string{"anna", "--off"}},
			{"nothing is demanded", []string{"--group", "sales", "--off"}},
			{"want one of a user", []string{"anna", "--all"}},
			{"want one of a user", []string{"--group", "a", "--team", "b"}},
			{"for whom?", []string{"--off"}},
			{"for whom?", []string{"--from", "2031-12-15"}},
			{"want --from or --off", []string{"anna", "--from", "2031-12-15", "--off"}},
			{"must be a date", []string{"anna", "--from", "tomorrow"}},
			{"no account", []string{"dora"}},
			{"at most 128 bytes", []string{"--group", strings.Repeat("g", 129)}},
		} {
			o.fails(c.want, append([]string{"demand"}, c.args...)...)
		}
		told := o.audited()
		for _, want := range []string{"demanded  group sales from 2031-12-15T00:00:00Z", "demanded  all from 2031-01-01T08:00:00Z", "demand_ended Anna user Anna", "demand_ended  all", "demands_listed"} {
			if !slices.Contains(told, want) {
				t.Errorf("the audit log tells of\n%q, not of %q", told, want)
			}
		}
	})
}

func TestAnExemptionHasAnEndAndAReason(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		day := time.Now().UTC().AddDate(0, 0, 4).Format(time.DateOnly)
		end := time.Now().UTC().AddDate(0, 0, 5).Format(time.DateOnly) + "T00:00:00Z"
		o.says("carla in instance crm: let in without a second factor until "+end, "exempt", "carla", "--until", day, "--why", "phone lost")
		v := o.show("carla")
		if e := v.Exempt; e == nil || e.Why != "phone lost" || e.Until.Format(time.RFC3339) != end || v.Need.Decider != account.DecidedByExemption {
			t.Errorf("got %+v, %+v", v.Exempt, v.Need)
		}
		for _, c := range []struct {
			want string
			args []string
		}{
			{"an end is required", []string{"carla", "--why", "x"}},
			{"a reason is required", []string{"carla", "--until", day}},
			{"a reason is required", []string{"carla", "--until", day, "--why", " "}},
			{"a reason is required", []string{"carla", "--until", day, "--why", "two\nlines"}},
			{"at most 200 bytes", []string{"carla", "--until", day, "--why", strings.Repeat("x", 201)}},
			{"is over", []string{"carla", "--until", "2026-01-01", "--why", "x"}},
			{"at most 366 days", []string{"carla", "--until", time.Now().AddDate(0, 0, 368).Format(time.DateOnly), "--why", "x"}},
			{"must be a date", []string{"carla", "--until", "Friday", "--why", "x"}},
			{"--end goes with neither", []string{"carla", "--end", "--why", "x"}},
			{"no account", []string{"dora", "--until", day, "--why", "x"}},
		} {
			o.fails(c.want, append([]string{"exempt"}, c.args...)...)
		}
		o.says("exempted no longer", "exempt", "carla", "--end")
		o.says("there was no exemption", "exempt", "carla", "--end")
		if v := o.show("carla"); v.Exempt != nil {
			t.Errorf("got %+v", v.Exempt)
		}
		o.tells("exempted carla until "+end+": phone lost", "exemption_ended carla", "exemption_ended carla")
	})
}

func TestAnOperatorAllowsSuspendsAndActivates(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		o.says("may switch the second factor off, with a fresh code", "allow-off", "bob")
		if !o.show("bob").AllowOff {
			t.Error("bob may not switch it off")
		}
		o.says("any more", "allow-off", "bob", "--no")
		if o.show("bob").AllowOff {
			t.Error("bob may switch it off still")
		}
		o.says("bob in instance crm: suspended, until caddy two-factor activate, 2 sessions ended, 2 remembered browsers forgotten", "suspend", "bob", "--why", "left")
		if v := o.show("bob"); v.Suspended == nil || v.Suspended.Why != "left" || v.Sessions+v.Devices != 0 || len(v.Factors) != 1 {
			t.Errorf("got %+v", v)
		}
		// Those of an alias end too.
		o.says("3 sessions ended", "suspend", "anna", "--why", "left")
		o.says("Anna in instance crm: suspended no longer, and the alarm is over", "activate", "anna")
		o.says("bob in instance crm: suspended no longer", "activate", "bob")
		o.says("was neither suspended nor under alarm", "activate", "bob")
		if v := o.show("anna"); v.Suspended != nil || !v.Alarm.IsZero() || v.Sessions != 0 {
			t.Errorf("got %+v", v)
		}
		o.fails("a reason is required", "suspend", "bob")
		o.fails("no account", "suspend", "dora", "--why", "x")
		o.fails("no account", "activate", "dora")
		o.fails("no account", "allow-off", "dora")
		o.fails("accepts 1 arg", "activate")
		ended := slices.Repeat([]string{"session_expired revoked anna"}, 3)
		o.tells(slices.Concat(
			[]string{"off_allowed bob", "off_forbidden bob", "suspended bob left", "authn_token_revoked device bob", "authn_token_revoked device bob"},
			slices.Repeat([]string{"session_expired revoked bob"}, 2), []string{"suspended Anna left"}, ended,
			[]string{"activated Anna suspended no longer, and the alarm is over", "activated bob suspended no longer", "activated bob was neither suspended nor under alarm"},
		)...)
	})
}

func TestRule05OnlyAnOperatorUnlocksAFactor(t *testing.T) {
	_, lease := importing(t)
	fullAccount(t, lease)
	o := operator{parts: lease.Parts(), instance: "crm", now: importTime}
	// An import of what was read before a failure does not.
	if err := lease.Parts().Store.PutAccounts(t.Context(), []account.Account{func() account.Account {
		a := mustAccount(t, lease, "anna")
		a.Factors = slices.Clone(a.Factors)
		for i := range a.Factors {
			a.Factors[i].Failures, a.Factors[i].PausedUntil = 0, time.Time{}
		}
		return a
	}()}); err != nil {
		t.Fatal(err)
	}
	locked := func() (failures, paused int) {
		for _, f := range mustAccount(t, lease, "anna").Factors {
			failures += f.Failures
			if importTime.Before(f.PausedUntil) {
				paused++
			}
		}
		return failures, paused
	}
	if failures, paused := locked(); failures != 3 || paused != 1 {
		t.Fatalf("%d failures, %d paused: want 3 and 1", failures, paused)
	}
	for _, step := range []struct {
		factor, want     string
		failures, paused int
	}{
		{"nothing", "", 3, 1},
		{"totp", "1 factor can be used again: totp", 3, 0},
		{"phone", "no factor was paused; the failed codes are forgotten: phone …89", 0, 0},
	} {
		a, err := o.unlock(t.Context(), factorRequest{User: "anna", Factor: step.factor})
		if step.want == "" {
			if err == nil || !strings.Contains(err.Error(), "there are recovery recovery, phone phone, totp totp") {
				t.Errorf("%s: got %v", step.factor, err)
			}
		} else if err != nil || a.Done != step.want {
			t.Errorf("%s: got %+v, %v, want %q", step.factor, a, err, step.want)
		}
		if failures, paused := locked(); failures != step.failures || paused != step.paused {
			t.Errorf("%s: %d failures, %d paused: want %d and %d", step.factor, failures, paused, step.failures, step.paused)
		}
	}
	if a := mustAccount(t, lease, "anna"); a.Factors[2].LastStep != 77 {
		t.Errorf("the step that was accepted last is %d, want 77", a.Factors[2].LastStep)
	}
}

func TestFactorsAreUnlockedAndReset(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		o.says("1 factor can be used again: recovery, phone …89, totp", "unlock", "anna")
		for _, f := range o.show("anna").Factors {
			if !f.PausedUntil.IsZero() {
				t.Errorf("%+v is paused", f)
			}
		}
		o.says("Anna in instance crm: removed: phone …89, 3 sessions ended", "reset", "anna", "--factor", "phone")
		if v := o.show("anna"); len(v.Factors) != 2 || v.Proposed == nil || v.Sessions != 0 {
			t.Errorf("got %+v", v)
		}
		o.fails(`no factor "phone": there are recovery recovery, totp totp`, "reset", "anna", "--factor", "phone")
		// With the last one the recovery codes go too.
		o.says("removed: totp; there is no factor left", "reset", "anna", "--factor", "totp")
		if v := o.show("anna"); len(v.Factors) != 0 || v.Need.HasFactor {
			t.Errorf("got %+v", v)
		}
		o.fails("has no factor", "reset", "anna")
		o.fails("has no factor", "unlock", "carla")
		o.says("bob in instance crm: removed: totp; there is no factor left, so that the user can add one at the next login (caddy two-factor invite confirms who it is), 2 sessions ended, 2 remembered browsers forgotten", "reset", "bob")
		if v := o.show("bob"); len(v.Factors)+v.Sessions+v.Devices != 0 {
			t.Errorf("got %+v", v)
		}
		o.fails("no account", "reset", "dora")
		o.fails("no account", "unlock", "dora")
		o.fails("unknown flag", "reset", "anna", "--all")
		told := o.audited()
		for _, want := range []string{"unlocked Anna recovery, phone …89, totp", "factors_reset Anna phone …89", "factors_reset Anna totp", "factors_reset bob totp", "authn_token_revoked device bob", "session_expired revoked anna"} {
			if !slices.Contains(told, want) {
				t.Errorf("the audit log tells of\n%q, not of %q", told, want)
			}
		}
	})
}

var invitation = regexp.MustCompile(`\b[A-Z2-7]{4}(-[A-Z2-7]{4}){3}\b`)

func TestAnInvitationIsShownOnceAndKeptAsAHash(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		out, err := o.run("invite", "carla")
		code := invitation.FindString(out)
		if err != nil || code == "" || strings.Contains(out, "link:") {
			t.Fatalf("%v\n%s", err, out)
		}
		if out, err = o.run("invite", "carla", "--for", "7d", "--url", "https://crm.example.com/", "--json"); err != nil {
			t.Fatal(err)
		}
		var second invited
		if err := json.Unmarshal([]byte(out), &second); err != nil {
			t.Fatal(err)
		}
		link, err := url.Parse(second.Link)
		if err != nil || link.Query().Get("code") != second.Code || !strings.HasPrefix(second.Link, "https://crm.example.com/.second/invite?code=") || second.Code == code {
			t.Errorf("the link is %q, of the code %s", second.Link, second.Code)
		}
		if d := time.Until(second.Until); d < 167*time.Hour || d > 168*time.Hour {
			t.Errorf("it is good for %s", d)
		}
		if v := o.show("carla"); !v.Invited.Equal(second.Until) || v.Need.HasFactor {
			t.Errorf("got %+v", v)
		}
		for _, c := range []struct {
			want string
			args []string
		}{
			{"has a factor, and an invitation confirms the first one", []string{"bob"}},
			{"no account", []string{"dora"}},
			{"15m to 30d", []string{"carla", "--for", "1m"}},
			{"15m to 30d", []string{"carla", "--for", "31d"}},
			{"such as 72h", []string{"carla", "--for", "soon"}},
			{"the address of the site", []string{"carla", "--url", "crm.example.com"}},
			{"the address of the site", []string{"carla", "--url", "https://crm.example.com/app"}},
			{"the address of the site", []string{"carla", "--url", "javascript://x"}},
			{"the address of the site", []string{"carla", "--url", "https://a:b@crm.example.com"}},
			{"the address of the site", []string{"carla", "--url", "https://crm.example.com/?x"}},
		} {
			o.fails(c.want, append([]string{"invite"}, c.args...)...)
		}
		for _, line := range o.audited() {
			if strings.Contains(line, code) || strings.Contains(line, second.Code) || !strings.HasPrefix(line, "invited carla until ") {
				t.Errorf("the audit log tells of %q", line)
			}
		}
	})
}

func TestRule15AnInvitationIsWorthSomethingForOneAccountAndTheNewestCounts(t *testing.T) {
	_, lease := importing(t)
	s := lease.Parts().Store
	if err := s.PutAccounts(t.Context(), []account.Account{{Instance: "crm", ID: "anna", Name: "Anna"}, {Instance: "crm", ID: "bob", Name: "bob"}}); err != nil {
		t.Fatal(err)
	}
	o := operator{parts: lease.Parts(), instance: "crm", now: importTime, random: rand.Reader}
	var codes []string
	for range 2 {
		i, err := o.invite(t.Context(), inviteRequest{User: "anna", For: aDay})
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, i.Code)
	}
	kept := mustAccount(t, lease, "anna").Invitation
	of := func(acc, code string) [32]byte {
		return challenge.InvitationHash(sealer{lease.Parts().Ring}, "crm", acc, code)
	}
	if kept == nil || kept.Hash != of("anna", strings.ToLower(strings.ReplaceAll(codes[1], "-", " "))) || !kept.Expires.Equal(importTime.AddDate(0, 0, 1)) || kept.Tries != 0 {
		t.Errorf("what is kept is %+v", kept)
	}
	if kept.Hash == of("anna", codes[0]) || kept.Hash == of("bob", codes[1]) {
		t.Error("an old code, or one of another account, is worth the same")
	}
	if mustAccount(t, lease, "bob").Invitation != nil {
		t.Error("another account was invited")
	}
}

func TestAnOperatorListsAndEndsSessions(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		list := func(args ...string) (l sessionList) {
			t.Helper()
			out, err := o.run(append([]string{"sessions", "--json"}, args...)...)
			if err != nil || json.Unmarshal([]byte(out), &l) != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return l
		}
		annas, bobs := list("anna"), list("bob")
		if len(annas.Sessions) != 3 || len(bobs.Sessions) != 2 {
			t.Fatalf("there are %+v and %+v", annas, bobs)
		}
		if s := bobs.Sessions[0]; s.State != account.StateVerified || s.Since.IsZero() || s.Until.Before(time.Now()) {
			t.Errorf("got %+v", s)
		}
		o.says("ID                STATE     SINCE", "sessions", "anna")
		first := annas.Sessions[0].ID
		o.fails("no session was ended", "sessions", "anna", "--end", first+",0000000000000000")
		o.fails("no session was ended", "sessions", "anna", "--end", bobs.Sessions[0].ID)
		o.fails("want the ID of a session, or all", "sessions", "anna", "--end", "")
		o.fails("neither an account nor a session", "sessions", "dora")
		o.says("Anna in instance crm: 1 session ended", "sessions", "anna", "--end", strings.ToUpper(first))
		if left := list("anna").Sessions; len(left) != 2 || left[0].ID == first || left[1].ID == first {
			t.Errorf("left are %+v", left)
		}
		o.says("2 sessions ended", "sessions", "anna", "--end", "all")
		o.says("there was no session", "sessions", "anna", "--end", "all")
		o.says("there is no session", "sessions", "anna")
		o.says("bob in instance crm: 2 sessions ended", "sessions", "bob", "--end", "all")
		if v := o.show("bob"); v.Devices != 2 || v.Sessions != 0 {
			t.Errorf("bob has %d devices and %d sessions, want 2 and 0", v.Devices, v.Sessions)
		}
		told := o.audited()
		ended := slices.DeleteFunc(slices.Clone(told), func(l string) bool { return l != "session_expired revoked anna" })
		if len(ended) != 3 || !slices.Contains(told, "sessions_ended Anna 1 ended") || !slices.Contains(told, "sessions_listed Anna") {
			t.Errorf("the audit log tells of %q", told)
		}
	})
}

func TestRule30OneCommandErasesAllThatIsKnownOfAUser(t *testing.T) {
	for _, words := range [][]string{{"erase"}, {"accounts", "remove"}} {
		eachPlace(t, func(t *testing.T, o *operators) {
			for _, stdin := range []string{"", "no\n", "anna\n"} {
				_, err := command(t, stdin, slices.Concat(words, []string{"anna", "-i", "crm"}, o.args)...)
				if err == nil || !strings.Contains(err.Error(), "nothing was erased: answer yes, or give --yes") {
					t.Errorf("to the answer %q: %v", stdin, err)
				}
			}
			if v := o.show("anna"); v.User != "Anna" {
				t.Errorf("got %+v", v)
			}
			o.says("Anna in instance crm: erased, 3 sessions ended\nWhat cannot be erased from here:\n  - the audit log", append(words, "a.berg", "--yes")...)
			out, err := command(t, "YES\n", slices.Concat(words, []string{"bob", "-i", "crm", "--json"}, o.args)...)
			var e erased
			if err != nil || json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &e) != nil || e.User != "bob" || e.Ended != 2 || e.Forgotten != 2 || len(e.Left) != 4 {
				t.Errorf("%v\n%s", err, out)
			}
			for _, name := range []string{"anna", "a.berg", "bob"} {
				o.fails("no account", "accounts", "show", name)
				o.fails("neither an account nor a session", "sessions", name)
			}
			o.fails("no account of \"anna\"", append(words, "anna", "--yes")...)
			o.says("added", "accounts", "add", "a.berg")
			told := o.audited()
			for _, want := range []string{"erased Anna", "user_deleted operator anna", "session_expired revoked anna", "authn_token_revoked device bob"} {
				if !slices.Contains(told, want) {
					t.Errorf("the audit log tells of\n%q, not of %q", told, want)
				}
			}
		})
	}
}

func TestRule30WhoIsErasedIsNamedByNoDemand(t *testing.T) {
	_, lease := importing(t)
	s := lease.Parts().Store
	by := account.Demand{From: importTime, By: "anna", At: importTime}
	if err := s.PutAccounts(t.Context(), []account.Account{
		{Instance: "crm", ID: "anna", Name: "Anna", Team: "acme", Owner: true}, {Instance: "crm", ID: "bob", Name: "bob", Team: "acme", Demand: &by},
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.ChangeDemands(t.Context(), "crm", func(d *account.Demands) error { d.Teams["acme"] = by; return nil }); err != nil {
		t.Fatal(err)
	}
	seen := func(name string) store.Seen {
		return store.Seen{Instance: "crm", Kind: store.SeenUser, Key: name, Detail: name, Count: 1, First: importTime, Last: importTime}
	}
	written := false
	o := operator{parts: lease.Parts(), instance: "crm", now: importTime, seen: func() {
		written = true
		if _, err := s.NoteSeen(t.Context(), []store.Seen{seen("anna"), seen("carla")}); err != nil {
			t.Error(err)
		}
	}}
	if _, err := o.erase(t.Context(), actOn{User: "anna"}); err != nil {
		t.Fatal(err)
	}
	d, err := s.Demands(t.Context(), "crm")
	if got := mustAccount(t, lease, "bob").Demand; err != nil || got == nil || got.By != account.ByOperator || d.Teams["acme"].By != account.ByOperator || d.Teams["acme"].From != importTime {
		t.Errorf("the demands are %+v, %+v, %v", got, d, err)
	}
	list, err := s.ListSeen(t.Context(), "crm", importTime)
	if err != nil || !written || len(list) != 1 || list[0].Key != "carla" {
		t.Errorf("seen are %+v, %v", list, err)
	}
}

func TestRule30OneCommandExportsAllThatIsKnownOfAUser(t *testing.T) {
	eachPlace(t, func(t *testing.T, o *operators) {
		dir := t.TempDir()
		file := filepath.Join(dir, "anna.json")
		o.says("the data are in "+file, "export-data", "anna", "--out", file)
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		var data exportedData
		if err := json.Unmarshal(readFile(t, file), &data); err != nil {
			t.Fatal(err)
		}
		if data.Numbers["phone"] != "+4915123456789" || data.Numbers["proposed"] != "+4915198765432" || len(data.Sessions) != 3 || data.Account.Mail != "anna@example.com" || len(data.Texts) != 1 {
			t.Errorf("got %+v", data)
		}
		o.fails("file exists", "export-data", "anna", "--out", file)
		o.fails("no account", "export-data", "dora", "--out", filepath.Join(dir, "dora.json"))
		if list := files(t, dir); len(list) != 1 {
			t.Errorf("there are the files %v", list)
		}
		out, err := o.run("export-data", "bob")
		if err != nil || json.Unmarshal([]byte(out), &data) != nil || len(data.Devices) != 2 || data.Devices[0].ClientIP != "203.0.113.9" {
			t.Errorf("%v\n%s", err, out)
		}
		o.tells("data_exported Anna", "data_exported bob")
	})
}
