package policy_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// fullHistory has 50 values of every kind, as a person's would look that has
// travelled a lot; odd makes its names long ones that nobody knows.
func fullHistory(odd bool) policy.History {
	var h policy.History
	for i := range 400 {
		f := home()
		f.Time = monday.Add(time.Duration(i-400) * 11 * time.Hour)
		f.Address = netip.AddrFrom4([4]byte{198, 51, byte(i % 50), 7})
		if i%2 == 1 {
			f.Address = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, byte(i % 50), 15: 1})
		}
		f.Place.Network, f.Place.Country = 64500+uint32(i%50), string([]byte{'A' + byte(i%50/26), 'A' + byte(i%26)})
		f.Agent = policy.Agent{Browser: []string{"Chrome", "Firefox", "Safari", "Edge"}[i%4], System: []string{"Windows", "Android"}[i%2]}
		if odd {
			f.Agent = policy.Agent{Browser: fmt.Sprintf("Browser no. %03d and more", i%50), System: fmt.Sprintf("System nr. %04d", i%50)}
		}
		h.Learn(&f)
	}
	return h
}

func TestAHistoryIsReadAsItWasWritten(t *testing.T) {
	for name, h := range map[string]policy.History{
		"none": {}, "one account's": used(), "a full one": fullHistory(false), "the largest": fullHistory(true),
	} {
		t.Run(name, func(t *testing.T) {
			b := h.Append(nil)
			got, err := policy.ParseHistory(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := math.Abs(got.Place.Latitude-h.Place.Latitude) + math.Abs(got.Place.Longitude-h.Place.Longitude); d > 1e-4 {
				t.Errorf("the place is %v degrees off", d)
			}
			got.Place.Latitude, got.Place.Longitude = h.Place.Latitude, h.Place.Longitude
			if name == "the largest" {
				if n := len(got.Browsers) + len(got.Systems); n < 40 || n > 99 {
					t.Errorf("%d of 100 names are left", n)
				}
				got.Browsers, got.Systems = h.Browsers, h.Systems
			}
			if !reflect.DeepEqual(got, h) {
				t.Errorf("written\n%+v\nread\n%+v", h, got)
			}
			if len(b) > policy.MaxHistory {
				t.Errorf("%d bytes", len(b))
			}
			t.Logf("%d bytes", len(b))
		})
	}
}

func TestWhatIsNoHistoryIsRefused(t *testing.T) {
	full := fullHistory(true)
	b := full.Append(nil)
	for n := 1; n < len(b); n++ {
		if _, err := policy.ParseHistory(b[:n]); !errors.Is(err, policy.ErrHistory) {
			t.Fatalf("the first %d bytes of a history: %v", n, err)
		}
	}
	for name, b := range map[string][]byte{
		"another form": {2}, "too much": make([]byte, policy.MaxHistory+1), "with something behind it": append(b[:len(b):len(b)], 0),
	} {
		if _, err := policy.ParseHistory(b); !errors.Is(err, policy.ErrHistory) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAHistory(f *testing.F) {
	for _, h := range []policy.History{{}, used(), fullHistory(false), fullHistory(true)} {
		f.Add(h.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := policy.ParseHistory(b)
		if err != nil {
			return
		}
		facts := home()
		mustNew(t, policy.Rules{}).Decide(&facts, &h)
		h.Learn(&facts)
		h.Age(policy.DefaultRetention, monday)
		if h.IsZero() {
			return
		}
		if again := h.Append(nil); len(again) > policy.MaxHistory {
			t.Errorf("%d bytes", len(again))
		} else if _, err := policy.ParseHistory(again); err != nil {
			t.Error(err)
		}
	})
}

func TestOfManyValuesThoseUsedLastAreKept(t *testing.T) {
	var h policy.History
	for i := range policy.MaxValues + 3 {
		f := home()
		f.Time, f.Place.Network = monday.AddDate(0, 0, i), uint32(i+1)
		h.Learn(&f)
		f.Place.Network = 1 // Used every day.
		h.Learn(&f)
	}
	if len(h.Networks) != policy.MaxValues {
		t.Fatalf("%d networks", len(h.Networks))
	}
	kept := map[uint32]bool{}
	for _, v := range h.Networks {
		kept[v.Key] = true
	}
	if !kept[1] || kept[2] || kept[3] || kept[4] || !kept[5] || !kept[policy.MaxValues+3] {
		t.Errorf("kept are %v", kept)
	}
}

func TestWhatIsUnknownLeavesNoTrace(t *testing.T) {
	var h policy.History
	h.Learn(&policy.Facts{Time: monday})
	want := policy.History{Logins: 1, First: monday, Last: monday}
	want.Hours[12] = 1
	if !reflect.DeepEqual(h, want) {
		t.Errorf("%+v", h)
	}
}

func TestAJourneyIsNotMeasuredFromWhereNobodyWas(t *testing.T) {
	for name, hide := range map[string]func(*policy.Place){
		"a Tor exit": func(p *policy.Place) { p.Anonymous = "tor" }, "an egress network": func(p *policy.Place) { p.Egress = true },
	} {
		h := used()
		before := h.Place
		f := home()
		f.Place.Latitude = -30
		hide(&f.Place)
		h.Learn(&f)
		if h.Place != before {
			t.Errorf("after %s the last place is %+v", name, h.Place)
		}
	}
}

func TestHabitsCanChange(t *testing.T) {
	h := used()
	for i := range 1000 {
		f := home()
		f.Time = monday.Add(time.Duration(i)*day + 10*time.Hour)
		h.Learn(&f)
	}
	f := home()
	f.Time = h.Last.Add(14 * time.Hour) // Noon.
	if s := signalOf(t, mustNew(t, policy.Rules{}).Decide(&f, &h), policy.UnusualHour); s.State != policy.Seen {
		t.Errorf("noon is %s still: %s", s.State, s.Reason)
	}
}

func TestRule30AddressesAreShortenedAndThenForgotten(t *testing.T) {
	var h policy.History
	for _, a := range []string{"192.0.2.7", "192.0.2.8", "198.51.100.1", "2001:db8:1:2::9", "2001:db8:1:3::9"} {
		f := home()
		f.Address = addr(a)
		h.Learn(&f)
	}
	later := home()
	later.Time, later.Address = monday.AddDate(0, 0, 20), addr("198.51.100.1")
	h.Learn(&later)
	for _, tt := range []struct {
		name  string
		after int
		want  []string
		place bool
	}{
		{"after thirty days they are whole", 30, []string{"192.0.2.7/32", "192.0.2.8/32", "198.51.100.1/32", "2001:db8:1:2::/64", "2001:db8:1:3::/64"}, true},
		{"then those not used since are shortened", 31, []string{"192.0.2.0/24", "2001:db8:1::/48", "198.51.100.1/32"}, true},
		{"and later the others", 51, []string{"192.0.2.0/24", "2001:db8:1::/48", "198.51.100.0/24"}, false},
		{"in the end the oldest are gone", 181, []string{"198.51.100.0/24"}, false},
		{"and then all", 201, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.Age(policy.DefaultRetention, monday.AddDate(0, 0, tt.after))
			var got []string
			for _, v := range h.Addresses {
				got = append(got, v.Key.String())
				if v.Count < 1 || v.First > v.Last {
					t.Errorf("%+v", v)
				}
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
			if h.Place.At.IsZero() == tt.place {
				t.Errorf("the last place: %+v", h.Place)
			}
		})
	}
	if !h.IsZero() || len(h.Append(nil)) > 0 {
		t.Errorf("a history of which all is forgotten is %+v", h)
	}
}

func TestLearningAndAgeingInAnyOrderStaysInBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h policy.History
	at := monday
	for range 5000 {
		at = at.Add(time.Duration(r.ExpFloat64() * float64(20*time.Hour)))
		f := anyLogin(r, at)
		f.Address = netip.AddrFrom4([4]byte{byte(r.IntN(3)), byte(r.IntN(9)), byte(r.IntN(9)), byte(r.IntN(9))})
		if r.IntN(9) == 0 {
			h.Age(policy.DefaultRetention, at)
		}
		h.Learn(&f)
		if n := len(h.Addresses); n > policy.MaxValues {
			t.Fatalf("%d addresses", n)
		}
		if _, err := policy.ParseHistory(h.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
}
