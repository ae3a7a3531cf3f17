package cookie

import "strings"

// SessionNames returns the names under which servers look for a session in an
// address, whatever the operator says: PHP, Java, ASP.NET, and the common sid.
func SessionNames() []string { return append(ServerSessionNames(), "sid") }

// ServerSessionNames returns those of SessionNames that a server looks for by
// itself, and that no form has as a field of its own.
func ServerSessionNames() []string {
	return []string{"PHPSESSID", "JSESSIONID", "ASP.NET_SessionId"}
}

// StripQuery returns a raw query (without the '?') less the fields that hold a
// credential, and whether there were any. The rest stays byte for byte. A field
// is one if is says so of its name percent-decoded, or folded as PHP would, or
// without its brackets, as Unbracketed reads it; is should compare without
// regard to case, as Matcher.FoldMatch does.
//
// Apps split a query at '&', some at ';' too, so both are judged. Where the
// name of a whole '&' field is the credential, all of it goes, up to the next
// '&': to leave what follows a ';' would make a new field of what was a value.
//
// What is left may be read in another way than what came, so it is the result
// that rules must be asked about.
func StripQuery(rawQuery string, is func(name string) bool) (string, bool) {
	if !anyField(rawQuery, is) {
		return rawQuery, false
	}
	var b strings.Builder
	b.Grow(len(rawQuery))
	first := true
	for field := range strings.SplitSeq(rawQuery, "&") {
		name, rest, _ := strings.Cut(field, ";")
		if isCredential(name, is) {
			continue
		}
		if !first {
			b.WriteByte('&')
		}
		first = false
		b.WriteString(name)
		if len(name) == len(field) {
			continue
		}
		for part := range strings.SplitSeq(rest, ";") {
			if isCredential(part, is) {
				continue
			}
			b.WriteByte(';')
			b.WriteString(part)
		}
	}
	return b.String(), true
}

// anyField says whether a query holds a credential, without building anything.
func anyField(rawQuery string, is func(string) bool) bool {
	for rest := rawQuery; rest != ""; {
		end := strings.IndexAny(rest, "&;")
		if end < 0 {
			return isCredential(rest, is)
		}
		if isCredential(rest[:end], is) {
			return true
		}
		rest = rest[end+1:]
	}
	return false
}

// isCredential says whether the name of a field "name=value" is a credential
// in any reading.
func isCredential(field string, is func(string) bool) bool {
	name, _, _ := strings.Cut(field, "=")
	if name == "" {
		return false
	}
	if isPlain(name) {
		return is(name)
	}
	decoded := string(appendDecoded(nil, name))
	if is(decoded) || is(Fold(name)) {
		return true
	}
	base := Unbracketed(decoded)
	return base != "" && base != decoded && is(base)
}

// Unbracketed returns the part of a field's name that stands outside of its
// brackets or in the first of them: "a" for "a[x]", which is an array in most
// apps, and for "[a]" and "a]", which Rack 2 reads as "a", as does Express the
// first of them.
func Unbracketed(name string) string {
	name = strings.TrimLeft(name, "[]")
	if end := strings.IndexAny(name, "[]"); end >= 0 {
		return name[:end]
	}
	return name
}

// StripPathParams returns a raw path less what holds a session in it, and
// whether there was any:
//
//   - path parameters whose name is a credential, ";jsessionid=…" in any
//     segment, also behind a ';' that is written %3b;
//   - if is says yes to ASP.NET_SessionId, what ASP.NET's cookieless sessions
//     write at the start of a segment, "/(S(…))/", alone or with its siblings
//     A (anonymous user) and F (the forms login's ticket). ASP.NET takes it out
//     of "/(S(…))admin" too, so the rest of such a segment stays.
//
// The path that is left may be another one than any rule would have seen in
// the raw path ("/(S(x))admin", "/..;jsessionid=x/admin"), so it is the result
// that rules must be asked about.
func StripPathParams(rawPath string, is func(name string) bool) (string, bool) {
	cookieless := is("ASP.NET_SessionId")
	if !strings.ContainsAny(rawPath, ";(%") {
		return rawPath, false
	}
	var b strings.Builder
	stripped := false
	for i, segment := range splitSegments(rawPath) {
		kept := stripParams(segment, is)
		whole := len(kept) > 0
		if cookieless {
			kept = stripCookieless(kept)
		}
		if len(kept) != len(segment) {
			stripped = true
		}
		if whole && kept == "" {
			continue // the segment was nothing but the session: its slash goes too
		}
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(kept)
	}
	if !stripped {
		return rawPath, false
	}
	if strings.HasPrefix(rawPath, "/") && !strings.HasPrefix(b.String(), "/") {
		return "/" + b.String(), true
	}
	return b.String(), true
}

func splitSegments(path string) []string { return strings.Split(path, "/") }

func stripParams(segment string, is func(string) bool) string {
	end, size := nextSemicolon(segment)
	if size == 0 {
		return segment
	}
	var b strings.Builder
	b.WriteString(segment[:end])
	for size > 0 {
		mark := segment[end : end+size]
		segment = segment[end+size:]
		end, size = nextSemicolon(segment)
		if param := segment[:end]; !isCredential(param, is) {
			b.WriteString(mark)
			b.WriteString(param)
		}
	}
	return b.String()
}

// nextSemicolon returns where the next ';' or %3b stands and its length. Where
// there is none, it returns the length of s and 0.
func nextSemicolon(s string) (at, size int) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ';':
			return i, 1
		case s[i] == '%' && i+2 < len(s) && s[i+1] == '3' && (s[i+2] == 'b' || s[i+2] == 'B'):
			return i, 3
		}
	}
	return len(s), 0
}

// stripCookieless drops "(S(…))", and what else ASP.NET writes there, from the
// start of a segment, as often as it stands there.
func stripCookieless(segment string) string {
	for {
		rest, ok := cutCookieless(segment)
		if !ok {
			return segment
		}
		segment = rest
	}
}

// cutCookieless cuts one "(" { letter "(" … ")" } ")" off the start of segment.
// Parentheses and letters may be percent-encoded.
func cutCookieless(segment string) (string, bool) {
	rest, ok := cutByte(segment, '(')
	if !ok {
		return segment, false
	}
	for groups := 0; ; groups++ {
		if after, ok := cutByte(rest, ')'); ok {
			return after, groups > 0
		}
		c, n := firstByte(rest)
		if c = lower(c); n == 0 || c < 'a' || c > 'z' {
			return segment, false
		}
		if rest, ok = cutByte(rest[n:], '('); !ok {
			return segment, false
		}
		for {
			c, n = firstByte(rest)
			if n == 0 || c == '(' {
				return segment, false
			}
			rest = rest[n:]
			if c == ')' {
				break
			}
		}
	}
}

// firstByte returns the first byte of s, percent-decoded, and how many bytes
// it takes there.
func firstByte(s string) (c byte, size int) {
	if s == "" {
		return 0, 0
	}
	if s[0] == '%' {
		if r, ok := hexNumber(s, 1, 2); ok {
			return byte(r), 3
		}
	}
	return s[0], 1
}

func cutByte(s string, want byte) (string, bool) {
	c, n := firstByte(s)
	if n == 0 || c != want {
		return s, false
	}
	return s[n:], true
}
