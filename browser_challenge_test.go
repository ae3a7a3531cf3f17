package twofactor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// TestTheChallengeInARealBrowser does to the challenge what people do to pages:
// tabs, back, reload, double clicks. Each ends signed in, or in words with a
// way on.
func TestTheChallengeInARealBrowser(t *testing.T) {
	b := browser.Start(t)
	for _, tt := range []struct {
		name string
		test func(*testing.T, *browser.Browser)
	}{
		{"two tabs and one code", twoTabsAndOneCode},
		{"back after the release", backAfterTheRelease},
		{"reload of the challenge", reloadOfTheChallenge},
		{"reload of the released page", reloadOfTheReleasedPage},
		{"a double click on Continue", doubleClickOnContinue},
		{"a double click on the app's own button", doubleClickOnTheLogin},
		{"a second login in another tab", secondLoginInAnotherTab},
		{"cancel in one tab and the code in the other", cancelAndCode},
		{"the code in one tab and cancel in the other", codeAndCancel},
		{"an expired hold", expiredHold},
		{"a login in a frame", loginInAFrame},
		{"a login in a pop-up", loginInAPopUp},
		{"the keyboard alone", keyboardAlone},
		{"without scripts", withoutScripts},
		{"every page on a small screen, in the dark", smallAndDark},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, b) })
	}
}

// askFor opens the login page and gives the right password.
func askFor(t *testing.T, s *site, p *browser.Page, user, password string) {
	t.Helper()
	p.Open(s.url + "/login")
	fillLogin(p, user, password)
	p.Click("#submit")
	if pathOf(t, p) != atChallenge {
		t.Fatalf("the right password of %s led to %s:\n%s", user, p.URL(), p.Text())
	}
}

// says fails if the page does not have these words.
func says(t *testing.T, p *browser.Page, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(p.Text(), w) {
			t.Fatalf("%s does not say %q but:\n%s", p.URL(), w, p.Text())
		}
	}
}

// isSignedIn checks as whom the browser is signed in at the app.
func isSignedIn(t *testing.T, s *site, p *browser.Page, user string) {
	t.Helper()
	p.Open(s.url + "/profile")
	says(t, p, "Signed in as "+user)
}

// linkTo finds a link or button of our own pages by its words.
func linkTo(t *testing.T, p *browser.Page, words string) string {
	t.Helper()
	var found bool
	p.Eval(fmt.Sprintf(`(() => {
		for (const e of document.querySelectorAll("a, button")) if (e.innerText.trim() === %q) { e.id = "found"; return true; }
		return false;
	})()`, words), &found)
	if !found {
		t.Fatalf("%s has no link or button %q:\n%s", p.URL(), words, p.Text())
	}
	return "#found"
}

func follow(t *testing.T, p *browser.Page, words string) {
	t.Helper()
	p.Click(linkTo(t, p, words))
}

func twoTabsAndOneCode(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	one := b.NewPerson(t)
	askFor(t, s, one, alice, alicePassword)
	two := one.NewTab(t)
	two.Open(s.url + "/contacts")
	says(t, two, "Enter the code from your authenticator")
	code := s.code(alice)
	enterCode(one, code)
	if at := pathOf(t, one); at != "/dashboard" {
		t.Fatalf("the code led to %s", at)
	}
	enterCode(two, code)
	says(t, two, "This code was already used", "perhaps in another tab")
	follow(t, two, "Continue")
	says(t, two, "Signed in as "+alice)
	isSignedIn(t, s, one, alice)
}

func backAfterTheRelease(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	p := b.NewPerson(t)
	askFor(t, s, p, alice, alicePassword)
	enterCode(p, s.code(alice))
	if at := pathOf(t, p); at != "/dashboard" {
		t.Fatalf("the code led to %s", at)
	}
	p.Back()
	if at := pathOf(t, p); at != atChallenge {
		t.Fatalf("back led to %s", at)
	}
	says(t, p, "This code was already used", "Continue")
	p.Reload()
	follow(t, p, "Continue")
	says(t, p, "Signed in as "+alice)
	p.Back()
	p.Back()
	if p.Has("#code") {
		t.Fatalf("further back the challenge is shown again:\n%s", p.Text())
	}
	isSignedIn(t, s, p, alice)
}

func reloadOfTheChallenge(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	p := b.NewPerson(t)
	askFor(t, s, p, bob, bobPassword)
	for range 3 {
		p.Reload()
		says(t, p, "Enter the code we texted you")
	}
	if n := len(s.texts()); n != 1 {
		t.Errorf("%d texts after three reloads, want 1", n)
	}
	enterCode(p, "12")
	says(t, p, "The code has 6 digits")
	p.Reload()
	enterCode(p, s.textCode())
	isSignedIn(t, s, p, bob)
}

// reloadOfTheReleasedPage reloads a page that is the answer to the code's own
// POST: the browser posts the code again.
func reloadOfTheReleasedPage(t *testing.T, b *browser.Browser) {
	style, _ := demoapp.StyleNamed("page-200")
	app, upstream := serveDemo(t, style.Options)
	s := startSite(t, styleFile(t, style.Name), upstream)
	p := b.NewPerson(t)
	askFor(t, s, p, alice, alicePassword)
	enterCode(p, s.code(alice))
	says(t, p, "Welcome back")
	app.Reset()
	p.Reload()
	says(t, p, "This code was already used")
	for _, seen := range byPeople(app) {
		if seen.Method == http.MethodPost {
			t.Errorf("the code was forwarded: %s %s", seen.Method, seen.URI)
		}
	}
	follow(t, p, "Continue")
	isSignedIn(t, s, p, alice)
}

func doubleClickOnContinue(t *testing.T, b *browser.Browser) {
	for _, off := range []bool{false, true} {
		s, _ := classicSite(t)
		p := b.NewPerson(t)
		p.Scripts(off)
		askFor(t, s, p, alice, alicePassword)
		p.Fill("#code", s.code(alice))
		p.DoubleClick(continueButton)
		endsSignedIn(t, s, p, alice)
	}
}

// endsSignedIn waits for where a double click ends: signed in, or in words that
// lead there.
func endsSignedIn(t *testing.T, s *site, p *browser.Page, user string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		text := p.Text()
		if strings.Contains(text, "Hello ") {
			break
		}
		if !strings.Contains(text, "already used") {
			continue
		}
		follow(t, p, "Continue")
		if p.Open(s.url + "/login"); !strings.Contains(p.Text(), "using Old CRM as "+user) {
			// The browser has thrown away the answer to the first click, and
			// the session with it.
			fillLogin(p, user, alicePassword)
			p.Click("#submit")
			enterCode(p, s.code(user))
		}
		break
	}
	isSignedIn(t, s, p, user)
}

func doubleClickOnTheLogin(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	p := b.NewPerson(t)
	p.Open(s.url + "/login")
	fillLogin(p, alice, alicePassword)
	p.DoubleClick("#submit")
	// The app takes its form's token once, so that the second click may be told
	// that the form has expired, as it is without a gateway.
	for range 3 {
		text := ""
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if text = p.Text(); strings.Contains(text, "code") || strings.Contains(text, "expired") || strings.Contains(text, "still running") {
				break
			}
		}
		if strings.Contains(text, "Enter the code") {
			break
		}
		if strings.Contains(text, "still running") {
			follow(t, p, "Enter a code")
			continue
		}
		fillLogin(p, alice, alicePassword)
		p.Click("#submit")
	}
	says(t, p, "Enter the code from your authenticator")
	enterCode(p, s.code(alice))
	isSignedIn(t, s, p, alice)
}

func secondLoginInAnotherTab(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	one := b.NewPerson(t)
	two := one.NewTab(t)
	two.Open(s.url + "/login")
	askFor(t, s, one, bob, bobPassword)
	fillLogin(two, carol, carolPassword)
	two.Click("#submit")
	says(t, two, "This form has expired")
	fillLogin(two, carol, carolPassword)
	two.Click("#submit")
	says(t, two, "Enter the code from your authenticator", carol)
	// The first tab's code is of a challenge that is no more.
	enterCode(one, s.textCode())
	says(t, one, "There is a newer sign-in")
	follow(t, one, "Enter a code")
	says(t, one, "Enter the code from your authenticator", carol)
	enterCode(one, s.code(carol))
	isSignedIn(t, s, one, carol)
	isSignedIn(t, s, two, carol)
}

func cancelAndCode(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	one := b.NewPerson(t)
	askFor(t, s, one, bob, bobPassword)
	two := one.NewTab(t)
	two.Open(s.url + "/contacts")
	follow(t, one, "Cancel")
	if at := pathOf(t, one); at != "/login" {
		t.Fatalf("cancel led to %s", at)
	}
	enterCode(two, s.textCode())
	says(t, two, "You cancelled the sign-in")
	follow(t, two, "Go to the sign-in page")
	fillLogin(two, alice, alicePassword)
	two.Click("#submit")
	enterCode(two, s.code(alice))
	isSignedIn(t, s, two, alice)
	one.Back()
	says(t, one, "This code was already used")
}

func codeAndCancel(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	one := b.NewPerson(t)
	askFor(t, s, one, alice, alicePassword)
	two := one.NewTab(t)
	two.Open(s.url + "/contacts")
	enterCode(one, s.code(alice))
	follow(t, two, "Cancel")
	says(t, two, "This code was already used", "Your code was accepted")
	isSignedIn(t, s, one, alice)
}

func expiredHold(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	clock := s.clock()
	p := b.NewPerson(t)
	askFor(t, s, p, alice, alicePassword)
	clock.pass(11 * time.Minute)
	enterCode(p, s.shown(plainTOTP, clock.now()))
	says(t, p, "This took too long")
	follow(t, p, "Go to the sign-in page")
	fillLogin(p, alice, alicePassword)
	p.Click("#submit")
	enterCode(p, s.shown(plainTOTP, clock.now()))
	isSignedIn(t, s, p, alice)
	p.Back()
}

// framing is the demo app with a page that opens its login in a frame, and one
// that opens it in a pop-up.
func framing(t *testing.T) *site {
	t.Helper()
	app := demoapp.New(demoapp.Options{})
	mux := http.NewServeMux()
	mux.Handle("/", app)
	page := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte("<!DOCTYPE html><title>Portal</title><h1>Portal</h1>" + body))
		}
	}
	mux.HandleFunc("/assets/frame.html", page(`<iframe src="/login" width="600" height="600"></iframe>`))
	mux.HandleFunc("/assets/popup.html", page(`<button onclick="window.child = window.open('/login', 'child', 'width=500,height=500')">Sign in</button>`))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return startSite(t, styleFile(t, "classic"), srv.Listener.Addr().String())
}

// inner drives a document that belongs to a page: a frame, a pop-up.
type inner struct {
	t *testing.T
	p *browser.Page
	// document is the JavaScript for it.
	document string
}

func (i inner) waitFor(selector string) {
	i.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var there bool
		i.p.Eval(fmt.Sprintf(`(() => { try { return !!(%s).querySelector(%q) } catch (e) { return false } })()`, i.document, selector), &there)
		if there {
			return
		}
	}
	i.t.Fatalf("no %s in it; it says:\n%s\nconsole: %q", selector, i.text(), i.p.Console())
}

func (i inner) text() (text string) {
	i.p.Eval(fmt.Sprintf(`(() => { try { return (%s).body.innerText } catch (e) { return String(e) } })()`, i.document), &text)
	return text
}

func (i inner) submit(button string, values map[string]string) {
	i.t.Helper()
	i.waitFor(button)
	for selector, value := range values {
		i.p.Eval(fmt.Sprintf(`((%s).querySelector(%q).value = %q, true)`, i.document, selector, value), new(bool))
	}
	i.p.Eval(fmt.Sprintf(`((%s).querySelector(%q).click(), true)`, i.document, button), new(bool))
}

func (i inner) signsIn(s *site) {
	i.t.Helper()
	i.submit("#submit", map[string]string{"#email": alice, "#password": alicePassword})
	i.submit(continueButton, map[string]string{"#code": wrongCode(s)})
	i.waitFor("#problem")
	if !strings.Contains(i.text(), "That code is not right") {
		i.t.Fatalf("it says:\n%s", i.text())
	}
	i.submit(continueButton, map[string]string{"#code": s.code(alice)})
	i.waitFor("#menu")
	if !strings.Contains(i.text(), "Hello Alice") {
		i.t.Fatalf("it says:\n%s", i.text())
	}
}

func loginInAFrame(t *testing.T, b *browser.Browser) {
	s := framing(t)
	p := b.NewPerson(t)
	p.Open(s.url + "/assets/frame.html")
	inner{t, p, "document.querySelector('iframe').contentDocument"}.signsIn(s)
	complainsOfNothing(t, p)
	isSignedIn(t, s, p, alice)
}

func loginInAPopUp(t *testing.T, b *browser.Browser) {
	s := framing(t)
	p := b.NewPerson(t)
	p.Open(s.url + "/assets/popup.html")
	p.Press("button")
	inner{t, p, "window.child.document"}.signsIn(s)
	var kept bool
	p.Eval("window.child.opener === window && !window.child.closed", &kept)
	if !kept {
		t.Error("the pop-up has lost the page that opened it")
	}
	p.Eval("(window.child.close(), true)", new(bool))
	isSignedIn(t, s, p, alice)
}

// focusOn presses Tab until an element with these words has the focus.
func focusOn(t *testing.T, p *browser.Page, words string) {
	t.Helper()
	var seen []string
	for range 12 {
		p.PressKeys("\t")
		var on struct {
			Text    string
			Visible bool
		}
		p.Eval(`(() => {
			const e = document.activeElement || document.documentElement, s = getComputedStyle(e);
			return {Text: (e.innerText || e.value || e.name || "").trim(), Visible: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2};
		})()`, &on)
		if strings.HasPrefix(on.Text, words) {
			if !on.Visible {
				t.Fatalf("the focus on %q cannot be seen", words)
			}
			return
		}
		seen = append(seen, on.Text)
	}
	t.Fatalf("Tab does not reach %q on %s but %q", words, p.URL(), seen)
}

func keyboardAlone(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	p := b.NewPerson(t)
	askFor(t, s, p, carol, carolPassword)
	// The code's field has the focus when the page opens.
	p.PressKeys(wrongCode(s) + "\r")
	p.WaitText("That code is not right")
	focusOn(t, p, "Use another way")
	p.PressKeys("\r")
	p.WaitText("Choose another way")
	focusOn(t, p, "Text message")
	p.PressKeys("\r")
	p.WaitText("Enter the code we texted you")
	focusOn(t, p, "Send again")
	p.PressKeys("\r")
	p.WaitText("No other text message was sent yet")
	focusOn(t, p, "Cancel")
	p.PressKeys("\r")
	p.WaitURL("/login")
	p.Open(s.url + atChallenge)
	says(t, p, "You cancelled the sign-in")
	focusOn(t, p, "Go to the sign-in page")
	p.PressKeys("\r")
	p.WaitFor("#email")
	fillLogin(p, carol, carolPassword)
	p.PressKeys("\r")
	p.WaitText("Enter the code from your authenticator")
	code := s.code(carol)
	p.PressKeys(code[:3] + " " + code[3:] + "\r")
	p.WaitText("Hello Carol")
}

func withoutScripts(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	p := b.NewPerson(t)
	p.Scripts(true)
	askFor(t, s, p, carol, carolPassword)
	enterCode(p, wrongCode(s))
	says(t, p, "That code is not right", "4 tries left")
	p.Click(`a[href^="/.two-factor/choose"]`)
	p.Click("ul.choices li:last-child button")
	says(t, p, "Enter the code we texted you")
	p.Click(".send button")
	says(t, p, "This works in")
	p.Click(`form[action="/.two-factor/cancel"] button`)
	p.Click("#header a")
	askFor(t, s, p, bob, bobPassword)
	enterCode(p, s.textCode())
	isSignedIn(t, s, p, bob)
}

// smallAndDark opens every page on a screen of 320 pixels, in both colours: no
// part of it lies beside the screen, and the browser has nothing to complain of.
func smallAndDark(t *testing.T, b *browser.Browser) {
	s, _ := classicSite(t)
	p := b.NewPerson(t)
	p.Viewport(320, 568)
	look := func(words ...string) {
		t.Helper()
		says(t, p, words...)
		for _, dark := range []bool{true, false} {
			p.Dark(dark)
			var wide int
			p.Eval("document.documentElement.scrollWidth", &wide)
			if wide > 320 {
				t.Errorf("%s is %d pixels wide on a screen of 320", p.URL(), wide)
			}
			var ground string
			p.Eval("getComputedStyle(document.body).backgroundColor", &ground)
			if (ground == "rgb(255, 255, 255)") == dark {
				t.Errorf("%s has the ground %s, dark: %t", p.URL(), ground, dark)
			}
		}
	}
	p.Open(s.url + atChallenge)
	look("This took too long")
	p.Open(s.url + "/.two-factor/none")
	look("There is no such page")
	askFor(t, s, p, carol, carolPassword)
	look("Enter the code from your authenticator")
	enterCode(p, wrongCode(s))
	look("That code is not right")
	follow(t, p, "Use another way")
	look("Choose another way")
	p.Click("ul.choices li:last-child button")
	look("Enter the code we texted you")
	p.Click(".send button")
	look("This works in")
	two := p.NewTab(t)
	two.Open(s.url + atChallenge)
	enterCode(p, s.textCode())
	enterCode(two, s.textCode())
	p = two
	look("This code was already used")
	complainsOfNothing(t, p)
}

// complainsOfNothing checks that the browser has refused nothing, as by a
// content security policy. It notes every answer of 400 and above.
func complainsOfNothing(t *testing.T, p *browser.Page) {
	t.Helper()
	for _, line := range p.Console() {
		if !strings.Contains(line, "Failed to load resource") {
			t.Errorf("the browser complains: %s", line)
		}
	}
}
