package policy_test

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// A record of logins is fed through a policy: each is decided by what the ones
// before it have taught, as the gateway would have.
func ExampleReplay() {
	challenge := 80
	p, err := policy.New(policy.Rules{Challenge: &challenge, Learning: &policy.Learning{}}, policy.Data{Country: true, Network: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	login := func(hours int, address, country string, network uint32, device policy.Device) policy.Login {
		return policy.Login{Verified: true, Facts: policy.Facts{
			Time: at.Add(time.Duration(hours) * time.Hour), Account: "alice", Address: netip.MustParseAddr(address),
			Place:  policy.Place{Country: country, CountryKnown: true, Network: network, NetworkKnown: true},
			Agent:  policy.Agent{Browser: "Firefox", System: "Windows"},
			Device: device,
		}}
	}
	record := []policy.Login{
		login(0, "192.0.2.7", "DE", 64500, policy.DeviceNone),
		login(8, "192.0.2.7", "DE", 64500, policy.DeviceKnown),
		login(24, "192.0.2.9", "DE", 64500, policy.DeviceKnown),
		login(32, "203.0.113.9", "NZ", 64502, policy.DeviceKnown),
	}
	for l, d := range policy.Replay(p, policy.DefaultRetention, slices.Values(record)) {
		fmt.Printf("%s %d points: %s\n", l.Facts.Address, d.Assessment.Score, d.Verdict)
	}
	// Output:
	// 192.0.2.7 300 points: challenge
	// 192.0.2.7 0 points: allow
	// 192.0.2.9 60 points: allow
	// 203.0.113.9 100 points: challenge
}
