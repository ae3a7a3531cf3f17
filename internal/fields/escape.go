package fields

import (
	"strings"
	"unicode/utf8"
)

// unescape decodes '+' and percent escapes; what is no escape stays as it is.
// With wide, ASP.NET's %u0065 is one too.
func unescape(s string, wide bool) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, hex(s[i+1])<<4|hex(s[i+2]))
			i += 2
		case wide && c == '%' && i+5 < len(s) && (s[i+1] == 'u' || s[i+1] == 'U') && isHex4(s[i+2:i+6]):
			b = utf8.AppendRune(b, hex4(s[i+2:]))
			i += 5
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// wellEscaped says whether every '%' in s begins an escape, so that all apps
// decode it to the same.
func wellEscaped(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}

func isHex4[T string | []byte](s T) bool {
	return len(s) >= 4 && isHex(s[0]) && isHex(s[1]) && isHex(s[2]) && isHex(s[3])
}

func hex4[T string | []byte](s T) rune {
	return rune(hex(s[0]))<<12 | rune(hex(s[1]))<<8 | rune(hex(s[2]))<<4 | rune(hex(s[3]))
}
