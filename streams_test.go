package twofactor

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// exchange is one that lasts. What comes to the client is told to piece, and
// its end closes ended.
type exchange struct {
	name  string
	piece chan struct{}
	ended chan struct{}
	// err is how it ended, to be read after ended.
	err error
}

func newExchange(name string) *exchange {
	return &exchange{name: name, piece: make(chan struct{}, 1), ended: make(chan struct{})}
}

// follow reads to the end.
func (e *exchange) follow(body io.ReadCloser) {
	defer close(e.ended)
	defer body.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			select {
			case e.piece <- struct{}{}:
			default:
			}
		}
		if err != nil {
			e.err = err
			return
		}
	}
}

func (e *exchange) waitPiece(t *testing.T) {
	t.Helper()
	select {
	case <-e.piece:
	case <-e.ended:
		t.Fatalf("%s ended before it began: %v", e.name, e.err)
	case <-time.After(10 * time.Second):
		t.Fatalf("of %s nothing came", e.name)
	}
}

// fetch begins a request whose answer lasts.
func (c *client) fetch(path string) *exchange {
	c.t.Helper()
	e := newExchange(path)
	res, err := c.http.Get(c.s.url + path)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %d", path, res.StatusCode)
	}
	go e.follow(res.Body)
	e.waitPiece(c.t)
	return e
}

// send begins an upload that trickles.
func (c *client) send(app *streamApp) *exchange {
	c.t.Helper()
	e := newExchange("an upload")
	before := app.got.Load()
	from, to := io.Pipe()
	r, err := http.NewRequest(http.MethodPost, c.s.url+"/upload", from)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	go func() {
		defer to.Close()
		for {
			select {
			case <-e.ended:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if _, err := to.Write(make([]byte, 4<<10)); err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(e.ended)
		res, err := c.http.Do(r)
		if err == nil {
			e.err = fmt.Errorf("status %d", res.StatusCode)
			_ = res.Body.Close()
			return
		}
		e.err = err
	}()
	for app.got.Load() == before {
		select {
		case <-e.ended:
			c.t.Fatalf("the upload ended before it began: %v", e.err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return e
}

// tunnel opens a WebSocket and says something in it.
func (c *client) tunnel(protocol string) *exchange {
	c.t.Helper()
	e := newExchange("a WebSocket")
	if protocol == "HTTP/1.1" {
		u, _ := url.Parse(c.s.url)
		conn, err := tls.Dial("tcp", "127.0.0.1:"+u.Port(), &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
		if err != nil {
			c.t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: %s\r\n\r\n", u.Host, c.line("/"))
		from := bufio.NewReader(conn)
		res, err := http.ReadResponse(from, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			c.t.Fatalf("the upgrade gave %v, %v", res, err)
		}
		fmt.Fprint(conn, "hello")
		go e.follow(struct {
			io.Reader
			io.Closer
		}{from, conn})
		e.waitPiece(c.t)
		return e
	}
	from, to := io.Pipe()
	r, err := http.NewRequest(http.MethodConnect, c.s.url+"/ws", from)
	if err != nil {
		c.t.Fatal(err)
	}
	if protocol == "HTTP/2.0" {
		r.Header[":protocol"] = []string{"websocket"}
	} else {
		r.Proto = "websocket"
	}
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Cookie", c.line("/"))
	res, err := c.http.Transport.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		c.t.Fatalf("the CONNECT gave %d", res.StatusCode)
	}
	go fmt.Fprint(to, "hello")
	go e.follow(res.Body)
	e.waitPiece(c.t)
	return e
}

// begin opens one exchange of each kind. WebSockets over HTTP/2 (RFC 8441) are
// off in Go's server unless it is started with extendedConnect.
func (c *client) begin(app *streamApp, protocol string) []*exchange {
	c.t.Helper()
	open := []*exchange{c.fetch("/silent"), c.fetch("/events"), c.fetch("/download"), c.send(app)}
	if protocol != "HTTP/2.0" || strings.Contains(os.Getenv("GODEBUG"), extendedConnect) {
		open = append(open, c.tunnel(protocol))
	}
	return open
}

const extendedConnect = "http2xconnect=1"

// allEnd expects that all end within a second, here and at the app, where so
// many stay.
func allEnd(t *testing.T, app *streamApp, open []*exchange, since time.Time, stay int64) {
	t.Helper()
	for _, e := range open {
		select {
		case <-e.ended:
			if e.err == io.EOF && e.name != "a WebSocket" { //nolint:errorlint // Bodies return it as it is.
				t.Errorf("%s ended as if it were whole", e.name)
			}
		case <-time.After(time.Until(since.Add(time.Second))):
			t.Errorf("%s is open a second after its session ended", e.name)
		}
	}
	for app.open.Load() > stay && time.Since(since) < 2*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	if n := app.open.Load(); n != stay {
		t.Errorf("%d exchanges are open at the app, want %d", n, stay)
	}
}

// noneEnds expects that all stay open for a while.
func noneEnds(t *testing.T, open []*exchange) {
	t.Helper()
	time.Sleep(1300 * time.Millisecond)
	for _, e := range open {
		select {
		case <-e.ended:
			t.Errorf("%s ended though its session goes on: %v", e.name, e.err)
		default:
		}
	}
}

// endsSession ends the session in the store, as an operator does.
func endsSession(t *testing.T, c *client) {
	t.Helper()
	l := c.s.lease()
	defer l.Release()
	if err := l.Parts().Store.EndSession(t.Context(), c.own()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsOpenWhenItsSessionEndsIsClosedWithinASecond(t *testing.T) {
	s, app := startStreams(t)
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c, other := s.client().by(protocol).enters("ann"), s.client().by(protocol).enters("ben")
			c.t, other.t = t, t
			if r := c.get("/home"); r.Proto != protocol || r.body != "the page /home" {
				t.Fatalf("by %s: %d %s", r.Proto, r.StatusCode, r.body)
			}
			stays := other.fetch("/silent")
			open := c.begin(app, protocol)
			noneEnds(t, append(open, stays))
			began := time.Now()
			endsSession(t, c)
			allEnd(t, app, open, began, 1)
			noneEnds(t, []*exchange{stays})
			began = time.Now()
			endsSession(t, other)
			allEnd(t, app, []*exchange{stays}, began, 0)
		})
	}
}

// Go reads what allows it when the process starts.
func TestAWebSocketOverHTTP2IsClosedWithItsSessionToo(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestWhatIsOpenWhenItsSessionEndsIsClosedWithinASecond$/^HTTP/2.0$", "-test.timeout", "60s")
	cmd.Env = append(os.Environ(), "GODEBUG="+extendedConnect)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestHoweverASessionEndsWhatIsOpenIsClosed(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, c *client)
	}{
		{"by a logout", func(_ *testing.T, c *client) { c.get("/logout") }},
		{"by a login of another user in the same browser", func(_ *testing.T, c *client) { c.enters("ben") }},
		{"by a login that the app did not recognise", func(t *testing.T, c *client) {
			if r := c.post("/login", url.Values{"email": {"cid"}, "password": {"broken"}}); r.StatusCode == http.StatusOK {
				t.Errorf("it gave %d %s", r.StatusCode, r.body)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, app := startStreams(t)
			c := s.client().by("HTTP/1.1").enters("ann")
			open := c.begin(app, "HTTP/1.1")
			began := time.Now()
			tt.end(t, c)
			if d := time.Since(began); d > 500*time.Millisecond {
				t.Logf("to end it took %v", d)
				began = began.Add(d - 500*time.Millisecond)
			}
			allEnd(t, app, open, began, 0)
			if n := strings.Count(s.audited(), `"stream_closed"`); n != len(open) {
				t.Errorf("%d lines of the audit log tell of %d that were closed", n, len(open))
			}
		})
	}
}

// audited returns what the audit log says by now.
func (s *site) audited() string {
	s.t.Helper()
	time.Sleep(100 * time.Millisecond)
	text, err := os.ReadFile(filepath.Join(os.Getenv("XDG_DATA_HOME"), "caddy", "two_factor", auditName))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsOpenStaysWhileALoginRunsThatDoesNotPass(t *testing.T) {
	s, app := startStreams(t)
	c := s.client().by("HTTP/1.1").enters("ann")
	open := []*exchange{c.fetch("/silent"), c.fetch("/events"), c.fetch("/download"), c.tunnel("HTTP/1.1")}
	began := time.Now()
	if r := c.post("/login", url.Values{"email": {"ben"}, "password": {"slow and wrong"}}); r.StatusCode != http.StatusOK || time.Since(began) < time.Second {
		t.Fatalf("the wrong password gave %d to %q after %v:\n%s", r.StatusCode, r.location(), time.Since(began), r.body)
	}
	noneEnds(t, open)
	if r := c.get("/home"); r.body != "the page /home" {
		t.Errorf("afterwards the session is gone: %d %s", r.StatusCode, r.body)
	}
	began = time.Now()
	endsSession(t, c)
	allEnd(t, app, open, began, 0)
}

// watchers counts the goroutines that watch open exchanges.
func watchers(t *testing.T) int {
	t.Helper()
	var out bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&out, 2); err != nil {
		t.Fatal(err)
	}
	return strings.Count(out.String(), "handler.(*streams).watch(")
}

func TestNobodyWatchesWhenNothingIsOpen(t *testing.T) {
	s, app := startStreams(t)
	gone := func(when string) {
		t.Helper()
		for began := time.Now(); watchers(t) > 0; time.Sleep(50 * time.Millisecond) {
			if time.Since(began) > 3*time.Second {
				t.Fatalf("%s, %d goroutines watch", when, watchers(t))
			}
		}
	}
	c := s.client().by("HTTP/1.1").enters("ann")
	gone("before anything is open")
	c.get("/home")
	if n := watchers(t); n != 0 {
		t.Errorf("after short pages %d goroutines watch", n)
	}
	open := []*exchange{c.fetch("/silent"), c.fetch("/events")}
	if n := watchers(t); n != 1 {
		t.Errorf("with two streams open %d goroutines watch, want 1", n)
	}
	endsSession(t, c)
	allEnd(t, app, open, time.Now(), 0)
	gone("after all are closed")

	// Caddy leaves a stream open at a reload, and the gate that it came in by
	// watches it on.
	c.enters("ann")
	open = []*exchange{c.fetch("/silent"), c.fetch("/events")}
	s.load(streamSite(certificate(t), "app_session_max 20d"))
	noneEnds(t, open)
	began := time.Now()
	endsSession(t, c)
	allEnd(t, app, open, began, 0)
	gone("after a reload")
}

func TestRule22APendingSessionHasNoStreamByAnyProtocol(t *testing.T) {
	s, app := startStreams(t)
	s.enrol(alice, account.KindTOTP)
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c := s.client().by(protocol)
			c.t = t
			c.get("/login")
			if r := c.post("/login", url.Values{"email": {alice}, "password": {"right"}}); r.location() != "/.two-factor/challenge" {
				t.Fatalf("the right password gave %d to %q", r.StatusCode, r.location())
			}
			app.arrivals("")
			for _, path := range []string{"/silent", "/download", "/ws", "/many?bytes=10"} {
				for _, header := range []http.Header{script, {"Accept": {"text/event-stream"}, "Sec-Fetch-Dest": {"empty"}}, {"Range": {"bytes=0-1"}}, {"Te": {"trailers"}}} {
					if r := c.do(http.MethodGet, path, nil, header); r.StatusCode == http.StatusOK || r.StatusCode == http.StatusPartialContent {
						t.Errorf("%s with %v: %d", path, header, r.StatusCode)
					}
				}
			}
			body := io.MultiReader(strings.NewReader("a piece"), strings.NewReader("and another"))
			if r := c.do(http.MethodPost, "/upload", body, script); r.StatusCode != http.StatusUnauthorized {
				t.Errorf("an upload: %d", r.StatusCode)
			}
			if protocol == "HTTP/3.0" {
				r, _ := http.NewRequest(http.MethodConnect, s.url+"/ws", strings.NewReader("hello"))
				r.Proto = "websocket"
				r.Header.Set("Cookie", c.line("/"))
				res, err := c.http.Transport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				if _ = res.Body.Close(); res.StatusCode != http.StatusUnauthorized {
					t.Errorf("a CONNECT: %d", res.StatusCode)
				}
			}
			app.mu.Lock()
			defer app.mu.Unlock()
			for _, r := range app.seen {
				t.Errorf("%s %s reached the app", r.Method, r.RequestURI)
			}
		})
	}
}
