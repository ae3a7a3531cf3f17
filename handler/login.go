package handler

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// attempt is one login on its way to the app and back.
type attempt struct {
	*visit
	login *foundLogin
	id    account.LoginID
	// old is the browser's session, suspended by this login, or nil; wasVerified
	// says that its values went to the app.
	old         *account.Session
	wasVerified bool
	// locked is the line whose lock this login holds.
	locked *account.LineKey
	// settled says that the lock, and the old session, need no more care.
	settled bool
	// team is the user's, as the login says; empty if it says none.
	team string
	// visitor says that the app has shown that the values say nobody, or had none.
	visitor bool
	// status and leadsTo are the answer's, for the log.
	status  int
	leadsTo string
	// identified says that there is no login: the first factor was passed before.
	identified bool
	// told is what the matchers of the policy say.
	told matched
	// withheld says that the values were taken off before the login went on.
	withheld bool
	// device is what is known of the browser, after the right password.
	device store.DeviceResult
	// sets are the cookies of the answer and of proofs that count.
	sets []cookie.SetCookie
	// alarm and hadFactor are the account's when it was decided on the login.
	alarm     time.Time
	hadFactor bool
	// failed is the error for which an answer was dropped at its headers, and
	// why says why it was not recognised there.
	failed error
	why    string
}

// login is the way of a login, from top to bottom: suspend the browser's
// session, lock its line, forward, recognise the answer, and let it go, hold
// it, or keep it here.
func (v *visit) login(l *foundLogin) error {
	if v.r.Method == http.MethodConnect {
		// A tunnel by another name (RFC 8441): what is said in it is not read.
		return v.refuse(page.SignInNeeded, nil)
	}
	if l.Fields != nil && v.isFromElsewhere() {
		v.record(Event{Kind: FromElsewhere, Result: InLogin})
		return v.refuse(page.FormExpired, nil)
	}
	v.placeNobody()
	a := &attempt{visit: v, login: l, team: v.teamIn(l.Login)}
	var err error
	if a.told, err = v.askMatchers(v.g.policyOf(l.Login)); err != nil {
		return v.refuse(page.Blocked, err)
	}
	if _, err := io.ReadFull(v.g.Rand, a.id[:]); err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	defer a.leaveLocked()
	if err := a.suspend(); err != nil {
		return a.busyOrDown(err)
	}
	if err := a.lock(); err != nil {
		return a.busyOrDown(err)
	}
	a.proveVisitor()
	return a.forward()
}

func (a *attempt) busyOrDown(err error) error {
	if errors.Is(err, store.ErrBusy) {
		return a.message(page.MessagePage{Message: page.LoginRunning, Host: a.site(), RetryIn: retryIn, Ways: a.ways(page.LoginRunning)})
	}
	return a.refuse(page.StoreUnavailable, err)
}

// suspend suspends the browser's session, pending or verified, before the
// login is forwarded, and opens the values that the login goes on with.
func (a *attempt) suspend() error {
	if !a.living() {
		return a.openLine()
	}
	var s account.Session
	err := a.waiting(func(ctx context.Context) (err error) {
		s, err = a.parts.Store.SuspendSession(ctx, a.sessionID, a.id, a.g.Clock())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		// It ended while we waited.
		a.found = false
		return a.openLine()
	}
	if err != nil {
		return err
	}
	// A step-up may have given it another id meanwhile.
	a.old, a.sessionID = &s, s.ID
	a.recordSession(SessionSuspended, InLogin, &s)
	if s.State == account.StateVerified && !a.anothers {
		a.wasVerified = true
		return a.openFor(seal.Standing{Kind: seal.KindSession, ID: s.Standing})
	}
	return a.openLine()
}

// lock takes the lock of the request's line. A line whose lock stands is left:
// the login goes on without its values, on the next line of which the browser
// has seals, or on a new one.
func (a *attempt) lock() error {
	if a.wasVerified || a.line.IsZero() {
		return nil
	}
	key := a.lineKey()
	state := account.LockStanding
	err := a.waiting(func(ctx context.Context) (err error) {
		now := a.g.Clock()
		state, err = a.parts.Store.LockLine(ctx, key, a.id, now, now.Add(a.g.AppSessionMax))
		if err == nil && state == account.LockRunning {
			return store.ErrBusy
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case state == account.LockFree:
		a.locked = &key
	default:
		if err := a.nextLine(); err != nil {
			return err
		}
		return a.lock()
	}
	return nil
}

// waiting repeats a step while another login of the same browser runs.
func (a *attempt) waiting(step func(context.Context) error) error {
	deadline := time.NewTimer(loginWait)
	defer deadline.Stop()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		err := step(a.r.Context())
		if !errors.Is(err, store.ErrBusy) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-deadline.C:
			return err
		case <-a.r.Context().Done():
			return a.r.Context().Err()
		}
	}
}

// leaveLocked sees to it that whatever ended this login, the values that it
// took to the app are locked and the suspended session has ended.
func (a *attempt) leaveLocked() {
	if a.settled {
		return
	}
	a.settled = true
	ctx, cancel := a.ctx()
	defer cancel()
	if a.locked != nil {
		now := a.g.Clock()
		if err := a.parts.Store.StandLine(ctx, *a.locked, now, now.Add(a.g.AppSessionMax)); err != nil {
			a.storeFailed()
			a.g.Logger.Error("a lock could not be made standing; it will be by itself", zap.Error(err))
		}
	}
	if a.old == nil {
		return
	}
	var err error
	if a.wasVerified {
		err = a.parts.Store.EndSession(ctx, a.sessionID)
	} else {
		err = a.parts.Store.ResumeSession(ctx, a.sessionID, a.id, a.g.Clock())
	}
	switch {
	case err == nil:
		a.recordSettled()
	case !errors.Is(err, store.ErrNotFound):
		a.storeFailed()
		a.g.Logger.Error("a suspended session could not be settled; it stays suspended", zap.Error(err))
	}
}

// forward sends the login to the app with the answer kept here, and goes on
// with what the app says.
func (a *attempt) forward() error {
	a.cleanLoginHeaders()
	// A body in a coding hides its signs.
	a.r.Header.Set("Accept-Encoding", "identity")
	if a.hasBody() {
		asked := *a.visit
		a.r.Body = &watchedBody{ReadCloser: a.r.Body, v: &asked}
	}
	a.setCookies()
	defer a.restoreCookies()
	w := hold.NewWriter(a.w, maxAnswer, a.atHeaders)
	err := a.next.ServeHTTP(w, a.r)
	w.Finish()
	if a.body != nil && a.body.Met() {
		return a.message(page.MessagePage{Message: page.BodyTooLarge, Host: a.site(), Ways: a.ways(page.BodyTooLarge)})
	}
	if err != nil {
		a.record(Event{Kind: LoginFailed, Result: AppFailed})
		return err
	}
	switch {
	case !w.Answered():
		return a.notRecognised("the app did not answer")
	case w.Verdict() == hold.Stream:
		return nil
	case a.failed != nil:
		return a.refuse(page.StoreUnavailable, a.failed)
	case w.Verdict() == hold.Drop:
		return a.notRecognised(a.why)
	case w.Over():
		a.g.Logger.Error("an answer to a login is larger than 262144 bytes and was not released: it cannot be held",
			zap.String("path", a.orig.Path))
		return a.message(page.MessagePage{Message: page.AnswerTooLarge, Host: a.site(), Ways: a.ways(page.AnswerTooLarge)})
	}
	return a.recognise(w.Answer())
}

// atHeaders decides what the headers of the answer can decide: a certain no
// streams through; what can be neither stays here; the rest is kept until the
// body is there.
func (a *attempt) atHeaders(status int, h http.Header) hold.Verdict {
	a.sets = a.answerCookies(h)
	a.status = status
	if to, ok := resolveLocation(a.siteURL(), h.Get("Location")); ok {
		// The query of a Location may carry a secret; the path does not tell one.
		a.leadsTo = bounded(to.Path, 200)
	}
	switch {
	case status == http.StatusSwitchingProtocols:
		a.why = "the app answered with another protocol"
		return hold.Drop
	case encoded(h):
		a.why = "the answer came in a Content-Encoding, in which no sign can be seen; the app was asked for none"
		return hold.Drop
	}
	ans := a.answerOf(status, h, nil)
	yes, no := a.look(ans)
	switch {
	case yes == unknown || no == unknown || yes == seen && no == unseen:
		return hold.Keep
	case no == seen && yes == unseen && !a.maySayNo(ans):
		return hold.Keep
	case no == seen && yes == unseen:
		if err := a.certainNo(h); err != nil {
			a.failed = err
			return hold.Drop
		}
		a.recordWrong()
		return hold.Stream
	case a.login.Proof.decides() && yes == no && no == unseen:
		return hold.Keep
	default:
		a.why = "the headers of the answer show " + shown(yes, no)
		return hold.Drop
	}
}

// shown says what was seen where it is not recognised.
func shown(yes, no tri) string {
	if yes == seen && no == seen {
		return "signs of yes and of no"
	}
	return "neither a sign of yes nor one of no"
}

func (a *attempt) answerOf(status int, h http.Header, body []byte) *answer {
	return &answer{status: status, header: h, at: a.siteURL(), sets: a.sets, now: a.now, body: body}
}

// look looks for the signs of yes and no. 307 and 308 are never a yes, since
// they ask for the password once more; what sets a credential is never a no.
func (a *attempt) look(ans *answer) (yes, no tri) {
	yes, no = anyOf(a.login.Yes, ans), anyOf(a.login.No, ans)
	if redirectsPost(ans.status) {
		yes = unseen
	}
	if a.setsCredential(ans.sets) {
		no = unseen
	}
	return yes, no
}

// recognise goes on with an answer that was kept whole.
func (a *attempt) recognise(kept hold.Answer) error {
	if kept.Body == nil {
		kept.Body = []byte{}
	}
	ans := a.answerOf(kept.Status, kept.Header, kept.Body)
	yes, no := a.look(ans)
	if yes == seen && no == seen {
		return a.notRecognised("the answer has signs of yes and of no")
	}
	user, same := a.login.User, false
	if p := a.login.Proof; p != nil && (yes == seen || no == unseen) {
		said, err := a.askProof(p, kept)
		if err != nil {
			return a.notRecognised("the proof failed: " + err.Error())
		}
		if said.team != "" {
			a.team = said.team
		}
		if yes == unseen && said.yes && !redirectsPost(kept.Status) && (said.user != "" || a.visitor) {
			same = a.isStill(said.user)
			if !same {
				yes = seen
			}
		}
		if said.no && !a.setsCredential(a.sets) {
			no = seen
		}
		if yes == seen && no == unseen && p.User != nil {
			if said.user == "" {
				return a.notRecognised("the proof does not say who is logged in")
			}
			user = said.user
		}
	}
	if yes == seen && no == unseen {
		if why := a.doubt(user); why != "" {
			return a.notRecognised(why)
		}
	}
	switch {
	case yes == seen && no == unseen:
		return a.yes(user, kept)
	case no == seen && yes == unseen:
		if err := a.certainNo(kept.Header); err != nil {
			return a.refuse(page.StoreUnavailable, err)
		}
		a.recordWrong()
		if !a.maySayNo(ans) {
			return a.sayNo(kept.Header)
		}
		a.write(kept)
		return nil
	case same && no == unseen:
		return a.unchanged(kept)
	default:
		return a.notRecognised("the answer shows " + shown(yes, no))
	}
}

// notRecognised keeps the answer here: the line stays locked, the browser gets
// a page, the operator a log line.
func (a *attempt) notRecognised(why string) error {
	ref := reference()
	a.g.Logger.Error("an answer to a login was not recognised and not released: check the yes and no of this login",
		zap.String("reference", ref), zap.String("why", why), zap.String("method", a.r.Method), zap.String("path", a.orig.Path),
		zap.Int("status", a.status), zap.String("leads_to", a.leadsTo))
	return a.message(page.MessagePage{Message: page.NotRecognised, Host: a.site(), Reference: ref, Ways: a.ways(page.NotRecognised)})
}

// write lets an answer go that was kept.
func (a *attempt) write(kept hold.Answer) { writeAnswer(a.w, kept) }

func writeAnswer(w http.ResponseWriter, kept hold.Answer) {
	out := w.Header()
	hold.Replace(out, kept.Header)
	delete(out, "Transfer-Encoding")
	delete(out, "Trailer")
	if len(out["Content-Length"]) > 0 {
		// What was announced may be the length of an answer to HEAD.
		out.Set("Content-Length", strconv.Itoa(len(kept.Body)))
	}
	w.WriteHeader(kept.Status)
	_, _ = w.Write(kept.Body)
}
