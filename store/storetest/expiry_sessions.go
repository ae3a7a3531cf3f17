package storetest

import (
	"errors"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// until is a verified session that ends absolutely.
func (f *fixture) until() (account.Session, func(time.Time)) {
	v := f.verified("ada")
	v.IdleFor, v.Expires = 0, f.now.Add(48*time.Hour)
	f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
	return v, f.lookAtSession(v.ID)
}

func (f *fixture) lookAtSession(id account.SessionID) func(time.Time) {
	return func(now time.Time) { f.living(id)(now) }
}

func (f *fixture) living(id account.SessionID) func(time.Time) bool {
	return func(now time.Time) bool {
		_, err := f.s.Session(f.ctx, id, now)
		return f.is(err, store.ErrNotFound)
	}
}

// suspended suspends a session for a login.
func (f *fixture) suspended(id account.SessionID) account.LoginID {
	login := newLoginID()
	_, err := f.s.SuspendSession(f.ctx, id, login, f.now)
	f.must(err)
	return login
}

func sessionExpiries() []expiryTest {
	return []expiryTest{
		{"Session", "a session lives until its end", false, func(f *fixture) thing {
			v, _ := f.until()
			return thing{v.Expires, f.living(v.ID), nil}
		}},
		{"Session", "a session lives until it was idle for too long", false, func(f *fixture) thing {
			v := f.beginVerified("ada")
			return thing{f.now.Add(v.IdleFor), f.living(v.ID), nil}
		}},
		{"TouchSession", "a session that is over cannot be seen", true, func(f *fixture) thing {
			v, look := f.until()
			return thing{v.Expires, func(now time.Time) bool {
				return f.is(f.s.TouchSession(f.ctx, v.ID, now), store.ErrNotFound)
			}, look}
		}},
		{"TouchSession", "a session that was idle for too long cannot be seen", true, func(f *fixture) thing {
			v := f.beginVerified("ada")
			return thing{f.now.Add(v.IdleFor), func(now time.Time) bool {
				return f.is(f.s.TouchSession(f.ctx, v.ID, now), store.ErrNotFound)
			}, f.lookAtSession(v.ID)}
		}},
		{"BindToken", "a token is bound to a session until its end", true, func(f *fixture) thing {
			v, look := f.until()
			return thing{v.Expires, func(now time.Time) bool {
				return f.is(f.s.BindToken(f.ctx, v.ID, tokenNo(1), now), store.ErrNotFound)
			}, look}
		}},
		{"SuspendSession", "a session is suspended until its end", true, func(f *fixture) thing {
			v, look := f.until()
			return thing{v.Expires, func(now time.Time) bool {
				_, err := f.s.SuspendSession(f.ctx, v.ID, newLoginID(), now)
				return f.is(err, store.ErrNotFound)
			}, look}
		}},
		{"SuspendSession", "another login is busy until it is too old", true, func(f *fixture) thing {
			v, look := f.until()
			f.suspended(v.ID)
			return thing{f.now.Add(account.RunningFor), func(now time.Time) bool {
				_, err := f.s.SuspendSession(f.ctx, v.ID, newLoginID(), now)
				if busy := errors.Is(err, store.ErrBusy); busy || now.After(v.Expires) {
					return busy
				}
				f.wants(err, store.ErrNotFound)
				_, err = f.s.Session(f.ctx, v.ID, f.now)
				return f.is(err, store.ErrNotFound)
			}, look}
		}},
		{"ResumeSession", "a session is resumed until its end", true, func(f *fixture) thing {
			v, look := f.until()
			login := f.suspended(v.ID)
			return thing{v.Expires, func(now time.Time) bool {
				return f.is(f.s.ResumeSession(f.ctx, v.ID, login, now), store.ErrNotFound)
			}, look}
		}},
		{"BeginSession", "a session takes the place of one that is not over", true, func(f *fixture) thing {
			v, look := f.until()
			login := f.suspended(v.ID)
			next := f.verified("ada")
			next.Expires = f.now.Add(500 * 24 * time.Hour)
			return thing{v.Expires, func(now time.Time) bool {
				return f.is(f.s.BeginSession(f.ctx, store.Begin{Session: next, Old: &v.ID, Login: login}, now), store.ErrConflict)
			}, look}
		}},
	}
}
