package browser

import (
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// newSite starts a small web site with a page for each thing that the helper
// does.
func newSite(t *testing.T) *httptest.Server {
	t.Helper()
	var count atomic.Int64
	page := func(w http.ResponseWriter, title, body string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!DOCTYPE html><title>%s</title><body>%s</body>", title, body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "abc", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		page(w, "Front", `<h1>Hello</h1><p style="display:none">unseen</p>
			<form method="post" action="/greet"><input name="who" value="nobody" required><select name="size"><option value="s">Small<option value="l">Large</select>
			<textarea name="note">old</textarea><button id="go">Go</button></form>
			<a id="away" href="/away">away</a> <a id="file" href="/file">file</a> <a id="empty" href="/empty">empty</a> <a id="here" href="#below">below</a>
			<button id="alert" onclick="alert('boo')">alert</button>
			<script>document.body.dataset.scripts = "on"; console.error("told", 7)</script><noscript>scripts are off</noscript><p id="below">`)
	})
	mux.HandleFunc("POST /greet", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		page(w, "Greeting", fmt.Sprintf("Hello %s, size %s, note %s, time %d", r.FormValue("who"), r.FormValue("size"), r.FormValue("note"), count.Add(1)))
	})
	mux.HandleFunc("GET /away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/slow", http.StatusSeeOther) })
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(200 * time.Millisecond)
		w.Header().Set("X-Told", "yes")
		w.Header().Set("Content-Security-Policy", "script-src 'none'")
		w.WriteHeader(http.StatusTeapot)
		page(w, "Slow", "arrived<script>alert(1)</script>")
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="list.csv"`)
		w.Header().Set("Content-Type", "text/csv")
		fmt.Fprint(w, "a,b\n1,2\n")
	})
	mux.HandleFunc("GET /empty", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /echo", func(w http.ResponseWriter, r *http.Request) {
		page(w, "Echo", fmt.Sprintf("cookies [%s] language [%s] count %d", r.Header.Get("Cookie"), r.Header.Get("Accept-Language"), count.Add(1)))
	})
	mux.HandleFunc("GET /later", func(w http.ResponseWriter, r *http.Request) {
		page(w, "Later", `<meta http-equiv="refresh" content="0;url=/echo">going on`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// caught is a testing.TB that notes a fatal message instead of ending the test.
type caught struct {
	testing.TB
	message string
}

func (c *caught) Helper()           {}
func (c *caught) Fatal(args ...any) { c.Fatalf("%s", fmt.Sprint(args...)) }
func (c *caught) Fatalf(format string, args ...any) {
	c.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure runs f with a page that notes its failure, and returns the message.
func failure(p *Page, f func(p *Page)) string {
	note := &caught{TB: p.t}
	watched := *p
	watched.t = note
	watched.patience = 2 * time.Second
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(&watched)
	}()
	<-done
	return note.message
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantIn(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}

func TestBrowser(t *testing.T) {
	b := Start(t)
	site := newSite(t)

	t.Run("a page shows its address, title, status and visible text", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		want(t, "address", p.URL(), site.URL+"/")
		want(t, "title", p.Title(), "Front")
		want(t, "status", p.Status(), 200)
		want(t, "has a heading", p.Has("h1"), true)
		want(t, "has a table", p.Has("table"), false)
		wantIn(t, "text", p.Text(), "Hello")
		if strings.Contains(p.Text(), "unseen") {
			t.Error("the text has what nobody can see")
		}
	})

	t.Run("localhost is reached as well as 127.0.0.1", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(strings.Replace(site.URL, "127.0.0.1", "localhost", 1) + "/slow")
		p.WaitText("arrived")
		p.Open(strings.Replace(site.URL, "127.0.0.1", "a.site.test", 1) + "/slow")
		p.WaitText("arrived")
	})

	t.Run("a form is filled in and sent by a click, and sent again by a reload", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		p.Fill("input[name=who]", `Zoë "the" <b>`)
		p.Fill("select", "Large")
		p.Fill("textarea", "")
		p.Click("#go")
		wantIn(t, "text", p.Text(), `Hello Zoë "the"`, "size l", "note ,")
		want(t, "status", p.Status(), http.StatusAccepted)
		before := p.Text()
		p.Reload()
		if p.Text() == before {
			t.Error("the reload did not send the form again")
		}
		p.Back()
		want(t, "title after back", p.Title(), "Front")
		want(t, "status after back", p.Status(), 200)
		p.Forward()
		want(t, "title after forward", p.Title(), "Greeting")
	})

	t.Run("a form is sent by submit and by the Enter key", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		p.Submit("form")
		wantIn(t, "text", p.Text(), "Hello nobody")
		p.Open(site.URL + "/")
		p.Fill("input[name=who]", "Enter")
		want(t, "focus", p.Focused(), "input[name=who]")
		p.PressKeys("\r")
		p.WaitText("Hello Enter")
	})

	t.Run("a click is over when the page behind its redirect has loaded", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		p.Click("#away")
		want(t, "status", p.Status(), http.StatusTeapot)
		want(t, "title", p.Title(), "Slow")
		want(t, "header", p.Header("x-told"), "yes")
		wantIn(t, "trail", strings.Join(p.Trail(), "\n"), "GET "+site.URL+"/away → 303", "GET "+site.URL+"/slow → 418")
		wantIn(t, "console", strings.Join(p.Console(), "\n"), "Content Security Policy")
	})

	t.Run("a click within a page and a refresh are waited for", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		p.Click("#here")
		p.WaitURL("#below")
		p.Open(site.URL + "/later")
		p.WaitText("cookies")
		p.WaitURL("/echo")
	})

	t.Run("two persons share nothing, two tabs of one share the cookies", func(t *testing.T) {
		anna, berta := b.NewPerson(t), b.NewPerson(t)
		anna.Open(site.URL + "/")
		berta.Open(site.URL + "/echo")
		wantIn(t, "Berta's request", berta.Text(), "cookies []")
		tab := anna.NewTab(t)
		tab.Open(site.URL + "/echo")
		wantIn(t, "Anna's second tab", tab.Text(), "cookies [sid=abc]")
		want(t, "first tab", anna.Title(), "Front")
		want(t, "Berta's cookies", len(berta.Cookies()), 0)
	})

	t.Run("cookies are read with their flags, set and cleared", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		sid := p.Cookie("sid")
		if sid == nil {
			t.Fatal("no cookie sid")
		}
		want(t, "value", sid.Value, "abc")
		want(t, "path", sid.Path, "/")
		want(t, "domain", sid.Domain, "127.0.0.1")
		want(t, "HttpOnly", sid.HttpOnly, true)
		want(t, "Secure", sid.Secure, false)
		want(t, "SameSite", sid.SameSite, http.SameSiteLaxMode)
		want(t, "ends with the browser", sid.Expires.IsZero(), true)

		expires := time.Now().Add(time.Hour).Truncate(time.Second)
		p.SetCookie(&http.Cookie{Name: "extra", Value: "1", Path: "/echo", HttpOnly: true, Expires: expires})
		want(t, "expires", p.Cookie("extra").Expires.Unix(), expires.Unix())
		p.Open(site.URL + "/echo")
		wantIn(t, "request", p.Text(), "sid=abc", "extra=1")
		p.ClearCookies()
		p.Reload()
		wantIn(t, "request", p.Text(), "cookies []")
	})

	t.Run("scripts can be switched off and on, and the helper still works without", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Scripts(true)
		p.Open(site.URL + "/")
		wantIn(t, "text", p.Text(), "scripts are off")
		p.Fill("input[name=who]", "Old")
		p.Click("#go")
		wantIn(t, "text", p.Text(), "Hello Old")
		tab := p.NewTab(t)
		tab.Open(site.URL + "/")
		want(t, "scripts in a new tab", tab.Has("body[data-scripts]"), false)
		p.Scripts(false)
		p.Open(site.URL + "/")
		want(t, "scripts on again", p.Has("body[data-scripts]"), true)
		wantIn(t, "console", strings.Join(p.Console(), "\n"), "told")
	})

	t.Run("colours, size and language are what the person chose", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Dark(true)
		p.Viewport(360, 640)
		p.Language("de-CH")
		p.Open(site.URL + "/echo")
		wantIn(t, "request", p.Text(), "language [de-CH")
		var seen struct {
			Dark  bool
			Width int
		}
		p.Eval(`({Dark: matchMedia("(prefers-color-scheme: dark)").matches, Width: innerWidth})`, &seen)
		want(t, "dark", seen.Dark, true)
		want(t, "width", seen.Width, 360)
	})

	t.Run("a download gives the file, an empty answer leaves the page", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		want(t, "file", string(p.Download("#file")), "a,b\n1,2\n")
		want(t, "file again", string(p.Download("#file")), "a,b\n1,2\n")
		file := p.Save("#file", 1)
		want(t, "file's name", file.Name, "list.csv")
		want(t, "file's status", file.Status, http.StatusOK)
		want(t, "file's type", file.Header.Get("Content-Type"), "text/csv")
		want(t, "file with its name", string(file.Body), "a,b\n1,2\n")
		p.Press("#empty")
		want(t, "title", p.Title(), "Front")
	})

	t.Run("an alert is answered and noted", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		p.Press("#alert")
		p.Open(site.URL + "/echo")
		want(t, "dialogs", strings.Join(p.Dialogs(), ","), "boo")
	})

	t.Run("a promise is waited for and a picture is written", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		var status int
		p.Eval(`fetch("/slow").then(r => r.status)`, &status)
		want(t, "status by script", status, http.StatusTeapot)
		picture := filepath.Join(t.TempDir(), "page.png")
		p.Screenshot(picture)
		f, err := os.Open(picture)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := png.DecodeConfig(f); err != nil {
			t.Errorf("the picture is no PNG: %v", err)
		}
	})

	t.Run("what cannot be done fails with the address and the visible text", func(t *testing.T) {
		p := b.NewPerson(t)
		p.Open(site.URL + "/")
		for name, act := range map[string]func(p *Page){
			"a field that is not there":        func(p *Page) { p.Fill("#missing", "x") },
			"a text that does not come":        func(p *Page) { p.WaitText("never") },
			"a click that leads nowhere":       func(p *Page) { p.Click("h1") },
			"a click that leads to no content": func(p *Page) { p.Click("#empty") },
			"a click that leads to a file":     func(p *Page) { p.Click("#file") },
			"script that throws":               func(p *Page) { p.Eval("nothing.at.all", nil) },
			"a step before the first page":     func(p *Page) { p.Back(); p.Back() },
			"a name outside this machine":      func(p *Page) { p.Open("http://example.com/") },
		} {
			p.Open(site.URL + "/")
			message := failure(p, act)
			if message == "" {
				t.Errorf("%s: no failure", name)
				continue
			}
			wantIn(t, name, message, "address: ", "status:", "text:")
		}
		p.Open(site.URL + "/")
		message := failure(p, func(p *Page) { p.WaitText("never") })
		wantIn(t, "message", message, site.URL+"/", "Hello", `wait for the text "never"`)
	})
}

func TestStartEndsWithItsTest(t *testing.T) {
	var profile string
	t.Run("a browser is started", func(t *testing.T) {
		b := Start(t)
		p := b.NewPerson(t)
		p.Open("about:blank")
		profile = filepath.Dir(t.TempDir())
	})
	if running := processesWith(t, profile); len(running) != 0 {
		t.Errorf("still running: %q", running)
	}
	if _, err := os.Stat(profile); !os.IsNotExist(err) {
		t.Errorf("the profile is still there: %v", err)
	}
}

// processesWith returns the command lines that name a folder.
func processesWith(t *testing.T, folder string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range lines {
		if line, err := os.ReadFile(file); err == nil && strings.Contains(string(line), folder) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
