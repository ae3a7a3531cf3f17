package twofactor

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

func TestRule16AnOperatorsResetAndDemandAreToldByMail(t *testing.T) {
	server := newMailServer(t)
	s := newSite(t)
	admin := freePort(t)
	_, upstream := serveDemo(t, demoOptions())
	s.global, s.shared = "admin "+admin, mailLines(t, server)
	s.start(mailedApp(ownSite, "offered"), upstream)
	w := &watched{site: s, admin: "http://" + admin}
	s.enrol(alice, account.KindTOTP, account.KindPhone)
	s.bare(func(a *account.Account) { a.Mail, a.Group = "bob@mail.example", "sales" }, bob)
	s.bare(func(a *account.Account) { a.Group = "sales" }, carol)
	s.change(alice, func(a *account.Account) error { a.Mail, a.Group = "alice@mail.example", "sales"; return nil })

	answer := w.ask(http.MethodPost, "/two_factor/demand", "application/json", fmt.Sprintf(`{"group": "sales", "from": %q}`, time.Date(2031, 2, 3, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)))
	if want := `"told":1`; !strings.Contains(strings.ReplaceAll(answer, " ", ""), want) {
		t.Errorf("the answer lacks %s: %s", want, answer)
	}
	// Who has a factor is not told of it, nor who has no address.
	defer func() {
		if t.Failed() {
			t.Log(s.twoFactorLog())
		}
	}()
	first := server.Await(t, 1)[0]
	if first.To[0] != "bob@mail.example" {
		t.Errorf("the demand was told to %q", first.To)
	}
	if !strings.Contains(first.Text, "2031-02-03") {
		t.Errorf("the mail does not say from when on:\n%s", first.Text)
	}
	w.ask(http.MethodPost, "/two_factor/reset", "application/json", `{"user": "`+alice+`", "factor": "phone"}`)
	second := server.Await(t, 2)[1]
	if second.To[0] != "alice@mail.example" {
		t.Errorf("the reset was told to %q", second.To)
	}
	tellsNothing(t, second, "+49", string(s.secret))
}
