package file

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// stepping is a scene with a session that has step-ups, in a store that sweeps
// only when the test says so.
func stepping(t *testing.T) (*scene, *clock) {
	t.Helper()
	c := newClock(time.Now())
	sc := newScene(t, openClocked(t, c))
	sc.withSteps()
	return sc, c
}

// A held request must not lie in the file once nobody can send it.
func TestNoHoldOfAStepUpIsLeftWhenThatIsOver(t *testing.T) {
	for name, end := range map[string]func(*scene) error{
		"passed":               (*scene).passStep,
		"passed and sent":      func(sc *scene) error { return second(sc.stepPass(true)) },
		"cancelled":            (*scene).cancelStep,
		"dropped":              (*scene).openMany,
		"ended by its session": (*scene).endSteps,
	} {
		t.Run(name, func(t *testing.T) {
			sc, _ := stepping(t)
			key := []byte(sc.steps.open.Challenge.ID)
			if !has(t, sc.s, holds.bucket, key) {
				t.Fatal("nothing is held")
			}
			must(t, end(sc))
			if has(t, sc.s, holds.bucket, key) {
				t.Error("the hold is still there")
			}
		})
	}
}

func TestTheSweeperRemovesStepUpsAndOldIDsAndLeavesTheSession(t *testing.T) {
	sc, c := stepping(t)
	ctx, old := t.Context(), sc.steps.v.ID
	must(t, sc.passStep())
	must(t, sc.s.sweep(ctx))
	if _, ok := sc.s.table.get(old); !ok {
		t.Error("the old id went before its time")
	}
	c.set(sc.now.Add(account.MovedFor + time.Second))
	must(t, sc.s.sweep(ctx))
	if _, ok := sc.s.table.get(old); ok || has(t, sc.s, sessions.bucket, old[:]) {
		t.Error("the old id is still there")
	}
	if _, err := sc.s.Session(ctx, sc.steps.next, c.now()); err != nil {
		t.Errorf("the session: %v", err)
	}
	c.set(sc.now.Add(time.Hour + time.Second))
	must(t, sc.s.sweep(ctx))
	for _, u := range []store.StepUp{sc.steps.open, sc.steps.waits} {
		if has(t, sc.s, challenges.bucket, []byte(u.Challenge.ID)) {
			t.Error("a step-up that has expired is still there")
		}
	}
	if _, err := sc.s.Session(ctx, sc.steps.next, c.now()); err != nil {
		t.Errorf("the session: %v", err)
	}
}

// A record that names another's challenge was not written here; what it names
// is not removed with it nevertheless.
func TestTheEndOfASessionLeavesAStepUpAloneThatIsNotItsOwn(t *testing.T) {
	sc, _ := stepping(t)
	v := verified(sc.acc, sc.now)
	v.Steps = &account.Steps{Challenges: []string{sc.steps.open.Challenge.ID, sc.b.Challenge.ID}}
	_, err := decide(t.Context(), sc.s, func(tx *txn) (struct{}, error) { return struct{}{}, tx.putSession(&v) })
	must(t, err)
	must(t, sc.s.EndSession(t.Context(), v.ID))
	for _, id := range v.Steps.Challenges {
		if !has(t, sc.s, challenges.bucket, []byte(id)) || !has(t, sc.s, holds.bucket, []byte(id)) {
			t.Error("a challenge of another session is gone, or its hold")
		}
	}
}

// The monotonic clock stands still while a machine is suspended: by its reading
// a code would be younger than it is.
func TestWhenACodeWasGivenIsKeptByTheClockOfTheDay(t *testing.T) {
	sc, _ := stepping(t)
	must(t, sc.passStep())
	v, _ := sc.s.table.get(sc.steps.next)
	pass, _ := v.Steps.Pass(sc.steps.open.Challenge.Request, sc.now)
	for what, at := range map[string]time.Time{"code": v.Steps.FreshAt("export"), "pass": pass.Until} {
		if at.IsZero() || at != at.Round(0).UTC() {
			t.Errorf("the time of the %s is %s", what, at)
		}
	}
}

func TestALookUpUnderAnOldIDAllocatesNothing(t *testing.T) {
	sc, _ := stepping(t)
	ctx, old := t.Context(), sc.steps.v.ID
	must(t, sc.passStep())
	must(t, sc.s.TouchSession(ctx, old, sc.now.Add(time.Second)))
	if got := testing.AllocsPerRun(1000, func() {
		if _, err := sc.s.Session(ctx, old, sc.now); err != nil {
			t.Error(err)
		}
		_ = sc.s.TouchSession(ctx, old, sc.now)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
