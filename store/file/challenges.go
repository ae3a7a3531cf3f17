package file

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Challenge implements store.Challenges.
func (s *Store) Challenge(ctx context.Context, id string, now time.Time) (account.Challenge, error) {
	var out account.Challenge
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		c, err := get(tx, challenges, []byte(id))
		if err != nil {
			return err
		}
		if c == nil || !now.Before(c.Expires) {
			return store.ErrNotFound
		}
		out = *c
		return nil
	})
	return out, err
}

// question is an open challenge with all that must agree for an answer to it.
type question struct {
	challenge *account.Challenge
	session   *account.Session
	account   *account.Account
	factor    *account.Factor
}

// ask finds an open challenge, or says why it cannot be answered.
func ask(t *txn, id string, session account.SessionID, factor string, now time.Time) (*question, error) {
	c, err := get(t.tx, challenges, []byte(id))
	if err != nil {
		return nil, err
	}
	if c == nil || !now.Before(c.Expires) {
		return nil, store.ErrNotFound
	}
	v, ok := t.find(session, now)
	if c.Purpose == account.PurposeEnrolment {
		return nil, store.ErrNotFound
	}
	if c.Purpose == account.PurposeStepUp {
		// A session that is not usable is not even told what was passed.
		if !ok || !v.Usable(now) || !stepsUp(v, c) {
			return nil, store.ErrNotFound
		}
	} else if c.Session != session {
		return nil, store.ErrNotFound
	}
	if c.State == account.ChallengePassed {
		return nil, store.ErrSpent
	}
	if c.State != account.ChallengeOpen || !ok || !mayAnswer(v, c, now) || !c.MayAnswer(factor) {
		return nil, store.ErrNotFound
	}
	a, err := get(t.tx, accounts, accountKey(c.Instance, c.Account))
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, store.ErrNotFound
	}
	f, ok := a.Factor(factor)
	if !ok {
		return nil, store.ErrNotFound
	}
	return &question{challenge: c, session: v, account: a, factor: f}, nil
}

// mayAnswer reports whether the session is in the state in which it may answer
// a challenge of its own.
func mayAnswer(v *account.Session, c *account.Challenge, now time.Time) bool {
	if c.Purpose == account.PurposeStepUp {
		return v.Usable(now)
	}
	return v.Alive(now) && v.State == account.StatePending && !v.Suspended() && v.Challenge == c.ID
}

// stepsUp reports whether a step-up is the session's.
func stepsUp(v *account.Session, c *account.Challenge) bool {
	return c.Purpose == account.PurposeStepUp && c.Standing == v.Standing && v.Steps.Has(c.ID)
}

// code returns the phone's living code of this challenge.
func (q *question) code(now time.Time) (account.Code, bool) {
	c, ok := q.challenge.Codes[q.factor.ID]
	lives := ok && c.Hash != [32]byte{} && now.Before(c.Expires) && q.factor.CurrentChallenge == q.challenge.ID
	return c, lives
}

// save writes the challenge and the account.
func (q *question) save(t *txn) error {
	if err := put(t, challenges, []byte(q.challenge.ID), q.challenge); err != nil {
		return err
	}
	return put(t, accounts, accountKey(q.account.Instance, q.account.ID), q.account)
}

// killCodes makes the codes of a challenge worthless; when they were sent is
// kept.
func killCodes(c *account.Challenge) {
	for f, code := range c.Codes {
		code.Hash, code.Sealed = [32]byte{}, nil
		c.Codes[f] = code
	}
}

// CountAttempt implements store.Challenges.
func (s *Store) CountAttempt(ctx context.Context, a store.Attempt, now time.Time) (store.AttemptResult, error) {
	if err := checkFailed(&a); err != nil {
		return store.AttemptResult{}, err
	}
	return decide(ctx, s, func(t *txn) (store.AttemptResult, error) {
		q, err := ask(t, a.Challenge, a.Session, a.Factor, now)
		if err != nil {
			return store.AttemptResult{}, err
		}
		if now.Before(q.factor.PausedUntil) {
			return store.AttemptResult{PausedUntil: q.factor.PausedUntil}, nil
		}
		tries, ok := q.try(now, a.PerCode)
		switch {
		case !ok:
			return store.AttemptResult{NoCode: true}, nil
		case tries > a.PerCode:
			return store.AttemptResult{Exhausted: true}, nil
		}
		q.factor.Failures++
		if q.factor.Failures >= a.InARow {
			q.factor.PausedUntil = now.Add(a.Pause)
		}
		if a.Failed != nil {
			if err := t.putNotices([]account.Notice{*a.Failed}); err != nil {
				return store.AttemptResult{}, err
			}
		}
		return store.AttemptResult{Counted: true, Left: a.PerCode - tries}, q.save(t)
	})
}

// try counts a try of the factor's code if there is one left, and returns its
// number. There is no code to try if ok is false.
func (q *question) try(now time.Time, perCode int) (tries int, ok bool) {
	c, id := q.challenge, q.factor.ID
	if q.factor.Kind != account.KindPhone {
		tries = c.Tries[id] + 1
		if tries > perCode {
			return tries, true
		}
		if c.Tries == nil {
			c.Tries = make(map[string]int)
		}
		c.Tries[id] = tries
		return tries, true
	}
	code, lives := q.code(now)
	if !lives {
		return 0, false
	}
	if code.Tries >= perCode {
		return code.Tries + 1, true
	}
	code.Tries++
	c.Codes[id] = code
	return code.Tries, true
}

// PassChallenge implements store.Challenges.
func (s *Store) PassChallenge(ctx context.Context, p store.Pass, now time.Time) (account.Hold, error) {
	if err := errors.Join(checkNext(&p.Next, p.Session), checkNotices(p.Notices)); err != nil {
		return account.Hold{}, err
	}
	return decide(ctx, s, func(t *txn) (account.Hold, error) {
		q, err := ask(t, p.Challenge, p.Session, p.Factor, now)
		if err != nil {
			return account.Hold{}, err
		}
		if err := errors.Join(q.verifies(&p.Next), checkDevice(p.Device, &p.Next, now)); err != nil {
			return account.Hold{}, err
		}
		if q.challenge.Purpose == account.PurposeStepUp {
			return account.Hold{}, errors.New("a step-up begins no session")
		}
		if err := q.spend(p.Step, p.CodeHash, now); err != nil {
			return account.Hold{}, err
		}
		hold, err := q.held(t, &p.Next, now)
		if err != nil {
			return account.Hold{}, err
		}
		// It may say ErrConflict, which must come before anything is written.
		if err := t.remember(p.Device, p.Replaces, now); err != nil {
			return account.Hold{}, err
		}
		if err := t.putNotices(p.Notices); err != nil {
			return account.Hold{}, err
		}
		return *hold, q.release(t, &p.Next, p.Learn)
	})
}

// checkNext refuses a session that cannot take the place of a pending one.
func checkNext(next *account.Session, session account.SessionID) error {
	if next.ID == (account.SessionID{}) || next.ID == session ||
		!next.Follows() || next.Suspended() || next.Steps != nil {
		return errors.New("a passed challenge begins a verified session, or one for a second password, with an id of its own and without step-ups")
	}
	return nil
}

// verifies refuses a session of another account than the challenge's.
func (q *question) verifies(next *account.Session) error {
	if next.Instance != q.challenge.Instance || next.Account != q.challenge.Account {
		return errors.New("a passed challenge verifies its own account and no other")
	}
	return nil
}

// held finds what is held for a challenge after which a session follows.
func (q *question) held(t *txn, next *account.Session, now time.Time) (*account.Hold, error) {
	if _, ok := t.session(next.ID); ok {
		return nil, store.ErrConflict
	}
	return t.store.hold(t, q.challenge.ID, now)
}

// spend spends the code, in memory: nothing is written yet.
func (q *question) spend(step int64, hash [32]byte, now time.Time) error {
	f := q.factor
	switch f.Kind {
	case account.KindPhone:
		code, lives := q.code(now)
		if !lives || subtle.ConstantTimeCompare(code.Hash[:], hash[:]) != 1 {
			return store.ErrNotFound
		}
		f.CurrentChallenge = ""
	case account.KindTOTP:
		if step <= f.LastStep {
			return store.ErrSpent
		}
		f.LastStep = step
	case account.KindRecovery:
		if !f.Recovery.Spend(hash) {
			return store.ErrSpent
		}
	default:
		return fmt.Errorf("a factor of the kind %q has no code", f.Kind)
	}
	f.Failures, f.PausedUntil, f.Used = 0, time.Time{}, now.UTC().Round(0)
	q.pass()
	return nil
}

// pass marks the challenge passed, in memory.
func (q *question) pass() {
	q.challenge.State = account.ChallengePassed
	killCodes(q.challenge)
}

// hold finds a hold. One that cannot be read is absent, which closes.
func (s *Store) hold(t *txn, challenge string, now time.Time) (*account.Hold, error) {
	h, err := get(t.tx, holds, []byte(challenge))
	switch {
	case isGarbage(err):
		s.complain(err)
		return nil, store.ErrNotFound
	case err != nil:
		return nil, err
	case h == nil || !now.Before(h.Expires):
		return nil, store.ErrNotFound
	}
	return h, nil
}

// release writes what changes when a pending session has passed.
func (q *question) release(t *txn, next *account.Session, learn store.Learn) error {
	if err := q.save(t); err != nil {
		return err
	}
	if err := remove(t, holds, []byte(q.challenge.ID)); err != nil {
		return err
	}
	if err := t.removeNotice(store.FailedNotice(q.challenge.ID)); err != nil {
		return err
	}
	if err := t.dropEnrolments(q.session.Standing); err != nil {
		return err
	}
	if err := t.learn(next.Instance, next.Account, learn); err != nil {
		return err
	}
	q.session.State = account.StatePassed
	if err := t.putSession(q.session); err != nil {
		return err
	}
	return t.putSession(next)
}
