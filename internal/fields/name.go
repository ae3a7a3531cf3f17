package fields

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how much of a field's name is looked at, in bytes as written: more
// than the longest of ours takes, without what only pads it.
const maxName = 1 << 10

// relation is what a field met has to do with a field wanted.
type relation int

const (
	unrelated relation = iota
	// above: the wanted field would stand inside this one ("user" where
	// "user[email]" is wanted), so that it may overwrite it.
	above
	// same: at least one app reads this as the wanted field.
	same
	// inside: to at least one app this field makes the wanted one an array or an
	// object ("email[]", "email[a]"). It is the strongest, since it is refused.
	inside
)

// wanted is the name of a field, in the forms in which it is compared.
type wanted struct {
	name  string
	canon string
	php   []string // as PHP files it: base and indexes
	keys  []string // split at brackets, as Rack and qs do
	dots  []string // split at brackets and dots
	// least is the length of the shortest name that can be one: what is not
	// plain only gets shorter when it is read.
	least int
}

func newWanted(name string) *wanted {
	w := &wanted{
		name:  name,
		canon: canon(name),
		php:   phpPath(canon(name)),
		keys:  split(canon(name), "[]"),
		dots:  split(canon(name), "[]."),
	}
	w.least = len(w.canon)
	for _, path := range [][]string{w.php, w.keys, w.dots} {
		if len(path) > 0 {
			w.least = min(w.least, len(path[0]))
		}
	}
	return w
}

// form compares a name as it is written in a form or a query, percent-encoded.
func (w *wanted) form(raw string) relation {
	if isPlain(raw) {
		return w.plain(raw)
	}
	if len(raw) < w.least {
		return unrelated
	}
	found := w.text(unescape(raw, false))
	if strings.Contains(raw, "%u") || strings.Contains(raw, "%U") {
		found = max(found, w.text(unescape(raw, true)))
	}
	return found
}

// part compares the name of a multipart part: most apps take it as it stands,
// some decode it.
func (w *wanted) part(name string) relation {
	found := w.text(name)
	if strings.ContainsAny(name, "%+") {
		found = max(found, w.form(name))
	}
	return found
}

// plain compares a name of nothing but ASCII letters, digits, '_' and '-'.
func (w *wanted) plain(name string) relation {
	switch {
	case foldEqual(name, w.canon), len(w.php) == 1 && foldEqual(name, w.php[0]), len(w.dots) == 1 && foldEqual(name, w.dots[0]):
		return same
	case len(w.php) > 1 && foldEqual(name, w.php[0]), len(w.keys) > 1 && foldEqual(name, w.keys[0]):
		return above
	}
	return unrelated
}

// text compares a name that is decoded, whole, cut at its first NUL, and
// without its NULs.
func (w *wanted) text(name string) relation {
	found := w.folded(canon(name))
	if before, _, cut := strings.Cut(name, "\x00"); cut {
		found = max(found, w.folded(canon(before)))
		found = max(found, w.folded(canon(strings.ReplaceAll(name, "\x00", ""))))
	}
	return found
}

func (w *wanted) folded(name string) relation {
	if name == "" {
		return unrelated
	}
	if name == w.canon {
		return same
	}
	php, keys := phpPath(name), split(name, "[]")
	switch {
	case begins(php, w.php), begins(keys, w.keys):
		return inside
	case slices.Equal(php, w.php) && len(php) > 0, slices.Equal(keys, w.keys), slices.Equal(split(name, "[]."), w.dots):
		return same
	case begins(w.php, php), begins(w.keys, keys):
		return above
	}
	return unrelated
}

// path compares the keys of a JSON value, the outermost first.
func (w *wanted) path(keys []string) relation {
	if len(keys) == 1 {
		if found := w.key(keys[0]); found != unrelated {
			return found
		}
	}
	if len(keys) > len(w.dots) {
		return unrelated
	}
	names := w.dots
	// Rails puts what stands at the top of a JSON body under the name of the
	// controller too (wrap_parameters): "email" is "session[email]" there.
	if len(names) > 1 && len(keys) == len(names)-1 && allFold(keys, names[1:]) {
		return same
	}
	if !allFold(keys, names[:len(keys)]) {
		return unrelated
	}
	if len(keys) < len(names) {
		return above
	}
	return same
}

// key compares a key at the top of a JSON body with the whole name.
func (w *wanted) key(name string) relation {
	if isPlain(name) {
		return w.plain(name)
	}
	return w.text(name)
}

func allFold(keys, names []string) bool {
	for i, k := range keys {
		if isPlain(k) {
			if !foldEqual(k, names[i]) {
				return false
			}
			continue
		}
		before, _, _ := strings.Cut(k, "\x00")
		if canon(k) != names[i] && canon(before) != names[i] && canon(strings.ReplaceAll(k, "\x00", "")) != names[i] {
			return false
		}
	}
	return true
}

// begins says whether path goes on after prefix.
func begins(path, prefix []string) bool {
	return len(prefix) > 0 && len(path) > len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

// split splits a name at the given bytes and drops what is empty.
func split(name, at string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(at, r) })
}

// phpPath returns the variable and the indexes under which PHP files a field
// of this name; nil if it drops it. A bracket that does not close becomes '_'
// in the variable, and ends the name after an index, as does anything else.
func phpPath(name string) []string {
	name = strings.TrimLeft(name, " \t\n\v\f\r")
	at := strings.IndexByte(name, '[')
	if at == 0 || name == "" {
		return nil
	}
	if at < 0 || strings.IndexByte(name[at:], ']') < 0 {
		return []string{phpVariable(name)}
	}
	path := []string{phpVariable(name[:at])}
	for rest := name[at:]; strings.HasPrefix(rest, "["); {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			break
		}
		path = append(path, strings.TrimSpace(rest[1:end]))
		rest = rest[end+1:]
	}
	return path
}

func phpVariable(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '.' || r == '[' {
			return '_'
		}
		return r
	}, name)
}

// canon folds what some app does not tell apart: letters' case, Unicode's
// letters that fold to ASCII ones, full-width forms, characters without a width,
// and white space and control characters around the name.
func canon(name string) string {
	if isCanon(name) {
		return name
	}
	name = strings.TrimFunc(name, isBlank)
	var b strings.Builder
	b.Grow(len(name))
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if r == utf8.RuneError && n == 1 {
			b.WriteByte(name[i])
			i++
			continue
		}
		i += n
		if r = foldRune(r); r >= 0 {
			b.WriteRune(r)
		}
	}
	return strings.Trim(trimLatin(b.String()), " ")
}

// trimLatin trims the single bytes 0x85 and 0xA0, which are white space in
// Latin-1.
func trimLatin(s string) string {
	latin := func(c byte) bool { return c == 0x85 || c == 0xa0 }
	for s != "" && latin(s[0]) {
		s = s[1:]
	}
	for s != "" && latin(s[len(s)-1]) {
		if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError && n > 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s
}

// foldRune returns what r is compared as; -1 if it is not compared.
func foldRune(r rune) rune {
	switch {
	case r < 0x80:
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	case r == 0x017f: // long s
		return 's'
	case r == 0x212a: // Kelvin
		return 'k'
	case r == 0x0130, r == 0x0131: // Turkish i
		return 'i'
	case r >= 0xff01 && r <= 0xff5e:
		return foldRune(r - 0xfee0)
	case unicode.Is(unicode.Cf, r):
		return -1
	}
	return unicode.ToLower(r)
}

func isBlank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == 0xfeff
}

func isCanon(name string) bool {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}

func isPlain(name string) bool {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// foldEqual compares a name with one that is folded already.
func foldEqual(name, folded string) bool {
	if len(name) != len(folded) {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != folded[i] {
			return false
		}
	}
	return true
}
