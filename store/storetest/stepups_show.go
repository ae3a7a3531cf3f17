package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func showStepUpTests() []test {
	return []test{
		{"one that waits is opened by the page that shows it, and leads back to that", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			older, u := f.beginWaiting(v), f.beginWaiting(v)
			got, err := f.s.ShowStepUp(f.ctx, v.ID, u.Challenge.ID, "/reports", f.now)
			f.must(err)
			want := u.Challenge
			want.State, want.Back = account.ChallengeOpen, "/reports"
			same(t, got, want)
			same(t, f.challenge(want.ID), want)
			same(t, f.challenge(older.Challenge.ID), older.Challenge)
			same(t, f.steps(v.ID), account.Steps{Challenges: []string{older.Challenge.ID, want.ID}})
		}},
		{"one that waits may be shown though a newer one is for the next page", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			older, newer := f.beginWaiting(v), f.beginWaiting(v)
			_, err := f.s.ShowStepUp(f.ctx, v.ID, older.Challenge.ID, "/", f.now)
			f.must(err)
			same(t, f.steps(v.ID).Waiting, newer.Challenge.ID)
		}},
		{"one that is open is shown as it is", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			before := f.session(v.ID)
			got, err := f.s.ShowStepUp(f.ctx, v.ID, u.Challenge.ID, "/reports", f.now)
			f.must(err)
			same(t, got, u.Challenge)
			same(t, f.challenge(u.Challenge.ID), u.Challenge)
			same(t, f.session(v.ID), before)
		}},
		{"one that was passed is spent, and one that is over or another session's not found", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, other := f.beginVerified("ada"), f.beginVerified("ada")
			passed, cancelled, expires, others := f.beginStepUp(v), f.beginStepUp(v), f.beginStepUp(v), f.beginWaiting(other)
			login := f.beginPending("ada")
			f.must(f.s.CancelStepUp(f.ctx, v.ID, cancelled.Challenge.ID, f.now))
			v = f.steppedUp(v, passed, f.stepOf(v, passed, 100))
			for _, tt := range []struct {
				id   string
				now  time.Time
				want error
			}{
				{passed.Challenge.ID, f.now, store.ErrSpent},
				{cancelled.Challenge.ID, f.now, store.ErrNotFound},
				{expires.Challenge.ID, expires.Challenge.Expires, store.ErrNotFound},
				{others.Challenge.ID, f.now, store.ErrNotFound},
				{login.Challenge.ID, f.now, store.ErrNotFound},
				{newID(), f.now, store.ErrNotFound},
			} {
				_, err := f.s.ShowStepUp(f.ctx, v.ID, tt.id, "/", tt.now)
				f.wants(err, tt.want)
			}
			same(t, f.challenge(others.Challenge.ID), others.Challenge)
			same(t, f.challenge(login.Challenge.ID), login.Challenge)
			same(t, f.steps(other.ID).Waiting, others.Challenge.ID)
		}},
		{"the next page shows it no more, though it has expired", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			u := f.beginWaiting(v)
			_, err := f.s.ShowStepUp(f.ctx, v.ID, u.Challenge.ID, "/", u.Challenge.Expires)
			f.wants(err, store.ErrNotFound)
			same(t, f.steps(v.ID), account.Steps{Challenges: []string{u.Challenge.ID}})
		}},
		{"no code answers one that waits, and none is sent for it", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginWaiting(v)
			b := asBegin(v, u)
			_, err := f.s.CountAttempt(f.ctx, attemptOf(b, totpID), f.now)
			f.wants(err, store.ErrNotFound)
			_, err = f.s.ReserveSend(f.ctx, f.sendOf(b, "111111"), f.now)
			f.wants(err, store.ErrNotFound)
			f.notPassed(v, u, f.stepOf(v, u, 100), store.ErrNotFound)
			same(t, f.challenge(u.Challenge.ID), u.Challenge)
			_, err = f.s.ShowStepUp(f.ctx, v.ID, u.Challenge.ID, u.Challenge.Back, f.now)
			f.must(err)
			f.steppedUp(v, u, f.stepOf(v, u, 100))
		}},
	}
}

func cancelStepUpTests() []test {
	return []test{
		{"one that is cancelled is answered by nothing, and its session goes on", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u, other := f.beginStepUp(v), f.beginStepUp(v)
			before := f.session(v.ID)
			b := asBegin(v, u)
			f.sent(b, "111111", f.now)
			for range 2 {
				f.must(f.s.CancelStepUp(f.ctx, v.ID, u.Challenge.ID, f.now))
			}
			c := f.challenge(u.Challenge.ID)
			if c.State != account.ChallengeCancelled || len(c.Codes[phoneID].Sealed) > 0 || c.Codes[phoneID].Hash != [32]byte{} {
				t.Errorf("the challenge is %s with the code %+v, want it cancelled with none", c.State, c.Codes[phoneID])
			}
			same(t, f.session(v.ID), before)
			_, err := f.s.CountAttempt(f.ctx, attemptOf(b, totpID), f.now)
			f.wants(err, store.ErrNotFound)
			_, err = f.s.ReserveSend(f.ctx, f.sendOf(b, "222222"), f.now.Add(time.Minute))
			f.wants(err, store.ErrNotFound)
			f.notPassed(v, u, f.stepOf(v, u, 100), store.ErrNotFound)
			f.notPassed(v, u, f.stepCodeOf(v, u, "111111"), store.ErrNotFound)
			f.steppedUp(v, other, f.stepOf(v, other, 100))
		}},
		{"one that waited does so no more", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			older, u := f.beginWaiting(v), f.beginWaiting(v)
			f.must(f.s.CancelStepUp(f.ctx, v.ID, older.Challenge.ID, f.now))
			same(t, f.steps(v.ID).Waiting, u.Challenge.ID)
			f.must(f.s.CancelStepUp(f.ctx, v.ID, u.Challenge.ID, f.now))
			same(t, f.steps(v.ID).Waiting, "")
			_, err := f.s.ShowStepUp(f.ctx, v.ID, u.Challenge.ID, "/", f.now)
			f.wants(err, store.ErrNotFound)
		}},
		{"its hold is dropped", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			f.must(f.s.CancelStepUp(f.ctx, v.ID, u.Challenge.ID, f.now))
			for range account.MaxStepUps {
				f.beginStepUp(v)
			}
			// Were it still there, one of the same id would have it.
			u.Hold = nil
			f.openStepUp(u)
			f.steppedUp(v, u, f.stepOf(v, u, 100))
		}},
		{"there is nothing to cancel in one that was passed, is over or another session's", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, other := f.beginVerified("ada"), f.beginVerified("ada")
			passed, expires, others := f.beginStepUp(v), f.beginStepUp(v), f.beginStepUp(other)
			login := f.beginPending("ada")
			v = f.steppedUp(v, passed, f.stepOf(v, passed, 100))
			f.wants(f.s.CancelStepUp(f.ctx, v.ID, passed.Challenge.ID, f.now), store.ErrSpent)
			f.wants(f.s.CancelStepUp(f.ctx, v.ID, expires.Challenge.ID, expires.Challenge.Expires), store.ErrNotFound)
			for _, id := range []string{others.Challenge.ID, login.Challenge.ID, newID()} {
				f.wants(f.s.CancelStepUp(f.ctx, v.ID, id, f.now), store.ErrNotFound)
			}
			f.steppedUp(other, others, f.stepOf(other, others, 101))
			f.released(login, f.passOf(login, 102))
		}},
		{"the end of the session ends its step-ups with their holds", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, other := f.beginVerified("ada"), f.beginVerified("ada")
			open, waits, others := f.beginStepUp(v), f.beginWaiting(v), f.beginStepUp(other)
			f.must(f.s.EndSession(f.ctx, v.ID))
			f.noChallenge(open.Challenge.ID)
			f.noChallenge(waits.Challenge.ID)
			same(t, f.challenge(others.Challenge.ID), others.Challenge)
			open.Challenge.Session, open.Challenge.Standing, open.Hold = other.ID, other.Standing, nil
			f.openStepUp(open)
			f.steppedUp(other, open, f.stepOf(other, open, 100))
		}},
		{"a login that takes the session's place ends its step-ups", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			login := f.suspended(v.ID)
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: f.verified("ada"), Old: &v.ID, Login: login}, f.now))
			f.noChallenge(u.Challenge.ID)
		}},
		{"a session that begins has no step-ups", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			other := f.beginVerified("bob")
			u := f.beginStepUp(other)
			v := f.verified("ada")
			v.Steps = &account.Steps{Challenges: []string{u.Challenge.ID}}
			f.wants(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now), errRefused)
			f.noSession(v.ID, f.now)
			b := f.beginPending("ada")
			p := f.passOf(b, 100)
			p.Next.Steps = v.Steps
			_, err := f.s.PassChallenge(f.ctx, p, f.now)
			f.wants(err, errRefused)
			f.unpassed(b, p)
		}},
	}
}
