package policy

import (
	"net/netip"
	"slices"
	"time"
)

// Bounds of a history.
const (
	// MaxValues is how many distinct values of a kind are kept, those used last.
	MaxValues = 50
	// MaxName bounds, in bytes, the name of a browser or a system.
	MaxName = 16
	// maxCount is where a count stays.
	maxCount = 1<<14 - 1
	// maxHours is when all hours are halved, so that habits can change.
	maxHours = 400
)

// History is what an account is used to, from the logins that ended verified.
// Times of values are whole days, which is all that a decision needs.
type History struct {
	// Logins is how many there were; First and Last are when, to the minute.
	Logins      int
	First, Last time.Time
	// Addresses are whole for IPv4 and /64 for IPv6, whose lower half changes by
	// itself; those not used for some time are shortened (see Age).
	Addresses []Value[netip.Prefix]
	// Networks are numbers of autonomous systems, 0 for addresses of none that is
	// known; Countries are ISO 3166-1 codes, ZZ for those of none.
	Networks  []Value[uint32]
	Countries []Value[string]
	Browsers  []Value[string]
	Systems   []Value[string]
	// Hours are logins by the hour of the day, in UTC.
	Hours [24]int
	// Place is where the last login was from of which that is known.
	Place Visited
}

// Value is one value of a kind, with how often and on which days it was seen.
type Value[K comparable] struct {
	Key         K
	Count       int
	First, Last Day
}

// Visited is a place with its time, to the minute.
type Visited struct {
	// Latitude and Longitude are degrees, Radius their accuracy in kilometres.
	Latitude, Longitude float64
	Radius              int
	// At is zero if there is none.
	At time.Time
}

// Day is a day in UTC, counted from 1970-01-01.
type Day int32

// dayOf returns the day of a time.
func dayOf(t time.Time) Day { return Day(t.Unix() / (24 * 60 * 60)) }

// Time is the beginning of the day.
func (d Day) Time() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// String writes the day as 2006-01-02.
func (d Day) String() string { return d.Time().Format(time.DateOnly) }

// IsZero reports whether nothing is known yet.
func (h *History) IsZero() bool { return h.Logins == 0 }

// Learn adds a login that ended verified. What is unknown of it leaves no trace.
func (h *History) Learn(f *Facts) {
	now := f.Time.UTC().Truncate(time.Minute)
	if h.Logins == 0 {
		h.First = now
	}
	h.Logins = min(h.Logins+1, 1<<30)
	if now.After(h.Last) {
		h.Last = now
	}
	today := dayOf(now)
	if p := prefixOf(f.Address); p.IsValid() {
		h.Addresses = learn(h.Addresses, p, today)
	}
	if f.Place.Network != 0 || f.Place.NetworkKnown {
		h.Networks = learn(h.Networks, f.Place.Network, today)
	}
	if c := f.Place.country(); c != "" {
		h.Countries = learn(h.Countries, c, today)
	}
	if b := name(f.Agent.Browser); b != "" {
		h.Browsers = learn(h.Browsers, b, today)
	}
	if s := name(f.Agent.System); s != "" {
		h.Systems = learn(h.Systems, s, today)
	}
	h.learnHour(now.Hour())
	if f.Place.Located && !f.Place.Egress && f.Place.Anonymous == "" {
		h.Place = Visited{Latitude: f.Place.Latitude, Longitude: f.Place.Longitude, Radius: f.Place.Radius, At: now}
	}
}

func (h *History) learnHour(hour int) {
	h.Hours[hour]++
	total := 0
	for _, n := range h.Hours {
		total += n
	}
	if total <= maxHours {
		return
	}
	for i := range h.Hours {
		h.Hours[i] /= 2
	}
}

// learn notes that a value was seen. Where there are too many, the one goes
// that was used longest ago, and of those the one used least.
func learn[K comparable](values []Value[K], key K, today Day) []Value[K] {
	for i := range values {
		v := &values[i]
		if v.Key == key {
			v.Count, v.Last = min(v.Count+1, maxCount), max(v.Last, today)
			return values
		}
	}
	if len(values) >= MaxValues {
		values = withoutOldest(values)
	}
	return append(values, Value[K]{Key: key, Count: 1, First: today, Last: today})
}

// withoutOldest removes the value that was used longest ago, and of several the
// one used least.
func withoutOldest[K comparable](values []Value[K]) []Value[K] {
	if len(values) == 0 {
		return values
	}
	oldest := 0
	for i := range values {
		if a, b := &values[i], &values[oldest]; a.Last < b.Last || a.Last == b.Last && a.Count < b.Count {
			oldest = i
		}
	}
	return slices.Delete(values, oldest, oldest+1)
}

// find returns a value by its key.
func find[K comparable](values []Value[K], key K) (Value[K], bool) {
	for i := range values {
		if values[i].Key == key {
			return values[i], true
		}
	}
	return Value[K]{}, false
}

// prefixOf is the form in which an address is kept; invalid if it is none.
func prefixOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

func isCountry(code string) bool {
	return len(code) == 2 && 'A' <= code[0] && code[0] <= 'Z' && 'A' <= code[1] && code[1] <= 'Z'
}

// name is a name as it is kept and compared.
func name(s string) string {
	if len(s) > MaxName {
		return s[:MaxName]
	}
	return s
}

// Knows reports whether the account was used from an address before, on an earlier
// day. An address that is unknown is not known.
func (h *History) Knows(a netip.Addr, now time.Time) bool {
	p := prefixOf(a)
	if !p.IsValid() {
		return false
	}
	v, ok := find(h.Addresses, p)
	return ok && v.First < dayOf(now)
}
