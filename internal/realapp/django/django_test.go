package django

import (
	"bytes"
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

// visitor is one set of cookies that follows no redirect.
type visitor struct {
	t    *testing.T
	site *Site
	jar  *cookiejar.Jar
	http *http.Client
}

// answer is what Django said to one request.
type answer struct {
	status   int
	location string
	cookies  []*http.Cookie
	body     string
}

// cookie returns the value that the answer gives a cookie, "" for none.
func (a answer) cookie(name string) string {
	i := slices.IndexFunc(a.cookies, func(c *http.Cookie) bool { return c.Name == name && c.MaxAge >= 0 })
	if i < 0 {
		return ""
	}
	return a.cookies[i].Value
}

func newVisitor(t *testing.T, site *Site) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, site: site, jar: jar, http: &http.Client{
		Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v *visitor) do(method, path, kind, body string) answer {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.site.URL+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	// Django takes its CSRF token from here as well as from the form.
	req.Header.Set("X-CSRFToken", v.held("csrftoken"))
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

func (v *visitor) get(path string) answer { v.t.Helper(); return v.do(http.MethodGet, path, "", "") }

func (v *visitor) post(path string, form url.Values) answer {
	v.t.Helper()
	return v.do(http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode())
}

// held returns the value of a cookie that the visitor holds.
func (v *visitor) held(name string) string {
	for _, c := range v.jar.Cookies(&url.URL{Scheme: "http", Host: v.site.URL, Path: "/"}) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// who returns who the site's first page says is logged in, "" for nobody.
func (v *visitor) who() string {
	v.t.Helper()
	m := regexp.MustCompile(`id="who">([^<]*)<`).FindStringSubmatch(v.get("/").body)
	if m == nil {
		return ""
	}
	return m[1]
}

// nextField is the field of a login form that says where to go on.
var nextField = regexp.MustCompile(`name="next" value="([^"]*)"`)

func login(user, password string) url.Values {
	return url.Values{"username": {user}, "password": {password}}
}

// TestDjangoAnswers shows what the recipe rests on.
func TestDjangoAnswers(t *testing.T) {
	site := Start(t)
	forms := []string{"/admin/login/", "/accounts/login/"}

	t.Run("a wrong password is answered by the form again, without a session", func(t *testing.T) {
		for _, path := range forms {
			for name, form := range map[string]url.Values{
				"a wrong password": login(site.Admin, "wrong"),
				"an unknown user":  login("nobody-here", "wrong"),
				"nothing":          login("", ""),
			} {
				v := newVisitor(t, site)
				v.get(path)
				a := v.post(path, form)
				if a.status != 200 || a.cookie("sessionid") != "" || !strings.Contains(a.body, `name="password"`) {
					t.Errorf("%s at %s: got %d with %v", name, path, a.status, a.cookies)
				}
			}
		}
	})
	t.Run("a right password is answered by a redirect and a session under a new key, wherever it leads", func(t *testing.T) {
		for path, leads := range map[string]string{
			"/admin/login/":                          "/admin/",
			"/admin/login/?next=/admin/auth/user/":   "/admin/auth/user/",
			"/admin/login/?next=//evil.example/":     "/",
			"/accounts/login/":                       "/",
			"/accounts/login/?next=/accounts/login/": "/accounts/login/",
		} {
			v := newVisitor(t, site)
			form := login(site.Editor, site.EditorPassword)
			if m := nextField.FindStringSubmatch(v.get(path).body); m != nil {
				form.Set("next", m[1])
			}
			before := v.held("csrftoken")
			a := v.post(path, form)
			if a.status != 302 || a.location != leads || a.cookie("sessionid") == "" {
				t.Errorf("%s: got %d to %q with %v", path, a.status, a.location, a.cookies)
			}
			if after := a.cookie("csrftoken"); after == "" || after == before {
				t.Errorf("%s: the CSRF token is not a new one", path)
			}
		}
	})
	t.Run("a right password is so answered in a session, and gives it a new key", func(t *testing.T) {
		v := newVisitor(t, site)
		v.get("/admin/login/")
		first := v.post("/admin/login/", login(site.Admin, site.AdminPassword)).cookie("sessionid")
		again := v.post("/accounts/login/", login(site.Admin, site.AdminPassword))
		if again.status != 302 || again.cookie("sessionid") == "" {
			t.Errorf("the same user again: got %d with %v", again.status, again.cookies)
		}
		other := v.post("/accounts/login/", login(site.Editor, site.EditorPassword))
		if key := other.cookie("sessionid"); other.status != 302 || key == "" || key == first {
			t.Errorf("another user: got %d with %v", other.status, other.cookies)
		}
		if who := v.who(); who != site.Editor {
			t.Errorf("the session is that of %q", who)
		}
	})
	t.Run("a form without its CSRF token is refused before the password is looked at", func(t *testing.T) {
		for _, path := range forms {
			v := newVisitor(t, site)
			if a := v.post(path, login(site.Admin, site.AdminPassword)); a.status != 403 || len(a.cookies) != 0 {
				t.Errorf("%s: got %d with %v", path, a.status, a.cookies)
			}
			if who := v.who(); who != "" {
				t.Errorf("%s: %q is logged in", path, who)
			}
		}
	})
	t.Run("the admin refuses who may not enter it, and the other form lets him in", func(t *testing.T) {
		v := newVisitor(t, site)
		v.get("/admin/login/")
		if a := v.post("/admin/login/", login(site.Customer, site.CustomerPassword)); a.status != 200 || a.cookie("sessionid") != "" {
			t.Errorf("the admin gave %d with %v", a.status, a.cookies)
		}
		if a := v.post("/accounts/login/", login(site.Customer, site.CustomerPassword)); a.status != 302 || a.cookie("sessionid") == "" {
			t.Errorf("the other form gave %d with %v", a.status, a.cookies)
		}
	})
	t.Run("the admin shows two users under one name", func(t *testing.T) {
		shown := map[string]string{}
		for _, user := range []url.Values{login(site.Admin, site.AdminPassword), login(site.Editor, site.EditorPassword)} {
			v := newVisitor(t, site)
			v.get("/admin/login/")
			v.post("/admin/login/", user)
			page := v.get("/admin/password_change/").body
			m := regexp.MustCompile(`id="user-tools">\s*\S+\s*<strong>([^<]*)<`).FindStringSubmatch(page)
			if m == nil {
				t.Fatalf("the page names nobody:\n%s", page)
			}
			shown[user.Get("username")] = m[1]
		}
		if shown[site.Admin] != "Anna" || shown[site.Editor] != "Anna" {
			t.Errorf("it shows %v", shown)
		}
	})
	t.Run("a link that resets a password begins a session for a visitor", func(t *testing.T) {
		v := newVisitor(t, site)
		v.get("/accounts/password_reset/")
		v.post("/accounts/password_reset/", url.Values{"email": {site.EditorMail}})
		a := v.get(ResetPath(t, site.Mail(t)))
		if a.status != 302 || a.cookie("sessionid") == "" {
			t.Errorf("got %d with %v", a.status, a.cookies)
		}
		if who := v.who(); who != "" {
			t.Errorf("it logs %q in", who)
		}
	})
	t.Run("logging out deletes the session", func(t *testing.T) {
		for _, path := range []string{"/admin/logout/", "/accounts/logout/"} {
			v := newVisitor(t, site)
			v.get("/admin/login/")
			v.post("/admin/login/", login(site.Editor, site.EditorPassword))
			if who := v.who(); who != site.Editor {
				t.Fatalf("%q is logged in", who)
			}
			v.post(path, url.Values{})
			if key, who := v.held("sessionid"), v.who(); key != "" || who != "" {
				t.Errorf("%s left the session %q of %q", path, key, who)
			}
		}
	})
}

func TestSiteEndsWithItsTest(t *testing.T) {
	var site *Site
	t.Run("a site is started", func(t *testing.T) { site = Start(t) })
	if _, err := os.Stat(site.folder); !os.IsNotExist(err) {
		t.Errorf("its folder is still there: %v", err)
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range lines {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(site.URL)) {
			t.Errorf("still running: %s", bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
}
