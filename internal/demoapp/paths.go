package demoapp

import (
	"net/url"
	"path"
	"strings"
)

var overlong = strings.NewReplacer("\xc0\xae", ".", "\xc0\xaf", "/", "\xc1\x9c", `\`)

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
		decoded = strings.ReplaceAll(overlong.Replace(decoded), `\`, "/")
		if end := strings.IndexAny(decoded, "\x00#"); end >= 0 {
			decoded = decoded[:end]
		}
		decoded = strings.TrimRight(decoded, ". ")
	default:
		decoded, _, _ = strings.Cut(decoded, ";")
	}
	return strings.ToLower(path.Clean("/" + decoded))
}
