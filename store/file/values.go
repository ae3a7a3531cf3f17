package file

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// maxValue is the largest size of a value in bytes.
const maxValue = 64 << 10

// PutValue implements store.Values.
func (s *Store) PutValue(ctx context.Context, handle string, value []byte, expires time.Time) error {
	if err := checkName("a value's handle", handle); err != nil {
		return err
	}
	if len(value) > maxValue {
		return fmt.Errorf("a value has %d bytes: more than %d are not stored", len(value), maxValue)
	}
	v := &sealedValue{Handle: handle, Value: value, Expires: expires}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		key := []byte(handle)
		// One that cannot be read opens nothing and may be replaced too.
		if err := remove(t, values, key); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, put(t, values, key, v)
	})
	return err
}

// Value implements store.Values.
func (s *Store) Value(ctx context.Context, handle string, now time.Time) ([]byte, error) {
	var out []byte
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		v, err := get(tx, values, []byte(handle))
		switch {
		case isGarbage(err):
			s.complain(err)
			return store.ErrNotFound
		case err != nil:
			return err
		case v == nil || !now.Before(v.Expires):
			return store.ErrNotFound
		}
		out = v.Value
		return nil
	})
	return out, err
}
