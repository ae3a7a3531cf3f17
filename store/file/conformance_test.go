package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
	"github.com/caddy-twofactor/caddy-twofactor/store/storetest"
)

// openAt opens a store at a path; whatever it logs is the test's.
func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{Logger: func(msg string, kv ...any) { t.Log(append([]any{msg}, kv...)...) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openNew opens an empty store, which is checked and closed when the test ends.
func openNew(t *testing.T) *Store {
	t.Helper()
	s := openAt(t, filepath.Join(t.TempDir(), "store.db"))
	t.Cleanup(func() {
		checkFile(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// checkFile checks that the file is sound, that every record which expires has
// its one entry in the expiry index, and that memory and disk agree. A store
// that the test has closed is let be.
func checkFile(t *testing.T, s *Store) {
	t.Helper()
	if err := sound(s); err != nil && !errors.Is(err, berrors.ErrDatabaseNotOpen) {
		t.Error(err)
	}
	err := s.viewOnce(func(tx *bbolt.Tx) error {
		index := make(map[string]bool)
		_ = tx.Bucket([]byte(bucketExpiry)).ForEach(func(k, _ []byte) error {
			index[string(k)] = true
			return nil
		})
		takeIndexed(t, tx, locks, index)
		takeIndexed(t, tx, sessions, index)
		takeIndexed(t, tx, challenges, index)
		takeIndexed(t, tx, holds, index)
		takeIndexed(t, tx, values, index)
		takeIndexed(t, tx, sightings, index)
		takeIndexed(t, tx, devices, index)
		takeIndexed(t, tx, enrolments, index)
		takeIndexed(t, tx, notices, index)
		for k := range index {
			t.Errorf("the expiry index has an entry of nothing: %q", k)
		}
		checkRunning(t, tx)
		checkEnrolling(t, tx)
		checkDue(t, tx)
		checkTable(t, tx, s)
		return nil
	})
	if err != nil && !errors.Is(err, berrors.ErrDatabaseNotOpen) {
		t.Error(err)
	}
}

// sound checks the file while nothing writes: what is freed meanwhile would look
// like damage.
func sound(s *Store) error {
	s.dbMu.RLock()
	defer s.dbMu.RUnlock()
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var all []error
	for err := range tx.Check() {
		all = append(all, fmt.Errorf("the file is not sound: %w", err))
	}
	return errors.Join(all...)
}

func takeIndexed[T any](t *testing.T, tx *bbolt.Tx, k *kind[T], index map[string]bool) {
	t.Helper()
	_ = tx.Bucket([]byte(k.bucket)).ForEach(func(key, raw []byte) error {
		v, err := k.decode(key, raw)
		if err != nil {
			t.Error(err)
			return nil
		}
		entry := string(k.expiryKey(key, v))
		if !index[entry] {
			t.Errorf("a record of %s is not in the expiry index", k.bucket)
		}
		delete(index, entry)
		return nil
	})
}

// checkRunning checks that the keys of the running locks, and no others, stand
// in their bucket.
func checkRunning(t *testing.T, tx *bbolt.Tx) {
	t.Helper()
	running := tx.Bucket([]byte(bucketRunning))
	n := 0
	_ = tx.Bucket([]byte(locks.bucket)).ForEach(func(key, _ []byte) error {
		l, err := get(tx, locks, key)
		if err != nil {
			t.Error(err)
			return nil
		}
		if l.State == account.LockRunning {
			n++
		}
		if noted := running.Get(key) != nil; noted != (l.State == account.LockRunning) {
			t.Errorf("a lock that is %s is noted as running: %t", l.State, noted)
		}
		return nil
	})
	if got := running.Stats().KeyN; got != n {
		t.Errorf("%d locks are noted as running, want %d", got, n)
	}
}

// checkEnrolling checks that the ids of all enrolments, and no others, stand in
// their bucket.
func checkEnrolling(t *testing.T, tx *bbolt.Tx) {
	t.Helper()
	n := 0
	_ = tx.Bucket([]byte(enrolments.bucket)).ForEach(func(_, raw []byte) error { n++; return nil })
	_ = tx.Bucket([]byte(bucketEnrolling)).ForEach(func(id, standing []byte) error {
		n--
		if tx.Bucket([]byte(enrolments.bucket)).Get(append(bytes.Clone(standing), id...)) == nil {
			t.Errorf("the enrolment %s is noted and not there", id)
		}
		return nil
	})
	if n != 0 {
		t.Errorf("%d enrolments are not noted", n)
	}
}

// checkDue checks that all notices, and nothing else, stand among what is due.
func checkDue(t *testing.T, tx *bbolt.Tx) {
	t.Helper()
	due := tx.Bucket([]byte(bucketDue))
	n := due.Stats().KeyN
	_ = tx.Bucket([]byte(notices.bucket)).ForEach(func(key, raw []byte) error {
		v, err := notices.decode(key, raw)
		if err != nil {
			t.Error(err)
			return nil
		}
		n--
		if due.Get(dueKey(v)) == nil {
			t.Errorf("the notice %s is not among what is due", key)
		}
		return nil
	})
	if n != 0 {
		t.Errorf("%d entries of what is due lead to no notice", n)
	}
}

func checkTable(t *testing.T, tx *bbolt.Tx, s *Store) {
	t.Helper()
	disk, err := s.readSessions(tx)
	if err != nil {
		t.Error(err)
	}
	n := 0
	for i := range s.table.shards {
		n += len(s.table.shards[i].m)
	}
	if n != len(disk) {
		t.Errorf("%d sessions are in memory and %d on the disk", n, len(disk))
	}
	for id, want := range disk {
		got, _ := s.table.get(id)
		if got.State != want.State || got.SuspendedBy != want.SuspendedBy || got.LastSeen.Before(want.LastSeen) {
			t.Errorf("the session is %+v in memory and %+v on the disk", got, *want)
		}
	}
}

func TestTheEngineKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Parallel()
		return openNew(t)
	})
}

// The clock of the engine itself decides what is swept, and when; it must not
// decide what a method answers.
func TestTheEngineKeepsTheContractWhateverItsOwnClockSays(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ahead  time.Duration
		sweeps bool
	}{
		{"right, sweeping all the time", 0, true},
		{"ten years behind, sweeping all the time", -10 * 365 * 24 * time.Hour, true},
		{"ten years ahead, before it sweeps", 10 * 365 * 24 * time.Hour, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Store {
				t.Parallel()
				// The epoch is the clock's too, and the contract wants it to be now.
				var opened atomic.Bool
				now := func() time.Time {
					if opened.CompareAndSwap(false, true) {
						return time.Now()
					}
					return time.Now().Add(tt.ahead)
				}
				s, err := Open(filepath.Join(t.TempDir(), "store.db"), Options{Now: now, SweepEvery: time.Hour})
				must(t, err)
				s.db.NoSync = true
				stop := func() {}
				if tt.sweeps {
					stop = sweepAllTheTime(s)
				}
				t.Cleanup(func() {
					stop()
					checkFile(t, s)
					must(t, s.Close())
				})
				return s
			})
		})
	}
}

// sweepAllTheTime sweeps a store until it is stopped.
func sweepAllTheTime(s *Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = s.sweep(ctx), s.flush(ctx)
			time.Sleep(time.Millisecond)
		}
	}()
	return func() { cancel(); <-done }
}

func TestWhatWasAcknowledgedIsThereAfterItWasOpenedAgain(t *testing.T) {
	storetest.RunDurable(t, func(t *testing.T, dir string) store.Store {
		return openAt(t, filepath.Join(dir, "store.db"))
	})
}
