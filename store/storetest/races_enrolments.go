package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// enrolmentRaces are races for an enrolment, and for what confirms one.
func enrolmentRaces() []raceTest {
	return []raceTest{
		{"PassEnrolment", "a login goes on once", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginEnrolling("ada")
			f.change(addIn(b, f.totp("totp-2")))
			oneWins(t, race(func(int) error {
				return second(f.s.PassEnrolment(f.ctx, f.goesOn(b, account.KindTOTP), f.now))
			}), store.ErrSpent)
			left, err := f.s.SessionsOf(f.ctx, instance, "ada", f.now)
			f.must(err)
			if len(left) != 1 {
				t.Errorf("%d sessions are there, want one", len(left))
			}
		}},
		{"PassEnrolment ChangeAccount", "what is put off had no factor added", func(t *testing.T, f *fixture) {
			for i := range 8 {
				acc := fmt.Sprint("user-", i)
				f.must(f.s.PutAccounts(f.ctx, []account.Account{{Instance: instance, ID: acc}}))
				b := f.enrolling(acc)
				b.Challenge.MayPutOff = true
				f.must(f.s.BeginSession(f.ctx, b, f.now))
				errs := race(func(i int) error {
					if i%2 == 0 {
						return second(f.s.PassEnrolment(f.ctx, f.goesOn(b, ""), f.now))
					}
					return second(f.s.ChangeAccount(f.ctx, addIn(b, f.totp("totp-2")), f.now))
				})
				put, added := 0, 0
				for i, err := range errs {
					if f.won(err, store.ErrNotFound, store.ErrSpent) && i%2 == 0 {
						put++
					} else if err == nil {
						added++
					}
				}
				if n := len(f.factorIDs(acc)); put+added != 1 || n != added {
					t.Errorf("it was put off %d times and %d factors were added, %d are there", put, added, n)
				}
			}
		}},
		{"ConfirmEnrolment", "one code confirms one login, of many that come with it", func(t *testing.T, f *fixture) {
			f.invited("ada")
			open := make([]store.Begin, racers)
			for i := range open {
				open[i] = f.beginEnrolling("ada")
			}
			right := 0
			for _, got := range race(func(i int) store.Confirmed {
				c := confirmIn(open[i], "invited", "wrong")
				c.PerCode = 1000
				got, err := f.s.ConfirmEnrolment(f.ctx, c, f.now)
				f.won(err)
				return got
			}) {
				if got.Right {
					right++
				}
			}
			confirmed := 0
			for _, b := range open {
				if f.challenge(b.Challenge.ID).Confirmed {
					confirmed++
				}
			}
			if right != 1 || confirmed != 1 {
				t.Errorf("the code was right %d times, and %d logins are confirmed", right, confirmed)
			}
		}},
		{"ConfirmEnrolment", "no more codes are tried than one invitation has tries", func(t *testing.T, f *fixture) {
			f.invited("ada")
			b := f.beginEnrolling("ada")
			tried := 0
			for _, got := range race(func(int) store.Confirmed {
				got, err := f.s.ConfirmEnrolment(f.ctx, confirmIn(b, "wrong", "wrong"), f.now)
				f.won(err)
				return got
			}) {
				if !got.None {
					tried++
				}
			}
			if tried != 3 {
				t.Errorf("%d codes were tried, want 3", tried)
			}
		}},
		{"TryEnrolment", "no more codes are counted than an enrolment has tries", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			phone := f.beginEnrolment(f.verified("ada"), f.phone("phone-2"))
			f.sentTo(phone, "111111", f.now)
			for _, e := range []account.Enrolment{phone, f.beginEnrolment(f.verified("ada"), f.totp("totp-2"))} {
				counted := 0
				for _, r := range race(func(int) store.AttemptResult {
					r, err := f.s.TryEnrolment(f.ctx, e.ID, e.Standing, 5, f.now)
					f.won(err)
					return r
				}) {
					if r.Counted {
						counted++
					}
				}
				if counted != 5 {
					t.Errorf("%d codes were counted, want 5", counted)
				}
			}
		}},
		{"ReserveEnrolmentSend", "one enrolment sends one code, and an account no more than its texts of a day", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("bob")
			one := f.beginEnrolment(f.verified("ada"), f.phone("phone-2"))
			f.sendsOf(1, func(int) account.Enrolment { return one })
			many := make([]account.Enrolment, racers)
			for i := range many {
				many[i] = f.beginEnrolment(f.verified("bob"), f.phone("phone-2"))
			}
			f.sendsOf(account.MaxTexts, func(i int) account.Enrolment { return many[i] })
		}},
		{"RecordEnrolmentSend TryEnrolment", "noting a sending loses no try", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			e := f.beginEnrolment(f.verified("ada"), f.phone("phone-2"))
			f.sentTo(e, "111111", f.now)
			f.allWin(race(func(i int) error {
				if i%2 == 0 {
					return f.s.RecordEnrolmentSend(f.ctx, e.ID, 1, account.SendTaken)
				}
				return second(f.s.TryEnrolment(f.ctx, e.ID, e.Standing, 1000, f.now))
			}))
			if c := f.enrolment(e).Code; c.Tries != racers/2 || c.Status != account.SendTaken {
				t.Errorf("%d tries are counted and the sending is %s", c.Tries, c.Status)
			}
		}},
		{"BeginEnrolment", "an id is one enrolment's, and a session has one", func(t *testing.T, f *fixture) {
			id := newID()
			oneWins(t, race(func(int) error {
				e := f.newEnrolment(f.verified("ada"), f.totp(totpID))
				e.ID = id
				return f.s.BeginEnrolment(f.ctx, e, f.now)
			}), store.ErrConflict)
			v := f.verified("ada")
			all := race(func(int) account.Enrolment {
				e := f.newEnrolment(v, f.totp(totpID))
				f.won(f.s.BeginEnrolment(f.ctx, e, f.now))
				return e
			})
			there := 0
			for _, e := range all {
				if _, err := f.s.Enrolment(f.ctx, e.ID, e.Standing, f.now); f.is(err, store.ErrNotFound) {
					there++
				}
			}
			if there != 1 {
				t.Errorf("%d enrolments of one session are there", there)
			}
		}},
		{"DropEnrolment ChangeAccount", "an enrolment is dropped or spent", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			e := f.beginEnrolment(v, f.totp("totp-2"))
			errs := race(func(i int) error {
				if i%2 == 0 {
					return f.s.DropEnrolment(f.ctx, instance, v.Standing)
				}
				c := editIn(v, addsFactor(e.Factor))
				c.Enrolment = finish(e, "")
				return second(f.s.ChangeAccount(f.ctx, c, f.now))
			})
			added := 0
			for i, err := range errs {
				if f.won(err, store.ErrNotFound) && i%2 == 1 {
					added++
				}
			}
			if n := len(f.factorIDs("ada")) - 2; n != added || added > 1 {
				t.Errorf("it was spent %d times, and %d factors were added", added, n)
			}
			f.noEnrolment(e)
		}},
		{"EndSession ChangeAccount", "a session that has ended adds nothing", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			e := f.beginEnrolment(v, f.totp("totp-2"))
			errs := race(func(i int) error {
				if i == racers/2 {
					return f.s.EndSession(f.ctx, v.ID)
				}
				c := editIn(v, addsFactor(e.Factor))
				c.Enrolment = finish(e, "")
				return second(f.s.ChangeAccount(f.ctx, c, f.now))
			})
			for _, err := range errs {
				f.won(err, store.ErrNotFound)
			}
			f.noSession(v.ID, f.now)
			f.noEnrolment(e)
			c := editIn(v, addsFactor(f.totp("totp-3")))
			f.notChanged(c, store.ErrNotFound)
		}},
		{"PassChallenge", "one recovery code passes once, in however many logins", func(t *testing.T, f *fixture) {
			f.withRecovery("ada", "1", "2")
			open := make([]store.Begin, racers)
			for i := range open {
				open[i] = f.recovering("ada")
			}
			f.onePasses(store.ErrSpent, func(i int) store.Pass { return f.recoveryOf(open[i], "1") })
			if n := len(f.factor("ada", recoveryID).Recovery.Hashes); n != 1 {
				t.Errorf("%d codes are left, want one", n)
			}
		}},
	}
}

// sendsOf asks for codes at once, of which so many are to be sent.
func (f *fixture) sendsOf(want int, of func(i int) account.Enrolment) {
	f.t.Helper()
	sent := 0
	for _, r := range race(func(i int) store.SendResult {
		s := f.enrolmentSend(of(i), "111111")
		s.Waits = []time.Duration{time.Minute}
		r, err := f.s.ReserveEnrolmentSend(f.ctx, s, f.now)
		f.won(err)
		return r
	}) {
		if r.Send {
			sent++
		}
	}
	if sent != want {
		f.t.Errorf("%d codes were sent, want %d", sent, want)
	}
}

// outboxRaces are races for notices.
func outboxRaces() []raceTest {
	return []raceTest{
		{"PutNotices", "a notice of one id is put once", func(t *testing.T, f *fixture) {
			f.allWin(race(func(i int) error {
				return f.s.PutNotices(f.ctx, []account.Notice{f.newNotice("one", "ada"), f.newNotice(fmt.Sprint(i), "ada")})
			}))
			f.waits(racers + 1)
		}},
		{"TakeNotices", "of many who take each notice is given to one", func(t *testing.T, f *fixture) {
			for i := range 3 * racers {
				f.must(f.s.PutNotices(f.ctx, []account.Notice{f.newNotice(fmt.Sprint(i), "ada")}))
			}
			taken := make(map[string]int)
			for _, list := range race(func(int) []account.Notice {
				list, err := f.s.TakeNotices(f.ctx, 4, lease, f.now)
				f.won(err)
				return list
			}) {
				for _, n := range list {
					taken[n.ID]++
				}
			}
			for id, n := range taken {
				if n != 1 {
					t.Errorf("the notice %s was given %d times", id, n)
				}
			}
			if len(taken) != 3*racers {
				t.Errorf("%d notices were given, want %d", len(taken), 3*racers)
			}
		}},
		{"SettleNotice TakeNotices", "a notice that is settled is gone, whoever takes it meanwhile", func(t *testing.T, f *fixture) {
			f.must(f.s.PutNotices(f.ctx, []account.Notice{f.newNotice("one", "ada")}))
			f.allWin(race(func(i int) error {
				if i%2 == 0 {
					return f.s.SettleNotice(f.ctx, "one", time.Time{})
				}
				return second(f.s.TakeNotices(f.ctx, 4, time.Nanosecond, f.now.Add(time.Duration(i)*time.Second)))
			}))
			f.waits(0)
			same(t, f.take(4, f.now.Add(time.Hour)), []string{})
		}},
		{"CountAttempt PassChallenge", "of failed codes nobody is told who got one right", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			n := f.newNotice(store.FailedNotice(b.Challenge.ID), "ada")
			errs := race(func(i int) error {
				if i == racers/2 {
					return second(f.s.PassChallenge(f.ctx, f.passOf(b, 100), f.now))
				}
				a := attemptOf(b, totpID)
				a.PerCode, a.InARow, a.Failed = 1000, 1000, &n
				return second(f.s.CountAttempt(f.ctx, a, f.now))
			})
			for _, err := range errs {
				f.won(err, store.ErrSpent)
			}
			f.waits(0)
		}},
	}
}
