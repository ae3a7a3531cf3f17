package page

import (
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// places says how long a text may be where it stands, in characters and with
// the names of its placeholders. The first place whose pattern a key fits is
// its own; a text without a place is an error, so a new one is put here.
var places = []struct {
	name  string
	limit int
	keys  []string
}{
	{"the subject of a mail", 78, []string{"mail.*.subject"}},
	{"a line of a mail", 400, []string{"mail.*"}},
	{"a name or a number in another text", 36, []string{
		"wait.*", "number.*", "doing.*", "date.month.*", "enrol.app.called", "enrol.phone.country.of", "activity.place.ip",
	}},
	{"a date in another text", 44, []string{"date.time"}},
	{"the title of the window", 28, []string{"layout.title*"}},
	{"a tag beside a name", 12, []string{"enrol.recommended", "activity.current", "team.you", "team.owner"}},
	{"a button or a link on its own", 36, []string{
		"way.*", "challenge.submit", "challenge.send.first", "challenge.send.again", "challenge.send.new",
		"challenge.other", "challenge.cancel*", "challenge.lost.*", "choose.back", "continue.link", "layout.help.*", "inside.cancel",
		"enrol.not_now", "enrol.app.hand", "enrol.phone.save", "enrol.code.correct", "confirm.mail.send", "recovery.save",
		"recovery.continue", "settings.rename", "settings.save", "settings.change", "settings.remove", "settings.recovery.new",
		"settings.off.link", "settings.home", "activity.end", "activity.forget", "team.link", "team.on", "team.off", "team.number",
		"team.earlier", "team.later", "sure.back", "sure.*.do", "not_me.do",
	}},
	{"a button as wide as the page", 40, []string{"enrol.app.open", "settings.add.*", "activity.not_me"}},
	{"a button that ends more than one thing", 66, []string{"activity.all"}},
	{"a heading with an action in it", 75, []string{"*.title.*.step_up", "*.title.step_up"}},
	{"a heading", 60, []string{"*.title", "challenge.title.*", "enrol.title.*", "enrol.*.title.*"}},
	{"a heading within a page", 32, []string{
		"settings.ways", "settings.recovery", "settings.more", "settings.off", "activity.sessions", "activity.devices", "team.demand", "team.members",
	}},
	{"the heading of an error", 46, []string{
		"error.wrong", "error.length", "error.used", "error.expired", "error.tries", "error.paused", "error.early", "error.text",
		"error.number.empty", "error.number.invalid", "error.number.kind", "error.number.country", "error.number.same", "error.number.many",
		"not_me.expired",
	}},
	{"the heading of an error about a long code", 70, []string{"error.length.recovery", "confirm.wrong", "confirm.expired"}},
	{"the label of a field", 32, []string{
		"challenge.code", "challenge.code.recovery", "enrol.app.label", "enrol.app.key", "enrol.app.account", "enrol.app.code",
		"enrol.phone.country", "enrol.phone.choose", "enrol.phone.number", "confirm.code.mail", "confirm.code.invitation", "settings.name",
	}},
	{"the label of a box to be ticked", 70, []string{"remember.days", "remember.hours"}},
	{"what a way is good for", 140, []string{"enrol.app.hint", "enrol.phone.hint"}},
	{"a choice", 48, []string{"factor.*", "enrol.proposed"}},
	{"the line under a heading", 44, []string{"who.*"}},
	{"a line of a list", 64, []string{
		"settings.none", "settings.ending", "settings.since", "settings.used", "settings.unused", "settings.recovery.left",
		"activity.sessions.none", "activity.devices.none", "activity.browser.*", "activity.seen", "activity.since", "activity.until",
		"activity.confirmed.*", "activity.more", "team.more", "team.phone.ending", "team.waiting", "team.none",
	}},
	{"the words of a picture", 50, []string{"enrol.app.picture"}},
	{"a hint", 110, []string{"*.hint", "challenge.hint.*", "challenge.send.*", "challenge.file"}},
	{"a paragraph", 310, []string{"copied.text", "enrol.phone.warning"}},
	{"a sentence or two", 190, []string{
		"challenge.status", "challenge.stay*", "challenge.text.*", "challenge.warning", "error.*", "remedy.*",
		"continue.text", "message.*", "reason.*", "enrol.*", "confirm.*", "recovery.*", "settings.*", "activity.*", "team.*",
		"sure.*", "not_me.*",
	}},
}

// placeOf returns the limit of a text and the name of its place.
func placeOf(key string) (name string, limit int) {
	for _, p := range places {
		for _, pattern := range p.keys {
			if ok, err := path.Match(pattern, key); ok && err == nil {
				return p.name, p.limit
			}
		}
	}
	return "", 0
}

// builtin returns the catalogues by their tags.
func builtin(t *testing.T) map[string]*catalogue {
	t.Helper()
	all, err := builtinCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	byTag := map[string]*catalogue{}
	for _, c := range all {
		byTag[c.tag.String()] = c
	}
	return byTag
}

func TestEveryLanguageIsThereWholeAndInItsDirection(t *testing.T) {
	all := builtin(t)
	for tag, direction := range map[string]string{"en": "ltr", "de": "ltr", "fr": "ltr", "es": "ltr", "pt-BR": "ltr", "ar": "rtl"} {
		c := all[tag]
		if c == nil {
			t.Errorf("there is no catalogue %s", tag)
			continue
		}
		if err := c.check(all[sourceLanguage]); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
		if c.direction != direction {
			t.Errorf("%s is written %s, wanted %s", tag, c.direction, direction)
		}
	}
	if got := slices.Sorted(slices.Values(pluralForms(all["ar"].tag))); !slices.Equal(got, []string{"few", "many", "one", "other", "two", "zero"}) {
		t.Errorf("the plural forms of Arabic are %v", got)
	}
}

func TestNoTextIsLongerThanItsPlace(t *testing.T) {
	for tag, c := range builtin(t) {
		for key, forms := range c.texts {
			name, limit := placeOf(key)
			if limit == 0 {
				t.Errorf("text %s has no place: say in the table how long it may be", key)
			}
			for form, s := range forms {
				if n := utf8.RuneCountInString(s); n > limit {
					t.Errorf("%s: text %s (%s) has %d characters, and %s has room for %d", tag, key, form, n, name, limit)
				}
			}
		}
	}
}

func TestATranslationSaysWhoHasReviewedIt(t *testing.T) {
	names, err := fs.Glob(files, "texts/*.json")
	if err != nil {
		t.Fatal(err)
	}
	signed := regexp.MustCompile(`^(Unreviewed: no speaker of [A-Z][A-Za-z ]+ has signed this translation yet\.|Reviewed by .+ on \d{4}-\d\d-\d\d\.)$`)
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		var c struct{ Language, Note string }
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		if c.Language != sourceLanguage && !signed.MatchString(c.Note) {
			t.Errorf("%s: the note %q says neither that nobody has reviewed it nor who has", name, c.Note)
		}
	}
}

// marks are what no text of a language has: its own marks stand for them.
var marks = map[string]*regexp.Regexp{
	"de":    regexp.MustCompile(`"|'|“[^„]*“| [:;?!]`),
	"fr":    regexp.MustCompile(`"|'|[^\x{a0}][:;?!]`),
	"es":    regexp.MustCompile(`"|'|^[^¿]*\?`),
	"pt-BR": regexp.MustCompile(`"|'`),
	"ar":    regexp.MustCompile(`["'“”„‘’,;?]`),
}

func TestEveryTextHasTheMarksOfItsLanguageAndNoneThatAreUnsafe(t *testing.T) {
	for tag, c := range builtin(t) {
		for key, forms := range c.texts {
			for form, s := range forms {
				plain := placeholder.ReplaceAllString(s, "x")
				if bad := marks[tag]; bad != nil && bad.MatchString(plain) {
					t.Errorf("%s: text %s (%s) has the marks of another language: %q", tag, key, form, s)
				}
				unsafe := func(r rune) bool {
					return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || strings.ContainsRune("<>&{}!", r)
				}
				if strings.ContainsFunc(plain, unsafe) || strings.Contains(plain, "  ") || strings.TrimSpace(plain) != plain {
					t.Errorf("%s: text %s (%s) has a character that does not belong there: %q", tag, key, form, s)
				}
			}
		}
	}
}

func TestWhatIsGivenIsSetApartFromTheDirectionOfArabic(t *testing.T) {
	const given = "Q9 given@example.com"
	s := testSet(t, Options{SiteName: "Site " + given})
	pages := map[string]func() ([]byte, error){
		"challenge": func() ([]byte, error) {
			return s.Challenge("ar", authenticator(func(p *ChallengePage) {
				p.Host, p.User, p.Label, p.StepUp = given, given, given, &StepUp{Doing: given}
			}))
		},
		"phone": func() ([]byte, error) {
			return s.Challenge("ar", phone(TextFailed, func(p *ChallengePage) { p.Phone.Ending = given }))
		},
		"choose": func() ([]byte, error) {
			p := choosing(given)
			p.Choices[0].Label, p.Choices[0].Ending, p.User = given, given, given
			return s.Choose("ar", p)
		},
		"message": func() ([]byte, error) {
			return s.Message("ar", MessagePage{Message: StepUpLost, Host: given, User: given, Doing: given, Reference: given})
		},
		"continue": func() ([]byte, error) {
			return s.Continue("ar", ContinuePage{Host: given, URL: "https://given.example.com/"})
		},
	}
	for name, render := range pages {
		body, err := render()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := 0
		for n := range parse(t, body).root.Descendants() {
			if n.Type != html.TextNode || !strings.Contains(n.Data, "given") {
				continue
			}
			found++
			in := n.Parent.Data
			if in == "title" {
				rest := regexp.MustCompile(isolate+`[^`+popIsolate+`]*`+popIsolate).ReplaceAllString(n.Data, "")
				if strings.Contains(rest, "given") {
					t.Errorf("%s: what was given is not set apart in the title %q", name, n.Data)
				}
				continue
			}
			if in != "bdi" {
				t.Errorf("%s: what was given stands in <%s> as it is: %q", name, in, n.Data)
			}
		}
		if found < 2 {
			t.Errorf("%s: what was given is there %d times", name, found)
		}
	}
}
