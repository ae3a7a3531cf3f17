package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func TestADamagedIndexRemovesNothingThatLives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, _ := openLogged(t, path)
	sc := newScene(t, s)
	standing := newLine()
	must(t, s.StandLine(t.Context(), standing, sc.now, sc.now.Add(time.Hour)))
	live := map[byte][]byte{
		locks.tag: lineKey(sc.line), sessions.tag: sc.b.Session.ID[:], challenges.tag: []byte(sc.b.Challenge.ID),
		holds.tag: []byte(sc.b.Challenge.ID), values.tag: []byte(sc.handle),
	}
	must(t, s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucketExpiry))
		due := binary.BigEndian.AppendUint64(nil, 1)
		entries := [][]byte{{0}, due, append(bytes.Clone(due), 's'), append(bytes.Clone(due), 0, 1), append(bytes.Clone(due), 's', 1), random(7), random(40)}
		for tag, key := range live {
			// Said to be due, said to be of another kind, cut off.
			for _, tag := range []byte{tag, 's', 'l', 'c', 'h', 'v', 'x'} {
				entries = append(entries, append(append(bytes.Clone(due), tag), key...), append(append(bytes.Clone(due), tag), key[:len(key)-1]...))
			}
		}
		for _, e := range entries {
			if err := b.Put(e, random(3)); err != nil {
				return err
			}
		}
		r := tx.Bucket([]byte(bucketRunning))
		for _, k := range [][]byte{{0}, random(20), lineKey(standing), lineKey(newLine())} {
			if err := r.Put(k, random(3)); err != nil {
				return err
			}
		}
		return nil
	}))
	check := func(s *Store, lock account.LockState) {
		t.Helper()
		sc.s = s
		ctx := t.Context()
		must(t, sc.session())
		must(t, second(s.Challenge(ctx, sc.b.Challenge.ID, sc.now)))
		must(t, second(s.Value(ctx, sc.handle, sc.now)))
		if !has(t, s, holds.bucket, []byte(sc.b.Challenge.ID)) {
			t.Error("the hold is gone")
		}
		for key, want := range map[account.LineKey]account.LockState{sc.line: lock, standing: account.LockStanding} {
			if got, err := s.LineState(ctx, key, sc.now); err != nil || got != want {
				t.Errorf("the line is %s, %v, want %s", got, err, want)
			}
		}
	}
	must(t, s.sweep(t.Context()))
	check(s, account.LockRunning)
	must(t, s.Close())
	s, _ = openLogged(t, path)
	check(s, account.LockStanding)
	must(t, s.sweep(t.Context()))
	check(s, account.LockStanding)
	must(t, sc.pass())
}

// A session whose record is damaged on the disk is in memory still. It must not
// be in the way of the others.
func TestASessionThatCannotBeReadIsInNobodysWay(t *testing.T) {
	now := time.Now()
	c := newClock(now)
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(path, Options{Now: c.now, SweepEvery: time.Hour})
	must(t, err)
	ctx := t.Context()
	bad, good := verified("ada", now), verified("ada", now)
	for _, v := range []account.Session{bad, good} {
		must(t, s.BeginSession(ctx, store.Begin{Session: v}, now))
	}
	spoil(t, s, sessions.bucket, bad.ID[:], []byte("{"))
	seen := now.Add(7 * time.Hour)
	for _, v := range []account.Session{bad, good} {
		must(t, s.TouchSession(ctx, v.ID, seen))
	}
	key := newLine()
	must(t, s.StandLine(ctx, key, now, now.Add(9*time.Hour)))

	c.set(now.Add(10 * time.Hour))
	if err := s.sweep(ctx); err != nil {
		t.Errorf("the sweep: %v", err)
	}
	if has(t, s, locks.bucket, lineKey(key)) {
		t.Error("a lock that was due after the session was not swept")
	}
	if err := s.flush(ctx); err != nil {
		t.Errorf("the flush: %v", err)
	}
	must(t, s.Close())

	s = openAt(t, path)
	defer s.Close()
	for _, v := range []account.Session{bad, good} {
		got, err := s.Session(ctx, v.ID, seen)
		must(t, err)
		if !got.LastSeen.Equal(seen) {
			t.Errorf("last seen %s, want %s", got.LastSeen, seen)
		}
	}
	checkFile(t, s)
}

func TestANameOfAnAccountThatIsNotThereIsAnError(t *testing.T) {
	s, _ := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
	key := accountKey("crm", "ada")
	raw, err := names.encode(key, &nameOf{"ghost"})
	must(t, err)
	spoil(t, s, names.bucket, key, raw)
	_, err = s.Account(t.Context(), "crm", "ada")
	cannotSay(t, "Account", err)
}

func TestADamagedEpochIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	must(t, openAt(t, path).Close())
	var good []byte
	withDB(t, path, func(tx *bbolt.Tx) error {
		good = bytes.Clone(tx.Bucket([]byte(bucketMeta)).Get([]byte(metaEpoch)))
		return nil
	})
	bads := [][]byte{nil, good[frameSize:], good[:len(good)-1], good[:frameSize], random(len(good))}
	for _, at := range []int{0, 1, frameSize, frameSize + 3, len(good) - 1} {
		bad := bytes.Clone(good)
		bad[at] ^= 1 // the year 2026 becomes 2027, for one
		bads = append(bads, bad)
	}
	for _, bad := range bads {
		withDB(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Put([]byte(metaEpoch), bad) })
		before, err := os.ReadFile(path)
		must(t, err)
		s, err := Open(path, Options{})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "epoch cannot be read") || !strings.Contains(err.Error(), "put a backup in its place") {
			t.Errorf("%q: got error %v, want one that says what to do", bad, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Error("the file has changed", err)
		}
	}
	// Where the epoch is whole but the file's identity is not, it is a copy.
	withDB(t, path, func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket([]byte(bucketMeta)).Put([]byte(metaEpoch), good),
			tx.Bucket([]byte(bucketMeta)).Put([]byte(metaFile), random(5)))
	})
	s := openAt(t, path)
	defer s.Close()
	was, err := readEpoch(good)
	must(t, err)
	if epoch, err := s.Epoch(t.Context()); err != nil || !epoch.After(was) {
		t.Errorf("the epoch is %s, %v, want one after %s", epoch, err, was)
	}
}
