package fields

// formScanner reads an urlencoded body, or a query, split at '&' and at ';'.
// It has no errors: everything is some form.
type formScanner struct {
	to sink
	at place

	f       field
	buf     []byte
	inValue bool
	want    bool
	cut     bool // the name is longer than any of ours, and what follows is left
	after   bool // the field began after a ';'
}

func newFormScanner(to sink, at place) *formScanner { return &formScanner{to: to, at: at} }

func (s *formScanner) scan(chunk []byte) *Error {
	for len(chunk) > 0 {
		n := s.run(chunk)
		s.keep(chunk[:n])
		if n == len(chunk) {
			return nil
		}
		switch c := chunk[n]; {
		case c == '=' && !s.inValue:
			s.named(false)
		case c == '=':
			s.keep(chunk[n : n+1])
		default:
			s.close(c == ';')
			s.after = c == ';'
		}
		chunk = chunk[n+1:]
	}
	return nil
}

// run returns how many bytes belong to the name or value for sure.
func (s *formScanner) run(chunk []byte) int {
	for i, c := range chunk {
		if c == '&' || c == ';' || c == '=' {
			return i
		}
	}
	return len(chunk)
}

func (s *formScanner) keep(text []byte) {
	switch {
	case !s.inValue:
		s.keepName(text)
	case s.want:
		room := min(len(text), maxValue-len(s.buf))
		s.buf = append(s.buf, text[:room]...)
		s.f.cut = s.f.cut || room < len(text)
	}
}

// keepName keeps the begin of a name, without what pads it where it is longer
// than maxName: apps drop blanks and brackets, and cut a name off at a NUL, so
// neither may push a name out of sight.
func (s *formScanner) keepName(text []byte) {
	for len(text) > 0 && !s.cut {
		if len(s.buf) == maxName {
			s.buf = unpad(s.buf)
			s.cut = len(s.buf) > maxName/2
			continue
		}
		room := min(len(text), maxName-len(s.buf))
		s.buf = append(s.buf, text[:room]...)
		text = text[room:]
	}
}

// unpad removes from a name, percent-encoded or not, in place, what some app
// drops of it: blanks, controls and what is no ASCII, brackets before it, and
// all but the first of several brackets or NULs.
func unpad(name []byte) []byte {
	kept, last := name[:0], rune(0)
	for i := 0; i < len(name); {
		c, n := unit(name[i:])
		switch {
		case (c == 0 || c == '[' || c == ']') && (c == last || len(kept) == 0):
		case c != 0 && (c <= ' ' || c >= 0x7f):
		default:
			kept, last = append(kept, name[i:i+n]...), c
		}
		i += n
	}
	return kept
}

// unit returns the character or byte at the begin of a name as it is written in
// a form, and how many bytes it takes there.
func unit(name []byte) (c rune, size int) {
	switch {
	case name[0] == '+':
		return ' ', 1
	case name[0] == '%' && len(name) >= 3 && isHex(name[1]) && isHex(name[2]):
		return rune(hex(name[1])<<4 | hex(name[2])), 3
	case name[0] == '%' && len(name) >= 6 && (name[1] == 'u' || name[1] == 'U') && isHex4(name[2:]):
		return hex4(name[2:]), 6
	}
	return rune(name[0]), 1
}

// named is called where a name ends.
func (s *formScanner) named(bare bool) {
	s.inValue = true
	s.want = false
	if len(s.buf) > 0 {
		s.f = field{at: s.at, name: string(s.buf), bare: bare, split: s.after}
		s.want = s.to.name(&s.f)
	}
	s.buf = s.buf[:0]
}

// close is called where a field ends.
func (s *formScanner) close(atSemicolon bool) {
	if !s.inValue {
		s.named(true)
		s.f.split = s.f.split || atSemicolon
	}
	if s.want {
		s.f.torn = atSemicolon
		s.f.value = s.buf
		s.to.value(&s.f)
	}
	s.buf = s.buf[:0]
	s.inValue, s.want, s.cut = false, false, false
}

func (s *formScanner) end() *Error {
	s.close(false)
	return nil
}
