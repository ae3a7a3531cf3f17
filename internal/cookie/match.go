package cookie

import (
	"fmt"
	"strings"
)

// A Matcher is a list of cookie names, given as NAME or as NAME*. Its zero
// value matches nothing. It is safe for use by several goroutines.
type Matcher struct {
	patterns []pattern
}

type pattern struct {
	name     string // as given, without the star
	readings []string
	prefix   bool
}

// NewMatcher returns a Matcher for the given patterns. A pattern is a cookie
// name of RFC 6265 (brackets are allowed as well), of which a '*' at the end
// stands for anything or nothing. A lone '*' is refused.
func NewMatcher(patterns ...string) (Matcher, error) {
	m := Matcher{patterns: make([]pattern, 0, len(patterns))}
	for _, text := range patterns {
		name, star := strings.CutSuffix(text, "*")
		switch {
		case text == "":
			return Matcher{}, fmt.Errorf("an empty cookie name: give NAME or NAME*")
		case name == "":
			return Matcher{}, fmt.Errorf("the cookie name %q would mean every cookie: give NAME or NAME*", text)
		case strings.Contains(name, "*"):
			return Matcher{}, fmt.Errorf("the cookie name %q: '*' may stand only at the end", text)
		case !isName(name):
			return Matcher{}, fmt.Errorf("the cookie name %q: only letters, digits and !#$%%&'+-.^_`|~[] are allowed", text)
		}
		p := pattern{name: name, prefix: star}
		for kind := range readingKinds {
			if reading := appendReading(nil, name, kind); len(reading) > 0 {
				p.readings = append(p.readings, string(reading))
			}
		}
		m.patterns = append(m.patterns, p)
	}
	return m, nil
}

// Match says whether name is one of the list, exact to the byte. A cookie
// without a name is never one. Match does not allocate.
func (m Matcher) Match(name string) bool {
	if name == "" {
		return false
	}
	for i := range m.patterns {
		p := &m.patterns[i]
		if p.prefix && strings.HasPrefix(name, p.name) || name == p.name {
			return true
		}
	}
	return false
}

// FoldMatch says whether any app could read name as one of the list: as PHP
// folds it, now or before it stopped decoding names; trimmed, as Django and
// Express do; percent-decoded, as old Rack did; in any case of ASCII letters,
// as ASP.NET compares. It errs on the side of yes, so it is for credentials
// and never for what is let through. It does not allocate for names of up to
// 256 bytes.
func (m Matcher) FoldMatch(name string) bool {
	if len(m.patterns) == 0 {
		return false
	}
	if isPlain(name) {
		for i := range m.patterns {
			if m.patterns[i].readsAsString(name) {
				return true
			}
		}
		return false
	}
	var room [256]byte
	for kind := range readingKinds {
		reading := appendReading(room[:0], name, kind)
		for i := range m.patterns {
			if m.patterns[i].readsAs(reading) {
				return true
			}
		}
	}
	return false
}

func (p *pattern) readsAs(reading []byte) bool {
	for _, own := range p.readings {
		if p.prefix && len(reading) > len(own) {
			if equalFold(reading[:len(own)], own) {
				return true
			}
			continue
		}
		if equalFold(reading, own) {
			return true
		}
	}
	return false
}

func (p *pattern) readsAsString(name string) bool {
	for _, own := range p.readings {
		if p.prefix && hasPrefixFold(name, own) || len(name) == len(own) && strings.EqualFold(name, own) {
			return true
		}
	}
	return false
}

const readingKinds = 4

// appendReading appends one of the ways in which apps read a name.
func appendReading(dst []byte, name string, kind int) []byte {
	switch kind {
	case 0:
		return appendFold(dst, name, false)
	case 1:
		return appendFold(dst, name, true)
	case 2:
		return trimSpace(append(dst, name...))
	default:
		return trimSpace(appendDecoded(dst, name))
	}
}
