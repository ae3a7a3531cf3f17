package handler

import (
	"context"
	"encoding/hex"
	"net/netip"
	"slices"
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

// maxTriedNames bounds of how many names of an account failures are counted.
const maxTriedNames = 8

// addTries adds to the facts of a login which passwords failed before it: for
// the name that was typed, and for the others by which the app takes its user.
func (g *Gate) addTries(ctx context.Context, p *Parts, f *policy.Facts, typed string, acc *account.Account) error {
	q := store.TriesQuery{Instance: g.Instance}
	if f.Address.IsValid() {
		q.Address = account.TryAddress(f.Address)
	}
	names := append([]string{account.Fold(typed), acc.ID}, acc.Aliases...)
	slices.Sort(names[1:])
	names = slices.Compact(names)
	for i, name := range names[:min(len(names), maxTriedNames)] {
		if i > 0 && name == names[0] {
			continue
		}
		q.Name = g.typedName(p.Ring, name)
		seen, err := p.Store.Tries(ctx, q, f.Time)
		if err != nil {
			return err
		}
		f.NameFailures += seen.NameFailures
		f.AddressFailures, f.AddressNames = seen.AddressFailures, seen.AddressNames
	}
	return nil
}
