package twofactor

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func (f *failing) Demands(ctx context.Context, instance string) (account.Demands, error) {
	if err := f.in("Demands"); err != nil {
		return account.Demands{}, err
	}
	return f.Store.Demands(ctx, instance)
}

func (f *failing) ChangeDemands(ctx context.Context, instance string, edit func(*account.Demands) error) error {
	if err := f.in("ChangeDemands"); err != nil {
		return err
	}
	return f.Store.ChangeDemands(ctx, instance, edit)
}

func (f *failing) ChangeAccount(ctx context.Context, c store.Change, now time.Time) (store.Changed, error) {
	if err := f.in("ChangeAccount"); err != nil {
		return store.Changed{}, err
	}
	return f.Store.ChangeAccount(ctx, c, now)
}

func (f *failing) BeginEnrolment(ctx context.Context, e account.Enrolment, now time.Time) error {
	if err := f.in("BeginEnrolment"); err != nil {
		return err
	}
	return f.Store.BeginEnrolment(ctx, e, now)
}

func (f *failing) Enrolment(ctx context.Context, id string, standing account.StandingID, now time.Time) (account.Enrolment, error) {
	if err := f.in("Enrolment"); err != nil {
		return account.Enrolment{}, err
	}
	return f.Store.Enrolment(ctx, id, standing, now)
}

func (f *failing) TryEnrolment(ctx context.Context, id string, standing account.StandingID, perCode int, now time.Time) (store.AttemptResult, error) {
	if err := f.in("TryEnrolment"); err != nil {
		return store.AttemptResult{}, err
	}
	return f.Store.TryEnrolment(ctx, id, standing, perCode, now)
}

func (f *failing) PassEnrolment(ctx context.Context, p store.PassEnrolment, now time.Time) (account.Hold, error) {
	if err := f.in("PassEnrolment"); err != nil {
		return account.Hold{}, err
	}
	return f.Store.PassEnrolment(ctx, p, now)
}

func TestInvariant09WhereverTheStoreFailsInAnEnrolmentNothingOpensAndItWorksAgainAfterwards(t *testing.T) {
	s := enrolling(t, "offered {\nconfirm open\n}")
	f := s.failing()
	c := s.client()
	// try takes a step with a method failing, and once more when it works.
	try := func(method, what string, step func() reply) reply {
		t.Helper()
		f.fail(method)
		if r := step(); r.StatusCode != http.StatusServiceUnavailable || f.asked.Load() == 0 {
			t.Errorf("%s without %s gave %d to %q; it was asked %d times", what, method, r.StatusCode, r.location(), f.asked.Load())
		}
		f.fail("")
		if r := c.get("/contacts"); r.StatusCode == http.StatusOK {
			t.Fatalf("%s without %s: the contacts are open", what, method)
		}
		return step()
	}
	login := func() reply {
		c = s.client()
		return c.password(alice, alicePassword)
	}
	nothing := func(method, what string, step func() reply) reply {
		t.Helper()
		r := try(method, what, step)
		if a := s.account(alice); a.HasFactor() {
			t.Fatalf("%s: there is a factor", what)
		}
		return r
	}
	if r := nothing("Demands", "the password", login); r.location() != codePage {
		t.Fatalf("the password gave %d to %q", r.StatusCode, r.location())
	}
	nothing("BeginSession", "the password", login)
	offer := nothing("Demands", "the page of the enrolment", func() reply { return c.get(enrolPage) })
	nothing("Challenge", "the page of the enrolment", func() reply { return c.get(enrolPage) })
	nothing("Account", "the page of the enrolment", func() reply { return c.get(enrolPage) })
	app := c.follow(nothing("BeginEnrolment", "the page of the authenticator", func() reply { return c.get(enrolApp) }))
	nothing("Enrolment", "the page of the authenticator", func() reply { return c.get(app.Request.URL.RequestURI()) })
	f.fail("ChangeAccount")
	if r := c.submit(offer, notNow, nil); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("'not now' gave %d to %q", r.StatusCode, r.location())
	}
	enter := func() reply { return c.submit(app, codeField, map[string]string{"code": s.appCode(app)}) }
	f.fail("TryEnrolment")
	if r := enter(); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the code gave %d to %q", r.StatusCode, r.location())
	}
	done := try("ChangeAccount", "the code", enter)
	if len(recoveryCodes(done)) != account.RecoveryCodes {
		t.Fatalf("the code gave %d to %q", done.StatusCode, done.location())
	}
	if r := try("PassEnrolment", "to go on", func() reply { return c.submit(done, "two_factor_go_on", nil) }); r.location() != "/dashboard" {
		t.Fatalf("going on gave %d to %q", r.StatusCode, r.location())
	}
	if r := c.get("/contacts"); r.StatusCode != http.StatusOK {
		t.Errorf("afterwards the contacts gave %d", r.StatusCode)
	}
}

func TestInvariant09WithoutTheStoreAnOwnerChangesNothing(t *testing.T) {
	s := owned(t, "offered")
	f := s.failing()
	c := s.client()
	c.signIn(alice, alicePassword)
	number := c.get(memberAt(bob))
	for _, method := range []string{"Account", "ChangeAccount"} {
		f.fail(method)
		if r := c.submit(number, "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": "0151 23456789"}); r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a number without %s gave %d to %q", method, r.StatusCode, r.location())
		}
		f.fail("")
		if s.account(bob).Proposed != nil {
			t.Errorf("without %s the number is there", method)
		}
	}
	c.sets(bob, "0151 23456789")
	on := c.get(teamPage)
	for _, method := range []string{"ChangeDemands", "Account"} {
		f.fail(method)
		if r := c.submit(on, `value="on"`, nil); r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("to demand it without %s gave %d to %q", method, r.StatusCode, r.location())
		}
		f.fail("")
		if len(s.demands().Teams) != 0 {
			t.Errorf("without %s it is demanded", method)
		}
	}
	f.fail("Demands")
	if r := c.get(teamPage); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the team without Demands gave %d", r.StatusCode)
	}
	f.fail("")
}

func TestInvariant09ATeamThatCannotBeKeptKeepsTheLoginClosed(t *testing.T) {
	s := tenantSite(t, "", "team form company")
	f := s.failing()
	f.fail("ChangeAccount")
	c := s.client()
	if r := c.tenantLogin("right", map[string][]string{"company": {"Acme"}}); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the login gave %d to %q", r.StatusCode, r.location())
	}
	f.fail("")
	if r := c.get("/home"); r.StatusCode == http.StatusOK {
		t.Error("the app is open")
	}
}
