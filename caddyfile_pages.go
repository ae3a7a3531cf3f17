package twofactor

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// pagesBlock reads the block of pages.
type pagesBlock struct {
	*caddyfile.Dispenser
	pages *Pages
	once  singles
}

// pages sets how the gateway's own pages look. Syntax:
//
//	pages {
//	    name     <text>
//	    logo     <file> [<text>]
//	    colour   <rrggbb> [<rrggbb>]
//	    help     <text> [<address>]
//	    template <name> <file>
//	    text     <language> <key> <text>
//	}
//
// The second colour is that of dark pages. Templates and texts may be several.
// What stands in the files is looked at when the config is loaded.
func (d *directive) pages() error {
	start := d.Token()
	if err := d.once.claim(d.Dispenser); err != nil {
		return err
	}
	if d.NextArg() {
		return d.Errf("pages takes no arguments, only a block; got '%s'", d.Val())
	}
	if !blockOpens(d.Dispenser) {
		return errAt(start, "pages needs a block with name, logo, colour, help, template or text")
	}
	b := pagesBlock{Dispenser: d.Dispenser, pages: new(Pages), once: singles{}}
	empty := true
	for nesting := d.Nesting(); d.NextBlock(nesting); empty = false {
		if err := b.line(); err != nil {
			return err
		}
	}
	if empty {
		return errAt(start, "the block of pages is empty; it takes name, logo, colour, help, template and text")
	}
	d.hd.Pages = b.pages
	return nil
}

func (b *pagesBlock) line() error {
	switch b.Val() {
	case "name":
		return b.name()
	case "logo":
		return b.words(`logo <file> [<text>], for example logo /etc/caddy/logo.svg`, &b.pages.Logo, &b.pages.LogoAlt,
			func(alt string) error { return checkSaid("the words of the logo", page.Options{LogoAlt: alt}, alt) })
	case "colour":
		return b.colour()
	case "help":
		return b.help()
	case "template":
		return b.template()
	case "text":
		return b.text()
	default:
		return unknownWord(b.Dispenser, "pages", "name, logo, colour, help, template and text")
	}
}

// name sets the name of the site. Syntax:
//
//	name <text>
func (b *pagesBlock) name() error {
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	args, err := arguments(b.Dispenser, 1, 1, `name <text>, for example name "Northwind CRM"`)
	if err != nil {
		return err
	}
	b.pages.Name = args[0].Text
	if err := checkSaid("name", page.Options{SiteName: args[0].Text}, args[0].Text); err != nil {
		return errAt(args[0], "%w; got '%s'", err, args[0].Text)
	}
	return nil
}

// words reads one line with one word or two.
func (b *pagesBlock) words(usage string, first, second *string, check func(second string) error) error {
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	args, err := arguments(b.Dispenser, 1, 2, usage)
	if err != nil {
		return err
	}
	*first = args[0].Text
	if len(args) == 1 {
		return nil
	}
	*second = args[1].Text
	if err := check(args[1].Text); err != nil {
		return errAt(args[1], "%w; got '%s'", err, args[1].Text)
	}
	return nil
}

// colour sets the colour of links and buttons. Syntax:
//
//	colour <rrggbb> [<rrggbb>]
//
// A # may stand before them in quotes; without quotes it begins a comment.
func (b *pagesBlock) colour() error {
	at := b.Token()
	if err := b.words(`colour <rrggbb> [<rrggbb>], for example colour 0f6b3a; a # before it needs quotes`, &b.pages.Colour, &b.pages.ColourDark,
		func(dark string) error {
			if err := page.CheckColour(dark, true); err != nil {
				return fmt.Errorf("the colour of dark pages %w", err)
			}
			return nil
		}); err != nil {
		return err
	}
	if err := page.CheckColour(b.pages.Colour, false); err != nil {
		return errAt(at, "colour %w; got '%s'", err, b.pages.Colour)
	}
	return nil
}

// help sets where a person gets help. Syntax:
//
//	help <text> [<address>]
func (b *pagesBlock) help() error {
	at := b.Token()
	if err := b.words(`help <text> [<address>], for example help "Service desk" tel:+4930123456`, &b.pages.Help, &b.pages.HelpAddress,
		func(address string) error { return page.Options{HelpURL: address}.Check() }); err != nil {
		return err
	}
	if err := checkSaid("help", page.Options{HelpText: b.pages.Help}, b.pages.Help); err != nil {
		return errAt(at, "%w; got '%s'", err, b.pages.Help)
	}
	return nil
}

// template replaces a template. Syntax:
//
//	template <name> <file>
func (b *pagesBlock) template() error {
	names := page.TemplateNames()
	args, err := arguments(b.Dispenser, 2, 2, "template "+strings.Join(names, "|")+" <file>")
	if err != nil {
		return err
	}
	if err := checkOneOf(args[0].Text, names...); err != nil {
		return errAt(args[0], "the name of a template %w; got '%s'", err, args[0].Text)
	}
	if _, ok := b.pages.Templates[args[0].Text]; ok {
		return errAt(args[0], "template %s is already specified", args[0].Text)
	}
	if b.pages.Templates == nil {
		b.pages.Templates = map[string]string{}
	}
	b.pages.Templates[args[0].Text] = args[1].Text
	return nil
}

// text replaces a text. Syntax:
//
//	text <language> <key> <text>
func (b *pagesBlock) text() error {
	args, err := arguments(b.Dispenser, 3, 3, `text <language> <key> <text>, for example text en challenge.submit "Sign in"`)
	if err != nil {
		return err
	}
	t := PageText{Language: args[0].Text, Key: args[1].Text, Text: args[2].Text}
	for _, other := range b.pages.Texts {
		if other.Language == t.Language && other.Key == t.Key {
			return errAt(args[0], "text %s %s is already specified", t.Language, t.Key)
		}
	}
	if err := (page.Text{Language: t.Language, Key: t.Key, Text: t.Text}).Check(); err != nil {
		return errAt(args[0], "text %s %s %w; got '%s'", t.Language, t.Key, err, t.Text)
	}
	b.pages.Texts = append(b.pages.Texts, t)
	return nil
}

// checkSaid is for a line of text that stands on the pages.
func checkSaid(what string, o page.Options, s string) error {
	if err := checkLine(s); err != nil {
		return fmt.Errorf("%s %w", what, err)
	}
	return o.Check()
}
