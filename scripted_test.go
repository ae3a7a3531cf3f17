package twofactor

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// arrival is a request as it reached the app.
type arrival struct {
	Method, URI, Host string
	// Cookies are the Cookie lines, unparsed.
	Cookies []string
	Header  http.Header
	Body    string
	Trailer http.Header
}

// cookie returns the value of a cookie as an app would read it: the first of
// that name; empty if there is none.
func (a *arrival) cookie(name string) string {
	pairs, _ := cookie.Parse(nil, a.Cookies)
	for _, p := range pairs {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// field returns a field of a form body or of the query.
func (a *arrival) field(name string) string {
	if form, err := url.ParseQuery(a.Body); err == nil && form.Has(name) {
		return form.Get(name)
	}
	u, err := url.ParseRequestURI(a.URI)
	if err != nil {
		return ""
	}
	return u.Query().Get(name)
}

func (a *arrival) path() string {
	path, _, _ := strings.Cut(a.URI, "?")
	return path
}

// scripted is an upstream whose answer to each request is a func, and which
// records what reached it.
type scripted struct {
	answer func(w http.ResponseWriter, a *arrival)
	mu     sync.Mutex
	seen   []*arrival
}

func (u *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.UserAgent(), "caddy-twofactor") {
		// The gateway tries the login page when it has started.
		return
	}
	a := &arrival{Method: r.Method, URI: r.RequestURI, Host: r.Host,
		Cookies: slices.Clone(r.Header["Cookie"]), Header: r.Header.Clone()}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	a.Body, a.Trailer = string(body), r.Trailer.Clone()
	if err != nil {
		// A body that was cut off is a request that the app never serves.
		return
	}
	u.mu.Lock()
	u.seen = append(u.seen, a)
	u.mu.Unlock()
	u.answer(w, a)
}

// arrivals returns what reached the app since the last reset.
func (u *scripted) arrivals() []*arrival {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.seen)
}

func (u *scripted) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen = nil
}

// last returns the last request that reached the app, and fails if there is
// none.
func (u *scripted) last(t *testing.T) *arrival {
	t.Helper()
	seen := u.arrivals()
	if len(seen) == 0 {
		t.Fatal("nothing reached the app")
	}
	return seen[len(seen)-1]
}

// serveScripted starts an upstream.
func serveScripted(t *testing.T, answer func(w http.ResponseWriter, a *arrival)) (*scripted, string) {
	t.Helper()
	u := &scripted{answer: answer}
	srv := httptest.NewServer(u)
	t.Cleanup(srv.Close)
	return u, srv.Listener.Addr().String()
}

// ledger is a scripted app with sessions: the cookie sid is given to every
// visitor without one, and the login logs in the session that it came with,
// under the value it has. That is the hardest case: no cookie changes hands.
type ledger struct {
	*scripted
	t *testing.T
	// pages answer in place of the app, by path; they may write nothing and
	// let the app answer by returning false.
	pages map[string]func(w http.ResponseWriter, a *arrival) bool

	mu   sync.Mutex
	next int
	// users are the sessions' users; "" for a visitor's.
	users map[string]string
}

// right is the password of every user of the ledger.
const right = "right"

func newLedger(t *testing.T) (*ledger, string) {
	t.Helper()
	l := &ledger{t: t, users: map[string]string{}, pages: map[string]func(http.ResponseWriter, *arrival) bool{}}
	u, addr := serveScripted(t, l.serve)
	l.scripted = u
	return l, addr
}

// session makes a session at the app directly.
func (l *ledger) session(user string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start(user)
}

func (l *ledger) start(user string) string {
	l.next++
	id := fmt.Sprintf("session-%d", l.next)
	l.users[id] = user
	return id
}

// user returns whose the session of a request is by now; "" for nobody's.
func (l *ledger) user(a *arrival) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.users[a.cookie("sid")]
}

// reached returns the requests that reached the app in a session that is a
// user's by now, the login itself and proofs not counted.
func (l *ledger) reached() []string {
	var paths []string
	for _, a := range l.arrivals() {
		if l.user(a) != "" && a.path() != "/login" && a.path() != "/me" {
			paths = append(paths, a.Method+" "+a.URI)
		}
	}
	return paths
}

func (l *ledger) serve(w http.ResponseWriter, a *arrival) {
	l.mu.Lock()
	sid := a.cookie("sid")
	if _, known := l.users[sid]; !known && a.path() != "/assets/a.css" {
		sid = l.start("")
		w.Header().Add("Set-Cookie", "sid="+sid+"; Path=/; HttpOnly")
	}
	l.mu.Unlock()
	if page := l.pages[a.path()]; page != nil && page(w, a) {
		return
	}
	switch {
	case a.path() == "/login" && a.field("password") == right:
		l.mu.Lock()
		l.users[sid] = a.field("email")
		l.mu.Unlock()
		w.Header().Set("Location", "/dashboard")
		w.WriteHeader(http.StatusFound)
	case a.path() == "/logout":
		l.mu.Lock()
		l.users[sid] = ""
		l.mu.Unlock()
		w.Header().Set("Location", "/login")
		w.WriteHeader(http.StatusFound)
	case a.path() == "/me":
		l.mu.Lock()
		user := l.users[sid]
		l.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if user == "" {
			fmt.Fprint(w, `{"visitor":true}`)
			return
		}
		fmt.Fprintf(w, `{"user":%q}`, user)
	default:
		l.mu.Lock()
		user := l.users[sid]
		l.mu.Unlock()
		fmt.Fprintf(w, "the page %s of <%s>", a.path(), user)
	}
}

// on answers a path in place of the ledger.
func (l *ledger) on(path string, page func(w http.ResponseWriter, a *arrival)) {
	l.pages[path] = func(w http.ResponseWriter, a *arrival) bool { page(w, a); return true }
}

// ledgerConfig is the Caddyfile for a ledger, with more lines of the
// operator's in the directive.
func ledgerConfig(more ...string) string { return ledgerSite("", "", more...) }

// ledgerSite is ledgerConfig for an instance of a name, with more in the login.
func ledgerSite(name, login string, more ...string) string {
	return `http://localhost:{$PORT} {
	two_factor ` + name + ` {
		login fields email password {
			yes redirect /dashboard*
			no status 200
			` + login + `
		}
		login_page /login
		logout /logout
		public /assets/*
		public /open/*
		protect *
		` + strings.Join(more, "\n\t\t") + `
	}
	reverse_proxy {$UPSTREAM}
}
`
}

// whoProof is a proof that says who.
const whoProof = "proof /me {\n\t\t\t\tuser json user\n\t\t\t\tno json visitor\n\t\t\t}"

func ledgerStart(t *testing.T, more ...string) (*site, *ledger) {
	t.Helper()
	l, upstream := newLedger(t)
	return startSite(t, ledgerConfig(more...), upstream), l
}

func provedStart(t *testing.T, more ...string) (*site, *ledger) {
	t.Helper()
	l, upstream := newLedger(t)
	return startSite(t, ledgerSite("", whoProof, more...), upstream), l
}

// tryLogin sends a login to the ledger.
func (c *client) tryLogin(user, password string) reply {
	c.t.Helper()
	return c.post("/login", url.Values{"email": {user}, "password": {password}})
}

// pass logs in with the right password and the code.
func (c *client) pass(user string) reply {
	c.t.Helper()
	c.get("/login")
	r := c.tryLogin(user, right)
	if r.location() != "/.two-factor/challenge" {
		c.t.Fatalf("the right password of %s gave %d to %q, not the challenge:\n%s", user, r.StatusCode, r.location(), r.body)
	}
	if strings.HasPrefix(user, "bob") {
		r = c.enter(c.s.textCode())
	} else {
		r = c.enter(c.s.code(user))
	}
	if r.location() != "/dashboard" {
		c.t.Fatalf("the right code of %s gave %d to %q:\n%s", user, r.StatusCode, r.location(), r.body)
	}
	return r
}

// stranger is a client without a cookie jar, which sends what it is told to.
func (s *site) stranger() *client {
	s.t.Helper()
	c := s.client()
	c.http.Jar = nil
	return c
}

// with sends a GET with these Cookie lines.
func (c *client) with(path string, lines ...string) reply {
	c.t.Helper()
	return c.do(http.MethodGet, path, nil, http.Header{"Cookie": lines})
}

// jarLine is the Cookie line that the browser would send to a path, less the
// named cookies.
func (c *client) jarLine(path string, without ...string) string {
	c.t.Helper()
	var pairs []string
	for name, value := range c.cookies(path) {
		if !slices.Contains(without, name) {
			pairs = append(pairs, name+"="+value)
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "; ")
}

// ownCookie is the gateway's cookie of the default instance on plain http.
const ownCookie = "two-factor-default"

// raw sends bytes and returns the answer, for requests that no client would
// send. {host} stands for the site's.
func (s *site) raw(request string) reply {
	s.t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+u.Port(), 5*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	request = strings.ReplaceAll(strings.ReplaceAll(request, "{host}", u.Host), "\n", "\r\n")
	if _, err := io.WriteString(conn, request+"\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.t.Fatalf("%q: %v", request, err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return reply{Response: res}
	}
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return reply{res, string(body)}
}

// setCookies returns the values that an answer sets a cookie to.
func (r reply) setCookies(name string) []string {
	var values []string
	for _, line := range r.Header["Set-Cookie"] {
		if c, ok := cookie.ParseSet(line); ok && c.Name == name {
			values = append(values, c.Value)
		}
	}
	return values
}

// handlerParts are what a test may exchange in a running gateway.
type handlerParts = handler.Parts

// editParts exchanges some of what the running config works with. No request
// may be running.
func (s *site) editParts(edit func(*handlerParts)) {
	s.t.Helper()
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		s.t.Fatal(err)
	}
	sh := v.(*App).shared
	parts := *sh.parts.Load()
	edit(&parts)
	sh.parts.Store(&parts)
}

// useStore puts a store of the test's own around the running one.
func (s *site) useStore(wrap func(store.Store) store.Store) {
	s.t.Helper()
	s.editParts(func(p *handlerParts) { p.Store = wrap(p.Store) })
}

// eventually waits until something is the case.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("it did not come about that %s", what)
}

// inflight sends a request to a path of which the app keeps the first answer
// back, waits until it is there, and returns what gives its answer.
//
// What the app says then, if it is not what it always says, is said by then.
func inflight(t *testing.T, l *ledger, path string, send func() reply, then ...func(http.ResponseWriter, *arrival)) (finish func() reply) {
	t.Helper()
	arrived, gate := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	var opened sync.Once
	l.pages[path] = func(w http.ResponseWriter, a *arrival) bool {
		if !first.CompareAndSwap(false, true) {
			return false
		}
		close(arrived)
		<-gate
		for _, say := range then {
			say(w, a)
		}
		return len(then) > 0
	}
	release := func() { opened.Do(func() { close(gate) }) }
	t.Cleanup(release)
	done := make(chan reply, 1)
	go func() { done <- send() }()
	select {
	case <-arrived:
	case <-time.After(10 * time.Second):
		t.Fatal("the request did not reach the app")
	}
	return func() reply {
		t.Helper()
		release()
		select {
		case r := <-done:
			return r
		case <-time.After(15 * time.Second):
			t.Fatal("no answer came")
			return reply{}
		}
	}
}
