package demoapp

import (
	"net/http"
	"slices"
)

const (
	maxSeen     = 5_000
	maxSeenBody = 64 << 10
)

// Request is one request as it reached the app.
type Request struct {
	// Method is the request's method.
	Method string
	// URI is the request target as it stood in the request line.
	URI string
	// Host is the Host header.
	Host string
	// Cookies are the Cookie header lines, unparsed and in their order.
	Cookies []string
	// Authorization is the Authorization header, "" if there was none.
	Authorization string
	// Header holds all header lines, Cookie and Authorization among them.
	Header http.Header
	// ContentLength is the announced length of the body, -1 if unknown.
	ContentLength int64
	// Body is the body, cut at 64 KiB.
	Body []byte
	// Page is the page that the app takes the address for, "" for none: what is
	// static, or not there.
	Page Page
	// ReadAs is the method that the app takes the request for.
	ReadAs string
	// User is the e-mail address of the user in whose app session the request
	// came in (for a login: before it), "" if in nobody's.
	User string
}

// Seen lists the requests that reached the app since the start or the last
// Reset, in the order of their arrival. The last 5,000 are kept. A login is
// listed before its answer goes out.
func (a *App) Seen() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.seen)
}

// Reset forgets the requests seen. Sessions stay.
func (a *App) Reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = nil
}

func (a *App) record(r *http.Request, body []byte, v *visit) {
	if len(a.seen) >= maxSeen {
		a.seen = slices.Delete(a.seen, 0, 1)
	}
	a.seen = append(a.seen, Request{
		Method:        r.Method,
		URI:           r.RequestURI,
		Host:          r.Host,
		Cookies:       slices.Clone(r.Header["Cookie"]),
		Authorization: r.Header.Get("Authorization"),
		Header:        r.Header.Clone(),
		ContentLength: r.ContentLength,
		Body:          slices.Clone(body[:min(len(body), maxSeenBody)]),
		Page:          v.page,
		ReadAs:        v.r.Method,
		User:          v.user(),
	})
}

// Sessions tells as whom the app's sessions are logged in: from the value of
// the session cookie to the user's e-mail address. Anonymous sessions and
// values that no longer count are left out. Of several users in one session it
// is the one who signed in last.
func (a *App) Sessions() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.opts.Now()
	users := map[string]string{}
	for id, v := range a.sessions.values {
		if v.session.user != "" && !expired(v, now) {
			users[id] = v.session.user
		}
	}
	return users
}

// Tokens is like Sessions for the tokens of Options.Tokens; those that are only
// good for a new one are left out.
func (a *App) Tokens() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.opts.Now()
	users := map[string]string{}
	for value, t := range a.tokens.values {
		if now.Sub(t.given) < lifeOfToken {
			users[value] = t.user
		}
	}
	return users
}

// Remembered is like Sessions for the values of the remember-me cookie.
func (a *App) Remembered() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	users := map[string]string{}
	for token, user := range a.sessions.remember {
		users[token] = user
	}
	return users
}

// NewSession logs a user in without any request, as if at the app directly,
// and returns the value of the session cookie. It is good on every page. It
// panics if the app has no such user.
func (a *App) NewSession(email string) string {
	u, ok := a.users[fold(email)]
	if !ok {
		panic("demoapp: no user " + email)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions.start(u.Email, a.opts.Now()).current
}

// Join signs a user in to a session that there is, beside those who are, as if
// at the app directly; see Options.SeveralUsers. It panics if the app has no
// such user or no such session.
func (a *App) Join(session, email string) {
	u, known := a.users[fold(email)]
	a.mu.Lock()
	defer a.mu.Unlock()
	v, there := a.sessions.values[session]
	if !known || !there {
		panic("demoapp: no user " + email + " or no such session")
	}
	v.session.users = append(v.session.users, u.Email)
}
