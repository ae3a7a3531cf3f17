package handler

import (
	"context"
	"net/http"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// unchanged goes on after a login in a verified session of which only the
// proof tells, and it still names the session's user: whether the password was
// right or wrong, nobody is logged in who was not verified before. The session
// goes on, and no code is sent.
func (a *attempt) unchanged(kept hold.Answer) error {
	ctx, cancel := a.ctx()
	defer cancel()
	if err := a.resume(ctx, kept.Header); err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	if token := tokenIn(a.login.TokenJSON, parseJSON(kept.Body)); token != "" && !a.bindToken(ctx, token) {
		return a.refuse(page.SessionEnded, nil)
	}
	a.write(kept)
	return nil
}

// resume lets the suspended verified session go on, and what the answer sets
// belongs to it.
func (a *attempt) resume(ctx context.Context, h http.Header) error {
	if err := a.parts.Store.ResumeSession(ctx, a.sessionID, a.id, a.g.Clock()); err != nil {
		return err
	}
	a.settled = true
	a.recordSession(SessionResumed, StillTheirs, a.old)
	s := a.sessionSealer(a.old)
	a.sealAll(ctx, h, a.sets, s, true)
	return nil
}

// certainNo settles a login to which the app has certainly said no: its lock
// is lifted and the answer's cookies are sealed for the standing it came in. A
// verified session goes on only if a proof says that it is still its user's;
// else it ends, and none of the answer's guarded cookies go out.
func (a *attempt) certainNo(h http.Header) error {
	ctx, cancel := a.ctx()
	defer cancel()
	if a.wasVerified {
		return a.noInSession(ctx, h)
	}
	if a.locked != nil {
		if err := a.parts.Store.LiftLine(ctx, *a.locked, a.id, a.g.Clock()); err != nil {
			return err
		}
		a.locked = nil
	}
	if a.old != nil {
		// A pending session goes on waiting for its code; nothing of it was at
		// the app, and nothing new joins it. What the answer sets is an
		// anonymous visitor's: without it an app that checks its form's token
		// would refuse every further login of this browser.
		a.leaveLocked()
	}
	a.settled = true
	s, err := a.answerStanding(0)
	if err != nil {
		return err
	}
	a.sealAll(ctx, h, a.sets, s, false)
	return nil
}

// noInSession settles a certain no in a verified session. If the login went
// without the session's values, what the answer sets is a visitor's, on a new
// line.
func (a *attempt) noInSession(ctx context.Context, h http.Header) error {
	if !a.withheld && a.stillItsUsers(ctx) {
		return a.resume(ctx, h)
	}
	a.leaveLocked()
	a.session, a.found = account.Session{}, false
	var s *sealer
	if a.withheld {
		var err error
		if s, err = a.answerStanding(0); err != nil {
			return err
		}
	}
	a.sealAll(ctx, h, a.sets, s, false)
	a.dropOwn(h)
	return nil
}
