package file

import (
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// tryShards is how many locks the tries in memory have. Nobody outside can tell
// in which one a name or an address lies.
const tryShards = 64

// triers are all names, or all addresses, with the last tries of each. A full
// one of addresses takes about 70 MB, which needs eight million failed passwords
// in an hour; one of names half of it.
type triers struct {
	most   int
	shards [tryShards]trierShard
}

type trierShard struct {
	mu sync.Mutex
	m  map[trierKey]*trier
	// newest and oldest are the ends of the list of all, by when a try was noted
	// last.
	newest, oldest *trier
}

// trierKey stands for a name or an address of an instance: a hash under a seed of
// this process, so that nobody can choose two that are one, or fill one shard.
type trierKey uint64

// trierHash makes the keys.
type trierHash struct{ seed maphash.Seed }

func (h trierHash) name(instance string, name account.TryName) trierKey {
	var of [17]byte
	copy(of[:], name[:])
	return h.key(instance, &of)
}

func (h trierHash) address(instance string, p netip.Prefix) trierKey {
	a, bits := p.Masked().Addr(), p.Bits()
	if a.Is4() {
		bits += 96
	}
	var of [17]byte
	b := a.As16()
	copy(of[:], b[:])
	of[16] = byte(bits)
	return h.key(instance, &of)
}

func (h trierHash) key(instance string, of *[17]byte) trierKey {
	var room [64]byte
	b := append(room[:0], of[:]...)
	return trierKey(maphash.Bytes(h.seed, append(b, instance...)))
}

// trier is one name or address.
type trier struct {
	key trierKey
	// tries is a ring once it is full; next is the one that was noted first.
	tries        []tried
	next         int
	newer, older *trier
}

// tried is one try.
type tried struct {
	// at is in seconds since 1970, rounded up.
	at uint32
	// name is half of the name's hash, enough to tell a few names apart; 0 for
	// none.
	name uint32
}

func (ts *triers) shard(k trierKey) *trierShard { return &ts.shards[k%tryShards] }

// tryTime is a time as it is kept.
func tryTime(t time.Time) uint32 {
	sec := t.Unix()
	if t.Nanosecond() > 0 {
		sec++
	}
	return uint32(min(max(sec, 0), math.MaxUint32))
}

// counts reports whether the try is not over.
func (t tried) counts(now time.Time) bool { return tryCounts(t.at, now) }

func tryCounts(at uint32, now time.Time) bool {
	return now.Unix() < int64(at)+int64(account.TryWindow/time.Second)
}

// note adds a try to a name or an address.
func (ts *triers) note(k trierKey, t tried) {
	sh := ts.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.m[k]
	if r == nil {
		r = sh.add(k)
	} else {
		sh.unlink(r)
	}
	sh.link(r)
	if len(r.tries) < ts.most {
		r.tries = append(r.tries, t)
		return
	}
	r.tries[r.next] = t
	r.next = (r.next + 1) % ts.most
}

// add makes room for another one, which the oldest gives up.
func (sh *trierShard) add(k trierKey) *trier {
	if sh.m == nil {
		sh.m = make(map[trierKey]*trier)
	}
	var r *trier
	if len(sh.m) < store.MaxTried/tryShards {
		r = &trier{}
	} else {
		r = sh.oldest
		sh.drop(r)
		r.tries, r.next = r.tries[:0], 0
	}
	r.key = k
	sh.m[k] = r
	return r
}

func (sh *trierShard) drop(r *trier) {
	sh.unlink(r)
	delete(sh.m, r.key)
}

func (sh *trierShard) link(r *trier) {
	r.newer, r.older = nil, sh.newest
	if sh.newest != nil {
		sh.newest.newer = r
	} else {
		sh.oldest = r
	}
	sh.newest = r
}

func (sh *trierShard) unlink(r *trier) {
	if r.newer != nil {
		r.newer.older = r.older
	} else {
		sh.newest = r.older
	}
	if r.older != nil {
		r.older.newer = r.newer
	} else {
		sh.oldest = r.newer
	}
}

// tally returns how many tries count, and of how many names they are.
func (ts *triers) tally(k trierKey, now time.Time) (failures, names int) {
	var buf [store.MaxAddressTries]uint32
	seen := buf[:0]
	sh := ts.shard(k)
	sh.mu.Lock()
	if r := sh.m[k]; r != nil {
		for _, t := range r.tries {
			if !t.counts(now) {
				continue
			}
			failures++
			if t.name != 0 {
				seen = append(seen, t.name)
			}
		}
	}
	sh.mu.Unlock()
	slices.Sort(seen)
	return failures, len(slices.Compact(seen))
}

// sweep forgets those whose tries are all over, but goes no further in a shard
// than to the first one that is not.
func (ts *triers) sweep(now time.Time) {
	for i := range ts.shards {
		sh := &ts.shards[i]
		sh.mu.Lock()
		for r := sh.oldest; r != nil && !slices.ContainsFunc(r.tries, func(t tried) bool { return t.counts(now) }); r = sh.oldest {
			sh.drop(r)
		}
		sh.mu.Unlock()
	}
}
