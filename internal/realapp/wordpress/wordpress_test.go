package wordpress

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// answer is what WordPress said to one request.
type answer struct {
	status   int
	location string
	cookies  []*http.Cookie
	body     string
}

// has says whether the answer sets, and does not delete, a cookie whose name
// begins with prefix, on this path.
func (a answer) has(prefix, path string) bool {
	return slices.ContainsFunc(a.cookies, func(c *http.Cookie) bool {
		return strings.HasPrefix(c.Name, prefix) && c.Path == path && c.MaxAge >= 0
	})
}

func (a answer) loggedIn() bool { return a.has("wordpress_logged_in_", "/") }

// visitor is one set of cookies that follows no redirect.
type visitor struct {
	t    *testing.T
	site *Site
	http *http.Client
}

func newVisitor(t *testing.T, site *Site) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, site: site, http: &http.Client{
		Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v *visitor) do(method, path, kind, body string, header ...string) answer {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.site.URL+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{status: resp.StatusCode, location: resp.Header.Get("Location"), cookies: resp.Cookies(), body: string(text)}
}

func (v *visitor) get(path string, header ...string) answer {
	v.t.Helper()
	return v.do("GET", path, "", "", header...)
}

func (v *visitor) post(path, form string, header ...string) answer {
	v.t.Helper()
	return v.do("POST", path, "application/x-www-form-urlencoded", form, header...)
}

// form writes a form body; names and values alternate.
func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

func TestWordPressAnswers(t *testing.T) {
	site := Start(t, "")
	right := []string{"log", site.Admin, "pwd", site.AdminPassword}

	t.Run("the login page sets only its test cookie", func(t *testing.T) {
		a := newVisitor(t, site).get("/wp-login.php")
		if a.status != 200 || len(a.cookies) != 1 || a.cookies[0].Name != "wordpress_test_cookie" || a.cookies[0].Path != "/" || a.cookies[0].HttpOnly {
			t.Errorf("got %d with %v", a.status, a.cookies)
		}
		if !strings.Contains(a.body, `id="loginform"`) {
			t.Error("no login form")
		}
	})

	t.Run("a wrong password is answered by the form again, without a session", func(t *testing.T) {
		for name, fields := range map[string][]string{
			"wrong password": {"log", site.Admin, "pwd", "nope"},
			"unknown user":   {"log", "nobody-here", "pwd", "nope"},
			"nothing":        {"log", "", "pwd", ""},
			"in a pop-up":    {"log", site.Admin, "pwd", "nope", "interim-login", "1"},
		} {
			v := newVisitor(t, site)
			v.get("/wp-login.php")
			a := v.post("/wp-login.php", form(append(fields, "testcookie", "1")...))
			if a.status != 200 || a.loggedIn() || a.has("wordpress_", "/wp-admin") {
				t.Errorf("%s: got %d with %v", name, a.status, a.cookies)
			}
			if !strings.Contains(a.body, `id="loginform"`) || !strings.Contains(a.body, `id="login_error"`) {
				t.Errorf("%s: no form with an error", name)
			}
		}
	})

	t.Run("a right password sets three session cookies, wherever it leads", func(t *testing.T) {
		for _, c := range []struct {
			name     string
			more     []string
			status   int
			location string
		}{
			{"without a target", nil, 302, "/wp-admin/"},
			{"to a page", []string{"redirect_to", site.PublicURL + site.PostPath}, 302, site.PostPath},
			{"to another site", []string{"redirect_to", "http://elsewhere.example/"}, 302, "/wp-admin/"},
			{"remembered", []string{"rememberme", "forever"}, 302, "/wp-admin/"},
			{"in a pop-up", []string{"interim-login", "1"}, 200, ""},
		} {
			v := newVisitor(t, site)
			v.get("/wp-login.php")
			a := v.post("/wp-login.php", form(append(append(slices.Clone(right), c.more...), "testcookie", "1")...))
			if a.status != c.status || !strings.HasSuffix(a.location, c.location) {
				t.Errorf("%s: got %d to %q", c.name, a.status, a.location)
			}
			if !a.loggedIn() || !a.has("wordpress_", "/wp-admin") || !a.has("wordpress_", "/wp-content/plugins") {
				t.Errorf("%s: cookies %v", c.name, a.cookies)
			}
			if strings.Contains(a.body, `id="loginform"`) {
				t.Errorf("%s: a right password shows the form", c.name)
			}
			if admin := v.get("/wp-admin/profile.php"); !strings.Contains(admin.body, `id="your-profile"`) || !strings.Contains(admin.body, `name="user_login" id="user_login" value="admin"`) {
				t.Errorf("%s: the profile does not say who: %d", c.name, admin.status)
			}
		}
	})

	t.Run("a right password without the test cookie shows the form and still sets the session", func(t *testing.T) {
		a := newVisitor(t, site).post("/wp-login.php", form(append(slices.Clone(right), "testcookie", "1")...))
		if a.status != 200 || !strings.Contains(a.body, `id="loginform"`) || !a.loggedIn() {
			t.Errorf("got %d, cookies %v", a.status, a.cookies)
		}
	})

	t.Run("a right password with reauth sets the session, deletes it in the same answer and shows the form", func(t *testing.T) {
		a := newVisitor(t, site).post("/wp-login.php", form(append(slices.Clone(right), "reauth", "1")...))
		if a.status != 200 || !strings.Contains(a.body, `id="loginform"`) || !a.loggedIn() {
			t.Errorf("got %d, cookies %v", a.status, a.cookies)
		}
		last := a.cookies[slices.IndexFunc(a.cookies, func(c *http.Cookie) bool { return c.MaxAge < 0 }):]
		if !slices.ContainsFunc(last, func(c *http.Cookie) bool { return strings.HasPrefix(c.Name, "wordpress_logged_in_") }) {
			t.Errorf("not deleted: %v", a.cookies)
		}
	})

	t.Run("the form is taken by any action name, with a path after the script, as multipart and in PHP's spellings", func(t *testing.T) {
		multipart := "--b\r\nContent-Disposition: form-data; name=\"log\"\r\n\r\n" + site.Admin +
			"\r\n--b\r\nContent-Disposition: form-data; name=\"pwd\"\r\n\r\n" + site.AdminPassword + "\r\n--b--\r\n"
		for name, send := range map[string]func(*visitor) answer{
			"unknown action": func(v *visitor) answer { return v.post("/wp-login.php?action=foo", form(right...)) },
			"body beats query action": func(v *visitor) answer {
				return v.post("/wp-login.php?action=postpass", form(append(right, "action", "login")...))
			},
			"path after the script": func(v *visitor) answer { return v.post("/wp-login.php/x", form(right...)) },
			"multipart": func(v *visitor) answer {
				return v.do("POST", "/wp-login.php", "multipart/form-data; boundary=b", multipart)
			},
			"blank before the name": func(v *visitor) answer {
				return v.post("/wp-login.php", form(" log", site.Admin, "pwd", site.AdminPassword))
			},
			"NUL in the name": func(v *visitor) answer {
				return v.post("/wp-login.php", form("log\x00x", site.Admin, "pwd", site.AdminPassword))
			},
			"the last of two": func(v *visitor) answer {
				return v.post("/wp-login.php", "log=nobody&pwd=x&"+form(right...))
			},
		} {
			if a := send(newVisitor(t, site)); !a.loggedIn() {
				t.Errorf("%s: no login, %d", name, a.status)
			}
		}
	})

	t.Run("the form is not taken elsewhere, by GET or as JSON", func(t *testing.T) {
		for name, send := range map[string]func(*visitor) answer{
			"front page": func(v *visitor) answer { return v.post("/", form(right...)) },
			"wp-admin":   func(v *visitor) answer { return v.post("/wp-admin/", form(right...)) },
			"GET":        func(v *visitor) answer { return v.get("/wp-login.php?" + form(right...)) },
			"admin-ajax": func(v *visitor) answer {
				return v.post("/wp-admin/admin-ajax.php", form(append(right, "action", "x")...))
			},
			"admin-post": func(v *visitor) answer {
				return v.post("/wp-admin/admin-post.php", form(append(right, "action", "x")...))
			},
			"lost password": func(v *visitor) answer { return v.post("/wp-login.php?action=lostpassword", form(right...)) },
			"JSON": func(v *visitor) answer {
				return v.do("POST", "/wp-login.php", "application/json", `{"log":"admin","pwd":"`+site.AdminPassword+`"}`)
			},
			"Basic at wp-admin": func(v *visitor) answer {
				return v.get("/wp-admin/", "Authorization", basic(site.Editor, site.EditorPassword))
			},
			"another case": func(v *visitor) answer {
				return v.post("/wp-login.php", form("LOG", site.Admin, "PWD", site.AdminPassword))
			},
		} {
			if a := send(newVisitor(t, site)); a.loggedIn() || a.has("wordpress_", "/wp-admin") {
				t.Errorf("%s: a login, %d %v", name, a.status, a.cookies)
			}
		}
	})

	t.Run("one user is opened by many spellings of the name", func(t *testing.T) {
		for _, spelling := range []string{"EDITOR", " editor ", site.EditorMail, "ÉDITOR", "<b>editor", "ed%41itor", "&amp;editor", "ｅditor", "editor\u200b"} {
			a := newVisitor(t, site).post("/wp-login.php", form("log", spelling, "pwd", site.EditorPassword))
			i := slices.IndexFunc(a.cookies, func(c *http.Cookie) bool { return strings.HasPrefix(c.Name, "wordpress_logged_in_") })
			if i < 0 || !strings.HasPrefix(a.cookies[i].Value, "editor%7C") {
				t.Errorf("%q does not open the editor: %d", spelling, a.status)
			}
		}
	})

	t.Run("XML-RPC takes the password in every call", func(t *testing.T) {
		for _, c := range []struct {
			path, password, want string
		}{
			{"/xmlrpc.php", site.EditorPassword, "blogid"},
			{"/xmlrpc.php/x", site.EditorPassword, "blogid"},
			{"//xmlrpc.php", site.EditorPassword, "blogid"},
			{"/xmlrpc.php", site.EditorAppPassword, "blogid"},
			{"/xmlrpc.php", "wrong", "<int>403</int>"},
		} {
			a := newVisitor(t, site).do("POST", c.path, "text/xml", call("wp.getUsersBlogs", site.Editor, c.password))
			if a.status != 200 || !strings.Contains(a.body, c.want) || len(a.cookies) != 0 {
				t.Errorf("%s: got %d with %v: %s", c.path, a.status, a.cookies, a.body)
			}
		}
	})

	t.Run("the REST API takes an application password by Basic, not the user's own, at every address", func(t *testing.T) {
		for _, c := range []struct {
			path, password string
			want           int
		}{
			{"/wp-json/wp/v2/users/me", "", 401},
			{"/wp-json/wp/v2/users/me", site.EditorPassword, 401},
			{"/wp-json/wp/v2/users/me", site.EditorAppPassword, 200},
			{"/index.php/wp-json/wp/v2/users/me", site.EditorAppPassword, 200},
			{"/?rest_route=/wp/v2/users/me", site.EditorAppPassword, 200},
			{site.PostPath + "?rest_route=/wp/v2/users/me", site.EditorAppPassword, 200},
		} {
			header := []string{}
			if c.password != "" {
				header = append(header, "Authorization", basic(site.Editor, c.password))
			}
			a := newVisitor(t, site).get(c.path, header...)
			if a.status != c.want || len(a.cookies) != 0 {
				t.Errorf("%s: got %d with %v", c.path, a.status, a.cookies)
			}
			if c.want == 200 && !strings.Contains(a.body, `"slug":"editor"`) {
				t.Errorf("%s: it does not say who: %.200s", c.path, a.body)
			}
		}
	})

	t.Run("the REST API takes a session only together with a nonce", func(t *testing.T) {
		v := newVisitor(t, site)
		v.post("/wp-login.php", form(right...))
		if a := v.get("/wp-json/wp/v2/users/me"); a.status != 401 {
			t.Errorf("without a nonce: %d", a.status)
		}
		nonce := v.get("/wp-admin/admin-ajax.php?action=rest-nonce").body
		if a := v.get("/wp-json/wp/v2/users/me", "X-WP-Nonce", nonce); a.status != 200 || !strings.Contains(a.body, `"slug":"admin"`) {
			t.Errorf("with a nonce: %d", a.status)
		}
	})

	t.Run("wp-admin sends a visitor to the login page, admin-ajax and admin-post answer him", func(t *testing.T) {
		v := newVisitor(t, site)
		for _, path := range []string{"/wp-admin/", "/wp-admin/export.php", "/wp-admin/profile.php"} {
			a := v.get(path)
			want := "/wp-login.php?redirect_to=" + url.QueryEscape(site.PublicURL+path) + "&reauth=1"
			if a.status != 302 || !strings.HasSuffix(a.location, want) {
				t.Errorf("%s: got %d to %q", path, a.status, a.location)
			}
		}
		if a := v.post("/wp-admin/admin-ajax.php", form("action", "heartbeat", "_nonce", "x")); a.status != 200 || !strings.Contains(a.body, `"wp-auth-check":false`) {
			t.Errorf("admin-ajax: %d %s", a.status, a.body)
		}
		if a := v.post("/wp-admin/admin-post.php", form("action", "x")); a.status != 400 {
			t.Errorf("admin-post: %d", a.status)
		}
	})

	t.Run("a visitor comments and opens a post by its password", func(t *testing.T) {
		v := newVisitor(t, site)
		a := v.post("/wp-comments-post.php", form("comment", "A fine site", "author", "Vera", "email", "vera@example.org",
			"comment_post_ID", fmt.Sprint(site.PostID), "comment_parent", "0", "wp-comment-cookies-consent", "yes"))
		if a.status != 302 || !a.has("comment_author_", "/") {
			t.Errorf("comment: %d %v", a.status, a.cookies)
		}
		if page := v.get(site.PostPath); !strings.Contains(page.body, "A fine site") {
			t.Error("the comment is not shown")
		}
		if page := v.get(site.SecretPath); strings.Contains(page.body, site.SecretText) {
			t.Error("the post is open")
		}
		a = v.post("/wp-login.php?action=postpass", form("post_password", site.PostPassword), "Referer", site.PublicURL+site.SecretPath)
		if a.status != 302 || !a.has("wp-postpass_", "/") || a.loggedIn() {
			t.Errorf("post password: %d %v", a.status, a.cookies)
		}
		if page := v.get(site.SecretPath); !strings.Contains(page.body, site.SecretText) {
			t.Error("the post stays shut")
		}
	})

	t.Run("logging out needs its nonce and deletes the session", func(t *testing.T) {
		v := newVisitor(t, site)
		v.post("/wp-login.php", form(right...))
		if a := v.get("/wp-login.php?action=logout"); a.status != 403 {
			t.Errorf("without a nonce: %d", a.status)
		}
		link := regexp.MustCompile(`wp-login\.php\?action=logout&#038;_wpnonce=\w+`).FindString(v.get("/wp-admin/").body)
		a := v.get("/" + strings.ReplaceAll(link, "&#038;", "&"))
		if a.status != 302 || !strings.Contains(a.location, "/wp-login.php?loggedout=true") || a.loggedIn() {
			t.Errorf("with a nonce: %d to %q", a.status, a.location)
		}
		if a := v.get("/wp-admin/"); a.status != 302 {
			t.Errorf("after the logout: %d", a.status)
		}
	})

	t.Run("behind TLS the session's cookie has another name", func(t *testing.T) {
		a := newVisitor(t, site).post("/wp-login.php", form(right...), "X-Forwarded-Proto", "https")
		if !a.has("wordpress_sec_", "/wp-admin") || !a.loggedIn() {
			t.Errorf("cookies %v", a.cookies)
		}
	})
}

func TestSiteWritesTheAddressThatItWasGiven(t *testing.T) {
	site := Start(t, "http://localhost:18999/")
	a := newVisitor(t, site).get("/wp-login.php")
	if !strings.Contains(a.body, `action="http://localhost:18999/wp-login.php"`) {
		t.Error("the form goes elsewhere")
	}
}

func TestSiteEndsWithItsTest(t *testing.T) {
	var site *Site
	t.Run("a site is started", func(t *testing.T) { site = Start(t, "") })
	if _, err := os.Stat(site.folder); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
	for _, line := range processesWith(t, site.folder) {
		t.Errorf("still running: %s", line)
	}
}

// processesWith returns the command lines that name a folder.
func processesWith(t *testing.T, folder string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range lines {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(folder)) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// basic writes an Authorization header (RFC 7617).
func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// call writes an XML-RPC call with text parameters.
func call(method string, params ...string) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?><methodCall><methodName>" + method + "</methodName><params>")
	for _, p := range params {
		b.WriteString("<param><value><string>")
		_ = xml.EscapeText(&b, []byte(p)) // a strings.Builder takes everything
		b.WriteString("</string></value></param>")
	}
	return b.String() + "</params></methodCall>"
}
