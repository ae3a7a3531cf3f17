package twofactor

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// atOnce is how many requests are sent together.
const atOnce = 64

// flight is a login whose answer the app keeps back for two seconds, while it
// counts already.
type flight struct {
	user    string
	line    string
	started time.Time
	ended   chan struct{}
}

// aLoginOnItsWay is the victim's, of whose browser the app's cookie is known.
// Tries share one as long as it has a second to go.
func aLoginOnItsWay(tr *trial) {
	tr.t.Helper()
	if tr.flight == nil || time.Since(tr.flight.started) > tr.options.LoginDelay-time.Second {
		tr.land()
		tr.flight = tr.takeOff()
	}
	tr.victim, tr.value = tr.flight.user, tr.flight.line
}

// aLoginAnswered is a victim's whose challenge is open.
func aLoginAnswered(tr *trial) {
	tr.t.Helper()
	if tr.flight == nil {
		tr.flight = tr.takeOff()
	}
	tr.land()
	tr.victim, tr.value = tr.flight.user, tr.flight.line
}

func (tr *trial) land() {
	if tr.flight != nil {
		<-tr.flight.ended
	}
}

func (tr *trial) takeOff() *flight {
	tr.t.Helper()
	c := tr.browser()
	f := &flight{user: tr.newUser(), started: time.Now(), ended: make(chan struct{})}
	filled := hidden(c.get("/login").body, `id="password"`)
	f.line = tr.jar(c)
	body := url.Values{"email": {f.user}, "password": {alicePassword}, "csrf": {filled.Get("csrf")}}.Encode()
	r, err := http.NewRequest(http.MethodPost, tr.url+"/login", strings.NewReader(body))
	if err != nil {
		tr.t.Fatal(err)
	}
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Cookie", f.line)
	go func() {
		defer close(f.ended)
		client := &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		defer client.CloseIdleConnections()
		if res, err := client.Do(r); err == nil {
			_ = res.Body.Close()
		}
	}()
	eventually(tr.t, "the app took the login", func() bool {
		for _, user := range tr.app.Sessions() {
			if user == f.user {
				return true
			}
		}
		return false
	})
	return f
}

// together sends a request many times at once.
func (tr *trial) together(method, path, body string, lines func(i int) []string) {
	tr.t.Helper()
	c := tr.browser()
	c.http.Jar = nil
	var all sync.WaitGroup
	for i := range atOnce {
		all.Go(func() {
			r, err := http.NewRequest(method, tr.url+path, strings.NewReader(body))
			if err != nil {
				tr.t.Error(err)
				return
			}
			r.Header["Cookie"] = lines(i)
			if body != "" {
				r.Header.Set("Content-Type", formType)
			}
			res, err := c.http.Do(r)
			if err != nil {
				tr.t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		})
	}
	all.Wait()
}

// roundParallel are many requests at once with the cookie of a login that is on
// its way, and when it is answered.
func roundParallel() (rows []round) {
	afterwards := func(tr *trial, seen demoapp.Request) bool {
		return (seen.Method != http.MethodPost || seen.Page != demoapp.PageLogin) && asVictim(tr, seen)
	}
	add := func(name string, given, try func(*trial)) {
		rows = append(rows, round{group: "64 at once", name: name, at: "slow-login", given: given, try: try, counts: afterwards})
	}
	known := func(tr *trial) func(int) []string { return func(int) []string { return []string{tr.value} } }
	for when, given := range map[string]func(*trial){"while the login is on its way": aLoginOnItsWay, "when the login is answered": aLoginAnswered} {
		for name, target := range map[string]string{
			"the contacts": "GET /contacts", "the export": "GET /contacts/export", "the head of the export": "HEAD /contacts/export", "a form": "POST /contacts/export",
			"the login page": "GET /login", "a static file": "GET /assets/style.css", "the start page": "GET /", "the interface": "GET /api/me", "the icon": "GET /favicon.ico",
		} {
			method, path, _ := strings.Cut(target, " ")
			add(name+" "+when, given, func(tr *trial) { tr.together(method, path, "", known(tr)) })
		}
		add("with a second line of cookies "+when, given, func(tr *trial) {
			tr.together("GET", "/contacts", "", func(i int) []string { return []string{"x=1", tr.value} })
		})
		add("with another visitor's before it "+when, given, func(tr *trial) {
			tr.me.get("/login")
			other := tr.jar(tr.me)
			tr.together("GET", "/login", "", func(i int) []string {
				if i%2 == 0 && tr.guarded {
					return []string{other + "; " + tr.value}
				}
				return []string{tr.value + "; " + other}
			})
		})
	}
	add("and a second login of the line", aLoginAnswered, func(tr *trial) {
		tr.send("POST", "/login", "email=x&password=y", form(""), tr.value)
		tr.together("GET", "/contacts", "", known(tr))
	})
	return rows
}
