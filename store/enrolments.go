package store

import (
	"context"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// Enrolments keeps the factors that are about to be added. They are spent by
// ChangeAccount. The enrolment of a session goes with it: when it ends, is
// cancelled, or another one takes its place.
type Enrolments interface {
	// BeginEnrolment stores an enrolment in the place of the one of the same
	// standing. ErrConflict if there is one of that id.
	BeginEnrolment(ctx context.Context, e account.Enrolment, now time.Time) error
	// Enrolment returns an enrolment that has not expired, of the given standing;
	// ErrNotFound else.
	Enrolment(ctx context.Context, id string, standing account.StandingID, now time.Time) (account.Enrolment, error)
	// TryEnrolment counts a code before it is compared. Exactly one of the
	// result's Counted, Exhausted and NoCode is true. ErrNotFound as Enrolment.
	TryEnrolment(ctx context.Context, id string, standing account.StandingID, perCode int, now time.Time) (AttemptResult, error)
	// ReserveEnrolmentSend decides whether a code may be sent to the phone that
	// is being enrolled and writes it down, as ReserveSend does for a challenge.
	// Beyond account.MaxTexts in 24 hours for one account nothing is sent, and
	// NotBefore is when the next may be. ErrNotFound as Enrolment, for what is no
	// phone, and if there is no account yet.
	ReserveEnrolmentSend(ctx context.Context, s EnrolmentSend, now time.Time) (SendResult, error)
	// RecordEnrolmentSend notes what became of the n-th sending, as RecordSend.
	RecordEnrolmentSend(ctx context.Context, id string, n int, status account.SendStatus) error
	// DropEnrolment removes the enrolment of a standing; no error if there is
	// none.
	DropEnrolment(ctx context.Context, instance string, standing account.StandingID) error
}

// EnrolmentSend asks to send a code to a phone that is being enrolled. See Send.
type EnrolmentSend struct {
	ID       string
	Standing account.StandingID
	New      account.Code
	PerCode  int
	Waits    []time.Duration
}

// PassEnrolment asks to let a login go on that waits for an enrolment. In one
// step the engine checks that the challenge is open, of account.PurposeEnrolment,
// not expired and the session's, that the session is pending and not suspended,
// and that the factor was added (account.Challenge.Enrolled is still the
// account's), or, with PutOff, that it may be put off and was not added; then as
// Pass does. Next has, with a factor added, its kind.
type PassEnrolment struct {
	Challenge string
	Session   account.SessionID
	PutOff    bool
	Next      account.Session
	Learn     Learn `json:"-"`
}

// Confirm asks to note that it is confirmed who the user is.
type Confirm struct {
	// Challenge is of account.PurposeEnrolment and the pending session's; empty
	// in a verified session, where account.RouteConfirmed becomes fresh instead.
	Challenge string
	Session   account.SessionID
	// Codes are the keyed hashes of what was typed, as a code of the account's
	// Invitation and as one of its MailCode; nil: something else has confirmed
	// it. The one that is right is spent. A try counts against both, and after
	// PerCode of them one is worthless. Where the challenge is confirmed already,
	// nothing is counted or spent.
	Codes   *[2][32]byte
	PerCode int
}

// Confirmed is what became of it.
type Confirmed struct {
	// Right is true if it is confirmed now.
	Right bool
	// None is true if the account has no invitation that lives, Left how many
	// tries are left after a wrong code.
	None bool
	Left int
}
