package account

import "time"

// ChallengeState is the state of a challenge.
type ChallengeState string

// The states of a challenge.
const (
	ChallengeOpen      ChallengeState = "open"
	ChallengePassed    ChallengeState = "passed"
	ChallengeCancelled ChallengeState = "cancelled"
	// ChallengeWaiting is a step-up that nobody has seen yet: no code answers
	// it and none is sent for it before a page or a script of its session has
	// asked for it.
	ChallengeWaiting ChallengeState = "waiting"
)

// Purpose says what a challenge is for; a code of one purpose is worth nothing
// for another (ASVS 5.0, 6.6.2).
type Purpose string

// The purposes.
const (
	// PurposeLogin is a challenge after a right password.
	PurposeLogin Purpose = "login"
	// PurposeStepUp is a fresh challenge inside a verified session.
	PurposeStepUp Purpose = "step_up"
	// PurposeEnrolment is a login that waits for a factor to be added: no code
	// answers it by itself.
	PurposeEnrolment Purpose = "enrolment"
)

// Challenge is one demand for a second factor: who, why, which factors may
// answer, until when.
type Challenge struct {
	ID       string         `json:"id"`
	Instance string         `json:"instance"`
	Account  string         `json:"account"`
	Purpose  Purpose        `json:"purpose"`
	State    ChallengeState `json:"state"`
	// Session is the pending session whose browser alone may answer; of a
	// step-up the verified one that asked. The id of that may change while the
	// challenge is open, so that Standing says whose it is.
	Session  SessionID  `json:"session"`
	Standing StandingID `json:"standing,omitzero"`
	// Address is the raw path and query to which the code form is posted: the
	// held request's own, or empty where that must not be written into a page
	// and the form is posted under the prefix.
	Address string `json:"address,omitempty"`
	// Action names a step-up in the operator's words; it may be empty. Routes
	// are the routes that asked, for which it is fresh once it is passed.
	Action string   `json:"action,omitempty"`
	Routes []string `json:"routes,omitempty"`
	// Request is the request that a step-up was met by. Once says that it gets a
	// pass, since one of the routes asks at every request.
	Request RequestID `json:"request,omitzero"`
	Once    bool      `json:"once,omitempty"`
	// Held says that the request is held, and sent once the code was right.
	Held bool `json:"held,omitempty"`
	// Back is the path of the page that a step-up leads back to: when it is
	// cancelled, or when nothing is held.
	Back string `json:"back,omitempty"`
	// Remember says that the person may have the browser remembered with a right
	// code. Stolen says that a token of a remembered browser came back whose time
	// was over, so that the page tells the person.
	Remember bool `json:"remember,omitempty"`
	Stolen   bool `json:"stolen,omitempty"`
	// MayPutOff says of an enrolment that the user may go on without one, and
	// Confirmed that it is confirmed that this is the user (rule 15). Enrolled is
	// the id of the factor that was added by it; until then it is empty.
	MayPutOff bool   `json:"may_put_off,omitempty"`
	Confirmed bool   `json:"confirmed,omitempty"`
	Enrolled  string `json:"enrolled,omitempty"`
	// Factors are the ids of the factors that may answer, the one offered
	// first in front; of an enrolment none.
	Factors []string `json:"factors"`
	// Tries counts the codes entered for a factor whose code is not sent (an
	// authenticator), by factor id.
	Tries map[string]int `json:"tries,omitempty"`
	// Codes are the codes sent, by factor id.
	Codes   map[string]Code `json:"codes,omitempty"`
	Created time.Time       `json:"created"`
	Expires time.Time       `json:"expires"`
	// Facts are what is learnt of the login once the challenge is passed, in
	// the policy's own form, of at most MaxFacts bytes. Nobody else reads them.
	Facts []byte `json:"facts,omitempty"`
}

// MayAnswer reports whether the factor with the given id may answer.
func (c *Challenge) MayAnswer(factor string) bool {
	for _, f := range c.Factors {
		if f == factor {
			return true
		}
	}
	return false
}

// Code is a code that was or will be sent, with the outbox entry that carries
// it: Sealed is its text, kept until the code is spent or expires, so that
// sending again sends the same code.
type Code struct {
	// Hash is the keyed hash of the code, bound to challenge, account, session
	// and purpose.
	Hash   [32]byte `json:"hash"`
	Sealed []byte   `json:"sealed"`
	// Tries counts the codes entered against this one.
	Tries   int       `json:"tries"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	// Sends are the times of every sending in this challenge, of earlier codes
	// of the same factor too: waits grow with their number.
	Sends []time.Time `json:"sends"`
	// Status is what became of the last sending.
	Status SendStatus `json:"status"`
}

// SendStatus is what became of a sending.
type SendStatus string

// What became of a sending.
const (
	// SendQueued means that it was written to the outbox and not yet taken by
	// the provider, or that nobody knows (a time-out is not sent again).
	SendQueued SendStatus = "queued"
	// SendTaken means that the provider took it.
	SendTaken SendStatus = "taken"
	// SendFailed means that the provider certainly did not take it.
	SendFailed SendStatus = "failed"
)

// Hold is a held answer: status, headers, cookies and body of the app's answer
// to a login, sealed by the handler; or a held request: its method, headers and
// body, to be sent once a step-up is passed.
type Hold struct {
	Challenge string    `json:"challenge"`
	Instance  string    `json:"instance"`
	Sealed    []byte    `json:"sealed"`
	Expires   time.Time `json:"expires"`
}
