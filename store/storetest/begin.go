package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func beginTests() []test {
	const month = 30 * 24 * time.Hour
	return []test{
		{"a verified session comes back as it began", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			same(t, f.session(v.ID), v)
		}},
		{"a pending session comes back as it began, with its challenge", func(t *testing.T, f *fixture) {
			b := f.beginPending("ada")
			same(t, f.session(b.Session.ID), b.Session)
			same(t, f.challenge(b.Challenge.ID), b.Challenge)
		}},
		{"a challenge is there until it expires", func(t *testing.T, f *fixture) {
			b := f.beginPending("ada")
			_, err := f.s.Challenge(f.ctx, b.Challenge.ID, b.Challenge.Expires.Add(-time.Nanosecond))
			f.must(err)
			_, err = f.s.Challenge(f.ctx, b.Challenge.ID, b.Challenge.Expires)
			f.wants(err, store.ErrNotFound)
			f.noChallenge(newID())
			f.noChallenge("")
		}},
		{"the suspended session ends, with its challenge", func(t *testing.T, f *fixture) {
			old := f.beginPending("ada")
			b := f.pending("bob")
			b.Old, b.Login = &old.Session.ID, newLoginID()
			_, err := f.s.SuspendSession(f.ctx, old.Session.ID, b.Login, f.now)
			f.must(err)
			f.must(f.s.BeginSession(f.ctx, b, f.now))
			f.noSession(old.Session.ID, f.now)
			f.noChallenge(old.Challenge.ID)
			same(t, f.session(b.Session.ID), b.Session)
		}},
		{"a suspended session that was cancelled meanwhile ends too", func(t *testing.T, f *fixture) {
			old := f.beginPending("ada")
			b := f.pending("bob")
			b.Old, b.Login = &old.Session.ID, newLoginID()
			_, err := f.s.SuspendSession(f.ctx, old.Session.ID, b.Login, f.now)
			f.must(err)
			f.must(f.s.CancelSession(f.ctx, old.Session.ID))
			f.must(f.s.BeginSession(f.ctx, b, f.now))
			f.noSession(old.Session.ID, f.now)
		}},
		{"the running lock of the login stands until the given time", func(t *testing.T, f *fixture) {
			key, b := newLine(), f.pending("ada")
			b.Line, b.Login, b.LineUntil = &key, newLoginID(), f.now.Add(month)
			f.lock(key, b.Login, f.now, f.now.Add(time.Hour), account.LockFree)
			f.must(f.s.BeginSession(f.ctx, b, f.now))
			f.line(key, f.now, account.LockStanding)
			f.line(key, f.now.Add(month-time.Nanosecond), account.LockStanding)
			f.line(key, f.now.Add(month), account.LockFree)
			f.wants(f.s.LiftLine(f.ctx, key, b.Login, f.now), store.ErrConflict)
		}},
		{"a lock that stands already goes on standing and keeps the later end", func(t *testing.T, f *fixture) {
			key, b := newLine(), f.pending("ada")
			b.Line, b.Login, b.LineUntil = &key, newLoginID(), f.now.Add(time.Hour)
			f.lock(key, b.Login, f.now, f.now.Add(month), account.LockFree)
			later := f.now.Add(account.RunningFor)
			f.must(f.s.BeginSession(f.ctx, b, later))
			f.line(key, f.now.Add(month-time.Nanosecond), account.LockStanding)
			f.line(key, f.now.Add(month), account.LockFree)
		}},
		{"a conflict records nothing", beginConflicts},
		{"what does not belong together is refused and records nothing", beginRefusals},
		{"a session or a challenge whose id is there already is a conflict", func(t *testing.T, f *fixture) {
			b := f.beginPending("ada")
			f.wants(f.s.BeginSession(f.ctx, b, f.now), store.ErrConflict)

			again := f.pending("bob")
			again.Session.Challenge, again.Challenge.ID, again.Hold.Challenge = b.Challenge.ID, b.Challenge.ID, b.Challenge.ID
			f.wants(f.s.BeginSession(f.ctx, again, f.now), store.ErrConflict)
			f.noSession(again.Session.ID, f.now)
			same(t, f.challenge(b.Challenge.ID), b.Challenge)

			v := f.verified("bob")
			v.ID = b.Session.ID
			f.wants(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now), store.ErrConflict)
			same(t, f.session(b.Session.ID), b.Session)
		}},
	}
}

// notBegun checks that a Begin has left no trace.
func (f *fixture) notBegun(b store.Begin) {
	f.t.Helper()
	f.noSession(b.Session.ID, f.now)
	if b.Challenge != nil {
		f.noChallenge(b.Challenge.ID)
	}
}

func beginConflicts(t *testing.T, f *fixture) {
	for _, tt := range []struct {
		name    string
		prepare func(f *fixture, b *store.Begin, old account.SessionID)
		// old says whether the old session is there after, line how the line is.
		old  bool
		line account.LockState
	}{
		{"the old session is not suspended", func(f *fixture, b *store.Begin, old account.SessionID) {
			f.lock(*b.Line, b.Login, f.now, f.now.Add(time.Hour), account.LockFree)
		}, true, account.LockRunning},
		{"another login has suspended the old session", func(f *fixture, b *store.Begin, old account.SessionID) {
			f.lock(*b.Line, b.Login, f.now, f.now.Add(time.Hour), account.LockFree)
			_, err := f.s.SuspendSession(f.ctx, old, newLoginID(), f.now)
			f.must(err)
		}, true, account.LockRunning},
		{"the old session is gone", func(f *fixture, b *store.Begin, old account.SessionID) {
			f.lock(*b.Line, b.Login, f.now, f.now.Add(time.Hour), account.LockFree)
			f.must(f.s.EndSession(f.ctx, old))
		}, false, account.LockRunning},
		{"the line is free", func(f *fixture, b *store.Begin, old account.SessionID) {
			_, err := f.s.SuspendSession(f.ctx, old, b.Login, f.now)
			f.must(err)
		}, true, account.LockFree},
		{"the line is another login's", func(f *fixture, b *store.Begin, old account.SessionID) {
			_, err := f.s.SuspendSession(f.ctx, old, b.Login, f.now)
			f.must(err)
			f.lock(*b.Line, newLoginID(), f.now, f.now.Add(time.Hour), account.LockFree)
		}, true, account.LockRunning},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			old, key := f.beginVerified("ada").ID, newLine()
			b := f.pending("ada")
			b.Old, b.Line, b.Login, b.LineUntil = &old, &key, newLoginID(), f.now.Add(time.Hour)
			tt.prepare(f, &b, old)

			f.wants(f.s.BeginSession(f.ctx, b, f.now), store.ErrConflict)

			f.notBegun(b)
			f.line(key, f.now, tt.line)
			if tt.old {
				f.session(old)
			} else {
				f.noSession(old, f.now)
			}
		})
	}
}

func beginRefusals(t *testing.T, f *fixture) {
	for _, tt := range []struct {
		name  string
		spoil func(*store.Begin)
	}{
		{"a pending session without a challenge", func(b *store.Begin) { b.Challenge = nil }},
		{"a pending session without a hold", func(b *store.Begin) { b.Hold = nil }},
		{"a verified session with a challenge", func(b *store.Begin) { b.Session.State = account.StateVerified }},
		{"a session that has passed already", func(b *store.Begin) { b.Session.State = account.StatePassed }},
		{"a session without an id", func(b *store.Begin) { b.Session.ID = account.SessionID{} }},
		{"a session that is suspended", func(b *store.Begin) { b.Session.SuspendedBy = newLoginID() }},
		{"a challenge of another session", func(b *store.Begin) { b.Challenge.Session = newSessionID() }},
		{"a challenge of another account", func(b *store.Begin) { b.Challenge.Account = "bob" }},
		{"a challenge of another instance", func(b *store.Begin) { b.Challenge.Instance = "shop" }},
		{"a challenge that the session does not name", func(b *store.Begin) { b.Session.Challenge = newID() }},
		{"a challenge that is passed", func(b *store.Begin) { b.Challenge.State = account.ChallengePassed }},
		{"a challenge with a code", func(b *store.Begin) { b.Challenge.Codes = map[string]account.Code{phoneID: {}} }},
		{"a hold of another challenge", func(b *store.Begin) { b.Hold.Challenge = newID() }},
		{"a challenge that is a step-up", func(b *store.Begin) { b.Challenge.Purpose = account.PurposeStepUp }},
		{"a hold of more than 2 MiB", func(b *store.Begin) { b.Hold.Sealed = make([]byte, 2<<20+1) }},
		{"a challenge of more than 1 MiB", func(b *store.Begin) { b.Challenge.Address = string(make([]byte, 1<<20+1)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			key, b := newLine(), f.pending("ada")
			b.Line, b.Login, b.LineUntil = &key, newLoginID(), f.now.Add(time.Hour)
			f.lock(key, b.Login, f.now, f.now.Add(time.Hour), account.LockFree)
			tt.spoil(&b)
			f.wants(f.s.BeginSession(f.ctx, b, f.now), errRefused)
			f.notBegun(b)
			f.line(key, f.now, account.LockRunning)
		})
	}
}
