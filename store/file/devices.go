package file

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// devices are the remembered browsers. Their bucket is not one that the file
// must have: files were written before there were any.
var devices = &kind[account.Device]{
	bucket: "devices", tag: 'd',
	absent: true, meaning: "the browser is not remembered: the user is asked for a code in it again",
	deadline: func(d *account.Device) time.Time { return d.Expires },
	check: func(key []byte, d *account.Device) error {
		if !bytes.Equal(deviceKey(d.Instance, d.Account, d.ID), key) {
			return errOtherKey
		}
		if d.Token.IsZero() {
			return errors.New("it has no token")
		}
		return nil
	},
}

// prepareDevices makes the bucket in a file of before, and an empty one in a
// copy.
func prepareDevices(tx *bbolt.Tx, copied bool) (changed bool, err error) {
	name := []byte(devices.bucket)
	if tx.Bucket(name) != nil {
		if !copied {
			return false, nil
		}
		if err := tx.DeleteBucket(name); err != nil {
			return false, fmt.Errorf("empty bucket %s: %w", name, err)
		}
	}
	if _, err := tx.CreateBucket(name); err != nil {
		return false, fmt.Errorf("make bucket %s: %w", name, err)
	}
	return true, nil
}

// deviceKey is the key of a device: those of one account stand together.
func deviceKey(instance, acc string, id account.DeviceID) []byte {
	return append(devicesOf(instance, acc), id[:]...)
}

func devicesOf(instance, acc string) []byte { return append(accountKey(instance, acc), 0) }

// checkDevice refuses a device that a passed challenge cannot have made.
func checkDevice(d *account.Device, of *account.Session, now time.Time) error {
	switch {
	case d == nil:
		return nil
	case d.ID.IsZero() || d.Token.IsZero() || len(d.Issued) > 0 || len(d.Retired) > 0:
		return errors.New("a device begins with an id and one token")
	case d.Instance != of.Instance || d.Account != of.Account:
		return errors.New("a passed challenge has a browser remembered for its own account and no other")
	case !now.Before(d.Expires):
		return errors.New("a device begins with time left")
	case len(d.UserAgent) > store.MaxAgent:
		return fmt.Errorf("a device's user agent has %d bytes: at most %d are stored", len(d.UserAgent), store.MaxAgent)
	}
	return errors.Join(checkName("a device's instance", d.Instance), checkName("a device's account", d.Account))
}

// remember stores a new device, and makes room for it.
func (t *txn) remember(d *account.Device, replaces account.DeviceID, now time.Time) error {
	if d == nil {
		return nil
	}
	if !replaces.IsZero() {
		if err := remove(t, devices, deviceKey(d.Instance, d.Account, replaces)); err != nil {
			return err
		}
	}
	key := deviceKey(d.Instance, d.Account, d.ID)
	there, err := get(t.tx, devices, key)
	if there != nil {
		return store.ErrConflict
	}
	if err != nil && !isGarbage(err) {
		return err
	}
	list, err := t.listDevices(d.Instance, d.Account)
	if err != nil {
		return err
	}
	for i := range list {
		if i < account.MaxDevices-1 && now.Before(list[i].Expires) {
			continue
		}
		if err := remove(t, devices, deviceKey(d.Instance, d.Account, list[i].ID)); err != nil {
			return err
		}
	}
	return put(t, devices, key, d)
}

// listDevices returns the devices of an account, the one used last in front.
func (t *txn) listDevices(instance, acc string) ([]account.Device, error) {
	return listDevices(t.tx, instance, acc, t.store.complain)
}

func listDevices(tx *bbolt.Tx, instance, acc string, complain func(error)) ([]account.Device, error) {
	prefix := devicesOf(instance, acc)
	var list []account.Device
	c := tx.Bucket([]byte(devices.bucket)).Cursor()
	for k, raw := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, raw = c.Next() {
		d, err := devices.decode(k, raw)
		switch {
		case isGarbage(err):
			complain(err)
		case err != nil:
			return nil, err
		default:
			list = append(list, *d)
		}
	}
	slices.SortFunc(list, func(a, b account.Device) int {
		return cmp.Or(b.LastUsed.Compare(a.LastUsed), b.Created.Compare(a.Created), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return list, nil
}

// UseDevice implements store.Devices.
func (s *Store) UseDevice(ctx context.Context, u store.DeviceUse, now time.Time) (store.DeviceResult, error) {
	if u.Token.IsZero() || u.Next.IsZero() || u.Token == u.Next {
		return store.DeviceResult{}, errors.New("a device is used with a token, and with another one for the next time")
	}
	if len(u.UserAgent) > store.MaxAgent {
		return store.DeviceResult{}, fmt.Errorf("a device's user agent has %d bytes: at most %d are stored", len(u.UserAgent), store.MaxAgent)
	}
	return decide(ctx, s, func(t *txn) (store.DeviceResult, error) {
		key := deviceKey(u.Instance, u.Account, u.Device)
		d, err := get(t.tx, devices, key)
		switch {
		case isGarbage(err):
			s.complain(err)
			return store.DeviceResult{State: account.DeviceNone}, nil
		case err != nil:
			return store.DeviceResult{}, err
		case d == nil:
			return store.DeviceResult{State: account.DeviceNone}, nil
		}
		switch state, issued := d.Use(u.Token, u.Next, now); state {
		case account.DeviceKnown:
			d.ClientIP, d.UserAgent = u.ClientIP, u.UserAgent
			return store.DeviceResult{State: state, Issued: issued, Device: *d}, put(t, devices, key, d)
		case account.DeviceStolen:
			return store.DeviceResult{State: state, Device: *d}, remove(t, devices, key)
		default:
			return store.DeviceResult{State: account.DeviceNone}, nil
		}
	})
}

// Devices implements store.Devices.
func (s *Store) Devices(ctx context.Context, instance, acc string, now time.Time) ([]account.Device, error) {
	var list []account.Device
	err := s.view(ctx, func(tx *bbolt.Tx) (err error) {
		list, err = listDevices(tx, instance, acc, s.complain)
		return err
	})
	return slices.DeleteFunc(list, func(d account.Device) bool { return !now.Before(d.Expires) }), err
}

// ForgetDevices implements store.Devices.
func (s *Store) ForgetDevices(ctx context.Context, instance, acc string, ids ...account.DeviceID) (int, error) {
	return decide(ctx, s, func(t *txn) (int, error) { return t.forgetDevices(instance, acc, ids...) })
}

// forgetDevices forgets devices of an account, without an id all of them, those
// too that cannot be read.
func (t *txn) forgetDevices(instance, acc string, ids ...account.DeviceID) (int, error) {
	b := t.tx.Bucket([]byte(devices.bucket))
	var keys [][]byte
	for _, id := range ids {
		keys = append(keys, deviceKey(instance, acc, id))
	}
	if len(ids) == 0 {
		prefix := devicesOf(instance, acc)
		c := b.Cursor()
		for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			keys = append(keys, bytes.Clone(k))
		}
	}
	n := 0
	for _, key := range keys {
		if b.Get(key) == nil {
			continue
		}
		if err := remove(t, devices, key); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
