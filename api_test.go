package twofactor

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// call calls the JSON API as a script of the page does.
func (c *client) call(name string, body map[string]string) reply {
	c.t.Helper()
	if body == nil {
		return c.do(http.MethodGet, "/.two-factor/api/"+name, nil, script)
	}
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do(http.MethodPost, "/.two-factor/api/"+name, strings.NewReader(string(text)),
		withHeaders(script, http.Header{"Content-Type": {"application/json"}}))
}

// apiAnswer is what the tests read of an answer of the API.
type apiAnswer struct {
	State, User, Result, Type, Title, Detail string
	TriesLeft                                *int `json:"tries_left"`
	RetryAfter                               int  `json:"retry_after"`
	RepeatWithin                             int  `json:"repeat_within"`
	Challenge                                json.RawMessage
	Challenges                               []struct {
		ID, Purpose, State, Action, Page string
		Factors                          []struct {
			ID, Kind, Hint string
			Digits         int
			Sent           bool
			CanSend        bool `json:"can_send"`
		}
	}
}

func (r reply) api(t *testing.T, status int) (a apiAnswer) {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s gave %d, want %d:\n%s", r.Request.Method, r.Request.URL, r.StatusCode, status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &a); err != nil {
		t.Fatalf("%s: %v\n%s", r.Request.URL, err, r.body)
	}
	return a
}

func TestAScriptPassesALoginByTheAPI(t *testing.T) {
	_, s := stepSite(t, exportOnce)
	bob := s.client()
	if a := bob.call("state", nil).api(t, http.StatusOK); a.State != "none" || len(a.Challenges) != 0 {
		t.Fatalf("without a session: %+v", a)
	}
	if r := bob.password("bob@example.com", "battery staple"); r.location() != atChallenge {
		t.Fatalf("the login gave %d to %q", r.StatusCode, r.location())
	}
	a := bob.call("state", nil).api(t, http.StatusOK)
	if a.State != "pending" || a.User != "bob@example.com" || len(a.Challenges) != 1 || a.Challenges[0].Purpose != "login" {
		t.Fatalf("pending: %+v", a)
	}
	c := a.Challenges[0]
	if len(c.Factors) != 1 || c.Factors[0].Kind != "phone" || c.Factors[0].Hint != "42" || c.Factors[0].Digits != 6 || !c.Factors[0].Sent {
		t.Fatalf("the factors: %+v", c.Factors)
	}
	wrong := bob.call("verify", map[string]string{"challenge": c.ID, "code": "000000"})
	if a := wrong.api(t, http.StatusForbidden); a.Type != "urn:caddy-twofactor:problem:code-wrong" || a.TriesLeft == nil || *a.TriesLeft != 4 {
		t.Fatalf("a wrong code: %s", wrong.body)
	}
	if a := bob.call("verify", map[string]string{"challenge": c.ID, "code": "1"}).api(t, http.StatusBadRequest); a.Type != "urn:caddy-twofactor:problem:code-length" {
		t.Fatalf("a short code: %+v", a)
	}
	early := bob.call("send", map[string]string{"challenge": c.ID, "factor": c.Factors[0].ID})
	if a := early.api(t, http.StatusTooManyRequests); a.RetryAfter == 0 || early.Header.Get("Retry-After") == "" {
		t.Fatalf("too early a text: %s", early.body)
	}
	r := bob.call("verify", map[string]string{"challenge": c.ID, "code": s.textCode()})
	if r.StatusCode != http.StatusFound || r.location() != "/dashboard" || r.Header.Get("Two-Factor-Result") != "passed" {
		t.Fatalf("the right code gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
	mustSay(t, bob.get("/contacts"), http.StatusOK, "Maria Anders")
	if a := bob.call("state", nil).api(t, http.StatusOK); a.State != "verified" {
		t.Fatalf("verified: %+v", a)
	}
}

func TestAScriptPassesAStepUpByTheAPI(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	form := url.Values{"columns": {"email"}, "csrf": {hidden(bob.get("/contacts").body, "separator").Get("csrf")}}
	export := func() reply {
		return bob.do(http.MethodPost, "/contacts/export", strings.NewReader(form.Encode()), withHeaders(script, urlencoded))
	}
	mustSay(t, export(), http.StatusForbidden)
	a := bob.call("state", nil).api(t, http.StatusOK)
	if len(a.Challenges) != 1 || a.Challenges[0].State != "waiting" || a.Challenges[0].Action != "export all contacts" {
		t.Fatalf("the step-up: %+v", a)
	}
	id := a.Challenges[0].ID
	if a := bob.call("choose", map[string]string{"challenge": id}).api(t, http.StatusOK); a.Result != "chosen" {
		t.Fatalf("choosing: %+v", a)
	}
	if a := bob.call("send", map[string]string{"challenge": id}).api(t, http.StatusOK); a.Result != "sent" && a.Result != "queued" {
		t.Fatalf("sending: %+v", a)
	}
	if a := bob.call("verify", map[string]string{"challenge": id, "code": s.textCode()}).api(t, http.StatusOK); a.Result != "passed" || a.RepeatWithin != 120 {
		t.Fatalf("verifying: %+v", a)
	}
	mustSay(t, export(), http.StatusOK)
	mustSay(t, export(), http.StatusForbidden)
	if got := exports(app); len(got) != 1 || string(got[0].Body) != form.Encode() {
		t.Fatalf("what reached the app: %+v", got)
	}
	mustSay(t, bob.get("/contacts"), http.StatusSeeOther)
}

func TestWhatIsNoCallOfTheAPIIsRefused(t *testing.T) {
	_, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.password("bob@example.com", "battery staple")
	id := bob.call("state", nil).api(t, http.StatusOK).Challenges[0].ID
	right := `{"challenge":"` + id + `","code":"` + s.textCode() + `"}`
	carol := s.client()
	carol.password("carol@example.com", carolPassword)
	for _, c := range []struct {
		name, path, body string
		header           http.Header
		who              *client
		status           int
	}{
		{"from another site", "verify", right, http.Header{"Sec-Fetch-Site": {"cross-site"}}, bob, http.StatusForbidden},
		{"from a sibling", "verify", right, http.Header{"Sec-Fetch-Site": {"same-site"}}, bob, http.StatusForbidden},
		{"by its origin from another site", "verify", right, http.Header{"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}}, bob, http.StatusForbidden},
		{"as a form", "verify", right, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, bob, http.StatusForbidden},
		{"as text", "verify", right, http.Header{"Content-Type": {"text/plain"}}, bob, http.StatusForbidden},
		{"without a type", "verify", right, http.Header{"Content-Type": nil}, bob, http.StatusForbidden},
		{"with two types", "verify", right, http.Header{"Content-Type": {"application/json", "application/json"}}, bob, http.StatusForbidden},
		{"too large", "verify", `{"x":"` + strings.Repeat("x", 5000) + `",` + right[1:], nil, bob, http.StatusForbidden},
		{"broken", "verify", right[:10], nil, bob, http.StatusForbidden},
		{"of nobody", "verify", right, nil, s.client(), http.StatusForbidden},
		{"of another user's browser", "verify", right, nil, carol, http.StatusConflict},
		{"of another challenge", "verify", strings.Replace(right, id, strings.ToUpper(id), 1), nil, bob, http.StatusConflict},
		{"no call", "open", right, nil, bob, http.StatusNotFound},
	} {
		r := c.who.do(http.MethodPost, "/.two-factor/api/"+c.path, strings.NewReader(c.body),
			withHeaders(withHeaders(script, http.Header{"Content-Type": {"application/json"}}), c.header))
		if r.StatusCode != c.status || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %d %s, want %d:\n%s", c.name, r.StatusCode, r.Header.Get("Content-Type"), c.status, r.body)
		}
	}
	if r := bob.do(http.MethodGet, "/.two-factor/api/verify", nil, script); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a GET: got %d", r.StatusCode)
	}
	r := bob.call("verify", map[string]string{"challenge": id, "code": s.textCode()})
	if r.Header.Get("Two-Factor-Result") != "passed" {
		t.Errorf("the right call gave %d:\n%s", r.StatusCode, r.body)
	}
}
