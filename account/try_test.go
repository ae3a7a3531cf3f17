package account

import (
	"net/netip"
	"testing"
)

func TestAClientIsOneIPv4AddressOrOneIPv6Network(t *testing.T) {
	for in, want := range map[string]string{
		"203.0.113.9":              "203.0.113.9/32",
		"::ffff:203.0.113.9":       "203.0.113.9/32",
		"2001:db8:1:2:3:4:5:6":     "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":     "2001:db8:1:2::/64",
		"2001:db8:1:3::1":          "2001:db8:1:3::/64",
		"fe80::1%eth0":             "fe80::/64",
		"::1":                      "::/64",
		"0.0.0.0":                  "0.0.0.0/32",
		"::ffff:203.0.113.9%zone1": "203.0.113.9/32",
	} {
		if got := TryAddress(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s counts as %s, want %s", in, got, want)
		}
	}
	if got := TryAddress(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("no address counts as %s", got)
	}
}
