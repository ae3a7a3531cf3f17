package store

import (
	"context"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// Changes changes accounts, one at a time.
type Changes interface {
	// ChangeAccount changes an account and all that hangs on it in one step; see
	// Change. It returns ErrNotFound if there is no such account, or the session
	// is not usable, or the challenge is not open, or the enrolment is not what
	// Enrolled says; ErrConflict if a name is another account's or a session of
	// the next id is there; ErrSpent if the challenge is passed, or the factor
	// that was added by it is there; and whatever error Edit returns, as it is.
	ChangeAccount(ctx context.Context, c Change, now time.Time) (Changed, error)
	// EraseAccount removes an account with its names, sessions, devices, history,
	// enrolments, notices, and the users that were observed under its names, in
	// one step. Failed passwords are kept under a hash that no engine can tell,
	// and are over within account.TryWindow. ErrNotFound if there is no such
	// account.
	EraseAccount(ctx context.Context, instance, acc string) error
	// SessionsOf returns the sessions of an account that are alive and could let
	// a browser in, now or after a code (account.Session.Suspends), the newest
	// first, each under the id that it has now.
	SessionsOf(ctx context.Context, instance, acc string, now time.Time) ([]account.Session, error)
	// Demands returns the demands of an instance; empty ones if there are none.
	Demands(ctx context.Context, instance string) (account.Demands, error)
	// ChangeDemands changes the demands of an instance in one step. The function
	// changes them in place, may run more than once, and is given maps that it can
	// write to; its error is returned as it is and changes nothing.
	ChangeDemands(ctx context.Context, instance string, edit func(*account.Demands) error) error
}

// Change is what is changed of one account, all or nothing.
type Change struct {
	// Instance and Account, its ID, are whose.
	Instance, Account string
	// Create is the account to begin with where there is none; nil: ErrNotFound.
	Create *account.Account
	// Edit changes the account in place, by what the store has; nil changes
	// nothing of it. It may run more than once and has no other effect. Instance
	// and ID stay. What PutAccounts says of names and of devices holds here too,
	// and of what was spent that LastStep never goes back and no recovery code
	// comes back; the rest is what Edit makes of it. A factor that Edit adds may
	// bring its LastStep. Texts that count no more are dropped.
	Edit func(*account.Account) error
	// Enrolment is spent; nil for none.
	Enrolment *Enrolled
	// Session is the session in which the change is made: it must be usable; or,
	// with Challenge, the pending one. It gets the id Next, as by PassStepUp; a
	// pending one keeps its id. Zero: the change is made in no session.
	Session, Next account.SessionID
	// Fresh are routes that become fresh in a verified session: the code of the
	// enrolment counts for them.
	Fresh []string
	// Challenge is a challenge of the purpose account.PurposeEnrolment of the
	// pending session: its Enrolled becomes the id of the one factor, its recovery
	// codes not counted, that Edit adds; any other number of them is an error.
	// Empty: none.
	Challenge string
	// End says which sessions of the account end, as by EndSessions, but devices
	// are only forgotten as Forget says.
	End Ending
	// Forget forgets the account's devices, and Unlearn its history.
	Forget, Unlearn bool
	// Notices are put into the outbox. One whose id is there already is left out.
	Notices []account.Notice
}

// Ending says which sessions of an account end.
type Ending int

const (
	// EndNone ends none.
	EndNone Ending = iota
	// EndOthers ends all but the one in which the change is made.
	EndOthers
	// EndAll ends all. Both end those too that began under a name before it became
	// an alias of the account.
	EndAll
)

// Enrolled is an enrolment whose code was entered. The engine checks that it has
// not expired, is the account's and of the session's standing, and that its code
// is the living one: of a phone CodeHash; of an authenticator nothing. Then it is
// removed. It does not look at what Edit makes of the enrolment's factor.
type Enrolled struct {
	ID       string
	Standing account.StandingID
	CodeHash [32]byte
}

// Changed is what a change has made.
type Changed struct {
	// Account is the account as it is now.
	Account account.Account
	// Session is the session under its new id; empty if Change names none, or if
	// it has ended.
	Session account.Session
	// Ended is how many sessions ended, as EndSessions counts them; Forgotten how
	// many devices were forgotten.
	Ended, Forgotten int
}
