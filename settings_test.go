package twofactor

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

const settingsPage = "/.two-factor/"

// withFactors is the demo app with people who have factors, who may look after them.
func withFactors(t *testing.T, lines string) *site {
	t.Helper()
	s := enrolling(t, lines)
	s.enrol(alice, account.KindTOTP)
	s.enrol(bob, account.KindPhone)
	s.enrol(carol, account.KindTOTP, account.KindPhone)
	return s
}

// factorOf is the first factor of a kind.
func (s *site) factorOf(user string, kind account.Kind) account.Factor {
	s.t.Helper()
	a := s.account(user)
	i := slices.IndexFunc(a.Factors, func(f account.Factor) bool { return f.Kind == kind })
	if i < 0 {
		s.t.Fatalf("%s has no %s: %+v", user, kind, a.Factors)
	}
	return a.Factors[i]
}

// addsPhone enters a number on the page that the address gives and the code that
// is sent there.
func (c *client) addsPhone(address, number string) reply {
	c.t.Helper()
	page := c.get(address)
	sent := c.submit(page, "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": number})
	if !strings.HasPrefix(sent.location(), "/.two-factor/enrol/code?") {
		c.t.Fatalf("the number gave %d to %q:\n%s", sent.StatusCode, sent.location(), sent.body)
	}
	return c.submit(c.follow(sent), codeField, map[string]string{"code": c.s.textCode()})
}

var recoveryForm = regexp.MustCompile(`[A-Z2-7]{4}(-[A-Z2-7]{4}){3}`)

// recoveryCodes are those that a page shows.
func recoveryCodes(page reply) []string {
	codes := recoveryForm.FindAllString(page.body, -1)
	slices.Sort(codes)
	return slices.Compact(codes)
}

func TestASecondFactorIsAddedInTheSettings(t *testing.T) {
	s := withFactors(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	if r := c.addsPhone("/.two-factor/enrol/phone", "0151 23456789"); len(recoveryCodes(r)) != 0 && r.StatusCode != http.StatusSeeOther {
		t.Fatalf("the code gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
	if f := s.factorOf(alice, account.KindPhone); f.Hint != "89" {
		t.Errorf("the phone is %+v", f)
	}
	if r := c.get("/contacts"); r.StatusCode != http.StatusOK {
		t.Errorf("afterwards the contacts gave %d", r.StatusCode)
	}
}

func TestRule19ANewFactorGivesTheSessionANewToken(t *testing.T) {
	s := withFactors(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	before := c.cookies("/")[ownCookie]
	c.addsPhone("/.two-factor/enrol/phone", "0151 23456789")
	if after := c.cookies("/")[ownCookie]; after == before || after == "" {
		t.Fatal("the browser has the same token as before")
	}
}

func TestRule14ANewNumberTakesTheOldOnesPlaceInOneStep(t *testing.T) {
	s := withFactors(t, "offered")
	c := s.client()
	c.signIn(bob, bobPassword)
	old := s.factorOf(bob, account.KindPhone)
	// Without a code to the old number there is no field for a new one.
	if r := c.get("/.two-factor/enrol/phone?replaces=" + old.ID); !strings.HasPrefix(r.location(), "/.two-factor/factor/change") {
		t.Fatalf("the page of the number gave %d to %q", r.StatusCode, r.location())
	}
	asked := c.follow(c.get("/.two-factor/factor/change?factor=" + old.ID))
	asked = c.follow(c.submit(asked, "/.two-factor/send", nil))
	passed := c.submit(asked, codeField, map[string]string{"code": s.textCode()})
	if passed.StatusCode != http.StatusSeeOther {
		t.Fatalf("the code to the old number gave %d:\n%s", passed.StatusCode, passed.body)
	}
	page := c.follow(passed)
	sent := c.submit(page, "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": "0171 7654321"})
	if now := s.factorOf(bob, account.KindPhone); now.ID != old.ID {
		t.Fatal("the old number went before the new one was proved")
	}
	done := c.submit(c.follow(sent), codeField, map[string]string{"code": s.textCode()})
	if done.location() != "/.two-factor/?done=changed" {
		t.Fatalf("the code to the new number gave %d to %q:\n%s", done.StatusCode, done.location(), done.body)
	}
	a := s.account(bob)
	if len(a.Factors) != 1 || a.Factors[0].Hint != "21" {
		t.Fatalf("the account has %+v", a.Factors)
	}
	// Both numbers are told of it: the old one by text.
	waitFor(t, "the old number was told", func() bool {
		return slices.ContainsFunc(s.texts(), func(text string) bool { return !strings.Contains(text, "is your code") })
	})
}

func TestRecoveryCodesAreShownOnceAndWorkOnce(t *testing.T) {
	s := withFactors(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	codes := recoveryCodes(c.submit(c.get("/.two-factor/recovery"), `type="submit"`, nil))
	if len(codes) != account.RecoveryCodes {
		t.Fatalf("%d codes", len(codes))
	}
	use := func(code string) reply {
		t.Helper()
		n := s.client()
		n.password(alice, alicePassword)
		choices := n.get("/.two-factor/choose")
		form := hidden(choices.body, "two_factor_factor")
		form.Set("two_factor_factor", s.factorOf(alice, account.KindRecovery).ID)
		form.Del("")
		page := n.follow(n.post("/.two-factor/choose", form))
		return n.submit(page, codeField, map[string]string{"code": code})
	}
	if r := use(strings.ToLower(codes[0])); r.location() != "/dashboard" {
		t.Fatalf("a recovery code gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
	if r := use(codes[0]); r.location() == "/dashboard" {
		t.Fatal("a recovery code was taken twice")
	}
	if left := len(s.factorOf(alice, account.KindRecovery).Recovery.Hashes); left != account.RecoveryCodes-1 {
		t.Errorf("%d codes are left", left)
	}
	// New ones kill the old.
	c.submit(c.get("/.two-factor/recovery"), `type="submit"`, nil)
	if r := use(codes[1]); r.location() == "/dashboard" {
		t.Fatal("a code of an older set was taken")
	}
}

func TestWhoMaySwitchItOff(t *testing.T) {
	for _, tt := range []struct {
		name, lines string
		edit        func(*account.Account) error
		may         bool
	}{
		{"by default the operator alone", "offered", nil, false},
		{"with a code where the operator lets them", "offered {\nswitch_off code\n}", nil, true},
		{"nobody where it is required", "required {\nswitch_off code\n}", nil, false},
		{"whom the operator has let", "required", func(a *account.Account) error { a.AllowOff = true; return nil }, true},
		{"nobody of whom it is demanded", "offered {\nswitch_off code\n}", func(a *account.Account) error {
			a.Demand = &account.Demand{From: time.Now().Add(-time.Hour)}
			return nil
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := withFactors(t, tt.lines)
			if tt.edit != nil {
				s.change(alice, tt.edit)
			}
			c := s.client()
			c.signIn(alice, alicePassword)
			home := c.get(settingsPage)
			if has := strings.Contains(home.body, `href="/.two-factor/off"`); has != tt.may {
				t.Errorf("the settings lead there: %v", has)
			}
			page := c.get("/.two-factor/off")
			if !tt.may {
				token := hidden(home.body, "two_factor_label").Get("two_factor_token")
				if r := c.post("/.two-factor/off", url.Values{"two_factor_token": {token}}); r.StatusCode != http.StatusForbidden {
					t.Errorf("to switch it off gave %d", r.StatusCode)
				}
				if len(s.account(alice).Factors) == 0 {
					t.Fatal("it is off")
				}
				return
			}
			if r := c.submit(page, `type="submit"`, nil); r.location() != "/.two-factor/?done=off" {
				t.Fatalf("to switch it off gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
			}
			if n := len(s.account(alice).Factors); n != 0 {
				t.Errorf("%d factors are left", n)
			}
		})
	}
}

func TestTwoTabsThatRemoveAllButOneLeaveOne(t *testing.T) {
	s := withFactors(t, "offered")
	c := s.client()
	c.signIn(carol, carolPassword)
	var wait sync.WaitGroup
	for _, kind := range []account.Kind{account.KindTOTP, account.KindPhone} {
		page := c.get("/.two-factor/factor/remove?factor=" + s.factorOf(carol, kind).ID)
		wait.Go(func() { c.submit(page, `type="submit"`, nil) })
	}
	wait.Wait()
	if n := len(s.account(carol).Factors); n != 1 {
		t.Fatalf("%d factors are left", n)
	}
}

func TestRule14WhoHasLostTheOldNumberGivesARecoveryCode(t *testing.T) {
	s := withFactors(t, "offered")
	c := s.client()
	c.signIn(bob, bobPassword)
	old := s.factorOf(bob, account.KindPhone)
	change := "/.two-factor/factor/change?factor=" + old.ID
	if r := c.get(change + "&lost=1"); r.StatusCode != http.StatusForbidden {
		t.Fatalf("without recovery codes it gave %d to %q", r.StatusCode, r.location())
	}
	codes := recoveryCodes(c.submit(c.get("/.two-factor/recovery"), `type="submit"`, nil))
	asked := c.follow(c.get(change))
	lost := regexp.MustCompile(`href="(/\.two-factor/factor/change[^"]*lost=1[^"]*)"`).FindStringSubmatch(asked.body)
	if lost == nil {
		t.Fatalf("the page has no link for who has lost the number:\n%s", asked.body)
	}
	page := c.follow(c.get(strings.ReplaceAll(lost[1], "&amp;", "&")))
	// The old number is no answer there, nor is one of another challenge.
	if passed := c.submit(page, codeField, map[string]string{"code": "000000"}); passed.StatusCode != http.StatusSeeOther {
		t.Fatalf("a code of six digits gave %d", passed.StatusCode)
	}
	if r := c.get("/.two-factor/enrol/phone?replaces=" + old.ID); r.StatusCode == http.StatusOK {
		t.Fatal("the number can be changed without a code")
	}
	passed := c.submit(page, codeField, map[string]string{"code": codes[3]})
	if next := c.follow(passed); !strings.Contains(next.body, "two_factor_number") {
		t.Fatalf("the recovery code gave %d to %q:\n%s", passed.StatusCode, passed.location(), next.body)
	}
	if r := c.addsPhone("/.two-factor/enrol/phone?replaces="+old.ID, "0171 7654321"); r.location() != "/.two-factor/?done=changed" {
		t.Fatalf("the code gave %d to %q", r.StatusCode, r.location())
	}
}

func TestNoNameOfAFactorChangesUnderAnAlarm(t *testing.T) {
	s := withFactors(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	home := c.get(settingsPage)
	s.change(alice, func(a *account.Account) error { a.Alarm = time.Now(); return nil })
	if r := c.submit(home, "two_factor_label", map[string]string{"two_factor_label": "mine"}); r.StatusCode != http.StatusForbidden {
		t.Errorf("another name gave %d to %q", r.StatusCode, r.location())
	}
	if f := s.factorOf(alice, account.KindTOTP); f.Label == "mine" {
		t.Error("the factor has another name")
	}
}
