package demoapp

import (
	"net/http"
	"strings"
	"testing"
)

func TestSideDoorsOpenWithoutTheLoginForm(t *testing.T) {
	b := start(t, Options{SideDoors: true})
	session := b.app.NewSession(alice)
	for _, test := range []struct {
		name, method, address, body string
		header                      http.Header
	}{
		{"Basic", "GET", "/contacts", "", http.Header{"Authorization": {basicOf(alice, alicePassword)}}},
		{"a remote call", "POST", "/xmlrpc.php", "<call><user>" + alice + "</user> <password>" + alicePassword + "</password></call>", nil},
		{"a session in the query", "GET", "/contacts?PHPSESSID=" + session, "", nil},
		{"a session in the path", "GET", "/contacts;jsessionid=" + session, "", nil},
		{"a session in a form", "POST", "/contacts", "PHPSESSID=" + session, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		{"another address", "GET", "/assets/app.css", "", http.Header{"X-Original-Url": {"/contacts"}, "Cookie": {"crm_session=" + session}}},
		{"another method", "DELETE", "/contacts", "", http.Header{"X-Http-Method-Override": {"GET"}, "Cookie": {"crm_session=" + session}}},
		{"another method by a field", "POST", "/contacts?_method=get", "", http.Header{"Cookie": {"crm_session=" + session}}},
	} {
		b.app.Reset()
		r, err := http.NewRequest(test.method, b.base+test.address, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range test.header {
			r.Header[name] = values
		}
		b.http.Jar = nil
		if answer := b.send(r); answer.StatusCode != 200 || !strings.Contains(answer.body, "Maria Anders") {
			t.Errorf("%s: %d %.100s", test.name, answer.StatusCode, answer.body)
		}
		if seen := b.app.Seen(); len(seen) != 1 || seen[0].User != alice || seen[0].Page == "" {
			t.Errorf("%s was seen as %+v", test.name, seen)
		}
	}
}

func TestTheStaffHaveALoginPageOfTheirOwn(t *testing.T) {
	b := start(t, Options{SideDoors: true})
	token := tokenOf(t, b.get("/admin/login").body)
	r := b.do(http.MethodPost, "/admin/login", "application/x-www-form-urlencoded",
		"username=alice%40example.com&password=correct+horse&csrf="+token)
	if r.StatusCode != http.StatusFound || b.app.Sessions()[b.session()] != alice {
		t.Errorf("%d, %v", r.StatusCode, b.app.Sessions())
	}
}

func TestPathsAreReadInThreeWays(t *testing.T) {
	for _, test := range []struct {
		decoded          string
		plain, java, iis string
	}{
		{"/Contacts/", "/contacts", "/contacts", "/contacts"},
		{"/a;b/../contacts", "/a", "/contacts", "/contacts"},
		{"/contacts;x/export", "/contacts", "/contacts/export", "/contacts;x/export"},
		{"/x/..;/contacts", "/", "/contacts", "/x/..;/contacts"},
		{"/%63ontacts", "/%63ontacts", "/%63ontacts", "/contacts"},
		{`/x\..\contacts`, `/x\..\contacts`, `/x\..\contacts`, "/contacts"},
		{"/x/\xc0\xae\xc0\xae\xc0\xafcontacts", "/x/\xc0\xae\xc0\xae\xc0\xafcontacts", "/x/\xc0\xae\xc0\xae\xc0\xafcontacts", "/contacts"},
		{"/\xc1\xa3ontacts", "/\xc1\xa3ontacts", "/\xc1\xa3ontacts", "/contacts"},
		{"/contacts\x00.css", "/contacts\x00.css", "/contacts\x00.css", "/contacts"},
		{"/contacts. ", "/contacts. ", "/contacts. ", "/contacts"},
	} {
		for reading, want := range map[PathReading]string{PathsPlain: test.plain, PathsJava: test.java, PathsIIS: test.iis} {
			if got := reading.clean(test.decoded); !strings.EqualFold(got, want) {
				t.Errorf("reading %d of %q is %q, want %q", reading, test.decoded, got, want)
			}
		}
	}
}

func basicOf(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}
