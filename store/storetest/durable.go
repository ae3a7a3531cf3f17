package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// durableTest is something that must be there after the store was closed and
// opened again: before does it, after looks.
type durableTest struct {
	name   string
	before func(t *testing.T, f *fixture) (after func(t *testing.T, f *fixture))
}

// RunDurable runs the part of the suite that closes a store and opens it
// again. open opens the store that lies in a folder, an empty one if there is
// none; it must not close it when the test ends.
func RunDurable(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	for _, tt := range slices.Concat(durableTests(), durableTokenTests(), durableStepUpTests(), durableEndAllTests(), durableHistoryTests(), durableDeviceTests(), durableTryTests(), durableChangeTests()) {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			f := newFixture(t, open(t, dir))
			after := tt.before(t, f)
			f.must(f.s.Close())
			again := &fixture{t: t, s: open(t, dir), ctx: f.ctx, now: f.now}
			after(t, again)
			again.must(again.s.Close())
		})
	}
}

func durableTests() []durableTest {
	return []durableTest{
		{"accounts and their aliases are kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			a := f.enrol("ada", "countess")
			f.enrol("bob", "gone")
			f.enrol("bob")
			return func(t *testing.T, f *fixture) {
				same(t, f.account("countess"), a)
				same(t, f.list(""), []string{"crm/ada", "crm/bob"})
				_, err := f.s.Account(f.ctx, instance, "gone")
				f.wants(err, store.ErrNotFound)
			}
		}},
		{"spent steps, challenges and codes stay spent", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			b, c, d := f.beginPending("ada"), f.beginPending("ada"), f.beginPending("ada")
			f.released(b, f.passOf(b, 100))
			f.sent(c, "111111", f.now)
			f.released(c, f.codeOf(c, "111111"))
			return func(t *testing.T, f *fixture) {
				for _, p := range []store.Pass{f.passOf(d, 100), f.passOf(b, 101), f.codeOf(c, "111111")} {
					_, err := f.s.PassChallenge(f.ctx, p, f.now)
					f.wants(err, store.ErrSpent)
				}
			}
		}},
		{"attempts, failures and pauses are kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			f.attempts(attemptOf(b, phoneID), 3)
			a := attemptOf(b, totpID)
			a.InARow = 2
			f.attempts(a, 2)
			return func(t *testing.T, f *fixture) {
				if r := f.attempt(attemptOf(b, phoneID), f.now); r.Left != 1 {
					t.Errorf("%d tries left, want 1", r.Left)
				}
				if n := f.factor("ada", phoneID).Failures; n != 4 {
					t.Errorf("%d failures, want 4", n)
				}
				if r := f.attempt(a, f.now); r.PausedUntil.IsZero() {
					t.Errorf("got %+v, want a pause", r)
				}
			}
		}},
		{"standing locks stand, a running one stands now, a lifted one is free", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			running, standing, lifted, login := newLine(), newLine(), newLine(), newLoginID()
			until := f.now.Add(time.Hour)
			f.lock(running, login, f.now, until, account.LockFree)
			f.must(f.s.StandLine(f.ctx, standing, f.now, until))
			f.lock(lifted, login, f.now, until, account.LockFree)
			f.must(f.s.LiftLine(f.ctx, lifted, login, f.now))
			return func(t *testing.T, f *fixture) {
				f.line(running, f.now, account.LockStanding)
				f.line(running, until.Add(-time.Nanosecond), account.LockStanding)
				f.line(running, until, account.LockFree)
				f.line(standing, f.now, account.LockStanding)
				f.line(lifted, f.now, account.LockFree)
				f.wants(f.s.LiftLine(f.ctx, running, login, f.now), store.ErrConflict)
			}
		}},
		{"sessions are kept in their states, but suspended ones are ended", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			v, ended, suspended := f.beginVerified("ada"), f.beginVerified("ada"), f.beginPending("ada")
			pending, cancelled, passed := f.beginPending("ada"), f.beginPending("ada"), f.beginPending("ada")
			resumed := f.beginVerified("ada")
			f.must(f.s.EndSession(f.ctx, ended.ID))
			f.must(f.s.CancelSession(f.ctx, cancelled.Session.ID))
			p := f.passOf(passed, 100)
			f.released(passed, p)
			login := newLoginID()
			for _, id := range []account.SessionID{suspended.Session.ID, resumed.ID} {
				_, err := f.s.SuspendSession(f.ctx, id, login, f.now)
				f.must(err)
			}
			f.must(f.s.ResumeSession(f.ctx, resumed.ID, login, f.now))
			return func(t *testing.T, f *fixture) {
				same(t, f.session(v.ID), v)
				same(t, f.session(resumed.ID), resumed)
				same(t, f.session(p.Next.ID), p.Next)
				same(t, f.session(pending.Session.ID), pending.Session)
				f.noSession(ended.ID, f.now)
				f.noSession(suspended.Session.ID, f.now)
				f.noChallenge(suspended.Challenge.ID)
				for id, want := range map[account.SessionID]account.State{
					cancelled.Session.ID: account.StateCancelled, passed.Session.ID: account.StatePassed,
				} {
					if got := f.session(id).State; got != want {
						t.Errorf("the session is %s, want %s", got, want)
					}
				}
			}
		}},
		{"the time at which a session was last seen is kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			v := f.beginVerified("ada")
			v.LastSeen = f.now.Add(time.Hour)
			f.must(f.s.TouchSession(f.ctx, v.ID, v.LastSeen))
			return func(t *testing.T, f *fixture) { same(t, f.session(v.ID), v) }
		}},
		{"challenges, codes, sendings and holds are kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			f.must(f.s.RecordSend(f.ctx, b.Challenge.ID, phoneID, 1, account.SendTaken))
			want := f.challenge(b.Challenge.ID)
			return func(t *testing.T, f *fixture) {
				same(t, f.challenge(b.Challenge.ID), want)
				r, err := f.s.ReserveSend(f.ctx, f.sendOf(b, "222222"), f.now)
				f.must(err)
				if r.Send {
					t.Error("a code is sent again without its wait")
				}
				f.released(b, f.codeOf(b, "111111"))
			}
		}},
		{"values are kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.must(f.s.PutValue(f.ctx, "handle", []byte("value"), f.now.Add(time.Hour)))
			return func(t *testing.T, f *fixture) {
				got, err := f.s.Value(f.ctx, "handle", f.now)
				f.must(err)
				if string(got) != "value" {
					t.Errorf("got %q", got)
				}
			}
		}},
		{"what was seen is kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.note(f.seen(store.SeenUser, "ada"), f.seen(store.SeenCookie, "sid"))
			return func(t *testing.T, f *fixture) { same(t, f.keysSeen(), []string{"cookie sid", "user ada"}) }
		}},
		{"the epoch is kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			want, err := f.s.Epoch(f.ctx)
			f.must(err)
			return func(t *testing.T, f *fixture) {
				got, err := f.s.Epoch(f.ctx)
				f.must(err)
				if !got.Equal(want) {
					t.Errorf("the epoch was %s and is %s", want, got)
				}
			}
		}},
	}
}
