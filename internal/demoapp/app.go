// Package demoapp is an old-style web application, "Old CRM": a login form,
// contacts, an export, sessions in a cookie. It behaves like an ordinary app
// of 2009 and knows of nothing that may stand in front of it. Its Options make
// it log people in in the many ways that real apps have, and it keeps a record
// of what reached it, so that a test can tell what did not.
//
// It keeps everything in memory and is meant for demonstrations and tests.
package demoapp

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxBody = 1 << 20

// App is the application. It is safe for use by many requests at once.
type App struct {
	opts  Options
	users map[string]User

	mu       sync.Mutex // guards all below
	sessions *sessions
	tokens   *tokens
	seen     []Request
}

// New makes an app with no sessions.
func New(o Options) *App {
	o = o.withDefaults()
	a := &App{opts: o, users: map[string]User{}, sessions: newSessions(), tokens: newTokens()}
	for _, u := range o.Users {
		a.users[fold(u.Email)] = u
	}
	return a
}

// Options are the app's options with all defaults filled in.
func (a *App) Options() Options { return a.opts }

func fold(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// answer is what the app says to a request, complete before it is sent.
type answer struct {
	status int
	header http.Header
	body   []byte
	ranges bool   // Range requests are served
	login  bool   // it answers a login
	live   string // the user whose WebSocket it opens, "" for none
}

func newAnswer(status int, contentType string, body []byte) answer {
	return answer{status: status, header: http.Header{"Content-Type": {contentType}}, body: body}
}

func redirect(status int, location string) answer {
	an := newAnswer(status, "text/html; charset=utf-8", []byte("<p>The page has moved.</p>\n"))
	an.header.Set("Location", location)
	return an
}

// visit is one request on its way through the app.
type visit struct {
	app     *App
	r       *http.Request
	path    string // as the app reads it, without the base path
	outside bool   // the path is not in the app's folder
	page    Page   // "" if there is no such page
	now     time.Time
	query   url.Values
	form    url.Values
	cookies map[string]string
	session *session
	token   *token // with Options.Tokens, what it came with
	person  string // whom the request itself says it is of

	setSession      bool   // the answer carries the session's value
	standingChanged bool   // a login has changed who the session is
	signedOut       bool   // the answer deletes the cookies
	remember        string // the remember-me value to set
}

// ServeHTTP answers a request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	an := a.answer(r, body, err)
	if an.login && !wait(r, a.opts.LoginDelay) {
		return
	}
	if an.live != "" {
		serveLive(w, r, an)
		return
	}
	write(w, r, an)
}

// answer decides and changes everything under one lock, so that a login has
// taken effect before its answer is sent.
func (a *App) answer(r *http.Request, body []byte, bodyErr error) answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.newVisit(r, body)
	static, isStatic := v.static()
	if !isStatic {
		v.openSession()
	}
	a.record(r, body, v)
	if bodyErr != nil {
		return unreadable(bodyErr)
	}
	an, out := v.keptOut()
	switch {
	case out:
	case isStatic:
		return static
	default:
		an = v.dispatch()
	}
	if a.opts.Rotate && v.session != nil && !v.setSession && !v.signedOut {
		v.rotate()
	}
	v.writeSession(an.header)
	v.writeRemember(an.header)
	an.header.Set("Cache-Control", "no-store, no-cache, must-revalidate")
	return an
}

func unreadable(err error) answer {
	status := http.StatusBadRequest
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	return newAnswer(status, "text/plain; charset=utf-8", []byte(http.StatusText(status)+"\n"))
}

func wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func write(w http.ResponseWriter, r *http.Request, an answer) {
	for name, lines := range an.header {
		w.Header()[name] = lines
	}
	if an.ranges {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(an.body)))
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(an.body)))
	w.WriteHeader(an.status)
	if r.Method != http.MethodHead {
		// A client that has gone is nothing to act on.
		_, _ = w.Write(an.body)
	}
}

func (a *App) newVisit(r *http.Request, body []byte) *visit {
	v := &visit{
		app:     a,
		r:       r,
		now:     a.opts.Now(),
		query:   r.URL.Query(),
		form:    readFields(r.Header.Get("Content-Type"), body, a.opts.sendsJSON() || a.opts.Tokens),
		cookies: readCookies(r.Header["Cookie"]),
	}
	if a.opts.SideDoors {
		v.believe(body)
	}
	v.path = a.opts.Paths.clean(v.r.URL.Path)
	if !v.inBase() {
		v.outside = true
		return v
	}
	v.path = "/" + strings.TrimPrefix(v.path[len(a.opts.BasePath):], "/")
	if v.page = v.findPage(); !a.opts.has(v.page) {
		v.page = ""
	}
	v.arrive()
	return v
}

func (v *visit) inBase() bool {
	base := v.app.opts.BasePath
	return base == "" || v.path == base || strings.HasPrefix(v.path, base+"/")
}

func (v *visit) findPage() Page {
	if v.app.opts.LoginAt == LoginFrontController {
		return v.frontControllerPage()
	}
	if strings.HasPrefix(v.path, pagePaths[PageExport]+"/") {
		return PageExport
	}
	for p, at := range pagePaths {
		if at == v.path {
			return p
		}
	}
	return ""
}

func (v *visit) frontControllerPage() Page {
	if v.path != "/" && v.path != "/index.php" && !strings.HasPrefix(v.path, "/index.php/") {
		return ""
	}
	all := v.query["action"]
	if len(all) == 0 {
		return PageStart
	}
	p := Page(all[len(all)-1])
	if _, ok := pagePaths[p]; !ok {
		return ""
	}
	return p
}

// openSession finds the session of the request, or makes one where the style
// says so.
func (v *visit) openSession() {
	a := v.app
	if a.opts.Tokens {
		v.token = v.findToken()
		return
	}
	contacts := v.path == "/contacts" || strings.HasPrefix(v.path, "/contacts/")
	v.session = a.sessions.find(v.cookies[a.opts.SessionCookie()], contacts, v.now)
	if a.opts.Remember && v.user() == "" && len(v.users()) == 0 {
		if user := a.sessions.remember[v.cookies[RememberCookie]]; user != "" {
			v.session, v.setSession = a.sessions.start(user, v.now), true
		}
	}
	if v.session == nil && a.opts.Start == StartAtFirstPage {
		v.session, v.setSession = a.sessions.start("", v.now), true
	}
}

// rotate gives the session a new value. A request that came with the value
// before, in parallel to the one that replaced it, is told the present one.
func (v *visit) rotate() {
	came := v.cookies[v.app.opts.SessionCookie()]
	if came == v.session.current || came == v.session.contacts {
		v.app.sessions.renew(v.session, v.now.Add(graceOfOldValue))
	}
	v.setSession = true
}

func (v *visit) reads() bool {
	return v.r.Method == http.MethodGet || v.r.Method == http.MethodHead
}

func (v *visit) dispatch() answer {
	if !v.reads() && v.r.Method != http.MethodPost {
		an := newAnswer(http.StatusMethodNotAllowed, "text/plain; charset=utf-8", []byte("Method not allowed\n"))
		an.header.Set("Allow", "GET, HEAD, POST")
		return an
	}
	if v.isLogin() {
		an := v.login()
		an.login = true
		return an
	}
	if v.app.opts.Entrance != EntranceSession && (v.page == PageLogin || v.page == PageLogout) {
		v.page = ""
	}
	switch v.page {
	case PageStart:
		return v.startPage()
	case PageLogin:
		return v.loginPage(http.StatusOK, v.loginMessage())
	case PageLogout:
		return v.logout()
	case PageProfile:
		return v.profilePage()
	case PageMe:
		return v.me()
	case PageRPC:
		return v.remoteCall()
	case PageStaff:
		return v.loginPage(http.StatusOK, "")
	case PageLive:
		return v.live()
	case PageAPIRefresh:
		return v.refresh()
	case PageAPIContacts:
		return v.listContacts()
	case PageDashboard, PageContacts, PageExport, PageBoard:
		return v.protectedPage()
	}
	return v.render(http.StatusNotFound, "message", page{Title: "Page not found", Text: "There is no such page."})
}
