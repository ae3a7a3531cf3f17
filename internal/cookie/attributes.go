package cookie

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Attributes are what a cookie was set with, for setting it anew with another
// value, or for deleting it exactly, at another time and address.
type Attributes struct {
	// Path is the effective path and always begins with '/'.
	Path string
	// Domain is "" for a cookie of the host alone.
	Domain                        string
	Secure, HTTPOnly, Partitioned bool
	SameSite                      SameSite
	// Expires is in seconds since 1970, 0 for a cookie that ends with the
	// browser's session.
	Expires int64
}

// ErrAttributes says that bytes are not what Attributes.Append writes.
var ErrAttributes = errors.New("cookie attributes cannot be read")

// Bits of the first byte of the compact form. Two bits hold the SameSite.
const (
	bitSecure = 1 << iota
	bitHTTPOnly
	bitPartitioned
	bitDomain
	bitExpires
	sameSiteShift = 5
	unusedBits    = 1 << 7
)

// AttributesAt returns the attributes of a cookie that came at the time now
// with the answer to requestPath.
func (c SetCookie) AttributesAt(requestPath string, now time.Time) Attributes {
	a := Attributes{
		Path: c.EffectivePath(requestPath), Domain: c.Domain,
		Secure: c.Secure, HTTPOnly: c.HTTPOnly, Partitioned: c.Partitioned, SameSite: c.SameSite,
	}
	if t := c.Expiry(now); !t.IsZero() {
		a.Expires = max(t.Unix(), 1)
	}
	return a
}

// Append appends the compact form: one byte of flags, the path, the domain and
// the expiry, the last two only where there are such. "/", Secure and HttpOnly
// take three bytes.
func (a Attributes) Append(dst []byte) []byte {
	flags := byte(a.SameSite) << sameSiteShift
	for _, f := range []struct {
		set bool
		bit byte
	}{
		{a.Secure, bitSecure}, {a.HTTPOnly, bitHTTPOnly}, {a.Partitioned, bitPartitioned},
		{a.Domain != "", bitDomain}, {a.Expires != 0, bitExpires},
	} {
		if f.set {
			flags |= f.bit
		}
	}
	dst = append(dst, flags)
	dst = appendText(dst, a.Path)
	if a.Domain != "" {
		dst = appendText(dst, a.Domain)
	}
	if a.Expires != 0 {
		dst = binary.AppendVarint(dst, a.Expires)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// ParseAttributes reads what Append wrote. Anything else, trailing bytes too,
// is ErrAttributes.
func ParseAttributes(b []byte) (Attributes, error) {
	if len(b) == 0 || b[0]&unusedBits != 0 {
		return Attributes{}, ErrAttributes
	}
	flags := b[0]
	a := Attributes{
		Secure: flags&bitSecure != 0, HTTPOnly: flags&bitHTTPOnly != 0,
		Partitioned: flags&bitPartitioned != 0, SameSite: SameSite(flags >> sameSiteShift),
	}
	var ok bool
	if a.Path, b, ok = cutText(b[1:]); !ok || !strings.HasPrefix(a.Path, "/") {
		return Attributes{}, ErrAttributes
	}
	if flags&bitDomain != 0 {
		if a.Domain, b, ok = cutText(b); !ok || a.Domain == "" {
			return Attributes{}, ErrAttributes
		}
	}
	if flags&bitExpires != 0 {
		expires, n := binary.Varint(b)
		if n <= 0 || expires == 0 {
			return Attributes{}, ErrAttributes
		}
		a.Expires, b = expires, b[n:]
	}
	if len(b) != 0 {
		return Attributes{}, ErrAttributes
	}
	return a, nil
}

func cutText(b []byte) (string, []byte, bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > MaxAttributeSize*2 || size > uint64(len(b)-n) {
		return "", nil, false
	}
	text := string(b[n : n+int(size)])
	return text, b[n+int(size):], !breaksPair(text)
}

// Set returns the Set-Cookie line that sets name to value with these
// attributes, its expiry as the Max-Age that is left at the time now. Where
// nothing is left, it is the line that deletes the cookie. The second result is
// false if name or value cannot stand in a line.
func (a Attributes) Set(name, value string, now time.Time) (string, bool) {
	if a.Expires != 0 && a.Expires <= now.Unix() {
		return a.Delete(name)
	}
	age := ""
	if a.Expires != 0 {
		age = "; Max-Age=" + strconv.FormatInt(a.Expires-now.Unix(), 10)
	}
	return a.line(name, value, age)
}

// Delete returns the Set-Cookie line that deletes exactly this cookie: of the
// same name, path, domain and partition, and with Secure where its name's
// prefix asks for it. The second result is as for Set.
func (a Attributes) Delete(name string) (string, bool) {
	return a.line(name, "", "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
}

func (a Attributes) line(name, value, age string) (string, bool) {
	pair, ok := AppendValue(make([]byte, 0, len(name)+len(value)+128), name, value)
	if !ok {
		return "", false
	}
	host := hasPrefixFold(name, "__Host-")
	http := hasPrefixFold(name, "__Http-") || hasPrefixFold(name, "__Host-Http-")
	if host {
		a.Path, a.Domain = "/", ""
	}
	b := append(append(pair, "; Path="...), a.Path...)
	if a.Domain != "" {
		b = append(append(b, "; Domain="...), a.Domain...)
	}
	b = append(b, age...)
	if a.Secure || a.Partitioned || host || http || hasPrefixFold(name, "__Secure-") {
		b = append(b, "; Secure"...)
	}
	if a.HTTPOnly || http {
		b = append(b, "; HttpOnly"...)
	}
	b = append(b, [...]string{"", "; SameSite=Lax", "; SameSite=Strict", "; SameSite=None"}[a.SameSite&3]...)
	if a.Partitioned {
		b = append(b, "; Partitioned"...)
	}
	return string(b), true
}
