package twofactor

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// whoHeader tells the app of a test who a visitor is, whatever cookies he has.
const whoHeader = "X-Who"

// verifiedAs stands in it in front of the user of a verified browser.
const verifiedAs = "verified "

// guard stands in front of the app and looks at everything that reaches it.
type guard struct {
	app *demoapp.App

	mu    sync.Mutex
	bad   []string
	count map[string]int
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who := r.Header.Get(whoHeader)
	user, verified := strings.CutPrefix(who, verifiedAs)
	public := r.URL.Path == "/login" || strings.HasPrefix(r.URL.Path, "/assets/")
	session := ""
	if c, err := r.Cookie("crm_session"); err == nil {
		session = g.app.Sessions()[c.Value]
	}
	g.mu.Lock()
	if g.count == nil {
		g.count = map[string]int{}
	}
	what := "unverified"
	if verified {
		what = "verified"
	}
	g.count[what]++
	switch {
	case verified && session != user:
		g.bad = append(g.bad, fmt.Sprintf("%s %s of %q reached the app with the session of %q", r.Method, r.URL, user, session))
	case !verified && !public:
		g.bad = append(g.bad, fmt.Sprintf("%s %s of %s reached the app", r.Method, r.URL, who))
	case !verified && session != "":
		g.bad = append(g.bad, fmt.Sprintf("%s %s of %s reached the app with the session of %q", r.Method, r.URL, who, session))
	}
	g.mu.Unlock()
	g.app.ServeHTTP(w, r)
}

func (g *guard) violations() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bad[:min(len(g.bad), 20)]
}

func (g *guard) met() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.count)
}

// visitor is a browser that a goroutine of its own drives.
type visitor struct {
	r    *reloaders
	who  string
	http *http.Client
	jar  *cookiejar.Jar
}

func (r *reloaders) visitor(who string) *visitor {
	jar, _ := cookiejar.New(nil)
	v := &visitor{r: r, who: who, jar: jar, http: &http.Client{
		Jar: jar, Transport: &http.Transport{}, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	r.mu.Lock()
	r.all = append(r.all, v)
	r.mu.Unlock()
	return v
}

// do sends a request. Caddy's listener of the old config may reset a connection
// that nobody has read from: as a browser does, it is then sent again.
func (v *visitor) do(method, path string, fields url.Values, header http.Header) (reply, error) {
	for try := 0; ; try++ {
		r, err := http.NewRequestWithContext(v.r.s.t.Context(), method, v.r.s.url+path, strings.NewReader(fields.Encode()))
		if err != nil {
			return reply{}, err
		}
		if len(fields) == 0 {
			r.Body, r.GetBody, r.ContentLength = nil, nil, 0
		} else {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set(whoHeader, v.who)
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Accept", "text/html")
		for name, values := range header {
			r.Header[name] = values
		}
		res, err := v.http.Do(r)
		if err != nil {
			v.r.note("a connection that was reset")
			if try < 5 {
				continue
			}
			return reply{}, fmt.Errorf("%s: %s %s: %w", v.who, method, path, err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return reply{}, fmt.Errorf("%s: the answer to %s %s broke off: %w", v.who, method, path, err)
		}
		v.r.note("config " + res.Header.Get("X-Config"))
		return reply{res, string(body)}, nil
	}
}

// expect sends a request that must have this status and Location.
func (v *visitor) expect(status int, location, method, path string, fields url.Values, header http.Header) (reply, error) {
	r, err := v.do(method, path, fields, header)
	if err == nil && (r.StatusCode != status || r.location() != location) {
		err = fmt.Errorf("%s: %s %s was answered by %d to %q, want %d to %q: %.300s", v.who, method, path, r.StatusCode, r.location(), status, location, r.body)
	}
	return r, err
}

// send posts the form with this marker on a page.
func (v *visitor) send(status int, location string, page reply, marker string, fields map[string]string) (reply, error) {
	form := hidden(page.body, marker)
	action := form.Get("")
	if action == "" {
		return reply{}, fmt.Errorf("%s: no form with %q: %d %.300s", v.who, marker, page.StatusCode, page.body)
	}
	delete(form, "")
	for name, value := range fields {
		form.Set(name, value)
	}
	return v.expect(status, location, http.MethodPost, action, form, nil)
}

// logIn logs the next user in, sometimes after a wrong code, while somebody
// else has the cookies from before.
func (r *reloaders) logIn(worker int, n *int) error {
	var user string
	select {
	case user = <-r.users:
	default:
		time.Sleep(50 * time.Millisecond) // all are in
		return nil
	}
	v := r.visitor("the login of " + user)
	page, err := v.expect(200, "", http.MethodGet, "/login", nil, nil)
	if err != nil {
		return err
	}
	thief := r.visitor("the thief of " + user + "'s line")
	thief.jar.SetCookies(page.Request.URL, v.jar.Cookies(page.Request.URL))
	if _, err := v.send(http.StatusSeeOther, "/.two-factor/challenge", page, `id="password"`, map[string]string{"email": user, "password": right}); err != nil {
		return err
	}
	if err := thief.breakIn(); err != nil {
		return err
	}
	if page, err = v.expect(200, "", http.MethodGet, "/.two-factor/challenge", nil, nil); err != nil {
		return err
	}
	if n != nil && *n%4 == 0 {
		r.note("a wrong code")
		if _, err = v.send(http.StatusSeeOther, "/.two-factor/challenge?factor=f0&problem=wrong", page, codeField, map[string]string{"code": wrongCodes(r.s, 1)[0]}); err != nil {
			return err
		}
		if page, err = v.expect(200, "", http.MethodGet, "/.two-factor/challenge", nil, nil); err != nil {
			return err
		}
	}
	code := map[string]string{"code": r.s.codeAt(time.Now().Unix() / 30)}
	if _, err := v.send(http.StatusFound, "/dashboard", page, codeField, code); err != nil {
		return err
	}
	v.who = verifiedAs + user
	r.note("a login")
	if err := thief.breakIn(); err != nil {
		return err
	}
	r.mu.Lock()
	r.living = append(r.living, v)
	r.mu.Unlock()
	return v.works()
}

// breakIn tries what the cookies from before the login open.
func (v *visitor) breakIn() error {
	defer v.http.CloseIdleConnections()
	v.r.note("a locked line")
	kept := http.Header{"Cookie": {cookieLine(v)}}
	for _, path := range []string{"/dashboard", "/contacts?x=1"} {
		if _, err := v.expect(http.StatusSeeOther, "/login", http.MethodGet, path, nil, kept); err != nil {
			return err
		}
	}
	if _, err := v.expect(http.StatusUnauthorized, "", http.MethodGet, "/me", nil, script); err != nil {
		return err
	}
	_, err := v.expect(200, "", http.MethodGet, "/login", nil, kept)
	return err
}

func cookieLine(v *visitor) string {
	u, _ := url.Parse(v.r.s.url + "/")
	var pairs []string
	for _, c := range v.jar.Cookies(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// works does what a verified user does.
func (v *visitor) works() error {
	v.r.note("work")
	user := strings.TrimPrefix(v.who, verifiedAs)
	for _, path := range []string{"/dashboard", "/contacts"} {
		r, err := v.expect(200, "", http.MethodGet, path, nil, nil)
		if err != nil {
			return err
		}
		if path == "/dashboard" && !strings.Contains(r.body, user) {
			return fmt.Errorf("%s is not named on %s: %.300s", v.who, path, r.body)
		}
	}
	return nil
}

// work lets a verified user work: the first ones and the last ones by turns.
func (r *reloaders) work(n int) error {
	r.mu.Lock()
	i := n / 2 % min(len(r.living), 10)
	if n%2 == 0 {
		i = len(r.living) - 1 - i
	}
	v := r.living[i]
	r.mu.Unlock()
	return v.works()
}

// mistype sends a wrong password.
func (r *reloaders) mistype(v *visitor) error {
	r.note("a wrong password")
	page, err := v.expect(200, "", http.MethodGet, "/login", nil, nil)
	if err != nil {
		return err
	}
	page, err = v.send(200, "", page, `id="password"`, map[string]string{"email": "u000@example.com", "password": "wrong"})
	if err == nil && hidden(page.body, `id="password"`).Get("") == "" {
		return fmt.Errorf("the form did not come again: %.300s", page.body)
	}
	return err
}

// visit comes without a session.
func (r *reloaders) visit() error {
	v := r.visitor("a visitor")
	defer v.http.CloseIdleConnections()
	r.note("an anonymous visit")
	for _, x := range []struct {
		method, path string
		header       http.Header
		status       int
		location     string
	}{
		{http.MethodGet, "/assets/style.css", nil, 200, ""},
		{http.MethodGet, "/dashboard", nil, http.StatusSeeOther, "/login"},
		{http.MethodGet, "/login", nil, 200, ""},
		{http.MethodGet, "/contacts", nil, http.StatusSeeOther, "/login"},
		{http.MethodGet, "/contacts", script, http.StatusUnauthorized, ""},
		{http.MethodPost, "/contacts", script, http.StatusUnauthorized, ""},
		{http.MethodDelete, "/", script, http.StatusUnauthorized, ""},
		{http.MethodGet, "/", http.Header{"Cookie": {"crm_session=made-up; __Host-two_factor_default=made-up"}}, http.StatusSeeOther, "/login"},
	} {
		if _, err := v.expect(x.status, x.location, x.method, x.path, nil, x.header); err != nil {
			return err
		}
	}
	return nil
}
