package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func lineTests() []test {
	const month = 30 * 24 * time.Hour
	return []test{
		{"a line that nobody has locked is free", func(t *testing.T, f *fixture) {
			f.line(newLine(), f.now, account.LockFree)
		}},
		{"a lock is taken once and is then running, for the same login too", func(t *testing.T, f *fixture) {
			key, login := newLine(), newLoginID()
			f.lock(key, login, f.now, f.now.Add(month), account.LockFree)
			f.lock(key, newLoginID(), f.now, f.now.Add(month), account.LockRunning)
			f.lock(key, login, f.now, f.now.Add(month), account.LockRunning)
			f.line(key, f.now, account.LockRunning)
		}},
		{"a lock holds its own line of its own instance only", func(t *testing.T, f *fixture) {
			key := newLine()
			f.lock(key, newLoginID(), f.now, f.now.Add(month), account.LockFree)
			f.line(newLine(), f.now, account.LockFree)
			f.line(account.LineKey{Instance: "shop", Line: key.Line}, f.now, account.LockFree)
		}},
		{"a lock that is never settled stands when its login is too old, until its time is over", func(t *testing.T, f *fixture) {
			key := newLine()
			until := f.now.Add(month)
			f.lock(key, newLoginID(), f.now, until, account.LockFree)
			f.line(key, f.now.Add(account.RunningFor-time.Nanosecond), account.LockRunning)
			f.line(key, f.now.Add(account.RunningFor), account.LockStanding)
			f.lock(key, newLoginID(), f.now.Add(account.RunningFor), until, account.LockStanding)
			f.line(key, until.Add(-time.Nanosecond), account.LockStanding)
			f.line(key, until, account.LockFree)
		}},
		{"a lock whose time is over can be taken again", func(t *testing.T, f *fixture) {
			key := newLine()
			f.lock(key, newLoginID(), f.now, f.now.Add(time.Hour), account.LockFree)
			later := f.now.Add(time.Hour)
			f.lock(key, newLoginID(), later, later.Add(time.Hour), account.LockFree)
			f.line(key, later, account.LockRunning)
		}},
		{"a certain no lifts the lock, and another login may take it", func(t *testing.T, f *fixture) {
			key, login := newLine(), newLoginID()
			f.lock(key, login, f.now, f.now.Add(month), account.LockFree)
			f.must(f.s.LiftLine(f.ctx, key, login, f.now))
			f.line(key, f.now, account.LockFree)
			f.lock(key, newLoginID(), f.now, f.now.Add(month), account.LockFree)
		}},
		{"a login lifts no lock but its own running one", func(t *testing.T, f *fixture) {
			login := newLoginID()
			f.wants(f.s.LiftLine(f.ctx, newLine(), login, f.now), store.ErrConflict)

			other := newLine()
			f.lock(other, newLoginID(), f.now, f.now.Add(month), account.LockFree)
			f.wants(f.s.LiftLine(f.ctx, other, login, f.now), store.ErrConflict)
			f.line(other, f.now, account.LockRunning)

			old := newLine()
			f.lock(old, login, f.now, f.now.Add(month), account.LockFree)
			later := f.now.Add(account.RunningFor)
			f.wants(f.s.LiftLine(f.ctx, old, login, later), store.ErrConflict)
			f.line(old, later, account.LockStanding)

			standing := newLine()
			f.lock(standing, login, f.now, f.now.Add(month), account.LockFree)
			f.must(f.s.StandLine(f.ctx, standing, f.now, f.now.Add(month)))
			f.wants(f.s.LiftLine(f.ctx, standing, login, f.now), store.ErrConflict)
			f.line(standing, f.now, account.LockStanding)

			lifted := newLine()
			f.lock(lifted, login, f.now, f.now.Add(month), account.LockFree)
			f.must(f.s.LiftLine(f.ctx, lifted, login, f.now))
			f.wants(f.s.LiftLine(f.ctx, lifted, login, f.now), store.ErrConflict)
		}},
		{"a free line and a running one can be made to stand", func(t *testing.T, f *fixture) {
			free, running := newLine(), newLine()
			f.lock(running, newLoginID(), f.now, f.now.Add(time.Hour), account.LockFree)
			for _, key := range []account.LineKey{free, running} {
				f.must(f.s.StandLine(f.ctx, key, f.now, f.now.Add(month)))
				f.line(key, f.now, account.LockStanding)
				f.line(key, f.now.Add(month-time.Nanosecond), account.LockStanding)
				f.line(key, f.now.Add(month), account.LockFree)
			}
		}},
		{"a standing lock keeps the later end", func(t *testing.T, f *fixture) {
			standing, running := newLine(), newLine()
			f.must(f.s.StandLine(f.ctx, standing, f.now, f.now.Add(time.Hour)))
			f.lock(running, newLoginID(), f.now, f.now.Add(time.Hour), account.LockFree)
			for _, key := range []account.LineKey{standing, running} {
				f.must(f.s.StandLine(f.ctx, key, f.now, f.now.Add(time.Minute)))
				f.line(key, f.now.Add(time.Hour-time.Nanosecond), account.LockStanding)
				f.line(key, f.now.Add(time.Hour), account.LockFree)
				f.must(f.s.StandLine(f.ctx, key, f.now, f.now.Add(2*time.Hour)))
				f.line(key, f.now.Add(2*time.Hour-time.Nanosecond), account.LockStanding)
				f.line(key, f.now.Add(2*time.Hour), account.LockFree)
			}
		}},
		{"a line made to stand after its lock was over stands anew", func(t *testing.T, f *fixture) {
			key := newLine()
			f.must(f.s.StandLine(f.ctx, key, f.now, f.now.Add(time.Hour)))
			later := f.now.Add(2 * time.Hour)
			f.must(f.s.StandLine(f.ctx, key, later, later.Add(time.Minute)))
			f.line(key, later, account.LockStanding)
			f.line(key, later.Add(time.Minute), account.LockFree)
		}},
		{"a login without an id, a line without one, and a lock without time are refused", func(t *testing.T, f *fixture) {
			key, until := newLine(), f.now.Add(time.Hour)
			_, err := f.s.LockLine(f.ctx, key, account.LoginID{}, f.now, until)
			f.wants(err, errRefused)
			_, err = f.s.LockLine(f.ctx, key, newLoginID(), f.now, f.now)
			f.wants(err, errRefused)
			_, err = f.s.LockLine(f.ctx, account.LineKey{Instance: instance}, newLoginID(), f.now, until)
			f.wants(err, errRefused)
			f.line(key, f.now, account.LockFree)
		}},
	}
}
