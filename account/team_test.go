package account

import (
	"testing"
	"time"
)

func TestATeamIsTheSameInEverySpelling(t *testing.T) {
	for _, tt := range []struct {
		of, name string
		want     bool
	}{
		{"Acme", "Acme", true},
		{"Acme", "ACME ", true},
		{"Acme", "Acme Inc", false},
		{"Acme", "", false},
		{"", "", false},
		{" ", " ", false},
		{"a\x00b", "a\x00b", false},
	} {
		a := Account{Team: tt.of}
		if got := a.InTeam(tt.name); got != tt.want {
			t.Errorf("a member of %q is in %q: %v", tt.of, tt.name, got)
		}
	}
}

func TestTheDemandForATeamHoldsInEverySpelling(t *testing.T) {
	a := Account{Team: "ACME"}
	d := Demands{Teams: map[string]Demand{TeamKey("Acme "): {}}}
	if n := a.Need(Wanted{Mode: ModeOff}, d, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)); n.State != NeedRequired || n.Decider != DecidedForTeam {
		t.Errorf("the need is %+v", n)
	}
}
