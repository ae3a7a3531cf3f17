package page

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTextLine is the number of characters that a line of a plain mail has, as
// people's programs still show them best (RFC 5322, 2.1.1: at most 78).
const maxTextLine = 76

// text writes the mail as plain text.
func (v mailView) text() string {
	var b strings.Builder
	block := func(lines ...string) {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		for _, line := range lines {
			b.WriteString(line + "\n")
		}
	}
	block(wrap(v.join([]part{{Text: v.Brand, Given: true}})))
	block(wrap(v.join(v.Heading)))
	for _, line := range v.Lines {
		block(wrap(v.join(line)))
	}
	if len(v.Facts) > 0 {
		block(v.all(v.Facts)...)
	}
	block(wrap(v.join(v.Ask)))
	if v.Code != nil {
		block(v.join(v.Code))
	}
	if v.Valid != nil {
		block(wrap(v.join(v.Valid)))
	}
	if v.Address != "" {
		block(v.join(v.Label), v.Address)
	}
	block(v.all(v.Footer)...)
	return b.String()
}

func (v mailView) all(lines [][]part) []string {
	var all []string
	for _, line := range lines {
		all = append(all, wrap(v.join(line)))
	}
	return all
}

// wrap breaks a text at blanks into lines of at most maxTextLine characters; a
// longer word stays whole.
func wrap(s string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.FieldsFunc(s, mayBreak) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width+1+n > maxTextLine:
			b.WriteString("\n")
			width = 0
		default:
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += n
	}
	return b.String()
}

// mayBreak reports whether a line may end there: at every blank but the one that
// holds French marks to their word.
func mayBreak(r rune) bool { return unicode.IsSpace(r) && r != '\u00a0' }

// unlinked breaks what a mail program would take for the address of a site and
// make a link of: whoever has stolen an account may choose the label of a factor
// and what a browser calls itself, and so would write into our mail.
func unlinked(s string) string {
	const joiner = "\u2060" // takes no room, and allows no line break
	var b strings.Builder
	var before rune
	for _, r := range s {
		if before == '.' && unicode.IsLetter(r) || before == ':' && r == '/' {
			b.WriteString(joiner)
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}
