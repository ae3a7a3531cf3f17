package fields

import (
	"unicode/utf8"
)

// longestUnit is the longest run of bytes that decodes to one character: an
// escaped surrogate pair, \ud83d\ude00.
const longestUnit = 12

// plainReader turns bytes of which nobody knows how an app reads them into
// letters and digits: what is left of a name in whatever syntax, charset or
// escapes. It works in two views, the bytes as they stand and with every escape
// undone that some parser undoes.
type plainReader struct {
	held []byte // the end of what came, which may be the begin of an escape
	raw  []byte
	open []byte
}

// feed returns the two views of what came since the last call. They are valid
// until the next one. At the end, last must be true.
func (p *plainReader) feed(chunk []byte, last bool) (raw, open []byte) {
	p.held = append(p.held, chunk...)
	safe := len(p.held) - longestUnit
	if last {
		safe = len(p.held)
	}
	p.raw, p.open = p.raw[:0], p.open[:0]
	i := 0
	for i < safe {
		n := p.unit(p.held[i:])
		i += n
	}
	p.held = p.held[:copy(p.held, p.held[i:])]
	return p.raw, p.open
}

// unit adds what stands at the begin of s to both views and returns its length.
func (p *plainReader) unit(s []byte) int {
	c := s[0]
	switch {
	case plainTable[c] != 0:
		p.raw = append(p.raw, plainTable[c])
		p.open = append(p.open, plainTable[c])
		return 1
	case c == '%' || c == '\\':
		return p.escape(s)
	case c < 0x80:
		return 1
	}
	r, n := utf8.DecodeRune(s)
	if r == utf8.RuneError {
		return 1
	}
	p.raw = appendPlain(p.raw, r)
	p.open = appendPlain(p.open, r)
	return n
}

// escape adds an escape undone to the one view; in the other its letters stand
// as they are.
func (p *plainReader) escape(s []byte) int {
	r, n := rune(-1), 1
	switch {
	case len(s) >= 6 && (s[1] == 'u' || s[1] == 'U') && isHex4(s[2:]):
		r, n = hex4(s[2:]), 6
	case s[0] == '%' && len(s) >= 3 && isHex(s[1]) && isHex(s[2]):
		r, n = rune(hex(s[1])<<4|hex(s[2])), 3
	case s[0] == '\\' && len(s) >= 4 && s[1] == 'x' && isHex(s[2]) && isHex(s[3]):
		r, n = rune(hex(s[2])<<4|hex(s[3])), 4
	}
	if n == 1 {
		return 1
	}
	for _, c := range s[1:n] {
		if plainTable[c] != 0 {
			p.raw = append(p.raw, plainTable[c])
		}
	}
	p.open = appendPlain(p.open, r)
	return n
}

// plainTable maps ASCII letters and digits to what they are compared as.
var plainTable = func() (t [256]byte) {
	for c := range 0x80 {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z':
			t[c] = byte(c)
		case c >= 'A' && c <= 'Z':
			t[c] = byte(c + 'a' - 'A')
		}
	}
	return t
}()

func appendPlain(dst []byte, r rune) []byte {
	if r = foldRune(r); r < 0 || r < 0x80 && plainTable[r] == 0 {
		return dst
	}
	return utf8.AppendRune(dst, r)
}

// plainOf returns what is left of a name.
func plainOf(name string) string {
	var p plainReader
	raw, _ := p.feed([]byte(name), true)
	return string(raw)
}
