package twofactor

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// invite makes an invitation as the operator does, and returns its code.
func (s *site) invite(user string, life time.Duration) string {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	code, err := challenge.NewSecretCode(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	id := account.Fold(user)
	s.change(user, func(a *account.Account) error {
		a.Invitation = &account.Invitation{
			Hash: l.Parts().Challenges.InvitationHash(defaultName, id, code), At: time.Now(), Expires: time.Now().Add(life),
		}
		return nil
	})
	return code
}

// change changes an account in the store.
func (s *site) change(user string, edit func(*account.Account) error) {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	_, err := l.Parts().Store.ChangeAccount(context.Background(), store.Change{Instance: defaultName, Account: account.Fold(user), Edit: edit}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
}

const confirmPage = "/.two-factor/confirm"

// confirms enters a code on the page that asks for one.
func (c *client) confirms(code string) reply {
	c.t.Helper()
	return c.submit(c.get(confirmPage), "two_factor_confirm", map[string]string{"two_factor_confirm": code})
}

// hasNothing fails if the user has a factor, or the browser is let in.
func (c *client) hasNothing(user string) {
	c.t.Helper()
	if a := c.s.account(user); len(a.Factors) != 0 {
		c.t.Fatalf("%s has %d factors", user, len(a.Factors))
	}
	if r := c.get("/contacts"); r.StatusCode == http.StatusOK {
		c.t.Fatal("the contacts are open")
	}
}

func TestRule15ThePasswordAloneAddsNoFirstFactor(t *testing.T) {
	for _, confirm := range []string{"", "confirm operator", "confirm mail", "confirm known_device"} {
		t.Run("with "+confirm, func(t *testing.T) {
			s := enrolling(t, "required {\n"+confirm+"\n}")
			thief := s.client()
			thief.password(alice, alicePassword)
			if r := thief.get("/.two-factor/enrol"); r.location() != confirmPage {
				t.Fatalf("the page of enrolment gave %d to %q", r.StatusCode, r.location())
			}
			page := thief.get(confirmPage)
			token := hidden(page.body, "two_factor_confirm").Get("two_factor_token")
			for _, path := range []string{"enrol/app", "enrol/phone", "enrol/app?enrolment=x", "enrol/phone?replaces=x", "enrol/code?enrolment=x"} {
				if r := thief.get("/.two-factor/" + path); r.StatusCode == http.StatusOK {
					t.Errorf("GET %s is open:\n%s", path, r.body)
				}
			}
			for _, path := range []string{"enrol/app", "enrol/phone", "enrol/code", "enrol/send", "enrol/proposed", "recovery", "factor/rename", "team/number"} {
				r := thief.post("/.two-factor/"+path, url.Values{
					"two_factor_token": {token}, "two_factor_region": {"DE"}, "two_factor_number": {"0151 23456789"}, "code": {"000000"}, "enrolment": {"x"},
				})
				if r.StatusCode == http.StatusOK {
					t.Errorf("POST %s is open:\n%s", path, r.body)
				}
			}
			// To go on without one, or as if one had been added.
			for _, how := range []string{"with", "without"} {
				form := url.Values{"two_factor_go_on": {how}, "two_factor_token": {token}}
				thief.post("/login", form)
				thief.post(codePage, form)
			}
			thief.hasNothing(alice)
			if texts := s.texts(); len(texts) != 0 {
				t.Errorf("texts went out: %v", texts)
			}
		})
	}
}

func TestAnInvitationConfirmsOneFirstFactor(t *testing.T) {
	s := enrolling(t, "required")
	code := s.invite(alice, time.Hour)
	c := s.client()
	c.password(alice, alicePassword)
	if r := c.confirms(strings.ToLower(strings.ReplaceAll(code, "-", " "))); r.location() != "/.two-factor/enrol" {
		t.Fatalf("the code of the invitation gave %d to %q", r.StatusCode, r.location())
	}
	if r := c.submit(c.enrolsApp(), "two_factor_go_on", nil); r.location() != "/dashboard" {
		t.Fatalf("going on gave %d to %q", r.StatusCode, r.location())
	}
	if a := s.account(alice); a.Invitation != nil {
		t.Error("the invitation is still there")
	}
}

func TestRule15AnInvitationIsWorthNothingElsewhere(t *testing.T) {
	for _, tt := range []struct {
		name string
		try  func(t *testing.T, s *site) (*client, string)
		want string
	}{
		{"that of another user", func(t *testing.T, s *site) (*client, string) {
			s.invite(alice, time.Hour)
			return s.client(), s.invite(bob, time.Hour)
		}, confirmPage + "?problem=wrong"},
		{"one that has expired", func(t *testing.T, s *site) (*client, string) {
			return s.client(), s.invite(alice, -time.Second)
		}, confirmPage + "?problem=expired"},
		{"one that a newer one replaced", func(t *testing.T, s *site) (*client, string) {
			old := s.invite(alice, time.Hour)
			s.change(alice, func(a *account.Account) error { a.Invitation.Hash[0]++; return nil })
			return s.client(), old
		}, confirmPage + "?problem=wrong"},
		{"one that was used", func(t *testing.T, s *site) (*client, string) {
			code := s.invite(alice, time.Hour)
			first := s.client()
			first.password(alice, alicePassword)
			first.confirms(code)
			return s.client(), code
		}, confirmPage + "?problem=expired"},
		{"the right one after five wrong ones", func(t *testing.T, s *site) (*client, string) {
			code := s.invite(alice, time.Hour)
			c := s.client()
			c.password(alice, alicePassword)
			for range 5 {
				c.confirms("AAAA-BBBB-CCCC-DDDD")
			}
			return c, code
		}, confirmPage + "?problem=expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := enrolling(t, "required")
			s.bare(nil, bob)
			c, code := tt.try(t, s)
			if c.get(confirmPage).StatusCode != http.StatusOK {
				c.password(alice, alicePassword)
			}
			form := hidden(c.get(confirmPage).body, "two_factor_confirm")
			form.Set("two_factor_confirm", code)
			form.Del("")
			if r := c.post(confirmPage, form); r.location() != tt.want {
				t.Errorf("it gave %d to %q, want %q", r.StatusCode, r.location(), tt.want)
			}
			if r := c.get("/.two-factor/enrol/app"); r.location() != confirmPage {
				t.Errorf("the authenticator's page gave %d to %q", r.StatusCode, r.location())
			}
			c.hasNothing(alice)
		})
	}
}

func TestTheLinkOfAnInvitationWaitsForTheSignIn(t *testing.T) {
	s := enrolling(t, "required")
	code := s.invite(alice, time.Hour)
	c := s.client()
	link := "/.two-factor/invite?code=" + code
	page := c.get(link)
	if page.StatusCode != http.StatusOK || s.account(alice).Invitation == nil {
		t.Fatalf("the link gave %d", page.StatusCode)
	}
	if r := c.submit(page, "two_factor_challenge", nil); r.location() != "/login" {
		t.Fatalf("its button gave %d to %q:\n%s", r.StatusCode, r.location(), r.body)
	}
	c.password(alice, alicePassword)
	shown := c.get(confirmPage)
	if !strings.Contains(shown.body, `value="`+code+`"`) {
		t.Fatalf("the code does not stand in the field:\n%s", shown.body)
	}
	if r := c.submit(shown, "two_factor_confirm", map[string]string{"two_factor_confirm": code}); r.location() != "/.two-factor/enrol" {
		t.Fatalf("the code gave %d to %q", r.StatusCode, r.location())
	}
	// What another site posts puts no code into the browser.
	other := s.client()
	r := other.do(http.MethodPost, "/.two-factor/invite", strings.NewReader("two_factor_challenge="+code), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"cross-site"},
	})
	if r.StatusCode == http.StatusSeeOther || len(other.cookies("/")) != 0 {
		t.Errorf("a form from elsewhere gave %d, cookies %v", r.StatusCode, other.cookies("/"))
	}
}

func TestAKnownAddressConfirmsAFirstFactor(t *testing.T) {
	s := enrolling(t, "required {\nconfirm known_device\n}")
	for _, tt := range []struct {
		name  string
		day   time.Duration
		knows bool
	}{
		{"not one of today", 0, false},
		{"one of another day", 48 * time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.wasHere(alice, time.Now().Add(-tt.day))
			c := s.client()
			c.password(alice, alicePassword)
			r := c.get("/.two-factor/enrol")
			if knows := r.StatusCode == http.StatusOK; knows != tt.knows {
				t.Errorf("the page of enrolment gave %d to %q", r.StatusCode, r.location())
			}
		})
	}
}

// wasHere has the account used to this machine's addresses at a time.
func (s *site) wasHere(user string, at time.Time) {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	err := l.Parts().Store.LearnHistory(context.Background(), defaultName, account.Fold(user), func([]byte) []byte {
		var h policy.History
		for _, ip := range []string{"127.0.0.1", "::1"} {
			h.Learn(&policy.Facts{Time: at, Address: netip.MustParseAddr(ip)})
		}
		return h.Append(nil)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
