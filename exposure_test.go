package twofactor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// siteOf is a site with this address, and lines in its two_factor block.
func siteOf(address string, lines ...string) string {
	return address + " {\n\ttwo_factor {\n\t\tlogin fields email password {\n\t\t\tyes redirect /dashboard*\n\t\t\tno status 200\n\t\t}\n\t\tprotect *\n\t\t" +
		strings.Join(lines, "\n\t\t") + "\n\t}\n\treverse_proxy {$UPSTREAM}\n}\n"
}

func TestPlainHTTPIsRefusedAtStartUnlessItStaysOnThisMachine(t *testing.T) {
	t.Setenv("UPSTREAM", "127.0.0.1:1")
	for _, tc := range []struct{ name, address, remedy string }{
		{"a named site over plain http", "http://crm.example.com:{$PORT}", "drop http:// from its address"},
		{"any host over plain http", ":{$PORT}", "name the site"},
		{"a public and a loopback host together", "http://localhost:{$PORT}, http://crm.example.com:{$PORT}", "drop http:// from its address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t)
			err := s.tryLoad(siteOf(tc.address))
			if err == nil {
				t.Cleanup(func() { _ = caddy.Stop() })
				t.Fatal("it was loaded")
			}
			if !strings.Contains(err.Error(), tc.remedy) {
				t.Errorf("the error names no remedy %q: %v", tc.remedy, err)
			}
		})
	}
}

func TestPlainHTTPToAnotherHostIsRefusedByRequestToo(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.start(siteOf("http://localhost:{$PORT}", "login_page /login"), upstream)
	r, err := http.NewRequest(http.MethodGet, s.url+"/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "crm.example.com"
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode == http.StatusOK && res.ContentLength != 0 {
		t.Errorf("a host that is not this machine's was served over plain http: %d", res.StatusCode)
	}
}

func TestTheOperatorIsWarned(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	warned(t, upstream, "/nowhere", "plain http on a loopback host", "the login page does not answer as one")
}

// warned starts a site with this login page and waits until its log has all
// of the words.
func warned(t *testing.T, upstream, loginPage string, words ...string) {
	t.Helper()
	s := newSite(t)
	s.start(siteOf("http://localhost:{$PORT}", "login_page "+loginPage), upstream)
	for _, want := range words {
		deadline := time.Now().Add(20 * time.Second)
		for !strings.Contains(s.logged(), want) {
			if time.Now().After(deadline) {
				t.Errorf("the log does not say %q", want)
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func TestALoginPageThatIsNoneIsTold(t *testing.T) {
	app := startAnswering(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/signin", http.StatusFound)
		case "/public":
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		case "/broken":
			breakOff("")(w, r)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		default:
			_, _ = w.Write([]byte("body { color: red }"))
		}
	})
	for page, want := range map[string]string{
		"/moved":     "the login page does not answer as one",
		"/style.css": "the login page does not name the field password",
		"/public":    "the login page leads elsewhere",
		"/broken":    "the login page does not answer as one",
		"/endless":   "the login page does not name the field password",
	} {
		t.Run(strings.Trim(page, "/"), func(t *testing.T) {
			warned(t, app.address, page, want)
		})
	}
}

func TestALoginPageThatIsOneIsNotWarnedOf(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.start(siteOf("http://localhost:{$PORT}", "login_page /login"), upstream)
	time.Sleep(tryAfter + time.Second)
	for _, warning := range []string{"the login page does not", "the login page leads", "the login page could not"} {
		if strings.Contains(s.logged(), warning) {
			t.Errorf("a login page is warned of: %s", warning)
		}
	}
}

func TestPlainHTTPBehindATrustedProxyIsServedToThoseWhoCameByTLS(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.global = "servers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}\n"
	s.start(siteOf("http://crm.example.com:{$PORT}", "login_page /login"), upstream)
	for proto, want := range map[string]int{"https": http.StatusOK, "http": http.StatusForbidden, "": http.StatusForbidden} {
		r, err := http.NewRequest(http.MethodGet, s.url+"/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "crm.example.com"
		if proto != "" {
			r.Header.Set("X-Forwarded-Proto", proto)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("X-Forwarded-Proto %q gave %d, want %d", proto, res.StatusCode, want)
		}
	}
	if strings.Contains(s.logged(), "without trusted_proxies_strict") {
		t.Error("the log warns although trusted_proxies_strict is set")
	}
}

func TestTrustedProxiesWithoutStrictIsWarnedOf(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	const warning = "without trusted_proxies_strict"
	for _, tc := range []struct {
		name, options string
		guarded       bool
		want          int
	}{
		{"proxies by address", "trusted_proxies static 127.0.0.1/32", true, 1},
		{"proxies by a socket", "trusted_proxies_unix", true, 1},
		{"both with the strict reading", "trusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_unix\n\t\ttrusted_proxies_strict", true, 0},
		{"no proxies", "client_ip_headers X-Real-IP", true, 0},
		{"a server without two_factor", "trusted_proxies static 127.0.0.1/32", false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t)
			s.global = "servers {\n\t\t" + tc.options + "\n\t}\n"
			site := "http://localhost:{$PORT} {\n\treverse_proxy {$UPSTREAM}\n}\n"
			if tc.guarded {
				// Two instances on one server are warned of once.
				site = siteOf("http://localhost:{$PORT}") + strings.Replace(siteOf("http://127.0.0.1:{$PORT}"), "two_factor {", "two_factor other {", 1)
			}
			s.start(site, upstream)
			if got := strings.Count(s.logged(), warning); got != tc.want {
				t.Fatalf("the log warns %d times, want %d", got, tc.want)
			}
			if tc.want > 0 && (!strings.Contains(s.logged(), `"server":"srv0"`) || !strings.Contains(s.logged(), "write trusted_proxies_strict beside it")) {
				t.Error("the warning does not name the server and what to write")
			}
		})
	}
}
