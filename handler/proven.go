package handler

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// provenCache remembers which sealed values this node has proved, so that a
// proof is asked for once and not at each request; and which standings have
// sent a request since that may have logged somebody in. That the seals cannot
// tell: the client chooses which of them it sends, and an app may log somebody
// in under a value that it sets no more.
//
// What was before the cache began is not known, so seals that are older are
// proved too.
type provenCache struct {
	// turn counts the requests that may have changed whose a session is.
	turn   atomic.Uint64
	shards [provenShards]provenShard
}

const (
	provenShards = 64
	// maxProven and maxDoubted are how many values and standings one of the
	// shards remembers.
	maxProven  = 256
	maxDoubted = 1024
)

type provenShard struct {
	mu      sync.Mutex
	seen    map[[16]byte]provenAt
	doubted map[account.StandingID]doubt
	// Seals issued before floor count as doubted at turn atFloor.
	floor   time.Time
	atFloor uint64
}

// provenAt is until when, and from which turn on, a value is proved.
type provenAt struct {
	until time.Time
	turn  uint64
}

// doubt is what a standing has sent that may have logged somebody in: the turn
// of the last such request, and how many of them are at the app.
type doubt struct {
	turn    uint64
	running int
}

// newProvenCache returns a cache that knows of what happens from now on.
func newProvenCache(now time.Time) *provenCache {
	c := new(provenCache)
	for i := range c.shards {
		// A seal's time is kept to the millisecond.
		c.shards[i] = provenShard{
			seen: make(map[[16]byte]provenAt), doubted: make(map[account.StandingID]doubt),
			floor: now.Truncate(time.Millisecond),
		}
	}
	return c
}

func provenKey(sealed string) [16]byte {
	sum := sha256.Sum256([]byte(sealed))
	return [16]byte(sum[:16])
}

// lock returns the shard of a standing, locked.
func (c *provenCache) lock(id account.StandingID) *provenShard {
	s := &c.shards[id[0]%provenShards]
	s.mu.Lock()
	return s
}

// now is the present turn, to be given to add for what is asked from here on.
func (c *provenCache) now() uint64 { return c.turn.Load() }

// begin notes that a request of this standing which may log somebody in goes
// to the app, and returns its turn.
func (c *provenCache) begin(id account.StandingID, now time.Time) uint64 {
	s := c.lock(id)
	defer s.mu.Unlock()
	turn := c.turn.Add(1)
	d, known := s.doubted[id]
	if !known && len(s.doubted) >= maxDoubted {
		s.forget(now, turn)
	}
	s.doubted[id] = doubt{turn: turn, running: d.running + 1}
	return turn
}

// forget makes room: the standings that are forgotten are told by the age of
// their seals from then on.
func (s *provenShard) forget(now time.Time, turn uint64) {
	for id, d := range s.doubted {
		if d.running == 0 {
			delete(s.doubted, id)
		}
	}
	s.floor, s.atFloor = now.Add(time.Millisecond), turn
}

// end notes that the request is over: what was proved before is worth nothing.
func (c *provenCache) end(id account.StandingID) {
	s := c.lock(id)
	defer s.mu.Unlock()
	s.doubted[id] = doubt{turn: c.turn.Add(1), running: max(0, s.doubted[id].running-1)}
}

// changed reports whether somebody may have been logged in since a turn, by
// others than the own requests that run.
func (c *provenCache) changed(id account.StandingID, turn uint64, own int) bool {
	s := c.lock(id)
	defer s.mu.Unlock()
	d := s.doubted[id]
	return d.turn > turn || d.running > own
}

// isDoubted reports whether somebody may have been logged in under these
// values, which are of one standing.
func (c *provenCache) isDoubted(id account.StandingID, opened []openedCookie) bool {
	s := c.lock(id)
	defer s.mu.Unlock()
	if _, ok := s.doubted[id]; ok {
		return true
	}
	for i := range opened {
		if opened[i].issued.Before(s.floor) {
			return true
		}
	}
	return false
}

// mustProve reports whether a value is to be proved.
func (c *provenCache) mustProve(id account.StandingID, o *openedCookie, now time.Time) bool {
	s := c.lock(id)
	defer s.mu.Unlock()
	d, doubted := s.doubted[id]
	since := d.turn
	if o.issued.Before(s.floor) {
		doubted, since = true, max(since, s.atFloor)
	}
	if !doubted && !o.toBeProved() {
		return false
	}
	at, ok := s.seen[provenKey(o.sealed)]
	return !ok || !now.Before(at.until) || at.turn < since || d.running > 0
}

// add notes that a value was proved at a turn.
func (c *provenCache) add(id account.StandingID, sealed string, turn uint64, now time.Time) {
	s := c.lock(id)
	defer s.mu.Unlock()
	if len(s.seen) >= maxProven {
		clear(s.seen)
	}
	s.seen[provenKey(sealed)] = provenAt{until: now.Add(provenFor), turn: turn}
}
