package account

import "time"

// RunningFor is how long a lock can be running; after that it is standing,
// since its gateway must have died.
const RunningFor = 60 * time.Second

// LineKey names a line of an instance.
type LineKey struct {
	Instance string
	Line     StandingID
}

// LockState is the state of a line's lock.
type LockState string

// The states of a line's lock.
const (
	// LockFree means that no login has locked the line: its seals open.
	LockFree LockState = "free"
	// LockRunning means that a login is at the app with the line's values; a
	// second login waits.
	LockRunning LockState = "running"
	// LockStanding means that a login may have opened an app session with the
	// line's values: no anonymous seal of the line opens any more.
	LockStanding LockState = "standing"
)

// Lock is what a login puts on its line, so that nobody uses the app session
// it has opened.
type Lock struct {
	State LockState `json:"state"`
	Login LoginID   `json:"login"`
	Since time.Time `json:"since"`
	// Until is when a standing lock is forgotten: when the app has forgotten
	// the session too (app_session_max).
	Until time.Time `json:"until"`
}

// At returns the state at the given time: a running lock that is too old is
// standing, a standing one whose time is over is free.
func (l *Lock) At(now time.Time) LockState {
	switch {
	case l == nil || l.State == "" || !now.Before(l.Until):
		return LockFree
	case l.State == LockRunning && now.Before(l.Since.Add(RunningFor)):
		return LockRunning
	default:
		return LockStanding
	}
}
