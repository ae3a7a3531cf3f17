package demoapp

import (
	"net/url"
	"path"
	"strings"
)

// clean is the path that the app takes a decoded path for.
func (p PathReading) clean(decoded string) string {
	switch p {
	case PathsJava:
		segments := strings.Split(decoded, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		decoded = strings.Join(segments, "/")
	case PathsIIS:
		if again, err := url.PathUnescape(decoded); err == nil {
			decoded = again
		}
		decoded = strings.ReplaceAll(short(decoded), `\`, "/")
		if end := strings.IndexAny(decoded, "\x00#?"); end >= 0 {
			decoded = decoded[:end]
		}
		decoded = strings.TrimRight(decoded, ". \t")
	default:
		decoded, _, _ = strings.Cut(decoded, ";")
	}
	return strings.ToLower(path.Clean("/" + decoded))
}

// short decodes ASCII characters that are written in two or three bytes, as
// decoders of UTF-8 do that do not look.
func short(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i]&0xfe == 0xc0 && i+1 < len(s):
			b = append(b, s[i]&1<<6|s[i+1]&0x3f)
			i++
		case s[i] == 0xe0 && i+2 < len(s) && s[i+1]&0xfe == 0x80:
			b = append(b, s[i+1]&1<<6|s[i+2]&0x3f)
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}
