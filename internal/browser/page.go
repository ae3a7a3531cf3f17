package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

const (
	defaultPatience = 30 * time.Second
	pollInterval    = 20 * time.Millisecond
	shownText       = 2000
)

// Page is one tab of one person. Its methods fail the test that the page was
// opened for; each waits at most the page's patience, 30 s unless Patience says
// otherwise.
type Page struct {
	t        testing.TB
	person   *person
	ctx      context.Context
	watch    *watch
	prompts  *prompts
	patience time.Duration
}

// openTab opens a tab for a person and closes it when the test ends.
func (p *person) openTab(t testing.TB) *Page {
	t.Helper()
	w := newWatch()
	ctx, cancel := chromedp.NewContext(p.browser.ctx,
		chromedp.WithExistingBrowserContext(p.id),
		chromedp.WithListener(w.event),
	)
	t.Cleanup(cancel)

	// The first run's context carries the life of the tab.
	opened := make(chan error, 1)
	go func() { opened <- chromedp.Do(ctx) }()
	select {
	case err := <-opened:
		if err != nil {
			t.Fatalf("browser: opening a tab: %v", err)
		}
	case <-time.After(startTimeout):
		t.Fatalf("browser: no tab within %s", startTimeout)
	}
	w.setMainFrame(cdp.FrameID(chromedp.FromContext(ctx).Target.TargetID))
	w.onDialog(func() { go acceptDialog(ctx) })

	pg := &Page{t: t, person: p, ctx: ctx, watch: w, prompts: new(prompts), patience: defaultPatience}
	if err := pg.applySettings(); err != nil {
		t.Fatalf("browser: preparing a tab: %v", err)
	}
	return pg
}

// acceptDialog answers an alert, a confirmation or a prompt with yes, so that
// the page goes on.
func acceptDialog(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, defaultPatience)
	defer cancel()
	_, _ = chromedp.Call(limited, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
}

// NewTab opens a further tab of the same person, with the same cookies and
// settings, which is closed when the test t ends.
func (p *Page) NewTab(t testing.TB) *Page {
	t.Helper()
	tab := p.person.openTab(t)
	tab.patience = p.patience
	return tab
}

// Patience sets how long each following call may take, 30 s from the start.
func (p *Page) Patience(d time.Duration) { p.patience = d }

// Open goes to an address and waits until the page has loaded, whatever its
// status.
func (p *Page) Open(url string) {
	p.t.Helper()
	p.mustNavigate("open "+url, func(ctx context.Context) error {
		result, err := chromedp.Call(ctx, page.Navigate, page.NavigateParams{URL: url})
		if err != nil {
			return err
		}
		if result.IsDownload {
			return errors.New("the address is a download, not a page")
		}
		if result.ErrorText != "" {
			return errors.New(result.ErrorText)
		}
		return nil
	})
}

// Reload loads the page again, as the browser's button does: a page that was
// the answer to a POST is posted again.
func (p *Page) Reload() {
	p.t.Helper()
	p.mustNavigate("reload", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, page.Reload, page.ReloadParams{})
		return err
	})
}

// Back goes one step back in the tab's history and waits for the page, which
// may come out of the browser's memory without any request.
func (p *Page) Back() {
	p.t.Helper()
	p.history("go back", -1)
}

// Forward goes one step forward in the tab's history.
func (p *Page) Forward() {
	p.t.Helper()
	p.history("go forward", +1)
}

func (p *Page) history(what string, step int64) {
	p.t.Helper()
	p.mustNavigate(what, func(ctx context.Context) error {
		past, err := chromedp.Call(ctx, page.GetNavigationHistory, cdp.Empty{})
		if err != nil {
			return err
		}
		index := past.CurrentIndex + step
		if index < 0 || index >= int64(len(past.Entries)) {
			return fmt.Errorf("there is no such page in the history of %d", len(past.Entries))
		}
		_, err = chromedp.Call(ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: past.Entries[index].ID})
		return err
	})
}

// URL returns the address in the address bar.
func (p *Page) URL() string {
	p.t.Helper()
	return mustEval[string](p, "read the address", "location.href")
}

// Title returns the page's title.
func (p *Page) Title() string {
	p.t.Helper()
	return mustEval[string](p, "read the title", "document.title")
}

// Text returns the visible text of the page, without that of its frames.
func (p *Page) Text() string {
	p.t.Helper()
	return mustEval[string](p, "read the text", visibleText)
}

// HTML returns the page's document as it stands now, markup and all.
func (p *Page) HTML() string {
	p.t.Helper()
	return mustEval[string](p, "read the document", "document.documentElement.outerHTML")
}

// Has says whether an element matches the CSS selector now, visible or not.
func (p *Page) Has(selector string) bool {
	p.t.Helper()
	return mustEval[bool](p, "look for "+selector, "document.querySelector("+jsString(selector)+") !== null")
}

// Status returns the HTTP status of the document in the tab, after its
// redirects; 0 if there was no HTTP answer. A page that came back out of the
// browser's memory keeps the status that it had.
func (p *Page) Status() int { return p.watch.status() }

// Header returns a header field of the answer that the document in the tab came
// with, or the empty string. Set-Cookie is not among them: see Cookies.
func (p *Page) Header(name string) string { return p.watch.header(name) }

// Trail returns what the tab asked for to come to each document, one line for
// each request: method, address, status. It is for a test's messages.
func (p *Page) Trail() []string { return p.watch.trailLines() }

// Console returns the errors and warnings of the tab's pages: refused by a
// content security policy, failed loads, exceptions, console.error.
func (p *Page) Console() []string { return p.watch.consoleLines() }

// Dialogs returns the texts of the alerts and confirmations that pages have
// opened. Each was answered with yes.
func (p *Page) Dialogs() []string { return p.watch.dialogLines() }

// WaitText waits until the visible text contains a string, over any number of
// navigations.
func (p *Page) WaitText(substr string) {
	p.t.Helper()
	p.until(fmt.Sprintf("wait for the text %q", substr), "("+visibleText+").includes("+jsString(substr)+")")
}

// WaitURL waits until the address contains a string.
func (p *Page) WaitURL(substr string) {
	p.t.Helper()
	p.until(fmt.Sprintf("wait for an address with %q", substr), "location.href.includes("+jsString(substr)+")")
}

// WaitFor waits until an element that can be seen matches the CSS selector.
func (p *Page) WaitFor(selector string) {
	p.t.Helper()
	p.until("wait for "+selector, "("+findVisible+")("+jsString(selector)+") !== null")
}

// until waits for a JavaScript condition. An error in between is waited out
// too: the page may be between two documents.
func (p *Page) until(what, condition string) {
	p.t.Helper()
	deadline := time.Now().Add(p.patience)
	for {
		ok, err := evalWithin[bool](p, time.Until(deadline), condition)
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			p.fail(what, fmt.Errorf("not within %s", p.patience))
		}
		time.Sleep(pollInterval)
	}
}

// Screenshot writes a PNG picture of the whole page, scrolled parts too.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.fail("take a picture", err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		p.fail("take a picture", err)
	}
}

// mustNavigate does an action and waits for the document that it leads to.
func (p *Page) mustNavigate(what string, action func(context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	next := p.watch.expect()
	if err := action(ctx); err != nil {
		p.fail(what, err)
	}
	if err := next.wait(ctx); err != nil {
		p.fail(what, err)
	}
}

// fail ends the test with what was tried and what the person would see.
func (p *Page) fail(what string, err error) {
	p.t.Helper()
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("not within %s", p.patience)
	}
	p.t.Fatalf("browser: cannot %s: %v\n%s", what, err, p.describe())
}

// describe says what the tab shows, in lines for a test's message.
func (p *Page) describe() string {
	const limit = 2 * time.Second
	var b strings.Builder
	url, err := evalWithin[string](p, limit, "location.href")
	if err != nil {
		url = "(the page does not answer: " + err.Error() + ")"
	}
	text, _ := evalWithin[string](p, limit, visibleText)
	title, _ := evalWithin[string](p, limit, "document.title")
	fmt.Fprintf(&b, "address: %s\nstatus:  %d\ntitle:   %s\ntext:    %s\n", url, p.Status(), title, quote(text, shownText))
	for _, part := range []struct {
		name  string
		lines []string
	}{{"requests", p.Trail()}, {"console", p.Console()}} {
		if len(part.lines) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n\t%s\n", part.name, strings.Join(lastLines(part.lines, 12), "\n\t"))
	}
	return b.String()
}

func lastLines(lines []string, n int) []string {
	if len(lines) > n {
		return lines[len(lines)-n:]
	}
	return lines
}
