package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Purpose separates keys: what is sealed for one opens for no other. Purposes
// are constants of the program, never taken from outside: a ring remembers each
// that it was asked for.
type Purpose string

// The purposes of the gateway.
const (
	// PurposeCookie seals the app's cookies.
	PurposeCookie Purpose = "cookie"
	// PurposeHold seals held answers and requests.
	PurposeHold Purpose = "hold"
	// PurposeFactor seals TOTP seeds and phone numbers.
	PurposeFactor Purpose = "factor"
	// PurposeCode seals codes that wait to be sent, and hashes them.
	PurposeCode Purpose = "code"
)

// Forever as a purpose's age lets its seals be opened for as long as their key
// is on the ring.
const Forever time.Duration = 0

// Options are what a ring can be told. The zero value is good.
type Options struct {
	// MaxAge says for how long a seal of a purpose can be opened, counted in
	// whole UTC days; Forever for no end. A purpose that is not named has
	// DefaultMaxAge.
	MaxAge map[Purpose]time.Duration
}

// DefaultMaxAge is for how long a purpose's seals can be opened unless Options
// say otherwise: cookies 400 days, as long as a browser keeps any, holds and
// codes 2 days, all others Forever.
func DefaultMaxAge(p Purpose) time.Duration {
	switch p {
	case PurposeCookie:
		return 400 * day
	case PurposeHold, PurposeCode:
		return 2 * day
	}
	return Forever
}

const day = 24 * time.Hour

// A Ring seals with its newest key and opens with all. It is safe for use by
// several goroutines; sealing and opening take no lock.
type Ring struct {
	keys []*ringKey // newest first
}

type ringKey struct {
	Key
	id     uint32
	root   []byte // pseudorandom key of HKDF
	maxAge map[Purpose]time.Duration

	// known is replaced as a whole when a purpose is first asked for.
	known atomic.Pointer[map[Purpose]*purposeKey]
	add   sync.Mutex
}

// NewRing makes a ring of the given keys, newest first. There must be one; no
// name and no secret may come twice.
func NewRing(keys []Key, o Options) (*Ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("no key given: expected at least one, the newest first")
	}
	for p, age := range o.MaxAge {
		if age < 0 {
			return nil, fmt.Errorf("the seals of purpose %q cannot have the age %v", p, age)
		}
	}
	r := &Ring{}
	for _, k := range keys {
		if k == (Key{}) {
			return nil, errors.New("a key without name and secret: expected one from ParseKey")
		}
		root, err := hkdf.Extract(sha256.New, k.secret[:], []byte("caddy-twofactor ring v1"))
		if err != nil {
			return nil, fmt.Errorf("deriving from key %q: %w", k.name, err)
		}
		rk := &ringKey{Key: k, root: root, maxAge: o.MaxAge}
		rk.id = binary.BigEndian.Uint32(derive(root, "id"))
		rk.known.Store(&map[Purpose]*purposeKey{})
		for _, other := range r.keys {
			switch {
			case other.name == k.name:
				return nil, fmt.Errorf("two keys are named %q: give each its own name", k.name)
			case other.secret == k.secret:
				return nil, fmt.Errorf("the keys %q and %q are the same: remove one", other.name, k.name)
			case other.id == rk.id:
				return nil, fmt.Errorf("the keys %q and %q cannot be told apart in a seal: replace one", other.name, k.name)
			}
		}
		r.keys = append(r.keys, rk)
	}
	return r, nil
}

// Names returns the names of the keys, newest first.
func (r *Ring) Names() []string {
	names := make([]string, len(r.keys))
	for i, k := range r.keys {
		names[i] = k.name
	}
	return names
}

// String returns the names of the keys, never a secret.
func (r *Ring) String() string { return fmt.Sprintf("key ring %v", r.Names()) }

// GoString is String, so that no form of printing shows a secret.
func (r *Ring) GoString() string { return r.String() }

func (r *Ring) find(id uint32) *ringKey {
	for _, k := range r.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

func (k *ringKey) purpose(p Purpose) *purposeKey {
	if pk := (*k.known.Load())[p]; pk != nil {
		return pk
	}
	return k.addPurpose(p)
}

func (k *ringKey) addPurpose(p Purpose) *purposeKey {
	k.add.Lock()
	defer k.add.Unlock()
	old := *k.known.Load()
	if pk := old[p]; pk != nil {
		return pk
	}
	age, ok := k.maxAge[p]
	if !ok {
		age = DefaultMaxAge(p)
	}
	pk := newPurposeKey(k.root, p, age)
	next := make(map[Purpose]*purposeKey, len(old)+1)
	for name, known := range old {
		next[name] = known
	}
	next[p] = pk
	k.known.Store(&next)
	return pk
}

// derive expands a key of 32 bytes from a pseudorandom one. It cannot fail for
// that size.
func derive(root []byte, info string) []byte {
	b, err := hkdf.Expand(sha256.New, root, "caddy-twofactor "+info, 32)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return b
}
