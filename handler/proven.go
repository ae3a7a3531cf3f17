package handler

import (
	"crypto/sha256"
	"sync"
	"time"
)

// provenCache remembers which sealed values this node has proved, so that a
// proof is asked for once and not at each request. It holds at most
// maxProven of them.
type provenCache struct {
	mu   sync.Mutex
	seen map[[16]byte]time.Time
}

const maxProven = 10_000

func newProvenCache() *provenCache { return &provenCache{seen: make(map[[16]byte]time.Time)} }

func provenKey(sealed string) [16]byte {
	sum := sha256.Sum256([]byte(sealed))
	return [16]byte(sum[:16])
}

func (c *provenCache) has(sealed string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.seen[provenKey(sealed)]
	return ok && now.Before(until)
}

func (c *provenCache) add(sealed string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) >= maxProven {
		clear(c.seen)
	}
	c.seen[provenKey(sealed)] = now.Add(provenFor)
}
