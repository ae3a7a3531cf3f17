package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func sessionTests() []test {
	return slices.Concat(livingTests(), suspendTests(), endTests(), endAllTests(), tokenTests(), againTests())
}

func livingTests() []test {
	return []test{
		{"a session that nobody began is not found", func(t *testing.T, f *fixture) {
			f.noSession(newSessionID(), f.now)
		}},
		{"a session ends at its time, however often it was seen", func(t *testing.T, f *fixture) {
			v := f.verified("ada")
			v.IdleFor = 0
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
			last := v.Expires.Add(-time.Nanosecond)
			f.must(f.s.TouchSession(f.ctx, v.ID, last))
			_, err := f.s.Session(f.ctx, v.ID, last)
			f.must(err)
			f.noSession(v.ID, v.Expires)
		}},
		{"a session ends when it was idle for too long", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			last := f.now.Add(v.IdleFor - time.Nanosecond)
			_, err := f.s.Session(f.ctx, v.ID, last)
			f.must(err)
			f.noSession(v.ID, f.now.Add(v.IdleFor))
		}},
		{"a session that is seen lives on", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			seen := f.now.Add(7 * time.Hour)
			f.must(f.s.TouchSession(f.ctx, v.ID, seen))
			got, err := f.s.Session(f.ctx, v.ID, f.now.Add(14*time.Hour))
			f.must(err)
			v.LastSeen = seen
			same(t, got, v)
			f.noSession(v.ID, seen.Add(v.IdleFor))
		}},
		{"the time at which a session was last seen never goes back", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			f.must(f.s.TouchSession(f.ctx, v.ID, f.now.Add(time.Hour)))
			f.must(f.s.TouchSession(f.ctx, v.ID, f.now.Add(time.Minute)))
			if got := f.session(v.ID).LastSeen; !got.Equal(f.now.Add(time.Hour)) {
				t.Errorf("last seen %s, want %s", got, f.now.Add(time.Hour))
			}
		}},
		{"a change of a session keeps when it was last seen", func(t *testing.T, f *fixture) {
			v, login := f.beginVerified("ada"), newLoginID()
			seen := f.now.Add(time.Minute)
			f.must(f.s.TouchSession(f.ctx, v.ID, seen))
			_, err := f.s.SuspendSession(f.ctx, v.ID, login, seen)
			f.must(err)
			f.must(f.s.ResumeSession(f.ctx, v.ID, login, seen))
			if got := f.session(v.ID).LastSeen; !got.Equal(seen) {
				t.Errorf("last seen %s, want %s", got, seen)
			}
		}},
		{"a session that is over cannot be seen", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			over := f.now.Add(v.IdleFor)
			f.wants(f.s.TouchSession(f.ctx, v.ID, over), store.ErrNotFound)
			f.noSession(v.ID, over)
			f.wants(f.s.TouchSession(f.ctx, newSessionID(), f.now), store.ErrNotFound)
			f.must(f.s.EndSession(f.ctx, v.ID))
			f.wants(f.s.TouchSession(f.ctx, v.ID, f.now), store.ErrNotFound)
			f.noSession(v.ID, f.now)
		}},
	}
}

func suspendTests() []test {
	return []test{
		{"a suspended session comes back as it was before, and is refused from then on", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for _, v := range []account.Session{f.beginVerified("ada"), f.beginPending("ada").Session} {
				login, at := newLoginID(), f.now.Add(time.Second)
				got, err := f.s.SuspendSession(f.ctx, v.ID, login, at)
				f.must(err)
				same(t, got, v)
				v.SuspendedBy, v.SuspendedAt = login, at
				same(t, f.session(v.ID), v)
			}
		}},
		{"a login that asks again gets the same answer", func(t *testing.T, f *fixture) {
			v, login := f.beginVerified("ada"), newLoginID()
			for i := range 2 {
				got, err := f.s.SuspendSession(f.ctx, v.ID, login, f.now.Add(time.Duration(i)*time.Second))
				f.must(err)
				same(t, got, v)
			}
			if at := f.session(v.ID).SuspendedAt; !at.Equal(f.now) {
				t.Errorf("suspended at %s, want the first time, %s", at, f.now)
			}
		}},
		{"a second login finds the first one busy", func(t *testing.T, f *fixture) {
			v, login := f.beginVerified("ada"), newLoginID()
			_, err := f.s.SuspendSession(f.ctx, v.ID, login, f.now)
			f.must(err)
			_, err = f.s.SuspendSession(f.ctx, v.ID, newLoginID(), f.now.Add(account.RunningFor-time.Nanosecond))
			f.wants(err, store.ErrBusy)
			if by := f.session(v.ID).SuspendedBy; by != login {
				t.Error("the second login has taken the suspension over")
			}
		}},
		{"a session whose login is too old is ended by the next login, with its challenge", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			_, err := f.s.SuspendSession(f.ctx, b.Session.ID, newLoginID(), f.now)
			f.must(err)
			_, err = f.s.SuspendSession(f.ctx, b.Session.ID, newLoginID(), f.now.Add(account.RunningFor))
			f.wants(err, store.ErrNotFound)
			f.noSession(b.Session.ID, f.now)
			f.noChallenge(b.Challenge.ID)
		}},
		{"there is nothing to suspend in a session that is gone, over, passed or cancelled", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			suspend := func(id account.SessionID, now time.Time) {
				t.Helper()
				_, err := f.s.SuspendSession(f.ctx, id, newLoginID(), now)
				f.wants(err, store.ErrNotFound)
			}
			suspend(newSessionID(), f.now)
			v := f.beginVerified("ada")
			suspend(v.ID, v.Expires)
			b := f.beginPending("ada")
			f.must(f.s.CancelSession(f.ctx, b.Session.ID))
			suspend(b.Session.ID, f.now)
			c := f.beginPending("ada")
			_, err := f.s.PassChallenge(f.ctx, f.passOf(c, 5), f.now)
			f.must(err)
			suspend(c.Session.ID, f.now)
		}},
		{"a login without an id suspends nothing", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			_, err := f.s.SuspendSession(f.ctx, v.ID, account.LoginID{}, f.now)
			f.wants(err, errRefused)
			same(t, f.session(v.ID), v)
		}},
		{"the login that has suspended a session resumes it as it was", func(t *testing.T, f *fixture) {
			v, login := f.beginVerified("ada"), newLoginID()
			_, err := f.s.SuspendSession(f.ctx, v.ID, login, f.now)
			f.must(err)
			f.must(f.s.ResumeSession(f.ctx, v.ID, login, f.now))
			same(t, f.session(v.ID), v)
		}},
		{"nobody else resumes it, and what is not suspended is not resumed", func(t *testing.T, f *fixture) {
			v, login := f.beginVerified("ada"), newLoginID()
			f.wants(f.s.ResumeSession(f.ctx, v.ID, login, f.now), store.ErrConflict)
			f.wants(f.s.ResumeSession(f.ctx, v.ID, account.LoginID{}, f.now), store.ErrConflict)
			_, err := f.s.SuspendSession(f.ctx, v.ID, login, f.now)
			f.must(err)
			f.wants(f.s.ResumeSession(f.ctx, v.ID, newLoginID(), f.now), store.ErrConflict)
			f.wants(f.s.ResumeSession(f.ctx, v.ID, account.LoginID{}, f.now), store.ErrConflict)
			if by := f.session(v.ID).SuspendedBy; by != login {
				t.Error("the session is no longer suspended by its login")
			}
			f.wants(f.s.ResumeSession(f.ctx, newSessionID(), login, f.now), store.ErrNotFound)
			f.wants(f.s.ResumeSession(f.ctx, v.ID, login, v.Expires), store.ErrNotFound)
		}},
	}
}

func endTests() []test {
	return []test{
		{"an ended session is gone, with its challenge", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			other := f.beginPending("ada")
			f.must(f.s.EndSession(f.ctx, b.Session.ID))
			f.noSession(b.Session.ID, f.now)
			f.noChallenge(b.Challenge.ID)
			_, err := f.s.CountAttempt(f.ctx, attemptOf(b, totpID), f.now)
			f.wants(err, store.ErrNotFound)
			same(t, f.session(other.Session.ID), other.Session)
			same(t, f.challenge(other.Challenge.ID), other.Challenge)
		}},
		{"ending what is not there is no error", func(t *testing.T, f *fixture) {
			f.must(f.s.EndSession(f.ctx, newSessionID()))
			v := f.beginVerified("ada")
			f.must(f.s.EndSession(f.ctx, v.ID))
			f.must(f.s.EndSession(f.ctx, v.ID))
			f.noSession(v.ID, f.now)
		}},
		{"the end of a verified session leaves the challenge of another one alone", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			v := f.verified("ada")
			v.Challenge = b.Challenge.ID
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
			f.must(f.s.EndSession(f.ctx, v.ID))
			same(t, f.challenge(b.Challenge.ID), b.Challenge)
		}},
		{"a cancelled session stays to say so, and nothing passes it any more", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			f.must(f.s.CancelSession(f.ctx, b.Session.ID))

			want := b.Session
			want.State = account.StateCancelled
			same(t, f.session(b.Session.ID), want)
			c := f.challenge(b.Challenge.ID)
			if c.State != account.ChallengeCancelled || len(c.Codes[phoneID].Sealed) > 0 {
				t.Errorf("the challenge is %s with the code %q, want it cancelled with none", c.State, c.Codes[phoneID].Sealed)
			}
			_, err := f.s.CountAttempt(f.ctx, attemptOf(b, totpID), f.now)
			f.wants(err, store.ErrNotFound)
			_, err = f.s.PassChallenge(f.ctx, f.passOf(b, 5), f.now)
			f.wants(err, store.ErrNotFound)
			_, err = f.s.PassChallenge(f.ctx, f.codeOf(b, "111111"), f.now)
			f.wants(err, store.ErrNotFound)
			_, err = f.s.ReserveSend(f.ctx, f.sendOf(b, "222222"), f.now.Add(time.Minute))
			f.wants(err, store.ErrNotFound)
			f.noSession(b.Session.ID, b.Session.Expires)
		}},
		{"a suspended session can be cancelled and stays suspended", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b, login := f.beginPending("ada"), newLoginID()
			_, err := f.s.SuspendSession(f.ctx, b.Session.ID, login, f.now)
			f.must(err)
			f.must(f.s.CancelSession(f.ctx, b.Session.ID))
			v := f.session(b.Session.ID)
			if v.State != account.StateCancelled || v.SuspendedBy != login {
				t.Errorf("the session is %s, want it cancelled and suspended", v.State)
			}
			f.must(f.s.ResumeSession(f.ctx, b.Session.ID, login, f.now))
			if v := f.session(b.Session.ID); v.State != account.StateCancelled {
				t.Errorf("the resumed session is %s, want it cancelled", v.State)
			}
		}},
		{"there is nothing to cancel but a pending session", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			b := f.beginPending("ada")
			c := f.beginPending("ada")
			f.must(f.s.CancelSession(f.ctx, b.Session.ID))
			_, err := f.s.PassChallenge(f.ctx, f.passOf(c, 5), f.now)
			f.must(err)
			for _, id := range []account.SessionID{newSessionID(), v.ID, b.Session.ID, c.Session.ID} {
				f.wants(f.s.CancelSession(f.ctx, id), store.ErrNotFound)
			}
			same(t, f.session(v.ID), v)
		}},
	}
}
