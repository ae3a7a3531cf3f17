package report

import (
	"net/netip"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

func points(n int) *int { return &n }

// The words of a reason are the policy's: whoever changes them there finds out
// here.
func TestEveryReasonOfAPolicyIsUnderstood(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	usual := policy.Facts{
		Time: now, Account: "anna", Address: netip.MustParseAddr("192.0.2.7"), Device: policy.DeviceKnown,
		Place: policy.Place{Country: "DE", Network: 64500, AnonymousKnown: true}, Agent: policy.Agent{Browser: "Firefox", System: "Windows"},
	}
	var used policy.History
	for i := range 30 {
		f := usual
		f.Time = now.AddDate(0, 0, i-30)
		used.Learn(&f)
	}
	var young policy.History
	young.Learn(&usual)
	away := usual
	away.Address = netip.MustParseAddr("198.51.100.7")
	every := policy.Who{Users: []string{"anna"}}
	for name, c := range map[string]struct {
		rules policy.Rules
		facts policy.Facts
		h     policy.History
		want  outcome
	}{
		"too few points":   {policy.Rules{}, away, used, outcome{verdict: policy.Allow, cause: ByFewPoints, by: -1, threshold: 100, score: 60}},
		"enough points":    {policy.Rules{Challenge: points(60)}, away, used, outcome{verdict: policy.Challenge, cause: ByScore, by: -1, threshold: 60, score: 60}},
		"refused":          {policy.Rules{Challenge: points(30), Deny: 50}, away, used, outcome{verdict: policy.Deny, cause: ByScore, by: -1, threshold: 50, score: 60}},
		"learning":         {policy.Rules{}, away, young, outcome{verdict: policy.Challenge, cause: ByLearning, by: signalPlace[policy.NewIP], score: 60}},
		"an unknown place": {policy.Rules{Unknown: policy.UnknownChallenge}, usual, used, outcome{verdict: policy.Challenge, cause: ByUnknown, by: signalPlace[policy.ImpossibleTravel]}},
		"every login":      {policy.Rules{Preset: policy.EveryLogin}, usual, used, outcome{verdict: policy.Challenge, cause: ByEvery, by: -1}},
		"always":           {policy.Rules{Always: every}, usual, used, outcome{verdict: policy.Challenge, cause: ByAlways, by: -1}},
		"never":            {policy.Rules{Never: every}, away, used, outcome{verdict: policy.Allow, cause: ByNever, by: -1, score: 60}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := policy.New(c.rules, policy.Data{})
			if err != nil {
				t.Fatal(err)
			}
			d := p.Decide(&c.facts, &c.h)
			got := short(&d)
			if got.verdict != c.want.verdict || got.cause != c.want.cause || got.by != c.want.by || got.threshold != c.want.threshold || got.score != c.want.score {
				t.Errorf("%q is understood as %+v, want %+v", d.Reason, got, c.want)
			}
		})
	}
}

func TestASignalDecidesAloneWhereTheOthersWouldNotHaveBeenEnough(t *testing.T) {
	o := outcome{verdict: policy.Challenge, cause: ByScore, score: 130, threshold: 100}
	for points, want := range map[int]bool{0: false, 30: false, 31: true, 100: true} {
		if got := o.alone(raised{points: points}); got != want {
			t.Errorf("%d of 130 points decide alone: %v", points, got)
		}
	}
	o.cause = ByAlways
	if o.alone(raised{points: 100}) {
		t.Error("who is always asked is asked for no signal")
	}
}
