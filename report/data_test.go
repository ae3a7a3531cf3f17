package report_test

import (
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/report"
)

func TestAReplayThatNamesASignalSaysHowManyLoginsLackItsData(t *testing.T) {
	dir := t.TempDir()
	with := func(place string) string {
		return strings.Replace(observed(start, "anna"), `"facts":{`, `"facts":{"place":{`+place+`},`, 1)
	}
	put(t, dir, "audit.log", with("")+with("")+with(`"country_known":true,"network":64500`)+
		with(`"country":"NZ","network_known":true,"anonymous_known":true,"located":true`)+with(`"country":"NZ","anonymous":"tor","egress":true`))
	for _, c := range []struct {
		name   string
		points map[string]int
		want   []string
	}{
		{"none", nil, nil},
		{"one that needs no data", map[string]int{policy.NewIP: 50}, nil},
		{"one without points", map[string]int{policy.NewCountry: 0}, nil},
		{"a country", map[string]int{policy.NewCountry: 50}, []string{"new_country: 2 logins were recorded without"}},
		{"all", map[string]int{policy.NewCountry: 1, policy.NewNetwork: 1, policy.AnonymousNetwork: 1, policy.ImpossibleTravel: 1}, []string{
			"new_network: 3 logins were recorded without", "new_country: 2 logins", "impossible_travel: 3 logins", "anonymous_network: 3 logins",
		}},
	} {
		q := month()
		q.Candidates = []report.Candidate{{Name: "mine", Rules: policy.Rules{Points: c.points, Unknown: policy.UnknownIgnore}}}
		r := mustReport(t, read(t, dir), q)
		var got []string
		for _, n := range r.Notes {
			if strings.Contains(n, "recorded without the data") {
				got = append(got, n)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: got %q, want %d of them", c.name, got, len(c.want))
			continue
		}
		for i, want := range c.want {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%s: got %q, want %q", c.name, got[i], want)
			}
		}
	}
}
