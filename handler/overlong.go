package handler

import "strings"

// shorten decodes what lenient decoders of UTF-8 take for ASCII: its characters
// written in more bytes than they need (RFC 3629 section 10). Everything else
// stays as it is.
func shorten(p string) string {
	i := strings.IndexFunc(p, isOverlong)
	if i < 0 {
		return p
	}
	b := append(make([]byte, 0, len(p)), p[:i]...)
	for i < len(p) {
		c, n := overlongAt(p[i:])
		if n == 0 {
			c, n = p[i], 1
		}
		b = append(b, c)
		i += n
	}
	return string(b)
}

// isOverlong tells of a rune that is no UTF-8, as strings.IndexFunc gives it.
func isOverlong(r rune) bool { return r == '\uFFFD' }

// overlongAt returns the ASCII character that p begins with in 2, 3 or 4 bytes,
// and how many they are; 0 if it begins with none.
func overlongAt(p string) (c byte, n int) {
	var low uint
	switch {
	case len(p) >= 2 && p[0]&0xfe == 0xc0:
		low, n = uint(p[0]&1)<<6, 2
	case len(p) >= 3 && p[0] == 0xe0 && p[1]&0xfe == 0x80:
		low, n = uint(p[1]&1)<<6, 3
	case len(p) >= 4 && p[0] == 0xf0 && p[1] == 0x80 && p[2]&0xfe == 0x80:
		low, n = uint(p[2]&1)<<6, 4
	default:
		return 0, 0
	}
	if last := p[n-1]; last&0xc0 == 0x80 {
		return byte(low | uint(last&0x3f)), n
	}
	return 0, 0
}
