package fields

import (
	"net/http"
	"slices"
	"strings"
)

// kind is what a body says that it is.
type kind int

const (
	kindNone      kind = iota // there is no body
	kindForm                  // application/x-www-form-urlencoded
	kindMultipart             // multipart/…
	kindJSON                  // application/json, text/json, …+json
	kindUnknown               // no type, text/plain, or one nobody knows
	kindOpaque                // images, archives and the like: no app reads fields there
)

// media is what a request's headers say of its body.
type media struct {
	kind     kind
	boundary string
	// fault is why a body with these headers cannot be read for certain.
	fault *Error
	// hidden says that the names in it may stand in bytes that nobody here can
	// search: another charset, a compression.
	hidden bool
	// doubtful says that apps disagree on what kind of body it is, or where its
	// parts begin, so that it must be searched whatever it looks like.
	doubtful bool
	// gzip says that it is only compressed, so that its begin can be looked at.
	gzip bool
	// latin says that the charset is one in which only ASCII is certain.
	latin bool
}

// mediaOf judges the headers of a body that is there.
func mediaOf(h http.Header) media {
	lines := h["Content-Type"]
	if len(lines) == 0 {
		return coded(h, media{kind: kindUnknown, fault: fault(reasonContentType, "the body has no Content-Type")})
	}
	if len(lines) > 1 {
		return coded(h, media{kind: kindUnknown, doubtful: true, fault: fault(reasonContentType, "there is more than one Content-Type")})
	}
	name, params, ok := parseType(lines[0])
	if !ok {
		return coded(h, media{kind: kindUnknown, doubtful: true, fault: fault(reasonContentType, "the Content-Type is not well formed")})
	}
	m := media{kind: kindOf(name)}
	if m.kind == kindUnknown {
		m.fault = fault(reasonContentType, "the Content-Type is none that a login has")
	}
	for _, p := range params {
		m.param(p[0], p[1])
	}
	if m.kind == kindMultipart && m.boundary == "" {
		m.doubt("the Content-Type has no boundary")
	}
	return coded(h, m)
}

func (m *media) param(name, value string) {
	switch {
	case name == "charset":
		m.charset(value)
	case m.kind != kindMultipart:
	case name == "boundary":
		m.boundary = value
		if !isBoundary(value) {
			m.doubt("the boundary has characters that apps read in different ways")
		}
	case strings.Contains(name, "boundary") || strings.Contains(strings.ToLower(value), "boundary"):
		m.doubt("the Content-Type has a parameter that some app takes for the boundary")
	}
}

func (m *media) doubt(why string) {
	m.doubtful = true
	m.fault = fault(reasonContentType, why)
}

func (m *media) charset(name string) {
	switch charsetOf(name) {
	case charsetASCII:
		m.latin = true
	case charsetOther:
		m.fault = fault(reasonCharset, "the charset is not UTF-8")
	case charsetHiding:
		m.fault = fault(reasonCharset, "the charset is not UTF-8")
		m.hidden = m.kind != kindOpaque
	}
}

// coded adds what Content-Encoding says.
func coded(h http.Header, m media) media {
	lines := h["Content-Encoding"]
	if len(lines) == 0 || len(lines) == 1 && strings.EqualFold(strings.TrimSpace(lines[0]), "identity") {
		return m
	}
	if m.kind == kindOpaque && !inflatable(lines) {
		return m
	}
	m.fault = fault(reasonContentType, "the body has a Content-Encoding")
	m.hidden = true
	m.gzip = m.kind == kindOpaque && len(lines) == 1 && strings.EqualFold(strings.TrimSpace(lines[0]), "gzip")
	return m
}

// inflatable says whether an app's body parser undoes one of these codings.
func inflatable(lines []string) bool {
	for token := range strings.SplitSeq(strings.ToLower(strings.Join(lines, ",")), ",") {
		switch strings.TrimSpace(token) {
		case "gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress":
			return true
		}
	}
	return false
}

func kindOf(name string) kind {
	main, sub, _ := strings.Cut(name, "/")
	switch {
	case name == "application/x-www-form-urlencoded":
		return kindForm
	case main == "multipart":
		return kindMultipart
	case strings.HasPrefix(sub, "grpc") && main == "application":
		return kindOpaque
	case sub == "json", strings.HasSuffix(sub, "+json"):
		return kindJSON
	case main == "image" && sub != "svg+xml", main == "video", main == "audio", main == "font", slices.Contains(opaque, name):
		return kindOpaque
	}
	return kindUnknown
}

// opaque are the types besides images, films, sounds and fonts in which nobody
// looks for fields, and whose bodies may be streams that wait for an answer.
var opaque = []string{
	"application/octet-stream", "application/zip", "application/gzip", "application/x-gzip", "application/x-tar",
	"application/x-7z-compressed", "application/x-bzip2", "application/x-xz", "application/zstd", "application/vnd.rar",
	"application/pdf", "application/wasm", "application/protobuf", "application/x-protobuf", "application/msgpack",
	"application/cbor", "application/x-git-upload-pack-request", "application/x-git-receive-pack-request",
	"application/offset+octet-stream",
}

type charset int

const (
	charsetUTF8   charset = iota
	charsetASCII          // ASCII is certain, the rest is not
	charsetOther          // ASCII names stand as ASCII, but values are not certain
	charsetHiding         // even ASCII names may stand in other bytes
)

func charsetOf(name string) charset {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "utf-8", "utf8":
		return charsetUTF8
	case "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252", "cp1252":
		return charsetASCII
	case "gbk", "gb2312", "gb18030", "big5", "euc-jp", "euc-kr", "koi8-r", "koi8-u", "tis-620":
		return charsetOther
	}
	if digits, ok := strings.CutPrefix(name, "windows-125"); ok && len(digits) == 1 && digits[0] >= '0' && digits[0] <= '8' {
		return charsetOther
	}
	switch name {
	case "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8",
		"iso-8859-9", "iso-8859-10", "iso-8859-13", "iso-8859-14", "iso-8859-15", "iso-8859-16":
		return charsetOther
	}
	return charsetHiding
}

// parseType reads a Content-Type more strictly than any app (RFC 9110, section
// 8.3.1): no parameter twice, no escapes, nothing left over but a last ';'.
func parseType(line string) (name string, params [][2]string, ok bool) {
	name, rest, _ := strings.Cut(line, ";")
	name = strings.ToLower(strings.Trim(name, " \t"))
	main, sub, slash := strings.Cut(name, "/")
	if !slash || !isToken(main) || !isToken(sub) {
		return "", nil, false
	}
	for rest = strings.Trim(rest, " \t"); rest != ""; {
		var key, value string
		key, rest, ok = strings.Cut(rest, "=")
		key = strings.ToLower(key)
		if !ok || !isToken(key) || strings.Contains(key, "*") {
			return "", nil, false
		}
		if after, quoted := strings.CutPrefix(rest, `"`); quoted {
			if value, rest, ok = strings.Cut(after, `"`); !ok || !isQuotable(value) {
				return "", nil, false
			}
		} else {
			end := strings.IndexAny(rest, "; \t")
			if end < 0 {
				end = len(rest)
			}
			if value, rest = rest[:end], rest[end:]; !isToken(value) {
				return "", nil, false
			}
		}
		for _, p := range params {
			if p[0] == key {
				return "", nil, false
			}
		}
		params = append(params, [2]string{key, value})
		if rest = strings.TrimLeft(rest, " \t"); rest == "" {
			break
		}
		if rest, ok = strings.CutPrefix(rest, ";"); !ok {
			return "", nil, false
		}
		rest = strings.TrimLeft(rest, " \t")
	}
	return name, params, true
}

func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// isQuotable says whether all apps read a quoted value as it stands.
func isQuotable(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '\\' || c == '"' {
			return false
		}
	}
	return true
}

// isBoundary says whether s is a boundary of RFC 2046, section 5.1.1, less the
// characters at which some app would cut it.
func isBoundary(s string) bool {
	if s == "" || len(s) > 70 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("'()+_-./:=?", c) >= 0:
		default:
			return false
		}
	}
	return true
}
