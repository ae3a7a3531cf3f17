package handler

import (
	"net/http"
	"regexp"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
)

// noteRefusals logs what enforcing would refuse or change of a request, once
// for each and pattern of a path. Of a request that comes with cookies it is
// not known whether its browser would have passed, so nothing is said of it.
func (v *visit) noteRefusals(s *sighting) {
	if bad, err := v.isRefusedPath(); err != nil || bad {
		v.wouldRefuse("a malicious spelling of an address would be refused with 400: allow_path lifts that", err)
		return
	}
	if v.r.Method == http.MethodTrace || v.r.Method == "TRACK" || v.r.Method == http.MethodConnect && !isTunnel(v.r) {
		v.wouldRefuse("the method would be refused", nil)
		return
	}
	if blocked, err := v.matches(v.g.Block); err != nil || blocked {
		v.wouldRefuse("a request would be refused: block", err)
		return
	}
	if s.isRead() || s != nil && !s.quiet {
		return
	}
	if len(v.r.Header["Authorization"]) > 0 {
		v.wouldRefuse("Authorization would be removed: only a login may carry it", nil)
	}
	if _, changed := cookie.StripQuery(v.r.URL.RawQuery, v.g.addressed.FoldMatch); changed {
		v.wouldRefuse("a session in the address would be removed", nil)
	}
	protected, err := v.isProtected()
	if err == nil && !protected {
		return
	}
	if v.looksLikeLogin() {
		v.wouldRefuse("a form with a password was posted to a protected address, and no login tells it: if it is the app's login form, check the fields or the matcher of login", nil)
	}
	if len(v.pairs) > 0 || v.mayGoAnonymous() {
		return
	}
	if v.identity != "" && v.isTopLevel() {
		return // It would be asked for a code, or be told that there is no account.
	}
	if v.wantsPage() {
		v.wouldRefuse("a browser without a session would be sent to the login page", err)
		return
	}
	v.wouldRefuse("a request without a cookie to a protected address would be refused with 401: a client that keeps no cookies comes in only where a route is public", err)
}

func (v *visit) wouldRefuse(what string, err error) {
	method, path := bounded(v.r.Method, 16), pathPattern(v.orig.Path)
	if !v.g.watch.isNewRefusal(what + " " + method + " " + path) {
		return
	}
	v.g.Logger.Info("observed: "+what, zap.String("method", method), zap.String("path", path), zap.Error(err))
}

var passwordField = regexp.MustCompile(`(?i)passw|pwd|kennwort`)

// looksLikeLogin reports whether a small form has a field that is named like a
// password's.
func (v *visit) looksLikeLogin() bool {
	if v.r.Method != http.MethodPost || !v.smallForm() {
		return false
	}
	keep := rememberBody(v.r)
	form, err := v.readForm()
	keep.after(v.r, err)
	for name := range form {
		if err == nil && passwordField.MatchString(name) {
			return true
		}
	}
	return false
}

// Bounds of a pattern.
const (
	maxPatternSegments = 8
	maxPatternSegment  = 40
)

// pathPattern is a path with a * in the place of what looks like a number, a
// name or a secret in it, so that one page of many addresses is one.
func pathPattern(path string) string {
	segments := strings.Split(path, "/")
	if len(segments) > maxPatternSegments {
		segments = append(segments[:maxPatternSegments:maxPatternSegments], "…")
	}
	out := make([]string, len(segments))
	for i, s := range segments {
		out[i] = s
		if len(s) > maxPatternSegment || strings.ContainsAny(s, "0123456789@") {
			out[i] = "*"
		}
	}
	return strings.Join(out, "/")
}
