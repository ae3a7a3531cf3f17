package twofactor

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/wordpress"
)

// wordPressSite starts the real WordPress behind a gateway that has nothing
// but the recipe.
func wordPressSite(t *testing.T) (*site, *wordpress.Site) {
	t.Helper()
	recipe, err := os.ReadFile("recipes/wordpress.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	wp := wordpress.Start(t, s.url)
	s.start(string(recipe), wp.URL)
	s.enrol(wp.Admin, account.KindTOTP)
	s.enrol(wp.Editor, account.KindPhone)
	return s, wp
}

func TestWordPressAsksForTheSecondFactor(t *testing.T) {
	s, wp := wordPressSite(t)
	b := browser.Start(t)
	admin := b.NewPerson(t)

	t.Run("a visitor reads the site and is sent to the login page for the administration", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(s.url + "/")
		if p.Status() != 200 {
			t.Errorf("the front page gave %d", p.Status())
		}
		p.Open(s.url + "/wp-admin/")
		p.WaitFor("#loginform")
	})
	t.Run("a wrong password passes as WordPress shows it", func(t *testing.T) {
		admin.Open(s.url + "/wp-login.php")
		wp.FillLogin(admin, wp.Admin, "wrong")
		admin.Click("#wp-submit")
		admin.WaitFor("#login_error")
	})
	t.Run("a right password gives the challenge and no session", func(t *testing.T) {
		admin.Open(s.url + "/wp-login.php")
		wp.FillLogin(admin, wp.Admin, wp.AdminPassword)
		admin.Click("#wp-submit")
		admin.WaitFor(`input[name="code"]`)
		for _, c := range admin.Cookies() {
			if strings.HasPrefix(c.Name, "wordpress_") && c.Name != "wordpress_test_cookie" {
				t.Errorf("the browser holds %s before the code", c.Name)
			}
		}
	})
	t.Run("a wrong code opens nothing", func(t *testing.T) {
		admin.Fill(`input[name="code"]`, "000000")
		admin.Click(`form:has(input[name="code"]) button`)
		admin.WaitFor(`[role="alert"]`)
		admin.Open(s.url + "/wp-admin/")
		admin.WaitFor(`input[name="code"]`)
	})
	t.Run("a second user in another browser is not hindered", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(s.url + "/wp-login.php")
		wp.FillLogin(p, wp.Editor, wp.EditorPassword)
		p.Click("#wp-submit")
		p.WaitFor(`input[name="code"]`)
		p.Fill(`input[name="code"]`, s.textCode())
		p.Click(`form:has(input[name="code"]) button`)
		p.WaitFor("#wpadminbar")
	})
	t.Run("a right code lands in the administration", func(t *testing.T) {
		admin.Fill(`input[name="code"]`, s.code(wp.Admin))
		admin.Click(`form:has(input[name="code"]) button`)
		admin.WaitFor("#wpadminbar")
		if !strings.HasPrefix(admin.URL(), s.url+"/wp-admin/") {
			t.Errorf("the code led to %s", admin.URL())
		}
		admin.Open(s.url + "/wp-admin/profile.php")
		admin.WaitFor("#your-profile")
		for _, c := range admin.Cookies() {
			if strings.HasPrefix(c.Name, "wordpress_logged_in") && !strings.HasPrefix(c.Value, "2f1.") {
				t.Errorf("the browser holds %s unsealed", c.Name)
			}
		}
	})
}

func TestWordPressLetsNobodyInPastTheGateway(t *testing.T) {
	s, wp := wordPressSite(t)
	direct := directSession(t, wp)

	t.Run("a session made at WordPress directly opens nothing", func(t *testing.T) {
		c := s.client()
		for name, value := range direct {
			c.setCookie(name, value)
		}
		if r := c.get("/wp-admin/profile.php"); r.StatusCode != 303 {
			t.Errorf("it gave %d to %q", r.StatusCode, r.location())
		}
		if r := c.get("/wp-admin/admin-ajax.php?action=heartbeat"); strings.Contains(r.body, `"wp-auth-check":true`) {
			t.Errorf("a public address took the session: %s", r.body)
		}
		if r := c.get("/"); strings.Contains(r.body, "wpadminbar") {
			t.Error("the front page shows the administration's bar")
		}
	})
	t.Run("XML-RPC is shut, however it is spelt", func(t *testing.T) {
		call := `<?xml version="1.0"?><methodCall><methodName>wp.getUsersBlogs</methodName><params><param><value>` + wp.Editor +
			`</value></param><param><value>` + wp.EditorPassword + `</value></param></params></methodCall>`
		for _, path := range []string{"/xmlrpc.php", "/xmlrpc.php/x", "//xmlrpc.php", "/XMLRPC.php", "/xmlrpc%2ephp", "/xmlrpc.php?rsd", "/%78mlrpc.php"} {
			r := s.client().do(http.MethodPost, path, strings.NewReader(call), http.Header{"Content-Type": {"text/xml"}})
			if r.StatusCode < 400 || strings.Contains(r.body, "isAdmin") {
				t.Errorf("%s gave %d: %s", path, r.StatusCode, r.body)
			}
		}
	})
	t.Run("the REST API takes no password", func(t *testing.T) {
		for _, path := range []string{"/wp-json/wp/v2/users/me", "/?rest_route=/wp/v2/users/me", "/index.php/wp-json/wp/v2/users/me"} {
			for _, password := range []string{wp.EditorPassword, wp.EditorAppPassword} {
				h := script.Clone()
				r, _ := http.NewRequest(http.MethodGet, "/", nil)
				r.SetBasicAuth(wp.Editor, password)
				h.Set("Authorization", r.Header.Get("Authorization"))
				if got := s.client().do(http.MethodGet, path, nil, h); got.StatusCode == 200 {
					t.Errorf("%s let a password in: %s", path, got.body)
				}
			}
		}
	})
	t.Run("every spelling of the login's fields is a login", func(t *testing.T) {
		for _, body := range []string{
			"log=" + wp.Admin + "&pwd=" + url.QueryEscape(wp.AdminPassword),
			"+log=" + wp.Admin + "&%20pwd=" + url.QueryEscape(wp.AdminPassword),
			"%6cog=" + wp.Admin + "&pwd%00x=" + url.QueryEscape(wp.AdminPassword),
			"log=x&log=" + wp.Admin + "&pwd=" + url.QueryEscape(wp.AdminPassword),
			"log=" + wp.Admin + "&pwd=" + url.QueryEscape(wp.AdminPassword) + "&testcookie=1",
			"log=" + wp.Admin + "&pwd=" + url.QueryEscape(wp.AdminPassword) + "&reauth=1",
		} {
			for _, path := range []string{"/wp-login.php", "/wp-login.php/x", "/wp-login.php?action=nonsense", "/wp-login.php?interim-login=1", "/wp-login.php?reauth=1"} {
				c := s.client()
				r := c.do(http.MethodPost, path, strings.NewReader(body), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
				for name, value := range c.cookies("/wp-admin/") {
					if strings.HasPrefix(name, "wordpress_logged_in") && value != "" {
						t.Errorf("%q to %s gave %d and the cookie %s", body, path, r.StatusCode, name)
					}
				}
				if got := c.get("/wp-admin/profile.php"); got.StatusCode == 200 && strings.Contains(got.body, "your-profile") {
					t.Errorf("%q to %s opened the profile", body, path)
				}
			}
		}
	})
	t.Run("a comment and a post password work for visitors", func(t *testing.T) {
		c := s.client()
		c.get(wp.SecretPath)
		c.do(http.MethodPost, "/wp-login.php?action=postpass", strings.NewReader(url.Values{"post_password": {wp.PostPassword}}.Encode()),
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Referer": {s.url + wp.SecretPath}})
		if r := c.get(wp.SecretPath); !strings.Contains(r.body, wp.SecretText) {
			t.Errorf("the post's password does not open it: %d", r.StatusCode)
		}
	})
}

// directSession signs in at WordPress itself, as somebody who reaches it past
// the gateway would, and returns the cookies.
func directSession(t *testing.T, wp *wordpress.Site) map[string]string {
	t.Helper()
	form := url.Values{"log": {wp.Admin}, "pwd": {wp.AdminPassword}}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.PostForm("http://"+wp.URL+"/wp-login.php", form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	cookies := map[string]string{}
	for _, c := range res.Cookies() {
		cookies[c.Name] = c.Value
	}
	if len(cookies) < 2 {
		t.Fatalf("WordPress gave no session: %d %v", res.StatusCode, cookies)
	}
	return cookies
}
