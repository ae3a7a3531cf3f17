package twofactor

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// observing is a Caddyfile with its instances in mode observe.
func observing(caddyfile string) string {
	return regexp.MustCompile(`two_factor *\{\n`).ReplaceAllString(caddyfile, "two_factor {\n\t\tmode observe\n")
}

// passage is one request and its answer, as one side saw them.
type passage struct {
	method, uri, body string
	cookies           []string
	header            http.Header
	status            int
	answer            string
	answered          http.Header
}

// passing records what reaches an app and what it answers.
type passing struct {
	app http.Handler
	mu  sync.Mutex
	all []passage
}

func (p *passing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.UserAgent(), "caddy-twofactor") {
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := httptest.NewRecorder()
	at := passage{method: r.Method, uri: r.RequestURI, body: string(body), cookies: r.Header["Cookie"], header: r.Header.Clone()}
	p.app.ServeHTTP(rec, r)
	at.status, at.answer, at.answered = rec.Code, rec.Body.String(), rec.Header().Clone()
	p.mu.Lock()
	p.all = append(p.all, at)
	p.mu.Unlock()
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func (p *passing) taken() []passage {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all
	p.all = nil
	return all
}

// addedByCaddy are the fields that Caddy and net/http add to any answer.
var addedByCaddy = []string{"Date", "Via", "Server", "Content-Length", "Content-Type"}

// samePassage checks that the app got what was sent, and the browser what the
// app said.
func samePassage(t *testing.T, what string, sent *http.Request, body string, got reply, at passage) {
	t.Helper()
	if sent.Method != at.method || sent.URL.RequestURI() != at.uri || body != at.body {
		t.Errorf("%s: the app got %s %s with %q, sent were %s %s with %q", what, at.method, at.uri, at.body, sent.Method, sent.URL.RequestURI(), body)
	}
	for name, values := range sent.Header {
		if !slices.Equal(values, at.header[name]) {
			t.Errorf("%s: the app got %s: %q, sent was %q", what, name, at.header[name], values)
		}
	}
	if got.StatusCode != at.status || got.body != at.answer {
		t.Errorf("%s: the browser got %d with %d bytes, the app said %d with %d", what, got.StatusCode, len(got.body), at.status, len(at.answer))
	}
	for name, values := range at.answered {
		if !slices.Equal(values, got.Header[name]) {
			t.Errorf("%s: the browser got %s: %q, the app said %q", what, name, got.Header[name], values)
		}
	}
	for name := range got.Header {
		if _, ok := at.answered[name]; !ok && !slices.Contains(addedByCaddy, name) {
			t.Errorf("%s: the answer has the field %s, which the app did not set", what, name)
		}
	}
}

// demoLogin is the demo app's login form as the style sends it.
func demoLogin(o demoapp.Options, page reply, password string) (action, kind, body string) {
	form := hidden(page.body, `id="password"`)
	action = form.Get("")
	if action == "" {
		action = o.Path(demoapp.PageLogin)
	}
	delete(form, "")
	form.Set(o.EmailField, alice)
	form.Set(o.PasswordField, password)
	if o.LoginAt == demoapp.LoginByLink {
		return action + "?" + form.Encode(), "", ""
	}
	switch o.Encoding {
	case demoapp.EncodingJSON, demoapp.EncodingNestedJSON:
		return action, "application/json", asJSON(o, form)
	case demoapp.EncodingMultipart:
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for name := range form {
			_ = w.WriteField(name, form.Get(name))
		}
		_ = w.Close()
		return action, w.FormDataContentType(), b.String()
	default:
		return action, "application/x-www-form-urlencoded", form.Encode()
	}
}

func TestInvariant12ObservingChangesNothingOfAnyStyleOfLogin(t *testing.T) {
	for _, style := range demoapp.FormStyles() {
		t.Run(style.Name, func(t *testing.T) {
			app := demoapp.New(style.Options)
			o := app.Options()
			between := &passing{app: app}
			srv := httptest.NewServer(between)
			t.Cleanup(srv.Close)
			s := startSite(t, observing(styleFile(t, style.Name)), srv.Listener.Addr().String())
			c := s.client()
			pass := func(what, method, path, kind, body string) reply {
				t.Helper()
				header := http.Header{}
				if kind == "" {
					method = http.MethodGet
				} else {
					header.Set("Content-Type", kind)
				}
				r := c.do(method, path, strings.NewReader(body), header)
				all := between.taken()
				if len(all) != 1 {
					t.Fatalf("%s: %d requests reached the app, want one", what, len(all))
				}
				samePassage(t, what, r.Request, body, r, all[0])
				return r
			}
			pass("the contacts before", "GET", o.Path(demoapp.PageContacts), "", "")
			page := pass("the login page", "GET", o.Path(demoapp.PageLogin), "", "")
			action, kind, body := demoLogin(o, page, "wrong")
			pass("a wrong password", "POST", action, kind, body)
			page = pass("the login page again", "GET", o.Path(demoapp.PageLogin), "", "")
			action, kind, body = demoLogin(o, page, alicePassword)
			pass("the right password", "POST", action, kind, body)
			for _, p := range []demoapp.Page{demoapp.PageContacts, demoapp.PageExport, demoapp.PageProfile, demoapp.PageMe} {
				r := pass(string(p), "GET", o.Path(p), "", "")
				if p == demoapp.PageContacts && !strings.Contains(r.body, `id="contacts"`) {
					t.Errorf("after the right password the contacts are not shown: %d", r.StatusCode)
				}
			}
			if len(c.cookies(o.BasePath + "/contacts")[ownCookie]) > 0 {
				t.Error("the browser has a cookie of the gateway's")
			}
			if style.Options.BigLogin {
				s.waitKeys(store.SeenUnrecognised, "POST /login 302")
				return
			}
			// Where only a proof tells, the browser itself has asked for its page.
			s.waitKeys(store.SeenUser, alice)
		})
	}
}

// seen returns what is noted of a kind.
func (s *site) seen(kind store.SeenKind) []store.Seen {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		s.t.Fatal(err)
	}
	v.(*App).instances.writeSeen()
	all, err := l.Parts().Store.ListSeen(s.t.Context(), "", time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(n store.Seen) bool { return n.Kind != kind })
}

// waitSeen waits until something of a kind is noted.
func (s *site) waitSeen(kind store.SeenKind) []store.Seen {
	s.t.Helper()
	eventually(s.t, "something is noted of the kind "+string(kind), func() bool { return len(s.seen(kind)) > 0 })
	return s.seen(kind)
}

func (s *site) waitKeys(kind store.SeenKind, want ...string) {
	s.t.Helper()
	var got []string
	eventually(s.t, fmt.Sprintf("%q are noted of the kind %s", want, kind), func() bool {
		got = nil
		for _, n := range s.seen(kind) {
			got = append(got, n.Key)
		}
		return slices.Equal(got, want)
	})
}

func TestInvariant12ObservingPassesEveryRequestAsCaddyAloneDoes(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/early":
			w.Header().Add("Link", "</x.css>; rel=preload")
			w.Header().Add("Set-Cookie", "early=1")
			w.WriteHeader(http.StatusEarlyHints)
		case "/trailer":
			w.Header().Set("Trailer", "X-Sum")
			fmt.Fprint(w, "body")
			w.Header().Set("X-Sum", "42")
			return
		case "/cookie-trailer":
			w.Header().Set("Trailer", "Set-Cookie")
			fmt.Fprint(w, "body")
			w.Header().Set("Set-Cookie", "late=1")
			return
		case "/cookies":
			w.Header()["Set-Cookie"] = []string{"a=1", "a=2; Path=/x", "b=; Max-Age=0", "=broken", "two-factor-x=1", "c=3; HttpOnly; Weird"}
		case "/204":
			w.WriteHeader(http.StatusNoContent)
			return
		case "/switch":
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			_ = rw.Flush()
			return
		case "/broken":
			panic(http.ErrAbortHandler)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8bnot really"))
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header()["X-Twice"] = []string{"a", "b"}
		h := r.Header.Clone()
		delete(h, "X-Forwarded-For")
		delete(h, "X-Forwarded-Host")
		fmt.Fprintf(w, "%s %s %s %v %v\n%s\n%v", r.Method, r.RequestURI, r.TransferEncoding, h, r.ContentLength, body, r.Trailer)
	}
	srv := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(srv.Close)
	s := newSite(t)
	plain := freePort(t)
	s.start(observing(ledgerConfig("block /blocked*", "credential field secret", "credential cookie a"))+
		"http://"+strings.Replace(plain, "127.0.0.1", "localhost", 1)+" {\n\treverse_proxy {$UPSTREAM}\n}\n", srv.Listener.Addr().String())
	bare := &site{t: t, url: "http://" + strings.Replace(plain, "127.0.0.1", "localhost", 1)}
	long := strings.Repeat("x", 70<<10)
	for name, request := range map[string]string{
		"a page":                    "GET /in HTTP/1.1\nHost: app\nCookie: a=1; b = 2;; broken; c=\"x;y\"\nCookie: a=2\nCookie: d",
		"a script without cookies":  "GET /in HTTP/1.1\nHost: app\nSec-Fetch-Dest: empty",
		"Authorization":             "GET /in HTTP/1.1\nHost: app\nAuthorization: Basic YTpi",
		"misleading headers":        "GET /in HTTP/1.1\nHost: app\nX-Original-URL: /x\nX-HTTP-Method-Override: DELETE\nConnection: X-User, close\nX-User: a",
		"a session in the address":  "GET /in;jsessionid=1?PHPSESSID=2&sid=3 HTTP/1.1\nHost: app",
		"a blocked address":         "POST /blocked HTTP/1.1\nHost: app\nContent-Length: 1\n\nx",
		"a malicious address":       "GET /a/..%2f..%5cb//./%2e/;x HTTP/1.1\nHost: app",
		"a NUL":                     "GET /a%00 HTTP/1.1\nHost: app",
		"TRACE":                     "TRACE /in HTTP/1.1\nHost: app",
		"a login":                   "POST /login HTTP/1.1\nHost: app\nAuthorization: Basic YTpi\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 24\n\nemail=a&password=b&%zz=1",
		"a login with fields twice": "POST /login HTTP/1.1\nHost: app\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 26\n\nemail=a&password=b&email=c",
		"a broken login":            "POST /login HTTP/1.1\nHost: app\nContent-Type: application/json\nContent-Length: 24\n\n{\"email\":\"a\",\"password\":",
		"a login in the query":      "GET /x?email=a&password=b HTTP/1.1\nHost: app",
		"a credential field":        "POST /in HTTP/1.1\nHost: app\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 12\n\nsecret=1&a=2",
		"a chunked form":            "POST /in HTTP/1.1\nHost: app\nContent-Type: application/x-www-form-urlencoded\nTransfer-Encoding: chunked\nTrailer: X-T\n\n3\na=1\n0\nX-T: 1\n",
		"a long form":               fmt.Sprintf("POST /in HTTP/1.1\nHost: app\nContent-Type: application/x-www-form-urlencoded\nContent-Length: %d\n\nemail=%s", 6+len(long), long),
		"a long login":              fmt.Sprintf("POST /in HTTP/1.1\nHost: app\nContent-Type: application/x-www-form-urlencoded\nContent-Length: %d\n\nx=%s&email=a&password=b", 2+len(long)+19, long),
		"a login cut off":           "POST /login HTTP/1.0\nHost: app\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 0",
		"early hints":               "GET /early HTTP/1.1\nHost: app",
		"trailers":                  "GET /trailer HTTP/1.1\nHost: app\nTE: trailers",
		"a cookie in a trailer":     "GET /cookie-trailer HTTP/1.1\nHost: app\nTE: trailers",
		"cookies":                   "GET /cookies HTTP/1.1\nHost: app",
		"cookies to a login":        "POST /cookies HTTP/1.1\nHost: app\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 18\n\nemail=a&password=b",
		"no content":                "GET /204 HTTP/1.1\nHost: app",
		"HEAD":                      "HEAD /in HTTP/1.1\nHost: app",
		"an upgrade":                "GET /switch HTTP/1.1\nHost: app\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"a broken coding":           "POST /gzip HTTP/1.1\nHost: app\nAccept-Encoding: gzip\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 18\n\nemail=a&password=b",
		"a broken answer":           "GET /broken HTTP/1.1\nHost: app",
		"a broken answer to login":  "POST /broken HTTP/1.1\nHost: app\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 18\n\nemail=a&password=b",
	} {
		t.Run(name, func(t *testing.T) {
			want, got := bare.spoken(t, request), s.spoken(t, request)
			if got != want {
				t.Errorf("observed:\n%.2000s\n\nCaddy alone:\n%.2000s", got, want)
			}
			if want == "" {
				t.Error("there is no answer to compare")
			}
		})
	}
}
