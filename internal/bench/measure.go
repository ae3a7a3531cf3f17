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

// sample asks a contender once, in full speed.
func (s *stage) sample(ctx context.Context, c *contender, to *samples) error {
	allocBefore, err := c.at.allocated(ctx)
	if err != nil {
		return err
	}
	cpuBefore, err := c.at.cpu()
	if err != nil {
		return err
	}
	besideBefore := 0.0
	if c.beside != nil {
		if besideBefore, err = c.beside.cpu(); err != nil {
			return err
		}
	}
	l, err := wrk(ctx, c.at.address, c.path, c.cookies, s.seconds)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	cpu, err := c.at.cpu()
	if err != nil {
		return err
	}
	alloc, err := c.at.allocated(ctx)
	if err != nil {
		return err
	}
	n := float64(l.requests)
	to.rate = append(to.rate, l.rate)
	to.cpu = append(to.cpu, (cpu-cpuBefore)/n*1000)
	to.bytes = append(to.bytes, float64(alloc.TotalAlloc-allocBefore.TotalAlloc)/n)
	to.objects = append(to.objects, float64(alloc.Mallocs-allocBefore.Mallocs)/n)
	if c.beside != nil {
		beside, err := c.beside.cpu()
		if err != nil {
			return err
		}
		to.beside = append(to.beside, (beside-besideBefore)/n*1000)
	}
	return nil
}

// results are the samples of all contenders.
type results map[*contender]*samples

// measure asks all contenders in turn, in rounds, each round beginning with
// another one, until the intervals are narrow enough or there were the most
// rounds.
func (s *stage) measure(ctx context.Context, all []*contender) (results, error) {
	r := results{}
	for _, c := range all {
		r[c] = &samples{}
		if _, err := wrk(ctx, c.at.address, c.path, c.cookies, 1); err != nil {
			return nil, fmt.Errorf("%s: warming up: %w", c.name, err)
		}
	}
	for round := 0; round < s.rounds || round < s.most && !r.narrow(); round++ {
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
