package file

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// clock is a clock that a test sets.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time         { return time.Unix(0, c.ns.Load()) }
func (c *clock) set(now time.Time)      { c.ns.Store(now.UnixNano()) }
func newClock(now time.Time) (c *clock) { c = &clock{}; c.set(now); return c }

// openClocked opens a store that sweeps only when the test says so.
func openClocked(t *testing.T, c *clock) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store.db"), Options{Now: c.now, SweepEvery: time.Hour})
	must(t, err)
	t.Cleanup(func() {
		checkFile(t, s)
		_ = s.Close()
	})
	return s
}

func TestTheSweeperRemovesWhatHasExpiredAndNothingElse(t *testing.T) {
	now := time.Now()
	c := newClock(now)
	s := openClocked(t, c)
	ctx := t.Context()
	must(t, s.PutAccounts(ctx, []account.Account{newAccount("ada")}))
	fill := func(life time.Duration) (store.Begin, account.LineKey, string) {
		b, key, handle := pending("ada", now, []byte("held")), newLine(), newName()
		b.Session.Expires, b.Challenge.Expires, b.Hold.Expires = now.Add(life), now.Add(life), now.Add(life)
		must(t, s.BeginSession(ctx, b, now))
		must(t, s.StandLine(ctx, key, now, now.Add(life)))
		must(t, s.PutValue(ctx, handle, []byte("x"), now.Add(life)))
		return b, key, handle
	}
	check := func(b store.Begin, key account.LineKey, handle string, want bool) {
		t.Helper()
		for bucket, k := range map[string][]byte{
			sessions.bucket: b.Session.ID[:], challenges.bucket: []byte(b.Challenge.ID),
			holds.bucket: []byte(b.Challenge.ID), locks.bucket: lineKey(key), values.bucket: []byte(handle),
		} {
			if got := has(t, s, bucket, k); got != want {
				t.Errorf("there is a record in %s: %t, want %t", bucket, got, want)
			}
		}
		if _, got := s.table.get(b.Session.ID); got != want {
			t.Errorf("there is a session in memory: %t, want %t", got, want)
		}
	}
	b1, l1, h1 := fill(time.Minute)
	b2, l2, h2 := fill(time.Hour)

	must(t, s.sweep(ctx))
	check(b1, l1, h1, true)
	c.set(now.Add(time.Minute + time.Second))
	must(t, s.sweep(ctx))
	check(b1, l1, h1, false)
	check(b2, l2, h2, true)
	c.set(now.Add(time.Hour + time.Second))
	must(t, s.sweep(ctx))
	check(b2, l2, h2, false)
	if _, err := s.Account(ctx, "crm", "ada"); err != nil {
		t.Errorf("the account was swept: %v", err)
	}
}

func TestTheSweeperRemovesAnIdleSessionButNotOneThatWasSeen(t *testing.T) {
	now := time.Now()
	c := newClock(now)
	s := openClocked(t, c)
	ctx := t.Context()
	idle, seen := verified("ada", now), verified("ada", now)
	for _, v := range []account.Session{idle, seen} {
		must(t, s.BeginSession(ctx, store.Begin{Session: v}, now))
	}
	must(t, s.TouchSession(ctx, seen.ID, now.Add(7*time.Hour)))

	c.set(now.Add(8*time.Hour + time.Second))
	must(t, s.sweep(ctx))
	if _, ok := s.table.get(idle.ID); ok || has(t, s, sessions.bucket, idle.ID[:]) {
		t.Error("the idle session is still there")
	}
	if _, err := s.Session(ctx, seen.ID, c.now()); err != nil {
		t.Errorf("the session that was seen is gone: %v", err)
	}
	c.set(now.Add(15*time.Hour + time.Second))
	must(t, s.sweep(ctx))
	if _, ok := s.table.get(seen.ID); ok || has(t, s, sessions.bucket, seen.ID[:]) {
		t.Error("the session that was seen is still there when it is idle too")
	}
}

func TestTheSweeperKeepsALockThatCannotBeRead(t *testing.T) {
	now := time.Now()
	c := newClock(now)
	m := &memo{}
	s, err := Open(filepath.Join(t.TempDir(), "store.db"), Options{Now: c.now, SweepEvery: time.Hour, Logger: m.log})
	must(t, err)
	defer s.Close()
	key := newLine()
	must(t, s.StandLine(t.Context(), key, now, now.Add(time.Minute)))
	spoil(t, s, locks.bucket, lineKey(key), []byte("{"))
	c.set(now.Add(time.Hour))
	must(t, s.sweep(t.Context()))
	if !has(t, s, locks.bucket, lineKey(key)) {
		t.Error("the lock is gone")
	}
	if m.count() != 1 {
		t.Errorf("%d lines were logged, want one", m.count())
	}
}

func TestTheSweeperRemovesMoreThanOneTransactionsWorthInBoundedOnes(t *testing.T) {
	now := time.Now()
	c := newClock(now)
	s := openClocked(t, c)
	ctx := t.Context()
	const n = 2*sweepBatch + 10
	must(t, s.submit(ctx, func(tx *txn) error {
		for range n {
			if err := stand(tx, newLine(), nil, now, now.Add(time.Minute)); err != nil {
				return err
			}
		}
		return nil
	}))
	c.set(now.Add(time.Hour))
	first, err := decide(ctx, s, func(tx *txn) (int, error) { return s.sweepSome(tx, c.now()) })
	must(t, err)
	if first != sweepBatch {
		t.Errorf("one transaction has removed %d, want %d", first, sweepBatch)
	}
	must(t, s.sweep(ctx))
	must(t, s.viewOnce(func(tx *bbolt.Tx) error {
		if n := tx.Bucket([]byte(locks.bucket)).Stats().KeyN; n != 0 {
			t.Errorf("%d locks are left", n)
		}
		return nil
	}))
}

func TestTheSweeperRunsByItselfAndEndsAtClose(t *testing.T) {
	now := time.Now()
	c := newClock(now)
	s, err := Open(filepath.Join(t.TempDir(), "store.db"), Options{Now: c.now, SweepEvery: time.Millisecond})
	must(t, err)
	key := newLine()
	must(t, s.StandLine(t.Context(), key, now, now.Add(time.Minute)))
	c.set(now.Add(time.Hour))
	for end := time.Now().Add(10 * time.Second); has(t, s, locks.bucket, lineKey(key)); {
		if time.Now().After(end) {
			t.Fatal("the lock was not swept")
		}
		time.Sleep(time.Millisecond)
	}
	must(t, s.Close())
	<-s.sweeperDone
	<-s.writerDone
}

func TestATouchStaysInMemoryUntilItIsFlushed(t *testing.T) {
	now := time.Now()
	s := openClocked(t, newClock(now))
	ctx := t.Context()
	v := verified("ada", now)
	must(t, s.BeginSession(ctx, store.Begin{Session: v}, now))
	disk := func() (seen time.Time, tx int) {
		t.Helper()
		must(t, s.viewOnce(func(x *bbolt.Tx) error {
			d, err := get(x, sessions, v.ID[:])
			must(t, err)
			seen, tx = d.LastSeen, x.ID()
			return nil
		}))
		return seen, tx
	}
	_, before := disk()
	for i := range 1000 {
		must(t, s.TouchSession(ctx, v.ID, now.Add(time.Duration(i)*time.Second)))
	}
	if seen, tx := disk(); tx != before || !seen.Equal(now) {
		t.Errorf("touching has written %d transactions", tx-before)
	}
	must(t, s.flush(ctx))
	if seen, tx := disk(); tx != before+1 || !seen.Equal(now.Add(999*time.Second)) {
		t.Errorf("last seen %s after %d transactions", seen, tx-before)
	}
	must(t, s.flush(ctx))
	if _, tx := disk(); tx != before+1 {
		t.Error("a session that was not seen again was written again")
	}
	must(t, s.TouchSession(ctx, v.ID, now.Add(2000*time.Second)))
	must(t, s.flush(ctx))
	if seen, _ := disk(); !seen.Equal(now.Add(2000 * time.Second)) {
		t.Errorf("last seen %s", seen)
	}
}

func TestARequestThatComesDuringAChangeIsNotForgotten(t *testing.T) {
	var tb table
	now := time.Now()
	v := verified("ada", now)
	tb.set(v.ID, &v)
	read, _ := tb.get(v.ID)
	if !tb.touch(v.ID, now.Add(time.Hour)) {
		t.Fatal("the session is not there")
	}
	read.SuspendedBy = newLogin()
	tb.apply(map[account.SessionID]*account.Session{v.ID: &read})
	got, _ := tb.get(v.ID)
	if !got.Suspended() || !got.LastSeen.Equal(now.Add(time.Hour)) {
		t.Errorf("suspended: %t, last seen %s; want it suspended, and seen at %s", got.Suspended(), got.LastSeen, now.Add(time.Hour))
	}
	if ids := tb.takeDirty(); len(ids) != 1 {
		t.Errorf("%d sessions are to be flushed, want one", len(ids))
	}
}

func TestAReleasedHoldIsOffTheDisk(t *testing.T) {
	s := openNew(t)
	ctx, now := t.Context(), time.Now()
	must(t, s.PutAccounts(ctx, []account.Account{newAccount("ada")}))
	for _, end := range []func(store.Begin) error{
		func(b store.Begin) error { return second(s.PassChallenge(ctx, stepOf(b, 1, now), now)) },
		func(b store.Begin) error { return s.CancelSession(ctx, b.Session.ID) },
		func(b store.Begin) error { return s.EndSession(ctx, b.Session.ID) },
	} {
		b := pending("ada", now, []byte("held"))
		must(t, s.BeginSession(ctx, b, now))
		must(t, end(b))
		if has(t, s, holds.bucket, []byte(b.Challenge.ID)) {
			t.Error("the hold is still there")
		}
	}
}
