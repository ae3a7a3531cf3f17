package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// learn lets a user log in, of whom that is learnt.
func learn(ctx context.Context, s *Store, acc string, fn store.Learn) error {
	now := time.Now()
	return s.BeginSession(ctx, store.Begin{Session: verified(acc, now), Learn: fn}, now)
}

func becomes(text []byte) store.Learn { return func([]byte) []byte { return text } }

func TestAHistoryThatCannotBeReadCountsAsNone(t *testing.T) {
	for _, d := range append(damages(),
		damage{"framed nothing", func(bucket string, key, _, _, _ []byte) []byte { return frame(bucket, key, nil) }},
		damage{"framed too much", func(bucket string, key, _, _, _ []byte) []byte {
			return frame(bucket, key, make([]byte, account.MaxHistory+1))
		}},
	) {
		if strings.HasPrefix(d.name, `framed "`) {
			// To the engine that is a history.
			continue
		}
		for _, after := range []string{"learnt anew", "aged", "passed"} {
			t.Run(d.name+"/"+after, func(t *testing.T) {
				t.Parallel()
				tryHistory(t, d, after)
			})
		}
	}
}

func tryHistory(t *testing.T, d damage, after string) {
	s, m := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
	ctx, sc := t.Context(), newScene(t, s)
	must(t, learn(ctx, s, sc.acc, becomes([]byte("used to this"))))
	must(t, learn(ctx, s, "bob", becomes([]byte("used to that"))))
	key := accountKey("crm", sc.acc)
	spoil(t, s, histories.bucket, key, d.make(histories.bucket, key, rawOf(t, s, histories.bucket, key),
		rawOf(t, s, histories.bucket, accountKey("crm", "bob")), rawOf(t, s, values.bucket, []byte(sc.handle))))
	for range 2 {
		if got, err := s.History(ctx, "crm", sc.acc); err != nil || got != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	want := []byte("new")
	anew := func(old []byte) []byte {
		if old != nil {
			t.Errorf("it is learnt after %q", old)
		}
		return want
	}
	switch after {
	case "learnt anew":
		must(t, learn(ctx, s, sc.acc, anew))
	case "passed":
		sc.next.Learn = anew
		must(t, sc.pass())
	case "aged":
		want = nil
		n, err := s.AgeHistories(ctx, func(old []byte) []byte { return old })
		if err != nil || n != 1 || has(t, s, histories.bucket, key) {
			t.Errorf("%d were aged, %v; the record is still there: %t", n, err, has(t, s, histories.bucket, key))
		}
	}
	if got, err := s.History(ctx, "crm", sc.acc); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := s.History(ctx, "crm", "bob"); err != nil || string(got) != "used to that" {
		t.Errorf("the other's is %q, %v", got, err)
	}
	if n := m.naming(histories.bucket, shownKey(histories.bucket, key)); n != 1 {
		t.Errorf("the log names the record %d times, want once", n)
	}
}

func TestEveryFlippedBitAndEveryCutOfAHistoryIsNoticed(t *testing.T) {
	key := accountKey("crm", "ada")
	good, err := histories.encode(key, random(100))
	must(t, err)
	for bit := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := histories.decode(key, bad); !isGarbage(err) {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
	}
	for n := range len(good) {
		if _, err := histories.decode(key, good[:n]); !isGarbage(err) {
			t.Errorf("cut off after %d bytes: %v", n, err)
		}
	}
}

func TestAHistoryThatStaysAsItIsWritesNothing(t *testing.T) {
	s := openNew(t)
	ctx := t.Context()
	must(t, learn(ctx, s, "ada", becomes([]byte("x"))))
	before := lastTx(t, s)
	if n, err := s.AgeHistories(ctx, func(old []byte) []byte { return old }); n != 0 || err != nil || lastTx(t, s) != before {
		t.Errorf("%d, %v, after transaction %d comes %d", n, err, before, lastTx(t, s))
	}
}

// lastTx is the number of the last transaction that was committed.
func lastTx(t *testing.T, s *Store) (id int) {
	t.Helper()
	must(t, s.viewOnce(func(tx *bbolt.Tx) error {
		id = tx.ID()
		return nil
	}))
	return id
}

// A million histories are no one transaction: a login goes in between.
func TestALoginWaitsForNoAgeingOfAllHistories(t *testing.T) {
	s := openNew(t)
	s.db.NoSync = true
	ctx := t.Context()
	for i := range 5 * agePage {
		must(t, learn(ctx, s, fmt.Sprintf("user%04d", i), becomes([]byte("x"))))
	}
	before, logins := lastTx(t, s), 0
	n, err := s.AgeHistories(ctx, func(old []byte) []byte {
		if string(old) == "x" && logins == 0 {
			// This is called without the writer first, which is free for others.
			logins++
			if err := learn(ctx, s, "zoe", becomes([]byte("learnt meanwhile"))); err != nil {
				t.Error(err)
			}
		}
		return bytes.ReplaceAll(old, []byte("x"), []byte("y"))
	})
	if err != nil || n != 5*agePage {
		t.Errorf("%d histories were aged, %v", n, err)
	}
	if steps := lastTx(t, s) - before - logins; steps != 5 {
		t.Errorf("%d histories were aged in %d steps, want 5", n, steps)
	}
}

// withAccount is the largest history that takes less than 4 KiB of the file
// together with its account (two factors, a name of 24 bytes), and historyAlone,
// in round numbers, the largest that does alone: with 3,068 bytes for key and
// record no four of them fit into three pages any more.
const (
	withAccount  = 2500
	historyAlone = 2900
)

// The limit is 4 KiB on the disk for an account with a full history.
func TestAnAccountWithAFullHistoryTakesLessThan4KiBOfTheFile(t *testing.T) {
	const accounts = 2000
	for _, size := range []int{2000, withAccount, historyAlone, 4000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			s := openAt(t, path)
			s.db.NoSync = true
			enrolMany(t, s, accounts, 0)
			empty := used(t, s)
			enrolMany(t, s, accounts, size)
			full := used(t, s)
			must(t, s.Close())
			info, err := os.Stat(path)
			must(t, err)
			whole, each := full/accounts, (full-empty)/accounts
			t.Logf("histories of %d bytes: %d bytes of the file for each history, %d with its account; the file has %d KiB", size, each, whole, info.Size()>>10)
			if size <= withAccount && whole >= 4096 {
				t.Errorf("an account with its history takes %d bytes", whole)
			}
			if size <= historyAlone && each >= 4096 {
				t.Errorf("a history takes %d bytes", each)
			}
		})
	}
}

// enrolMany enrols users and lets each log in until its history has this size: it
// grows with each login, and the users come in no order.
func enrolMany(t *testing.T, s *Store, accounts, size int) {
	t.Helper()
	ctx := t.Context()
	for round := range 4 {
		for i := range accounts {
			acc := fmt.Sprintf("user%08x@example.com", uint32(i)*2654435761)
			if size == 0 {
				if round == 0 {
					must(t, s.PutAccounts(ctx, []account.Account{newAccount(acc)}))
				}
				continue
			}
			v := verified(acc, time.Now())
			must(t, s.BeginSession(ctx, store.Begin{Session: v, Learn: becomes(random(size * (round + 1) / 4))}, time.Now()))
			must(t, s.EndSession(ctx, v.ID))
		}
	}
}

// used is how many bytes of the file the buckets take that grow with accounts.
func used(t *testing.T, s *Store) (bytes int) {
	t.Helper()
	must(t, s.viewOnce(func(tx *bbolt.Tx) error {
		for _, name := range []string{accounts.bucket, names.bucket, histories.bucket} {
			st := tx.Bucket([]byte(name)).Stats()
			bytes += st.BranchAlloc + st.LeafAlloc
		}
		return nil
	}))
	return bytes
}

// What a function learns must not depend on how often it is asked.
func TestAFunctionIsAskedAgainWhenAnotherCallFails(t *testing.T) {
	s := openNew(t)
	ctx, asked := t.Context(), 0
	v, w := verified("ada", time.Now()), verified("bob", time.Now())
	batch := []*call{
		{done: make(chan struct{}), run: func(x *txn) error {
			return begin(x, &store.Begin{Session: v, Learn: func(old []byte) []byte { asked++; return append(old, 'a') }}, time.Now())
		}},
		{done: make(chan struct{}), run: func(x *txn) error {
			return begin(x, &store.Begin{Session: w, Learn: func([]byte) []byte { panic("no") }}, time.Now())
		}},
	}
	s.perform(batch)
	if batch[0].err != nil || batch[1].err == nil || asked != 2 {
		t.Errorf("%v, %v, asked %d times", batch[0].err, batch[1].err, asked)
	}
	if got, err := s.History(ctx, "crm", "ada"); err != nil || string(got) != "a" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := s.Session(ctx, w.ID, time.Now()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the one that failed has begun: %v", err)
	}
}
