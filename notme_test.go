package twofactor

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/smtpd"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

var (
	notMeInMail   = regexp.MustCompile(`http\S+(/\.two-factor/not-me\?t=\S+)`)
	confirmInMail = regexp.MustCompile(`http\S+(/\.two-factor/confirm\?code=\S+)`)
)

// notMeAddress is the address of 'this was not me' in a mail.
func notMeAddress(t *testing.T, m smtpd.Mail) string {
	t.Helper()
	found := notMeInMail.FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("the mail has no such address:\n%s", m.Text)
	}
	return found[1]
}

// toldOf brings a user's first mail about: new recovery codes.
func (c *client) toldOf(server *smtpd.Server, user string, n int) smtpd.Mail {
	c.t.Helper()
	c.submit(c.get("/.two-factor/recovery"), `type="submit"`, nil)
	return c.s.isTold(server, n, user, "new recovery codes were made")
}

const notMeButton = `type="submit"`

func TestThisWasNotMeFromTheMailEndsEverythingAtOnce(t *testing.T) {
	s, server := mailing(t, "offered")
	owner, thief, waits := s.german(), s.german(), s.german()
	owner.signIn(alice, alicePassword)
	m := owner.toldOf(server, alice, 1)
	// Long ago. The thief needs no code, and gets in.
	s.change(alice, func(a *account.Account) error {
		for i := range a.Factors {
			a.Factors[i].Created = time.Now().Add(-20 * 24 * time.Hour)
		}
		a.Exempt = &account.Exemption{Until: time.Now().Add(time.Hour)}
		return nil
	})
	thief.password(alice, alicePassword)
	s.change(alice, func(a *account.Account) error { a.Exempt = nil; return nil })
	waits.password(alice, alicePassword)
	asked := waits.get(codePage)
	s.wasHere(alice, time.Now().Add(-48*time.Hour))

	// Whoever opens the link, a scanner too, changes nothing by that.
	anybody := s.client()
	address := notMeAddress(t, m)
	page := anybody.get(address)
	for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodPut} {
		anybody.do(method, address, nil, nil)
	}
	anybody.do(http.MethodPost, address, strings.NewReader(hidden(page.body, notMeButton).Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"},
	})
	if !s.account(alice).Alarm.IsZero() || thief.get("/contacts").StatusCode != http.StatusOK {
		t.Fatal("opening the link has done something")
	}

	done := anybody.submit(page, notMeButton, nil)
	if done.StatusCode != http.StatusOK {
		t.Fatalf("it gave %d:\n%s", done.StatusCode, done.body)
	}
	for name, c := range map[string]*client{"the owner": owner, "the thief": thief} {
		if r := c.get("/contacts"); r.StatusCode == http.StatusOK {
			t.Errorf("%s is still signed in", name)
		}
	}
	if r := waits.submit(asked, codeField, map[string]string{"code": s.code(alice)}); r.location() == "/dashboard" || waits.get("/contacts").StatusCode == http.StatusOK {
		t.Error("a login that waited for its code went on")
	}
	a := s.account(alice)
	if a.Alarm.IsZero() || a.Suspended != nil {
		t.Errorf("the account has the alarm %v and is suspended: %v", a.Alarm, a.Suspended)
	}
	l := s.lease()
	defer l.Release()
	if h, err := l.Parts().Store.History(t.Context(), defaultName, account.Fold(alice)); err != nil || len(h) > 0 {
		t.Errorf("%d bytes of a history are left, %v", len(h), err)
	}
	s.isTold(server, 2, alice, "your account was signed out everywhere", "Change your password now")
	if log := s.logged(); !strings.Contains(log, "somebody else has signed in: all sessions of the account have ended") {
		t.Error("the log does not tell the operator")
	}
	if audit := s.audited(); !strings.Contains(audit, `"user_not_me"`) || !strings.Contains(audit, `CRITICAL`) {
		t.Errorf("the audit log does not tell:\n%s", audit)
	}

	// Said twice it is harmless, and fills no mailbox.
	anybody.submit(page, notMeButton, nil)
	s.isTold(server, 2, alice, "your account was signed out everywhere")
	if b := s.account(alice); !b.Alarm.Equal(a.Alarm) || b.Suspended != nil {
		t.Errorf("said twice, the alarm is %v, suspended %v", b.Alarm, b.Suspended)
	}

	// Every login is asked for a code, and nothing can be changed.
	s.wasHere(alice, time.Now().Add(-48*time.Hour))
	next := s.german()
	if r := next.signIn(alice, alicePassword); r.location() != "/dashboard" {
		t.Fatalf("the next login gave %d to %q", r.StatusCode, r.location())
	}
	next.changesNothing(alice)
}

// changesNothing tries all that changes a factor of somebody who is signed in.
func (c *client) changesNothing(user string) {
	c.t.Helper()
	before := c.s.account(user)
	home := c.get(settingsPage)
	token := hidden(home.body, "two_factor_label").Get("two_factor_token")
	if token == "" {
		token = hidden(c.get("/.two-factor/activity").body, "activity/all").Get("two_factor_token")
	}
	if token == "" {
		c.t.Fatalf("the settings have no form:\n%s", home.body)
	}
	for _, path := range []string{"recovery", "off", "factor/remove?factor=f0", "enrol/app", "enrol/phone"} {
		c.get("/.two-factor/" + path)
	}
	for _, f := range before.Factors {
		c.post("/.two-factor/factor/remove", url.Values{"two_factor_token": {token}, "factor": {f.ID}})
	}
	for _, path := range []string{"recovery", "off", "enrol/proposed"} {
		if r := c.post("/.two-factor/"+path, url.Values{"two_factor_token": {token}}); len(recoveryCodes(r)) > 0 {
			c.t.Errorf("recovery codes were made:\n%s", r.body)
		}
	}
	c.post("/.two-factor/enrol/phone", url.Values{"two_factor_token": {token}, "two_factor_region": {"DE"}, "two_factor_number": {"0151 23456789"}})
	after := c.s.account(user)
	if len(after.Factors) != len(before.Factors) || !after.Updated.Equal(before.Updated) {
		c.t.Errorf("the factors were changed: %+v", after.Factors)
	}
}

func TestThisWasNotMeSuspendsWhereAFactorIsNewOrTheConfigSaysSo(t *testing.T) {
	for _, tt := range []struct {
		name, lines string
		age         time.Duration
		suspends    bool
	}{
		{"a factor of yesterday", "offered", 24 * time.Hour, true},
		{"a factor of last week", "offered", 8 * 24 * time.Hour, false},
		{"a factor of last week, and not_me suspend", "offered {\nnot_me suspend\n}", 8 * 24 * time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := mailing(t, tt.lines)
			s.change(alice, func(a *account.Account) error { a.Factors[0].Created = time.Now().Add(-tt.age); return nil })
			c := s.german()
			c.signIn(alice, alicePassword)
			page := c.get("/.two-factor/not-me")
			if r := c.submit(page, notMeButton, nil); r.StatusCode != http.StatusOK {
				t.Fatalf("it gave %d:\n%s", r.StatusCode, r.body)
			}
			if is := s.account(alice).Suspended != nil; is != tt.suspends {
				t.Errorf("suspended: %v", is)
			}
			if c.get("/contacts").StatusCode == http.StatusOK {
				t.Error("the session is there still")
			}
			if asked := s.german().password(alice, alicePassword).location() == codePage; asked == tt.suspends {
				t.Errorf("the next login is asked for a code: %v", asked)
			}
		})
	}
}

func TestALinkOfThisWasNotMeThatIsNotOursDoesNothing(t *testing.T) {
	s, server := mailing(t, "offered")
	c := s.german()
	c.signIn(alice, alicePassword)
	address, _ := url.Parse(notMeAddress(t, c.toldOf(server, alice, 1)))
	token := address.Query().Get("t")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	l := s.lease()
	defer l.Release()
	at := time.Now()
	seal := func(purpose, instance, claim string) string {
		return base64.RawURLEncoding.EncodeToString(l.Parts().Ring.Seal(seal.Purpose(purpose), []byte(instance), []byte(claim), at))
	}
	claim := func(acc string, at time.Time) string {
		return `{"account":"` + acc + `","at":"` + at.UTC().Format(time.RFC3339) + `"}`
	}
	flipped := []byte(string(raw))
	flipped[len(flipped)-1] ^= 1
	for name, forged := range map[string]string{
		"an empty one":           "",
		"one that is no base64":  "!!!",
		"one cut short":          token[:len(token)-4],
		"one with a bit changed": base64.RawURLEncoding.EncodeToString(flipped),
		"one of 100 KB":          strings.Repeat("A", 100_000),
		"one of another app":     seal("not-me", "other", claim(account.Fold(alice), at)),
		"one of another purpose": seal("notice", defaultName, claim(account.Fold(alice), at)),
		"one of 15 days ago":     seal("not-me", defaultName, claim(account.Fold(alice), at.Add(-15*24*time.Hour))),
		"one of nobody":          seal("not-me", defaultName, claim("nobody", at)),
	} {
		anybody := s.client()
		if len(forged) < 10_000 {
			if page := anybody.get("/.two-factor/not-me?t=" + url.QueryEscape(forged)); name != "one of nobody" && strings.Contains(page.body, "<form") {
				t.Errorf("%s: the page has a form:\n%s", name, page.body)
			}
		}
		r := anybody.post("/.two-factor/not-me", url.Values{"t": {forged}})
		if !s.account(alice).Alarm.IsZero() || c.get("/contacts").StatusCode != http.StatusOK {
			t.Fatalf("%s: it gave %d and did something", name, r.StatusCode)
		}
	}
	// That of the one says nothing of the other.
	anybody := s.client()
	anybody.submit(anybody.get(address.String()), notMeButton, nil)
	if s.account(alice).Alarm.IsZero() || !s.account(bob).Alarm.IsZero() {
		t.Error("the link is not of its account alone")
	}
}

// overtaking says 'this was not me' just before a session begins.
type overtaking struct {
	store.Store
	once sync.Once
	say  func()
}

func (o *overtaking) BeginSession(ctx context.Context, b store.Begin, now time.Time) error {
	o.once.Do(o.say)
	return o.Store.BeginSession(ctx, b, now)
}

func TestNoSessionOfAThiefOutrunsThisWasNotMe(t *testing.T) {
	for _, tt := range []struct {
		name, lines string
		suspend     bool
		try         func(s *site, thief *client)
	}{
		{"of a login without a code", "offered {\nconfirm open\n}", false, func(s *site, thief *client) {
			thief.password(bob, bobPassword)
		}},
		{"of a login that needs one", "offered", true, func(s *site, thief *client) {
			if r := thief.password(alice, alicePassword); r.location() == codePage {
				thief.enter(s.code(alice))
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := withFactors(t, tt.lines)
			s.bare(func(a *account.Account) { a.PutOff, a.Offered = time.Now(), time.Now() }, bob)
			user := alice
			if !tt.suspend {
				user = bob
			}
			f := s.failing()
			inner := f.Store
			f.Store = &overtaking{Store: inner, say: func() {
				_, err := inner.ChangeAccount(t.Context(), store.Change{Instance: defaultName, Account: account.Fold(user), End: store.EndAll, Forget: true, Unlearn: true,
					Edit: func(a *account.Account) error {
						a.Alarm = time.Now()
						if tt.suspend {
							a.Suspended = &account.Suspension{At: a.Alarm}
						}
						return nil
					}}, time.Now())
				if err != nil {
					t.Error(err)
				}
			}}
			thief := s.client()
			tt.try(s, thief)
			if r := thief.get("/contacts"); r.StatusCode == http.StatusOK {
				t.Error("the thief is in")
			}
			if s.account(user).Alarm.IsZero() {
				t.Error("the user did not get to say so")
			}
		})
	}
}

func TestRule15ACodeByMailConfirmsInTheSessionThatAskedAlone(t *testing.T) {
	s, server := mailing(t, "required {\nconfirm mail\n}")
	s.bare(func(a *account.Account) { a.Mail = "alice@example.com" }, alice)
	s.bare(func(a *account.Account) { a.Mail = "bob@example.com" }, bob)
	c, thief, other := s.german(), s.german(), s.german()
	c.password(alice, alicePassword)
	thief.password(alice, alicePassword)
	other.password(bob, bobPassword)
	sent := c.submit(c.get(confirmPage), "confirm/mail", nil)
	m := s.isTold(server, 1, "alice@example.com", "confirm that it is you", "If this is you, open the address below")
	found := confirmInMail.FindStringSubmatch(m.Text)
	if sent.location() != confirmPage || found == nil {
		t.Fatalf("asking gave %d to %q, the mail is\n%s", sent.StatusCode, sent.location(), m.Text)
	}
	u, _ := url.Parse(found[1])
	code := u.Query().Get("code")
	if strings.Contains(m.Subject, code) {
		t.Error("the code stands in the subject, for anybody who sees the screen")
	}
	// One mail a minute, whoever asks.
	for _, again := range []*client{c, thief} {
		form := hidden(again.get(confirmPage).body, "two_factor_confirm")
		form.Del("")
		again.post("/.two-factor/confirm/mail", form)
	}
	time.Sleep(2 * noticePause)
	if n := len(server.Mails(t)); n != 1 {
		t.Errorf("%d mails went out within a minute", n)
	}
	// A scanner opens the link, from anywhere and in no session.
	for _, scanner := range []*client{s.client(), thief} {
		if r := scanner.get(found[1]); len(scanner.cookies("/")[ownCookie]) > 0 && strings.Contains(r.body, "enrol/app") {
			t.Errorf("opening the link gave %d:\n%s", r.StatusCode, r.body)
		}
	}
	for name, b := range map[string]*client{"the thief's browser": thief, "another user's": other} {
		if r := b.confirms(code); !strings.HasPrefix(r.location(), confirmPage+"?problem=") {
			t.Errorf("in %s the code gave %d to %q", name, r.StatusCode, r.location())
		}
		if r := b.get("/.two-factor/enrol/app"); r.location() != confirmPage {
			t.Errorf("in %s the authenticator's page gave %d to %q", name, r.StatusCode, r.location())
		}
	}
	if s.account(alice).MailCode == nil {
		t.Fatal("the code was used up")
	}
	page := c.get(found[1])
	if !strings.Contains(page.body, `value="`+code+`"`) {
		t.Errorf("in the browser that asked, the link does not fill the field:\n%s", page.body)
	}
	if r := c.submit(page, "two_factor_confirm", map[string]string{"two_factor_confirm": code}); r.location() != "/.two-factor/enrol" {
		t.Fatalf("the code gave %d to %q", r.StatusCode, r.location())
	}
	if r := c.submit(c.enrolsApp(), "two_factor_go_on", nil); r.location() != "/dashboard" {
		t.Fatalf("going on gave %d to %q", r.StatusCode, r.location())
	}
	thief.post(confirmPage, url.Values{"two_factor_confirm": {code}})
	if r := thief.get("/contacts"); r.StatusCode == http.StatusOK || len(s.account(alice).Factors) != 2 {
		t.Errorf("the thief came in, or the factors are %+v", s.account(alice).Factors)
	}
}

func TestRule15ACodeByMailEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(s *site, c *client)
	}{
		{"after 15 minutes", func(s *site, _ *client) {
			s.change(alice, func(a *account.Account) error {
				a.MailCode.Expires = a.MailCode.Expires.Add(-15 * time.Minute)
				return nil
			})
		}},
		{"after five tries", func(_ *site, c *client) {
			for range 5 {
				c.confirms("AAAA-BBBB")
			}
		}},
		{"where a later mail came", func(s *site, c *client) {
			s.change(alice, func(a *account.Account) error { a.MailCode.At = a.MailCode.At.Add(-time.Minute); return nil })
			c.submit(c.get(confirmPage), "confirm/mail", nil)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, server := mailing(t, "required {\nconfirm mail\n}")
			s.bare(func(a *account.Account) { a.Mail = "alice@example.com" }, alice)
			c := s.german()
			c.password(alice, alicePassword)
			c.submit(c.get(confirmPage), "confirm/mail", nil)
			u, _ := url.Parse(confirmInMail.FindStringSubmatch(server.Await(t, 1)[0].Text)[1])
			if life := s.account(alice).MailCode; life.Expires.Sub(life.At) != 15*time.Minute {
				t.Errorf("it lives from %v to %v", life.At, life.Expires)
			}
			tt.end(s, c)
			page := c.get(confirmPage)
			form := hidden(page.body, "two_factor_confirm")
			form.Set("two_factor_confirm", u.Query().Get("code"))
			form.Del("")
			c.post(confirmPage, form)
			if r := c.get("/.two-factor/enrol/app"); r.location() != confirmPage {
				t.Errorf("the authenticator's page gave %d to %q", r.StatusCode, r.location())
			}
			c.hasNothing(alice)
		})
	}
}

// seesNoNumber opens all pages on which people look after their factors.
func (c *client) seesNoNumber() {
	c.t.Helper()
	for _, path := range []string{"", "activity", "enrol", "enrol/phone", "enrol/phone?replaces=f1", "enrol/code?enrolment=x", "factor/change?factor=f1", "factor/remove?factor=f1", "recovery", "off", "team"} {
		if r := c.get("/.two-factor/" + path); strings.Contains(strings.ReplaceAll(r.body, " ", ""), "12345642") {
			c.t.Errorf("%q shows the number:\n%s", path, r.body)
		}
	}
}

func TestThePasswordOfAUserWithFactorsShowsAndChangesNone(t *testing.T) {
	s, _ := mailing(t, "offered {\nswitch_off code\n}")
	before := s.account(carol)
	thief := s.german()
	thief.password(carol, carolPassword)
	token := hidden(thief.get(codePage).body, codeField).Get("two_factor_token")
	if token == "" {
		t.Fatal("there is no challenge")
	}
	thief.seesNoNumber()
	for _, path := range []string{"recovery", "off", "factor/remove", "factor/rename", "enrol/app", "enrol/phone", "enrol/code", "enrol/send", "enrol/proposed", "confirm", "confirm/mail", "activity/all"} {
		form := url.Values{
			"two_factor_token": {token}, "factor": {"f1"}, "enrolment": {"x"}, "code": {"000000"}, "two_factor_label": {"mine"},
			"two_factor_region": {"DE"}, "two_factor_number": {"0171 7654321"}, "two_factor_confirm": {"AAAA-BBBB"},
		}
		if r := thief.post("/.two-factor/"+path, form); r.StatusCode == http.StatusOK {
			t.Errorf("POST %s is open:\n%s", path, r.body)
		}
	}
	thief.post("/.two-factor/not-me", url.Values{"two_factor_token": {token}})
	after := s.account(carol)
	if !after.Updated.Equal(before.Updated) || len(after.Factors) != 2 || after.Factors[1].Label != "" || after.MailCode != nil || !after.Alarm.IsZero() {
		t.Errorf("the account was changed: %+v", after)
	}
	if texts := s.texts(); len(texts) != 0 {
		t.Errorf("texts went out: %v", texts)
	}
}

func TestAStolenCookieShowsAndChangesNoFactor(t *testing.T) {
	s, _ := mailing(t, "offered {\nswitch_off code\n}")
	// A session in which no code was given of late.
	s.change(carol, func(a *account.Account) error {
		a.Exempt = &account.Exemption{Until: time.Now().Add(time.Hour)}
		return nil
	})
	owner := s.german()
	if r := owner.password(carol, carolPassword); r.location() != "/dashboard" {
		t.Fatalf("the password gave %d to %q", r.StatusCode, r.location())
	}
	thief := s.client()
	for name, value := range owner.cookies("/") {
		thief.setCookie(name, value)
	}
	thief.changesNothing(carol)
	thief.seesNoNumber()
	if a := s.account(carol); len(a.Factors) != 2 {
		t.Errorf("the factors are %+v", a.Factors)
	}
}
