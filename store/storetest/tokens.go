package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// tokenNo is the fingerprint of the n-th token.
func tokenNo(n int) account.Fingerprint { return account.Fingerprint{0xaa, byte(n >> 8), byte(n)} }

func tokenTests() []test {
	return []test{
		{"a session keeps what its login came with and the tokens that are bound to it", func(t *testing.T, f *fixture) {
			v := f.verified("ada")
			v.Credential, v.Tokens = tokenNo(1), []account.Fingerprint{tokenNo(2)}
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
			f.must(f.s.BindToken(f.ctx, v.ID, tokenNo(3), f.now))
			v.Tokens = append(v.Tokens, tokenNo(3))
			same(t, f.session(v.ID), v)
			if got := f.session(v.ID); !got.HasCredential(tokenNo(1)) || !got.HasToken(tokenNo(2)) || got.HasToken(tokenNo(1)) {
				t.Errorf("the session has %v and %v", got.Credential, got.Tokens)
			}
		}},
		{"a token that is bound again becomes the newest and is there once", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			for _, n := range []int{1, 2, 1, 1} {
				f.must(f.s.BindToken(f.ctx, v.ID, tokenNo(n), f.now))
			}
			v.Tokens = []account.Fingerprint{tokenNo(2), tokenNo(1)}
			same(t, f.session(v.ID), v)
		}},
		{"only the newest tokens are kept", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			for n := range account.MaxTokens + 5 {
				f.must(f.s.BindToken(f.ctx, v.ID, tokenNo(n), f.now))
			}
			got := f.session(v.ID)
			if len(got.Tokens) != account.MaxTokens || got.HasToken(tokenNo(4)) || !got.HasToken(tokenNo(5)) || !got.HasToken(tokenNo(account.MaxTokens+4)) {
				t.Errorf("%d tokens are bound: %v", len(got.Tokens), got.Tokens)
			}
		}},
		{"a session that was read before a token was bound stays as it was read", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			f.must(f.s.BindToken(f.ctx, v.ID, tokenNo(1), f.now))
			before := f.session(v.ID)
			f.must(f.s.BindToken(f.ctx, v.ID, tokenNo(2), f.now))
			f.must(f.s.BindToken(f.ctx, v.ID, tokenNo(1), f.now))
			if len(before.Tokens) != 1 || before.Tokens[0] != tokenNo(1) {
				t.Errorf("it changed to %v", before.Tokens)
			}
		}},
		{"nothing is bound to a session that is not usable", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			bind := func(id account.SessionID, now time.Time) {
				t.Helper()
				f.wants(f.s.BindToken(f.ctx, id, tokenNo(1), now), store.ErrNotFound)
			}
			bind(newSessionID(), f.now)
			bind(f.beginPending("ada").Session.ID, f.now)
			v := f.beginVerified("ada")
			bind(v.ID, v.Expires)
			login := newLoginID()
			_, err := f.s.SuspendSession(f.ctx, v.ID, login, f.now)
			f.must(err)
			bind(v.ID, f.now)
			f.must(f.s.ResumeSession(f.ctx, v.ID, login, f.now))
			same(t, f.session(v.ID), v)
			f.must(f.s.EndSession(f.ctx, v.ID))
			bind(v.ID, f.now)
			f.noSession(v.ID, f.now)
		}},
	}
}

func tokenRaces() []raceTest {
	return []raceTest{
		{"BindToken", "tokens that are bound at once are all bound, each once", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			for _, err := range race(func(i int) error {
				return f.s.BindToken(f.ctx, v.ID, tokenNo(i%account.MaxTokens), f.now)
			}) {
				f.must(err)
			}
			got := f.session(v.ID)
			if len(got.Tokens) != account.MaxTokens {
				t.Errorf("%d tokens are bound, want %d", len(got.Tokens), account.MaxTokens)
			}
			for n := range account.MaxTokens {
				if !got.HasToken(tokenNo(n)) {
					t.Errorf("token %d is not bound", n)
				}
			}
		}},
		{"BindToken EndSession", "a token is bound to the session or the session has ended, not both", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			race(func(i int) error {
				if i == racers/2 {
					return f.s.EndSession(f.ctx, v.ID)
				}
				return f.s.BindToken(f.ctx, v.ID, tokenNo(i), f.now)
			})
			f.noSession(v.ID, f.now)
		}},
		{"SuspendSession BeginSession", "one password uses up what a right code has left for it", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			again := f.beginAgain("ada")
			begins := race(func(int) error {
				login := newLoginID()
				if _, err := f.s.SuspendSession(f.ctx, again.ID, login, f.now); err != nil {
					return err
				}
				b := store.Begin{Session: f.verified("ada")}
				b.Old, b.Login = &again.ID, login
				return f.s.BeginSession(f.ctx, b, f.now)
			})
			won := 0
			for _, err := range begins {
				if err == nil {
					won++
				} else if !isAnswer(err) {
					t.Error(err)
				}
			}
			if won != 1 {
				t.Errorf("%d have won, want one", won)
			}
			f.noSession(again.ID, f.now)
		}},
	}
}

func againTests() []test {
	return []test{
		{"a right code may lead to a session that waits for one more password", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginAgain("ada")
			same(t, f.session(v.ID), v)
			f.noSession(v.ID, v.Expires)
			f.wants(f.s.CancelSession(f.ctx, v.ID), store.ErrNotFound)
			f.wants(f.s.BindToken(f.ctx, v.ID, tokenNo(1), f.now), store.ErrNotFound)
		}},
		{"it is suspended by a login, and goes on waiting when that is resumed", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, login := f.beginAgain("ada"), newLoginID()
			got, err := f.s.SuspendSession(f.ctx, v.ID, login, f.now)
			f.must(err)
			same(t, got, v)
			f.must(f.s.ResumeSession(f.ctx, v.ID, login, f.now))
			same(t, f.session(v.ID), v)
		}},
	}
}

func durableTokenTests() []durableTest {
	return []durableTest{
		{"tokens that are bound stay bound", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			v := f.beginVerified("ada")
			f.must(f.s.BindToken(f.ctx, v.ID, tokenNo(1), f.now))
			v.Tokens = []account.Fingerprint{tokenNo(1)}
			return func(t *testing.T, f *fixture) { same(t, f.session(v.ID), v) }
		}},
		{"a session that waits for one more password goes on waiting", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			f.enrol("ada")
			v := f.beginAgain("ada")
			return func(t *testing.T, f *fixture) { same(t, f.session(v.ID), v) }
		}},
	}
}

// beginAgain passes a challenge that leads to a session which waits for one
// more password.
func (f *fixture) beginAgain(acc string) account.Session {
	f.t.Helper()
	b := f.beginPending(acc)
	p := f.passOf(b, f.now.Unix())
	p.Next.State, p.Next.IdleFor, p.Next.Expires = account.StateAgain, 0, f.now.Add(2*time.Minute)
	_, err := f.s.PassChallenge(f.ctx, p, f.now)
	f.must(err)
	return p.Next
}
