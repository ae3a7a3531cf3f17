package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func recoveryTests() []test {
	return []test{
		{"a recovery code passes once, and is taken out in the same step", func(t *testing.T, f *fixture) {
			f.withRecovery("ada", "1", "2", "3")
			b := f.recovering("ada")
			f.attempts(attemptOf(b, recoveryID), 2)
			p := f.recoveryOf(b, "2")
			f.released(b, p)
			fa := f.factor("ada", recoveryID)
			same(t, fa.Recovery.Hashes, []account.TokenHash{account.TokenHash(hashOf("1")), account.TokenHash(hashOf("3"))})
			if fa.Recovery.Of != 3 || fa.Failures != 0 || !fa.Used.Equal(f.now) {
				t.Errorf("the recovery codes are %+v", fa)
			}
			b = f.recovering("ada")
			p = f.recoveryOf(b, "2")
			_, err := f.s.PassChallenge(f.ctx, p, f.now)
			f.wants(err, store.ErrSpent)
			f.unpassed(b, p)
			f.released(b, f.recoveryOf(b, "3"))
		}},
		{"a code that is none, also no code, is spent", func(t *testing.T, f *fixture) {
			f.withRecovery("ada", "1")
			b := f.recovering("ada")
			for _, p := range []store.Pass{f.recoveryOf(b, "2"), {Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: recoveryID, Next: f.verified("ada")}} {
				_, err := f.s.PassChallenge(f.ctx, p, f.now)
				f.wants(err, store.ErrSpent)
				f.unpassed(b, p)
			}
			f.released(b, f.recoveryOf(b, "1"))
			b = f.recovering("ada")
			_, err := f.s.PassChallenge(f.ctx, f.recoveryOf(b, "1"), f.now)
			f.wants(err, store.ErrSpent)
		}},
		{"a recovery code opens a step-up too, once", func(t *testing.T, f *fixture) {
			f.withRecovery("ada", "1", "2")
			v := f.beginVerified("ada")
			for _, want := range []error{nil, store.ErrSpent} {
				u := f.stepUp(v)
				u.Challenge.Factors = []string{recoveryID}
				f.openStepUp(u)
				p := f.stepCodeOf(v, u, "1")
				p.Factor = recoveryID
				got, err := f.s.PassStepUp(f.ctx, p, f.now)
				f.wants(err, want)
				if err == nil {
					same(t, got.Session.Steps.Factor, account.KindRecovery)
					v = got.Session
				}
			}
		}},
		{"the codes entered are counted as for an authenticator", func(t *testing.T, f *fixture) {
			f.withRecovery("ada", "1")
			a := attemptOf(f.recovering("ada"), recoveryID)
			a.PerCode = 2
			f.attempts(a, 2)
			same(t, f.attempt(a, f.now), store.AttemptResult{Exhausted: true})
			a = attemptOf(f.recovering("ada"), recoveryID)
			a.InARow = 3
			f.attempts(a, 1)
			if r := f.attempt(a, f.now); r.PausedUntil.IsZero() {
				t.Errorf("got %+v, want a pause", r)
			}
		}},
		{"an authenticator's step and a phone's hash spend no recovery code", func(t *testing.T, f *fixture) {
			f.withRecovery("ada", "1")
			b := f.recovering("ada")
			p := f.passOf(b, 100)
			p.Factor = recoveryID
			_, err := f.s.PassChallenge(f.ctx, p, f.now)
			f.wants(err, store.ErrSpent)
			if n := len(f.factor("ada", recoveryID).Recovery.Hashes); n != 1 {
				t.Errorf("%d codes are left, want one", n)
			}
		}},
		{"a session that was begun with a recovery code says so", func(t *testing.T, f *fixture) {
			f.withRecovery("ada", "1")
			b := f.recovering("ada")
			p := f.recoveryOf(b, "1")
			p.Next.Factor = account.KindRecovery
			f.released(b, p)
			same(t, f.session(p.Next.ID), p.Next)
		}},
		{"no spent code comes back, by whatever changes the account, but a new set is whole", func(t *testing.T, f *fixture) {
			stale := f.withRecovery("ada", "1", "2", "3")
			b := f.recovering("ada")
			f.released(b, f.recoveryOf(b, "2"))
			left := f.factor("ada", recoveryID)
			f.must(f.s.PutAccounts(f.ctx, []account.Account{stale}))
			same(t, f.factor("ada", recoveryID), left)
			f.change(edit("ada", func(a *account.Account) error {
				fa, _ := a.Factor(recoveryID)
				*fa = stale.Factors[2]
				return nil
			}))
			same(t, f.factor("ada", recoveryID), left)
			f.change(edit("ada", func(a *account.Account) error {
				fa, _ := a.Factor(recoveryID)
				fa.Recovery.Hashes = slices.DeleteFunc(fa.Recovery.Hashes, func(h account.TokenHash) bool { return h == account.TokenHash(hashOf("1")) })
				return nil
			}))
			same(t, f.factor("ada", recoveryID).Recovery.Hashes, []account.TokenHash{account.TokenHash(hashOf("3"))})
			fresh := f.recovery(recoveryID, "1", "2", "3")
			fresh.Recovery.Salt = []byte("another salt")
			f.change(edit("ada", func(a *account.Account) error {
				fa, _ := a.Factor(recoveryID)
				*fa = fresh
				return nil
			}))
			same(t, f.factor("ada", recoveryID).Recovery, fresh.Recovery)
		}},
		{"two sets of codes, or one without a salt, are refused", func(t *testing.T, f *fixture) {
			a := f.enrol("ada")
			long, none, empty := f.recovery("r", "1"), f.recovery("r", "1"), f.recovery("r", "1")
			long.Recovery.Salt = make([]byte, account.MaxSalt+1)
			none.Recovery.Salt = nil
			empty.Recovery = nil
			for _, factors := range [][]account.Factor{{long}, {none}, {empty}, {f.recovery("a", "1"), f.recovery("b", "1")}} {
				bad := a
				bad.Factors = factors
				f.wants(f.s.PutAccounts(f.ctx, []account.Account{bad}), errRefused)
			}
			same(t, f.account("ada"), a)
		}},
		{"an account that is put keeps its texts, its invitation and its mail code", func(t *testing.T, f *fixture) {
			a := f.enrol("ada")
			a.Invitation = &account.Invitation{Hash: hashOf("1"), At: f.now, Expires: f.now.Add(time.Hour)}
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			if got := f.account("ada"); got.Invitation != nil {
				t.Error("an invitation that may be spent came back")
			}
			f.change(edit("ada", func(now *account.Account) error {
				now.Invitation, now.MailCode = a.Invitation, a.Invitation
				return nil
			}))
			f.sentTo(f.beginEnrolment(f.verified("ada"), f.phone("phone-2")), "1", f.now)
			f.enrol("ada")
			if got := f.account("ada"); got.Invitation == nil || got.MailCode == nil || len(got.Texts) != 1 {
				t.Errorf("the account has lost what the store knows: %+v", got)
			}
		}},
		{"when a factor was last right is noted for each kind, and does not go back", func(t *testing.T, f *fixture) {
			stale := f.withRecovery("ada", "1")
			b, c, d := f.beginPending("ada"), f.beginPending("ada"), f.recovering("ada")
			f.released(b, f.passOf(b, 100))
			f.sent(c, "111111", f.now)
			f.released(c, f.codeOf(c, "111111"))
			f.released(d, f.recoveryOf(d, "1"))
			f.must(f.s.PutAccounts(f.ctx, []account.Account{stale}))
			for _, id := range []string{totpID, phoneID, recoveryID} {
				if used := f.factor("ada", id).Used; !used.Equal(f.now) {
					t.Errorf("%s was used at %s, want %s", id, used, f.now)
				}
			}
		}},
	}
}

// withRecovery enrols somebody who has recovery codes too.
func (f *fixture) withRecovery(acc string, codes ...string) account.Account {
	f.t.Helper()
	a := f.newAccount(acc)
	a.Factors = append(a.Factors, f.recovery(recoveryID, codes...))
	f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
	return a
}

// recovering begins a login that recovery codes may answer.
func (f *fixture) recovering(acc string) store.Begin {
	f.t.Helper()
	b := f.pending(acc)
	b.Challenge.Factors = []string{totpID, phoneID, recoveryID}
	f.must(f.s.BeginSession(f.ctx, b, f.now))
	return b
}

// recoveryOf answers a challenge with a recovery code.
func (f *fixture) recoveryOf(b store.Begin, code string) store.Pass {
	p := f.passOf(b, 0)
	p.Factor, p.CodeHash = recoveryID, hashOf(code)
	return p
}
