package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func durableChangeTests() []durableTest {
	return []durableTest{
		{"a change is kept with all that hangs on it", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			d := f.remembered("ada")
			v, b := f.beginVerified("ada"), f.beginPending("ada")
			e := f.beginEnrolment(v, f.totp("totp-2"))
			c := everything(f, v)
			c.Enrolment = finish(e, "")
			got := f.change(c)
			return func(t *testing.T, f *fixture) {
				same(t, f.account("ada"), got.Account)
				same(t, f.session(c.Next), got.Session)
				same(t, f.session(v.ID), got.Session)
				f.noSession(b.Session.ID, f.now)
				f.state(useOf(d, d.Token), f.now, account.DeviceNone)
				f.noEnrolment(e)
				same(t, f.take(5, f.now), []string{c.Notices[0].ID})
			}
		}},
		{"an enrolment is kept, with its code and its tries", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			e := f.beginEnrolment(v, f.phone("phone-2"))
			f.sentTo(e, "111111", f.now)
			f.tries1(e, 5)
			want, dropped := f.enrolment(e), f.beginEnrolment(f.verified("ada"), f.totp("totp-2"))
			f.must(f.s.DropEnrolment(f.ctx, instance, dropped.Standing))
			return func(t *testing.T, f *fixture) {
				same(t, f.enrolment(e), want)
				f.noEnrolment(dropped)
				f.must(f.finishes(v, e, f.now))
			}
		}},
		{"a login that waits for an enrolment goes on after the start", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.invited("ada")
			b := f.beginEnrolling("ada")
			same(t, f.confirm(confirmIn(b, "invited", "wrong")), store.Confirmed{Right: true})
			f.change(addIn(b, f.totp("totp-2")))
			return func(t *testing.T, f *fixture) {
				if c := f.challenge(b.Challenge.ID); !c.Confirmed || c.Enrolled != "totp-2" {
					t.Errorf("the challenge is %+v", c)
				}
				if a := f.account("ada"); a.Invitation != nil || a.MailCode.Tries != 1 {
					t.Errorf("the codes are %+v and %+v", a.Invitation, a.MailCode)
				}
				f.must(second(f.s.PassEnrolment(f.ctx, f.goesOn(b, account.KindTOTP), f.now)))
			}
		}},
		{"a spent recovery code stays spent", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.withRecovery("ada", "1", "2")
			b, c := f.recovering("ada"), f.recovering("ada")
			f.released(b, f.recoveryOf(b, "1"))
			return func(t *testing.T, f *fixture) {
				f.wants(second(f.s.PassChallenge(f.ctx, f.recoveryOf(c, "1"), f.now)), store.ErrSpent)
				f.released(c, f.recoveryOf(c, "2"))
			}
		}},
		{"demands are kept", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.demands(func(d *account.Demands) error {
				d.All = &account.Demand{From: f.now, At: f.now}
				return nil
			})
			want, err := f.s.Demands(f.ctx, instance)
			f.must(err)
			return func(t *testing.T, f *fixture) {
				got, err := f.s.Demands(f.ctx, instance)
				f.must(err)
				same(t, got, want)
			}
		}},
		{"notices wait, those that were taken until the lease is over, and texts that were are gone", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.outbox(map[string]time.Duration{"later": time.Hour, "taken": 0, "settled": 0})
			text := f.newNotice("text", "ada")
			text.Channel = account.ByText
			f.must(f.s.PutNotices(f.ctx, []account.Notice{text}))
			f.take(5, f.now)
			f.must(f.s.SettleNotice(f.ctx, "settled", time.Time{}))
			return func(t *testing.T, f *fixture) {
				f.waits(2)
				same(t, f.take(5, f.now.Add(lease-time.Nanosecond)), []string{})
				same(t, f.take(5, f.now.Add(time.Hour)), []string{"taken", "later"})
			}
		}},
		{"an account that was erased stays erased", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada", "countess")
			v := f.beginVerified("ada")
			f.must(f.s.PutNotices(f.ctx, []account.Notice{f.newNotice("n", "ada")}))
			f.must(f.s.EraseAccount(f.ctx, instance, "ada"))
			return func(t *testing.T, f *fixture) {
				same(t, f.list(""), []string(nil))
				f.noSession(v.ID, f.now)
				f.waits(0)
			}
		}},
	}
}
