package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Session implements store.Sessions: it is a look-up in memory.
func (s *Store) Session(ctx context.Context, id account.SessionID, now time.Time) (account.Session, error) {
	if err := s.usable(ctx); err != nil {
		return account.Session{}, err
	}
	v, ok := s.table.find(id, now)
	if !ok || !v.Alive(now) {
		return account.Session{}, store.ErrNotFound
	}
	return v, nil
}

// TouchSession implements store.Sessions: it notes the time in memory.
func (s *Store) TouchSession(ctx context.Context, id account.SessionID, now time.Time) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if !s.table.touch(id, now) {
		return store.ErrNotFound
	}
	return nil
}

// usable is what the methods that live on memory alone ask first.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ask the store: %w", err)
	}
	select {
	case <-s.stopWriter:
		return errClosed
	default:
		return nil
	}
}

// SuspendSession implements store.Sessions.
func (s *Store) SuspendSession(ctx context.Context, id account.SessionID, login account.LoginID, now time.Time) (account.Session, error) {
	if login == (account.LoginID{}) {
		return account.Session{}, errors.New("a login without an id suspends nothing")
	}
	return decide(ctx, s, func(t *txn) (account.Session, error) {
		v, ok := t.find(id, now)
		if !ok || !v.Alive(now) || !v.Suspends() {
			return account.Session{}, store.ErrNotFound
		}
		before := *v
		before.SuspendedBy, before.SuspendedAt = account.LoginID{}, time.Time{}
		switch {
		case !v.Suspended():
			v.SuspendedBy, v.SuspendedAt = login, now
			return before, t.putSession(v)
		case v.SuspendedBy == login:
			return before, nil
		case now.Before(v.SuspendedAt.Add(account.RunningFor)):
			return account.Session{}, store.ErrBusy
		}
		if err := t.endSession(v); err != nil {
			return account.Session{}, err
		}
		return account.Session{}, store.ErrNotFound
	})
}

// ResumeSession implements store.Sessions.
func (s *Store) ResumeSession(ctx context.Context, id account.SessionID, login account.LoginID, now time.Time) error {
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		v, ok := t.find(id, now)
		if !ok || !v.Alive(now) {
			return struct{}{}, store.ErrNotFound
		}
		if !v.Suspended() || v.SuspendedBy != login {
			return struct{}{}, store.ErrConflict
		}
		v.SuspendedBy, v.SuspendedAt = account.LoginID{}, time.Time{}
		return struct{}{}, t.putSession(v)
	})
	return err
}

// EndSession implements store.Sessions.
func (s *Store) EndSession(ctx context.Context, id account.SessionID) error {
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		v, ok := t.find(id, time.Time{})
		if !ok {
			return struct{}{}, nil
		}
		return struct{}{}, t.endSession(v)
	})
	return err
}

// EndSessions implements store.Sessions. It looks at every session in memory.
func (s *Store) EndSessions(ctx context.Context, instance, acc string) (int, error) {
	return decide(ctx, s, func(t *txn) (int, error) {
		n, err := t.endSessions(instance, acc, account.SessionID{})
		if err != nil {
			return 0, err
		}
		_, err = t.forgetDevices(instance, acc)
		return n, err
	})
}

// endSessions ends all sessions of an account but one, which stays under every
// id that it is found by; a zero one is none. It returns how many of them could
// have let a browser in.
func (t *txn) endSessions(instance, acc string, but account.SessionID) (n int, err error) {
	for _, id := range t.sessionsOf(instance, acc) {
		v, ok := t.session(id)
		if !ok {
			continue
		}
		if is, ok := t.find(id, time.Time{}); ok && is.ID == but {
			continue
		}
		if v.Suspends() {
			n++
		}
		if err := t.endSession(v); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// CancelSession implements store.Sessions.
func (s *Store) CancelSession(ctx context.Context, id account.SessionID) error {
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		v, ok := t.session(id)
		if !ok || v.State != account.StatePending {
			return struct{}{}, store.ErrNotFound
		}
		return struct{}{}, t.cancelSession(v)
	})
	return err
}

func (t *txn) cancelSession(v *account.Session) error {
	key := []byte(v.Challenge)
	c, err := get(t.tx, challenges, key)
	if err != nil {
		return err
	}
	if c != nil && c.Session == v.ID {
		c.State = account.ChallengeCancelled
		killCodes(c)
		if err := put(t, challenges, key, c); err != nil {
			return err
		}
		if err := remove(t, holds, key); err != nil {
			return err
		}
	}
	if err := t.dropEnrolments(v.Standing); err != nil {
		return err
	}
	v.State = account.StateCancelled
	return t.putSession(v)
}

// BindToken implements store.Sessions.
func (s *Store) BindToken(ctx context.Context, id account.SessionID, token account.Fingerprint, now time.Time) error {
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		v, ok := t.find(id, now)
		if !ok || !v.Usable(now) {
			return struct{}{}, store.ErrNotFound
		}
		if !v.BindToken(token) {
			return struct{}{}, nil
		}
		return struct{}{}, t.putSession(v)
	})
	return err
}

// BeginSession implements store.Sessions.
func (s *Store) BeginSession(ctx context.Context, b store.Begin, now time.Time) error {
	if err := checkBegin(&b); err != nil {
		return err
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		return struct{}{}, begin(t, &b, now)
	})
	return err
}

func checkBegin(b *store.Begin) error {
	v, c, h := &b.Session, b.Challenge, b.Hold
	if v.ID == (account.SessionID{}) || v.Suspended() {
		return errors.New("a session begins with an id and not suspended")
	}
	if v.Steps != nil {
		return errors.New("a session begins without step-ups")
	}
	if b.Old != nil && *b.Old == v.ID {
		return errors.New("a session does not take its own place")
	}
	if b.Line != nil {
		if err := checkLine(*b.Line); err != nil {
			return err
		}
	}
	switch v.State {
	case account.StateVerified:
		if c != nil || h != nil {
			return errors.New("a verified session begins without a challenge and a hold")
		}
		return nil
	case account.StatePending:
		if b.Learn != nil {
			return errors.New("nothing is learnt of a pending session")
		}
	default:
		return fmt.Errorf("a session does not begin as %q", v.State)
	}
	switch {
	case c == nil || h == nil:
		return errors.New("a pending session begins with a challenge and a hold")
	case v.Challenge != c.ID || h.Challenge != c.ID || c.Session != v.ID:
		return errors.New("session, challenge and hold do not belong together")
	case c.Instance != v.Instance || c.Account != v.Account || h.Instance != v.Instance:
		return errors.New("session, challenge and hold are of different accounts")
	case c.Purpose == account.PurposeStepUp:
		return errors.New("a login does not begin with a step-up")
	case c.Purpose == account.PurposeEnrolment && len(c.Factors) > 0 || c.Enrolled != "":
		return errors.New("a challenge begins without a factor that was added, and no factor answers one of an enrolment")
	case c.State != account.ChallengeOpen || len(c.Codes) > 0 || len(c.Tries) > 0:
		return errors.New("a challenge begins open, without codes and tries")
	}
	return checkChallenge(c)
}

// checkChallenge refuses a challenge that cannot be stored.
func checkChallenge(c *account.Challenge) error {
	if len(c.Facts) > account.MaxFacts {
		return fmt.Errorf("the facts of a challenge have %d bytes: at most %d are stored", len(c.Facts), account.MaxFacts)
	}
	return checkName("a challenge's id", c.ID)
}

// begin looks at everything before it writes anything.
func begin(t *txn, b *store.Begin, now time.Time) error {
	if _, ok := t.session(b.Session.ID); ok {
		return store.ErrConflict
	}
	if b.Challenge != nil {
		c, err := get(t.tx, challenges, []byte(b.Challenge.ID))
		if err != nil {
			return err
		}
		if c != nil {
			return store.ErrConflict
		}
	}
	var old *account.Session
	if b.Old != nil {
		v, ok := t.find(*b.Old, now)
		if !ok || !v.Alive(now) || !v.Suspended() || v.SuspendedBy != b.Login {
			return store.ErrConflict
		}
		old = v
	}
	var lock *account.Lock
	if b.Line != nil {
		l, err := get(t.tx, locks, lineKey(*b.Line))
		if err != nil {
			return err
		}
		state := l.At(now)
		if state == account.LockFree || state == account.LockRunning && l.Login != b.Login {
			return store.ErrConflict
		}
		lock = l
	}

	if old != nil {
		if err := t.endSession(old); err != nil {
			return err
		}
	}
	if lock != nil {
		if err := stand(t, *b.Line, lock, now, b.LineUntil); err != nil {
			return err
		}
	}
	if b.Challenge != nil {
		key := []byte(b.Challenge.ID)
		if err := put(t, challenges, key, b.Challenge); err != nil {
			return err
		}
		if err := put(t, holds, key, b.Hold); err != nil {
			return err
		}
	}
	if err := t.learn(b.Session.Instance, b.Session.Account, b.Learn); err != nil {
		return err
	}
	return t.putSession(&b.Session)
}
