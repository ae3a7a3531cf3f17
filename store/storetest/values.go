package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func valueTests() []test {
	return []test{
		{"a value of 64 KiB comes back until it expires", func(t *testing.T, f *fixture) {
			handle, value, until := newID(), random(64<<10), f.now.Add(time.Hour)
			f.must(f.s.PutValue(f.ctx, handle, value, until))
			got, err := f.s.Value(f.ctx, handle, until.Add(-time.Nanosecond))
			f.must(err)
			if !bytes.Equal(got, value) {
				t.Error("another value came back")
			}
			_, err = f.s.Value(f.ctx, handle, until)
			f.wants(err, store.ErrNotFound)
		}},
		{"a handle that nobody has put is not found", func(t *testing.T, f *fixture) {
			_, err := f.s.Value(f.ctx, newID(), f.now)
			f.wants(err, store.ErrNotFound)
			_, err = f.s.Value(f.ctx, "", f.now)
			f.wants(err, store.ErrNotFound)
		}},
		{"a larger value and an empty handle are refused", func(t *testing.T, f *fixture) {
			handle := newID()
			f.wants(f.s.PutValue(f.ctx, handle, random(64<<10+1), f.now.Add(time.Hour)), errRefused)
			_, err := f.s.Value(f.ctx, handle, f.now)
			f.wants(err, store.ErrNotFound)
			f.wants(f.s.PutValue(f.ctx, "", []byte("x"), f.now.Add(time.Hour)), errRefused)
		}},
		{"a value of the same handle is replaced", func(t *testing.T, f *fixture) {
			handle := newID()
			f.must(f.s.PutValue(f.ctx, handle, []byte("one"), f.now.Add(2*time.Hour)))
			f.must(f.s.PutValue(f.ctx, handle, []byte("two"), f.now.Add(time.Hour)))
			got, err := f.s.Value(f.ctx, handle, f.now)
			f.must(err)
			if string(got) != "two" {
				t.Errorf("got %q, want the second value", got)
			}
			_, err = f.s.Value(f.ctx, handle, f.now.Add(time.Hour))
			f.wants(err, store.ErrNotFound)
		}},
	}
}
