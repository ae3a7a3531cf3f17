package fields

import (
	"strings"
	"unicode/utf8"
)

// jsonString reads one string of a JSON body, of which it keeps no more than it
// is told to.
type jsonString struct {
	text []byte
	keep int
	cut  bool // text is not all of it
	lone bool // it holds a surrogate without its other half

	char   []byte // a character of several bytes that is not whole yet
	escape []byte // an escape that is not whole yet
	high   rune   // the first half of a surrogate pair
}

func (s *jsonString) begin(keep int) {
	s.text, s.keep, s.cut, s.lone, s.high = s.text[:0], keep, false, false, 0
}

func (s *jsonString) end() { s.lone = s.lone || s.high != 0 }

// scan reads to the closing quote, or to the end of the chunk, and returns how
// many bytes it took and whether the string is whole.
func (s *jsonString) scan(chunk []byte) (n int, whole bool, err *Error) {
	for n < len(chunk) {
		if len(s.escape) == 0 && len(s.char) == 0 {
			if run := plainRun(chunk[n:]); run > 0 {
				s.add(chunk[n : n+run])
				n += run
				continue
			}
		}
		c := chunk[n]
		n++
		switch {
		case len(s.escape) > 0:
			err = s.inEscape(c)
		case c >= 0x80:
			err = s.inChar(c)
		case len(s.char) > 0:
			err = brokenJSON("a string is not UTF-8")
		case c == '"':
			return n, true, nil
		case c == '\\':
			s.escape = append(s.escape, c)
		default:
			err = brokenJSON("a string holds a control character")
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

// plainRun returns how many bytes at the begin of chunk stand for themselves.
func plainRun(chunk []byte) int {
	for i, c := range chunk {
		if c == '"' || c == '\\' || c < ' ' || c >= 0x80 {
			return i
		}
	}
	return len(chunk)
}

func (s *jsonString) inChar(c byte) *Error {
	s.char = append(s.char, c)
	if !utf8.FullRune(s.char) {
		return nil
	}
	if r, n := utf8.DecodeRune(s.char); r == utf8.RuneError && n == 1 {
		return brokenJSON("a string is not UTF-8")
	}
	s.add(s.char)
	s.char = s.char[:0]
	return nil
}

func (s *jsonString) inEscape(c byte) *Error {
	s.escape = append(s.escape, c)
	if s.escape[1] != 'u' {
		at := strings.IndexByte(`"\/bfnrt`, c)
		if at < 0 {
			return brokenJSON("a string holds an escape that is none")
		}
		s.escape = s.escape[:0]
		s.add([]byte{"\"\\/\b\f\n\r\t"[at]})
		return nil
	}
	if len(s.escape) > 2 && !isHex(c) {
		return brokenJSON("a string holds an escape that is none")
	}
	if len(s.escape) < 6 {
		return nil
	}
	r := hex4(s.escape[2:])
	s.escape = s.escape[:0]
	s.unit(r)
	return nil
}

// unit adds one unit of UTF-16.
func (s *jsonString) unit(r rune) {
	isHigh, isLow := r >= 0xd800 && r < 0xdc00, r >= 0xdc00 && r < 0xe000
	switch {
	case isLow && s.high != 0:
		r, s.high = (s.high-0xd800)<<10+(r-0xdc00)+0x10000, 0
		s.add(utf8.AppendRune(nil, r))
	case isLow:
		s.lone = true
	case isHigh:
		s.lone = s.lone || s.high != 0
		s.high = r
	default:
		s.add(utf8.AppendRune(nil, r))
	}
}

func (s *jsonString) add(text []byte) {
	if s.high != 0 {
		s.high, s.lone = 0, true
	}
	room := min(len(text), s.keep-len(s.text))
	s.text = append(s.text, text[:room]...)
	s.cut = s.cut || room < len(text)
}
