package twofactor

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

const activityPage = "/.two-factor/activity"

var fieldOf = regexp.MustCompile(`name="of" value="([0-9a-f]+)"`)

// rows are the names of the sessions, or of the devices, that a page of the
// activity shows, by the form that ends one.
func rows(page reply, action string) (all []string) {
	for _, form := range strings.Split(page.body, "<form")[1:] {
		form, _, _ = strings.Cut(form, "</form>")
		if !strings.Contains(form, `action="`+action+`"`) {
			continue
		}
		if m := fieldOf.FindStringSubmatch(form); m != nil {
			all = append(all, m[1])
		}
	}
	return all
}

// remembered is how many browsers are remembered for a user.
func (s *site) remembered(user string) int {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	all, err := l.Parts().Store.Devices(s.t.Context(), defaultName, account.Fold(user), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return len(all)
}

func (c *client) isIn() bool {
	c.t.Helper()
	return c.get("/contacts").StatusCode == http.StatusOK
}

func TestASessionThatIsEndedInTheActivityIsOutAtOnce(t *testing.T) {
	s := withFactors(t, "offered")
	one, two, three := s.client(), s.client(), s.client()
	one.signIn(bob, bobPassword)
	mine := rows(one.get(activityPage), "/.two-factor/activity/end")
	two.signIn(bob, bobPassword)
	three.signIn(bob, bobPassword)
	all := rows(one.get(activityPage), "/.two-factor/activity/end")
	if len(mine) != 1 || len(all) != 3 {
		t.Fatalf("the page shows %d sessions, and then %d", len(mine), len(all))
	}
	others := 0
	for _, of := range all {
		if of == mine[0] {
			continue
		}
		if r := one.post("/.two-factor/activity/end", url.Values{"two_factor_token": {one.ownToken()}, "of": {of}}); r.location() != activityPage+"?done=session" {
			t.Fatalf("to end one gave %d to %q", r.StatusCode, r.location())
		}
		others++
		in := 0
		for _, c := range []*client{two, three} {
			if c.isIn() {
				in++
			}
		}
		if in != 2-others || !one.isIn() {
			t.Fatalf("after %d are ended, %d of the others are in", others, in)
		}
	}
	if r := one.post("/.two-factor/activity/end", url.Values{"two_factor_token": {one.ownToken()}, "of": mine}); r.location() != "/login" || one.isIn() {
		t.Errorf("to end the own one gave %d to %q", r.StatusCode, r.location())
	}
}

func TestNobodyEndsSessionsOrDevicesOfOthers(t *testing.T) {
	s := withFactors(t, "offered")
	b, c := s.client(), s.client()
	if r := b.signInRemembered(bob, bobPassword); r.location() != "/dashboard" {
		t.Fatalf("the code gave %d to %q", r.StatusCode, r.location())
	}
	c.signIn(carol, carolPassword)
	page := b.get(activityPage)
	sessions, devices := rows(page, "/.two-factor/activity/end"), rows(page, "/.two-factor/activity/forget")
	if len(sessions) != 1 || len(devices) != 1 {
		t.Fatalf("bob has %d sessions and %d devices:\n%s", len(sessions), len(devices), visible(page.body))
	}
	c.post("/.two-factor/activity/end", url.Values{"two_factor_token": {c.ownToken()}, "of": sessions})
	c.post("/.two-factor/activity/forget", url.Values{"two_factor_token": {c.ownToken()}, "of": devices})
	if !b.isIn() || s.remembered(bob) != 1 {
		t.Errorf("bob is in: %v, and has %d devices", b.isIn(), s.remembered(bob))
	}
	if r := b.post("/.two-factor/activity/forget", url.Values{"two_factor_token": {b.ownToken()}, "of": devices}); !strings.HasSuffix(r.location(), "done=forgotten") || s.remembered(bob) != 0 {
		t.Errorf("to forget it gave %d to %q; %d are left", r.StatusCode, r.location(), s.remembered(bob))
	}
}

func TestEndingAllLeavesThisOneAndForgetsEveryBrowser(t *testing.T) {
	s := withFactors(t, "offered")
	one, two := s.client(), s.client()
	one.signInRemembered(bob, bobPassword)
	two.signIn(bob, bobPassword)
	token := one.cookies("/")[ownCookie]
	if r := one.submit(one.get(activityPage), "/activity/all", nil); !strings.HasSuffix(r.location(), "done=sessions") {
		t.Fatalf("to end all gave %d to %q", r.StatusCode, r.location())
	}
	if !one.isIn() || two.isIn() || s.remembered(bob) != 0 || one.cookies("/")[ownCookie] == token {
		t.Errorf("this one is in: %v, the other: %v, %d devices are left", one.isIn(), two.isIn(), s.remembered(bob))
	}
}

func TestRule21RememberedBrowsersEndWhenAFactorChanges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, s *site, c *client)
	}{
		{"one is added", func(t *testing.T, s *site, c *client) { c.addsPhone("/.two-factor/enrol/phone", "0151 23456789") }},
		{"one is removed", func(t *testing.T, s *site, c *client) {
			c.submit(c.get("/.two-factor/factor/remove?factor="+s.factorOf(carol, account.KindPhone).ID), `type="submit"`, nil)
		}},
		{"recovery codes are made", func(t *testing.T, s *site, c *client) {
			c.submit(c.get("/.two-factor/recovery"), `type="submit"`, nil)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := withFactors(t, "offered")
			c := s.client()
			c.signInRemembered(carol, carolPassword)
			if s.remembered(carol) != 1 {
				t.Fatal("no browser is remembered")
			}
			before := len(s.account(carol).Factors)
			tt.change(t, s, c)
			if len(s.account(carol).Factors) == before || s.remembered(carol) != 0 {
				t.Errorf("%d factors, %d before; %d browsers are remembered", len(s.account(carol).Factors), before, s.remembered(carol))
			}
		})
	}
}

func TestRule14AChangeAsksForACodeThatIsFresh(t *testing.T) {
	s := withFactors(t, "offered {\nswitch_off code\n}")
	clock := s.clock()
	c := s.client()
	c.signIn(carol, carolPassword)
	phone := s.factorOf(carol, account.KindPhone).ID
	app := c.follow(c.get("/.two-factor/enrol/app"))
	remove := c.get("/.two-factor/factor/remove?factor=" + phone)
	recovery, off := c.get("/.two-factor/recovery"), c.get("/.two-factor/off")
	clock.pass(settingsCode + time.Second)
	c.submit(app, codeField, map[string]string{"code": s.codeFrom(seedOf(t, app), clock.now().Unix()/30)})
	for _, page := range []reply{remove, recovery, off} {
		c.submit(page, `type="submit"`, nil)
	}
	if a := s.account(carol); len(a.Factors) != 2 {
		t.Fatalf("the account has %+v", a.Factors)
	}
	for _, path := range []string{"enrol/app", "enrol/phone", "factor/remove?factor=" + phone, "recovery", "off"} {
		if r := c.get("/.two-factor/" + path); !strings.HasPrefix(r.location(), codePage+"?challenge=") {
			t.Errorf("%s gave %d to %q", path, r.StatusCode, r.location())
		}
	}
	asked := c.follow(c.get("/.two-factor/factor/remove?factor=" + phone))
	back := c.submit(asked, codeField, map[string]string{"code": s.codeOn(clock)})
	if !strings.HasSuffix(back.location(), "/.two-factor/factor/remove?factor="+phone) {
		t.Fatalf("the code gave %d to %q:\n%s", back.StatusCode, back.location(), visible(back.body))
	}
	if r := c.submit(c.follow(back), `type="submit"`, nil); r.location() != "/.two-factor/?done=removed" {
		t.Errorf("to remove it gave %d to %q", r.StatusCode, r.location())
	}
}

// settingsCode is how long a code is fresh for changes.
const settingsCode = 5 * time.Minute

func TestRule24NoFormOfAnotherSiteOrAnotherUserChangesAnything(t *testing.T) {
	s := withFactors(t, "offered {\nswitch_off code\n}")
	c, other := s.client(), s.client()
	c.signInRemembered(carol, carolPassword)
	other.signIn(bob, bobPassword)
	mine, theirs := c.ownToken(), other.ownToken()
	page := c.get(activityPage)
	sessions, devices := rows(page, "/.two-factor/activity/end"), rows(page, "/.two-factor/activity/forget")
	phone := s.factorOf(carol, account.KindPhone).ID
	form := func(token string) url.Values {
		return url.Values{
			"two_factor_token": {token}, "factor": {phone}, "two_factor_label": {"theirs"}, "of": append(sessions, devices...),
			"two_factor_region": {"DE"}, "two_factor_number": {"0151 23456789"}, "done": {"on"},
		}
	}
	same := func(what string) {
		t.Helper()
		a := s.account(carol)
		if len(a.Factors) != 2 || a.Factors[1].Label != "" || !a.Alarm.IsZero() || s.remembered(carol) != 1 || !c.isIn() {
			t.Fatalf("%s has changed something: %+v, %d devices", what, a, s.remembered(carol))
		}
	}
	for _, path := range []string{"factor/rename", "factor/remove", "recovery", "off", "activity/end", "activity/forget", "activity/all", "not-me", "enrol/phone", "team/number", "team/demand"} {
		at := "/.two-factor/" + path
		for what, header := range map[string]http.Header{
			"another site":    {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example.com"}},
			"a sibling":       {"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://sub.example.com"}},
			"another origin":  {"Sec-Fetch-Site": {""}, "Origin": {"https://evil.example.com"}},
			"a sandbox":       {"Sec-Fetch-Site": {""}, "Origin": {"null"}},
			"another's token": nil,
			"no token":        {},
		} {
			token := mine
			switch what {
			case "another's token":
				token = theirs
			case "no token":
				token = ""
			}
			c.do(http.MethodPost, at, strings.NewReader(form(token).Encode()), withHeaders(urlencoded, header))
			same(what + " at " + path)
		}
		c.get(at + "?" + form(mine).Encode())
		same("GET of " + path)
		c.do(http.MethodPut, at, strings.NewReader(form(mine).Encode()), urlencoded)
		same("PUT of " + path)
	}
	if texts := s.texts(); len(texts) > 2 {
		t.Errorf("texts went out: %v", texts)
	}
}

// chooses opens the challenge page for a recovery code.
func (c *client) choosesRecovery(user string) reply {
	c.t.Helper()
	form := hidden(c.get("/.two-factor/choose").body, "two_factor_factor")
	form.Set("two_factor_factor", c.s.factorOf(user, account.KindRecovery).ID)
	form.Del("")
	return c.follow(c.post("/.two-factor/choose", form))
}

func TestRule05RecoveryCodesAreCountedAsOthersAre(t *testing.T) {
	s := withFactors(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	codes := recoveryCodes(c.submit(c.get("/.two-factor/recovery"), `type="submit"`, nil))
	for try := range 2 {
		n := s.client()
		n.password(alice, alicePassword)
		page := n.choosesRecovery(alice)
		for range 5 {
			n.submit(page, codeField, map[string]string{"code": "AAAA-BBBB-CCCC-DDDD"})
		}
		if r := n.submit(page, codeField, map[string]string{"code": codes[0]}); r.location() == "/dashboard" || n.isIn() {
			t.Fatalf("after %d wrong codes the right one was taken", 5*(try+1))
		}
	}
	if s.factorOf(alice, account.KindRecovery).PausedUntil.IsZero() {
		t.Error("ten in a row are no pause")
	}
	n := s.client()
	n.password(alice, alicePassword)
	if page := n.choosesRecovery(alice); strings.Contains(page.body, codeField) {
		t.Error("in the pause a recovery code is asked for")
	}
	form := hidden(n.get(codePage).body, codeField)
	to := form.Get("")
	form.Del("")
	form.Set("two_factor_factor", s.factorOf(alice, account.KindRecovery).ID)
	form.Set("code", codes[0])
	if n.post(to, form); n.isIn() {
		t.Error("in the pause the right one was taken")
	}
	if r := n.enter(s.code(alice)); r.location() != "/dashboard" {
		t.Errorf("the pause holds the authenticator too: %d to %q", r.StatusCode, r.location())
	}
}

func TestRule04ARecoveryCodePassesAtMostOnceInParallel(t *testing.T) {
	s := withFactors(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	codes := recoveryCodes(c.submit(c.get("/.two-factor/recovery"), `type="submit"`, nil))
	var browsers []*client
	var pages []reply
	for range 3 {
		n := s.client()
		n.password(alice, alicePassword)
		browsers, pages = append(browsers, n), append(pages, n.choosesRecovery(alice))
	}
	var wait sync.WaitGroup
	for i, n := range browsers {
		wait.Go(func() { n.submit(pages[i], codeField, map[string]string{"code": codes[0]}) })
	}
	wait.Wait()
	in := 0
	for _, n := range browsers {
		if n.isIn() {
			in++
		}
	}
	if in != 1 || len(s.factorOf(alice, account.KindRecovery).Recovery.Hashes) != account.RecoveryCodes-1 {
		t.Errorf("%d browsers are in, %d codes are left", in, len(s.factorOf(alice, account.KindRecovery).Recovery.Hashes))
	}
}

func TestARecoveryCodePassesAStepUp(t *testing.T) {
	s := withFactors(t, "offered\nstep_up /contacts/export*")
	c := s.client()
	c.signIn(alice, alicePassword)
	codes := recoveryCodes(c.submit(c.get("/.two-factor/recovery"), `type="submit"`, nil))
	step := c.get("/contacts/export")
	_, id, _ := strings.Cut(step.location(), "challenge=")
	form := hidden(c.get("/.two-factor/choose?challenge="+id).body, "two_factor_factor")
	form.Set("two_factor_factor", s.factorOf(alice, account.KindRecovery).ID)
	to := form.Get("")
	form.Del("")
	page := c.follow(c.post(to, form))
	if r := c.submit(page, codeField, map[string]string{"code": codes[0]}); r.StatusCode != http.StatusOK {
		t.Errorf("the code gave %d to %q:\n%s", r.StatusCode, r.location(), visible(r.body))
	}
}

func TestASessionThatIsCopiedToAnotherNetworkChangesNothing(t *testing.T) {
	s := enrolling(t, "offered\npolicy {\nagain browser\n}")
	s.enrol(carol, account.KindTOTP, account.KindPhone)
	c := s.client()
	c.signIn(carol, carolPassword)
	thief := s.client()
	for name, value := range c.cookies("/") {
		thief.setCookie(name, value)
	}
	other := http.Header{"User-Agent": {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"}}
	for _, path := range []string{"", "activity", "enrol/app", "recovery", "off", "team", "factor/remove?factor=f0"} {
		if r := thief.do(http.MethodGet, "/.two-factor/"+path, nil, other); r.StatusCode == http.StatusOK {
			t.Errorf("%q gave %d:\n%s", path, r.StatusCode, visible(r.body))
		}
	}
	token := c.ownToken()
	for _, path := range []string{"activity/all", "factor/rename", "factor/remove", "recovery"} {
		thief.do(http.MethodPost, "/.two-factor/"+path, strings.NewReader(url.Values{"two_factor_token": {token}, "factor": {"f0"}, "two_factor_label": {"x"}}.Encode()), withHeaders(urlencoded, other))
	}
	if a := s.account(carol); len(a.Factors) != 2 || a.Factors[0].Label != "" || !c.isIn() {
		t.Errorf("something has changed: %+v", a.Factors)
	}
}
