package handler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// hopByHop are about one connection, and a proxy takes them off (RFC 9110,
// 7.6.1), folded.
var hopByHop = []string{
	"connection", "proxy_connection", "keep_alive", "proxy_authenticate", "proxy_authorization", "proxy_authentication_info",
	"te", "trailer", "transfer_encoding", "upgrade", "alt_svc", "http2_settings",
}

// browsers are fields that browsers send and apps read, folded; the beginnings
// of more are in browsersBegin.
var browsers = []string{
	"accept", "origin", "referer", "user_agent", "range", "expect", "from", "date", "cache_control", "pragma", "priority",
	"early_data", "max_forwards", "dnt", "upgrade_insecure_requests", "x_requested_with", "last_event_id", "link", "server",
}

var browsersBegin = []string{"accept_", "content_", "if_", "sec_", "access_control_", "set_cookie", "http_"}

// proxies are what Caddy's proxy sets itself, folded.
var proxies = []string{
	"forwarded", "via", "x_real_ip", "x_forwarded_for", "x_forwarded_proto", "x_forwarded_host", "x_forwarded_port",
	"x_forwarded_prefix", "x_forwarded_server", "x_forwarded_scheme", "x_forwarded_ssl", "x_forwarded_by",
}

// CheckIdentityHeader says why a header field cannot tell the app who is
// verified.
func CheckIdentityHeader(name string) error {
	letter := func(c rune) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
	other := func(c rune) bool { return !letter(c) && !('0' <= c && c <= '9') && c != '-' }
	if name == "" || len(name) > 64 || !letter(rune(name[0])) || strings.ContainsFunc(name, other) {
		return errors.New("must be the name of a header, of 1 to 64 letters, digits and hyphens, such as X-User")
	}
	folded := foldHeader(name)
	is := func(n string) bool { return foldHeader(n) == folded }
	switch {
	case slices.Contains(hopByHop, folded):
		return errors.New("cannot be a header that is about the connection: a proxy takes it off")
	case folded == "cookie", folded == "authorization":
		return errors.New("cannot be what the app's own sessions and passwords come in")
	case folded == "host":
		return errors.New("cannot be the site's own name")
	case slices.Contains(proxies, folded):
		return errors.New("cannot be a header that proxies set themselves")
	case slices.ContainsFunc(misleading, is), slices.ContainsFunc(overriding, is):
		return errors.New("cannot be a header that changes what a request asks for")
	case slices.Contains(browsers, folded),
		slices.ContainsFunc(browsersBegin, func(begin string) bool { return strings.HasPrefix(folded, begin) }):
		return errors.New("cannot be a header that browsers send: the app would miss what they say")
	}
	return nil
}

// IdentityHeaderTaken says by which other setting requests say something in a
// header that is to tell the app who is verified; nil if by none. Each of them
// would be taken off before it is read, or read in the place of the other.
func IdentityHeaderTaken(name string, c *Config) error {
	folded := foldHeader(name)
	by := func(setting, other string) error {
		return fmt.Errorf("cannot be what requests say by '%s %s'", setting, other)
	}
	for _, f := range c.CredentialFields {
		plain, open := strings.CutSuffix(f, "*")
		plain = foldHeader(plain)
		if plain == folded || open && strings.HasPrefix(folded, plain) {
			return by("credential field", f)
		}
	}
	for _, t := range c.Carried {
		if t.Header != "" && foldHeader(t.Header) == folded {
			return by("carried header", t.Header)
		}
	}
	for _, s := range c.SpeaksFor {
		if s.From == FromHeader && foldHeader(s.Name) == folded {
			return by("speaks_for header", s.Name)
		}
	}
	for i := range c.Logins {
		if u := c.Logins[i].User; u != nil && u.From == FromHeader && foldHeader(u.Name) == folded {
			return by("user header", u.Name)
		}
	}
	return nil
}
