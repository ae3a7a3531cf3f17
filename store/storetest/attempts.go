package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func attemptTests() []test {
	return []test{
		{"every attempt is counted until the code has none left", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			for _, factor := range []string{totpID, phoneID} {
				for left := 4; left >= 0; left-- {
					r := f.attempt(attemptOf(b, factor), f.now)
					if !r.Counted || r.Left != left {
						t.Errorf("%s: got %+v, want it counted with %d left", factor, r, left)
					}
				}
				if r := f.attempt(attemptOf(b, factor), f.now); !r.Exhausted {
					t.Errorf("%s: got %+v, want it exhausted", factor, r)
				}
				if n := f.factor("ada", factor).Failures; n != 5 {
					t.Errorf("%s: %d failures, want 5", factor, n)
				}
			}
			c := f.challenge(b.Challenge.ID)
			if c.Tries[totpID] != 5 || c.Codes[phoneID].Tries != 5 {
				t.Errorf("the challenge has counted %d and %d, want 5 and 5", c.Tries[totpID], c.Codes[phoneID].Tries)
			}
		}},
		{"an authenticator has its tries anew in each challenge", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.attempts(attemptOf(f.beginPending("ada"), totpID), 4)
			if r := f.attempt(attemptOf(f.beginPending("ada"), totpID), f.now); r.Left != 4 {
				t.Errorf("%d tries left, want 4", r.Left)
			}
		}},
		{"sending a code again gives it no new tries", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			f.attempts(attemptOf(b, phoneID), 4)
			f.sent(b, "222222", f.now.Add(30*time.Second))
			if r := f.attempt(attemptOf(b, phoneID), f.now.Add(30*time.Second)); r.Left != 0 {
				t.Errorf("%d tries left, want 0", r.Left)
			}
		}},
		{"there is no code to try before one was sent, after it expired, or after a newer challenge has killed it", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			noCode := func(now time.Time) {
				t.Helper()
				if r := f.attempt(attemptOf(b, phoneID), now); !r.NoCode {
					t.Errorf("got %+v, want no code", r)
				}
			}
			noCode(f.now)
			f.sent(b, "111111", f.now)
			noCode(f.now.Add(5 * time.Minute))
			f.sent(f.beginPending("ada"), "222222", f.now)
			noCode(f.now)
			if n := f.factor("ada", phoneID).Failures; n != 0 {
				t.Errorf("%d failures were counted without a code", n)
			}
		}},
		{"failures in a row across challenges pause the factor", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.attempts(attemptOf(f.beginPending("ada"), totpID), 5)
			b := f.beginPending("ada")
			f.attempts(attemptOf(b, totpID), 5)

			until := f.now.Add(30 * time.Minute)
			if got := f.factor("ada", totpID).PausedUntil; !got.Equal(until) {
				t.Errorf("paused until %s, want %s", got, until)
			}
			c := f.beginPending("ada")
			for _, x := range []store.Begin{b, c} {
				if r := f.attempt(attemptOf(x, totpID), f.now.Add(time.Minute)); !r.PausedUntil.Equal(until) {
					t.Errorf("got %+v, want a pause until %s", r, until)
				}
			}
			if n := f.factor("ada", totpID).Failures; n != 10 {
				t.Errorf("%d failures, want 10: a pause counts none", n)
			}
			f.sent(c, "111111", f.now)
			f.attempts(attemptOf(c, phoneID), 1)
		}},
		{"the first failure after a pause begins another", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.pending("ada")
			b.Session.Expires, b.Challenge.Expires = f.now.Add(time.Hour), f.now.Add(time.Hour)
			f.must(f.s.BeginSession(f.ctx, b, f.now))
			a := attemptOf(b, totpID)
			a.InARow = 2
			f.attempts(a, 2)
			after := f.now.Add(a.Pause)
			if r := f.attempt(a, after.Add(-time.Nanosecond)); r.PausedUntil.IsZero() {
				t.Errorf("got %+v, want a pause", r)
			}
			if r := f.attempt(a, after); !r.Counted {
				t.Errorf("got %+v, want it counted", r)
			}
			if r := f.attempt(a, after); !r.PausedUntil.Equal(after.Add(a.Pause)) {
				t.Errorf("got %+v, want a pause until %s", r, after.Add(a.Pause))
			}
		}},
		{"the failures of one factor are not another's, and those of one account not another's", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("bob")
			f.attempts(attemptOf(f.beginPending("ada"), totpID), 5)
			for _, x := range []struct{ acc, factor string }{{"ada", phoneID}, {"bob", totpID}} {
				if n := f.factor(x.acc, x.factor).Failures; n != 0 {
					t.Errorf("%s of %s has %d failures", x.factor, x.acc, n)
				}
			}
		}},
		{"a passed challenge is spent", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			_, err := f.s.PassChallenge(f.ctx, f.passOf(b, 5), f.now)
			f.must(err)
			_, err = f.s.CountAttempt(f.ctx, attemptOf(b, totpID), f.now)
			f.wants(err, store.ErrSpent)
		}},
		{"another session is not even told that a challenge was passed", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b, other := f.beginPending("ada"), f.beginPending("ada")
			f.released(b, f.passOf(b, 5))
			a := attemptOf(b, totpID)
			a.Session = other.Session.ID
			_, err := f.s.CountAttempt(f.ctx, a, f.now)
			f.wants(err, store.ErrNotFound)
		}},
		{"nothing is counted where there is nothing to answer", func(t *testing.T, f *fixture) {
			notAsked(t, f, func(f *fixture, c asked) error {
				_, err := f.s.CountAttempt(f.ctx, store.Attempt{
					Challenge: c.challenge, Session: c.session, Factor: c.factor,
					PerCode: 5, InARow: 10, Pause: time.Minute,
				}, c.now)
				return err
			})
		}},
	}
}

// asked is an answer to a challenge that was not asked for.
type asked struct {
	challenge string
	session   account.SessionID
	factor    string
	account   string
	now       time.Time
}

// notAsked checks that a method returns ErrNotFound for each reason for which
// a challenge cannot be answered.
func notAsked(t *testing.T, f *fixture, method func(*fixture, asked) error) {
	for _, tt := range []struct {
		name string
		turn func(f *fixture, c *asked)
	}{
		{"there is no such challenge", func(f *fixture, c *asked) { c.challenge = newID() }},
		{"it has expired", func(f *fixture, c *asked) { c.now = f.now.Add(10 * time.Minute) }},
		{"it is another session's", func(f *fixture, c *asked) { c.session = f.beginPending("ada").Session.ID }},
		{"it is another account's session's", func(f *fixture, c *asked) { c.session = f.beginPending("bob").Session.ID }},
		{"its session is ended", func(f *fixture, c *asked) { f.must(f.s.EndSession(f.ctx, c.session)) }},
		{"it is cancelled", func(f *fixture, c *asked) { f.must(f.s.CancelSession(f.ctx, c.session)) }},
		{"its session is suspended", func(f *fixture, c *asked) {
			_, err := f.s.SuspendSession(f.ctx, c.session, newLoginID(), f.now)
			f.must(err)
		}},
		{"its session is suspended by a login that is too old", func(f *fixture, c *asked) {
			_, err := f.s.SuspendSession(f.ctx, c.session, newLoginID(), f.now)
			f.must(err)
			c.now = f.now.Add(account.RunningFor + time.Second)
		}},
		{"the factor may not answer", func(f *fixture, c *asked) {
			a := f.newAccount("ada")
			a.Factors = append(a.Factors, f.totp("totp-2"))
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			c.factor = "totp-2"
		}},
		{"the factor was removed from the account", func(f *fixture, c *asked) {
			a := f.newAccount("ada")
			a.Factors = nil
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			f.enrol("ada")
			f.enrol("bob")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			c := asked{b.Challenge.ID, b.Session.ID, phoneID, "ada", f.now}
			tt.turn(f, &c)
			f.wants(method(f, c), store.ErrNotFound)
			if got, err := f.s.Challenge(f.ctx, b.Challenge.ID, f.now); err == nil && (got.Codes[phoneID].Tries != 0 || got.State == account.ChallengePassed) {
				t.Errorf("the challenge has changed: %+v", got)
			}
		})
	}
}
