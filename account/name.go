package account

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxName is the largest length of a user name in bytes, before and after
// folding. A longer one is no name.
const MaxName = 256

// Fold returns the form of a user name by which accounts are found: Unicode
// compatibility form (NFKC), case folded, without surrounding blanks, so that
// the spellings an app takes as one user are one account here (CVE-2020-12812).
// It returns "" for what cannot be a name: nothing but blanks, control
// characters inside, invalid UTF-8, or more than [MaxName] bytes.
func Fold(name string) string {
	if len(name) > MaxName || strings.ToValidUTF8(name, "") != name {
		return ""
	}
	s := cases.Fold().String(norm.NFKC.String(name))
	s = strings.TrimFunc(norm.NFKC.String(s), unicode.IsSpace)
	if len(s) > MaxName || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}
