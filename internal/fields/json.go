package fields

import (
	"strconv"
)

const (
	// maxDepth is how deep a JSON body may be nested.
	maxDepth = 64
	// maxLiteral is the longest number, in bytes.
	maxLiteral = 1 << 10
)

// jsonState is what may come next outside of a string.
type jsonState int

const (
	wantValue     jsonState = iota
	wantFirst               // a value or the end of the array
	wantFirstKey            // a key or the end of the object
	wantKey                 // a key
	wantColon               // the ':' after a key
	wantNext                // a ',' or the end of what is open
	wantNothing             // the value is complete
	withinLiteral           // more of a number or word
)

// jsonScanner reads a JSON body as RFC 8259 has it and nothing else: no byte
// order mark, no comments, no NaN, no invalid UTF-8, nothing after the value.
// Keys that are repeated are told each time; to judge that is the sink's work.
type jsonScanner struct {
	to    sink
	depth int // fields with longer paths are not told

	state    jsonState
	stack    []level
	str      jsonString
	inString bool
	isKey    bool
	literal  []byte

	f    field
	path []string
	want bool // the value that comes next is wanted
}

// level is one object or array that is open.
type level struct {
	array bool
	key   string
	index int
}

func newJSONScanner(to sink, depth int) *jsonScanner { return &jsonScanner{to: to, depth: depth} }

func brokenJSON(why string) *Error { return fault(reasonJSON, "the body is no valid JSON: "+why) }

func (s *jsonScanner) scan(chunk []byte) *Error {
	for i := 0; i < len(chunk); {
		if !s.inString {
			if err := s.outside(chunk[i]); err != nil {
				return err
			}
			i++
			continue
		}
		n, whole, err := s.str.scan(chunk[i:])
		if err != nil {
			return err
		}
		i += n
		if !whole {
			continue
		}
		if err := s.endString(); err != nil {
			return err
		}
	}
	return nil
}

func (s *jsonScanner) end() *Error {
	if s.state == withinLiteral && !s.inString {
		if err := s.endLiteral(); err != nil {
			return err
		}
	}
	if s.inString || s.state != wantNothing {
		return brokenJSON("it ends early")
	}
	return nil
}

// outside reads one byte that belongs to no string.
func (s *jsonScanner) outside(c byte) *Error {
	if s.state == withinLiteral {
		if isLiteral(c) {
			if len(s.literal) == maxLiteral {
				return brokenJSON("a number is too long")
			}
			s.literal = append(s.literal, c)
			return nil
		}
		if err := s.endLiteral(); err != nil {
			return err
		}
	}
	if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
		return nil
	}
	switch s.state {
	case wantFirstKey:
		if c == '}' {
			return s.close(false)
		}
		fallthrough
	case wantKey:
		if c != '"' {
			return brokenJSON("a key is no string")
		}
		s.inString, s.isKey = true, true
		s.str.begin(maxName)
		return nil
	case wantColon:
		if c != ':' {
			return brokenJSON("a colon is missing")
		}
		s.state = wantValue
		return nil
	case wantFirst:
		if c == ']' {
			return s.close(true)
		}
		s.tell()
		return s.value(c)
	case wantNext:
		return s.after(c)
	case wantNothing:
		return brokenJSON("something stands after it")
	default:
		return s.value(c)
	}
}

// value reads the first byte of a value.
func (s *jsonScanner) value(c byte) *Error {
	switch {
	case c == '"':
		s.inString, s.isKey = true, false
		s.str.begin(0)
		if s.want {
			s.str.begin(maxValue)
		}
		return nil
	case c == '{', c == '[':
		s.notText(nil)
		if len(s.stack) == maxDepth {
			return brokenJSON("it is nested too deep")
		}
		s.stack = append(s.stack, level{array: c == '['})
		s.state = wantFirstKey
		if c == '[' {
			s.state = wantFirst
		}
		return nil
	case isLiteral(c):
		s.literal = append(s.literal[:0], c)
		s.state = withinLiteral
		return nil
	}
	return brokenJSON("a value is missing")
}

// after reads what stands behind a value.
func (s *jsonScanner) after(c byte) *Error {
	top := &s.stack[len(s.stack)-1]
	switch {
	case c == ',' && top.array:
		top.index++
		s.tell()
		s.state = wantValue
		return nil
	case c == ',':
		s.state = wantKey
		return nil
	case c == ']', c == '}':
		return s.close(c == ']')
	}
	return brokenJSON("a comma is missing")
}

func (s *jsonScanner) close(array bool) *Error {
	if s.stack[len(s.stack)-1].array != array {
		return brokenJSON("its brackets do not match")
	}
	s.stack = s.stack[:len(s.stack)-1]
	s.valued()
	return nil
}

// valued is called after each value.
func (s *jsonScanner) valued() {
	s.want = false
	s.state = wantNext
	if len(s.stack) == 0 {
		s.state = wantNothing
	}
}

func (s *jsonScanner) endString() *Error {
	s.inString = false
	s.str.end()
	if !s.isKey {
		if s.want {
			s.f.value, s.f.cut, s.f.odd = s.str.text, s.str.cut, s.str.lone
			s.to.value(&s.f)
		}
		s.valued()
		return nil
	}
	if s.str.lone {
		return brokenJSON("a key holds half a surrogate pair")
	}
	top := &s.stack[len(s.stack)-1]
	top.key = ""
	if len(s.stack) <= s.depth {
		// Of one that is too long the begin: some apps cut it at a NUL.
		top.key = string(s.str.text)
	}
	s.tell()
	s.state = wantColon
	return nil
}

func (s *jsonScanner) endLiteral() *Error {
	switch word := string(s.literal); {
	case word == "true", word == "false", word == "null", isNumber(word):
	default:
		return brokenJSON("a number or word is none")
	}
	s.notText(s.literal)
	s.valued()
	return nil
}

// notText tells the sink that the wanted value is no string; literal is nil for
// an object or an array.
func (s *jsonScanner) notText(literal []byte) {
	if !s.want {
		return
	}
	s.want = false
	s.f.value, s.f.notText = literal, true
	s.to.value(&s.f)
}

// tell tells the sink of the key or index that was just read.
func (s *jsonScanner) tell() {
	s.want = false
	if len(s.stack) > s.depth {
		return
	}
	s.path = s.path[:0]
	for _, l := range s.stack {
		switch {
		case l.array:
			s.path = append(s.path, strconv.Itoa(l.index))
		default:
			s.path = append(s.path, l.key)
		}
	}
	s.f = field{at: inJSON, path: s.path}
	s.want = s.to.name(&s.f)
}

func isLiteral(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.'
}

// isNumber says whether s is a number of RFC 8259, section 6.
func isNumber(s string) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	skip := func(any string) bool {
		for i := range any {
			if s != "" && s[0] == any[i] {
				s = s[1:]
				return true
			}
		}
		return false
	}
	skip("-")
	if !skip("0") && !digits() {
		return false
	}
	if skip(".") && !digits() {
		return false
	}
	if skip("eE") {
		skip("+-")
		if !digits() {
			return false
		}
	}
	return s == ""
}
