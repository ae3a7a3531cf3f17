package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// Download clicks on the element that the CSS selector names and returns the
// file that the browser saves in answer.
func (p *Page) Download(selector string) []byte {
	p.t.Helper()
	p.WaitFor(selector)
	body, err := p.download(selector)
	if err != nil {
		p.fail("download by a click on "+selector, err)
	}
	return body
}

func (p *Page) download(selector string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	events := true
	_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior:         browser.SetDownloadBehaviorBehaviorAllowAndName,
		BrowserContextID: p.person.id,
		DownloadPath:     p.person.downloads,
		EventsEnabled:    &events,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing: %w", err)
	}

	saved, err := awaitDownload(ctx)
	if err != nil {
		return nil, fmt.Errorf("preparing: %w", err)
	}
	if err := p.mouse(ctx, selector, 1); err != nil {
		return nil, err
	}
	select {
	case file := <-saved:
		if file.err != nil {
			return nil, file.err
		}
		return os.ReadFile(filepath.Join(p.person.downloads, filepath.Base(file.guid)))
	case <-ctx.Done():
		return nil, fmt.Errorf("no file was saved: %w", ctx.Err())
	}
}

type savedFile struct {
	guid string
	err  error
}

// awaitDownload listens for the end of the next download of the browser.
func awaitDownload(ctx context.Context) (<-chan savedFile, error) {
	saved := make(chan savedFile, 1)
	var once sync.Once
	err := chromedp.ListenBrowser(ctx, func(ev any) {
		progress, ok := ev.(*browser.EventDownloadProgress)
		if !ok {
			return
		}
		switch progress.State {
		case browser.DownloadProgressStateCompleted:
			once.Do(func() { saved <- savedFile{guid: progress.GUID} })
		case browser.DownloadProgressStateCanceled:
			once.Do(func() { saved <- savedFile{err: errors.New("the browser gave the download up")} })
		}
	})
	return saved, err
}
