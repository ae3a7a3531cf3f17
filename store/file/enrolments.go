package file

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// bucketEnrolling holds the standing of each enrolment by its id.
const bucketEnrolling = "enrolling"

// enrolments are the factors that are about to be added, by standing and id.
var enrolments = &kind[account.Enrolment]{
	bucket: "enrolments", tag: 'e',
	absent: true, meaning: "the user has to begin the enrolment again",
	deadline: func(e *account.Enrolment) time.Time { return e.Expires },
	check: func(key []byte, e *account.Enrolment) error {
		if !bytes.Equal(enrolmentKey(e.Standing, e.ID), key) {
			return errOtherKey
		}
		return nil
	},
}

func enrolmentKey(standing account.StandingID, id string) []byte {
	return append(standing[:], id...)
}

func checkEnrolment(e *account.Enrolment, now time.Time) error {
	err := errors.Join(checkName("an enrolment's id", e.ID), checkName("an enrolment's instance", e.Instance), checkName("an enrolment's account", e.Account))
	switch {
	case err != nil:
		return err
	case e.Standing.IsZero():
		return errors.New("an enrolment is of a session's standing")
	case e.Factor.ID == "" || e.Factor.Kind != account.KindPhone && e.Factor.Kind != account.KindTOTP:
		return fmt.Errorf("a factor of the kind %.20q is not enrolled by a code of it, or it has no id", e.Factor.Kind)
	case e.Tries != 0 || e.Code.Hash != [32]byte{} || len(e.Code.Sends) > 0:
		return errors.New("an enrolment begins without codes and tries")
	case !now.Before(e.Expires):
		return errors.New("an enrolment begins with time left")
	}
	return nil
}

// enrolment finds an enrolment of a standing that has not expired. One that
// cannot be read is absent.
func (s *Store) enrolment(tx *bbolt.Tx, id string, standing account.StandingID, now time.Time) (*account.Enrolment, error) {
	e, err := get(tx, enrolments, enrolmentKey(standing, id))
	switch {
	case isGarbage(err):
		s.complain(err)
		return nil, store.ErrNotFound
	case err != nil:
		return nil, err
	case e == nil || !now.Before(e.Expires):
		return nil, store.ErrNotFound
	}
	return e, nil
}

// standingOf returns the standing of the enrolment of an id.
func (t *txn) standingOf(id string) (standing account.StandingID, ok bool) {
	raw := t.tx.Bucket([]byte(bucketEnrolling)).Get([]byte(id))
	return standing, copy(standing[:], raw) == len(standing)
}

func (t *txn) putEnrolment(e *account.Enrolment) error {
	if err := t.write(bucketEnrolling, []byte(e.ID), e.Standing[:]); err != nil {
		return err
	}
	return put(t, enrolments, enrolmentKey(e.Standing, e.ID), e)
}

func (t *txn) removeEnrolment(key []byte) error {
	if err := t.erase(bucketEnrolling, key[min(len(account.StandingID{}), len(key)):]); err != nil {
		return err
	}
	return remove(t, enrolments, key)
}

// dropEnrolments removes the enrolment of a standing, one too that cannot be
// read.
func (t *txn) dropEnrolments(standing account.StandingID) error {
	return t.removeEnrolments(standing[:], func(*account.Enrolment) bool { return true })
}

// removeEnrolments removes enrolments whose keys begin so, those that the
// function names. It is given nil for one that cannot be read.
func (t *txn) removeEnrolments(prefix []byte, is func(*account.Enrolment) bool) error {
	var keys [][]byte
	c := t.tx.Bucket([]byte(enrolments.bucket)).Cursor()
	for k, raw := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, raw = c.Next() {
		e, err := enrolments.decode(k, raw)
		t.store.complain(err)
		if is(e) {
			keys = append(keys, bytes.Clone(k))
		}
	}
	for _, key := range keys {
		if err := t.removeEnrolment(key); err != nil {
			return err
		}
	}
	return nil
}

// sweepEnrolment is sweepKind, and removes the enrolment's id too.
func sweepEnrolment(t *txn, key []byte, now time.Time) error {
	if err := sweepKind(t, enrolments, key, now); err != nil {
		return err
	}
	if t.tx.Bucket([]byte(enrolments.bucket)).Get(key) != nil {
		return nil
	}
	return t.removeEnrolment(key)
}

// BeginEnrolment implements store.Enrolments.
func (s *Store) BeginEnrolment(ctx context.Context, e account.Enrolment, now time.Time) error {
	if err := checkEnrolment(&e, now); err != nil {
		return err
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		standing, there := t.standingOf(e.ID)
		if there {
			_, err := s.enrolment(t.tx, e.ID, standing, now)
			if err == nil {
				return struct{}{}, store.ErrConflict
			}
			if !errors.Is(err, store.ErrNotFound) {
				return struct{}{}, err
			}
			if err := t.removeEnrolment(enrolmentKey(standing, e.ID)); err != nil {
				return struct{}{}, err
			}
		}
		if err := t.dropEnrolments(e.Standing); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.putEnrolment(&e)
	})
	return err
}

// Enrolment implements store.Enrolments.
func (s *Store) Enrolment(ctx context.Context, id string, standing account.StandingID, now time.Time) (account.Enrolment, error) {
	var out account.Enrolment
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		e, err := s.enrolment(tx, id, standing, now)
		if err != nil {
			return err
		}
		out = *e
		return nil
	})
	return out, err
}

// codeLives reports whether an enrolment has a code that can be entered.
func codeLives(e *account.Enrolment, now time.Time) bool {
	return e.Code.Hash != [32]byte{} && now.Before(e.Code.Expires)
}

// TryEnrolment implements store.Enrolments.
func (s *Store) TryEnrolment(ctx context.Context, id string, standing account.StandingID, perCode int, now time.Time) (store.AttemptResult, error) {
	return decide(ctx, s, func(t *txn) (store.AttemptResult, error) {
		e, err := s.enrolment(t.tx, id, standing, now)
		if err != nil {
			return store.AttemptResult{}, err
		}
		tries := &e.Tries
		if e.Factor.Kind == account.KindPhone {
			if !codeLives(e, now) {
				return store.AttemptResult{NoCode: true}, nil
			}
			tries = &e.Code.Tries
		}
		if *tries >= perCode {
			return store.AttemptResult{Exhausted: true}, nil
		}
		*tries++
		return store.AttemptResult{Counted: true, Left: perCode - *tries}, t.putEnrolment(e)
	})
}

// DropEnrolment implements store.Enrolments.
func (s *Store) DropEnrolment(ctx context.Context, instance string, standing account.StandingID) error {
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		return struct{}{}, t.removeEnrolments(standing[:], func(e *account.Enrolment) bool { return e == nil || e.Instance == instance })
	})
	return err
}

// enrolled finds the enrolment that is spent by a change in a session, and
// returns its key.
func (t *txn) enrolled(c *store.Change, v *account.Session, now time.Time) (key []byte, err error) {
	if c.Enrolment == nil {
		return nil, nil
	}
	e, err := t.store.enrolment(t.tx, c.Enrolment.ID, c.Enrolment.Standing, now)
	if err != nil {
		return nil, err
	}
	if e.Standing != v.Standing || e.Instance != c.Instance || e.Account != c.Account {
		return nil, store.ErrNotFound
	}
	if e.Factor.Kind == account.KindPhone &&
		(!codeLives(e, now) || subtle.ConstantTimeCompare(e.Code.Hash[:], c.Enrolment.CodeHash[:]) != 1) {
		return nil, store.ErrNotFound
	}
	return enrolmentKey(e.Standing, e.ID), nil
}
