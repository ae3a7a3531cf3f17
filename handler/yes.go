package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// yes goes on after a right password: whose it was, what the policy says of
// it, and then the release or the challenge. The account is not read before.
func (a *attempt) yes(user string, kept hold.Answer) error {
	ctx, cancel := a.ctx()
	defer cancel()
	folded := account.Fold(user)
	if folded == "" {
		return a.unreadable(page.ReasonAmbiguous, "the user name cannot be read for certain")
	}
	acc, err := a.parts.Store.Account(ctx, a.g.Instance, folded)
	unknown := errors.Is(err, store.ErrNotFound)
	if err != nil && !unknown {
		return a.refuse(page.StoreUnavailable, err)
	}
	if unknown && a.g.UnknownUser != AllowUnknown {
		a.g.Logger.Warn("a right password of a user without an account was refused: import the user, or set unknown_user",
			zap.String("user", user), zap.String("client_ip", a.clientIP()))
		return a.message(page.MessagePage{Message: page.UnknownUser, Host: a.site(), User: user, Ways: a.ways(page.UnknownUser)})
	}
	now := a.g.Clock()
	sess := account.Session{
		Instance: a.g.Instance, Identified: a.identified, Account: folded, User: user, Created: now, LastSeen: now,
		ClientIP: a.clientIP(), UserAgent: bounded(a.r.UserAgent(), maxAgent),
	}
	if !unknown {
		sess.Account = acc.ID
	}
	if a.login.User != "" && (user == a.login.User || a.sameAccount(ctx, user, a.login.User)) {
		sess.Credential = a.ownCredential()
	}
	if token := tokenIn(a.login.TokenJSON, parseJSON(kept.Body)); token != "" {
		sess.Tokens = []account.Fingerprint{a.fingerprint(kindToken, token)}
	}
	if sess.Standing, err = a.g.newStanding(); err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	decision, facts := policy.Decision{Verdict: policy.Allow}, (*policy.Facts)(nil)
	if !unknown {
		if decision, facts, err = a.decide(ctx, &sess, &acc); err != nil {
			return a.refuse(page.StoreUnavailable, err)
		}
	}
	learnt := facts
	if decision.Verdict == policy.Challenge && a.mayPassAgain(&decision) && a.passesAgain(&sess) {
		// The code taught what there was to learn.
		decision.Verdict, decision.Reason, learnt = policy.Allow, "a code was given just before", nil
	}
	sess.Score = decision.Assessment.Score
	a.recordAssessed(sess, decision, facts)
	a.placeAnswer(&sess, decision.Verdict)
	switch decision.Verdict {
	case policy.Allow:
		return a.allow(ctx, sess, kept, learnt)
	case policy.Challenge:
		return a.challenge(ctx, sess, &acc, kept, decision, facts)
	default:
		return a.message(page.MessagePage{Message: page.Denied, Host: a.site(), User: user})
	}
}

func bounded(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// begin is what the store records of this right password.
func (a *attempt) begin(s account.Session) store.Begin {
	b := store.Begin{Session: s, Login: a.id, Line: a.locked, LineUntil: s.Created.Add(a.g.AppSessionMax)}
	if a.old != nil && !a.againIsOver(s.Created) {
		b.Old = &a.sessionID
	}
	return b
}

// allow lets a login pass without a challenge: a verified session without a
// second factor.
func (a *attempt) allow(ctx context.Context, s account.Session, kept hold.Answer, f *policy.Facts) error {
	token, id, err := a.g.newToken()
	if err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	s.ID = id
	a.makeVerified(&s)
	b := a.begin(s)
	if f != nil {
		b.Learn = a.g.lesson(*f)
	}
	if err := a.parts.Store.BeginSession(ctx, b, s.Created); err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	a.settled = true
	a.recordReplaced()
	return a.release(ctx, a.held(kept, s.Account), s, token)
}

func (v *visit) makeVerified(s *account.Session) {
	now := v.g.Clock()
	s.State = account.StateVerified
	s.LastSeen, s.IdleFor, s.Expires = now, v.g.Idle, now.Add(v.g.Absolute)
}

// challenge holds the answer and asks for a code.
func (a *attempt) challenge(ctx context.Context, s account.Session, acc *account.Account, kept hold.Answer, d policy.Decision, f *policy.Facts) error {
	token, id, err := a.g.newToken()
	if err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	s.ID, s.State, s.Expires = id, account.StatePending, s.Created.Add(a.g.Pending)
	script := !a.wantsPage()
	s.Address = a.address
	if script || a.login.PasswordInQuery || strings.HasPrefix(s.Address, "//") {
		s.Address = ""
	}
	ch, err := a.parts.Challenges.Open(acc, a.g.Instance, id, account.PurposeLogin, s.Address, s.Created)
	if errors.Is(err, challenge.ErrNoFactor) {
		a.g.Logger.Warn("a right password was refused: the account has no factor that can be used", zap.String("user", s.User), zap.Error(err))
		return a.message(page.MessagePage{Message: page.NoUsableFactor, Host: a.site(), User: s.User, Ways: a.ways(page.NoUsableFactor)})
	}
	if err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	if !onlyFactors(&ch, acc, d.Factors) {
		return a.noFactorLeft(&s, &d)
	}
	ch.Expires, s.Challenge, ch.Facts = s.Expires, ch.ID, factsToKeep(*f)
	ch.Stolen = a.device.State == account.DeviceStolen
	h := a.held(kept, s.Account)
	if script {
		h.Script, h.Back = true, a.cameFrom()
		// A token would be lost on the way: only the script could take it.
		s.Again = len(s.Tokens) > 0
	}
	ch.Remember = a.g.RememberFor > 0 && !s.Again && d.Remember
	sealed, err := a.sealHold(h, ch.ID)
	if err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	b := a.begin(s)
	b.Challenge = &ch
	b.Hold = &account.Hold{Challenge: ch.ID, Instance: a.g.Instance, Sealed: sealed, Expires: s.Expires}
	if err := a.parts.Store.BeginSession(ctx, b, s.Created); err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	a.settled = true
	a.recordReplaced()
	a.recordFactor(ChallengeOpened, Opened, "", &ch, acc, ch.Factors[0])
	if f, ok := acc.Factor(ch.Factors[0]); ok && f.Kind == account.KindPhone && !a.sentByItself() {
		a.sendCode(ctx, ch, acc, f.ID)
	}
	a.setOwn(a.w.Header(), token)
	if !script {
		return a.redirect(a.challengeAddress())
	}
	return a.scriptAnswer()
}

// sendCode sends the first code; what went wrong is said on the page.
func (v *visit) sendCode(ctx context.Context, ch account.Challenge, acc *account.Account, factor string) challenge.SendOutcome {
	out, err := v.parts.Challenges.Send(ctx, challenge.SendRequest{
		Challenge: ch, Account: acc, Factor: factor, Host: v.knownHost(), Lang: string(v.language()),
	})
	v.recordSend(out.State, err, &ch, acc, factor)
	if err != nil {
		v.g.Logger.Error("a code could not be sent", zap.String("user", acc.Name), zap.Error(err))
		out.State = challenge.SendFailed
	}
	return out
}

// scriptAnswer tells a login by script that a code is needed first.
func (a *attempt) scriptAnswer() error {
	s := a.login.ScriptAnswer
	if s == nil {
		return a.problem(page.CodeNeeded)
	}
	page.ProblemHeaders(a.w.Header())
	if len(s.Body) == 0 {
		a.w.Header().Del("Content-Type")
		a.w.WriteHeader(s.Status)
		return nil
	}
	a.w.Header().Set("Content-Type", "application/json")
	a.w.WriteHeader(s.Status)
	_, _ = a.w.Write(s.Body)
	return nil
}

// cameFrom is the page that a login by script came from, kept here and never
// taken from the client afterwards: a path of this site.
func (a *attempt) cameFrom() string {
	ref, err := url.Parse(a.r.Referer())
	if err != nil || !a.sameOrigin(ref) || ref.Path == "" || ref.Path[0] != '/' || len(ref.Path) > 1 && (ref.Path[1] == '/' || ref.Path[1] == '\\') {
		return "/"
	}
	return ref.RequestURI()
}

// heldAnswer is what a hold keeps, sealed.
type heldAnswer struct {
	// Answer is the app's, without its cookies.
	Answer hold.Answer `json:"answer"`
	// Sets are the lines of the cookies that the answer and proofs set.
	Sets []string `json:"sets"`
	// Carried are the guarded cookies that the login went to the app with.
	Carried []carriedCookie `json:"carried"`
	// At is the raw path and query of the login.
	At string `json:"at"`
	// Script says that a script logged in, and Back which page it was on.
	Script bool   `json:"script,omitempty"`
	Back   string `json:"back,omitempty"`
}

type carriedCookie struct {
	Name       string `json:"name"`
	Value      string `json:"value"`
	Attributes []byte `json:"attributes"`
}

// held is the answer to a login of this account, with what belongs to it.
func (a *attempt) held(kept hold.Answer, accountID string) heldAnswer {
	h := heldAnswer{Answer: kept, At: a.address}
	if a.login.PasswordInQuery {
		h.At = a.orig.EscapedPath()
	}
	h.Answer.Header = kept.Header.Clone()
	h.Answer.Header.Del("Set-Cookie")
	for _, c := range a.sets {
		// The path is written out, so that the line means the same wherever
		// the answer is released.
		h.Sets = append(h.Sets, c.Rewrite(c.Value, a.orig.EscapedPath()))
	}
	for _, o := range a.opened {
		if a.wasVerified && a.old.Account != accountID && a.g.credentials.FoldMatch(o.name) {
			// Only a login sets it, and that was another user's.
			continue
		}
		h.Carried = append(h.Carried, carriedCookie{Name: o.name, Value: o.value, Attributes: o.attrs.Append(nil)})
	}
	return h
}

func (v *visit) sealHold(h heldAnswer, id string) ([]byte, error) {
	plain, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("hold: %w", err)
	}
	return v.parts.Ring.Seal(seal.PurposeHold, []byte(id), plain, v.now), nil
}

func (v *visit) openHold(h account.Hold) (heldAnswer, error) {
	plain, err := v.parts.Ring.Open(seal.PurposeHold, []byte(h.Challenge), h.Sealed, v.now)
	if err != nil {
		return heldAnswer{}, fmt.Errorf("hold: %w", err)
	}
	var held heldAnswer
	if err := json.Unmarshal(plain, &held); err != nil {
		return heldAnswer{}, fmt.Errorf("hold: %w", err)
	}
	return held, nil
}

// waitUntil is how long it is until a time, never negative.
func waitUntil(t, now time.Time) time.Duration { return max(0, t.Sub(now)) }
