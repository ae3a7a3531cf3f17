package twofactor

import (
	"context"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// stores keeps the stores of all configs that are loaded at this moment, by
// what they connect to. While Caddy reloads, the old and the new config
// overlap, and both hold a reference to the same open store.
var stores = caddy.NewUsagePool()

// pooledStore is a store that is opened when it is first asked for, not when
// it is put into the pool: `caddy validate` goes as far as the pool.
type pooledStore struct {
	guest StoreGuest

	mu   sync.Mutex
	open store.Store

	// told are the users who were told of wrong codes; see courier.
	told toldUsers
}

// get opens the store, or returns the one that is open.
func (p *pooledStore) get(ctx context.Context) (store.Store, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != nil {
		return p.open, nil
	}
	s, err := p.guest.Open(ctx)
	if err != nil {
		return nil, err
	}
	p.open = s
	return s, nil
}

// isOpen reports whether the store is open.
func (p *pooledStore) isOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open != nil
}

// Destruct closes the store when nothing refers to it any more.
func (p *pooledStore) Destruct() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		return nil
	}
	s := p.open
	p.open = nil
	if err := s.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// acquireStore takes a reference to the store that the guest connects to;
// releaseStore gives it back.
func acquireStore(guest StoreGuest) (*pooledStore, error) {
	v, _, err := stores.LoadOrNew(guest.PoolKey(), func() (caddy.Destructor, error) {
		return &pooledStore{guest: guest}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return v.(*pooledStore), nil
}

func releaseStore(guest StoreGuest) error {
	_, err := stores.Delete(guest.PoolKey())
	return err
}

var _ caddy.Destructor = (*pooledStore)(nil)
