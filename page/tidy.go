package page

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxGiven is the number of characters of a given string that a page shows. A
// user name is as long as its sender likes; a page is not.
const maxGiven = 128

// tidy makes a string that came from outside fit to be shown in a line of text.
func tidy(s string) string { return tidyTo(s, maxGiven) }

// tidyTo drops what could change how the text around it reads (control
// characters and the bidirectional controls of Unicode Standard Annex 9), folds
// white space and cuts after limit characters.
func tidyTo(s string, limit int) string {
	if cut := limit * utf8.UTFMax * 2; len(s) > cut {
		s = s[:cut]
	}
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}
