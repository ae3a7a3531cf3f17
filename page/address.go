package page

import (
	"errors"
	"fmt"
	"html"
	"html/template"
	"net/url"
	"strings"
)

// ErrAddress is the error of an address that a page cannot carry unchanged: not
// a path of this origin, or one that a browser would turn into another. The
// remedy for a form is an address under the gateway's own prefix.
var ErrAddress = errors.New("address cannot be written into a page")

// localAddress returns how a path of this origin (with or without a query) has
// to be written so that a browser asks for just these bytes. It must begin with
// a slash. A leading double slash, which would name a host, is written as
// /.// [WHATWG URL, path state]. Dot segments have no such spelling and are
// refused, as a browser resolves them.
func localAddress(raw string) (string, error) {
	if !strings.HasPrefix(raw, "/") {
		return "", fmt.Errorf("%w: it does not begin with a slash", ErrAddress)
	}
	path, query, hasQuery := strings.Cut(raw, "?")
	for segment := range strings.SplitSeq(path, "/") {
		if isDotSegment(segment) {
			return "", fmt.Errorf("%w: it has a dot segment", ErrAddress)
		}
	}
	written := percentEncode(path, true)
	if strings.HasPrefix(written, "//") {
		written = "/." + written
	}
	if hasQuery {
		written += "?" + percentEncode(query, false)
	}
	return written, nil
}

// isDotSegment tells whether a browser would resolve this segment of a path.
func isDotSegment(segment string) bool {
	if len(segment) > len("%2e%2e") {
		return false
	}
	switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
	case ".", "..":
		return true
	}
	return false
}

// percentEncode encodes the bytes that a browser would drop or read as
// something else, in the way in which it would have sent them. All others stay
// as they are: html/template would change quotes and parentheses.
func percentEncode(s string, path bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || c == '#' || (path && c == '\\') {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// foreignURL checks the address of another origin: absolute, http or https,
// with a host and without a user name. It returns the address as it may be
// written and its host, for people.
func foreignURL(raw string) (string, string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", fmt.Errorf("%w: it cannot be parsed", ErrAddress)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", "", fmt.Errorf("%w: it is neither http nor https", ErrAddress)
	}
	if u.Hostname() == "" || u.User != nil {
		return "", "", fmt.Errorf("%w: it needs a host and no user name", ErrAddress)
	}
	if strings.ContainsAny(raw, "\\\r\n\t ") {
		return "", "", fmt.Errorf("%w: it has a blank or a backslash", ErrAddress)
	}
	return raw, u.Host, nil
}

// checkHelpURL says why an operator's help address cannot be a link.
func checkHelpURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("%w: it cannot be parsed", ErrAddress)
	}
	switch u.Scheme {
	case "mailto", "tel":
		if u.Opaque == "" {
			return fmt.Errorf("%w: nothing follows %s:", ErrAddress, u.Scheme)
		}
		return nil
	case "http", "https":
		_, _, err := foreignURL(raw)
		return err
	}
	return fmt.Errorf("%w: only http, https, mailto and tel can be used", ErrAddress)
}

// attribute writes one attribute with a checked address. html/template is
// passed by here, and only here, because it would percent-encode characters
// that have to reach the server as they are.
func attribute(name, address string) template.HTMLAttr {
	return template.HTMLAttr(name + `="` + html.EscapeString(address) + `"`)
}

// target collects the addresses of one page and keeps the first error.
type target struct{ err error }

// local returns the attribute for an address of this origin; none for "".
func (t *target) local(name, field, raw string) template.HTMLAttr {
	if raw == "" {
		return ""
	}
	written, err := localAddress(raw)
	if err != nil {
		if t.err == nil {
			t.err = fmt.Errorf("page: %s: %w", field, err)
		}
		return ""
	}
	return attribute(name, written)
}
