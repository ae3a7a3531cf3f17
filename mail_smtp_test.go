package twofactor

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/smtpd"
	"github.com/caddy-twofactor/caddy-twofactor/mail"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// notice is a mail to nobody.
var notice = mail.Message{
	To: "anna@example.com", Subject: "A new phone", Text: "hello", HTML: "<p>hello", ID: "one", Lang: "en",
}

// mailCaddyfile is a config whose notices go by this server.
func mailCaddyfile(s *smtpd.Server) string {
	return fmt.Sprintf(`{
		admin off
		persist_config off
		two_factor {
			mail {
				server %s
				ca %s
				username crm
				password {env.MAIL_PASSWORD_OF_THIS_TEST}
				from "Northwind CRM <no-reply@example.com>"
				timeout 5s
			}
		}
	}`, s.Address, s.CA)
}

func adaptCaddyfile(t *testing.T, text string) []byte {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	return adapted
}

func TestANoticeGoesByTheMailServerOfTheCaddyfile(t *testing.T) {
	ownDataDir(t)
	server := smtpd.Start(t, smtpd.Options{Username: "crm", Password: "open sesame"})
	t.Setenv("MAIL_PASSWORD_OF_THIS_TEST", "open sesame")
	adapted := adaptCaddyfile(t, mailCaddyfile(server))
	if strings.Contains(string(adapted), "sesame") {
		t.Error("the adapted config tells the password")
	}
	app := mustLoad(t, adapted)
	if err := app.shared.mailer.Send(t.Context(), notice); err != nil {
		t.Fatal(err)
	}
	got := server.Await(t, 1)[0]
	if got.User != "crm" || !got.TLS || got.Header.Get("From") != `"Northwind CRM" <no-reply@example.com>` {
		t.Errorf("the mail is %+v", got)
	}
	if app := mustLoad(t, config(`{}`, "")); app.shared.mailer != nil {
		t.Error("a config without mail has something that sends it")
	}
}

func TestANoticeArrivesAsItWasWritten(t *testing.T) {
	ownDataDir(t)
	server := smtpd.Start(t, smtpd.Options{Username: "crm", Password: "open sesame"})
	t.Setenv("MAIL_PASSWORD_OF_THIS_TEST", "open sesame")
	app := mustLoad(t, adaptCaddyfile(t, mailCaddyfile(server)))
	pages, err := page.New(page.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var want []page.Mail
	for _, l := range []page.Lang{"en", "ar"} {
		for _, kind := range []page.MailKind{page.MailNumberChanged, page.MailConfirm} {
			n := page.MailPage{
				Kind: kind, Site: "Nordwind für Ü", User: "anna", When: time.Now(), Place: "Łódź, Polska",
				Factor: page.TextMessage, Ending: "42", Link: "https://crm.example.com/" + strings.Repeat("x", 400),
			}
			if kind == page.MailConfirm {
				n.Code = "739 154"
			}
			m, err := pages.Mail(l, n)
			if err != nil {
				t.Fatal(err)
			}
			id := fmt.Sprintf("n-%d", len(want))
			if err := app.shared.mailer.Send(t.Context(), mail.Message{
				To: "anna@example.com", Subject: m.Subject, Text: m.Text, HTML: m.HTML, ID: id, Lang: string(l),
			}); err != nil {
				t.Fatal(err)
			}
			want = append(want, m)
		}
	}
	for i, got := range server.Await(t, len(want)) {
		if (page.Mail{Subject: got.Subject, Text: got.Text, HTML: got.HTML}) != want[i] {
			t.Errorf("arrived as %q\n%s\n%s", got.Subject, got.Text, got.HTML)
		}
	}
}

func TestAMailServerThatIsDownHoldsNothingUpAtStart(t *testing.T) {
	ownDataDir(t)
	server := smtpd.Start(t, smtpd.Options{Username: "crm", Password: "open sesame"})
	server.Kill()
	t.Setenv("MAIL_PASSWORD_OF_THIS_TEST", "open sesame")
	app := mustLoad(t, adaptCaddyfile(t, mailCaddyfile(server)))
	if err := app.shared.mailer.Send(t.Context(), notice); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("Send = %v", err)
	}
}

func TestAPasswordOfTheMailServerIsInNoError(t *testing.T) {
	ownDataDir(t)
	for name, value := range map[string]string{
		"a line break": "open\\nsesame",
		"a long one":   strings.Repeat("sesame", 500),
		"no variable":  "{env.SESAME_sesame}",
	} {
		err := validate(t, config(`{"mail": {"provider": "smtp", "server": "192.0.2.1:587", "from": "a@example.com", "username": "crm", "password": "`+value+`"}}`, ""))
		if err == nil || !strings.Contains(err.Error(), "mail: password") || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := t.TempDir() + "/ca.pem"
	if err := os.WriteFile(file, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	err := validate(t, config(`{"mail": {"provider": "smtp", "server": "192.0.2.1:587", "from": "a@example.com", "ca": "`+file+`"}}`, ""))
	if err == nil || !strings.Contains(err.Error(), "mail: ca: is larger than 1048576 bytes") {
		t.Errorf("a large file of certificates: %v", err)
	}
}
