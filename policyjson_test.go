package twofactor

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// policiesConfig is a config with two logins and a step-up, with these policies.
func policiesConfig(instance, login2, stepUp string) []byte {
	const login = `{"match": [{"path": ["/%s"]}], "user": {"from": "form", "name": "email"}, "yes": [[{"status": ["302"]}]], "no": [[{"status": ["200"]}]]%s}`
	own := func(p string) string {
		if p == "" {
			return ""
		}
		return `, "policy": ` + p
	}
	h := fmt.Sprintf(`{"handler": "two_factor", "policy": %s, "logins": [%s, %s], "step_up": [{"match": [{"path": ["/export"]}]%s}], "protect": [{"path": ["*"]}]}`,
		cmp.Or(instance, "{}"), fmt.Sprintf(login, "a", ""), fmt.Sprintf(login, "b", own(login2)), own(stepUp))
	return fmt.Appendf(nil, `{"admin": {"disabled": true, "config": {"persist": false}}, "logging": {"logs": {"default": {"writer": {"output": "discard"}}}}, "apps": {"http": {"servers": {"s": {
		"listen": ["127.0.0.1:0"], "routes": [{"match": [{"host": ["localhost"]}], "handle": [%s]}]}}}}}`, h)
}

func TestABadPolicyInJSONIsRefusedByItsPlace(t *testing.T) {
	const byField = `{"never_match": [{"two_factor_field": {"fields": [{"name": "monitor"}]}}]}`
	for _, c := range []struct{ name, instance, login, stepUp, want string }{
		{"none", "", "", "", ""},
		{"good ones", `{"preset": "new_ip", "again": ["ip"], "remember": 0}`, `{"points": {"new_ip": 100}}`, `{"always": {"users": ["Alice"]}}`, ""},
		{"an unknown preset", `{"preset": "x"}`, "", "", `two_factor: policy: there is no policy "x"`},
		{"an unknown signal in a login", "", `{"points": {"new_city": 5}}`, "", `two_factor: login 2: policy: there is no signal "new_city"`},
		{"deny below challenge in a step-up", "", "", `{"deny": 50}`, `two_factor: step_up 1: policy: deny 50 must be higher than challenge 100`},
		{"high that deny leaves no room", `{"high": 300, "deny": 300}`, "", "", "policy: high 300 must be lower than deny 300"},
		{"one that can never ask", "", `{"challenge": 900, "learning": {"logins": 0, "days": 0}}`, "", "login 2: policy: this policy can never ask"},
		{"one that can never ask for want of data", `{"challenge": 700, "learning": {"logins": 0, "days": 0}}`, "", "", "policy: this policy can never ask"},
		{"one that asks by a matcher alone", "", `{"challenge": 900, "learning": {"logins": 0, "days": 0}, "always_match": [{"path": ["/x"]}]}`, "", ""},
		{"points that are no integers", `{"points": {"new_ip": 60.5}}`, "", "", "cannot unmarshal number 60.5"},
		{"points that are a text", `{"points": {"new_ip": "60"}}`, "", "", "cannot unmarshal string"},
		{"points beyond the most", `{"points": {"new_ip": 1001}}`, "", "", "policy: points new_ip 1001"},
		{"points below none", `{"points": {"new_ip": -1}}`, "", "", "policy: points new_ip -1"},
		{"a setting that there is not", `{"score": 5}`, "", "", `unknown field "score"`},
		{"an unknown factor", `{"high": 200, "high_factors": ["sms"]}`, "", "", `policy: high: there is no factor "sms"`},
		{"remember beyond a year", `{"remember": "366d"}`, "", "", "policy: remember is at most 365 days"},
		{"remember below none", `{"remember": "-1d"}`, "", "", "policy: remember must not be negative: 0 remembers no browser"},
		{"again by something else", `{"again": ["moon"]}`, "", "", `policy: again "moon"`},
		{"again by a country that nobody tells", `{"again": ["country"]}`, "", "", "no database tells countries"},
		{"again in a login", "", `{"again": ["ip"]}`, "", "login 2: policy: again concerns whole sessions"},
		{"remember in a login", "", `{"remember": "1d"}`, "", "login 2: policy: remember holds for all logins"},
		{"again in a step-up", "", "", `{"again": ["ip"]}`, "step_up 1: policy: again concerns whole sessions"},
		{"remember in a step-up", "", "", `{"remember": "1d"}`, "step_up 1: policy: a remembered browser never stands for a step-up"},
		{"a name that is none", `{"always": {"users": [" "]}}`, "", "", `policy: always: " " cannot be a user name`},
		{"a matcher that there is not", `{"trust_match": [{"moon": {}}]}`, "", "", "unknown module: http.matchers.moon"},
		{"an empty matcher", `{"never_match": [{}]}`, "", "", "an empty matcher would match every request"},
		{"a field", byField, "", "", "policy: never cannot be told by two_factor_field"},
		{"a field in a login", "", byField, "", "login 2: policy: never cannot be told by two_factor_field"},
		{"a field in a step-up", "", "", strings.Replace(byField, "never", "trust", 1), "step_up 1: policy: trust cannot be told by two_factor_field"},
		{"a field that makes it ask", strings.Replace(byField, "never", "always", 1), "", "", "policy: always cannot be told by two_factor_field"},
		{"a field within not", `{"trust_match": [{"not": [{"two_factor_field": {"fields": [{"name": "a"}]}}]}]}`, "", "", "policy: trust cannot be told by two_factor_field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ownDataDir(t)
			var config *caddy.Config
			err := caddy.StrictUnmarshalJSON(policiesConfig(c.instance, c.login, c.stepUp), &config)
			if err == nil {
				err = caddy.Validate(config)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestBadTimesOfHistoriesInJSONAreRefused(t *testing.T) {
	for app, want := range map[string]string{
		`{"history": {"shorten": "7d", "forget": "90d"}}`: "",
		`{"history": {}}`:                                  "",
		`{"history": {"shorten": "-1d"}}`:                  "history: a time must not be negative",
		`{"history": {"forget": "10d"}}`:                   "history: what is forgotten after 10d cannot be shortened after 30d",
		`{"history": {"shorten": "36h", "forget": "35h"}}`: "history: what is forgotten after 35h0m0s cannot be shortened after 36h0m0s",
	} {
		ownDataDir(t)
		err := validate(t, config(app, ""))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want an error with %q", app, err, want)
		}
	}
}

// A name of a rule is compared as those of accounts are, also where it came as
// JSON, which nobody has folded.
func TestANameInAPolicyIsFoldedInJSONToo(t *testing.T) {
	ownDataDir(t)
	mustLoad(t, policiesConfig(`{"preset": "new_device", "points": {"new_device": 10}, "always": {"users": [" ALICE@example.com"]}}`, "", ""))
	lease := mustLease(t, activeApp(t))
	defer lease.Release()
	x := explainer{gate: activeApp(t).instances.gate(defaultName), parts: lease.Parts()}
	got, err := x.run(t.Context(), explainRequest{User: alice, Time: lease.Parts().Epoch})
	if err != nil || got.Decision.Reason != "always asked by a rule" {
		t.Errorf("%+v, %v", got.Decision, err)
	}
}
