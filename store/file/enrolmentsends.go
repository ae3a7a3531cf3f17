package file

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// recentTexts returns the times that count against account.MaxTexts, the oldest
// first. The list that was there is left as it was.
func recentTexts(texts []time.Time, now time.Time) []time.Time {
	recent := slices.DeleteFunc(slices.Clone(texts), func(at time.Time) bool { return !now.Before(at.Add(account.TextsFor)) })
	slices.SortFunc(recent, time.Time.Compare)
	return recent
}

// freeAgain is from when an account gets another text; zero if it may now.
func freeAgain(recent []time.Time) time.Time {
	if n := len(recent) - account.MaxTexts; n >= 0 {
		return recent[n].Add(account.TextsFor)
	}
	return time.Time{}
}

// ReserveEnrolmentSend implements store.Enrolments.
func (s *Store) ReserveEnrolmentSend(ctx context.Context, r store.EnrolmentSend, now time.Time) (store.SendResult, error) {
	if err := checkNewCode(&r.New, now); err != nil {
		return store.SendResult{}, err
	}
	return decide(ctx, s, func(t *txn) (store.SendResult, error) {
		e, err := s.enrolment(t.tx, r.ID, r.Standing, now)
		if err != nil {
			return store.SendResult{}, err
		}
		if e.Factor.Kind != account.KindPhone {
			return store.SendResult{}, store.ErrNotFound
		}
		a, err := get(t.tx, accounts, accountKey(e.Instance, e.Account))
		if err != nil {
			return store.SendResult{}, err
		}
		if a == nil {
			return store.SendResult{}, store.ErrNotFound
		}
		if from, ok := nextSend(e.Code.Sends, r.Waits); !ok || now.Before(from) {
			return store.SendResult{NotBefore: from}, nil
		}
		a.Texts = recentTexts(a.Texts, now)
		if from := freeAgain(a.Texts); !from.IsZero() {
			return store.SendResult{NotBefore: from}, nil
		}
		a.Texts = append(a.Texts, now.UTC().Round(0))
		e.Code = sentAgain(e.Code, codeLives(e, now) && e.Code.Tries < r.PerCode, r.New, now)

		out := store.SendResult{Send: true, Sealed: e.Code.Sealed, N: len(e.Code.Sends)}
		if from, ok := nextSend(e.Code.Sends, r.Waits); ok {
			out.NotBefore = from
			if free := freeAgain(a.Texts); free.After(from) {
				out.NotBefore = free
			}
		}
		if err := put(t, accounts, accountKey(a.Instance, a.ID), a); err != nil {
			return store.SendResult{}, err
		}
		return out, t.putEnrolment(e)
	})
}

// RecordEnrolmentSend implements store.Enrolments.
func (s *Store) RecordEnrolmentSend(ctx context.Context, id string, n int, status account.SendStatus) error {
	if err := checkStatus(status); err != nil {
		return err
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		standing, ok := t.standingOf(id)
		if !ok {
			return struct{}{}, nil
		}
		e, err := get(t.tx, enrolments, enrolmentKey(standing, id))
		switch {
		case isGarbage(err):
			s.complain(err)
			return struct{}{}, nil
		case err != nil || e == nil:
			return struct{}{}, err
		case n > len(e.Code.Sends):
			return struct{}{}, fmt.Errorf("sending %d was never asked for: there were %d", n, len(e.Code.Sends))
		case n < len(e.Code.Sends):
			return struct{}{}, nil
		}
		e.Code.Status = status
		return struct{}{}, t.putEnrolment(e)
	})
	return err
}
