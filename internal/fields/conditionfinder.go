package fields

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// conditionFinder looks for the fields of a condition.
type conditionFinder struct {
	c      *Condition
	states []fieldState
	// strict asks what every app reads, in place of what some app may.
	strict bool

	// guessing says that nobody said that this is a form, so that a name
	// without a '=' is no field.
	guessing bool
	// everything says that whatever is looked for may stand in the body.
	everything bool
	// uncertain says that no value can be told for certain, latin that only
	// ASCII can.
	uncertain, latin bool
	// late leaves the search in bytes that cannot be read to whoever has all of
	// them.
	late  bool
	spots *spotter
}

// fieldState is what was met of one field.
type fieldState struct {
	// seen says that it occurs, met that it may have one of the values.
	seen, met bool
	// nonASCII says that it occurs with a value beyond ASCII.
	nonASCII bool
	// sure says that it has one of the values for certain, unsure that apps
	// disagree on one of its occurrences.
	sure, unsure bool
	// outer counts how often each outer key of a JSON path was met.
	outer map[int]int
}

func newConditionFinder(c *Condition) *conditionFinder {
	return &conditionFinder{c: c, states: make([]fieldState, len(c.wanted))}
}

// read reads a query and what was read of a body, and says whether the body
// could not be read for certain.
func (f *conditionFinder) read(query string, b *Body) (broken bool) {
	f.readQuery(query)
	if b == nil || len(b.raw) == 0 {
		return false
	}
	f.begin(b.media)
	f.late = true
	j := newJudge(b.media, f, f.c.depth)
	j.feed(b.raw, b.whole)
	if j.broken {
		f.late = false
		f.spot(b.raw, true)
	}
	return j.broken
}

func (f *conditionFinder) readQuery(query string) {
	if query == "" {
		return
	}
	s := newFormScanner(f, inQuery)
	_ = s.scan([]byte(query))
	_ = s.end()
}

// begin begins with a body of this kind.
func (f *conditionFinder) begin(m media) {
	f.guessing = m.kind == kindUnknown
	f.uncertain = m.fault != nil && m.fault.Reason == reasonCharset
	f.latin = m.latin
}

func (f *conditionFinder) name(x *field) bool {
	want := isCharsetField(x)
	if f.guessing && x.bare {
		return want
	}
	for i, w := range f.c.wanted {
		s := &f.states[i]
		switch w.relate(x) {
		case same, inside:
			s.seen = true
			s.met = s.met || len(f.c.values[i]) == 0
			want = want || f.strict || !s.met
		case above:
			if f.strict {
				s.outside(x)
			}
		}
	}
	return want
}

// outside notes a field in which the wanted one would stand.
func (s *fieldState) outside(x *field) {
	if x.at != inJSON {
		s.unsure = true
		return
	}
	if s.outer == nil {
		s.outer = map[int]int{}
	}
	s.outer[len(x.path)]++
	s.unsure = s.unsure || s.outer[len(x.path)] > 1
}

func (f *conditionFinder) value(x *field) {
	if isCharsetField(x) {
		f.namesCharset(charsetOf(unescape(string(x.value), false)))
	}
	if f.guessing && x.bare {
		return
	}
	for i, w := range f.c.wanted {
		if relation := w.relate(x); relation == same || relation == inside {
			f.occurs(i, x, hitOf(x, relation))
		}
	}
}

// namesCharset takes what a field _charset_ says. It says it of the fields
// before it too.
func (f *conditionFinder) namesCharset(c charset) {
	switch c {
	case charsetHiding:
		f.all()
	case charsetOther:
		f.uncertain = true
	case charsetASCII:
		f.latin = true
	}
}

// occurs judges one occurrence of the field numbered i.
func (f *conditionFinder) occurs(i int, x *field, h hit) {
	s, values := &f.states[i], f.c.values[i]
	doubt, exact := h.ambiguous != "", len(values) == 0
	switch {
	case len(values) == 0:
	case x.notText:
		doubt = doubt || x.value == nil
		s.met = s.met || slices.ContainsFunc(values, func(v value) bool { return v.isLikeLiteral(h.value) })
	default:
		doubt = doubt || f.isTorn(h)
		s.nonASCII = s.nonASCII || !isASCII(h.value)
		s.met = s.met || slices.ContainsFunc(values, func(v value) bool { return v.isLike(h.value) })
	}
	s.met = s.met || doubt
	exact = exact || slices.ContainsFunc(values, func(v value) bool { return v.text == h.value })
	if doubt || !exact || !f.c.wanted[i].isExactly(x) {
		s.unsure = true
		return
	}
	s.sure = true
}

// isTorn says whether apps may read different values here.
func (f *conditionFinder) isTorn(h hit) bool {
	return h.torn != "" || h.charset > charsetASCII || h.charset == charsetASCII && !isASCII(h.value) ||
		!utf8.ValidString(h.value) || strings.IndexByte(h.value, 0) >= 0
}

// isExactly says whether a field has the very name that is wanted, which every
// app reads as it.
func (w *wanted) isExactly(x *field) bool {
	switch x.at {
	case inJSON:
		return slices.Equal(x.path, strings.Split(w.name, "."))
	case inPart:
		return x.name == w.name
	default:
		return unescape(x.name, false) == w.name
	}
}

func (f *conditionFinder) spot(chunk []byte, last bool) {
	if f.late {
		return
	}
	if f.spots == nil {
		f.spots = newSpotter(f.c.wanted)
	}
	f.spots.feed(chunk, last)
}

func (f *conditionFinder) all() { f.everything = true }

func (f *conditionFinder) found(broken bool) bool {
	for i := range f.states {
		s := &f.states[i]
		// In a body that broke, apps may read on from a name as they like.
		maybe := f.everything || (f.uncertain || broken) && s.seen || f.latin && s.nonASCII || broken && f.spots != nil && f.spots.saw(i)
		if !s.met && !maybe {
			return false
		}
	}
	return true
}

// sure says whether every app finds all of the fields.
func (f *conditionFinder) sure(broken bool) bool {
	if broken || f.everything || f.uncertain {
		return false
	}
	for i := range f.states {
		s := &f.states[i]
		if !s.sure || s.unsure || f.latin && s.nonASCII {
			return false
		}
	}
	return true
}
