package handler

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// The JSON API under the prefix lets a script or a client that shows no pages
// pass a challenge: it asks for the state, chooses a factor, asks for a code to
// be sent and enters it. It is the pages in another form, with their limits: the
// same cookie, the same tries, the same waits. What another site sends is
// refused (http.CrossOriginProtection), and so is what is not application/json,
// which no form can send.

const apiPrefix = "api/"

// apiState is the answer to api/state.
type apiState struct {
	// State is none, pending, verified or suspended.
	State string `json:"state"`
	User  string `json:"user,omitempty"`
	// Factor is the kind of the second factor that was passed, FactorTime when.
	Factor     string         `json:"factor,omitempty"`
	FactorTime *time.Time     `json:"factor_time,omitempty"`
	Challenges []apiChallenge `json:"challenges"`
}

// apiChallenge is one challenge that can be answered.
type apiChallenge struct {
	ID      string    `json:"id"`
	Purpose string    `json:"purpose"`
	State   string    `json:"state"`
	Action  string    `json:"action,omitempty"`
	Page    string    `json:"page"`
	Expires time.Time `json:"expires"`
	// MayRemember says that verify takes remember.
	MayRemember bool        `json:"may_remember,omitempty"`
	Factors     []apiFactor `json:"factors"`
}

// apiFactor is one way to answer it; the first is the one to offer.
type apiFactor struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Label     string `json:"label,omitempty"`
	Hint      string `json:"hint,omitempty"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period,omitempty"`
	TriesLeft int    `json:"tries_left"`
	// PausedUntil is set while the factor takes no code.
	PausedUntil *time.Time `json:"paused_until,omitempty"`
	// What follows is of a phone.
	CanSend     bool       `json:"can_send,omitempty"`
	Sent        bool       `json:"sent,omitempty"`
	SendState   string     `json:"send_state,omitempty"`
	SendsLeft   int        `json:"sends_left,omitempty"`
	NextSend    *time.Time `json:"next_send,omitempty"`
	CodeExpires *time.Time `json:"code_expires,omitempty"`
}

// apiRequest is the body of every other call.
type apiRequest struct {
	Challenge string `json:"challenge"`
	Factor    string `json:"factor"`
	Code      string `json:"code"`
	// Remember says that the person wants the browser to be remembered.
	Remember bool `json:"remember"`
}

// apiResult is the answer to a call that went well.
type apiResult struct {
	// Result is chosen, sent, queued, passed or cancelled.
	Result    string        `json:"result"`
	Challenge *apiChallenge `json:"challenge,omitempty"`
	// RepeatWithin is how many seconds the request that asked for a step-up has
	// to be repeated; only with passed.
	RepeatWithin int `json:"repeat_within,omitempty"`
}

// callAPI answers a call of the API.
func (v *visit) callAPI(name string) error {
	v.api = true
	switch name {
	case "state":
		if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
			return v.notAllowed("GET, HEAD")
		}
		return v.apiState()
	case "choose", "send", "verify", "cancel":
	default:
		return v.refuse(page.NotFound, nil)
	}
	if v.r.Method != http.MethodPost {
		return v.notAllowed("POST")
	}
	call, err := v.readCall()
	if err != nil {
		v.g.Logger.Debug("a call of the API was refused: " + err.Error())
		return v.refuse(page.FormExpired, nil)
	}
	if name == "verify" && v.pending() && v.isNamed(call) {
		return v.check(call.Code, call.Factor, call.Remember)
	}
	if v.pending() && !v.isNamed(call) {
		return v.refuse(page.NewerSignIn, nil)
	}
	if name == "cancel" && v.waitsForEnrolment() {
		return v.apiCancel(&account.Challenge{ID: call.Challenge, Purpose: account.PurposeEnrolment})
	}
	return v.inChallenge(call.Challenge, func(ch account.Challenge, acc account.Account) error {
		return v.callChallenge(name, call, ch, acc)
	})
}

// isNamed reports whether the call is for the challenge of this pending session.
func (v *visit) isNamed(call apiRequest) bool { return call.Challenge == v.session.Challenge }

func (v *visit) callChallenge(name string, call apiRequest, ch account.Challenge, acc account.Account) error {
	factor := call.Factor
	if factor == "" {
		factor = ch.Factors[0]
	}
	if !ch.MayAnswer(factor) {
		return v.refuse(page.FormExpired, nil)
	}
	switch name {
	case "choose":
		shown := v.apiChallenge(&ch, &acc)
		return v.writeAPI(apiResult{Result: "chosen", Challenge: shown.with(factor)})
	case "send":
		return v.apiSend(factor, ch, acc)
	case "cancel":
		return v.apiCancel(&ch)
	default:
		return v.apiVerifyStep(&ch, &acc, factor, call.Code)
	}
}

// with is the challenge with only this factor.
func (c apiChallenge) with(factor string) *apiChallenge {
	for _, f := range c.Factors {
		if f.ID == factor {
			c.Factors = []apiFactor{f}
		}
	}
	return &c
}

func (v *visit) notAllowed(methods string) error {
	v.w.Header().Set("Allow", methods)
	return caddyhttp.Error(http.StatusMethodNotAllowed, errors.New("this call takes "+methods))
}

// readCall reads the body of a call.
func (v *visit) readCall() (call apiRequest, err error) {
	if !isSameOrigin(v.r) {
		v.record(Event{Kind: FromElsewhere, Result: InForm})
		return call, errors.New("it comes from another site")
	}
	types := v.r.Header["Content-Type"]
	if len(types) != 1 {
		return call, errors.New("it needs one Content-Type")
	}
	if media, _, err := mime.ParseMediaType(types[0]); err != nil || media != "application/json" {
		return call, errors.New("its Content-Type is not application/json")
	}
	raw, err := io.ReadAll(io.LimitReader(v.r.Body, maxForm+1))
	if err != nil {
		return call, err
	}
	if len(raw) > maxForm {
		return call, errors.New("it is larger than 4096 bytes")
	}
	err = json.Unmarshal(raw, &call)
	return call, err
}

func (v *visit) writeAPI(body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	return v.g.Pages.WriteJSON(v.w, http.StatusOK, text)
}

// apiState says how the browser stands, and what it can answer.
func (v *visit) apiState() error {
	s := apiState{State: "none", Challenges: []apiChallenge{}}
	switch {
	case !v.found || v.anothers:
	case v.session.Suspended():
		s.State = "suspended"
	case v.pending():
		s.State, s.User = "pending", v.session.User
		if ch, acc, err := v.openChallenge(); err == nil || errors.Is(err, errEnrolling) {
			s.Challenges = append(s.Challenges, v.apiChallenge(&ch, &acc))
		}
	case v.verified():
		factor, at := v.session.LastFactor()
		s.State, s.User, s.Factor, s.FactorTime = "verified", v.session.User, string(factor), timeOrNil(at)
		s.Challenges = append(s.Challenges, v.apiStepUps()...)
	}
	return v.writeAPI(s)
}

// apiStepUps are the step-ups of the session that can be answered, the newest
// first.
func (v *visit) apiStepUps() []apiChallenge {
	var all []apiChallenge
	if v.session.Steps == nil {
		return nil
	}
	ids := v.session.Steps.Challenges
	for i := range ids {
		if ch, acc, err := v.openStepUp(ids[len(ids)-1-i]); err == nil {
			all = append(all, v.apiChallenge(&ch, &acc))
		}
	}
	return all
}

func (v *visit) apiChallenge(ch *account.Challenge, acc *account.Account) apiChallenge {
	c := apiChallenge{
		ID: ch.ID, Purpose: string(ch.Purpose), State: string(ch.State), Action: ch.Action,
		Page: v.pageOf(ch, pageOfChallenge(ch), "", ""), Expires: ch.Expires, MayRemember: ch.Remember, Factors: []apiFactor{},
	}
	for _, id := range ch.Factors {
		view, err := v.parts.Challenges.View(ch, acc, id, v.now)
		if err != nil {
			continue
		}
		c.Factors = append(c.Factors, apiFactorOf(id, view))
	}
	return c
}

// pageOfChallenge is the name of the page that leads on.
func pageOfChallenge(ch *account.Challenge) string {
	if ch.Purpose == account.PurposeEnrolment {
		return pageEnrol
	}
	return "challenge"
}

func apiFactorOf(id string, view challenge.View) apiFactor {
	f := apiFactor{
		ID: id, Kind: string(view.Kind), Label: view.Label, Hint: view.Hint, Digits: view.Digits,
		Period: int(view.Period / time.Second), TriesLeft: view.TriesLeft, PausedUntil: timeOrNil(view.PausedUntil),
	}
	if view.Kind == account.KindPhone {
		f.CanSend, f.Sent, f.SendState, f.SendsLeft = view.CanSend, view.Sent, string(view.Status), view.SendingsLeft
		f.NextSend, f.CodeExpires = timeOrNil(view.NextSend), timeOrNil(view.CodeExpires)
	}
	return f
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// apiSend sends a code to a phone.
func (v *visit) apiSend(factor string, ch account.Challenge, acc account.Account) error {
	if f, ok := acc.Factor(factor); !ok || f.Kind != account.KindPhone {
		return v.refuse(page.FormExpired, nil)
	}
	ctx, cancel := v.ctx()
	defer cancel()
	out := v.sendCode(ctx, ch, &acc, factor)
	result := ""
	switch out.State {
	case challenge.SendTaken:
		result = "sent"
	case challenge.SendQueued:
		result = "queued"
	case challenge.SendAlreadyUsed, challenge.SendGone:
		return v.refuse(page.ChallengeExpired, nil)
	case challenge.SendWait, challenge.SendCrowded:
		return v.g.Pages.WriteCodeProblem(v.w, page.CodeProblemDocument{Problem: page.TextTooEarly, RetryIn: max(time.Second, waitUntil(out.Until, v.now))})
	case challenge.SendPaused:
		return v.g.Pages.WriteCodeProblem(v.w, page.CodeProblemDocument{Problem: page.Paused, RetryIn: waitUntil(out.Until, v.now)})
	default:
		return v.g.Pages.WriteCodeProblem(v.w, page.CodeProblemDocument{Problem: page.TextNotSent})
	}
	if fresh, err := v.parts.Store.Challenge(ctx, ch.ID, v.now); err == nil {
		ch = fresh
	}
	if fresh, err := v.parts.Store.Account(ctx, v.g.Instance, ch.Account); err == nil {
		acc = fresh
	}
	shown := v.apiChallenge(&ch, &acc)
	return v.writeAPI(apiResult{Result: result, Challenge: shown.with(factor)})
}

// apiVerifyStep checks the code of a step-up. What was held is dropped: the
// client repeats its request, which passes once.
func (v *visit) apiVerifyStep(ch *account.Challenge, acc *account.Account, factor, code string) error {
	passed, result, err := v.checkStep(ch, acc, factor, code, false)
	switch {
	case err != nil:
		return v.refuse(page.StoreUnavailable, err)
	case passed != nil:
		return v.writeAPI(apiResult{Result: "passed", RepeatWithin: int(v.repeatWithin(ch) / time.Second)})
	}
	switch result.(type) {
	case challenge.AlreadyUsed, challenge.Gone:
		return v.refuse(page.StepUpExpired, nil)
	}
	return v.codeProblem(result)
}

// repeatWithin is how long the request that asked may be repeated.
func (v *visit) repeatWithin(ch *account.Challenge) time.Duration {
	if ch.Once {
		return account.PassFor
	}
	least := v.g.Absolute
	for i := range v.g.StepUps {
		if s := &v.g.StepUps[i]; slices.Contains(ch.Routes, s.Key) {
			least = min(least, time.Duration(s.MaxAge))
		}
	}
	return least
}

// codeProblem says what was wrong with a code.
func (v *visit) codeProblem(result challenge.Result) error {
	doc := page.CodeProblemDocument{Problem: page.ExpiredCode}
	switch r := result.(type) {
	case challenge.Wrong:
		doc.Problem, doc.TriesLeft = page.WrongCode, &r.Left
		if r.Used {
			doc.Problem = page.UsedCode
		}
	case challenge.Malformed:
		doc.Problem, doc.Digits = page.WrongLength, r.Digits
	case challenge.Exhausted:
		doc.Problem = page.TooManyTries
	case challenge.Paused:
		doc.Problem, doc.RetryIn = page.Paused, waitUntil(r.Until, v.now)
	}
	return v.g.Pages.WriteCodeProblem(v.w, doc)
}

// apiCancel drops what is held.
func (v *visit) apiCancel(ch *account.Challenge) error {
	ctx, cancel := v.ctx()
	defer cancel()
	if ch.Purpose == account.PurposeStepUp {
		if err := v.parts.Store.CancelStepUp(ctx, v.sessionID, ch.ID, v.now); err != nil {
			return v.stepGone(ch, err)
		}
		v.record(Event{Kind: ChallengeCancelled, Result: ByUser, User: v.session.User, Account: v.session.Account, Challenge: short(ch.ID), Detail: ch.Action})
		return v.writeAPI(apiResult{Result: "cancelled"})
	}
	if err := v.parts.Store.CancelSession(ctx, v.sessionID); err != nil {
		return v.challengeGone(err)
	}
	v.recordSession(ChallengeCancelled, ByUser, &v.session)
	return v.writeAPI(apiResult{Result: "cancelled"})
}

// isCall reports whether a page of ours is a call of the API.
func isCall(name string) (call string, ok bool) { return strings.CutPrefix(name, apiPrefix) }
