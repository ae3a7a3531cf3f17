package page

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"unicode/utf8"

	"golang.org/x/text/language"
)

//go:embed templates/*.html style.css texts/*.json
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
}

// Set renders the pages. It never changes after New and is safe for
// concurrent use.
type Set struct {
	siteName   string
	helpText   string
	helpURL    string
	style      template.CSS
	styleHash  string
	pages      map[pageName]*template.Template
	catalogues map[Lang]*catalogue
	order      []Lang
	matcher    language.Matcher
}

// pageName names one template of the folder templates.
type pageName string

const (
	pageChallenge pageName = "challenge"
	pageChoose    pageName = "choose"
	pageMessage   pageName = "message"
	pageContinue  pageName = "continue"
)

var pageNames = []pageName{pageChallenge, pageChoose, pageMessage, pageContinue}

// New parses the templates, the style sheet and the catalogues, and checks the
// options. Its errors name the option or the catalogue that is wrong.
func New(o Options) (*Set, error) {
	catalogues, err := builtinCatalogues()
	if err != nil {
		return nil, err
	}
	return newSet(o, catalogues)
}

// newSet is New with the catalogues given; the first is the source language,
// against which all others are checked and on which every choice falls back.
func newSet(o Options, catalogues []*catalogue) (*Set, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	source, err := fs.ReadFile(files, "style.css")
	if err != nil {
		return nil, fmt.Errorf("page: style sheet: %w", err)
	}
	style := compactCSS(string(source))
	s := &Set{
		siteName:   tidy(o.SiteName),
		helpText:   tidyTo(o.HelpText, maxHelpText),
		helpURL:    o.HelpURL,
		style:      template.CSS(style),
		styleHash:  cspHash(style),
		pages:      make(map[pageName]*template.Template, len(pageNames)),
		catalogues: make(map[Lang]*catalogue, len(catalogues)),
	}
	if err := s.addCatalogues(catalogues); err != nil {
		return nil, err
	}
	base, err := template.New("layout").Option("missingkey=error").ParseFS(files, "templates/layout.html")
	if err != nil {
		return nil, fmt.Errorf("page: layout: %w", err)
	}
	for _, name := range pageNames {
		t, err := base.Clone()
		if err != nil {
			return nil, fmt.Errorf("page: layout: %w", err)
		}
		t, err = t.ParseFS(files, "templates/"+string(name)+".html")
		if err != nil {
			return nil, fmt.Errorf("page: template %s: %w", name, err)
		}
		s.pages[name] = t
	}
	return s, nil
}

// check says which option cannot be used and why.
func (o Options) check() error {
	var errs []error
	if n := utf8.RuneCountInString(o.SiteName); n > maxSiteName {
		errs = append(errs, fmt.Errorf("page: site name has %d characters, at most %d fit", n, maxSiteName))
	}
	if n := utf8.RuneCountInString(o.HelpText); n > maxHelpText {
		errs = append(errs, fmt.Errorf("page: help text has %d characters, at most %d fit", n, maxHelpText))
	}
	if len(o.HelpURL) > maxHelpURL {
		errs = append(errs, fmt.Errorf("page: help address has %d bytes, at most %d fit", len(o.HelpURL), maxHelpURL))
	} else if o.HelpURL != "" {
		if err := checkHelpURL(o.HelpURL); err != nil {
			errs = append(errs, fmt.Errorf("page: help address %q: %w", o.HelpURL, err))
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
		Style:   s.style,
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
