package account

import (
	"net/netip"
	"time"
)

// TryWindow is how long a failed password counts.
const TryWindow = time.Hour

// Try is one failed password.
type Try struct {
	Instance string
	// Name is a keyed hash of the folded name that was typed, whether or not
	// there is such a user; zero if none could be read.
	Name TryName
	// Address is where it came from, see TryAddress; zero if that is not known.
	Address netip.Prefix
	At      time.Time
}

// TryName is a keyed hash of a folded name, so that what was typed (a password
// in the wrong field, too) is kept nowhere.
type TryName [8]byte

// TryAddress returns the addresses that count as one client: an IPv4 address
// alone, also where it is written as an IPv6 one, and of IPv6 the /64, since that
// is what one connection is given (RFC 6177). It returns the zero prefix for
// what is no address.
func TryAddress(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	if !a.IsValid() {
		return netip.Prefix{}
	}
	// It fails for no such length.
	p, _ := a.Prefix(min(a.BitLen(), 64))
	return p
}
