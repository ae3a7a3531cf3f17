package file

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// OpenStepUp implements store.StepUps.
func (s *Store) OpenStepUp(ctx context.Context, u store.StepUp, now time.Time) (account.Challenge, error) {
	if err := checkStepUp(&u, now); err != nil {
		return account.Challenge{}, err
	}
	return decide(ctx, s, func(t *txn) (account.Challenge, error) {
		v, err := t.verified(u.Challenge.Session, now)
		if err != nil {
			return account.Challenge{}, err
		}
		if u.Challenge.Standing != v.Standing || u.Challenge.Instance != v.Instance || u.Challenge.Account != v.Account {
			return account.Challenge{}, store.ErrNotFound
		}
		same, err := t.sameStepUp(v, &u, now)
		if err != nil {
			return account.Challenge{}, err
		}
		if same != nil {
			return t.reopen(v, same, &u, now)
		}
		there, err := get(t.tx, challenges, []byte(u.Challenge.ID))
		if err != nil {
			return account.Challenge{}, err
		}
		if there != nil {
			return account.Challenge{}, store.ErrConflict
		}
		return u.Challenge, t.addStepUp(v, &u)
	})
}

func checkStepUp(u *store.StepUp, now time.Time) error {
	c, h := &u.Challenge, u.Hold
	switch {
	case c.Purpose != account.PurposeStepUp || c.Session == (account.SessionID{}) || c.Standing.IsZero():
		return errors.New("a step-up has its purpose, a session and a standing")
	case c.State != account.ChallengeOpen && c.State != account.ChallengeWaiting || len(c.Codes) > 0 || len(c.Tries) > 0:
		return errors.New("a step-up begins open or waiting, without codes and tries")
	case c.State == account.ChallengeWaiting && h != nil:
		return errors.New("nothing is held for a step-up that waits")
	case h != nil && (h.Challenge != c.ID || h.Instance != c.Instance):
		return errors.New("step-up and hold do not belong together")
	case !now.Before(c.Expires):
		return errors.New("a step-up begins with time left")
	}
	return checkChallenge(c)
}

// verified finds a session that is usable.
func (t *txn) verified(id account.SessionID, now time.Time) (*account.Session, error) {
	v, ok := t.find(id, now)
	if !ok || !v.Usable(now) {
		return nil, store.ErrNotFound
	}
	v.Steps = v.Steps.Clone()
	return v, nil
}

// sameStepUp finds the session's step-up for the request and routes of another,
// open or waiting.
func (t *txn) sameStepUp(v *account.Session, u *store.StepUp, now time.Time) (*account.Challenge, error) {
	for _, id := range v.Steps.Challenges {
		c, err := get(t.tx, challenges, []byte(id))
		if isGarbage(err) {
			t.store.complain(err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if c != nil && c.Request == u.Challenge.Request && slices.Equal(c.Routes, u.Challenge.Routes) && now.Before(c.Expires) && stepsUp(v, c) &&
			(c.State == account.ChallengeOpen || c.State == account.ChallengeWaiting) {
			return c, nil
		}
	}
	return nil, nil
}

// reopen goes on with the step-up that is there.
func (t *txn) reopen(v *account.Session, c *account.Challenge, u *store.StepUp, now time.Time) (account.Challenge, error) {
	if u.Challenge.State == account.ChallengeWaiting || c.State == account.ChallengeOpen && u.Hold == nil {
		return *c, nil
	}
	if c.State == account.ChallengeOpen {
		_, err := t.store.hold(t, c.ID, now)
		if !errors.Is(err, store.ErrNotFound) {
			return *c, err
		}
	}
	c.State, c.Address, c.Back, c.Held = account.ChallengeOpen, u.Challenge.Address, u.Challenge.Back, u.Challenge.Held
	if v.Steps.Waiting == c.ID {
		v.Steps.Waiting = ""
	}
	if u.Hold != nil {
		h := *u.Hold
		h.Challenge = c.ID
		if err := put(t, holds, []byte(c.ID), &h); err != nil {
			return account.Challenge{}, err
		}
	}
	if err := put(t, challenges, []byte(c.ID), c); err != nil {
		return account.Challenge{}, err
	}
	return *c, t.putSession(v)
}

func (t *txn) addStepUp(v *account.Session, u *store.StepUp) error {
	c := &u.Challenge
	v.Steps.Challenges = append(v.Steps.Challenges, c.ID)
	for len(v.Steps.Challenges) > account.MaxStepUps {
		oldest := v.Steps.Challenges[0]
		if err := t.dropStepUp(v, oldest); err != nil {
			return err
		}
		v.Steps.Challenges = v.Steps.Challenges[1:]
		if v.Steps.Waiting == oldest {
			v.Steps.Waiting = ""
		}
	}
	if c.State == account.ChallengeWaiting {
		v.Steps.Waiting = c.ID
	}
	if err := put(t, challenges, []byte(c.ID), c); err != nil {
		return err
	}
	if u.Hold != nil {
		if err := put(t, holds, []byte(c.ID), u.Hold); err != nil {
			return err
		}
	}
	return t.putSession(v)
}

// stepUp finds a step-up of a usable session, in whatever state.
func (t *txn) stepUp(session account.SessionID, id string, now time.Time) (*account.Session, *account.Challenge, error) {
	v, err := t.verified(session, now)
	if err != nil {
		return nil, nil, err
	}
	c, err := get(t.tx, challenges, []byte(id))
	if err != nil {
		return nil, nil, err
	}
	if c == nil || !stepsUp(v, c) || !now.Before(c.Expires) {
		return v, nil, store.ErrNotFound
	}
	return v, c, nil
}

// ShowStepUp implements store.StepUps.
func (s *Store) ShowStepUp(ctx context.Context, session account.SessionID, challenge, back string, now time.Time) (account.Challenge, error) {
	type shown struct {
		c   account.Challenge
		err error
	}
	// Whatever becomes of it, the next page shows it no more: that is written
	// with an answer of ErrNotFound too.
	out, err := decide(ctx, s, func(t *txn) (shown, error) {
		v, c, err := t.stepUp(session, challenge, now)
		if err != nil && (v == nil || !errors.Is(err, store.ErrNotFound)) {
			return shown{}, err
		}
		waited := v.Steps.Waiting != "" && v.Steps.Waiting == challenge
		if waited {
			v.Steps.Waiting = ""
			if err := t.putSession(v); err != nil {
				return shown{}, err
			}
		}
		switch {
		case c == nil || c.State == account.ChallengeCancelled:
			return shown{err: store.ErrNotFound}, nil
		case c.State == account.ChallengePassed:
			return shown{err: store.ErrSpent}, nil
		case c.State == account.ChallengeOpen:
			return shown{c: *c}, nil
		}
		c.State, c.Back = account.ChallengeOpen, back
		return shown{c: *c}, put(t, challenges, []byte(c.ID), c)
	})
	if err != nil {
		return account.Challenge{}, err
	}
	return out.c, out.err
}

// CancelStepUp implements store.StepUps.
func (s *Store) CancelStepUp(ctx context.Context, session account.SessionID, challenge string, now time.Time) error {
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		v, c, err := t.stepUp(session, challenge, now)
		switch {
		case err != nil:
			return struct{}{}, err
		case c.State == account.ChallengePassed:
			return struct{}{}, store.ErrSpent
		}
		c.State = account.ChallengeCancelled
		killCodes(c)
		if err := put(t, challenges, []byte(c.ID), c); err != nil {
			return struct{}{}, err
		}
		if err := remove(t, holds, []byte(c.ID)); err != nil {
			return struct{}{}, err
		}
		if v.Steps.Waiting != c.ID {
			return struct{}{}, nil
		}
		v.Steps.Waiting = ""
		return struct{}{}, t.putSession(v)
	})
	return err
}

// PassStepUp implements store.StepUps.
func (s *Store) PassStepUp(ctx context.Context, p store.PassStepUp, now time.Time) (store.Stepped, error) {
	if p.Next == (account.SessionID{}) || p.Next == p.Session {
		return store.Stepped{}, errors.New("a step-up that is passed gives its session a new id")
	}
	if err := checkNotices(p.Notices); err != nil {
		return store.Stepped{}, err
	}
	return decide(ctx, s, func(t *txn) (store.Stepped, error) {
		q, err := ask(t, p.Challenge, p.Session, p.Factor, now)
		if err != nil {
			return store.Stepped{}, err
		}
		if q.challenge.Purpose != account.PurposeStepUp {
			return store.Stepped{}, errors.New("a challenge of a login is no step-up")
		}
		if err := q.spend(p.Step, p.CodeHash, now); err != nil {
			return store.Stepped{}, err
		}
		if _, ok := t.session(p.Next); ok {
			return store.Stepped{}, store.ErrConflict
		}
		hold, err := s.hold(t, p.Challenge, now)
		if errors.Is(err, store.ErrNotFound) && !p.Take {
			hold, err = nil, nil
		}
		if err != nil {
			return store.Stepped{}, err
		}
		if err := q.stepUp(t, &p, now); err != nil {
			return store.Stepped{}, err
		}
		return store.Stepped{Session: *q.session, Hold: hold}, nil
	})
}

// stepUp writes what a right code of a step-up changes.
func (q *question) stepUp(t *txn, p *store.PassStepUp, now time.Time) error {
	// Without the reading of the monotonic clock, which stands still while a
	// machine is suspended: nothing is fresh for longer by that.
	now = now.UTC().Round(0)
	if err := q.save(t); err != nil {
		return err
	}
	if err := remove(t, holds, []byte(q.challenge.ID)); err != nil {
		return err
	}
	if err := t.removeNotice(store.FailedNotice(q.challenge.ID)); err != nil {
		return err
	}
	if err := t.putNotices(p.Notices); err != nil {
		return err
	}
	v := q.session
	v.Steps = v.Steps.Clone()
	v.Steps.Factor, v.Steps.FactorAt = q.factor.Kind, now
	for _, route := range q.challenge.Routes {
		if p.Routes == nil || slices.Contains(p.Routes, route) {
			v.Steps.SetFresh(route, now)
		}
	}
	if q.challenge.Once {
		v.Steps.SetPass(account.Pass{Request: q.challenge.Request, Until: now.Add(account.PassFor), Taken: p.Take}, now)
	}
	if v.Steps.Waiting == q.challenge.ID {
		v.Steps.Waiting = ""
	}
	return t.moveSession(v, p.Next, now)
}

// moveSession gives a session a new id, and writes it.
func (t *txn) moveSession(v *account.Session, next account.SessionID, now time.Time) error {
	left := account.Session{
		ID: v.ID, Instance: v.Instance, State: account.StateMoved, Account: v.Account, User: v.User,
		Created: v.Created, LastSeen: now, Expires: now.Add(account.MovedFor),
		Steps: &account.Steps{MovedTo: next},
	}
	v.ID = next
	if err := t.putSession(&left); err != nil {
		return err
	}
	return t.putSession(v)
}

// TakePass implements store.StepUps.
func (s *Store) TakePass(ctx context.Context, session account.SessionID, request account.RequestID, now time.Time) error {
	return s.changePass(ctx, session, request, true, now)
}

// ReturnPass implements store.StepUps.
func (s *Store) ReturnPass(ctx context.Context, session account.SessionID, request account.RequestID, now time.Time) error {
	return s.changePass(ctx, session, request, false, now)
}

func (s *Store) changePass(ctx context.Context, session account.SessionID, request account.RequestID, take bool, now time.Time) error {
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		v, err := t.verified(session, now)
		if err != nil {
			return struct{}{}, err
		}
		pass, ok := v.Steps.Pass(request, now)
		switch {
		case !ok:
			return struct{}{}, store.ErrNotFound
		case take && pass.Taken:
			return struct{}{}, store.ErrSpent
		case pass.Taken == take:
			return struct{}{}, nil
		}
		pass.Taken = take
		v.Steps.SetPass(pass, now)
		return struct{}{}, t.putSession(v)
	})
	return err
}
