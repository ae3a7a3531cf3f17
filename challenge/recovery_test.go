package challenge

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

func TestRule17NoMoreSlowHashesAtOnceThanProcessors(t *testing.T) {
	h := newHashing()
	if cap(h) != runtime.GOMAXPROCS(0) {
		t.Fatalf("%d slow hashes at once, want %d", cap(h), runtime.GOMAXPROCS(0))
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHashing()
		for range cap(h) {
			h <- struct{}{}
		}
		if _, err := h.hash(t.Context(), "code", []byte("salt")); !errors.Is(err, ErrBusy) {
			t.Errorf("one more gave %v, want ErrBusy", err)
		}
		<-h
		if _, err := h.hash(t.Context(), "code", []byte("salt")); err != nil {
			t.Errorf("with one free it gave %v", err)
		}
		<-h
		if len(h) != cap(h)-2 {
			t.Errorf("%d places are taken, want %d", len(h), cap(h)-2)
		}
	})
}

func TestRule17MoreTriesThanProcessorsAllEnd(t *testing.T) {
	h := newHashing()
	var wait sync.WaitGroup
	var mu sync.Mutex
	right := 0
	for range 3 * cap(h) {
		wait.Go(func() {
			_, err := h.hash(t.Context(), "code", []byte("salt"))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				right++
			} else if !errors.Is(err, ErrBusy) {
				t.Errorf("a try gave %v", err)
			}
		})
	}
	wait.Wait()
	if right < cap(h) || len(h) != 0 {
		t.Errorf("%d went well, %d places are taken", right, len(h))
	}
}
