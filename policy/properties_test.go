package policy_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// stopped are the logins of a record that a policy asks or refuses.
func stopped(p *policy.Policy, logins []policy.Facts, histories []policy.History) map[int]bool {
	list := map[int]bool{}
	for i := range logins {
		if p.Decide(&logins[i], &histories[i]).Verdict != policy.Allow {
			list[i] = true
		}
	}
	return list
}

func TestALowerThresholdStopsWhateverAHigherOneStops(t *testing.T) {
	for seed := range uint64(20) {
		logins, histories := record(seed, 300)
		var before map[int]bool
		for _, challenge := range []int{1000, 400, 200, 100, 60, 30, 1, 0} {
			p := mustNew(t, policy.Rules{Challenge: &challenge})
			now := stopped(p, logins, histories)
			for i := range before {
				if !now[i] {
					t.Fatalf("seed %d: login %d is stopped by a higher threshold than %d, and not by it: %+v", seed, i, challenge, logins[i])
				}
			}
			if len(now) < len(before) {
				t.Fatalf("seed %d: from %d on fewer are asked, %d after %d", seed, challenge, len(now), len(before))
			}
			before = now
		}
		if len(before) != len(logins) {
			t.Errorf("from 0 on not all are asked: %d of %d", len(before), len(logins))
		}
	}
}

func TestAStricterPresetStopsWhateverALaxerOneStops(t *testing.T) {
	chain := []string{policy.OnNewDevice, policy.Unfamiliar, policy.EveryLogin}
	counts := map[string]int{}
	for seed := range uint64(20) {
		logins, histories := record(seed, 300)
		before := map[int]bool{}
		for _, preset := range chain {
			now := stopped(mustNew(t, policy.Rules{Preset: preset}), logins, histories)
			for i := range before {
				if !now[i] {
					t.Fatalf("seed %d: %s lets login %d pass, which a laxer preset stops: %+v", seed, preset, i, logins[i])
				}
			}
			counts[preset] += len(now)
			before = now
		}
	}
	got := []int{counts[policy.OnNewDevice], counts[policy.Unfamiliar], counts[policy.EveryLogin]}
	if !slices.IsSorted(got) || got[0] == got[1] || got[1] == got[2] {
		t.Errorf("the presets stop %v of 6000, which tells nothing of their order", got)
	}
}

func TestMorePointsNeverStopFewer(t *testing.T) {
	logins, histories := record(7, 500)
	for _, s := range policy.Signals() {
		less := stopped(mustNew(t, policy.Rules{Points: map[string]int{s.Name: 0}}), logins, histories)
		more := stopped(mustNew(t, policy.Rules{Points: map[string]int{s.Name: 500}}), logins, histories)
		for i := range less {
			if !more[i] {
				t.Fatalf("500 points for %s let a login pass that 0 stop: %+v", s.Name, logins[i])
			}
		}
	}
}

func TestADecisionDependsOnNothingButFactsAndHistory(t *testing.T) {
	logins, histories := record(3, 200)
	p := mustNew(t, policy.Rules{})
	for i := range logins {
		f, h := logins[i], histories[i]
		bytes := h.Append(nil)
		first := p.Decide(&f, &h)
		second := p.Decide(&f, &h)
		if first.Verdict != second.Verdict || !slices.Equal(first.Assessment.Signals, second.Assessment.Signals) {
			t.Fatalf("the same login is decided in two ways: %+v, %+v", first, second)
		}
		if f != logins[i] || !slices.Equal(bytes, h.Append(nil)) {
			t.Fatal("to decide has changed the facts or the history")
		}
		sum := 0
		for _, s := range first.Assessment.Signals {
			sum += s.Points
		}
		if sum != first.Assessment.Score {
			t.Errorf("the points are %d together and the score is %d", sum, first.Assessment.Score)
		}
	}
}

func TestARecordIsReplayedAsItWasDecided(t *testing.T) {
	logins, _ := record(11, 400)
	feed := func(yield func(policy.Login) bool) {
		for i, f := range logins {
			if !yield(policy.Login{Facts: f, Verified: i%3 > 0}) {
				return
			}
		}
	}
	p := mustNew(t, policy.Rules{})
	histories := map[string]*policy.History{}
	n := 0
	for l, d := range policy.Replay(p, policy.DefaultRetention, feed) {
		h := histories[l.Facts.Account]
		if h == nil {
			h = new(policy.History)
			histories[l.Facts.Account] = h
		}
		h.Age(policy.DefaultRetention, l.Facts.Time)
		if want := p.Decide(&l.Facts, h); want.Verdict != d.Verdict || want.Reason != d.Reason {
			t.Fatalf("login %d: %s by %q, want %s by %q", n, d.Verdict, d.Reason, want.Verdict, want.Reason)
		}
		if l.Verified {
			h.Learn(&l.Facts)
		}
		n++
	}
	if n != len(logins) {
		t.Errorf("%d of %d logins were replayed", n, len(logins))
	}
	if got := slices.Sorted(maps.Keys(histories)); !slices.Equal(got, []string{"alice", "bob", "carol"}) {
		t.Errorf("of %v", got)
	}
}
