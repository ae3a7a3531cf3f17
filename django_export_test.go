package twofactor

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/django"
)

const exportedUsers = "username,first name,e-mail,staff"

// usersToExport opens Django's list of users at this address, and chooses all of
// them and the action that exports.
func usersToExport(p *browser.Page, at string) {
	p.Open(at + "/admin/auth/user/")
	p.WaitFor("#changelist")
	p.Eval(`document.querySelectorAll("#result_list input.action-select").forEach(e => e.click())`, nil)
	p.Fill(`select[name="action"]`, "export_as_csv")
}

const runAction = "#changelist-form .actions button"

func TestDjangoAsksAgainForAnExport(t *testing.T) {
	s, dj := djangoSite(t)
	s.enrol(dj.Admin, account.KindPhone)
	b := browser.Start(t)
	plain := "http://" + dj.URL
	there := b.NewPerson(t)
	there.Open(plain + "/admin/login/")
	djangoLogin(there, dj.Admin, dj.AdminPassword)
	here := b.NewPerson(t)
	here.Open(s.url + "/admin/login/")
	djangoLogin(here, dj.Admin, dj.AdminPassword)
	enterCode(here, s.textCode())
	here.WaitFor("#user-tools")

	t.Run("the file of the list page's action is the one without a gateway", func(t *testing.T) {
		usersToExport(there, plain)
		want := there.Save(runAction, 1)
		usersToExport(here, s.url)
		sent := len(s.texts())
		here.Click(runAction)
		says(t, here, "To export data, get a code by text message")
		if n := len(s.texts()); n != sent {
			t.Fatalf("%d texts were sent before anybody asked for one", n-sent)
		}
		here.Click(sendButton)
		here.Fill("#code", s.textCode())
		got := here.Save(continueButton, 1)
		if want.Name != "users.csv" || !strings.HasPrefix(string(want.Body), exportedUsers) || strings.Count(string(want.Body), "\n") != 4 {
			t.Fatalf("without the gateway the file is %q:\n%s", want.Name, want.Body)
		}
		same(t, got, want)
	})
	t.Run("another action of the same list asks for nothing", func(t *testing.T) {
		usersToExport(here, s.url)
		here.Fill(`select[name="action"]`, "delete_selected")
		here.Click(runAction)
		here.WaitText("Are you sure")
	})
	t.Run("a page of django-import-export asks too", func(t *testing.T) {
		here.Open(s.url + "/admin/auth/user/export/")
		says(t, here, "To export data, get a code by text message")
	})
	t.Run("the export asks in every spelling that Django reads", func(t *testing.T) {
		exportSpellings(t, s, dj, here, there)
	})
}

// exportSpellings sends the export as Django takes it in other spellings. Each is
// sent to Django itself too, so that each is known to be an export.
func exportSpellings(t *testing.T, s *site, dj *django.Site, here, there *browser.Page) {
	const form, chosen = "application/x-www-form-urlencoded", "&_selected_action=1&_selected_action=2"
	part := func(lines ...string) string {
		return "--frontier\r\n" + strings.Join(lines, "\r\n--frontier\r\n") + "\r\n--frontier--\r\n"
	}
	field := func(head, value string) string {
		return "Content-Disposition: form-data; name=" + head + "\r\n\r\n" + value
	}
	ids := field(`"_selected_action"`, "1")
	for _, c := range []struct{ name, path, kind, body string }{
		{"the form", "/admin/auth/user/", form, "action=export_as_csv&index=0" + chosen},
		{"a percent-encoded name", "/admin/auth/user/", form, "%61ction=export_as_csv" + chosen},
		{"a percent-encoded value", "/admin/auth/user/", form, "action=%65xport_as_csv" + chosen},
		{"the field at the end", "/admin/auth/user/", form, strings.TrimPrefix(chosen, "&") + "&action=export_as_csv"},
		{"the second of two", "/admin/auth/user/", form, "action=delete_selected&action=export_as_csv&index=1" + chosen},
		{"the first of two", "/admin/auth/user/", form, "action=export_as_csv&action=delete_selected&index=0" + chosen},
		{"a semicolon that separates nothing", "/admin/auth/user/", form, "x=1;2&action=export_as_csv" + chosen},
		{"another charset", "/admin/auth/user/", form + "; charset=utf-7", "action=%2BAGU-xport_as_csv" + chosen},
		{"multipart", "/admin/auth/user/", "multipart/form-data; boundary=frontier", part(field(`"action"`, "export_as_csv"), ids)},
		{"multipart without quotation marks", "/admin/auth/user/", "multipart/form-data; boundary=frontier", part(field(`action`, "export_as_csv"), ids)},
		{"multipart in base64", "/admin/auth/user/", "multipart/form-data; boundary=frontier",
			part("Content-Disposition: form-data; name=\"action\"\r\nContent-Transfer-Encoding: base64\r\n\r\nZXhwb3J0X2FzX2Nzdg==", ids)},
		{"a search in the address", "/admin/auth/user/?q=&o=1", form, "action=export_as_csv" + chosen},
		{"a percent-encoded path", "/admin/auth/%75ser/", form, "action=export_as_csv" + chosen},
		{"more before the field than is read", "/admin/auth/user/", form, "x=" + strings.Repeat("a", 70<<10) + "&action=export_as_csv" + chosen},
		{"much before the field", "/admin/auth/user/", form, "x=" + strings.Repeat("a", 60<<10) + "&action=export_as_csv" + chosen},
	} {
		header := http.Header{"Content-Type": {c.kind}, "X-Csrftoken": {cookieAt(t, there, "127.0.0.1", "csrftoken").Value}}
		direct, err := http.NewRequest(http.MethodPost, "http://"+dj.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		direct.Header = header
		for _, name := range []string{"sessionid", "csrftoken"} {
			direct.AddCookie(cookieAt(t, there, "127.0.0.1", name))
		}
		res, err := http.DefaultClient.Do(direct)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || !strings.HasPrefix(string(text), exportedUsers) {
			t.Errorf("%s: without a gateway Django answers %d, so that this shows nothing: %v\n%.300s", c.name, res.StatusCode, err, text)
		}
		client := s.client()
		for _, k := range here.Cookies() {
			client.setCookie(k.Name, k.Value)
		}
		header = http.Header{"Content-Type": {c.kind}, "X-Csrftoken": {cookieAt(t, here, "localhost", "csrftoken").Value}}
		if r := client.do(http.MethodPost, c.path, strings.NewReader(c.body), header); r.StatusCode < 300 || strings.Contains(r.body, exportedUsers) {
			t.Errorf("%s: it gave %d:\n%.300s", c.name, r.StatusCode, r.body)
		}
	}
}

// cookieAt returns a cookie of a host, without attributes.
func cookieAt(t *testing.T, p *browser.Page, host, name string) *http.Cookie {
	t.Helper()
	for _, c := range p.Cookies() {
		if c.Name == name && strings.TrimPrefix(c.Domain, ".") == host {
			return &http.Cookie{Name: c.Name, Value: c.Value}
		}
	}
	t.Fatalf("the browser has no cookie %s of %s: %v", name, host, p.Cookies())
	return nil
}
