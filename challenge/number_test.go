package challenge

import (
	"errors"
	"strings"
	"testing"
)

func TestRule10ANumberIsTakenByWhatItIsAndNotByHowItBegins(t *testing.T) {
	for _, tt := range []struct {
		name, region, typed, want, of string
		err                           error
	}{
		{"a mobile as it is dialled at home", "DE", "0151 23456789", "+4915123456789", "DE", nil},
		{"the same with its country", "FR", "+49 151 23456789", "+4915123456789", "DE", nil},
		{"with the digits of another script", "EG", "٠١٠ ٠١٢٣ ٤٥٦٧", "+201001234567", "EG", nil},
		{"Jamaica's +1 876 is not the US", "US", "876 210 1234", "+18762101234", "JM", nil},
		{"a fixed line", "DE", "030 123456", "", "", ErrNumberKind},
		{"premium", "DE", "0900 1 234567", "", "", ErrNumberKind},
		{"toll-free", "US", "800 234 5678", "", "", ErrNumberKind},
		{"shared cost", "GB", "0843 123 4567", "", "", ErrNumberKind},
		{"a personal number", "GB", "070 1234 5678", "", "", ErrNumberKind},
		{"a pager", "GB", "076 4012 3456", "", "", ErrNumberKind},
		{"a satellite phone", "US", "+881 6 1234 5678", "", "", ErrNumberKind},
		{"a short number", "DE", "110", "", "", ErrNumber},
		{"with an extension", "US", "202 555 0123 ext. 4", "", "", ErrNumber},
		{"nothing", "DE", "", "", "", ErrNumber},
		{"words", "DE", "call me", "", "", ErrNumber},
		{"too long", "DE", strings.Repeat("1", 1000), "", "", ErrNumber},
		{"of no country", "XX", "0151 23456789", "", "", ErrNumber},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseNumber(tt.region, tt.typed)
			if !errors.Is(err, tt.err) || got.E164 != tt.want || got.Region != tt.of {
				t.Errorf("got %+v, %v; want %s of %s, %v", got, err, tt.want, tt.of, tt.err)
			}
			if err != nil && tt.typed != "" && strings.Contains(err.Error(), tt.typed) {
				t.Error("the error shows the number")
			}
		})
	}
}

func TestEveryRegionHasACode(t *testing.T) {
	regions := Regions()
	if len(regions) < 200 {
		t.Fatalf("%d regions", len(regions))
	}
	for _, r := range regions {
		if r.Code == 0 || len(r.ID) != 2 {
			t.Errorf("%+v", r)
		}
	}
}
