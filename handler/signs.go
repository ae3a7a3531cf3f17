package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
)

// tri is what is known of a sign: seen, not seen, or not to be told before
// the body is there.
type tri int8

const (
	unseen tri = iota
	seen
	unknown
)

// answer is what can be seen of the app's answer to a login, or to a proof.
type answer struct {
	status int
	header http.Header
	// at is the address that was asked, against which a Location is resolved.
	at *url.URL
	// sets are the cookies that count of the answer's Set-Cookie fields.
	sets []cookie.SetCookie
	now  time.Time
	// body is nil as long as it is not known.
	body []byte
	doc  *jsonDoc
}

type jsonDoc struct {
	value any
	ok    bool
}

// encoded reports whether the body came in a coding, in which no sign can be
// seen.
func encoded(h http.Header) bool {
	for _, v := range h.Values("Content-Encoding") {
		if v = strings.TrimSpace(v); v != "" && !strings.EqualFold(v, "identity") {
			return true
		}
	}
	return false
}

// anyOf reports whether one of the lists of signs is seen in full.
func anyOf(lists []Signs, a *answer) tri {
	result := unseen
	for _, list := range lists {
		switch allOf(list, a) {
		case seen:
			return seen
		case unknown:
			result = unknown
		}
	}
	return result
}

func allOf(list Signs, a *answer) tri {
	result := seen
	for i := range list {
		switch list[i].look(a) {
		case unseen:
			return unseen
		case unknown:
			result = unknown
		}
	}
	return result
}

func told(b bool) tri {
	if b {
		return seen
	}
	return unseen
}

// look says whether the sign is seen in the answer.
func (s *Sign) look(a *answer) tri {
	switch {
	case len(s.Status) > 0:
		return told(slices.ContainsFunc(s.Status, func(want string) bool { return statusIs(want, a.status) }))
	case s.Header != nil:
		return told(s.Header.in(a.header))
	case s.Redirect != "":
		target, ok := a.location()
		return told(ok && globMatch(s.Redirect, target.Path))
	case s.Cookie != "":
		return told(slices.ContainsFunc(a.sets, func(c cookie.SetCookie) bool {
			return nameIs(s.Cookie, c.Name) && isSet(c, a.now)
		}))
	case a.body == nil:
		return unknown
	case s.JSON != nil:
		return told(s.JSON.in(a.json()))
	case s.Text != "":
		return told(strings.Contains(string(a.body), s.Text))
	default:
		return unseen
	}
}

// isSet reports whether the line sets the cookie: some apps delete one by an
// empty value, without saying that it has expired.
func isSet(c cookie.SetCookie, now time.Time) bool {
	return !c.Deletes(now) && c.Value != "" && c.Value != `""`
}

func statusIs(want string, status int) bool {
	if class, ok := strings.CutSuffix(strings.ToLower(want), "xx"); ok {
		return class == strconv.Itoa(status/100)
	}
	return want == strconv.Itoa(status)
}

func nameIs(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

func (s *HeaderSign) in(h http.Header) bool {
	values := h.Values(s.Name)
	if s.Glob == "" {
		return len(values) > 0
	}
	return slices.ContainsFunc(values, func(v string) bool { return globMatch(s.Glob, v) })
}

// location returns the address that a redirect leads to, if it is of the same
// site.
func (a *answer) location() (*url.URL, bool) {
	if a.status < 300 || a.status > 399 {
		return nil, false
	}
	target, ok := resolveLocation(a.at, a.header.Get("Location"))
	if !ok || !sameHost(target, a.at) {
		return nil, false
	}
	return target, true
}

// resolveLocation returns what a browser makes of a Location.
func resolveLocation(base *url.URL, location string) (*url.URL, bool) {
	if location == "" {
		return nil, false
	}
	// Browsers take a backslash for a slash in http addresses.
	ref, err := url.Parse(strings.ReplaceAll(location, "\\", "/"))
	if err != nil {
		return nil, false
	}
	target := base.ResolveReference(ref)
	if target.Path == "" {
		target.Path = "/"
	}
	return target, true
}

// sameHost compares host and port and not the scheme, since an app behind
// several proxies often writes the wrong one.
func sameHost(a, b *url.URL) bool {
	return (a.Scheme == "http" || a.Scheme == "https") && strings.EqualFold(hostPort(a), hostPort(b))
}

func hostPort(u *url.URL) string {
	switch port := u.Port(); port {
	case "", "80", "443":
		return u.Hostname()
	default:
		return u.Hostname() + ":" + port
	}
}

func (a *answer) json() *jsonDoc {
	if a.doc == nil {
		a.doc = parseJSON(a.body)
	}
	return a.doc
}

// parseJSON reads a body that is one JSON value, with its numbers as they are
// written. A byte order mark is let pass, as browsers do.
func parseJSON(body []byte) *jsonDoc {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	d.UseNumber()
	doc := &jsonDoc{}
	if d.Decode(&doc.value) == nil {
		_, err := d.Token()
		doc.ok = errors.Is(err, io.EOF)
	}
	return doc
}

func (s *JSONSign) in(doc *jsonDoc) bool {
	if !doc.ok {
		return false
	}
	value, ok := jsonAt(doc.value, s.Path)
	if !ok || value == nil {
		return false
	}
	return s.Value == nil || jsonText(value) == *s.Value
}

// jsonAt returns the value at a dotted path of keys and indexes.
func jsonAt(value any, path string) (any, bool) {
	for key := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[key]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// jsonText writes a value as an operator would in a Caddyfile.
func jsonText(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
