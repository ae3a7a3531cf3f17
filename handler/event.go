package handler

import (
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// Recorder is told what happened: for the audit log and the metrics. Record
// must not block.
type Recorder interface {
	Record(e Event)
}

// Event is one thing that happened. It carries no secret: no password, code,
// token, cookie, number or query, and of a number its last two digits. Its
// texts may be the client's; whoever writes them bounds and cleans them.
type Event struct {
	Time     time.Time
	Instance string
	Kind     Kind
	// Result is how it went, one of those that the kind has.
	Result Result
	// User is the name after a right password, as it was read; Account the ID
	// of the account. Before the yes both are empty: people type passwords
	// into the wrong field, and no account may be looked up (rule 26).
	User, Account string
	// NameHash is a short keyed hash of the user name that was typed, so that
	// many tries of one name can be told from tries of many.
	NameHash string
	// ClientIP is the client's address as Caddy determined it, UserAgent the
	// browser's own description of itself.
	ClientIP, UserAgent string
	// Challenge is the beginning of the challenge's ID.
	Challenge string
	// Factor is the kind of the factor, Hint the last two digits of a phone.
	Factor account.Kind
	Hint   string
	// Decision is the policy's, with its signals, and Facts what it was made of;
	// nil where none was made.
	Decision *policy.Decision
	Facts    *policy.Facts
	// Reference is what a page has told the person, and the log the operator.
	Reference string
	// Detail is one more word of the operator's or ours, such as the name of a
	// cookie.
	Detail string
}

// What the Detail of LoginAssessed can be; it is empty for a login that was
// decided.
const (
	// ObservedDetail marks a decision that nobody was held to.
	ObservedDetail = "observed"
	// SessionDetail marks one inside a session: of a step-up, or again.
	SessionDetail = "in a session"
)

// Kind says what happened, in the vocabulary of OWASP's Application Logging
// Vocabulary Cheat Sheet where it has a word.
type Kind string

// The words of OWASP.
const (
	LoginSucceeded Kind = "authn_login_success"
	LoginFailed    Kind = "authn_login_fail"
	TriesUsedUp    Kind = "authn_login_fail_max"
	FactorPaused   Kind = "authn_login_lock"
	LoginUnread    Kind = "input_validation_fail"
	Refused        Kind = "authz_fail"
	FromElsewhere  Kind = "malicious_cors"
	SessionExpired Kind = "session_expired"
	UserCreated    Kind = "user_created"
	UserUpdated    Kind = "user_updated"
	OperatorActed  Kind = "authz_admin"
	TokenCreated   Kind = "authn_token_created"
	TokenRevoked   Kind = "authn_token_revoked"
	TokenReused    Kind = "authn_token_reuse"
	SystemStarted  Kind = "sys_startup"
	SystemReloaded Kind = "sys_restart"
	SystemStopped  Kind = "sys_shutdown"
)

// Our own words.
const (
	LoginAssessed      Kind = "authn_assessed"
	ChallengeOpened    Kind = "authn_challenge"
	ChallengePassed    Kind = "authn_challenge_passed"
	ChallengeCancelled Kind = "authn_challenge_cancelled"
	CodeSent           Kind = "authn_code_send"
	SessionSuspended   Kind = "session_suspended"
	SessionResumed     Kind = "session_resumed"
	CookieWithheld     Kind = "cookie_withheld"
	StreamClosed       Kind = "stream_closed"
)

// What is counted and not written down.
const (
	PageShown   Kind = "page_shown"
	StoreFailed Kind = "store_failed"
)

// Result is how it went.
type Result string

// The results that are no page's message, reason or verdict.
const (
	ByCode     Result = "second_factor"
	ByPassword Result = "first_factor_only"

	WrongPassword Result = "wrong_password"
	AppFailed     Result = "app_error"
	BeyondCap     Result = "login_beyond_cap"
	WrongCode     Result = "wrong_code"
	UsedCode      Result = "used_code"
	MalformedCode Result = "malformed_code"
	NoLivingCode  Result = "no_code"
	AlreadyPassed Result = "already_used"
	GoneChallenge Result = "gone"
	MaxRetries    Result = "maxretries"

	Opened Result = "opened"
	// ForStepUp and Waiting are of step-ups.
	ForStepUp Result = "step_up"
	Waiting   Result = "waiting"
	Right     Result = "right"
	ByUser    Result = "by_user"
	InLogin   Result = "login"
	InForm    Result = "form"

	LoggedOut    Result = "logout"
	Replaced     Result = "replaced"
	NotProved    Result = "not_proved"
	NotPassed    Result = "login_not_passed"
	StillTheirs  Result = "still_theirs"
	NotALogin    Result = "undeclared_login"
	NoCredential Result = "credential_outside_login"
	NotSealed    Result = "not_sealed"
	OldStanding  Result = "standing_changed"
	PlainHTTP    Result = "plain_http"

	FieldBeyondCap Result = "field_beyond_cap"
	StreamEnded    Result = "session_ended"
	StreamBlind    Result = "store_unavailable"

	SendTaken   Result = "taken"
	SendFailed  Result = "failed"
	SendUnknown Result = "unknown"
	SendRefused Result = "refused"

	Imported      Result = "import"
	ImportRefused Result = "import_refused"
	Listed        Result = "accounts_listed"
	Explained     Result = "login_explained"
	Done          Result = "done"

	DevicesListed    Result = "devices_listed"
	DevicesForgotten Result = "devices_forgotten"
	// OfDevice is of the tokens of remembered browsers.
	OfDevice Result = "device"

	// SessionsRevoked is of the operator's act, Revoked of each session.
	SessionsRevoked Result = "sessions_revoked"
	Revoked         Result = "revoked"
)

// Severity is OWASP's level of an event.
type Severity string

// The severities.
const (
	Info     Severity = "INFO"
	Warn     Severity = "WARN"
	Critical Severity = "CRITICAL"
)

// KindInfo is what there is to know of a kind.
type KindInfo struct {
	Kind     Kind
	Severity Severity
	// Audited says that it goes to the audit log.
	Audited bool
	// Results are all that it can have.
	Results []Result
	// Means says in words when it happens.
	Means string
}

// Kinds returns all kinds of events, in the order of the documentation.
func Kinds() []KindInfo {
	return slices.Concat([]KindInfo{
		{LoginAssessed, Info, true, []Result{Result(policy.Allow), Result(policy.Challenge), Result(policy.Deny)},
			"a right password was assessed, with verdict, score and signals"},
		{ChallengeOpened, Info, true, []Result{Opened, ForStepUp, Waiting, ForEnrolment},
			"the app's answer is held and a code is asked for; `enrolment`: a factor is asked for, and `detail` says how much; `step_up`: a route asks for a fresh one, and `detail` is its action; `waiting`: a script, a frame or an image met such a route, and the next page asks"},
		{CodeSent, Info, true, []Result{SendTaken, SendFailed, SendUnknown, SendRefused},
			"a text went to the provider, which took it or not; `unknown`: nobody knows; `refused`: none was sent, and `detail` says why"},
		{ChallengePassed, Info, true, []Result{Right},
			"the code was right and is spent"},
		{ChallengeCancelled, Info, true, []Result{ByUser},
			"the person cancelled; what was held is dropped"},
		{LoginSucceeded, Info, true, []Result{ByCode, ByPassword},
			"the app's answer was released"},
		{LoginFailed, Warn, true, loginResults(),
			"a login or a code did not pass; with `factor` it was a code"},
		{TriesUsedUp, Warn, true, []Result{MaxRetries},
			"a code, or an authenticator in a challenge, has no try left"},
		{FactorPaused, Warn, true, []Result{MaxRetries},
			"a code was refused: the factor is paused after too many failures in a row"},
		{LoginUnread, Warn, true, unreadResults(),
			"a login cannot be read for certain and was refused"},
		{FromElsewhere, Critical, true, []Result{InLogin, InForm, ForStepUp},
			"a page of another site sent a login into a session here, a form of ours, or a form to a step-up route"},
		{Refused, Critical, true, []Result{Result(page.Blocked), Result(page.MaliciousPath), NotALogin, FieldBeyondCap, Result(page.StepUpNoFactor)},
			"a blocked route, a path with two readings, an app session that no declared login has opened, a field that a rule asks for (`detail` is the rule) beyond the 64 KiB of a body that are read, or a step-up of an account without a factor"},
		{CookieWithheld, Warn, true, []Result{NoCredential, NotSealed, OldStanding},
			"a cookie of the app was kept back: a credential outside a login, one that could not be sealed (`detail` is its name), or all of an answer whose session or line is another by now"},
		{SessionSuspended, Info, true, []Result{InLogin},
			"a new login suspended the browser's session"},
		{SessionResumed, Info, true, []Result{NotPassed, StillTheirs},
			"it goes on: the login did not pass, or a proof still names its user"},
		{SessionExpired, Info, true, []Result{LoggedOut, Replaced, NotProved, NotPassed, BeyondCap, Revoked, ByUser},
			"a session ended: by logout, by a new login, by an operator (`revoked`), by its user on the page of sessions (`by_user`), or since the app's session in it may be another user's"},
		{StreamClosed, Info, true, []Result{StreamEnded, StreamBlind},
			"a WebSocket, a stream or a long transfer was closed, since its session ended, or the store could not say for 10 seconds whether it lives"},
		{TokenCreated, Info, true, []Result{OfDevice},
			"a right code had the browser remembered; `detail` is the beginning of the device's ID"},
		{TokenRevoked, Info, true, []Result{OfDevice},
			"an operator or the user had a remembered browser forgotten; `detail` is the beginning of the device's ID"},
		{TokenReused, Critical, true, []Result{OfDevice},
			"after a right password the browser came with an old token of a remembered one: there is a copy of it; the device is forgotten, and `detail` is the beginning of its ID"},
		{UserCreated, Warn, true, []Result{Imported, ByOperator}, "an import, or an operator's command, made an account"},
		{UserUpdated, Warn, true, []Result{Imported, ByOperator}, "an import, or an operator's command, changed an account"},
		{UserDeleted, Warn, true, []Result{ByOperator}, "an operator erased an account, with all that the store knew of the user"},
		{OperatorActed, Warn, true, operatorResults(),
			"an operator did this, by a command or the admin API, to `user` if there is one; `detail` says by what, and what more there is to it"},
		{SystemStarted, Warn, true, []Result{Done}, "Caddy started with this module"},
		{SystemReloaded, Warn, true, []Result{Done}, "Caddy loaded another config"},
		{SystemStopped, Warn, true, []Result{Done}, "Caddy stopped, or the module left the config"},
		{PageShown, Info, false, pageResults(), ""},
		{StoreFailed, Critical, false, []Result{Done}, ""},
	}, ownKinds())
}

// loginResults are those of a login and of a code.
func loginResults() []Result {
	list := []Result{WrongPassword}
	for _, m := range []page.Message{
		page.NotRecognised, page.UnknownUser, page.NoUsableFactor, page.Denied, page.LoginRunning,
		page.Suspended, page.BodyTooLarge, page.AnswerTooLarge, page.HoldLost, page.StoreUnavailable,
	} {
		list = append(list, Result(m))
	}
	return append(list, AppFailed, BeyondCap, WrongCode, UsedCode, MalformedCode, NoLivingCode, AlreadyPassed, GoneChallenge)
}

func unreadResults() []Result {
	var list []Result
	for _, r := range []page.Reason{
		page.ReasonTwice, page.ReasonAmbiguous, page.ReasonMissing, page.ReasonCharset,
		page.ReasonContentType, page.ReasonForm, page.ReasonMultipart, page.ReasonJSON,
	} {
		list = append(list, Result(r))
	}
	return list
}

// pageResults are the messages that a page of ours, or a problem document, can
// say.
func pageResults() []Result {
	list := []Result{PlainHTTP}
	for _, m := range []page.Message{
		page.UnknownUser, page.NoUsableFactor, page.NotRecognised, page.AnswerTooLarge, page.Unreadable,
		page.BodyTooLarge, page.LoginRunning, page.Blocked, page.SignInNeeded, page.CodeNeeded,
		page.ChallengeExpired, page.AlreadyUsed, page.NewerSignIn, page.Cancelled, page.StoreUnavailable,
		page.Denied, page.MaliciousPath, page.LoginLoop, page.FormExpired, page.HoldLost,
		page.SessionEnded, page.NotFound, page.SignInOnceMore, page.RequestTooLarge,
		page.StepUpNeeded, page.StepUpElsewhere, page.StepUpTooLarge, page.StepUpCancelled, page.StepUpExpired,
		page.StepUpUsed, page.StepUpLost, page.StepUpNotSent, page.StepUpNoFactor, page.StepUpPassed,
	} {
		list = append(list, Result(m))
	}
	for _, m := range ownMessages() {
		list = append(list, Result(m))
	}
	return list
}
