package twofactor

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// TestAnExportInARealBrowser does to an export that asks for a code what people
// and pages do to one.
func TestAnExportInARealBrowser(t *testing.T) {
	b := browser.Start(t)
	for _, tt := range []struct {
		name string
		test func(*testing.T, *browser.Browser)
	}{
		{"a form gives the file that it gives without a gateway", formExport},
		{"a link gives the file that it gives without a gateway", linkExport},
		{"a wrong code, another way and a new text on the way to the file", roundaboutExport},
		{"reload and back before the code", reloadBeforeTheFile},
		{"reload and back after the file", reloadAfterTheFile},
		{"a page in place of a file, reloaded", reloadOfAPage},
		{"a code that is good for an hour", freshForAnHour},
		{"a double click on the code", doubleClickOnTheCode},
		{"two exports in two tabs", twoExportsInTwoTabs},
		{"cancel", cancelOfAnExport},
		{"a hidden frame of the app's page", hiddenFrame},
		{"a script of the app's page", scriptOfThePage},
		{"a pop-up", popUpExport},
		{"a link on another site", linkOnAnotherSite},
		{"a form of another site", formOfAnotherSite},
		{"what the browser loads ahead", loadedAhead},
		{"the keyboard alone", exportByKeyboard},
		{"without scripts", exportWithoutScripts},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, b) })
	}
}

// exporting is the demo app behind a gateway that asks for a code at each export,
// with bob signed in, and pages of the app's own beside it.
type exporting struct {
	t   *testing.T
	app *demoapp.App
	s   *site
	// plain is the app's own address.
	plain string
	// p is bob's browser.
	p *browser.Page
}

// exportPages are pages of the app that get an export in their own ways.
var exportPages = map[string]string{
	"frame": `<iframe name="quiet" style="display:none"></iframe><a id="export-in-frame" href="/contacts/export" target="quiet">Export</a>`,
	"script": `<button id="fetch" onclick="take()">Export</button><p id="told"></p><script>async function take() {
		const r = await fetch("/contacts/export?q=Maria"), body = await r.text();
		document.getElementById("told").textContent = "status " + r.status + " type " + r.headers.get("Content-Type") + " body " + body;
	}</script>`,
	"popup": `<button id="popup" onclick="window.child = window.open('/contacts/export', 'child', 'width=500,height=500')">Export</button>`,
	"ahead": `<link rel="prefetch" href="/contacts/export?q=Link"><script type="speculationrules">
		{"prefetch": [{"urls": ["/contacts/export?q=Rule"], "eagerness": "immediate"}], "prerender": [{"urls": ["/contacts/export?q=Render"], "eagerness": "immediate"}]}
		</script><p>Ahead</p>`,
	"picture": `<img src="/contacts/export?q=Picture" alt="">`,
}

func startExporting(t *testing.T, b *browser.Browser, lines string) *exporting {
	t.Helper()
	e := &exporting{t: t, app: demoapp.New(demoapp.Options{})}
	mux := http.NewServeMux()
	mux.Handle("/", e.app)
	for name, body := range exportPages {
		mux.HandleFunc("/pages/"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			_, _ = fmt.Fprintf(w, "<!DOCTYPE html><title>%s</title><h1>Our exports</h1>%s", name, body)
		})
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	e.plain = srv.URL
	file := siteWith("login fields email password {\nyes redirect /dashboard*\nno status 200 text \"The e-mail address or the password is wrong\"\n}\n"+lines, "log\n\treverse_proxy {$UPSTREAM}")
	e.s = startSite(t, file, srv.Listener.Addr().String())
	e.p = b.NewPerson(t)
	askFor(t, e.s, e.p, bob, bobPassword)
	enterCode(e.p, e.s.textCode())
	e.p.Open(e.s.url + "/contacts")
	return e
}

// plainPage is a browser in which bob is signed in at the app itself.
func (e *exporting) plainPage(b *browser.Browser) *browser.Page {
	e.t.Helper()
	p := b.NewPerson(e.t)
	p.Open(e.plain + "/login")
	fillLogin(p, bob, bobPassword)
	p.Click("#submit")
	p.Open(e.plain + "/contacts")
	return p
}

const (
	exportForm   = "#export input[type=submit]"
	exportLink   = "#export-link"
	sendButton   = "form.send button"
	cancelButton = `form[action="/.two-factor/cancel"] button`
)

// asks checks that a page asks for a code to export, and has a text sent.
func (e *exporting) asks(p *browser.Page) {
	e.t.Helper()
	says(e.t, p, "To export all contacts", "You stay signed in")
	e.texted(p)
}

func (e *exporting) texted(p *browser.Page) {
	e.t.Helper()
	p.Click(sendButton)
	says(e.t, p, "To export all contacts, enter the code we texted you")
}

// reached are the exports that reached the app through the gateway or past it.
func (e *exporting) reached(want int) []demoapp.Request {
	e.t.Helper()
	got := exports(e.app)
	if len(got) != want {
		e.t.Fatalf("%d exports reached the app, want %d: %+v", len(got), want, got)
	}
	return got
}

// same fails unless a file and the head of its answer are those without a gateway.
func same(t *testing.T, got, want browser.File) {
	t.Helper()
	if len(want.Body) == 0 || want.Status != http.StatusOK || want.Name == "" {
		t.Fatalf("without the gateway there is no file to compare with: %d %q", want.Status, want.Name)
	}
	if got.Name != want.Name || got.Status != want.Status {
		t.Errorf("the file is %q by status %d, without the gateway %q by %d", got.Name, got.Status, want.Name, want.Status)
	}
	for _, field := range []string{"Content-Type", "Content-Length", "Content-Disposition", "Accept-Ranges", "Cache-Control"} {
		if got.Header.Get(field) != want.Header.Get(field) {
			t.Errorf("%s is %q, without the gateway %q", field, got.Header.Get(field), want.Header.Get(field))
		}
	}
	if string(got.Body) != string(want.Body) {
		t.Errorf("the file has %d bytes, without the gateway %d:\n%.200s\n%.200s", len(got.Body), len(want.Body), got.Body, want.Body)
	}
}

func formExport(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	fill := func(p *browser.Page) {
		p.Eval(`document.querySelectorAll("#export [name=columns]")[1].click()`, nil)
		p.Fill("#separator", "semicolon")
	}
	plain := e.plainPage(b)
	fill(plain)
	want := plain.Save(exportForm, 1)
	e.reached(1)
	fill(e.p)
	e.p.Click(exportForm)
	e.asks(e.p)
	e.reached(1)
	e.p.Fill("#code", e.s.textCode())
	same(t, e.p.Save(continueButton, 1), want)
	got := e.reached(2)
	if got[1].Method != http.MethodPost || got[1].URI != "/contacts/export" || got[1].Header.Get("Content-Type") != got[0].Header.Get("Content-Type") || got[1].Header.Get("Sec-Fetch-Dest") != "document" {
		t.Errorf("what reached the app: %+v", got[1])
	}
	if h := got[1].Header; h.Get("Referer") != e.s.url+"/contacts" || h.Get("Origin") != e.s.url {
		t.Errorf("it came from %q and %q", h.Get("Referer"), h.Get("Origin"))
	}
	complainsOfNothing(t, e.p)
}

func linkExport(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	want := e.plainPage(b).Save(exportLink, 1)
	e.p.Click(exportLink)
	e.asks(e.p)
	e.reached(1)
	e.p.Fill("#code", e.s.textCode())
	same(t, e.p.Save(continueButton, 1), want)
	if got := e.reached(2); got[1].Method != http.MethodGet || len(got[1].Body) != 0 {
		t.Errorf("what reached the app: %+v", got[1])
	}
	// Another export asks again, and the other pages do not.
	e.p.Open(e.s.url + "/contacts")
	e.p.Click(exportLink)
	says(t, e.p, "To export all contacts, get a code by text message")
	isSignedIn(t, e.s, e.p, bob)
	e.reached(2)
}

func roundaboutExport(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	p := b.NewPerson(t)
	askFor(t, e.s, p, carol, carolPassword)
	enterCode(p, e.s.code(carol))
	p.Open(e.s.url + "/contacts")
	p.Click(exportLink)
	sent := len(e.s.texts())
	says(t, p, "To export all contacts, enter the code from your authenticator")
	enterCode(p, wrongCode(e.s))
	says(t, p, "That code is not right", "To export all contacts")
	follow(t, p, "Use another way")
	says(t, p, "To export all contacts, choose another way")
	if n := len(e.s.texts()); n != sent {
		t.Fatalf("%d texts were sent before the phone was chosen", n-sent)
	}
	p.Click("ul.choices li:last-child button")
	says(t, p, "enter the code we texted you")
	p.Click(sendButton)
	says(t, p, "This works in")
	e.reached(0)
	p.Fill("#code", e.s.textCode())
	if f := p.Save(continueButton, 1); f.Name != "contacts.csv" {
		t.Errorf("the file is %q", f.Name)
	}
	e.reached(1)
}

func reloadBeforeTheFile(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	e.p.Click(exportForm)
	sent := len(e.s.texts())
	e.p.Reload()
	e.asks(e.p)
	for range 2 {
		e.p.Reload()
		says(t, e.p, "enter the code we texted you")
	}
	if n := len(e.s.texts()); n != sent+1 {
		t.Errorf("%d texts after three reloads, want 1", n-sent)
	}
	code := e.s.textCode()
	// Back at the contacts nothing waits, and forward is the same challenge.
	for range 4 {
		if e.p.Back(); pathOf(t, e.p) == "/contacts" {
			break
		}
	}
	if at := pathOf(t, e.p); at != "/contacts" {
		t.Fatalf("back led to %s", at)
	}
	e.reached(0)
	e.p.Forward()
	for range 3 {
		if e.p.Has("#code") {
			break
		}
		e.p.Forward()
	}
	e.p.Fill("#code", code)
	if f := e.p.Save(continueButton, 1); f.Name != "contacts.csv" {
		t.Errorf("the file is %q", f.Name)
	}
	e.reached(1)
}

func reloadAfterTheFile(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	e.p.Click(exportForm)
	e.asks(e.p)
	e.p.Fill("#code", e.s.textCode())
	e.p.Save(continueButton, 1)
	// The browser has saved the file and still shows the page with the code.
	says(t, e.p, "If you get a file, this page stays as it is.")
	two := e.p.NewTab(t)
	two.Open(e.s.url + "/contacts?q=Maria")
	two.Click(exportLink)
	e.asks(two)
	two.Fill("#code", e.s.textCode())
	two.Save(continueButton, 1)
	follow(t, two, "Back to where you were")
	if at := pathOf(t, two); at != "/contacts?q=Maria" {
		t.Errorf("the way back leads to %s", at)
	}
	e.app.Reset()
	e.p.Click(continueButton)
	says(t, e.p, "This code was already used", "Your code to export all contacts was accepted")
	e.reached(0)
	for range 4 {
		if e.p.Back(); !strings.HasPrefix(pathOf(t, e.p), "/.two-factor") {
			break
		}
		if !strings.Contains(e.p.Text(), "already used") {
			t.Errorf("on the way back %s says:\n%s", e.p.URL(), e.p.Text())
		}
	}
	if at := pathOf(t, e.p); at != "/contacts" {
		t.Fatalf("back led to %s", at)
	}
	e.reached(0)
}

func reloadOfAPage(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, "step_up /profile* {\naction \"see the profile\"\n}")
	e.p.Open(e.s.url + "/profile")
	says(t, e.p, "To see the profile, get a code")
	e.p.Click(sendButton)
	enterCode(e.p, e.s.textCode())
	if at := pathOf(t, e.p); at != "/profile" {
		t.Fatalf("the code led to %s", at)
	}
	says(t, e.p, "Signed in as "+bob)
	e.app.Reset()
	e.p.Reload()
	says(t, e.p, "This code was already used")
	if seen := byPeople(e.app); len(seen) != 0 {
		t.Errorf("the code was forwarded: %+v", seen)
	}
	follow(t, e.p, "Back to where you were")
	e.p.Open(e.s.url + "/profile")
	says(t, e.p, "To see the profile, get a code")
}

func freshForAnHour(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, "step_up /profile* {\nmax_age 1h\naction \"see the profile\"\n}")
	// The code of the login is fresh enough.
	isSignedIn(t, e.s, e.p, bob)
	clock := e.s.clock()
	clock.pass(61 * time.Minute)
	e.p.Open(e.s.url + "/profile")
	says(t, e.p, "To see the profile, get a code")
	e.p.Click(sendButton)
	enterCode(e.p, e.s.textCode())
	for range 3 {
		if at := pathOf(t, e.p); at != "/profile" {
			t.Fatalf("the code led to %s", at)
		}
		says(t, e.p, "Signed in as "+bob)
		e.p.Reload()
	}
	e.p.Back()
	says(t, e.p, "This code was already used")
}

func doubleClickOnTheCode(t *testing.T, b *browser.Browser) {
	for _, off := range []bool{false, true} {
		e := startExporting(t, b, exportOnce)
		e.p.Scripts(off)
		e.p.Click(exportForm)
		e.asks(e.p)
		e.p.Fill("#code", e.s.textCode())
		e.p.DoubleClick(continueButton)
		// Of the two answers the browser takes the file, or says what has become of it.
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && !strings.Contains(e.p.Text(), "already used"); time.Sleep(50 * time.Millisecond) {
		}
		e.reached(1)
		if text := e.p.Text(); !strings.Contains(text, "already used") && !strings.Contains(text, "enter the code we texted you") {
			t.Errorf("after a double click the page says:\n%s", text)
		}
		isSignedIn(t, e.s, e.p, bob)
	}
}

func twoExportsInTwoTabs(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	two := e.p.NewTab(t)
	two.Open(e.s.url + "/contacts?q=Maria")
	two.Fill("#separator", "semicolon")
	e.p.Click(exportLink)
	two.Click(exportForm)
	e.asks(e.p)
	code := e.s.textCode()
	says(t, two, "To export all contacts, get a code")
	e.reached(0)
	e.p.Fill("#code", code)
	if f := e.p.Save(continueButton, 1); f.Name != "contacts.csv" || !strings.Contains(string(f.Body), "Name,Company") {
		t.Errorf("the first tab's file is %q:\n%.100s", f.Name, f.Body)
	}
	// The session has a new token by now, and the other tab goes on.
	e.texted(two)
	enterCode(two, code)
	says(t, two, "That code is not right")
	e.reached(1)
	two.Fill("#code", e.s.textCode())
	if f := two.Save(continueButton, 1); f.Name != "contacts.csv" || !strings.Contains(string(f.Body), "Name;Company") {
		t.Errorf("the second tab's file is %q:\n%.100s", f.Name, f.Body)
	}
	e.reached(2)
}

func cancelOfAnExport(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	e.p.Open(e.s.url + "/contacts?q=Maria")
	e.p.Click(exportForm)
	e.asks(e.p)
	two := e.p.NewTab(t)
	two.Open(e.p.URL())
	code := e.s.textCode()
	e.p.Click(cancelButton)
	says(t, e.p, "You cancelled: nothing was sent", "You stay signed in")
	// The other tab's code comes too late.
	enterCode(two, code)
	says(t, two, "You cancelled")
	follow(t, e.p, "Back to where you were")
	if at := pathOf(t, e.p); at != "/contacts?q=Maria" {
		t.Errorf("the way back leads to %s", at)
	}
	e.reached(0)
}

func hiddenFrame(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	want := e.plainPage(b).Save(exportLink, 1)
	e.p.Open(e.s.url + "/pages/frame")
	e.p.Press("#export-in-frame")
	frame := inner{t, e.p, "document.querySelector('iframe').contentDocument"}
	frame.waitFor("a[target=_top]")
	if text := frame.text(); !strings.Contains(text, "A code is needed to export all contacts") {
		t.Errorf("the frame says:\n%s", text)
	}
	e.p.Reload()
	e.asks(e.p)
	enterCode(e.p, e.s.textCode())
	if at := pathOf(t, e.p); at != "/pages/frame" {
		t.Fatalf("the code led to %s", at)
	}
	e.reached(1)
	same(t, e.p.Save("#export-in-frame", 1), want)
	e.reached(2)
	e.p.Press("#export-in-frame")
	frame.waitFor("a[target=_top]")
	e.reached(2)
	complainsOfNothing(t, e.p)
}

func scriptOfThePage(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	e.p.Open(e.s.url + "/pages/script")
	e.p.Press("#fetch")
	e.p.WaitText("status 403 type application/problem+json")
	says(t, e.p, `"error":"insufficient_user_authentication"`, `"challenge":"/.two-factor/challenge?challenge=`)
	e.p.Open(e.s.url + "/profile")
	e.asks(e.p)
	enterCode(e.p, e.s.textCode())
	says(t, e.p, "Signed in as "+bob)
	e.p.Open(e.s.url + "/pages/script")
	e.reached(0)
	e.p.Press("#fetch")
	e.p.WaitText("status 200 type text/csv; charset=utf-8 body Name,Company")
	e.reached(1)
	e.p.Press("#fetch")
	e.p.WaitText("status 403")
	e.reached(1)
}

func popUpExport(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	want := e.plainPage(b).Save(exportLink, 1)
	e.p.Open(e.s.url + "/pages/popup")
	e.p.Press("#popup")
	child := inner{t, e.p, "window.child.document"}
	child.submit(sendButton, nil)
	child.waitFor("#code")
	if text := child.text(); !strings.Contains(text, "To export all contacts") {
		t.Errorf("the pop-up says:\n%s", text)
	}
	code := e.s.textCode()
	got := e.p.SaveAfter("the code in the pop-up", func(context.Context) error {
		child.submit(continueButton, map[string]string{"#code": code})
		return nil
	})
	if got.Name != want.Name || string(got.Body) != string(want.Body) {
		t.Errorf("the file is %q of %d bytes, without the gateway %q of %d", got.Name, len(got.Body), want.Name, len(want.Body))
	}
	e.reached(2)
	isSignedIn(t, e.s, e.p, bob)
}

// otherSite serves a page of another site: a loopback address is none of
// localhost's.
func otherSite(t *testing.T, body string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, "<!DOCTYPE html><title>Elsewhere</title><h1>Elsewhere</h1>"+body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func linkOnAnotherSite(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	want := e.plainPage(b).Save(exportLink, 1)
	e.p.Open(otherSite(t, `<a id="link" href="`+e.s.url+`/contacts/export">Look at this</a>`))
	sent := len(e.s.texts())
	e.p.Click("#link")
	says(t, e.p, "Do you want to export all contacts?", "Nothing was done")
	if e.p.Status() != http.StatusForbidden || len(e.s.texts()) != sent {
		t.Errorf("got %d and %d texts", e.p.Status(), len(e.s.texts())-sent)
	}
	// Who does not want it goes on and is asked for nothing.
	two := e.p.NewTab(t)
	two.Open(e.s.url + "/profile")
	says(t, two, "Signed in as "+bob)
	follow(t, e.p, "Enter a code")
	e.asks(e.p)
	e.p.Fill("#code", e.s.textCode())
	e.reached(1)
	same(t, e.p.Save(continueButton, 1), want)
	e.reached(2)
}

func formOfAnotherSite(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	e.p.Open(otherSite(t, `<form method="post" action="`+e.s.url+`/contacts/export"><input name="columns" value="email"><button>Win</button></form>
		<img src="`+e.s.url+`/contacts/export" alt=""><iframe src="`+e.s.url+`/contacts/export"></iframe>`))
	e.p.Click("button")
	// The own cookie is SameSite=Lax, so that such a form comes without a session.
	if at := pathOf(t, e.p); at != "/login" {
		t.Errorf("the form led to %s:\n%s", at, e.p.Text())
	}
	isSignedIn(t, e.s, e.p, bob)
	e.reached(0)
}

// loadedAhead is what nobody has asked for yet: the browser, or a picture.
func loadedAhead(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	sent := len(e.s.texts())
	e.p.Open(e.s.url + "/pages/ahead")
	var ahead []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && len(ahead) < 3; time.Sleep(100 * time.Millisecond) {
		ahead = ahead[:0]
		for _, which := range []string{"Link", "Rule", "Render"} {
			if strings.Contains(e.s.logged(), "/contacts/export?q="+which) {
				ahead = append(ahead, which)
			}
		}
	}
	if len(ahead) < 2 {
		t.Fatalf("the browser has loaded ahead %q only", ahead)
	}
	e.p.Open(e.s.url + "/profile")
	says(t, e.p, "Signed in as "+bob)
	e.reached(0)
	// A picture of the app's own page waits, as a frame does, and sends nothing.
	e.p.Open(e.s.url + "/pages/picture")
	e.p.Open(e.s.url + "/profile")
	says(t, e.p, "To export all contacts, get a code")
	e.p.Click(cancelButton)
	isSignedIn(t, e.s, e.p, bob)
	e.reached(0)
	if n := len(e.s.texts()); n != sent {
		t.Errorf("%d texts were sent", n-sent)
	}
}

func exportByKeyboard(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	e.p.Eval(`document.querySelector("`+exportLink+`").focus()`, nil)
	e.p.PressKeys("\r")
	e.p.WaitText("To export all contacts, get a code")
	focusOn(t, e.p, "Cancel")
	e.p.PressKeys("\r")
	e.p.WaitText("You cancelled")
	focusOn(t, e.p, "Back to where you were")
	e.p.PressKeys("\r")
	e.p.WaitFor(exportLink)
	e.p.Eval(`document.querySelector("`+exportLink+`").focus()`, nil)
	e.p.PressKeys("\r")
	e.p.WaitText("To export all contacts, get a code")
	focusOn(t, e.p, "Send me a code")
	e.p.PressKeys("\r")
	// The code's field has the focus when the page opens.
	typed := func(after, code string) {
		t.Helper()
		e.p.WaitText(after)
		for deadline := time.Now().Add(10 * time.Second); !strings.Contains(e.p.Focused(), "#code"); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the focus is on %q", e.p.Focused())
			}
		}
		e.p.PressKeys(code)
	}
	typed("enter the code we texted you", wrongCode(e.s)+"\r")
	typed("That code is not right", e.s.textCode())
	if f := e.p.SaveAfter("Enter", func(context.Context) error { e.p.PressKeys("\r"); return nil }); f.Name != "contacts.csv" {
		t.Errorf("the file is %q", f.Name)
	}
	e.reached(1)
}

func exportWithoutScripts(t *testing.T, b *browser.Browser) {
	e := startExporting(t, b, exportOnce)
	e.p.Scripts(true)
	e.p.Open(e.s.url + "/contacts")
	e.p.Click(exportForm)
	e.asks(e.p)
	e.p.Fill("#code", e.s.textCode())
	if f := e.p.Save(continueButton, 1); f.Name != "contacts.csv" {
		t.Errorf("the file is %q", f.Name)
	}
	e.reached(1)
}

// TestAnExportOverHTTP2AndHTTP3 does over TLS what the others do without.
func TestAnExportOverHTTP2AndHTTP3(t *testing.T) {
	const host = "crm.shop.test"
	for _, tt := range []struct {
		protocol string
		start    func(*testing.T, *site) *browser.Browser
	}{
		{"h2", func(t *testing.T, _ *site) *browser.Browser { return browser.Start(t) }},
		{"h3", func(t *testing.T, s *site) *browser.Browser {
			// All servers of httptest have one certificate, the site's.
			srv := httptest.NewTLSServer(http.NotFoundHandler())
			defer srv.Close()
			return browser.StartHTTP3(t, strings.TrimPrefix(s.url, "https://"), srv.Certificate().RawSubjectPublicKeyInfo)
		}},
	} {
		t.Run(tt.protocol, func(t *testing.T) {
			app, upstream := serveDemo(t, demoapp.Options{})
			// The login is told by a path that the form has too, and visitors may look
			// around: both are for requests without a body.
			s := startTLS(t, upstream, "login /login {\nuser form email\nyes redirect /dashboard*\nno text \"The e-mail address or the password is wrong\"\n}\nlogin_page /login\nunverified anonymous\nprotect *\n"+exportOnce, host)
			s.enrol(bob, account.KindPhone)
			b := tt.start(t, s)
			plain := b.NewPerson(t)
			plain.Open("http://" + upstream + "/login")
			fillLogin(plain, bob, bobPassword)
			plain.Click("#submit")
			plain.Open("http://" + upstream + "/contacts")
			want := plain.Save(exportForm, 1)
			p := b.NewPerson(t)
			p.Open(s.url + "/")
			says(t, p, "Welcome")
			if at := pathOf(t, p); at != "/" {
				t.Fatalf("a visitor is led to %s", at)
			}
			askFor(t, s, p, bob, bobPassword)
			enterCode(p, s.textCode())
			p.Open(s.url + "/contacts")
			var spoken string
			p.Eval(`performance.getEntriesByType("navigation")[0].nextHopProtocol`, &spoken)
			if spoken != tt.protocol {
				t.Fatalf("the browser speaks %q", spoken)
			}
			p.Click(exportForm)
			p.Click(sendButton)
			p.Fill("#code", s.textCode())
			same(t, p.Save(continueButton, 1), want)
			if got := exports(app); len(got) != 2 {
				t.Errorf("%d exports reached the app, want 2", len(got))
			}
		})
	}
}
