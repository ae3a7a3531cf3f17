package browser

import (
	"context"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// The size of the page area of a person who has not chosen one, in CSS pixels.
const (
	defaultWidth  = 1280
	defaultHeight = 800
)

// settings is how a person has set up the browser. New tabs of the person get
// them too.
type settings struct {
	scriptsOff    bool
	dark          bool
	width, height int
	language      string
}

// Scripts switches the scripts of pages off or on again, from the next page on.
func (p *Page) Scripts(off bool) {
	p.t.Helper()
	p.person.settings.scriptsOff = off
	p.mustApply("switch scripts")
}

// Dark asks pages for their dark colours, or for the light ones again.
func (p *Page) Dark(on bool) {
	p.t.Helper()
	p.person.settings.dark = on
	p.mustApply("switch dark colours")
}

// Viewport sets the size of the page area in CSS pixels, 1280 by 800 at first.
func (p *Page) Viewport(width, height int) {
	p.t.Helper()
	p.person.settings.width, p.person.settings.height = width, height
	p.mustApply("set the page size")
}

// Language sets the language that the browser asks for, a BCP 47 tag such as
// "de-CH" or a list such as "de-CH,de;q=0.8".
func (p *Page) Language(tag string) {
	p.t.Helper()
	p.person.settings.language = tag
	p.mustApply("set the language")
}

func (p *Page) mustApply(what string) {
	p.t.Helper()
	if err := p.applySettings(); err != nil {
		p.fail(what, err)
	}
}

// applySettings sets this tab up as the person's settings say.
func (p *Page) applySettings() error {
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	s := p.person.settings

	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: s.scriptsOff}); err != nil {
		return err
	}
	colours := "light"
	if s.dark {
		colours = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colours}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		return err
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(int64(s.width), int64(s.height))); err != nil {
		return err
	}
	if s.language == "" {
		return nil
	}
	version, err := chromedp.CallBrowser(ctx, browser.GetVersion, cdp.Empty{})
	if err != nil {
		return err
	}
	_, err = chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
		UserAgent: version.UserAgent, AcceptLanguage: s.language,
	})
	return err
}
