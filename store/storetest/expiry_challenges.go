package storetest

import (
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// ending are the ends of what a login has begun. Whatever has no end of its own
// lives for long.
type ending struct{ session, challenge, hold, code time.Duration }

// open begins a pending session with a code to the phone, and gives its parts
// the ends that are set.
func (f *fixture) open(e ending) (store.Begin, func(time.Time)) {
	long := func(d time.Duration) time.Time {
		if d == 0 {
			d = 500 * 24 * time.Hour
		}
		return f.now.Add(d)
	}
	b := f.pending("ada")
	b.Session.Expires, b.Challenge.Expires, b.Hold.Expires = long(e.session), long(e.challenge), long(e.hold)
	f.must(f.s.BeginSession(f.ctx, b, f.now))
	s := f.sendOf(b, "111111")
	s.New.Expires = long(e.code)
	r, err := f.s.ReserveSend(f.ctx, s, f.now)
	f.must(err)
	if !r.Send {
		f.t.Fatalf("the code is not to be sent: %+v", r)
	}
	return b, func(now time.Time) {
		f.lookAtSession(b.Session.ID)(now)
		_, err := f.s.Challenge(f.ctx, b.Challenge.ID, now)
		f.is(err, store.ErrNotFound)
	}
}

// answerUntil is a challenge of which one part ends, asked by a method that
// answers it.
func answerUntil(e ending, answer func(f *fixture, b store.Begin, now time.Time) error) func(*fixture) thing {
	return func(f *fixture) thing {
		b, look := f.open(e)
		return thing{f.now.Add(e.session + e.challenge + e.hold + e.code), func(now time.Time) bool {
			return f.is(answer(f, b, now), store.ErrNotFound)
		}, look}
	}
}

const twoDays = 48 * time.Hour

func challengeExpiries() []expiryTest {
	all := []expiryTest{
		{"Challenge", "a challenge is there until it expires", false, func(f *fixture) thing {
			b, _ := f.open(ending{challenge: twoDays})
			return thing{b.Challenge.Expires, func(now time.Time) bool {
				_, err := f.s.Challenge(f.ctx, b.Challenge.ID, now)
				return f.is(err, store.ErrNotFound)
			}, nil}
		}},
		{"CountAttempt", "a factor is paused until the pause is over", true, func(f *fixture) thing {
			b, look := f.open(ending{})
			a := attemptOf(b, totpID)
			a.InARow, a.Pause = 1, twoDays
			// The account is the same at each time, and is put back.
			f.must(f.s.PutAccounts(f.ctx, []account.Account{{Instance: instance, ID: "ada"}}))
			f.enrol("ada")
			f.attempts(a, 1)
			return thing{f.now.Add(twoDays), func(now time.Time) bool {
				return !f.attempt(a, now).PausedUntil.IsZero() && !f.attempt(a, now).Counted
			}, look}
		}},
		{"CountAttempt", "there is a code to try until it expires", true, func(f *fixture) thing {
			f.must(f.s.PutAccounts(f.ctx, []account.Account{{Instance: instance, ID: "ada"}}))
			f.enrol("ada")
			b, look := f.open(ending{code: twoDays})
			return thing{f.now.Add(twoDays), func(now time.Time) bool {
				return !f.attempt(attemptOf(b, phoneID), now).NoCode
			}, look}
		}},
		{"ReserveSend", "a code is not sent again before the wait is over", true, func(f *fixture) thing {
			b, look := f.open(ending{})
			s := f.sendOf(b, "222222")
			s.New.Expires, s.Waits = f.now.Add(500*24*time.Hour), []time.Duration{twoDays}
			return thing{f.now.Add(twoDays), func(now time.Time) bool {
				r, err := f.s.ReserveSend(f.ctx, s, now)
				f.must(err)
				return !r.Send
			}, look}
		}},
		{"ReserveSend", "the same code is sent again until it expires", true, func(f *fixture) thing {
			b, look := f.open(ending{code: twoDays})
			s := f.sendOf(b, "222222")
			s.New.Expires, s.Waits = f.now.Add(500*24*time.Hour), []time.Duration{-1000 * time.Hour}
			return thing{f.now.Add(twoDays), func(now time.Time) bool {
				r, err := f.s.ReserveSend(f.ctx, s, now)
				f.must(err)
				return string(r.Sealed) == "sealed 111111"
			}, look}
		}},
	}
	attempt := func(f *fixture, b store.Begin, now time.Time) error {
		a := attemptOf(b, totpID)
		a.InARow = 1000
		_, err := f.s.CountAttempt(f.ctx, a, now)
		return err
	}
	pass := func(f *fixture, b store.Begin, now time.Time) error {
		_, err := f.s.PassChallenge(f.ctx, f.passOf(b, f.factor("ada", totpID).LastStep+1), now)
		return err
	}
	code := func(f *fixture, b store.Begin, now time.Time) error {
		_, err := f.s.PassChallenge(f.ctx, f.codeOf(b, "111111"), now)
		return err
	}
	send := func(f *fixture, b store.Begin, now time.Time) error {
		s := f.sendOf(b, "222222")
		s.New.Expires = now.Add(time.Hour)
		_, err := f.s.ReserveSend(f.ctx, s, now)
		return err
	}
	for _, x := range []struct {
		method, name string
		ends         ending
		answer       func(*fixture, store.Begin, time.Time) error
	}{
		{"CountAttempt", "attempts are counted until the challenge expires", ending{challenge: twoDays}, attempt},
		{"CountAttempt", "attempts are counted until the session ends", ending{session: twoDays}, attempt},
		{"PassChallenge", "a challenge is passed until it expires", ending{challenge: twoDays}, pass},
		{"PassChallenge", "a challenge is passed until its session ends", ending{session: twoDays}, pass},
		{"PassChallenge", "a challenge is passed until its hold expires", ending{hold: twoDays}, pass},
		{"PassChallenge", "a code passes until it expires", ending{code: twoDays}, code},
		{"ReserveSend", "a code is sent until the challenge expires", ending{challenge: twoDays}, send},
		{"ReserveSend", "a code is sent until the session ends", ending{session: twoDays}, send},
	} {
		all = append(all, expiryTest{x.method, x.name, true, answerUntil(x.ends, x.answer)})
	}
	return all
}
