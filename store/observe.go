package store

import (
	"context"
	"time"
)

// Observations keeps what `mode observe` has seen, for the operator to read.
// Nothing is decided by it.
type Observations interface {
	// NoteSeen adds to what was seen, all or nothing. Where there is such an
	// entry (instance, kind and key), the counts are added, the marks united,
	// the earlier First and the later Last kept, and a Detail that is not empty
	// takes the old one's place. A new entry beyond the bound of its kind in
	// its instance is left out, and its kind is returned as full. An entry is
	// forgotten when SeenFor has passed since its Last.
	NoteSeen(ctx context.Context, seen []Seen) (full []SeenKind, err error)
	// ListSeen returns what was seen in an instance, in all of them if it is
	// empty, in the order of instance, kind and key.
	ListSeen(ctx context.Context, instance string, now time.Time) ([]Seen, error)
}

// SeenFor is how long an entry is kept after it was last seen.
const SeenFor = 90 * 24 * time.Hour

// The largest sizes of an entry, in bytes. Its texts are UTF-8.
const (
	MaxSeenKey    = 512
	MaxSeenDetail = 512
)

// SeenKind is a kind of what was seen.
type SeenKind string

// The kinds, and what their keys are.
const (
	// SeenUser is a user who has logged in; the key is the folded name, the
	// detail the name as it was said.
	SeenUser SeenKind = "user"
	// SeenCookie is a guarded cookie that the app has set, by its name.
	SeenCookie SeenKind = "cookie"
	// SeenSent is a guarded cookie that a browser has sent, by its name: one
	// that is no SeenCookie too was set by a script, or long ago.
	SeenSent SeenKind = "sent"
	// SeenUnrecognised is a login that is not recognised: method, path and
	// status; the detail says why.
	SeenUnrecognised SeenKind = "unrecognised"
)

// Max is how many entries of the kind one instance keeps; 0 for what is no
// kind.
func (k SeenKind) Max() int {
	switch k {
	case SeenUser:
		return 10_000
	case SeenCookie, SeenSent:
		return 200
	case SeenUnrecognised:
		return 50
	default:
		return 0
	}
}

// SeenMarks say more of an entry.
type SeenMarks uint8

// The marks of a cookie.
const (
	// SeenHTTPOnly: it was set so that no script can read it.
	SeenHTTPOnly SeenMarks = 1 << iota
	// SeenOpen: it was set so that scripts can read it.
	SeenOpen
	// SeenAtYes: the answer to a right password has set it.
	SeenAtYes
	// SeenElsewhere: another answer has set it.
	SeenElsewhere
)

// Seen is one thing that was seen.
type Seen struct {
	Instance string    `json:"instance"`
	Kind     SeenKind  `json:"kind"`
	Key      string    `json:"key"`
	Detail   string    `json:"detail,omitempty"`
	Marks    SeenMarks `json:"marks,omitempty"`
	Count    int64     `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}

// Merge adds what was seen again of the same thing.
func (s *Seen) Merge(again Seen) {
	s.Count += again.Count
	s.Marks |= again.Marks
	if again.Detail != "" {
		s.Detail = again.Detail
	}
	if again.First.Before(s.First) {
		s.First = again.First
	}
	if again.Last.After(s.Last) {
		s.Last = again.Last
	}
}
