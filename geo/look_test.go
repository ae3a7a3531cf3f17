package geo_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
)

// database writes a database of this type whose one network is 192.0.2.0/24.
func database(t testing.TB, kind string, record mmdbtype.DataType) string {
	t.Helper()
	return geotest.Write(t, "x.mmdb", geotest.Database(t, kind, geotest.Records{"192.0.2.0/24": record}))
}

func open(t testing.TB, cfg geo.Config) *geo.Reader {
	t.Helper()
	r, err := geo.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func look(r *geo.Reader, addr string) geo.Place { return r.Look(netip.MustParseAddr(addr)) }

func TestADatabaseTellsWhatItsTypeSays(t *testing.T) {
	berlin := geotest.City("DE", 52.5, 13.4, 20)
	inBerlin := geo.Place{Country: "DE", HasLocation: true, Latitude: 52.5, Longitude: 13.4, RadiusKm: 20}
	vast := geo.Place{ASN: 64500, Organisation: "Vast Networks"}
	enterprise := geotest.City("DE", 52.5, 13.4, 20).(mmdbtype.Map)
	enterprise["traits"] = geotest.ASN(64500, "Vast Networks")
	everything := inBerlin
	everything.ASN, everything.Organisation = 64500, "Vast Networks"
	place, network, anonymous := geo.Knowledge{Country: true, Location: true}, geo.Knowledge{Network: true}, geo.Knowledge{Anonymous: true}
	for _, tc := range []struct {
		name, kind string
		record     mmdbtype.DataType
		want       geo.Place
		knows      geo.Knowledge
	}{
		{"MaxMind's free City", "GeoLite2-City", berlin, inBerlin, place},
		{"MaxMind's City", "GeoIP2-City", berlin, inBerlin, place},
		{"DB-IP's City, which has no radius", "DBIP-City-Lite", geotest.City("DE", 52.5, 13.4, 0),
			geo.Place{Country: "DE", HasLocation: true, Latitude: 52.5, Longitude: 13.4, RadiusKm: geo.DefaultRadiusKm}, place},
		{"a Country", "GeoLite2-Country", geotest.Country("DE"), geo.Place{Country: "DE"}, geo.Knowledge{Country: true}},
		{"DB-IP's Country", "DBIP-Country-Lite", geotest.Country("DE"), geo.Place{Country: "DE"}, geo.Knowledge{Country: true}},
		{"an Enterprise", "GeoIP2-Enterprise", enterprise, everything, geo.Knowledge{Country: true, Location: true, Network: true}},
		{"MaxMind's ASN", "GeoLite2-ASN", geotest.ASN(64500, "Vast Networks"), vast, network},
		{"DB-IP's ASN", "DBIP-ASN-Lite (compat=GeoLite2-ASN)", geotest.ASN(64500, "Vast Networks"), vast, network},
		{"an ISP", "GeoIP2-ISP", geotest.ASN(64500, "Vast Networks"), vast, network},
		{"a Tor exit", "GeoIP2-Anonymous-IP", geotest.Anonymous("is_tor_exit_node", "is_hosting_provider"), geo.Place{Anonymous: geo.Tor}, anonymous},
		{"a VPN", "GeoIP2-Anonymous-IP", geotest.Anonymous("is_anonymous_vpn", "is_hosting_provider"), geo.Place{Anonymous: geo.VPN}, anonymous},
		{"a public proxy", "GeoIP2-Anonymous-IP", geotest.Anonymous("is_public_proxy"), geo.Place{Anonymous: geo.Proxy}, anonymous},
		{"a residential proxy", "GeoIP-Anonymous-Plus", geotest.Anonymous("is_residential_proxy"), geo.Place{Anonymous: geo.Proxy}, anonymous},
		{"a hosting provider", "GeoIP2-Anonymous-IP", geotest.Anonymous("is_hosting_provider"), geo.Place{Anonymous: geo.Hosting}, anonymous},
		{"an anonymous network and no more", "GeoIP2-Anonymous-IP", geotest.Anonymous(), geo.Place{Anonymous: geo.Anonymous}, anonymous},
		{"a type that is not known with MaxMind's records", "Somebody's-City", berlin, inBerlin, place},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := open(t, geo.Config{Files: []string{database(t, tc.kind, tc.record)}})
			if got := look(r, "192.0.2.7"); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if got := r.Knows(); got != tc.knows {
				t.Errorf("it knows %+v, want %+v", got, tc.knows)
			}
			if got := look(r, "198.51.100.1"); got != (geo.Place{}) {
				t.Errorf("an address that stands nowhere is at %+v", got)
			}
		})
	}
}

func TestAFlatDatabaseIsReadByWhatItsRecordsSay(t *testing.T) {
	m := func(pairs ...any) mmdbtype.Map {
		record := mmdbtype.Map{}
		for i := 0; i < len(pairs); i += 2 {
			record[mmdbtype.String(pairs[i].(string))] = pairs[i+1].(mmdbtype.DataType)
		}
		return record
	}
	country, network := geo.Knowledge{Country: true}, geo.Knowledge{Network: true}
	for _, tc := range []struct {
		name   string
		record mmdbtype.DataType
		want   geo.Place
		knows  geo.Knowledge
	}{
		{"country_code", geotest.Flat("country_code", "US"), geo.Place{Country: "US"}, country},
		{"country_code in lower case", geotest.Flat("country_code", "us"), geo.Place{Country: "US"}, country},
		{"country", geotest.Flat("country", "US"), geo.Place{Country: "US"}, country},
		{"country is a name beside country_code", geotest.Flat("country", "United States", "country_code", "US"), geo.Place{Country: "US"}, country},
		{"a number of a network", m("autonomous_system_number", mmdbtype.Uint32(64500)), geo.Place{ASN: 64500}, network},
		{"asn as a text", geotest.Flat("asn", "AS64500", "as_name", "Vast"), geo.Place{ASN: 64500, Organisation: "Vast"}, network},
		{"asn as a number in a text", geotest.Flat("asn", "64500", "name", "Vast"), geo.Place{ASN: 64500, Organisation: "Vast"}, network},
		{"asn as a number", m("asn", mmdbtype.Uint32(64500), "as_name", mmdbtype.String("Vast")), geo.Place{ASN: 64500, Organisation: "Vast"}, network},
		{"the greatest asn", m("asn", mmdbtype.Uint64(4294967295)), geo.Place{ASN: 4294967295}, network},
		{"country and network", geotest.Flat("country_code", "US", "asn", "AS64500"), geo.Place{Country: "US", ASN: 64500}, geo.Knowledge{Country: true, Network: true}},
		{"a location in numbers", m("country_code", mmdbtype.String("DE"), "latitude", mmdbtype.Float32(52.5), "longitude", mmdbtype.Float32(13.5)),
			geo.Place{Country: "DE", HasLocation: true, Latitude: 52.5, Longitude: 13.5, RadiusKm: geo.DefaultRadiusKm}, geo.Knowledge{Country: true, Location: true}},
		{"a location in texts", geotest.Flat("lat", "52.5", "lng", "-13.5"),
			geo.Place{HasLocation: true, Latitude: 52.5, Longitude: -13.5, RadiusKm: geo.DefaultRadiusKm}, geo.Knowledge{Location: true}},
		{"a location of zeros is unknown", geotest.Flat("lat", "0", "lon", "0"), geo.Place{}, geo.Knowledge{Location: true}},
		{"a VPN in a text", geotest.Flat("vpn", "true", "tor", "false"), geo.Place{Anonymous: geo.VPN}, geo.Knowledge{Anonymous: true}},
		{"a proxy in a number", m("is_proxy", mmdbtype.Uint16(1)), geo.Place{Anonymous: geo.Proxy}, geo.Knowledge{Anonymous: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := open(t, geo.Config{Files: []string{database(t, "ipinfo generic_free.mmdb", tc.record)}})
			if got := look(r, "192.0.2.7"); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if got := r.Knows(); got != tc.knows {
				t.Errorf("it knows %+v, want %+v", got, tc.knows)
			}
		})
	}
}

// TestWhatARecordCannotMeanIsUnknown has records that are bad beside a good
// one, so that the database itself is taken.
func TestWhatARecordCannotMeanIsUnknown(t *testing.T) {
	for name, pairs := range map[string][]string{
		"a country that is a name":          {"country_code", "Germany"},
		"a country that is a number":        {"country_code", "49"},
		"the codes for no country":          {"country_code", "ZZ"},
		"a latitude beyond the pole":        {"lat", "90.5", "lon", "1"},
		"a longitude beyond half the earth": {"lat", "1", "lon", "-181"},
		"a latitude that is no number":      {"lat", "NaN", "lon", "1"},
		"an endless longitude":              {"lat", "1", "lon", "Inf"},
		"half a location":                   {"lat", "1"},
		"an asn below nothing":              {"asn", "-1"},
		"an asn of more than 32 bits":       {"asn", "4294967296"},
		"a name without its number":         {"as_name", "Vast"},
		"a yes that is none":                {"tor", "perhaps"},
	} {
		t.Run(name, func(t *testing.T) {
			path := geotest.Write(t, "x.mmdb", geotest.Database(t, "flat", geotest.Records{
				"198.51.100.0/24": geotest.Flat("country_code", "DE", "lat", "1", "lon", "1", "asn", "1", "tor", "true"),
				"192.0.2.0/24":    geotest.Flat(pairs...),
			}))
			if got := look(open(t, geo.Config{Files: []string{path}}), "192.0.2.1"); got != (geo.Place{}) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTheNameOfANetworkIsBounded(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("ü", 80):       strings.Repeat("ü", 50),
		strings.Repeat("x", 3000):     strings.Repeat("x", 100),
		"x" + strings.Repeat("ü", 80): "x" + strings.Repeat("ü", 49),
		"a\x1b[31m\nb":                "a?[31m?b",
		"a\xffb":                      "a?b",
	} {
		r := open(t, geo.Config{Files: []string{database(t, "GeoLite2-ASN", geotest.ASN(64500, name))}})
		if got := look(r, "192.0.2.1").Organisation; got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
}

func TestEverySpellingOfAnAddressIsTheSame(t *testing.T) {
	for name, data := range map[string][]byte{
		"in a database of both": geotest.Database(t, "GeoLite2-Country", geotest.Records{"192.0.2.0/24": geotest.Country("DE"), "2001:db8::/32": geotest.Country("FR")}),
		"in one of IPv4 alone":  geotest.IPv4Database(t, "GeoLite2-Country", geotest.Records{"192.0.2.0/24": geotest.Country("DE")}),
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, geo.Config{
				Files: []string{geotest.Write(t, "x.mmdb", data)},
				Lists: []geo.List{{Kind: geo.Tor, File: geotest.Write(t, "tor.txt", []byte("192.0.2.1\n"))}},
			})
			for _, addr := range []string{"192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "::ffff:192.0.2.1%eth0"} {
				if got := look(r, addr); got.Country != "DE" || got.Anonymous != geo.Tor {
					t.Errorf("%s is at %+v", addr, got)
				}
			}
			want := map[bool]string{true: "FR", false: ""}[strings.Contains(name, "both")]
			for _, addr := range []string{"2001:db8::1", "2001:db8::1%eth0"} {
				if got := look(r, addr).Country; got != want {
					t.Errorf("%s is in %q, want %q", addr, got, want)
				}
			}
			for _, addr := range []string{"127.0.0.1", "::1", "10.0.0.1", "fe80::1%eth0", "0.0.0.0", "::"} {
				if got := look(r, addr); got != (geo.Place{}) {
					t.Errorf("%s is at %+v", addr, got)
				}
			}
			if got := r.Look(netip.Addr{}); got != (geo.Place{}) {
				t.Errorf("no address is at %+v", got)
			}
		})
	}
}

func TestDatabasesAndListsGoTogether(t *testing.T) {
	list := func(kind geo.Kind, lines string) geo.List {
		return geo.List{Kind: kind, File: geotest.Write(t, string(kind)+".txt", []byte(lines))}
	}
	r := open(t, geo.Config{
		Files: []string{
			database(t, "GeoLite2-City", geotest.City("DE", 52.5, 13.4, 20)),
			database(t, "GeoLite2-ASN", geotest.ASN(64500, "Vast")),
			database(t, "GeoIP2-Anonymous-IP", geotest.Anonymous("is_hosting_provider")),
		},
		Lists: []geo.List{list(geo.VPN, "192.0.2.8/29\n"), list(geo.Tor, "192.0.2.10\n"), list(geo.Egress, "AS64500\n203.0.113.0/24\n")},
	})
	if got, all := r.Knows(), (geo.Knowledge{Country: true, Location: true, Network: true, Anonymous: true}); got != all {
		t.Errorf("it knows %+v", got)
	}
	place := geo.Place{Country: "DE", HasLocation: true, Latitude: 52.5, Longitude: 13.4, RadiusKm: 20, ASN: 64500, Organisation: "Vast", Egress: true}
	for addr, kind := range map[string]geo.Kind{"192.0.2.1": geo.Hosting, "192.0.2.9": geo.VPN, "192.0.2.10": geo.Tor} {
		want := place
		want.Anonymous = kind
		if got := look(r, addr); got != want {
			t.Errorf("%s is at %+v, want %+v", addr, got, want)
		}
	}
	if got := look(r, "203.0.113.1"); got != (geo.Place{Egress: true}) {
		t.Errorf("an egress that no database knows is at %+v", got)
	}
}

func TestOfTwoDatabasesThatOverlapTheFirstIsAsked(t *testing.T) {
	flat := database(t, "flat", geotest.Flat("country_code", "US", "asn", "AS64500"))
	city := database(t, "GeoLite2-City", geotest.City("DE", 52.5, 13.4, 20))
	for want, files := range map[string][]string{"DE": {city, flat}, "US": {flat, city}} {
		if got := look(open(t, geo.Config{Files: files}), "192.0.2.1"); got.Country != want || !got.HasLocation || got.ASN != 64500 {
			t.Errorf("got %+v, want the country %s", got, want)
		}
	}
}

func TestARadiusThatNoPlaceOnEarthHasIsTheDefault(t *testing.T) {
	for _, radius := range []string{"Inf", "1e30", "20038", "0", "-5", "NaN"} {
		path := geotest.Write(t, "x.mmdb", geotest.Database(t, "flat", geotest.Records{
			"192.0.2.0/24": geotest.Flat("lat", "1", "lon", "1", "accuracy_radius", radius),
		}))
		if got := look(open(t, geo.Config{Files: []string{path}}), "192.0.2.1"); !got.HasLocation || got.RadiusKm != geo.DefaultRadiusKm {
			t.Errorf("%s: %+v", radius, got)
		}
	}
}
