package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

var errNoLogin = errors.New("a login without an id locks nothing")

// LockLine implements store.Lines.
func (s *Store) LockLine(ctx context.Context, key account.LineKey, login account.LoginID, now, until time.Time) (account.LockState, error) {
	if err := checkLine(key); err != nil {
		return "", err
	}
	if login == (account.LoginID{}) {
		return "", errNoLogin
	}
	if !now.Before(until) {
		return "", fmt.Errorf("a lock until %s is over at %s", until, now)
	}
	return decide(ctx, s, func(t *txn) (account.LockState, error) {
		l, err := get(t.tx, locks, lineKey(key))
		if err != nil {
			return "", err
		}
		if state := l.At(now); state != account.LockFree {
			return state, nil
		}
		l = &account.Lock{State: account.LockRunning, Login: login, Since: now, Until: until}
		return account.LockFree, t.putLock(lineKey(key), l)
	})
}

// LiftLine implements store.Lines.
func (s *Store) LiftLine(ctx context.Context, key account.LineKey, login account.LoginID, now time.Time) error {
	if err := checkLine(key); err != nil {
		return err
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		l, err := get(t.tx, locks, lineKey(key))
		if err != nil {
			return struct{}{}, err
		}
		if l.At(now) != account.LockRunning || l.Login != login {
			return struct{}{}, store.ErrConflict
		}
		return struct{}{}, t.removeLock(lineKey(key))
	})
	return err
}

// StandLine implements store.Lines.
func (s *Store) StandLine(ctx context.Context, key account.LineKey, now, until time.Time) error {
	if err := checkLine(key); err != nil {
		return err
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		l, err := get(t.tx, locks, lineKey(key))
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, stand(t, key, l, now, until)
	})
	return err
}

// stand makes a lock standing; one that is free is a new one.
func stand(t *txn, key account.LineKey, l *account.Lock, now, until time.Time) error {
	if l.At(now) == account.LockFree {
		if !now.Before(until) {
			return nil
		}
		l = &account.Lock{Since: now}
	}
	if l.State == account.LockStanding && !until.After(l.Until) {
		return nil
	}
	l.State = account.LockStanding
	if until.After(l.Until) {
		l.Until = until
	}
	return t.putLock(lineKey(key), l)
}

// LineState implements store.Lines.
func (s *Store) LineState(ctx context.Context, key account.LineKey, now time.Time) (account.LockState, error) {
	if err := checkLine(key); err != nil {
		return "", err
	}
	var state account.LockState
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		l, err := get(tx, locks, lineKey(key))
		if err != nil {
			return err
		}
		state = l.At(now)
		return nil
	})
	return state, err
}

func checkLine(key account.LineKey) error {
	if key.Line.IsZero() {
		return errors.New("a line without an id has no lock")
	}
	return checkName("a line's instance", key.Instance)
}
