package policy

import (
	"net/netip"
	"time"
)

// Facts are what is known of one login when it is assessed. Their JSON form is
// what the audit log records and what a replay reads.
type Facts struct {
	// Time is when the password was right.
	Time time.Time `json:"time,omitzero"`
	// User is the user name as it was read, Account the account's key, and Group
	// the operator's name for a set of users.
	User    string `json:"user,omitempty"`
	Account string `json:"account,omitempty"`
	Group   string `json:"group,omitempty"`
	// Address is the client's address as Caddy determined it; the zero value
	// means that it is unknown, which is never the same as familiar.
	Address netip.Addr `json:"address,omitzero"`
	// Place is what the databases say of it.
	Place Place `json:"place,omitzero"`
	// Agent is what the browser says of itself.
	Agent Agent `json:"agent,omitzero"`
	// Device says what the browser's device cookie was worth.
	Device Device `json:"device,omitempty"`
	// NameFailures are failed passwords for this name in the last hour, from
	// anywhere; AddressFailures those from this address, for any name, and
	// AddressNames for how many names.
	NameFailures    int `json:"name_failures,omitempty"`
	AddressFailures int `json:"address_failures,omitempty"`
	AddressNames    int `json:"address_names,omitempty"`
	// Changed is when a factor of the account was last added or changed; zero if
	// that is not known.
	Changed time.Time `json:"changed,omitzero"`
	// Trusted, Always and Never say that a matcher of the rules of this name has
	// matched the request. What the rules say of users and groups, the policy
	// sees itself.
	Trusted bool `json:"trusted,omitempty"`
	Always  bool `json:"always,omitempty"`
	Never   bool `json:"never,omitempty"`
}

// Place is what is known of an address. What no database can tell is unknown.
type Place struct {
	// Country is the ISO 3166-1 code; empty if unknown. CountryKnown says that
	// there is a database that could tell.
	Country      string `json:"country,omitempty"`
	CountryKnown bool   `json:"country_known,omitempty"`
	// Located says that Latitude and Longitude, in degrees, are known. Radius is
	// their accuracy in kilometres.
	Located   bool    `json:"located,omitempty"`
	Latitude  float64 `json:"latitude,omitempty"`
	Longitude float64 `json:"longitude,omitempty"`
	Radius    int     `json:"radius,omitempty"`
	// Network is the number of the autonomous system; 0 if unknown. NetworkKnown
	// says that there is a database that could tell.
	Network      uint32 `json:"network,omitempty"`
	NetworkKnown bool   `json:"network_known,omitempty"`
	// Anonymous is what hides who is behind the address: tor, vpn, proxy, hosting
	// or anonymous; empty if nothing does. AnonymousKnown says that there is a
	// database or a list that could tell.
	Anonymous      string `json:"anonymous,omitempty"`
	AnonymousKnown bool   `json:"anonymous_known,omitempty"`
	// Egress says that a list of the operator's names the address as a place
	// where many people's traffic comes out, wherever they are.
	Egress bool `json:"egress,omitempty"`
}

// unlisted is the country of addresses that the database does not have, such as
// those of an office's own network (a code that ISO 3166-1 leaves to its users).
const unlisted = "ZZ"

// country is the country as it is learnt and compared; empty if nobody can tell.
func (p *Place) country() string {
	switch {
	case isCountry(p.Country):
		return p.Country
	case p.CountryKnown:
		return unlisted
	default:
		return ""
	}
}

// Agent is what a browser says of itself, without versions; empty is unknown.
type Agent struct {
	// Browser is the family of the browser, System that of the operating system.
	// Of each, MaxName bytes count.
	Browser string `json:"browser,omitempty"`
	System  string `json:"system,omitempty"`
}

// Device says what a browser's device cookie was worth.
type Device string

// What a device cookie can be worth.
const (
	// DeviceNone means that the browser is not remembered for this account.
	DeviceNone Device = ""
	// DeviceKnown means that it is.
	DeviceKnown Device = "known"
	// DeviceStolen means that an old token has come back: the cookie is in two
	// hands.
	DeviceStolen Device = "stolen"
	// DeviceUnwatched means that nobody can be remembered, since the gateway only
	// observes. The browser is then judged by the history.
	DeviceUnwatched Device = "unwatched"
)

// fresh is how long a browser that nobody can remember counts as known after it
// was used.
const fresh = 30

// device is the device's worth; what is unwatched counts as remembered where
// the account was used with such a browser on such a system in the last days.
func (f *Facts) device(h *History) Device {
	if f.Device != DeviceUnwatched {
		return f.Device
	}
	today := dayOf(f.Time)
	browser, seen := find(h.Browsers, name(f.Agent.Browser))
	system, seenToo := find(h.Systems, name(f.Agent.System))
	if seen && seenToo && today-browser.Last <= fresh && today-system.Last <= fresh {
		return DeviceKnown
	}
	return DeviceNone
}
