package policy_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

func TestASignalIsSeenWhereItShouldBe(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(f *policy.Facts, h *policy.History)
		signal string
		state  policy.State
		reason string
	}{
		{"a remembered browser", nil, policy.NewDevice, policy.Quiet, "a remembered browser"},
		{"a browser without a device cookie", func(f *policy.Facts, _ *policy.History) { f.Device = policy.DeviceNone },
			policy.NewDevice, policy.Seen, "this browser is not remembered"},
		{"a stolen device is no remembered one", func(f *policy.Facts, _ *policy.History) { f.Device = policy.DeviceStolen },
			policy.NewDevice, policy.Seen, "this browser is remembered no longer"},
		{"while observing, a browser as it was used", func(f *policy.Facts, _ *policy.History) { f.Device = policy.DeviceUnwatched },
			policy.NewDevice, policy.Quiet, "such a browser was used in the last 30 days"},
		{"while observing, another browser", func(f *policy.Facts, _ *policy.History) {
			f.Device, f.Agent.Browser = policy.DeviceUnwatched, "Chrome"
		}, policy.NewDevice, policy.Seen, "no such browser in the last 30 days (nobody is remembered while the gateway only observes)"},
		{"an old token", func(f *policy.Facts, _ *policy.History) { f.Device = policy.DeviceStolen },
			policy.StolenDevice, policy.Seen, "an old token of a remembered browser came back"},
		{"no old token", nil, policy.StolenDevice, policy.Quiet, "no old token came back"},
		{"the address at home", nil, policy.NewIP, policy.Quiet, "an address last used on 2026-11-29"},
		{"the same address as IPv6 writes it", func(f *policy.Facts, _ *policy.History) { f.Address = addr("::ffff:192.0.2.7") },
			policy.NewIP, policy.Quiet, "an address last used on 2026-11-29"},
		{"another address", func(f *policy.Facts, _ *policy.History) { f.Address = addr("192.0.2.8") },
			policy.NewIP, policy.Seen, "a new address, 192.0.2.8"},
		{"no address", func(f *policy.Facts, _ *policy.History) { f.Address = netip.Addr{} },
			policy.NewIP, policy.Seen, "the address is unknown"},
		{"no address, where none was known before", func(f *policy.Facts, h *policy.History) {
			f.Address, h.Addresses = netip.Addr{}, []policy.Value[netip.Prefix]{{}}
		}, policy.NewIP, policy.Seen, "the address is unknown"},
		{"the same /64 of IPv6", func(f *policy.Facts, h *policy.History) {
			old := *f
			old.Address = addr("2001:db8::1")
			h.Learn(&old)
			f.Address = addr("2001:db8::ffff:1%eth0")
		}, policy.NewIP, policy.Quiet, "an address last used on 2026-11-30"},
		{"another /64 of IPv6", func(f *policy.Facts, h *policy.History) {
			old := *f
			old.Address = addr("2001:db8::1")
			h.Learn(&old)
			f.Address = addr("2001:db8:0:1::1")
		}, policy.NewIP, policy.Seen, "a new address, 2001:db8:0:1::1"},
		{"an address that was shortened", func(f *policy.Facts, h *policy.History) {
			f.Time = monday.Add(40 * day)
			h.Age(policy.DefaultRetention, f.Time)
		}, policy.NewIP, policy.Faded, "a new address; one of 192.0.2.0/24 was used until 2026-11-29"},
		{"the network at home", nil, policy.NewNetwork, policy.Quiet, "AS64500, last used on 2026-11-29"},
		{"another network", func(f *policy.Facts, _ *policy.History) { f.Place.Network = 64501 },
			policy.NewNetwork, policy.Seen, "a new network, AS64501"},
		{"an address that the database does not have, for the first time", func(f *policy.Facts, _ *policy.History) {
			f.Place.Network, f.Place.NetworkKnown = 0, true
		}, policy.NewNetwork, policy.Seen, "a new network, a network that the database does not have"},
		{"an address that the database does not have, once more", func(f *policy.Facts, h *policy.History) {
			f.Place.Network, f.Place.NetworkKnown = 0, true
			h.Learn(f)
		}, policy.NewNetwork, policy.Quiet, "a network that the database does not have, last used on 2026-11-30"},
		{"an address without a country, for the first time", func(f *policy.Facts, _ *policy.History) {
			f.Place.Country, f.Place.CountryKnown = "", true
		}, policy.NewCountry, policy.Seen, "a new country, an address that the database does not have"},
		{"an address without a country, once more", func(f *policy.Facts, h *policy.History) {
			f.Place.Country, f.Place.CountryKnown = "", true
			h.Learn(f)
		}, policy.NewCountry, policy.Quiet, "an address that the database does not have, last used on 2026-11-30"},
		{"no network", func(f *policy.Facts, _ *policy.History) { f.Place.Network = 0 },
			policy.NewNetwork, policy.Unknown, "the network is unknown"},
		{"the country at home", nil, policy.NewCountry, policy.Quiet, "DE, last used on 2026-11-29"},
		{"another country", func(f *policy.Facts, _ *policy.History) { f.Place.Country = "FR" },
			policy.NewCountry, policy.Seen, "a new country, FR"},
		{"what is no country", func(f *policy.Facts, _ *policy.History) { f.Place.Country = "de" },
			policy.NewCountry, policy.Unknown, "the country is unknown"},
		{"a day to New York", func(f *policy.Facts, _ *policy.History) { f.Place.Latitude, f.Place.Longitude = 40.7, -74 },
			policy.ImpossibleTravel, policy.Quiet, "a possible journey, 6346 km from the last place"},
		{"an hour to New York", func(f *policy.Facts, h *policy.History) {
			f.Place.Latitude, f.Place.Longitude, f.Time = 40.7, -74, h.Last.Add(time.Hour)
		}, policy.ImpossibleTravel, policy.Seen, "6346 km from the last place in 1h0m0s"},
		{"no time at all to New York, by a clock that goes back", func(f *policy.Facts, h *policy.History) {
			f.Place.Latitude, f.Place.Longitude, f.Time = 40.7, -74, h.Last.Add(-time.Hour)
		}, policy.ImpossibleTravel, policy.Seen, "6346 km from the last place in 1m0s"},
		{"an hour to New York by a known egress network", func(f *policy.Facts, h *policy.History) {
			f.Place.Latitude, f.Place.Longitude, f.Time, f.Place.Egress = 40.7, -74, h.Last.Add(time.Hour), true
		}, policy.ImpossibleTravel, policy.Quiet, "left out: a known egress network"},
		{"a minute to the next town", func(f *policy.Facts, h *policy.History) {
			f.Place.Latitude, f.Time = 54.9, h.Last.Add(time.Minute)
		}, policy.ImpossibleTravel, policy.Quiet, "near the last place"},
		{"a minute to somewhere in the country", func(f *policy.Facts, h *policy.History) {
			f.Place.Latitude, f.Place.Radius, f.Time = 47, 300, h.Last.Add(time.Minute)
		}, policy.ImpossibleTravel, policy.Quiet, "near the last place"},
		{"a minute to the end of the country", func(f *policy.Facts, h *policy.History) {
			f.Place.Latitude, f.Time = 47, h.Last.Add(time.Minute)
		}, policy.ImpossibleTravel, policy.Seen, "571 km from the last place in 1m0s"},
		{"a country without a place", func(f *policy.Facts, _ *policy.History) { f.Place.Located = false },
			policy.ImpossibleTravel, policy.Unknown, "the place is unknown"},
		{"no network that hides anybody", nil, policy.AnonymousNetwork, policy.Quiet, "no anonymous network"},
		{"Tor", func(f *policy.Facts, _ *policy.History) { f.Place.Anonymous = "tor" },
			policy.AnonymousNetwork, policy.Seen, "a Tor exit"},
		{"a VPN", func(f *policy.Facts, _ *policy.History) { f.Place.Anonymous = "vpn" },
			policy.AnonymousNetwork, policy.Seen, "a VPN"},
		{"a proxy", func(f *policy.Facts, _ *policy.History) { f.Place.Anonymous = "proxy" },
			policy.AnonymousNetwork, policy.Seen, "a proxy"},
		{"a hosting provider", func(f *policy.Facts, _ *policy.History) { f.Place.Anonymous = "hosting" },
			policy.AnonymousNetwork, policy.Seen, "a hosting provider"},
		{"what a database calls anonymous", func(f *policy.Facts, _ *policy.History) { f.Place.Anonymous = "anonymous" },
			policy.AnonymousNetwork, policy.Seen, "an anonymous network"},
		{"no list", func(f *policy.Facts, _ *policy.History) { f.Place.AnonymousKnown = false },
			policy.AnonymousNetwork, policy.Unknown, "no list of anonymous networks"},
		{"the browser at home", nil, policy.NewBrowser, policy.Quiet, "Firefox, last used on 2026-11-29"},
		{"another browser", func(f *policy.Facts, _ *policy.History) { f.Agent.Browser = "Chrome" },
			policy.NewBrowser, policy.Seen, "a new browser, Chrome"},
		{"a browser that says nothing", func(f *policy.Facts, _ *policy.History) { f.Agent.Browser = "" },
			policy.NewBrowser, policy.Seen, "a browser that does not say what it is"},
		{"the system at home", nil, policy.NewSystem, policy.Quiet, "Windows, last used on 2026-11-29"},
		{"another system", func(f *policy.Facts, _ *policy.History) { f.Agent.System = "Linux" },
			policy.NewSystem, policy.Seen, "a new system, Linux"},
		{"a known client without a system", func(f *policy.Facts, _ *policy.History) { f.Agent.System = "" },
			policy.NewSystem, policy.Quiet, "a known client that does not say its system"},
		{"a new client without a system", func(f *policy.Facts, _ *policy.History) { f.Agent = policy.Agent{Browser: "curl"} },
			policy.NewSystem, policy.Seen, "a new client that does not say its system"},
		{"a client that says nothing", func(f *policy.Facts, _ *policy.History) { f.Agent = policy.Agent{} },
			policy.NewSystem, policy.Seen, "a new client that does not say its system"},
		{"the usual hour", nil, policy.UnusualHour, policy.Quiet, "a usual hour"},
		{"two hours early", func(f *policy.Facts, _ *policy.History) { f.Time = monday.Add(-2 * time.Hour) },
			policy.UnusualHour, policy.Quiet, "a usual hour"},
		{"at midnight", func(f *policy.Facts, _ *policy.History) { f.Time = monday.Add(12 * time.Hour) },
			policy.UnusualHour, policy.Seen, "0 of 30 logins were around 0:00 UTC"},
		{"at midnight, of an account that is new", func(f *policy.Facts, h *policy.History) {
			f.Time, h.Hours[12] = monday.Add(12*time.Hour), 19
		}, policy.UnusualHour, policy.Quiet, "too few logins to know the usual hours"},
		{"no failed passwords", nil, policy.FailedPasswords, policy.Quiet, "no failed passwords"},
		{"four failed passwords", func(f *policy.Facts, _ *policy.History) { f.NameFailures, f.AddressFailures = 4, 9 },
			policy.FailedPasswords, policy.Quiet, "few failed passwords"},
		{"five failed passwords", func(f *policy.Facts, _ *policy.History) { f.NameFailures = 5 },
			policy.FailedPasswords, policy.Seen, "5 failed passwords for this name in the last hour"},
		{"ten from the address", func(f *policy.Facts, _ *policy.History) { f.AddressFailures = 10 },
			policy.FailedPasswords, policy.Seen, "10 failed passwords from this address in the last hour"},
		{"four names", func(f *policy.Facts, _ *policy.History) { f.AddressNames = 4 },
			policy.ManyUsers, policy.Quiet, "few names from this address"},
		{"five names", func(f *policy.Facts, _ *policy.History) { f.AddressNames = 5 },
			policy.ManyUsers, policy.Seen, "failed passwords for 5 names from this address in the last hour"},
		{"used yesterday", nil, policy.Dormant, policy.Quiet, "used lately"},
		{"not used for a quarter", func(f *policy.Facts, h *policy.History) { f.Time = h.Last.Add(90 * day) },
			policy.Dormant, policy.Seen, "not used for 90 days"},
		{"never used", func(_ *policy.Facts, h *policy.History) { *h = policy.History{} },
			policy.Dormant, policy.Quiet, "never used before"},
		{"no change that is known", nil, policy.JustChanged, policy.Quiet, "no change lately"},
		{"a change yesterday", func(f *policy.Facts, _ *policy.History) { f.Changed = monday.Add(-day) },
			policy.JustChanged, policy.Seen, "a factor was added or changed on 2026-11-29"},
		{"a change three days ago", func(f *policy.Facts, _ *policy.History) { f.Changed = monday.Add(-3 * day) },
			policy.JustChanged, policy.Quiet, "no change lately"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, h := home(), used()
			if tt.change != nil {
				tt.change(&f, &h)
			}
			p := mustNew(t, policy.Rules{})
			s := signalOf(t, p.Decide(&f, &h), tt.signal)
			if s.State != tt.state || s.Reason != tt.reason {
				t.Errorf("%s is %s: %q, want %s: %q", s.Name, s.State, s.Reason, tt.state, tt.reason)
			}
			want := map[policy.State]int{policy.Seen: 2, policy.Faded: 1}[tt.state] * defaultPoints(t, tt.signal) / 2
			if s.Points != want {
				t.Errorf("%s counts %d points, want %d", s.Name, s.Points, want)
			}
		})
	}
}

func defaultPoints(t *testing.T, name string) int {
	t.Helper()
	for _, s := range policy.Signals() {
		if s.Name == name {
			if s.Means == "" {
				t.Errorf("%s does not say what it looks for", name)
			}
			return s.Points
		}
	}
	t.Fatalf("there is no signal %s", name)
	return 0
}

func TestALoginAsAlwaysRaisesNothing(t *testing.T) {
	f, h := home(), used()
	d := mustNew(t, policy.Rules{}).Decide(&f, &h)
	if d.Verdict != policy.Allow || d.Assessment.Score != 0 || d.Reason != "0 points, fewer than 100" {
		t.Errorf("%+v", d)
	}
	if got, want := len(d.Assessment.Signals), len(policy.Signals()); got != want {
		t.Errorf("%d signals, want all %d", got, want)
	}
	for _, s := range d.Assessment.Signals {
		if s.State != policy.Quiet || s.Reason == "" {
			t.Errorf("%+v", s)
		}
	}
}
