package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser starts a Chromium of its own and ends it with the test. A folder
// named in PAGE_PICTURES keeps a picture of each page there, dark ones too.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is missing")
		}
		t.Skip("chromium is missing")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	// A page in a window that has the focus, as for a person.
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return ctx
}

// serve answers /<number of the page>/<language> with our own headers.
func serve(t *testing.T, s *Set, pages []rendered) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var index int
		var lang string
		if _, err := fmt.Sscanf(r.URL.Path, "/%d/%s", &index, &lang); err != nil || index >= len(pages) {
			http.NotFound(w, r)
			return
		}
		body, err := pages[index].render(s, Lang(lang))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		// A page that goes on by itself would not stay to be looked at.
		body = bytes.Replace(body, []byte(`http-equiv="refresh"`), []byte(`name="refresh"`), 1)
		_ = s.Write(w, http.StatusOK, FrameNone, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// measured is what a page says of itself in the browser.
type measured struct {
	Scroll, Inner float64
	Small         []string
	Focus, Styled string
	Outside       []string
	// Wanted is the field that is to have the focus, if there is one.
	Wanted string
	Ring   bool
}

// measure finds what is wider than the window, and targets that are lower than
// 44 CSS pixels (a link in running text is none; of a box to be ticked, its label
// is the target). A browser moves the focus to
// an autofocus field when it draws the page, so two frames are waited for.
const measure = `(async () => {
	await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
	const wide = innerWidth + 0.5, small = [], outside = [];
	for (const e of document.querySelectorAll('body *')) {
		const r = e.getBoundingClientRect();
		if (r.width && (r.right > wide || r.left < -0.5)) outside.push(e.tagName + '.' + e.getAttribute('class'));
	}
	for (const e of document.querySelectorAll('button, input:not([type=hidden]), select, summary, a.way, a.button, .choices a')) {
		const r = (e.type === 'checkbox' ? e.closest('label') : e).getBoundingClientRect();
		if (r.height < 44 || r.width < 44) small.push(e.tagName + ' ' + e.textContent + ' ' + r.width + 'x' + r.height);
	}
	return {
		Scroll: document.documentElement.scrollWidth, Inner: innerWidth, Small: small, Outside: outside,
		Wanted: document.querySelector('[autofocus]')?.id || '', Ring: getComputedStyle(document.activeElement).outlineStyle === 'solid',
		Focus: document.activeElement.id, Styled: getComputedStyle(document.body).display,
	};
})()`

// view is a way of looking at the pages.
type view struct {
	name         string
	width        int64
	dark, double bool
	langs        []Lang
}

// set makes the browser look that way.
func (v view) set(ctx context.Context) error {
	if _, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: v.width, Height: 900, DeviceScaleFactor: 1, Mobile: v.width < 500,
	}); err != nil {
		return err
	}
	if v.dark {
		return prefer(ctx, "dark")
	}
	return prefer(ctx, "light")
}

// wordsAlone are the pages that differ from another one in their words alone.
var wordsAlone = regexp.MustCompile(`^(message |sure |settings done|enrol phone (invalid|kind|same)$)`)

func TestPagesFitTheirWindowInABrowser(t *testing.T) {
	ctx := browser(t)
	pages := everyPage()
	full, plain := serve(t, testSet(t, fullOptions), pages), serve(t, testSet(t, Options{}), pages)
	pictures := os.Getenv("PAGE_PICTURES")
	for _, v := range []view{
		{name: "phone", width: 320, langs: []Lang{sourceLanguage, pseudoTag}},
		{name: "phone-double", width: 320, double: true, langs: []Lang{pseudoTag, "de", "ar"}},
		{name: "desk", width: 1280, langs: []Lang{sourceLanguage}},
		{name: "phone-dark", width: 320, dark: true, langs: []Lang{sourceLanguage, "de", "ar"}},
		{name: "desk-dark", width: 1280, dark: true, langs: []Lang{sourceLanguage, "ar"}},
	} {
		if v.dark && pictures == "" {
			continue
		}
		if err := v.set(ctx); err != nil {
			t.Fatal(err)
		}
		for i, p := range pages {
			// Some pages differ in their words alone: the tightest view will do.
			if pictures == "" && !v.double && wordsAlone.MatchString(p.name) {
				continue
			}
			base := full
			if i%2 == 0 && !v.double {
				base = plain
			}
			for n, l := range v.langs {
				if pictures == "" && n > 0 && wordsAlone.MatchString(p.name) {
					continue
				}
				name := strings.NewReplacer(" ", "-", ",", "").Replace(p.name + " " + string(l[:2]) + " " + v.name)
				look(t, ctx, fmt.Sprintf("%s/%d/%s", base, i, l), v, pictures, name).judge(t, name)
			}
		}
	}
}

// judge says what is wrong with a page as it was measured.
func (m measured) judge(t *testing.T, name string) {
	t.Helper()
	if m.Styled != "flex" {
		t.Errorf("%s: the style sheet does not apply", name)
	}
	if m.Scroll > m.Inner || len(m.Outside) > 0 {
		t.Errorf("%s: %v px wide in a window of %v; outside: %v", name, m.Scroll, m.Inner, m.Outside)
	}
	if m.Wanted != "" && (m.Focus != m.Wanted || !m.Ring) {
		t.Errorf("%s: the focus is on %q, visible: %v; wanted on the field %q", name, m.Focus, m.Ring, m.Wanted)
	}
	if len(m.Small) > 0 {
		t.Errorf("%s: targets are too small: %v", name, m.Small)
	}
}

func TestAFormPostsToTheVeryAddressItWasGiven(t *testing.T) {
	ctx := browser(t)
	s := testSet(t, Options{})
	posted := make(chan *http.Request, 1)
	addresses := []struct{ given, asked string }{
		{"/login?next=%2Fcontacts&a=%41&b=%zz", "/login?next=%2Fcontacts&a=%41&b=%zz"},
		{"/it's(a)/[path];v=1,2!*$&+=:@~", "/it's(a)/[path];v=1,2!*$&+=:@~"},
		{"//evil.example/login", "//evil.example/login"},
		{"///", "///"},
		{"/./", ""},
		{"/a%2F..%2Fb?x", "/a%2F..%2Fb?x"},
		{"/%2561?", "/%2561?"},
		{"/räksmörgås?ö=\"<>", "/r%C3%A4ksm%C3%B6rg%C3%A5s?%C3%B6=%22%3C%3E"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = r.ParseForm()
			posted <- r
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(`<!doctype html><p id="posted">posted</p>`))
			return
		}
		var index int
		if _, err := fmt.Sscanf(r.URL.Path, "/page/%d", &index); err != nil {
			http.NotFound(w, r)
			return
		}
		body, err := s.Challenge("", authenticator(func(p *ChallengePage) { p.Action = addresses[index].given }))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = s.Write(w, http.StatusOK, FrameNone, body)
	}))
	t.Cleanup(server.Close)
	for i, a := range addresses {
		if a.asked == "" {
			if _, err := s.Challenge("", authenticator(func(p *ChallengePage) { p.Action = a.given })); !errors.Is(err, ErrAddress) {
				t.Errorf("%q: %v, wanted ErrAddress", a.given, err)
			}
			continue
		}
		if err := chromedp.Do(ctx,
			chromedp.Navigate(fmt.Sprintf("%s/page/%d", server.URL, i)),
			chromedp.SendKeys("#code", "123 456\r"),
		); err != nil {
			t.Fatalf("%q: %v", a.given, err)
		}
		select {
		case r := <-posted:
			if r.RequestURI != a.asked {
				t.Errorf("given %q, asked for %q, wanted %q", a.given, r.RequestURI, a.asked)
			}
			if got := r.PostForm.Get(FieldCode); got != "123 456" {
				t.Errorf("%q: the code came as %q", a.given, got)
			}
			if got := r.PostForm.Get(FieldChallenge) + " " + r.PostForm.Get(FieldToken); got != "hQ2V7bqkT0yS v3yF0r-m_T0k3n" {
				t.Errorf("%q: the hidden fields came as %q", a.given, got)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q: nothing was posted", a.given)
		}
		// The request is here before its answer is there: a browser that is still
		// going to that answer gives up the next page for it.
		if err := chromedp.Do(ctx, chromedp.WaitVisible("#posted")); err != nil {
			t.Fatalf("%q: %v", a.given, err)
		}
	}
}

// look opens a page, measures it and keeps a picture if a folder is given.
func look(t *testing.T, ctx context.Context, address string, v view, pictures, name string) measured {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if v.double {
		evaluate[bool](t, ctx, textSize(200))
	}
	m, err := chromedp.Run(ctx, chromedp.Evaluate[measured](measure, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if pictures == "" {
		return m
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(pictures, name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
	return m
}
