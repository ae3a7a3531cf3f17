package page

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxLogo is the number of bytes that a logo may have. It stands in every page,
// a third larger, and a page has to go out in one flight.
const MaxLogo = 1536

// maxLogoAlt is the number of characters of a logo's words.
const maxLogoAlt = 80

// CheckLogo says why a logo cannot be shown. Its error follows the word logo or
// the file's name.
//
// An SVG is shown as an image, where its scripts would not run and nothing would
// be fetched. It is checked all the same: whoever opens it on its own, or finds
// it in a saved page, is not to be surprised.
func CheckLogo(logo []byte) error {
	_, err := logoAddress(logo)
	return err
}

// logoAddress returns the attribute with the address of an image that holds the
// image itself (RFC 2397); nothing for no logo.
func logoAddress(logo []byte) (template.HTMLAttr, error) {
	if len(logo) == 0 {
		return "", nil
	}
	if len(logo) > MaxLogo {
		return "", fmt.Errorf("has %d bytes, at most %d fit", len(logo), MaxLogo)
	}
	kind := ""
	switch {
	case bytes.HasPrefix(logo, []byte("\x89PNG\r\n\x1a\n")):
		kind = "image/png"
	case len(logo) > 12 && string(logo[:4]) == "RIFF" && string(logo[8:12]) == "WEBP":
		kind = "image/webp"
	default:
		if err := checkSVG(logo); err != nil {
			return "", fmt.Errorf("is neither PNG nor WebP, and as SVG %w", err)
		}
		kind = "image/svg+xml"
	}
	return attribute("src", "data:"+kind+";base64,"+base64.StdEncoding.EncodeToString(logo)), nil
}

// checkSVG refuses a drawing with a script, with something that is fetched, or
// with a document type, which could define anything.
func checkSVG(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("it is not in UTF-8")
	}
	d := xml.NewDecoder(bytes.NewReader(raw))
	root := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if !root {
				return errors.New("it has no <svg>")
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is not well-formed: %w", err)
		}
		switch token := token.(type) {
		case xml.Directive:
			return errors.New("it has a document type, which a drawing does not need")
		case xml.ProcInst:
			if token.Target != "xml" {
				return fmt.Errorf("it has the instruction <?%s", token.Target)
			}
		case xml.StartElement:
			if !root && token.Name.Local != "svg" {
				return fmt.Errorf("it begins with <%s>", token.Name.Local)
			}
			root = true
			if err := checkDrawn(token); err != nil {
				return err
			}
		case xml.CharData:
			if fetches(string(token)) {
				return errors.New("its style fetches something")
			}
		}
	}
}

// checkDrawn refuses an element that runs or fetches something.
func checkDrawn(e xml.StartElement) error {
	switch strings.ToLower(e.Name.Local) {
	case "script", "foreignobject", "iframe", "object", "embed", "image", "audio", "video", "a", "set", "animate":
		return fmt.Errorf("it has a <%s>, which a logo cannot have", e.Name.Local)
	}
	for _, a := range e.Attr {
		name := strings.ToLower(a.Name.Local)
		if strings.HasPrefix(name, "on") {
			return fmt.Errorf("<%s> has the script %s", e.Name.Local, a.Name.Local)
		}
		if (name == "href" || name == "src") && !strings.HasPrefix(a.Value, "#") || fetches(a.Value) {
			return fmt.Errorf("<%s> fetches something by its %s", e.Name.Local, a.Name.Local)
		}
	}
	return nil
}

// fetches tells whether a style or an attribute leads out of the drawing. A
// backslash can spell any of it.
func fetches(s string) bool {
	s = strings.ToLower(s)
	inside := strings.NewReplacer("url(#", "", `url("#`, "", "url('#", "").Replace(s)
	return strings.Contains(inside, "url(") || strings.Contains(s, "@import") || strings.Contains(s, `\`)
}
