package account

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Limits of remembered browsers.
const (
	// MaxDevices is how many browsers of one account are remembered; of more,
	// the one used longest ago goes.
	MaxDevices = 20
	// MaxIssued is how many tokens may be on their way to a browser. MaxRetired
	// is of how many the end is remembered, for those who come late with them.
	MaxIssued  = 4
	MaxRetired = 8
	// DeviceGrace is how long after its end a token still counts: for requests
	// that were on their way when another brought the next one.
	DeviceGrace = 60 * time.Second
)

// DeviceID names a remembered browser. It is random, and opens nothing by
// itself.
type DeviceID [16]byte

// IsZero reports whether the id is unset.
func (d DeviceID) IsZero() bool { return d == DeviceID{} }

// String returns the first four bytes in hexadecimal: enough to tell the
// browsers of one account apart.
func (d DeviceID) String() string { return hex.EncodeToString(d[:4]) }

// MarshalText writes the id in hexadecimal.
func (d DeviceID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads what MarshalText has written.
func (d *DeviceID) UnmarshalText(text []byte) error { return readHex(d[:], text, "the id of a device") }

// TokenHash is the SHA-256 of a token of 256 random bits. The token itself is
// never stored.
type TokenHash [32]byte

// IsZero reports whether the hash is unset.
func (h TokenHash) IsZero() bool { return h == TokenHash{} }

// MarshalText writes the hash in hexadecimal.
func (h TokenHash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText has written.
func (h *TokenHash) UnmarshalText(text []byte) error {
	return readHex(h[:], text, "the hash of a token")
}

func readHex(into, text []byte, what string) error {
	if len(text) != hex.EncodedLen(len(into)) {
		return fmt.Errorf("%s has %d digits, not %d", what, hex.EncodedLen(len(into)), len(text))
	}
	if _, err := hex.Decode(into, text); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// DeviceToken is a token with the time from which it is what it is.
type DeviceToken struct {
	Hash TokenHash `json:"hash"`
	At   time.Time `json:"at"`
}

// DeviceState is what the store knows of a browser that says it is remembered.
type DeviceState string

// What the store can know of it.
const (
	// DeviceNone means that no such browser is remembered for the account.
	DeviceNone DeviceState = "none"
	// DeviceKnown means that it is remembered.
	DeviceKnown DeviceState = "known"
	// DeviceStolen means that a token came back whose time was over: there are
	// two copies of it, and nobody can say which is the browser's. The device
	// is forgotten.
	DeviceStolen DeviceState = "stolen"
)

// Device is one browser that is remembered for one account.
//
// Its token changes at each use, without a false alarm where an answer is lost:
// the browser may come again with the token that it has, or with one that it was
// given since. The first of those that comes back is the token from then on, and
// all others are over. So of two holders of a copied token each is given other
// ones; the one who comes back first with one of those ends what the other has,
// and the next use by the other shows that there are two (RFC 9700 section
// 4.14.2 has the same of refresh tokens).
type Device struct {
	ID       DeviceID `json:"id"`
	Instance string   `json:"instance"`
	// Account is the ID of the account.
	Account string `json:"account"`
	// Token is the newest token that has come back, or the first one.
	Token TokenHash `json:"token"`
	// Issued are those that were given out since, the newest last, at most
	// MaxIssued; Retired are those that are over, at most MaxRetired.
	Issued  []DeviceToken `json:"issued,omitempty"`
	Retired []DeviceToken `json:"retired,omitempty"`
	// Created is when the person asked for it; Expires is its end in any case.
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used"`
	Expires  time.Time `json:"expires"`
	// ClientIP and UserAgent are of the last use.
	ClientIP  string `json:"client_ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
}

// Use judges a token that came back. If the browser is known and issued is true,
// next is to be given to it; it is not where the token was over and came within
// DeviceGrace. A device that is DeviceStolen is to be forgotten, one that is
// DeviceNone has expired. The lists that were there are left as they were.
func (d *Device) Use(token, next TokenHash, now time.Time) (state DeviceState, issued bool) {
	if !now.Before(d.Expires) {
		return DeviceNone, false
	}
	isToken := func(t DeviceToken) bool { return t.Hash == token }
	var over []DeviceToken
	switch i := slices.IndexFunc(d.Retired, isToken); {
	case token.IsZero():
		return DeviceStolen, false
	case token == d.Token:
		over = slices.Clone(d.Issued[:max(0, len(d.Issued)+1-MaxIssued)])
		d.Issued = slices.Clone(d.Issued[len(over):])
	case slices.ContainsFunc(d.Issued, isToken):
		over = append(slices.DeleteFunc(slices.Clone(d.Issued), isToken), DeviceToken{Hash: d.Token})
		d.Token, d.Issued = token, nil
	case i >= 0 && now.Before(d.Retired[i].At.Add(DeviceGrace)):
		d.LastUsed = now
		return DeviceKnown, false
	default:
		return DeviceStolen, false
	}
	d.retire(over, now)
	d.Issued = append(d.Issued, DeviceToken{Hash: next, At: now})
	d.LastUsed = now
	return DeviceKnown, true
}

// retire notes that tokens are over. Those whose grace is over are forgotten:
// they are no more than any other token that is not known.
func (d *Device) retire(over []DeviceToken, now time.Time) {
	kept := slices.DeleteFunc(slices.Clone(d.Retired), func(t DeviceToken) bool { return !now.Before(t.At.Add(DeviceGrace)) })
	for _, t := range over {
		kept = append(kept, DeviceToken{Hash: t.Hash, At: now})
	}
	d.Retired = kept[max(0, len(kept)-MaxRetired):]
}
