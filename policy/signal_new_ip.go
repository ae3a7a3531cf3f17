package policy

import "net/netip"

// newAddress is an address that the account has not been used from. An address
// that is unknown is as new as one can be.
type newAddress struct{}

func (newAddress) look(f *Facts, h *History) finding {
	p := prefixOf(f.Address)
	if !p.IsValid() {
		return finding{Seen, "the address is unknown"}
	}
	if v, ok := find(h.Addresses, p); ok {
		return quiet("an address last used on " + v.Last.String())
	}
	if v, ok := around(h, p.Addr()); ok {
		return finding{Faded, "a new address; one of " + v.Key.String() + " was used until " + v.Last.String()}
	}
	return finding{Seen, "a new address, " + f.Address.Unmap().WithZone("").String()}
}

// around finds a shortened prefix that an address lies in.
func around(h *History, a netip.Addr) (Value[netip.Prefix], bool) {
	for _, v := range h.Addresses {
		if v.Key.Contains(a) {
			return v, true
		}
	}
	return Value[netip.Prefix]{}, false
}
