package twofactor

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// hotPathConfig serves one app twice, behind the gateway and bare. In the place
// of each vars comes the app.
const hotPathConfig = `http://localhost:{$PORT} {
	route {
		two_factor {
			login fields email password {
				proof /me/{http.two_factor.user} {
					user json user
					no json visitor
				}
			}
			login_page /login
			unknown_user allow
			step_up /app/export*
			step_up /app/settings/* {
				max_age 15m
			}
			public /page*
			public /basket
			protect *
		}
		vars the app
	}
}
http://localhost:{$BARE} {
	route {
		vars the app
	}
}
`

func init() { caddy.RegisterModule(quietApp{}) }

// quietApp is an app that allocates nothing, but where it sets a cookie or is
// asked which ones it got.
type quietApp struct{}

func (quietApp) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.quiet_app", New: func() caddy.Module { return new(quietApp) }}
}

var plainText = []string{"text/plain; charset=utf-8"}

func (quietApp) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	switch {
	case r.URL.Path == "/login" && r.Method == http.MethodPost:
		w.Header().Set("Set-Cookie", "sid=0123456789abcdef-of-"+r.FormValue("email")+"; Path=/; HttpOnly")
		w.Header().Set("Location", "/dashboard")
		w.WriteHeader(http.StatusFound)
		return nil
	case r.URL.Path == "/basket":
		w.Header().Set("Set-Cookie", "sid=fedcba9876543210fedcba9876543210; Path=/; HttpOnly")
	}
	if strings.HasPrefix(r.URL.Path, "/me/") {
		w.Header().Set("Content-Type", "application/json")
		answer := `{"visitor": true}`
		if c, err := r.Cookie("sid"); err == nil {
			_, user, _ := strings.Cut(c.Value, "-of-")
			answer = fmt.Sprintf(`{"user": %q}`, user)
		}
		_, err := io.WriteString(w, answer)
		return err
	}
	w.Header()["Content-Type"] = plainText
	w.WriteHeader(http.StatusOK)
	if r.Header.Get("X-Echo") == "" {
		return nil
	}
	for _, line := range r.Header["Cookie"] {
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	return nil
}

// hotPath is a real Caddy of which the servers are called without a network,
// so that every byte that is counted is Caddy's or ours.
type hotPath struct {
	t           *testing.T
	s           *site
	gated, bare http.Handler
}

func startHotPath(t *testing.T) *hotPath {
	t.Helper()
	s := newSite(t)
	bare := freePort(t)
	_, port, _ := net.SplitHostPort(bare)
	t.Setenv("BARE", port)
	adapted, err := adapt("{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n}\n" + hotPathConfig)
	if err != nil {
		t.Fatal(err)
	}
	app := regexp.MustCompile(`\{\s*"handler": "vars",\s*"the": "app"\s*\}`)
	if n := len(app.FindAllString(adapted, -1)); n != 2 {
		t.Fatalf("%d places for the app in %s", n, adapted)
	}
	if err := caddy.Load([]byte(app.ReplaceAllString(adapted, `{"handler": "quiet_app"}`)), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping caddy: %v", err)
		}
	})
	v, err := caddy.ActiveContext().App("http")
	if err != nil {
		t.Fatal(err)
	}
	h := &hotPath{t: t, s: s}
	for _, server := range v.(*caddyhttp.App).Servers {
		if strings.HasSuffix(server.Listen[0], ":"+port) {
			h.bare = server
		} else {
			h.gated = server
		}
	}
	return h
}

// request returns a request for the app with this Cookie header.
func (h *hotPath) request(path, cookies string) *http.Request {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.s.url+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.RequestURI, r.RemoteAddr = path, "127.0.0.1:50000"
	r.Header.Set("User-Agent", "a test")
	r.Header.Set("Accept", "*/*")
	if cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	return r
}

// sink is a writer that keeps what was answered and allocates nothing.
type sink struct {
	header http.Header
	status int
	body   []byte
}

func (s *sink) Header() http.Header    { return s.header }
func (s *sink) WriteHeader(status int) { s.status = status }
func (s *sink) WriteString(p string) (int, error) {
	s.body = append(s.body, p...)
	return len(p), nil
}
func (*sink) SetReadDeadline(time.Time) error  { return nil }
func (*sink) SetWriteDeadline(time.Time) error { return nil }
func (s *sink) Write(p []byte) (int, error) {
	s.body = append(s.body, p...)
	return len(p), nil
}

// cost is what a server allocates for one request: bytes and objects.
type cost struct{ bytes, objects int64 }

func (c cost) String() string { return fmt.Sprintf("%d B in %d allocations", c.bytes, c.objects) }

func (c cost) over(bare cost) cost { return cost{c.bytes - bare.bytes, c.objects - bare.objects} }

// measure returns what the server allocates for the request. It takes the least
// of several runs, since what else runs in this process only adds.
func (h *hotPath) measure(server http.Handler, r *http.Request) cost {
	const runs, requests = 7, 500
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := &sink{header: http.Header{}, body: make([]byte, 0, 4096)}
	var best cost
	for run := range runs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range requests {
			clear(w.header)
			r.Body = http.NoBody // a server's, which Caddy wraps
			w.body = w.body[:0]
			server.ServeHTTP(w, r)
		}
		runtime.ReadMemStats(&after)
		c := cost{
			(int64(after.TotalAlloc-before.TotalAlloc) + requests/2) / requests,
			(int64(after.Mallocs-before.Mallocs) + requests/2) / requests,
		}
		if run == 0 || c.bytes < best.bytes {
			best = c
		}
	}
	if w.status != http.StatusOK {
		h.t.Fatalf("the request was answered %d %s", w.status, w.body)
	}
	return best
}

// seen returns the Cookie header that reaches the app.
func (h *hotPath) seen(server http.Handler, r *http.Request) string {
	w := &sink{header: http.Header{}}
	r.Body = http.NoBody
	r.Header.Set("X-Echo", "1")
	defer r.Header.Del("X-Echo")
	server.ServeHTTP(w, r)
	return string(w.body)
}

const readableCookie = "csrftoken=0123456789abcdef0123456789abcdef"

// line returns the Cookie header of a browser.
func (c *client) line(path string, also ...string) string {
	parts := also
	for name, value := range c.cookies(path) {
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, "; ")
}

// The gates of the bench, of which every test run guards the exact ones. Of
// what is counted, 48 bytes in one allocation are what Caddy itself takes for
// any handler.
func TestTheHotPathAllocatesNoMoreThanItMay(t *testing.T) {
	if raceEnabled {
		t.Log("under the race detector pools drop at random, so that this is not counted")
		return
	}
	h := startHotPath(t)

	visitor := h.s.client()
	visitor.get("/basket")
	user := h.s.client()
	if r := user.post("/login", url.Values{"email": {"alice"}, "password": {"right"}}); r.location() != "/dashboard" {
		t.Fatalf("the login gave %d to %q", r.StatusCode, r.location())
	}
	unknown := "two-factor-default=" + strings.Repeat("A", 43)

	for _, c := range []struct {
		name, path, cookies, seen string
		most                      cost
	}{
		{"on no route, one readable cookie", "/page", readableCookie, readableCookie, cost{64, 1}},
		// Its header is rebuilt without the token: one string in a slice.
		{"on no route, a token that is unknown", "/page", unknown + "; " + readableCookie, readableCookie, cost{64 + 64, 1 + 2}},
		// Its line's lock is asked for in the store, uncached.
		{"anonymous with one seal", "/page", visitor.line("/page"), "sid=fedcba9876543210fedcba9876543210", cost{1024, 20}},
		{"verified with one seal", "/app/page", user.line("/app/page"), "sid=0123456789abcdef-of-alice", cost{512, 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := h.request(c.path, c.cookies)
			if got := h.seen(h.gated, r); got != c.seen {
				t.Fatalf("the app got %q, want %q", got, c.seen)
			}
			bare, gated := h.measure(h.bare, r), h.measure(h.gated, r)
			over := gated.over(bare)
			t.Logf("bare %v, gated %v: %v more", bare, gated, over)
			if over.bytes > c.most.bytes || over.objects > c.most.objects {
				t.Errorf("the gateway costs %v more than bare Caddy, want at most %v", over, c.most)
			}
		})
	}
}

// Rooms are used again, so whoever asks at once must still be whoever he is.
func TestInvariant03RequestsAtOnceGetNothingOfEachOther(t *testing.T) {
	h := startHotPath(t)
	const users, requests = 8, 300
	type browser struct{ path, cookies, seen string }
	var browsers []browser
	for i := range users {
		c := h.s.client()
		if i%2 == 0 {
			c.get("/basket")
			browsers = append(browsers, browser{"/page", c.line("/page", fmt.Sprintf("csrftoken=visitor%d", i)),
				fmt.Sprintf("csrftoken=visitor%d; sid=fedcba9876543210fedcba9876543210", i)})
			continue
		}
		if r := c.post("/login", url.Values{"email": {fmt.Sprintf("user%d", i)}, "password": {"right"}}); r.location() != "/dashboard" {
			t.Fatalf("the login gave %d to %q", r.StatusCode, r.location())
		}
		browsers = append(browsers, browser{"/app/page", c.line("/app/page", fmt.Sprintf("csrftoken=user%d", i)),
			fmt.Sprintf("csrftoken=user%d; sid=0123456789abcdef-of-user%d", i, i)})
	}
	var group sync.WaitGroup
	for _, b := range browsers {
		group.Go(func() {
			for range requests {
				if got := h.seen(h.gated, h.request(b.path, b.cookies)); got != b.seen {
					t.Errorf("the app got %q, want %q", got, b.seen)
					return
				}
				// And strangers between them, for whom nothing opens.
				if got := h.seen(h.gated, h.request("/page", "sid=forged; csrftoken=none")); got != "csrftoken=none" {
					t.Errorf("the app got %q of a stranger", got)
					return
				}
				if got := h.seen(h.gated, h.request("/app/page", "sid=forged; csrftoken=none")); !strings.Contains(got, `"status":401`) {
					t.Errorf("a stranger got %q", got)
					return
				}
			}
		})
	}
	group.Wait()
}
