package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// sessionRaces are races for a session.
func sessionRaces() []raceTest {
	return []raceTest{
		{"ResumeSession", "one resuming resumes a session", func(t *testing.T, f *fixture) {
			v, login := f.beginVerified("ada"), newLoginID()
			_, err := f.s.SuspendSession(f.ctx, v.ID, login, f.now)
			f.must(err)
			oneWins(t, race(func(int) error { return f.s.ResumeSession(f.ctx, v.ID, login, f.now) }), store.ErrConflict)
			same(t, f.session(v.ID), v)
		}},
		{"SuspendSession ResumeSession", "a session is suspended by one login at a time", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			errs := race(func(int) error {
				login := newLoginID()
				got, err := f.s.SuspendSession(f.ctx, v.ID, login, f.now)
				if err != nil {
					f.wants(f.s.ResumeSession(f.ctx, v.ID, login, f.now), store.ErrConflict)
					return err
				}
				same(t, got, v)
				return f.s.ResumeSession(f.ctx, v.ID, login, f.now)
			})
			n := 0
			for _, err := range errs {
				if f.won(err, store.ErrBusy) {
					n++
				}
			}
			if n == 0 {
				t.Error("nobody has suspended the session")
			}
			same(t, f.session(v.ID), v)
		}},
		{"CancelSession", "one cancelling cancels a session", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			oneWins(t, race(func(int) error { return f.s.CancelSession(f.ctx, b.Session.ID) }), store.ErrNotFound)
			if st := f.session(b.Session.ID).State; st != account.StateCancelled {
				t.Errorf("the session is %s, want it cancelled", st)
			}
		}},
		{"BeginSession", "one session of an id begins", func(t *testing.T, f *fixture) {
			id := newSessionID()
			begins := make([]store.Begin, racers)
			for i := range begins {
				begins[i] = f.pending("ada")
				begins[i].Session.ID, begins[i].Challenge.Session = id, id
			}
			errs := race(func(i int) error { return f.s.BeginSession(f.ctx, begins[i], f.now) })
			oneWins(t, errs, store.ErrConflict)
			for i, err := range errs {
				if err == nil {
					same(t, f.session(id), begins[i].Session)
					same(t, f.challenge(begins[i].Challenge.ID), begins[i].Challenge)
				} else {
					f.noChallenge(begins[i].Challenge.ID)
				}
			}
		}},
		{"EndSession BeginSession", "a session is ended or replaced, and is gone in any case", func(t *testing.T, f *fixture) {
			old, login := f.beginPending("ada"), newLoginID()
			_, err := f.s.SuspendSession(f.ctx, old.Session.ID, login, f.now)
			f.must(err)
			begins := make([]store.Begin, racers)
			for i := range begins {
				begins[i] = f.pending("ada")
				begins[i].Old, begins[i].Login = &old.Session.ID, login
			}
			errs := race(func(i int) error {
				if i%2 == 0 {
					return f.s.EndSession(f.ctx, old.Session.ID)
				}
				return f.s.BeginSession(f.ctx, begins[i], f.now)
			})
			begun := 0
			for i, err := range errs {
				switch {
				case i%2 == 0:
					f.wants(err, nil)
				case f.won(err, store.ErrConflict):
					begun++
				default:
					f.notBegun(begins[i])
				}
			}
			if begun > 1 {
				t.Errorf("%d sessions have taken the place of one", begun)
			}
			f.noSession(old.Session.ID, f.now)
			f.noChallenge(old.Challenge.ID)
		}},
		{"EndSession PassChallenge", "a session that was ended passes nothing, and one that has passed ends", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for round := range 4 {
				b, last := f.beginPending("ada"), f.factor("ada", totpID).LastStep
				passes := make([]store.Pass, racers)
				for i := range passes {
					passes[i] = f.passOf(b, int64((round+1)*1000+i))
				}
				errs := race(func(i int) error {
					if i%2 == round%2 {
						return f.s.EndSession(f.ctx, b.Session.ID)
					}
					_, err := f.s.PassChallenge(f.ctx, passes[i], f.now)
					return err
				})
				passed, step := 0, last
				for i, err := range errs {
					if i%2 == round%2 {
						f.wants(err, nil)
					} else if f.won(err, store.ErrSpent, store.ErrNotFound) {
						passed++
						step = passes[i].Step
						same(t, f.session(passes[i].Next.ID), passes[i].Next)
					} else {
						f.noSession(passes[i].Next.ID, f.now)
					}
				}
				if got := f.factor("ada", totpID).LastStep; passed > 1 || got != step {
					t.Errorf("%d have passed and step %d is spent, want %d", passed, got, step)
				}
				f.noSession(b.Session.ID, f.now)
				f.noChallenge(b.Challenge.ID)
			}
		}},
		{"SuspendSession PassChallenge", "a session is suspended or passes, not both", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for round := range 4 {
				b := f.beginPending("ada")
				errs := race(func(i int) error {
					if i%2 == round%2 {
						_, err := f.s.SuspendSession(f.ctx, b.Session.ID, newLoginID(), f.now)
						return err
					}
					_, err := f.s.PassChallenge(f.ctx, f.passOf(b, int64((round+1)*1000+i)), f.now)
					return err
				})
				n := 0
				for _, err := range errs {
					if f.won(err, store.ErrBusy, store.ErrSpent, store.ErrNotFound) {
						n++
					}
				}
				if v := f.session(b.Session.ID); n != 1 || v.Suspended() == (v.State == account.StatePassed) {
					t.Errorf("%d have won; the session is %s, suspended: %t", n, v.State, v.Suspended())
				}
			}
		}},
		{"TouchSession", "of many requests the last one counts", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			f.allWin(race(func(i int) error {
				return f.s.TouchSession(f.ctx, v.ID, f.now.Add(time.Duration((i*7)%racers)*time.Second))
			}))
			if got, want := f.session(v.ID).LastSeen, f.now.Add((racers-1)*time.Second); !got.Equal(want) {
				t.Errorf("last seen %s, want %s", got, want)
			}
		}},
		{"TouchSession EndSession", "no request brings a session back that has ended", func(t *testing.T, f *fixture) {
			for range 4 {
				v := f.beginVerified("ada")
				for i, err := range race(func(i int) error {
					if i%8 == 0 {
						return f.s.EndSession(f.ctx, v.ID)
					}
					return f.s.TouchSession(f.ctx, v.ID, f.now.Add(time.Duration(i)*time.Second))
				}) {
					if i%8 == 0 {
						f.wants(err, nil)
					} else {
						f.won(err, store.ErrNotFound)
					}
				}
				f.noSession(v.ID, f.now)
			}
		}},
	}
}
