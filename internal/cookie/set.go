package cookie

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Limits of a Set-Cookie line as browsers keep them (RFC 6265bis section 5.6).
const (
	// MaxPairSize is the largest sum of a cookie's name and value in bytes.
	MaxPairSize = 4096
	// MaxAttributeSize is the largest value of an attribute that counts.
	MaxAttributeSize = 1024
	// MaxLifetime is how long a browser keeps a cookie at most.
	MaxLifetime = 400 * 24 * time.Hour
)

// SameSite is a cookie's SameSite attribute.
type SameSite byte

// The values of SameSite. Default stands for a cookie without the attribute or
// with a value that is none of the others.
const (
	SameSiteDefault SameSite = iota
	SameSiteLax
	SameSiteStrict
	SameSiteNone
)

// A SetCookie is one Set-Cookie line as browsers read it. Of an attribute that
// is given twice the last one counts.
type SetCookie struct {
	// Name is the cookie's name, "" for a cookie without one.
	Name string
	// Value is the value as it stands, quotes and all.
	Value string
	// Path is the Path attribute, "" where there is none that begins with '/'.
	Path string
	// Domain is the Domain attribute in lower case without a dot before it,
	// "" for a cookie of the answering host alone.
	Domain string
	// Expires is the Expires attribute, zero where there is none.
	Expires time.Time
	// MaxAge is the Max-Age attribute in seconds, if HasMaxAge.
	MaxAge    int64
	HasMaxAge bool

	Secure, HTTPOnly, Partitioned bool
	SameSite                      SameSite

	attributes string // all of them, as the app wrote them
}

// ParseSet reads one Set-Cookie line by RFC 6265 section 5.2 with what its
// revision adds and browsers do: a line without '=' is a cookie without a
// name, a line with a control character is no cookie. The second result is
// false for a line that no browser should keep. Such a line is not to be
// passed on, for an old browser might read it in its own way.
func ParseSet(line string) (SetCookie, bool) {
	for i := 0; i < len(line); i++ {
		if isControl(line[i]) {
			return SetCookie{}, false
		}
	}
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, named := strings.Cut(pair, "=")
	if !named {
		name, value = "", pair
	}
	c := SetCookie{Name: trim(name), Value: trim(value), attributes: attributes}
	switch size := len(c.Name) + len(c.Value); {
	case size == 0, size > MaxPairSize:
		return SetCookie{}, false
	case c.Name == "" && (hasPrefixFold(c.Value, "__Secure-") || hasPrefixFold(c.Value, "__Host-")):
		return SetCookie{}, false
	}
	eachAttribute(attributes, func(_, key, value string) {
		if len(value) <= MaxAttributeSize {
			c.read(key, value)
		}
	})
	return c, true
}

// eachAttribute calls yield with every attribute of the list, whole and taken
// apart.
func eachAttribute(list string, yield func(whole, key, value string)) {
	for more := list != ""; more; {
		var whole string
		whole, list, more = strings.Cut(list, ";")
		key, value, _ := strings.Cut(whole, "=")
		yield(trim(whole), trim(key), trim(value))
	}
}

func (c *SetCookie) read(key, value string) {
	switch {
	case strings.EqualFold(key, "Path"):
		c.Path = ""
		if strings.HasPrefix(value, "/") {
			c.Path = value
		}
	case strings.EqualFold(key, "Domain"):
		c.Domain = strings.ToLower(strings.TrimPrefix(value, "."))
	case strings.EqualFold(key, "Expires"):
		if t, ok := parseDate(value); ok {
			c.Expires = t
		}
	case strings.EqualFold(key, "Max-Age"):
		if seconds, ok := parseMaxAge(value); ok {
			c.MaxAge, c.HasMaxAge = seconds, true
		}
	case strings.EqualFold(key, "Secure"):
		c.Secure = true
	case strings.EqualFold(key, "HttpOnly"):
		c.HTTPOnly = true
	case strings.EqualFold(key, "Partitioned"):
		c.Partitioned = true
	case strings.EqualFold(key, "SameSite"):
		c.SameSite = parseSameSite(value)
	}
}

func parseSameSite(value string) SameSite {
	switch {
	case strings.EqualFold(value, "Lax"):
		return SameSiteLax
	case strings.EqualFold(value, "Strict"):
		return SameSiteStrict
	case strings.EqualFold(value, "None"):
		return SameSiteNone
	}
	return SameSiteDefault
}

// parseMaxAge reads an optional '-' and digits; what no int64 holds is as far
// away as one can say.
func parseMaxAge(value string) (int64, bool) {
	digits := strings.TrimPrefix(value, "-")
	if digits == "" {
		return 0, false
	}
	for i := 0; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err == nil {
		return n, true
	}
	if value[0] == '-' {
		return math.MinInt64, true
	}
	return math.MaxInt64, true
}

// Deletes says whether the line takes the cookie away at the time now: Max-Age
// is 0 or less or, without a Max-Age, Expires lies in the past.
func (c SetCookie) Deletes(now time.Time) bool {
	if c.HasMaxAge {
		return c.MaxAge <= 0
	}
	return !c.Expires.IsZero() && !c.Expires.After(now)
}

// Expiry returns when a browser forgets the cookie, never later than
// MaxLifetime from now, or zero for a cookie that lives until the browser is
// closed.
func (c SetCookie) Expiry(now time.Time) time.Time {
	latest := now.Add(MaxLifetime)
	switch {
	case c.HasMaxAge && c.MaxAge <= 0:
		return time.Unix(1, 0)
	case c.HasMaxAge && c.MaxAge >= int64(MaxLifetime/time.Second):
		return latest
	case c.HasMaxAge:
		return now.Add(time.Duration(c.MaxAge) * time.Second)
	case c.Expires.After(latest):
		return latest
	}
	return c.Expires
}

// String writes the line back: name and value of c, the attributes as the app
// wrote them and in its order, and at the end the Path of c, if it has one, in
// place of the app's.
func (c SetCookie) String() string {
	b := make([]byte, 0, len(c.Name)+len(c.Value)+len(c.attributes)+len(c.Path)+16)
	b = append(b, c.Name...)
	b = append(b, '=')
	b = append(b, c.Value...)
	eachAttribute(c.attributes, func(whole, key, _ string) {
		if whole == "" || strings.EqualFold(key, "Path") {
			return
		}
		b = append(append(b, "; "...), whole...)
	})
	if c.Path != "" {
		b = append(append(b, "; Path="...), c.Path...)
	}
	return string(b)
}

// Rewrite writes the line back with another value and with the path that a
// browser would take from an answer to requestPath written out, so that the
// line means the same at another address.
func (c SetCookie) Rewrite(value, requestPath string) string {
	c.Value = value
	c.Path = c.EffectivePath(requestPath)
	return c.String()
}
