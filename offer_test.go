package twofactor

import (
	"bytes"
	"encoding/base32"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

const (
	enrolPage = "/.two-factor/enrol"
	enrolApp  = "/.two-factor/enrol/app"
	notNow    = `value="without"`
)

// offers gives the right password and returns the page of the enrolment.
func (c *client) offers(user, password string) reply {
	c.t.Helper()
	r := c.password(user, password)
	page := c.follow(r)
	if r.location() != codePage || !strings.Contains(page.body, `"`+enrolApp+`"`) {
		c.t.Fatalf("the password of %s gave %d to %q, and then\n%s", user, r.StatusCode, r.location(), visible(page.body))
	}
	return page
}

// isThere reports whether the user has an account.
func (s *site) isThere(user string) bool {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	_, err := l.Parts().Store.Account(s.t.Context(), defaultName, account.Fold(user))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.t.Fatal(err)
	}
	return err == nil
}

func TestNotNowHoldsForAWhile(t *testing.T) {
	s := enrolling(t, "offered {\nagain 2h\nconfirm open\n}")
	clock := s.clock()
	c := s.client()
	page := c.offers(alice, alicePassword)
	if r := c.submit(page, notNow, nil); r.location() != "/dashboard" {
		t.Fatalf("'not now' gave %d to %q", r.StatusCode, r.location())
	}
	if r := c.get("/contacts"); r.StatusCode != http.StatusOK {
		t.Errorf("the contacts gave %d", r.StatusCode)
	}
	if a := s.account(alice); a.HasFactor() || a.PutOff.IsZero() || a.Offered.IsZero() {
		t.Errorf("the account has %+v", a)
	}
	clock.pass(time.Hour)
	if r := s.client().password(alice, alicePassword); r.location() != "/dashboard" {
		t.Errorf("within the time, the password gave %d to %q", r.StatusCode, r.location())
	}
	clock.pass(61 * time.Minute)
	s.client().offers(alice, alicePassword)
}

func TestAStepUpIsNotOpenedByNotNow(t *testing.T) {
	s := enrolling(t, "offered {\nconfirm open\n}\nstep_up /contacts/export*")
	c := s.client()
	c.submit(c.offers(alice, alicePassword), notNow, nil)
	if r := c.get("/contacts/export"); r.StatusCode == http.StatusOK {
		t.Errorf("the export gave %d:\n%s", r.StatusCode, r.body)
	}
}

func TestTheEndOfTheTimeOfGraceIsShownAndHolds(t *testing.T) {
	s := enrolling(t, "offered {\nagain 1h\ngrace 48h\nconfirm open\n}")
	clock := s.clock()
	c := s.client()
	page := c.offers(alice, alicePassword)
	end := s.account(alice).Offered.Add(48 * time.Hour).UTC().Format("2 January 2006")
	if !strings.Contains(visible(page.body), end) {
		t.Errorf("the page does not say %q: %s", end, visible(page.body))
	}
	c.submit(page, notNow, nil)
	clock.pass(49 * time.Hour)
	late := s.client()
	page = late.offers(alice, alicePassword)
	if strings.Contains(page.body, notNow) {
		t.Error("it can still be put off")
	}
	form := hidden(page.body, "/cancel")
	form.Del("")
	form.Set("two_factor_go_on", "without")
	for _, at := range []string{"/login", codePage} {
		late.post(at, form)
	}
	late.hasNothing(alice)
}

func TestADemandThatIsAnnouncedShowsItsDay(t *testing.T) {
	from := time.Now().Add(72 * time.Hour).UTC()
	s := enrolling(t, "required {\nfrom "+from.Format(time.DateOnly)+"\nagain 1h\nconfirm open\n}")
	clock := s.clock()
	c := s.client()
	page := c.offers(alice, alicePassword)
	if day := from.Format("2 January 2006"); !strings.Contains(visible(page.body), day) {
		t.Errorf("the page does not say %q: %s", day, visible(page.body))
	}
	if r := c.submit(page, notNow, nil); r.location() != "/dashboard" {
		t.Errorf("'not now' gave %d to %q", r.StatusCode, r.location())
	}
	clock.pass(73 * time.Hour)
	if page := s.client().offers(alice, alicePassword); strings.Contains(page.body, notNow) {
		t.Error("on its day it can still be put off")
	}
}

func TestAnUnknownUserGetsAnAccountWithTheFirstFactor(t *testing.T) {
	_, upstream := newLedger(t)
	s := startSite(t, ledgerSite("", whoProof, "unknown_user enrol", "enrolment required {\nconfirm open\n}"), upstream)
	c := s.client()
	c.get("/login")
	c.tryLogin(erin, "wrong")
	if r := c.tryLogin(erin, right); r.location() != codePage {
		t.Fatalf("the password gave %s", words(r))
	}
	page := c.follow(c.get(enrolApp))
	c.submit(page, codeField, map[string]string{"code": "000000"})
	if s.isThere(erin) {
		t.Fatal("there is an account before the factor")
	}
	done := c.submit(page, codeField, map[string]string{"code": s.appCode(page)})
	if len(recoveryCodes(done)) != account.RecoveryCodes || !s.isThere(erin) {
		t.Fatalf("the code gave %s", words(done))
	}
	if r := c.submit(done, "two_factor_go_on", nil); r.location() != "/dashboard" {
		t.Fatalf("going on gave %s", words(r))
	}
	if a := s.account(erin); a.Name != erin || len(a.Factors) != 2 {
		t.Errorf("the account is %+v", a)
	}
}

func TestAnUnknownUserWhoPutsItOffIsAskedLikeOthers(t *testing.T) {
	_, upstream := newLedger(t)
	s := startSite(t, ledgerSite("", whoProof, "unknown_user enrol", "enrolment offered {\nagain 1h\ngrace 2h\nconfirm open\n}"), upstream)
	clock := s.clock()
	for i, want := range []string{codePage, "/dashboard", codePage, codePage} {
		c := s.client()
		c.get("/login")
		if r := c.tryLogin(erin, right); r.location() != want {
			t.Fatalf("login %d gave %s, want %q", i, words(r), want)
		}
		page := c.get(enrolPage)
		switch i {
		case 0:
			if s.isThere(erin) {
				t.Error("the password alone makes an account")
			}
			if r := c.submit(page, notNow, nil); r.location() != "/dashboard" || c.get("/contacts").StatusCode != http.StatusOK {
				t.Fatalf("'not now' gave %s", words(r))
			}
		case 1:
			clock.pass(61 * time.Minute)
		case 2:
			if !strings.Contains(page.body, notNow) {
				t.Error("it cannot be put off any more within the time of grace")
			}
			clock.pass(time.Hour)
		case 3:
			if strings.Contains(page.body, notNow) {
				t.Error("it can be put off after the time of grace")
			}
		}
	}
}

func TestAScriptsLoginLeadsToTheEnrolmentAndBack(t *testing.T) {
	app := startAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "app-secret", Path: "/"})
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"ok":true}`))
	})
	for _, how := range []string{"required", "offered"} {
		t.Run(how, func(t *testing.T) {
			s := startSite(t, oneLogin("yes json ok true\nno json ok false\nscript_answer status 403 `{\"error\":\"reload\"}`", "enrolment "+how+" {\nconfirm open\n}"), app.address)
			s.bare(nil, erin)
			c := s.client()
			r := c.do(http.MethodPost, "/login", strings.NewReader(filled(erin, "x").Encode()),
				withHeaders(urlencoded, withHeaders(script, http.Header{"Referer": {s.url + "/inbox?folder=1"}})))
			if r.StatusCode != http.StatusForbidden || r.body != `{"error":"reload"}` {
				t.Fatalf("the script got %d %s", r.StatusCode, r.body)
			}
			app.requests()
			if r := c.do(http.MethodGet, "/data.json", nil, script); r.StatusCode != http.StatusUnauthorized {
				t.Errorf("another request of the script got %d", r.StatusCode)
			}
			page := c.follow(c.get("/inbox"))
			if len(app.requests()) != 0 {
				t.Error("a pending session reached the app")
			}
			if how == "offered" {
				r = c.submit(page, notNow, nil)
			} else {
				r = c.submit(c.enrolsApp(), "two_factor_go_on", nil)
			}
			if r.StatusCode != http.StatusSeeOther || r.location() != "/inbox?folder=1" {
				t.Fatalf("going on gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
			}
			c.get("/inbox")
			if seen := app.requests(); len(seen) != 1 || !strings.Contains(seen[0].cookie(), "sid=app-secret") {
				t.Errorf("afterwards the app got %v", seen)
			}
		})
	}
}

func TestALoginForATokenIsAskedForOnceMoreAfterTheEnrolment(t *testing.T) {
	s, _ := tokenStart(t, "enrolment required {\nconfirm open\n}")
	s.bare(nil, erin)
	c := s.client()
	if r := c.byScript(erin, right); r.StatusCode != http.StatusUnauthorized || strings.Contains(r.body, "token-") {
		t.Fatalf("the login gave %d %s", r.StatusCode, r.body)
	}
	r := c.submit(c.enrolsApp(), "two_factor_go_on", nil)
	if !strings.Contains(r.body, onceMore) || strings.Contains(r.body, "token-") {
		t.Fatalf("going on gave %d:\n%s", r.StatusCode, visible(r.body))
	}
	token := c.tokenOf(c.byScript(erin, right))
	if r := c.do(http.MethodGet, "/api/me", nil, withHeaders(script, http.Header{"Authorization": {"Bearer " + token}})); !strings.Contains(strings.ToLower(r.body), strings.ToLower(erin)) {
		t.Errorf("the token gave %d %s", r.StatusCode, r.body)
	}
}

func TestAnEnrolmentWhereTheFirstFactorWasPassedBefore(t *testing.T) {
	s, u := identityStart(t, "enrolment required {\nconfirm open\n}")
	s.bare(nil, alice)
	c := s.client()
	mustBeChallenged(t, "the first page", c.page("/contacts?x=1", basic(alice, right)))
	page := c.page(enrolApp, basic(alice, right))
	for page.location() != "" {
		page = c.page(page.location(), basic(alice, right))
	}
	post := func(from reply, marker string, more url.Values) reply {
		form := hidden(from.body, marker)
		to := form.Get("")
		form.Del("")
		for name, values := range more {
			form[name] = values
		}
		return c.do(http.MethodPost, to, strings.NewReader(form.Encode()), withHeaders(urlencoded, http.Header{"Authorization": {basic(alice, right)}}))
	}
	done := post(page, codeField, url.Values{"code": {s.appCode(page)}})
	if len(u.arrivals()) > 0 {
		t.Errorf("%s reached the app", u.arrivals()[0].URI)
	}
	if r := post(done, "two_factor_go_on", nil); r.location() != "/contacts?x=1" {
		t.Fatalf("going on gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
	if r := c.page("/contacts", basic(alice, right)); !isPageOf(r, alice) {
		t.Errorf("the contacts gave %d %s", r.StatusCode, r.body)
	}
}

func TestTheAPISaysThatALoginWaitsForAnEnrolment(t *testing.T) {
	s := enrolling(t, "required {\nconfirm open\n}")
	c := s.client()
	c.offers(alice, alicePassword)
	a := c.call("state", nil).api(t, http.StatusOK)
	if a.State != "pending" || len(a.Challenges) != 1 || a.Challenges[0].Purpose != "enrolment" || len(a.Challenges[0].Factors) != 0 || a.Challenges[0].Page == "" {
		t.Fatalf("the state is %+v", a)
	}
	id := a.Challenges[0].ID
	for _, call := range []string{"verify", "send", "choose"} {
		if r := c.call(call, map[string]string{"challenge": id, "code": "000000", "factor": "f0"}); r.StatusCode < 400 || r.StatusCode >= 500 {
			t.Errorf("%s gave %d %s", call, r.StatusCode, r.body)
		}
	}
	c.hasNothing(alice)
	c.call("cancel", map[string]string{"challenge": id}).api(t, http.StatusOK)
	if a := c.call("state", nil).api(t, http.StatusOK); a.State != "none" {
		t.Errorf("after cancel the state is %+v", a)
	}
}

func TestCancelDropsWhatAnEnrolmentHolds(t *testing.T) {
	s := enrolling(t, "required {\nconfirm open\n}")
	c := s.client()
	page := c.offers(alice, alicePassword)
	app := c.follow(c.get(enrolApp))
	if r := c.submit(page, "/cancel", nil); r.location() != "/login" {
		t.Fatalf("cancel gave %d to %q", r.StatusCode, r.location())
	}
	c.submit(app, codeField, map[string]string{"code": s.appCode(app)})
	c.hasNothing(alice)
	c.offers(alice, alicePassword)
}

func TestRule22ALoginThatWaitsForAnEnrolmentOpensNothing(t *testing.T) {
	app, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.start(siteWith("login fields email password {\nyes redirect /dashboard*\nno status 200 text \"The e-mail address or the password is wrong\"\n}\nenrolment required {\nconfirm open\n}", "reverse_proxy {$UPSTREAM}"), upstream)
	s.bare(nil, alice)
	c := s.client()
	c.offers(alice, alicePassword)
	before := len(byPeople(app))
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut, http.MethodDelete, "PROPFIND"} {
		for _, path := range []string{"/contacts", "/contacts/", "/contacts.", "//contacts", "/dashboard", "/live", "/logo.svg"} {
			for _, header := range []http.Header{nil, script, upgrade, {"X-Http-Method-Override": {"POST"}}, {"Range": {"bytes=0-1"}}, {"Sec-Fetch-Dest": {"image"}}} {
				if r := c.do(method, path, nil, header); r.StatusCode < 300 || r.StatusCode == http.StatusSwitchingProtocols {
					t.Errorf("%s %s with %v gave %d", method, path, header, r.StatusCode)
				}
			}
		}
	}
	if seen := byPeople(app)[before:]; len(seen) != 0 {
		t.Errorf("%d requests reached the app, the first %s %s", len(seen), seen[0].Method, seen[0].URI)
	}
	// Nor do the pages of a signed-in user open.
	for _, path := range []string{"", "activity", "recovery", "off", "team", "factor/remove?factor=f0", "factor/change?factor=f0"} {
		if r := c.get("/.two-factor/" + path); r.location() != enrolPage {
			t.Errorf("%s gave %d to %q", path, r.StatusCode, r.location())
		}
	}
}

func TestTwoTabsThatEnrolAtOnceAddOneFactor(t *testing.T) {
	s := enrolling(t, "required {\nconfirm open\n}")
	c := s.client()
	c.offers(alice, alicePassword)
	older, newer := c.follow(c.get(enrolApp)), c.follow(c.get(enrolApp))
	if r := c.submit(older, codeField, map[string]string{"code": s.appCode(older)}); r.StatusCode != http.StatusForbidden {
		t.Errorf("the older tab gave %d to %q", r.StatusCode, r.location())
	}
	code := s.appCode(newer)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { c.submit(newer, codeField, map[string]string{"code": code}) })
	}
	wait.Wait()
	if a := s.account(alice); len(a.Factors) != 2 {
		t.Errorf("the account has %+v", a.Factors)
	}
	// The page with the codes may have been lost: new ones are made, and the login
	// goes on all the same.
	before := s.factorOf(alice, account.KindRecovery).Recovery.Salt
	codes := c.submit(c.get(enrolPage), "/.two-factor/recovery", nil)
	if len(recoveryCodes(codes)) != account.RecoveryCodes || bytes.Equal(before, s.factorOf(alice, account.KindRecovery).Recovery.Salt) {
		t.Fatalf("new codes gave %d:\n%s", codes.StatusCode, visible(codes.body))
	}
	if r := c.submit(codes, "two_factor_go_on", nil); r.location() != "/dashboard" {
		t.Errorf("going on gave %d to %q", r.StatusCode, r.location())
	}
}

func TestWhoHasRecoveryCodesAloneAddsAFactor(t *testing.T) {
	s := enrolling(t, "required {\nconfirm open\n}")
	first := s.client()
	first.offers(alice, alicePassword)
	first.submit(first.enrolsApp(), "two_factor_go_on", nil)
	s.change(alice, func(a *account.Account) error {
		a.Factors = slices.DeleteFunc(a.Factors, func(f account.Factor) bool { return f.Kind != account.KindRecovery })
		return nil
	})
	c := s.client()
	c.offers(alice, alicePassword)
	codes := c.submit(c.follow(c.enrolsApp()), "/.two-factor/recovery", nil)
	if r := c.submit(codes, "two_factor_go_on", nil); r.location() != "/dashboard" {
		t.Fatalf("going on gave %d to %q:\n%s", r.StatusCode, r.location(), visible(codes.body))
	}
	if a := s.account(alice); len(a.Factors) != 2 || !a.HasFactor() {
		t.Errorf("the account has %+v", a.Factors)
	}
}

func TestTwoBrowsersThatEnrolAtOnceAddOneFactor(t *testing.T) {
	s := enrolling(t, "required {\nconfirm open\n}")
	one, other := s.client(), s.client()
	one.offers(alice, alicePassword)
	other.offers(alice, alicePassword)
	mine, theirs := one.follow(one.get(enrolApp)), other.follow(other.get(enrolApp))
	seed := seedOf(t, mine)
	waitFor(t, "a while within a time step", func() bool { return time.Now().Unix()%30 < 24 })
	step := time.Now().Unix() / 30
	done := one.submit(mine, codeField, map[string]string{"code": s.codeFrom(seed, step-1)})
	// Its session has ended with the first factor of the account.
	if r := other.submit(theirs, codeField, map[string]string{"code": s.appCode(theirs)}); r.location() != "/login" {
		t.Errorf("the second browser gave %d to %q", r.StatusCode, r.location())
	}
	if r := other.get("/contacts"); r.StatusCode == http.StatusOK {
		t.Error("the second browser is in")
	}
	if r := one.submit(done, "two_factor_go_on", nil); r.location() != "/dashboard" {
		t.Errorf("going on gave %d to %q", r.StatusCode, r.location())
	}
	if r := other.password(alice, alicePassword); r.location() != codePage {
		t.Fatalf("the password gave %d to %q", r.StatusCode, r.location())
	}
	if r := other.enter(s.codeFrom(seed, step)); r.location() != "/dashboard" {
		t.Errorf("the code gave %d to %q", r.StatusCode, r.location())
	}
}

// seedOf is the secret of the authenticator whose page is shown.
func seedOf(t *testing.T, page reply) []byte {
	t.Helper()
	m := secretOfPage.FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("the page shows no secret:\n%s", page.body)
	}
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func TestRule03TheCodeOfAnEnrolmentIsNotTakenAtTheNextLogin(t *testing.T) {
	s := enrolling(t, "required {\nconfirm open\n}")
	c := s.client()
	c.offers(alice, alicePassword)
	page := c.follow(c.get(enrolApp))
	code := s.appCode(page)
	c.submit(c.submit(page, codeField, map[string]string{"code": code}), "two_factor_go_on", nil)
	next := s.client()
	next.password(alice, alicePassword)
	if r := next.enter(code); !strings.Contains(r.location(), "problem=") {
		t.Errorf("the code gave %d to %q", r.StatusCode, r.location())
	}
	if r := next.get("/contacts"); r.StatusCode == http.StatusOK {
		t.Error("the contacts are open")
	}
}

func TestRule13AStartedEnrolmentExpires(t *testing.T) {
	s := enrolling(t, "offered {\nconfirm open\n}")
	clock := s.clock()
	c := s.client()
	c.submit(c.offers(alice, alicePassword), notNow, nil)
	page := c.follow(c.get(enrolApp))
	clock.pass(account.EnrolFor + time.Second)
	r := c.submit(page, codeField, map[string]string{"code": s.codeFrom(seedOf(t, page), clock.now().Unix()/30)})
	if a := s.account(alice); r.StatusCode != http.StatusForbidden || a.HasFactor() {
		t.Errorf("the code gave %d to %q; the account has %+v", r.StatusCode, r.location(), a.Factors)
	}
}

func TestRule04ACodeOfAnEnrolmentOpensNothingElse(t *testing.T) {
	s := enrolling(t, "required {\nconfirm open\n}\nstep_up /contacts/export*")
	s.enrol(bob, account.KindPhone)
	s.enrol(carol, account.KindTOTP, account.KindPhone)
	b := s.client()
	b.signIn(bob, bobPassword)
	sent := b.submit(b.get("/.two-factor/enrol/phone"), "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": "0151 23456789"})
	asks := b.follow(sent)
	code := s.textCode()
	enrolment := hidden(asks.body, codeField).Get("enrolment")

	t.Run("no login of the same user", func(t *testing.T) {
		n := s.client()
		n.password(bob, bobPassword)
		if r := n.enter(code); !strings.Contains(r.location(), "problem=") {
			t.Errorf("it gave %d to %q", r.StatusCode, r.location())
		}
	})
	t.Run("no step-up of the same session", func(t *testing.T) {
		step := b.follow(b.submit(b.follow(b.get("/contacts/export")), "/.two-factor/send", nil))
		if r := b.submit(step, codeField, map[string]string{"code": code}); r.StatusCode == http.StatusOK {
			t.Errorf("it gave %d", r.StatusCode)
		}
	})
	t.Run("no enrolment in another session of the user, or of another user", func(t *testing.T) {
		second, thief := s.client(), s.client()
		second.signIn(bob, bobPassword)
		thief.signIn(carol, carolPassword)
		for _, n := range []*client{second, thief} {
			form := url.Values{"two_factor_token": {n.ownToken()}, "enrolment": {enrolment}, "code": {code}}
			if r := n.post("/.two-factor/enrol/code", form); r.StatusCode != http.StatusForbidden {
				t.Errorf("it gave %d to %q", r.StatusCode, r.location())
			}
		}
		waiting := s.client()
		waiting.offers(alice, alicePassword)
		token := hidden(waiting.follow(waiting.get(enrolApp)).body, codeField).Get("two_factor_token")
		if r := waiting.post("/.two-factor/enrol/code", url.Values{"two_factor_token": {token}, "enrolment": {enrolment}, "code": {code}}); r.StatusCode != http.StatusForbidden {
			t.Errorf("in a login it gave %d to %q", r.StatusCode, r.location())
		}
		waiting.hasNothing(alice)
	})
	t.Run("nor does the code of a login enrol", func(t *testing.T) {
		n := s.client()
		n.password(bob, bobPassword)
		if r := b.submit(asks, codeField, map[string]string{"code": s.textCode()}); r.location() == "/.two-factor/?done=added" {
			t.Error("it was taken")
		}
	})
	if n := len(s.account(bob).Factors); n != 1 {
		t.Errorf("bob has %d factors", n)
	}
}
