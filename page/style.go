package page

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
)

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssBlanks  = regexp.MustCompile(`\s+`)
	cssAround  = regexp.MustCompile(` ?([{};,]) ?`)
)

// compactCSS drops comments and needless blanks. It is made for our own style
// sheet, which has no strings with blanks in them.
func compactCSS(css string) string {
	css = cssComment.ReplaceAllString(css, "")
	css = cssBlanks.ReplaceAllString(css, " ")
	css = cssAround.ReplaceAllString(css, "$1")
	css = strings.ReplaceAll(css, ";}", "}")
	return strings.TrimSpace(css)
}

// cspHash returns the source expression that lets exactly this inline style
// through [CSP Level 3, section 2.3.1].
func cspHash(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
