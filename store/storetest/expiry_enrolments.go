package storetest

import (
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// enrolmentUntil is an enrolment that ends, with a code that may end earlier,
// in a session that lives for long.
func (f *fixture) enrolmentUntil(fa account.Factor, ends, code time.Duration) (account.Session, account.Enrolment) {
	f.t.Helper()
	acc := newID()
	f.enrol(acc)
	v := f.verified(acc)
	v.IdleFor, v.Expires = 0, f.now.Add(500*24*time.Hour)
	f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
	e := f.newEnrolment(v, fa)
	e.Expires = f.now.Add(ends)
	f.must(f.s.BeginEnrolment(f.ctx, e, f.now))
	if code > 0 {
		s := f.enrolmentSend(e, "111111")
		s.New.Expires = f.now.Add(code)
		r, err := f.s.ReserveEnrolmentSend(f.ctx, s, f.now)
		f.must(err)
		if !r.Send {
			f.t.Fatalf("the code is not to be sent: %+v", r)
		}
	}
	return v, e
}

func (f *fixture) lookAtEnrolment(e account.Enrolment) func(time.Time) {
	return func(now time.Time) {
		_, err := f.s.Enrolment(f.ctx, e.ID, e.Standing, now)
		f.is(err, store.ErrNotFound)
	}
}

// long outlives every clock of these tests.
const long = 500 * 24 * time.Hour

// enrollingUntil is a login that waits for an enrolment, with a factor added, of
// which one part ends.
func (f *fixture) enrollingUntil(e ending) (store.Begin, func(time.Time)) {
	f.t.Helper()
	acc := newID()
	f.enrol(acc)
	b := f.enrolling(acc)
	for _, end := range []struct {
		at    *time.Time
		after time.Duration
	}{{&b.Session.Expires, e.session}, {&b.Challenge.Expires, e.challenge}, {&b.Hold.Expires, e.hold}} {
		if end.after == 0 {
			end.after = long
		}
		*end.at = f.now.Add(end.after)
	}
	f.must(f.s.BeginSession(f.ctx, b, f.now))
	return b, func(now time.Time) {
		f.lookAtSession(b.Session.ID)(now)
		_, err := f.s.Challenge(f.ctx, b.Challenge.ID, now)
		f.is(err, store.ErrNotFound)
	}
}

// askedUntil is a case that asks for something which answers ErrNotFound once it is
// over.
func (f *fixture) askedUntil(ends time.Duration, ask func(now time.Time) error, look func(time.Time)) thing {
	return thing{f.now.Add(ends), func(now time.Time) bool { return f.is(ask(now), store.ErrNotFound) }, look}
}

func enrolmentExpiries() []expiryTest {
	return []expiryTest{
		{"Enrolment", "an enrolment is there until it expires", false, func(f *fixture) thing {
			_, e := f.enrolmentUntil(f.totp("totp-2"), twoDays, 0)
			return f.askedUntil(twoDays, func(now time.Time) error {
				return second(f.s.Enrolment(f.ctx, e.ID, e.Standing, now))
			}, nil)
		}},
		{"BeginEnrolment", "an enrolment of that id is in the way until it expires", true, func(f *fixture) thing {
			_, e := f.enrolmentUntil(f.totp("totp-2"), twoDays, 0)
			again := f.newEnrolment(f.verified("ada"), f.totp("totp-2"))
			again.ID, again.Expires = e.ID, f.now.Add(long)
			return thing{e.Expires, func(now time.Time) bool {
				return !f.is(f.s.BeginEnrolment(f.ctx, again, now), store.ErrConflict)
			}, f.lookAtEnrolment(e)}
		}},
		{"TryEnrolment", "an enrolment is tried until it expires", true, func(f *fixture) thing {
			_, e := f.enrolmentUntil(f.totp("totp-2"), twoDays, 0)
			return f.askedUntil(twoDays, func(now time.Time) error {
				return second(f.s.TryEnrolment(f.ctx, e.ID, e.Standing, 5, now))
			}, f.lookAtEnrolment(e))
		}},
		{"TryEnrolment", "there is a code to try until it expires", true, func(f *fixture) thing {
			_, e := f.enrolmentUntil(f.phone("phone-2"), long, twoDays)
			return thing{f.now.Add(twoDays), func(now time.Time) bool {
				r, err := f.s.TryEnrolment(f.ctx, e.ID, e.Standing, 5, now)
				f.must(err)
				return r.Counted
			}, f.lookAtEnrolment(e)}
		}},
		{"ReserveEnrolmentSend", "a code is sent until the enrolment expires", true, func(f *fixture) thing {
			_, e := f.enrolmentUntil(f.phone("phone-2"), twoDays, 0)
			s := f.enrolmentSend(e, "111111")
			s.New.Expires = f.now.Add(long)
			return f.askedUntil(twoDays, func(now time.Time) error {
				return second(f.s.ReserveEnrolmentSend(f.ctx, s, now))
			}, f.lookAtEnrolment(e))
		}},
		{"ReserveEnrolmentSend", "the texts of an account count for a day", true, func(f *fixture) thing {
			_, e := f.enrolmentUntil(f.phone("phone-2"), long, 0)
			first := f.now.Add(time.Hour)
			f.change(edit(e.Account, func(a *account.Account) error {
				a.Texts = slices.Repeat([]time.Time{first}, account.MaxTexts)
				return nil
			}))
			s := f.enrolmentSend(e, "111111")
			s.New.Expires = f.now.Add(long)
			return thing{first.Add(account.TextsFor), func(now time.Time) bool {
				r, err := f.s.ReserveEnrolmentSend(f.ctx, s, now)
				f.must(err)
				return !r.Send
			}, f.lookAtEnrolment(e)}
		}},
		{"ChangeAccount", "a factor is added until the enrolment expires", true, func(f *fixture) thing {
			v, e := f.enrolmentUntil(f.totp("totp-2"), twoDays, 0)
			return f.askedUntil(twoDays, func(now time.Time) error { return f.finishes(v, e, now) }, f.lookAtEnrolment(e))
		}},
		{"ChangeAccount", "a phone is added until its code expires", true, func(f *fixture) thing {
			v, e := f.enrolmentUntil(f.phone("phone-2"), long, twoDays)
			return f.askedUntil(twoDays, func(now time.Time) error { return f.finishes(v, e, now) }, f.lookAtEnrolment(e))
		}},
		{"ChangeAccount", "a verified session changes its account until it is over", true, func(f *fixture) thing {
			v := f.verified("ada")
			v.IdleFor, v.Expires = 0, f.now.Add(twoDays)
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
			return f.askedUntil(twoDays, func(now time.Time) error {
				return second(f.s.ChangeAccount(f.ctx, editIn(v, setsGroup("staff")), now))
			}, f.lookAtSession(v.ID))
		}},
		{"SessionsOf", "a session is listed until it is over", false, func(f *fixture) thing {
			v := f.verified("ada")
			v.IdleFor, v.Expires = 0, f.now.Add(twoDays)
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
			return thing{v.Expires, func(now time.Time) bool {
				list, err := f.s.SessionsOf(f.ctx, instance, "ada", now)
				f.must(err)
				return slices.ContainsFunc(list, func(s account.Session) bool { return s.ID == v.ID })
			}, nil}
		}},
	}
}

// finishes adds the factor of an enrolment.
func (f *fixture) finishes(v account.Session, e account.Enrolment, now time.Time) error {
	c := editIn(v, addsFactor(e.Factor))
	c.Enrolment = finish(e, "111111")
	return second(f.s.ChangeAccount(f.ctx, c, now))
}

func enrollingExpiries() []expiryTest {
	var all []expiryTest
	for name, e := range map[string]ending{
		"the session is over": {session: twoDays}, "the challenge expires": {challenge: twoDays},
	} {
		all = append(all,
			expiryTest{"ChangeAccount", "a login adds a factor until " + name, true, func(f *fixture) thing {
				b, look := f.enrollingUntil(e)
				return f.askedUntil(twoDays, func(now time.Time) error {
					return second(f.s.ChangeAccount(f.ctx, addIn(b, f.totp("totp-2")), now))
				}, look)
			}},
			expiryTest{"ConfirmEnrolment", "it is confirmed who the user is until " + name, true, func(f *fixture) thing {
				b, look := f.enrollingUntil(e)
				c := confirmIn(b, "", "")
				c.Codes = nil
				return f.askedUntil(twoDays, func(now time.Time) error {
					return second(f.s.ConfirmEnrolment(f.ctx, c, now))
				}, look)
			}})
	}
	for name, e := range map[string]ending{
		"the session is over": {session: twoDays}, "the challenge expires": {challenge: twoDays}, "the hold expires": {hold: twoDays},
	} {
		all = append(all, expiryTest{"PassEnrolment", "a login goes on until " + name, true, func(f *fixture) thing {
			b, look := f.enrollingUntil(e)
			f.change(addIn(b, f.totp("totp-2")))
			p := f.goesOn(b, account.KindTOTP)
			p.Next.Expires = f.now.Add(long)
			return f.askedUntil(twoDays, func(now time.Time) error {
				return second(f.s.PassEnrolment(f.ctx, p, now))
			}, look)
		}})
	}
	return append(all, expiryTest{"ConfirmEnrolment", "an invitation is right until it expires", true, func(f *fixture) thing {
		b, look := f.enrollingUntil(ending{})
		f.change(edit(b.Session.Account, func(a *account.Account) error {
			a.Invitation = &account.Invitation{Hash: hashOf("invited"), At: f.now, Expires: f.now.Add(twoDays)}
			return nil
		}))
		return thing{f.now.Add(twoDays), func(now time.Time) bool {
			got, err := f.s.ConfirmEnrolment(f.ctx, confirmIn(b, "invited", ""), now)
			f.must(err)
			if got.Right == got.None {
				f.t.Errorf("got %+v", got)
			}
			return got.Right
		}, look}
	}})
}

func outboxExpiries() []expiryTest {
	put := func(f *fixture) account.Notice {
		n := f.newNotice(newID(), "ada")
		n.Expires = f.now.Add(twoDays)
		f.must(f.s.PutNotices(f.ctx, []account.Notice{n}))
		return n
	}
	return []expiryTest{
		{"TakeNotices", "a notice is taken until it expires", true, func(f *fixture) thing {
			n := put(f)
			return thing{n.Expires, func(now time.Time) bool { return slices.Contains(f.take(100, now), n.ID) }, func(now time.Time) {
				_, _, err := f.s.Waiting(f.ctx, now)
				f.must(err)
			}}
		}},
		{"Waiting", "a notice waits until it expires", false, func(f *fixture) thing {
			n := put(f)
			return thing{n.Expires, func(now time.Time) bool {
				count, _, err := f.s.Waiting(f.ctx, now)
				f.must(err)
				return count == 1
			}, nil}
		}},
	}
}
