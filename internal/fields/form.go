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
	long    bool // the name is longer than any of ours
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
		if len(s.buf)+len(text) > maxName {
			s.long = true
			return
		}
		s.buf = append(s.buf, text...)
	case s.want:
		room := min(len(text), maxValue-len(s.buf))
		s.buf = append(s.buf, text[:room]...)
		s.f.cut = s.f.cut || room < len(text)
	}
}

// named is called where a name ends.
func (s *formScanner) named(bare bool) {
	s.inValue = true
	s.want = false
	if len(s.buf) > 0 && !s.long {
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
	s.inValue, s.want, s.long = false, false, false
}

func (s *formScanner) end() *Error {
	s.close(false)
	return nil
}
