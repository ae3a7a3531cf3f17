package handler

import (
	"errors"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// provenFor is how long a node remembers what it proved.
const provenFor = 15 * time.Minute

// standingID is whose the opened values are.
func (v *visit) standingID() account.StandingID {
	if v.verified() {
		return v.session.Standing
	}
	return v.line
}

// unproved reports whether one of the opened values is to be proved.
func (v *visit) unproved() bool {
	id := v.standingID()
	for i := range v.opened {
		if v.g.proven.mustProve(id, &v.opened[i], v.now) {
			return true
		}
	}
	return false
}

// prove asks, before a protected request goes on with values that a login
// nobody declared may have changed, whose they are: in a verified session its
// user's, on a line nobody's. It answers itself and returns false if not.
func (v *visit) prove() (bool, error) {
	p := v.g.whoProof
	if p == nil {
		return true, nil
	}
	v.turn = v.g.proven.now()
	if !v.protected || !v.unproved() {
		return true, nil
	}
	return v.askWhose(p)
}

// askWhose asks the proof whose the opened values are. It answers itself and
// returns false if they are not their standing's.
func (v *visit) askWhose(p *Proof) (bool, error) {
	v.asking = true
	target, err := v.fixedTarget(p, "")
	if err != nil {
		return false, err
	}
	id := v.standingID()
	for range proofTries {
		v.turn = v.g.proven.now()
		result, err := v.ask(p, target, v.jar())
		switch {
		case err != nil:
			v.g.Logger.Error("a proof failed", zap.Error(err))
			return false, v.foreign(err)
		case v.isProvedBy(result):
		case !result.yes && !result.no:
			return false, v.foreign(errors.New("the page of the proof shows neither a user nor a visitor"))
		default:
			return false, v.foreign(nil)
		}
		for i := range v.opened {
			v.g.proven.add(id, v.opened[i].sealed, v.turn, v.now)
		}
		v.goOnWith(result.sets)
		if !v.g.proven.changed(id, v.turn, math.MaxInt) {
			return true, nil
		}
	}
	return false, v.refuse(page.LoginRunning, nil)
}

// proofTries is how often a proof is asked for while other requests of the same
// standing come to their end.
const proofTries = 3

// inheritsProof reports whether what the answer sets is proved as far as the
// request's own values were: they were proved or need no proof, and the request
// can have logged nobody in. It matters only where a standing is doubted.
func (v *visit) inheritsProof(flags byte) bool {
	return v.g.whoProof != nil && flags == 0 && !v.running && len(v.opened) > 0 && v.g.proven.isDoubted(v.standingID(), v.opened)
}

// isProvedBy reports whether a proof says of the opened values what they must
// be: in a verified session its user's, on a line nobody's.
func (v *visit) isProvedBy(result said) bool {
	if v.verified() {
		return result.user != "" && v.isAccount(v.r.Context(), result.user, v.session.Account)
	}
	return result.no && !result.yes
}

// stillProved reports, when the answer to a protected request is there, whether
// it is its standing's: where another request may have logged somebody in
// meanwhile, the proof is asked for once more.
//
// It returns the cookies of the answer with those that the proof has set.
func (v *visit) stillProved(sets []cookie.SetCookie) (bool, []cookie.SetCookie) {
	p := v.g.whoProof
	if p == nil || len(v.opened) == 0 {
		return true, sets
	}
	own := 0
	if v.running {
		own = 1
	}
	if !v.g.proven.changed(v.standingID(), v.turn, own) {
		return true, sets
	}
	result, sets, err := v.askAtAnswer(p, sets)
	if err != nil {
		v.g.Logger.Error("a proof failed", zap.Error(err))
		return false, sets
	}
	return v.isProvedBy(result), sets
}

// askAtAnswer asks for a proof with the values of the request overlaid with
// those that its answer sets. It returns the cookies of the answer with those
// that the proof has set.
func (v *visit) askAtAnswer(p *Proof, sets []cookie.SetCookie) (said, []cookie.SetCookie, error) {
	target, err := v.fixedTarget(p, "")
	if err != nil {
		return said{}, sets, err
	}
	jar := v.jar()
	jar.Overlay(sets, v.orig.EscapedPath(), v.now)
	result, err := v.ask(p, target, jar)
	if err != nil {
		return result, sets, err
	}
	return result, cookie.Last(append(sets, result.sets...), v.orig.EscapedPath(), v.r.Host), nil
}

// foreign ends what turned out to be another user's, or cannot be proved.
func (v *visit) foreign(cause error) error {
	v.g.Logger.Error("the app's session is not proved to be its user's any more: a login that is not declared may have changed it",
		zap.String("user", v.session.User), zap.String("path", v.orig.Path))
	if cause != nil {
		// The app could not say; it may be able to in a moment.
		return v.refuse(page.NotRecognised, cause)
	}
	v.deleteOpened(v.w.Header())
	if v.verified() {
		if err := v.endSession(NotProved); err != nil {
			return v.refuse(page.StoreUnavailable, err)
		}
		v.dropOwn(v.w.Header())
		return v.refuse(page.SessionEnded, nil)
	}
	ctx, cancel := v.ctx()
	defer cancel()
	if err := v.parts.Store.StandLine(ctx, v.lineKey(), v.now, v.now.Add(v.g.AppSessionMax)); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	return v.refuse(page.SessionEnded, nil)
}

// mayKeepCredentials reports whether a credential cookie that was set outside
// a declared login may go out: the session is verified, and a proof, if there
// is one, still names its user.
// It returns the cookies of the answer with those that the proof has set.
func (v *visit) mayKeepCredentials(sets []cookie.SetCookie) (bool, []cookie.SetCookie) {
	if !v.verified() {
		return false, sets
	}
	p := v.g.whoProof
	if p == nil || !v.setsCredential(sets) {
		return true, sets
	}
	result, sets, err := v.askAtAnswer(p, sets)
	return err == nil && v.isProvedBy(result), sets
}
