package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// wrongStepUpCodes answers a step-up with every code but its own living one.
func wrongStepUpCodes(t *testing.T, f *fixture) {
	type step struct {
		v account.Session
		u store.StepUp
	}
	for _, tt := range []struct {
		name string
		turn func(f *fixture, s step, p *store.PassStepUp) (now time.Time)
	}{
		{"another code", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			p.CodeHash = hashOf("999999")
			return f.now
		}},
		{"no code", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			p.CodeHash = [32]byte{}
			return f.now
		}},
		{"its code, when it has expired", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			return f.now.Add(5 * time.Minute)
		}},
		{"its code, when another step-up of the session has killed it", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			f.sent(asBegin(s.v, f.beginStepUp(s.v)), "222222", f.now)
			return f.now
		}},
		{"its code, when a login has killed it", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			f.sent(f.beginPending("ada"), "222222", f.now)
			return f.now
		}},
		{"its code, when a step-up of another session has killed it and was passed", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			f.sent(asBegin(v, u), "222222", f.now)
			f.steppedUp(v, u, f.stepCodeOf(v, u, "222222"))
			return f.now
		}},
		{"the code of another step-up of the session", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			f.sent(asBegin(s.v, f.beginStepUp(s.v)), "222222", f.now)
			p.CodeHash = hashOf("222222")
			return f.now
		}},
		{"the code of a login of the account", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			f.sent(f.beginPending("ada"), "222222", f.now)
			p.CodeHash = hashOf("222222")
			return f.now
		}},
		{"the code of another account", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			v := f.beginVerified("bob")
			f.sent(asBegin(v, f.beginStepUp(v)), "333333", f.now)
			p.CodeHash = hashOf("333333")
			return f.now
		}},
		{"its code, for another factor", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			p.Factor = "phone-2"
			return f.now
		}},
		{"its code, for another step-up of the session", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			p.Challenge = f.beginStepUp(s.v).Challenge.ID
			return f.now
		}},
		{"its code, for a step-up of another session", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			v := f.beginVerified("ada")
			p.Challenge, p.Session = f.beginStepUp(v).Challenge.ID, v.ID
			return f.now
		}},
		{"its code, replaced by a new one", func(f *fixture, s step, p *store.PassStepUp) time.Time {
			a := attemptOf(asBegin(s.v, s.u), phoneID)
			a.InARow = 100
			f.attempts(a, 5)
			f.sent(asBegin(s.v, s.u), "555555", f.now.Add(30*time.Second))
			return f.now.Add(30 * time.Second)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			for _, id := range []string{"ada", "bob"} {
				a := f.newAccount(id)
				a.Factors = append(a.Factors, f.phone("phone-2"))
				f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			}
			v := f.beginVerified("ada")
			u := f.stepUp(v)
			u.Challenge.Factors = append(u.Challenge.Factors, "phone-2")
			f.openStepUp(u)
			f.sent(asBegin(v, u), "111111", f.now)
			p := f.stepCodeOf(v, u, "111111")
			now := tt.turn(f, step{v, u}, &p)
			f.notPassedAt(v, u, p, store.ErrNotFound, now)
		})
	}
}

// stepUpsNotAsked asks every method for a step-up that its session cannot use.
func stepUpsNotAsked(t *testing.T, f *fixture) {
	for name, turn := range notUsable() {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			f.enrol("ada")
			v := f.verified("ada")
			if name == "it is over" {
				v.IdleFor = 0
			}
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
			u, passed := f.longStepUp(v), f.beginStepUp(v)
			f.openStepUp(u)
			step := f.factor("ada", totpID).LastStep + 1
			f.steppedUp(v, passed, f.stepOf(v, passed, step))
			v = f.session(v.ID)
			now := turn(f, v)
			f.allNotFound(f.stepUpCalls(v, u, now))
			f.allNotFound(f.stepUpCalls(v, passed, now))
			if got := f.factor("ada", totpID); got.LastStep != step || got.Failures != 0 {
				t.Errorf("step %d is spent and %d failures are counted", got.LastStep, got.Failures)
			}
		})
	}
	for name, of := range map[string]func(f *fixture) account.SessionID{
		"nobody began it":                func(f *fixture) account.SessionID { return newSessionID() },
		"it is pending":                  func(f *fixture) account.SessionID { return f.beginPending("ada").Session.ID },
		"it waits for one more password": func(f *fixture) account.SessionID { return f.beginAgain("ada").ID },
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			// An account of its own: beginAgain spends a step.
			f.must(f.s.PutAccounts(f.ctx, []account.Account{{Instance: instance, ID: "ada"}}))
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			asks := f.verified("ada")
			asks.ID = of(f)
			if got, err := f.s.Session(f.ctx, asks.ID, f.now); err == nil {
				asks = got
			}
			f.allNotFound(f.stepUpCalls(asks, u, f.now))
			same(t, f.challenge(u.Challenge.ID), u.Challenge)
		})
	}
	for name, turn := range map[string]func(f *fixture, u *store.StepUp, p *store.PassStepUp){
		"there is no such step-up": func(f *fixture, u *store.StepUp, p *store.PassStepUp) { p.Challenge = newID() },
		"the factor may not answer": func(f *fixture, u *store.StepUp, p *store.PassStepUp) {
			a := f.newAccount("ada")
			a.Factors = append(a.Factors, f.totp("totp-2"))
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			p.Factor = "totp-2"
		},
		"the factor was removed from the account": func(f *fixture, u *store.StepUp, p *store.PassStepUp) {
			a := f.newAccount("ada")
			a.Factors = nil
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			p := f.stepOf(v, u, 1000)
			turn(f, &u, &p)
			f.notPassed(v, u, p, store.ErrNotFound)
			_, err := f.s.CountAttempt(f.ctx, store.Attempt{
				Challenge: p.Challenge, Session: p.Session, Factor: p.Factor, PerCode: 5, InARow: 10, Pause: time.Minute,
			}, f.now)
			f.wants(err, store.ErrNotFound)
		})
	}
}

// longStepUp is a step-up that outlives its session.
func (f *fixture) longStepUp(v account.Session) store.StepUp {
	u := f.stepUp(v)
	u.Challenge.Expires, u.Hold.Expires = f.now.Add(48*time.Hour), f.now.Add(48*time.Hour)
	return u
}
