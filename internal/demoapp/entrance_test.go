package demoapp

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// entranceTest is what is peculiar to a style in which people do not come in by
// a form, and its test.
type entranceTest struct {
	// words stand in the style's Caddyfile.
	words []string
	test  func(*testing.T, *browser)
}

var entranceTests = map[string]entranceTest{
	"basic":         {[]string{"\tlogin *", "\tuser basic", "\tyes ", "\tno ", "\tunverified anonymous"}, basicOnEveryPage},
	"keys":          {[]string{"\tlogin ", "\tuser header " + UserHeader, "\tcredential field " + KeyHeader, "\tyes ", "\tno "}, keysWithEveryRequest},
	"trusted":       {[]string{"basic_auth", "\tidentity ", "header_up " + TrustedHeader}, trustInWhatStandsInFront},
	"several-users": {[]string{"\tlogin ", "\tyes ", "\tno ", "\tspeaks_for query " + SpeakerField}, severalUsersInOneSession},
}

func entranceOf(t *testing.T, style string) entranceTest {
	t.Helper()
	e, ok := entranceTests[style]
	if !ok {
		t.Fatalf("the style %s, whose people do not come in by a form, has no test of its own", style)
	}
	return e
}

func TestEveryStyleWithoutAFormLogsInAsItSays(t *testing.T) {
	for _, style := range Styles() {
		if style.Options.ByForm() {
			continue // TestASecondLoginInTheSameSessionChangesTheUserInEveryStyle
		}
		e := entranceOf(t, style.Name)
		o := style.Options
		t.Run(style.Name, func(t *testing.T) { e.test(t, start(t, o)) })
		o.Remember, o.TwoPaths, o.DeleteAndSet, o.HashedName, o.Rotate, o.BasePath = true, true, true, true, true, "/crm"
		t.Run(style.Name+" and other switches", func(t *testing.T) { e.test(t, start(t, o)) })
	}
}

// with asks for a page with header fields.
func (b *browser) with(p Page, fields ...string) reply {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.base+b.app.Options().Path(p), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	return b.send(r)
}

// hasNoForm checks that there is neither a login form nor a way to sign out.
func (b *browser) hasNoForm(fields ...string) {
	b.t.Helper()
	for _, p := range []Page{PageLogin, PageLogout} {
		if r := b.with(p, fields...); r.StatusCode != http.StatusNotFound {
			b.t.Errorf("%s answers %d", p, r.StatusCode)
		}
	}
	if r := b.with(PageProfile, fields...); strings.Contains(r.body, "Sign out") {
		b.t.Errorf("a page offers to sign out:\n%s", r.body)
	}
}

func basicOnEveryPage(t *testing.T, b *browser) {
	basic := func(user, password string) string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for name, line := range map[string]string{"nothing": "", "a wrong password": basic(alice, "wrong"), "another's": basic(bob, alicePassword), "another scheme": "Bearer x"} {
		for _, p := range []Page{PageStart, PageContacts, PageMe, "assets"} {
			r := b.with(p, "Authorization", line)
			if r.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Basic ") || strings.Contains(r.body, "Maria Anders") {
				t.Errorf("%s with %s: %d %v", p, name, r.StatusCode, r.Header)
			}
		}
	}
	r, err := http.NewRequest(http.MethodGet, b.base+b.app.Options().BasePath+"/assets/style.css", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.send(r); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("a static file without a password: %d", got.StatusCode)
	}
	r.Header.Set("Authorization", basic(alice, alicePassword))
	if got := b.send(r); got.StatusCode != http.StatusOK {
		t.Errorf("a static file: %d", got.StatusCode)
	}
	b.with(PageContacts, "Authorization", basic("Alice@example.com", alicePassword)).must(t, 200, "").mustSay(t, "Maria Anders")
	b.with(PageProfile, "Authorization", basic(bob, bobPassword)).mustSay(t, "Signed in as")
	b.hasNoForm("Authorization", basic(bob, bobPassword))
	if seen := b.app.Seen(); seen[len(seen)-1].User != bob {
		t.Errorf("the record says %q", seen[len(seen)-1].User)
	}
	b.with(PageContacts).must(t, 401, "")
}

func keysWithEveryRequest(t *testing.T, b *browser) {
	b.with(PageStart).must(t, 200, "").mustSay(t, "tool.js")
	b.with(PageContacts).must(t, 302, b.app.Options().Path(PageStart))
	b.with(PageMe, UserHeader, alice, KeyHeader, "wrong").must(t, 401, "").mustSay(t, `"error"`)
	b.with(PageMe, UserHeader, bob, KeyHeader, alicePassword).must(t, 401, "")
	b.with(PageMe, UserHeader, alice, KeyHeader, alicePassword).must(t, 200, "").mustSay(t, alice)
	b.with(PageContacts, UserHeader, alice, KeyHeader, alicePassword).mustSay(t, "Maria Anders")
	b.with(PageMe).must(t, 401, "")
	b.hasNoForm(UserHeader, bob, KeyHeader, bobPassword)
}

func trustInWhatStandsInFront(t *testing.T, b *browser) {
	b.with(PageContacts).must(t, 302, b.app.Options().Path(PageStart))
	b.with(PageContacts, TrustedHeader, "nobody@example.com").must(t, 302, b.app.Options().Path(PageStart))
	b.with(PageContacts, TrustedHeader, alice).must(t, 200, "").mustSay(t, "Maria Anders")
	b.with(PageMe, TrustedHeader, "BOB@example.com").mustSay(t, bob)
	b.with(PageMe).must(t, 401, "")
	b.hasNoForm(TrustedHeader, alice)
}

func severalUsersInOneSession(t *testing.T, b *browser) {
	o := b.app.Options()
	as := func(p Page, user string) reply { return b.get(o.Path(p) + "?username=" + user) }
	b.login(alice, alicePassword).must(t, 302, o.Path(PageDashboard)+"?username="+alice)
	as(PageContacts, alice).must(t, 200, "").mustSay(t, "Maria Anders")
	as(PageContacts, bob).must(t, 302, o.Path(PageLogin))
	b.page(PageContacts).must(t, 302, o.Path(PageLogin))
	b.login(bob, bobPassword).must(t, 302, o.Path(PageDashboard)+"?username="+bob)
	for _, user := range []string{alice, bob} {
		as(PageProfile, user).mustSay(t, `<span class="user">`+user)
		as(PageStart, user).mustSay(t, `id="users"`).mustSay(t, `href="`+o.Path(PageStart)+"?username="+alice+`"`)
		as(PageStart, user).mustSay(t, `href="`+o.Path(PageContacts)+"?username="+user+`"`)
	}
	r := b.post(o.Path(PageExport), url.Values{"csrf": {tokenOf(t, as(PageContacts, bob).body)}, "username": {bob}, "columns": {"name"}})
	r.must(t, 200, "").mustSay(t, "Maria Anders")
	as(PageLogout, alice).must(t, 302, o.Path(PageLogin))
	as(PageContacts, alice).must(t, 302, o.Path(PageLogin))
	as(PageContacts, bob).must(t, 200, "")
	as(PageLogout, bob)
	as(PageContacts, bob).must(t, 302, o.Path(PageLogin))
	if n := len(b.app.Sessions()); n > 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestALinkNamesTheUserInTheQueryOrThePath(t *testing.T) {
	const key = "correct%20horse"
	for _, test := range []struct {
		address, user string
	}{
		{"/enter?user=alice@example.com&key=" + key, alice},
		{"/enter/alice@example.com?key=" + key, alice},
		{"/Enter//Alice@example.com/?key=" + key, alice},
		{"/enter/alice@example.com?key=wrong", ""},
		{"/enter/alice@example.com?user=bob@example.com&key=" + key, alice},
		{"/enter?key=" + key, ""},
		{"/login?user=alice@example.com&key=" + key, ""},
	} {
		t.Run(test.address, func(t *testing.T) {
			b := start(t, Options{LoginAt: LoginByLink, EmailField: "user", PasswordField: "key", No: NoUnauthorized})
			b.get(test.address)
			b.mustBe(test.user)
		})
	}
}
