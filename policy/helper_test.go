package policy_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// monday is a Monday noon.
var monday = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// home is a login of alice as she always logs in.
func home() policy.Facts {
	return policy.Facts{
		Time: monday, User: "Alice", Account: "alice", Address: addr("192.0.2.7"), Device: policy.DeviceKnown,
		Place: policy.Place{
			Country: "DE", Located: true, Latitude: 52.5, Longitude: 13.4, Radius: 20, Network: 64500, AnonymousKnown: true,
		},
		Agent: policy.Agent{Browser: "Firefox", System: "Windows"},
	}
}

// used is what alice's account is used to: thirty logins at noon, one a day, the
// last yesterday.
func used() policy.History {
	var h policy.History
	for i := 30; i > 0; i-- {
		f := home()
		f.Time = monday.Add(-time.Duration(i) * day)
		h.Learn(&f)
	}
	return h
}

func mustNew(t testing.TB, r policy.Rules) *policy.Policy {
	t.Helper()
	p, err := policy.New(r, policy.Data{Country: true, Location: true, Network: true, Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signalOf is one signal of a decision.
func signalOf(t testing.TB, d policy.Decision, name string) policy.Signal {
	t.Helper()
	for _, s := range d.Assessment.Signals {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no signal %s in %+v", name, d)
	return policy.Signal{}
}

// anyLogin is a login as chance will have it.
func anyLogin(r *rand.Rand, at time.Time) policy.Facts {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	f := policy.Facts{
		Time: at, Account: pick("alice", "bob", "carol"), Group: pick("", "staff"),
		Device:       policy.Device(pick("", "known", "known", "stolen", "unwatched")),
		Agent:        policy.Agent{Browser: pick("", "Firefox", "Chrome", "A browser with a very long name"), System: pick("", "Windows", "Linux", "iOS")},
		NameFailures: r.IntN(8), AddressFailures: r.IntN(14), AddressNames: r.IntN(8),
		Trusted: r.IntN(20) == 0,
	}
	switch r.IntN(5) {
	case 0:
	case 1:
		f.Address = addr("2001:db8::1").Next()
	default:
		f.Address = netip.AddrFrom4([4]byte{198, 51, byte(r.IntN(2)), byte(r.IntN(6))})
	}
	if r.IntN(4) > 0 {
		f.Place = policy.Place{
			Country: pick("DE", "FR", "US", "", "??"), Network: uint32(r.IntN(4)), Located: r.IntN(3) > 0,
			Latitude: r.Float64()*180 - 90, Longitude: r.Float64()*360 - 180, Radius: r.IntN(200),
			Anonymous: pick("", "", "tor", "vpn", "something"), AnonymousKnown: true, Egress: r.IntN(10) == 0,
		}
	}
	if r.IntN(3) == 0 {
		f.Changed = at.Add(-time.Duration(r.IntN(200)) * time.Hour)
	}
	return f
}

// record is a record of logins in the order of their times, with the history
// that each account had before each.
func record(seed uint64, n int) (logins []policy.Facts, histories []policy.History) {
	r := rand.New(rand.NewPCG(seed, 5))
	at := monday
	known := map[string]*policy.History{}
	for range n {
		at = at.Add(time.Duration(r.ExpFloat64() * float64(9*time.Hour)))
		f := anyLogin(r, at)
		h := known[f.Account]
		if h == nil {
			h = new(policy.History)
			known[f.Account] = h
		}
		copied, err := policy.ParseHistory(h.Append(nil))
		if err != nil {
			panic(err)
		}
		logins, histories = append(logins, f), append(histories, copied)
		if r.IntN(3) > 0 {
			h.Learn(&f)
		}
	}
	return logins, histories
}
