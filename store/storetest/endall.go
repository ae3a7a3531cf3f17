package storetest

import (
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// allOf are sessions of one account in every state, by what they are, of which
// so many could have let a browser in.
type allOf struct {
	sessions map[string]account.SessionID
	counted  int
	// challenges are those of the sessions; the open one of the pending session
	// and the one of the step-up are there to be tried.
	challenges []string
	pending    store.Begin
	stepped    account.Session
	stepUp     store.StepUp
}

// beginAll begins sessions of an account, which is enrolled, in every state.
func (f *fixture) beginAll(acc string) allOf {
	f.t.Helper()
	pending, passed, cancelled := f.beginPending(acc), f.beginPending(acc), f.beginPending(acc)
	verified, suspended, again := f.beginVerified(acc), f.beginVerified(acc), f.beginAgain(acc)
	waiting := f.beginPending(acc)
	f.suspend(suspended.ID)
	f.suspend(waiting.Session.ID)
	f.must(f.s.CancelSession(f.ctx, cancelled.Session.ID))
	p := f.passOf(passed, f.factor(acc, totpID).LastStep+1)
	f.released(passed, p)
	old := f.beginVerified(acc)
	moved := f.move(old)
	u, w := f.beginStepUp(moved), f.beginWaiting(moved)
	return allOf{
		sessions: map[string]account.SessionID{
			"pending": pending.Session.ID, "passed": passed.Session.ID, "cancelled": cancelled.Session.ID, "its next": p.Next.ID,
			"verified": verified.ID, "suspended": suspended.ID, "pending and suspended": waiting.Session.ID, "again": again.ID,
			"moved": old.ID, "with another id": moved.ID,
		},
		counted: 7,
		challenges: []string{
			pending.Challenge.ID, passed.Challenge.ID, cancelled.Challenge.ID, waiting.Challenge.ID, u.Challenge.ID, w.Challenge.ID,
		},
		pending: pending, stepped: moved, stepUp: u,
	}
}

// allGone checks that of the sessions nothing is left that opens anything.
func (f *fixture) allGone(a allOf) {
	f.t.Helper()
	for what, id := range a.sessions {
		if _, err := f.s.Session(f.ctx, id, f.now); err == nil {
			f.t.Errorf("the session that is %s is still there", what)
		} else {
			f.wants(err, store.ErrNotFound)
		}
		f.wants(f.s.TouchSession(f.ctx, id, f.now), store.ErrNotFound)
	}
	for _, id := range a.challenges {
		f.noChallenge(id)
	}
	acc := a.pending.Session.Account
	p := f.passOf(a.pending, f.factor(acc, totpID).LastStep+1)
	_, err := f.s.PassChallenge(f.ctx, p, f.now)
	f.wants(err, store.ErrNotFound)
	f.noSession(p.Next.ID, f.now)
	_, err = f.s.CountAttempt(f.ctx, attemptOf(a.pending, totpID), f.now)
	f.wants(err, store.ErrNotFound)
	_, err = f.s.PassStepUp(f.ctx, f.stepOf(a.stepped, a.stepUp, f.factor(acc, totpID).LastStep+1), f.now)
	f.wants(err, store.ErrNotFound)
}

// endAll ends the sessions of an account, which must be so many.
func (f *fixture) endAll(acc string, want int) {
	f.t.Helper()
	n, err := f.s.EndSessions(f.ctx, instance, acc)
	f.must(err)
	if n != want {
		f.t.Errorf("%d sessions of %s have ended, want %d", n, acc, want)
	}
}

func endAllTests() []test {
	return []test{
		{"all sessions of an account end, in whatever state, with challenges and holds", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			all := f.beginAll("ada")
			f.endAll("ada", all.counted)
			f.allGone(all)
			f.endAll("ada", 0)
		}},
		{"nobody else's session ends with them", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("adam")
			f.beginVerified("ada")
			other := f.beginPending("adam")
			elsewhere := f.verified("ada")
			elsewhere.Instance = "crm-2"
			named := f.verified("adam")
			named.User, named.Standing = "ada", newStandingID()
			for _, v := range []account.Session{elsewhere, named} {
				f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
			}
			f.endAll("ada", 1)
			for _, v := range []account.Session{other.Session, elsewhere, named} {
				same(t, f.session(v.ID), v)
			}
			f.released(other, f.passOf(other, 100))
		}},
		{"ending the sessions of somebody who has none is no error", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			for _, acc := range []string{"bob", ""} {
				f.endAll(acc, 0)
			}
			same(t, f.session(v.ID), v)
		}},
		{"what was spent stays spent, and the next session is as good as ever", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.released(b, f.passOf(b, 100))
			f.endAll("ada", 1)
			c := f.beginPending("ada")
			_, err := f.s.PassChallenge(f.ctx, f.passOf(c, 100), f.now)
			f.wants(err, store.ErrSpent)
			p := f.passOf(c, 101)
			f.released(c, p)
			same(t, f.session(p.Next.ID), p.Next)
		}},
		{"a login that had suspended an ended session does not go on in its place", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			login := f.suspended(v.ID)
			f.endAll("ada", 1)
			f.wants(f.s.ResumeSession(f.ctx, v.ID, login, f.now), store.ErrNotFound)
			b := f.pending("ada")
			b.Old, b.Login = &v.ID, login
			f.wants(f.s.BeginSession(f.ctx, b, f.now), store.ErrConflict)
			f.notBegun(b)
		}},
	}
}

func durableEndAllTests() []durableTest {
	return []durableTest{
		{"the sessions of an account that were ended stay so, and the others are kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			all, other := f.beginAll("ada"), f.beginVerified("bob")
			f.endAll("ada", all.counted)
			return func(t *testing.T, f *fixture) {
				f.allGone(all)
				f.endAll("ada", 0)
				same(t, f.session(other.ID), other)
			}
		}},
	}
}

// endAllRaces are races of those who end all sessions of an account with those
// who begin one or go on with one.
func endAllRaces() []raceTest {
	return []raceTest{
		{"EndSessions", "of many who end an account's sessions each session is counted once", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			all := f.beginAll("ada")
			total := 0
			for _, n := range race(func(int) int {
				n, err := f.s.EndSessions(f.ctx, instance, "ada")
				if err != nil {
					t.Error(err)
				}
				return n
			}) {
				total += n
			}
			if total != all.counted {
				t.Errorf("%d sessions have ended, want %d", total, all.counted)
			}
			f.allGone(all)
		}},
		{"EndSessions BeginSession", "a session has begun whole after the end of the others, or is gone whole", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			begins := make([]store.Begin, racers)
			for i := range begins {
				begins[i] = f.pending("ada")
			}
			f.allWin(race(func(i int) error {
				if i%4 == 0 {
					_, err := f.s.EndSessions(f.ctx, instance, "ada")
					return err
				}
				return f.s.BeginSession(f.ctx, begins[i], f.now)
			}))
			for i, b := range begins {
				_, err := f.s.Session(f.ctx, b.Session.ID, f.now)
				if !f.won(err, store.ErrNotFound) {
					f.notBegun(b)
				} else if i%4 != 0 {
					same(t, f.challenge(b.Challenge.ID), b.Challenge)
				}
			}
			_, err := f.s.EndSessions(f.ctx, instance, "ada")
			f.must(err)
			for _, b := range begins {
				f.notBegun(b)
			}
		}},
		{"EndSessions PassChallenge", "a code that is right at that moment leaves no session behind", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for round := range 4 {
				b := f.beginPending("ada")
				passes := make([]store.Pass, racers)
				for i := range passes {
					passes[i] = f.passOf(b, int64((round+1)*1000+i))
				}
				ended := make([]int, racers)
				passed := race(func(i int) bool {
					if i%2 == round%2 {
						n, err := f.s.EndSessions(f.ctx, instance, "ada")
						f.wants(err, nil)
						ended[i] = n
						return false
					}
					_, err := f.s.PassChallenge(f.ctx, passes[i], f.now)
					return f.won(err, store.ErrSpent, store.ErrNotFound)
				})
				last, total := 0, 0
				for i := range racers {
					total += ended[i]
					if passed[i] {
						last++
					}
				}
				// Whatever came first, there was one session to end.
				if last > 1 || total != 1 {
					t.Errorf("%d have passed, and %d sessions have ended, want one", last, total)
				}
				for _, p := range passes {
					f.noSession(p.Next.ID, f.now)
				}
				f.noSession(b.Session.ID, f.now)
				f.noChallenge(b.Challenge.ID)
			}
		}},
		{"EndSessions PassStepUp", "a session ends under every id that a step-up gives it at that moment", func(t *testing.T, f *fixture) {
			for range 4 {
				v, passes := f.manyStepUps()
				race(func(i int) bool {
					if i >= len(passes) {
						_, err := f.s.EndSessions(f.ctx, instance, "ada")
						f.wants(err, nil)
						return false
					}
					_, err := f.s.PassStepUp(f.ctx, passes[i], f.now)
					return f.won(err, store.ErrNotFound)
				})
				f.noSession(v.ID, f.now)
				for _, p := range passes {
					f.noSession(p.Next, f.now)
					f.noChallenge(p.Challenge)
				}
			}
		}},
	}
}
