package page

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"unicode/utf8"

	"golang.org/x/text/language"
)

//go:embed templates/*.html *.css texts/*.json
var files embed.FS

// Names of the form fields that the pages send.
const (
	// FieldChallenge is the hidden field with the challenge's id.
	FieldChallenge = "two_factor_challenge"
	// FieldToken is the hidden field with the form token of the session.
	FieldToken = "two_factor_token"
	// FieldCode is the field with the code that the person typed.
	FieldCode = "code"
	// FieldFactor is the name of the buttons on the page that offers the other
	// ways; its value is the id of the chosen factor.
	FieldFactor = "two_factor_factor"
	// FieldRemember is 1 if the person wants the browser to be remembered.
	FieldRemember = "two_factor_remember"
	// FieldRegion is the country of a number, as ISO 3166-1 has it.
	FieldRegion = "two_factor_region"
	// FieldNumber is the number of a phone as the person typed it.
	FieldNumber = "two_factor_number"
	// FieldLabel is the person's own name of a factor.
	FieldLabel = "two_factor_label"
	// FieldConfirm is the code of a mail or an invitation.
	FieldConfirm = "two_factor_confirm"
)

// Limits of what an operator gives, in characters.
const (
	maxSiteName = 80
	maxHelpText = 300
	maxHelpURL  = 500
)

// Options is what an operator says about the pages.
type Options struct {
	// SiteName is the name of the site as people know it, at most 80
	// characters. Empty: the pages show the host.
	SiteName string
	// HelpText says where a person gets help, at most 300 characters, for
	// example "Service desk, extension 1234". Empty: nothing is shown, or a
	// general word if there is a HelpURL.
	HelpText string
	// HelpURL is where HelpText leads to: an http, https, mailto or tel
	// address of at most 500 bytes. Empty: HelpText is no link.
	HelpURL string
	// Logo is an image in PNG, WebP or SVG of at most MaxLogo bytes, shown 40
	// pixels high in place of the shield. Nil: the shield.
	Logo []byte
	// LogoAlt is what the logo says, at most 80 characters. Empty: nothing that
	// the name beside it does not say.
	LogoAlt string
	// Colour is that of links and buttons on light pages, rrggbb, and
	// ColourDark that on dark ones. Text has a contrast of at least 4.5 to 1 in
	// both. Empty: ours; where only Colour is given, ColourDark is made of it.
	Colour, ColourDark string
	// Texts replace texts of the catalogues.
	Texts []Text
	// Templates replace templates.
	Templates []Template
}

// Set renders the pages. It never changes after New and is safe for
// concurrent use.
type Set struct {
	siteName   string
	helpText   string
	helpURL    string
	logo       template.HTMLAttr
	logoAlt    string
	styles     map[sheet]template.CSS
	styleHash  string
	pages      map[pageName]*template.Template
	catalogues map[Lang]*catalogue
	order      []Lang
	matcher    language.Matcher
}

// New parses the templates, the style sheets and the catalogues, and checks the
// options. Its errors name the option or the catalogue that is wrong.
func New(o Options) (*Set, error) {
	catalogues, err := builtinCatalogues()
	if err != nil {
		return nil, err
	}
	if catalogues, err = withTexts(catalogues, o.Texts); err != nil {
		return nil, err
	}
	return newSet(o, catalogues)
}

// newSet is New with the catalogues given; the first is the source language,
// against which all others are checked and on which every choice falls back.
func newSet(o Options, catalogues []*catalogue) (*Set, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	logo, err := logoAddress(o.Logo)
	if err != nil {
		return nil, fmt.Errorf("page: logo %w", err)
	}
	light, dark, err := o.accents()
	if err != nil {
		return nil, err
	}
	styles, hashes, err := readStyles(light, dark)
	if err != nil {
		return nil, err
	}
	s := &Set{
		siteName:   tidy(o.SiteName),
		helpText:   tidyTo(o.HelpText, maxHelpText),
		helpURL:    o.HelpURL,
		logo:       logo,
		logoAlt:    tidy(o.LogoAlt),
		styles:     styles,
		styleHash:  hashes,
		catalogues: make(map[Lang]*catalogue, len(catalogues)),
	}
	if err := s.addCatalogues(catalogues); err != nil {
		return nil, err
	}
	if err := s.parseTemplates(o.Templates); err != nil {
		return nil, err
	}
	if s.pages[pageMail], err = mailTemplate(light, dark); err != nil {
		return nil, err
	}
	return s, nil
}

// Check says which of the names and addresses cannot be used and why. The logo,
// colours, texts and templates have checks of their own.
func (o Options) Check() error {
	var errs []error
	if n := utf8.RuneCountInString(o.SiteName); n > maxSiteName {
		errs = append(errs, fmt.Errorf("site name has %d characters, at most %d fit", n, maxSiteName))
	}
	if n := utf8.RuneCountInString(o.HelpText); n > maxHelpText {
		errs = append(errs, fmt.Errorf("help text has %d characters, at most %d fit", n, maxHelpText))
	}
	if n := utf8.RuneCountInString(o.LogoAlt); n > maxLogoAlt {
		errs = append(errs, fmt.Errorf("the words of the logo have %d characters, at most %d fit", n, maxLogoAlt))
	}
	if len(o.HelpURL) > maxHelpURL {
		errs = append(errs, fmt.Errorf("help address has %d bytes, at most %d fit", len(o.HelpURL), maxHelpURL))
	} else if o.HelpURL != "" {
		if err := checkHelpURL(o.HelpURL); err != nil {
			errs = append(errs, fmt.Errorf("help address %q: %w", o.HelpURL, err))
		}
	}
	return errors.Join(errs...)
}

// frameView is what the layout needs of every page.
type frameView struct {
	*speaker
	Title   string
	Brand   string
	Host    string
	Logo    template.HTMLAttr
	LogoAlt string
	Style   template.CSS
	Refresh template.HTMLAttr
	Help    []part
	HelpTo  template.HTMLAttr
}

// frame starts the view of a page; title is the state it shows and failed says
// whether that is an error.
func (s *Set) frame(sp *speaker, host, title string, failed bool) frameView {
	f := frameView{
		speaker: sp,
		Brand:   s.siteOr(host),
		Logo:    s.logo,
		LogoAlt: s.logoAlt,
		Style:   s.styles[sheetSignIn],
	}
	if s.siteName != "" {
		f.Host = tidy(host)
	}
	key := "layout.title"
	if failed {
		key = "layout.title.error"
	}
	f.Title = sp.plain(key, words("title", title), given("site", f.Brand))
	s.addHelp(&f)
	return f
}

// addHelp puts the operator's help line on the page, if there is one.
func (s *Set) addHelp(f *frameView) {
	if s.helpText == "" && s.helpURL == "" {
		return
	}
	f.Help = f.say("layout.help.ask")
	if s.helpText != "" {
		f.Help = []part{{Text: s.helpText, Given: true}}
	}
	if s.helpURL != "" {
		f.HelpTo = attribute("href", s.helpURL)
	}
}

// SiteName is the operator's name of the site, or empty.
func (s *Set) SiteName() string { return s.siteName }

// siteOr returns the operator's name of the site, or else the host.
func (s *Set) siteOr(host string) string {
	if s.siteName != "" {
		return s.siteName
	}
	return tidy(host)
}

// render executes one template into a buffer; nothing is returned with an error.
func (s *Set) render(name pageName, sp *speaker, view any) ([]byte, error) {
	if sp.err != nil {
		return nil, fmt.Errorf("page: %s: %w", name, sp.err)
	}
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout", view); err != nil {
		return nil, fmt.Errorf("page: %s: %w", name, err)
	}
	if sp.err != nil {
		return nil, fmt.Errorf("page: %s: %w", name, sp.err)
	}
	return b.Bytes(), nil
}
