package twofactor

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// fieldRules are rules that tell requests by fields.
const fieldRules = `block {
			path /contacts*
			two_factor_field action export export_all
		}
		block {
			path /import
			not {
				two_factor_field mode preview
			}
		}
		block {
			path /bulk
			two_factor_field action delete
			two_factor_field data.ids
		}`

const (
	formBody  = "application/x-www-form-urlencoded"
	jsonBody  = "application/json"
	partsBody = "multipart/form-data; boundary=AaB03x"
)

func formPart(header, value string) string {
	return "--AaB03x\r\nContent-Disposition: form-data; " + header + "\r\n\r\n" + value + "\r\n"
}

const partsEnd = "--AaB03x--\r\n"

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// fieldRequest is a request of a verified session and whether a rule that tells
// it by a field keeps it from the app.
type fieldRequest struct {
	why, method, target, contentType, body string
	header                                 http.Header
	blocked                                bool
}

func fieldRequests(t *testing.T) []fieldRequest {
	post := http.MethodPost
	return []fieldRequest{
		{"a form", post, "/contacts", formBody, "action=export&x=1", nil, true},
		{"the other value", post, "/contacts", formBody, "action=export_all", nil, true},
		{"another value", post, "/contacts", formBody, "action=view&x=export", nil, false},
		{"another path", post, "/x/contacts", formBody, "action=export", nil, false},
		{"the query", http.MethodGet, "/contacts?action=export", "", "", nil, true},
		{"the query, another value", http.MethodGet, "/contacts?action=view", "", "", nil, false},
		{"the query, which Go cannot parse", http.MethodGet, "/contacts?x=%zz&action=export", "", "", nil, true},
		{"the query behind ;", http.MethodGet, "/contacts?x=1;action=export", "", "", nil, true},
		{"the query and the body, the body", post, "/contacts?action=view", formBody, "action=export", nil, true},
		{"the query and the body, the query", post, "/contacts?action=export", formBody, "action=view", nil, true},
		{"twice, the last", post, "/contacts", formBody, "action=view&action=export", nil, true},
		{"twice, the first", post, "/contacts", formBody, "action=export&action=view", nil, true},
		{"a GET with a body", http.MethodGet, "/contacts", formBody, "action=export", nil, true},
		{"a PUT", http.MethodPut, "/contacts", formBody, "action=export", nil, true},
		{"PHP's array", post, "/contacts", formBody, "action[]=export", nil, true},
		{"PHP's array with an index", post, "/contacts", formBody, "action%5Bx%5D=export", nil, true},
		{"a blank before the name", post, "/contacts", formBody, "+action=export", nil, true},
		{"the name in capitals", post, "/contacts", formBody, "ACTION=export", nil, true},
		{"an escaped name and value", post, "/contacts", formBody, "%61ction=%65xport", nil, true},
		{"ASP.NET's escapes", post, "/contacts", formBody, "%u0061ction=export", nil, true},
		{"a value with blanks", post, "/contacts", formBody, "action=+export%20", nil, true},
		{"no type", post, "/contacts", "", "action=export", nil, true},
		{"no type, another value", post, "/contacts", "", "action=view", nil, false},
		{"text", post, "/contacts", "text/plain", "action=export", nil, true},
		{"an unknown type", post, "/contacts", "application/x-foo", "action=export", nil, true},
		{"two types", post, "/contacts", "", "action=view", http.Header{"Content-Type": {formBody, jsonBody}}, true},
		{"utf-7", post, "/contacts", formBody + "; charset=utf-7", "a=1", nil, true},
		{"ibm037", post, "/contacts", formBody + "; charset=ibm037", "%81%83%A3%89%96%95=x", nil, true},
		{"_charset_", post, "/contacts", formBody, "a=1&_charset_=utf-16", nil, true},
		{"gzip", post, "/contacts", formBody, gzipped(t, "a=1"), http.Header{"Content-Encoding": {"gzip"}}, true},
		{"an image", post, "/contacts", "image/png", "\x89PNG&action=export", nil, false},
		{"JSON as an image", post, "/contacts", "image/png", `{"action":"export"}`, nil, true},
		{"JSON", post, "/contacts", jsonBody, `{"action":"export"}`, nil, true},
		{"JSON, another value", post, "/contacts", jsonBody, `{"action":"view"}`, nil, false},
		{"JSON, the key twice", post, "/contacts", jsonBody, `{"action":"view","action":"export"}`, nil, true},
		{"JSON, escapes", post, "/contacts", jsonBody, `{"\u0061ction":"\u0065xport"}`, nil, true},
		{"JSON, an array", post, "/contacts", jsonBody, `{"action":["export"]}`, nil, true},
		{"JSON, true", post, "/contacts", jsonBody, `{"action":true}`, nil, true},
		{"JSON, a comment", post, "/contacts", jsonBody, `{/**/"action":"export"}`, nil, true},
		{"JSON as a form", post, "/contacts", formBody, `{"action":"export"}`, nil, true},
		{"JSON without a type", post, "/contacts", "", `{"action":"export"}`, nil, true},
		{"parts", post, "/contacts", partsBody, formPart(`name="action"`, "export") + partsEnd, nil, true},
		{"parts, another value", post, "/contacts", partsBody, formPart(`name="action"`, "view") + partsEnd, nil, false},
		{"parts, twice", post, "/contacts", partsBody, formPart(`name="action"`, "view") + formPart(`name="action"`, "export") + partsEnd, nil, true},
		{"parts, a name without quotes", post, "/contacts", partsBody, formPart(`name=action`, "export") + partsEnd, nil, true},
		{"parts, a name in RFC 2231", post, "/contacts", partsBody, formPart(`name*=utf-8''action`, "export") + partsEnd, nil, true},
		{"parts, two names", post, "/contacts", partsBody, formPart(`name="x"; name="action"`, "export") + partsEnd, nil, true},
		{"parts, base64", post, "/contacts", partsBody, formPart("name=\"action\"\r\nContent-Transfer-Encoding: base64", "ZXhwb3J0") + partsEnd, nil, true},
		{"parts, bare line ends", post, "/contacts", partsBody, strings.ReplaceAll(formPart(`name="action"`, "export")+partsEnd, "\r\n", "\n"), nil, true},
		{"parts, without a boundary", post, "/contacts", "multipart/form-data", formPart(`name="action"`, "export") + partsEnd, nil, true},
		{"parts, with two boundaries", post, "/contacts", partsBody + "; boundary=b", formPart(`name="action"`, "export") + partsEnd, nil, true},
		{"parts, in a file", post, "/contacts", partsBody, formPart(`name="f"; filename="x"`, "action=export") + partsEnd, nil, false},
		// The path has readings of its own, and each copy of the request has the
		// body.
		{"another reading of the path", post, "/contacts;x/", formBody, "action=export", nil, true},
		{"another reading of the path, another value", post, "/contacts;x/", formBody, "action=view", nil, false},
		{"another method by a header", post, "/contacts/", formBody, "action=view", http.Header{"X-Http-Method-Override": {"PUT"}}, false},
		{"a form padded to 60 KiB", post, "/contacts", formBody, strings.Repeat("a=&", 20<<10) + "action=export", nil, true},

		{"both fields", post, "/bulk", formBody, "action=delete&data[ids]=5", nil, true},
		{"both fields in JSON", post, "/bulk", jsonBody, `{"action":"delete","data":{"ids":[1]}}`, nil, true},
		{"one in the query", post, "/bulk?data.ids", formBody, "action=delete", nil, true},
		{"one of two fields", post, "/bulk", formBody, "action=delete", nil, false},
		{"the other of two fields", post, "/bulk", formBody, "action=view&data.ids=5", nil, false},

		// Within not a field must be there for every app.
		{"what must be there", post, "/import", formBody, "mode=preview", nil, false},
		{"what must be there is not", post, "/import", formBody, "mode=write", nil, true},
		{"what must be there, and another", post, "/import", formBody, "mode=preview&mode=write", nil, true},
		{"what must be there, and another in the query", post, "/import?mode=write", formBody, "mode=preview", nil, true},
		{"what must be there in another spelling", post, "/import", formBody, "Mode=preview", nil, true},
		{"what must be there without a type", post, "/import", "", "mode=preview", nil, true},
		{"what must be there, and no body", post, "/import", "", "", nil, true},
		{"what must be there in a long body", post, "/import", formBody, "mode=preview&x=" + strings.Repeat("x", 80<<10), nil, true},
	}
}

func TestRule23NoSpellingOfAFieldOpensWhatARuleCloses(t *testing.T) {
	s, l := ledgerStart(t, fieldRules)
	c := s.client()
	c.pass(alice)
	for _, q := range fieldRequests(t) {
		t.Run(q.why, func(t *testing.T) {
			l.reset()
			header := q.header.Clone()
			if header == nil {
				header = http.Header{}
			}
			if q.contentType != "" {
				header.Set("Content-Type", q.contentType)
			}
			r := c.do(q.method, q.target, strings.NewReader(q.body), header)
			seen := l.arrivals()
			if q.blocked {
				if len(seen) != 0 || r.StatusCode != http.StatusForbidden {
					t.Errorf("%d requests reached the app, answer %d", len(seen), r.StatusCode)
				}
				return
			}
			if len(seen) != 1 || r.StatusCode != http.StatusOK || seen[0].Body != q.body || seen[0].URI != q.target || l.user(seen[0]) != alice {
				t.Errorf("%d requests reached the app, answer %d", len(seen), r.StatusCode)
			}
		})
	}
}

func TestProtectToldByAFieldKeepsVisitorsOut(t *testing.T) {
	l, upstream := newLedger(t)
	config := strings.Replace(ledgerConfig(), "protect *", `protect {
			path /list
			two_factor_field action export
		}`, 1)
	s := startSite(t, config, upstream)
	visitor := s.client()
	visitor.get("/list")
	l.reset()
	for _, body := range []string{"action=export", "Action=Export", "x=1;action=export", "action[]=x"} {
		if r := visitor.do(http.MethodPost, "/list", strings.NewReader(body), urlencoded); r.location() != "/login" {
			t.Errorf("%s: %d to %q", body, r.StatusCode, r.location())
		}
	}
	if r := visitor.get("/list?action=export"); r.location() != "/login" {
		t.Errorf("by the query: %d to %q", r.StatusCode, r.location())
	}
	if n := len(l.arrivals()); n != 0 {
		t.Errorf("%d requests reached the app", n)
	}
	if r := visitor.do(http.MethodPost, "/list", strings.NewReader("action=view"), urlencoded); r.StatusCode != 200 || l.last(t).Body != "action=view" {
		t.Errorf("another value: %d", r.StatusCode)
	}
	member := s.client()
	member.pass(alice)
	if r := member.do(http.MethodPost, "/list", strings.NewReader("action=export"), urlencoded); r.StatusCode != 200 || l.user(l.last(t)) != alice {
		t.Errorf("in a verified session: %d", r.StatusCode)
	}
}

func TestALogoutToldByAFieldEndsTheSession(t *testing.T) {
	s, l := ledgerStart(t, "logout {\n\t\t\ttwo_factor_field op logout\n\t\t}")
	c := s.client()
	c.pass(alice)
	jar := c.jarLine("/")
	l.on("/index.php", func(w http.ResponseWriter, _ *arrival) { fmt.Fprint(w, "good-bye") })
	if r := c.do(http.MethodPost, "/index.php", strings.NewReader("op=list"), urlencoded); r.StatusCode != 200 {
		t.Fatalf("another value: %d", r.StatusCode)
	}
	if r := s.stranger().with("/contacts", jar); r.StatusCode != 200 {
		t.Fatalf("after another value: %d", r.StatusCode)
	}
	if r := c.do(http.MethodPost, "/index.php", strings.NewReader("op=logout"), urlencoded); r.StatusCode != 200 || r.body != "good-bye" {
		t.Fatalf("the logout: %d %s", r.StatusCode, r.body)
	}
	if r := s.stranger().with("/contacts", jar); r.location() != "/login" {
		t.Errorf("after the logout: %d to %q", r.StatusCode, r.location())
	}
}

// frontController is a site whose login is told by a field of its one address.
const frontController = `http://localhost:{$PORT} {
	@enter {
		path /index.php
		two_factor_field op login
	}
	two_factor {
		login @enter {
			user form email
			yes redirect /dashboard*
			no status 200
		}
		login_page /login
		public /index.php
		protect *
	}
	reverse_proxy {$UPSTREAM}
}
`

// frontControllerLogin is the ledger's login at /index.php.
func frontControllerLogin(l *ledger) {
	l.on("/index.php", func(w http.ResponseWriter, a *arrival) {
		if a.field("op") != "login" && a.field("OP") != "login" || a.field("password") != right {
			fmt.Fprint(w, "the form")
			return
		}
		l.mu.Lock()
		l.users[a.cookie("sid")] = a.field("email")
		l.mu.Unlock()
		w.Header().Set("Location", "/dashboard")
		w.WriteHeader(http.StatusFound)
	})
}

func TestALoginToldByAFieldIsHeldUntilTheCode(t *testing.T) {
	l, upstream := newLedger(t)
	frontControllerLogin(l)
	s := startSite(t, frontController, upstream)
	for _, op := range []string{"op", "OP"} {
		c := s.client()
		c.get("/index.php")
		if r := c.post("/index.php", url.Values{"op": {"search"}, "email": {alice}, "password": {right}}); r.StatusCode != 200 {
			t.Fatalf("another value: %d to %q", r.StatusCode, r.location())
		}
		r := c.post("/index.php", url.Values{op: {"login"}, "email": {alice}, "password": {right}})
		if r.location() != codePage {
			t.Fatalf("%s: the right password gave %d to %q, not the challenge", op, r.StatusCode, r.location())
		}
		if r := c.get("/contacts"); r.location() != codePage {
			t.Fatalf("%s: before the code a page gave %d to %q", op, r.StatusCode, r.location())
		}
		if r := c.enter(s.code(alice)); r.location() != "/dashboard" {
			t.Fatalf("%s: the code gave %d to %q", op, r.StatusCode, r.location())
		}
		if c.get("/contacts"); l.user(l.last(t)) != alice {
			t.Errorf("%s: after the code the page is not hers", op)
		}
	}
	c := s.client()
	c.get("/index.php")
	if r := c.post("/index.php", url.Values{"op": {"login"}, "email": {alice}, "password": {"wrong"}}); r.StatusCode != 200 || r.body != "the form" {
		t.Errorf("a wrong password gave %d %s", r.StatusCode, r.body)
	}
}

// renamed is a config in which a rule has another name, as no Caddyfile can have
// it.
func renamed(t *testing.T, lines, from, to string) []byte {
	t.Helper()
	t.Setenv("PORT", "9080")
	t.Setenv("UPSTREAM", "127.0.0.1:9081")
	adapted, err := adapt("{\n\tadmin off\n}\n" + strings.Replace(ledgerConfig(lines), "public /open/*\n\t\tpublic /assets/*", "", 1))
	if err != nil {
		t.Fatal(err)
	}
	var config any
	if err := json.Unmarshal([]byte(adapted), &config); err != nil {
		t.Fatal(err)
	}
	var rename func(v any)
	rename = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if rule, ok := v[from]; ok && v["handler"] == "two_factor" {
				v[to] = rule
				delete(v, from)
			}
			for _, inner := range v {
				rename(inner)
			}
		case []any:
			for _, inner := range v {
				rename(inner)
			}
		}
	}
	rename(config)
	out, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatOpensCannotBeToldByAFieldInJSONEither(t *testing.T) {
	for _, rule := range []string{"block {\n\t\t\ttwo_factor_field a\n\t\t}", "block {\n\t\t\tpath /x\n\t\t\tnot two_factor_field a b\n\t\t}", "block /x\n\t\tblock {\n\t\t\tnot {\n\t\t\t\tnot two_factor_field a\n\t\t\t}\n\t\t}"} {
		for _, name := range []string{"public", "allow_path"} {
			var config caddy.Config
			if err := json.Unmarshal(renamed(t, rule, "block", name), &config); err != nil {
				t.Fatal(err)
			}
			err := caddy.Validate(&config)
			if err == nil || !strings.Contains(err.Error(), name+" cannot be told by two_factor_field") {
				t.Errorf("%s: %v", name, err)
			}
		}
		var config caddy.Config
		if err := json.Unmarshal(renamed(t, rule, "block", "logout"), &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&config); err != nil {
			t.Errorf("logout: %v", err)
		}
	}
	for _, bad := range []string{`{}`, `{"fields":[]}`, `{"fields":[{"name":""}]}`, `{"fields":[{"name":"a"},{"name":"a"}]}`, `{"fields":[{"name":"a","values":["{query.x}"]}]}`} {
		raw := bytes.Replace(renamed(t, "block {\n\t\t\ttwo_factor_field a\n\t\t}", "block", "logout"), []byte(`{"fields":[{"name":"a"}]}`), []byte(bad), 1)
		var config caddy.Config
		if err := json.Unmarshal(raw, &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&config); err == nil || !strings.Contains(err.Error(), "two_factor_field: ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestWhereAnAnswerLeadsIsJudgedWithoutTheFieldsOfItsRequest(t *testing.T) {
	l, upstream := newLedger(t)
	config := strings.Replace(ledgerConfig(), "protect *", "protect /contacts\n\t\tprotect {\n\t\t\ttwo_factor_field action export\n\t\t}", 1)
	s := startSite(t, config, upstream)
	c := s.client()
	c.get("/login")
	for to, passes := range map[string]bool{"/list": true, "/list?action=view": true, "/list?action=export": false} {
		l.on("/login", func(w http.ResponseWriter, _ *arrival) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		})
		r := c.do(http.MethodPost, "/login", strings.NewReader("action=export"), urlencoded)
		if (r.location() == to) != passes {
			t.Errorf("the login page leads to %s: %d to %q", to, r.StatusCode, r.location())
		}
	}
}
