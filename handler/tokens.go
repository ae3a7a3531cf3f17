package handler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// purposeToken is the purpose of the key that tokens and credentials are hashed
// with.
const purposeToken seal.Purpose = "token"

// What a fingerprint is of. A token may come by another place than the one it
// was given by, so it has no place in its hash.
const (
	kindToken         = "token"
	kindAuthorization = "authorization"
	kindField         = "field "
)

func wrapField(err error) error { return fmt.Errorf("credential field or carried: %w", err) }

// fingerprint is the keyed hash of a credential under the newest key.
func (v *visit) fingerprint(kind, value string) account.Fingerprint {
	mac := v.parts.Ring.MAC(purposeToken, []byte(v.g.Instance), []byte(kind), []byte(value))
	return account.Fingerprint(mac[:len(account.Fingerprint{})])
}

// hasFingerprint reports whether has says yes to the fingerprint of a value
// under any key of the ring.
func (v *visit) hasFingerprint(kind, value string, has func(account.Fingerprint) bool) bool {
	for _, mac := range v.parts.Ring.MACs(purposeToken, []byte(v.g.Instance), []byte(kind), []byte(value)) {
		if has(account.Fingerprint(mac[:len(account.Fingerprint{})])) {
			return true
		}
	}
	return false
}

// secret is one value of a request that carries a credential or a token.
type secret struct {
	kind, value string
	// name is the field's, as it stands there; empty for Authorization.
	name    string
	inQuery bool
}

// secrets are the values that stand in the request's header and query for
// certain: once, in no spelling but the declared one.
func (v *visit) secrets() []secret {
	var all []secret
	if lines := v.r.Header["Authorization"]; len(lines) == 1 {
		all = append(all, secret{kind: kindAuthorization, value: lines[0]})
	}
	if v.g.fielded.none() {
		return all
	}
	for name, lines := range v.r.Header {
		if name == "Authorization" || !v.g.fielded.matchHeader(name) {
			continue
		}
		if len(lines) == 1 && v.isDeclared(name, true) && v.headersLike(name) == 1 {
			all = append(all, secret{kind: kindField + strings.ToLower(name), value: lines[0], name: name})
		}
	}
	for field := range strings.SplitSeq(v.r.URL.RawQuery, "&") {
		name, raw, _ := strings.Cut(field, "=")
		if !v.isDeclared(name, false) || strings.Contains(field, ";") || v.queryLike(name) != 1 {
			continue
		}
		if value, err := url.QueryUnescape(raw); err == nil {
			all = append(all, secret{kind: kindField + strings.ToLower(name), value: value, name: name, inQuery: true})
		}
	}
	return all
}

// isDeclared reports whether a name is declared as it is written.
func (v *visit) isDeclared(name string, header bool) bool {
	for _, declared := range v.g.CredentialFields {
		if name == declared || header && http.CanonicalHeaderKey(declared) == name {
			return true
		}
	}
	for _, c := range v.g.Carried {
		if header && c.Header != "" && http.CanonicalHeaderKey(c.Header) == name || !header && c.Query != "" && c.Query == name {
			return true
		}
	}
	return false
}

// headersLike counts the header fields that an app could read as one name.
func (v *visit) headersLike(name string) int {
	m, err := cookie.NewMatcher(noHyphen(name))
	if err != nil {
		return 0
	}
	n := 0
	for other := range v.r.Header {
		if m.FoldMatch(noHyphen(other)) {
			n++
		}
	}
	return n
}

// queryLike counts the fields of the query that an app could read as one name.
func (v *visit) queryLike(name string) int {
	m, err := cookie.NewMatcher(name)
	if err != nil {
		return 0
	}
	n := 0
	for _, field := range strings.FieldsFunc(v.r.URL.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		if _, is := cookie.StripQuery(field, m.FoldMatch); is {
			n++
		}
	}
	return n
}

// bound is what the request carries that is bound to its verified session.
func (v *visit) bound() keptFields {
	var kept keptFields
	if !v.verified() || v.session.Credential == (account.Fingerprint{}) && len(v.session.Tokens) == 0 {
		return kept
	}
	for _, s := range v.secrets() {
		switch {
		case !v.isBound(s):
		case s.kind == kindAuthorization:
			kept.authorization = true
		case s.inQuery:
			kept.query = append(kept.query, s.name)
		default:
			kept.headers = append(kept.headers, s.name)
		}
	}
	return kept
}

// isBound reports whether a value is what the session's login came with, or a
// token of the session at a place where tokens are carried.
func (v *visit) isBound(s secret) bool {
	if v.hasFingerprint(s.kind, s.value, v.session.HasCredential) {
		return true
	}
	if len(v.session.Tokens) == 0 {
		return false
	}
	for _, c := range v.g.Carried {
		if token, ok := c.token(s); ok && v.hasFingerprint(kindToken, token, v.session.HasToken) {
			return true
		}
	}
	return false
}

// token returns the token that a value is at this place.
func (c *Carried) token(s secret) (string, bool) {
	switch {
	case c.Query != "":
		return s.value, s.inQuery && s.name == c.Query && s.value != ""
	case s.inQuery:
		return "", false
	case s.kind == kindAuthorization && !strings.EqualFold(c.Header, "Authorization"):
		return "", false
	case s.kind != kindAuthorization && http.CanonicalHeaderKey(c.Header) != s.name:
		return "", false
	case c.Scheme == "":
		return s.value, s.value != ""
	}
	scheme, token, ok := strings.Cut(s.value, " ")
	if !ok || !strings.EqualFold(scheme, c.Scheme) || token == "" || strings.ContainsAny(token, " \t,") {
		return "", false
	}
	return token, true
}

// comesAgain reports whether a request that matches a login is none: it carries
// no credential of the login's kind, or the very one that the browser's session
// began with. Browsers send Basic with every request.
func (v *visit) comesAgain(l *Login) bool {
	if l.User == nil {
		return false
	}
	switch l.User.From {
	case FromBasic:
		if !v.hasBasic() {
			return true
		}
	case FromHeader, FromQuery, FromPlaceholder:
	default:
		return false
	}
	if !v.found || v.session.Credential == (account.Fingerprint{}) {
		return false
	}
	switch v.session.State {
	case account.StatePending, account.StateVerified, account.StatePassed:
	default:
		return false
	}
	s, ok := v.loginSecret(l)
	if !ok || !v.hasFingerprint(s.kind, s.value, v.session.HasCredential) {
		return false
	}
	user, err := v.userFrom(l.User)
	return err == nil && v.isSessionsName(user)
}

// hasBasic reports whether the request carries Basic credentials, readable or
// not.
func (v *visit) hasBasic() bool { return isBasic(v.r.Header["Authorization"]) }

func isBasic(authorization []string) bool {
	const scheme = "basic"
	for _, line := range authorization {
		line = strings.TrimLeft(line, " \t")
		if len(line) >= len(scheme) && strings.EqualFold(line[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// loginSecret is the one value by which a login that no form carries is told
// right or wrong.
func (v *visit) loginSecret(l *Login) (secret, bool) {
	all := v.secrets()
	if l.User.From == FromBasic {
		all = all[:min(1, len(all))]
		return first(all), len(all) == 1 && all[0].kind == kindAuthorization
	}
	return first(all), len(all) == 1
}

func first(all []secret) secret {
	if len(all) == 0 {
		return secret{}
	}
	return all[0]
}

// ownCredential is the fingerprint of what a login came with, zero if the
// password may have stood in its body: what only came along must not be bound.
func (a *attempt) ownCredential() account.Fingerprint {
	l := a.login.Login
	if l.User == nil || l.Fields != nil {
		return account.Fingerprint{}
	}
	switch l.User.From {
	case FromBasic:
	case FromHeader, FromQuery, FromPlaceholder:
		if a.hasBody() {
			return account.Fingerprint{}
		}
	default:
		return account.Fingerprint{}
	}
	s, ok := a.loginSecret(l)
	if !ok {
		return account.Fingerprint{}
	}
	return a.fingerprint(s.kind, s.value)
}

// sentByItself reports whether the browser has sent this login by itself: Basic
// credentials that it had, with an asset or because of a link from elsewhere.
// For such a one no code goes out before somebody asks for it.
func (a *attempt) sentByItself() bool {
	if a.identified {
		return true
	}
	if u := a.login.Login.User; u == nil || u.From != FromBasic {
		return false
	}
	return !a.wantsPage() || a.hasToken || a.r.Header.Get("Sec-Fetch-Site") == "cross-site"
}

// isSessionsName reports whether a name is that of the browser's session, by
// what the session itself knows.
func (v *visit) isSessionsName(name string) bool {
	folded := account.Fold(name)
	return folded != "" && (folded == v.session.Account || folded == account.Fold(v.session.User))
}

// tokenIn is the token in an answer that was kept; empty if there is none.
func tokenIn(path string, doc *jsonDoc) string {
	if path == "" || !doc.ok {
		return ""
	}
	value, ok := jsonAt(doc.value, path)
	if !ok {
		return ""
	}
	token, _ := value.(string)
	return token
}

// bindToken binds a token of an answer to the browser's session before the
// answer goes out. It returns false if the session has ended, so that nothing
// may go out.
func (v *visit) bindToken(ctx context.Context, token string) bool {
	err := v.parts.Store.BindToken(ctx, v.sessionID, v.fingerprint(kindToken, token), v.g.Clock())
	switch {
	case err == nil:
		return true
	case errors.Is(err, store.ErrNotFound):
		return false
	}
	// The token goes out and opens nothing.
	v.g.Logger.Error("a new token could not be bound to its session: requests that carry it lose it", zap.Error(err))
	return true
}
