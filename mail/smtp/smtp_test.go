package smtp

import (
	"context"
	"net/mail"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/smtpd"
	contract "github.com/caddy-twofactor/caddy-twofactor/mail"
	"github.com/caddy-twofactor/caddy-twofactor/mail/mailtest"
)

func TestSenderKeepsTheContractAgainstARealServer(t *testing.T) {
	for _, mode := range []Mode{STARTTLS, Implicit} {
		t.Run(string(mode), func(t *testing.T) {
			mailtest.Run(t, func(t *testing.T) mailtest.Subject {
				o := signedIn(mode)
				server := smtpd.Start(t, o)
				return mailtest.Subject{
					Sender:    sender(t, server, o),
					Delivered: func() []contract.Message { return delivered(t, server) },
					Refuse:    func() { server.Answer(t, smtpd.RCPT, "550 5.1.1 <anna.lindqvist@example.com> unknown") },
					Defer:     func() { server.Answer(t, smtpd.RCPT, "450 4.2.0 <anna.lindqvist@example.com> busy") },
					Hang:      func() { server.Hang(t, smtpd.DATA) },
				}
			})
		})
	}
}

// delivered reads the server's mails back into what they were made of.
func delivered(t *testing.T, server *smtpd.Server) []contract.Message {
	t.Helper()
	var all []contract.Message
	for _, m := range server.Mails(t) {
		id, domain, _ := strings.Cut(strings.Trim(m.Header.Get("Message-Id"), "<>"), "@")
		if domain != "crm.example.com" {
			t.Errorf("the Message-ID is of %q", domain)
		}
		if len(m.To) != 1 {
			t.Errorf("one mail went to %q", m.To)
		}
		if !m.TLS || m.User != username {
			t.Errorf("the mail came over TLS: %t, from user %q", m.TLS, m.User)
		}
		all = append(all, contract.Message{
			To: m.To[0], Subject: m.Subject, Text: m.Text, HTML: m.HTML, ID: id, Lang: m.Header.Get("Content-Language"),
		})
	}
	return all
}

func TestAMailHasTheFieldsOfANoticeAndNoOthers(t *testing.T) {
	o := smtpd.Options{TLS: smtpd.STARTTLS}
	server := smtpd.Start(t, o)
	s := sender(t, server, o, func(c *Config) {
		c.From = `"Ünïted, \"Northwind\" CRM" <no-reply@bücher.example>`
		c.ReplyTo = "Service desk <help@example.com>"
	})
	m := message("n-42")
	m.Subject = "A =?UTF-8?Q?=0D=0ABcc:_eve@example.com?= phone"
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := server.Await(t, 1)[0]
	want := map[string]string{
		"Date":             "Mon, 30 Nov 2026 08:05:00 +0000",
		"Message-Id":       "<n-42@xn--bcher-kva.example>",
		"Auto-Submitted":   "auto-generated",
		"Content-Language": "en",
		"Mime-Version":     "1.0",
		"To":               "<anna.lindqvist@example.com>",
		"Reply-To":         `"Service desk" <help@example.com>`,
		"From":             "=?utf-8?b?w5xuw690ZWQsICJOb3J0aHdpbmQiIENSTQ==?= <no-reply@xn--bcher-kva.example>",
	}
	for name, value := range got.Header {
		if name == "Subject" || name == "Content-Type" {
			continue
		}
		if len(value) != 1 || value[0] != want[name] {
			t.Errorf("%s: %q, want %q", name, value, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("the field %s is missing", name)
	}
	if got.From != "no-reply@xn--bcher-kva.example" {
		t.Errorf("the envelope is from %q", got.From)
	}
	if got.Subject != "A = ?UTF-8?Q?=0D=0ABcc:_eve@example.com?= phone" {
		t.Errorf("the subject arrived as %q", got.Subject)
	}
	if from, err := mail.ParseAddress(got.Header.Get("From")); err != nil || from.Name != `Ünïted, "Northwind" CRM` {
		t.Errorf("the sender is %v, %v", from, err)
	}
	if len(got.PartTypes) != 2 || !strings.HasPrefix(got.PartTypes[0], "text/plain") {
		t.Errorf("the parts are %q, want the text and then the HTML", got.PartTypes)
	}
	for line := range strings.SplitSeq(string(got.Raw), "\r\n") {
		if len(line) > 100 {
			t.Errorf("a line has %d bytes: %s", len(line), line)
		}
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("a bare line break in %q", line)
		}
	}
}

func TestWhatAnAnswerMeansHangsOnItsStep(t *testing.T) {
	o := signedIn(STARTTLS)
	server := smtpd.Start(t, o)
	s := sender(t, server, o)
	for _, c := range []struct {
		name, stage, answer string
		judge               func(*testing.T, error, string)
		want                string
	}{
		{"a busy server", smtpd.EHLO, "421 server-says later", mayPass, "answered 421 at the hello"},
		{"a server that wants nobody", smtpd.EHLO, "554 server-says no", mayPass, "answered 554 at the hello"},
		{"a password that is wrong", smtpd.AUTH, "535 5.7.8 server-says correct horse is wrong", mayPass, "answered 535 5.7.8 at the sign-in: check username and password"},
		{"a sign-in that fails for now", smtpd.AUTH, "454 4.7.0 server-says later", mayPass, "answered 454 4.7.0 at the sign-in"},
		{"a sender for later", smtpd.MAIL, "451 4.7.1 server-says later", mayPass, "answered 451 4.7.1 to the sender's address"},
		{"a sender that may not send", smtpd.MAIL, "550 5.7.1 server-says no", mayPass, "answered 550 5.7.1 to the sender's address: check username, password and from"},
		{"a recipient for later", smtpd.RCPT, "450 4.2.0 server-says anna.lindqvist@example.com is greylisted", mayPass, "answered 450 4.2.0 to the recipient's address"},
		{"a recipient that nobody is", smtpd.RCPT, "550 5.1.1 server-says anna.lindqvist@example.com is unknown", forGood, "answered 550 5.1.1 to the recipient's address"},
		{"a recipient without codes", smtpd.RCPT, "550 server-says 5.1.1 anna.lindqvist@example.com", forGood, "answered 550 to the recipient's address"},
		{"a recipient for those who have signed in", smtpd.RCPT, "530 5.7.0 server-says sign in", mayPass, "answered 530 5.7.0 to the recipient's address: check username"},
		{"a mail for later", smtpd.DATA, "452 4.3.1 server-says full", mayPass, "answered 452 4.3.1 to the mail"},
		{"a mail that nobody wants", smtpd.DATA, "554 5.6.0 server-says A new phone", forGood, "answered 554 5.6.0 to the mail"},
		{"an answer that is none", smtpd.DATA, "server-says hello", mayPass, "answered what is no SMTP, to the mail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server.Answer(t, c.stage, c.answer)
			c.judge(t, s.Send(t.Context(), message("one")), c.want)
		})
	}
	if n := len(server.Mails(t)); n != 0 {
		t.Errorf("%d mails were taken", n)
	}
	server.Answer(t, smtpd.QUIT, "550 server-says no")
	if err := s.Send(t.Context(), message("two")); err != nil {
		t.Errorf("a no to the goodbye undoes the mail: %v", err)
	}
}

func TestAServerThatHangsIsGivenUpInTime(t *testing.T) {
	o := signedIn(Implicit)
	server := smtpd.Start(t, o)
	s := sender(t, server, o, func(c *Config) { c.Timeout = MinTimeout })
	for _, stage := range []string{smtpd.EHLO, smtpd.AUTH, smtpd.MAIL, smtpd.RCPT, smtpd.DATA} {
		t.Run(stage, func(t *testing.T) {
			server.Hang(t, stage)
			err := soon(t, func(ctx context.Context) error { return s.Send(ctx, message("one")) })
			mayPass(t, err, "did not answer in time")
		})
	}
	server.Hang(t, smtpd.QUIT)
	if err := soon(t, func(ctx context.Context) error { return s.Send(ctx, message("two")) }); err != nil {
		t.Errorf("a goodbye that hangs undoes the mail: %v", err)
	}
	server.Slow(t, smtpd.DATA, MinTimeout/4)
	if err := s.Send(t.Context(), message("three")); err != nil {
		t.Errorf("a slow server is given up: %v", err)
	}
	if n := len(server.Mails(t)); n != 2 {
		t.Errorf("%d mails were taken, want 2", n)
	}
}

func TestAServerThatIsKilledAndComesBackTakesTheMail(t *testing.T) {
	o := signedIn(STARTTLS)
	server := smtpd.Start(t, o)
	s := sender(t, server, o)
	server.Hang(t, smtpd.DATA)
	failed := make(chan error, 1)
	go func() { failed <- s.Send(t.Context(), message("one")) }()
	server.AwaitHang(t)
	server.Kill()
	mayPass(t, <-failed, "broke the connection off, or answered what is no SMTP, to the mail")
	mayPass(t, s.Send(t.Context(), message("one")), "connection refused")
	server.Behave(t)
	server.Resume(t)
	if err := s.Send(t.Context(), message("one")); err != nil {
		t.Fatal(err)
	}
	if got := server.Await(t, 1); len(got) != 1 || got[0].Header.Get("Message-Id") != "<one@crm.example.com>" {
		t.Errorf("%d mails were taken", len(got))
	}
}

func TestAnAddressBeyondASCIINeedsAServerThatTakesIt(t *testing.T) {
	o := smtpd.Options{TLS: smtpd.STARTTLS, ASCII: true}
	server := smtpd.Start(t, o)
	s := sender(t, server, o)
	m := message("one")
	m.To = "jürgen@example.com"
	forGood(t, s.Send(t.Context(), m), "takes no address with other than ASCII letters")
	m.To = "anna@bücher.example"
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := server.Await(t, 1)[0].To[0]; got != "anna@xn--bcher-kva.example" {
		t.Errorf("it went to %q", got)
	}
	m.To = "anna@-.example"
	forGood(t, s.Send(t.Context(), m), "the domain of the address cannot be one")
}
