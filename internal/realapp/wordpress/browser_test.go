package wordpress

import (
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
)

func TestEditorUsesWordPressInABrowser(t *testing.T) {
	site := Start(t, "")
	p := browser.Start(t).NewPerson(t)

	p.Open(site.PublicURL + "/wp-admin/")
	p.WaitURL("/wp-login.php?redirect_to=")
	site.FillLogin(p, site.Editor, "wrong")
	p.Click("#wp-submit")
	p.WaitText("is incorrect")

	site.FillLogin(p, site.Editor, site.EditorPassword)
	p.Click("#wp-submit")
	p.WaitURL("/wp-admin/")
	p.WaitText("Dashboard")
	var scripted, shown []string
	for _, c := range p.Cookies() {
		if c.HttpOnly {
			shown = append(shown, c.Name)
			continue
		}
		scripted = append(scripted, c.Name)
	}
	if len(shown) != 3 || len(scripted) < 1 {
		t.Errorf("cookies for the server alone %v, for scripts too %v", shown, scripted)
	}

	p.Open(site.PublicURL + site.PostPath)
	p.WaitText("Howdy, editor")
	p.Open(site.PublicURL + "/wp-admin/profile.php")
	if got := p.Value("input[name=user_login]"); got != site.Editor {
		t.Errorf("the profile is that of %q", got)
	}
	for _, line := range p.Console() {
		if strings.Contains(line, "Content Security Policy") {
			t.Errorf("console: %s", line)
		}
	}
}
