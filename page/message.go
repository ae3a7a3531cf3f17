package page

import (
	"fmt"
	"html/template"
	"net/http"
	"time"
)

// Message names one end or refusal that is told in words.
type Message string

// The messages, with the status that Message.Status proposes for each.
const (
	// UnknownUser (403): the password was right, but the user has no account
	// for the second factor here.
	UnknownUser Message = "unknown_user"
	// NoUsableFactor (403): the account has no factor that can answer.
	NoUsableFactor Message = "no_usable_factor"
	// NotRecognised (502): the app's answer to a login is neither yes nor no.
	NotRecognised Message = "not_recognised"
	// AnswerTooLarge (502): the app's answer to a login is beyond the cap.
	AnswerTooLarge Message = "answer_too_large"
	// Unreadable (400): a login whose user cannot be read for certain; see
	// MessagePage.Reason.
	Unreadable Message = "unreadable"
	// BodyTooLarge (413): a login's body is beyond the cap.
	BodyTooLarge Message = "body_too_large"
	// RequestTooLarge (413): beyond what is read of a body before it is
	// forwarded stood a field that a rule asks for.
	RequestTooLarge Message = "request_too_large"
	// LoginRunning (503): another login of this browser has not ended yet.
	LoginRunning Message = "login_running"
	// Blocked (403): the operator has blocked the route.
	Blocked Message = "blocked"
	// SignInNeeded (401): a protected route without a session, and there is no
	// login page to send to.
	SignInNeeded Message = "sign_in_needed"
	// CodeNeeded (401): a challenge is open in this browser; for scripts.
	CodeNeeded Message = "code_needed"
	// ChallengeExpired (403): the challenge was not answered in time.
	ChallengeExpired Message = "challenge_expired"
	// AlreadyUsed (409): the challenge was answered before, with success.
	AlreadyUsed Message = "already_used"
	// NewerSignIn (409): the form is of a challenge that a later login of this
	// browser has replaced.
	NewerSignIn Message = "newer_sign_in"
	// Cancelled (200): the person cancelled the challenge.
	Cancelled Message = "cancelled"
	// StoreUnavailable (503): the store does not answer; nothing opens.
	StoreUnavailable Message = "store_unavailable"
	// Denied (403): the policy denies the request.
	Denied Message = "denied"
	// MaliciousPath (400): the path can be read in more than one way.
	MaliciousPath Message = "malicious_path"
	// LoginLoop (403): the login page keeps sending to a protected page.
	LoginLoop Message = "login_loop"
	// FormExpired (403): a form of another origin, or with an old token.
	FormExpired Message = "form_expired"
	// HoldLost (409): the code was right, but the held answer cannot be
	// released any more.
	HoldLost Message = "hold_lost"
	// SessionEnded (401): the session was ended or is too old.
	SessionEnded Message = "session_ended"
	// NotFound (404): no page of ours has this address.
	NotFound Message = "not_found"
	// SignInOnceMore (200): the code was right, and the next right password
	// passes without one; for logins whose token only a script can use.
	SignInOnceMore Message = "sign_in_once_more"
)

// messageSpec is what the words of a message do not say.
type messageSpec struct {
	status int
	// failed: the title of the window begins with "Error:".
	failed bool
}

var messages = map[Message]messageSpec{
	UnknownUser:      {http.StatusForbidden, true},
	NoUsableFactor:   {http.StatusForbidden, true},
	NotRecognised:    {http.StatusBadGateway, true},
	AnswerTooLarge:   {http.StatusBadGateway, true},
	Unreadable:       {http.StatusBadRequest, true},
	BodyTooLarge:     {http.StatusRequestEntityTooLarge, true},
	RequestTooLarge:  {http.StatusRequestEntityTooLarge, true},
	LoginRunning:     {http.StatusServiceUnavailable, true},
	Blocked:          {http.StatusForbidden, true},
	SignInNeeded:     {http.StatusUnauthorized, false},
	CodeNeeded:       {http.StatusUnauthorized, false},
	ChallengeExpired: {http.StatusForbidden, true},
	AlreadyUsed:      {http.StatusConflict, false},
	NewerSignIn:      {http.StatusConflict, false},
	Cancelled:        {http.StatusOK, false},
	StoreUnavailable: {http.StatusServiceUnavailable, true},
	Denied:           {http.StatusForbidden, true},
	MaliciousPath:    {http.StatusBadRequest, true},
	LoginLoop:        {http.StatusForbidden, true},
	FormExpired:      {http.StatusForbidden, true},
	HoldLost:         {http.StatusConflict, true},
	SessionEnded:     {http.StatusUnauthorized, false},
	NotFound:         {http.StatusNotFound, true},
	SignInOnceMore:   {http.StatusOK, false},

	StepUpNeeded:    {http.StatusForbidden, false},
	StepUpElsewhere: {http.StatusForbidden, false},
	StepUpTooLarge:  {http.StatusRequestEntityTooLarge, true},
	StepUpCancelled: {http.StatusOK, false},
	StepUpExpired:   {http.StatusForbidden, true},
	StepUpUsed:      {http.StatusConflict, false},
	StepUpLost:      {http.StatusBadGateway, true},
	StepUpNotSent:   {http.StatusConflict, true},
	StepUpNoFactor:  {http.StatusForbidden, true},
	StepUpPassed:    {http.StatusOK, false},

	EnrolmentExpired:  {http.StatusForbidden, true},
	EnrolmentReplaced: {http.StatusConflict, false},
	Suspended:         {http.StatusForbidden, true},
	ConfirmNeeded:     {http.StatusUnauthorized, false},
	EnrolmentNeeded:   {http.StatusUnauthorized, false},
	NotAllowed:        {http.StatusForbidden, true},
	TooBusy:           {http.StatusServiceUnavailable, true},
	ChangedElsewhere:  {http.StatusConflict, true},
	Invited:           {http.StatusOK, false},
}

// Status proposes the status of the answer; 500 for what is no message.
func (m Message) Status() int {
	spec, ok := messages[m]
	if !ok {
		return http.StatusInternalServerError
	}
	return spec.status
}

// Reason says why a login could not be read.
type Reason string

const (
	// ReasonTwice: the user name or the password is there more than once.
	ReasonTwice Reason = "twice"
	// ReasonAmbiguous: it can be read in more than one way.
	ReasonAmbiguous Reason = "ambiguous"
	// ReasonMissing: there is no user name.
	ReasonMissing Reason = "missing"
	// ReasonCharset: it is not in UTF-8.
	ReasonCharset Reason = "charset"
	// ReasonContentType: its Content-Type is missing, doubled or of no use.
	ReasonContentType Reason = "content_type"
	// ReasonForm: it is no valid form.
	ReasonForm Reason = "form"
	// ReasonMultipart: it is no valid multipart form.
	ReasonMultipart Reason = "multipart"
	// ReasonJSON: it is no valid JSON, or a key is repeated.
	ReasonJSON Reason = "json"
)

var reasons = []Reason{
	ReasonTwice, ReasonAmbiguous, ReasonMissing, ReasonCharset,
	ReasonContentType, ReasonForm, ReasonMultipart, ReasonJSON,
}

// WayName names what a link or button of a message page does.
type WayName string

const (
	// WaySignIn leads to the app's login page.
	WaySignIn WayName = "sign_in"
	// WayContinue goes on to the app.
	WayContinue WayName = "continue"
	// WayTryAgain asks for the same page once more.
	WayTryAgain WayName = "try_again"
	// WayHome leads to the site's first page.
	WayHome WayName = "home"
	// WayChallenge leads to the open challenge.
	WayChallenge WayName = "challenge"
	// WayOther leads to the page with the other factors.
	WayOther WayName = "other"
	// WayCancel cancels the open challenge; a form.
	WayCancel WayName = "cancel"
	// WayBack leads back to where the person was before a step-up.
	WayBack WayName = "back"
)

var ways = []WayName{WaySignIn, WayContinue, WayTryAgain, WayHome, WayChallenge, WayOther, WayCancel, WayBack}

// Way is a link or a button of a message page.
type Way struct {
	// Name chooses its words.
	Name WayName
	// To is its address, a raw path of this origin.
	To string
	// Post makes it a form that posts FieldChallenge and FieldToken.
	Post bool
	// ChallengeID and FormToken are the fields of that form.
	ChallengeID, FormToken string
	// Top opens it in place of the whole window; for pages in a frame.
	Top bool
}

// maxWays is the number of links and buttons that a message page has at most.
const maxWays = 2

// MessagePage is a page that says what happened and what to do.
type MessagePage struct {
	// Message is what happened.
	Message Message
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty, and must be before the
	// password is known to be right.
	User string
	// Reason is needed with Unreadable, and only there.
	Reason Reason
	// Doing is StepUp.Doing, for the messages of a step-up. It may be empty.
	Doing string
	// Reference is what the operator finds in the log. It may be empty.
	Reference string
	// RetryIn says when to try again; 0: not said. See SetRetryAfter too.
	RetryIn time.Duration
	// Ways are at most two links or buttons, the likeliest first.
	Ways []Way
}

type messageView struct {
	frameView
	Heading   []part
	Who       []part
	Lines     [][]part
	Failed    bool
	Reference []part
	Ways      []wayView
}

type wayView struct {
	Label  []part
	To     template.HTMLAttr
	Post   bool
	Main   bool
	Top    bool
	Hidden hiddenView
}

// Message renders a message page.
func (s *Set) Message(l Lang, p MessagePage) ([]byte, error) {
	spec, ok := messages[p.Message]
	if !ok {
		return nil, fmt.Errorf("page: there is no message %q", p.Message)
	}
	if len(p.Ways) > maxWays {
		return nil, fmt.Errorf("page: message %s: %d ways on, at most %d fit", p.Message, len(p.Ways), maxWays)
	}
	sp := s.speak(l).inStepUp(p.Message.stepUp(p.Doing))
	site := given("site", s.siteOr(p.Host))
	v := messageView{
		Heading: sp.say(p.Message.key("title")),
		Lines:   p.Message.lines(sp, site, p.Reason, p.RetryIn),
		Failed:  spec.failed,
	}
	if tidy(p.User) != "" {
		v.Who = sp.who(site, p.User)
	}
	if p.Reference != "" {
		v.Reference = sp.say("message.reference", site, given("reference", p.Reference))
	}
	var to target
	for i, w := range p.Ways {
		v.Ways = append(v.Ways, w.view(sp, &to, i == 0))
	}
	v.frameView = s.frame(sp, p.Host, sp.join(v.Heading), spec.failed)
	if to.err != nil {
		return nil, to.err
	}
	return s.render(pageMessage, sp, v)
}

func (w Way) view(sp *speaker, to *target, main bool) wayView {
	name := "href"
	if w.Post {
		name = "action"
	}
	if w.To == "" && to.err == nil {
		to.err = fmt.Errorf("page: way %s: %w: it is empty", w.Name, ErrAddress)
	}
	return wayView{
		Label:  sp.say("way." + string(w.Name)),
		To:     to.local(name, "way "+string(w.Name), w.To),
		Post:   w.Post,
		Main:   main,
		Top:    w.Top,
		Hidden: hiddenView{Challenge: w.ChallengeID, Token: w.FormToken},
	}
}

func (m Message) key(of string) string { return "message." + string(m) + "." + of }

// lines is what happened, why, and what to do.
func (m Message) lines(sp *speaker, site arg, why Reason, retryIn time.Duration) [][]part {
	lines := [][]part{sp.say(m.key("text"), site)}
	if m == Unreadable {
		lines = append(lines, sp.say("reason."+string(why)))
	}
	lines = append(lines, sp.say(m.key("remedy"), site))
	if retryIn > 0 {
		lines = append(lines, sp.say("message.retry", sp.wait(retryIn)))
	}
	return lines
}
