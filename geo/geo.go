// Package geo tells where an address is: its country, its location, the
// network that it belongs to, and whether that network hides who uses it. It
// reads databases in MaxMind's format (MaxMind's own, DB-IP's, and flat ones)
// and plain lists of networks, from files of the operator's; none is shipped.
//
// A file is read into memory, never mapped: whoever rewrites a mapped file in
// place kills the process that reads it. A file that changes is read again
// beside the old one, which stays in use until the new one is known to be good.
package geo

import "slices"

// Kind is what a network is known for.
type Kind string

// The kinds. The first four are those of lists of anonymous networks.
const (
	Tor     Kind = "tor"     // an exit of the Tor network
	VPN     Kind = "vpn"     // an anonymous VPN
	Proxy   Kind = "proxy"   // a public or residential proxy
	Hosting Kind = "hosting" // a hosting provider, where few people sit
	// Anonymous is what only a database says: that a network is anonymous, and
	// not by what.
	Anonymous Kind = "anonymous"
	// Egress is a known way out of a company or a relay, from where a person's
	// address tells nothing of the person's place.
	Egress Kind = "egress"
)

// ListKinds are the kinds that a list may have, in the order in which one that
// an address has wins over another.
func ListKinds() []Kind { return []Kind{Tor, VPN, Proxy, Hosting, Egress} }

// strength orders the anonymous kinds; what says most of an address wins.
func strength(k Kind) int {
	return slices.Index([]Kind{"", Anonymous, Hosting, Proxy, VPN, Tor}, k)
}

// DefaultRadiusKm is how far from its location an address may be where the
// database does not say: about the size of a region.
const DefaultRadiusKm = 200

// maxRadiusKm is half the circumference of the earth: nothing is farther away.
const maxRadiusKm = 20037

// Place is what is known of an address. Its zero value is an address of which
// nothing is known.
type Place struct {
	// Country is the ISO 3166-1 code in upper case, empty if it is unknown.
	Country string
	// HasLocation says whether the next three are known.
	HasLocation bool
	// Latitude and Longitude are in degrees.
	Latitude, Longitude float64
	// RadiusKm is how far from there the address may be, in kilometres;
	// DefaultRadiusKm where the database does not say.
	RadiusKm float64
	// ASN is the number of the network (autonomous system), 0 if it is unknown.
	ASN uint32
	// Organisation is the network's name, at most 100 bytes of text without
	// control characters; empty if it is unknown.
	Organisation string
	// Anonymous is how the address hides who uses it: Tor, VPN, Proxy, Hosting,
	// Anonymous or, if nothing is known of that, empty.
	Anonymous Kind
	// Egress says that the address stands in a list of egress networks.
	Egress bool
}

// Knowledge is what a reader can be asked at all. An answer that is empty means
// something only where it is known.
type Knowledge struct {
	Country, Location, Network, Anonymous bool
}

// questions is a set of what can be asked of a database.
type questions uint8

const (
	askCountry questions = 1 << iota
	askLocation
	askNetwork
	askAnonymous
)

// has reports whether all of others are in q.
func (q questions) has(others questions) bool { return q&others == others }

// String names them in words, for errors and logs.
func (q questions) String() string {
	words := ""
	for _, w := range []struct {
		q    questions
		word string
	}{{askCountry, "country"}, {askLocation, "location"}, {askNetwork, "network"}, {askAnonymous, "anonymous networks"}} {
		if !q.has(w.q) {
			continue
		}
		if words != "" {
			words += ", "
		}
		words += w.word
	}
	return words
}
