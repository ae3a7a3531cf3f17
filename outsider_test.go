package twofactor

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// What an outsider tried against the pages of enrolment.

func TestRule15PuttingItOffMakesNoAddressKnown(t *testing.T) {
	s := enrolling(t, "offered {\nconfirm known_device\nagain 2h\n}")
	clock := s.clock()
	thief := s.client()
	thief.password(alice, alicePassword)
	if r := thief.submit(thief.get(confirmPage), notNow, nil); r.location() != "/dashboard" {
		t.Fatalf("'not now' gave %d to %q", r.StatusCode, r.location())
	}
	// The same thief, a moment later: it was put off, and no code is asked for.
	thief = s.client()
	if r := thief.password(alice, alicePassword); r.location() != "/dashboard" {
		t.Fatalf("the second login gave %d to %q", r.StatusCode, r.location())
	}
	// On the next day the thief's address must not stand for the user.
	clock.pass(25 * time.Hour)
	thief = s.client()
	thief.password(alice, alicePassword)
	if r := thief.get(enrolPage); r.location() != confirmPage {
		t.Errorf("a thief who came back the next day got the page of enrolment: %d to %q", r.StatusCode, r.location())
	}
}

func TestRule15NotNowEndsWithTheFirstFactor(t *testing.T) {
	s := enrolling(t, "offered {\nconfirm open\n}")
	thief := s.client()
	page := thief.offers(alice, alicePassword)
	// The operator imports the user's authenticator while the thief's login waits.
	s.enrol(alice, account.KindTOTP)
	r := thief.submit(page, notNow, nil)
	if got := thief.get("/contacts"); r.location() == "/dashboard" || got.StatusCode == http.StatusOK {
		t.Errorf("the password alone came in past the factor: 'not now' gave %d to %q, the contacts %d", r.StatusCode, r.location(), got.StatusCode)
	}
	if !s.account(alice).PutOff.IsZero() {
		t.Error("it is noted as put off")
	}
}

func TestInvariant08ALoginOvertakenByTheFirstFactorIsNotLetIn(t *testing.T) {
	s := enrolling(t, "offered {\nconfirm open\nagain 2h\n}")
	first := s.client()
	if r := first.submit(first.offers(alice, alicePassword), notNow, nil); r.location() != "/dashboard" {
		t.Fatalf("'not now' gave %d to %q", r.StatusCode, r.location())
	}
	// Between the decision on the thief's password and the session, the user adds
	// the first factor, which ends all other sessions.
	f := s.failing()
	f.Store = &overtaking{Store: f.Store, say: func() { s.enrol(alice, account.KindTOTP) }}
	thief := s.client()
	r := thief.password(alice, alicePassword)
	if got := thief.get("/contacts"); r.location() == "/dashboard" || got.StatusCode == http.StatusOK {
		t.Errorf("the password alone came in past the factor: %d to %q, the contacts %d", r.StatusCode, r.location(), got.StatusCode)
	}
}

func TestThisWasNotMeEndsSessionsUnderAFormerName(t *testing.T) {
	_, upstream := newLedger(t)
	s := startSite(t, ledgerSite("", whoProof, "unknown_user allow"), upstream)
	thief := s.client()
	thief.get("/login")
	thief.tryLogin(erin, right)
	if r := thief.get("/contacts"); r.StatusCode != http.StatusOK {
		t.Fatalf("the contacts gave %d", r.StatusCode)
	}
	// The operator learns that erin is another name of alice's.
	s.alias(alice, account.Fold(erin))
	if r := thief.get("/contacts"); r.StatusCode != http.StatusOK {
		t.Fatalf("the session ended with the alias: %d", r.StatusCode)
	}
	owner := s.client()
	owner.get("/login")
	owner.tryLogin(alice, right)
	owner.enter(s.code(alice))
	page := owner.get("/.two-factor/not-me")
	if done := owner.submit(page, notMeButton, nil); done.StatusCode != http.StatusOK || s.account(alice).Alarm.IsZero() {
		t.Fatalf("'not me' gave %d", done.StatusCode)
	}
	if r := thief.get("/contacts"); r.StatusCode == http.StatusOK {
		t.Error("a session of the account from before its alias goes on after 'this was not me'")
	}
}

func TestRule09AThiefOfThePasswordFillsNoMailbox(t *testing.T) {
	s, _ := mailing(t, "required {\nconfirm mail\n}")
	s.bare(func(a *account.Account) { a.Mail = "alice@example.com" }, alice)
	clock := s.clock()
	mails := map[time.Time]bool{}
	thief := s.german()
	for range 180 { // three hours
		clock.pass(61 * time.Second)
		page := thief.get(confirmPage)
		if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "two_factor_confirm") {
			thief = s.german()
			thief.password(alice, alicePassword)
			page = thief.get(confirmPage)
		}
		form := hidden(page.body, "two_factor_confirm")
		form.Del("two_factor_confirm")
		thief.post("/.two-factor/confirm/mail", form)
		if c := s.account(alice).MailCode; c != nil {
			mails[c.At] = true
		}
	}
	if len(mails) == 0 || len(mails) > 12 {
		t.Errorf("a thief of the password had %d mails sent in three hours", len(mails))
	}
}

func TestALinkOfThisWasNotMeEndsWithTheOperatorsActivate(t *testing.T) {
	s, server := mailing(t, "offered")
	owner := s.german()
	owner.signIn(alice, alicePassword)
	address := notMeAddress(t, owner.toldOf(server, alice, 1))
	mailbox := s.client()
	mailbox.submit(mailbox.get(address), notMeButton, nil)
	if s.account(alice).Alarm.IsZero() {
		t.Fatal("the link did nothing")
	}
	time.Sleep(1100 * time.Millisecond)
	s.activates(alice)
	form := mailbox.get(address)
	if strings.Contains(form.body, notMeButton) {
		mailbox.submit(form, notMeButton, nil)
	}
	if a := s.account(alice); !a.Alarm.IsZero() || a.Suspended != nil {
		t.Error("whoever has an old mail locks the user out again after the operator has let the user in")
	}
}

func TestAnOwnerChangesNothingOfAMemberUnderAlarm(t *testing.T) {
	s := owned(t, "offered")
	c := s.client()
	c.signIn(alice, alicePassword)
	page := c.get(memberAt(bob))
	s.change(bob, func(a *account.Account) error {
		a.Alarm, a.Suspended = time.Now(), &account.Suspension{At: time.Now()}
		return nil
	})
	c.submit(page, "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": "0151 23456789"})
	if s.account(bob).Proposed != nil {
		t.Error("a number waits for a user who has said that somebody else signed in")
	}
}

// activates is what 'caddy two-factor activate' does.
func (s *site) activates(user string) {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	events, err := newRecorder(s.t.TempDir())
	if err != nil {
		s.t.Fatal(err)
	}
	defer events.release()
	o := &operator{parts: l.Parts(), instance: defaultName, now: time.Now(), events: events}
	if _, err := o.activate(context.Background(), actOn{User: user}); err != nil {
		s.t.Fatal(err)
	}
}

// importMeanwhile says something between what an import has read and what it writes.
type importMeanwhile struct {
	store.Store
	once sync.Once
	say  func()
}

func (i *importMeanwhile) PutAccounts(ctx context.Context, list []account.Account) error {
	i.once.Do(i.say)
	return i.Store.PutAccounts(ctx, list)
}

func TestInvariant10AnImportUndoesNothingThatHappensMeanwhile(t *testing.T) {
	s := enrolling(t, "offered {\nconfirm open\n}")
	c := s.client()
	c.offers(alice, alicePassword)
	l := s.lease()
	defer l.Release()
	events, err := newRecorder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer events.release()
	parts := handler.Parts{Store: &importMeanwhile{Store: l.Parts().Store, say: func() {
		c.enrolsApp()
		if n := len(s.account(alice).Factors); n != 2 {
			t.Errorf("the user has %d factors", n)
		}
		s.change(alice, func(a *account.Account) error {
			a.Alarm, a.Suspended = time.Now(), &account.Suspension{At: time.Now()}
			return nil
		})
	}}, Ring: l.Parts().Ring}
	im := &importer{parts: &parts, instance: defaultName, now: time.Now(), events: events, by: "test"}
	if _, err := im.run(t.Context(), strings.NewReader("user,group\n"+alice+",sales\n")); err != nil {
		t.Logf("the import is refused: %v", err)
	}
	a := s.account(alice)
	if n := len(a.Factors); n != 2 {
		t.Errorf("a factor that was added during an import is gone, and nobody is told: %d are left", n)
	}
	if a.Alarm.IsZero() || a.Suspended == nil {
		t.Error("an import has let a user in again who was suspended while it ran")
	}
}
