package policy_test

import (
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

func TestEveryLoginAsksWhateverIsKnown(t *testing.T) {
	for _, f := range []policy.Facts{{}, {User: "alice", Account: "alice", ClientIP: "192.0.2.1", UserAgent: "x"}} {
		d := policy.EveryLogin{}.Decide(f)
		if d.Verdict != policy.Challenge {
			t.Errorf("Decide(%+v) = %s, want challenge", f, d.Verdict)
		}
		if d.Assessment.Score <= 0 || len(d.Assessment.Signals) == 0 || d.Assessment.Signals[0].Reason == "" {
			t.Errorf("Decide(%+v) gives no reason: %+v", f, d.Assessment)
		}
	}
}
