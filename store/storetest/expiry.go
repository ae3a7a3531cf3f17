package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// expiryTest is something that holds until a time, as one method sees it.
type expiryTest struct {
	method string
	name   string
	// decides is true if the method changes what it is asked about, so that
	// each time needs a thing of its own.
	decides bool
	begin   func(f *fixture) thing
}

// thing is what holds until its end. holds asks the method at a time.
type thing struct {
	end   time.Time
	holds func(now time.Time) bool
	// look asks the methods that only read; nothing of what they say counts.
	look func(now time.Time)
}

// clock is a clock that goes back and forth around the end, with the answer
// that each time has.
var clock = []struct {
	from  time.Duration
	holds bool
}{
	{-time.Nanosecond, true}, {0, false}, {-time.Nanosecond, true}, {time.Hour, false}, {-24 * time.Hour, true},
	{time.Nanosecond, false}, {365 * 24 * time.Hour, false}, {-time.Second, true}, {0, false},
}

// expiryTests are about the given clock and nothing else: a time that is asked
// for forgets nothing for the times before it.
func expiryTests() []test {
	var tests []test
	for _, e := range expiries() {
		tests = append(tests, test{e.method + ": " + e.name, func(t *testing.T, f *fixture) { e.run(t, f) }})
	}
	return tests
}

func (e expiryTest) run(t *testing.T, f *fixture) {
	f.enrol("ada")
	it := e.begin(f)
	for _, c := range clock {
		if e.decides {
			it = e.begin(f)
			if it.look != nil {
				it.look(it.end.Add(365 * 24 * time.Hour))
			}
		}
		if got := it.holds(it.end.Add(c.from)); got != c.holds {
			t.Errorf("%s from its end: it holds: %t, want %t", c.from, got, c.holds)
		}
	}
}

// expiries are all cases. Every method that is given a time has one, but those
// of timeless.
func expiries() []expiryTest {
	all := append(lineExpiries(), sessionExpiries()...)
	all = append(all, observationExpiries()...)
	all = append(all, tryExpiries()...)
	all = append(all, stepUpExpiries()...)
	all = append(all, deviceExpiries()...)
	all = append(all, enrolmentExpiries()...)
	all = append(all, enrollingExpiries()...)
	all = append(all, outboxExpiries()...)
	return append(all, challengeExpiries()...)
}

// is checks that the error is none or the one said, and reports whether there
// is none.
func (f *fixture) is(err, other error) bool {
	f.t.Helper()
	if err != nil && !errors.Is(err, other) {
		f.t.Errorf("got error %v, want none or %v", err, other)
	}
	return err == nil
}

// standing is a line whose lock stands until the end; running is one whose
// lock is running for a login until the end.
func (f *fixture) standing() (account.LineKey, time.Time) {
	key, end := newLine(), f.now.Add(48*time.Hour)
	f.must(f.s.StandLine(f.ctx, key, f.now, end))
	return key, end
}

func (f *fixture) running() (account.LineKey, account.LoginID, time.Time) {
	key, login := newLine(), newLoginID()
	f.lock(key, login, f.now, f.now.Add(400*24*time.Hour), account.LockFree)
	return key, login, f.now.Add(account.RunningFor)
}

func (f *fixture) lineIs(key account.LineKey, want account.LockState) func(time.Time) bool {
	return func(now time.Time) bool {
		got, err := f.s.LineState(f.ctx, key, now)
		f.must(err)
		return got == want
	}
}

func (f *fixture) lookAtLine(key account.LineKey) func(time.Time) {
	return func(now time.Time) { f.lineIs(key, "")(now) }
}

func lineExpiries() []expiryTest {
	return []expiryTest{
		{"LineState", "a standing lock stands until its time", false, func(f *fixture) thing {
			key, end := f.standing()
			return thing{end, f.lineIs(key, account.LockStanding), nil}
		}},
		{"LineState", "a running lock runs until its login is too old", false, func(f *fixture) thing {
			key, _, end := f.running()
			return thing{end, f.lineIs(key, account.LockRunning), nil}
		}},
		{"LockLine", "a standing lock is not taken before its time is over", true, func(f *fixture) thing {
			key, end := f.standing()
			return thing{end, func(now time.Time) bool {
				st, err := f.s.LockLine(f.ctx, key, newLoginID(), now, now.Add(time.Hour))
				f.must(err)
				return st == account.LockStanding
			}, f.lookAtLine(key)}
		}},
		{"LiftLine", "a login lifts its lock until it is too old", true, func(f *fixture) thing {
			key, login, end := f.running()
			return thing{end, func(now time.Time) bool {
				return f.is(f.s.LiftLine(f.ctx, key, login, now), store.ErrConflict)
			}, f.lookAtLine(key)}
		}},
		{"StandLine", "a lock that stands keeps its end until then", true, func(f *fixture) thing {
			key, end := f.standing()
			return thing{end, func(now time.Time) bool {
				// Until now stands what stood; after it, nothing that is over begins.
				f.must(f.s.StandLine(f.ctx, key, now, now))
				return f.lineIs(key, account.LockStanding)(now)
			}, f.lookAtLine(key)}
		}},
		{"BeginSession", "another login's lock is in the way until that login is too old", true, func(f *fixture) thing {
			key, _, end := f.running()
			b := f.pending("ada")
			b.Line, b.Login, b.LineUntil = &key, newLoginID(), f.now.Add(500*24*time.Hour)
			return thing{end, func(now time.Time) bool {
				return !f.is(f.s.BeginSession(f.ctx, b, now), store.ErrConflict)
			}, f.lookAtLine(key)}
		}},
		{"BeginSession", "a session needs its line's lock, until that is over", true, func(f *fixture) thing {
			key, end := f.standing()
			b := f.pending("ada")
			b.Line, b.Login, b.LineUntil = &key, newLoginID(), end.Add(time.Hour)
			return thing{end, func(now time.Time) bool {
				return f.is(f.s.BeginSession(f.ctx, b, now), store.ErrConflict)
			}, f.lookAtLine(key)}
		}},
		{"Value", "a value is there until it expires", false, func(f *fixture) thing { return f.valueUntil() }},
		{"PutValue", "a value that is put again has its new end", false, func(f *fixture) thing {
			handle := newID()
			f.must(f.s.PutValue(f.ctx, handle, []byte("old"), f.now.Add(time.Hour)))
			return f.valueOf(handle)
		}},
	}
}

func (f *fixture) valueUntil() thing { return f.valueOf(newID()) }

func (f *fixture) valueOf(handle string) thing {
	end := f.now.Add(48 * time.Hour)
	f.must(f.s.PutValue(f.ctx, handle, []byte("value"), end))
	return thing{end, func(now time.Time) bool {
		_, err := f.s.Value(f.ctx, handle, now)
		return f.is(err, store.ErrNotFound)
	}, nil}
}
