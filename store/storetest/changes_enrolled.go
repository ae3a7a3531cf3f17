package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// changeEnrolledTests are about changes that spend an enrolment.
func changeEnrolledTests() []test {
	return []test{
		{"an authenticator's enrolment is spent by the change, once", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			e := f.beginEnrolment(v, f.totp("totp-2"))
			c := editIn(v, addsFactor(e.Factor))
			c.Enrolment = finish(e, "")
			got := f.change(c)
			same(t, f.factorIDs("ada"), []string{totpID, phoneID, "totp-2"})
			f.noEnrolment(e)
			c = editIn(got.Session, addsFactor(f.totp("totp-3")))
			c.Enrolment = finish(e, "")
			f.notChanged(c, store.ErrNotFound)
		}},
		{"a phone's needs the code that was sent last", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			e := f.beginEnrolment(v, f.phone("phone-2"))
			c := editIn(v, addsFactor(e.Factor))
			for _, code := range []string{"", "111111"} {
				c.Enrolment = finish(e, code)
				f.notChanged(c, store.ErrNotFound)
			}
			c.Enrolment = &store.Enrolled{ID: e.ID, Standing: e.Standing}
			f.notChanged(c, store.ErrNotFound)
			f.sentTo(e, "111111", f.now)
			f.notChanged(c, store.ErrNotFound)
			c.Enrolment = finish(e, "222222")
			f.notChanged(c, store.ErrNotFound)
			c.Enrolment = finish(e, "111111")
			f.change(c)
			f.noEnrolment(e)
		}},
		{"an enrolment of another session or account is spent by nobody else", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("bob")
			v, other, bob := f.beginVerified("ada"), f.beginVerified("ada"), f.beginVerified("bob")
			e := f.beginEnrolment(v, f.totp("totp-2"))
			for _, in := range []account.Session{other, bob} {
				c := editIn(in, addsFactor(e.Factor))
				c.Enrolment = finish(e, "")
				f.notChanged(c, store.ErrNotFound)
				c.Enrolment.Standing = in.Standing
				f.notChanged(c, store.ErrNotFound)
			}
			foreign := f.newEnrolment(v, f.totp("totp-2"))
			foreign.Account = "bob"
			f.must(f.s.BeginEnrolment(f.ctx, foreign, f.now))
			c := editIn(v, addsFactor(e.Factor))
			c.Enrolment = finish(foreign, "")
			f.notChanged(c, store.ErrNotFound)
			f.enrolment(foreign)
		}},
		{"it goes on under the session's next id, and is there where the change is refused", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			e := f.beginEnrolment(v, f.totp("totp-2"))
			c := editIn(v, func(*account.Account) error { return errEdit })
			c.Enrolment = finish(e, "")
			f.notChanged(c, errEdit)
			f.enrolment(e)
			v = f.move(v)
			c = editIn(v, addsFactor(e.Factor))
			c.Enrolment = finish(e, "")
			f.change(c)
		}},
		{"in a login the factor that was added is noted in the challenge, and the session stays pending", func(t *testing.T, f *fixture) {
			f.must(f.s.PutAccounts(f.ctx, []account.Account{{Instance: instance, ID: "ada"}}))
			b := f.beginEnrolling("ada")
			e := f.beginEnrolment(b.Session, f.totp(totpID))
			c := addIn(b, e.Factor)
			adds := c.Edit
			c.Edit = func(a *account.Account) error {
				a.Factors = append(a.Factors, f.recovery(recoveryID, "1", "2"))
				return adds(a)
			}
			c.Enrolment = finish(e, "")
			got := f.change(c)
			same(t, got.Session, b.Session)
			same(t, f.session(b.Session.ID), b.Session)
			want := *b.Challenge
			want.Enrolled = totpID
			same(t, f.challenge(want.ID), want)
		}},
		{"a login adds one factor, not none, not two and not recovery codes alone", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginEnrolling("ada")
			for name, edit := range map[string]func(*account.Account) error{
				"none":           setsGroup("staff"),
				"nothing":        nil,
				"recovery codes": addsFactor(f.recovery(recoveryID, "1")),
				"two": func(a *account.Account) error {
					a.Factors = append(a.Factors, f.totp("totp-2"), f.totp("totp-3"))
					return nil
				},
				"a changed one": func(a *account.Account) error {
					a.Factors[0].Secret = []byte("other")
					return nil
				},
			} {
				c := addIn(b, f.totp("x"))
				c.Edit = edit
				if f.notChanged(c, errRefused); t.Failed() {
					t.Fatal(name)
				}
			}
			same(t, f.challenge(b.Challenge.ID), *b.Challenge)
		}},
		{"a login adds no second one while the first is there", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginEnrolling("ada")
			f.change(addIn(b, f.totp("totp-2")))
			f.notChanged(addIn(b, f.totp("totp-3")), store.ErrSpent)
			f.change(edit("ada", removesFactor("totp-2")))
			f.change(addIn(b, f.totp("totp-3")))
			if got := f.challenge(b.Challenge.ID).Enrolled; got != "totp-3" {
				t.Errorf("the factor %q was added", got)
			}
		}},
		{"a challenge that is not open, not the session's or of another purpose changes nothing", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			login, b, other := f.beginPending("ada"), f.beginEnrolling("ada"), f.beginEnrolling("ada")
			f.notChanged(addIn(login, f.totp("totp-2")), store.ErrNotFound)
			c := addIn(b, f.totp("totp-2"))
			c.Challenge = other.Challenge.ID
			f.notChanged(c, store.ErrNotFound)
			c.Challenge = newID()
			f.notChanged(c, store.ErrNotFound)
			f.must(f.s.CancelSession(f.ctx, b.Session.ID))
			f.notChanged(addIn(b, f.totp("totp-2")), store.ErrNotFound)
			f.suspend(other.Session.ID)
			f.notChanged(addIn(other, f.totp("totp-2")), store.ErrNotFound)
			passed := f.beginEnrolling("ada")
			f.change(addIn(passed, f.totp("totp-2")))
			_, err := f.s.PassEnrolment(f.ctx, f.goesOn(passed, account.KindTOTP), f.now)
			f.must(err)
			f.notChanged(addIn(passed, f.totp("totp-3")), store.ErrSpent)
		}},
	}
}

// notChanged asks for a change in vain, and checks that the account is as it was.
func (f *fixture) notChanged(c store.Change, want error) {
	f.t.Helper()
	before := f.account(c.Account)
	_, err := f.s.ChangeAccount(f.ctx, c, f.now)
	f.wants(err, want)
	same(f.t, f.account(c.Account), before)
}

func demandTests() []test {
	return []test{
		{"there are no demands in an empty store", func(t *testing.T, f *fixture) {
			got, err := f.s.Demands(f.ctx, instance)
			f.must(err)
			same(t, got, account.Demands{})
		}},
		{"demands are changed in place, each instance's by themselves", func(t *testing.T, f *fixture) {
			d := account.Demand{From: f.now.Add(time.Hour), By: "ada", At: f.now}
			f.demands(func(all *account.Demands) error {
				all.Teams["acme"], all.Groups["staff"] = d, d
				return nil
			})
			f.demands(func(all *account.Demands) error {
				same(t, *all, account.Demands{Groups: map[string]account.Demand{"staff": d}, Teams: map[string]account.Demand{"acme": d}})
				delete(all.Groups, "staff")
				all.All = &d
				return nil
			})
			got, err := f.s.Demands(f.ctx, instance)
			f.must(err)
			same(t, got, account.Demands{All: &d, Teams: map[string]account.Demand{"acme": d}})
			got, err = f.s.Demands(f.ctx, "shop")
			f.must(err)
			same(t, got, account.Demands{})
		}},
		{"the error of the function is returned as it is, and what cannot be stored is refused", func(t *testing.T, f *fixture) {
			for want, do := range map[error]func(*account.Demands) error{
				errEdit: func(all *account.Demands) error {
					all.All = &account.Demand{}
					return errEdit
				},
				errRefused: func(all *account.Demands) error {
					all.Groups[""] = account.Demand{}
					return nil
				},
			} {
				f.wants(f.s.ChangeDemands(f.ctx, instance, do), want)
			}
			f.wants(f.s.ChangeDemands(f.ctx, "", func(*account.Demands) error { return nil }), errRefused)
			got, err := f.s.Demands(f.ctx, instance)
			f.must(err)
			same(t, got, account.Demands{})
		}},
	}
}

func (f *fixture) demands(do func(*account.Demands) error) {
	f.t.Helper()
	f.must(f.s.ChangeDemands(f.ctx, instance, do))
}

func eraseTests() []test {
	return []test{
		{"an account is erased with all that hangs on it, and nobody else's", func(t *testing.T, f *fixture) {
			f.enrol("ada", "countess")
			f.enrol("bob")
			all := make(map[string]account.Enrolment)
			var sessions []account.SessionID
			for _, acc := range []string{"ada", "bob"} {
				f.remember(f.newDevice(acc))
				f.must(f.learns(acc, adds("x")))
				v := f.beginVerified(acc)
				sessions = append(sessions, v.ID, f.move(v).ID)
				all[acc] = f.beginEnrolment(v, f.totp("totp-2"))
				f.must(f.s.PutNotices(f.ctx, []account.Notice{f.newNotice("of "+acc, acc)}))
				f.note(f.seen(store.SeenUser, acc))
			}
			// One whose session is not there is theirs too.
			orphan := f.beginEnrolment(f.verified("ada"), f.totp("totp-2"))
			f.note(f.seen(store.SeenUser, "countess"), f.seen(store.SeenCookie, "ada"))
			f.must(f.s.EraseAccount(f.ctx, instance, "ada"))

			same(t, f.list(""), []string{"crm/bob"})
			_, err := f.s.Account(f.ctx, instance, "countess")
			f.wants(err, store.ErrNotFound)
			f.noSession(sessions[0], f.now)
			f.noSession(sessions[1], f.now)
			f.session(sessions[2])
			f.noEnrolment(all["ada"])
			f.noEnrolment(orphan)
			f.enrolment(all["bob"])
			f.history(instance, "ada", "")
			f.history(instance, "bob", "x")
			if len(f.devices("ada")) != 0 || len(f.devices("bob")) != 1 {
				t.Error("the wrong devices are left")
			}
			same(t, f.take(5, f.now), []string{"of bob"})
			same(t, f.keysSeen(), []string{"cookie ada", "user bob"})
			f.wants(f.s.EraseAccount(f.ctx, instance, "ada"), store.ErrNotFound)
		}},
		{"an account of another instance is another one, and a name that is none is refused", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.wants(f.s.EraseAccount(f.ctx, "shop", "ada"), store.ErrNotFound)
			f.wants(f.s.EraseAccount(f.ctx, instance, ""), errRefused)
			same(t, f.list(""), []string{"crm/ada"})
		}},
		{"an account that was erased may be made again, and knows nothing of before", func(t *testing.T, f *fixture) {
			f.enrol("ada", "countess")
			b := f.beginPending("ada")
			f.released(b, f.passOf(b, 100))
			f.must(f.s.EraseAccount(f.ctx, instance, "ada"))
			a := f.enrol("bob", "countess")
			same(t, f.account("countess"), a)
			a = f.enrol("ada")
			same(t, f.account("ada"), a)
		}},
	}
}
