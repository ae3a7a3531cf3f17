package cookie

import (
	"sort"
	"time"
)

// A Jar holds the cookies of one own request, as a browser would send them
// after an answer: those that came with the request, overlaid with those that
// the answer set (RFC 6265 sections 5.3 and 5.4). It takes every address for
// one of its host over https. It is not safe for use by several goroutines.
type Jar struct {
	host  string
	sent  []Pair      // of unknown path
	known []jarCookie // of known path, in the order of their making
}

type jarCookie struct {
	identity
	value   string
	deleted bool // hides what was sent under this name, where its path matches
}

// NewJar returns an empty jar for a host, given as in a Host header.
func NewJar(host string) *Jar { return &Jar{host: hostOnly(host)} }

// FromRequest adds the cookies of a request. Their paths are unknown, so they
// go to every address, as they were sent, unless the answer says otherwise.
func (j *Jar) FromRequest(pairs []Pair) { j.sent = append(j.sent, pairs...) }

// Add adds a cookie of the request whose attributes are known, from its seal.
// It is dropped if it has expired at the time now.
func (j *Jar) Add(name, value string, a Attributes, now time.Time) {
	if a.Expires != 0 && a.Expires <= now.Unix() {
		return
	}
	j.put(jarCookie{identity: identity{name, a.Path, identityDomain(j.host, a.Domain), a.Partitioned}, value: value})
}

// Overlay takes in the cookies of an answer to requestPath that came at the
// time now. Those that a browser would refuse, of a foreign domain or against
// the rules of the prefixes __Secure- and __Host-, are left out.
func (j *Jar) Overlay(sets []SetCookie, requestPath string, now time.Time) {
	for _, c := range sets {
		if !j.accepts(c, requestPath) {
			continue
		}
		j.put(jarCookie{identity: c.identity(requestPath, j.host), value: c.Value, deleted: c.Deletes(now)})
	}
}

func (j *Jar) accepts(c SetCookie, requestPath string) bool {
	if !domainMatches(j.host, c.Domain) {
		return false
	}
	if hasPrefixFold(c.Name, "__Host-") {
		return c.Secure && c.Domain == "" && c.EffectivePath(requestPath) == "/"
	}
	return c.Secure || !hasPrefixFold(c.Name, "__Secure-")
}

func (j *Jar) put(c jarCookie) {
	for i := range j.known {
		if j.known[i].identity == c.identity {
			j.known[i] = c
			return
		}
	}
	j.known = append(j.known, c)
}

// Header returns the Cookie header line for a request to targetPath, a path
// without its query, or "" for none. A cookie of the answer stands for those of
// its name that were sent; of one name the longest path comes first.
func (j *Jar) Header(targetPath string) string {
	if targetPath == "" {
		targetPath = "/"
	}
	var line []byte
	for _, p := range j.sent {
		if !j.hides(p, targetPath) {
			line = AppendKept(line, p)
		}
	}
	matching := make([]jarCookie, 0, len(j.known))
	for _, c := range j.known {
		if !c.deleted && pathMatches(targetPath, c.path) {
			matching = append(matching, c)
		}
	}
	sort.SliceStable(matching, func(a, b int) bool {
		return len(matching[a].path) > len(matching[b].path)
	})
	for _, c := range matching {
		line, _ = AppendValue(line, c.name, c.value)
	}
	return string(line)
}

func (j *Jar) hides(p Pair, targetPath string) bool {
	name := p.Name
	if !p.HasValue {
		name = ""
	}
	for _, c := range j.known {
		if c.name == name && pathMatches(targetPath, c.path) {
			return true
		}
	}
	return false
}
