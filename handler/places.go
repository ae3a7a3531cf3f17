package handler

import (
	"net/netip"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// Places tells where an address is. It must not block.
type Places interface {
	// Look returns what is known of an address.
	Look(netip.Addr) policy.Place
	// Data says of what there are data.
	Data() policy.Data
}

// placeOf is what is known of an address; nothing where there are no data.
func (g *Gate) placeOf(a netip.Addr) policy.Place {
	if g.Places == nil || !a.IsValid() {
		return policy.Place{}
	}
	return g.Places.Look(a)
}
