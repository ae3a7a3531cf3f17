package twofactor

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/django"
)

const formType = "application/x-www-form-urlencoded"

// djangoPost sends the form with the password field that stands at a path.
func djangoPost(c *client, path string, fields map[string]string) reply {
	c.t.Helper()
	form := hidden(c.get(path).body, `name="csrfmiddlewaretoken"`)
	delete(form, "")
	for name, value := range fields {
		form.Set(name, value)
	}
	return c.post(path, form)
}

// djangoSignIn signs the editor in, with the second factor.
func djangoSignIn(c *client, dj *django.Site, password string) {
	c.t.Helper()
	r := djangoPost(c, "/admin/login/", map[string]string{"username": dj.Editor, "password": password})
	if r.location() != "/.two-factor/challenge" {
		c.t.Fatalf("the password gave %d to %q", r.StatusCode, r.location())
	}
	if r := c.follow(c.enter(c.s.textCode())); r.Request.URL.Path != "/admin/" || r.StatusCode != 200 {
		c.t.Fatalf("the code led to %d at %s", r.StatusCode, r.Request.URL)
	}
}

// djangoUser returns whom Django takes the visitor for, "" for nobody.
func djangoUser(c *client) string {
	c.t.Helper()
	_, rest, _ := strings.Cut(c.get("/").body, `id="who">`)
	who, _, _ := strings.Cut(rest, "<")
	return who
}

// directDjango logs in at Django itself, as somebody who reaches it past the
// gateway would, and returns the session's key.
func directDjango(t *testing.T, dj *django.Site, door djangoDoor) string {
	t.Helper()
	c := (&site{t: t, url: "http://" + dj.URL}).client()
	door.send(c)
	return c.cookies("/")["sessionid"]
}

// djangoDoor is one way to send a user name and a password.
type djangoDoor struct {
	name string
	// shut says that Django itself logs nobody in so.
	shut   bool
	method string
	path   string
	kind   string
	body   []byte
	header http.Header
}

// send sends it from a browser that has Django's CSRF token.
func (d djangoDoor) send(c *client) reply {
	c.t.Helper()
	c.get("/admin/login/")
	h := http.Header{"Content-Type": {d.kind}, "X-Csrftoken": {c.cookies("/")["csrftoken"]}}
	for name, values := range d.header {
		h[name] = values
	}
	return c.do(d.method, d.path, bytes.NewReader(d.body), h)
}

// djangoDoors are the ways that are tried, the plain one first.
func djangoDoors(t *testing.T, dj *django.Site) []djangoDoor {
	t.Helper()
	plain := url.Values{"username": {dj.Admin}, "password": {dj.AdminPassword}}.Encode()
	in := func(e encoding.Encoding) []byte {
		body, err := e.NewEncoder().Bytes([]byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	// part is a field of a multipart form.
	part := func(disposition, more, value string) string {
		return "--x\r\nContent-Disposition: form-data; " + disposition + "\r\n" + more + "\r\n" + value + "\r\n"
	}
	const multipart = "multipart/form-data; boundary=x"
	password := part(`name="password"`, "", dj.AdminPassword) + "--x--\r\n"
	utf7 := strings.NewReplacer("username=", "+AHUAcwBlAHIAbgBhAG0AZQ-=", "password=", "+AHAAYQBzAHMAdwBvAHIAZA-=", "+", "%20").Replace(plain)

	doors := []djangoDoor{{name: "a form", kind: formType, body: []byte(plain)}}
	for path, shut := range map[string]bool{
		"/accounts/login/":                     false,
		"/admin/login/?next=/admin/auth/user/": false, "/accounts/login/?next=/admin/": false, "/accounts/login/?username=x": false,
		"/%61dmin/login/": false, "/accounts/%6Cogin/": false, "/accounts/login/?a;b": false,
		"/admin/login": true, "/accounts/login": true, "/admin/login//": true, "//admin/login/": true, "/admin//login/": true,
		"/ADMIN/LOGIN/": true, "/Accounts/Login/": true, "/admin/./login/": true, "/admin/x/../login/": true, "/admin/login/;x": true,
		"/admin": true, "/admin/": true, "/admin/auth/user/": true, "/": true, "/accounts/": true, "/accounts/logout/": true,
	} {
		doors = append(doors, djangoDoor{name: "a form to " + path, path: path, kind: formType, body: []byte(plain), shut: shut})
	}
	doors = append(doors,
		djangoDoor{name: "a form with a charset", kind: formType + "; charset=utf-8", body: []byte(plain)},
		djangoDoor{name: "UTF-16", kind: formType + "; charset=utf-16", body: in(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM))},
		djangoDoor{name: "UTF-7", kind: formType + "; charset=utf-7", body: []byte(utf7)},
		djangoDoor{name: "EBCDIC", kind: formType + "; charset=cp037", body: in(charmap.CodePage037)},
		djangoDoor{name: "upper-case type", kind: strings.ToUpper(formType), body: []byte(plain), shut: true},
		djangoDoor{name: "the name twice", kind: formType, body: []byte("username=x&" + plain)},
		djangoDoor{name: "the password twice", kind: formType, body: []byte("password=x&" + plain)},
		djangoDoor{name: "letters percent-encoded", kind: formType, body: []byte(strings.NewReplacer("username", "%75sername", "password", "passwor%64").Replace(plain))},
		djangoDoor{name: "blanks around the name", kind: formType, body: []byte(strings.Replace(plain, dj.Admin, "+"+dj.Admin+"+", 1))},
		djangoDoor{name: "a full-width letter", kind: formType, body: []byte(strings.Replace(plain, dj.Admin, url.QueryEscape("ａdmin"), 1))},
		djangoDoor{name: "another case", kind: formType, body: []byte(strings.Replace(plain, dj.Admin, "ADMIN", 1)), shut: true},
		djangoDoor{name: "other brackets", kind: formType, body: []byte(strings.Replace(plain, "username", "username[]", 1)), shut: true},
		djangoDoor{name: "a semicolon between", kind: formType, body: []byte(strings.Replace(plain, "&", ";", 1)), shut: true},
		djangoDoor{name: "multipart", kind: multipart, body: []byte(part(`name="username"`, "", dj.Admin) + password)},
		djangoDoor{name: "multipart, the name unquoted", kind: multipart, body: []byte(part(`name=username`, "", dj.Admin) + password)},
		djangoDoor{name: "multipart, the name by RFC 5987", kind: multipart, body: []byte(part(`name*=UTF-8''%75sername`, "", dj.Admin) + password)},
		djangoDoor{name: "multipart, the name in base64", kind: multipart, body: []byte(part(`name="username"`, "Content-Transfer-Encoding: base64\r\n", "YWRtaW4=") + password)},
		djangoDoor{name: "multipart behind a preamble", kind: multipart, body: []byte("hello\r\n" + part(`name="username"`, "", dj.Admin) + password)},
		djangoDoor{name: "multipart without an end", kind: multipart, body: []byte(strings.TrimSuffix(part(`name="username"`, "", dj.Admin)+password, "--x--\r\n")), shut: true},
		djangoDoor{name: "JSON", kind: "application/json", body: []byte(`{"username":"` + dj.Admin + `","password":"` + dj.AdminPassword + `"}`), shut: true},
		djangoDoor{name: "no type", body: []byte(plain), shut: true},
		djangoDoor{name: "a query", path: "/admin/login/?" + plain, kind: formType, shut: true},
		djangoDoor{name: "PUT", method: http.MethodPut, kind: formType, body: []byte(plain), shut: true},
		djangoDoor{name: "PUT that says POST", method: http.MethodPut, kind: formType, body: []byte(plain), header: http.Header{"X-Http-Method-Override": {"POST"}}, shut: true},
		djangoDoor{name: "a mount point in gunicorn's own header", path: "/x/admin/login/", kind: formType, body: []byte(plain), header: http.Header{"SCRIPT_NAME": {"/x"}}},
		djangoDoor{name: "Basic", kind: formType, header: http.Header{"Authorization": {basicAuth(dj.Admin, dj.AdminPassword)}}, shut: true},
	)
	for i := range doors {
		if doors[i].path == "" {
			doors[i].path = "/admin/login/"
		}
		if doors[i].method == "" {
			doors[i].method = http.MethodPost
		}
	}
	return doors
}

func basicAuth(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func TestDjangoLetsNobodyInPastTheGateway(t *testing.T) {
	s, dj := djangoSite(t)
	doors := djangoDoors(t, dj)

	t.Run("a session made at Django directly opens nothing", func(t *testing.T) {
		key := directDjango(t, dj, doors[0])
		if key == "" {
			t.Fatal("Django gave no session")
		}
		for _, name := range []string{"sessionid", "SessionID", "sessionid[0]"} {
			c := s.client()
			c.setCookie(name, key)
			if r := c.get("/admin/"); r.StatusCode != 303 || r.location() != "/admin/login/" {
				t.Errorf("%s: it gave %d to %q", name, r.StatusCode, r.location())
			}
			if r := c.get("/admin/login/"); r.StatusCode != 200 || !strings.Contains(r.body, `id="login-form"`) {
				t.Errorf("%s: the login page knows it: %d to %q", name, r.StatusCode, r.location())
			}
			if who := djangoUser(c); who != "" {
				t.Errorf("%s: a public page takes the visitor for %q", name, who)
			}
		}
	})
	for _, d := range doors {
		t.Run("the password alone opens nothing: "+d.name, func(t *testing.T) {
			if open := directDjango(t, dj, d) != ""; open == d.shut {
				t.Errorf("at Django itself this logs in: %t", open)
			}
			c := s.client()
			r := d.send(c)
			state := fmt.Sprintf("it gave %d to %q", r.StatusCode, r.location())
			if key := c.cookies("/")["sessionid"]; key != "" {
				t.Errorf("%s and a session", state)
			}
			if who := djangoUser(c); who != "" {
				t.Errorf("%s and logged %q in", state, who)
			}
			if got := c.get("/admin/auth/user/"); got.StatusCode == 200 {
				t.Errorf("%s and opened the admin", state)
			}
		})
	}
	t.Run("gunicorn's own header moves no page past the rules", func(t *testing.T) {
		mounted := http.Header{"SCRIPT_NAME": {"/x"}}
		direct := (&site{t: t, url: "http://" + dj.URL}).client()
		if r := direct.do(http.MethodGet, "/x/admin/", nil, mounted); r.location() != "/x/admin/login/?next=/x/admin/" {
			t.Errorf("gunicorn itself gave %d to %q", r.StatusCode, r.location())
		}
		if r := s.client().do(http.MethodGet, "/x/admin/", nil, mounted); r.StatusCode != 404 {
			t.Errorf("through the gateway it gave %d to %q", r.StatusCode, r.location())
		}
	})
	t.Run("a form whose token is out of date is refused as Django says it", func(t *testing.T) {
		r := s.client().post("/admin/login/", url.Values{"username": {dj.Editor}, "password": {dj.EditorPassword}})
		if r.StatusCode != 403 || !strings.Contains(r.body, "CSRF verification failed") {
			t.Errorf("it gave %d: %s", r.StatusCode, r.body)
		}
	})
	t.Run("the password of a second user in the same browser opens nothing of either", func(t *testing.T) {
		c := s.client()
		djangoSignIn(c, dj, dj.EditorPassword)
		r := djangoPost(c, "/accounts/login/", map[string]string{"username": dj.Admin, "password": dj.AdminPassword})
		if r.location() != "/.two-factor/challenge" {
			t.Fatalf("it gave %d to %q", r.StatusCode, r.location())
		}
		for _, path := range []string{"/", "/admin/", "/admin/auth/user/"} {
			if got := c.get(path); got.location() != "/.two-factor/challenge" {
				t.Errorf("before the code %s gave %d to %q", path, got.StatusCode, got.location())
			}
		}
		c.follow(c.enter(s.code(dj.Admin)))
		if who := djangoUser(c); who != dj.Admin {
			t.Errorf("after the code the session is that of %q", who)
		}
	})
	t.Run("a password is reset, and then the code is asked for", func(t *testing.T) {
		c := s.client()
		djangoPost(c, "/accounts/password_reset/", map[string]string{"email": dj.EditorMail})
		r := c.follow(c.get(django.ResetPath(t, dj.Mail(t))))
		before := c.cookies("/")["sessionid"]
		if r.StatusCode != 200 || before == "" {
			t.Fatalf("the link gave %d", r.StatusCode)
		}
		const password = "a bridge of paper 8"
		r = djangoPost(c, r.Request.URL.Path, map[string]string{"new_password1": password, "new_password2": password})
		if r.StatusCode != 302 {
			t.Fatalf("the new password gave %d: %s", r.StatusCode, r.body)
		}
		if who := djangoUser(c); who != "" {
			t.Errorf("the link has logged %q in", who)
		}
		djangoSignIn(c, dj, password)
		stale := s.client()
		stale.setCookie("sessionid", before)
		if who := djangoUser(stale); who != "" {
			t.Errorf("the session of before the login opens for %q", who)
		}
	})
}
