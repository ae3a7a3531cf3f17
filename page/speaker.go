package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// part is a piece of a text. A given one came from outside: it is shown as a
// run of its own direction and stands out.
type part struct {
	Text  string
	Given bool
}

// arg fills one placeholder of a text.
type arg struct {
	name  string
	value string
	given bool
	count int
	parts []part
}

// given fills a placeholder with a string from outside.
func given(name, value string) arg { return arg{name: name, value: tidy(value), given: true} }

// words fills a placeholder with a text of the same catalogue.
func words(name, value string) arg { return arg{name: name, value: value} }

// nested fills a placeholder with a text of the same catalogue in its parts.
func nested(name string, parts []part) arg { return arg{name: name, parts: parts} }

// count fills the placeholder {count}, by which the plural form is chosen.
func count(n int) arg { return arg{name: "count", value: strconv.Itoa(n), count: n} }

// speaker reads one catalogue for one page and keeps the first error, so that
// views can be built without a check behind each word.
type speaker struct {
	c   *catalogue
	err error
	// stepUp prefers the texts of a step-up, and doing fills {doing} in them.
	stepUp bool
	doing  []part
}

// stepUpForm ends the key of a text that replaces another one in a step-up.
const stepUpForm = ".step_up"

// Lang is the language of the page, as in the lang attribute.
func (s *speaker) Lang() string { return s.c.tag.String() }

// Dir is the direction of the page, as in the dir attribute.
func (s *speaker) Dir() string { return s.c.direction }

// T is say without arguments, for templates.
func (s *speaker) T(key string) []part { return s.say(key) }

// say returns the text of a key with its placeholders filled.
func (s *speaker) say(key string, args ...arg) []part {
	form := s.form(key, args)
	var parts []part
	add := func(p part) {
		if p.Text != "" {
			parts = append(parts, p)
		}
	}
	end := 0
	for _, at := range placeholder.FindAllStringIndex(form, -1) {
		add(part{Text: form[end:at[0]]})
		end = at[1]
		a, ok := s.find(args, form[at[0]+1:at[1]-1])
		if !ok {
			s.fail(fmt.Errorf("text %s: nothing given for %s", key, form[at[0]:at[1]]))
			continue
		}
		for _, p := range a.parts {
			add(p)
		}
		add(part{Text: a.value, Given: a.given})
	}
	add(part{Text: form[end:]})
	return parts
}

// plain is say as one string, for attributes, titles and problem documents.
func (s *speaker) plain(key string, args ...arg) string {
	return s.join(s.say(key, args...))
}

// The characters that set a run apart from the direction of the text around it
// [Unicode Standard Annex 9, section 2.4].
const isolate, popIsolate = "\u2068", "\u2069"

// join returns parts as one string. In a language that is written from right to
// left, what was given is set apart, as the pages do it with an element.
func (s *speaker) join(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Given && s.c.direction == "rtl" {
			b.WriteString(isolate + p.Text + popIsolate)
			continue
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// maxHeading is the number of characters up to which a heading is set large.
const maxHeading = 80

// IsLong tells whether a heading is too long to be set large; for templates.
func (s *speaker) IsLong(heading []part) bool {
	return utf8.RuneCountInString(s.join(heading)) > maxHeading
}

// wait says how long to wait, in the unit that people would use, rounded up.
func (s *speaker) wait(d time.Duration) arg {
	key, n := "wait.seconds", ceil(d, time.Second)
	switch {
	case d > 90*time.Minute:
		key, n = "wait.hours", ceil(d, time.Hour)
	case d > 90*time.Second:
		key, n = "wait.minutes", ceil(d, time.Minute)
	}
	return words("wait", s.plain(key, count(n)))
}

// form returns the text of a key in the plural form that the arguments ask for.
func (s *speaker) form(key string, args []arg) string {
	t, ok := s.c.texts[key+stepUpForm]
	if !ok || !s.stepUp {
		t, ok = s.c.texts[key]
	}
	if !ok {
		s.fail(fmt.Errorf("catalogue %s has no text %s", s.c.tag, key))
		return ""
	}
	if a, ok := find(args, "count"); ok {
		if f, ok := t[pluralForm(s.c.tag, a.count)]; ok {
			return f
		}
	}
	return t[otherForm]
}

func (s *speaker) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// find returns what fills a placeholder.
func (s *speaker) find(args []arg, name string) (arg, bool) {
	if name == "doing" && s.stepUp {
		return nested(name, s.doing), true
	}
	return find(args, name)
}

func find(args []arg, name string) (arg, bool) {
	for _, a := range args {
		if a.name == name {
			return a, true
		}
	}
	return arg{}, false
}

// ceil returns d in units, rounded up and at least 1.
func ceil(d, unit time.Duration) int {
	return max(1, int((d+unit-1)/unit))
}

// who names the site and the user.
func (s *speaker) who(site arg, user string) []part {
	if tidy(user) == "" {
		return s.say("who.site", site)
	}
	return s.say("who.user", site, given("user", user))
}
