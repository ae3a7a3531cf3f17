package twofactor

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// ErrClosed means that the config was unloaded and its store is closed. What
// the store would have been asked for stays closed too.
var ErrClosed = errors.New("the store is closed: this config was unloaded")

// Lease is the use of the store and the keys for as long as a request runs. A
// reload that takes both away waits for the last lease before it closes them.
type Lease struct {
	parts    *handler.Parts
	from     *shared
	late     bool
	released atomic.Bool
}

// lease is App.Lease.
func (s *shared) lease() (*Lease, error) {
	if !s.gate.enter() {
		return s.lateLease()
	}
	parts := s.parts.Load()
	if parts == nil {
		var err error
		if parts, err = s.open(context.Background()); err != nil {
			s.gate.leave()
			return nil, err
		}
	}
	return &Lease{parts: parts, from: s}, nil
}

// requestLease is a lease on a config that has not ended, for one request: it
// is the shared part itself and so costs nothing. It must be released once.
type requestLease shared

func (l *requestLease) Parts() *handler.Parts { return l.parts.Load() }
func (l *requestLease) Release()              { l.gate.leave() }

// requestLease is lease for the way of a request.
func (s *shared) requestLease() (handler.Lease, error) {
	if s.parts.Load() == nil || !s.gate.enter() {
		return s.lease()
	}
	return (*requestLease)(s), nil
}

// lateLease serves a request that reaches a config after its end, on a
// connection that was still open: it is let in if another config has the same
// store open, and keeps it open with a reference of its own.
func (s *shared) lateLease() (*Lease, error) {
	parts := s.parts.Load()
	if parts == nil {
		return nil, ErrClosed
	}
	p, err := acquireStore(s.guest)
	if err != nil {
		return nil, err
	}
	if p != s.pooled || !p.isOpen() {
		s.releaseStore()
		return nil, ErrClosed
	}
	return &Lease{parts: parts, from: s, late: true}, nil
}

// Parts returns the store, the keys and the challenge service. They must not
// be used after Release.
func (l *Lease) Parts() *handler.Parts { return l.parts }

// Release ends the lease. A second call does nothing.
func (l *Lease) Release() {
	if !l.released.CompareAndSwap(false, true) {
		return
	}
	if l.late {
		l.from.releaseStore()
		return
	}
	l.from.gate.leave()
}

var _ handler.Lease = (*Lease)(nil)
