package policy

import "strconv"

// newNetwork is an autonomous system that the account has not been used from.
type newNetwork struct{}

func (newNetwork) look(f *Facts, h *History) finding {
	if f.Place.Network == 0 {
		return finding{Unknown, "the network is unknown"}
	}
	as := "AS" + strconv.FormatUint(uint64(f.Place.Network), 10)
	if v, ok := find(h.Networks, f.Place.Network); ok {
		return quiet(as + ", last used on " + v.Last.String())
	}
	return finding{Seen, "a new network, " + as}
}
