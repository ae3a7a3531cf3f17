package twofactor

import (
	"context"
	"encoding/base32"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// enrolling is the demo app whose users are asked for a factor as the lines of an
// enrolment say, and of whom alice has an account without one.
func enrolling(t *testing.T, lines string) *site {
	t.Helper()
	s := newSite(t)
	s.startEnrolling(lines)
	return s
}

// startEnrolling starts a site that was chosen before.
func (s *site) startEnrolling(lines string) {
	s.t.Helper()
	_, upstream := serveDemo(s.t, demoOptions())
	s.start(siteWith("login fields email password {\nyes redirect /dashboard*\nno status 200 text \"The e-mail address or the password is wrong\"\n}\nenrolment "+lines, "reverse_proxy {$UPSTREAM}"), upstream)
	s.bare(nil, alice)
}

// bare gives users an account without a factor.
func (s *site) bare(edit func(*account.Account), users ...string) {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	for _, u := range users {
		a := account.Account{Instance: defaultName, ID: account.Fold(u), Name: u, Created: time.Now(), Updated: time.Now()}
		if edit != nil {
			edit(&a)
		}
		if err := l.Parts().Store.PutAccounts(context.Background(), []account.Account{a}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// account reads an account.
func (s *site) account(user string) account.Account {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	a, err := l.Parts().Store.Account(context.Background(), defaultName, account.Fold(user))
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

var secretOfPage = regexp.MustCompile(`(?s)secret=([A-Z2-7]{32})`)

// appCode is the code of the authenticator whose page is shown.
func (s *site) appCode(page reply) string {
	s.t.Helper()
	m := secretOfPage.FindStringSubmatch(page.body)
	if m == nil {
		s.t.Fatalf("the page shows no secret:\n%s", page.body)
	}
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(m[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return s.codeFrom(seed, time.Now().Unix()/30)
}

// enrolsApp adds an authenticator, from the page of enrolment, and returns what
// comes of it.
func (c *client) enrolsApp() reply {
	c.t.Helper()
	page := c.follow(c.get("/.two-factor/enrol/app"))
	return c.submit(page, `name="code"`, map[string]string{"code": c.s.appCode(page), "two_factor_label": "my phone"})
}

func TestAUserWithoutAFactorAddsOneInTheLogin(t *testing.T) {
	s := enrolling(t, "required {\nconfirm open\n}")
	c := s.client()
	r := c.password(alice, alicePassword)
	if r.location() != codePage {
		t.Fatalf("the password gave %d to %q", r.StatusCode, r.location())
	}
	if got := c.get("/contacts"); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("before the factor, the contacts gave %d", got.StatusCode)
	}
	page := c.follow(c.follow(r))
	if !strings.Contains(page.body, "/.two-factor/enrol/app") || strings.Contains(page.body, "two_factor_go_on") {
		t.Fatalf("the page of enrolment is not as it should be:\n%s", page.body)
	}
	done := c.enrolsApp()
	codes := regexp.MustCompile(`[A-Z2-7]{4}(-[A-Z2-7]{4}){3}`).FindAllString(done.body, -1)
	slices.Sort(codes)
	if codes = slices.Compact(codes); len(codes) != account.RecoveryCodes {
		t.Fatalf("the page shows %d recovery codes:\n%s", len(codes), done.body)
	}
	in := c.submit(done, "two_factor_go_on", nil)
	if in.location() != "/dashboard" {
		t.Fatalf("going on gave %d to %q", in.StatusCode, in.location())
	}
	if got := c.get("/contacts"); got.StatusCode != http.StatusOK {
		t.Fatalf("the contacts gave %d", got.StatusCode)
	}
	a := s.account(alice)
	if len(a.Factors) != 2 || a.Factors[0].Kind != account.KindTOTP || a.Factors[0].Label != "my phone" || a.Factors[1].Kind != account.KindRecovery {
		t.Fatalf("the account has %+v", a.Factors)
	}
	settings := c.get("/.two-factor/")
	if settings.StatusCode != http.StatusOK || !strings.Contains(settings.body, "my phone") {
		t.Fatalf("the settings gave %d:\n%s", settings.StatusCode, settings.body)
	}
}

func TestALoginGoesOnWhosePageWithTheCodesWasLost(t *testing.T) {
	s := enrolling(t, "required {\nconfirm open\n}")
	c := s.client()
	c.password(alice, alicePassword)
	lost := recoveryCodes(c.enrolsApp())
	again := c.follow(c.get("/contacts"))
	if len(recoveryCodes(again)) != 0 {
		t.Fatalf("the codes are shown once more at %s", again.Request.URL)
	}
	made := c.submit(again, "/.two-factor/recovery", nil)
	if codes := recoveryCodes(made); len(codes) != account.RecoveryCodes || slices.Contains(codes, lost[0]) {
		t.Fatalf("new codes: %q", codes)
	}
	if r := c.submit(made, "two_factor_go_on", nil); r.location() != "/dashboard" {
		t.Fatalf("going on gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
}
