package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/report"
)

// event is a line of anna's, some seconds after the beginning.
func event(after int, rest string) string {
	return fmt.Sprintf(`{"time":%q,"instance":"crm","user":"Anna","account":"anna",%s}`+"\n", start.Add(time.Duration(after)*time.Second).Format(time.RFC3339), rest)
}

// assessed is what an event says of a decision about a login from the office.
func assessed(verdict, more string) string {
	return fmt.Sprintf(`"event":"authn_assessed","result":%q,"verdict":%[1]q,"score":100,"signals":[],"policy":"new_ip","reason":"x","facts":{"address":"192.0.2.7"}%s`, verdict, more)
}

func TestALoginTeachesWhereItEndedVerified(t *testing.T) {
	const opened = `"event":"authn_challenge","result":"opened","challenge":"c1"`
	const passed = `"event":"authn_challenge_passed","result":"right","challenge":"c1"`
	const stepUp = `"event":"authn_challenge","result":"step_up","challenge":"c1"`
	const let = `"event":"authn_login_success","result":"first_factor_only"`
	asked, allowed, again := assessed("challenge", ""), assessed("allow", ""), assessed("challenge", `,"detail":"in a session"`)
	for name, c := range map[string]struct {
		lines   string
		teaches bool
	}{
		"let in":                                {event(0, allowed) + event(0, let), true},
		"let in and not released":               {event(0, allowed), false},
		"let in, and another account released":  {event(0, allowed) + strings.Replace(event(0, let), `"anna"`, `"bob"`, 1), false},
		"let in, and released in another place": {event(0, allowed) + strings.Replace(event(0, let), "crm", "shop", 1), false},
		"let in, and another released later":    {event(0, allowed) + event(3600, let), false},
		"asked and passed":                      {event(0, asked) + event(0, opened) + event(300, passed), true},
		"asked, and only the end is known":      {event(0, asked) + event(0, opened) + event(300, let[:len(let)-1]+`","challenge":"c1"`), true},
		"asked and failed":                      {event(0, asked) + event(0, opened) + event(300, `"event":"authn_login_fail","result":"wrong_code","challenge":"c1"`), false},
		"asked, and another passed":             {event(0, asked) + event(0, opened) + event(300, strings.Replace(passed, "c1", "c2", 1)), false},
		"asked and never opened":                {event(0, asked) + event(300, passed), false},
		"refused":                               {event(0, assessed("deny", "")) + event(0, let), false},
		"only observed":                         {event(0, assessed("challenge", `,"detail":"observed"`)), true},
		"asked in a session and passed":         {event(0, again) + event(0, stepUp) + event(300, passed), true},
		"asked in a session and not passed":     {event(0, again) + event(0, stepUp), false},
		"another step-up passed later":          {event(0, again) + event(900, stepUp) + event(930, passed), false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "audit.log", c.lines+event(2*24*3600, assessed("allow", `,"detail":"observed"`)))
			q := month()
			q.From = start.Add(day)
			q.Candidates = []report.Candidate{{Name: "new_ip", Rules: policy.Rules{Preset: policy.OnNewIP}}}
			f := mustReport(t, read(t, dir), q).Policies[1]
			if f.Logins != 1 || (f.Asked == 0) != c.teaches {
				t.Errorf("of %d later logins from there %d are asked; it teaches: %v", f.Logins, f.Asked, c.teaches)
			}
		})
	}
}

func TestWhatAMatcherSaidBelongsToThePolicyOfItsTime(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "audit.log", strings.Replace(event(0, assessed("allow", `,"detail":"observed"`)), `"facts":{`, `"facts":{"trusted":true,`, 1))
	q := month()
	q.Candidates = []report.Candidate{{Name: "new_ip", Rules: policy.Rules{Preset: policy.OnNewIP}}}
	r := mustReport(t, read(t, dir), q)
	if r.Policies[1].Asked != 1 {
		t.Error("a replay trusts what another policy trusted")
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "A matcher of the recorded policy trusted, always asked or never asked in 1 login;") {
		t.Errorf("the notes do not say so: %q", r.Notes)
	}
}

func TestOneNameIsAnotherAccountInEachInstance(t *testing.T) {
	dir := t.TempDir()
	line := event(0, assessed("allow", `,"detail":"observed"`))
	put(t, dir, "audit.log", line+line+strings.ReplaceAll(line, "crm", "shop"))
	q := month()
	q.Candidates = []report.Candidate{{Name: "new_ip", Rules: policy.Rules{Preset: policy.OnNewIP}}}
	if f := mustReport(t, read(t, dir), q).Policies[1]; f.Logins != 3 || f.Asked != 2 || f.Users != 2 {
		t.Errorf("got %d logins, %d asked, %d users; want 3, 2, 2", f.Logins, f.Asked, f.Users)
	}
}
