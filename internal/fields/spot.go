package fields

import "bytes"

// spotter says which names occur, in any spelling, in bytes that cannot be
// read for certain. In doubt it says that they do.
type spotter struct {
	names []spotted
	plain plainReader
	raw   tail
	open  tail
	keep  int
	doubt doubter
}

// spotted is a name and its parts, which may stand apart.
type spotted struct {
	parts [][]byte
	seen  []bool
}

// tail is a view with what must be kept of it for a name across two chunks.
type tail struct{ text []byte }

func newSpotter(names []*wanted) *spotter {
	s := &spotter{}
	for _, w := range names {
		var n spotted
		for _, part := range w.dots {
			text := []byte(plainOf(part))
			n.parts = append(n.parts, text)
			s.keep = max(s.keep, len(text)-1)
		}
		n.seen = make([]bool, len(n.parts))
		s.names = append(s.names, n)
	}
	return s
}

func (s *spotter) feed(chunk []byte, last bool) {
	s.doubt.feed(chunk)
	raw, open := s.plain.feed(chunk, last)
	s.look(&s.raw, raw)
	s.look(&s.open, open)
}

func (s *spotter) look(t *tail, more []byte) {
	t.text = append(t.text, more...)
	for _, n := range s.names {
		for i, part := range n.parts {
			n.seen[i] = n.seen[i] || bytes.Contains(t.text, part)
		}
	}
	if over := len(t.text) - s.keep; over > 0 {
		t.text = t.text[:copy(t.text, t.text[over:])]
	}
}

// saw says whether the name numbered i occurs in what was fed.
func (s *spotter) saw(i int) bool {
	if s.doubt.seen {
		return true
	}
	for _, seen := range s.names[i].seen {
		if !seen {
			return false
		}
	}
	return true
}

// doubter sees what can hide a name from a search: an encoded word of MIME
// (=?utf-8?B?…?=) and a parameter in the form of RFC 2231 (name*=, name*0=).
type doubter struct {
	last []byte
	seen bool
}

func (d *doubter) feed(chunk []byte) {
	if d.seen {
		return
	}
	d.last = append(d.last, chunk...)
	text := bytes.ToLower(d.last)
	d.seen = bytes.Contains(text, []byte("name*")) || hasEncodedWord(text)
	if over := len(d.last) - 64; over > 0 {
		d.last = d.last[:copy(d.last, d.last[over:])]
	}
}

// hasEncodedWord says whether "=?charset?b?" or "=?charset?q?" occurs in s.
func hasEncodedWord(s []byte) bool {
	for {
		at := bytes.Index(s, []byte("=?"))
		if at < 0 {
			return false
		}
		s = s[at+2:]
		end := bytes.IndexByte(s[:min(len(s), 40)], '?')
		if end > 0 && isToken(string(s[:end])) && len(s) > end+2 && s[end+2] == '?' && (s[end+1] == 'b' || s[end+1] == 'q') {
			return true
		}
	}
}
