package store

import (
	"context"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// Challenges keeps challenges, holds and what was spent.
type Challenges interface {
	// Challenge returns a challenge that has not expired, in whatever state.
	Challenge(ctx context.Context, id string, now time.Time) (account.Challenge, error)
	// CountAttempt counts an attempt before its code is compared; see Attempt.
	// It returns ErrSpent if the challenge was passed, and ErrNotFound if it
	// is not open, has expired, is another session's, its session is not
	// pending or is suspended by a login, or the factor may not answer; for a
	// challenge of account.PurposeEnrolment, always.
	CountAttempt(ctx context.Context, a Attempt, now time.Time) (AttemptResult, error)
	// PassEnrolment lets a login go on for which a factor was added, or which may
	// put that off; see PassEnrolment. It returns ErrSpent if the challenge is
	// passed, ErrNotFound as CountAttempt does, if the hold is gone, or if the
	// factor was not added, and ErrConflict as PassChallenge does.
	PassEnrolment(ctx context.Context, p PassEnrolment, now time.Time) (account.Hold, error)
	// ConfirmEnrolment notes that it is confirmed that this is the user. With an
	// invitation, its code is counted and compared in the same step; see Confirm.
	// ErrNotFound as CountAttempt does.
	ConfirmEnrolment(ctx context.Context, c Confirm, now time.Time) (Confirmed, error)
	// PassChallenge spends a code and releases what it opens; see Pass. It
	// returns ErrSpent if the challenge, the code or the step is used,
	// ErrNotFound as CountAttempt does, for a code that is not the living one,
	// and if the hold is gone, and ErrConflict if a session of Next's id, or a
	// device of Device's, is there already.
	PassChallenge(ctx context.Context, p Pass, now time.Time) (account.Hold, error)
	// ReserveSend decides whether a code may be sent and writes it to the
	// outbox; see Send. It returns ErrSpent and ErrNotFound as CountAttempt
	// does, and ErrNotFound for a factor that is not a phone. A sending makes
	// its challenge the factor's current one: the code of every other
	// challenge for this factor is dead for good.
	ReserveSend(ctx context.Context, s Send, now time.Time) (SendResult, error)
	// RecordSend notes what became of the n-th sending (from 1) of a factor
	// in a challenge. A later sending is not overwritten; no error if the
	// challenge or its code is gone.
	RecordSend(ctx context.Context, challenge, factor string, n int, status account.SendStatus) error
	StepUps
}

// Attempt is one code entered, of which only that it was entered is known.
type Attempt struct {
	Challenge string
	Session   account.SessionID
	Factor    string
	// PerCode is how many tries one code has (for an authenticator: one
	// challenge). InARow failures of the factor across challenges pause it
	// for Pause. The end of a pause forgets no failure, only a right code
	// does: after it the next failure begins another pause.
	PerCode int
	InARow  int
	Pause   time.Duration
	// Failed is put into the outbox where the attempt is counted and one of its id
	// is not there; PassChallenge and PassStepUp of the same challenge take it out
	// again, so that whoever gets a code right in the end is not told. Its id is
	// FailedNotice of the challenge. Nil: nobody is told.
	Failed *account.Notice
}

// FailedNotice is the id of the notice of failed codes of a challenge.
func FailedNotice(challenge string) string { return "failed-" + challenge }

// AttemptResult is what CountAttempt found. Exactly one of its fields but
// Left is meaningful: an attempt may go on only if Counted is true.
type AttemptResult struct {
	// Counted is true if the attempt was counted and may be compared. The
	// InARow-th failure is counted and begins the pause at the same time; if
	// it turns out right, PassChallenge ends the pause.
	Counted bool
	// Left is how many tries the code has after this one.
	Left int
	// Exhausted is true if the code had no try left.
	Exhausted bool
	// PausedUntil is set if the factor is paused; that comes before NoCode
	// and Exhausted.
	PausedUntil time.Time
	// NoCode is true if the factor is a phone and no living code of this
	// challenge is there: none was sent, it has expired, or a newer challenge
	// has killed it.
	NoCode bool
}

// Pass asks to spend a code. In one step the engine checks that the challenge
// is open, not expired and the session's, that the session is pending and not
// suspended, that the factor may answer and its code is not spent (a phone:
// CodeHash is the hash of the living code of this challenge, which is the
// factor's current one; an authenticator: Step is later than its last step;
// recovery codes: CodeHash is one of account.Recovery.Hashes, which is taken
// out); then it marks the challenge passed and its codes dead, clears the
// factor's failures and pause, keeps the step and when the factor was used, makes
// the pending session StatePassed (until it expires), stores Next, and takes the
// hold.
type Pass struct {
	Challenge string
	Session   account.SessionID
	Factor    string
	Step      int64
	CodeHash  [32]byte
	// Next is the session that takes the pending one's place: verified, or in
	// account.StateAgain. It is of the same instance and account, and without
	// step-ups.
	Next account.Session
	// Learn changes the history of the account in the same step; nil leaves it.
	Learn Learn `json:"-"`
	// Device is the browser to be remembered from now on, of the same instance
	// and account, with a token and time left; nil if it is not to be. It is
	// stored in the same step, and beyond account.MaxDevices those of the account
	// that were used longest ago go. Replaces is the device that it takes the
	// place of; zero if there is none.
	Device   *account.Device
	Replaces account.DeviceID
	// Notices are put into the outbox in the same step.
	Notices []account.Notice
}

// Send asks to send a code to a phone.
type Send struct {
	Challenge string
	Session   account.SessionID
	Factor    string
	// New is the code to be sent if the challenge has no living one for this
	// factor: Hash, Sealed, Created and Expires are set.
	New account.Code
	// PerCode is how many tries one code has: a code without a try left is
	// dead.
	PerCode int
	// Waits are the waits before the second, third … sending; the first needs
	// none. There are at most len(Waits)+1 sendings in a challenge.
	Waits []time.Duration
}

// SendResult says whether to send.
type SendResult struct {
	// Send is true if the caller must send Sealed now, as the n-th sending.
	// It is in the outbox already, as queued.
	Send   bool
	Sealed []byte
	N      int
	// NotBefore is when the next sending may be asked for, if Send is false
	// and there is one, or after this one; zero if there is none left.
	NotBefore time.Time
}
