package file

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// enrolling finds the open challenge of a login that waits for an enrolment, or
// says why it cannot go on. There may be no account yet.
func enrolling(t *txn, id string, session account.SessionID, now time.Time) (*question, error) {
	c, err := get(t.tx, challenges, []byte(id))
	if err != nil {
		return nil, err
	}
	if c == nil || !now.Before(c.Expires) || c.Purpose != account.PurposeEnrolment || c.Session != session {
		return nil, store.ErrNotFound
	}
	if c.State == account.ChallengePassed {
		return nil, store.ErrSpent
	}
	v, ok := t.session(session)
	if !ok || c.State != account.ChallengeOpen || !mayAnswer(v, c, now) {
		return nil, store.ErrNotFound
	}
	a, err := get(t.tx, accounts, accountKey(c.Instance, c.Account))
	if err != nil {
		return nil, err
	}
	return &question{challenge: c, session: v, account: a}, nil
}

// PassEnrolment implements store.Challenges.
func (s *Store) PassEnrolment(ctx context.Context, p store.PassEnrolment, now time.Time) (account.Hold, error) {
	if err := checkNext(&p.Next, p.Session); err != nil {
		return account.Hold{}, err
	}
	return decide(ctx, s, func(t *txn) (account.Hold, error) {
		q, err := enrolling(t, p.Challenge, p.Session, now)
		if err != nil {
			return account.Hold{}, err
		}
		if q.account == nil {
			return account.Hold{}, store.ErrNotFound
		}
		if err := q.verifies(&p.Next); err != nil {
			return account.Hold{}, err
		}
		kind, ok := q.enrolled(p.PutOff)
		if !ok {
			return account.Hold{}, store.ErrNotFound
		}
		if p.Next.Factor != kind {
			return account.Hold{}, errors.New("after an enrolment a session has the kind of the factor that was added, and none where it was put off")
		}
		hold, err := q.held(t, &p.Next, now)
		if err != nil {
			return account.Hold{}, err
		}
		q.pass()
		return *hold, q.release(t, &p.Next, p.Learn)
	})
}

// enrolled returns the kind of the factor that was added; none if it may be, and
// is, put off: not once there is a factor, whoever has added it.
func (q *question) enrolled(putOff bool) (kind account.Kind, ok bool) {
	if putOff {
		return "", q.challenge.MayPutOff && q.challenge.Enrolled == "" && !q.account.HasFactor()
	}
	f, ok := q.account.Factor(q.challenge.Enrolled)
	if !ok {
		return "", false
	}
	return f.Kind, true
}

// ConfirmEnrolment implements store.Challenges.
func (s *Store) ConfirmEnrolment(ctx context.Context, c store.Confirm, now time.Time) (store.Confirmed, error) {
	return decide(ctx, s, func(t *txn) (store.Confirmed, error) {
		q, err := confirming(t, &c, now)
		if err != nil {
			return store.Confirmed{}, err
		}
		if q.challenge != nil && q.challenge.Confirmed {
			return store.Confirmed{Right: true}, nil
		}
		out := store.Confirmed{Right: true}
		if c.Codes != nil {
			if out, err = q.compare(t, &c, now); err != nil || !out.Right {
				return out, err
			}
		}
		if q.challenge != nil {
			q.challenge.Confirmed = true
			return out, put(t, challenges, []byte(q.challenge.ID), q.challenge)
		}
		q.session.Steps = q.session.Steps.Clone()
		q.session.Steps.SetFresh(account.RouteConfirmed, now.UTC().Round(0))
		return out, t.putSession(q.session)
	})
}

// confirming finds the session in which it is confirmed who the user is, with
// the challenge of a pending one.
func confirming(t *txn, c *store.Confirm, now time.Time) (*question, error) {
	if c.Challenge != "" {
		return enrolling(t, c.Challenge, c.Session, now)
	}
	v, err := t.verified(c.Session, now)
	if err != nil {
		return nil, err
	}
	a, err := get(t.tx, accounts, accountKey(v.Instance, v.Account))
	if err != nil {
		return nil, err
	}
	return &question{session: v, account: a}, nil
}

// compare counts a code against all invitations of the account that live, and
// spends the one that it is of.
func (q *question) compare(t *txn, c *store.Confirm, now time.Time) (out store.Confirmed, err error) {
	out.None = true
	if q.account == nil {
		return out, nil
	}
	for i, at := range []**account.Invitation{&q.account.Invitation, &q.account.MailCode} {
		v := *at
		if v == nil || v.Hash == ([32]byte{}) || v.Tries >= c.PerCode || !now.Before(v.Expires) {
			continue
		}
		v.Tries++
		out.None, out.Left = false, max(out.Left, c.PerCode-v.Tries)
		if subtle.ConstantTimeCompare(v.Hash[:], c.Codes[i][:]) == 1 {
			*at, out.Right = nil, true
		}
	}
	if out.None {
		return out, nil
	}
	if out.Right {
		out.Left = 0
	}
	return out, put(t, accounts, accountKey(q.account.Instance, q.account.ID), q.account)
}
