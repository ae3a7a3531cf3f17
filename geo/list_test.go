package geo_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
)

func listOf(t testing.TB, kind geo.Kind, text string) geo.List {
	t.Helper()
	return geo.List{Kind: kind, File: geotest.Write(t, "list.txt", []byte(text))}
}

func TestAListIsReadHoweverItWasWritten(t *testing.T) {
	asn := database(t, "GeoLite2-ASN", geotest.ASN(64500, "Vast"))
	for _, tc := range []struct{ name, text, in, out string }{
		{"a prefix of IPv4", "198.51.100.0/25\n", "198.51.100.127", "198.51.100.128"},
		{"a prefix of IPv6", "2001:db8::/48", "2001:db8::1", "2001:db8:1::1"},
		{"an address", "198.51.100.7", "198.51.100.7", "198.51.100.8"},
		{"an address of IPv6 in capitals", "2001:DB8::7", "2001:db8::7", "2001:db8::8"},
		{"an address of IPv4 as one of IPv6", "::ffff:198.51.100.7", "198.51.100.7", "198.51.100.8"},
		{"a prefix of IPv4 as one of IPv6", "::ffff:198.51.100.0/121", "198.51.100.7", "198.51.100.128"},
		{"an address with its network", "198.51.100.7/25", "198.51.100.1", "198.51.100.128"},
		{"a network by its number", "AS64500", "192.0.2.1", "198.51.100.1"},
		{"a number in lower case", "as64500", "192.0.2.1", "198.51.100.1"},
		{"comments and blank lines", "# Tor\n\n  \t\n198.51.100.7 # an exit\n#198.51.100.8\n", "198.51.100.7", "198.51.100.8"},
		{"lines of Windows behind a mark of byte order", "\ufeff198.51.100.7\r\n198.51.100.9\r\n", "198.51.100.7", "198.51.100.8"},
		{"overlapping prefixes", "198.51.0.0/16\n198.51.100.0/24\n198.51.0.0/16\n", "198.51.7.1", "198.52.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := open(t, geo.Config{Files: []string{asn}, Lists: []geo.List{listOf(t, geo.Tor, tc.text)}})
			if got := look(r, tc.in).Anonymous; got != geo.Tor {
				t.Errorf("%s is %q", tc.in, got)
			}
			if got := look(r, tc.out).Anonymous; got != "" {
				t.Errorf("%s is %q", tc.out, got)
			}
			if !r.Knows().Anonymous {
				t.Error("it does not know anonymous networks")
			}
		})
	}
}

func TestAnEgressListDoesNotMakeAnonymous(t *testing.T) {
	r := open(t, geo.Config{Lists: []geo.List{listOf(t, geo.Egress, "198.51.100.0/24")}})
	if got := look(r, "198.51.100.1"); got != (geo.Place{Egress: true}) {
		t.Errorf("got %+v", got)
	}
	if r.Knows() != (geo.Knowledge{}) {
		t.Errorf("it knows %+v", r.Knows())
	}
}

func TestABadLineOfAListIsRefusedWithItsNumber(t *testing.T) {
	for name, line := range map[string]string{
		"a word":                        "tor",
		"a name of a host":              "exit.example.com",
		"a prefix that is too long":     "192.0.2.0/33",
		"a prefix that is none":         "192.0.2.0/",
		"half an address":               "192.0.2",
		"an address with a port":        "192.0.2.1:443",
		"two addresses":                 "192.0.2.1 192.0.2.2",
		"a range":                       "192.0.2.1-192.0.2.9",
		"a zone":                        "fe80::1%eth0",
		"a zone with a prefix":          "fe80::%eth0/64",
		"leading zeros":                 "192.000.002.001",
		"a number without AS":           "64500",
		"AS without a number":           "AS",
		"the network 0":                 "AS0",
		"a number of more than 32 bits": "AS4294967296",
		"a number with a dot":           "AS1.5",
		"every address of IPv4":         "0.0.0.0/0",
		"every address of IPv6":         "::/0",
		"every address, hidden":         "::ffff:0.0.0.0/96",
		"control characters":            "\x1b[31m",
		"a line without an end":         strings.Repeat("1", 1<<20),
		"a NUL":                         "192.0.2.1\x00",
	} {
		t.Run(name, func(t *testing.T) {
			l := listOf(t, geo.VPN, "192.0.2.0/24\r\n# fine\r\n"+line+"\r\n")
			refused(t, geo.Config{Lists: []geo.List{l}}, l.File, "line 3")
			_, err := geo.Open(t.Context(), geo.Config{Lists: []geo.List{l}})
			if len(err.Error()) > 600 || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("the error repeats too much: %q", err)
			}
		})
	}
}

func TestAListThatIsTooLongIsRefused(t *testing.T) {
	var b bytes.Buffer
	for i := range 2_000_001 {
		fmt.Fprintf(&b, "AS%d\n", i%7+1)
	}
	l := listOf(t, geo.VPN, b.String())
	refused(t, geo.Config{Lists: []geo.List{l}}, l.File, "line 2000001", "2000000 entries")
	refused(t, geo.Config{Lists: []geo.List{listOf(t, geo.VPN, strings.Repeat("#\n", 33<<20))}}, "64 MiB")
}
