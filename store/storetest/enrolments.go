package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func enrolmentTests() []test {
	return []test{
		{"an enrolment is found by its id and standing, and by nothing else", func(t *testing.T, f *fixture) {
			v, other := f.verified("ada"), f.verified("ada")
			e, o := f.beginEnrolment(v, f.totp(totpID)), f.beginEnrolment(other, f.phone(phoneID))
			same(t, f.enrolment(e), e)
			same(t, f.enrolment(o), o)
			e.Standing = other.Standing
			f.noEnrolment(e)
			e.Standing = account.StandingID{}
			f.noEnrolment(e)
		}},
		{"a session has one: a new one takes its place", func(t *testing.T, f *fixture) {
			v := f.verified("ada")
			e := f.beginEnrolment(v, f.totp(totpID))
			next := f.beginEnrolment(v, f.phone(phoneID))
			f.noEnrolment(e)
			same(t, f.enrolment(next), next)
		}},
		{"one of an id that is there is a conflict, of whatever session", func(t *testing.T, f *fixture) {
			e := f.beginEnrolment(f.verified("ada"), f.totp(totpID))
			again := f.newEnrolment(f.verified("bob"), f.phone(phoneID))
			again.ID = e.ID
			f.wants(f.s.BeginEnrolment(f.ctx, again, f.now), store.ErrConflict)
			f.wants(f.s.BeginEnrolment(f.ctx, e, f.now), store.ErrConflict)
			same(t, f.enrolment(e), e)
			f.noEnrolment(again)
		}},
		{"what cannot be an enrolment is refused", func(t *testing.T, f *fixture) {
			for _, spoil := range []func(*account.Enrolment){
				func(e *account.Enrolment) { e.ID = "" },
				func(e *account.Enrolment) { e.Instance = "" },
				func(e *account.Enrolment) { e.Account = "" },
				func(e *account.Enrolment) { e.Standing = account.StandingID{} },
				func(e *account.Enrolment) { e.Factor.ID = "" },
				func(e *account.Enrolment) { e.Factor.Kind = account.KindRecovery },
				func(e *account.Enrolment) { e.Tries = 1 },
				func(e *account.Enrolment) { e.Code.Hash = hashOf("111111") },
				func(e *account.Enrolment) { e.Code.Sends = []time.Time{f.now} },
				func(e *account.Enrolment) { e.Expires = f.now },
				func(e *account.Enrolment) { e.Factor.Secret = make([]byte, 1<<20) },
			} {
				e := f.newEnrolment(f.verified("ada"), f.totp(totpID))
				spoil(&e)
				f.wants(f.s.BeginEnrolment(f.ctx, e, f.now), errRefused)
				f.noEnrolment(e)
			}
		}},
		{"the codes entered for an authenticator are counted", func(t *testing.T, f *fixture) {
			e := f.beginEnrolment(f.verified("ada"), f.totp(totpID))
			for left := 2; left >= 0; left-- {
				same(t, f.tries1(e, 3), store.AttemptResult{Counted: true, Left: left})
			}
			same(t, f.tries1(e, 3), store.AttemptResult{Exhausted: true})
			if n := f.enrolment(e).Tries; n != 3 {
				t.Errorf("%d tries are counted, want 3", n)
			}
		}},
		{"the codes entered for a phone are counted by its code", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			e := f.beginEnrolment(f.verified("ada"), f.phone(phoneID))
			same(t, f.tries1(e, 2), store.AttemptResult{NoCode: true})
			f.sentTo(e, "111111", f.now)
			same(t, f.tries1(e, 2), store.AttemptResult{Counted: true, Left: 1})
			same(t, f.tries1(e, 2), store.AttemptResult{Counted: true})
			same(t, f.tries1(e, 2), store.AttemptResult{Exhausted: true})
		}},
		{"nobody tries the enrolment of another session", func(t *testing.T, f *fixture) {
			e := f.beginEnrolment(f.verified("ada"), f.totp(totpID))
			_, err := f.s.TryEnrolment(f.ctx, e.ID, newStandingID(), 5, f.now)
			f.wants(err, store.ErrNotFound)
			_, err = f.s.TryEnrolment(f.ctx, newID(), e.Standing, 5, f.now)
			f.wants(err, store.ErrNotFound)
			same(t, f.enrolment(e), e)
		}},
		{"it is dropped by its session, of its instance, and that is no error where there is none", func(t *testing.T, f *fixture) {
			e, other := f.beginEnrolment(f.verified("ada"), f.totp(totpID)), f.beginEnrolment(f.verified("ada"), f.totp(totpID))
			f.must(f.s.DropEnrolment(f.ctx, "shop", e.Standing))
			f.enrolment(e)
			for range 2 {
				f.must(f.s.DropEnrolment(f.ctx, instance, e.Standing))
				f.noEnrolment(e)
			}
			f.enrolment(other)
		}},
		{"it goes with its session: ended, cancelled, passed, or with all of the account", goesWithSession},
	}
}

// tries1 enters one code.
func (f *fixture) tries1(e account.Enrolment, perCode int) store.AttemptResult {
	f.t.Helper()
	r, err := f.s.TryEnrolment(f.ctx, e.ID, e.Standing, perCode, f.now)
	f.must(err)
	if meanings(r) != 1 {
		f.t.Errorf("of %+v not one field is meaningful", r)
	}
	return r
}

func goesWithSession(t *testing.T, f *fixture) {
	f.enrol("ada")
	for name, end := range map[string]func(f *fixture) account.Session{
		"a verified one has ended": func(f *fixture) account.Session { return f.beginVerified("ada") },
		"a pending one has ended":  func(f *fixture) account.Session { return f.beginPending("ada").Session },
	} {
		v := end(f)
		e := f.beginEnrolment(v, f.totp("totp-2"))
		f.must(f.s.EndSession(f.ctx, v.ID))
		if f.noEnrolment(e); t.Failed() {
			t.Fatal(name)
		}
	}
	b := f.beginPending("ada")
	e := f.beginEnrolment(b.Session, f.totp("totp-2"))
	f.must(f.s.CancelSession(f.ctx, b.Session.ID))
	f.noEnrolment(e)

	b = f.beginPending("ada")
	e = f.beginEnrolment(b.Session, f.totp("totp-2"))
	f.released(b, f.passOf(b, 100))
	f.noEnrolment(e)

	f.must(f.s.PutAccounts(f.ctx, []account.Account{{Instance: instance, ID: "nora"}}))
	b = f.enrolling("nora")
	b.Challenge.MayPutOff = true
	f.must(f.s.BeginSession(f.ctx, b, f.now))
	e = f.beginEnrolment(b.Session, f.totp("totp-2"))
	_, err := f.s.PassEnrolment(f.ctx, f.goesOn(b, ""), f.now)
	f.must(err)
	f.noEnrolment(e)

	v := f.beginVerified("ada")
	e = f.beginEnrolment(v, f.totp("totp-2"))
	login := f.suspended(v.ID)
	next := f.pending("ada")
	next.Old, next.Login = &v.ID, login
	f.must(f.s.BeginSession(f.ctx, next, f.now))
	f.noEnrolment(e)

	v, other := f.beginVerified("ada"), f.beginVerified("bob")
	e, kept := f.beginEnrolment(v, f.totp("totp-2")), f.beginEnrolment(other, f.totp("totp-2"))
	_, err = f.s.EndSessions(f.ctx, instance, "ada")
	f.must(err)
	f.noEnrolment(e)
	f.enrolment(kept)
}
