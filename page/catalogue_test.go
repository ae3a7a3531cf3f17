package page

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"
)

func TestEveryTextIsUsedAndEveryUsedTextIsThere(t *testing.T) {
	// Each text becomes its own key, so that what is shown can be told.
	c := &catalogue{tag: language.English, direction: "ltr", texts: map[string]text{}}
	for key, source := range english(t).texts {
		forms := text{}
		for form := range source {
			forms[form] = "«" + key + "»" + strings.Join(source.placeholders(), "")
		}
		c.texts[key] = forms
	}
	var shown bytes.Buffer
	for _, o := range []Options{{}, fullOptions, {HelpURL: "https://help.example.com/"}} {
		s, err := newSet(o, []*catalogue{c})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range everyPage() {
			body, err := p.render(s, "")
			if err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
			shown.Write(body)
		}
		for name, n := range everyMail() {
			m, err := s.Mail("", n)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			shown.WriteString(m.Subject + m.Text + s.Notice("", n))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.texts)) {
		if !bytes.Contains(shown.Bytes(), []byte("«"+key+"»")) {
			t.Errorf("text %s is on no page", key)
		}
	}
}

func TestACatalogueWithAFaultIsRefusedByName(t *testing.T) {
	tests := []struct {
		name  string
		fault func(*catalogue)
		want  string
	}{
		{"a missing text", func(c *catalogue) { delete(c.texts, "challenge.submit") }, "text challenge.submit is missing"},
		{"a text that no page has", func(c *catalogue) { c.texts["nonsense"] = text{otherForm: "x"} }, "text nonsense is not one of the source language"},
		{"an empty text", func(c *catalogue) { c.texts["challenge.submit"] = text{otherForm: ""} }, "form other is empty"},
		{"a missing plural form", func(c *catalogue) { delete(c.texts["wait.minutes"], "two") }, "text wait.minutes: has the plural forms [many one other]"},
		{"a plural form without a number", func(c *catalogue) { c.texts["challenge.submit"]["one"] = "x" }, "text challenge.submit: has the plural forms"},
		{"a lost placeholder", func(c *catalogue) { c.texts["who.user"] = text{otherForm: "{site}"} }, "has the placeholders [{site}], wants [{site} {user}]"},
		{"a misspelt placeholder", func(c *catalogue) { c.texts["wait.minutes"]["one"] = "{cuont}" }, "unknown placeholder {cuont}"},
		{"a direction that there is not", func(c *catalogue) { c.direction = "up" }, `direction "up"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			broken := pseudo(t)
			tt.fault(broken)
			_, err := newSet(Options{}, []*catalogue{english(t), broken})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), pseudoTag) {
				t.Errorf("%v, wanted %q and the language", err, tt.want)
			}
		})
	}
	if _, err := newSet(Options{}, []*catalogue{english(t), pseudo(t), pseudo(t)}); err == nil {
		t.Error("one language twice is taken")
	}
	for _, raw := range []string{`{`, `{"language":"en","colour":"red"}`, `{"language":"!!"}`, `{"language":"en","texts":{"a":1}}`} {
		if _, err := parseCatalogue([]byte(raw)); err == nil {
			t.Errorf("the catalogue %s is taken", raw)
		}
	}
}

func TestTheLanguageIsChosenByAcceptLanguage(t *testing.T) {
	s := testSet(t, Options{})
	for header, want := range map[string]Lang{
		"":                         "en",
		"en-GB,en;q=0.9":           "en",
		"he-IL,he;q=0.9,en;q=0.5":  pseudoTag,
		"iw":                       pseudoTag,
		"tlh,he;q=0.3":             pseudoTag,
		"tlh":                      "en",
		"en;q=0.1, he;q=0.9":       pseudoTag,
		"*":                        "en",
		";;;,,,=":                  "en",
		strings.Repeat("he,", 300): "en",
		"de-AT,de;q=0.9,en;q=0.8":  "de",
		"gsw-CH":                   "de",
		"fr-CA":                    "fr",
		"es-MX,es;q=0.9":           "es",
		"es-419":                   "es",
		"pt-PT,pt;q=0.9":           "pt-BR",
		"pt":                       "pt-BR",
		"ar-EG":                    "ar",
		"ar-MA,fr;q=0.8":           "ar",
		"zh-CN,zh;q=0.9":           "en",
		"zh,fr;q=0.4":              "fr",
		"fr;q=0, en":               "en",
	} {
		if got := s.Language(header); got != want {
			t.Errorf("%.40q gives %s, wanted %s", header, got, want)
		}
	}
	if got := s.speak("xx").Lang(); got != sourceLanguage {
		t.Errorf("an unknown language speaks %s", got)
	}
}

func TestAWaitIsSaidInTheUnitOfPeopleAndRoundedUp(t *testing.T) {
	sp := testSet(t, Options{}).speak("")
	for d, want := range map[time.Duration]string{
		0:                             "1 second",
		time.Millisecond:              "1 second",
		28 * time.Second:              "28 seconds",
		90 * time.Second:              "90 seconds",
		90*time.Second + 1:            "2 minutes",
		27*time.Minute + time.Second:  "28 minutes",
		90 * time.Minute:              "90 minutes",
		2 * time.Hour:                 "2 hours",
		23*time.Hour + 30*time.Minute: "24 hours",
	} {
		if got := sp.wait(d).value; got != want {
			t.Errorf("%s is said as %q, wanted %q", d, got, want)
		}
	}
}

func TestTheTextsNameNoSecretWayAndBlameNobody(t *testing.T) {
	for key, forms := range english(t).texts {
		for _, s := range forms {
			for _, bad := range []string{"  ", "Please try", "invalid", "illegal", "oops", "!", "TODO"} {
				if strings.Contains(s, bad) {
					t.Errorf("text %s has %q", key, bad)
				}
			}
		}
	}
}
