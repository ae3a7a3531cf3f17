package account

import "testing"

func TestRule21FactorsAreTheSameWhereTheSameCodesAnswer(t *testing.T) {
	list := func() []Factor {
		return []Factor{
			{ID: "a", Kind: KindTOTP, Secret: []byte("seed"), TOTP: &TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}},
			{ID: "b", Kind: KindPhone, Secret: []byte("number")},
		}
	}
	for name, tt := range map[string]struct {
		turn func([]Factor) []Factor
		want bool
	}{
		"as they were":          {func(f []Factor) []Factor { return f }, true},
		"in another order":      {func(f []Factor) []Factor { return []Factor{f[1], f[0]} }, true},
		"with another label":    {func(f []Factor) []Factor { f[0].Label = "x"; return f }, true},
		"with a step spent":     {func(f []Factor) []Factor { f[0].LastStep, f[1].Failures = 9, 2; return f }, true},
		"with another secret":   {func(f []Factor) []Factor { f[0].Secret = []byte("x"); return f }, false},
		"with another id":       {func(f []Factor) []Factor { f[0].ID = "x"; return f }, false},
		"with another kind":     {func(f []Factor) []Factor { f[1].Kind = KindTOTP; return f }, false},
		"with more digits":      {func(f []Factor) []Factor { f[0].TOTP.Digits = 8; return f }, false},
		"without parameters":    {func(f []Factor) []Factor { f[0].TOTP = nil; return f }, false},
		"one of them":           {func(f []Factor) []Factor { return f[:1] }, false},
		"one of them twice":     {func(f []Factor) []Factor { return []Factor{f[0], f[0]} }, false},
		"with one more":         {func(f []Factor) []Factor { return append(f, Factor{ID: "c"}) }, false},
		"none where there were": {func([]Factor) []Factor { return nil }, false},
	} {
		if got := SameFactors(list(), tt.turn(list())); got != tt.want {
			t.Errorf("%s: the same: %t, want %t", name, got, tt.want)
		}
		if got := SameFactors(tt.turn(list()), list()); got != tt.want {
			t.Errorf("%s, asked the other way: the same: %t, want %t", name, got, tt.want)
		}
	}
	if !SameFactors(nil, []Factor{}) {
		t.Error("no factors are not the same as none")
	}
}
