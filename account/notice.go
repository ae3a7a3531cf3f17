package account

import "time"

// Limits of notices.
const (
	// NoticeFor is how long a notice is tried to be delivered.
	NoticeFor = 3 * 24 * time.Hour
	// MaxNotice is the largest length of what a notice says, in bytes.
	MaxNotice = 8 << 10
)

// Channel is how a notice goes out.
type Channel string

// The channels.
const (
	// ByMail is tried again until it was taken: it may come twice.
	ByMail Channel = "mail"
	// ByText is tried once: it may not come.
	ByText Channel = "text"
)

// Notice is something that the user is told outside the browser. It waits in
// the store's outbox until it was delivered or has expired.
type Notice struct {
	// ID is unique: a notice is put once.
	ID       string  `json:"id"`
	Instance string  `json:"instance"`
	Account  string  `json:"account"`
	Channel  Channel `json:"channel"`
	// Sealed is what it says, and to whom, sealed by whoever made it.
	Sealed []byte `json:"sealed"`
	// Due is when it is to go out. Tries counts how often it was taken out.
	Due     time.Time `json:"due"`
	Tries   int       `json:"tries,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}
