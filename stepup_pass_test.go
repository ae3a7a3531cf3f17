package twofactor

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// countedExport stands before the demo app and answers its export itself, by 200 and
// whatever else was asked for; it returns what came.
func countedExport(t *testing.T, upstream string) (addr string, sent func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Replace(r.URL.Path, "//", "/", 1) != "/contacts/export" {
			httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: upstream}).ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, r.Method+" "+r.URL.RawQuery)
		_, _ = w.Write([]byte("the whole export"))
	}))
	t.Cleanup(front.Close)
	return front.Listener.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestRule33ARangeThatTheAppDoesNotHeedUsesUpThePass(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	addr, sent := countedExport(t, upstream)
	s := startSite(t, oneLogin("yes redirect /dashboard*\nno status 200", exportOnce), addr)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	bob.do(http.MethodGet, "/contacts/export", nil, script)
	bob.submit(bob.texted(bob.askedFor(bob.get("/contacts"))), codeField, map[string]string{"code": s.textCode()})
	whole := 0
	for range 3 {
		if r := bob.do(http.MethodGet, "/contacts/export", nil, withHeaders(script, http.Header{"Range": {"bytes=1-"}})); r.body == "the whole export" {
			whole++
		}
	}
	if r := bob.do(http.MethodGet, "/contacts/export", nil, script); r.body == "the whole export" {
		whole++
	}
	if whole != 1 {
		t.Errorf("one code brought the whole %d times: %q", whole, sent())
	}
}

func TestRule33WhatComesFromElsewhereUsesUpNoPass(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	addr, sent := countedExport(t, upstream)
	s := startSite(t, oneLogin("yes redirect /dashboard*\nno status 200", exportOnce), addr)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	bob.do(http.MethodGet, "/contacts/export", nil, script)
	bob.submit(bob.texted(bob.askedFor(bob.get("/contacts"))), codeField, map[string]string{"code": s.textCode()})
	for name, h := range map[string]http.Header{
		"a link":                {"Sec-Fetch-Site": {"cross-site"}},
		"an image of a sibling": {"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Dest": {"image"}},
		"a prefetch":            {"Sec-Purpose": {"prefetch"}},
	} {
		if r := bob.do(http.MethodGet, "/contacts/export", nil, h); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: got %d", name, r.StatusCode)
		}
	}
	if r := bob.do(http.MethodGet, "/contacts/export", nil, script); r.body != "the whole export" {
		t.Errorf("what asked for the code got %d", r.StatusCode)
	}
	if got := sent(); len(got) != 1 {
		t.Errorf("what reached the app: %q", got)
	}
}

func TestInvariant07AHeadThatIsAnotherMethodUsesUpThePass(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	addr, sent := countedExport(t, upstream)
	s := startSite(t, oneLogin("yes redirect /dashboard*\nno status 200", exportOnce), addr)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	as := withHeaders(script, http.Header{"X-Http-Method-Override": {"POST"}})
	bob.do(http.MethodGet, "/contacts/export", nil, as)
	bob.submit(bob.texted(bob.askedFor(bob.get("/contacts"))), codeField, map[string]string{"code": s.textCode()})
	for range 3 {
		bob.do(http.MethodHead, "/contacts/export", nil, as)
	}
	if got := sent(); len(got) != 1 {
		t.Errorf("one code sent what an app may take for a POST %d times", len(got))
	}
}
