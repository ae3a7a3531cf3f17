package report

import (
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"strings"
)

// Price is what a text costs.
type Price struct {
	// PerText is a decimal number, such as 0.075.
	PerText json.Number `json:"per_text"`
	// Currency is a word of the operator's; empty if there is none.
	Currency string `json:"currency,omitempty"`
}

var (
	decimal  = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,6})?$`)
	currency = regexp.MustCompile(`^\pL{1,8}$|^\p{Sc}$`)
)

// ParsePrice reads a price: up to 9 digits with up to 6 behind a point, and a
// currency of up to 8 letters, or its sign.
func ParsePrice(perText, unit string) (*Price, error) {
	if !decimal.MatchString(perText) {
		return nil, errors.New("the price of a text must be a number such as 0.075")
	}
	if unit != "" && !currency.MatchString(unit) {
		return nil, errors.New("the currency must be 1 to 8 letters, or a sign, such as EUR or €")
	}
	whole, rest, _ := strings.Cut(perText, ".")
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0" // JSON takes no other zeros in front.
	}
	if rest != "" {
		whole += "." + rest
	}
	return &Price{PerText: json.Number(whole), Currency: unit}, nil
}

// Of is what n texts cost, with two digits behind the point or as many as are
// needed; empty without a price.
func (p *Price) Of(n int) json.Number {
	if p == nil {
		return ""
	}
	sum, ok := new(big.Rat).SetString(string(p.PerText))
	if !ok {
		return ""
	}
	sum.Mul(sum, new(big.Rat).SetInt64(int64(n)))
	text := sum.FloatString(6)
	point := strings.IndexByte(text, '.')
	end := len(text)
	for end > point+3 && text[end-1] == '0' {
		end--
	}
	return json.Number(text[:end])
}

// show is an amount with its currency.
func (p *Price) show(a json.Number) string {
	switch {
	case p == nil || a == "":
		return "-"
	case p.Currency == "":
		return string(a)
	default:
		return string(a) + " " + p.Currency
	}
}
