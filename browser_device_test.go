package twofactor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
)

// deviceOf is the cookie that a browser is remembered by; nil if there is none.
func deviceOf(p *browser.Page) *http.Cookie {
	for _, c := range p.Cookies() {
		if strings.HasPrefix(c.Name, devicePrefix) {
			return c
		}
	}
	return nil
}

// The person ticks the box by keyboard, in a browser without scripts, enters a
// wrong code, asks for another text and enters its code.
func TestRule21ABrowserIsRememberedByKeyboardAlone(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	s := startSite(t, askingStill(styleFile(t, "classic")), upstream)
	clock := s.clock()
	p := browser.Start(t).NewPerson(t)
	p.Scripts(true)
	askFor(t, s, p, bob, bobPassword)
	says(t, p, "Do not ask for a code in this browser for 30 days")
	if got := p.Focused(); got != "input#code[name=code]" {
		t.Fatalf("the focus is on %q", got)
	}
	p.PressKeys("000000\t")
	if got := p.Focused(); got != "input#remember[name=two_factor_remember]" {
		t.Fatalf("after the code the focus is on %q", got)
	}
	p.PressKeys(" \r")
	p.WaitText("That code is not right")
	if !p.Has("#remember:checked") || deviceOf(p) != nil {
		t.Fatalf("the tick is lost, or there is a cookie: %v", deviceOf(p))
	}
	clock.pass(2 * time.Minute)
	texts := len(s.texts())
	follow(t, p, "Send again")
	p.WaitText("This works in 60 seconds")
	if len(s.texts()) != texts+1 || !p.Has("#remember:checked") {
		t.Fatalf("%d texts were sent, and the box is ticked: %t", len(s.texts())-texts, p.Has("#remember:checked"))
	}
	p.PressKeys(s.textCode() + "\r")
	p.WaitText("Hello Bob Baker")
	first := deviceOf(p)
	if first == nil || !first.HttpOnly || first.SameSite != http.SameSiteLaxMode || first.Path != "/" {
		t.Fatalf("the cookie is %v", first)
	}
	follow(t, p, "Sign out")
	askFor(t, s, p, bob, bobPassword)
	if second := deviceOf(p); second == nil || second.Value == first.Value || second.Name != first.Name {
		t.Errorf("after the next password it is %v, and was %v", second, first)
	}
	if p.Has("#remember:checked") {
		t.Error("the box is ticked by itself")
	}
}
