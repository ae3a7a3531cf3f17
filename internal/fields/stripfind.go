package fields

import (
	"bytes"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
)

const (
	// stripDepth is how deep in a JSON body a field is looked for, as the
	// dotted path of its keys.
	stripDepth = 4
	// maxWord is the longest name that is looked for in bytes that cannot be
	// read for certain.
	maxWord = 256
)

// stripFinder looks for any field of which is says that it may not pass.
type stripFinder struct {
	is      func(name string) bool
	met     bool
	spotted bool
	hidden  bool
	tail    []byte
}

func (f *stripFinder) name(x *field) bool {
	f.met = f.met || f.isOne(x)
	return isCharsetField(x)
}

func (f *stripFinder) isOne(x *field) bool {
	if x.at == inJSON {
		return f.is(strings.Join(x.path, "."))
	}
	decoded := unescape(x.name, true)
	base := cookie.Unbracketed(decoded)
	return f.is(x.name) || f.is(decoded) || base != "" && f.is(base)
}

func (f *stripFinder) value(x *field) {
	if isCharsetField(x) && charsetOf(unescape(string(x.value), false)) == charsetHiding {
		f.all()
	}
}

func (f *stripFinder) all() { f.met, f.hidden = true, true }

func (f *stripFinder) found(broken bool) bool { return f.met || broken && f.spotted }

// spot takes every word for a name, as it stands and with its escapes undone.
func (f *stripFinder) spot(chunk []byte, _ bool) {
	if f.spotted {
		return
	}
	f.tail = append(f.tail, bytes.ReplaceAll(chunk, []byte{0}, nil)...)
	f.spotted = f.anyWord(string(f.tail)) || f.anyWord(undo(string(f.tail)))
	if over := len(f.tail) - maxWord; over > 0 {
		f.tail = f.tail[:copy(f.tail, f.tail[over:])]
	}
}

func (f *stripFinder) anyWord(text string) bool {
	for text != "" {
		n := 0
		for n < len(text) && isWordByte(text[n]) {
			n++
		}
		if n > 0 && n <= maxWord && f.is(text[:n]) {
			return true
		}
		text = text[min(len(text), n+1):]
	}
	return false
}

// isWordByte says whether c may stand in the name of a credential.
func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c >= 0x80
}

// undo undoes percent escapes and those of JSON.
func undo(s string) string {
	if strings.Contains(s, `\`) {
		s = strings.NewReplacer(`\u`, `%u`, `\U`, `%u`, `\x`, `%`, `\`, "").Replace(s)
	}
	return unescape(strings.ReplaceAll(s, "+", "%2b"), true)
}
