package fields

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxUser is the longest user name, in bytes, without blanks around it.
const maxUser = 256

// once returns the only occurrence of the field numbered i.
func (c *collector) once(i int) (hit, error) {
	hits := c.hits[i]
	if len(hits) == 0 {
		return hit{}, fault(reasonMissing, "a field of the login is missing")
	}
	allJSON := true
	for _, h := range hits {
		if h.ambiguous != "" {
			return hit{}, fault(reasonAmbiguous, h.ambiguous)
		}
		allJSON = allJSON && h.at == inJSON
	}
	switch {
	case len(hits) > 1 && allJSON, c.clash[i] && hits[0].at == inJSON:
		return hit{}, fault(reasonJSON, "a key of the login is repeated")
	case len(hits) > 1:
		return hit{}, fault(reasonTwice, "a field of the login is there more than once")
	case c.clash[i]:
		return hit{}, fault(reasonAmbiguous, "a field of the login stands in one that is also there by itself")
	}
	return hits[0], nil
}

// userName returns the value of the first field wanted, if all apps read the
// same.
func (c *collector) userName(b *Body) (string, error) {
	h, err := c.once(0)
	if err != nil {
		return "", err
	}
	if h.torn != "" {
		return "", fault(reasonAmbiguous, h.torn)
	}
	certainASCII := h.charset == charsetASCII || h.at != inQuery && b != nil && b.media.latin
	switch {
	case h.charset > charsetASCII, !utf8.ValidString(h.value), certainASCII && !isASCII(h.value):
		return "", fault(reasonCharset, "the user name is not certainly UTF-8")
	}
	name := strings.TrimFunc(h.value, unicode.IsSpace)
	switch {
	case name == "":
		return "", fault(reasonMissing, "the user name is empty")
	case len(name) > maxUser:
		return "", fault(reasonAmbiguous, "the user name is too long")
	case strings.ContainsFunc(name, unicode.IsControl):
		return "", fault(reasonAmbiguous, "the user name holds a control character")
	}
	return name, nil
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
