package page

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

// serveMails answers /<number of the mail>/<language>, and below /bare/ the
// same without its head, as some mail programs show it.
func serveMails(t *testing.T, s *Set, mails []MailPage) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var index int
		var lang string
		path, bare := strings.CutPrefix(r.URL.Path, "/bare")
		if _, err := fmt.Sscanf(path, "/%d/%s", &index, &lang); err != nil || index >= len(mails) {
			http.NotFound(w, r)
			return
		}
		m, err := s.Mail(Lang(lang), mails[index])
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body := m.HTML
		if bare {
			body = `<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width=device-width">` + withoutHead(t, m)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestMailsFitTheirWindowInABrowser(t *testing.T) {
	ctx := browser(t)
	all := everyMail()
	names := slices.Sorted(maps.Keys(all))
	var mails []MailPage
	for _, name := range names {
		mails = append(mails, all[name])
	}
	long := strings.Repeat("Donaudampfschifffahrtsgesellschaft", 3)
	names = append(names, "long words")
	mails = append(mails, mailPage(MailConfirm, func(n *MailPage) {
		n.Site, n.User, n.Browser, n.Place = long, long, long, long
		n.Link = "https://crm.example.com/" + strings.Repeat("x", 300)
	}))
	base := serveMails(t, testSet(t, fullOptions), mails)
	pictures := os.Getenv("PAGE_PICTURES")
	for _, v := range []view{
		{name: "phone", width: 320, langs: []Lang{sourceLanguage, pseudoTag}},
		{name: "desk", width: 1280, langs: []Lang{sourceLanguage}},
		{name: "phone-dark", width: 320, dark: true, langs: []Lang{sourceLanguage}},
	} {
		if pictures == "" && v.name != "phone" {
			continue
		}
		if err := v.set(ctx); err != nil {
			t.Fatal(err)
		}
		for i, mailName := range names {
			for _, l := range v.langs {
				for _, form := range []string{"", "/bare"} {
					// The tightest views will do: the longer texts, and what has all parts.
					if pictures == "" && (form != "" && l != pseudoTag || strings.HasSuffix(mailName, " bare")) {
						continue
					}
					name := strings.NewReplacer(" ", "-", "/", "").Replace("mail " + mailName + " " + string(l[:2]) + " " + v.name + form)
					m := look(t, ctx, fmt.Sprintf("%s%s/%d/%s", base, form, i, l), v, pictures, name)
					if m.Scroll > m.Inner || len(m.Outside) > 0 {
						t.Errorf("%s: %v px wide in a window of %v; outside: %v", name, m.Scroll, m.Inner, m.Outside)
					}
					if len(m.Small) > 0 {
						t.Errorf("%s: targets are too small: %v", name, m.Small)
					}
				}
			}
		}
	}
}
