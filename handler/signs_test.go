package handler

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
)

var signsNow = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// answered builds an answer to a POST of https://crm.example.com/in/login.
func answered(t *testing.T, status int, header http.Header, body string) *answer {
	t.Helper()
	at, err := url.Parse("https://crm.example.com/in/login?from=a")
	if err != nil {
		t.Fatal(err)
	}
	a := &answer{status: status, header: header, at: at, now: signsNow, body: []byte(body)}
	for _, line := range header["Set-Cookie"] {
		if c, ok := cookie.ParseSet(line); ok {
			a.sets = append(a.sets, c)
		}
	}
	a.sets = cookie.Last(a.sets, at.Path, at.Host)
	return a
}

func location(to string) http.Header { return http.Header{"Location": {to}} }

func setting(lines ...string) http.Header { return http.Header{"Set-Cookie": lines} }

func TestSigns(t *testing.T) {
	text := func(s string) *string { return &s }
	tests := []struct {
		name   string
		sign   Sign
		status int
		header http.Header
		body   string
		want   tri
	}{
		{"a status code", Sign{Status: []string{"302"}}, 302, nil, "", seen},
		{"another status code", Sign{Status: []string{"302"}}, 303, nil, "", unseen},
		{"one of several codes", Sign{Status: []string{"401", "403"}}, 403, nil, "", seen},
		{"a class of codes", Sign{Status: []string{"3xx"}}, 308, nil, "", seen},
		{"a class in capitals", Sign{Status: []string{"4XX"}}, 422, nil, "", seen},
		{"another class", Sign{Status: []string{"3xx"}}, 200, nil, "", unseen},

		{"a header that is there", Sign{Header: &HeaderSign{Name: "X-Login"}}, 200, http.Header{"X-Login": {""}}, "", seen},
		{"a header in another case", Sign{Header: &HeaderSign{Name: "x-login"}}, 200, http.Header{"X-Login": {"a"}}, "", seen},
		{"a header that is not there", Sign{Header: &HeaderSign{Name: "X-Login"}}, 200, http.Header{"X-Logins": {"a"}}, "", unseen},
		{"a header whose value fits the glob", Sign{Header: &HeaderSign{Name: "X-Login", Glob: "ok*"}}, 200, http.Header{"X-Login": {"ok=1"}}, "", seen},
		{"a header of which the second value fits", Sign{Header: &HeaderSign{Name: "X-Login", Glob: "ok*"}}, 200, http.Header{"X-Login": {"no", "ok"}}, "", seen},
		{"a header whose value does not fit", Sign{Header: &HeaderSign{Name: "X-Login", Glob: "ok*"}}, 200, http.Header{"X-Login": {"not ok"}}, "", unseen},

		{"a redirect to a path", Sign{Redirect: "/dashboard"}, 302, location("/dashboard"), "", seen},
		{"a redirect with a query", Sign{Redirect: "/dashboard"}, 302, location("/dashboard?new=1"), "", seen},
		{"a redirect by a glob", Sign{Redirect: "/dash*"}, 303, location("/dashboard/today"), "", seen},
		{"a redirect to a relative path", Sign{Redirect: "/dashboard"}, 302, location("../dashboard"), "", seen},
		{"a redirect to a path beside the login", Sign{Redirect: "/in/home"}, 302, location("home"), "", seen},
		{"a redirect to a query of the login", Sign{Redirect: "/in/login"}, 302, location("?step=2"), "", seen},
		{"a redirect to an absolute address", Sign{Redirect: "/dashboard"}, 302, location("https://crm.example.com/dashboard"), "", seen},
		{"a redirect without its scheme", Sign{Redirect: "/dashboard"}, 302, location("//crm.example.com/dashboard"), "", seen},
		{"a redirect with the scheme of a proxy further in", Sign{Redirect: "/dashboard"}, 302, location("http://CRM.example.com/dashboard"), "", seen},
		{"a redirect to the host alone", Sign{Redirect: "/"}, 302, location("https://crm.example.com"), "", seen},
		{"a redirect to another site", Sign{Redirect: "/dashboard"}, 302, location("https://evil.example.com/dashboard"), "", unseen},
		{"a redirect to another site without its scheme", Sign{Redirect: "*dashboard"}, 302, location("//evil.example.com/dashboard"), "", unseen},
		{"a redirect to another site by backslashes", Sign{Redirect: "*dashboard"}, 302, location(`\\evil.example.com/dashboard`), "", unseen},
		{"a redirect to another port", Sign{Redirect: "/dashboard"}, 302, location("https://crm.example.com:8443/dashboard"), "", unseen},
		{"a redirect to an app on the machine", Sign{Redirect: "*"}, 302, location("crm:dashboard"), "", unseen},
		{"a redirect that leaves the path by dots", Sign{Redirect: "/dashboard*"}, 302, location("/dashboard/../login"), "", unseen},
		{"a Location without a redirect", Sign{Redirect: "/dashboard"}, 201, location("/dashboard"), "", unseen},
		{"a redirect without a Location", Sign{Redirect: "*"}, 302, nil, "", unseen},

		{"a cookie that is set", Sign{Cookie: "sid"}, 200, setting("sid=a; Path=/"), "", seen},
		{"a cookie by the beginning of its name", Sign{Cookie: "sid_*"}, 200, setting("sid_4f=a"), "", seen},
		{"a cookie of another name", Sign{Cookie: "sid"}, 200, setting("SID=a"), "", unseen},
		{"a cookie that is deleted by Max-Age", Sign{Cookie: "sid"}, 200, setting("sid=a; Max-Age=0"), "", unseen},
		{"a cookie that is deleted by Expires", Sign{Cookie: "sid"}, 200, setting("sid=deleted; Expires=Thu, 01 Jan 1970 00:00:01 GMT"), "", unseen},
		{"a cookie that is emptied", Sign{Cookie: "sid"}, 200, setting("sid=; Path=/"), "", unseen},
		{"a cookie that is deleted and then set", Sign{Cookie: "sid"}, 200, setting("sid=x; Max-Age=0; Path=/", "sid=a; Path=/"), "", seen},
		{"a cookie that is set and then deleted", Sign{Cookie: "sid"}, 200, setting("sid=a; Path=/", "sid=x; Max-Age=0; Path=/"), "", unseen},

		{"a JSON value that is there", Sign{JSON: &JSONSign{Path: "user"}}, 200, nil, `{"user":{}}`, seen},
		{"a JSON value that is null", Sign{JSON: &JSONSign{Path: "user"}}, 200, nil, `{"user":null}`, unseen},
		{"a JSON value that is false is there", Sign{JSON: &JSONSign{Path: "ok"}}, 200, nil, `{"ok":false}`, seen},
		{"a JSON value that is equal", Sign{JSON: &JSONSign{Path: "ok", Value: text("true")}}, 200, nil, `{"ok":true}`, seen},
		{"a JSON text that is equal", Sign{JSON: &JSONSign{Path: "ok", Value: text("true")}}, 200, nil, `{"ok":"true"}`, seen},
		{"a JSON value that is not equal", Sign{JSON: &JSONSign{Path: "ok", Value: text("true")}}, 200, nil, `{"ok":1}`, unseen},
		{"a JSON number as it is written", Sign{JSON: &JSONSign{Path: "id", Value: text("12345678901234567890")}}, 200, nil, `{"id":12345678901234567890}`, seen},
		{"a JSON value in an array", Sign{JSON: &JSONSign{Path: "data.0.token"}}, 200, nil, `{"data":[{"token":"t"}]}`, seen},
		{"a JSON index beyond the end", Sign{JSON: &JSONSign{Path: "data.1.token"}}, 200, nil, `{"data":[{"token":"t"}]}`, unseen},
		{"a JSON body with a byte order mark", Sign{JSON: &JSONSign{Path: "ok"}}, 200, nil, "\xef\xbb\xbf{\"ok\":1}", seen},
		{"a JSON body with something after it", Sign{JSON: &JSONSign{Path: "ok"}}, 200, nil, `{"ok":1} {"ok":2}`, unseen},
		{"a body that is no JSON", Sign{JSON: &JSONSign{Path: "ok"}}, 200, nil, `<p>ok</p>`, unseen},

		{"a text", Sign{Text: "Log out"}, 200, nil, "<a>Log out</a>", seen},
		{"a text in another case", Sign{Text: "Log out"}, 200, nil, "<a>log out</a>", unseen},
		{"a text in an empty body", Sign{Text: "Log out"}, 200, nil, "", unseen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.header == nil {
				tt.header = http.Header{}
			}
			if got := tt.sign.look(answered(t, tt.status, tt.header, tt.body)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSignsOfOneLineMustAllBeSeenAndOfSeveralLinesOne(t *testing.T) {
	var (
		is200 = Sign{Status: []string{"200"}}
		is302 = Sign{Status: []string{"302"}}
		hello = Sign{Text: "hello"}
		nope  = Sign{Text: "goodbye"}
	)
	tests := []struct {
		name    string
		lists   []Signs
		headers tri // what the headers alone say
		whole   tri
	}{
		{"no line", nil, unseen, unseen},
		{"both of a line", []Signs{{is200, hello}}, unknown, seen},
		{"one of a line only", []Signs{{is200, nope}}, unknown, unseen},
		{"a header that is wrong needs no body", []Signs{{is302, hello}}, unseen, unseen},
		{"the second line", []Signs{{is302}, {is200}}, seen, seen},
		{"a line by headers goes before one by the body", []Signs{{hello}, {is200}}, seen, seen},
		{"a line by the body after one that is wrong", []Signs{{is302}, {hello}}, unknown, seen},
		{"no line of two", []Signs{{is302}, {nope}}, unknown, unseen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := answered(t, 200, http.Header{}, "hello")
			body := a.body
			a.body = nil
			if got := anyOf(tt.lists, a); got != tt.headers {
				t.Errorf("by the headers: got %v, want %v", got, tt.headers)
			}
			a.body = body
			if got := anyOf(tt.lists, a); got != tt.whole {
				t.Errorf("by the whole answer: got %v, want %v", got, tt.whole)
			}
		})
	}
}

func TestAStarStandsForAnyRunOfBytes(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"/a", "/a", true}, {"/a", "/ab", false}, {"/a*", "/a", true}, {"/a*", "/a/b/c", true},
		{"*", "", true}, {"*.php", "/x/y.php", true}, {"*.php", "/x.php5", false},
		{"/a*b*c", "/a1b2c", true}, {"/a*b*c", "/acb", false}, {"a*a", "a", false}, {"a*a", "aa", true},
		{"**", "x", true}, {"", "", true}, {"", "x", false},
	}
	for _, tt := range tests {
		if got := globMatch(tt.pattern, tt.s); got != tt.want {
			t.Errorf("globMatch(%q, %q) = %v", tt.pattern, tt.s, got)
		}
	}
}

func TestAProofNamesOneUserOrNobody(t *testing.T) {
	byText := func(re string) *ProofUser { return &ProofUser{Regex: re, re: regexp.MustCompile(re)} }
	name := byText(`<b class="user">([^<]*)</b>`)
	tests := []struct {
		name string
		user *ProofUser
		body string
		want string
	}{
		{"one match", name, `<b class="user">alice</b>`, "alice"},
		{"no match", name, `<b>alice</b>`, ""},
		{"the same match twice", name, `<b class="user">alice</b> <b class="user">alice</b>`, "alice"},
		{"two names", name, `<b class="user">alice</b> <b class="user">bob</b>`, ""},
		{"two names, the first empty", name, `<b class="user"></b> <b class="user">bob</b>`, ""},
		{"two names after many of one", name, manyOf(`<b class="user">alice</b>`, 100) + `<b class="user">bob</b>`, ""},
		{"entities are decoded", name, `<b class="user">o&#39;hara&amp;sons</b>`, "o'hara&sons"},
		{"two spellings of one name are one", name, `<b class="user">o&#39;hara</b><b class="user">o'hara</b>`, "o'hara"},
		{"a JSON text", &ProofUser{JSON: "data.email"}, `{"data":{"email":"alice@example.com"}}`, "alice@example.com"},
		{"a JSON number", &ProofUser{JSON: "id"}, `{"id":9007199254740993}`, "9007199254740993"},
		{"a JSON object is no name", &ProofUser{JSON: "data"}, `{"data":{"email":"a"}}`, ""},
		{"a JSON null is no name", &ProofUser{JSON: "data"}, `{"data":null}`, ""},
		{"a page is no JSON", &ProofUser{JSON: "data"}, `<p>alice</p>`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.user.in(answered(t, 200, http.Header{}, tt.body)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func manyOf(s string, n int) string {
	all := ""
	for range n {
		all += s
	}
	return all
}

func TestTheUserNameCannotChangeTheAddressOfAProof(t *testing.T) {
	p := &Proof{Address: "/users/" + userPlaceholder + "?q=" + userPlaceholder}
	v := &visit{g: &Gate{}, orig: &url.URL{Path: "/login"}, r: &http.Request{Host: "crm.example.com", Header: http.Header{}}}
	tests := []struct{ user, want string }{
		{"alice@example.com", "/users/alice@example.com?q=alice%40example.com"},
		{"a/b?c#d&e=f", "/users/a%2Fb%3Fc%23d&e=f?q=a%2Fb%3Fc%23d%26e%3Df"},
		{"../admin", "/users/..%2Fadmin?q=..%2Fadmin"},
	}
	for _, tt := range tests {
		target, err := v.fixedTarget(p, tt.user)
		if err != nil {
			t.Errorf("%q: %v", tt.user, err)
			continue
		}
		if got := target.RequestURI(); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.user, got, tt.want)
		}
	}
	for _, user := range []string{".", ".."} {
		if target, err := v.fixedTarget(p, user); err == nil {
			t.Errorf("%q: got %s, want an error", user, target)
		}
	}
}
