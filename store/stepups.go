package store

import (
	"context"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// StepUps keeps the challenges inside verified sessions. All of them return
// ErrNotFound if the session is not usable at the given time: gone, over, not
// verified, or suspended by a login.
//
// CountAttempt, ReserveSend and RecordSend are for step-ups too: for the first
// two the session must then be usable instead of pending, and of the challenge's
// standing; a session that is not is told nothing, not even that the challenge
// was passed.
type StepUps interface {
	// OpenStepUp records a step-up, open or waiting, and its hold; see StepUp.
	// Where the session has one for the same request and routes that is open or
	// waits and has not expired, that is returned and nothing is recorded, but
	// that one which waits is opened if the new one is open, and that one for
	// which nothing is held gets the new one's hold. It returns ErrConflict if a
	// challenge of that id is there already, and ErrNotFound if the challenge is
	// not of the session's instance, account and standing.
	OpenStepUp(ctx context.Context, s StepUp, now time.Time) (account.Challenge, error)
	// ShowStepUp opens a step-up that waits, with the page that it leads back
	// to, and returns it; one that is open already is returned as it is. The
	// session's next page shows it no more, whatever became of it. It returns
	// ErrSpent if it was passed, and ErrNotFound if it is not the session's,
	// was cancelled or has expired.
	ShowStepUp(ctx context.Context, session account.SessionID, challenge, back string, now time.Time) (account.Challenge, error)
	// CancelStepUp ends a step-up at the user's wish: its hold is dropped and
	// its codes are dead. ErrSpent if it was passed, ErrNotFound if it is not
	// the session's or has expired.
	CancelStepUp(ctx context.Context, session account.SessionID, challenge string, now time.Time) error
	// PassStepUp spends a code and opens what the step-up was for; see
	// PassStepUp. Its errors are those of PassChallenge.
	PassStepUp(ctx context.Context, p PassStepUp, now time.Time) (Stepped, error)
	// TakePass takes the pass of a request that is about to be sent. It returns
	// ErrNotFound if there is none, and ErrSpent if it is taken.
	TakePass(ctx context.Context, session account.SessionID, request account.RequestID, now time.Time) error
	// ReturnPass gives a taken pass back, since the app did not do what it was
	// asked for; it lives no longer by that. ErrNotFound if there is none.
	ReturnPass(ctx context.Context, session account.SessionID, request account.RequestID, now time.Time) error
}

// StepUp is a step-up to be recorded, all or nothing.
type StepUp struct {
	// Challenge is open or waits; its purpose is account.PurposeStepUp, and it
	// names the session by Session and by Standing. Of the session's challenges
	// account.MaxStepUps are kept: the oldest goes, with its hold.
	Challenge account.Challenge
	// Hold belongs to an open one; nil for one that waits, and where nothing is
	// held.
	Hold *account.Hold
}

// PassStepUp asks to spend a code in a verified session. In one step the engine
// checks that the challenge is open, not expired, and of the session's
// standing, that the session is usable, and the code as PassChallenge does;
// then it marks the challenge passed and its codes dead, clears the factor's
// failures and pause, keeps the step, notes the factor's kind, the time for it
// and for the challenge's routes and, where the challenge says Once, a pass of
// account.PassFor for its request; takes the hold; and gives the session its new
// id: what is left under the old one is in account.StateMoved for
// account.MovedFor.
type PassStepUp struct {
	Challenge string
	Session   account.SessionID
	Factor    string
	Step      int64
	CodeHash  [32]byte
	// Next is the session's new id.
	Next account.SessionID
	// Routes are those of the challenge's routes that become fresh; nil for all.
	Routes []string
	// Take says that the caller sends the held request now: the pass is taken
	// at once, and the hold must be there.
	Take bool
	// Notices are put into the outbox in the same step.
	Notices []account.Notice
}

// Stepped is what a step-up that was passed leaves.
type Stepped struct {
	// Session is the session as it is now, under its new id.
	Session account.Session
	// Hold is the held request; nil if nothing was held.
	Hold *account.Hold
}
