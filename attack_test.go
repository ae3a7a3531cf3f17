package twofactor

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Attacks by somebody who knows a password and has no second factor, or knows
// nothing at all, each seen to open the gateway once.

func TestAnEmptyUserNameCarriesNoOtherCredential(t *testing.T) {
	s, l := ledgerStart(t)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(alice+":"+right))
	s.client().do(http.MethodPost, "/contacts/delete", strings.NewReader("email=&password=b"),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic}})
	for _, a := range l.arrivals() {
		if a.Header.Get("Authorization") != "" {
			t.Errorf("%s %s reached the app with %q", a.Method, a.URI, a.Header.Get("Authorization"))
		}
	}
}

func TestRule08ARedirectForEverybodyIsNoRightPassword(t *testing.T) {
	s, l := ledgerStart(t)
	l.on("/dashboard", func(w http.ResponseWriter, _ *arrival) {
		w.Header().Set("Location", "/dashboard/")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	l.on("/", func(w http.ResponseWriter, _ *arrival) {
		w.Header().Set("Location", "/dashboard")
		w.WriteHeader(http.StatusFound)
	})
	fields := url.Values{"email": {bob}, "password": {"wrong"}}
	for name, r := range map[string]reply{
		"a slash that is added": s.client().get("/dashboard?" + fields.Encode()),
		"the start page":        s.client().post("/", fields),
	} {
		if r.location() != "" || r.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: a wrong password gave %d to %q", name, r.StatusCode, r.location())
		}
	}
	if texts := s.texts(); len(texts) != 0 {
		t.Errorf("%d texts were sent without a right password", len(texts))
	}
}

func TestALinkFromElsewhereDoesNotEndASession(t *testing.T) {
	s, _ := ledgerStart(t)
	c := s.client()
	c.pass(alice)
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"document"}},
		{"Sec-Fetch-Site": {"same-site"}, "Sec-Fetch-Dest": {"image"}},
	} {
		c.do(http.MethodGet, "/open/pixel.gif?email=a&password=b", nil, header)
		if r := c.get("/secret"); !strings.Contains(r.body, alice) {
			t.Fatalf("after %v alice's session gives %d to %q", header, r.StatusCode, r.location())
		}
	}
}

func TestInvariant03WhereTheAnswerLeadsDoesNotSayAnotherUser(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, ledgerSite("", "proof location {\n\t\t\t\tuser json user\n\t\t\t\tno json visitor\n\t\t\t}"), upstream)
	l.pages["/login"] = func(w http.ResponseWriter, a *arrival) bool {
		if a.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Location", "/dashboard/people/carol")
		w.WriteHeader(http.StatusFound)
		return true
	}
	l.on("/dashboard/people/carol", func(w http.ResponseWriter, _ *arrival) { fmt.Fprint(w, `{"user":"`+carol+`"}`) })
	c := s.client()
	c.get("/login")
	r := c.post("/login?next=/dashboard/people/carol", url.Values{"email": {alice}, "password": {right}})
	if r.StatusCode != http.StatusBadGateway {
		t.Errorf("alice's password and carol's page gave %d to %q", r.StatusCode, r.location())
	}
}

func TestATunnelIsNoLogin(t *testing.T) {
	s, l := ledgerStart(t)
	v, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		t.Fatal(err)
	}
	site, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range v.(*caddyhttp.App).Servers {
		r := httptest.NewRequest(http.MethodGet, "/open/ws?email=a&password=b", nil)
		r.Method, r.Proto, r.ProtoMajor, r.ProtoMinor = http.MethodConnect, "HTTP/2.0", 2, 0
		r.Header.Set(":protocol", "websocket")
		r.Host, r.RemoteAddr = site.Host, "127.0.0.1:9999"
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("it gave %d", w.Code)
		}
	}
	if seen := l.arrivals(); len(seen) != 0 {
		t.Errorf("it reached the app: %s %s", seen[0].Method, seen[0].URI)
	}
}

func TestInvariant11TheTrailersOfALoginCarryNoCookieAndNoCredential(t *testing.T) {
	s, l := ledgerStart(t)
	s.raw("POST /login HTTP/1.1\nHost: {host}\nContent-Type: application/x-www-form-urlencoded\nTransfer-Encoding: chunked\n" +
		"Trailer: Cookie, Authorization\nConnection: close\n\n14\nemail=a%40b&password\n2\n=x\n0\n" +
		"Cookie: sid=planted; two-factor-default=x\nAuthorization: Basic abc")
	seen := l.arrivals()
	if len(seen) != 1 || seen[0].Body != "email=a%40b&password=x" {
		t.Fatalf("%d requests reached the app, want the login", len(seen))
	}
	if trailer := seen[0].Trailer; len(trailer["Cookie"])+len(trailer["Authorization"]) > 0 {
		t.Errorf("the trailers %v reached the app", trailer)
	}
}
