package twofactor

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/http/httpguts"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
)

// The checks of this file say of one value what is wrong with it. Their errors
// follow the name of what was given: "login_page" + " must begin with '/'".

var (
	placeholder = regexp.MustCompile(`^\{[^{}\s[:cntrl:]]+\}$`)
	domainLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	keyID       = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
)

// checkInstanceName is for the names that operators give.
func checkInstanceName(s string) error {
	if !shortName.MatchString(s) {
		return errors.New("must be 1 to 32 of a-z, 0-9 and -")
	}
	return nil
}

func checkKeyID(s string) error {
	if !keyID.MatchString(s) {
		return errors.New("must be 1 to 32 of letters, digits, '-' and '_'")
	}
	return nil
}

func checkOneOf(s string, words ...string) error {
	for _, w := range words {
		if s == w {
			return nil
		}
	}
	last := len(words) - 1
	return fmt.Errorf("must be %s or %s", strings.Join(words[:last], ", "), words[last])
}

// checkPath is for addresses on this site as a browser sees them.
func checkPath(s string) error {
	switch {
	case !strings.HasPrefix(s, "/"):
		return errors.New("must begin with '/'")
	case strings.Contains(s, "//"):
		return errors.New("must not contain '//'")
	case strings.ContainsAny(s, "?#"):
		return errors.New("must have no query and no fragment")
	case strings.ContainsAny(s, `*{}\`):
		return errors.New(`is one exact path, with no '*', no placeholder and no '\'`)
	case strings.ContainsFunc(s, notInAddress):
		return errors.New("must have no blanks and no control characters; percent-encode them")
	}
	plain, err := url.PathUnescape(s)
	if err != nil {
		return errors.New("must have two hexadecimal digits after each '%'")
	}
	if strings.ContainsFunc(plain, unicode.IsControl) {
		return errors.New("must have no control characters")
	}
	if hasDotSegment(plain) {
		return errors.New("must have no dot segments ('.' or '..')")
	}
	return nil
}

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func notInAddress(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError
}

func checkLoginPage(s string) error { return checkPath(s) }

func checkPrefix(s string) error {
	if s == "/" {
		return errors.New("must leave the rest of the site to the app, so it cannot be '/'; the default is " + defaultPrefix)
	}
	if err := checkPath(s); err != nil {
		return err
	}
	if !strings.HasSuffix(s, "/") {
		return errors.New("must end with '/'")
	}
	return nil
}

// userPlaceholder stands for the user name of the login in a proof's address.
const userPlaceholder = "{http.two_factor.user}"

// checkProofAddress is for a path and query on this site.
func checkProofAddress(s string) error {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
		return errors.New("must begin with a single '/', since a proof is asked of this site only; or be the word location")
	}
	plain := strings.ReplaceAll(s, userPlaceholder, "user")
	switch {
	case strings.ContainsAny(plain, "{}"):
		return errors.New("may have the placeholder " + userPlaceholder + " and no other; write braces as %7B and %7D")
	case strings.ContainsAny(plain, `#\`):
		return errors.New(`must have no fragment and no '\'`)
	case strings.ContainsFunc(plain, notInAddress):
		return errors.New("must have no blanks and no control characters; percent-encode them")
	}
	u, err := url.ParseRequestURI(plain)
	if err != nil {
		return errors.New("must have two hexadecimal digits after each '%'")
	}
	if hasDotSegment(u.Path) {
		return errors.New("must have no dot segments ('.' or '..')")
	}
	return nil
}

// checkRedirect is for the path of a Location.
func checkRedirect(s string) error {
	switch {
	case strings.ContainsAny(s, "?#"):
		return errors.New("is compared with the path of the Location, so it has no query and no fragment")
	case strings.HasPrefix(s, "//") || !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "*"):
		return errors.New("must be a path on this site that begins with '/' or '*', for example /dashboard*")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("must have no control characters")
	}
	return nil
}

// checkCookieName is for NAME and NAME* of a cookie, and of a field that
// carries a credential.
func checkCookieName(s string) error {
	if s == "*" {
		return errors.New("needs something before the '*'")
	}
	if _, err := cookie.NewMatcher(s); err != nil {
		return errors.New("must be of letters, digits and !#$%&'+-.^_`|~[], and may end in '*'")
	}
	return nil
}

// checkPlainName is for the name of a form or query field.
func checkPlainName(s string) error {
	if s == "" || strings.Contains(s, "*") {
		return errors.New("must be one plain name without '*'")
	}
	return checkLine(s)
}

func checkHeaderName(s string) error {
	if !httpguts.ValidHeaderFieldName(s) {
		return errors.New("must be a header name such as X-User")
	}
	return nil
}

// checkLine is for one line of text that a person reads.
func checkLine(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return errors.New("must not be blank")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("must be UTF-8 text without line breaks and control characters")
	}
	return nil
}

// checkJSONPath is for dotted keys and indexes.
func checkJSONPath(s string) error {
	const form = "must be keys and indexes with dots between them, for example data.0.token"
	if strings.ContainsAny(s, "[]") || strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) {
		return errors.New(form)
	}
	for i, key := range strings.Split(s, ".") {
		if key == "" || i == 0 && key == "$" {
			return errors.New(form)
		}
	}
	return nil
}

func checkPlaceholder(s string) error {
	if !placeholder.MatchString(s) {
		return errors.New("must be one placeholder, for example {http.auth.user.id}")
	}
	return nil
}

// checkSourceName is for the name that goes with one of the places where a
// request can carry a value.
func checkSourceName(from, name string) error {
	switch from {
	case handler.FromForm, handler.FromQuery:
		return checkPlainName(name)
	case handler.FromJSON:
		return checkJSONPath(name)
	case handler.FromHeader:
		return checkHeaderName(name)
	default:
		return checkPlaceholder(name)
	}
}

// checkDomain is for the Domain of a cookie. Whether browsers take it for this
// site is not to be seen here.
func checkDomain(s string) error {
	labels := strings.Split(s, ".")
	if len(labels) < 2 || len(s) > 253 {
		return errors.New("must be a parent domain of the site with at least one dot, for example example.com")
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return errors.New("must be a domain, and no address")
	}
	for _, label := range labels {
		if !domainLabel.MatchString(label) {
			return errors.New("must be a domain of a-z, 0-9, '-' and '.', without scheme, port and leading dot, for example example.com")
		}
	}
	return nil
}

// checkStatus is for the status of an answer, or a class such as 3xx.
func checkStatus(s string) error {
	if len(s) != 3 || s[0] < '2' || s[0] > '5' {
		return errors.New("must be a status from 200 to 599 or a class from 2xx to 5xx")
	}
	if rest := s[1:]; rest == "xx" {
		return nil
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return errors.New("must be a status from 200 to 599 or a class from 2xx to 5xx")
		}
	}
	return nil
}

// duration reads a duration that is not negative.
func duration(s string) (caddy.Duration, error) {
	t, err := caddy.ParseDuration(s)
	if err != nil {
		return 0, errors.New("must be a duration such as 90s, 5m, 8h or 30d")
	}
	if t < 0 {
		return 0, errors.New("must not be negative")
	}
	return caddy.Duration(t), nil
}

func positiveDuration(s string) (caddy.Duration, error) {
	t, err := duration(s)
	if err == nil && time.Duration(t) == 0 {
		return 0, errors.New("must be more than 0")
	}
	return t, err
}

// namesOverlap reports whether one cookie could bear both names, each of which
// may end in *, as the most forgiving app reads them.
func namesOverlap(a, b string) bool {
	nameA, openA := strings.CutSuffix(a, "*")
	nameB, openB := strings.CutSuffix(b, "*")
	nameA, nameB = cookie.Fold(nameA), cookie.Fold(nameB)
	return nameA == nameB ||
		openA && strings.HasPrefix(nameB, nameA) ||
		openB && strings.HasPrefix(nameA, nameB)
}

// knownSessionCookie returns the name of a cookie that is a session in every
// app that uses it, if the name given takes it in.
func knownSessionCookie(name string) (string, bool) {
	for _, known := range []string{"PHPSESSID", "JSESSIONID", "ASP.NET_SessionId", "sid"} {
		if namesOverlap(name, known) {
			return known, true
		}
	}
	return "", false
}
