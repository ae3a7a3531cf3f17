package fields

import "net/http"

// Field is a field that a rule tells requests by.
type Field struct {
	// Name is the field's name, in JSON the dotted path of keys and indexes.
	Name string
	// Values are those of which one is enough; none means that the field is
	// there, whatever its value.
	Values []string
}

// Verdict is what a request says of a Condition.
type Verdict int

// The verdicts.
const (
	// Absent: no app reads a request that meets the condition.
	Absent Verdict = iota
	// Present: some app may.
	Present
	// Beyond: nobody knows yet. What was read of the body does not meet it, and
	// there is more of it.
	Beyond
)

// Condition is one or more fields that must all be there. It is safe for use by
// many requests at once.
type Condition struct {
	wanted []*wanted
	values [][]value
	depth  int
}

// NewCondition compiles a condition.
func NewCondition(all ...Field) *Condition {
	c := &Condition{depth: 1}
	for _, f := range all {
		w := newWanted(f.Name)
		c.wanted = append(c.wanted, w)
		c.depth = max(c.depth, len(w.dots))
		values := make([]value, len(f.Values))
		for i, text := range f.Values {
			values[i] = newValue(text)
		}
		c.values = append(c.values, values)
	}
	return c
}

// In says whether a request with this raw query and body meets the condition as
// some app reads it. Each field may stand anywhere in query and body, in any
// spelling that some app takes for its name, and any of its occurrences counts.
// What cannot be read for certain counts as meeting it: a value that apps read
// in different ways, a body in another charset or coding, a broken one that has
// the name somewhere. b may be nil for a request without a body.
func (c *Condition) In(query string, b *Body) Verdict {
	if query == "" && (b == nil || b.Empty()) {
		return Absent
	}
	f := newConditionFinder(c)
	broken := f.read(query, b)
	switch {
	case f.found(broken):
		return Present
	case b == nil || b.whole:
		return Absent
	default:
		return Beyond
	}
}

// Surely says whether a request meets the condition as every app reads it: each
// field stands there as it is written in the condition, in a whole body that can
// be read for certain, and all its occurrences have one of the values. It is for
// rules that say what must be there, which In would let evade.
func (c *Condition) Surely(query string, b *Body) bool {
	if b != nil && (!b.whole || !b.Empty() && b.media.fault != nil) {
		return false
	}
	f := newConditionFinder(c)
	f.strict = true
	broken := f.read(query, b)
	return f.sure(broken)
}

// IsOpaque says whether the body is of a type in which apps do not look for
// fields: an image, an archive, a stream of gRPC.
func (b *Body) IsOpaque() bool { return b.media.kind == kindOpaque && !b.media.hidden }

// WatchFor watches a body that is not Whole as Watch does, for a condition. It
// may be called several times, and beside Watch: all of it is judged in one
// pass, and the first that is met counts.
func (b *Body) WatchFor(r *http.Request, c *Condition, met func()) {
	if b.whole || r.Body == nil {
		return
	}
	f := newConditionFinder(c)
	f.readQuery(r.URL.RawQuery)
	f.begin(b.media)
	b.watch(r, newJudge(b.media, f, c.depth), met)
}
