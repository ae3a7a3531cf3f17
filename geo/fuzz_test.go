package geo

import (
	"net/netip"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
)

// FuzzDatabase shows that no file makes the reader panic, at the start or when
// an address is looked up, and that what it tells is within its bounds.
func FuzzDatabase(f *testing.F) {
	for kind, record := range map[string]mmdbtype.DataType{
		"GeoLite2-City": geotest.City("DE", 52.5, 13.4, 20), "GeoLite2-ASN": geotest.ASN(64500, "Vast"),
		"GeoIP2-Anonymous-IP": geotest.Anonymous("is_tor_exit_node"), "flat": geotest.Flat("country_code", "US", "asn", "AS64500", "lat", "1", "lon", "1"),
	} {
		f.Add(geotest.Database(f, kind, geotest.Records{"192.0.2.0/24": record, "2001:db8::/32": record}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := newDatabase(data)
		if err != nil {
			return
		}
		for _, addr := range []string{"192.0.2.1", "2001:db8::1", "255.255.255.255", "::"} {
			r := record{want: d.tells}
			if d.look(netip.MustParseAddr(addr), &r) != nil {
				continue
			}
			var p Place
			r.tell(&p)
			switch {
			case len(p.Country) != 0 && len(p.Country) != 2, len(p.Organisation) > maxOrganisation,
				p.Latitude < -90 || p.Latitude > 90 || p.Longitude < -180 || p.Longitude > 180,
				p.HasLocation && p.RadiusKm <= 0:
				t.Errorf("%s is at %+v", addr, p)
			}
		}
	})
}

// FuzzList shows that no list makes the reader panic, and that none that is
// taken holds every address.
func FuzzList(f *testing.F) {
	for _, text := range []string{"192.0.2.0/24\r\n# x\n2001:db8::/32\nAS64500\n", "\ufeff198.51.100.7 # x", "::ffff:0.0.0.0/96", "0.0.0.0/0", "AS", "fe80::%1/64"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseList(data)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
			return
		}
		if l.nets.Get(netip.MustParsePrefix("0.0.0.0/0")) || l.nets.Get(netip.MustParsePrefix("::/0")) {
			t.Errorf("%q is a list of every address", data)
		}
		l.has(netip.MustParseAddr("192.0.2.1"), 64500)
	})
}
