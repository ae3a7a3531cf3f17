package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// manyStepUps enrols an account with an authenticator for each of the session's
// step-ups, so that none spends the step of another.
func (f *fixture) manyStepUps() (account.Session, []store.PassStepUp) {
	a := f.newAccount("ada")
	for i := range account.MaxStepUps {
		a.Factors = append(a.Factors, f.totp(fmt.Sprintf("totp-%d", 10+i)))
	}
	f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
	v := f.beginVerified("ada")
	var passes []store.PassStepUp
	for i := range account.MaxStepUps {
		u := f.stepUp(v)
		u.Challenge.Factors = []string{fmt.Sprintf("totp-%d", 10+i)}
		u.Challenge.Routes = []string{fmt.Sprintf("route-%d", i)}
		f.openStepUp(u)
		p := f.stepOf(v, u, f.factor("ada", u.Challenge.Factors[0]).LastStep+1)
		p.Factor = u.Challenge.Factors[0]
		passes = append(passes, p)
	}
	return v, passes
}

// movedRaces are races for a session whose id changes.
func movedRaces() []raceTest {
	return []raceTest{
		{"PassStepUp", "step-ups of one session that are passed at once are all passed", func(t *testing.T, f *fixture) {
			v, passes := f.manyStepUps()
			oks := race(func(i int) bool {
				_, err := f.s.PassStepUp(f.ctx, passes[i%len(passes)], f.now)
				return f.won(err, store.ErrSpent)
			})
			won := make(map[int]int)
			for i, ok := range oks {
				if ok {
					won[i%len(passes)]++
				}
			}
			got := f.session(v.ID)
			for i, p := range passes {
				if won[i] != 1 {
					t.Errorf("step-up %d was passed %d times", i, won[i])
				}
				same(t, f.session(p.Next), got)
				if !got.Steps.FreshAt(fmt.Sprintf("route-%d", i)).Equal(f.now) {
					t.Errorf("no code was given for route %d", i)
				}
			}
			if n := len(got.Steps.Passes); n != len(passes) {
				t.Errorf("%d requests have a pass, want %d", n, len(passes))
			}
		}},
		{"PassStepUp TouchSession", "at no moment is a session not found while its id changes", func(t *testing.T, f *fixture) {
			for range 8 {
				v, passes := f.manyStepUps()
				stop := f.alwaysFound(v.ID)
				errs := race(func(i int) error {
					if i >= len(passes) {
						return nil
					}
					got, err := f.s.PassStepUp(f.ctx, passes[i], f.now)
					if err != nil {
						return err
					}
					_, err = f.s.Session(f.ctx, got.Session.ID, f.now)
					return err
				})
				stop()
				f.allWin(errs)
			}
		}},
		{"TouchSession PassStepUp", "no request of a session is forgotten while its id changes", func(t *testing.T, f *fixture) {
			for range 4 {
				v, passes := f.manyStepUps()
				f.allWin(race(func(i int) error {
					if i < len(passes) {
						_, err := f.s.PassStepUp(f.ctx, passes[i], f.now)
						return err
					}
					var err error
					for n := 0; n < 50 && err == nil; n++ {
						err = f.s.TouchSession(f.ctx, v.ID, f.now.Add(time.Duration(n*racers+i)*time.Millisecond))
					}
					return err
				}))
				want := f.now.Add((50*racers - 1) * time.Millisecond)
				if got := f.session(v.ID).LastSeen; !got.Equal(want) {
					t.Errorf("last seen %s, want %s", got, want)
				}
			}
		}},
		{"BindToken PassStepUp", "no token is lost while the id changes", func(t *testing.T, f *fixture) {
			v, passes := f.manyStepUps()
			f.allWin(race(func(i int) error {
				if i < len(passes) {
					_, err := f.s.PassStepUp(f.ctx, passes[i], f.now)
					return err
				}
				return f.s.BindToken(f.ctx, v.ID, tokenNo(i%account.MaxTokens), f.now)
			}))
			if got := f.session(v.ID); len(got.Tokens) != account.MaxTokens || len(got.Steps.Fresh) != len(passes) {
				t.Errorf("%d tokens are bound and a code was given for %d routes", len(got.Tokens), len(got.Steps.Fresh))
			}
		}},
		{"SuspendSession PassStepUp", "a session that a login has suspended passes nothing", func(t *testing.T, f *fixture) {
			for range 4 {
				v, passes := f.manyStepUps()
				var mu sync.Mutex
				suspended := false
				passed := 0
				race(func(i int) error {
					if i%2 == 0 {
						_, err := f.s.SuspendSession(f.ctx, v.ID, newLoginID(), f.now)
						if f.won(err, store.ErrBusy) {
							mu.Lock()
							suspended = true
							mu.Unlock()
						}
						return nil
					}
					mu.Lock()
					was := suspended
					mu.Unlock()
					_, err := f.s.PassStepUp(f.ctx, passes[i/2%len(passes)], f.now)
					if f.won(err, store.ErrNotFound, store.ErrSpent) {
						mu.Lock()
						passed++
						mu.Unlock()
						if was {
							t.Error("a step-up was passed after a login had suspended the session")
						}
					}
					return nil
				})
				got := f.session(v.ID)
				if !got.Suspended() || len(got.Steps.Fresh) != passed {
					t.Errorf("%d have passed; the session is suspended: %t, and has %d fresh routes", passed, got.Suspended(), len(got.Steps.Fresh))
				}
				for _, p := range passes {
					if other, err := f.s.Session(f.ctx, p.Next, f.now); err == nil && other.Usable(f.now) {
						t.Error("the session is usable under a new id")
					}
				}
			}
		}},
		{"EndSession PassStepUp", "a session that was ended under an old id is gone under every one", func(t *testing.T, f *fixture) {
			for range 4 {
				v, passes := f.manyStepUps()
				race(func(i int) error {
					if i == racers/2 {
						f.wants(f.s.EndSession(f.ctx, v.ID), nil)
						return nil
					}
					_, err := f.s.PassStepUp(f.ctx, passes[i%len(passes)], f.now)
					f.won(err, store.ErrNotFound, store.ErrSpent)
					return nil
				})
				f.noSession(v.ID, f.now)
				for _, p := range passes {
					f.noSession(p.Next, f.now)
					f.noChallenge(p.Challenge)
				}
			}
		}},
		{"BeginSession PassStepUp", "a login that takes the session's place leaves none of its ids", func(t *testing.T, f *fixture) {
			for range 4 {
				v, passes := f.manyStepUps()
				next := f.verified("ada")
				race(func(i int) error {
					if i == racers/2 {
						login := newLoginID()
						_, err := f.s.SuspendSession(f.ctx, v.ID, login, f.now)
						if err == nil {
							err = f.s.BeginSession(f.ctx, store.Begin{Session: next, Old: &v.ID, Login: login}, f.now)
						}
						f.wants(err, nil)
						return nil
					}
					_, err := f.s.PassStepUp(f.ctx, passes[i%len(passes)], f.now)
					f.won(err, store.ErrNotFound, store.ErrSpent)
					return nil
				})
				same(t, f.session(next.ID), next)
				f.noSession(v.ID, f.now)
				for _, p := range passes {
					f.noSession(p.Next, f.now)
				}
			}
		}},
	}
}

// alwaysFound lets readers look for a session until they are stopped, and touch
// it.
func (f *fixture) alwaysFound(id account.SessionID) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				var err error
				if i == 0 {
					err = f.s.TouchSession(f.ctx, id, f.now)
				} else {
					var got account.Session
					if got, err = f.s.Session(f.ctx, id, f.now); err == nil && !got.Usable(f.now) {
						err = fmt.Errorf("it is %s", got.State)
					}
				}
				if err != nil {
					f.t.Errorf("the session was not found: %v", err)
					return
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}
