package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestTheOpenLoopAsksAtItsRate(t *testing.T) {
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/page" || r.Header.Get("Cookie") != "a=b" {
			t.Errorf("asked for %s with %q", r.URL.Path, r.Header.Get("Cookie"))
		}
		asked.Add(1)
		_, _ = io.WriteString(w, "a page")
	}))
	defer srv.Close()
	began := time.Now()
	l, err := openLoop(t.Context(), srv.Listener.Addr().String(), "/page", "a=b", 400, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if n := asked.Load(); n != 400 {
		t.Errorf("%d requests, want 400", n)
	}
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("they were asked in %s, want a second", took)
	}
	if l.p50 <= 0 || l.p50 > l.p99 || l.p99 > 900*time.Millisecond {
		t.Errorf("got %+v", l)
	}
}

func TestAStallIsChargedToWhatShouldHaveBeenAskedMeanwhile(t *testing.T) {
	// The server stands still for half a second, for all connections.
	var stalls sync.RWMutex
	var once sync.Once
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() {
			stalls.Lock()
			time.AfterFunc(500*time.Millisecond, stalls.Unlock)
		})
		stalls.RLock()
		defer stalls.RUnlock()
	}))
	defer srv.Close()
	// 500 of 1,000 requests are to be sent while it does, over 64 connections:
	// measured from when they were sent, fewer than 64 would be late.
	l, err := openLoop(t.Context(), srv.Listener.Addr().String(), "/", "", 1000, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if l.p99 < 400*time.Millisecond {
		t.Errorf("p99 is %s, want nearly the half second of the stall", l.p99)
	}
	if l.p50 < time.Millisecond {
		t.Errorf("p50 is %s: half of the requests were due in the stall", l.p50)
	}
}

func TestAnAnswerThatIsNoSuccessEndsTheOpenLoop(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	_, err := openLoop(t.Context(), srv.Listener.Addr().String(), "/", "", 100, 100*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
	if _, err := openLoop(t.Context(), srv.Listener.Addr().String(), "/", "", 1, 100*time.Millisecond); err == nil {
		t.Error("a rate too low for one request is taken")
	}
}

func TestTheClosedLoopAsksOneAfterTheOther(t *testing.T) {
	var asked, at atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		if at.Add(1) > 1 {
			t.Error("two are asked at once")
		}
		at.Add(-1)
	}))
	defer srv.Close()
	if err := closedLoop(t.Context(), srv.Listener.Addr().String(), "/", "a=b", 50); err != nil {
		t.Fatal(err)
	}
	if n := asked.Load(); n != 50 {
		t.Errorf("%d requests, want 50", n)
	}
}
