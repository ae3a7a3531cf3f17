package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// sourceLanguage is the language that the other catalogues are checked against.
const sourceLanguage = "en"

// catalogue is the texts of one language.
type catalogue struct {
	tag       language.Tag
	direction string
	texts     map[string]text
}

// text is one entry: one sentence, or one for each plural form of the language
// (zero, one, two, few, many, other), chosen by the number {count}.
type text map[string]string

// otherForm is the plural form that every text has.
const otherForm = "other"

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// UnmarshalJSON reads a string, or an object of plural forms.
func (t *text) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*t = text{otherForm: one}
		return nil
	}
	var forms map[string]string
	if err := json.Unmarshal(b, &forms); err != nil {
		return fmt.Errorf("neither a text nor plural forms: %w", err)
	}
	*t = forms
	return nil
}

// plural tells whether the text depends on a number.
func (t text) plural() bool { return slices.Contains(t.placeholders(), "{count}") }

// placeholders returns the names in braces of the form other, sorted.
func (t text) placeholders() []string {
	found := placeholder.FindAllString(t[otherForm], -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// builtinCatalogues reads the catalogues of the folder texts, English first.
func builtinCatalogues() ([]*catalogue, error) {
	names, err := fs.Glob(files, "texts/*.json")
	if err != nil {
		return nil, fmt.Errorf("page: catalogues: %w", err)
	}
	var all []*catalogue
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("page: catalogues: %w", err)
		}
		c, err := parseCatalogue(raw)
		if err != nil {
			return nil, fmt.Errorf("page: catalogue %s: %w", path.Base(name), err)
		}
		if c.tag.String() == sourceLanguage {
			all = append([]*catalogue{c}, all...)
			continue
		}
		all = append(all, c)
	}
	return all, nil
}

// parseCatalogue reads one catalogue file. Unknown members are errors.
func parseCatalogue(raw []byte) (*catalogue, error) {
	var f struct {
		Language  string          `json:"language"`
		Direction string          `json:"direction"`
		Note      string          `json:"note"`
		Texts     map[string]text `json:"texts"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	tag, err := language.Parse(f.Language)
	if err != nil {
		return nil, fmt.Errorf("language %q: %w", f.Language, err)
	}
	return &catalogue{tag: tag, direction: f.Direction, texts: f.Texts}, nil
}

// check holds the catalogue against the source language: the same keys, the
// same placeholders, every plural form that the language has, no empty text.
func (c *catalogue) check(source *catalogue) error {
	var errs []error
	if c.direction != "ltr" && c.direction != "rtl" {
		errs = append(errs, fmt.Errorf("direction %q is neither ltr nor rtl", c.direction))
	}
	for _, key := range slices.Sorted(maps.Keys(source.texts)) {
		t, ok := c.texts[key]
		if !ok {
			errs = append(errs, fmt.Errorf("text %s is missing", key))
			continue
		}
		if err := c.checkText(t, source.texts[key]); err != nil {
			errs = append(errs, fmt.Errorf("text %s: %w", key, err))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.texts)) {
		if _, ok := source.texts[key]; !ok {
			errs = append(errs, fmt.Errorf("text %s is not one of the source language", key))
		}
	}
	return errors.Join(errs...)
}

// checkText holds one text against that of the source language.
func (c *catalogue) checkText(t, source text) error {
	if want, got := source.placeholders(), t.placeholders(); !slices.Equal(want, got) {
		return fmt.Errorf("has the placeholders %v, wants %v", got, want)
	}
	want := []string{otherForm}
	if t.plural() {
		want = pluralForms(c.tag)
	}
	if got := slices.Sorted(maps.Keys(t)); !slices.Equal(got, want) {
		return fmt.Errorf("has the plural forms %v, wants %v", got, want)
	}
	known := t.placeholders()
	for _, form := range want {
		if t[form] == "" {
			return fmt.Errorf("form %s is empty", form)
		}
		for _, p := range placeholder.FindAllString(t[form], -1) {
			if !slices.Contains(known, p) {
				return fmt.Errorf("form %s has the unknown placeholder %s", form, p)
			}
		}
	}
	return nil
}

// pluralForms returns the forms that whole numbers take in a language, sorted.
func pluralForms(tag language.Tag) []string {
	seen := map[string]bool{otherForm: true}
	for n := range 200 {
		seen[pluralForm(tag, n)] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// pluralForm returns the form that the number n takes [Unicode CLDR].
func pluralForm(tag language.Tag, n int) string {
	switch plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	}
	return otherForm
}
