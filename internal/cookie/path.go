package cookie

import (
	"net/netip"
	"strings"
)

// EffectivePath returns the path under which a browser files the cookie when
// it comes with the answer to requestPath, the path of the address as it was
// sent: the Path attribute, or the default path of RFC 6265 section 5.1.4.
func (c SetCookie) EffectivePath(requestPath string) string {
	if c.Path != "" {
		return c.Path
	}
	return defaultPath(requestPath)
}

func defaultPath(requestPath string) string {
	requestPath, _, _ = strings.Cut(requestPath, "?")
	if !strings.HasPrefix(requestPath, "/") {
		return "/"
	}
	last := strings.LastIndexByte(requestPath, '/')
	if last == 0 {
		return "/"
	}
	return requestPath[:last]
}

// pathMatches is the path-match of RFC 6265 section 5.1.4.
func pathMatches(requestPath, cookiePath string) bool {
	if !strings.HasPrefix(requestPath, cookiePath) {
		return false
	}
	return len(requestPath) == len(cookiePath) ||
		strings.HasSuffix(cookiePath, "/") || requestPath[len(cookiePath)] == '/'
}

// domainMatches says whether host may set and get cookies of domain. A domain
// of one label is taken for a public suffix.
func domainMatches(host, domain string) bool {
	if domain == "" || domain == host {
		return true
	}
	return strings.HasSuffix(host, "."+domain) && strings.Contains(domain, ".") && !isAddress(host)
}

// identityDomain returns the domain part of what makes two cookies one: "" for
// a cookie of the host alone, which one with Domain=<its IP address> is too.
func identityDomain(host, domain string) string {
	if domain == host && isAddress(host) {
		return ""
	}
	return domain
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// hostOnly drops the port from a Host header's value and lowers its case.
func hostOnly(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		if strings.Count(host, ":") == 1 || strings.HasPrefix(host, "[") {
			host = host[:i]
		}
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

type identity struct {
	name, path, domain string
	partitioned        bool
}

func (c SetCookie) identity(requestPath, host string) identity {
	return identity{
		name:        c.Name,
		path:        c.EffectivePath(requestPath),
		domain:      identityDomain(host, c.Domain),
		partitioned: c.Partitioned,
	}
}

// Last returns those of an answer's cookies that count: of every name, path and
// domain the last. They keep their order. Host is the request's Host header,
// requestPath its path as it was sent. The slice is a new one.
//
// Cookies that a browser would keep apart stay apart: a host's own and one of
// its Domain, a partitioned and an unpartitioned one.
func Last(sets []SetCookie, requestPath, host string) []SetCookie {
	host = hostOnly(host)
	last := make(map[identity]int, len(sets))
	for i, c := range sets {
		last[c.identity(requestPath, host)] = i
	}
	kept := make([]SetCookie, 0, len(last))
	for i, c := range sets {
		if last[c.identity(requestPath, host)] == i {
			kept = append(kept, c)
		}
	}
	return kept
}
