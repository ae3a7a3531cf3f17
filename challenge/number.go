package challenge

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nyaruka/phonenumbers"
)

// maxNumber bounds a number that is typed, in bytes.
const maxNumber = 64

// Errors of a number that was typed. None of them shows it.
var (
	// ErrNumber means that it is no number of its country.
	ErrNumber = errors.New("it is no phone number of this country")
	// ErrNumberKind means that no text goes there, or only at somebody's cost:
	// fixed lines, premium, shared-cost, toll-free, personal, pager, short and
	// satellite numbers (rule 10).
	ErrNumberKind = errors.New("texts are not sent to numbers of this kind")
)

// Region is a country that a number can be of.
type Region struct {
	// ID is its ISO 3166-1 code, Code its country calling code.
	ID   string
	Code int
}

// Regions are the countries that numbers can be of, by their ID.
func Regions() []Region {
	var all []Region
	for id := range phonenumbers.GetSupportedRegions() {
		all = append(all, Region{id, phonenumbers.GetCountryCodeForRegion(id)})
	}
	slices.SortFunc(all, func(a, b Region) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}

// Number is a phone number that was typed.
type Number struct {
	// E164 is how it is stored and sent to, Shown how people read it.
	E164, Shown string
	// Region is the country that it is of, by its digits and not by what was
	// chosen: +1 876 is Jamaica's.
	Region string
}

// ParseNumber reads a number as people type it: in the form of the given
// country, or with a plus sign and the country's code.
func ParseNumber(region, typed string) (Number, error) {
	if len(typed) > maxNumber {
		return Number{}, fmt.Errorf("%w: it is longer than %d characters", ErrNumber, maxNumber)
	}
	n, err := phonenumbers.Parse(typed, region)
	if err != nil || n.GetExtension() != "" {
		return Number{}, ErrNumber
	}
	if !phonenumbers.IsValidNumber(n) {
		return Number{}, ErrNumber
	}
	of := phonenumbers.GetRegionCodeForNumber(n)
	if of == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
		return Number{}, ErrNumberKind
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE, phonenumbers.VOIP:
	default:
		return Number{}, ErrNumberKind
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	if err := checkNumber([]byte(e164)); err != nil {
		return Number{}, ErrNumber
	}
	return Number{E164: e164, Shown: phonenumbers.Format(n, phonenumbers.INTERNATIONAL), Region: of}, nil
}

// ShowNumber returns a number as people read it: "+46 70 123 45 67".
func ShowNumber(e164 string) string {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return e164
	}
	return phonenumbers.Format(n, phonenumbers.INTERNATIONAL)
}
