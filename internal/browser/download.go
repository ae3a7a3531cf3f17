package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// File is what the browser has saved.
type File struct {
	// Name is the name that the browser gives the file.
	Name string
	// Status and Header are those of the answer that it came with; 0 and nil if
	// no document of a page or a frame was asked for.
	Status int
	Header http.Header
	// Body is the file.
	Body []byte
}

// Download clicks on the element that the CSS selector names and returns the
// file that the browser saves in answer.
func (p *Page) Download(selector string) []byte {
	p.t.Helper()
	return p.Save(selector, 1).Body
}

// Save clicks so many times on the element that the CSS selector names and
// returns the first file that the browser saves in answer, with its name and
// the head of its answer.
func (p *Page) Save(selector string, times int64) File {
	p.t.Helper()
	p.WaitFor(selector)
	return p.SaveAfter("a click on "+selector, func(ctx context.Context) error { return p.mouse(ctx, selector, times) })
}

// SaveAfter returns the file that the browser saves in answer to an action,
// which what names.
func (p *Page) SaveAfter(what string, action func(context.Context) error) File {
	p.t.Helper()
	file, err := p.save(action)
	if err != nil {
		p.fail("download by "+what, err)
	}
	return file
}

func (p *Page) save(action func(context.Context) error) (File, error) {
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
		return File{}, fmt.Errorf("preparing: %w", err)
	}

	saved, err := awaitDownload(ctx)
	if err != nil {
		return File{}, fmt.Errorf("preparing: %w", err)
	}
	p.watch.expectFile()
	if err := action(ctx); err != nil {
		return File{}, err
	}
	select {
	case file := <-saved:
		if file.err != nil {
			return File{}, file.err
		}
		f := File{Name: file.name}
		f.Status, f.Header = p.fileAnswer(ctx)
		f.Body, err = os.ReadFile(filepath.Join(p.person.downloads, filepath.Base(file.guid)))
		return f, err
	case <-ctx.Done():
		return File{}, fmt.Errorf("no file was saved: %w", ctx.Err())
	}
}

// answerTimeout is how long after its file the tab may still tell of an answer.
const answerTimeout = 5 * time.Second

// fileAnswer waits for what the tab's own events tell of the answer that has
// become a file: the browser tells of the file beside them. Of another tab's they
// tell nothing.
func (p *Page) fileAnswer(ctx context.Context) (int, http.Header) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for {
		status, header, ok := p.watch.fileAnswer()
		if ok {
			return status, header
		}
		select {
		case <-ctx.Done():
			return 0, nil
		case <-time.After(pollInterval):
		}
	}
}

type savedFile struct {
	guid, name string
	err        error
}

// awaitDownload listens for the end of the next download of the browser.
func awaitDownload(ctx context.Context) (<-chan savedFile, error) {
	saved := make(chan savedFile, 1)
	var once sync.Once
	// Listeners are called one after the other.
	names := map[string]string{}
	err := chromedp.ListenBrowser(ctx, func(ev any) {
		if begin, ok := ev.(*browser.EventDownloadWillBegin); ok {
			names[begin.GUID] = begin.SuggestedFilename
		}
		progress, ok := ev.(*browser.EventDownloadProgress)
		if !ok {
			return
		}
		switch progress.State {
		case browser.DownloadProgressStateCompleted:
			once.Do(func() { saved <- savedFile{guid: progress.GUID, name: names[progress.GUID]} })
		case browser.DownloadProgressStateCanceled:
			once.Do(func() { saved <- savedFile{err: errors.New("the browser gave the download up")} })
		}
	})
	return saved, err
}
