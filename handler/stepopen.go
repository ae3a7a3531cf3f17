package handler

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// origin is what made the browser send a request.
type origin int

const (
	// fromPerson: the person, on a page of this site or by typing the address.
	fromPerson origin = iota
	// fromPage: a page of this site, in a script, a frame or an image.
	fromPage
	// fromElsewhere: another site, or nobody knows.
	fromElsewhere
	// fromGuess: the browser itself, ahead of time.
	fromGuess
)

// origin tells what made the browser send the request (Fetch Metadata). Browsers
// that do not say so are asked for the Referer or the Origin.
func (v *visit) origin() origin {
	h := v.r.Header
	if isGuess(h) {
		return fromGuess
	}
	here := false
	switch h.Get("Sec-Fetch-Site") {
	case "same-origin":
		here = true
	case "none":
		here = h.Get("Sec-Fetch-Dest") == "document"
	case "":
		here = v.saysHere()
	}
	switch {
	case !here:
		return fromElsewhere
	case v.isTopLevel():
		return fromPerson
	default:
		return fromPage
	}
}

// isGuess reports whether a browser loads the page before anybody wants it.
func isGuess(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		value := strings.ToLower(strings.Join(h[name], ","))
		if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
			return true
		}
	}
	return false
}

// saysHere reports whether a client without Fetch Metadata says that a page of
// this site sent the request. What is no browser's page, a client of an API,
// says nothing of it and cannot be led here from elsewhere.
func (v *visit) saysHere() bool {
	if from := v.r.Header.Get("Origin"); from != "" {
		u, err := url.Parse(from)
		return err == nil && v.sameOrigin(u)
	}
	if from := v.r.Referer(); from != "" {
		u, err := url.Parse(from)
		return err == nil && v.sameOrigin(u)
	}
	return !v.wantsPage()
}

// askForStep asks for a code before the request may go on.
func (v *visit) askForStep(id account.RequestID, routes []*StepUp) error {
	switch v.origin() {
	case fromPerson:
		return v.holdStep(id, routes)
	case fromPage:
		if areChanges(routes) {
			// The next page is asked by itself.
			return v.needsStep(routes, "")
		}
		return v.waitForStep(id, routes)
	case fromElsewhere:
		return v.stepFromElsewhere(id, routes)
	default:
		return v.needsStep(routes, "")
	}
}

// newStep is the challenge of a step-up.
func (v *visit) newStep(id account.RequestID, routes []string, once bool, action string) (account.Challenge, *account.Account, error) {
	acc, err := v.parts.Store.Account(v.r.Context(), v.g.Instance, v.session.Account)
	if errors.Is(err, store.ErrNotFound) {
		return account.Challenge{}, nil, challenge.ErrNoFactor
	}
	if err != nil {
		return account.Challenge{}, nil, err
	}
	ch, err := v.parts.Challenges.Open(&acc, v.g.Instance, v.sessionID, account.PurposeStepUp, "", v.now)
	if err != nil {
		return ch, nil, err
	}
	if !onlyFactors(&ch, &acc, v.mayAnswer) {
		return ch, nil, fmt.Errorf("%w: at this score only %v may answer", challenge.ErrNoFactor, v.mayAnswer)
	}
	ch.Standing, ch.Request, ch.Routes, ch.Once, ch.Action = v.session.Standing, id, routes, once, action
	ch.Expires = v.now.Add(v.g.Pending)
	if v.again != nil {
		ch.Facts = factsToKeep(*v.again)
	}
	return ch, &acc, nil
}

// holdStep holds the request and shows the challenge. Nothing is sent to a
// phone before the person asks for it.
func (v *visit) holdStep(id account.RequestID, routes []*StepUp) error {
	ch, acc, err := v.newStep(id, keys(routes), hasOnce(routes), doing(routes))
	if err != nil {
		return v.noStep(routes, err)
	}
	ch.Back = v.backTo()
	u := store.StepUp{Challenge: ch}
	if v.hasKeyInQuery() || !isPathHere(v.address) {
		// The form cannot be posted there, and elsewhere the request would be
		// another: as a script's it passes once, when it comes again.
		return v.openStep(u, acc, routes)
	}
	u.Challenge.Address = v.address
	if ch.Once || v.r.Method != http.MethodGet {
		if u.Hold, err = v.holdRequest(&ch); err != nil {
			return v.refuseUnkept(routes, err)
		}
		u.Challenge.Held = true
	}
	return v.openStep(u, acc, routes)
}

// hasOnce reports whether one of the routes asks at each request.
func hasOnce(routes []*StepUp) bool { return maxAge(routes) == 0 }

func (v *visit) openStep(u store.StepUp, acc *account.Account, routes []*StepUp) error {
	ctx, cancel := v.ctx()
	defer cancel()
	ch, err := v.parts.Store.OpenStepUp(ctx, u, v.now)
	if errors.Is(err, store.ErrNotFound) {
		return v.refuse(page.SessionEnded, nil)
	}
	if err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	if ch.ID == u.Challenge.ID {
		v.recordFactor(ChallengeOpened, ForStepUp, ch.Action, &ch, acc, ch.Factors[0])
	}
	return v.redirect(v.stepAddress(ch.ID))
}

// noStep answers where no challenge can be opened.
func (v *visit) noStep(routes []*StepUp, err error) error {
	if errors.Is(err, challenge.ErrNoFactor) {
		v.g.Logger.Warn("a step-up was refused: the account has no factor that can be used", zap.String("user", v.session.User), zap.Error(err))
		v.record(Event{Kind: Refused, Result: Result(page.StepUpNoFactor), User: v.session.User, Account: v.session.Account})
		return v.refuseStep(page.StepUpNoFactor, routes, nil)
	}
	return v.refuse(page.StoreUnavailable, err)
}

// backTo is the page of this site that the person was on.
func (v *visit) backTo() string {
	ref, err := url.Parse(v.r.Referer())
	if err != nil || !v.sameOrigin(ref) || !isPathHere(ref.Path) || strings.HasPrefix(ref.Path, v.g.Prefix) {
		return "/"
	}
	if !v.g.fielded.none() {
		// A credential is written into no page.
		ref.RawQuery, _ = cookie.StripQuery(ref.RawQuery, v.g.fielded.match)
	}
	return bounded(ref.RequestURI(), maxBack)
}

// maxBack bounds the address of the page to go back to.
const maxBack = 2 << 10

// isPathHere reports whether a browser takes the path for one of this site.
func isPathHere(path string) bool {
	return path != "" && path[0] == '/' && (len(path) == 1 || path[1] != '/' && path[1] != '\\')
}

// waitForStep answers a script, a frame or an image of the app's own page: the
// next page that the person opens shows the challenge, and after the code the
// same request passes once.
func (v *visit) waitForStep(id account.RequestID, routes []*StepUp) error {
	if c, ok := v.waitsAlready(id, keys(routes)); ok {
		return v.needsStep(routes, c)
	}
	ch, acc, err := v.newStep(id, keys(routes), hasOnce(routes), doing(routes))
	if err != nil {
		return v.noStep(routes, err)
	}
	ch.State, ch.Back = account.ChallengeWaiting, v.backTo()
	ctx, cancel := v.ctx()
	defer cancel()
	there, err := v.parts.Store.OpenStepUp(ctx, store.StepUp{Challenge: ch}, v.now)
	if errors.Is(err, store.ErrNotFound) {
		return v.refuse(page.SessionEnded, nil)
	}
	if err != nil {
		return v.refuse(page.StoreUnavailable, err)
	}
	if there.ID == ch.ID {
		v.recordFactor(ChallengeOpened, Waiting, ch.Action, &ch, acc, ch.Factors[0])
	}
	return v.needsStep(routes, there.ID)
}

// waitsAlready finds, without a write, the step-up that waits for this request.
func (v *visit) waitsAlready(id account.RequestID, routes []string) (string, bool) {
	if v.session.Steps == nil || v.session.Steps.Waiting == "" {
		return "", false
	}
	c, err := v.parts.Store.Challenge(v.r.Context(), v.session.Steps.Waiting, v.now)
	return c.ID, err == nil && c.Request == id && slices.Equal(c.Routes, routes) && c.State == account.ChallengeWaiting
}

// needsStep says that a code is needed, to a person in a frame by a page, to
// whatever else by a problem document (RFC 9470).
func (v *visit) needsStep(routes []*StepUp, challenge string) error {
	address := ""
	if challenge != "" {
		address = v.stepAddress(challenge)
	}
	if v.wantsPage() {
		p := v.refusal(page.StepUpNeeded, nil)
		p.Doing, p.Ways = doing(routes), nil
		if address != "" {
			p.Ways = []page.Way{{Name: page.WayChallenge, To: address, Top: true}}
		}
		return v.message(p)
	}
	v.count(PageShown, Result(page.StepUpNeeded))
	age := maxAge(routes)
	return v.g.Pages.WriteProblem(v.w, page.Problem{
		Message: page.StepUpNeeded, Host: v.site(), Doing: doing(routes), MaxAge: &age, Challenge: address,
	})
}

// elsewhere is what a person may go on with who was led here from elsewhere.
type elsewhere struct {
	Request account.RequestID `json:"request"`
	Address string            `json:"address"`
	Routes  []string          `json:"routes"`
	Once    bool              `json:"once,omitempty"`
	Action  string            `json:"action,omitempty"`
	At      time.Time         `json:"at"`
}

// purposeElsewhere is the purpose of the key that such a request is sealed with.
const purposeElsewhere seal.Purpose = "step-up"

// maxElsewhere bounds the address that a form of ours carries, sealed.
const maxElsewhere = 2 << 10

// stepFromElsewhere answers for a request that another site has made the browser
// send, or of which nobody knows: nothing is opened and nothing waits (rule 33).
// A person who opened a link may go on by a button.
func (v *visit) stepFromElsewhere(id account.RequestID, routes []*StepUp) error {
	if !v.isTopLevel() {
		return v.needsStep(routes, "")
	}
	if v.r.Method != http.MethodGet {
		v.record(Event{Kind: FromElsewhere, Result: ForStepUp, User: v.session.User, Account: v.session.Account, Detail: doing(routes)})
		return v.refuseStep(page.FormExpired, routes, nil)
	}
	p := v.refusal(page.StepUpElsewhere, nil)
	p.Doing, p.Ways = doing(routes), nil
	if len(v.address) <= maxElsewhere && !v.hasKeyInQuery() {
		sealed, err := v.sealElsewhere(elsewhere{id, v.address, keys(routes), hasOnce(routes), doing(routes), v.now})
		if err != nil {
			return v.refuse(page.StepUpElsewhere, err)
		}
		p.Ways = []page.Way{{
			Name: page.WayChallenge, Post: true, To: v.g.Prefix + "step-up", ChallengeID: sealed, FormToken: v.stepToken(sealed),
		}}
	}
	return v.message(p)
}

func (v *visit) sealElsewhere(e elsewhere) (string, error) {
	plain, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(v.parts.Ring.Seal(purposeElsewhere, v.requestBinding(account.RequestID{}), plain, v.now)), nil
}

// goOnFromElsewhere opens the step-up that the person asked for by the button.
func (v *visit) goOnFromElsewhere(form url.Values) error {
	text := form.Get(page.FieldChallenge)
	if !v.verified() {
		return v.refuse(page.SessionEnded, nil)
	}
	if !isSameOrigin(v.r) || !v.isStepToken(form, text) {
		return v.refuse(page.FormExpired, nil)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return v.refuse(page.FormExpired, nil)
	}
	plain, err := v.parts.Ring.Open(purposeElsewhere, v.requestBinding(account.RequestID{}), sealed, v.now)
	if err != nil {
		return v.refuse(page.FormExpired, nil)
	}
	var e elsewhere
	if err := json.Unmarshal(plain, &e); err != nil || v.now.After(e.At.Add(v.g.Pending)) {
		return v.refuse(page.StepUpExpired, nil)
	}
	named := []*StepUp{{Action: e.Action}}
	ch, acc, err := v.newStep(e.Request, e.Routes, e.Once, e.Action)
	if err != nil {
		return v.noStep(named, err)
	}
	ch.Back = "/"
	u := store.StepUp{Challenge: ch}
	if !isPathHere(e.Address) {
		return v.openStep(u, acc, named)
	}
	u.Challenge.Address = e.Address
	if ch.Once {
		held := &heldRequest{Method: http.MethodGet, At: e.Address, Host: v.r.Host, Header: http.Header{}}
		if u.Hold, err = v.sealRequest(held, &ch); err != nil {
			return v.refuse(page.StepUpElsewhere, err)
		}
		u.Challenge.Held = true
	}
	return v.openStep(u, acc, named)
}
