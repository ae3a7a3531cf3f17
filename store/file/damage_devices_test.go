package file

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func newDevice(acc string, now time.Time) account.Device {
	return account.Device{
		ID: account.DeviceID(random(16)), Instance: "crm", Account: acc, Token: account.TokenHash(random(32)),
		Created: now, LastUsed: now, Expires: now.Add(time.Hour),
	}
}

func deviceUse(d account.Device, token account.TokenHash) store.DeviceUse {
	return store.DeviceUse{Instance: d.Instance, Account: d.Account, Device: d.ID, Token: token, Next: account.TokenHash(random(32))}
}

// remember stores a device for which no challenge was passed.
func (sc *scene) remember(d account.Device) {
	sc.t.Helper()
	_, err := decide(sc.t.Context(), sc.s, func(t *txn) (struct{}, error) {
		return struct{}{}, t.remember(&d, account.DeviceID{}, sc.now)
	})
	must(sc.t, err)
}

func (sc *scene) deviceKey() []byte { return deviceKey("crm", sc.acc, sc.device.ID) }

// deviceTargets are the records of remembered browsers: one that cannot be read
// is not remembered.
func deviceTargets() []target {
	gone := func(sc *scene, err error) error {
		if err == nil && has(sc.t, sc.s, devices.bucket, sc.deviceKey()) {
			return errors.New("the device is still there")
		}
		return err
	}
	return []target{{
		name: "devices", bucket: devices.bucket, key: (*scene).deviceKey,
		probes: []probe{
			{method: "UseDevice", call: func(sc *scene) error {
				r, err := sc.s.UseDevice(sc.t.Context(), deviceUse(sc.device, sc.device.Token), sc.now)
				if err == nil && (r.State != account.DeviceNone || r.Issued) {
					return fmt.Errorf("the device is %+v", r)
				}
				return err
			}},
			{method: "Devices", call: func(sc *scene) error {
				list, err := sc.s.Devices(sc.t.Context(), "crm", sc.acc, sc.now)
				if len(list) > 0 {
					return fmt.Errorf("the list is %v", list)
				}
				return err
			}},
			{method: "ForgetDevices", call: func(sc *scene) error {
				return gone(sc, second(sc.s.ForgetDevices(sc.t.Context(), "crm", sc.acc, sc.device.ID)))
			}},
			{method: "ForgetDevices", how: "all of them", call: func(sc *scene) error {
				return gone(sc, second(sc.s.ForgetDevices(sc.t.Context(), "crm", sc.acc)))
			}},
			{method: "EndSessions", call: func(sc *scene) error { return gone(sc, sc.endAll()) }},
			{method: "PutAccounts", how: "with another factor", call: func(sc *scene) error {
				a := newAccount(sc.acc)
				a.Factors = a.Factors[:1]
				return gone(sc, sc.s.PutAccounts(sc.t.Context(), []account.Account{a}))
			}},
			{method: "PassChallenge", how: "with another device", call: func(sc *scene) error {
				d := newDevice(sc.acc, sc.now)
				sc.next.Device = &d
				return sc.pass()
			}},
			{method: "PassChallenge", how: "in its place", call: func(sc *scene) error {
				d := newDevice(sc.acc, sc.now)
				sc.next.Device, sc.next.Replaces = &d, sc.device.ID
				return gone(sc, sc.pass())
			}},
		},
	}}
}

func TestAFileOfBeforeGetsRoomForDevices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	must(t, s.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(devices.bucket)) }))
	must(t, s.Close())
	s = openAt(t, path)
	defer s.Close()
	sc := newScene(t, s)
	if r, err := s.UseDevice(t.Context(), deviceUse(sc.device, sc.device.Token), sc.now); err != nil || r.State != account.DeviceKnown {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestADeviceThatHasExpiredIsSwept(t *testing.T) {
	s := openNew(t)
	sc := newScene(t, s)
	for _, tt := range []struct {
		at    time.Time
		there bool
	}{{sc.device.Expires.Add(-time.Second), true}, {sc.device.Expires.Add(time.Second), false}} {
		must(t, second(decide(t.Context(), s, func(x *txn) (int, error) { return s.sweepSome(x, tt.at) })))
		if got := has(t, s, devices.bucket, sc.deviceKey()); got != tt.there {
			t.Errorf("at %s the device is there: %t", tt.at, got)
		}
	}
}
