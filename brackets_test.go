package twofactor

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Express (qs) reads "[a]=x" as a, and Rack 2 also "]a", "a]" and "[[a".
func TestANameInBracketsIsTheNameToExpressAndRack(t *testing.T) {
	s, p := tokenStart(t, "credential field api_key")
	c := s.client()
	own := c.takeToken(alice)
	evil := p.token(carol)
	for name, send := range map[string]func() reply{
		"in brackets":              func() reply { return c.api("/api/me?[access_token]=" + evil) },
		"in encoded brackets":      func() reply { return c.api("/api/me?%5Baccess_token%5D=" + evil) },
		"in two brackets":          func() reply { return c.api("/api/me?[[access_token]]=" + evil) },
		"behind empty brackets":    func() reply { return c.api("/api/me?[]access_token=" + evil) },
		"with a bracket behind":    func() reply { return c.api("/api/me?access_token]=" + evil) },
		"beside the own one":       func() reply { return c.api("/api/me?access_token=" + own + "&[access_token]=" + evil) },
		"a credential":             func() reply { return c.api("/api/me?[api_key]=" + evil) },
		"a credential in public":   func() reply { return s.stranger().api("/open/me?[api_key]=" + evil) },
		"a session in the address": func() reply { return c.api("/api/me?[sid]=" + evil) },
		"in a form":                func() reply { return c.post("/open/me", url.Values{"[api_key]": {evil}}) },
		"in a carried form":        func() reply { return c.post("/open/me", url.Values{"[access_token]": {evil}}) },
		"in another multipart": func() reply {
			return c.do(http.MethodPost, "/open/me", strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\n"+evil+"\r\n--x--\r\n"), http.Header{"Content-Type": {"multipart/mixed; boundary=x"}})
		},
		"in multipart": func() reply {
			return c.do(http.MethodPost, "/open/me", strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"[api_key]\"\r\n\r\n"+evil+"\r\n--x--\r\n"), http.Header{"Content-Type": {"multipart/form-data; boundary=x"}})
		},
	} {
		p.reset()
		r := send()
		for _, a := range p.arrivals() {
			if strings.Contains(a.URI+a.Body, evil) {
				t.Errorf("%s: the app got %s %q, answer %d", name, a.URI, a.Body, r.StatusCode)
			}
		}
	}
}
