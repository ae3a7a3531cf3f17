package twofactor

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// byField is a site whose export is told by a field of the body alone.
func byField(lines string) string {
	return "http://localhost:{$PORT} {\n\t@chosen {\n\t\tpath /contacts/*\n\t\ttwo_factor_field separator semicolon\n\t}\n\ttwo_factor {\n\t\tlogin fields email password {\n\t\t\tyes redirect /dashboard*\n\t\t\tno status 200\n\t\t}\n" +
		lines + "\n\t\tlogin_page /login\n\t\tprotect *\n\t}\n\treverse_proxy {$UPSTREAM}\n}\n"
}

func TestAStepUpCanBeToldByAFieldOfTheBody(t *testing.T) {
	app, upstream := serveDemo(t, demoOptions())
	s := startSite(t, byField("step_up @chosen {\n\taction \"export with semicolons\"\n}"), upstream)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	form := func(separator ...string) url.Values {
		f := hidden(bob.get("/contacts").body, `name="separator"`)
		f.Del("")
		f["separator"] = separator
		return f
	}
	mustSay(t, bob.post("/contacts/export", form("comma")), http.StatusOK)
	for _, twice := range [][]string{{"semicolon"}, {"comma", "semicolon"}, {"semicolon", "comma"}} {
		bob.askedFor(bob.post("/contacts/export", form(twice...)))
	}
	app.Reset()
	want := form("semicolon")
	r := bob.step(bob.post("/contacts/export", want))
	mustSay(t, r, http.StatusOK)
	if got := exports(app); len(got) != 1 || string(got[0].Body) != want.Encode() || !strings.Contains(r.body, ";") {
		t.Fatalf("what reached the app: %+v", got)
	}
	// What stands beyond the part that is read is cut off: the app, which would
	// spend the form's token with an export, never gets to its end.
	want = form("semicolon")
	r = bob.do(http.MethodPost, "/contacts/export", strings.NewReader("pad="+strings.Repeat("x", 80<<10)+"&"+want.Encode()), urlencoded)
	mustSay(t, r, http.StatusRequestEntityTooLarge)
	want.Set("separator", "comma")
	mustSay(t, bob.post("/contacts/export", want), http.StatusOK)
}
