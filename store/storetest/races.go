package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// racers is how many goroutines take part in a race.
const racers = 64

// race runs a function in many goroutines at once and returns their results.
func race[T any](fn func(i int) T) []T {
	out := make([]T, racers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			<-start
			out[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()
	return out
}

// oneWins checks that of all errors one is nil and the others are as said.
func oneWins(t *testing.T, errs []error, others error) {
	t.Helper()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, others):
			t.Errorf("a loser got %v, want %v", err, others)
		}
	}
	if won != 1 {
		t.Errorf("%d have won, want one", won)
	}
}

// raceTest is a race of one method or of several.
type raceTest struct {
	// methods are the names of those that race, with blanks between them.
	methods string
	name    string
	run     func(t *testing.T, f *fixture)
}

// raceTests are all races. Every method that decides takes part in one.
func raceTests() []raceTest {
	all := winnerRaces()
	all = append(all, lineRaces()...)
	all = append(all, sessionRaces()...)
	all = append(all, tokenRaces()...)
	all = append(all, observationRaces()...)
	all = append(all, historyRaces()...)
	all = append(all, tryRaces()...)
	all = append(all, challengeRaces()...)
	all = append(all, stepUpRaces()...)
	all = append(all, movedRaces()...)
	all = append(all, endAllRaces()...)
	all = append(all, deviceRaces()...)
	all = append(all, changeRaces()...)
	all = append(all, enrolmentRaces()...)
	all = append(all, outboxRaces()...)
	return append(all, accountRaces()...)
}

func winnerRaces() []raceTest {
	return []raceTest{
		{"LockLine", "one login takes the lock of a line", func(t *testing.T, f *fixture) {
			key := newLine()
			states := race(func(int) account.LockState {
				st, err := f.s.LockLine(f.ctx, key, newLoginID(), f.now, f.now.Add(time.Hour))
				if err != nil {
					t.Error(err)
				}
				return st
			})
			free := 0
			for _, st := range states {
				if st == account.LockFree {
					free++
				} else if st != account.LockRunning {
					t.Errorf("a loser found the lock %s", st)
				}
			}
			if free != 1 {
				t.Errorf("%d have taken the lock, want one", free)
			}
		}},
		{"LiftLine", "one lifting lifts the lock", func(t *testing.T, f *fixture) {
			key, login := newLine(), newLoginID()
			f.lock(key, login, f.now, f.now.Add(time.Hour), account.LockFree)
			oneWins(t, race(func(int) error { return f.s.LiftLine(f.ctx, key, login, f.now) }), store.ErrConflict)
		}},
		{"LiftLine StandLine", "a lock is lifted or it stands, not both", func(t *testing.T, f *fixture) {
			for range 4 {
				key, login := newLine(), newLoginID()
				f.lock(key, login, f.now, f.now.Add(time.Hour), account.LockFree)
				race(func(i int) error {
					if i%2 == 0 {
						return f.s.LiftLine(f.ctx, key, login, f.now)
					}
					return f.s.StandLine(f.ctx, key, f.now, f.now.Add(time.Hour))
				})
				f.line(key, f.now, account.LockStanding)
			}
		}},
		{"SuspendSession", "one login suspends a session", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			oneWins(t, race(func(int) error {
				_, err := f.s.SuspendSession(f.ctx, v.ID, newLoginID(), f.now)
				return err
			}), store.ErrBusy)
		}},
		{"BeginSession", "one session takes the place of the suspended one", func(t *testing.T, f *fixture) {
			old, login, key := f.beginVerified("ada"), newLoginID(), newLine()
			_, err := f.s.SuspendSession(f.ctx, old.ID, login, f.now)
			f.must(err)
			f.lock(key, login, f.now, f.now.Add(time.Hour), account.LockFree)
			begins := make([]store.Begin, racers)
			for i := range begins {
				begins[i] = f.pending("ada")
				begins[i].Old, begins[i].Login, begins[i].Line, begins[i].LineUntil = &old.ID, login, &key, f.now.Add(time.Hour)
			}
			errs := race(func(i int) error { return f.s.BeginSession(f.ctx, begins[i], f.now) })
			oneWins(t, errs, store.ErrConflict)
			for i, err := range errs {
				if err != nil {
					f.notBegun(begins[i])
				}
			}
		}},
		{"ResumeSession BeginSession", "a session is resumed or replaced, not both", func(t *testing.T, f *fixture) {
			old, login := f.beginVerified("ada"), newLoginID()
			_, err := f.s.SuspendSession(f.ctx, old.ID, login, f.now)
			f.must(err)
			errs := race(func(i int) error {
				if i%2 == 0 {
					return f.s.ResumeSession(f.ctx, old.ID, login, f.now)
				}
				return f.s.BeginSession(f.ctx, store.Begin{Session: f.verified("ada"), Old: &old.ID, Login: login}, f.now)
			})
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				}
			}
			if won != 1 {
				t.Errorf("%d have won, want one", won)
			}
		}},
		{"CountAttempt", "attempts are counted exactly", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			for _, factor := range []string{totpID, phoneID} {
				a := attemptOf(b, factor)
				a.PerCode, a.InARow = 20, 1000
				lefts := countRace(t, f, func(int) store.Attempt { return a })
				if len(lefts) != 20 {
					t.Errorf("%s: %d attempts were counted, want 20", factor, len(lefts))
				}
				for i := range 20 {
					if lefts[i] != 1 {
						t.Errorf("%s: %d attempts left %d tries, want one", factor, lefts[i], i)
					}
				}
				if n := f.factor("ada", factor).Failures; n != 20 {
					t.Errorf("%s: %d failures, want 20", factor, n)
				}
			}
		}},
		{"CountAttempt", "failures are counted exactly across challenges", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			var open []store.Begin
			for range 16 {
				open = append(open, f.beginPending("ada"))
			}
			n := 0
			for _, c := range countRace(t, f, func(i int) store.Attempt { return attemptOf(open[i%16], totpID) }) {
				n += c
			}
			if got := f.factor("ada", totpID).Failures; n != 10 || got != 10 {
				t.Errorf("%d attempts were counted and %d failures, want 10 and 10", n, got)
			}
		}},
		{"PassChallenge", "one submission of a right code passes", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for _, factor := range []string{totpID, phoneID} {
				b := f.beginPending("ada")
				f.sent(b, "111111", f.now)
				f.onePasses(store.ErrSpent, func(int) store.Pass {
					p := f.codeOf(b, "111111")
					p.Factor, p.Step = factor, 100
					return p
				})
			}
		}},
		{"PassChallenge", "one time step is accepted once, in however many challenges", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			var open []store.Begin
			for range 8 {
				open = append(open, f.beginPending("ada"))
			}
			f.onePasses(store.ErrSpent, func(i int) store.Pass { return f.passOf(open[i%8], 100) })
		}},
		{"PassChallenge", "two factors pass a challenge once", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			f.onePasses(store.ErrSpent, func(i int) store.Pass {
				if i%2 == 0 {
					return f.codeOf(b, "111111")
				}
				return f.passOf(b, int64(100+i))
			})
		}},
		{"PassChallenge CancelSession", "a challenge is passed or cancelled, not both", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for round := range 4 {
				b := f.beginPending("ada")
				passes := make([]store.Pass, racers)
				errs := race(func(i int) error {
					if i%2 == round%2 {
						return f.s.CancelSession(f.ctx, b.Session.ID)
					}
					passes[i] = f.passOf(b, int64(round*1000+i+1))
					_, err := f.s.PassChallenge(f.ctx, passes[i], f.now)
					return err
				})
				won, verified := 0, 0
				for i, err := range errs {
					if err == nil {
						won++
					}
					if _, err := f.s.Session(f.ctx, passes[i].Next.ID, f.now); err == nil {
						verified++
					}
				}
				state := f.session(b.Session.ID).State
				if won != 1 || verified > 1 || (verified == 1) != (state == account.StatePassed) {
					t.Errorf("%d have won, %d sessions are verified, the pending one is %s", won, verified, state)
				}
			}
		}},
		{"ReserveSend", "sendings are reserved exactly", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			results := race(func(i int) store.SendResult {
				s := f.sendOf(b, fmt.Sprint(i))
				s.Waits = []time.Duration{0, 0, 0}
				r, err := f.s.ReserveSend(f.ctx, s, f.now)
				if err != nil {
					t.Error(err)
				}
				return r
			})
			seen := map[int]int{}
			texts := map[string]bool{}
			for _, r := range results {
				if r.Send {
					seen[r.N]++
					texts[string(r.Sealed)] = true
				}
			}
			same(t, seen, map[int]int{1: 1, 2: 1, 3: 1, 4: 1})
			if len(texts) != 1 {
				t.Errorf("%d codes were sent, want one", len(texts))
			}
		}},
		{"ReserveSend PassChallenge", "one code of many challenges lives", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			open := make([]store.Begin, racers)
			for i := range open {
				open[i] = f.beginPending("ada")
			}
			race(func(i int) error {
				_, err := f.s.ReserveSend(f.ctx, f.sendOf(open[i], fmt.Sprint(i)), f.now)
				return err
			})
			oneWins(t, race(func(i int) error {
				_, err := f.s.PassChallenge(f.ctx, f.codeOf(open[i], fmt.Sprint(i)), f.now)
				return err
			}), store.ErrNotFound)
		}},
		{"PutAccounts", "one account gets an alias", func(t *testing.T, f *fixture) {
			errs := race(func(i int) error {
				return f.s.PutAccounts(f.ctx, []account.Account{f.newAccount(fmt.Sprintf("user-%d", i), "twin")})
			})
			oneWins(t, errs, store.ErrConflict)
			if n := len(f.list("")); n != 1 {
				t.Errorf("%d accounts are kept, want one", n)
			}
		}},
		{"SuspendSession EndSession", "nobody sees a session open once the method that closes it has returned", func(t *testing.T, f *fixture) {
			for range 4 {
				f.closesForAll(func(v account.Session) error {
					_, err := f.s.SuspendSession(f.ctx, v.ID, newLoginID(), f.now)
					return err
				})
				f.closesForAll(func(v account.Session) error { return f.s.EndSession(f.ctx, v.ID) })
			}
		}},
	}
}

// countRace counts attempts at once and returns how often each number of tries
// was left.
func countRace(t *testing.T, f *fixture, of func(i int) store.Attempt) map[int]int {
	lefts := map[int]int{}
	for _, r := range race(func(i int) store.AttemptResult {
		r, err := f.s.CountAttempt(f.ctx, of(i), f.now)
		if err != nil {
			t.Error(err)
		}
		return r
	}) {
		if n := meanings(r); n != 1 {
			t.Errorf("%d fields of %+v are meaningful, want one", n, r)
		}
		if r.Counted {
			lefts[r.Left]++
		}
	}
	return lefts
}

// onePasses passes challenges at once and checks that one submission has won
// and verified its session, and no other.
func (f *fixture) onePasses(others error, of func(i int) store.Pass) {
	f.t.Helper()
	passes := make([]store.Pass, racers)
	for i := range passes {
		passes[i] = of(i)
	}
	errs := race(func(i int) error {
		hold, err := f.s.PassChallenge(f.ctx, passes[i], f.now)
		if err == nil && hold.Challenge != passes[i].Challenge {
			f.t.Error("the hold of another challenge was released")
		}
		return err
	})
	oneWins(f.t, errs, others)
	for i, err := range errs {
		if err == nil {
			same(f.t, f.session(passes[i].Next.ID), passes[i].Next)
		} else {
			f.noSession(passes[i].Next.ID, f.now)
		}
	}
}

// closesForAll lets readers look at a session, and touch it, while it closes.
func (f *fixture) closesForAll(closing func(account.Session) error) {
	f.t.Helper()
	v := f.beginVerified("ada")
	var closed atomic.Bool
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				was := closed.Load()
				got, err := f.s.Session(f.ctx, v.ID, f.now)
				if was && err == nil && got.Usable(f.now) {
					f.t.Error("a reader saw the session open after it was closed")
					return
				}
				if i == 0 {
					_ = f.s.TouchSession(f.ctx, v.ID, f.now.Add(time.Duration(n)*time.Millisecond))
				}
			}
		})
	}
	err := closing(v)
	closed.Store(true)
	time.Sleep(time.Millisecond)
	close(stop)
	wg.Wait()
	f.must(err)
}
