package geo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
)

// refused checks that a reader is refused with all of these words.
func refused(t *testing.T, cfg geo.Config, words ...string) {
	t.Helper()
	r, err := geo.Open(t.Context(), cfg)
	if err == nil || r != nil {
		t.Fatalf("got %v and the error %v", r, err)
	}
	for _, want := range words {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

// fanOut bends the tree of a database so that both ways of each of its first
// nodes lead to the next, and nowhere in the end.
func fanOut(t *testing.T, data []byte) {
	t.Helper()
	reader, err := maxminddb.OpenBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	nodes := int(reader.Metadata.NodeCount)
	const deep = 62
	if nodes <= deep || reader.Metadata.RecordSize != 24 {
		t.Fatalf("the tree has %d nodes of %d bits", nodes, reader.Metadata.RecordSize)
	}
	for i := range deep {
		next := i + 1
		if next == deep {
			next = nodes
		}
		way := []byte{byte(next >> 16), byte(next >> 8), byte(next)}
		copy(data[i*6:], append(way, way...))
	}
}

func TestWhatIsNoDatabaseIsRefusedByName(t *testing.T) {
	city := geotest.Database(t, "GeoLite2-City", geotest.Records{"192.0.2.0/24": geotest.City("DE", 52.5, 13.4, 20)})
	damaged := bytes.Clone(city)
	// The record's own map becomes a type that is in no database.
	at := bytes.Index(damaged, []byte("continent"))
	copy(damaged[at-20:], bytes.Repeat([]byte{0xff}, 20))
	endless := geotest.Database(t, "flat", geotest.Records{"2001:db8:1:2::/64": geotest.Flat("country_code", "DE")})
	fanOut(t, endless)
	for _, tc := range []struct {
		name string
		data []byte
		say  string
	}{
		{"one whose tree has more networks than can be counted", endless, "has no records"},
		{"an empty file", nil, "no database in MaxMind's format"},
		{"a text", []byte("192.0.2.0/24,DE\n"), "no database in MaxMind's format"},
		{"the first half of one", city[:len(city)/2], "no database in MaxMind's format"},
		{"all but the last bytes of one", city[:len(city)-3], "is not whole"},
		{"one with damaged records", damaged, "is damaged"},
		{"one without records", geotest.Database(t, "GeoLite2-City", nil), "has no records"},
		{"records that are no maps", geotest.Database(t, "x", geotest.Records{"192.0.2.0/24": mmdbtype.String("DE")}), "is damaged"},
		{"records of something else", geotest.Database(t, "Weather", geotest.Records{"192.0.2.0/24": geotest.Flat("rain", "5")}), `type "Weather"`},
		{"a type that tells nothing of places", geotest.Database(t, "GeoIP2-Connection-Type", geotest.Records{"192.0.2.0/24": geotest.Flat("connection_type", "Dialup")}), "City, Country, Enterprise, ASN, ISP or Anonymous-IP"},
		{"a type of control characters", geotest.Database(t, "a\nb\x1b"+strings.Repeat("x", 500), geotest.Records{"192.0.2.0/24": geotest.Flat("rain", "5")}), `type "a?b?xxxx`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := geotest.Write(t, "x.mmdb", tc.data)
			refused(t, geo.Config{Files: []string{path}}, path, tc.say)
		})
	}
}

func TestAFileThatCannotBeReadIsRefusedByName(t *testing.T) {
	folder := t.TempDir()
	missing := filepath.Join(folder, "missing")
	huge := filepath.Join(folder, "huge")
	f, err := os.Create(huge)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(513<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, path, say string }{
		{"a missing file", missing, "no such file"},
		{"a folder", folder, "is no regular file"},
		{"a device without an end", "/dev/zero", "is no regular file"},
		{"a huge file", huge, "the most that is read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refused(t, geo.Config{Files: []string{tc.path}}, tc.path, tc.say)
			refused(t, geo.Config{Lists: []geo.List{{Kind: geo.Tor, File: tc.path}}}, tc.path, tc.say)
		})
	}
}

func TestDatabasesThatDoNotGoTogetherAreRefused(t *testing.T) {
	city := database(t, "GeoLite2-City", geotest.City("DE", 52.5, 13.4, 20))
	other := database(t, "DBIP-City-Lite", geotest.City("DE", 52.5, 13.4, 20))
	country := database(t, "GeoLite2-Country", geotest.Country("DE"))
	refused(t, geo.Config{Files: []string{city, other}}, city, other, "country, location", "remove it")
	refused(t, geo.Config{Files: []string{city, country}}, city, country)
	refused(t, geo.Config{Files: []string{country, city}}, city, country)
	refused(t, geo.Config{Files: []string{city, city}}, city, "named twice")

	numbers := geotest.Write(t, "vpn.txt", []byte("AS64500\n"))
	refused(t, geo.Config{Files: []string{city}, Lists: []geo.List{{Kind: geo.VPN, File: numbers}}}, numbers, "add an ASN database")
	prefixes := geotest.Write(t, "tor.txt", []byte("192.0.2.0/24\n"))
	refused(t, geo.Config{Lists: []geo.List{{Kind: geo.VPN, File: prefixes}, {Kind: geo.VPN, File: prefixes}}}, prefixes, "named twice")
	refused(t, geo.Config{Lists: []geo.List{{Kind: "evil", File: prefixes}}}, prefixes, `"evil"`, "egress")
	refused(t, geo.Config{Lists: []geo.List{{Kind: geo.Anonymous, File: prefixes}}}, prefixes, `"anonymous"`)

	many := make([]geo.List, 65)
	for i := range many {
		many[i] = geo.List{Kind: geo.VPN, File: fmt.Sprint(i)}
	}
	refused(t, geo.Config{Lists: many}, "65 files")
}

func TestOpeningEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := geo.Open(ctx, geo.Config{Files: []string{database(t, "GeoLite2-Country", geotest.Country("DE"))}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got the error %v", err)
	}
}

func TestTheDatabasesInUseAreNamedWithTheirAge(t *testing.T) {
	path := database(t, "GeoLite2-Country", geotest.Country("DE"))
	got := open(t, geo.Config{Files: []string{path}}).Databases()
	if len(got) != 1 || got[0].File != path || !got[0].Built.Equal(geotest.Built) || got[0].Type != "GeoLite2-Country" {
		t.Errorf("got %+v", got)
	}
}
