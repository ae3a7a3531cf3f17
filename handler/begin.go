package handler

import (
	"context"
	"errors"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// errOvertaken means that the user said 'this was not me', that the account was
// suspended, or that its first factor was added or its last one removed, while a
// login of it was on its way.
var errOvertaken = errors.New("the account was closed while somebody signed in to it")

// begin is what the store records of this right password.
func (a *attempt) begin(s account.Session) store.Begin {
	b := store.Begin{Session: s, Login: a.id, Line: a.locked, LineUntil: s.Created.Add(a.g.AppSessionMax)}
	if a.old != nil && !a.againIsOver(s.Created) {
		b.Old = &a.sessionID
	}
	return b
}

// beginSession begins the session of a login. What was decided of it may be over by
// now: all sessions that are there end when the user says 'this was not me', and
// one that comes a moment later must not be the thief's. So it is with the first
// factor, which ends the other sessions too. So the account is read once more.
func (a *attempt) beginSession(ctx context.Context, b store.Begin) error {
	s := &b.Session
	if err := a.parts.Store.BeginSession(ctx, b, s.Created); err != nil {
		return err
	}
	a.settled = true
	a.recordReplaced()
	acc, err := a.parts.Store.Account(ctx, a.g.Instance, s.Account)
	if errors.Is(err, store.ErrNotFound) || err == nil && acc.Suspended == nil && acc.Alarm.Equal(a.alarm) && acc.HasFactor() == a.hadFactor {
		return nil
	}
	if err == nil {
		err = errOvertaken
	}
	return errors.Join(err, a.parts.Store.EndSession(context.WithoutCancel(ctx), s.ID))
}

// notBegun says why a login did not go on.
func (a *attempt) notBegun(err error) error {
	if errors.Is(err, errOvertaken) {
		return a.refuse(page.ChangedElsewhere, nil)
	}
	return a.refuse(page.StoreUnavailable, err)
}
