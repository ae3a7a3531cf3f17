package store

import "context"

// Histories keeps what accounts are used to: one history for each, of at most
// account.MaxHistory bytes that no engine looks into. A login changes it by
// Begin.Learn and Pass.Learn, in the step that lets the user in.
type Histories interface {
	// History returns the history of an account of an instance, nil if there is
	// none. It is cheap: a read.
	History(ctx context.Context, instance, acc string) ([]byte, error)
	// LearnHistory changes the history of an account by itself, in one step: for
	// what is learnt where no session begins and no login's challenge is passed.
	LearnHistory(ctx context.Context, instance, acc string, learn Learn) error
	// AgeHistories replaces the history of every account of every instance by
	// what age makes of it, and removes it if that is empty. It goes through
	// them in steps, between which others write; a history that is learnt at the
	// same time is aged as it is then, or was before, and nothing of it is lost.
	//
	// It returns how many were changed or removed, also beside an error, which
	// ends it: what is done stays done, and the rest is for the next time. Age
	// is a function like Learn: pure, and it may be called more than once for
	// one history.
	AgeHistories(ctx context.Context, age func(old []byte) []byte) (int, error)
}

// Learn says what an account's history becomes: empty for none. It is given
// nil if there is none, is pure, and leaves what it is given as it was; an
// engine may call it more than once, in the step whose part it is, so it must be
// quick and must ask nobody. Its result is refused if it is larger than
// account.MaxHistory, and with it all of the step.
type Learn func(old []byte) []byte
