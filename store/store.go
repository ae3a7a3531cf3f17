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
	// ErrChanged means that a record is another one than it was made of.
	ErrChanged = errors.New("it has changed meanwhile")
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
	Changes
	Enrolments
	Outbox

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
	// and CurrentChallenge are kept as the store has them; of recovery codes under
	// the same salt none comes back; Used never goes back; and Texts, Invitation
	// and MailCode of the account are the store's, whatever is put: only
	// ChangeAccount changes them.
	//
	// Where an account has Was, it replaces what that says and nothing else: it
	// returns ErrChanged if there is another, but for what is kept as above.
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

// Values keeps sealed values that are too large for a cookie.
type Values interface {
	// PutValue keeps a value of at most 64 KiB under a handle until it
	// expires; a larger one is refused. A value of that handle is replaced.
	PutValue(ctx context.Context, handle string, value []byte, expires time.Time) error
	// Value returns it; ErrNotFound if there is none or it has expired.
	Value(ctx context.Context, handle string, now time.Time) ([]byte, error)
}
