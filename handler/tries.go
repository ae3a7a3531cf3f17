package handler

import (
	"context"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// purposeName is the purpose of the key that typed names are hashed with.
const purposeName seal.Purpose = "audit-name"

// typedName is a keyed hash of a name as it was typed; zero if it is none. It is
// made of every login, whoever it names, so that it takes the same time (rule
// 26).
func (g *Gate) typedName(ring *seal.Ring, user string) (n account.TryName) {
	if folded := account.Fold(user); folded != "" {
		mac := ring.MAC(purposeName, []byte(g.Instance), []byte(folded))
		copy(n[:], mac[:])
	}
	return n
}

// nameHash is what an event says of a typed name.
func nameHash(n account.TryName) string {
	if n == (account.TryName{}) {
		return ""
	}
	return hex.EncodeToString(n[:nameHashBytes])
}

// addressOf is the prefix that counts as one client.
func addressOf(ip string) netip.Prefix {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Prefix{}
	}
	return account.TryAddress(a)
}

// noteTry notes a failed password.
func (g *Gate) noteTry(p *Parts, name account.TryName, ip string, now time.Time) {
	p.Store.NoteTry(account.Try{Instance: g.Instance, Name: name, Address: addressOf(ip), At: now})
}

// addTries adds to the facts of a login which passwords failed before it.
func (g *Gate) addTries(ctx context.Context, s store.Store, f *policy.Facts, name account.TryName) error {
	q := store.TriesQuery{Instance: g.Instance, Name: name}
	if f.Address.IsValid() {
		q.Address = account.TryAddress(f.Address)
	}
	seen, err := s.Tries(ctx, q, f.Time)
	if err != nil {
		return err
	}
	f.NameFailures, f.AddressFailures, f.AddressNames = seen.NameFailures, seen.AddressFailures, seen.AddressNames
	return nil
}
