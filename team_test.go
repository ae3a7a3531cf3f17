package twofactor

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

const (
	teamPage   = "/.two-factor/team"
	numberPage = "/.two-factor/team/number"
	demandPage = "/.two-factor/team/demand"
	dave       = "dave@example.com"
)

// owned is the demo app with a team: alice owns it and has a factor, bob has none,
// carol has both. Dave is of another team, and has none.
func owned(t *testing.T, lines string) *site {
	t.Helper()
	s := enrolling(t, lines)
	s.enrol(alice, account.KindTOTP)
	s.enrol(carol, account.KindTOTP, account.KindPhone)
	s.bare(nil, bob, dave)
	for user, team := range map[string]string{alice: "Acme", bob: "acme ", carol: "Acme", dave: "Other"} {
		s.change(user, func(a *account.Account) error {
			a.Team, a.Owner = team, user == alice
			return nil
		})
	}
	return s
}

func memberAt(user string) string { return numberPage + "?member=" + url.QueryEscape(user) }

// sets enters a number for a member, as the owner does.
func (c *client) sets(user, number string) reply {
	c.t.Helper()
	return c.submit(c.get(memberAt(user)), "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": number})
}

// ownToken is the token of the own pages' forms in this session.
func (c *client) ownToken() string {
	c.t.Helper()
	return hidden(c.get("/.two-factor/activity").body, "/activity/all").Get("two_factor_token")
}

func TestTheOwnerSeesTheTeam(t *testing.T) {
	s := owned(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	if !strings.Contains(c.get(settingsPage).body, `href="/.two-factor/team"`) {
		t.Error("the settings do not lead there")
	}
	page := c.get(teamPage)
	for _, name := range []string{alice, bob, carol} {
		if !strings.Contains(page.body, name) {
			t.Errorf("%s is not named:\n%s", name, page.body)
		}
	}
	if strings.Contains(page.body, dave) {
		t.Error("a member of another team is named")
	}
	if !strings.Contains(page.body, url.QueryEscape(bob)) || strings.Contains(page.body, "member="+url.QueryEscape(carol)) {
		t.Errorf("numbers can be set for others than bob:\n%s", page.body)
	}
	if strings.Contains(page.body, `value="on"`) {
		t.Error("it can be demanded though bob has nothing")
	}
}

func TestANumberOfTheOwnerCountsOnceItsUserHasEnteredACode(t *testing.T) {
	s := owned(t, "required")
	c := s.client()
	c.signIn(alice, alicePassword)
	if r := c.sets(bob, "0151 23456789"); r.location() != teamPage+"?done=number" {
		t.Fatalf("the number gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
	if a := s.account(bob); a.Proposed == nil || a.Proposed.Hint != "89" || a.HasFactor() {
		t.Fatalf("bob has %+v, proposed %+v", a.Factors, a.Proposed)
	}
	if texts := s.texts(); len(texts) != 0 {
		t.Fatalf("a text went out before bob asked: %v", texts)
	}
	b := s.client()
	b.password(bob, bobPassword)
	page := b.follow(b.get("/.two-factor/enrol"))
	if !strings.Contains(page.body, "/.two-factor/enrol/proposed") || strings.Contains(page.body, "/.two-factor/enrol/app") || strings.Contains(page.body, `"/.two-factor/enrol/phone"`) {
		t.Fatalf("the ways offered are others than the number:\n%s", page.body)
	}
	// What the owner has not confirmed is closed.
	for _, path := range []string{"enrol/app", "enrol/phone"} {
		if r := b.get("/.two-factor/" + path); r.location() != confirmPage {
			t.Errorf("%s gave %d to %q", path, r.StatusCode, r.location())
		}
	}
	sent := b.submit(page, "enrol/proposed", nil)
	asks := b.follow(sent)
	if strings.Contains(asks.body, "23456789") || !strings.Contains(asks.body, "89") {
		t.Errorf("the page shows more, or less, than the end of the number:\n%s", asks.body)
	}
	done := b.submit(asks, codeField, map[string]string{"code": s.textCode()})
	if len(recoveryCodes(done)) != account.RecoveryCodes {
		t.Fatalf("the code gave %d to %q:\n%s", done.StatusCode, done.location(), done.body)
	}
	if r := b.submit(done, "two_factor_go_on", nil); r.location() != "/dashboard" {
		t.Fatalf("going on gave %d to %q", r.StatusCode, r.location())
	}
	if a := s.account(bob); !a.HasFactor() || a.Proposed != nil {
		t.Fatalf("bob has %+v, proposed %+v", a.Factors, a.Proposed)
	}
	// From now on it is bob's alone, who can have another.
	if r := c.post(numberPage, url.Values{"two_factor_token": {c.ownToken()}, "member": {bob}, "two_factor_region": {"DE"}, "two_factor_number": {"0151 11111111"}}); r.StatusCode == http.StatusSeeOther {
		t.Errorf("the owner still sets bob's number: %d to %q", r.StatusCode, r.location())
	}
	if r := b.addsPhone("/.two-factor/enrol/phone", "0171 7654321"); r.location() != "/.two-factor/?done=added" {
		t.Errorf("bob's own number gave %d to %q", r.StatusCode, r.location())
	}
	if a := s.account(bob); a.Factors[0].Hint != "89" || a.Proposed != nil {
		t.Errorf("the first factor is %+v", a.Factors[0])
	}
}

func TestRule15TheOwnerTouchesNobodyWhoIsNotTheirsOrHasAFactor(t *testing.T) {
	s := owned(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	token := c.ownToken()
	if there, none := c.get(memberAt(dave)), c.get(memberAt("nobody@example.com")); there.StatusCode != none.StatusCode || visible(there.body) != visible(none.body) {
		t.Errorf("an owner can tell whether another team has a user: %d, and %d for nobody", there.StatusCode, none.StatusCode)
	}
	for _, user := range []string{alice, carol, dave, "nobody@example.com", "", " "} {
		var before account.Account
		known := user != "nobody@example.com" && strings.TrimSpace(user) != ""
		if known {
			before = s.account(user)
		}
		get := c.get(memberAt(user))
		post := c.post(numberPage, url.Values{"two_factor_token": {token}, "member": {user}, "two_factor_region": {"DE"}, "two_factor_number": {"0151 23456789"}})
		if get.StatusCode < 400 || post.StatusCode < 400 {
			t.Errorf("%q: the page gave %d, the form %d", user, get.StatusCode, post.StatusCode)
		}
		if !known {
			continue
		}
		if after := s.account(user); after.Proposed != nil || !account.SameFactors(before.Factors, after.Factors) {
			t.Errorf("%s has %+v, proposed %+v", user, after.Factors, after.Proposed)
		}
	}
	// No owner's page changes, ends or shows more of a member than that.
	for _, path := range []string{"factor/remove", "factor/rename", "off", "activity/end", "activity/forget"} {
		c.post("/.two-factor/"+path, url.Values{"two_factor_token": {token}, "member": {bob}, "factor": {"f0"}, "of": {"00"}, "two_factor_label": {"mine"}})
	}
	if a := s.account(carol); len(a.Factors) != 2 || a.Factors[0].Label != "" {
		t.Errorf("carol has %+v", a.Factors)
	}
}

func TestAMemberIsNoOwner(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*account.Account) error
	}{
		{"a member", nil},
		{"the owner of no team", func(a *account.Account) error { a.Owner, a.Team = true, ""; return nil }},
		{"the owner of a team that is no name", func(a *account.Account) error { a.Owner, a.Team = true, " "; return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := owned(t, "offered")
			if tt.edit != nil {
				s.change(carol, tt.edit)
			}
			c := s.client()
			c.signIn(carol, carolPassword)
			token := c.ownToken()
			form := url.Values{"two_factor_token": {token}, "member": {bob}, "two_factor_region": {"DE"}, "two_factor_number": {"0151 23456789"}, "done": {"on"}}
			for _, r := range []reply{c.get(teamPage), c.get(memberAt(bob)), c.post(numberPage, form), c.post(demandPage, form)} {
				if r.StatusCode != http.StatusForbidden || strings.Contains(r.body, bob) {
					t.Errorf("%s %s gave %d:\n%s", r.Request.Method, r.Request.URL, r.StatusCode, r.body)
				}
			}
			if strings.Contains(c.get(settingsPage).body, teamPage) {
				t.Error("the settings lead to the team")
			}
			if s.account(bob).Proposed != nil || len(s.demands().Teams) != 0 {
				t.Error("something has changed")
			}
		})
	}
}

// demands reads the demands of the store.
func (s *site) demands() account.Demands {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	d, err := l.Parts().Store.Demands(s.t.Context(), defaultName)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func TestTheTeamsDemandWaitsForItsLastMember(t *testing.T) {
	s := owned(t, "offered {\nagain 1d\n}")
	c := s.client()
	c.signIn(alice, alicePassword)
	form := url.Values{"two_factor_token": {c.ownToken()}, "done": {"on"}}
	if r := c.post(demandPage, form); r.location() != teamPage || len(s.demands().Teams) != 0 {
		t.Fatalf("to demand it gave %d to %q while bob has nothing; %v", r.StatusCode, r.location(), s.demands())
	}
	c.sets(bob, "0151 23456789")
	page := c.get(teamPage)
	if r := c.submit(page, `value="on"`, nil); r.location() != teamPage+"?done=on" {
		t.Fatalf("to demand it gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
	if d := s.demands().Teams["acme"]; d.By != account.Fold(alice) {
		t.Fatalf("the demands are %+v", s.demands())
	}
	// Bob cannot put it off any more.
	b := s.client()
	b.password(bob, bobPassword)
	if page := b.follow(b.get("/.two-factor/enrol")); strings.Contains(page.body, "two_factor_go_on") {
		t.Errorf("bob can put it off:\n%s", page.body)
	}
	// Nor can carol switch hers off.
	if n := s.account(carol); n.Need(account.Wanted{Mode: account.ModeOffered}, s.demands(), time.Now()).State != account.NeedRequired {
		t.Error("nothing is demanded of carol")
	}
}

func TestWhoIsMissingInALargeTeamIsNotOverlooked(t *testing.T) {
	s := owned(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	c.sets(bob, "0151 23456789")
	number := s.account(bob).Proposed
	var all []account.Account
	for i := range 1100 {
		id := fmt.Sprintf("member-%04d", i)
		all = append(all, account.Account{Instance: defaultName, ID: id, Name: id, Team: "Acme", Proposed: number, Created: time.Now(), Updated: time.Now()})
	}
	all[len(all)-1].Proposed = nil
	l := s.lease()
	defer l.Release()
	if err := l.Parts().Store.PutAccounts(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	page := c.get(teamPage)
	if !strings.Contains(visible(page.body), "member-1099") || strings.Contains(page.body, `value="on"`) {
		t.Error("the last member is not said to be missing")
	}
	c.post(demandPage, url.Values{"two_factor_token": {c.ownToken()}, "done": {"on"}})
	if len(s.demands().Teams) != 0 {
		t.Error("it is demanded")
	}
}

func TestTwoOwnersWhoDemandAtOnceLeaveOneDemand(t *testing.T) {
	s := owned(t, "offered {\nowners_off\n}")
	s.change(carol, func(a *account.Account) error { a.Owner = true; return nil })
	one, two := s.client(), s.client()
	one.signIn(alice, alicePassword)
	two.signIn(carol, carolPassword)
	one.sets(bob, "0151 23456789")
	var wait sync.WaitGroup
	for _, c := range []*client{one, two, one, two} {
		token := c.ownToken()
		wait.Go(func() { c.post(demandPage, url.Values{"two_factor_token": {token}, "done": {"on"}}) })
	}
	wait.Wait()
	if d := s.demands().Teams; len(d) != 1 || d["acme"].By == account.ByOperator {
		t.Errorf("the demands are %+v", d)
	}
}

func TestWhoMayEndATeamsDemand(t *testing.T) {
	for _, tt := range []struct {
		name, lines, by string
		may             bool
	}{
		{"the operator alone, by default", "offered", alice, false},
		{"the owner where the operator lets them", "offered {\nowners_off\n}", alice, true},
		{"never the owner where it is the operator's", "offered {\nowners_off\n}", account.ByOperator, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := owned(t, tt.lines)
			s.demandOfTeam("Acme", tt.by)
			s.demandOfTeam("Other", dave)
			c := s.client()
			c.signIn(alice, alicePassword)
			if has := strings.Contains(c.get(teamPage).body, `value="off"`); has != tt.may {
				t.Errorf("the page has the button: %v", has)
			}
			r := c.post(demandPage, url.Values{"two_factor_token": {c.ownToken()}, "done": {"off"}, "team": {"Other"}})
			if ok := r.location() == teamPage+"?done=off"; ok != tt.may || !tt.may && r.StatusCode != http.StatusForbidden {
				t.Errorf("to end it gave %d to %q", r.StatusCode, r.location())
			}
			left := s.demands().Teams
			if _, there := left["acme"]; there == tt.may {
				t.Errorf("the demand is there: %v", there)
			}
			if _, there := left["other"]; !there {
				t.Error("another team's demand is gone")
			}
		})
	}
}

func TestRule14TheOwnerNeedsAFreshCode(t *testing.T) {
	s := owned(t, "offered {\nconfirm open\n}")
	clock := s.clock()
	c := s.client()
	c.signIn(alice, alicePassword)
	page := c.get(memberAt(bob))
	token := c.ownToken()
	clock.pass(6 * time.Minute)
	if r := c.submit(page, "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": "0151 23456789"}); r.StatusCode == http.StatusSeeOther && strings.Contains(r.location(), "done") {
		t.Errorf("the number was taken: %q", r.location())
	}
	c.post(demandPage, url.Values{"two_factor_token": {token}, "done": {"on"}})
	if s.account(bob).Proposed != nil || len(s.demands().Teams) != 0 {
		t.Fatal("an old code was enough")
	}
	// The page asks for one, and leads back.
	asked := c.follow(c.get(memberAt(bob)))
	if !strings.Contains(asked.body, codeField) {
		t.Fatalf("no code is asked for:\n%s", asked.body)
	}
	back := c.submit(asked, codeField, map[string]string{"code": s.codeOn(clock)})
	if r := c.submit(c.follow(back), "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": "0151 23456789"}); !strings.HasSuffix(r.location(), "done=number") {
		t.Fatalf("after the code the number gave %d to %q", r.StatusCode, r.location())
	}
}

// codeOn is the code of the users' authenticator by a clock that was set forward.
func (s *site) codeOn(c *clock) string {
	s.t.Helper()
	return s.codeAt(c.now().Unix() / 30)
}

func TestAnOwnerWithoutAFactorAddsOneFirst(t *testing.T) {
	s := owned(t, "offered {\nconfirm open\n}")
	s.change(bob, func(a *account.Account) error { a.Owner = true; return nil })
	c := s.client()
	c.password(bob, bobPassword)
	c.submit(c.get("/.two-factor/enrol"), "without", nil)
	token := c.ownToken()
	if r := c.get(memberAt(alice)); r.location() != "/.two-factor/enrol" {
		t.Errorf("the page of a number gave %d to %q", r.StatusCode, r.location())
	}
	if r := c.post(demandPage, url.Values{"two_factor_token": {token}, "done": {"on"}}); r.location() != "/.two-factor/enrol" || len(s.demands().Teams) != 0 {
		t.Errorf("to demand it gave %d to %q", r.StatusCode, r.location())
	}
}

func TestANumberOfTheOwnerAndOneOfTheUserAtOnce(t *testing.T) {
	s := owned(t, "offered {\nconfirm open\n}")
	owner, member := s.client(), s.client()
	owner.signIn(alice, alicePassword)
	member.password(bob, bobPassword)
	app := member.follow(member.get("/.two-factor/enrol/app"))
	form := hidden(owner.get(memberAt(bob)).body, "two_factor_number")
	action := form.Get("")
	form.Del("")
	form.Set("two_factor_region", "DE")
	code := s.appCode(app)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			mine := url.Values{}
			for k, v := range form {
				mine[k] = v
			}
			mine.Set("two_factor_number", fmt.Sprintf("0151 2345678%d", i))
			owner.post(action, mine)
		})
	}
	wait.Go(func() { member.submit(app, codeField, map[string]string{"code": code}) })
	wait.Wait()
	a := s.account(bob)
	if !a.HasFactor() || a.Proposed != nil || slices.ContainsFunc(a.Factors, func(f account.Factor) bool { return f.Kind == account.KindPhone }) {
		t.Errorf("bob has %+v, proposed %+v", a.Factors, a.Proposed)
	}
}

func TestRule15ANumberThatTheOwnerHasReplacedIsWorthNothing(t *testing.T) {
	s := owned(t, "required")
	owner, thief := s.client(), s.client()
	owner.signIn(alice, alicePassword)
	owner.sets(bob, "0151 23456789")
	thief.password(bob, bobPassword)
	asks := thief.follow(thief.submit(thief.get("/.two-factor/enrol"), "enrol/proposed", nil))
	code := s.textCode()
	owner.sets(bob, "0171 7654321")
	r := thief.submit(asks, codeField, map[string]string{"code": code})
	if a := s.account(bob); a.HasFactor() || a.Proposed == nil || a.Proposed.Hint != "21" {
		t.Errorf("the code of the number before gave %d to %q; bob has %+v, proposed %+v", r.StatusCode, r.location(), a.Factors, a.Proposed)
	}
}
