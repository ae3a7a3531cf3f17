package file

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// maxRecord is the largest size of a record in bytes, as JSON without its frame;
// maxHold that of a hold, which may keep a request of 1 MiB.
const (
	maxRecord = 1 << 20
	maxHold   = 2 << 20
)

// The buckets of the file. Those of records are named by their kind below.
const (
	bucketMeta = "meta"
	// bucketRunning holds the keys of the locks that are running, so that Open
	// need not read all locks to find those whose login has died.
	bucketRunning = "running"
	// bucketExpiry holds, in the order of their time, the keys of all records
	// that expire; see expiryKey.
	bucketExpiry = "expiry"
)

// kind describes how one kind of record is kept.
type kind[T any] struct {
	bucket string
	// tag is the kind's byte in the expiry index; 0 for what never expires.
	tag byte
	// deadline is the time from which the record is as good as removed. It
	// hangs on nothing but the record, so the entry in the index can be found
	// by the record.
	deadline func(*T) time.Time
	// check refuses what decodes but cannot have been written here: an empty
	// lock, for one, would read as a free one.
	check func(key []byte, v *T) error
	// max is the largest size of a record; maxRecord if it is 0.
	max int
	// absent is true if a record that cannot be read counts as one that is not
	// there, because that closes; else it is an error.
	absent bool
	// meaning tells the operator what becomes of a record that cannot be read.
	meaning string
}

var (
	errOtherKey = errors.New("it is another key's")
	errState    = errors.New("its state is unknown")
)

// The kinds of records. These are constants in all but the keyword.
var (
	accounts = &kind[account.Account]{
		bucket:  "accounts",
		meaning: "nobody can log in as this user, and the account cannot be replaced: stop the gateway, move the store's file away and put a backup in its place",
		check: func(key []byte, a *account.Account) error {
			if string(accountKey(a.Instance, a.ID)) != string(key) {
				return errOtherKey
			}
			return nil
		},
	}
	// names find an account's id by instance and name or alias.
	names = &kind[nameOf]{
		bucket:  "names",
		meaning: "nobody can log in as this user, and the account cannot be replaced: stop the gateway, move the store's file away and put a backup in its place",
		check: func(_ []byte, n *nameOf) error {
			if n.Account == "" {
				return errors.New("it names nobody")
			}
			return nil
		},
	}
	locks = &kind[account.Lock]{
		bucket: "locks", tag: 'l',
		meaning:  "its line stays locked: a visitor on this line has to delete the cookies of the site",
		deadline: func(l *account.Lock) time.Time { return l.Until },
		check: func(_ []byte, l *account.Lock) error {
			if l.State != account.LockRunning && l.State != account.LockStanding || l.Until.IsZero() {
				return errState
			}
			return nil
		},
	}
	sessions = &kind[account.Session]{
		bucket: "sessions", tag: 's',
		absent: true, meaning: "the session ends, at the next start at the latest",
		deadline: func(s *account.Session) time.Time {
			if s.IdleFor <= 0 {
				return s.Expires
			}
			if idle := s.LastSeen.Add(s.IdleFor); idle.Before(s.Expires) {
				return idle
			}
			return s.Expires
		},
		check: func(key []byte, s *account.Session) error {
			if string(s.ID[:]) != string(key) {
				return errOtherKey
			}
			switch s.State {
			case account.StatePending, account.StateVerified, account.StatePassed, account.StateCancelled, account.StateAgain:
				return nil
			case account.StateMoved:
				if s.Steps != nil && s.Steps.MovedTo != (account.SessionID{}) {
					return nil
				}
			}
			return errState
		},
	}
	challenges = &kind[account.Challenge]{
		bucket: "challenges", tag: 'c',
		meaning:  "the challenge cannot be passed: the user has to log in, or to ask for what it was before, again",
		deadline: func(c *account.Challenge) time.Time { return c.Expires },
		check: func(key []byte, c *account.Challenge) error {
			if c.ID != string(key) {
				return errOtherKey
			}
			switch c.State {
			case account.ChallengeOpen, account.ChallengePassed, account.ChallengeCancelled, account.ChallengeWaiting:
				return nil
			}
			return errState
		},
	}
	holds = &kind[account.Hold]{
		bucket: "holds", tag: 'h', max: maxHold,
		absent: true, meaning: "the held answer or request is gone: the user has to log in, or to ask for it, again",
		deadline: func(h *account.Hold) time.Time { return h.Expires },
		check: func(key []byte, h *account.Hold) error {
			if h.Challenge != string(key) {
				return errOtherKey
			}
			return nil
		},
	}
	values = &kind[sealedValue]{
		bucket: "values", tag: 'v',
		absent: true, meaning: "the value is gone",
		deadline: func(v *sealedValue) time.Time { return v.Expires },
		check: func(key []byte, v *sealedValue) error {
			if v.Handle != string(key) {
				return errOtherKey
			}
			return nil
		},
	}
)

// nameOf says whose a name or alias is.
type nameOf struct {
	Account string `json:"account"`
}

// sealedValue is a value that was too large for a cookie.
type sealedValue struct {
	Handle  string    `json:"handle"`
	Value   []byte    `json:"value"`
	Expires time.Time `json:"expires"`
}

// recordBuckets names every bucket that the file must have.
func recordBuckets() []string {
	return []string{bucketRunning, bucketExpiry,
		names.bucket, accounts.bucket, locks.bucket, sessions.bucket, challenges.bucket, holds.bucket, values.bucket}
}

// laterBuckets names those that a file need not have: files were written before
// there were any.
func laterBuckets() []string {
	return []string{sightings.bucket, histories.bucket, devices.bucket, tryRecords.bucket,
		enrolments.bucket, bucketEnrolling, notices.bucket, bucketDue, demands.bucket}
}

// addLater makes them in a file of before.
func addLater(tx *bbolt.Tx) (added bool, err error) {
	for _, name := range laterBuckets() {
		if tx.Bucket([]byte(name)) != nil {
			continue
		}
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return false, fmt.Errorf("make bucket %s: %w", name, err)
		}
		added = true
	}
	return added, nil
}

func (k *kind[T]) decode(key, raw []byte) (*T, error) {
	v := new(T)
	text, err := unframe(k.bucket, key, raw)
	if err != nil {
		return nil, k.garbage(key, err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, k.garbage(key, err)
	}
	if err := k.check(key, v); err != nil {
		return nil, k.garbage(key, err)
	}
	return v, nil
}

func (k *kind[T]) encode(key []byte, v *T) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a record of %s: %w", k.bucket, err)
	}
	if most := cmp.Or(k.max, maxRecord); len(raw) > most {
		return nil, fmt.Errorf("a record of %s has %d bytes: more than %d are not stored", k.bucket, len(raw), most)
	}
	return frame(k.bucket, key, raw), nil
}

// expiryKey is the record's entry in the expiry index: the first second at
// which it has expired, big-endian, the kind, the record's key.
func (k *kind[T]) expiryKey(key []byte, v *T) []byte {
	d := k.deadline(v)
	sec := d.Unix()
	if d.Nanosecond() > 0 {
		sec++
	}
	return append(append(expiryTime(sec), k.tag), key...)
}

func expiryTime(sec int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(max(sec, 0)))
}

// splitExpiryKey takes an entry of the expiry index apart.
func splitExpiryKey(entry []byte) (sec uint64, tag byte, key []byte, ok bool) {
	if len(entry) < 10 {
		return 0, 0, nil, false
	}
	return binary.BigEndian.Uint64(entry), entry[8], entry[9:], true
}

// accountKey is the key of an account, or of a name of one: the instance, a
// zero byte, the name. Neither has a zero byte of its own (checkName), and the
// keys of one instance stand together in the order of their names.
func accountKey(instance, name string) []byte {
	return []byte(instance + "\x00" + name)
}

func lineKey(k account.LineKey) []byte {
	return append([]byte(k.Instance+"\x00"), k.Line[:]...)
}

// checkName refuses what cannot stand in a key.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s is empty", what)
	case len(name) > account.MaxName:
		return fmt.Errorf("%s has %d bytes: at most %d are stored", what, len(name), account.MaxName)
	case strings.ContainsRune(name, 0):
		return fmt.Errorf("%s has a zero byte", what)
	}
	return nil
}
