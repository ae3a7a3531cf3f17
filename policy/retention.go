package policy

import (
	"net/netip"
	"slices"
	"time"
)

// Retention says how long a history keeps what it knows (rule 30).
type Retention struct {
	// Shorten is after how long without use an address is shortened to its /24,
	// of IPv6 its /48, and after how long the place of the last login is
	// forgotten.
	Shorten time.Duration
	// Forget is after how long without use a value is removed, whatever it is.
	Forget time.Duration
}

// DefaultRetention shortens after 30 days and forgets after 180.
var DefaultRetention = Retention{Shorten: 30 * 24 * time.Hour, Forget: 180 * 24 * time.Hour}

// Age shortens and forgets what is old at the given time. A history of which
// nothing was used for so long becomes the zero history.
func (h *History) Age(r Retention, now time.Time) {
	if h.Logins > 0 && now.Sub(h.Last) > r.Forget {
		*h = History{}
		return
	}
	if !h.Place.At.IsZero() && now.Sub(h.Place.At) > r.Shorten {
		h.Place = Visited{}
	}
	old, today := days(r.Forget), dayOf(now)
	h.Addresses = forget(h.Addresses, today-old)
	h.Networks = forget(h.Networks, today-old)
	h.Countries = forget(h.Countries, today-old)
	h.Browsers = forget(h.Browsers, today-old)
	h.Systems = forget(h.Systems, today-old)
	h.shorten(today - days(r.Shorten))
}

func days(d time.Duration) Day { return Day(d / (24 * time.Hour)) }

func forget[K comparable](values []Value[K], before Day) []Value[K] {
	return slices.DeleteFunc(values, func(v Value[K]) bool { return v.Last < before })
}

// shorten joins the addresses that were last used before a day into their
// shortened prefixes.
func (h *History) shorten(before Day) {
	var joined []Value[netip.Prefix]
	h.Addresses = slices.DeleteFunc(h.Addresses, func(v Value[netip.Prefix]) bool {
		if v.Last >= before {
			return false
		}
		v.Key = shortened(v.Key)
		for i := range joined {
			if j := &joined[i]; j.Key == v.Key {
				j.Count = min(j.Count+v.Count, maxCount)
				j.First, j.Last = min(j.First, v.First), max(j.Last, v.Last)
				return true
			}
		}
		joined = append(joined, v)
		return true
	})
	h.Addresses = append(joined, h.Addresses...)
}

// shortened is a prefix as it is kept when it is old.
func shortened(p netip.Prefix) netip.Prefix {
	bits := 24
	if p.Addr().Is6() {
		bits = 48
	}
	if p.Bits() <= bits {
		return p
	}
	return netip.PrefixFrom(p.Addr(), bits).Masked()
}
