package twofactor

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// streamApp is an app of exchanges that last. Whoever gives the password
// "right" is logged in, as who he says.
type streamApp struct {
	t       *testing.T
	address string
	// open is how many exchanges are.
	open atomic.Int64
	// got is what came in by uploads.
	got    atomic.Int64
	logins atomic.Int64
	mu     sync.Mutex
	seen   []*http.Request
}

func startStreamApp(t *testing.T) *streamApp {
	t.Helper()
	a := &streamApp{t: t}
	srv := httptest.NewServer(a)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	a.address = srv.Listener.Addr().String()
	return a
}

// arrivals returns the requests for a path since the last call.
func (a *streamApp) arrivals(path string) (list []*http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.seen {
		if r.URL.Path == path {
			list = append(list, r)
		}
	}
	a.seen = nil
	return list
}

func (a *streamApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.seen = append(a.seen, r.Clone(context.Background()))
	a.mu.Unlock()
	switch r.URL.Path {
	case "/login":
		switch password := r.FormValue("password"); {
		case password == "slow and wrong":
			time.Sleep(time.Second)
			fallthrough
		case r.Method != http.MethodPost || password != "right" && password != "broken":
			fmt.Fprint(w, "sign in, please")
			return
		case password == "broken":
			// A session of another user, of which the answer says nothing.
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "broken", Path: "/"})
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: fmt.Sprintf("of-%s!%d", r.FormValue("email"), a.logins.Add(1)), Path: "/"})
		http.Redirect(w, r, "/home", http.StatusFound)
		return
	case "/me":
		w.Header().Set("Content-Type", "application/json")
		if c, err := r.Cookie("sid"); err == nil && c.Value == "broken" {
			w.WriteHeader(http.StatusBadGateway)
			return
		} else if err == nil {
			user, _, _ := strings.Cut(strings.TrimPrefix(c.Value, "of-"), "!")
			fmt.Fprintf(w, `{"user": %q}`, user)
			return
		}
		fmt.Fprint(w, `{"visitor": true}`)
		return
	case "/slow":
		time.Sleep(2 * time.Second)
		fmt.Fprint(w, "the slow page")
		return
	}
	a.open.Add(1)
	defer a.open.Add(-1)
	flush := func() { _ = http.NewResponseController(w).Flush() }
	switch r.URL.Path {
	case "/events", "/silent":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: first\n\n")
		flush()
		for r.URL.Path == "/events" {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
				fmt.Fprint(w, "data: more\n\n")
				flush()
			}
		}
		<-r.Context().Done()
	case "/download":
		// Slow, of known length, and never flushed by a server in between.
		const pieces, size = 1000, 8 << 10
		w.Header().Set("Content-Length", strconv.Itoa(pieces*size))
		for range pieces {
			if _, err := w.Write(make([]byte, size)); err != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	case "/trailers":
		w.Header().Set("Trailer", "X-Back")
		n, _ := io.Copy(w, r.Body)
		w.Header().Set("X-Back", fmt.Sprintf("%s of %d", r.Trailer.Get("X-Sum"), n))
	case "/range":
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
	case "/open/early":
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, "late")
	case "/echo":
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	case "/upload":
		n, _ := io.Copy(countedIn{&a.got}, r.Body)
		fmt.Fprint(w, n)
	case "/many":
		n, _ := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
		if r.URL.Query().Has("length") {
			w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		}
		_, _ = io.CopyN(w, zeros{}, n)
	case "/ws":
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			a.t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	default:
		fmt.Fprint(w, "the page "+r.URL.Path)
	}
}

type countedIn struct{ n *atomic.Int64 }

func (c countedIn) Write(p []byte) (int, error) { c.n.Add(int64(len(p))); return len(p), nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// startStreams starts the app behind a site over TLS, which speaks HTTP/1.1,
// HTTP/2 and HTTP/3.
func startStreams(t *testing.T, lines ...string) (*site, *streamApp) {
	t.Helper()
	app := startStreamApp(t)
	s := newSite(t)
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	s.global = "fallback_sni example.com"
	s.start(streamSite(certificate(t), lines...), app.address)
	return s, app
}

// streamSite is a site of the app, with this certificate and these further lines.
func streamSite(certificate string, lines ...string) string {
	if certificate != "" {
		certificate = "tls " + certificate + "\n"
	}
	return "https://localhost:{$PORT} {\n" + certificate + "two_factor {\nlogin fields email password {\nproof /me {\nuser json user\nno json visitor\n}\n}\n" +
		"login_page /login\nunknown_user allow\nlogout /logout\npublic /open/*\nprotect *\n" + strings.Join(lines, "\n") + "\n}\nreverse_proxy {$UPSTREAM}\n}\n"
}

// protocols are the ways to speak with a site.
var protocols = []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"}

// by makes the client speak a protocol.
func (c *client) by(protocol string) *client {
	c.t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	var tr interface {
		http.RoundTripper
		CloseIdleConnections()
	}
	switch protocol {
	case "HTTP/1.1":
		tr = &http.Transport{TLSClientConfig: config, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	case "HTTP/2.0":
		tr = &http2.Transport{TLSClientConfig: config}
	default:
		h3 := &http3.Transport{TLSClientConfig: config}
		c.t.Cleanup(func() { _ = h3.Close() })
		tr = h3
	}
	c.t.Cleanup(tr.CloseIdleConnections)
	c.http.Transport, c.http.Timeout = tr, 0
	return c
}

// enters logs somebody in without a code.
func (c *client) enters(user string) *client {
	c.t.Helper()
	c.get("/login")
	if r := c.post("/login", url.Values{"email": {user}, "password": {"right"}}); r.location() != "/home" {
		c.t.Fatalf("the login gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
	return c
}

// own returns what the store knows the browser's session by.
func (c *client) own() account.SessionID {
	c.t.Helper()
	for name, value := range c.cookies("/") {
		if strings.Contains(name, "two-factor-") {
			raw, err := base64.RawURLEncoding.DecodeString(value)
			if err != nil {
				c.t.Fatal(err)
			}
			return sha256.Sum256(raw)
		}
	}
	c.t.Fatal("the browser has no session")
	return account.SessionID{}
}
