package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func enrollingTests() []test {
	return []test{
		{"after a factor was added the login goes on, once", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginEnrolling("ada")
			p := f.goesOn(b, account.KindTOTP)
			p.Learn = adds("x")
			f.wants(second(f.s.PassEnrolment(f.ctx, p, f.now)), store.ErrNotFound)
			f.enrollingStill(b, p)
			f.change(addIn(b, f.totp("totp-2")))
			hold, err := f.s.PassEnrolment(f.ctx, p, f.now)
			f.must(err)
			same(t, hold, *b.Hold)
			same(t, f.session(p.Next.ID), p.Next)
			f.history(instance, "ada", "x")
			if v, c := f.session(b.Session.ID), f.challenge(b.Challenge.ID); v.State != account.StatePassed || c.State != account.ChallengePassed {
				t.Errorf("the session is %s and the challenge %s", v.State, c.State)
			}
			again := f.goesOn(b, account.KindTOTP)
			f.wants(second(f.s.PassEnrolment(f.ctx, again, f.now)), store.ErrSpent)
			f.noSession(again.Next.ID, f.now)
		}},
		{"a factor that is gone again lets nobody in", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginEnrolling("ada")
			f.change(addIn(b, f.totp("totp-2")))
			f.change(edit("ada", removesFactor("totp-2")))
			p := f.goesOn(b, account.KindTOTP)
			f.wants(second(f.s.PassEnrolment(f.ctx, p, f.now)), store.ErrNotFound)
			f.noSession(p.Next.ID, f.now)
		}},
		{"it is put off where that is allowed and nothing was added, and not else", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			must := f.beginEnrolling("ada")
			p := f.goesOn(must, "")
			f.wants(second(f.s.PassEnrolment(f.ctx, p, f.now)), store.ErrNotFound)
			f.enrollingStill(must, p)

			f.must(f.s.PutAccounts(f.ctx, []account.Account{{Instance: instance, ID: "nora"}}))
			may := f.enrolling("nora")
			may.Challenge.MayPutOff = true
			f.must(f.s.BeginSession(f.ctx, may, f.now))
			p = f.goesOn(may, "")
			_, err := f.s.PassEnrolment(f.ctx, p, f.now)
			f.must(err)
			same(t, f.session(p.Next.ID), p.Next)

			added := f.enrolling("nora")
			added.Challenge.MayPutOff = true
			f.must(f.s.BeginSession(f.ctx, added, f.now))
			f.change(addIn(added, f.totp("totp-2")))
			f.wants(second(f.s.PassEnrolment(f.ctx, f.goesOn(added, ""), f.now)), store.ErrNotFound)

			// An import, or another browser, has added one.
			has := f.enrolling("ada")
			has.Challenge.MayPutOff = true
			f.must(f.s.BeginSession(f.ctx, has, f.now))
			f.wants(second(f.s.PassEnrolment(f.ctx, f.goesOn(has, ""), f.now)), store.ErrNotFound)
		}},
		{"the session that follows has the kind of the factor, and none where it was put off", func(t *testing.T, f *fixture) {
			f.must(f.s.PutAccounts(f.ctx, []account.Account{{Instance: instance, ID: "nora"}}))
			b := f.enrolling("nora")
			b.Challenge.MayPutOff = true
			f.must(f.s.BeginSession(f.ctx, b, f.now))
			p := f.goesOn(b, "")
			p.Next.Factor = account.KindTOTP
			f.wants(second(f.s.PassEnrolment(f.ctx, p, f.now)), errRefused)
			f.change(addIn(b, f.totp("totp-2")))
			for _, kind := range []account.Kind{account.KindPhone, account.KindRecovery} {
				f.wants(second(f.s.PassEnrolment(f.ctx, f.goesOn(b, kind), f.now)), errRefused)
			}
			p = f.goesOn(b, account.KindTOTP)
			p.Next.Account = "bob"
			f.wants(second(f.s.PassEnrolment(f.ctx, p, f.now)), errRefused)
			p = f.goesOn(b, account.KindTOTP)
			p.Next.State = account.StatePending
			f.wants(second(f.s.PassEnrolment(f.ctx, p, f.now)), errRefused)
			f.enrollingStill(b, p)
		}},
		{"a challenge that is another session's, of a login, cancelled or suspended does not go on", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			added := func() store.Begin {
				b := f.beginEnrolling("ada")
				f.change(addIn(b, f.totp(newID())))
				return b
			}
			login, b, other := f.beginPending("ada"), added(), f.beginEnrolling("ada")
			f.wants(second(f.s.PassEnrolment(f.ctx, f.goesOn(login, account.KindTOTP), f.now)), store.ErrNotFound)
			p := f.goesOn(b, account.KindTOTP)
			p.Session = other.Session.ID
			f.wants(second(f.s.PassEnrolment(f.ctx, p, f.now)), store.ErrNotFound)
			cancelled, suspended := added(), added()
			f.must(f.s.CancelSession(f.ctx, cancelled.Session.ID))
			f.suspend(suspended.Session.ID)
			for _, b := range []store.Begin{cancelled, suspended} {
				f.wants(second(f.s.PassEnrolment(f.ctx, f.goesOn(b, account.KindTOTP), f.now)), store.ErrNotFound)
			}
			v := f.beginVerified("ada")
			p = f.goesOn(b, account.KindTOTP)
			p.Next.ID = v.ID
			f.wants(second(f.s.PassEnrolment(f.ctx, p, f.now)), store.ErrConflict)
			f.must(second(f.s.PassEnrolment(f.ctx, f.goesOn(b, account.KindTOTP), f.now)))
			// Another session is not even told that it was passed.
			p = f.goesOn(b, account.KindTOTP)
			p.Session = other.Session.ID
			f.wants(second(f.s.PassEnrolment(f.ctx, p, f.now)), store.ErrNotFound)
		}},
		{"no code answers the challenge of an enrolment, and none is sent for it", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginEnrolling("ada")
			for _, passed := range []bool{false, true} {
				if passed {
					f.change(addIn(b, f.totp("totp-2")))
					f.must(second(f.s.PassEnrolment(f.ctx, f.goesOn(b, account.KindTOTP), f.now)))
				}
				f.wants(second(f.s.CountAttempt(f.ctx, attemptOf(b, totpID), f.now)), store.ErrNotFound)
				f.wants(second(f.s.ReserveSend(f.ctx, f.sendOf(b, "111111"), f.now)), store.ErrNotFound)
				p := f.passOf(b, 100)
				f.wants(second(f.s.PassChallenge(f.ctx, p, f.now)), store.ErrNotFound)
				f.noSession(p.Next.ID, f.now)
			}
		}},
		{"a challenge of an enrolment begins without factors, and none with one that was added", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for _, spoil := range []func(*store.Begin){
				func(b *store.Begin) { b.Challenge.Factors = []string{totpID} },
				func(b *store.Begin) { b.Challenge.Enrolled = totpID },
				func(b *store.Begin) { b.Challenge.Purpose, b.Challenge.Enrolled = account.PurposeLogin, totpID },
			} {
				b := f.enrolling("ada")
				spoil(&b)
				f.wants(f.s.BeginSession(f.ctx, b, f.now), errRefused)
				f.notBegun(b)
			}
		}},
	}
}

// enrollingStill checks that a login waits for an enrolment as it did.
func (f *fixture) enrollingStill(b store.Begin, p store.PassEnrolment) {
	f.t.Helper()
	same(f.t, f.session(b.Session.ID), b.Session)
	if c := f.challenge(b.Challenge.ID); c.State != account.ChallengeOpen {
		f.t.Errorf("the challenge is %s, want it open", c.State)
	}
	f.noSession(p.Next.ID, f.now)
}

func confirmTests() []test {
	return []test{
		{"a right code confirms who the user is, and is spent alone", func(t *testing.T, f *fixture) {
			for i, typed := range [][2]string{{"invited", "wrong"}, {"wrong", "mailed"}} {
				acc := []string{"ada", "bob"}[i]
				f.invited(acc)
				b := f.beginEnrolling(acc)
				same(t, f.confirm(confirmIn(b, typed[0], typed[1])), store.Confirmed{Right: true})
				if !f.challenge(b.Challenge.ID).Confirmed {
					t.Error("it is not confirmed")
				}
				a := f.account(acc)
				if (a.Invitation == nil) != (i == 0) || (a.MailCode == nil) != (i == 1) {
					t.Errorf("the wrong code was spent: %+v, %+v", a.Invitation, a.MailCode)
				}
				// Another login needs another code.
				other := f.beginEnrolling(acc)
				if got := f.confirm(confirmIn(other, typed[0], typed[1])); got.Right {
					t.Error("a code was right twice")
				}
			}
		}},
		{"each try counts against both, and after the last of them there is none", func(t *testing.T, f *fixture) {
			f.invited("ada")
			b := f.beginEnrolling("ada")
			c := confirmIn(b, "mailed", "invited")
			for left := 2; left >= 0; left-- {
				same(t, f.confirm(c), store.Confirmed{Left: left})
			}
			same(t, f.confirm(confirmIn(b, "invited", "mailed")), store.Confirmed{None: true})
			if a := f.account("ada"); a.Invitation.Tries != 3 || a.MailCode.Tries != 3 {
				t.Errorf("%d and %d tries are counted", a.Invitation.Tries, a.MailCode.Tries)
			}
			if f.challenge(b.Challenge.ID).Confirmed {
				t.Error("it is confirmed")
			}
		}},
		{"without an invitation, or an account, there is none", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for _, acc := range []string{"ada", "nobody"} {
				same(t, f.confirm(confirmIn(f.beginEnrolling(acc), "invited", "mailed")), store.Confirmed{None: true})
			}
			f.change(edit("ada", func(a *account.Account) error {
				a.Invitation = &account.Invitation{Expires: f.now.Add(time.Hour)}
				return nil
			}))
			c := confirmIn(f.beginEnrolling("ada"), "", "")
			c.Codes = &[2][32]byte{}
			same(t, f.confirm(c), store.Confirmed{None: true})
		}},
		{"something else confirms it without a code, and then nothing is counted", func(t *testing.T, f *fixture) {
			f.invited("ada")
			b := f.beginEnrolling("ada")
			c := confirmIn(b, "wrong", "wrong")
			c.Codes = nil
			same(t, f.confirm(c), store.Confirmed{Right: true})
			same(t, f.confirm(confirmIn(b, "wrong", "wrong")), store.Confirmed{Right: true})
			if a := f.account("ada"); a.Invitation.Tries != 0 {
				t.Errorf("%d tries are counted", a.Invitation.Tries)
			}
		}},
		{"in a verified session the route becomes fresh, and its id stays", func(t *testing.T, f *fixture) {
			f.invited("ada")
			v := f.beginVerified("ada")
			c := confirmIn(store.Begin{Session: v, Challenge: &account.Challenge{}}, "wrong", "wrong")
			same(t, f.confirm(c), store.Confirmed{Left: 2})
			same(t, f.session(v.ID), v)
			c.Codes[1] = hashOf("mailed")
			same(t, f.confirm(c), store.Confirmed{Right: true})
			steps := f.steps(v.ID)
			if at := steps.FreshAt(account.RouteConfirmed); !at.Equal(f.now) {
				t.Errorf("it was confirmed at %s", at)
			}
			same(t, f.confirm(c), store.Confirmed{Left: 0})
		}},
		{"in a session that may not, it is not confirmed, and no try is counted", func(t *testing.T, f *fixture) {
			f.invited("ada")
			login, b, other := f.beginPending("ada"), f.beginEnrolling("ada"), f.beginEnrolling("ada")
			foreign := confirmIn(b, "invited", "mailed")
			foreign.Session = other.Session.ID
			pending := confirmIn(b, "invited", "mailed")
			pending.Challenge = ""
			for _, c := range []store.Confirm{confirmIn(login, "invited", "mailed"), foreign, pending} {
				f.wants(second(f.s.ConfirmEnrolment(f.ctx, c, f.now)), store.ErrNotFound)
			}
			for _, spoil := range notUsable() {
				v := f.beginVerified("ada")
				now := spoil(f, v)
				f.wants(second(f.s.ConfirmEnrolment(f.ctx, confirmIn(store.Begin{Session: v, Challenge: &account.Challenge{}}, "invited", "mailed"), now)), store.ErrNotFound)
			}
			f.change(addIn(b, f.totp("totp-2")))
			f.must(second(f.s.PassEnrolment(f.ctx, f.goesOn(b, account.KindTOTP), f.now)))
			f.wants(second(f.s.ConfirmEnrolment(f.ctx, confirmIn(b, "invited", "mailed"), f.now)), store.ErrSpent)
			if a := f.account("ada"); a.Invitation.Tries != 0 || a.MailCode.Tries != 0 {
				t.Errorf("tries are counted: %+v, %+v", a.Invitation, a.MailCode)
			}
		}},
	}
}

// invited enrols somebody who has an invitation and a mail code.
func (f *fixture) invited(acc string) {
	f.t.Helper()
	f.enrol(acc)
	f.change(edit(acc, func(a *account.Account) error {
		a.Invitation = &account.Invitation{Hash: hashOf("invited"), At: f.now, Expires: f.now.Add(time.Hour)}
		a.MailCode = &account.Invitation{Hash: hashOf("mailed"), At: f.now, Expires: f.now.Add(time.Hour)}
		return nil
	}))
}

// confirmIn asks to confirm with what was typed, as an invitation and as a mail
// code.
func confirmIn(b store.Begin, invited, mailed string) store.Confirm {
	return store.Confirm{
		Challenge: b.Challenge.ID, Session: b.Session.ID, Codes: &[2][32]byte{hashOf(invited), hashOf(mailed)}, PerCode: 3,
	}
}

func (f *fixture) confirm(c store.Confirm) store.Confirmed {
	f.t.Helper()
	got, err := f.s.ConfirmEnrolment(f.ctx, c, f.now)
	f.must(err)
	return got
}
