package file

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// together runs calls in one batch.
func together(t *testing.T, s *Store, runs ...func(*txn) error) []error {
	t.Helper()
	// The writer waits in this call, so the batch is all that writes.
	errs := make([]error, len(runs))
	release, holding := make(chan struct{}), make(chan struct{})
	var first sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.submit(t.Context(), func(*txn) error {
			first.Do(func() { close(holding) })
			<-release
			return nil
		})
	})
	<-holding
	for i, run := range runs {
		wg.Go(func() { errs[i] = s.submit(t.Context(), run) })
		// In the order of the list, as far as a queue of senders keeps it.
		time.Sleep(5 * time.Millisecond)
	}
	close(release)
	wg.Wait()
	return errs
}

func begins(v account.Session) func(*txn) error {
	return func(t *txn) error { return t.putSession(&v) }
}

func TestCallsThatComeTogetherShareOneTransaction(t *testing.T) {
	s := openNew(t)
	before := txID(t, s)
	a, b := verified("ada", time.Now()), verified("bob", time.Now())
	for _, err := range together(t, s, begins(a), begins(b)) {
		must(t, err)
	}
	if n := txID(t, s) - before; n != 1 {
		t.Errorf("there were %d transactions, want one", n)
	}
	for _, v := range []account.Session{a, b} {
		_, err := s.Session(t.Context(), v.ID, time.Now())
		must(t, err)
	}
}

func txID(t *testing.T, s *Store) int {
	t.Helper()
	id := 0
	must(t, s.viewOnce(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }))
	return id
}

func TestACallThatFailsTakesNoOtherWithItAndLeavesNothing(t *testing.T) {
	failure := errors.New("cannot be read")
	for name, fail := range map[string]func(){
		"an error": func() {},
		"a panic":  func() { panic("bad page") },
	} {
		t.Run(name, func(t *testing.T) {
			s := openNew(t)
			now := time.Now()
			a, bad, b := verified("ada", now), verified("eve", now), verified("bob", now)
			runs := 0
			errs := together(t, s, begins(a), func(x *txn) error {
				runs++
				if err := x.putSession(&bad); err != nil {
					return err
				}
				fail()
				return failure
			}, begins(b))
			must(t, errs[0])
			must(t, errs[2])
			if errs[1] == nil {
				t.Error("the call that failed has no error")
			}
			if runs != 2 {
				t.Errorf("the call that failed ran %d times, want once together and once alone", runs)
			}
			for id, want := range map[account.SessionID]bool{a.ID: true, bad.ID: false, b.ID: true} {
				_, err := s.Session(t.Context(), id, now)
				if got := err == nil; got != want || has(t, s, sessions.bucket, id[:]) != want {
					t.Errorf("the session is there: %t, want %t", got, want)
				}
			}
		})
	}
}

func TestAnAnswerKeepsWhatItsCallHasWritten(t *testing.T) {
	s := openNew(t)
	ctx, now := t.Context(), time.Now()
	v := verified("ada", now)
	must(t, s.BeginSession(ctx, store.Begin{Session: v}, now))
	_, err := s.SuspendSession(ctx, v.ID, newLogin(), now)
	must(t, err)
	if _, err := s.SuspendSession(ctx, v.ID, newLogin(), now.Add(account.RunningFor)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
	if has(t, s, sessions.bucket, v.ID[:]) {
		t.Error("the session is still on the disk")
	}
}

func TestACallThatChangesNothingWritesNothing(t *testing.T) {
	s := openNew(t)
	before := txID(t, s)
	must(t, s.EndSession(t.Context(), account.SessionID{1}))
	_, err := s.SuspendSession(t.Context(), account.SessionID{1}, newLogin(), time.Now())
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
	if n := txID(t, s) - before; n != 0 {
		t.Errorf("there were %d transactions, want none", n)
	}
}

func TestAWaitingCallEndsWithItsContext(t *testing.T) {
	s := openNew(t)
	release, holding := make(chan struct{}), make(chan struct{})
	var first sync.Once
	done := make(chan error)
	go func() {
		done <- s.submit(context.Background(), func(*txn) error {
			first.Do(func() { close(holding) })
			<-release
			return nil
		})
	}()
	<-holding
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	ran := false
	err := s.submit(ctx, func(*txn) error { ran = true; return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	close(release)
	must(t, <-done)
	if ran {
		t.Error("the call ran though its error says that it did not")
	}
}

func TestAfterAFailedCommitMemoryIsWhatTheNextTransactionWillSee(t *testing.T) {
	s := openNew(t)
	ctx, now := t.Context(), time.Now()
	changed, removed, untouched := verified("ada", now), verified("ada", now), verified("ada", now)
	for _, v := range []account.Session{changed, removed, untouched} {
		must(t, s.BeginSession(ctx, store.Begin{Session: v}, now))
	}
	// As if the sync of the meta page had failed after it was written.
	must(t, s.db.Update(func(tx *bbolt.Tx) error {
		x := &txn{tx: tx, store: s, sessions: make(map[account.SessionID]*account.Session)}
		v := changed
		v.SuspendedBy, v.SuspendedAt = newLogin(), now
		return errors.Join(x.putSession(&v), x.removeSession(removed.ID))
	}))
	s.readBack(map[account.SessionID]*account.Session{changed.ID: nil, removed.ID: nil, untouched.ID: nil})
	if v, err := s.Session(ctx, changed.ID, now); err != nil || !v.Suspended() {
		t.Errorf("the session is %+v, %v, want it suspended", v, err)
	}
	if _, err := s.Session(ctx, removed.ID, now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
	if v, err := s.Session(ctx, untouched.ID, now); err != nil || !v.Usable(now) {
		t.Errorf("the session is %+v, %v, want it as it was", v, err)
	}
}

func TestAfterADamagedWriteNothingIsWrittenUntilTheNextStart(t *testing.T) {
	s := openAt(t, t.TempDir()+"/store.db")
	ctx, now := t.Context(), time.Now()
	v := verified("ada", now)
	must(t, s.BeginSession(ctx, store.Begin{Session: v}, now))
	if err := s.update(func(*bbolt.Tx) error { panic("bad page") }); err == nil {
		t.Error("the panic was no error")
	}
	err := s.EndSession(ctx, v.ID)
	cannotSay(t, "EndSession", err)
	_, err = s.LockLine(ctx, newLine(), newLogin(), now, now.Add(time.Hour))
	cannotSay(t, "LockLine", err)
	if v, err := s.Session(ctx, v.ID, now); err != nil || !v.Usable(now) {
		t.Errorf("the session is %+v, %v, want it as it was", v, err)
	}
	must(t, s.Close())
}

func BenchmarkSession(b *testing.B) {
	s, err := Open(b.TempDir()+"/store.db", Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	ids := make([]account.SessionID, 10000)
	for i := range ids {
		v := verified("ada", now)
		ids[i] = v.ID
		s.table.set(v.ID, &v)
	}
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := s.Session(ctx, ids[i%len(ids)], now); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkBeginSession(b *testing.B) {
	s, err := Open(b.TempDir()+"/store.db", Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.BeginSession(context.Background(), store.Begin{Session: verified("ada", now)}, now); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
