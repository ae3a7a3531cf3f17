package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// lineRaces are races for a line's lock that have more than one outcome.
func lineRaces() []raceTest {
	return []raceTest{
		{"StandLine", "of many ends of a lock the latest is kept", func(t *testing.T, f *fixture) {
			key := newLine()
			f.allWin(race(func(i int) error {
				return f.s.StandLine(f.ctx, key, f.now, f.now.Add(time.Duration(1+(i*7)%racers)*time.Minute))
			}))
			f.line(key, f.now.Add(racers*time.Minute-time.Nanosecond), account.LockStanding)
			f.line(key, f.now.Add(racers*time.Minute), account.LockFree)
		}},
		{"LockLine LiftLine", "a lock that is lifted is taken again by one login at a time", func(t *testing.T, f *fixture) {
			key := newLine()
			var holders, taken atomic.Int32
			race(func(int) error {
				login := newLoginID()
				st, err := f.s.LockLine(f.ctx, key, login, f.now, f.now.Add(time.Hour))
				if err != nil {
					t.Error(err)
				}
				if st != account.LockFree {
					return f.cannotLift(key, login)
				}
				taken.Add(1)
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d logins hold the lock", n)
				}
				holders.Add(-1)
				if err := f.s.LiftLine(f.ctx, key, login, f.now); err != nil {
					t.Errorf("the login that has the lock lifts it: %v", err)
				}
				return nil
			})
			if taken.Load() == 0 {
				t.Error("nobody has taken the lock")
			}
			f.line(key, f.now, account.LockFree)
		}},
		{"LiftLine BeginSession", "a lock is lifted or its session begins, not both", func(t *testing.T, f *fixture) {
			for round := range 4 {
				key, login := newLine(), newLoginID()
				f.lock(key, login, f.now, f.now.Add(time.Hour), account.LockFree)
				begins := make([]store.Begin, racers)
				for i := range begins {
					begins[i] = f.pending("ada")
					begins[i].Line, begins[i].Login, begins[i].LineUntil = &key, login, f.now.Add(time.Hour)
				}
				errs := race(func(i int) error {
					if i%2 == round%2 {
						return f.s.LiftLine(f.ctx, key, login, f.now)
					}
					return f.s.BeginSession(f.ctx, begins[i], f.now)
				})
				lifted, begun := 0, 0
				for i, err := range errs {
					f.won(err, store.ErrConflict)
					switch {
					case i%2 == round%2 && err == nil:
						lifted++
					case i%2 != round%2 && err == nil:
						begun++
						same(t, f.session(begins[i].Session.ID), begins[i].Session)
					case i%2 != round%2:
						f.notBegun(begins[i])
					}
				}
				if lifted == 1 && begun == 0 {
					f.line(key, f.now, account.LockFree)
				} else if lifted == 0 && begun == racers/2 {
					f.line(key, f.now, account.LockStanding)
				} else {
					t.Errorf("the lock was lifted %d times and %d sessions began", lifted, begun)
				}
			}
		}},
		{"LockLine StandLine", "nobody finds a line free once the method that locks it has returned", func(t *testing.T, f *fixture) {
			for range 4 {
				f.locksForAll(func(key account.LineKey) error {
					_, err := f.s.LockLine(f.ctx, key, newLoginID(), f.now, f.now.Add(time.Hour))
					return err
				})
				f.locksForAll(func(key account.LineKey) error {
					return f.s.StandLine(f.ctx, key, f.now, f.now.Add(time.Hour))
				})
			}
		}},
	}
}

// cannotLift checks that a login that has not got the lock does not lift it.
func (f *fixture) cannotLift(key account.LineKey, login account.LoginID) error {
	err := f.s.LiftLine(f.ctx, key, login, f.now)
	f.wants(err, store.ErrConflict)
	return err
}

// allWin checks that no error is there.
func (f *fixture) allWin(errs []error) {
	f.t.Helper()
	for _, err := range errs {
		if err != nil {
			f.t.Error(err)
		}
	}
}

// won reports whether there is no error; another one than those that a loser
// may get is none of the contract's.
func (f *fixture) won(err error, losers ...error) bool {
	f.t.Helper()
	if err == nil {
		return true
	}
	for _, want := range losers {
		if errors.Is(err, want) {
			return false
		}
	}
	f.t.Errorf("a loser got %v, want one of %v", err, losers)
	return false
}

// locksForAll lets readers ask for a line while it is locked.
func (f *fixture) locksForAll(locking func(account.LineKey) error) {
	f.t.Helper()
	key := newLine()
	var locked atomic.Bool
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				was := locked.Load()
				st, err := f.s.LineState(f.ctx, key, f.now)
				if err != nil || was && st == account.LockFree {
					f.t.Errorf("a reader found the line %s after it was locked, %v", st, err)
					return
				}
			}
		})
	}
	err := locking(key)
	locked.Store(true)
	time.Sleep(time.Millisecond)
	close(stop)
	wg.Wait()
	f.must(err)
}
