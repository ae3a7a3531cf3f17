package page

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const svgLogo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><defs><linearGradient id="a"><stop stop-color="#e07b00"/></linearGradient></defs><circle fill="url(#a)" cx="20" cy="20" r="18"/></svg>`

// ownLook is all that an operator can say of the look, as large as it may be.
func ownLook() Options {
	o := fullOptions
	o.Logo = []byte("\x89PNG\r\n\x1a\n" + strings.Repeat("\xfb\xef\xbe", (MaxLogo-8)/3+1)[:MaxLogo-8])
	o.LogoAlt, o.Colour, o.ColourDark = "Northwind", "#0f6b3a", "#7fd8a6"
	return o
}

func TestThePalettesOfTheCodeAreThoseOfTheStyleSheet(t *testing.T) {
	_, both := palettes(t)
	for _, p := range []palette{lights, darks} {
		css := both[p.name]
		for name, c := range map[string]rgb{"card": p.card, "ground": p.ground, "on-accent": p.ink, "accent": p.accent, "tint": p.tinted} {
			if "#"+css[name] != c.String() {
				t.Errorf("%s of %s is #%s in the style sheet and %s in the code", name, p.name, css[name], c)
			}
		}
	}
}

func TestEveryColourThatIsTakenCanBeRead(t *testing.T) {
	_, both := palettes(t)
	taken := 0
	for n := range 18 * 18 * 18 {
		c := rgb{uint8(n % 18 * 15), uint8(n / 18 % 18 * 15), uint8(n / 324 * 15)}
		for _, p := range []palette{lights, darks} {
			near := p.nearest(c)
			if err := CheckColour(near.String(), p.name == "dark"); err != nil {
				t.Fatalf("%s: the nearest colour %s %v", c, near, err)
			}
			if (near == c) != (CheckColour(c.String(), p.name == "dark") == nil) {
				t.Errorf("%s is the nearest to itself only if it is taken", c)
			}
			if near != c {
				continue
			}
			taken++
			hover, tint := c.mix(p.away, p.hover), p.card.mix(c, p.tint)
			css := both[p.name]
			for _, pair := range []struct {
				front, back rgb
				least       float64
			}{
				{p.ink, c, 4.5}, {p.ink, hover, 4.5}, {hover, p.card, 4.5}, {hover, p.ground, 4.5}, {c, p.card, 4.5}, {c, p.ground, 4.5},
				{c, tint, 4.5}, {hex(t, css["text"]), tint, 4.5}, {hex(t, css["soft"]), tint, 4.5}, {hex(t, css["bad"]), tint, 4.5}, {hex(t, css["edge"]), tint, 3},
			} {
				if got := contrast(pair.front, pair.back); got < pair.least {
					t.Fatalf("%s %s: %s on %s has %.2f, wants %.1f", p.name, c, pair.front, pair.back, got, pair.least)
				}
			}
		}
	}
	if taken < 1000 {
		t.Errorf("only %d colours are taken", taken)
	}
}

func TestAColourThatCannotBeReadSaysItsContrastAndTheNearest(t *testing.T) {
	for _, tt := range []struct {
		colour string
		dark   bool
		want   string
	}{
		{"#ff6600", false, "has a contrast of 2.66:1 on the light pages, and text needs 4.5:1 [WCAG 1.4.3]; the nearest colour that does is #"},
		{"#2450c8", true, "on the dark pages"},
		{"#fff", false, "must be six hexadecimal digits"},
		{"red", false, "must be six"},
		{"#12345g", true, "must be six"},
	} {
		if err := CheckColour(tt.colour, tt.dark); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, wanted %q", tt.colour, err, tt.want)
		}
	}
}

func TestTheOwnColoursAreInBothPalettesAndInTheHashOfTheHeader(t *testing.T) {
	for _, o := range []Options{{Colour: "#0f6b3a", ColourDark: "#7fd8a6"}, {Colour: "#0f6b3a"}} {
		s := testSet(t, o)
		for name, style := range s.styles {
			css := string(style)
			if strings.Contains(css, "2450c8") || strings.Contains(css, "8db1ff") || strings.Count(css, "--accent:") != 2 {
				t.Errorf("%s: ours is still there, or the own one is not: %.600s", name, css)
			}
			day, night, _ := strings.Cut(css, "@media (prefers-color-scheme:dark)")
			if !strings.Contains(day, "--accent:#0f6b3a") || o.ColourDark != "" && !strings.Contains(night, "--accent:#7fd8a6") {
				t.Errorf("%s: the colours are not where they belong: %.600s", name, css)
			}
			if !slices.Contains(strings.Fields(s.styleHash), cspHash(css)) {
				t.Errorf("%s: the header lets another style sheet through", name)
			}
		}
	}
}

func TestALogoStandsInEveryPageAndTheHeaderLetsItThrough(t *testing.T) {
	for kind, logo := range map[string]string{
		"image/png": "\x89PNG\r\n\x1a\nx", "image/webp": "RIFF\x00\x00\x00\x00WEBPVP8L", "image/svg+xml": svgLogo,
	} {
		s := testSet(t, Options{Logo: []byte(logo), LogoAlt: `"><script>`})
		body, err := s.Message("", MessagePage{Message: Denied, Host: "h"})
		if err != nil {
			t.Fatal(err)
		}
		images := parse(t, body).named("img")
		if len(images) != 1 || !strings.HasPrefix(attr(images[0], "src"), "data:"+kind+";base64,") || attr(images[0], "alt") != `"><script>` {
			t.Errorf("%s: the page has the images %v", kind, images)
		}
		h := http.Header{}
		s.Headers(h, FrameNone)
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "; img-src data:; form-action 'self'") {
			t.Errorf("%s: the header says %q", kind, csp)
		}
	}
	s := testSet(t, Options{Logo: []byte(svgLogo)})
	for _, p := range everyPage() {
		body, err := p.render(s, "")
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(body), `<img class="logo" src="data:image/svg+xml;`); n != 1 {
			t.Errorf("%s has %d logos", p.name, n)
		}
	}
	inside := httptest.NewRecorder()
	if err := s.WriteInside(inside, http.StatusOK, nil); err != nil {
		t.Fatal(err)
	}
	if csp := inside.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "; img-src data:;") {
		t.Errorf("on the pages of the settings the header says %q", csp)
	}
}

func TestAMailHasTheOwnNameHelpAndColoursAndNoLogo(t *testing.T) {
	o := ownLook()
	o.Logo = []byte(svgLogo)
	o.Templates = []Template{{"layout", "/etc/own.html", builtinTemplate(t, "layout")}}
	m := mustMail(t, testSet(t, o), "", mailPage(MailDemand, func(n *MailPage) { n.Site, n.Help = "", "" }))
	night, day, _ := strings.Cut(m.HTML, "</style>")
	for part, want := range map[string][]string{
		day:   {"background: #0f6b3a; color: #ffffff", "color: #0f6b3a", o.SiteName, o.HelpText},
		night: {"background: #7fd8a6 !important; color: #0b1733"},
	} {
		for _, w := range want {
			if !strings.Contains(part, w) {
				t.Errorf("%q is missing in %s", w, part)
			}
		}
	}
	for _, bad := range []string{"2450c8", "8db1ff", "f0f4fe", "1e2a40", "<img", "<svg"} {
		if strings.Contains(m.HTML, bad) {
			t.Errorf("%s is in the mail", bad)
		}
	}
}

func TestABrowserShowsTheLogoInItsSize(t *testing.T) {
	ctx := browser(t)
	pages := []rendered{{render: func(s *Set, l Lang) ([]byte, error) { return s.Challenge(l, authenticator(nil)) }}}
	at := serve(t, testSet(t, Options{Logo: []byte(svgLogo)}), pages)
	if err := chromedp.Do(ctx, chromedp.Navigate(at+"/0/ar")); err != nil {
		t.Fatal(err)
	}
	const shown = `(() => { const i = document.querySelector('img.logo'); return i.complete + ' ' + (i.naturalWidth > 0) + ' ' + i.getBoundingClientRect().height; })()`
	if got := evaluate[string](t, ctx, shown); got != "true true 40" {
		t.Errorf("the logo is loaded, has a size and is so high: %s", got)
	}
}

func TestALogoThatCouldRunOrFetchSomethingIsRefused(t *testing.T) {
	svg := func(inside string) string { return `<svg xmlns="http://www.w3.org/2000/svg">` + inside + `</svg>` }
	for logo, want := range map[string]string{
		svg(`<script>alert(1)</script>`):                           "it has a <script>",
		svg(`<SCRIPT/>`):                                           "it has a <SCRIPT>",
		svg(`<x:script xmlns:x="http://www.w3.org/2000/svg"/>`):    "it has a <script>",
		svg(`<g onload="alert(1)"/>`):                              "has the script onload",
		svg(`<use href="https://evil.example/x.svg#a"/>`):          "fetches something by its href",
		svg(`<use xmlns:xlink="x" xlink:href="data:x"/>`):          "fetches something by its href",
		svg(`<image href="#a"/>`):                                  "it has a <image>",
		svg(`<foreignObject/>`):                                    "it has a <foreignObject>",
		svg(`<g style="fill:url(https://evil.example)"/>`):         "fetches something by its style",
		svg(`<g style="fill:u\72l(https://evil.example)"/>`):       "fetches something by its style",
		svg(`<style>@import "https://evil.example"</style>`):       "its style fetches something",
		svg(`<style>a{fill:URL( https://evil.example )}</style>`):  "its style fetches something",
		`<!DOCTYPE svg [<!ENTITY x "y">]>` + svg(``):               "it has a document type",
		`<?xml-stylesheet href="https://evil.example"?>` + svg(``): "it has the instruction",
		`<html><body/></html>`:                                     "it begins with <html>",
		svg(`<g>`):                                                 "not well-formed",
		"GIF89a":                                                   "as SVG it has no <svg>",
		"\xff\xd8\xff\xe0":                                         "not in UTF-8",
		"\x89PNG\r\n\x1a\n" + strings.Repeat("x", MaxLogo):         "logo has 1544 bytes, at most 1536 fit",
	} {
		if _, err := New(Options{Logo: []byte(logo)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, wanted %q", logo, err, want)
		}
	}
}

func TestEveryPageWithTheLargestLogoFitsIntoTheFirstFlightToo(t *testing.T) {
	s, err := New(ownLook())
	if err != nil {
		t.Fatal(err)
	}
	fitsTheFirstFlight(t, s)
}

func TestAnOwnTextStandsInPlaceOfOursAndIsEscaped(t *testing.T) {
	s, err := New(Options{Texts: []Text{
		{"en", "challenge.submit", "Go <on> & on"},
		{"de", "error.wrong.left", "Versuche: {count}"},
		{"de", "challenge.submit", "Los"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	page := authenticator(func(p *ChallengePage) { p.Problem, p.TriesLeft = WrongCode, 1 })
	for l, want := range map[Lang][]string{"en": {"Go &lt;on&gt; &amp; on", "You have 1 try left."}, "de": {">Los<", "Versuche: 1"}, "fr": {">Continuer<"}} {
		body, err := s.Challenge(l, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !bytes.Contains(body, []byte(w)) {
				t.Errorf("%s lacks %q", l, w)
			}
		}
	}
	plain, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := plain.Challenge("de", page); !bytes.Contains(body, []byte(">Weiter<")) {
		t.Error("one site's own text is on another's page")
	}
}

func TestAnOwnTextThatCannotStandThereIsRefused(t *testing.T) {
	for _, tt := range []struct {
		text Text
		want string
	}{
		{Text{"xx", "challenge.submit", "x"}, `there is no "xx"`},
		{Text{"de-AT", "challenge.submit", "x"}, "en, ar, de, es, fr, pt-BR"},
		{Text{"en", "challenge.nonsense", "x"}, `there is no "challenge.nonsense"`},
		{Text{"en", "challenge.submit", " "}, "must not be blank"},
		{Text{"en", "challenge.submit", "{site}"}, "must have no placeholder in it; it has {site}"},
		{Text{"en", "who.user", "{user}"}, "must have {site} and {user} in it; it has {user}"},
		{Text{"en", "challenge.submit", "{Site}"}, "no braces"},
		{Text{"en", "challenge.submit", "a\nb"}, "without line breaks"},
		{Text{"en", "challenge.submit", "a\u202eb"}, "marks of direction"},
		{Text{"en", "challenge.submit", "\xff"}, "UTF-8"},
		{Text{"en", "challenge.submit", strings.Repeat("x", 401)}, "401 characters, at most 400"},
	} {
		if err := tt.text.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+.100v: %v, wanted %q", tt.text, err, tt.want)
		}
		if _, err := New(Options{Texts: []Text{tt.text}}); err == nil {
			t.Errorf("%+.100v is taken at start", tt.text)
		}
	}
}

// builtinTemplate is the source of one of ours.
func builtinTemplate(t *testing.T, name string) string {
	t.Helper()
	raw, err := files.ReadFile("templates/" + name + ".html")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAnOwnTemplateIsUsedAndEscapesWhatItIsFilledWith(t *testing.T) {
	own := strings.Replace(builtinTemplate(t, "challenge"), `<p class="who">`, `<p class="own">{{.Brand}} wants a code</p><p class="who">`, 1)
	s, err := New(Options{Templates: []Template{{"challenge", "/etc/own.html", own}}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := s.Challenge("de", authenticator(func(p *ChallengePage) { p.Host = `<b>"x"` }))
	if err != nil || !bytes.Contains(body, []byte(`<p class="own">&lt;b&gt;&#34;x&#34; wants a code</p>`)) {
		t.Errorf("%v, got %s", err, body)
	}
	for _, name := range TemplateNames() {
		if _, err := New(Options{Templates: []Template{{name, "own.html", builtinTemplate(t, name)}}}); err != nil {
			t.Errorf("our own template %s is refused: %v", name, err)
		}
	}
}

func TestATemplateThatLacksSomethingIsRefusedByItsFile(t *testing.T) {
	for _, tt := range []struct{ template, from, to, want string }{
		{"challenge", `{{template "hidden" .Hidden}}`, ``, "/etc/own.html: a page of challenge made with it lacks the field two_factor_challenge"},
		{"challenge", `{{template "field" .Input}}`, ``, "lacks the field code in the form that posts to /answer"},
		{"challenge", `<form method="post" {{.Action}} enc`, `<form method="get" {{.Action}} enc`, "lacks a form that posts to /answer"},
		{"challenge", `{{template "text" (.T "challenge.cancel")}}</button>`, `{{template "text" (.T "challenge.cancel")}}</button><script>x</script>`, "has a <script>"},
		{"challenge", `<p class="who">`, `<p class="who" style="color:red">`, "has <p style=…>"},
		{"challenge", `<p class="who">`, `<img src="https://evil.example/x.png"><p class="who">`, "fetches"},
		{"challenge", "{{template \"hidden\" .Hidden}}", "{{.Nonsense}}", "/etc/own.html:"},
		{"challenge", `{{- with .Alert}}`, "\n\n{{- with .Alert", "template: /etc/own.html:5:"},
		{"challenge", `{{define "content"}}`, `{{define "contents"}}`, `must stand in {{define "content"}}`},
		{"choose", `name="two_factor_factor"`, `name="factor"`, "lacks a button that sends the form to /choose"},
		{"message", `{{- template "next" .Ways}}`, `<a href="/evil">x</a>`, "lacks a form that posts to /cancel"},
		{"continue", `{{.To}}`, ``, "lacks a link to https://other.example.com/"},
		{"enrol", `<a class="best" {{.}}>`, `<a class="best">`, "lacks a link to /app"},
		{"enrol", `{{- with .Proposed}}`, `{{- with .None}}`, "lacks a form that posts to /proposed"},
		{"confirm", `{{template "ask" .}}`, ``, "lacks a form that posts to /send"},
		{"enrolapp", `<code dir="ltr">{{$.Secret}}</code>`, ``, "lacks a code or a key"},
		{"enrolapp", `<img class="qr" {{.}}`, `<img class="qr"`, "lacks the picture"},
		{"enrolapp", `{{template "field" $.Code}}`, ``, "lacks the field code in the form that posts to /app"},
		{"enrolphone", `name="two_factor_region"`, `name="region"`, "lacks the field two_factor_region in the form that posts to /phone"},
		{"enrolcode", `{{template "field" $.Input}}`, ``, "lacks the field code"},
		{"recovery", `<code>{{.}}</code>`, `{{.}}`, "lacks a code or a key"},
		{"recovery", `{{.Save}}`, ``, "lacks a link to data:text/plain;charset=utf-8"},
		{"settings", `<a class="way" {{.}} aria-describedby="{{$row}}">{{template "text" ($.T "settings.remove")}}</a>`, ``, "lacks a link to /remove?one"},
		{"settings", `{{template "sent" .Rename}}`, ``, "lacks the field two_factor_token in the form that posts to /rename"},
		{"sure", `{{.Back}}`, ``, "lacks a link to /back"},
		{"activity", `{{- with .NotMe}}`, `{{- with .More}}`, "lacks a link to /not-me"},
		{"notme", `{{template "sent" .}}`, ``, "lacks the field two_factor_token"},
		{"team", `{{- with .TurnOn}}`, `{{- with .More}}`, "lacks a form that posts to /on"},
		{"layout", `<style>{{.Style}}</style>`, ``, "lacks the style sheet"},
		{"layout", `<style>{{.Style}}</style>`, `<style>{{.Style}}</style><style>p{}</style>`, "has a second <style>"},
		{"layout", `lang="{{.Lang}}"`, ``, "lacks the language"},
		{"layout", `{{template "content" .}}`, ``, "lacks the heading"},
	} {
		source := strings.Replace(builtinTemplate(t, tt.template), tt.from, tt.to, 1)
		if source == builtinTemplate(t, tt.template) {
			t.Fatalf("%s has no %q", tt.template, tt.from)
		}
		_, err := New(Options{Templates: []Template{{tt.template, "/etc/own.html", source}}})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "/etc/own.html") {
			t.Errorf("%s with %q for %q: %v, wanted %q", tt.template, tt.to, tt.from, err, tt.want)
		}
	}
	for _, own := range [][]Template{{{"nonsense", "f", "x"}}, {{"choose", "f", builtinTemplate(t, "choose")}, {"choose", "f", builtinTemplate(t, "choose")}}} {
		if _, err := New(Options{Templates: own}); err == nil {
			t.Errorf("%s is taken", fmt.Sprint(len(own)))
		}
	}
}
