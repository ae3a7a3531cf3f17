package twofactor

import (
	"bytes"
	"encoding/base32"
	"image"
	_ "image/png"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
)

// scanned is what a camera reads from the picture of the page.
func scanned(t *testing.T, p *browser.Page) *url.URL {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.png")
	p.Screenshot(file)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	picture, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		t.Fatalf("no camera reads the picture: %v", err)
	}
	u, err := url.Parse(result.GetText())
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" {
		t.Fatalf("the picture says %q: %v", result.GetText(), err)
	}
	return u
}

// codeOf is the code that the scanned authenticator shows now.
func (s *site) codeOf(u *url.URL) string {
	s.t.Helper()
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.codeFrom(seed, time.Now().Unix()/30)
}

// withAndWithoutScripts runs a path in Chromium with scripts off and on.
func withAndWithoutScripts(t *testing.T, lines string, path func(t *testing.T, s *site, p *browser.Page)) {
	b := browser.Start(t)
	for name, off := range map[string]bool{"scripts off": true, "scripts on": false} {
		t.Run(name, func(t *testing.T) {
			s := enrolling(t, lines)
			p := b.NewPerson(t)
			p.Scripts(off)
			path(t, s, p)
		})
	}
}

// focusComesTo waits until a page that has just come has its focus where a person
// goes on typing.
func focusComesTo(t *testing.T, p *browser.Page, part string) {
	t.Helper()
	waitFor(t, "the focus is on "+part, func() bool { return strings.Contains(p.Focused(), part) })
}

// signsIn fills the app's form in.
func signsIn(s *site, p *browser.Page, user, password string) {
	p.Open(s.url + "/login")
	fillLogin(p, user, password)
	p.Click("#submit")
}

func TestAPersonScansThePictureInTheLogin(t *testing.T) {
	withAndWithoutScripts(t, "required {\nconfirm open\n}", func(t *testing.T, s *site, p *browser.Page) {
		for _, dark := range []bool{true, false} {
			p.Dark(dark)
			signsIn(s, p, alice, alicePassword)
			says(t, p, "Set up a second step to go on")
			p.Click(`a[href$="/enrol/app"]`)
			u := scanned(t, p)
			if got := u.Query().Get("issuer"); !strings.HasPrefix(got, "localhost") || !strings.Contains(u.Path, alice) {
				t.Errorf("the app would call it %q of %q", u.Path, got)
			}
			if dark {
				p.ClearCookies() // In the dark it is only read.
				continue
			}
			p.Fill("#code", "000000")
			p.PressKeys("\r")
			p.WaitText("That code is not right")
			focusComesTo(t, p, "input#code")
			p.PressKeys(s.codeOf(u))
			p.PressKeys("\r")
			p.WaitText("recovery codes")
		}
		saved := p.Download(`a[download]`)
		codes := recoveryForm.FindAllString(p.Text(), -1)
		if len(codes) != account.RecoveryCodes {
			t.Fatalf("the page shows %d codes:\n%s", len(codes), p.Text())
		}
		for _, code := range codes {
			if !strings.Contains(string(saved), code) {
				t.Errorf("the file lacks a code:\n%s", saved)
			}
		}
		p.Click(`form button.main`)
		if at := pathOf(t, p); at != "/dashboard" {
			t.Fatalf("going on led to %s:\n%s", at, p.Text())
		}
	})
}

func TestAPersonAddsAPhoneByKeyboardAlone(t *testing.T) {
	withAndWithoutScripts(t, "required {\nconfirm open\n}", func(t *testing.T, s *site, p *browser.Page) {
		signsIn(s, p, alice, alicePassword)
		p.Click(`a[href$="/enrol/phone"]`)
		p.Fill("#region", "DE")
		p.Fill(`input[name=two_factor_number]`, "030 123456")
		p.PressKeys("\r")
		p.WaitFor("#problem, [role=alert]")
		focusComesTo(t, p, "two_factor_number")
		p.Fill(`input[name=two_factor_number]`, "0151 23456789")
		p.PressKeys("\r")
		p.WaitURL("/enrol/code")
		focusComesTo(t, p, "input#code")
		code := s.textCode()
		p.PressKeys(code[:3] + " " + code[3:] + "\r")
		p.WaitText("recovery codes")
		p.Click(`form button.main`)
		if at := pathOf(t, p); at != "/dashboard" {
			t.Fatalf("going on led to %s:\n%s", at, p.Text())
		}
	})
}

func TestAPersonPutsItOffAndSetsItUpInTheSettings(t *testing.T) {
	withAndWithoutScripts(t, "offered {\nconfirm open\ngrace 14d\nswitch_off code\n}", func(t *testing.T, s *site, p *browser.Page) {
		signsIn(s, p, alice, alicePassword)
		says(t, p, "You can put this off until")
		follow(t, p, "Not now")
		if at := pathOf(t, p); at != "/dashboard" {
			t.Fatalf("'not now' led to %s:\n%s", at, p.Text())
		}
		p.Open(s.url + "/.two-factor/")
		p.Click(`a[href$="/enrol/app"]`)
		u := scanned(t, p)
		p.Fill("#code", s.codeOf(u))
		p.PressKeys("\tWork phone\r")
		p.WaitText("recovery codes")
		p.Click(`a.main`)
		says(t, p, "Work phone")
		p.Click(`a[href$="/recovery"]`)
		p.Click(`button.main, form button`)
		if codes := slices.Compact(recoveryForm.FindAllString(p.Text(), -1)); len(codes) != account.RecoveryCodes {
			t.Fatalf("new recovery codes: %q", codes)
		}
		p.Open(s.url + "/.two-factor/off")
		p.Click(`form button`)
		if n := len(s.account(alice).Factors); n != 0 {
			t.Fatalf("%d factors are left:\n%s", n, p.Text())
		}
	})
}

func TestAPersonEndsWhatIsNotTheirs(t *testing.T) {
	withAndWithoutScripts(t, "offered {\nconfirm open\n}", func(t *testing.T, s *site, p *browser.Page) {
		s.enrol(alice, account.KindTOTP)
		thief := s.client()
		thief.signIn(alice, alicePassword)
		askFor(t, s, p, alice, alicePassword)
		enterCode(p, s.code(alice))
		p.Open(s.url + "/.two-factor/activity")
		if n := len(regexp.MustCompile(`\bEnd\b`).FindAllString(p.Text(), -1)); n < 1 {
			t.Fatalf("no session can be ended:\n%s", p.Text())
		}
		p.Click(`a[href$="/not-me"]`)
		p.Click(`form button`)
		p.WaitText("ended")
		if r := thief.get("/contacts"); r.StatusCode == 200 {
			t.Error("the thief is still in")
		}
		if a := s.account(alice); a.Alarm.IsZero() {
			t.Error("there is no alarm")
		}
	})
}
