package demoapp

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestAVisitorSeesThePublicPagesAndIsSentToTheLoginFromTheOthers(t *testing.T) {
	b := start(t, Options{})
	b.page(PageStart).must(t, 200, "").mustSay(t, "Please <a href=\"/login\">sign in</a>")
	b.page(PageLogin).must(t, 200, "").mustSay(t, `name="password"`)
	b.page(PageProfile).must(t, 200, "").mustSay(t, "Please sign in")
	b.page(PageMe).must(t, 401, "").mustSay(t, `{"error":"not signed in"}`)
	b.get("/assets/style.css").must(t, 200, "").mustSet(t)
	b.get("/assets/login.js").must(t, 200, "")
	b.get("/assets/other").must(t, 404, "")
	b.get("/nowhere").must(t, 404, "").mustSay(t, "no such page")
	for _, p := range []Page{PageDashboard, PageContacts, PageExport} {
		b.page(p).must(t, 302, "/login")
	}
	b.post("/contacts/export", nil).must(t, 302, "/login")
	b.do(http.MethodDelete, "/contacts", "", "").must(t, 405, "")
}

func TestAUserSeesTheOwnPagesAndIsNamedOnThem(t *testing.T) {
	b := start(t, Options{})
	b.login(alice, alicePassword)
	b.page(PageDashboard).must(t, 200, "").mustSay(t, "Hello Alice Archer")
	b.page(PageStart).mustSay(t, `Signed in as <span class="user">alice@example.com</span>`)
	profile := b.page(PageProfile).mustSay(t, `Signed in as <span class="user">alice@example.com</span>`)
	if strings.Contains(profile.body, "Please sign in") {
		t.Error("a user's profile says what only a visitor's may say")
	}
	b.page(PageMe).must(t, 200, "").mustSay(t, `{"email":"alice@example.com"}`)
	b.page(PageContacts).mustSay(t, "Maria Anders").mustSay(t, "Christina Sommer")
	found := b.get("/contacts?q=moreno").mustSay(t, "Hanna Moreno")
	if strings.Contains(found.body, "Anders") {
		t.Error("the search found everybody")
	}
	b.get("/contacts?q=nobody").mustSay(t, "No contact fits")
}

func TestTheExportIsADownloadOfAllContacts(t *testing.T) {
	b := start(t, Options{})
	b.login(alice, alicePassword)
	got := b.page(PageExport).must(t, 200, "")
	if got.Header.Get("Content-Disposition") != `attachment; filename="contacts.csv"` {
		t.Errorf("Content-Disposition is %q", got.Header.Get("Content-Disposition"))
	}
	if got.ContentLength != int64(len(got.body)) {
		t.Errorf("Content-Length is %d for %d bytes", got.ContentLength, len(got.body))
	}
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || len(rows) != 49 || len(rows[0]) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}

	head := b.do(http.MethodHead, "/contacts/export", "", "").must(t, 200, "")
	if head.Header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
		t.Errorf("HEAD announces %q bytes", head.Header.Get("Content-Length"))
	}
	r, err := http.NewRequest(http.MethodGet, b.base+"/contacts/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Range", "bytes=0-9")
	if part := b.send(r).must(t, 206, ""); part.body != got.body[:10] {
		t.Errorf("the range is %q", part.body)
	}
}

func TestTheExportByPostTakesFieldsAndATokenThatWorksOnce(t *testing.T) {
	b := start(t, Options{})
	b.login(alice, alicePassword)
	fields := url.Values{
		"csrf": {tokenOf(t, b.page(PageContacts).body)}, "columns": {"name", "city"}, "separator": {"semicolon"},
	}
	got := b.post("/contacts/export", fields).must(t, 200, "")
	if first, _, _ := strings.Cut(got.body, "\n"); first != "Name;City" {
		t.Errorf("the first line is %q", first)
	}
	if got.ContentLength != int64(len(got.body)) || got.Header.Get("Content-Disposition") == "" {
		t.Error("the answer is no download of a known length")
	}
	b.post("/contacts/export", fields).must(t, 403, "").mustSay(t, "expired")
	b.post("/contacts/export", nil).must(t, 403, "")

	contentType, body := multipartBody(t, map[string]string{"csrf": tokenOf(t, b.page(PageContacts).body), "columns": "email"})
	got = b.do(http.MethodPost, "/contacts/export", contentType, body).must(t, 200, "")
	if first, _, _ := strings.Cut(got.body, "\n"); first != "E-mail" {
		t.Errorf("the first line of the multipart export is %q", first)
	}
}

func TestPathsAreReadAsLenientlyAsAppsDo(t *testing.T) {
	b := start(t, Options{})
	b.login(alice, alicePassword)
	for _, spelling := range []string{
		"/contacts/export/", "//contacts//export", "/contacts/./export", "/x/../contacts/export",
		"/contacts/%65xport", "/contacts%2fexport", "/contacts/%2e/export", "/Contacts/EXPORT",
		"/contacts/export;a=b", "/contacts/export/x.csv",
	} {
		if got := b.get(spelling); got.Header.Get("Content-Disposition") == "" {
			t.Errorf("%s is no export but %d", spelling, got.StatusCode)
		}
	}
}

func TestLogoutEndsTheSessionByGetAndByPostWithAToken(t *testing.T) {
	b := start(t, Options{Remember: true})
	b.login(alice, alicePassword)
	b.post("/logout", nil).must(t, 403, "")
	b.mustBe(alice)
	stolen := b.session()
	token := tokenOf(t, b.page(PageProfile).body)
	b.post("/logout", url.Values{"csrf": {token}}).must(t, 302, "/login").
		mustSet(t, "crm_session / deleted", "crm_remember / deleted")
	b.mustBe("")
	b.withCookie(PageMe, stolen).must(t, 401, "")

	b.login(bob, bobPassword)
	stolen = b.session()
	b.get("/logout").must(t, 302, "/login")
	b.mustBe("")
	b.withCookie(PageMe, stolen).must(t, 401, "")
	if len(b.app.Sessions()) != 0 || len(b.app.Remembered()) != 0 {
		t.Errorf("left over: %v %v", b.app.Sessions(), b.app.Remembered())
	}
}

func TestWhatWasTypedIsShownEscaped(t *testing.T) {
	b := start(t, Options{})
	got := b.login(`"><b>x`, "wrong").must(t, 200, "")
	if strings.Contains(got.body, "<b>x") {
		t.Error("the typed name is not escaped")
	}
	b.login("carol@example.com", "wrong").mustSay(t, `value="carol@example.com"`)
}
