package page

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"regexp"
	"strings"
)

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssBlanks  = regexp.MustCompile(`\s+`)
	cssAround  = regexp.MustCompile(` ?([{};,]) ?`)
)

// readStyles returns the style of each sheet, with style.css before it in the
// operator's colours, if there are any, and the source expressions that let
// exactly these through.
func readStyles(light, dark *rgb) (map[sheet]template.CSS, string, error) {
	base, err := readStyle("style.css", light, dark)
	if err != nil {
		return nil, "", err
	}
	styles := make(map[sheet]template.CSS, len(sheets))
	var hashes []string
	for _, name := range sheets {
		more, err := readStyle(string(name), light, dark)
		if err != nil {
			return nil, "", err
		}
		styles[name] = template.CSS(base + more)
		hashes = append(hashes, cspHash(base+more))
	}
	return styles, strings.Join(hashes, " "), nil
}

// readStyle reads one sheet, gives it its colours and makes it compact.
func readStyle(name string, light, dark *rgb) (string, error) {
	source, err := fs.ReadFile(files, name)
	if err != nil {
		return "", fmt.Errorf("page: style sheet: %w", err)
	}
	return compactCSS(recolour(string(source), light, dark)), nil
}

// compactCSS drops comments and needless blanks. It is made for our own style
// sheet, which has no strings with blanks in them.
func compactCSS(css string) string {
	css = cssComment.ReplaceAllString(css, "")
	css = cssBlanks.ReplaceAllString(css, " ")
	css = cssAround.ReplaceAllString(css, "$1")
	css = strings.ReplaceAll(css, ";}", "}")
	css = strings.ReplaceAll(css, ": ", ":")
	return strings.TrimSpace(css)
}

// cspHash returns the source expression that lets exactly this inline style
// through [CSP Level 3, section 2.3.1].
func cspHash(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
