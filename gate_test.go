package twofactor

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestGateRunsDrainedWhenTheLastLeaves(t *testing.T) {
	drained := 0
	g := gate{drained: func() { drained++ }}
	if !g.enter() || !g.enter() {
		t.Fatal("an open gate turned somebody away")
	}
	if g.close() {
		t.Fatal("close says that nobody is inside")
	}
	if g.enter() {
		t.Fatal("a closed gate let somebody in")
	}
	g.leave()
	if drained != 0 {
		t.Fatal("drained ran while somebody was inside")
	}
	g.leave()
	if drained != 1 {
		t.Fatalf("drained ran %d times, want once", drained)
	}
	g.enter()
	if drained != 1 {
		t.Fatal("drained ran again for somebody who was turned away")
	}
}

func TestGateThatIsEmptyClosesAtOnce(t *testing.T) {
	g := gate{drained: func() { t.Error("drained ran, though close said empty") }}
	g.enter()
	g.leave()
	if !g.close() {
		t.Fatal("close says that somebody is inside")
	}
	if g.enter() {
		t.Fatal("a closed gate let somebody in")
	}
}

func TestGateEndsOnceHoweverManyPass(t *testing.T) {
	for range 200 {
		var ended, inside atomic.Int32
		end := func() {
			if inside.Load() != 0 {
				t.Error("it ended while somebody was inside")
			}
			ended.Add(1)
		}
		g := gate{drained: end}
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 8 {
			all.Go(func() {
				<-start
				for range 20 {
					if g.enter() {
						inside.Add(1)
						if ended.Load() != 0 {
							t.Error("somebody came in after the end")
						}
						inside.Add(-1)
						g.leave()
					}
				}
			})
		}
		close(start)
		if g.close() {
			end()
		}
		all.Wait()
		if n := ended.Load(); n != 1 {
			t.Fatalf("it ended %d times, want once", n)
		}
	}
}
