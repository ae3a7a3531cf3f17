package fields

import (
	"io"
	"net/http"
)

// watchChunk is how much of a watched body is judged at once, and so how far
// the app lags behind, in bytes.
const watchChunk = 32 << 10

// Watch replaces r.Body, for a body that is not Whole, by a reader that judges
// all of it from its first byte while it streams, in bounded memory. The app
// gets a chunk only when the next one, or the end, has been judged: it never
// has the whole body before all of it was. Once both fields have been met,
// those of the query counted, reading fails with ErrMet, Met is true and met
// has been called once. A body that cannot be read for certain counts as met
// if it may carry the fields.
//
// Watch may be called for several logins, before the body is read on.
func (b *Body) Watch(r *http.Request, user, password string, met func()) {
	if b.whole || r.Body == nil {
		return
	}
	c := newCollector(user, password)
	readQuery(r, c)
	f := newLoginFinder(c)
	f.guessing = b.media.kind == kindUnknown
	b.watch(r, newJudge(b.media, f, c.depth()), met)
}

func (b *Body) watch(r *http.Request, j *judge, met func()) {
	one := watcher{j, func() {
		b.met.Store(true)
		if met != nil {
			met()
		}
	}}
	if w, ok := r.Body.(*watched); ok && w.bufs[0] == nil && !w.free {
		w.all = append(w.all, one)
		return
	}
	r.Body = &watched{src: r.Body, all: []watcher{one}}
}

// watcher is a judge of a watched body, and what is called if it finds what it
// looks for.
type watcher struct {
	*judge
	met func()
}

// watched is a body that is judged one chunk ahead.
type watched struct {
	src io.ReadCloser
	all []watcher

	bufs   [2][]byte
	ready  []byte // judged, and so is what comes after it
	ahead  []byte // judged
	turn   int
	err    error // what the source ended with
	failed bool
	free   bool // nothing more needs to be judged
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	for len(w.ready) == 0 {
		if w.failed {
			return 0, ErrMet
		}
		if w.free && len(w.ahead) == 0 && w.err == nil {
			return w.src.Read(p)
		}
		if w.err != nil && len(w.ahead) == 0 {
			return 0, w.err
		}
		if w.err != nil || w.free {
			w.ready, w.ahead = w.ahead, nil
			break
		}
		w.advance()
	}
	n := copy(p, w.ready)
	w.ready = w.ready[n:]
	return n, nil
}

// advance reads and judges the next chunk; the one before it is ready then.
func (w *watched) advance() {
	buf := w.bufs[w.turn]
	if buf == nil {
		buf = make([]byte, watchChunk)
		w.bufs[w.turn] = buf
	}
	n, err := w.src.Read(buf)
	idle := true
	for _, one := range w.all {
		one.feed(buf[:n], err == io.EOF)
		if one.found() {
			w.failed = true
			one.met()
			return
		}
		idle = idle && one.idle()
	}
	w.err = err
	if err != nil && err != io.EOF {
		w.ready, w.ahead = nil, nil // the end was never judged
		return
	}
	w.free = idle
	if n == 0 {
		return
	}
	w.turn = 1 - w.turn
	w.ready, w.ahead = w.ahead, buf[:n]
}

// Close closes the body that is watched.
func (w *watched) Close() error { return w.src.Close() }
