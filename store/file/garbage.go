package file

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// garbageError is a record that is there and cannot be read.
type garbageError struct {
	bucket string
	// key is the record's key as it may be shown; see shownKey.
	key string
	// meaning is its kind's.
	meaning string
	err     error
}

func (k *kind[T]) garbage(key []byte, err error) error {
	return &garbageError{k.bucket, shownKey(k.bucket, key), k.meaning, err}
}

func (e *garbageError) Error() string {
	return fmt.Sprintf("the record %s of %s in the store's file cannot be read: %v", e.key, e.bucket, e.err)
}

func (e *garbageError) Unwrap() error { return e.err }

func isGarbage(err error) bool {
	var g *garbageError
	return errors.As(err, &g)
}

// shownKey is what a log says of a key. The name of an account is shown, since
// the operator must know whom to help, and so is that of a device's; of an id only the first eight bytes are,
// enough to find the record by and too little to use it, and of a notice's the first
// sixteen, since those of one kind begin alike.
func shownKey(bucket string, key []byte) string {
	if n := len(key) - len(account.DeviceID{}); bucket == devices.bucket && n > 0 {
		of := strings.Replace(string(key[:n]), "\x00", "/", 1)
		return strconv.Quote(strings.TrimSuffix(of, "\x00") + "/" + account.DeviceID(key[n:]).String())
	}
	instance, name, ok := bytes.Cut(key, []byte{0})
	prefix := string(instance) + "/"
	ofAccount := bucket == accounts.bucket || bucket == names.bucket || bucket == histories.bucket
	if !ok || !ofAccount && bucket != locks.bucket {
		prefix, name = "", key
	}
	switch bucket {
	case accounts.bucket, names.bucket, histories.bucket, demands.bucket:
	case notices.bucket:
		name = name[:min(len(name), 16)]
	default:
		name = name[:min(len(name), 8)]
	}
	if !utf8.Valid(name) {
		return strconv.Quote(prefix + hex.EncodeToString(name))
	}
	return strconv.Quote(prefix + string(name))
}

// maxComplaints is how many records are named in the log between two starts:
// a file that is damaged all over must not fill the disk.
const maxComplaints = 100

// complaints remembers which records were named in the log.
type complaints struct {
	mu    sync.Mutex
	named map[string]bool
}

// complain names a record that cannot be read in the log, once between two
// starts. An error of another kind is not logged here.
func (s *Store) complain(err error) {
	var g *garbageError
	if !errors.As(err, &g) {
		return
	}
	c := &s.complaints
	c.mu.Lock()
	id := g.bucket + "\x00" + g.key
	known, n := c.named[id], len(c.named)
	if !known && n <= maxComplaints {
		if c.named == nil {
			c.named = make(map[string]bool)
		}
		c.named[id] = true
	}
	c.mu.Unlock()

	switch {
	case known || n > maxComplaints:
	case n == maxComplaints:
		s.log("more records in the store's file cannot be read; no further ones are named until the next start: stop the gateway, move the file away and put a backup in its place")
	default:
		s.log("a record in the store's file cannot be read",
			"bucket", g.bucket, "key", g.key, "so", g.meaning, "error", g.err)
	}
}
