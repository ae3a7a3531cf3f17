package store

import (
	"context"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// Outbox keeps what users are to be told until they are. A store that is put
// back from a backup gives again what waited in it.
type Outbox interface {
	// PutNotices puts notices into the outbox, all or none. One whose id is there
	// already is left out. One that has been tried, that is due when it has
	// expired, or whose Sealed has more than twice account.MaxNotice bytes, is
	// refused, here and wherever else notices are put.
	PutNotices(ctx context.Context, notices []account.Notice) error
	// TakeNotices returns notices that are due, at most max, the one due longest
	// first, and makes them due again after the lease: for whoever takes over if
	// they are not settled by then. One with account.ByText is returned once,
	// and is gone then. Each is as it is now, with this time in Tries. One that
	// cannot be read is left out.
	TakeNotices(ctx context.Context, max int, lease time.Duration, now time.Time) ([]account.Notice, error)
	// SettleNotice removes a notice, or makes it due at a later time if that is
	// not zero; no error if it is gone.
	SettleNotice(ctx context.Context, id string, again time.Time) error
	// Waiting returns how many notices wait, due or not, and the Created of the
	// oldest. It is cheap.
	Waiting(ctx context.Context, now time.Time) (int, time.Time, error)
}
