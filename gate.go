package twofactor

import (
	"math"
	"sync"
	"sync/atomic"
)

// gate counts those inside and, once closed, lets nobody in. Entering and
// leaving cost one atomic add each.
//
// Closing adds math.MinInt64 to the count, so that a negative count means
// closed and exactly math.MinInt64 means closed and empty.
type gate struct {
	count atomic.Int64
	once  sync.Once
	// drained is run once, by the last one who leaves a closed gate.
	drained func()
}

// enter reports whether the caller is in; if so, it must call leave.
func (g *gate) enter() bool {
	if g.count.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

// leave undoes one enter.
func (g *gate) leave() {
	if g.count.Add(-1) == math.MinInt64 {
		// Somebody who is turned away counts as inside for a moment, so that
		// this may be reached again.
		g.once.Do(g.drained)
	}
}

// close lets nobody in from now on. It reports whether nobody was inside; then
// drained is not run. It must be called at most once.
func (g *gate) close() (empty bool) {
	if g.count.Add(math.MinInt64) != math.MinInt64 {
		return false
	}
	g.once.Do(func() { empty = true })
	return empty
}
