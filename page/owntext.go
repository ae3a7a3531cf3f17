package page

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxOwnText is the number of characters of an operator's own text.
const maxOwnText = 400

// Text is an operator's own text, in place of one of a catalogue.
type Text struct {
	// Language is the tag of the catalogue: en, de, fr, es, pt-BR or ar.
	Language string
	// Key names the text in page/texts/en.json.
	Key string
	// Text is the new one, at most 400 characters, with the same placeholders. A
	// text that depends on a number has one wording for all numbers.
	Text string
}

// Check says what is wrong with the text: an unknown language or key, other
// placeholders, or what cannot be shown. Its error follows the words that were
// given.
func (t Text) Check() error {
	catalogues, err := builtinCatalogues()
	if err != nil {
		return err
	}
	return t.put(catalogues, func(*catalogue, text) {})
}

// put gives the text and its catalogue to set, if it can be used.
func (t Text) put(catalogues []*catalogue, set func(*catalogue, text)) error {
	at := slices.IndexFunc(catalogues, func(c *catalogue) bool { return c.tag.String() == t.Language })
	if at < 0 {
		var tags []string
		for _, c := range catalogues {
			tags = append(tags, c.tag.String())
		}
		return fmt.Errorf("must be in one of the languages %s; there is no %q", strings.Join(tags, ", "), t.Language)
	}
	c := catalogues[at]
	was, ok := c.texts[t.Key]
	if !ok {
		return fmt.Errorf("must be one of the texts of page/texts/en.json; there is no %q", t.Key)
	}
	if err := checkOwnText(t.Text); err != nil {
		return err
	}
	own := text{}
	for form := range was {
		own[form] = t.Text
	}
	if want, got := was.placeholders(), own.placeholders(); !slices.Equal(want, got) {
		return fmt.Errorf("must have %s in it; it has %s", listed(want), listed(got))
	}
	set(c, own)
	return nil
}

// listed names placeholders.
func listed(placeholders []string) string {
	if len(placeholders) == 0 {
		return "no placeholder"
	}
	return strings.Join(placeholders, " and ")
}

// checkOwnText says why a text cannot be shown.
func checkOwnText(s string) error {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
	}) {
		return errors.New("must be UTF-8 text without line breaks, control characters and marks of direction")
	}
	if strings.TrimSpace(s) == "" {
		return errors.New("must not be blank")
	}
	if strings.ContainsAny(placeholder.ReplaceAllString(s, ""), "{}") {
		return errors.New("must have no braces but those of placeholders")
	}
	if n := utf8.RuneCountInString(s); n > maxOwnText {
		return fmt.Errorf("has %d characters, at most %d fit", n, maxOwnText)
	}
	return nil
}

// withTexts returns the catalogues with the operator's own texts in them.
func withTexts(catalogues []*catalogue, texts []Text) ([]*catalogue, error) {
	own := make([]*catalogue, len(catalogues))
	for i, c := range catalogues {
		own[i] = &catalogue{tag: c.tag, direction: c.direction, texts: maps.Clone(c.texts)}
	}
	for _, t := range texts {
		if err := t.put(own, func(c *catalogue, own text) { c.texts[t.Key] = own }); err != nil {
			return nil, fmt.Errorf("page: text %s %s %w", t.Language, t.Key, err)
		}
	}
	return own, nil
}
