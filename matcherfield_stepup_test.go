package twofactor

import (
	"net/http"
	"strings"
	"testing"
)

// stepByField is a site whose export is told by a field, with more lines.
func stepByField(more string) string {
	return strings.Replace(ledgerConfig(`logout {
			two_factor_field op logout
		}
		step_up @export {
			action "export the contacts"
			`+more+`
		}`), "\ttwo_factor ", "\t@export {\n\t\tpath /list /open/list\n\t\ttwo_factor_field action export\n\t}\n\ttwo_factor ", 1)
}

func TestAStepUpToldByAFieldHoldsTheRequestUntilTheCode(t *testing.T) {
	l, upstream := newLedger(t)
	s := startSite(t, stepByField(""), upstream)
	c := s.client()
	c.pass(bob)
	l.reset()
	if r := c.do(http.MethodPost, "/list", strings.NewReader("action=view&ids=1"), urlencoded); r.StatusCode != 200 || l.last(t).Body != "action=view&ids=1" {
		t.Fatalf("another value: %s", words(r))
	}
	for _, q := range []struct{ contentType, body string }{
		{formBody, "ids=1&ids=2&action=export"},
		{formBody, "action=view&action=export"},
		{formBody, "Action=export"},
		{jsonBody, `{"ids":[1,2],"action":"export"}`},
		{partsBody, formPart(`name="ids"`, "1") + formPart(`name="action"`, "export") + partsEnd},
		// No logout opens it: some app does the other thing that the body says.
		{formBody, "op=logout&action=export"},
		{formBody, "action=export&op=logout"},
	} {
		l.reset()
		r := c.do(http.MethodPost, "/list", strings.NewReader(q.body), http.Header{"Content-Type": {q.contentType}})
		c.askedFor(r)
		if n := len(l.arrivals()); n != 0 {
			t.Errorf("%s: %d requests reached the app before the code", q.body, n)
		}
	}
	body := "ids=1&action=export&note=" + strings.Repeat("x", 300<<10)
	r := c.step(c.do(http.MethodPost, "/list", strings.NewReader(body), urlencoded))
	if seen := l.arrivals(); r.StatusCode != 200 || len(seen) != 1 || seen[0].Body != body || l.user(seen[0]) != bob {
		t.Errorf("after the code %d requests reached the app, answer %s", len(seen), words(r))
	}
	visitor := s.client()
	visitor.get("/open/list")
	l.reset()
	for _, to := range []string{"/list", "/open/list"} {
		if r := visitor.do(http.MethodPost, to, strings.NewReader("action=export"), urlencoded); r.location() != "/login" {
			t.Errorf("a visitor at %s: %s", to, words(r))
		}
	}
	if n := len(l.arrivals()); n != 0 {
		t.Errorf("%d requests of a visitor reached the app", n)
	}
}

func TestAStepUpToldByAFieldBeyondTheCapIsCutOff(t *testing.T) {
	for _, test := range []struct {
		why, more, target string
		member, cut       bool
	}{
		{"for one request", "", "/list", true, true},
		{"for one request, where all is public", "", "/open/list", true, true},
		{"by a visitor, where all is public", "", "/open/list", false, true},
		{"within its time", "max_age 5m", "/list", true, false},
		{"within its time, where nobody asks whose the session is", "max_age 5m", "/open/list", true, true},
		{"after its time", "max_age 1ms", "/list", true, true},
	} {
		t.Run(test.why, func(t *testing.T) {
			l, upstream := newLedger(t)
			s := startSite(t, stepByField(test.more), upstream)
			c := s.client()
			c.get("/login")
			if test.member {
				c.pass(alice)
			}
			for more, cut := range map[string]bool{"&action=view": false, "&action=export": test.cut} {
				l.reset()
				body := "note=" + long64 + more
				r := c.do(http.MethodPost, test.target, strings.NewReader(body), urlencoded)
				seen := l.arrivals()
				if (len(seen) == 0) != cut || cut != (r.StatusCode == http.StatusRequestEntityTooLarge) || !cut && seen[0].Body != body {
					t.Errorf("%s: %d requests reached the app, answer %s", more, len(seen), words(r))
				}
			}
			if test.cut && !strings.Contains(s.twoFactorLog(), `"rule":"step_up 1","fields":["action"]`) {
				t.Error("the log does not name the rule")
			}
		})
	}
}
