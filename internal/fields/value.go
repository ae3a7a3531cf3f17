package fields

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// value is one that a rule asks for, in the forms in which it is compared.
type value struct {
	text   string
	folded string
	// number is what it is worth where isNumber says that it is one.
	number   float64
	isNumber bool
}

func newValue(text string) value {
	v := value{text: text, folded: canon(text)}
	if v.folded != "" && strings.IndexByte("0123456789+-.", v.folded[0]) >= 0 {
		n, err := strconv.ParseFloat(v.folded, 64)
		v.number, v.isNumber = n, err == nil
	}
	return v
}

// isLike says whether some app takes a text for the value: in another case, with
// blanks around it, or as the same number in another spelling.
func (v *value) isLike(text string) bool {
	folded := canon(text)
	return folded == v.folded || v.isNumber && readsAs(folded, v.number)
}

// isLikeLiteral is isLike for a number or word of JSON. Apps that compare
// loosely take true for every text but an empty one and 0, and PHP before 8 takes
// 0 for every text that is no number.
func (v *value) isLikeLiteral(literal string) bool {
	falsy := false
	switch v.folded {
	case "", "0", "false", "null", "no", "off":
		falsy = true
	}
	switch literal {
	case "true":
		return !falsy
	case "false", "null":
		return falsy || v.isNumber && v.number == 0
	}
	n, err := strconv.ParseFloat(literal, 64)
	switch {
	case err != nil, v.folded == literal:
		return true
	case v.isNumber:
		return n == v.number
	case n == 0:
		return true
	}
	return v.folded == "true"
}

// readsAs says whether some app reads a text as this number: PHP the number that
// it begins with, others a whole one in any base, or in other digits.
func readsAs(text string, n float64) bool {
	if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 && unicode.IsDigit(r) }) {
		return true
	}
	if whole, err := strconv.ParseInt(text, 0, 64); err == nil && float64(whole) == n {
		return true
	}
	return slices.ContainsFunc(numbersIn(text), func(begin string) bool {
		m, err := strconv.ParseFloat(begin, 64)
		return err == nil && m == n
	})
}

// numbersIn returns the numbers that a text begins with: up to its point, up to
// its exponent, and whole.
func numbersIn(text string) (all []string) {
	end := digits(text, len(text)-len(strings.TrimLeft(text, "+-")))
	all = append(all, text[:end])
	if end < len(text) && text[end] == '.' {
		end = digits(text, end+1)
		all = append(all, text[:end])
	}
	if end < len(text) && text[end] == 'e' {
		at := end + 1
		if at < len(text) && strings.IndexByte("+-", text[at]) >= 0 {
			at++
		}
		all = append(all, text[:digits(text, at)])
	}
	return all
}

// digits returns where the digits of s end that begin at from.
func digits(s string, from int) int {
	for from < len(s) && s[from] >= '0' && s[from] <= '9' {
		from++
	}
	return from
}
