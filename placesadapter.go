package twofactor

import (
	"net/netip"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// knownPlaces tells the handlers what the databases and lists say.
type knownPlaces struct{ reader *geo.Reader }

func (p knownPlaces) Look(a netip.Addr) policy.Place {
	found, knows := p.reader.Look(a), p.reader.Knows()
	return policy.Place{
		Country: found.Country, CountryKnown: knows.Country, Located: found.HasLocation, Latitude: found.Latitude, Longitude: found.Longitude,
		Radius: int(found.RadiusKm), Network: found.ASN, NetworkKnown: knows.Network,
		Anonymous: string(found.Anonymous), AnonymousKnown: knows.Anonymous, Egress: found.Egress,
	}
}

func (p knownPlaces) Data() policy.Data {
	k := p.reader.Knows()
	return policy.Data{Country: k.Country, Location: k.Location, Network: k.Network, Anonymous: k.Anonymous}
}

// Interface guard.
var _ handler.Places = knownPlaces{}
