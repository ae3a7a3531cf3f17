package policy_test

import (
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// worstLogin raises every signal that can be raised at once.
func worstLogin() policy.Facts {
	f := home()
	f.Address, f.Device = addr("203.0.113.9"), policy.DeviceStolen
	f.Place = policy.Place{Country: "ZZ", Located: true, Latitude: -50, Longitude: 10, Network: 1, Anonymous: "tor", AnonymousKnown: true}
	f.Agent = policy.Agent{Browser: "Netscape", System: "BeOS"}
	f.NameFailures, f.AddressFailures, f.AddressNames, f.Changed = 9, 20, 9, f.Time
	return f
}

// An assessment with a full history takes under 20 µs and 30 allocations; the
// reading of the history is part of it.
func BenchmarkAnAssessmentWithAFullHistory(b *testing.B) {
	for name, f := range map[string]policy.Facts{"as always": home(), "all signals": worstLogin()} {
		b.Run(name, func(b *testing.B) {
			h := fullHistory(true)
			raw := h.Append(nil)
			p := mustNew(b, policy.Rules{})
			b.ReportAllocs()
			for b.Loop() {
				h, err := policy.ParseHistory(raw)
				if err != nil {
					b.Fatal(err)
				}
				p.Decide(&f, &h)
			}
		})
	}
}

func TestAnAssessmentTakesFewAllocations(t *testing.T) {
	full := fullHistory(true)
	raw := full.Append(nil)
	p := mustNew(t, policy.Rules{})
	f := worstLogin()
	if got := testing.AllocsPerRun(100, func() {
		h, err := policy.ParseHistory(raw)
		if err != nil {
			t.Fatal(err)
		}
		p.Decide(&f, &h)
	}); got >= 30 {
		t.Errorf("%v allocations", got)
	}
}
