package handler

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
)

func TestWhatIsToBeProved(t *testing.T) {
	start := time.Unix(1e9, 0)
	id, other := account.StandingID{1}, account.StandingID{2}
	before := openedCookie{sealed: "old", issued: start.Add(-time.Second)}
	after := openedCookie{sealed: "new", issued: start.Add(time.Second)}
	flagged := openedCookie{sealed: "flagged", issued: start.Add(time.Second), flags: seal.FlagToBeProved}
	proved := func(c *provenCache, o openedCookie) { c.add(id, o.sealed, c.now(), start) }
	for _, tt := range []struct {
		name   string
		before func(*provenCache)
		value  openedCookie
		want   bool
	}{
		{"nothing of a new value", func(*provenCache) {}, after, false},
		{"a value from before the cache began", func(*provenCache) {}, before, true},
		{"such a value only once", func(c *provenCache) { proved(c, before) }, before, false},
		{"a value that says so", func(*provenCache) {}, flagged, true},
		{"such a value only once too", func(c *provenCache) { proved(c, flagged) }, flagged, false},
		{"any value while a request may log somebody in", func(c *provenCache) { proved(c, after); c.begin(id, start); proved(c, after) }, after, true},
		{"any value afterwards", func(c *provenCache) { proved(c, after); c.begin(id, start); proved(c, after); c.end(id) }, after, true},
		{"none that was proved afterwards", func(c *provenCache) { c.begin(id, start); c.end(id); proved(c, after) }, after, false},
		{"each value by itself", func(c *provenCache) { c.begin(id, start); c.end(id); proved(c, before) }, after, true},
		{"nothing for the requests of others", func(c *provenCache) { c.begin(other, start); c.end(other) }, after, false},
		{"a proof from before the request's end", func(c *provenCache) {
			c.begin(id, start)
			turn := c.now()
			c.end(id)
			c.add(id, after.sealed, turn, start)
		}, after, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newProvenCache(start)
			tt.before(c)
			if got := c.mustProve(id, &tt.value, start); got != tt.want {
				t.Errorf("mustProve = %v", got)
			}
		})
	}
	c := newProvenCache(start)
	proved(c, flagged)
	if !c.mustProve(id, &flagged, start.Add(provenFor)) {
		t.Error("a proof holds for ever")
	}
}

func TestAFullCacheForgetsNoDoubt(t *testing.T) {
	start := time.Unix(1e9, 0)
	c := newProvenCache(start)
	id, running := account.StandingID{0, 1}, account.StandingID{0, 2}
	o := openedCookie{sealed: "v", issued: start.Add(time.Minute)}
	c.begin(id, start)
	c.end(id)
	c.begin(running, start)
	for i := range 3 * maxDoubted {
		other := account.StandingID{0, 3, byte(i), byte(i >> 8)}
		c.begin(other, start.Add(time.Hour))
		c.end(other)
	}
	if !c.mustProve(id, &o, start.Add(time.Hour)) {
		t.Error("a doubt was forgotten")
	}
	if !c.changed(running, c.now(), 0) {
		t.Error("a request that still runs was forgotten")
	}
	for i := range 3 * maxProven {
		c.add(id, fmt.Sprint(i), c.now(), start)
	}
	if n := len(c.shards[0].seen); n > maxProven {
		t.Errorf("%d values are remembered", n)
	}
	if n := len(c.shards[0].doubted); n > maxDoubted+1 {
		t.Errorf("%d standings are remembered", n)
	}
}
