package store

import (
	"context"
	"net/netip"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// Tries counts failed passwords, by the name that was typed and by the address
// that they came from.
type Tries interface {
	// NoteTry notes a failed password. It is on the way of requests that anybody
	// can send: it does not wait, and nothing can be done where it fails. What it
	// has noted is counted by this gateway at once and by every other one within
	// a second. It is durable within a second too, if the engine can write: a
	// gateway that is killed loses what was noted in the last second.
	//
	// A try with neither name nor address, without an instance or without a time
	// is not counted.
	NoteTry(t account.Try)
	// Tries counts what was noted. It is cheap.
	Tries(ctx context.Context, q TriesQuery, now time.Time) (TriesSeen, error)
}

// The bounds of what is counted. An engine keeps the last tries of at most
// MaxTried names and MaxTried addresses, and forgets those first for which none
// was noted for the longest time; of the MaxTried/2 of them for which the last
// were noted it forgets none. So whoever has more addresses than that, and types
// more names, can push out what others have tried, and his own: against him
// counting by address does not help anyway.
const (
	MaxTried        = 65_536
	MaxNameTries    = 64
	MaxAddressTries = 128
)

// TriesQuery asks for one name and one address of an instance, each as it was
// noted; for a zero one nothing is counted.
type TriesQuery struct {
	Instance string
	Name     account.TryName
	Address  netip.Prefix
}

// TriesSeen is what failed in the account.TryWindow before a time, and after it
// (a clock may have been set back). A try counts until the window has passed
// since its time, or up to a second longer. A right password clears nothing
// here: of an account that is being guessed at, that is when it counts.
type TriesSeen struct {
	// NameFailures are those of the name, from anywhere; at most MaxNameTries.
	NameFailures int
	// AddressFailures are those from the address, of whatever name, and
	// AddressNames is of how many names they were; at most MaxAddressTries.
	AddressFailures int
	AddressNames    int
}
