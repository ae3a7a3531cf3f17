package handler

import (
	"context"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
)

// Values that are too large for a cookie when sealed are kept in the store.
// Visitors cause them too, so what they can fill is bounded.
const (
	// lineValueFor is how long a visitor's value is kept.
	lineValueFor = 24 * time.Hour
	// maxLineValues is how many values of visitors a node puts into the store
	// within lineValueFor: at 4 KB each, some 80 MB.
	maxLineValues = 20_000
)

// errTooManyValues means that visitors have filled their share of the store.
var errTooManyValues = errors.New("visitors have set too many cookies that are too large to be sealed: no more of them are kept for now")

// sessionSealer seals for a session.
func (v *visit) sessionSealer(s *account.Session) *sealer {
	return &sealer{v: v, standing: seal.Standing{Kind: seal.KindSession, ID: s.Standing}, until: s.Expires}
}

// keepValue puts a value in the store that would be too large when sealed. A
// value of the same cookie that the request came with is replaced, so that an
// app which sets it at every answer does not fill the store.
func (s *sealer) keepValue(ctx context.Context, name, value, path string) (string, error) {
	v := s.v
	handle := s.handleOf(name, path)
	if handle == "" {
		if s.standing.Kind == seal.KindLine && !v.g.lineValues.take(v.now) {
			return "", errTooManyValues
		}
		id, err := v.g.newStanding()
		if err != nil {
			return "", err
		}
		handle = hex.EncodeToString(id[:])
	}
	until := s.until
	if until.IsZero() {
		until = v.now.Add(lineValueFor)
	}
	sealed := v.parts.Ring.Seal(seal.PurposeCookie, []byte(handle), []byte(value), v.now)
	return handle, v.parts.Store.PutValue(ctx, handle, sealed, until)
}

// handleOf is the handle of the value that the request came with for a cookie
// of this name and path, if it is of the standing that is sealed for.
func (s *sealer) handleOf(name, path string) string {
	if s.standing.ID != s.v.standingID() {
		return ""
	}
	for i := range s.v.opened {
		if o := &s.v.opened[i]; o.handle != "" && o.name == name && o.attrs.Path == path {
			return o.handle
		}
	}
	return ""
}

// budget counts what is taken within lineValueFor, from the first taking on.
type budget struct {
	mu    sync.Mutex
	since time.Time
	taken int
}

func (b *budget) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.since) > lineValueFor {
		b.since, b.taken = now, 0
	}
	if b.taken >= maxLineValues {
		return false
	}
	b.taken++
	return true
}
