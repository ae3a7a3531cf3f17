package twofactor

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// becomes makes every session of the app another user's.
func (k *kept) becomes(user string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.users {
		k.users[id] = user
	}
}

// cameThrough reports whether a request reached the app.
func cameThrough(seen []got, uri string) bool {
	return slices.ContainsFunc(seen, func(g got) bool { return g.URI == uri })
}

func TestInvariant03BeforeAStepUpOpensTheProofMustStillNameItsUser(t *testing.T) {
	app := startKept(t)
	s := startSite(t, proofLogin("/me", tellsWho, "step_up /export*"), app.address)
	c := s.client()
	c.logIn(bob, "right")
	c.enter(s.textCode())

	app.requests()
	page := c.texted(c.askedFor(c.get("/export")))
	if n := len(app.proofs("/me")); n != 1 {
		t.Errorf("%d proofs were asked for before the challenge, want 1", n)
	}
	app.becomes(carol)
	r := c.submit(page, codeField, map[string]string{"code": s.textCode()})
	if seen := app.requests(); r.StatusCode != http.StatusUnauthorized || cameThrough(seen, "/export") {
		t.Errorf("after the app's session had become another user's, the code gave %d, and the app got %v", r.StatusCode, seen)
	}
	if r := c.get("/inbox"); r.location() != "/login" {
		t.Errorf("the session goes on: %s", words(r))
	}

	other := s.client()
	other.logIn(bob, "right")
	other.enter(s.textCode())
	app.becomes(carol)
	if r := other.get("/export"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a step-up opened for a session that is another user's at the app: %s", words(r))
	}
}

func TestRule19AStepUpChangesTheTokenAndTheOldOneGoesOnForAWhile(t *testing.T) {
	_, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	old := bob.jarLine("/contacts")
	mustSay(t, bob.step(bob.get("/contacts/export")), http.StatusOK)
	if now := bob.jarLine("/contacts"); now == old {
		t.Fatal("the token is the old one")
	}
	before := s.client()
	mustSay(t, before.do(http.MethodGet, "/contacts", nil, http.Header{"Cookie": {old}}), http.StatusOK, "Maria Anders")
	mustSay(t, bob.get("/contacts"), http.StatusOK, "Maria Anders")

	l := s.lease()
	defer l.Release()
	id := account.SessionID{}
	for name, value := range bob.cookies("/") {
		if strings.HasPrefix(name, "two-factor-") {
			raw, err := base64.RawURLEncoding.DecodeString(value)
			if err != nil {
				t.Fatal(err)
			}
			id = sha256.Sum256(raw)
		}
	}
	if err := l.Parts().Store.EndSession(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for who, r := range map[string]reply{"new": bob.get("/contacts"), "old": before.do(http.MethodGet, "/contacts", nil, http.Header{"Cookie": {old}})} {
		if r.location() != "/login" {
			t.Errorf("the ended session goes on by its %s token: %d", who, r.StatusCode)
		}
	}
}

func TestStepUpsOfSeveralTabsAndUsersDoNotMix(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob, hers := s.client(), s.client()
	bob.signIn("bob@example.com", "battery staple")
	hers.signIn(carol, carolPassword)
	one := bob.texted(bob.askedFor(bob.get("/contacts/export?q=Ana")))
	two := bob.askedFor(bob.get("/contacts/export?q=Hanna"))
	code := s.textCode()

	answer := hidden(one.body, codeField)
	answer.Del("")
	answer.Set("code", code)
	for _, q := range []struct {
		name, path string
		who        *client
		change     func(url.Values)
	}{
		{"in another tab's challenge", "/contacts/export?q=Hanna", bob, func(f url.Values) {
			f.Set("two_factor_challenge", hidden(two.body, "Send me a code").Get("two_factor_challenge"))
			f.Set("two_factor_token", hidden(two.body, "Send me a code").Get("two_factor_token"))
		}},
		{"in another tab's challenge with the token of this one", "/contacts/export?q=Hanna", bob, func(f url.Values) {
			f.Set("two_factor_challenge", hidden(two.body, "Send me a code").Get("two_factor_challenge"))
		}},
		{"at another tab's address", "/contacts/export?q=Hanna", bob, func(url.Values) {}},
		{"at another spelling of the address", "/contacts/%65xport?q=Ana", bob, func(url.Values) {}},
		{"in another user's browser", "/contacts/export?q=Ana", hers, func(url.Values) {}},
		{"in nobody's browser", "/contacts/export?q=Ana", s.client(), func(url.Values) {}},
		{"without the token", "/contacts/export?q=Ana", bob, func(f url.Values) { f.Del("two_factor_token") }},
	} {
		f := url.Values{}
		for name, values := range answer {
			f[name] = slices.Clone(values)
		}
		q.change(f)
		r := q.who.post(q.path, f)
		if r.StatusCode == http.StatusOK {
			t.Errorf("%s, the code gave 200:\n%s", q.name, visible(r.body))
		}
		if got := exports(app); len(got) != 0 {
			t.Fatalf("%s, the code let %s %s through", q.name, got[0].Method, got[0].URI)
		}
	}
	mustSay(t, bob.submit(one, codeField, map[string]string{"code": code}), http.StatusOK)
	// The other tab goes on, though the session has a new token.
	two = bob.texted(two)
	mustSay(t, bob.submit(two, codeField, map[string]string{"code": s.textCode()}), http.StatusOK)
	if got := exports(app); len(got) != 2 || got[0].URI != "/contacts/export?q=Ana" || got[1].URI != "/contacts/export?q=Hanna" {
		t.Fatalf("what reached the app: %+v", got)
	}
}

func TestWhatAScriptMadeWaitIsHeldWhenThePersonSendsItAsAForm(t *testing.T) {
	app, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	form := hidden(bob.get("/contacts").body, "separator")
	form.Del("")
	mustSay(t, bob.do(http.MethodPost, "/contacts/export", strings.NewReader(form.Encode()), withHeaders(script, urlencoded)), http.StatusForbidden)
	r := bob.step(bob.post("/contacts/export", form))
	mustSay(t, r, http.StatusOK)
	if got := exports(app); len(got) != 1 || string(got[0].Body) != form.Encode() {
		t.Fatalf("what reached the app: %+v", got)
	}
	// The same, once a page has shown what waits.
	next := hidden(bob.get("/contacts").body, "separator")
	next.Del("")
	mustSay(t, bob.do(http.MethodPost, "/contacts/export", strings.NewReader(next.Encode()), withHeaders(script, urlencoded)), http.StatusForbidden)
	bob.askedFor(bob.get("/contacts"))
	mustSay(t, bob.step(bob.post("/contacts/export", next)), http.StatusOK)
	if got := exports(app); len(got) != 2 {
		t.Fatalf("%d exports reached the app, want 2", len(got))
	}
}

func TestTheAppIsToldOfTheFactorThatWasPassedLast(t *testing.T) {
	app, s := stepSite(t, exportOnce+"\n\t\tidentity_header X-Second-Factor factor\n\t\tidentity_header X-Second-Factor-Time factor_time")
	hers := s.client()
	hers.signIn(carol, carolPassword)
	told := func() [2]string {
		hers.get("/contacts")
		seen := byPeople(app)
		h := seen[len(seen)-1].Header
		return [2]string{h.Get("X-Second-Factor"), h.Get("X-Second-Factor-Time")}
	}
	before := told()
	page := hers.askedFor(hers.get("/contacts/export"))
	other := hers.follow(hers.do(http.MethodGet, wayTo(t, page, "choose"), nil, nil))
	r := hers.follow(hers.submit(other, "two_factor_factor", map[string]string{"two_factor_factor": "f1"}))
	mustSay(t, hers.submit(r, codeField, map[string]string{"code": s.textCode()}), http.StatusOK)
	if after := told(); before[0] != "totp" || after[0] != "phone" || after[1] < before[1] {
		t.Errorf("the app was told %q before the step-up and %q after it", before, after)
	}
}

// wayTo is the address of a link of a page of ours.
func wayTo(t *testing.T, page reply, name string) string {
	t.Helper()
	m := regexp.MustCompile(`href="([^"]*/` + name + `\?[^"]*)"`).FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("no link to %s:\n%s", name, page.body)
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

func TestASecondClickGetsTheTokenThatTheFirstAnswerBrought(t *testing.T) {
	_, s := stepSite(t, exportOnce)
	bob := s.client()
	bob.signIn("bob@example.com", "battery staple")
	page := bob.texted(bob.askedFor(bob.get("/contacts/export")))
	answer := hidden(page.body, codeField)
	answer.Del("")
	answer.Set("code", s.textCode())
	// The browser drops the first answer, with its cookie.
	old := bob.jarLine("/contacts/export")
	mustSay(t, s.client().do(http.MethodPost, "/contacts/export", strings.NewReader(answer.Encode()),
		withHeaders(urlencoded, http.Header{"Cookie": {old}})), http.StatusOK)
	mustSay(t, bob.post("/contacts/export", answer), http.StatusConflict, "already used")
	if now := bob.jarLine("/contacts/export"); now == old {
		t.Fatal("the second answer brought no new token")
	}
	mustSay(t, bob.get("/contacts"), http.StatusOK, "Maria Anders")

	// Whoever has the old one and no form of this page gets none.
	thief := s.client()
	r := thief.do(http.MethodGet, "/contacts", nil, http.Header{"Cookie": {old}})
	forged := url.Values{"two_factor_challenge": answer["two_factor_challenge"], "two_factor_token": {"x"}, "code": {"000000"}}
	r2 := thief.do(http.MethodPost, "/contacts/export", strings.NewReader(forged.Encode()), withHeaders(urlencoded, http.Header{"Cookie": {old}}))
	for _, r := range []reply{r, r2} {
		for _, c := range r.Cookies() {
			if strings.HasPrefix(c.Name, "two-factor-") {
				t.Errorf("%s %s gave the old token's holder a new one", r.Request.Method, r.Request.URL)
			}
		}
	}
}
