package geo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"
)

// watched is a file that is looked at.
type watched struct {
	path string
	// done is the file as it was when it was last read, for good or bad.
	done os.FileInfo
	// seen is the file at the last look.
	seen os.FileInfo
	// told is what the log was last told of it, empty if all is well.
	told string
	// load reads the file again and returns the state with it in place of the
	// old one, and the file as it was read.
	load func(old *state) (*state, os.FileInfo, error)
}

// Watch looks at the files until the context ends, and puts what has changed
// into use. It is called once.
func (r *Reader) Watch(ctx context.Context) {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.look()
		}
	}
}

// look looks at each file once.
func (r *Reader) look() {
	for _, w := range r.watched {
		r.lookAt(w)
	}
}

// lookAt reads a file again that has changed, once it stays the same from one
// look to the next: until then somebody may be writing it, and half a list is a
// list too.
func (r *Reader) lookAt(w *watched) {
	info, err := os.Stat(w.path)
	if err != nil {
		w.seen = nil
		r.keep(w, fmt.Errorf("it cannot be looked at: %w", err))
		return
	}
	if unchanged(info, w.done) {
		w.seen, w.told = info, ""
		return
	}
	if !unchanged(info, w.seen) {
		w.seen = info
		// What comes of another change is told again.
		w.told = ""
		return
	}
	next, read, err := w.load(r.state.Load())
	if err != nil {
		if errors.As(err, new(brokenError)) {
			w.done = info
		}
		r.keep(w, err)
		return
	}
	w.done, w.told = read, ""
	r.state.Store(next)
	r.count(w.path, Loaded)
	r.log.Info("a file of networks has changed and is in use", zap.String("file", w.path))
}

// keep tells, once per change, that the old file stays in use.
func (r *Reader) keep(w *watched, err error) {
	if w.told == err.Error() {
		return
	}
	w.told = err.Error()
	r.count(w.path, Refused)
	r.log.Error("a file of networks has changed and cannot be used; the one before stays in use: put a whole file in its place, it is then read by itself", zap.String("file", w.path), zap.Error(err))
}

// watchDatabase watches the database at a place of the order.
func (r *Reader) watchDatabase(i int, d *database) *watched {
	path := d.path // alone, or the first database would never leave the memory
	return &watched{path: path, done: d.info, load: func(old *state) (*state, os.FileInfo, error) {
		fresh, err := openDatabase(path)
		if err != nil {
			return nil, nil, err
		}
		// A decision may hang on what the old one tells.
		if lost := old.databases[i].tells &^ fresh.tells; lost != 0 {
			return nil, nil, brokenError{fmt.Errorf("the new database no longer tells %s: reload the config if that is meant", lost)}
		}
		next := &state{databases: slices.Clone(old.databases), lists: old.lists}
		next.databases[i] = fresh
		if err := next.assign(); err != nil {
			return nil, nil, brokenError{err}
		}
		return next, fresh.info, nil
	}}
}

// watchList watches the list at a place of the order.
func (r *Reader) watchList(i int, l *list) *watched {
	named := l.List // alone, as above
	return &watched{path: l.File, done: l.info, load: func(old *state) (*state, os.FileInfo, error) {
		fresh, err := openList(named)
		if err != nil {
			return nil, nil, err
		}
		next := &state{databases: old.databases, lists: slices.Clone(old.lists)}
		next.lists[i] = fresh
		if err := next.assign(); err != nil {
			return nil, nil, brokenError{err}
		}
		return next, fresh.info, nil
	}}
}
