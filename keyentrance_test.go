package twofactor

import (
	"fmt"
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

// sharedKeyApp takes one key for everybody and believes who says it, at an
// entrance and on every page.
func sharedKeyApp(t *testing.T) (*scripted, string) {
	t.Helper()
	return serveScripted(t, func(w http.ResponseWriter, a *arrival) {
		if a.Header.Get("X-Key") != right {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "the page %s of <%s>", a.path(), a.Header.Get("X-User"))
	})
}

// The key that a session began with is bound to it together with the name that
// came with it: the same key with another name is a new login.
func TestTheSameKeyWithAnotherNameIsANewLogin(t *testing.T) {
	u, upstream := sharedKeyApp(t)
	s := startSite(t, `http://localhost:{$PORT} {
	@key header X-User *
	two_factor {
		login @key {
			user header X-User
			yes status 200
			no status 401
		}
		credential field X-Key
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`, upstream)
	s.alias(alice, "Alice Archer")
	c := s.client()
	as := func(user string) reply { return c.api("/contacts", "X-User", user, "X-Key", right) }
	as(alice)
	c.enter(s.code(alice))
	if r := as(alice); !isPageOf(r, alice) {
		t.Fatalf("her key in her session: %d %s", r.StatusCode, r.body)
	}
	before := c.cookies("/")[ownCookie]
	u.reset()
	if r := as(carol); r.StatusCode != http.StatusUnauthorized || strings.Contains(r.body, "of <") {
		t.Errorf("the key with another's name: %d %s", r.StatusCode, r.body)
	}
	if c.cookies("/")[ownCookie] == before {
		t.Error("the key with another's name has begun no challenge")
	}
	u.reset()
	for _, user := range []string{alice, carol} {
		if r := c.api("/contacts", "X-User", user); strings.Contains(r.body, "of <") {
			t.Errorf("with the challenge open, %s: %d %s", user, r.StatusCode, r.body)
		}
	}
	c.enter(s.code(carol))
	if r := as(carol); !isPageOf(r, carol) {
		t.Errorf("after her own code: %d %s", r.StatusCode, r.body)
	}
	if r := as(alice); strings.Contains(r.body, "of <") {
		t.Errorf("the first user's name in her session: %d %s", r.StatusCode, r.body)
	}
}

// Where only one address is the login, the key of a session goes with every
// request to the app, and speaks_for holds its name to the session's.
func TestTheSameKeyWithAnotherNameOpensNothingBesideTheLogin(t *testing.T) {
	u, upstream := sharedKeyApp(t)
	s := startSite(t, `http://localhost:{$PORT} {
	two_factor {
		login /enter {
			user header X-User
			yes status 200
			no status 401
		}
		credential field X-Key
		speaks_for header X-User
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`, upstream)
	c := s.client()
	c.api("/enter", "X-User", alice, "X-Key", right)
	c.enter(s.code(alice))
	if r := c.api("/contacts", "X-User", alice, "X-Key", right); !isPageOf(r, alice) {
		t.Fatalf("her key in her session: %d %s", r.StatusCode, r.body)
	}
	u.reset()
	for name, fields := range map[string][]string{
		"another name": {"X-User", carol, "X-Key", right}, "no name": {"X-Key", right},
		"both": {"X-User", alice, "X-User", carol, "X-Key", right},
	} {
		if r := c.api("/contacts", fields...); strings.Contains(r.body, "of <") {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	for _, a := range u.arrivals() {
		if a.Header.Get("X-Key") != "" {
			t.Errorf("%s reached the app with the key and the names %q", a.URI, a.Header["X-User"])
		}
	}
}
