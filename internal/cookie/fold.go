package cookie

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold returns the name under which PHP files a cookie or field of this name:
//
//   - percent escapes and '+' are decoded, as PHP did for cookies until 7.2.34,
//     7.3.23 and 7.4.11 (CVE-2020-7070) and still does for fields;
//   - what follows a NUL is cut off;
//   - leading white space is dropped; blanks and dots become '_';
//   - "a[x]…" is an array of the name "a"; a '[' without a ']' behind it
//     becomes '_', and so do the blanks and dots after it;
//   - a name that begins with '[' is none: the result is "".
//
// A name that needs none of this is returned as it is, without an allocation.
// The result is for comparing, never for writing. Fold is one reading of
// several; whether any app could take one name for another is told by
// Matcher.FoldMatch.
func Fold(name string) string {
	if isPlain(name) {
		return name
	}
	return string(appendFold(nil, name, true))
}

// isPlain says whether every parser reads name as it stands.
func isPlain(name string) bool {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '.', c == '[', c == ']', c == '%', c == '+':
			return false
		case c <= ' ', c >= 0x7f:
			return false
		}
	}
	return true
}

// appendFold appends PHP's reading of name, with or without the decoding.
func appendFold(dst []byte, name string, decode bool) []byte {
	start := len(dst)
	if decode {
		dst = appendDecoded(dst, name)
	} else {
		dst = append(dst, name...)
	}
	text := dst[start:]
	for i, c := range text {
		if c == 0 {
			text = text[:i]
			break
		}
	}
	lead := 0
	for lead < len(text) && isSpace(text[lead]) {
		lead++
	}
	text = text[:copy(text, text[lead:])]

	for i, c := range text {
		switch c {
		case ' ', '.':
			text[i] = '_'
		case '[':
			if i == 0 {
				return dst[:start]
			}
			if closes(text[i:]) {
				return dst[:start+i]
			}
			text[i] = '_'
		}
	}
	return dst[:start+len(text)]
}

func closes(s []byte) bool {
	for _, c := range s {
		if c == ']' {
			return true
		}
	}
	return false
}

// isSpace is C's isspace.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// appendDecoded appends s with '+' as a blank and its percent escapes decoded,
// those of ASP.NET (%u0073) too. An escape that is none stays as it is.
func appendDecoded(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			dst = append(dst, ' ')
		case '%':
			r, n := escape(s[i:])
			switch {
			case n == 0:
				dst = append(dst, c)
				continue
			case n == 3:
				dst = append(dst, byte(r))
			default:
				dst = utf8.AppendRune(dst, r)
			}
			i += n - 1
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// escape returns the character that the escape at the start of s stands for,
// and the escape's length: 3 for %73, 6 for %u0073, 0 where s begins with none.
func escape(s string) (rune, int) {
	if r, ok := hexNumber(s, 1, 2); ok {
		return r, 3
	}
	if len(s) > 1 && (s[1] == 'u' || s[1] == 'U') {
		if r, ok := hexNumber(s, 2, 4); ok {
			return r, 6
		}
	}
	return 0, 0
}

func hexNumber(s string, from, digits int) (rune, bool) {
	if len(s) < from+digits {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[from : from+digits]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// trimSpace drops what Python's and JavaScript's strip functions drop around a
// name: white space of Unicode, in UTF-8 and as the single bytes 0x85 and 0xA0
// of Latin-1, and ASCII's separators 0x1C to 0x1F.
func trimSpace(s []byte) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if !isWide(r, n, s[0]) {
			break
		}
		s = s[n:]
	}
	for len(s) > 0 {
		r, n := utf8.DecodeLastRune(s)
		if !isWide(r, n, s[len(s)-1]) {
			break
		}
		s = s[:len(s)-n]
	}
	return s
}

func isWide(r rune, size int, c byte) bool {
	if r == utf8.RuneError && size == 1 {
		return c == 0x85 || c == 0xa0
	}
	return unicode.IsSpace(r) || r == 0xfeff || r >= 0x1c && r <= 0x1f
}

// equalFold compares without regard to the case of ASCII letters.
func equalFold(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// hasPrefixFold is strings.HasPrefix without regard to the case of ASCII letters.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
