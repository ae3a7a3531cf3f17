package page

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// needed is a part that a page cannot do without; say names it in words.
type needed struct{ say, is string }

// comparePages says what a page of an operator's template lacks that ours has,
// and what it has that no browser runs or fetches for it.
func comparePages(ours, theirs []byte) error {
	wanted, err := html.Parse(bytes.NewReader(ours))
	if err != nil {
		return fmt.Errorf("cannot be compared: %w", err)
	}
	got, err := html.Parse(bytes.NewReader(theirs))
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	has := neededOf(got)
	for _, p := range neededOf(wanted) {
		if !slices.Contains(has, p) {
			return fmt.Errorf("lacks %s", p.say)
		}
	}
	return checkOwnMarkup(got)
}

// neededOf lists the language, title, heading and style sheet of a page, every
// form, field, button and link, and what is read off it.
func neededOf(doc *html.Node) []needed {
	var all []needed
	add := func(say, is string) { all = append(all, needed{say, is}) }
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "html":
			add("the language and the direction of <html>", valueOf(n, "lang")+" "+valueOf(n, "dir"))
		case "title":
			add("the title {{.Title}}", wordsOf(n))
		case "h1":
			add("the heading of the page in one <h1>", wordsOf(n))
		case "style":
			add("the style sheet {{.Style}}, alone in its <style>", wordsOf(n))
		case "form":
			add("a form that posts to "+valueOf(n, "action"), valueOf(n, "method")+" "+valueOf(n, "action"))
		case "a":
			to, _, _ := strings.Cut(valueOf(n, "href"), ",")
			add("a link to "+to, valueOf(n, "href"))
		case "input", "button", "select":
			all = append(all, controlOf(doc, n))
		case "code":
			add("a code or a key that is read off the page, in its <code>", wordsOf(n))
		case "img":
			if valueOf(n, "class") != "logo" {
				add("the picture {{.Picture}}", valueOf(n, "src"))
			}
		}
	}
	return all
}

// controlOf is a field or a button with the address that it is sent to.
func controlOf(doc, n *html.Node) needed {
	to := valueOf(n, "formaction")
	if to == "" {
		to = valueOf(formOf(doc, n), "action")
	}
	name, value := valueOf(n, "name"), ""
	if n.Data == "button" || valueOf(n, "type") != "text" {
		value = valueOf(n, "value")
	}
	say := fmt.Sprintf("the field %s in the form that posts to %s", name, to)
	if n.Data == "button" {
		say = "a button that sends the form to " + to
	}
	return needed{say, n.Data + " " + name + "=" + value + " to " + to}
}

// formOf returns the form that a field or a button belongs to, or nil.
func formOf(doc, n *html.Node) *html.Node {
	if id := valueOf(n, "form"); id != "" {
		for f := range doc.Descendants() {
			if f.Data == "form" && valueOf(f, "id") == id {
				return f
			}
		}
	}
	for p := range n.Ancestors() {
		if p.Data == "form" {
			return p
		}
	}
	return nil
}

// checkOwnMarkup refuses what the Content-Security-Policy of the pages forbids:
// it would be on the page and do nothing.
func checkOwnMarkup(doc *html.Node) error {
	styles := 0
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "link", "iframe", "object", "embed", "base":
			return fmt.Errorf("has a <%s>, which its Content-Security-Policy forbids", n.Data)
		case "style":
			styles++
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				return fmt.Errorf("has <%s %s=…>, which its Content-Security-Policy forbids", n.Data, a.Key)
			}
			if a.Key == "src" && !strings.HasPrefix(a.Val, "data:") {
				return fmt.Errorf("fetches %q, which its Content-Security-Policy forbids", a.Val)
			}
		}
	}
	if styles > 1 {
		return fmt.Errorf("has a second <style>, which its Content-Security-Policy forbids")
	}
	return nil
}

// valueOf returns the value of an attribute; nothing for a node that is not there.
func valueOf(n *html.Node, name string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// wordsOf returns the text of a node with its blanks folded.
func wordsOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
