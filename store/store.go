// Package store is the contract of the gateway's store. Every method that
// decides (lock a line, count an attempt, spend a code, take a hold) is one
// atomic step in the engine: however many run at once, on however many
// gateways, they behave as if one came after the other. What a method has
// returned without an error is durable.
//
// Time comes in as a parameter; an engine never asks a clock to decide. An
// engine may forget records that have expired by the given time: what has
// expired is answered as what was never there.
//
// A record that is larger than 1 MiB as the engine stores it, a hold that is
// larger than 2 MiB, is refused with an error, and so is a value that breaks
// the rules of its type (a session without an id, a login that is zero, a
// challenge with more than account.MaxFacts bytes of facts). A call
// that returns an error has changed nothing, but where its method says otherwise
// or where the error is of the engine itself: then nobody can know.
//
// Any error that is not one of this package's means that the engine could not
// say: the caller must keep closed what the answer would have opened.
package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// Errors that are answers, not failures of the engine.
var (
	// ErrNotFound means that there is no such record, or that it has expired.
	ErrNotFound = errors.New("not found")
	// ErrBusy means that another login is running.
	ErrBusy = errors.New("another login is running")
	// ErrConflict means that a record of that name belongs to another account,
	// or that the step was taken by somebody else before.
	ErrConflict = errors.New("conflict")
	// ErrSpent means that the code, the time step or the challenge has been
	// used already.
	ErrSpent = errors.New("already used")
)

// Store is the contract. It is safe for use by many goroutines.
type Store interface {
	Accounts
	Lines
	Sessions
	Challenges
	Values
	Observations
	Histories
	Devices
	Tries

	// Epoch is when this store's knowledge begins. An empty, restored or
	// failed-over store begins a new epoch; anonymous seals issued before it
	// must not open, since their locks may be lost.
	Epoch(ctx context.Context) (time.Time, error)
	// Close ends the engine; no method may be called afterwards.
	Close() error
}

// Accounts keeps accounts and their factors.
type Accounts interface {
	// Account finds an account by its folded name or one of its aliases.
	// It returns ErrNotFound if there is none.
	Account(ctx context.Context, instance, folded string) (account.Account, error)
	// ListAccounts yields all accounts of an instance in the order of their
	// IDs; of all instances, one after the other, if it is empty. An account
	// that cannot be read is yielded as an error, and the list goes on.
	ListAccounts(ctx context.Context, instance string) iter.Seq2[account.Account, error]
	// PutAccounts creates or replaces accounts, all or none. It returns an
	// error that wraps ErrConflict and names the alias if a name or alias is
	// another account's, in the store or in the list. An alias that an account
	// of the list gives up is free for the others.
	//
	// Where an account is replaced and a factor of the same ID stays, what was
	// spent stays spent: LastStep never goes back, and Failures, PausedUntil
	// and CurrentChallenge are kept as the store has them.
	//
	// Where the factors of an account that is replaced are others than before,
	// by their ids, kinds, secrets or parameters, all its devices are forgotten
	// in the same step.
	PutAccounts(ctx context.Context, accounts []account.Account) error
}

// Lines keeps the locks of lines.
type Lines interface {
	// LockLine takes the lock of a line for a login. It returns LockFree if
	// the lock was free and is now this login's, running until it is settled;
	// LockRunning if another login holds it; LockStanding if it stands.
	// A lock that is never settled stands until the given time. The same login
	// gets the lock once: asked again, it finds it running.
	LockLine(ctx context.Context, key account.LineKey, login account.LoginID, now, until time.Time) (account.LockState, error)
	// LiftLine removes the running lock of this login: the app has certainly
	// said no. It returns ErrConflict if the lock is not this login's or no
	// longer runs.
	LiftLine(ctx context.Context, key account.LineKey, login account.LoginID, now time.Time) error
	// StandLine makes the line's lock standing until the given time, whoever
	// held it; a later end is kept.
	StandLine(ctx context.Context, key account.LineKey, now, until time.Time) error
	// LineState returns the state of the line's lock. Never cached.
	LineState(ctx context.Context, key account.LineKey, now time.Time) (account.LockState, error)
}

// Sessions keeps sessions.
type Sessions interface {
	// Session returns a session that is alive, in whatever state, suspended
	// or not; ErrNotFound if there is none. It is the hot path: cheap, and
	// without a lock that all requests share.
	//
	// A session that a step-up has given a new id is found under its old one
	// too until account.MovedFor has passed, by this method and by every other
	// one; the record that it returns names the new one.
	Session(ctx context.Context, id account.SessionID, now time.Time) (account.Session, error)
	// SuspendSession suspends a pending or verified session, or one in
	// account.StateAgain, for a login
	// before that is forwarded, and returns it as it was before. It returns
	// ErrBusy if another login suspended it less than account.RunningFor ago;
	// if that login is older, the session is ended and ErrNotFound returned.
	// The login that has suspended it may ask again and gets the same answer.
	// When it returns, every gateway refuses the session.
	SuspendSession(ctx context.Context, id account.SessionID, login account.LoginID, now time.Time) (account.Session, error)
	// ResumeSession lifts the suspension by this login; ErrConflict if it is
	// not this login's, ErrNotFound if the session is gone.
	ResumeSession(ctx context.Context, id account.SessionID, login account.LoginID, now time.Time) error
	// EndSession removes a session, its challenges and their holds; no error if
	// there is none.
	EndSession(ctx context.Context, id account.SessionID) error
	// EndSessions ends every session of an account of an instance, in whatever
	// state, suspended or not, and under every id that it is found by: as
	// EndSession does, all in one step, in which its devices are forgotten too.
	// It returns how many of them could have
	// let a browser in, now or after a code (account.Session.Suspends); no error
	// if there is none. A session that begins afterwards is not concerned.
	EndSessions(ctx context.Context, instance, acc string) (int, error)
	// CancelSession ends a pending session at the user's wish: its hold is
	// dropped, its challenge is ChallengeCancelled with its codes dead, and
	// the session is StateCancelled until it expires, suspended or not.
	// ErrNotFound if there is no pending session of that id.
	CancelSession(ctx context.Context, id account.SessionID) error
	// TouchSession notes that the session was seen: LastSeen never goes back.
	// It is cheap: an engine writes it at most each five minutes. It returns
	// ErrNotFound if the session is not alive, which it cannot become again.
	TouchSession(ctx context.Context, id account.SessionID, now time.Time) error
	// BindToken makes a token the newest of a session's, of which it keeps
	// account.MaxTokens; one that is bound already becomes the newest. It
	// returns ErrNotFound if the session is not usable at the given time:
	// gone, over, not verified, or suspended by a login.
	BindToken(ctx context.Context, id account.SessionID, token account.Fingerprint, now time.Time) error
	// BeginSession records a right password in one step; see Begin. It returns
	// ErrConflict if a session or challenge of that id is there already.
	BeginSession(ctx context.Context, b Begin, now time.Time) error
}

// Begin is what a right password records, all or nothing.
type Begin struct {
	// Session is the new session, pending or verified, without step-ups.
	Session account.Session
	// Challenge and Hold belong to a pending session; nil for a verified one.
	// For each factor of the challenge that is a phone nothing is sent yet.
	Challenge *account.Challenge
	Hold      *account.Hold
	// Old is the browser's suspended session, which ends (with its challenge
	// and hold); nil if there was none. Login is the login that suspended it;
	// if the session is gone or no longer suspended by it, BeginSession
	// returns ErrConflict and records nothing.
	Old   *account.SessionID
	Login account.LoginID
	// Line is the line whose running lock becomes standing until LineUntil;
	// nil if the login went on a new line. A lock that stands already goes on
	// standing; a later end is kept. If the lock is free, or running for
	// another login, BeginSession returns ErrConflict and records nothing.
	Line      *account.LineKey
	LineUntil time.Time
	// Learn changes the history of the session's account in the same step; nil
	// leaves it. It belongs to a verified session: a pending one has shown no
	// second factor, and what may be learnt of it waits in Challenge.Facts.
	Learn Learn `json:"-"`
}

// Challenges keeps challenges, holds and what was spent.
type Challenges interface {
	// Challenge returns a challenge that has not expired, in whatever state.
	Challenge(ctx context.Context, id string, now time.Time) (account.Challenge, error)
	// CountAttempt counts an attempt before its code is compared; see Attempt.
	// It returns ErrSpent if the challenge was passed, and ErrNotFound if it
	// is not open, has expired, is another session's, its session is not
	// pending or is suspended by a login, or the factor may not answer.
	CountAttempt(ctx context.Context, a Attempt, now time.Time) (AttemptResult, error)
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
}

// Stepped is what a step-up that was passed leaves.
type Stepped struct {
	// Session is the session as it is now, under its new id.
	Session account.Session
	// Hold is the held request; nil if nothing was held.
	Hold *account.Hold
}

// Values keeps sealed values that are too large for a cookie.
type Values interface {
	// PutValue keeps a value of at most 64 KiB under a handle until it
	// expires; a larger one is refused. A value of that handle is replaced.
	PutValue(ctx context.Context, handle string, value []byte, expires time.Time) error
	// Value returns it; ErrNotFound if there is none or it has expired.
	Value(ctx context.Context, handle string, now time.Time) ([]byte, error)
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
}

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
// factor's current one; an authenticator: Step is later than its last step);
// then it marks the challenge passed and its codes dead, clears the factor's
// failures and pause, keeps the step, makes the pending session StatePassed
// (until it expires), stores Next, and takes the hold.
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
