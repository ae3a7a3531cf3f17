package policy

import "strconv"

// newNetwork is an autonomous system that the account has not been used from.
type newNetwork struct{}

func (newNetwork) look(f *Facts, h *History) finding {
	as := "AS" + strconv.FormatUint(uint64(f.Place.Network), 10)
	switch {
	case f.Place.Network != 0:
	case f.Place.NetworkKnown:
		as = "a network that the database does not have"
	default:
		return finding{Unknown, "the network is unknown"}
	}
	if v, ok := find(h.Networks, f.Place.Network); ok {
		return quiet(as + ", last used on " + v.Last.String())
	}
	return finding{Seen, "a new network, " + as}
}
