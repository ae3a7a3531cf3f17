package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func engineTests() []test {
	return []test{
		{"the epoch of an empty store is now, and stays", func(t *testing.T, f *fixture) {
			a, err := f.s.Epoch(f.ctx)
			f.must(err)
			if d := a.Sub(f.now); d < -time.Minute || d > time.Minute {
				t.Errorf("the epoch is %s from now", d)
			}
			b, err := f.s.Epoch(f.ctx)
			f.must(err)
			if !a.Equal(b) {
				t.Errorf("the epoch was %s and is %s", a, b)
			}
		}},
		{"a call whose context is over returns its error and changes nothing", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			v := f.beginVerified("ada")
			f.calls(b, v, func(name string, call func(ctx context.Context) error) {
				ctx, cancel := context.WithCancel(f.ctx)
				cancel()
				if err := call(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: got error %v, want the context's", name, err)
				}
			})
			same(t, f.session(b.Session.ID), b.Session)
			same(t, f.session(v.ID), v)
			same(t, f.challenge(b.Challenge.ID), b.Challenge)
			same(t, f.list(""), []string{"crm/ada"})
		}},
		{"a store that was closed opens nothing, and can be closed again", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			v := f.beginVerified("ada")
			f.must(f.s.Close())
			f.calls(b, v, func(name string, call func(ctx context.Context) error) {
				if err := call(f.ctx); err == nil && name != "Epoch" || isAnswer(err) {
					t.Errorf("%s: got %v, want an error that is not an answer", name, err)
				}
			})
			f.must(f.s.Close())
		}},
	}
}

// calls calls every method once.
func (f *fixture) calls(b store.Begin, v account.Session, do func(name string, call func(ctx context.Context) error)) {
	key, login := newLine(), newLoginID()
	until := f.now.Add(time.Hour)
	s := f.s
	do("Epoch", func(ctx context.Context) error { _, err := s.Epoch(ctx); return err })
	do("Account", func(ctx context.Context) error { _, err := s.Account(ctx, instance, "ada"); return err })
	do("ListAccounts", func(ctx context.Context) error {
		for _, err := range s.ListAccounts(ctx, "") {
			return err
		}
		return nil
	})
	do("PutAccounts", func(ctx context.Context) error {
		return s.PutAccounts(ctx, []account.Account{f.newAccount("new")})
	})
	do("LockLine", func(ctx context.Context) error { _, err := s.LockLine(ctx, key, login, f.now, until); return err })
	do("LiftLine", func(ctx context.Context) error { return s.LiftLine(ctx, key, login, f.now) })
	do("StandLine", func(ctx context.Context) error { return s.StandLine(ctx, key, f.now, until) })
	do("LineState", func(ctx context.Context) error { _, err := s.LineState(ctx, key, f.now); return err })
	do("Session", func(ctx context.Context) error { _, err := s.Session(ctx, v.ID, f.now); return err })
	do("SuspendSession", func(ctx context.Context) error { _, err := s.SuspendSession(ctx, v.ID, login, f.now); return err })
	do("BindToken", func(ctx context.Context) error { return s.BindToken(ctx, v.ID, account.Fingerprint{1}, f.now) })
	do("ResumeSession", func(ctx context.Context) error { return s.ResumeSession(ctx, v.ID, login, f.now) })
	do("EndSession", func(ctx context.Context) error { return s.EndSession(ctx, v.ID) })
	do("EndSessions", func(ctx context.Context) error { _, err := s.EndSessions(ctx, instance, "ada"); return err })
	do("CancelSession", func(ctx context.Context) error { return s.CancelSession(ctx, b.Session.ID) })
	do("TouchSession", func(ctx context.Context) error { return s.TouchSession(ctx, v.ID, f.now.Add(time.Second)) })
	do("BeginSession", func(ctx context.Context) error {
		return s.BeginSession(ctx, store.Begin{Session: f.verified("ada")}, f.now)
	})
	do("Challenge", func(ctx context.Context) error { _, err := s.Challenge(ctx, b.Challenge.ID, f.now); return err })
	do("CountAttempt", func(ctx context.Context) error {
		_, err := s.CountAttempt(ctx, attemptOf(b, totpID), f.now)
		return err
	})
	do("PassChallenge", func(ctx context.Context) error { _, err := s.PassChallenge(ctx, f.passOf(b, 5), f.now); return err })
	do("ReserveSend", func(ctx context.Context) error { _, err := s.ReserveSend(ctx, f.sendOf(b, "1"), f.now); return err })
	do("RecordSend", func(ctx context.Context) error {
		return s.RecordSend(ctx, b.Challenge.ID, phoneID, 1, account.SendTaken)
	})
	u := f.stepUp(v)
	do("OpenStepUp", func(ctx context.Context) error { _, err := s.OpenStepUp(ctx, u, f.now); return err })
	do("ShowStepUp", func(ctx context.Context) error {
		_, err := s.ShowStepUp(ctx, v.ID, u.Challenge.ID, "/", f.now)
		return err
	})
	do("CancelStepUp", func(ctx context.Context) error { return s.CancelStepUp(ctx, v.ID, u.Challenge.ID, f.now) })
	do("PassStepUp", func(ctx context.Context) error { _, err := s.PassStepUp(ctx, f.stepOf(v, u, 5), f.now); return err })
	do("TakePass", func(ctx context.Context) error { return s.TakePass(ctx, v.ID, u.Challenge.Request, f.now) })
	do("ReturnPass", func(ctx context.Context) error { return s.ReturnPass(ctx, v.ID, u.Challenge.Request, f.now) })
	do("PutValue", func(ctx context.Context) error { return s.PutValue(ctx, "handle", []byte("x"), until) })
	do("Value", func(ctx context.Context) error { _, err := s.Value(ctx, "handle", f.now); return err })
	do("NoteSeen", func(ctx context.Context) error {
		_, err := s.NoteSeen(ctx, []store.Seen{f.seen(store.SeenUser, "ada")})
		return err
	})
	do("History", func(ctx context.Context) error { _, err := s.History(ctx, instance, "ada"); return err })
	do("LearnHistory", func(ctx context.Context) error { return s.LearnHistory(ctx, instance, "ada", adds("x")) })
	do("AgeHistories", func(ctx context.Context) error {
		_, err := s.AgeHistories(ctx, func([]byte) []byte { return nil })
		return err
	})
	do("Tries", func(ctx context.Context) error {
		_, err := s.Tries(ctx, store.TriesQuery{Instance: instance, Name: tryName(1)}, f.now)
		return err
	})
	do("ListSeen", func(ctx context.Context) error { _, err := s.ListSeen(ctx, "", f.now); return err })
	use := store.DeviceUse{Instance: instance, Account: "ada", Device: newDeviceID(), Token: newTokenHash(), Next: newTokenHash()}
	do("UseDevice", func(ctx context.Context) error { _, err := s.UseDevice(ctx, use, f.now); return err })
	do("Devices", func(ctx context.Context) error { _, err := s.Devices(ctx, instance, "ada", f.now); return err })
	f.changeCalls(b, v, do)
	do("ForgetDevices", func(ctx context.Context) error { _, err := s.ForgetDevices(ctx, instance, "ada"); return err })
}

// changeCalls are calls of what changes accounts, and what users are told.
func (f *fixture) changeCalls(b store.Begin, v account.Session, do func(name string, call func(ctx context.Context) error)) {
	s, e, n := f.s, f.newEnrolment(v, f.totp("totp-2")), f.newNotice("n", "ada")
	do("ChangeAccount", func(ctx context.Context) error {
		return second(s.ChangeAccount(ctx, editIn(v, setsGroup("staff")), f.now))
	})
	do("EraseAccount", func(ctx context.Context) error { return s.EraseAccount(ctx, instance, "ada") })
	do("SessionsOf", func(ctx context.Context) error { return second(s.SessionsOf(ctx, instance, "ada", f.now)) })
	do("Demands", func(ctx context.Context) error { return second(s.Demands(ctx, instance)) })
	do("ChangeDemands", func(ctx context.Context) error {
		return s.ChangeDemands(ctx, instance, func(*account.Demands) error { return nil })
	})
	do("BeginEnrolment", func(ctx context.Context) error { return s.BeginEnrolment(ctx, e, f.now) })
	do("Enrolment", func(ctx context.Context) error { return second(s.Enrolment(ctx, e.ID, e.Standing, f.now)) })
	do("TryEnrolment", func(ctx context.Context) error {
		return second(s.TryEnrolment(ctx, e.ID, e.Standing, 5, f.now))
	})
	do("ReserveEnrolmentSend", func(ctx context.Context) error {
		return second(s.ReserveEnrolmentSend(ctx, f.enrolmentSend(e, "1"), f.now))
	})
	do("RecordEnrolmentSend", func(ctx context.Context) error {
		return s.RecordEnrolmentSend(ctx, e.ID, 1, account.SendTaken)
	})
	do("DropEnrolment", func(ctx context.Context) error { return s.DropEnrolment(ctx, instance, e.Standing) })
	do("PassEnrolment", func(ctx context.Context) error {
		return second(s.PassEnrolment(ctx, f.goesOn(b, account.KindTOTP), f.now))
	})
	do("ConfirmEnrolment", func(ctx context.Context) error {
		return second(s.ConfirmEnrolment(ctx, confirmIn(b, "1", "2"), f.now))
	})
	do("PutNotices", func(ctx context.Context) error { return s.PutNotices(ctx, []account.Notice{n}) })
	do("TakeNotices", func(ctx context.Context) error { return second(s.TakeNotices(ctx, 1, lease, f.now)) })
	do("SettleNotice", func(ctx context.Context) error { return s.SettleNotice(ctx, n.ID, f.now) })
	do("Waiting", func(ctx context.Context) error {
		_, _, err := s.Waiting(ctx, f.now)
		return err
	})
}
