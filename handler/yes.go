package handler

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
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
	if unknown && a.g.UnknownUser == RefuseUnknown {
		a.g.Logger.Warn("a right password of a user without an account was refused: import the user, or set unknown_user",
			zap.String("user", user), zap.String("client_ip", a.clientIP()))
		return a.message(page.MessagePage{Message: page.UnknownUser, Host: a.site(), User: user, Ways: a.ways(page.UnknownUser)})
	}
	now := a.g.Clock()
	sess := account.Session{
		Instance: a.g.Instance, Identified: a.identified, Account: folded, User: user, Created: now, LastSeen: now,
		ClientIP: a.clientIP(), UserAgent: bounded(a.r.UserAgent(), maxAgent),
	}
	switch {
	case !unknown:
		sess.Account = acc.ID
	case a.g.UnknownUser == EnrolUnknown:
		acc = account.Account{Instance: a.g.Instance, ID: folded, Name: user, Created: now, Updated: now}
	}
	a.alarm, a.hadFactor = acc.Alarm, acc.HasFactor()
	if acc.Suspended != nil {
		a.g.Logger.Warn("a right password was refused: the account is suspended", zap.String("user", user))
		return a.message(page.MessagePage{Message: page.Suspended, Host: a.site(), User: user})
	}
	if err := a.takeTeam(ctx, &acc, unknown); err != nil {
		return a.refuse(page.StoreUnavailable, err)
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
	if acc.ID != "" {
		if decision, facts, err = a.decide(ctx, &sess, &acc); err != nil {
			return a.refuse(page.StoreUnavailable, err)
		}
	}
	learnt := facts
	var need account.Need
	if acc.ID != "" {
		if need, err = a.g.needs(ctx, a.parts.Store, &acc, &decision, now); err != nil {
			return a.refuse(page.StoreUnavailable, err)
		}
		if need.Decider == account.DecidedByExemption || a.g.isPutOff(&acc, &need) {
			learnt = nil // Nothing has shown that this was the user.
		}
	}
	if decision.Verdict == policy.Challenge && a.mayPassAgain(&decision) && a.passesAgain(&sess) {
		// The code taught what there was to learn.
		decision.Verdict, decision.Reason, learnt = policy.Allow, "a code was given just before", nil
	}
	sess.Score = decision.Assessment.Score
	a.recordAssessed(sess, decision, facts)
	a.placeAnswer(&sess, decision.Verdict)
	switch decision.Verdict {
	case policy.Deny:
		return a.message(page.MessagePage{Message: page.Denied, Host: a.site(), User: user})
	}
	if asksForFactor(&need) {
		return a.enrol(ctx, sess, &acc, kept, need, facts)
	}
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
	if err := a.beginSession(ctx, b); err != nil {
		return a.notBegun(err)
	}
	return a.release(ctx, a.held(kept, s.Account), s, token)
}

func (v *visit) makeVerified(s *account.Session) {
	now := v.g.Clock()
	s.State = account.StateVerified
	s.LastSeen, s.IdleFor, s.Expires = now, v.g.Idle, now.Add(v.g.Absolute)
}

// challenge holds the answer and asks for a code.
func (a *attempt) challenge(ctx context.Context, s account.Session, acc *account.Account, kept hold.Answer, d policy.Decision, f *policy.Facts) error {
	token, err := a.makePending(&s)
	if err != nil {
		return a.refuse(page.StoreUnavailable, err)
	}
	ch, err := a.parts.Challenges.Open(acc, a.g.Instance, s.ID, account.PurposeLogin, s.Address, s.Created)
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
	ch.Remember = a.g.RememberFor > 0 && !s.Again && d.Remember
	if err := a.beginHeld(ctx, &s, &ch, kept); err != nil {
		return a.notBegun(err)
	}
	a.recordFactor(ChallengeOpened, Opened, "", &ch, acc, ch.Factors[0])
	if f, ok := acc.Factor(ch.Factors[0]); ok && f.Kind == account.KindPhone && !a.sentByItself() {
		a.sendCode(ctx, ch, acc, f.ID)
	}
	return a.showHeld(token)
}

// makePending makes the session of a login one that waits, and returns its token.
func (a *attempt) makePending(s *account.Session) (string, error) {
	token, id, err := a.g.newToken()
	if err != nil {
		return "", err
	}
	s.ID, s.State, s.Expires = id, account.StatePending, s.Created.Add(a.g.Pending)
	s.Address = a.address
	if !a.wantsPage() || a.login.PasswordInQuery || strings.HasPrefix(s.Address, "//") {
		s.Address = ""
	}
	// A token would be lost on the way: only the script could take it.
	s.Again = !a.wantsPage() && len(s.Tokens) > 0
	return token, nil
}

// beginHeld holds the answer for a challenge and begins the pending session.
func (a *attempt) beginHeld(ctx context.Context, s *account.Session, ch *account.Challenge, kept hold.Answer) error {
	h := a.held(kept, s.Account)
	if !a.wantsPage() {
		h.Script, h.Back = true, a.cameFrom()
	}
	sealed, err := a.sealHold(h, ch.ID)
	if err != nil {
		return err
	}
	b := a.begin(*s)
	b.Challenge = ch
	b.Hold = &account.Hold{Challenge: ch.ID, Instance: a.g.Instance, Sealed: sealed, Expires: s.Expires}
	return a.beginSession(ctx, b)
}

// showHeld leads the browser to the challenge, or tells the script of it.
func (a *attempt) showHeld(token string) error {
	a.setOwn(a.w.Header(), token)
	if a.wantsPage() {
		return a.redirect(a.challengeAddress())
	}
	return a.scriptAnswer()
}

// sendCode sends the first code; what went wrong is said on the page.
func (v *visit) sendCode(ctx context.Context, ch account.Challenge, acc *account.Account, factor string) challenge.SendOutcome {
	out, err := v.parts.Challenges.Send(ctx, challenge.SendRequest{
		Challenge: ch, Account: acc, Factor: factor, Host: v.knownHost(), Site: v.g.Pages.SiteName(), Lang: string(v.language()),
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

// waitUntil is how long it is until a time, never negative.
func waitUntil(t, now time.Time) time.Duration { return max(0, t.Sub(now)) }
