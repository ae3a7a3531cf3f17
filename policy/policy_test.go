package policy_test

import (
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

func TestAPolicyDecidesByItsRules(t *testing.T) {
	elsewhere := func(f *policy.Facts) {
		f.Address, f.Place.Network, f.Place.Country = addr("198.51.100.1"), 64501, "FR"
	}
	n := func(n int) *int { return &n }
	for _, tt := range []struct {
		name    string
		rules   policy.Rules
		change  func(f *policy.Facts)
		verdict policy.Verdict
		reason  string
		high    bool
	}{
		{"every login, as always", policy.Rules{Preset: policy.EveryLogin}, nil, policy.Challenge, "asked at every login", false},
		{"every login, with an old token", policy.Rules{Preset: policy.EveryLogin}, func(f *policy.Facts) { f.Device = policy.DeviceStolen },
			policy.Challenge, "asked at every login", false},
		{"new device, known browser elsewhere", policy.Rules{Preset: policy.OnNewDevice}, elsewhere, policy.Allow, "0 points, fewer than 100", false},
		{"new device, new browser at home", policy.Rules{Preset: policy.OnNewDevice}, func(f *policy.Facts) { f.Device = "" },
			policy.Challenge, "100 points, of 100 that it takes", false},
		{"new ip, new browser at home", policy.Rules{Preset: policy.OnNewIP}, func(f *policy.Facts) { f.Device = "" },
			policy.Allow, "0 points, fewer than 50", false},
		{"new ip, known browser elsewhere", policy.Rules{Preset: policy.OnNewIP}, elsewhere, policy.Challenge, "100 points, of 50 that it takes", false},
		{"new ip, an address that was shortened", policy.Rules{Preset: policy.OnNewIP}, func(f *policy.Facts) { f.Time = f.Time.Add(40 * day) },
			policy.Challenge, "50 points, of 50 that it takes", false},
		{"unfamiliar, the next address of the provider", policy.Rules{}, func(f *policy.Facts) { f.Address = addr("192.0.2.99") },
			policy.Allow, "60 points, fewer than 100", false},
		{"unfamiliar, another country", policy.Rules{}, elsewhere, policy.Challenge, "100 points, of 100 that it takes", false},
		{"unfamiliar, a new browser", policy.Rules{}, func(f *policy.Facts) { f.Device = "" }, policy.Challenge, "100 points, of 100 that it takes", false},
		{"unfamiliar, everything new", policy.Rules{}, func(f *policy.Facts) {
			elsewhere(f)
			f.Device, f.Agent = "", policy.Agent{Browser: "Chrome", System: "Linux"}
		}, policy.Challenge, "300 points, of 100 that it takes", false},
		{"everything new, and so much is high", policy.Rules{High: n(300)}, func(f *policy.Facts) {
			elsewhere(f)
			f.Device, f.Agent = "", policy.Agent{Browser: "Chrome", System: "Linux"}
		}, policy.Challenge, "300 points, of 100 that it takes", true},
		{"asked at every login, and so much is high", policy.Rules{Preset: policy.EveryLogin, High: n(100)}, elsewhere,
			policy.Challenge, "asked at every login", true},
		{"a threshold of one's own", policy.Rules{Challenge: n(60)}, func(f *policy.Facts) { f.Address = addr("192.0.2.99") },
			policy.Challenge, "60 points, of 60 that it takes", false},
		{"points of one's own", policy.Rules{Points: map[string]int{policy.NewIP: 100}}, func(f *policy.Facts) { f.Address = addr("192.0.2.99") },
			policy.Challenge, "100 points, of 100 that it takes", false},
		{"a signal that counts nothing", policy.Rules{Points: map[string]int{policy.NewDevice: 0}}, func(f *policy.Facts) { f.Device = "" },
			policy.Allow, "0 points, fewer than 100", false},
		{"refused from so many points", policy.Rules{Deny: 250}, func(f *policy.Facts) { f.Device = policy.DeviceStolen },
			policy.Deny, "300 points, of 250 that it takes", false},
		{"others' wrong passwords refuse nobody", policy.Rules{Deny: 150}, func(f *policy.Facts) {
			f.Device, f.NameFailures, f.AddressNames = "", 50, 9
		}, policy.Challenge, "200 points, of 100 that it takes", false},
		{"refused, though never asked", policy.Rules{Deny: 250, Never: policy.Who{Users: []string{"alice"}}},
			func(f *policy.Facts) { f.Device = policy.DeviceStolen }, policy.Deny, "300 points, of 250 that it takes", false},
		{"always, by name", policy.Rules{Always: policy.Who{Users: []string{"bob", "alice"}}}, nil, policy.Challenge, "always asked by a rule", false},
		{"always, by group", policy.Rules{Always: policy.Who{Groups: []string{"staff"}}}, func(f *policy.Facts) { f.Group = "staff" },
			policy.Challenge, "always asked by a rule", false},
		{"always, by a matcher", policy.Rules{Always: policy.Who{Matched: true}}, func(f *policy.Facts) { f.Always = true },
			policy.Challenge, "always asked by a rule", false},
		{"a matcher that another policy has", policy.Rules{}, func(f *policy.Facts) { f.Always = true },
			policy.Allow, "0 points, fewer than 100", false},
		{"no group is not the empty group", policy.Rules{Always: policy.Who{Groups: []string{""}}}, nil, policy.Allow, "0 points, fewer than 100", false},
		{"never, with a new browser", policy.Rules{Never: policy.Who{Users: []string{"alice"}}}, func(f *policy.Facts) { f.Device = "" },
			policy.Allow, "never asked by a rule", false},
		{"always goes before never", policy.Rules{Never: policy.Who{Users: []string{"alice"}}, Always: policy.Who{Users: []string{"alice"}}}, nil,
			policy.Challenge, "always asked by a rule", false},
		{"another country from a trusted address", policy.Rules{Trust: policy.Who{Matched: true}}, func(f *policy.Facts) { elsewhere(f); f.Trusted = true },
			policy.Allow, "0 points, fewer than 100", false},
		{"another country of somebody who travels", policy.Rules{Trust: policy.Who{Users: []string{"alice"}}}, elsewhere,
			policy.Allow, "0 points, fewer than 100", false},
		{"another country, trusted by a matcher that the policy has not", policy.Rules{}, func(f *policy.Facts) { elsewhere(f); f.Trusted = true },
			policy.Challenge, "100 points, of 100 that it takes", false},
		{"a new browser from a trusted address", policy.Rules{}, func(f *policy.Facts) { f.Device, f.Trusted = "", true },
			policy.Challenge, "100 points, of 100 that it takes", false},
		{"no country where country was asked for", policy.Rules{Points: map[string]int{policy.NewCountry: 10}},
			func(f *policy.Facts) { f.Place.Country = "" }, policy.Challenge, "the country is unknown", false},
		{"no country where it was not", policy.Rules{}, func(f *policy.Facts) { f.Place.Country = "" },
			policy.Allow, "0 points, fewer than 100", false},
		{"no country, and unknown is to be new", policy.Rules{Points: map[string]int{policy.NewCountry: 10}, Unknown: policy.UnknownNew},
			func(f *policy.Facts) { f.Place.Country = "" }, policy.Allow, "10 points, fewer than 100", false},
		{"no country, and unknown is to be ignored", policy.Rules{Points: map[string]int{policy.NewCountry: 10}, Unknown: policy.UnknownIgnore},
			func(f *policy.Facts) { f.Place.Country = "" }, policy.Allow, "0 points, fewer than 100", false},
		{"no country, and unknown is to ask", policy.Rules{Unknown: policy.UnknownChallenge},
			func(f *policy.Facts) { f.Place.Country = "" }, policy.Challenge, "the country is unknown", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, h := home(), used()
			if tt.change != nil {
				tt.change(&f)
			}
			h.Age(policy.DefaultRetention, f.Time)
			d := mustNew(t, tt.rules).Decide(&f, &h)
			if d.Verdict != tt.verdict || d.Reason != tt.reason || d.High != tt.high {
				t.Errorf("%s: %q, high %v; want %s: %q, %v", d.Verdict, d.Reason, d.High, tt.verdict, tt.reason, tt.high)
			}
		})
	}
}

func TestWithoutADatabaseNobodyIsAskedForWantOfIt(t *testing.T) {
	f, h := home(), used()
	f.Place = policy.Place{}
	p, err := policy.New(policy.Rules{}, policy.Data{})
	if err != nil {
		t.Fatal(err)
	}
	if d := p.Decide(&f, &h); d.Verdict != policy.Allow || d.Assessment.Score != 0 {
		t.Errorf("%s by %q", d.Verdict, d.Reason)
	}
	p, err = policy.New(policy.Rules{Points: map[string]int{policy.ImpossibleTravel: 100}}, policy.Data{})
	if err != nil {
		t.Fatal(err)
	}
	if d := p.Decide(&f, &h); d.Verdict != policy.Challenge || d.Reason != "the place is unknown" {
		t.Errorf("travel was asked for, and %s by %q", d.Verdict, d.Reason)
	}
}

func TestWhileAnAccountIsLearntWhateverIsNewAsks(t *testing.T) {
	p := mustNew(t, policy.Rules{})
	for _, tt := range []struct {
		name   string
		logins int
		after  int
		asks   bool
	}{
		{"the first login", 0, 0, true},
		{"the tenth", 9, 9, true},
		{"the eleventh", 10, 10, false},
		{"the second, after thirteen days", 1, 13, true},
		{"the second, after fourteen days", 1, 14, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h policy.History
			for i := range tt.logins {
				f := home()
				f.Time = monday.AddDate(0, 0, i-tt.after)
				h.Learn(&f)
			}
			f := home()
			f.Address = addr("192.0.2.99") // 60 points, which ask nobody afterwards.
			if d := p.Decide(&f, &h); (d.Verdict == policy.Challenge) != tt.asks {
				t.Errorf("%s by %q", d.Verdict, d.Reason)
			}
			if tt.logins > 0 {
				f.Address = home().Address
				if d := p.Decide(&f, &h); d.Verdict != policy.Allow {
					t.Errorf("what is known asks too: %q", d.Reason)
				}
			}
		})
	}
}

func TestFromHighOnFewerFactorsMayAnswer(t *testing.T) {
	high := 150
	p := mustNew(t, policy.Rules{High: &high, HighFactors: []string{"totp"}})
	f, h := home(), used()
	f.Device = policy.DeviceNone
	if d := p.Decide(&f, &h); d.High || d.Factors != nil {
		t.Errorf("100 points are high: %+v", d)
	}
	f.Place.Anonymous = "tor"
	if d := p.Decide(&f, &h); !d.High || len(d.Factors) != 1 || d.Factors[0] != "totp" {
		t.Errorf("150 points are not high: %+v", d)
	}
}

func TestOthersWrongPasswordsKeepNobodyFromAFactor(t *testing.T) {
	high := 150
	p := mustNew(t, policy.Rules{High: &high, HighFactors: []string{"totp"}})
	f, h := home(), used()
	f.Device, f.NameFailures, f.AddressNames = policy.DeviceNone, 50, 9
	if d := p.Decide(&f, &h); d.Verdict != policy.Challenge || d.High {
		t.Errorf("%+v", d)
	}
}

func TestAPolicyThatCannotAskInsideASessionIsToldApart(t *testing.T) {
	all := policy.Data{Country: true, Location: true, Network: true, Anonymous: true}
	none := func(p map[string]int) map[string]int {
		for _, s := range policy.Signals() {
			if _, ok := p[s.Name]; !ok {
				p[s.Name] = 0
			}
		}
		return p
	}
	for _, tt := range []struct {
		name  string
		rules policy.Rules
		can   bool
	}{
		{"by the device alone", policy.Rules{Preset: policy.OnNewDevice}, false},
		{"by the device while it is learnt", policy.Rules{Preset: policy.OnNewDevice, Learning: &policy.DefaultLearning}, false},
		{"by the device, and by name", policy.Rules{Preset: policy.OnNewDevice, Always: policy.Who{Users: []string{"alice"}}}, true},
		{"by device and failed passwords", policy.Rules{Points: none(map[string]int{policy.NewDevice: 100, policy.FailedPasswords: 100, policy.ManyUsers: 100})}, false},
		{"by an address while it is learnt", policy.Rules{Points: none(map[string]int{policy.NewDevice: 100, policy.NewIP: 1})}, true},
		{"by the address", policy.Rules{Preset: policy.OnNewIP}, true},
		{"by what is not familiar", policy.Rules{}, true},
		{"always", policy.Rules{Preset: policy.EveryLogin}, true},
	} {
		p, err := policy.New(tt.rules, all)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err := p.CanAskInside(); (err == nil) != tt.can {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestRulesThatCannotBeMeantAreRefused(t *testing.T) {
	n := func(n int) *int { return &n }
	for _, tt := range []struct {
		rules policy.Rules
		says  string
	}{
		{policy.Rules{Preset: "sometimes"}, `there is no policy "sometimes": every_login, new_device, new_ip or unfamiliar`},
		{policy.Rules{Points: map[string]int{"new_moon": 5}}, `there is no signal "new_moon": new_device, stolen_device, new_ip`},
		{policy.Rules{Points: map[string]int{policy.NewIP: -1}}, "points new_ip -1: it is 0 to 1000"},
		{policy.Rules{Challenge: n(1001)}, "challenge 1001: it is 0 to 1000"},
		{policy.Rules{High: n(-1)}, "high -1: it is 0 to 1000"},
		{policy.Rules{HighFactors: []string{"fax"}}, `high: there is no factor "fax": totp or phone`},
		{policy.Rules{Unknown: "maybe"}, `unknown "maybe": it is challenge, new or ignore`},
		{policy.Rules{Deny: 100}, "deny 100 must be higher than challenge 100: otherwise a login with so many points is refused"},
		{policy.Rules{High: n(300), Deny: 300}, "high 300 must be lower than deny 300, from which on the login is refused"},
		{policy.Rules{High: n(301), Deny: 300}, "high 301 must be lower than deny 300"},
		{policy.Rules{Learning: &policy.Learning{Logins: -1}}, "learning: logins and days are 0 to 1000"},
		{policy.Rules{Preset: policy.OnNewIP, Challenge: n(101)}, "this policy can never ask for a code: all its points together are 100, and a code is asked for from 101 on"},
	} {
		_, err := policy.New(tt.rules, policy.Data{})
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v, want %s", tt.rules, err, tt.says)
		}
	}
}

func TestThresholdsThatLeaveOneAnotherRoomAreTaken(t *testing.T) {
	n := func(n int) *int { return &n }
	for _, rules := range []policy.Rules{
		{Deny: 101}, {High: n(0), Deny: 101}, {High: n(299), Deny: 300}, {High: n(1000)}, {High: n(50), Deny: 300}, {Challenge: n(0), Deny: 1},
	} {
		if _, err := policy.New(rules, policy.Data{}); err != nil {
			t.Errorf("%+v: %v", rules, err)
		}
	}
}

func TestPointsThatNoDataCanBringDoNotMakeAPolicyAsk(t *testing.T) {
	n := func(n int) *int { return &n }
	off := &policy.Learning{}
	all := policy.Data{Country: true, Location: true, Network: true, Anonymous: true}
	for _, tt := range []struct {
		name  string
		rules policy.Rules
		data  policy.Data
		good  bool
	}{
		{"with all data", policy.Rules{Challenge: n(850), Learning: off}, all, true},
		{"with all data, one more", policy.Rules{Challenge: n(851), Learning: off}, all, false},
		{"without data", policy.Rules{Challenge: n(660), Learning: off}, policy.Data{}, true},
		{"without data, one more", policy.Rules{Challenge: n(661), Learning: off}, policy.Data{}, false},
		{"where the unknown counts as new", policy.Rules{Challenge: n(850), Learning: off, Unknown: policy.UnknownNew}, policy.Data{}, true},
		{"where the unknown asks", policy.Rules{Challenge: n(1000), Learning: off, Unknown: policy.UnknownChallenge}, policy.Data{}, true},
		{"where a country was asked for", policy.Rules{Challenge: n(1000), Learning: off, Points: map[string]int{policy.NewCountry: 1}}, policy.Data{}, true},
		{"where it was, and nobody shall mind", policy.Rules{Challenge: n(1000), Learning: off, Unknown: policy.UnknownIgnore, Points: map[string]int{policy.NewCountry: 1}}, policy.Data{}, false},
	} {
		if _, err := policy.New(tt.rules, tt.data); (err == nil) != tt.good {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
