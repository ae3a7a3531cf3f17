package file

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// childEnv names what the test binary does when it was started by a test as a
// process of its own.
const childEnv = "TWO_FACTOR_STORE_CHILD"

func TestMain(m *testing.M) {
	child, ok := children()[os.Getenv(childEnv)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := child(os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func newName() string { return hex.EncodeToString(random(16)) }

func newLine() account.LineKey {
	return account.LineKey{Instance: "crm", Line: account.StandingID(random(16))}
}

func newLogin() account.LoginID { return account.LoginID(random(16)) }

func newAccount(id string) account.Account {
	return account.Account{Instance: "crm", ID: id, Name: id, Factors: []account.Factor{
		{ID: "totp", Kind: account.KindTOTP, Secret: []byte("seed"), TOTP: &account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}},
		{ID: "phone", Kind: account.KindPhone, Secret: []byte("number")},
	}}
}

func verified(acc string, now time.Time) account.Session {
	return account.Session{
		ID: account.SessionID(random(32)), Instance: "crm", Standing: account.StandingID(random(16)),
		State: account.StateVerified, Account: acc, User: acc,
		Created: now, LastSeen: now, IdleFor: 8 * time.Hour, Expires: now.Add(24 * time.Hour),
	}
}

func pending(acc string, now time.Time, held []byte) store.Begin {
	v := verified(acc, now)
	v.State, v.Challenge, v.IdleFor = account.StatePending, newName(), 0
	return store.Begin{
		Session: v,
		Challenge: &account.Challenge{
			ID: v.Challenge, Instance: "crm", Account: acc, Purpose: account.PurposeLogin, State: account.ChallengeOpen,
			Session: v.ID, Factors: []string{"totp", "phone"}, Created: now, Expires: now.Add(time.Hour),
		},
		Hold: &account.Hold{Challenge: v.Challenge, Instance: "crm", Sealed: held, Expires: now.Add(time.Hour)},
	}
}

func stepOf(b store.Begin, step int64, now time.Time) store.Pass {
	return store.Pass{
		Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: "totp", Step: step,
		Next: verified(b.Session.Account, now),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// second is the error of a call.
func second[T any](_ T, err error) error { return err }

// spoil writes bytes into a bucket behind the engine's back.
func spoil(t *testing.T, s *Store, bucket string, key, raw []byte) {
	t.Helper()
	must(t, s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put(key, raw) }))
}

// has reports whether there is such a key on the disk.
func has(t *testing.T, s *Store, bucket string, key []byte) bool {
	t.Helper()
	found := false
	must(t, s.viewOnce(func(tx *bbolt.Tx) error {
		found = tx.Bucket([]byte(bucket)).Get(key) != nil
		return nil
	}))
	return found
}

// memo collects what a store logs.
type memo struct {
	mu    sync.Mutex
	lines []string
}

func (m *memo) log(msg string, kv ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, fmt.Sprint(append([]any{msg}, kv...)...))
}

func (m *memo) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.lines)
}
