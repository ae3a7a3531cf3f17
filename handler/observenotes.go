package handler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Bounds of what a watching gate does beside the requests.
const (
	// flushAfter is how long notes wait for others before they are written.
	flushAfter = 2 * time.Second
	// maxPending is how many entries may wait.
	maxPending = 2000
	// maxLooks is how many answers to logins are looked at at once.
	maxLooks = 32
	// maxRefusals is how many things are named that enforcing would refuse.
	maxRefusals = 200
	// failEvery is how often at most it is said that something fails.
	failEvery = 10 * time.Second
)

// watcher keeps what a gate in `mode observe` sees: each thing is logged once
// by it, and written to the store with others, so that watching costs little.
type watcher struct {
	g     *Gate
	looks chan struct{}

	mu sync.Mutex
	// known is what was seen since the config was loaded, by kind and key.
	known map[store.SeenKind]map[string]store.SeenMarks
	// set are cookies that the answers to logins have set, which are noted when
	// it is known what the answers say; a browser may send them before.
	set map[string]bool
	// refusals are what it was said of that it would be refused.
	refusals map[string]bool
	full     map[string]bool
	failed   time.Time

	pending map[seenKey]*store.Seen
	// lease keeps the store until what is pending is written.
	lease Lease
	timer *time.Timer
}

type seenKey struct {
	kind store.SeenKind
	key  string
}

func newWatcher(g *Gate) *watcher {
	return &watcher{
		g: g, looks: make(chan struct{}, maxLooks), full: make(map[string]bool), set: make(map[string]bool), refusals: make(map[string]bool),
		known: make(map[store.SeenKind]map[string]store.SeenMarks), pending: make(map[seenKey]*store.Seen),
	}
}

// cookie notes a cookie, if there is anything new in it.
func (w *watcher) cookie(kind store.SeenKind, name string, marks store.SeenMarks, now time.Time) {
	name = bounded(name, store.MaxSeenKey)
	w.mu.Lock()
	had, known := w.known[kind][name]
	if !known && kind == store.SeenSent {
		_, known = w.known[store.SeenCookie][name]
		known = known || w.set[name]
	}
	w.mu.Unlock()
	if known && had|marks == had {
		return
	}
	first := w.note(store.Seen{Instance: w.g.Instance, Kind: kind, Key: name, Marks: marks, Count: 1, First: now, Last: now})
	if !first {
		return
	}
	msg := "observed: a cookie that enforcing would seal; if a script must read or set it and it is no credential, declare it readable"
	if kind == store.SeenSent {
		msg = "observed: a cookie that enforcing would take off, unless the app sets it anew; if a script sets it and it is no credential, declare it readable"
	}
	w.g.Logger.Info(msg, zap.String("cookie", name), zap.Bool("http_only", marks&store.SeenHTTPOnly != 0), zap.Bool("at_login", marks&store.SeenAtYes != 0))
}

// isSet notes that the answer to a login sets a cookie.
func (w *watcher) isSet(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.set) < store.SeenCookie.Max() {
		w.set[bounded(name, store.MaxSeenKey)] = true
	}
}

// note keeps what was seen for the next write. It returns whether this is the
// first time that it is seen, and there was room to remember it.
func (w *watcher) note(s store.Seen) (first bool) {
	// Names of cookies and paths are bytes of the client's.
	s.Key, s.Detail = strings.ToValidUTF8(s.Key, "?"), strings.ToValidUTF8(s.Detail, "?")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known[s.Kind] == nil {
		w.known[s.Kind] = make(map[string]store.SeenMarks)
	}
	known := w.known[s.Kind]
	had, ok := known[s.Key]
	switch {
	case ok:
		known[s.Key] = had | s.Marks
	case len(known) >= s.Kind.Max():
		w.tellFull(string(s.Kind), s.Kind.Max())
		return false
	default:
		known[s.Key], first = s.Marks, true
	}
	w.keep(s)
	return first
}

// keep adds to what is pending. The lock is held.
func (w *watcher) keep(s store.Seen) {
	k := seenKey{s.Kind, s.Key}
	if p := w.pending[k]; p != nil {
		p.Merge(s)
		return
	}
	if len(w.pending) >= maxPending {
		w.tellFull("pending", maxPending)
		return
	}
	if w.lease == nil {
		lease, err := w.g.Lease()
		if err != nil {
			return
		}
		w.lease = lease
		w.timer = time.AfterFunc(flushAfter, w.flush)
	}
	w.pending[k] = &s
}

// flush writes what is pending.
func (w *watcher) flush() {
	w.mu.Lock()
	lease, pending := w.lease, slices.Collect(maps.Values(w.pending))
	if w.timer != nil {
		w.timer.Stop()
	}
	w.lease, w.timer = nil, nil
	clear(w.pending)
	w.mu.Unlock()
	if lease == nil {
		return
	}
	defer lease.Release()
	list := make([]store.Seen, 0, len(pending))
	for _, s := range pending {
		list = append(list, *s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeWait)
	defer cancel()
	full, err := lease.Parts().Store.NoteSeen(ctx, list)
	if err != nil {
		w.fails("what was seen cannot be written", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range full {
		w.tellFull(string(kind), kind.Max())
	}
}

// isKnown reports whether this was seen since the config was loaded.
func (w *watcher) isKnown(kind store.SeenKind, key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.known[kind][key]
	return ok
}

// isNewRefusal reports whether it has not been said yet that this would be
// refused, and notes that it is.
func (w *watcher) isNewRefusal(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refusals[what] {
		return false
	}
	if len(w.refusals) >= maxRefusals {
		w.tellFull("refused", maxRefusals)
		return false
	}
	w.refusals[what] = true
	return true
}

// tellFull says once that no more of something is kept. The lock is held.
func (w *watcher) tellFull(what string, most int) {
	if w.full[what] {
		return
	}
	w.full[what] = true
	w.g.Logger.Warn("observed: more was seen than is kept, so that what follows is left out", zap.String("kind", what), zap.Int("kept", most))
}

// fails says, not too often, that something could not be observed. The
// requests go on.
func (w *watcher) fails(what string, err error) {
	now := w.g.Clock()
	w.mu.Lock()
	quiet := now.Sub(w.failed) < failEvery
	if !quiet {
		w.failed = now
	}
	w.mu.Unlock()
	if !quiet {
		w.g.Logger.Error("observed: "+what, zap.Error(err))
	}
}

// lookLater looks at an answer beside the request that it has gone out with.
func (v *visit) lookLater(look func()) {
	w := v.g.watch
	select {
	case w.looks <- struct{}{}:
	default:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tellFull("logins at once", maxLooks)
		return
	}
	go func() {
		defer func() { <-w.looks }()
		// Nobody else catches it here, and it would end Caddy.
		defer func() {
			if p := recover(); p != nil {
				w.fails("an answer cannot be looked at", fmt.Errorf("panic: %v", p))
			}
		}()
		look()
	}()
}

// WriteSeen writes what a gate in `mode observe` has seen and not written yet;
// it does nothing in any other mode.
func (g *Gate) WriteSeen() {
	if g.watch != nil {
		g.watch.flush()
	}
}
