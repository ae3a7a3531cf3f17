package storetest

import (
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// stepEnding are the ends of a step-up. Whatever has no end of its own lives
// for long.
type stepEnding struct{ session, challenge, hold, code time.Duration }

// openEnding opens a step-up, which waits if that is said, and gives its parts
// the ends that are set.
func (f *fixture) openEnding(e stepEnding, waits bool) (account.Session, store.StepUp, func(time.Time)) {
	long := func(d time.Duration) time.Time {
		if d == 0 {
			d = 500 * 24 * time.Hour
		}
		return f.now.Add(d)
	}
	v := f.verified("ada")
	v.IdleFor, v.Expires = 0, long(e.session)
	f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
	u := f.stepUp(v)
	u.Challenge.Expires, u.Hold.Expires = long(e.challenge), long(e.hold)
	if waits {
		u.Challenge.State, u.Hold = account.ChallengeWaiting, nil
	}
	f.openStepUp(u)
	if !waits {
		s := f.sendOf(asBegin(v, u), "111111")
		s.New.Expires = long(e.code)
		r, err := f.s.ReserveSend(f.ctx, s, f.now)
		f.must(err)
		if !r.Send {
			f.t.Fatalf("the code is not to be sent: %+v", r)
		}
	}
	return v, u, func(now time.Time) {
		f.lookAtSession(v.ID)(now)
		_, err := f.s.Challenge(f.ctx, u.Challenge.ID, now)
		f.is(err, store.ErrNotFound)
	}
}

// stepUntil is a step-up of which one part ends, asked by a method.
func stepUntil(e stepEnding, waits bool, ask func(f *fixture, v account.Session, u store.StepUp, now time.Time) error) func(*fixture) thing {
	return func(f *fixture) thing {
		v, u, look := f.openEnding(e, waits)
		return thing{f.now.Add(e.session + e.challenge + e.hold + e.code), func(now time.Time) bool {
			return f.is(ask(f, v, u, now), store.ErrNotFound)
		}, look}
	}
}

// movedAt passes a step-up at a time. It returns the session as it was before
// and as it is then, and the request that has a pass.
func (f *fixture) movedAt(at time.Time) (old, v account.Session, r account.RequestID) {
	old, u, _ := f.openEnding(stepEnding{}, false)
	got, err := f.s.PassStepUp(f.ctx, f.stepCodeOf(old, u, "111111"), at)
	f.must(err)
	return old, got.Session, u.Challenge.Request
}

func stepUpExpiries() []expiryTest {
	all := []expiryTest{
		{"Session", "a session is found under its old id until that time is over", false, func(f *fixture) thing {
			at := f.now.Add(twoDays)
			old, _, _ := f.movedAt(at)
			return thing{at.Add(account.MovedFor), f.living(old.ID), nil}
		}},
		{"TouchSession", "a session is seen under its old id until that time is over", true, func(f *fixture) thing {
			at := f.now.Add(twoDays)
			old, v, _ := f.movedAt(at)
			return thing{at.Add(account.MovedFor), func(now time.Time) bool {
				return f.is(f.s.TouchSession(f.ctx, old.ID, now), store.ErrNotFound)
			}, f.lookAtSession(v.ID)}
		}},
		{"OpenStepUp", "for the same request the one that is there is returned until it expires", true, func(f *fixture) thing {
			v, u, look := f.openEnding(stepEnding{challenge: twoDays}, false)
			return thing{u.Challenge.Expires, func(now time.Time) bool {
				w := f.stepUp(v)
				w.Challenge.Request, w.Challenge.Expires = u.Challenge.Request, now.Add(time.Hour)
				got, err := f.s.OpenStepUp(f.ctx, w, now)
				f.must(err)
				return got.ID == u.Challenge.ID
			}, look}
		}},
		{"PassStepUp", "a hold is released until it expires", true, func(f *fixture) thing {
			v, u, look := f.openEnding(stepEnding{hold: twoDays}, false)
			return thing{u.Hold.Expires, func(now time.Time) bool {
				got, err := f.s.PassStepUp(f.ctx, f.stepCodeOf(v, u, "111111"), now)
				f.must(err)
				return got.Hold != nil
			}, look}
		}},
		{"PassStepUp", "a step-up is passed under an old id until that time is over", true, func(f *fixture) thing {
			at := f.now.Add(twoDays)
			old, v, _ := f.movedAt(at)
			u := f.stepUp(v)
			u.Challenge.Expires = f.now.Add(500 * 24 * time.Hour)
			f.openStepUp(u)
			return thing{at.Add(account.MovedFor), func(now time.Time) bool {
				p := f.stepOf(old, u, f.factor("ada", totpID).LastStep+1)
				_, err := f.s.PassStepUp(f.ctx, p, now)
				return f.is(err, store.ErrNotFound)
			}, f.lookAtSession(v.ID)}
		}},
		{"TakePass", "a pass is taken until it is over", true, func(f *fixture) thing {
			at := f.now.Add(twoDays)
			_, v, r := f.movedAt(at)
			return thing{at.Add(account.PassFor), func(now time.Time) bool {
				return f.is(f.s.TakePass(f.ctx, v.ID, r, now), store.ErrNotFound)
			}, f.lookAtSession(v.ID)}
		}},
		{"ReturnPass", "a pass is given back until it is over", true, func(f *fixture) thing {
			at := f.now.Add(twoDays)
			_, v, r := f.movedAt(at)
			f.must(f.s.TakePass(f.ctx, v.ID, r, at))
			return thing{at.Add(account.PassFor), func(now time.Time) bool {
				return f.is(f.s.ReturnPass(f.ctx, v.ID, r, now), store.ErrNotFound)
			}, f.lookAtSession(v.ID)}
		}},
	}
	open := func(f *fixture, v account.Session, u store.StepUp, now time.Time) error {
		w := f.stepUp(v)
		w.Challenge.Expires = now.Add(time.Hour)
		_, err := f.s.OpenStepUp(f.ctx, w, now)
		return err
	}
	show := func(f *fixture, v account.Session, u store.StepUp, now time.Time) error {
		_, err := f.s.ShowStepUp(f.ctx, v.ID, u.Challenge.ID, "/", now)
		return err
	}
	cancel := func(f *fixture, v account.Session, u store.StepUp, now time.Time) error {
		return f.s.CancelStepUp(f.ctx, v.ID, u.Challenge.ID, now)
	}
	step := func(f *fixture, v account.Session, u store.StepUp, now time.Time) error {
		_, err := f.s.PassStepUp(f.ctx, f.stepOf(v, u, f.factor("ada", totpID).LastStep+1), now)
		return err
	}
	take := func(f *fixture, v account.Session, u store.StepUp, now time.Time) error {
		p := f.stepOf(v, u, f.factor("ada", totpID).LastStep+1)
		p.Take = true
		_, err := f.s.PassStepUp(f.ctx, p, now)
		return err
	}
	code := func(f *fixture, v account.Session, u store.StepUp, now time.Time) error {
		_, err := f.s.PassStepUp(f.ctx, f.stepCodeOf(v, u, "111111"), now)
		return err
	}
	attempt := func(f *fixture, v account.Session, u store.StepUp, now time.Time) error {
		a := attemptOf(asBegin(v, u), totpID)
		a.InARow = 1000
		_, err := f.s.CountAttempt(f.ctx, a, now)
		return err
	}
	send := func(f *fixture, v account.Session, u store.StepUp, now time.Time) error {
		s := f.sendOf(asBegin(v, u), "222222")
		s.New.Expires = now.Add(time.Hour)
		_, err := f.s.ReserveSend(f.ctx, s, now)
		return err
	}
	for _, x := range []struct {
		method, name string
		ends         stepEnding
		waits        bool
		ask          func(*fixture, account.Session, store.StepUp, time.Time) error
	}{
		{"OpenStepUp", "a step-up is opened until the session ends", stepEnding{session: twoDays}, false, open},
		{"ShowStepUp", "one that waits is shown until it expires", stepEnding{challenge: twoDays}, true, show},
		{"ShowStepUp", "one that waits is shown until the session ends", stepEnding{session: twoDays}, true, show},
		{"ShowStepUp", "one that is open is shown until it expires", stepEnding{challenge: twoDays}, false, show},
		{"CancelStepUp", "a step-up is cancelled until it expires", stepEnding{challenge: twoDays}, false, cancel},
		{"CancelStepUp", "a step-up is cancelled until the session ends", stepEnding{session: twoDays}, false, cancel},
		{"PassStepUp", "a step-up is passed until it expires", stepEnding{challenge: twoDays}, false, step},
		{"PassStepUp", "a step-up is passed until the session ends", stepEnding{session: twoDays}, false, step},
		{"PassStepUp", "a held request is sent until the hold expires", stepEnding{hold: twoDays}, false, take},
		{"PassStepUp", "a code passes a step-up until it expires", stepEnding{code: twoDays}, false, code},
		{"CountAttempt", "attempts at a step-up are counted until it expires", stepEnding{challenge: twoDays}, false, attempt},
		{"CountAttempt", "attempts at a step-up are counted until the session ends", stepEnding{session: twoDays}, false, attempt},
		{"ReserveSend", "a code for a step-up is sent until it expires", stepEnding{challenge: twoDays}, false, send},
		{"ReserveSend", "a code for a step-up is sent until the session ends", stepEnding{session: twoDays}, false, send},
	} {
		all = append(all, expiryTest{x.method, x.name, true, stepUntil(x.ends, x.waits, x.ask)})
	}
	for _, x := range []struct {
		method string
		ask    func(*fixture, account.Session, account.RequestID, time.Time) error
	}{
		{"TakePass", func(f *fixture, v account.Session, r account.RequestID, now time.Time) error {
			return f.s.TakePass(f.ctx, v.ID, r, now)
		}},
		{"ReturnPass", func(f *fixture, v account.Session, r account.RequestID, now time.Time) error {
			return f.s.ReturnPass(f.ctx, v.ID, r, now)
		}},
	} {
		all = append(all, expiryTest{x.method, "a pass ends with its session", true, func(f *fixture) thing {
			v, u, look := f.openEnding(stepEnding{session: twoDays}, false)
			at := v.Expires.Add(-account.PassFor / 2)
			got, err := f.s.PassStepUp(f.ctx, f.stepCodeOf(v, u, "111111"), at)
			f.must(err)
			return thing{v.Expires, func(now time.Time) bool {
				return f.is(x.ask(f, got.Session, u.Challenge.Request, now), store.ErrNotFound)
			}, look}
		}})
	}
	return all
}
