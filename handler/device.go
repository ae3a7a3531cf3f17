package handler

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// A remembered browser has a cookie for each account that it is remembered for.
// Its name is that of the own cookie with a tag of the account, so that it is one
// of ours wherever cookies are judged: it never reaches the app, and the app
// cannot set it. It is looked at after a right password and never before (rule
// 26): by itself it opens nothing.

const (
	// purposeDevice is the purpose of the key that the tags are made with.
	purposeDevice seal.Purpose = "device-name"
	// deviceTag is how many bytes of it stand in the name.
	deviceTag = 4
	// deviceValue is the size of what the cookie says: the device's ID and the
	// token.
	deviceValue = len(account.DeviceID{}) + tokenBytes
)

// deviceNames are the names that the cookie of an account can have: that of the
// newest key first, and those of older ones.
func (v *visit) deviceNames(accountID string) []string {
	macs := v.parts.Ring.MACs(purposeDevice, []byte(v.g.Instance), []byte(accountID))
	names := make([]string, len(macs))
	for i, mac := range macs {
		names[i] = v.ownName() + ".device-" + hex.EncodeToString(mac[:deviceTag])
	}
	return names
}

// deviceCookie is a cookie of a remembered browser.
type deviceCookie struct {
	name  string
	id    account.DeviceID
	token account.TokenHash
}

// deviceOf finds the cookie for an account. Where there are two that say
// different things, one was planted, and nobody can say which: none counts.
func (v *visit) deviceOf(accountID string) (c deviceCookie, ok bool) {
	for _, name := range v.deviceNames(accountID) {
		value, there := "", false
		for i := range v.pairs {
			if v.pairs[i].Name != name {
				continue
			}
			got := strings.TrimSpace(v.pairs[i].Value)
			if there && got != value {
				v.g.Logger.Warn("a browser sent two of our cookies for a remembered browser; neither counts", zap.String("client_ip", v.clientIP()))
				return deviceCookie{}, false
			}
			value, there = got, true
		}
		if c, ok = readDevice(value); ok {
			c.name = name
			return c, true
		}
	}
	return deviceCookie{}, false
}

func readDevice(value string) (c deviceCookie, ok bool) {
	if len(value) != base64.RawURLEncoding.EncodedLen(deviceValue) {
		return c, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(raw) != deviceValue {
		return c, false
	}
	c.token = sha256.Sum256(raw[copy(c.id[:], raw):])
	return c, true
}

// newDeviceToken makes a token: what the cookie of the device says, and the hash
// of it.
func (g *Gate) newDeviceToken(id account.DeviceID) (value string, hash account.TokenHash, err error) {
	raw := make([]byte, deviceValue)
	token := raw[copy(raw, id[:]):]
	if _, err := io.ReadFull(g.Rand, token); err != nil {
		return "", hash, err
	}
	return base64.RawURLEncoding.EncodeToString(raw), sha256.Sum256(token), nil
}

// useDevice asks the store about the browser after a right password, and notes
// what it says in the attempt. The next token goes with whatever answer follows.
func (a *attempt) useDevice(ctx context.Context, acc *account.Account) error {
	a.device.State = account.DeviceNone
	if a.g.RememberFor <= 0 {
		return nil
	}
	c, ok := a.deviceOf(acc.ID)
	if !ok {
		return nil
	}
	value, next, err := a.g.newDeviceToken(c.id)
	if err != nil {
		return err
	}
	a.device, err = a.parts.Store.UseDevice(ctx, store.DeviceUse{
		Instance: a.g.Instance, Account: acc.ID, Device: c.id, Token: c.token, Next: next,
		ClientIP: a.clientIP(), UserAgent: bounded(a.r.UserAgent(), store.MaxAgent),
	}, a.g.Clock())
	if err != nil {
		return err
	}
	switch {
	case a.device.Issued:
		a.setDevice(acc.ID, value, a.device.Device.Expires)
		if c.name != a.deviceNames(acc.ID)[0] {
			a.dropDevice(c.name) // It is of an older key.
		}
	case a.device.State != account.DeviceKnown:
		a.dropDevice(c.name)
	}
	if a.device.State == account.DeviceStolen {
		a.tellStolen(acc, &a.device.Device)
	}
	return nil
}

// tellStolen tells the operator of a copy; the page tells the person.
func (a *attempt) tellStolen(acc *account.Account, d *account.Device) {
	a.g.Logger.Warn("an old token of a remembered browser came back after a right password, so there is a copy of it; it is forgotten: "+
		"unless the user has restored or copied the data of a browser, have the password changed and end all sessions with caddy two-factor revoke",
		zap.String("user", acc.Name), zap.String("device", d.ID.String()), zap.String("client_ip", a.clientIP()), zap.String("last_client_ip", d.ClientIP))
	ctx, cancel := a.ctx()
	defer cancel()
	a.tell(ctx, acc.ID, a.noticeTo(NoticeStolen, acc, acc.Name))
	a.record(Event{Kind: TokenReused, Result: OfDevice, User: acc.Name, Account: acc.ID, Detail: d.ID.String()})
}

// setDevice gives the browser a token of a device, for as long as that lives.
func (v *visit) setDevice(accountID, value string, expires time.Time) {
	v.putCookie(v.w.Header(), v.deviceNames(accountID)[0], value, max(1, int(expires.Sub(v.g.Clock())/time.Second)))
}

// dropDevice makes the browser forget a cookie of a device.
func (v *visit) dropDevice(name string) { v.putCookie(v.w.Header(), name, "", -1) }

// newDevice adds to a code that was entered that the browser is to be
// remembered, in the place of the device that it has for this account. It
// returns what the cookie says.
func (v *visit) newDevice(r *challenge.CheckRequest) (string, error) {
	now := v.g.Clock()
	d := account.Device{
		Instance: v.g.Instance, Account: r.Account.ID, Created: now, LastUsed: now, Expires: now.Add(v.g.RememberFor),
		ClientIP: v.clientIP(), UserAgent: bounded(v.r.UserAgent(), store.MaxAgent),
	}
	if _, err := io.ReadFull(v.g.Rand, d.ID[:]); err != nil {
		return "", err
	}
	value, hash, err := v.g.newDeviceToken(d.ID)
	if err != nil {
		return "", err
	}
	d.Token = hash
	if old, ok := v.deviceOf(d.Account); ok {
		r.Replaces = old.id
	}
	r.Device = &d
	return value, nil
}

// remembered gives the browser the cookie of a device that was stored.
func (v *visit) remembered(d *account.Device, acc *account.Account, value string) {
	v.setDevice(d.Account, value, d.Expires)
	v.record(Event{Kind: TokenCreated, Result: OfDevice, User: acc.Name, Account: acc.ID, Detail: d.ID.String()})
}
