package twofactor

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/django"
)

// djangoSite starts the real Django behind a gateway that has nothing but the
// recipe.
func djangoSite(t *testing.T) (*site, *django.Site) {
	t.Helper()
	recipe, err := os.ReadFile("recipes/django.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	dj := django.Start(t)
	s.start(string(recipe), dj.URL)
	s.enrol(dj.Admin, account.KindTOTP)
	s.enrol(dj.Editor, account.KindPhone)
	s.enrol(dj.Customer, account.KindTOTP)
	return s, dj
}

// djangoLogin fills a login form of Django's in and sends it.
func djangoLogin(p *browser.Page, user, password string) {
	p.Fill(`input[name="username"]`, user)
	p.Fill(`input[name="password"]`, password)
	p.Submit(`input[name="password"]`)
}

// djangoSession fails if the browser holds Django's session other than sealed,
// and returns what it holds.
func djangoSession(t *testing.T, p *browser.Page) *http.Cookie {
	t.Helper()
	c := p.Cookie("sessionid")
	if c != nil && (!strings.HasPrefix(c.Value, "2f1.") || !c.HttpOnly) {
		t.Errorf("the browser holds the session as %s", c)
	}
	return c
}

func TestDjangoAsksForTheSecondFactor(t *testing.T) {
	s, dj := djangoSite(t)
	b := browser.Start(t)
	admin := b.NewPerson(t)
	csrfBefore := ""

	t.Run("a visitor reads the site and is sent to the login page for the admin", func(t *testing.T) {
		admin.Open(s.url + "/")
		admin.WaitFor("#visitor")
		admin.Open(s.url + "/admin/auth/user/")
		admin.WaitFor("#login-form")
		// Django itself would have added where to go on.
		if admin.URL() != s.url+"/admin/login/" {
			t.Errorf("the admin led to %s", admin.URL())
		}
	})
	t.Run("a wrong password passes as Django shows it", func(t *testing.T) {
		djangoLogin(admin, dj.Admin, "wrong")
		admin.WaitFor("#login-form")
		admin.WaitFor(".errornote")
		if admin.Status() != 200 || djangoSession(t, admin) != nil {
			t.Errorf("got %d and the session %v", admin.Status(), admin.Cookie("sessionid"))
		}
	})
	t.Run("a right password gives the challenge and no session", func(t *testing.T) {
		csrfBefore = admin.Cookie("csrftoken").Value
		djangoLogin(admin, dj.Admin, dj.AdminPassword)
		admin.WaitFor("#code")
		if djangoSession(t, admin) != nil {
			t.Error("the browser holds a session before the code")
		}
		if got := admin.Cookie("csrftoken").Value; got != csrfBefore {
			t.Error("a cookie of the held answer has reached the browser")
		}
	})
	t.Run("a wrong code opens nothing", func(t *testing.T) {
		enterCode(admin, "000000")
		admin.WaitFor(`[role="alert"]`)
		admin.Open(s.url + "/admin/")
		admin.WaitFor("#code")
	})
	t.Run("a second user in another browser is not hindered, and comes to the page that was asked for", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(s.url + "/admin/login/?next=/admin/auth/user/")
		djangoLogin(p, dj.Editor, dj.EditorPassword)
		p.WaitFor("#code")
		enterCode(p, s.textCode())
		p.WaitFor("#changelist")
		if p.URL() != s.url+"/admin/auth/user/" {
			t.Errorf("the code led to %s", p.URL())
		}
		p.Open(s.url + "/")
		p.WaitText(dj.Editor)
	})
	t.Run("a right code lands in the admin, with a sealed session", func(t *testing.T) {
		enterCode(admin, s.code(dj.Admin))
		admin.WaitFor("#user-tools")
		if admin.URL() != s.url+"/admin/" {
			t.Errorf("the code led to %s", admin.URL())
		}
		if djangoSession(t, admin) == nil {
			t.Error("the browser holds no session")
		}
		admin.Open(s.url + "/")
		admin.WaitText(dj.Admin)
	})
	t.Run("the CSRF cookie is the new one, and a script reads it as it is", func(t *testing.T) {
		admin.Open(s.url + "/admin/auth/user/")
		var got struct {
			Token         string
			With, Without int
		}
		admin.Eval(`(async () => {
			const token = document.cookie.split("; ").find(c => c.startsWith("csrftoken=")).slice("csrftoken=".length);
			const post = async headers => (await fetch(location.href, {
				method: "POST", headers, body: new URLSearchParams({action: "delete_selected", _selected_action: "1", index: "0"}),
			})).status;
			return {Token: token, With: await post({"X-CSRFToken": token}), Without: await post({})};
		})()`, &got)
		if got.Token == csrfBefore || strings.HasPrefix(got.Token, "2f1.") {
			t.Errorf("the script reads the token %q", got.Token)
		}
		if got.With != 200 || got.Without != 403 {
			t.Errorf("Django answers the script %d with the token and %d without", got.With, got.Without)
		}
	})
	t.Run("a form with a user name and new passwords is no login", func(t *testing.T) {
		admin.Open(s.url + "/admin/auth/user/add/")
		admin.Fill(`input[name="username"]`, "temporary")
		admin.Fill(`input[name="password1"]`, "seven green lamps 4")
		admin.Fill(`input[name="password2"]`, "seven green lamps 4")
		admin.Submit(`input[name="password2"]`)
		admin.WaitFor(".messagelist .success")
	})
	t.Run("an action of the list page works", func(t *testing.T) {
		admin.Open(s.url + "/admin/auth/user/?q=temporary")
		admin.Eval(`document.querySelector("#result_list input.action-select").click()`, nil)
		admin.Fill(`select[name="action"]`, "delete_selected")
		admin.Click(`#changelist-form .actions button`)
		admin.WaitFor(`input[name="post"] ~ input[type="submit"]`)
		admin.Submit(`input[name="post"]`)
		admin.WaitFor(".messagelist .success")
		if admin.Open(s.url + "/admin/auth/user/"); strings.Contains(admin.HTML(), "temporary") {
			t.Error("the user is still there")
		}
	})
	const newPassword = "another horse entirely 5"
	t.Run("a change of the password gives the session a new key and goes on without a challenge", func(t *testing.T) {
		before := djangoSession(t, admin).Value
		admin.Open(s.url + "/admin/password_change/")
		admin.Fill(`input[name="old_password"]`, dj.AdminPassword)
		admin.Fill(`input[name="new_password1"]`, newPassword)
		admin.Fill(`input[name="new_password2"]`, newPassword)
		admin.Submit(`input[name="new_password2"]`)
		if !strings.HasSuffix(admin.URL(), "/admin/password_change/done/") {
			t.Errorf("the form led to %s", admin.URL())
		}
		if djangoSession(t, admin).Value == before {
			t.Error("the browser holds the old session")
		}
		admin.Open(s.url + "/admin/")
		admin.WaitFor("#user-tools")
	})
	t.Run("logging out ends the session, here too", func(t *testing.T) {
		held := admin.Cookies()
		// Django 5 has a form in place of the link.
		admin.Click(`#user-tools a[href="/admin/logout/"], #logout-form button`)
		if djangoSession(t, admin) != nil {
			t.Error("the browser still holds a session")
		}
		p := b.NewPerson(t)
		p.Open(s.url + "/")
		for _, c := range held {
			p.SetCookie(c)
		}
		p.Open(s.url + "/admin/")
		if p.URL() != s.url+"/admin/login/" {
			t.Errorf("with the cookies of before the admin led to %s", p.URL())
		}
		p.Open(s.url + "/")
		p.WaitFor("#visitor")
	})
	t.Run("the second login form asks as well", func(t *testing.T) {
		admin.Open(s.url + "/accounts/login/")
		djangoLogin(admin, dj.Admin, newPassword)
		admin.WaitFor("#code")
		if djangoSession(t, admin) != nil {
			t.Error("the browser holds a session before the code")
		}
		enterCode(admin, s.code(dj.Admin))
		admin.WaitText(dj.Admin)
		if admin.URL() != s.url+"/" {
			t.Errorf("the code led to %s", admin.URL())
		}
	})
	t.Run("who may not enter the admin sees what Django says of it", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(s.url + "/accounts/login/")
		djangoLogin(p, dj.Customer, "wrong")
		p.WaitFor("#members .errorlist")
		djangoLogin(p, dj.Customer, dj.CustomerPassword)
		p.WaitFor("#code")
		enterCode(p, s.code(dj.Customer))
		p.WaitText(dj.Customer)
		p.Open(s.url + "/admin/")
		p.WaitText("You are authenticated as customer, but are not authorized")
	})
	t.Run("the admin's own scripts and styles came whole", func(t *testing.T) {
		for _, line := range admin.Console() {
			// Nobody has made an icon, and one script was sent without its token on purpose.
			if !strings.HasSuffix(line, "/favicon.ico") && !strings.Contains(line, "status of 403") {
				t.Error(line)
			}
		}
	})
}
