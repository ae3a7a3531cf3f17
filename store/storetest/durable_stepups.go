package storetest

import (
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func durableStepUpTests() []durableTest {
	return []durableTest{
		{"step-ups and their holds are kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			open, waits := f.beginStepUp(v), f.beginWaiting(v)
			f.sent(asBegin(v, open), "111111", f.now)
			f.attempts(attemptOf(asBegin(v, open), phoneID), 2)
			want, session := f.challenge(open.Challenge.ID), f.session(v.ID)
			return func(t *testing.T, f *fixture) {
				same(t, f.session(v.ID), session)
				same(t, f.challenge(open.Challenge.ID), want)
				same(t, f.challenge(waits.Challenge.ID), waits.Challenge)
				f.steppedUp(v, open, f.stepCodeOf(v, open, "111111"))
			}
		}},
		{"a step-up that was shown, cancelled, passed or dropped stays that", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			dropped := f.beginStepUp(v)
			for range account.MaxStepUps - 2 {
				f.beginStepUp(v)
			}
			shown, cancelled, passed := f.beginWaiting(v), f.beginStepUp(v), f.beginStepUp(v)
			_, err := f.s.ShowStepUp(f.ctx, v.ID, shown.Challenge.ID, "/", f.now)
			f.must(err)
			f.must(f.s.CancelStepUp(f.ctx, v.ID, cancelled.Challenge.ID, f.now))
			v = f.steppedUp(v, passed, f.stepOf(v, passed, 100))
			return func(t *testing.T, f *fixture) {
				f.noChallenge(dropped.Challenge.ID)
				for u, want := range map[*store.StepUp]account.ChallengeState{
					&shown: account.ChallengeOpen, &cancelled: account.ChallengeCancelled, &passed: account.ChallengePassed,
				} {
					if got := f.challenge(u.Challenge.ID).State; got != want {
						t.Errorf("the challenge is %s, want %s", got, want)
					}
				}
				f.notPassed(v, passed, f.stepOf(v, passed, 101), store.ErrSpent)
				f.notPassed(v, cancelled, f.stepOf(v, cancelled, 101), store.ErrNotFound)
				f.notPassed(v, shown, f.stepOf(v, shown, 100), store.ErrSpent)
			}
		}},
		{"a session that has moved is found under all its ids, with when a code was given", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			first := f.beginVerified("ada")
			second := f.move(first)
			third := f.move(second)
			return func(t *testing.T, f *fixture) {
				for _, id := range []account.SessionID{first.ID, second.ID, third.ID} {
					same(t, f.session(id), third)
				}
				for _, id := range []account.SessionID{first.ID, second.ID} {
					f.noSession(id, f.now.Add(account.MovedFor))
				}
			}
		}},
		{"a pass that was taken stays taken, and one that was given back can be taken", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			var ups []store.StepUp
			for i := range 3 {
				u := f.beginStepUp(v)
				p := f.stepOf(v, u, int64(100+i))
				p.Take = i == 2
				v = f.steppedUp(v, u, p)
				ups = append(ups, u)
			}
			for _, u := range ups[:2] {
				f.must(f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, f.now))
			}
			f.must(f.s.ReturnPass(f.ctx, v.ID, ups[1].Challenge.Request, f.now))
			return func(t *testing.T, f *fixture) {
				for i, want := range []error{store.ErrSpent, nil, store.ErrSpent} {
					f.wants(f.s.TakePass(f.ctx, v.ID, ups[i].Challenge.Request, f.now), want)
				}
			}
		}},
		{"a session that has moved and was ended or suspended is gone under all its ids", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			a, b := f.beginVerified("ada"), f.beginVerified("ada")
			open := f.beginStepUp(b)
			ended, suspended := f.move(a), f.move(b)
			f.must(f.s.EndSession(f.ctx, a.ID))
			f.suspend(b.ID)
			return func(t *testing.T, f *fixture) {
				for _, id := range []account.SessionID{a.ID, b.ID, ended.ID, suspended.ID} {
					f.noSession(id, f.now)
				}
				f.noChallenge(open.Challenge.ID)
			}
		}},
	}
}
