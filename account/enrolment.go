package account

import "time"

// Limits of enrolments.
const (
	// EnrolFor is how long a started enrolment waits for its code (rule 13).
	EnrolFor = 15 * time.Minute
	// MaxFactors is how many factors an account can have, its recovery codes not
	// counted.
	MaxFactors = 10
	// MaxTexts is how many enrolment texts an account gets in the time of
	// TextsFor, to whatever numbers.
	MaxTexts = 10
	TextsFor = 24 * time.Hour
	// MaxLabel is the largest length of a factor's label, in characters.
	MaxLabel = 40
)

// Enrolment is a factor that somebody is about to add. It counts for nothing
// before a code of it was entered in the browser that began it.
type Enrolment struct {
	// ID is random.
	ID       string `json:"id"`
	Instance string `json:"instance"`
	Account  string `json:"account"`
	// Standing is that of the session, pending or verified, whose browser alone
	// may go on. A session has one enrolment: a new one takes its place.
	Standing StandingID `json:"standing"`
	// Factor is what is added once its code was entered.
	Factor Factor `json:"factor"`
	// Replaces is the id of the factor whose place it takes; empty for none.
	Replaces string `json:"replaces,omitempty"`
	// Tries counts the codes entered for an authenticator; those for a phone are
	// counted by its code.
	Tries int `json:"tries,omitempty"`
	// Code is the code sent to a phone; without a hash there is none yet.
	Code    Code      `json:"code,omitzero"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}
