package handler

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The pace at which open exchanges are watched, so that one is closed within a
// second of the end of its session.
const (
	streamPoll = 400 * time.Millisecond
	// streamAsk bounds how long the store is asked for one batch of sessions.
	streamAsk   = time.Second
	streamBatch = 256
	// streamBlind is how long exchanges stay open while the store cannot say
	// whether their sessions live.
	streamBlind = 10 * time.Second
)

// streamShards is how many parts the registry has, so that requests seldom wait
// for each other: a power of two.
const streamShards = 16

// streams are the exchanges of verified sessions that last: WebSockets, streams
// of events, long downloads and uploads. While there are any, one goroutine
// looks at their sessions, and closes those whose session has ended.
type streams struct {
	shards  [streamShards]streamShard
	running atomic.Bool
}

type streamShard struct {
	mu   sync.Mutex
	open map[*stream]struct{}
}

func (s *streams) shard(st *stream) *streamShard { return &s.shards[st.standing[0]%streamShards] }

// add puts an exchange into the registry, until remove.
func (s *streams) add(st *stream) {
	shard := s.shard(st)
	shard.mu.Lock()
	if shard.open == nil {
		shard.open = make(map[*stream]struct{})
	}
	shard.open[st] = struct{}{}
	shard.mu.Unlock()
	if !s.running.Load() && s.running.CompareAndSwap(false, true) {
		go s.watch()
	}
}

func (s *streams) remove(st *stream) {
	shard := s.shard(st)
	shard.mu.Lock()
	delete(shard.open, st)
	shard.mu.Unlock()
}

// list appends all that are open.
func (s *streams) list(all []*stream) []*stream {
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		for st := range shard.open {
			all = append(all, st)
		}
		shard.mu.Unlock()
	}
	return all
}

// watch looks at the open exchanges until there are none. Whoever adds one
// afterwards starts it again.
func (s *streams) watch() {
	tick := time.NewTicker(streamPoll)
	defer tick.Stop()
	var all []*stream
	for range tick.C {
		all = s.list(all[:0])
		if len(all) == 0 {
			s.running.Store(false)
			// One that was added just before found it still running.
			if all = s.list(all); len(all) == 0 || !s.running.CompareAndSwap(false, true) {
				return
			}
		}
		look(all)
		clear(all)
	}
}

// look asks for the session of each exchange. Once the store could not say, it
// is not asked again in this round: it may take its time over each question.
func look(all []*stream) {
	var failed error
	for some := range slices.Chunk(all, streamBatch) {
		ctx, cancel := context.WithTimeout(context.Background(), streamAsk)
		for _, st := range some {
			if err := st.look(ctx, failed); err != nil {
				failed = err
			}
		}
		cancel()
	}
}
