package page

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/caddy-twofactor/caddy-twofactor/mail"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

// mailPage is a mail of a kind that a test changes.
func mailPage(k MailKind, change ...func(*MailPage)) MailPage {
	n := MailPage{
		Kind: k, Site: "Northwind CRM", User: "anna.lindqvist",
		When:  time.Date(2026, 11, 30, 9, 5, 59, 0, time.FixedZone("", 3600)),
		Place: "Berlin, Germany", IP: "192.0.2.7", Browser: "Firefox on Windows",
		Factor: Authenticator, Label: "Work phone", Left: 4,
		Link: "https://crm.example.com/.two-factor/not-me?t=Zm9vYmFyYmF6",
	}
	switch k {
	case MailNumberChanged, MailOwnerSetNumber, MailFactorRemoved:
		n.Factor, n.Ending = TextMessage, "42"
	case MailDemand, MailInvite:
		n.Until = time.Date(2026, 12, 15, 0, 0, 0, 0, time.UTC)
	case MailConfirm:
		n.Until, n.Code = n.When.Add(time.Hour), "739 154"
	}
	for _, f := range change {
		f(&n)
	}
	return n
}

// everyMail is every mail in every state that it has.
func everyMail() map[string]MailPage {
	all := map[string]MailPage{
		"reset of all":           mailPage(MailFactorReset, func(n *MailPage) { n.Factor = 0 }),
		"a phone without number": mailPage(MailFactorAdded, func(n *MailPage) { n.Factor = TextMessage }),
		"no label":               mailPage(MailFactorAdded, func(n *MailPage) { n.Label = "" }),
		"one code left":          mailPage(MailRecoveryUsed, func(n *MailPage) { n.Left = 1 }),
		"no code left":           mailPage(MailRecoveryUsed, func(n *MailPage) { n.Left = 0 }),
		"a place alone":          mailPage(MailFactorAdded, func(n *MailPage) { n.IP = "" }),
		"an address alone":       mailPage(MailFactorAdded, func(n *MailPage) { n.Place = "" }),
		"help of its own":        mailPage(MailFactorAdded, func(n *MailPage) { n.Help = "extension 99" }),
	}
	for k, kind := range kinds {
		all[string(k)] = mailPage(k)
		all[string(k)+" bare"] = mailPage(k, func(n *MailPage) {
			n.User, n.Place, n.IP, n.Browser, n.When, n.Factor = "", "", "", "", time.Time{}, 0
			if k != MailInvite {
				n.Link = ""
			}
			if kind.code {
				n.Until = time.Time{}
			}
		})
	}
	return all
}

func mustMail(t *testing.T, s *Set, l Lang, n MailPage) Mail {
	t.Helper()
	m, err := s.Mail(l, n)
	if err != nil {
		t.Fatalf("%s: %v", n.Kind, err)
	}
	return m
}

func TestEveryMailSaysTheSameInTextAndHTMLInEveryLanguage(t *testing.T) {
	for _, o := range []Options{{}, fullOptions} {
		s := testSet(t, o)
		for name, n := range everyMail() {
			for _, l := range s.order {
				t.Run(fmt.Sprintf("%s/%s/%t", name, l, o.SiteName != ""), func(t *testing.T) {
					m := mustMail(t, s, l, n)
					checkMail(t, m)
					for line := range strings.SplitSeq(m.HTML, "\n") {
						if len(line) > 998 {
							t.Errorf("a line of HTML has %d bytes", len(line))
						}
					}
					d := parse(t, []byte(m.HTML))
					if got, want := attr(d.named("html")[0], "dir"), s.catalogues[l].direction; got != want {
						t.Errorf("dir is %q, wanted %q", got, want)
					}
					if got := attr(d.named("div")[0], "lang"); got != string(l) {
						t.Errorf("lang within the body is %q, wanted %q", got, l)
					}
					if got, want := textOf(d.named("body")[0]), plainWords(m.Text); got != want {
						t.Errorf("the HTML says\n%s\nand the text\n%s", got, want)
					}
					if got := textOf(d.named("title")[0]); got != strings.ReplaceAll(m.Subject, "\u00a0", " ") {
						t.Errorf("the title is %q, the subject %q", got, m.Subject)
					}
					if got := len(d.named("a")); (n.Link == "") != (got == 0) {
						t.Errorf("it has %d links to %q", got, n.Link)
					}
				})
			}
		}
	}
}

// plainWords is a text without its line ends and its marks of direction.
func plainWords(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("\u2068", "", "\u2069", "").Replace(s)), " ")
}

// checkMail holds a mail against what every mail must keep.
func checkMail(t *testing.T, m Mail) {
	t.Helper()
	message := mail.Message{To: "anna@example.com", Subject: m.Subject, Text: m.Text, HTML: m.HTML, ID: "one", Lang: "en"}
	if err := message.Check(); err != nil {
		t.Error(err)
	}
	for line := range strings.SplitSeq(m.Text, "\n") {
		if len(line) > 998 {
			t.Errorf("a line of text has %d bytes: %s", len(line), line)
		}
	}
	if strings.Contains(m.Text, "\n\n\n") || strings.HasPrefix(m.Text, "\n") || strings.HasSuffix(m.Text, "\n\n") {
		t.Errorf("the text has empty blocks:\n%s", m.Text)
	}
	if err := unbalanced([]byte(m.HTML)); err != nil {
		t.Error(err)
	}
	if strings.Contains(m.HTML, "ZgotmplZ") {
		t.Error("the template engine has refused a value")
	}
	if len(m.HTML) > 14*1024 {
		t.Errorf("the HTML has %d bytes", len(m.HTML))
	}
	d := parse(t, []byte(m.HTML))
	for _, name := range []string{"script", "link", "img", "iframe", "object", "embed", "base", "svg", "form", "input"} {
		if len(d.named(name)) > 0 {
			t.Errorf("it has a <%s>", name)
		}
	}
	if got := len(d.named("h1")); got != 1 {
		t.Errorf("it has %d headings", got)
	}
	checkStyles(t, d)
}

// checkStyles allows no style that a mail program would fetch something for.
func checkStyles(t *testing.T, d document) {
	t.Helper()
	for _, n := range d.all {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || strings.Contains(a.Val, "url(") || a.Key == "src" || a.Key == "background" {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
}

func TestAMailSaysWhatWhenWhereAndWhatToDo(t *testing.T) {
	s := testSet(t, fullOptions)
	for k := range kinds {
		m := mustMail(t, s, "", mailPage(k))
		for _, want := range []string{
			"Account: anna.lindqvist\n", "When: 2026-11-30 08:05 UTC\n", "Where: Berlin, Germany (192.0.2.7)\n", "Browser: Firefox on Windows\n",
			"\nhttps://crm.example.com/.two-factor/not-me?t=Zm9vYmFyYmF6\n",
			"Need help? Call the service desk: extension 1234\nhttps://help.example.com/sign-in\n",
		} {
			if !strings.Contains(m.Text, want) {
				t.Errorf("%s: the text lacks %q:\n%s", k, want, m.Text)
			}
		}
		if !strings.Contains(m.Subject, "Northwind CRM") {
			t.Errorf("%s: the subject is %q", k, m.Subject)
		}
		for line := range strings.SplitSeq(m.Text, "\n") {
			if len([]rune(line)) > maxTextLine && !strings.HasPrefix(line, "https://") {
				t.Errorf("%s: a line has %d characters: %s", k, len([]rune(line)), line)
			}
		}
	}
	for _, c := range []struct {
		n    MailPage
		want []string
	}{
		{mailPage(MailFactorAdded), []string{"Second step: authenticator app Work phone\n", "This was not me\n"}},
		{mailPage(MailNumberChanged), []string{"Second step: phone, number ending in 42\n"}},
		{mailPage(MailFactorReset, func(n *MailPage) { n.Factor = 0 }), []string{"Second step: everything that was set up\n"}},
		{mailPage(MailRecoveryUsed), []string{"4 recovery codes are left."}},
		{mailPage(MailRecoveryUsed, func(n *MailPage) { n.Left = 1 }), []string{"1 recovery code is left.", "make new ones"}},
		{mailPage(MailDemand), []string{"From 2026-12-15 00:00 UTC on"}},
		{mailPage(MailConfirm), []string{"Your code: 739 154\n", "until 2026-11-30 09:05 UTC."}},
		{mailPage(MailInvite), []string{"until 2026-12-15 00:00 UTC.", "Set it up\n"}},
		{mailPage(MailFactorAdded, func(n *MailPage) { n.Link = "" }), []string{"tell the people who run"}},
	} {
		text := mustMail(t, s, "", c.n).Text
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the text lacks %q:\n%s", c.n.Kind, want, text)
			}
		}
	}
}

func TestTheHelpOfAnOperatorIsWholeInAMail(t *testing.T) {
	help := strings.TrimSpace(strings.Repeat("help desk ", maxHelpText/10))
	s := testSet(t, Options{HelpText: help, HelpURL: "tel:+4930123456"})
	if m := mustMail(t, s, "", mailPage(MailFactorAdded)); !strings.Contains(plainWords(m.Text), "Need help? "+help+" +4930123456") {
		t.Errorf("the text lacks it:\n%s", m.Text)
	}
}

func TestHostileStringsStayTextInEveryMail(t *testing.T) {
	s := testSet(t, fullOptions)
	for _, evil := range append(slices.Clone(hostile), "a\r\nBcc: eve@example.com", "\u2028\u2029", strings.Repeat("\"", 5000), strings.Repeat("x<", 200)) {
		for k, kind := range kinds {
			n := mailPage(k, func(n *MailPage) {
				n.Site, n.User, n.Place, n.IP, n.Browser, n.Label, n.Ending, n.Help = evil, evil, evil, evil, evil, evil, evil, evil
				if kind.code {
					n.Code = evil
				}
			})
			for _, l := range s.order {
				m := mustMail(t, s, l, n)
				checkMail(t, m)
				d := parse(t, []byte(m.HTML))
				for _, a := range d.named("a") {
					if attr(a, "href") != n.Link {
						t.Errorf("%s with %.40q: a link to %q", k, evil, attr(a, "href"))
					}
				}
				if strings.ContainsAny(m.Subject, "\r\n") || strings.ContainsAny(m.Subject+m.Text+m.HTML, "\r\x00\x1b\u202e\u2066\u2028") {
					t.Errorf("%s with %.40q: a control character is in the mail", k, evil)
				}
				if got, want := textOf(d.named("body")[0]), plainWords(m.Text); got != want {
					t.Errorf("%s with %.40q: the HTML says\n%s\nand the text\n%s", k, evil, got, want)
				}
			}
		}
	}
}

func TestWhatAThiefMayNameBecomesNoLinkInAMail(t *testing.T) {
	s := testSet(t, Options{})
	m := mustMail(t, s, "", mailPage(MailFactorAdded, func(n *MailPage) {
		n.Label, n.Browser = "see evil.example or https://evil.test/x", "www.evil.example 1.0 on Windows"
	}))
	for _, bad := range []string{"evil.example", "://evil", "evil.test"} {
		if strings.Contains(m.Text, bad) || strings.Contains(m.HTML, bad) {
			t.Errorf("the mail has %q:\n%s", bad, m.Text)
		}
	}
	if !strings.Contains(m.Text, "1.0 on Windows") {
		t.Errorf("a number is broken:\n%s", m.Text)
	}
}

func TestAMailThatCannotBeMadeIsAnErrorAndNoMail(t *testing.T) {
	s := testSet(t, Options{})
	link := func(to string) MailPage { return mailPage(MailFactorAdded, func(n *MailPage) { n.Link = to }) }
	for name, n := range map[string]MailPage{
		"an unknown kind":           mailPage("nonsense"),
		"no name of a site":         mailPage(MailFactorAdded, func(n *MailPage) { n.Site = "\u2028" }),
		"no kind":                   mailPage(""),
		"a code in a notice":        mailPage(MailFactorAdded, func(n *MailPage) { n.Code = "123456" }),
		"a demand without a date":   mailPage(MailDemand, func(n *MailPage) { n.Until = time.Time{} }),
		"an invite without a link":  mailPage(MailInvite, func(n *MailPage) { n.Link = "" }),
		"a confirm without a code":  mailPage(MailConfirm, func(n *MailPage) { n.Code = "" }),
		"a link of this origin":     link("/.two-factor/not-me"),
		"a link that is a script":   link("javascript:alert(1)"),
		"a link with a user":        link("https://crm.example.com@evil.example/"),
		"a link with a line break":  link("https://crm.example.com/\nhttps://evil.example/"),
		"a link with other letters": link("https://crm.example.com/\u202e"),
		"a link that is too long":   link("https://crm.example.com/" + strings.Repeat("x", maxLink)),
	} {
		m, err := s.Mail("", n)
		if err == nil || m != (Mail{}) {
			t.Errorf("%s: %q, error %v", name, m.Subject, err)
		}
		if strings.HasPrefix(name, "a link") && !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v, wanted ErrAddress", name, err)
		}
	}
}

func TestAGivenStringRunsInItsOwnDirectionInAPlainText(t *testing.T) {
	s := testSet(t, Options{})
	m := mustMail(t, s, pseudoTag, mailPage(MailFactorAdded))
	for _, want := range []string{"\u2068Berlin, Germany (192.0.2.7)\u2069", "\u20682026-11-30 08:05 UTC\u2069"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("the text lacks %q:\n%s", want, m.Text)
		}
	}
	if m := mustMail(t, s, "", mailPage(MailFactorAdded)); strings.ContainsAny(m.Text, "\u2068\u2069") {
		t.Errorf("a text from left to right has marks of direction:\n%s", m.Text)
	}
}

func TestTheShortFormFitsIntoTwoTextsAndTellsNobodysName(t *testing.T) {
	s := testSet(t, Options{SiteName: strings.Repeat("W", maxSiteName)})
	for k, kind := range kinds {
		n := mailPage(k, func(n *MailPage) { n.Site, n.Ending = "", "42" })
		got := s.Notice("", n)
		if !kind.notice {
			if got != "" {
				t.Errorf("%s: %q", k, got)
			}
			continue
		}
		if parts := sms.Segments(got); got == "" || parts > 2 {
			t.Errorf("%s: %d parts: %s", k, parts, got)
		}
		for _, bad := range []string{"anna", "42", "http", "192.0.2.7"} {
			if strings.Contains(got, bad) {
				t.Errorf("%s: it has %q: %s", k, bad, got)
			}
		}
	}
	if got := s.Notice("", mailPage("nonsense")); got != "" {
		t.Errorf("a kind that there is not: %q", got)
	}
	got := s.Notice("", mailPage(MailNumberChanged, func(n *MailPage) { n.Site = "a\r\nb\u202e" }))
	if !strings.HasPrefix(got, "a b: ") || strings.ContainsAny(got, "\r\n\u202e") {
		t.Errorf("%q", got)
	}
}

var mailColour = regexp.MustCompile(`#([0-9a-f]{6})\b`)

func TestTheColoursOfMailsAreThoseOfThePages(t *testing.T) {
	_, both := palettes(t)
	raw, err := fs.ReadFile(files, "templates/mail.html")
	if err != nil {
		t.Fatal(err)
	}
	dark, light, found := bytes.Cut(raw, []byte("</style>"))
	if !found {
		t.Fatal("the template has no dark palette")
	}
	for name, source := range map[string][]byte{"light": light, "dark": dark} {
		known := slices.Collect(maps.Values(both[name]))
		colours := mailColour.FindAllSubmatch(source, -1)
		if len(colours) < 8 {
			t.Errorf("%s: only %d colours", name, len(colours))
		}
		for _, c := range colours {
			if !slices.Contains(known, string(c[1])) {
				t.Errorf("%s: the colour #%s is none of the pages", name, c[1])
			}
		}
	}
}

// withoutHead leaves the body of a mail, as some mail programs do.
func withoutHead(t *testing.T, m Mail) string {
	t.Helper()
	var b strings.Builder
	body := parse(t, []byte(m.HTML)).named("body")[0]
	for c := range body.ChildNodes() {
		if err := html.Render(&b, c); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
