package twofactor

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pagesSite is the classic style with a pages block.
func pagesSite(t *testing.T, pages string) string {
	t.Helper()
	style := styleFile(t, "classic")
	out := strings.Replace(style, "login_page ", "pages {\n"+pages+"\n}\nlogin_page ", 1)
	if out == style {
		t.Fatal("the classic style has no login_page")
	}
	return out
}

// written writes a file of the test and returns its path.
func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheOperatorsOwnLookIsOnThePagesAndInTheTextMessage(t *testing.T) {
	logo := written(t, "logo.svg", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><circle r="2"/></svg>`)
	source, err := os.ReadFile("page/templates/challenge.html")
	if err != nil {
		t.Fatal(err)
	}
	own := written(t, "challenge.html", strings.Replace(string(source), `<p class="who">`, `<p class="ours">{{.Brand}}</p><p class="who">`, 1))
	_, upstream := serveDemo(t, demoOptions())
	s := startSite(t, pagesSite(t, `
		name "Northwind CRM"
		logo `+logo+` "Northwind"
		colour 0f6b3a
		help "Service desk" tel:+4930123456
		template challenge `+own+`
		text de challenge.submit "Und weiter"`), upstream)
	c := s.client()
	if r := c.password("bob@example.com", "battery staple"); r.location() != "/.two-factor/challenge" {
		t.Fatalf("the password gives %d to %q", r.StatusCode, r.location())
	}
	page := c.do(http.MethodGet, "/.two-factor/challenge", nil, http.Header{"Accept-Language": {"de-AT"}, "Sec-Fetch-Dest": {"document"}})
	for _, want := range []string{
		`<html lang="de" dir="ltr">`, `src="data:image/svg+xml;base64,`, `alt="Northwind"`, "--accent:#0f6b3a", `href="tel:`,
		"Service desk", `<p class="ours">Northwind CRM</p>`, ">Und weiter<",
	} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q:\n%s", want, page.body)
		}
	}
	if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "img-src data:;") {
		t.Errorf("the header says %q", csp)
	}
	if text := strings.Join(s.texts(), "\n"); !strings.Contains(text, "Northwind CRM") {
		t.Errorf("the text message does not name the site: %q", text)
	}
}

func TestATextMessageIsInTheLanguageOfTheBrowser(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	s := startSite(t, styleFile(t, "classic"), upstream)
	c := s.client()
	form := hidden(c.get("/login").body, `id="password"`)
	form.Set("email", "bob@example.com")
	form.Set("password", "battery staple")
	c.do(http.MethodPost, "/login", strings.NewReader(form.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Accept-Language": {"fr-CA,fr;q=0.9"},
	})
	if text := strings.Join(s.texts(), "\n"); !strings.Contains(text, "est votre code pour vous connecter") {
		t.Errorf("the text is %q", text)
	}
}

func TestRule28PagesThatCannotBeMadeAreRefusedAtStartByTheirFile(t *testing.T) {
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	t.Setenv("UPSTREAM", upstream)
	for name, tt := range map[string]struct{ line, want string }{
		"no logo file":            {"logo /nowhere/logo.svg", "open /nowhere/logo.svg"},
		"a logo that is too big":  {"logo " + written(t, "a.png", "\x89PNG\r\n\x1a\n"+strings.Repeat("x", 2000)), "a.png has more than 1536 bytes"},
		"an empty logo":           {"logo " + written(t, "b.png", ""), "b.png is empty"},
		"a logo with a script":    {"logo " + written(t, "c.svg", `<svg><script/></svg>`), "c.svg is neither PNG nor WebP, and as SVG it has a <script>"},
		"no template file":        {"template choose /nowhere/choose.html", "open /nowhere/choose.html"},
		"a broken template":       {"template choose " + written(t, "d.html", "{{define \"content\"}}\n{{if}}\n{{end}}{{end}}"), "d.html:2:"},
		"a template without form": {"template choose " + written(t, "e.html", "{{define \"content\"}}<h1>x</h1>{{end}}"), "e.html: a page of choose made with it lacks"},
		"a template that is big":  {"template choose " + written(t, "f.html", strings.Repeat("x", 70_000)), "f.html has more than 65536 bytes"},
	} {
		err := s.tryLoad(pagesSite(t, tt.line))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "two_factor") {
			t.Errorf("%s: %v, wanted %q", name, err, tt.want)
		}
	}
}
