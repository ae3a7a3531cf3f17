package page

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

const (
	second = time.Second
	minute = time.Minute
)

// hostile are strings that break out where somebody forgot to escape.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' autofocus onfocus='alert(1)`,
	`</title></style></main><h1>owned</h1>`,
	`{{.Style}}{site}{user}{count}`,
	"a\u202egnp.exe\u2066",
	"\x00\x1b[31m\xff\xfe",
	"javascript:alert(1)",
	strings.Repeat("я", 5000),
	strings.Repeat("<b>&\"'", 3000),
}

func TestHostileStringsStayTextOnEveryPage(t *testing.T) {
	for _, evil := range hostile {
		s := testSet(t, Options{SiteName: cut(evil, maxSiteName), HelpText: cut(evil, maxHelpText)})
		plain := testSet(t, Options{})
		pages := map[string]func(s *Set) ([]byte, error){
			"challenge authenticator": func(s *Set) ([]byte, error) {
				return s.Challenge("", authenticator(func(p *ChallengePage) { p.Host, p.User, p.Label = evil, evil, evil }))
			},
			"challenge phone": func(s *Set) ([]byte, error) {
				return s.Challenge("", phone(TextSent, func(p *ChallengePage) { p.Host, p.User, p.Phone.Ending = evil, evil, evil }))
			},
			"challenge ids": func(s *Set) ([]byte, error) {
				return s.Challenge("", authenticator(func(p *ChallengePage) { p.ChallengeID, p.FormToken = cut(evil, 40), cut(evil, 40) }))
			},
			"choose": func(s *Set) ([]byte, error) {
				return s.Choose("", ChoosePage{Host: evil, User: evil, Action: "/a", CancelAction: "/c", ChallengeID: "c", FormToken: "t",
					Choices: []Choice{{Factor: TextMessage, ID: cut(evil, 40), Label: evil, Ending: evil}}})
			},
			"message": func(s *Set) ([]byte, error) {
				return s.Message("", MessagePage{Message: NotRecognised, Host: evil, User: evil, Reference: evil})
			},
			"addresses": func(s *Set) ([]byte, error) {
				return s.Challenge("", authenticator(func(p *ChallengePage) {
					address := "/" + strings.ReplaceAll(cut(evil, 60), ".", "") + "?" + cut(evil, 60)
					p.Action, p.OtherWay, p.CancelAction = address, address, address
				}))
			},
		}
		for name, render := range pages {
			for _, set := range []*Set{s, plain} {
				body, err := render(set)
				if err != nil {
					t.Errorf("%s with %.40q: %v", name, evil, err)
					continue
				}
				checkHarmless(t, name, evil, body)
			}
		}
	}
}

func checkHarmless(t *testing.T, name, evil string, body []byte) {
	t.Helper()
	if err := unbalanced(body); err != nil {
		t.Errorf("%s with %.40q: %v", name, evil, err)
	}
	d := parse(t, body)
	checkSelfContained(t, d)
	if got := len(d.named("h1")); got != 1 {
		t.Errorf("%s with %.40q: %d headings", name, evil, got)
	}
	for _, a := range d.named("a") {
		if href := attr(a, "href"); !strings.HasPrefix(href, "/") && !strings.HasPrefix(href, "#") {
			t.Errorf("%s with %.40q: a link to %q", name, evil, href)
		}
	}
	for _, r := range []string{"\u202e", "\u2066", "\x00", "\x1b"} {
		if strings.Contains(textOf(d.root), r) {
			t.Errorf("%s with %.40q: the control character %q is shown", name, evil, r)
		}
	}
	if len(body) > 14*1024 {
		t.Errorf("%s with %.40q: %d bytes", name, evil, len(body))
	}
}

// cut shortens to at most limit characters.
func cut(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit])
	}
	return s
}

func TestAddressesThatAPageCannotCarryAreErrorsAndNoPage(t *testing.T) {
	s := testSet(t, Options{})
	for _, bad := range []string{"login", "http://evil.example/", "javascript:alert(1)", " /x", "/a/../b", "/.", "/%2e%2E/x", "/a/.%2e", "?x", "#"} {
		body, err := s.Challenge("", authenticator(func(p *ChallengePage) { p.Action = bad }))
		if !errors.Is(err, ErrAddress) || body != nil {
			t.Errorf("action %q: %d bytes, error %v", bad, len(body), err)
		}
		body, err = s.Message("", MessagePage{Message: Denied, Ways: []Way{{Name: WayHome, To: bad}}})
		if !errors.Is(err, ErrAddress) || body != nil {
			t.Errorf("way %q: %d bytes, error %v", bad, len(body), err)
		}
	}
	if _, err := s.Challenge("", authenticator(func(p *ChallengePage) { p.Action = "" })); !errors.Is(err, ErrAddress) {
		t.Errorf("no action: %v", err)
	}
	for _, bad := range []string{"", "/x", "//h/x", "ftp://h/x", "javascript:alert(1)", "data:text/html,x", "https://", "https://u:p@h/", "https://h/\nx", "https://h\\@evil/", "https:h/x", "ht\ttps://h"} {
		body, err := s.Continue("", ContinuePage{Host: "h", URL: bad})
		if !errors.Is(err, ErrAddress) || body != nil {
			t.Errorf("continue to %q: %d bytes, error %v", bad, len(body), err)
		}
	}
}

func TestThePageThatGoesOnCarriesItsAddressUnchanged(t *testing.T) {
	s := testSet(t, Options{})
	const address = `https://portal.example.net/a'b(c);d?x="y"&z=%41<script>#f`
	body, err := s.Continue("", ContinuePage{Host: "crm.example.com", URL: address})
	if err != nil {
		t.Fatal(err)
	}
	if err := unbalanced(body); err != nil {
		t.Error(err)
	}
	d := parse(t, body)
	var refresh string
	for _, m := range d.named("meta") {
		if attr(m, "http-equiv") == "refresh" {
			refresh = attr(m, "content")
		}
	}
	if refresh != "0;url="+address {
		t.Errorf("refresh is %q", refresh)
	}
	if got := attr(d.named("a")[0], "href"); got != address {
		t.Errorf("the link leads to %q", got)
	}
}

func TestOptionsThatCannotBeUsedAreRefusedByName(t *testing.T) {
	for _, tt := range []struct {
		options Options
		want    string
	}{
		{Options{SiteName: strings.Repeat("x", 81)}, "site name has 81 characters"},
		{Options{HelpText: strings.Repeat("x", 301)}, "help text has 301 characters"},
		{Options{HelpURL: "https://h/" + strings.Repeat("x", 500)}, "help address has 510 bytes"},
		{Options{HelpURL: "javascript:alert(1)"}, "only http, https, mailto and tel"},
		{Options{HelpURL: "/help"}, "only http, https, mailto and tel"},
		{Options{HelpURL: "mailto:"}, "nothing follows"},
		{Options{HelpURL: "https://"}, "needs a host"},
	} {
		if _, err := New(tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+.60v: %v, wanted %q", tt.options, err, tt.want)
		}
	}
	for _, good := range []string{"mailto:it@example.com", "tel:+4930123456", "http://help/", "https://help.example.com/a?b"} {
		s, err := New(Options{HelpURL: good})
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		body, err := s.Message("", MessagePage{Message: Denied, Host: "h"})
		if err != nil || !bytes.Contains(body, []byte(`href="`)) {
			t.Errorf("%s is not on the page: %v", good, err)
		}
	}
}

func TestAMessageThatDoesNotExistIsAnErrorAndNoPage(t *testing.T) {
	s := testSet(t, Options{})
	three := []Way{{Name: WayHome, To: "/"}, {Name: WaySignIn, To: "/"}, {Name: WayContinue, To: "/"}}
	for name, p := range map[string]MessagePage{
		"an unknown message": {Message: "nonsense"},
		"an unknown way":     {Message: Denied, Ways: []Way{{Name: "nonsense", To: "/"}}},
		"a missing reason":   {Message: Unreadable},
		"three ways":         {Message: Denied, Ways: three},
	} {
		if body, err := s.Message("", p); err == nil || body != nil {
			t.Errorf("%s: %d bytes, error %v", name, len(body), err)
		}
	}
	if _, err := s.Challenge("", authenticator(func(p *ChallengePage) { p.Digits = 0 })); err == nil {
		t.Error("a code of no digits is asked for")
	}
	if _, err := s.Choose("", ChoosePage{Action: "/", CancelAction: "/"}); err == nil {
		t.Error("a choice among nothing is offered")
	}
}
