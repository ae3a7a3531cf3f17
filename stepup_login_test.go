package twofactor

import (
	"net/http"
	"strings"
	"testing"
)

func TestInvariant07TheFieldsOfALoginOpenNoStepUpRoute(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	for _, c := range []struct {
		name string
		send func(c *client) reply
	}{
		{"in the query", func(c *client) reply { return c.get("/contacts/export?email=a&password=b") }},
		{"in the query, by a script", func(c *client) reply {
			return c.do(http.MethodGet, "/contacts/export?email=a&password=b", nil, script)
		}},
		{"in a form", func(c *client) reply {
			form := hidden(c.get("/contacts").body, "separator")
			form.Del("")
			form.Set("email", "a")
			form.Set("password", "b")
			return c.post("/contacts/export", form)
		}},
	} {
		bob := s.client()
		bob.signIn("bob@example.com", "battery staple")
		r := c.send(bob)
		if strings.Contains(r.body, "Maria Anders") {
			t.Errorf("%s: the export came without a code: %d", c.name, r.StatusCode)
		}
	}
	if got := exports(app); len(got) != 0 {
		t.Errorf("exports reached the app in a session without a code: %d", len(got))
	}
}
