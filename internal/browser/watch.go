package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// keptLines bounds what is remembered for messages.
const keptLines = 500

// watch follows the events of one tab. Its method event runs on the goroutine
// that reads the browser's messages, so it never waits for anything.
type watch struct {
	mu        sync.Mutex
	mainFrame cdp.FrameID
	document  cdp.LoaderID                       // the document in the tab
	answers   map[cdp.LoaderID]*network.Response // its answer, and that of each earlier one
	last      *network.Response                  // the newest answer to a page or a frame
	lastID    network.RequestID                  // its request
	lastSaved bool                               // it has become a file
	waiting   *navigation
	trail     []string
	console   []string
	dialogs   []string
	dialog    func()
}

func newWatch() *watch {
	return &watch{answers: make(map[cdp.LoaderID]*network.Response)}
}

func (w *watch) setMainFrame(id cdp.FrameID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mainFrame = id
}

func (w *watch) onDialog(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dialog = f
}

// navigation is one awaited change of the document.
type navigation struct {
	loader    cdp.LoaderID // set when the new document is in the tab
	committed bool
	done      chan struct{}
	err       error
}

// errNoPage says that a click's answer was no page: a download or a 204.
var errNoPage = errors.New("the answer was no page but a download or an empty answer (use Press or Download)")

// expect begins to wait for the next document. It is called before the action
// that leads to it, so that no event is missed.
func (w *watch) expect() *navigation {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = &navigation{done: make(chan struct{})}
	return w.waiting
}

// wait waits until the document has loaded.
func (n *navigation) wait(ctx context.Context) error {
	select {
	case <-n.done:
		return n.err
	case <-ctx.Done():
		return fmt.Errorf("no new page has loaded: %w", ctx.Err())
	}
}

// finish ends the waiting; the caller holds the lock.
func (w *watch) finish(err error) {
	if w.waiting == nil {
		return
	}
	w.waiting.err = err
	close(w.waiting.done)
	w.waiting = nil
}

// event takes one event of the tab.
func (w *watch) event(ev any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		w.request(ev)
	case *network.EventResponseReceived:
		w.response(ev)
	case *network.EventLoadingFailed:
		w.failed(ev)
	case *page.EventFrameNavigated:
		w.navigated(ev)
	case *page.EventNavigatedWithinDocument:
		if ev.FrameID == w.mainFrame {
			w.finish(nil)
		}
	case *page.EventLifecycleEvent:
		w.lifecycle(ev)
	case *page.EventJavascriptDialogOpening:
		w.dialogs = keep(w.dialogs, ev.Message)
		if w.dialog != nil {
			w.dialog()
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning {
			w.console = keep(w.console, strings.TrimSpace(string(ev.Entry.Source)+": "+ev.Entry.Text+" "+ev.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		w.console = keep(w.console, "exception: "+exceptionText(ev.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError {
			w.console = keep(w.console, "console.error: "+argumentText(ev.Args))
		}
	}
}

// isDocument says whether a request is one for the tab's own document: the
// browser gives those the document's identity as their own.
func (w *watch) isDocument(kind network.ResourceType, request network.RequestID, loader cdp.LoaderID, frame cdp.FrameID) bool {
	return kind == network.ResourceTypeDocument && string(request) == string(loader) && frame == w.mainFrame
}

func (w *watch) request(ev *network.EventRequestWillBeSent) {
	if !w.isDocument(ev.Type, ev.RequestID, ev.LoaderID, ev.FrameID) {
		return
	}
	if ev.RedirectResponse != nil && len(w.trail) > 0 {
		w.trail[len(w.trail)-1] += fmt.Sprintf(" → %d", ev.RedirectResponse.Status)
	}
	w.trail = keep(w.trail, ev.Request.Method+" "+ev.Request.URL)
}

func (w *watch) response(ev *network.EventResponseReceived) {
	if ev.Type == network.ResourceTypeDocument {
		w.last, w.lastID, w.lastSaved = ev.Response, ev.RequestID, false
	}
	if !w.isDocument(ev.Type, ev.RequestID, ev.LoaderID, ev.FrameID) {
		return
	}
	w.answers[ev.LoaderID] = ev.Response
	if len(w.trail) > 0 {
		w.trail[len(w.trail)-1] += fmt.Sprintf(" → %d", ev.Response.Status)
	}
}

func (w *watch) failed(ev *network.EventLoadingFailed) {
	loader := cdp.LoaderID(ev.RequestID)
	if ev.Type == network.ResourceTypeDocument && ev.RequestID == w.lastID {
		w.lastSaved = true
	}
	if ev.Type != network.ResourceTypeDocument || loader == w.document {
		return
	}
	if len(w.trail) > 0 {
		w.trail[len(w.trail)-1] += " → " + ev.ErrorText
	}
	// A failure that is not a cancelled one shows the browser's own error page,
	// which comes as a document of its own.
	if w.waiting == nil || w.waiting.committed {
		return
	}
	if _, answered := w.answers[loader]; answered && ev.Canceled {
		w.finish(errNoPage)
	}
}

func (w *watch) navigated(ev *page.EventFrameNavigated) {
	if ev.Frame.ID != w.mainFrame {
		return
	}
	w.document = ev.Frame.LoaderID
	if w.waiting == nil {
		return
	}
	w.waiting.loader = ev.Frame.LoaderID
	w.waiting.committed = true
	if ev.Type == page.NavigationTypeBackForwardCacheRestore {
		w.finish(nil)
		return
	}
	if ev.Frame.UnreachableURL != "" {
		w.finish(fmt.Errorf("%s cannot be reached", ev.Frame.UnreachableURL))
	}
}

func (w *watch) lifecycle(ev *page.EventLifecycleEvent) {
	if w.waiting == nil || !w.waiting.committed || ev.FrameID != w.mainFrame {
		return
	}
	if ev.Name == "load" && ev.LoaderID == w.waiting.loader {
		w.finish(nil)
	}
}

func (w *watch) status() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if answer := w.answers[w.document]; answer != nil {
		return int(answer.Status)
	}
	return 0
}

func (w *watch) header(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	answer := w.answers[w.document]
	if answer == nil {
		return ""
	}
	for key, value := range answer.Headers {
		if strings.EqualFold(key, name) {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// expectFile forgets the newest answer, before the action that leads to a file.
func (w *watch) expectFile() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.lastID, w.lastSaved = nil, "", false
}

// fileAnswer is the head of the answer that has become a file; false if the tab's
// events have not told of it yet.
func (w *watch) fileAnswer() (int, http.Header, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.lastSaved {
		return 0, nil, false
	}
	h := make(http.Header, len(w.last.Headers))
	for name, value := range w.last.Headers {
		h.Set(name, fmt.Sprint(value))
	}
	return int(w.last.Status), h, true
}

func (w *watch) trailLines() []string   { return w.lines(&w.trail) }
func (w *watch) consoleLines() []string { return w.lines(&w.console) }
func (w *watch) dialogLines() []string  { return w.lines(&w.dialogs) }

func (w *watch) lines(of *[]string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(*of)
}

// keep adds a line and forgets the oldest when there are too many.
func keep(lines []string, line string) []string {
	lines = append(lines, line)
	if len(lines) > keptLines {
		lines = slices.Delete(lines, 0, len(lines)-keptLines)
	}
	return lines
}

func exceptionText(details *runtime.ExceptionDetails) string {
	if details.Exception != nil && details.Exception.Description != "" {
		return details.Exception.Description
	}
	return details.Text
}

func argumentText(args []*runtime.RemoteObject) string {
	parts := make([]string, 0, len(args))
	for _, a := range args {
		if a.Description != "" {
			parts = append(parts, a.Description)
			continue
		}
		parts = append(parts, string(a.Value))
	}
	return strings.Join(parts, " ")
}
