package account

import "testing"

func TestRule17ARecoveryCodeIsSpentOnceAndTheListThatWasThereStays(t *testing.T) {
	list := []TokenHash{{1}, {2}, {3}, {2}}
	r := &Recovery{Salt: []byte("salt"), Hashes: list, Of: 4}
	for _, tt := range []struct {
		name string
		hash [32]byte
		want bool
		left int
	}{
		{"the first", [32]byte{1}, true, 3},
		{"the first again", [32]byte{1}, false, 3},
		{"none", [32]byte{}, false, 3},
		{"one that is there twice", [32]byte{2}, true, 2},
		{"the last", [32]byte{3}, true, 1},
	} {
		if got := r.Spend(tt.hash); got != tt.want || len(r.Hashes) != tt.left {
			t.Errorf("%s: spent: %t, and %d are left, want %t and %d", tt.name, got, len(r.Hashes), tt.want, tt.left)
		}
	}
	if list[0] != (TokenHash{1}) || list[2] != (TokenHash{3}) || r.Of != 4 {
		t.Errorf("the list that was there is %v", list)
	}
	if (*Recovery)(nil).Spend([32]byte{}) {
		t.Error("a code of nobody was spent")
	}
}

func TestFactorsWithOtherRecoveryCodesAreOthers(t *testing.T) {
	of := func(salt string, hashes ...TokenHash) []Factor {
		return []Factor{{ID: "r", Kind: KindRecovery, Recovery: &Recovery{Salt: []byte(salt), Hashes: hashes}}}
	}
	if !SameFactors(of("a", TokenHash{1}, TokenHash{2}), of("a", TokenHash{2})) {
		t.Error("a spent code makes other factors")
	}
	if SameFactors(of("a", TokenHash{1}), of("b", TokenHash{1})) {
		t.Error("a new set of codes is the same")
	}
}
