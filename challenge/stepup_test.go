package challenge

import (
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

func TestTheTextOfAStepUpNamesTheActionOfItsChallenge(t *testing.T) {
	for action, want := range map[string]string{
		"export all contacts": "is your code to export all contacts at crm.example.com. Do not share it with anyone.",
		"":                    "is your code to go on at crm.example.com. Do not share it with anyone.",
	} {
		f := newFixture(t)
		l := f.login("alice")
		r := l.sendRequest()
		r.Challenge.Purpose, r.Challenge.Action = account.PurposeStepUp, action
		out, err := f.service.Send(t.Context(), r)
		if err != nil || out.State != SendTaken {
			t.Fatalf("outcome %+v, %v", out, err)
		}
		if got := f.phone.got(); len(got) != 1 || !strings.Contains(got[0].Text, want) {
			t.Errorf("the text of %q lacks %q", action, want)
		}
	}
}
