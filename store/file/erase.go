package file

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// EraseAccount implements store.Changes. It looks at every session in memory,
// every enrolment and every notice.
func (s *Store) EraseAccount(ctx context.Context, instance, acc string) error {
	err := errors.Join(checkName("an account's instance", instance), checkName("an account's id", acc))
	if err != nil {
		return err
	}
	_, err = decide(ctx, s, func(t *txn) (struct{}, error) {
		a, err := get(t.tx, accounts, accountKey(instance, acc))
		if err != nil {
			return struct{}{}, err
		}
		if a == nil {
			return struct{}{}, store.ErrNotFound
		}
		return struct{}{}, t.eraseAccount(a)
	})
	return err
}

func (t *txn) eraseAccount(a *account.Account) error {
	for _, name := range append([]string{a.ID}, a.Aliases...) {
		if err := t.erase(names.bucket, accountKey(a.Instance, name)); err != nil {
			return err
		}
		if err := remove(t, sightings, seenKey(a.Instance, store.SeenUser, name)); err != nil {
			return err
		}
	}
	key := accountKey(a.Instance, a.ID)
	if err := errors.Join(t.erase(accounts.bucket, key), t.erase(histories.bucket, key)); err != nil {
		return err
	}
	if _, err := t.endSessions(a.Instance, a.ID, account.SessionID{}); err != nil {
		return err
	}
	if _, err := t.forgetDevices(a.Instance, a.ID); err != nil {
		return err
	}
	err := t.removeEnrolments(nil, func(e *account.Enrolment) bool {
		return e != nil && e.Instance == a.Instance && e.Account == a.ID
	})
	if err != nil {
		return err
	}
	return t.removeNotices(a.Instance, a.ID)
}

// SessionsOf implements store.Changes. It looks at every session in memory.
func (s *Store) SessionsOf(ctx context.Context, instance, acc string, now time.Time) ([]account.Session, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	var list []account.Session
	seen := make(map[account.SessionID]bool)
	for _, id := range s.table.of(instance, acc) {
		// One that was moved since is found by the id that it had.
		v, ok := s.table.find(id, now)
		if ok && !seen[v.ID] && v.Alive(now) && v.Suspends() {
			seen[v.ID] = true
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b account.Session) int { return b.Created.Compare(a.Created) })
	return list, nil
}
