package twofactor

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// beyondRules are rules of each kind that ask for a field.
const beyondRules = `block {
			path /open/*
			two_factor_field action export
		}
		logout {
			two_factor_field op logout
		}
		block {
			path /open/two
			two_factor_field confirm
			two_factor_field data.purge yes
		}`

// long64 is longer than what is read of a body before it is forwarded.
var long64 = strings.Repeat("x", 80<<10)

func TestAFieldBeyondTheCapOfAStreamingBodyIsCutOff(t *testing.T) {
	s, l := ledgerStart(t, beyondRules)
	member, visitor := s.client(), s.client()
	member.pass(alice)
	visitor.get("/open/page")
	mebibyte := strings.Repeat("x", 1<<20-200)
	for _, q := range []struct {
		why, target, contentType, body string
		cut                            bool
	}{
		{"a form", "/open/up", formBody, "note=" + long64 + "&action=export", true},
		{"a form of a mebibyte", "/open/up", formBody, "note=" + mebibyte + "&action=export", true},
		{"a form of a mebibyte, another value", "/open/up", formBody, "note=" + mebibyte + "&action=view", false},
		{"a form, no such field", "/open/up", formBody, "note=" + long64, false},
		{"a form, padded in front of the name", "/open/up", formBody, "a=1&" + strings.Repeat("+", 80<<10) + "action=export", true},
		{"a form, a padded value", "/open/up", formBody, "action=" + strings.Repeat("+", 80<<10) + "export", true},
		{"a form, the field twice", "/open/up", formBody, "action=view&note=" + long64 + "&action=export", true},
		{"JSON", "/open/up", jsonBody, `{"note":"` + long64 + `","action":"export"}`, true},
		{"JSON, another value", "/open/up", jsonBody, `{"note":"` + long64 + `","action":"view"}`, false},
		{"JSON, broken at the end", "/open/up", jsonBody, `{"action":"view","note":"` + long64, true},
		{"parts behind a file", "/open/up", partsBody, formPart(`name="f"; filename="x"`, long64) + formPart(`name="action"`, "export") + partsEnd, true},
		{"parts, another value behind a file", "/open/up", partsBody, formPart(`name="f"; filename="x"`, long64) + formPart(`name="action"`, "view") + partsEnd, false},
		{"parts, the last not closed, as PHP reads it", "/open/up", partsBody, formPart(`name="f"; filename="x"`, long64) + strings.TrimSuffix(formPart(`name="action"`, "export"), "\r\n"), true},
		{"no type", "/open/up", "", "note=" + long64 + "&action=export", true},
		{"an image", "/open/up", "image/png", "\x89PNG" + long64 + "&action=export", false},
		{"JSON as an image", "/open/up", "image/png", `{"note":"` + long64 + `","action":"export"}`, true},
		{"two fields, one", "/open/two", formBody, "confirm=1&note=" + long64 + "&data[purge]=no", false},
		{"two fields, both", "/open/two", formBody, "confirm=1&note=" + long64 + "&data[purge]=yes", true},
	} {
		for name, c := range map[string]*client{"a visitor": visitor, "a member": member} {
			for how, body := range map[string]io.Reader{"": strings.NewReader(q.body), " in chunks": io.MultiReader(strings.NewReader(q.body))} {
				l.reset()
				header := http.Header{}
				if q.contentType != "" {
					header.Set("Content-Type", q.contentType)
				}
				r := c.do(http.MethodPost, q.target, body, header)
				seen := l.arrivals()
				if q.cut {
					if len(seen) != 0 || r.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(r.body, "This is too large") {
						t.Errorf("%s%s by %s: %d requests reached the app, answer %s", q.why, how, name, len(seen), words(r))
					}
					continue
				}
				if len(seen) != 1 || r.StatusCode != http.StatusOK || seen[0].Body != q.body {
					t.Errorf("%s%s by %s: %d requests reached the app, answer %s", q.why, how, name, len(seen), words(r))
				}
			}
		}
	}
	log := s.twoFactorLog()
	for _, want := range []string{`"rule":"block","fields":["action"]`, `"rule":"block","fields":["confirm","data.purge"]`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not name the rule: %s", want)
		}
	}
	if strings.Contains(log, long64[:100]) || strings.Contains(log, "export") {
		t.Error("the log has what was sent")
	}
	// The session goes on: nobody may have logged in by it.
	if member.get("/contacts"); l.user(l.last(t)) != alice {
		t.Error("the session has ended")
	}
}

func TestAFieldBeyondTheCapIsCutOffByRulesThatCountOnlySometimes(t *testing.T) {
	l, upstream := newLedger(t)
	config := strings.Replace(ledgerConfig("logout {\n\t\t\ttwo_factor_field op logout\n\t\t}"), "protect *", `protect /contacts
		protect {
			two_factor_field action export
		}`, 1)
	s := startSite(t, config, upstream)
	member, visitor := s.client(), s.client()
	member.pass(alice)
	visitor.get("/list")
	body := func(more string) string { return "note=" + long64 + more }
	for _, q := range []struct {
		why    string
		c      *client
		target string
		more   string
		cut    bool
	}{
		{"protect, a visitor", visitor, "/list", "&action=export", true},
		{"protect, a visitor, another value", visitor, "/list", "&action=view", false},
		{"protect, a visitor, where it is public", visitor, "/open/list", "&action=export", false},
		{"protect, a visitor, at the login page", visitor, "/login", "&action=export", false},
		{"protect, a member", member, "/list", "&action=export", false},
		{"logout, a visitor", visitor, "/list", "&op=logout", false},
		{"logout, a member, another value", member, "/list", "&op=x", false},
		{"logout, a member", member, "/list", "&op=logout", true},
	} {
		l.reset()
		r := q.c.do(http.MethodPost, q.target, strings.NewReader(body(q.more)), urlencoded)
		if seen := l.arrivals(); (len(seen) == 0) != q.cut || q.cut != (r.StatusCode == http.StatusRequestEntityTooLarge) || !q.cut && seen[0].Body != body(q.more) {
			t.Errorf("%s: %d requests reached the app, answer %s", q.why, len(seen), words(r))
		}
	}
	if log := s.twoFactorLog(); !strings.Contains(log, `"rule":"protect"`) || !strings.Contains(log, `"rule":"logout"`) {
		t.Error("the log does not name the rules")
	}
}

func TestALoginToldByAFieldIsRefusedBeyondTheCap(t *testing.T) {
	l, upstream := newLedger(t)
	frontControllerLogin(l)
	s := startSite(t, frontController, upstream)
	c := s.client()
	c.get("/index.php")
	login := "email=alice%40example.com&password=right"
	for _, q := range []struct {
		why, target, contentType, body string
		status                         int
	}{
		{"at the end", "/index.php", formBody, "note=" + long64 + "&op=login&" + login, 413},
		{"at the begin", "/index.php", formBody, "op=login&" + login + "&note=" + long64, 413},
		{"another value, which may come twice", "/index.php", formBody, "op=search&note=" + long64, 413},
		{"parts", "/index.php", partsBody, formPart(`name="f"; filename="x"`, long64) + partsEnd, 413},
		{"JSON as an image", "/index.php", "image/png", `{"note":"` + long64 + `","op":"login"}`, 413},
		{"an image", "/index.php", "image/png", "\x89PNG" + long64, 200},
	} {
		l.reset()
		r := c.do(http.MethodPost, q.target, strings.NewReader(q.body), http.Header{"Content-Type": {q.contentType}})
		if n := len(l.arrivals()); r.StatusCode != q.status || (n == 0) != (q.status == 413) {
			t.Errorf("%s: %d requests reached the app, answer %s", q.why, n, words(r))
		}
	}
	if !strings.Contains(s.twoFactorLog(), "a login stood in a body beyond 65536 bytes") {
		t.Error("the log does not say that a login was cut off")
	}
	mustNotOpen(t, s, l, "the line of a login that was cut off", c.jarLine("/"))
}

func TestAFieldBeyondTheCapIsCutOffInHTTP2AndAfterAContinue(t *testing.T) {
	l, upstream := newLedger(t)
	s := newSite(t)
	s.global = "servers {\n\t\tprotocols h1 h2c\n\t}"
	s.start(ledgerConfig(beyondRules), upstream)
	h2 := &http.Transport{Protocols: new(http.Protocols)}
	h2.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(h2.CloseIdleConnections)
	for more, cut := range map[string]bool{"&action=export": true, "&action=view": false} {
		body := "note=" + strings.Repeat("x", 900<<10) + more
		l.reset()
		r, err := http.NewRequest(http.MethodPost, s.url+"/open/up", io.MultiReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", formBody)
		res, err := h2.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if n := len(l.arrivals()); res.ProtoMajor != 2 || (n == 0) != cut || cut != (res.StatusCode == 413) {
			t.Errorf("HTTP/%d, %s: %d requests reached the app, answer %d", res.ProtoMajor, more, n, res.StatusCode)
		}

		l.reset()
		status, continued := expecting(t, s, body)
		if n := len(l.arrivals()); !continued || (n == 0) != cut || cut != (status == 413) {
			t.Errorf("Expect, %s: %d requests reached the app, continued %v, answer %d", more, n, continued, status)
		}
	}
}

// expecting posts a form whose body is sent when the server asks for it.
func expecting(t *testing.T, s *site, body string) (status int, continued bool) {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+u.Port(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	fmt.Fprintf(conn, "POST /open/up HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n", u.Host, formBody, len(body))
	in := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: http.MethodPost})
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusContinue {
			_ = res.Body.Close()
			return res.StatusCode, continued
		}
		continued = true
		go func() { _, _ = io.WriteString(conn, body) }()
	}
}

// endless yields a text again and again, n bytes in all.
type endless struct {
	text string
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, e.text)
	n = int(min(int64(n), e.left))
	e.left -= int64(n)
	return n, nil
}

func TestALongBodyIsWatchedForAFieldInFlatMemory(t *testing.T) {
	var got, peak atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var stats runtime.MemStats
		buf := make([]byte, 64<<10)
		for n := 0; ; n++ {
			k, err := r.Body.Read(buf)
			got.Add(int64(k))
			if n%400 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&stats)
				peak.Store(max(peak.Load(), int64(stats.HeapAlloc)))
			}
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	s := newSite(t)
	s.start(ledgerConfig(beyondRules), srv.Listener.Addr().String())
	const size = 100 << 20
	c := s.client()
	c.do(http.MethodPost, "/open/up", strings.NewReader("a=1"), urlencoded)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, end := range []string{"&action=view", "&action=export"} {
		got.Store(0)
		body := io.MultiReader(strings.NewReader("note="), &endless{strings.Repeat("some+text&x=", 1000), size}, strings.NewReader(end))
		r := c.do(http.MethodPost, "/open/up", body, urlencoded)
		if cut := end == "&action=export"; cut != (r.StatusCode == 413) || cut == (got.Load() > size) {
			t.Errorf("%s: answer %d, the app got %d bytes", end, r.StatusCode, got.Load())
		}
	}
	if grown := peak.Load() - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}
