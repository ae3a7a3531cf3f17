package account

import (
	"slices"
	"time"
)

// RouteConfirmed is the route that is fresh in a session in which it was
// confirmed who the user is, so that a first factor may be added. No handler's
// route has this key.
const RouteConfirmed = "confirmed"

// Limits of what a session keeps of its step-ups.
const (
	// MaxStepUps is how many step-up challenges of one session are kept, those
	// of its tabs and windows; the oldest goes with its hold.
	MaxStepUps = 8
	// MaxFresh is for how many routes a session keeps when a code was given.
	MaxFresh = 64
	// MaxPasses is how many requests may wait for being sent once.
	MaxPasses = 8
	// PassFor is how long a pass lives.
	PassFor = 2 * time.Minute
	// MovedFor is how long a session is found under the id that it had before a
	// step-up gave it a new one: for requests that were on their way.
	MovedFor = 30 * time.Second
)

// RequestID names one request: a hash of its method, raw address and body.
type RequestID [32]byte

// Steps are what step-ups have made of a session. What is stored is never
// changed: Clone it first.
type Steps struct {
	// Challenges are the ids of its step-up challenges, the newest last, those
	// too that were passed or cancelled.
	Challenges []string `json:"challenges,omitempty"`
	// Waiting is the one of them that the next page shows; empty if none.
	Waiting string `json:"waiting,omitempty"`
	// Fresh says when a code was given for a route, the newest last.
	Fresh []Fresh `json:"fresh,omitempty"`
	// Passes are the requests that may be sent once more, the newest last.
	Passes []Pass `json:"passes,omitempty"`
	// Factor is the kind of the second factor of the step-up that was passed
	// last, and FactorAt when.
	Factor   Kind      `json:"factor,omitempty"`
	FactorAt time.Time `json:"factor_at,omitzero"`
	// MovedTo is, of a session in StateMoved, the id that it has now.
	MovedTo SessionID `json:"moved_to,omitzero"`
}

// Fresh says when a code was given for a route.
type Fresh struct {
	Route string    `json:"route"`
	At    time.Time `json:"at"`
}

// Pass lets one request be sent once.
type Pass struct {
	Request RequestID `json:"request"`
	Until   time.Time `json:"until"`
	// Taken means that the request is on its way to the app.
	Taken bool `json:"taken,omitempty"`
}

// Clone returns a copy that may be changed; an empty one of nil.
func (s *Steps) Clone() *Steps {
	if s == nil {
		return &Steps{}
	}
	c := *s
	c.Challenges, c.Fresh, c.Passes = slices.Clone(s.Challenges), slices.Clone(s.Fresh), slices.Clone(s.Passes)
	return &c
}

// Has reports whether a step-up challenge of this id is the session's.
func (s *Steps) Has(challenge string) bool {
	return s != nil && challenge != "" && slices.Contains(s.Challenges, challenge)
}

// FreshAt returns when a code was given for a route; zero if never.
func (s *Steps) FreshAt(route string) time.Time {
	if s == nil {
		return time.Time{}
	}
	for _, f := range s.Fresh {
		if f.Route == route {
			return f.At
		}
	}
	return time.Time{}
}

// SetFresh notes that a code was given for a route.
func (s *Steps) SetFresh(route string, at time.Time) {
	s.Fresh = slices.DeleteFunc(s.Fresh, func(f Fresh) bool { return f.Route == route })
	s.Fresh = append(s.Fresh, Fresh{Route: route, At: at})
	if n := len(s.Fresh) - MaxFresh; n > 0 {
		s.Fresh = slices.Delete(s.Fresh, 0, n)
	}
}

// Pass returns the living pass of a request.
func (s *Steps) Pass(request RequestID, now time.Time) (Pass, bool) {
	if s == nil {
		return Pass{}, false
	}
	for _, p := range s.Passes {
		if p.Request == request && now.Before(p.Until) {
			return p, true
		}
	}
	return Pass{}, false
}

// SetPass puts a pass in the place of that of the same request. Those that are
// over at the given time go.
func (s *Steps) SetPass(pass Pass, now time.Time) {
	s.Passes = slices.DeleteFunc(s.Passes, func(p Pass) bool { return p.Request == pass.Request || !now.Before(p.Until) })
	s.Passes = append(s.Passes, pass)
	if n := len(s.Passes) - MaxPasses; n > 0 {
		s.Passes = slices.Delete(s.Passes, 0, n)
	}
}
