package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// samples are what was measured of one contender, one value for each round.
type samples struct {
	rate, cpu, beside, bytes, objects []float64
	p50, p99                          []float64 // in milliseconds
}

// counted is how many requests the bytes and allocations are counted over.
const counted = 2000

// sample asks a contender once: on one connection to count what is allocated,
// since connections that begin and end allocate too, and in full speed.
func (s *stage) sample(ctx context.Context, c *contender, to *samples) error {
	if err := s.count(ctx, c, to); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	before, err := c.cpu()
	if err != nil {
		return err
	}
	l, err := wrk(ctx, c.at.address, c.path, c.cookies, s.seconds)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	after, err := c.cpu()
	if err != nil {
		return err
	}
	thousands := float64(l.requests) / 1000
	to.rate = append(to.rate, l.rate)
	to.cpu = append(to.cpu, (after.own-before.own)/thousands)
	to.beside = append(to.beside, (after.beside-before.beside)/thousands)
	return nil
}

func (s *stage) count(ctx context.Context, c *contender, to *samples) error {
	before, err := c.at.allocated(ctx)
	if err != nil {
		return err
	}
	if err := closedLoop(ctx, c.at.address, c.path, c.cookies, counted); err != nil {
		return err
	}
	after, err := c.at.allocated(ctx)
	if err != nil {
		return err
	}
	to.bytes = append(to.bytes, float64(after.TotalAlloc-before.TotalAlloc)/counted)
	to.objects = append(to.objects, float64(after.Mallocs-before.Mallocs)/counted)
	return nil
}

// warmUp asks a contender until its Caddy has allocated what its heap may hold
// at most twice over: what was never used before costs the kernel time, and a
// Caddy that is asked by more contenders would be over it sooner.
func (s *stage) warmUp(ctx context.Context, c *contender) error {
	const enough = 2 * 300 << 20
	for range 30 {
		if _, err := wrk(ctx, c.at.address, c.path, c.cookies, 1); err != nil {
			return fmt.Errorf("%s: warming up: %w", c.name, err)
		}
		got, err := c.at.allocated(ctx)
		if err != nil || got.TotalAlloc >= enough {
			return err
		}
	}
	return nil
}

// results are the samples of all contenders.
type results map[*contender]*samples

// measure asks all contenders in turn, in rounds, each round beginning with
// another one; of the table that counts until the intervals are narrow enough
// or there were the most rounds.
func (s *stage) measure(ctx context.Context, all []*contender, counts bool) (results, error) {
	r := results{}
	for _, c := range all {
		r[c] = &samples{}
		if err := s.warmUp(ctx, c); err != nil {
			return nil, err
		}
	}
	for round := 0; round < s.rounds || counts && round < s.most && !r.narrow(); round++ {
		fmt.Fprintf(os.Stderr, "bench: round %d\n", round+1)
		for i := range all {
			c := all[(i+round)%len(all)]
			if err := s.sample(ctx, c, r[c]); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// narrow reports whether the CPU intervals of all contenders that have a gate
// are.
func (r results) narrow() bool {
	for c, got := range r {
		if c.gate != nil && !(pairedRatio(got.cpu, r[c.bare].cpu).width() <= maxWidth) {
			return false
		}
	}
	return true
}

// pace measures latency at half of what bare Caddy can serve.
func (s *stage) pace(ctx context.Context, all []*contender, r results) (rate float64, err error) {
	rate = median(r[all[0]].rate) / 2
	for round := range s.rounds {
		for i := range all {
			c := all[(i+round)%len(all)]
			if !c.paced {
				continue
			}
			l, err := openLoop(ctx, c.at.address, c.path, c.cookies, rate, time.Duration(s.seconds)*time.Second)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", c.name, err)
			}
			r[c].p50 = append(r[c].p50, float64(l.p50)/1e6)
			r[c].p99 = append(r[c].p99, float64(l.p99)/1e6)
		}
	}
	return rate, nil
}
