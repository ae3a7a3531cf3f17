package file

import (
	"bytes"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// txn is a writing transaction with the changes of the table of sessions that
// it brings. The calls of one transaction see each other's changes.
type txn struct {
	tx    *bbolt.Tx
	store *Store
	// changed is false while there is nothing to commit.
	changed bool
	// sessions are the sessions changed; nil is a removed one.
	sessions map[account.SessionID]*account.Session
}

// get reads a record; nil if there is none.
func get[T any](tx *bbolt.Tx, k *kind[T], key []byte) (*T, error) {
	raw := tx.Bucket([]byte(k.bucket)).Get(key)
	if raw == nil {
		return nil, nil
	}
	return k.decode(key, raw)
}

// put writes a record and its entry in the expiry index. If the record that it
// replaces cannot be read and that is no error, the sweeper finds the entry of
// that one and puts it right.
func put[T any](t *txn, k *kind[T], key []byte, v *T) error {
	raw, err := k.encode(key, v)
	if err != nil {
		return err
	}
	if k.tag != 0 {
		old, err := get(t.tx, k, key)
		if err != nil && !k.absent {
			return err
		}
		t.store.complain(err)
		if err := reindex(t, k, key, old, v); err != nil {
			return err
		}
	}
	return t.write(k.bucket, key, raw)
}

func reindex[T any](t *txn, k *kind[T], key []byte, old, v *T) error {
	entry := k.expiryKey(key, v)
	if old != nil {
		was := k.expiryKey(key, old)
		if bytes.Equal(was, entry) {
			return nil
		}
		if err := t.erase(bucketExpiry, was); err != nil {
			return err
		}
	}
	return t.write(bucketExpiry, entry, []byte{})
}

// remove removes a record and its entry in the expiry index. What cannot be
// read is removed too: nothing asks for it here whose absence opens.
func remove[T any](t *txn, k *kind[T], key []byte) error {
	old, err := get(t.tx, k, key)
	if err == nil && old == nil {
		return nil
	}
	t.store.complain(err)
	if old != nil {
		if err := t.erase(bucketExpiry, k.expiryKey(key, old)); err != nil {
			return err
		}
	}
	return t.erase(k.bucket, key)
}

func (t *txn) write(bucket string, key, value []byte) error {
	t.changed = true
	if err := t.tx.Bucket([]byte(bucket)).Put(key, value); err != nil {
		return fmt.Errorf("write to %s: %w", bucket, err)
	}
	return nil
}

func (t *txn) erase(bucket string, key []byte) error {
	t.changed = true
	if err := t.tx.Bucket([]byte(bucket)).Delete(key); err != nil {
		return fmt.Errorf("remove from %s: %w", bucket, err)
	}
	return nil
}

// session returns a session as the calls before in this transaction left it.
func (t *txn) session(id account.SessionID) (*account.Session, bool) {
	if s, ok := t.sessions[id]; ok {
		if s == nil {
			return nil, false
		}
		c := *s
		return &c, true
	}
	s, ok := t.store.table.get(id)
	return &s, ok
}

// find is session, also by an id that a step-up has replaced; see table.find.
func (t *txn) find(id account.SessionID, now time.Time) (*account.Session, bool) {
	for range maxMoves {
		s, ok := t.session(id)
		if !ok || s.State != account.StateMoved {
			return s, ok
		}
		if !now.IsZero() && !s.Alive(now) {
			break
		}
		id = s.Steps.MovedTo
	}
	return nil, false
}

// sessionsOf returns the ids of an account's sessions, as the calls before in
// this transaction left them.
func (t *txn) sessionsOf(instance, acc string) []account.SessionID {
	var ids []account.SessionID
	for id, s := range t.sessions {
		if s != nil && s.Instance == instance && s.Account == acc {
			ids = append(ids, id)
		}
	}
	for _, id := range t.store.table.of(instance, acc) {
		if _, changed := t.sessions[id]; !changed {
			ids = append(ids, id)
		}
	}
	return ids
}

func (t *txn) putSession(s *account.Session) error {
	if err := put(t, sessions, s.ID[:], s); err != nil {
		return err
	}
	c := *s
	t.sessions[s.ID] = &c
	return nil
}

func (t *txn) removeSession(id account.SessionID) error {
	if err := remove(t, sessions, id[:]); err != nil {
		return err
	}
	t.sessions[id] = nil
	return nil
}

// putLock writes a lock and notes whether it is running.
func (t *txn) putLock(key []byte, l *account.Lock) error {
	if err := put(t, locks, key, l); err != nil {
		return err
	}
	if l.State == account.LockRunning {
		return t.write(bucketRunning, key, []byte{})
	}
	return t.erase(bucketRunning, key)
}

func (t *txn) removeLock(key []byte) error {
	if err := remove(t, locks, key); err != nil {
		return err
	}
	return t.erase(bucketRunning, key)
}

// endSession removes a session with its challenges, their holds and its
// enrolment.
func (t *txn) endSession(s *account.Session) error {
	if err := t.removeSession(s.ID); err != nil {
		return err
	}
	if err := t.dropEnrolments(s.Standing); err != nil {
		return err
	}
	if s.Steps != nil {
		for _, id := range s.Steps.Challenges {
			if err := t.dropStepUp(s, id); err != nil {
				return err
			}
		}
	}
	return t.dropChallenge(s)
}

// dropStepUp removes a step-up of the session and its hold.
func (t *txn) dropStepUp(v *account.Session, id string) error {
	key := []byte(id)
	if c, err := get(t.tx, challenges, key); err == nil && c != nil && !stepsUp(v, c) {
		return nil
	}
	if err := remove(t, challenges, key); err != nil {
		return err
	}
	return remove(t, holds, key)
}

func (t *txn) dropChallenge(s *account.Session) error {
	if s.Challenge == "" {
		return nil
	}
	key := []byte(s.Challenge)
	c, err := get(t.tx, challenges, key)
	if err == nil && (c == nil || c.Session != s.ID) {
		return nil
	}
	if err := remove(t, challenges, key); err != nil {
		return err
	}
	return remove(t, holds, key)
}
