package twofactor

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// Pages is how the gateway's own pages look. Files are read when the config is
// loaded, and again with every reload.
type Pages struct {
	// Name is the name of the site as people know it, at most 80 characters; text
	// messages and mails name it too. Default: the host.
	Name string `json:"name,omitempty"`
	// Logo is a file in PNG, WebP or SVG, of at most 1,536 bytes.
	Logo string `json:"logo,omitempty"`
	// LogoAlt is what the logo says, for people who do not see it. Default:
	// nothing, since the name stands beside it.
	LogoAlt string `json:"logo_alt,omitempty"`
	// Colour is that of links and buttons, rrggbb, with a contrast of at least
	// 4.5 to 1.
	Colour string `json:"colour,omitempty"`
	// ColourDark is the same on dark pages. Default: Colour, made lighter until
	// it can be read.
	ColourDark string `json:"colour_dark,omitempty"`
	// Help says where a person gets help, at most 300 characters.
	Help string `json:"help,omitempty"`
	// HelpAddress is where Help leads: http, https, mailto or tel.
	HelpAddress string `json:"help_address,omitempty"`
	// Templates are files by the name of the template that each replaces: layout,
	// or that of a page, see page.TemplateNames.
	Templates map[string]string `json:"templates,omitempty"`
	// Texts replace texts of the catalogues.
	Texts []PageText `json:"texts,omitempty"`
}

// PageText is an operator's own text.
type PageText struct {
	// Language is en, de, fr, es, pt-BR or ar.
	Language string `json:"language"`
	// Key names the text in page/texts/en.json.
	Key string `json:"key"`
	// Text is the new one, at most 400 characters, with the placeholders of the
	// old one.
	Text string `json:"text"`
}

// maxTemplate is the number of bytes of an operator's template that are read;
// a page is to have 14,000.
const maxTemplate = 64 << 10

// load reads the files and makes the pages; nil makes those of the house style.
func (p *Pages) load() (*page.Set, error) {
	if p == nil {
		return page.New(page.Options{})
	}
	o := page.Options{
		SiteName: p.Name, HelpText: p.Help, HelpURL: p.HelpAddress, LogoAlt: p.LogoAlt,
		Colour: p.Colour, ColourDark: p.ColourDark,
	}
	if p.Logo != "" {
		logo, err := readAtMost(p.Logo, page.MaxLogo)
		if err != nil {
			return nil, fmt.Errorf("pages: logo: %w", err)
		}
		if err := page.CheckLogo(logo); err != nil {
			return nil, fmt.Errorf("pages: logo %s %w", p.Logo, err)
		}
		o.Logo = logo
	}
	for _, name := range page.TemplateNames() {
		file, ok := p.Templates[name]
		if !ok {
			continue
		}
		source, err := readAtMost(file, maxTemplate)
		if err != nil {
			return nil, fmt.Errorf("pages: template: %w", err)
		}
		o.Templates = append(o.Templates, page.Template{Name: name, File: file, Source: string(source)})
	}
	for name := range p.Templates {
		if !slices.Contains(page.TemplateNames(), name) {
			return nil, fmt.Errorf("pages: there is no template %s", clip(name))
		}
	}
	for _, t := range p.Texts {
		o.Texts = append(o.Texts, page.Text{Language: t.Language, Key: t.Key, Text: t.Text})
	}
	return page.New(o)
}

// readAtMost reads a file of at most limit bytes.
func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return raw, nil
}
