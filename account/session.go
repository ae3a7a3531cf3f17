package account

import (
	"encoding/hex"
	"time"
)

// SessionID is the SHA-256 of the token in a browser's own cookie. The token
// itself is never stored (ASVS 5.0, 7.2).
type SessionID [32]byte

// String returns the first eight bytes in hexadecimal, enough to follow a
// session through a log and too little to find it by.
func (s SessionID) String() string { return hex.EncodeToString(s[:8]) }

// StandingID names whose a sealed cookie is: a session's seals or a line's.
// It is random and survives a change of the session's token.
type StandingID [16]byte

// IsZero reports whether the id is unset.
func (s StandingID) IsZero() bool { return s == StandingID{} }

// LoginID names one login while it runs. It is random.
type LoginID [16]byte

// State is the state of a session.
type State string

// The states of a session.
const (
	// StatePending means that the password was right and the challenge is open.
	StatePending State = "pending"
	// StateVerified means that the session may use its seals.
	StateVerified State = "verified"
	// StatePassed is a pending session whose challenge was passed: a verified
	// one took its place. It is kept until it expires so that a second submit
	// can be answered in words.
	StatePassed State = "passed"
	// StateCancelled is a pending session whose hold was dropped.
	StateCancelled State = "cancelled"
	// StateAgain means that the code was right and that what it opened was
	// thrown away, since only a script that is gone could use it: the next
	// right password of this account in this browser needs no code. It opens
	// nothing else.
	StateAgain State = "again"
	// StateMoved is what is left under the id that a session had before a
	// step-up gave it a new one. It opens nothing by itself; engines find the
	// session under it until it expires.
	StateMoved State = "moved"
)

// Session is the gateway's own session: one browser, one user.
type Session struct {
	ID       SessionID  `json:"id"`
	Instance string     `json:"instance"`
	Standing StandingID `json:"standing"`
	State    State      `json:"state"`
	// Account is the ID of the account; User is the name as it was read.
	Account string `json:"account"`
	User    string `json:"user"`
	// Challenge is the open challenge of a pending session.
	Challenge string `json:"challenge,omitempty"`
	// Address is the raw path and query of the held login, where its challenge
	// is answered; empty if that is under the prefix.
	Address string `json:"address,omitempty"`
	// Factor is the kind of the second factor that was passed, and FactorAt
	// when; empty and zero if the policy let the login pass without one.
	Factor   Kind      `json:"factor,omitempty"`
	FactorAt time.Time `json:"factor_at,omitzero"`
	// Score is what the policy's assessment of the login came to, in points; 0
	// if there was none.
	Score int `json:"score,omitempty"`
	// Created is when the password was right.
	Created time.Time `json:"created"`
	// LastSeen is the time of the last request; engines may write it late.
	LastSeen time.Time `json:"last_seen"`
	// IdleFor is how long the session lives without a request; Expires is its
	// end in any case.
	IdleFor time.Duration `json:"idle_for"`
	Expires time.Time     `json:"expires"`
	// SuspendedBy is the login that suspended the session before it was
	// forwarded, and SuspendedAt when; zero if it is not suspended.
	SuspendedBy LoginID   `json:"suspended_by,omitzero"`
	SuspendedAt time.Time `json:"suspended_at,omitzero"`
	// Credential is the fingerprint of what the login itself came with (Basic,
	// a key), zero if that was a form; Tokens are those of the tokens that the
	// app has given to the session, at most MaxTokens, the newest last.
	Credential Fingerprint   `json:"credential,omitzero"`
	Tokens     []Fingerprint `json:"tokens,omitempty"`
	// Identified says that the first factor was passed before the gateway: the
	// session counts only together with an identity that is its user's.
	Identified bool `json:"identified,omitempty"`
	// Again says of a pending session that a right code leads to StateAgain.
	Again bool `json:"again,omitempty"`
	// Steps are what step-ups have made of the session; nil if there were none.
	Steps *Steps `json:"steps,omitempty"`
	// ClientIP and UserAgent are of the login.
	ClientIP  string `json:"client_ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
}

// Alive reports whether the session has neither ended absolutely nor been
// idle for too long at the given time.
func (s *Session) Alive(now time.Time) bool {
	if !now.Before(s.Expires) {
		return false
	}
	return s.IdleFor <= 0 || now.Before(s.LastSeen.Add(s.IdleFor))
}

// LastFactor returns the kind of the second factor that was passed last, at the
// login or at a step-up, and when; empty and zero if none was.
func (s *Session) LastFactor() (Kind, time.Time) {
	if s.Steps != nil && s.Steps.FactorAt.After(s.FactorAt) {
		return s.Steps.Factor, s.Steps.FactorAt
	}
	return s.Factor, s.FactorAt
}

// Suspended reports whether a login has suspended the session.
func (s *Session) Suspended() bool { return s.SuspendedBy != LoginID{} }

// Suspends reports whether a login must suspend the session before it is
// forwarded: it has neither been passed nor cancelled.
func (s *Session) Suspends() bool {
	return s.State == StatePending || s.State == StateVerified || s.State == StateAgain
}

// Follows reports whether the session may take the place of a pending one whose
// challenge was passed.
func (s *Session) Follows() bool { return s.State == StateVerified || s.State == StateAgain }

// Usable reports whether the session may use its seals at the given time.
func (s *Session) Usable(now time.Time) bool {
	return s.State == StateVerified && !s.Suspended() && s.Alive(now)
}
