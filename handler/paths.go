package handler

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Some apps take one path for another: they decode it again, cut it at a
// semicolon or at what ends a path in an address, drop a trailing slash or dot. The raw path is what reaches the
// app, so a rule about paths is asked about every reading of it.

// readings appends the readings of a decoded path to all, which is empty. The first pathReadings of
// them are what a careful app may see; the rest only a lenient one. Only the
// first is there for a path without anything to read differently.
func readings(all []string, u *url.URL) (_ []string, strict int) {
	decoded := u.Path
	all = append(all, decoded)
	if isPlainPath(u) {
		return all, 1
	}
	add := func(p string) {
		if p != "" && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	// What Go decodes an app may keep: %2f as part of a segment.
	if u.RawPath != "" {
		if kept, err := url.PathUnescape(keepSlashes.Replace(u.EscapedPath())); err == nil {
			add(kept)
			add(caddyhttp.CleanPath(kept, true))
		}
	}
	add(caddyhttp.CleanPath(decoded, true))
	again := shorten(decodeAgain(decoded))
	add(caddyhttp.CleanPath(again, true))
	for _, p := range []string{decoded, again} {
		addMalicious(p, add)
	}
	for _, p := range slices.Clone(all) {
		add(caddyhttp.CleanPath(cutParams(p), true))
		if end := strings.IndexAny(p, ";?#"); end >= 0 {
			add(caddyhttp.CleanPath(p[:end], true))
		}
	}
	strict = len(all)
	for _, p := range slices.Clone(all) {
		add(trimEnd(p))
	}
	return all, strict
}

// addMalicious adds what an app may read in a path that is refused but where
// allow_path lets it through: a backslash for a slash, nothing after a NUL.
func addMalicious(p string, add func(string)) {
	if !strings.ContainsAny(p, "\\\x00") {
		return
	}
	slashes := strings.ReplaceAll(p, `\`, "/")
	add(caddyhttp.CleanPath(slashes, true))
	for _, p := range []string{p, slashes} {
		before, _, _ := strings.Cut(p, "\x00")
		add(caddyhttp.CleanPath(before, true))
	}
}

var keepSlashes = strings.NewReplacer("%2f", "%252F", "%2F", "%252F")

// isPlainPath reports whether every app reads the path as it stands.
func isPlainPath(u *url.URL) bool {
	p := u.Path
	if u.RawPath != "" || p == "" || strings.ContainsAny(p, "%;?#\\\x00") || !utf8.ValidString(p) || strings.Contains(p, "//") || strings.Contains(p, "/.") {
		return false
	}
	if p == "/" {
		return true
	}
	last := p[len(p)-1]
	return last > ' ' && last != '/' && last != '.'
}

// cutParams removes the path parameters from each segment (RFC 3986 section
// 3.3), as Java's servers do.
func cutParams(p string) string {
	if !strings.Contains(p, ";") {
		return p
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// trimEnd removes trailing slashes, dots, blanks and control characters, but
// never all of it.
func trimEnd(p string) string {
	if t := strings.TrimRightFunc(p, func(r rune) bool { return r <= ' ' || r == '/' || r == '.' }); t != "" {
		return t
	}
	return "/"
}

// isMalicious reports whether an address has a spelling that serves only to
// make two parties read two paths: a backslash, a NUL, a raw #, or a dot
// segment in any encoding.
func isMalicious(requestURI string, u *url.URL) bool {
	if strings.Contains(requestURI, "#") {
		return true
	}
	p := u.Path
	if !strings.ContainsAny(p, "\\%\x00") && !strings.Contains(p, "/.") && !strings.Contains(p, ";") && utf8.ValidString(p) {
		return false
	}
	for range 3 {
		if short := shorten(p); strings.ContainsAny(short, "\\\x00") || hasDotSegment(short) {
			return true
		}
		next := decodeAgain(p)
		if next == p {
			return false
		}
		p = next
	}
	return true
}

// decodeAgain decodes the percent escapes of a path, as lenient apps do: what
// is none stays as it is.
func decodeAgain(p string) string {
	i := strings.IndexByte(p, '%')
	if i < 0 {
		return p
	}
	b := append(make([]byte, 0, len(p)), p[:i]...)
	for ; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			if c, err := strconv.ParseUint(p[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(c))
				i += 2
				continue
			}
		}
		b = append(b, p[i])
	}
	return string(b)
}

func hasDotSegment(p string) bool {
	for s := range strings.SplitSeq(p, "/") {
		s, _, _ = strings.Cut(s, ";")
		if s == "." || s == ".." {
			return true
		}
	}
	return false
}

// matches reports whether a matcher matches the request by any of its
// readings. An empty matcher matches nothing here; an error is a denial, which
// the caller turns into a closed door.
func (v *visit) matches(ms caddyhttp.MatcherSets) (bool, error) {
	if len(ms) == 0 {
		return false, nil
	}
	for i := range v.paths() {
		ok, err := v.asks(ms, i, false)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// matchesAll reports whether a matcher matches the request by every reading
// that a careful app may make.
func (v *visit) matchesAll(ms caddyhttp.MatcherSets) (bool, error) {
	if len(ms) == 0 {
		return false, nil
	}
	v.paths()
	for i := range v.strictPaths {
		ok, err := v.asks(ms, i, true)
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// asks reports whether a matcher matches the request in the i-th reading of its
// path by any of its methods, or by all.
func (v *visit) asks(ms caddyhttp.MatcherSets, i int, all bool) (bool, error) {
	r := v.forRule(v.reading(i), ms, all)
	ok, err := ms.AnyMatchWithError(r)
	for n := 0; err == nil && ok == all && n < len(v.methods); n++ {
		other := *r
		other.Method = v.methods[n]
		ok, err = ms.AnyMatchWithError(&other)
		r.Body = other.Body
	}
	// A matcher that has read of the body has put it back there.
	v.r.Body = r.Body
	return ok, err
}

// paths returns the readings of the request's path, made once.
func (v *visit) paths() []string {
	if v.allPaths == nil {
		v.allPaths, v.strictPaths = readings(v.pathRoom(), v.r.URL)
		v.query = readableQuery(v.r.URL.RawQuery)
	}
	return v.allPaths
}

// pathRoom is where the readings are put. A copy of a visit has room of its own.
func (v *visit) pathRoom() []string {
	if v.room == nil || v != &v.room.visit {
		return nil
	}
	return v.room.paths[:0]
}

// reading returns the request as if its path were the i-th reading.
func (v *visit) reading(i int) *http.Request {
	if i == 0 && v.query == v.r.URL.RawQuery {
		return v.r
	}
	r := new(http.Request)
	*r = *v.r
	u := *v.r.URL
	u.RawQuery = v.query
	if i > 0 {
		u.Path, u.RawPath = v.allPaths[i], ""
	}
	r.URL = &u
	return r
}

// readableQuery returns a query as matchers can read it. Caddy's query matcher
// never matches a query that Go cannot parse, while most apps read the fields
// of it that they can: what Go objects to is replaced.
func readableQuery(raw string) string {
	if raw == "" {
		return raw
	}
	if _, err := url.ParseQuery(raw); err == nil {
		return raw
	}
	fields := strings.FieldsFunc(raw, func(r rune) bool { return r == '&' || r == ';' })
	for i, f := range fields {
		if _, err := url.QueryUnescape(f); err != nil {
			fields[i] = strings.ReplaceAll(f, "%", "%25")
		}
	}
	return strings.Join(fields, "&")
}

// setRawPath puts a raw path in the place of an address's.
func setRawPath(u *url.URL, raw string) {
	path, err := url.PathUnescape(raw)
	if err != nil {
		return
	}
	u.Path, u.RawPath = path, raw
	if u.EscapedPath() == (&url.URL{Path: path}).EscapedPath() {
		u.RawPath = ""
	}
}
