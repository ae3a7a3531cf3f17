package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func passTests() []test {
	return []test{
		{"a right step releases the hold and verifies the session", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.attempts(attemptOf(b, totpID), 2)
			f.released(b, f.passOf(b, 100))
			if fa := f.factor("ada", totpID); fa.LastStep != 100 || fa.Failures != 0 {
				t.Errorf("the factor has step %d and %d failures, want 100 and 0", fa.LastStep, fa.Failures)
			}
		}},
		{"a right code from the phone releases the hold and verifies the session", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			f.attempts(attemptOf(b, phoneID), 5)
			f.released(b, f.codeOf(b, "111111"))
			if n := f.factor("ada", phoneID).Failures; n != 0 {
				t.Errorf("%d failures, want none", n)
			}
			if c := f.challenge(b.Challenge.ID).Codes[phoneID]; len(c.Sealed) > 0 || c.Hash != [32]byte{} {
				t.Error("the spent code is still there")
			}
		}},
		{"a challenge passes once", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			f.released(b, f.codeOf(b, "111111"))
			for _, p := range []store.Pass{f.codeOf(b, "111111"), f.codeOf(b, "222222"), f.passOf(b, 100)} {
				_, err := f.s.PassChallenge(f.ctx, p, f.now)
				f.wants(err, store.ErrSpent)
				f.noSession(p.Next.ID, f.now)
			}
		}},
		{"a step is spent once, and with it every earlier one, in every challenge", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.released(b, f.passOf(b, 100))
			c := f.beginPending("ada")
			for _, step := range []int64{100, 99, 0, -1} {
				p := f.passOf(c, step)
				_, err := f.s.PassChallenge(f.ctx, p, f.now)
				f.wants(err, store.ErrSpent)
				f.unpassed(c, p)
			}
			f.released(c, f.passOf(c, 101))
		}},
		{"the step of one account is not another's", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("bob")
			b, c := f.beginPending("ada"), f.beginPending("bob")
			f.released(b, f.passOf(b, 100))
			f.released(c, f.passOf(c, 100))
		}},
		{"a right code ends the pause that its own attempt began", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			a := attemptOf(b, totpID)
			a.InARow = 1
			f.attempts(a, 1)
			f.released(b, f.passOf(b, 100))
			if fa := f.factor("ada", totpID); !fa.PausedUntil.IsZero() || fa.Failures != 0 {
				t.Errorf("the factor is paused until %s with %d failures", fa.PausedUntil, fa.Failures)
			}
		}},
		{"a code that is not the living one passes nothing", wrongCodes},
		{"a challenge that cannot be answered is not passed", func(t *testing.T, f *fixture) {
			notAsked(t, f, func(f *fixture, c asked) error {
				p := store.Pass{
					Challenge: c.challenge, Session: c.session, Factor: c.factor,
					CodeHash: hashOf("111111"), Step: 1000, Next: f.verified("ada"),
				}
				_, err := f.s.PassChallenge(f.ctx, p, c.now)
				f.noSession(p.Next.ID, f.now)
				return err
			})
		}},
		{"without its hold a challenge is not passed, and nothing is spent", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.pending("ada")
			b.Hold.Expires = f.now.Add(time.Minute)
			f.must(f.s.BeginSession(f.ctx, b, f.now))
			p := f.passOf(b, 100)
			_, err := f.s.PassChallenge(f.ctx, p, f.now.Add(time.Minute))
			f.wants(err, store.ErrNotFound)
			f.unpassed(b, p)
			if n := f.factor("ada", totpID).LastStep; n != 0 {
				t.Errorf("step %d was spent", n)
			}
		}},
		{"a session that would take another's place is refused, and nothing is spent", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("bob")
			b := f.beginPending("ada")
			other := f.beginVerified("bob")
			for _, tt := range []struct {
				spoil func(*account.Session)
				want  error
			}{
				{func(v *account.Session) { v.ID = other.ID }, store.ErrConflict},
				{func(v *account.Session) { v.ID = b.Session.ID }, errRefused},
				{func(v *account.Session) { v.ID = account.SessionID{} }, errRefused},
				{func(v *account.Session) { v.Account = "bob" }, errRefused},
				{func(v *account.Session) { v.Instance = "shop" }, errRefused},
				{func(v *account.Session) { v.State = account.StatePending }, errRefused},
				{func(v *account.Session) { v.SuspendedBy = newLoginID() }, errRefused},
			} {
				p := f.passOf(b, 100)
				tt.spoil(&p.Next)
				_, err := f.s.PassChallenge(f.ctx, p, f.now)
				f.wants(err, tt.want)
				if v := f.session(b.Session.ID); v.State != account.StatePending {
					t.Errorf("the session is %s", v.State)
				}
			}
			same(t, f.session(other.ID), other)
			if n := f.factor("ada", totpID).LastStep; n != 0 {
				t.Errorf("step %d was spent", n)
			}
			f.released(b, f.passOf(b, 100))
		}},
	}
}

// released passes a challenge and checks everything that this changes.
func (f *fixture) released(b store.Begin, p store.Pass) {
	f.t.Helper()
	hold, err := f.s.PassChallenge(f.ctx, p, f.now)
	f.must(err)
	same(f.t, hold, b.Hold)
	same(f.t, f.session(p.Next.ID), p.Next)
	if v := f.session(b.Session.ID); v.State != account.StatePassed {
		f.t.Errorf("the pending session is %s, want it passed", v.State)
	}
	if c := f.challenge(b.Challenge.ID); c.State != account.ChallengePassed {
		f.t.Errorf("the challenge is %s, want it passed", c.State)
	}
	f.noSession(b.Session.ID, b.Session.Expires)
}

// wrongCodes answers a challenge with every code but its own living one.
func wrongCodes(t *testing.T, f *fixture) {
	for _, tt := range []struct {
		name string
		turn func(f *fixture, b store.Begin, p *store.Pass) (now time.Time)
	}{
		{"another code", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			p.CodeHash = hashOf("999999")
			return f.now
		}},
		{"no code", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			p.CodeHash = [32]byte{}
			return f.now
		}},
		{"its code, when it has expired", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			return f.now.Add(5 * time.Minute)
		}},
		{"its code, when a newer challenge has killed it", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			f.sent(f.beginPending("ada"), "222222", f.now)
			return f.now
		}},
		{"its code, when a newer challenge has killed it and was passed", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			c := f.beginPending("ada")
			f.sent(c, "222222", f.now)
			f.released(c, f.codeOf(c, "222222"))
			return f.now
		}},
		{"the code of another challenge of the account", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			f.sent(f.beginPending("ada"), "222222", f.now)
			p.CodeHash = hashOf("222222")
			return f.now
		}},
		{"the code of another account", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			f.sent(f.beginPending("bob"), "333333", f.now)
			p.CodeHash = hashOf("333333")
			return f.now
		}},
		{"the code of another factor of the account", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			s := f.sendOf(b, "444444")
			s.Factor = "phone-2"
			_, err := f.s.ReserveSend(f.ctx, s, f.now)
			f.must(err)
			p.CodeHash = hashOf("444444")
			return f.now
		}},
		{"its code, for another factor", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			p.Factor = "phone-2"
			return f.now
		}},
		{"its code, replaced by a new one", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			a := attemptOf(b, phoneID)
			a.InARow = 100
			f.attempts(a, 5)
			f.sent(b, "555555", f.now.Add(30*time.Second))
			return f.now.Add(30 * time.Second)
		}},
		{"its code, from another session", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			p.Session = f.beginPending("ada").Session.ID
			return f.now
		}},
		{"its code, for another challenge", func(f *fixture, b store.Begin, p *store.Pass) time.Time {
			c := f.beginPending("ada")
			p.Challenge, p.Session = c.Challenge.ID, c.Session.ID
			return f.now
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			for _, id := range []string{"ada", "bob"} {
				a := f.newAccount(id)
				a.Factors = append(a.Factors, f.phone("phone-2"))
				f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			}
			b := f.pending("ada")
			b.Challenge.Factors = append(b.Challenge.Factors, "phone-2")
			f.must(f.s.BeginSession(f.ctx, b, f.now))
			f.sent(b, "111111", f.now)
			p := f.codeOf(b, "111111")
			now := tt.turn(f, b, &p)
			_, err := f.s.PassChallenge(f.ctx, p, now)
			f.wants(err, store.ErrNotFound)
			f.unpassed(b, p)
		})
	}
}
