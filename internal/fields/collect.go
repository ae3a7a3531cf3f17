package fields

import "strings"

// collector gathers the occurrences of the fields wanted.
type collector struct {
	wanted []*wanted
	hits   [][]hit
	// levels counts how often each of a JSON path's outer keys was met.
	levels []map[int]int
	clash  []bool
	// guessing says that nobody said that this is a form, so that a name
	// without a '=' is no field.
	guessing bool
	// charset is set where a field _charset_ names one of which the names of
	// the others cannot be told.
	charset charset
}

// hit is one occurrence of a wanted field.
type hit struct {
	at        place
	value     string
	ambiguous string // why apps disagree on whether it is one
	torn      string // why they disagree on its value
	charset   charset
}

func newCollector(names ...string) *collector {
	c := &collector{}
	for _, n := range names {
		c.wanted = append(c.wanted, newWanted(n))
		c.levels = append(c.levels, map[int]int{})
	}
	c.hits = make([][]hit, len(names))
	c.clash = make([]bool, len(names))
	return c
}

// depth is the length of the longest JSON path wanted.
func (c *collector) depth() int {
	n := 1
	for _, w := range c.wanted {
		n = max(n, len(w.dots))
	}
	return n
}

func (w *wanted) relate(f *field) relation {
	switch f.at {
	case inJSON:
		return w.path(f.path)
	case inPart:
		return w.part(f.name)
	default:
		return w.form(f.name)
	}
}

func isCharsetField(f *field) bool {
	return (f.at == inForm || f.at == inPart) && strings.EqualFold(strings.TrimSpace(unescape(f.name, false)), "_charset_")
}

func (c *collector) name(f *field) bool {
	want := isCharsetField(f)
	for i, w := range c.wanted {
		switch w.relate(f) {
		case same, inside:
			want = true
		case above:
			c.outer(i, f)
		}
	}
	return want
}

// outer notes a field in which the wanted one numbered i would stand.
func (c *collector) outer(i int, f *field) {
	if f.at != inJSON {
		c.clash[i] = true
		return
	}
	c.levels[i][len(f.path)]++
	if c.levels[i][len(f.path)] > 1 {
		c.clash[i] = true
	}
}

func (c *collector) value(f *field) {
	if isCharsetField(f) {
		c.charset = max(c.charset, charsetOf(unescape(string(f.value), false)))
	}
	if c.guessing && f.bare {
		return
	}
	for i, w := range c.wanted {
		relation := w.relate(f)
		if relation != same && relation != inside {
			continue
		}
		c.hits[i] = append(c.hits[i], hitOf(f, relation))
	}
}

func hitOf(f *field, r relation) hit {
	h := hit{at: f.at, charset: f.charset, value: string(f.value)}
	if f.at == inQuery || f.at == inForm {
		h.value = unescape(h.value, false)
	}
	switch {
	case r == inside:
		h.ambiguous = "a field of the login is an array"
	case f.split:
		h.ambiguous = "only apps that split at ';' see a field of the login"
	case f.file:
		h.ambiguous = "a field of the login is a file"
	case f.odd && f.at == inPart:
		h.ambiguous = "a field of the login has a header that apps read in different ways"
	}
	switch {
	case f.notText:
		h.torn = "the user name is no text"
	case f.cut:
		h.torn = "the user name is too long"
	case f.torn:
		h.torn = "apps that split at ';' read another user name"
	case f.at == inJSON && f.odd:
		h.torn = "the user name holds half a surrogate pair"
	case f.at == inQuery && strings.Contains(string(f.value), "#"):
		h.torn = "apps that cut the query at '#' read another user name"
	case f.at != inJSON && f.at != inPart && !wellEscaped(string(f.value)):
		h.torn = "the user name holds a '%' that begins no escape"
	}
	return h
}

// seen says whether the field numbered i was met.
func (c *collector) seen(i int) bool { return len(c.hits[i]) > 0 }
