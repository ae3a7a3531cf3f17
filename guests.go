package twofactor

import (
	"context"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// StoreGuest is a module of the namespace two_factor.stores. Its Provision
// must not open or dial anything: `caddy validate` provisions too, beside a
// Caddy that has the store open.
//
// A module of the namespace two_factor.sms is an sms.Sender, and may be a runner
// too; one of two_factor.mail is a mail.Sender.
type StoreGuest interface {
	// PoolKey names what Open connects to, and nothing else. Two guests of one
	// key share one open store.
	PoolKey() string
	// Open opens the store. Its error says why it cannot be opened and what to
	// do.
	Open(ctx context.Context) (store.Store, error)
	// ReadKeyCheck returns what WriteKeyCheck wrote last, or nil if there is
	// none.
	ReadKeyCheck(ctx context.Context) ([]byte, error)
	// WriteKeyCheck keeps the values by which a wrong key is noticed, beside
	// the store's data, atomically and durably.
	WriteKeyCheck(ctx context.Context, check []byte) error
	// KeyCheckPlace says where that is, for messages.
	KeyCheckPlace() string
}

// runner is a guest that runs something while its config does. Run is called
// when the config starts and returns at once; End when it ends, and only after
// a Run without an error. They are not called Start and Stop: Caddy takes any
// module with these two methods for an app, and starts it itself.
type runner interface {
	Run() error
	End() error
}
