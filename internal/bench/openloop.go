package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// latency is how long answers took, from when their requests were to be sent.
type latency struct {
	p50, p99 time.Duration
}

// openLoop asks an address at a fixed rate, over as many connections as wrk has,
// whether it answers in time or not. Every request has a time at which it is to
// be sent; one that finds no connection free waits, and its wait counts. So a
// server that stalls is charged for all that should have been asked meanwhile.
func openLoop(ctx context.Context, address, path, cookies string, rate float64, length time.Duration) (latency, error) {
	ctx, cancel := context.WithTimeout(ctx, length+10*time.Second)
	defer cancel()
	request := requestFor(address, path, cookies)
	total := int64(rate * length.Seconds())
	if total < 1 {
		return latency{}, errors.New("the rate is too low for a single request")
	}
	var next atomic.Int64
	begin := time.Now().Add(50 * time.Millisecond)
	took := make([][]float64, wrkConnections)
	errs := make([]error, wrkConnections)
	var group sync.WaitGroup
	for i := range wrkConnections {
		group.Go(func() {
			took[i], errs[i] = asker{ctx, address, request}.ask(func() (time.Time, bool) {
				n := next.Add(1) - 1
				return begin.Add(time.Duration(float64(n) / rate * float64(time.Second))), n < total
			})
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return latency{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return latency{p50: time.Duration(quantile(all, 0.50)), p99: time.Duration(quantile(all, 0.99))}, nil
}

// closedLoop asks an address a number of times, one after the other, on one
// connection.
func closedLoop(ctx context.Context, address, path, cookies string, requests int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err := asker{ctx, address, requestFor(address, path, cookies)}.ask(func() (time.Time, bool) {
		requests--
		return time.Now(), requests >= 0
	})
	return err
}

func requestFor(address, path, cookies string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nCookie: " + cookies + "\r\n\r\n")
}

// asker is one connection.
type asker struct {
	ctx     context.Context
	address string
	request []byte
}

// ask sends the request at each time that next returns, or as soon after it as
// the connection is free, and returns the nanoseconds from that time to the end
// of the answer.
func (a asker) ask(next func() (time.Time, bool)) ([]float64, error) {
	conn, err := new(net.Dialer).DialContext(a.ctx, "tcp", a.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(a.ctx, func() { conn.Close() })()
	in := bufio.NewReaderSize(conn, 64<<10)
	var took []float64
	for {
		at, more := next()
		if !more {
			return took, nil
		}
		time.Sleep(time.Until(at))
		if _, err := conn.Write(a.request); err != nil {
			return nil, fmt.Errorf("open loop: %w", err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, fmt.Errorf("open loop: %w", err)
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("open loop: %w", err)
		}
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("open loop: the answer is %s", res.Status)
		}
		took = append(took, float64(time.Since(at)))
	}
}
