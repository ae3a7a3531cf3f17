package twofactor

import (
	"net/http"
	"strings"
	"testing"
)

// A key in the address is written into no page, wherever the user's name is.
func TestAKeyInTheQueryIsWrittenIntoNoPage(t *testing.T) {
	_, upstream := serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		if !strings.Contains(a.URI, "sesame") {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	for name, user := range map[string]string{"a header": "header X-User", "a placeholder": "placeholder {http.request.uri.path.1}", "the query": "query user"} {
		t.Run(name, func(t *testing.T) {
			s := startSite(t, `http://localhost:{$PORT} {
	two_factor {
		login /enter/* {
			user `+user+`
			yes status 200
			no status 401
		}
		credential field key
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`, upstream)
			for _, spelling := range []string{"key=sesame", "KEY=sesame", "%6bey=sesame", "a=b;key=sesame", "key[]=sesame"} {
				c := s.client()
				r := c.do(http.MethodGet, "/enter/"+alice+"?user="+alice+"&"+spelling, nil, http.Header{"X-User": {alice}})
				if r.location() != "/.two-factor/challenge" {
					t.Fatalf("%s: no challenge but %d", spelling, r.StatusCode)
				}
				if r := c.get(r.location()); strings.Contains(r.body, "sesame") || !strings.Contains(r.body, codeField) {
					t.Errorf("%s: the challenge has the key in it:\n%s", spelling, r.body)
				}
			}
		})
	}
}
