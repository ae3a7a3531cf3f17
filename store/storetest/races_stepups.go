package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// stepUpRaces are races for a step-up or a pass.
func stepUpRaces() []raceTest {
	return []raceTest{
		{"PassStepUp", "one submission of a right code passes a step-up", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for _, factor := range []string{totpID, phoneID} {
				v := f.beginVerified("ada")
				u := f.beginStepUp(v)
				f.sent(asBegin(v, u), "111111", f.now)
				f.oneSteps(v, func(i int) store.PassStepUp {
					p := f.stepCodeOf(v, u, "111111")
					p.Factor, p.Step, p.Take = factor, 100, i%2 == 0
					return p
				})
			}
		}},
		{"PassStepUp", "one time step passes one of a session's step-ups", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			var open []store.StepUp
			for range account.MaxStepUps {
				open = append(open, f.beginStepUp(v))
			}
			f.oneSteps(v, func(i int) store.PassStepUp { return f.stepOf(v, open[i%len(open)], 100) })
		}},
		{"PassStepUp PassChallenge", "one time step passes a login or a step-up", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			b, u := f.beginPending("ada"), f.beginStepUp(v)
			oneWins(t, race(func(i int) error {
				if i%2 == 0 {
					_, err := f.s.PassChallenge(f.ctx, f.passOf(b, 100), f.now)
					return err
				}
				_, err := f.s.PassStepUp(f.ctx, f.stepOf(v, u, 100), f.now)
				return err
			}), store.ErrSpent)
		}},
		{"PassStepUp ReserveSend", "one code of many step-ups and logins lives", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			open := make([]store.Begin, racers)
			for i := range open {
				if i%2 == 0 {
					open[i] = f.beginPending("ada")
				} else {
					v := f.beginVerified("ada")
					open[i] = asBegin(v, f.beginStepUp(v))
				}
			}
			race(func(i int) error {
				_, err := f.s.ReserveSend(f.ctx, f.sendOf(open[i], fmt.Sprint(i)), f.now)
				return err
			})
			oneWins(t, race(func(i int) error {
				if i%2 == 0 {
					_, err := f.s.PassChallenge(f.ctx, f.codeOf(open[i], fmt.Sprint(i)), f.now)
					return err
				}
				u := store.StepUp{Challenge: *open[i].Challenge}
				_, err := f.s.PassStepUp(f.ctx, f.stepCodeOf(open[i].Session, u, fmt.Sprint(i)), f.now)
				return err
			}), store.ErrNotFound)
		}},
		{"CountAttempt PassStepUp", "a right code of a step-up forgets every failure, and nothing is counted after it", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			a := attemptOf(asBegin(v, u), totpID)
			a.PerCode, a.InARow = 1000, 1000
			passed := 0
			for i, err := range race(func(i int) error {
				if i%2 == 0 {
					_, err := f.s.CountAttempt(f.ctx, a, f.now)
					return err
				}
				_, err := f.s.PassStepUp(f.ctx, f.stepOf(v, u, int64(100+i)), f.now)
				return err
			}) {
				if f.won(err, store.ErrSpent) && i%2 == 1 {
					passed++
				}
			}
			if fa := f.factor("ada", totpID); passed != 1 || fa.Failures != 0 {
				t.Errorf("%d have passed and %d failures are left, want 1 and 0", passed, fa.Failures)
			}
		}},
		{"OpenStepUp", "one step-up is opened for one request", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			r := newRequest()
			ids := race(func(int) string {
				u := f.stepUp(v)
				u.Challenge.Request = r
				got, err := f.s.OpenStepUp(f.ctx, u, f.now)
				if err != nil {
					t.Error(err)
				}
				return got.ID
			})
			for _, id := range ids {
				same(t, f.steps(v.ID).Challenges, []string{id})
			}
		}},
		{"OpenStepUp", "one step-up of an id is opened", func(t *testing.T, f *fixture) {
			id := newID()
			ups := make([]store.StepUp, racers)
			for i := range ups {
				ups[i] = f.stepUp(f.beginVerified("ada"))
				ups[i].Challenge.ID, ups[i].Hold.Challenge = id, id
			}
			errs := race(func(i int) error {
				_, err := f.s.OpenStepUp(f.ctx, ups[i], f.now)
				return err
			})
			oneWins(t, errs, store.ErrConflict)
			for i, err := range errs {
				if had := f.steps(ups[i].Challenge.Session); had.Has(id) != (err == nil) {
					t.Errorf("a session has the step-up: %t, with error %v", had.Has(id), err)
				}
			}
		}},
		{"OpenStepUp", "of many step-ups so many are kept, and all of those are there", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			ups := make([]store.StepUp, racers)
			for i := range ups {
				ups[i] = f.stepUp(v)
			}
			f.allWin(race(func(i int) error {
				_, err := f.s.OpenStepUp(f.ctx, ups[i], f.now)
				return err
			}))
			kept := f.steps(v.ID)
			if n := len(kept.Challenges); n != account.MaxStepUps {
				t.Errorf("%d are kept, want %d", n, account.MaxStepUps)
			}
			for _, u := range ups {
				_, err := f.s.Challenge(f.ctx, u.Challenge.ID, f.now)
				if kept.Has(u.Challenge.ID) {
					f.must(err)
				} else {
					f.wants(err, store.ErrNotFound)
				}
			}
		}},
		{"ShowStepUp CancelStepUp", "a step-up that waits is shown until it is cancelled", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			u := f.beginWaiting(v)
			for i, err := range race(func(i int) error {
				if i == racers/2 {
					return f.s.CancelStepUp(f.ctx, v.ID, u.Challenge.ID, f.now)
				}
				_, err := f.s.ShowStepUp(f.ctx, v.ID, u.Challenge.ID, "/", f.now)
				return err
			}) {
				if i == racers/2 {
					f.wants(err, nil)
				} else {
					f.won(err, store.ErrNotFound)
				}
			}
			if st := f.challenge(u.Challenge.ID).State; st != account.ChallengeCancelled {
				t.Errorf("the challenge is %s, want it cancelled", st)
			}
			same(t, f.steps(v.ID), account.Steps{Challenges: []string{u.Challenge.ID}})
		}},
		{"PassStepUp CancelStepUp", "a step-up is passed or cancelled, not both", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for round := range 4 {
				v := f.beginVerified("ada")
				u := f.beginStepUp(v)
				passed := 0
				for i, err := range race(func(i int) error {
					if i%2 == round%2 {
						return f.s.CancelStepUp(f.ctx, v.ID, u.Challenge.ID, f.now)
					}
					_, err := f.s.PassStepUp(f.ctx, f.stepOf(v, u, int64((round+1)*1000+i)), f.now)
					return err
				}) {
					switch {
					case i%2 != round%2:
						if f.won(err, store.ErrSpent, store.ErrNotFound) {
							passed++
						}
					default:
						f.won(err, store.ErrSpent)
					}
				}
				want, fresh := account.ChallengeCancelled, 0
				if passed > 0 {
					want, fresh = account.ChallengePassed, 1
				}
				st, steps := f.challenge(u.Challenge.ID).State, f.steps(v.ID)
				if passed > 1 || st != want || len(steps.Fresh) != fresh || len(steps.Passes) != fresh {
					t.Errorf("%d have passed, the challenge is %s, and the session has %+v", passed, st, steps)
				}
			}
		}},
		{"TakePass", "one request takes a pass", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			old := f.beginVerified("ada")
			u := f.beginStepUp(old)
			v := f.steppedUp(old, u, f.stepOf(old, u, 100))
			oneWins(t, race(func(i int) error {
				id := v.ID
				if i%2 == 0 {
					id = old.ID
				}
				return f.s.TakePass(f.ctx, id, u.Challenge.Request, f.now)
			}), store.ErrSpent)
		}},
		{"TakePass ReturnPass", "a pass is with one request at a time", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			v = f.steppedUp(v, u, f.stepOf(v, u, 100))
			var out, taken atomic.Int64
			race(func(int) error {
				for range 4 {
					err := f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, f.now)
					if !f.won(err, store.ErrSpent) {
						continue
					}
					taken.Add(1)
					if out.Add(1) != 1 {
						t.Error("two requests have the pass")
					}
					out.Add(-1)
					if err := f.s.ReturnPass(f.ctx, v.ID, u.Challenge.Request, f.now); err != nil {
						t.Error(err)
					}
				}
				return nil
			})
			if taken.Load() == 0 {
				t.Error("nobody has taken the pass")
			}
			same(t, f.session(v.ID), v)
		}},
		{"TakePass OpenStepUp ShowStepUp ReturnPass", "what is done at once to a session is all done", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			waits, u := f.beginWaiting(v), f.beginStepUp(v)
			v = f.steppedUp(v, u, f.stepOf(v, u, 100))
			other := f.stepUp(v)
			f.allWin(race(func(i int) error {
				var err error
				switch i % 4 {
				case 0:
					_, err = f.s.OpenStepUp(f.ctx, other, f.now)
				case 1:
					_, err = f.s.ShowStepUp(f.ctx, v.ID, waits.Challenge.ID, "/", f.now)
				case 2:
					err = f.s.ReturnPass(f.ctx, v.ID, u.Challenge.Request, f.now)
				case 3:
					if err = f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, f.now); errors.Is(err, store.ErrSpent) {
						err = nil
					}
				}
				return err
			}))
			got := f.steps(v.ID)
			same(t, got.Challenges, []string{waits.Challenge.ID, u.Challenge.ID, other.Challenge.ID})
			if got.Waiting != "" || len(got.Passes) != 1 || len(got.Fresh) != 1 {
				t.Errorf("the session has %+v", got)
			}
		}},
	}
}

// oneSteps passes step-ups of one session at once and checks that one
// submission has won and given the session its id, and no other.
func (f *fixture) oneSteps(v account.Session, of func(i int) store.PassStepUp) {
	f.t.Helper()
	passes := make([]store.PassStepUp, racers)
	for i := range passes {
		passes[i] = of(i)
	}
	errs := race(func(i int) error {
		got, err := f.s.PassStepUp(f.ctx, passes[i], f.now)
		if err == nil && (got.Hold == nil || got.Hold.Challenge != passes[i].Challenge || got.Session.ID != passes[i].Next) {
			f.t.Errorf("%+v was released", got)
		}
		return err
	})
	oneWins(f.t, errs, store.ErrSpent)
	for i, err := range errs {
		if err != nil {
			f.noSession(passes[i].Next, f.now)
			continue
		}
		got := f.session(passes[i].Next)
		same(f.t, f.session(v.ID), got)
		if n := len(got.Steps.Passes); n != 1 || got.Steps.Passes[0].Taken != passes[i].Take {
			f.t.Errorf("%d requests have a pass: %+v", n, got.Steps.Passes)
		}
	}
}
