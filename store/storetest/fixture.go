package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// fixture is a store with what tests need to fill and to ask it.
type fixture struct {
	t   *testing.T
	s   store.Store
	ctx context.Context
	now time.Time
}

const (
	instance = "crm"
	totpID   = "totp-1"
	phoneID  = "phone-1"
)

func newFixture(t *testing.T, s store.Store) *fixture {
	return &fixture{t: t, s: s, ctx: t.Context(), now: time.Now().UTC().Truncate(time.Second)}
}

func random(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return b
}

func newSessionID() account.SessionID   { return account.SessionID(random(32)) }
func newLoginID() account.LoginID       { return account.LoginID(random(16)) }
func newStandingID() account.StandingID { return account.StandingID(random(16)) }
func newID() string                     { return hex.EncodeToString(random(16)) }

func hashOf(code string) [32]byte { return sha256.Sum256([]byte(code)) }

func newLine() account.LineKey { return account.LineKey{Instance: instance, Line: newStandingID()} }

// must ends the test if there is an error.
func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// wants compares an error with the one that the contract says; nil is none,
// and errRefused is any that is not an answer.
func (f *fixture) wants(got, want error) {
	f.t.Helper()
	switch {
	case want == nil && got == nil:
	case errors.Is(want, errRefused):
		if got == nil || isAnswer(got) {
			f.t.Errorf("got %v, want an error that is not an answer", got)
		}
	case !errors.Is(got, want):
		f.t.Errorf("got error %v, want %v", got, want)
	}
}

var errRefused = errors.New("refused")

func isAnswer(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrBusy) ||
		errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrSpent)
}

// same compares two values by their JSON: engines may change what does not
// matter, the location of a time for example.
func same(t *testing.T, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(g) != string(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func (f *fixture) totp(id string) account.Factor {
	return account.Factor{
		ID: id, Kind: account.KindTOTP, Label: "app", Secret: []byte("sealed seed"),
		TOTP: &account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}, Created: f.now,
	}
}

func (f *fixture) phone(id string) account.Factor {
	return account.Factor{
		ID: id, Kind: account.KindPhone, Secret: []byte("sealed number"), Hint: "42", Created: f.now,
	}
}

func (f *fixture) newAccount(id string, aliases ...string) account.Account {
	return account.Account{
		Instance: instance, ID: id, Name: id, Aliases: aliases,
		Factors: []account.Factor{f.totp(totpID), f.phone(phoneID)},
		Created: f.now, Updated: f.now,
	}
}

// enrol puts an account with an authenticator and a phone.
func (f *fixture) enrol(id string, aliases ...string) account.Account {
	f.t.Helper()
	a := f.newAccount(id, aliases...)
	f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
	return a
}

func (f *fixture) account(id string) account.Account {
	f.t.Helper()
	a, err := f.s.Account(f.ctx, instance, id)
	f.must(err)
	return a
}

func (f *fixture) factor(id, factor string) account.Factor {
	f.t.Helper()
	a := f.account(id)
	fa, ok := a.Factor(factor)
	if !ok {
		f.t.Fatalf("account %q has no factor %q", id, factor)
	}
	return *fa
}

// verified is a verified session, not stored.
func (f *fixture) verified(acc string) account.Session {
	return account.Session{
		ID: newSessionID(), Instance: instance, Standing: newStandingID(), State: account.StateVerified,
		Account: acc, User: acc, Factor: account.KindTOTP, FactorAt: f.now,
		Created: f.now, LastSeen: f.now, IdleFor: 8 * time.Hour, Expires: f.now.Add(24 * time.Hour),
		ClientIP: "203.0.113.9", UserAgent: "browser",
	}
}

// pending is what a right password records, not stored.
func (f *fixture) pending(acc string) store.Begin {
	v := f.verified(acc)
	v.State, v.Challenge = account.StatePending, newID()
	v.Factor, v.FactorAt, v.IdleFor = "", time.Time{}, 0
	v.Expires = f.now.Add(10 * time.Minute)
	return store.Begin{
		Session: v,
		Challenge: &account.Challenge{
			ID: v.Challenge, Instance: instance, Account: acc, Purpose: account.PurposeLogin,
			State: account.ChallengeOpen, Session: v.ID, Address: "/login?x=1",
			Factors: []string{totpID, phoneID}, Created: f.now, Expires: f.now.Add(10 * time.Minute),
		},
		Hold: &account.Hold{
			Challenge: v.Challenge, Instance: instance, Sealed: []byte("sealed answer of " + acc),
			Expires: f.now.Add(10 * time.Minute),
		},
	}
}

// beginPending stores a pending session.
func (f *fixture) beginPending(acc string) store.Begin {
	f.t.Helper()
	b := f.pending(acc)
	f.must(f.s.BeginSession(f.ctx, b, f.now))
	return b
}

// beginVerified stores a verified session.
func (f *fixture) beginVerified(acc string) account.Session {
	f.t.Helper()
	v := f.verified(acc)
	f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
	return v
}

func (f *fixture) session(id account.SessionID) account.Session {
	f.t.Helper()
	v, err := f.s.Session(f.ctx, id, f.now)
	f.must(err)
	return v
}

func (f *fixture) noSession(id account.SessionID, now time.Time) {
	f.t.Helper()
	_, err := f.s.Session(f.ctx, id, now)
	f.wants(err, store.ErrNotFound)
}

func (f *fixture) challenge(id string) account.Challenge {
	f.t.Helper()
	c, err := f.s.Challenge(f.ctx, id, f.now)
	f.must(err)
	return c
}

func (f *fixture) noChallenge(id string) {
	f.t.Helper()
	_, err := f.s.Challenge(f.ctx, id, f.now)
	f.wants(err, store.ErrNotFound)
}

func (f *fixture) line(key account.LineKey, now time.Time, want account.LockState) {
	f.t.Helper()
	got, err := f.s.LineState(f.ctx, key, now)
	f.must(err)
	if got != want {
		f.t.Errorf("the line's lock is %s, want %s", got, want)
	}
}

func (f *fixture) lock(key account.LineKey, login account.LoginID, now, until time.Time, want account.LockState) {
	f.t.Helper()
	got, err := f.s.LockLine(f.ctx, key, login, now, until)
	f.must(err)
	if got != want {
		f.t.Errorf("locking the line says %s, want %s", got, want)
	}
}

// attemptOf is an attempt with the limits of the product.
func attemptOf(b store.Begin, factor string) store.Attempt {
	return store.Attempt{
		Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: factor,
		PerCode: 5, InARow: 10, Pause: 30 * time.Minute,
	}
}

func (f *fixture) attempt(a store.Attempt, now time.Time) store.AttemptResult {
	f.t.Helper()
	r, err := f.s.CountAttempt(f.ctx, a, now)
	f.must(err)
	if n := meanings(r); n != 1 {
		f.t.Errorf("%d fields of %+v are meaningful, want one", n, r)
	}
	return r
}

func meanings(r store.AttemptResult) int {
	n := 0
	for _, is := range []bool{r.Counted, r.Exhausted, !r.PausedUntil.IsZero(), r.NoCode} {
		if is {
			n++
		}
	}
	return n
}

// attempts counts a number of attempts, which must all be counted.
func (f *fixture) attempts(a store.Attempt, n int) {
	f.t.Helper()
	for range n {
		if r := f.attempt(a, f.now); !r.Counted {
			f.t.Fatalf("an attempt was not counted: %+v", r)
		}
	}
}

// sendOf asks for a code to the phone.
func (f *fixture) sendOf(b store.Begin, code string) store.Send {
	return store.Send{
		Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: phoneID,
		New: account.Code{
			Hash: hashOf(code), Sealed: []byte("sealed " + code),
			Created: f.now, Expires: f.now.Add(5 * time.Minute),
		},
		PerCode: 5,
		Waits:   []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute},
	}
}

// sent sends a code, which must be allowed.
func (f *fixture) sent(b store.Begin, code string, now time.Time) store.SendResult {
	f.t.Helper()
	r, err := f.s.ReserveSend(f.ctx, f.sendOf(b, code), now)
	f.must(err)
	if !r.Send {
		f.t.Fatalf("the code is not to be sent: %+v", r)
	}
	return r
}

// passOf answers a challenge with an authenticator's step.
func (f *fixture) passOf(b store.Begin, step int64) store.Pass {
	return store.Pass{
		Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: totpID, Step: step,
		Next: f.verified(b.Session.Account),
	}
}

// codeOf answers a challenge with the phone's code.
func (f *fixture) codeOf(b store.Begin, code string) store.Pass {
	p := f.passOf(b, 0)
	p.Factor, p.CodeHash = phoneID, hashOf(code)
	return p
}

// unpassed checks that an answer has passed nothing: the session is pending,
// the challenge open, no verified session there.
func (f *fixture) unpassed(b store.Begin, p store.Pass) {
	f.t.Helper()
	if v := f.session(b.Session.ID); v.State != account.StatePending {
		f.t.Errorf("the session is %s, want it pending", v.State)
	}
	if c := f.challenge(b.Challenge.ID); c.State != account.ChallengeOpen {
		f.t.Errorf("the challenge is %s, want it open", c.State)
	}
	f.noSession(p.Next.ID, f.now)
}
