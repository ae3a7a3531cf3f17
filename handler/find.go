package handler

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/internal/fields"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// requestBody is the part of a request's body that was read before it was
// forwarded.
type requestBody = fields.Body

// foundLogin is the login that a request is.
type foundLogin struct {
	*Login
	// User is the user name, read for certain; empty if a proof says who.
	User string
	// PasswordInQuery says that the address carries the password, so that it
	// may not be written anywhere.
	PasswordInQuery bool
}

// errBodyTooLarge means that a login's body is beyond the cap.
var errBodyTooLarge = errors.New("the body of a login is larger than 65536 bytes")

// findLogin tells whether the request is a declared login, the first in order
// that it is. A request that may be one and cannot be read for certain is an
// error: it is refused and never passed on unwatched.
func (v *visit) findLogin() (*foundLogin, error) {
	for i := range v.g.Logins {
		l := &v.g.Logins[i]
		found, err := v.asLogin(l)
		if found != nil || err != nil {
			return found, err
		}
	}
	return nil, nil
}

func (v *visit) asLogin(l *Login) (*foundLogin, error) {
	if l.Fields == nil {
		matched, err := v.matches(l.Match)
		if err != nil || !matched || l.isInBody() && v.asksForTheForm() || v.comesAgain(l) {
			return nil, err
		}
		return v.readUser(l)
	}
	if v.r.ContentLength == 0 && v.r.Method != http.MethodConnect && v.r.URL.RawQuery == "" {
		return nil, nil // there is no field at all
	}
	if err := v.readBody(); err != nil {
		return nil, err
	}
	found, err := fields.Login(v.r, v.body, l.Fields.User, l.Fields.Password)
	if isMissing(err) {
		// Both fields are there and the name is empty: the app says that best,
		// and a yes to it is refused, as nobody's.
		if err := v.stripBeside(l.Fields); err != nil {
			return nil, err
		}
		return &foundLogin{Login: l, PasswordInQuery: v.r.URL.RawQuery != ""}, nil
	}
	if err != nil {
		return nil, err
	}
	if found.Login {
		if err := v.stripBeside(l.Fields); err != nil {
			return nil, err
		}
		return &foundLogin{Login: l, User: found.User, PasswordInQuery: found.InQuery}, nil
	}
	if !v.body.Whole() {
		from := v.browser()
		v.body.Watch(v.r, l.Fields.User, l.Fields.Password, func() { v.metLogin(from) })
	}
	return nil, nil
}

// isInBody reports whether the login's user name stands in the body.
func (l *Login) isInBody() bool {
	return l.User != nil && (l.User.From == FromForm || l.User.From == FromJSON)
}

// asksForTheForm reports whether the browser asks for the login page itself,
// with nothing that could carry a password: a matcher of that path alone tells
// it as the login too, and a 400 would leave people without the form.
func (v *visit) asksForTheForm() bool {
	return v.isLoginPage() && (v.r.Method == http.MethodGet || v.r.Method == http.MethodHead) &&
		v.orig.RawQuery == "" && v.r.URL.RawQuery == "" && !v.hasBody() && len(v.r.Header["Authorization"]) == 0
}

// readBody reads the part of the body that is judged before forwarding.
func (v *visit) readBody() (err error) {
	if v.body == nil {
		v.body, err = fields.Read(v.r, maxBody)
	}
	return err
}

// readUser reads the user name of a login that was told by its route.
func (v *visit) readUser(l *Login) (*foundLogin, error) {
	if err := v.readBody(); err != nil {
		return nil, err
	}
	if !v.body.Whole() {
		return nil, errBodyTooLarge
	}
	found := &foundLogin{Login: l, PasswordInQuery: v.hasKeyInQuery()}
	if l.User == nil {
		if l.Proof == nil || l.Proof.User == nil {
			return nil, &fields.Error{Reason: "missing", Detail: "this login has no user field and no proof that says who"}
		}
		return found, nil
	}
	user, err := v.userFrom(l.User)
	if isMissing(err) && l.Proof != nil && l.Proof.User != nil {
		// A password reset, a magic link: the proof will say who.
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	found.User = user
	found.PasswordInQuery = found.PasswordInQuery || l.User.From == FromQuery
	if l.User.From == FromBasic {
		// The password is in Authorization, and nothing else may open what the
		// answer shows.
		return found, v.stripFields(v.g.fielded.match, keptFields{authorization: true})
	}
	return found, nil
}

// hasKeyInQuery reports whether the address carries a declared credential, in
// any spelling that an app could read.
func (v *visit) hasKeyInQuery() bool {
	_, came, _ := strings.Cut(v.address, "?")
	if v.g.fielded.none() || came == "" && v.r.URL.RawQuery == "" {
		return false
	}
	// What came is asked, since the credential may have been taken off by now.
	for _, query := range []string{came, v.r.URL.RawQuery} {
		if _, has := cookie.StripQuery(query, v.g.fielded.match); has {
			return true
		}
	}
	return false
}

// isMissing reports whether a login was read for certain and names no user.
func isMissing(err error) bool {
	var unread *fields.Error
	return errors.As(err, &unread) && unread.Reason == "missing"
}

func (v *visit) userFrom(u *UserSource) (string, error) {
	user := ""
	switch u.From {
	case FromForm:
		return fields.Form(v.r, v.body, u.Name)
	case FromJSON:
		return fields.JSON(v.r, v.body, u.Name)
	case FromQuery:
		return fields.Query(v.r, u.Name)
	case FromHeader:
		values := v.r.Header.Values(u.Name)
		if len(values) > 1 {
			return "", &fields.Error{Reason: "twice", Detail: "the header field is there more than once"}
		}
		user = strings.Join(values, "")
	case FromBasic:
		if len(v.r.Header.Values("Authorization")) > 1 {
			return "", &fields.Error{Reason: "twice", Detail: "Authorization is there more than once"}
		}
		user, _, _ = v.r.BasicAuth()
	case FromPlaceholder:
		repl, ok := v.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		if !ok {
			return "", errors.New("there is no replacer to ask")
		}
		user = repl.ReplaceAll(u.Name, "")
	}
	if user == "" {
		return "", &fields.Error{Reason: "missing", Detail: "the login names no user"}
	}
	return user, nil
}

// metLogin is called when a body that streams to the app turns out to carry a
// login beyond the cap: the line is locked for good, the session ends. It runs
// beside the request, so it changes nothing of the visit.
func (v *visit) metLogin(from browser) {
	if v.sent != nil {
		v = v.sent
	}
	v.g.Logger.Error("a login stood in a body beyond 65536 bytes: it was cut off, and what it may have logged in is locked",
		zap.String("path", v.orig.Path))
	v.recordFrom(from, Event{Kind: LoginFailed, Result: BeyondCap})
	ctx, cancel := v.ctx()
	defer cancel()
	var err error
	switch {
	case v.verified():
		if err = v.parts.Store.EndSession(ctx, v.sessionID); err == nil {
			v.recordFrom(from, Event{Kind: SessionExpired, Result: BeyondCap, User: v.session.User, Account: v.session.Account})
		}
	case !v.line.IsZero():
		err = v.parts.Store.StandLine(ctx, v.lineKey(), v.now, v.now.Add(v.g.AppSessionMax))
	}
	if err != nil {
		v.storeFailed()
		v.g.Logger.Error("what a login beyond the cap may have logged in could not be locked", zap.Error(err))
	}
}

// refuseLogin answers for a login that cannot be read.
func (v *visit) refuseLogin(err error) error {
	var unread *fields.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &unread):
		return v.unreadable(page.Reason(unread.Reason), unread.Detail)
	case errors.Is(err, errBodyTooLarge), errors.As(err, &tooLarge):
		if v.cutByField() {
			return v.message(page.MessagePage{Message: page.RequestTooLarge, Host: v.site(), Ways: v.ways(page.RequestTooLarge)})
		}
		if !v.cutOff() {
			v.record(Event{Kind: LoginFailed, Result: Result(page.BodyTooLarge)})
		}
		return v.message(page.MessagePage{Message: page.BodyTooLarge, Host: v.site(), Ways: v.ways(page.BodyTooLarge)})
	case errors.Is(err, io.ErrUnexpectedEOF), v.r.Context().Err() != nil:
		return v.unreadable(page.ReasonForm, "the body ended early")
	default:
		return v.refuse(page.Blocked, err)
	}
}

func (v *visit) unreadable(reason page.Reason, why string) error {
	v.g.Logger.Warn("a login was refused since it cannot be read for certain",
		zap.String("reason", string(reason)), zap.String("why", why), zap.String("path", v.orig.Path))
	v.record(Event{Kind: LoginUnread, Result: Result(reason)})
	return v.message(page.MessagePage{Message: page.Unreadable, Reason: reason, Host: v.site(), Ways: v.ways(page.Unreadable)})
}
