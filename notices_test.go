package twofactor

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/smtpd"
)

// mailLines are lines of the global option by which notices go to this server.
func mailLines(t *testing.T, server *smtpd.Server) string {
	t.Helper()
	t.Setenv("MAIL_PASSWORD_OF_THIS_TEST", "open sesame")
	return fmt.Sprintf("mail {\nserver %s\nca %s\nusername crm\npassword {env.MAIL_PASSWORD_OF_THIS_TEST}\nfrom \"CRM <no-reply@example.com>\"\ntimeout 5s\n}\n", server.Address, server.CA)
}

// newMailServer is a real mail server of the test's own.
func newMailServer(t *testing.T) *smtpd.Server {
	t.Helper()
	return smtpd.Start(t, smtpd.Options{Username: "crm", Password: "open sesame"})
}

// mailedApp is the demo app at an address, with lines of an enrolment.
func mailedApp(address, lines string) string {
	return address + " {\ntwo_factor {\nlogin fields email password {\nyes redirect /dashboard*\nno status 200 text \"The e-mail address or the password is wrong\"\n}\nlogin_page /login\nprotect *\nenrolment " + lines + "\n}\nreverse_proxy {$UPSTREAM}\n}\n"
}

const ownSite = "http://localhost:{$PORT}"

// mailing is withFactors with a real mail server, behind which people come from
// Germany. Each has a mail address.
func mailing(t *testing.T, lines string) (*site, *smtpd.Server) {
	t.Helper()
	server := newMailServer(t)
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	places := filepath.Join(t.TempDir(), "countries.mmdb")
	data := geotest.Database(t, "GeoLite2-Country", geotest.Records{"192.0.2.0/24": geotest.Country("DE")})
	if err := os.WriteFile(places, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s.shared = mailLines(t, server) + "geoip " + places
	s.global = "servers {\ntrusted_proxies static 127.0.0.0/8 ::1/128\n}"
	s.start(mailedApp(ownSite, lines), upstream)
	s.enrol(alice, account.KindTOTP)
	s.enrol(bob, account.KindPhone)
	s.enrol(carol, account.KindTOTP, account.KindPhone)
	for _, user := range []string{alice, bob, carol} {
		s.change(user, func(a *account.Account) error { a.Mail, a.Created = user, time.Now().Add(-30*24*time.Hour); return nil })
	}
	return s, server
}

// inGermany is a Firefox that comes by way of a proxy.
type inGermany struct{ base http.RoundTripper }

func (g inGermany) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	r.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0")
	return g.base.RoundTrip(r)
}

func (s *site) german() *client {
	c := s.client()
	c.http.Transport = inGermany{c.http.Transport}
	return c
}

// waiting is how many notices are in the outbox.
func (s *site) waiting() int {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	n, _, err := l.Parts().Store.Waiting(context.Background(), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

var tags = regexp.MustCompile(`<[^>]*>`)

// isTold fails unless exactly so many mails have gone out, of which it returns
// the last: one to the user, with this subject and these words, in text and HTML.
func (s *site) isTold(server *smtpd.Server, n int, user, subject string, words ...string) smtpd.Mail {
	s.t.Helper()
	mails := server.Await(s.t, n)
	waitFor(s.t, "the outbox is empty", func() bool { return s.waiting() == 0 })
	if mails = server.Mails(s.t); len(mails) != n {
		s.t.Fatalf("%d mails went out, want %d; the last is %q", len(mails), n, mails[len(mails)-1].Subject)
	}
	m := mails[n-1]
	if !slices.Equal(m.To, []string{user}) || m.Subject != "localhost: "+subject {
		s.t.Errorf("the mail is to %v with the subject %q, want %s and %q", m.To, m.Subject, user, subject)
	}
	text, html := strings.Join(strings.Fields(m.Text), " "), strings.Join(strings.Fields(tags.ReplaceAllString(m.HTML, "")), " ")
	for _, w := range words {
		if !strings.Contains(text, w) || !strings.Contains(html, w) && !strings.Contains(m.HTML, w) {
			s.t.Errorf("the mail of %q does not say %q:\n%s", subject, w, m.Text)
		}
	}
	return m
}

// facts are what every mail of a change says of where it came from.
func facts() []string {
	return []string{time.Now().UTC().Format("2006"), "Germany", "192.0.2.7", "Firefox, Windows", "If this was you, you need not do anything", "/.two-factor/not-me?t="}
}

// tellsNothing fails if a mail holds a secret.
func tellsNothing(t *testing.T, m smtpd.Mail, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if secret != "" && strings.Contains(m.Subject+m.Text+m.HTML, secret) {
			t.Errorf("the mail %q holds %q", m.Subject, secret)
		}
	}
}

func TestRule16EachChangeIsToldByMailOnceWithWhenAndWhereAndWithoutASecret(t *testing.T) {
	s, server := mailing(t, "offered {\nswitch_off code\n}")
	c := s.german()
	c.signIn(alice, alicePassword)

	c.addsPhone("/.two-factor/enrol/phone", "0151 23456789")
	m := s.isTold(server, 1, alice, "a second step was added to your account", append(facts(), "phone, number ending in 89")...)
	tellsNothing(t, m, "23456789", s.textCode(), c.cookies("/")[ownCookie])
	if m.Header.Get("Content-Language") != "en" {
		t.Errorf("the mail is in %q", m.Header.Get("Content-Language"))
	}

	page := c.get("/.two-factor/factor/remove?factor=" + s.factorOf(alice, account.KindPhone).ID)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() { c.submit(page, `type="submit"`, nil) })
	}
	wait.Wait()
	m = s.isTold(server, 2, alice, "a second step was removed from your account", append(facts(), "phone, number ending in 89")...)
	tellsNothing(t, m, "23456789")
	waitFor(t, "the phone was told", func() bool { return strings.Contains(s.texts()[0], "this phone was removed") })

	s.change(alice, func(a *account.Account) error { a.Language = "de-AT"; return nil })
	codes := recoveryCodes(c.submit(c.get("/.two-factor/recovery"), `type="submit"`, nil))
	m = s.isTold(server, 3, alice, "Neue Wiederherstellungscodes wurden erstellt", "Deutschland", "Firefox, Windows")
	if m.Header.Get("Content-Language") != "de" {
		t.Errorf("the user reads German, and the mail is in %q", m.Header.Get("Content-Language"))
	}
	s.change(alice, func(a *account.Account) error { a.Language = "en"; return nil })
	tellsNothing(t, m, codes...)

	n := s.german()
	n.password(alice, alicePassword)
	form := hidden(n.get("/.two-factor/choose").body, "two_factor_factor")
	form.Set("two_factor_factor", s.factorOf(alice, account.KindRecovery).ID)
	form.Del("")
	codeForm := n.follow(n.post("/.two-factor/choose", form))
	for range 2 {
		wait.Go(func() { n.submit(codeForm, codeField, map[string]string{"code": codes[0]}) })
	}
	wait.Wait()
	m = s.isTold(server, 4, alice, "a recovery code was used", append(facts()[:4], "9 recovery codes are left")...)
	tellsNothing(t, m, codes...)

	c.submit(c.get("/.two-factor/off"), `type="submit"`, nil)
	m = s.isTold(server, 5, alice, "the second step was switched off", facts()...)
	if len(s.account(alice).Factors) != 0 {
		t.Error("it is not off")
	}
	tellsNothing(t, m, c.cookies("/")[ownCookie])
}

func TestRule16ANewNumberIsToldByMailAndByTextToTheOldOne(t *testing.T) {
	s, server := mailing(t, "offered")
	c := s.german()
	c.signIn(bob, bobPassword)
	old := s.factorOf(bob, account.KindPhone)
	asked := c.follow(c.get("/.two-factor/factor/change?factor=" + old.ID))
	asked = c.follow(c.submit(asked, "/.two-factor/send", nil))
	page := c.follow(c.submit(asked, codeField, map[string]string{"code": s.textCode()}))
	sent := c.follow(c.submit(page, "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": "0171 7654321"}))
	code := s.textCode()
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() { c.submit(sent, codeField, map[string]string{"code": code}) })
	}
	wait.Wait()
	m := s.isTold(server, 1, bob, "your phone number was changed", append(facts(), "phone, number ending in 21")...)
	tellsNothing(t, m, "7654321", "12345642", code)
	told := func() int {
		return len(slices.DeleteFunc(s.texts(), func(text string) bool { return !strings.Contains(text, "your phone number was changed") }))
	}
	waitFor(t, "the old number was told", func() bool { return told() > 0 })
	if told() != 1 {
		t.Errorf("the old number was told %d times", told())
	}
}

func TestRule16AnOwnersNumberIsToldToTheMember(t *testing.T) {
	s, server := mailing(t, "offered")
	s.bare(func(a *account.Account) { a.Team, a.Mail = "acme", "dan@example.com" }, "dan@example.com")
	s.change(carol, func(a *account.Account) error { a.Team, a.Owner = "acme", true; return nil })
	c := s.german()
	c.signIn(carol, carolPassword)
	page := c.get("/.two-factor/team/number?member=dan@example.com")
	c.submit(page, "two_factor_number", map[string]string{"two_factor_region": "DE", "two_factor_number": "0171 7654321"})
	m := s.isTold(server, 1, "dan@example.com", "a phone number was entered for you", "ending in 21")
	tellsNothing(t, m, "7654321", "192.0.2.7", "Firefox")
}

func TestRule16ACopyOfABrowserIsToldByMail(t *testing.T) {
	s, server := mailing(t, "offered\npolicy {\n"+blindly+"}")
	courier, now := s.courier()
	clock := s.clock()
	signsIn := func(name, value string) *client {
		c := s.german()
		if name != "" {
			c.setCookie(name, value)
		}
		c.password(bob, bobPassword)
		return c
	}
	c := signsIn("", "")
	if r := c.submit(c.get(codePage), codeField, ticks(s.textCode())); r.location() != "/dashboard" {
		t.Fatalf("the code gave %d to %q", r.StatusCode, r.location())
	}
	name, first := c.device()
	second := signsIn(name, first)
	_, value := second.device()
	signsIn(name, value)
	clock.pass(account.DeviceGrace + time.Second)
	*now = now.Add(account.DeviceGrace + time.Minute)
	for range 2 {
		signsIn(name, first)
		courier.round(t.Context())
	}
	m := s.isTold(server, 1, bob, "one of your browsers was copied", append(facts()[:4], "/.two-factor/not-me?t=")...)
	tellsNothing(t, m, first, value)
}

func TestTheHostOfALinkIsOneOfTheConfig(t *testing.T) {
	server := newMailServer(t)
	_, upstream := serveDemo(t, demoOptions())
	s := newSite(t)
	s.shared, s.global = mailLines(t, server), behindProxy
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	s.start(mailedApp("http://localhost:{$PORT}, http://:{$PORT}", "required {\nconfirm mail\n}"), upstream)
	for i, host := range []string{"evil.example", "localhost.evil.example", "evil.example:80", "LOCALHOST", "localhost:1"} {
		s.bare(func(a *account.Account) { a.Mail = alice }, alice)
		s.change(alice, func(a *account.Account) error { a.MailCode = nil; return nil })
		c := s.client()
		c.http.Transport = asHost{c.http.Transport, host}
		if r := c.password(alice, alicePassword); r.location() == codePage {
			c.submit(c.get(confirmPage), "/.two-factor/confirm/mail", nil)
			m := server.Await(t, i+1)[i]
			known := strings.Contains(strings.ToLower(host), "localhost") && !strings.Contains(host, "evil")
			if strings.Contains(m.Subject+m.Text+m.HTML, "evil") {
				t.Errorf("by the host %s, the mail is\n%s\n%s", host, m.Subject, m.Text)
			}
			if has := strings.Contains(m.Text, "://"); has != known {
				t.Errorf("by the host %s, a link in the mail: %v\n%s", host, has, m.Text)
			}
			if strings.Contains(m.Text, "localhost:1/") {
				t.Errorf("the port is the client's:\n%s", m.Text)
			}
			continue
		}
		t.Errorf("by the host %s, the password was not taken", host)
	}
}

// asHost is a TLS proxy that passes on what Host its client made up.
type asHost struct {
	base http.RoundTripper
	host string
}

func (h asHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.Host = "http", h.host
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	return h.base.RoundTrip(r)
}

func TestAMailServerThatIsDownOrHangsHoldsUpNoRequestAndLosesNoNotice(t *testing.T) {
	for _, tt := range []struct {
		name        string
		break_, end func(*smtpd.Server)
	}{
		{"down", (*smtpd.Server).Kill, func(m *smtpd.Server) { m.Resume(t) }},
		{"hanging", func(m *smtpd.Server) { m.Hang(t, smtpd.DATA) }, func(m *smtpd.Server) { m.Behave(t) }},
		{"busy", func(m *smtpd.Server) { m.Answer(t, smtpd.MAIL, "421 4.3.2 busy") }, func(m *smtpd.Server) { m.Behave(t) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, server := mailing(t, "offered")
			c := s.german()
			c.signIn(alice, alicePassword)
			page := c.get("/.two-factor/recovery")
			tt.break_(server)
			began := time.Now()
			r := c.submit(page, `type="submit"`, nil)
			if took := time.Since(began); took > 3*time.Second || len(recoveryCodes(r)) == 0 {
				t.Errorf("the change took %v and gave %d", took, r.StatusCode)
			} else {
				t.Logf("the change took %v", took)
			}
			waitFor(t, "the courier has tried", func() bool { return tt.name == "hanging" || strings.Contains(s.logged(), "a user was not told") })
			// Caddy ends and comes again, and so does the mail server.
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			tt.end(server)
			s.load(mailedApp(ownSite, "offered"))
			if s.waiting() != 1 {
				t.Fatalf("%d notices wait", s.waiting())
			}
			c2, clock := s.courier()
			*clock = clock.Add(firstRetry)
			c2.round(t.Context())
			s.isTold(server, 1, alice, "new recovery codes were made")
		})
	}
}

func TestANoticeIsNeitherLostNorDoubledByAReloadInTheMiddle(t *testing.T) {
	s, server := mailing(t, "offered")
	c := s.german()
	c.signIn(alice, alicePassword)
	page := c.get("/.two-factor/recovery")
	server.Hang(t, smtpd.RCPT)
	c.submit(page, `type="submit"`, nil)
	server.AwaitHang(t)
	server.Behave(t)
	s.load(mailedApp(ownSite, "offered {\nagain 2d\n}"))
	// At once, and not when the lease of the old courier is over.
	s.isTold(server, 1, alice, "new recovery codes were made")
}

func TestUsersWithoutAMailAddressOrServerLookAfterTheirFactorsAllTheSame(t *testing.T) {
	s := withFactors(t, "offered")
	const warning = "no mail server is configured, so that users are not told"
	if n := strings.Count(s.logged(), warning); n != 1 {
		t.Errorf("the log warns %d times", n)
	}
	c := s.client()
	c.signIn(alice, alicePassword)
	c.addsPhone("/.two-factor/enrol/phone", "0151 23456789")
	if s.factorOf(alice, account.KindPhone).Hint != "89" {
		t.Error("the phone was not added")
	}
	if s.waiting() != 0 {
		t.Errorf("%d notices wait for nobody", s.waiting())
	}
	if r := c.submit(c.get("/.two-factor/not-me"), `type="submit"`, nil); r.StatusCode != http.StatusOK || s.account(alice).Alarm.IsZero() {
		t.Errorf("'this was not me' gave %d:\n%s", r.StatusCode, r.body)
	}
	s.shared = mailLines(t, newMailServer(t))
	before := len(s.logged())
	s.load(mailedApp(ownSite, "offered"))
	if strings.Contains(s.logged()[before:], warning) {
		t.Error("with a mail server, the log warns too")
	}
}
