package cookie

import "strings"

// MaxPairs is the largest number of pairs that Parse takes from one request.
// Browsers keep at most 180 cookies a site.
const MaxPairs = 400

// A Pair is one cookie of a Cookie header, as it came.
type Pair struct {
	// Raw is the whole pair without the blanks and tabs before it.
	Raw string
	// Name is what stands before the first '=', exact to the byte: blanks
	// behind it stay, for PHP reads "sid =1" as a cookie of its own name. In a
	// pair without '=' it is the whole text, as PHP names it.
	Name string
	// Value is what stands behind the first '=', with its blanks and quotes.
	Value string
	// HasValue tells "name=" (true) from "name" (false). A browser sends a
	// cookie without a name as its value alone, so there Name is that value.
	HasValue bool
}

// Parse appends to dst every pair of the given Cookie header lines, in their
// order, and returns it. Lines are split at ';' only; pieces of nothing but
// blanks are no pairs. The second result is false where there were more than
// MaxPairs pairs: those beyond are left out, so that a header built from the
// result does not carry them. Parse allocates only where dst has no room.
func Parse(dst []Pair, lines []string) ([]Pair, bool) {
	n := 0
	for _, line := range lines {
		for rest, more := line, true; more; {
			var piece string
			piece, rest, more = strings.Cut(rest, ";")
			piece = trimLeft(piece)
			if piece == "" {
				continue
			}
			if n == MaxPairs {
				return dst, false
			}
			n++
			p := Pair{Raw: piece}
			p.Name, p.Value, p.HasValue = strings.Cut(piece, "=")
			dst = append(dst, p)
		}
	}
	return dst, true
}

// AppendKept appends p to the header line in dst, byte for byte as it came.
func AppendKept(dst []byte, p Pair) []byte {
	return append(separate(dst), p.Raw...)
}

// AppendValue appends a pair of this name and value to the header line in dst.
// It appends nothing and returns false if name or value holds a byte that
// would end the pair or the header: ';', a control character, or '=' in name.
func AppendValue(dst []byte, name, value string) ([]byte, bool) {
	if strings.IndexByte(name, '=') >= 0 || breaksPair(name) || breaksPair(value) {
		return dst, false
	}
	dst = append(separate(dst), name...)
	dst = append(dst, '=')
	return append(dst, value...), true
}

func separate(dst []byte) []byte {
	if len(dst) == 0 {
		return dst
	}
	return append(dst, "; "...)
}

func breaksPair(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == ';' || isControl(c) {
			return true
		}
	}
	return false
}

// isControl says whether c is a control character other than the tab.
func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func trimLeft(s string) string {
	for len(s) > 0 && isBlank(s[0]) {
		s = s[1:]
	}
	return s
}

// trim drops blanks and tabs on both sides, WSP in the words of RFC 6265.
func trim(s string) string {
	s = trimLeft(s)
	for len(s) > 0 && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
