package store

import (
	"context"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// MaxAgent is how many bytes of a browser's own description of itself are kept
// with a device.
const MaxAgent = 512

// Devices keeps the remembered browsers of accounts. They are made by
// PassChallenge; see Pass. A store that begins a new epoch knows none: in one
// that was restored a browser's newer token would be taken for a copy's, and a
// device that was forgotten would be back.
type Devices interface {
	// UseDevice judges the token that a browser came with after a right password
	// (account.Device.Use), and keeps what comes of it: the next token, or that
	// the device is forgotten, since the token was over. One that is of another
	// account or instance, or has expired, is account.DeviceNone.
	UseDevice(ctx context.Context, u DeviceUse, now time.Time) (DeviceResult, error)
	// Devices lists the devices of an account that have not expired, the one
	// used last in front.
	Devices(ctx context.Context, instance, acc string, now time.Time) ([]account.Device, error)
	// ForgetDevices forgets devices of an account, without an id all of them,
	// and returns how many there were. When it returns, none of them counts.
	ForgetDevices(ctx context.Context, instance, acc string, ids ...account.DeviceID) (int, error)
}

// DeviceUse is a token of a device that came back.
type DeviceUse struct {
	// Instance and Account, its ID, are whose password was right.
	Instance, Account string
	Device            account.DeviceID
	// Token is what came, Next what the browser is to be given.
	Token, Next account.TokenHash
	// ClientIP and UserAgent are of this use; UserAgent has at most MaxAgent
	// bytes.
	ClientIP, UserAgent string
}

// DeviceResult is what became of it.
type DeviceResult struct {
	State account.DeviceState
	// Issued is true if the caller must give the next token to the browser.
	Issued bool
	// Device is the device as it is now, of a stolen one as it was; empty if
	// there is none.
	Device account.Device
}
