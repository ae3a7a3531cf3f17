package twofactor

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/wordpress"
)

// What of WordPress's export is the time at which it was made: two lines of the
// file, and the day in its name. Everything else is compared byte for byte.
var (
	exportTimes = regexp.MustCompile(`^\t(<!-- generator="WordPress/[0-9.]+" created="\d{4}-\d\d-\d\d \d\d:\d\d" -->|<pubDate>\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000</pubDate>)$`)
	exportDay   = regexp.MustCompile(`\d{4}-\d\d-\d\d`)
)

// sameExport compares two exports, and fails if more than the time differs.
func sameExport(t *testing.T, got, want string) {
	t.Helper()
	here, there := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(there) < 100 || !strings.Contains(want, "<wp:comment_author_email>") {
		t.Fatalf("without the gateway there is no export to compare with:\n%.400s", want)
	}
	if len(here) != len(there) {
		t.Fatalf("the export has %d lines and %d bytes, without the gateway %d and %d:\n%.400s", len(here), len(got), len(there), len(want), got)
	}
	times := 0
	for i := range there {
		if exportTimes.MatchString(here[i]) && exportTimes.MatchString(there[i]) {
			times++
			continue
		}
		if here[i] != there[i] {
			t.Errorf("line %d is %q, without the gateway %q", i+1, here[i], there[i])
		}
	}
	if times != 2 {
		t.Errorf("%d lines are the time, want 2", times)
	}
}

// askDirectly asks WordPress itself.
func askDirectly(t *testing.T, wp *wordpress.Site, cookies map[string]string, path string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+wp.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestWordPressAsksAgainForItsExport(t *testing.T) {
	s, wp := wordPressSite(t)
	s.enrol(wp.Admin, account.KindPhone)
	admin := browser.Start(t).NewPerson(t)
	admin.Open(s.url + "/wp-login.php")
	wp.FillLogin(admin, wp.Admin, wp.AdminPassword)
	admin.Click("#wp-submit")
	enterCode(admin, s.textCode())
	admin.WaitFor("#wpadminbar")
	direct := directSession(t, wp)

	t.Run("the file is the one without a gateway", func(t *testing.T) {
		admin.Open(s.url + "/wp-admin/export.php")
		admin.WaitFor("#export-filters")
		sent := len(s.texts())
		admin.Click("#submit")
		says(t, admin, "To export the content of the site, get a code by text message")
		if n := len(s.texts()); n != sent {
			t.Fatalf("%d texts were sent before anybody asked for one", n-sent)
		}
		admin.Click(sendButton)
		if text := s.texts()[0]; !strings.Contains(text, "export the content of the site") {
			t.Errorf("the text does not name the action: %q", text)
		}
		enterCode(admin, wrongCode(s))
		says(t, admin, "That code is not right")
		admin.Fill("#code", s.textCode())
		got := admin.Save(continueButton, 1)
		res, want := askDirectly(t, wp, direct, "/wp-admin/export.php?download=true&content=all&cat=0&post_author=0&post_start_date=0&post_end_date=0&post_status=0"+
			"&page_author=0&page_start_date=0&page_end_date=0&page_status=0&attachment_start_date=0&attachment_end_date=0&submit=Download+Export+File")
		sameExport(t, string(got.Body), want)
		for _, field := range []string{"Content-Type", "Content-Disposition", "Content-Description", "Content-Length", "Cache-Control", "Expires"} {
			if here, there := got.Header.Get(field), res.Header.Get(field); exportDay.ReplaceAllString(here, "") != exportDay.ReplaceAllString(there, "") {
				t.Errorf("%s is %q, without the gateway %q", field, here, there)
			}
		}
		if !regexp.MustCompile(`^arealwordpress\.WordPress\.\d{4}-\d\d-\d\d\.xml$`).MatchString(got.Name) || got.Status != http.StatusOK {
			t.Errorf("the file is %q by status %d", got.Name, got.Status)
		}
	})
	t.Run("the next one asks again, in every spelling that WordPress reads", func(t *testing.T) {
		c := s.client()
		for _, k := range admin.Cookies() {
			c.setCookie(k.Name, k.Value)
		}
		mustSay(t, c.get("/wp-admin/export.php"), http.StatusOK, "export-filters")
		for _, path := range []string{
			"/wp-admin/export.php?download=true&content=all",
			"/wp-admin/export.php?download",
			"/wp-admin/export.php?content=posts&cat=0&post_author=0&post_start_date=0&post_end_date=0&post_status=0&download=",
			"/wp-admin/export.php?%64ownload=true",
			"/wp-admin/export.php?%20download=true",
			"/wp-admin/export.php?+download=true",
			"/wp-admin/export.php?download[]=true",
			"/wp-admin/export.php?download%00x=true",
			"/wp-admin/export.php?x=1;&download=true",
			"/wp-admin/export.php/x?download=true",
			"/wp-admin//export.php?download=true",
			"//wp-admin/export.php?download=true",
			"/wp-admin/%65xport.php?download=true",
			"/wp-admin/export%2ephp?download=true",
		} {
			if _, body := askDirectly(t, wp, direct, path); !strings.Contains(body, "<wp:comment_author_email>") && !strings.Contains(body, "<wp:wxr_version>") {
				t.Errorf("%s is no export without a gateway either:\n%.200s", path, body)
			}
			if r := c.get(path); r.StatusCode < 300 || strings.Contains(r.body, "<wp:wxr_version>") {
				t.Errorf("%s gave %d:\n%.200s", path, r.StatusCode, r.body)
			}
			if r := c.do(http.MethodHead, path, nil, nil); r.StatusCode < 300 {
				t.Errorf("HEAD %s gave %d", path, r.StatusCode)
			}
		}
	})
	t.Run("personal data: the login's code is fresh enough for a quarter of an hour", func(t *testing.T) {
		admin.Open(s.url + "/wp-admin/export-personal-data.php")
		admin.WaitFor("#wpadminbar")
		s.clock().pass(16 * 60e9)
		admin.Open(s.url + "/wp-admin/export-personal-data.php")
		says(t, admin, "To export personal data, get a code by text message")
		admin.Click(sendButton)
		enterCode(admin, s.textCode())
		for range 2 {
			admin.WaitFor("#wpadminbar")
			if at := pathOf(t, admin); at != "/wp-admin/export-personal-data.php" {
				t.Fatalf("the code led to %s", at)
			}
			admin.Reload()
		}
	})
}
