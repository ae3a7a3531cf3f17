package geo_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
)

// manyNetworks are databases of 4,096 networks of IPv4.
func manyNetworks(b *testing.B) (city, asn string) {
	b.Helper()
	cities, networks := geotest.Records{}, geotest.Records{}
	for i := range 4096 {
		network := fmt.Sprintf("%d.%d.%d.0/24", 11+i%97, i%251, i%199)
		cities[network] = geotest.City([]string{"DE", "FR", "US", "ZA"}[i%4], float64(i%90), float64(i%180), 20)
		networks[network] = geotest.ASN(uint32(i+1), fmt.Sprintf("Network %d", i%500))
	}
	return geotest.Write(b, "city.mmdb", geotest.Database(b, "GeoLite2-City", cities)),
		geotest.Write(b, "asn.mmdb", geotest.Database(b, "GeoLite2-ASN", networks))
}

func addresses() []netip.Addr {
	var list []netip.Addr
	for i := range 1024 {
		list = append(list, netip.AddrFrom4([4]byte{byte(11 + i%97), byte(i % 251), byte(i % 199), byte(i)}))
	}
	return list
}

// BenchmarkLook measures look-ups. The limit is 2 µs for each database.
func BenchmarkLook(b *testing.B) {
	city, asn := manyNetworks(b)
	var tor strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&tor, "%d.%d.%d.%d\n", 1+i%200, i%251, i%241, i%239)
	}
	lists := []geo.List{
		{Kind: geo.Tor, File: geotest.Write(b, "tor.txt", []byte(tor.String()))},
		{Kind: geo.Egress, File: geotest.Write(b, "egress.txt", []byte("AS64500\n203.0.113.0/24\n"))},
	}
	for _, bm := range []struct {
		name string
		cfg  geo.Config
	}{
		{"city", geo.Config{Files: []string{city}}},
		{"asn", geo.Config{Files: []string{asn}}},
		{"lists", geo.Config{Files: []string{asn}, Lists: lists}},
		{"all", geo.Config{Files: []string{city, asn}, Lists: lists}},
	} {
		r, err := geo.Open(b.Context(), bm.cfg)
		if err != nil {
			b.Fatal(err)
		}
		list := addresses()
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			found := 0
			for i := 0; b.Loop(); i++ {
				if r.Look(list[i%len(list)]) != (geo.Place{}) {
					found++
				}
			}
			if found == 0 {
				b.Fatal("no address was found")
			}
		})
		b.Run(bm.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					r.Look(list[i%len(list)])
				}
			})
		})
	}
}

func TestALookUpAllocatesNothing(t *testing.T) {
	r := open(t, geo.Config{
		Files: []string{database(t, "GeoLite2-City", geotest.City("DE", 52.5, 13.4, 20)), database(t, "GeoLite2-ASN", geotest.ASN(64500, "Vast"))},
		Lists: []geo.List{listOf(t, geo.Tor, "192.0.2.1\n")},
	})
	addr := netip.MustParseAddr("192.0.2.1")
	if n := testing.AllocsPerRun(1000, func() { r.Look(addr) }); n >= 1 {
		t.Errorf("a look-up makes %v allocations", n)
	}
}
