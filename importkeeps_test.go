package twofactor

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// fullAccount puts an account with every field set into a store, and returns it.
func fullAccount(t *testing.T, lease *Lease) account.Account {
	t.Helper()
	at := func(day int) time.Time { return importTime.AddDate(0, 0, day) }
	sealed := func(id string, kind account.Kind, secret string) []byte {
		t.Helper()
		b, err := challenge.SealFactorSecret(sealer{lease.Parts().Ring}, "crm", "anna", id, kind, []byte(secret), at(0))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a := account.Account{
		Instance: "crm", ID: "anna", Name: "Anna", Aliases: []string{"a.berg"}, Mail: "anna@example.com", Group: "sales",
		Team: "acme", Owner: true, Language: "de",
		Factors: []account.Factor{
			{ID: "recovery", Kind: account.KindRecovery, Recovery: &account.Recovery{Salt: []byte("salt of the recovery codes"), Hashes: []account.TokenHash{{1}, {2}, {3}}, Of: 10}, Created: at(-9)},
			{ID: "phone", Kind: account.KindPhone, Label: "private", Secret: sealed("phone", account.KindPhone, "+4915123456789"), Hint: "89", Failures: 3, Created: at(-9), Used: at(-1)},
			{ID: "totp", Kind: account.KindTOTP, Secret: sealed("totp", account.KindTOTP, "12345678901234567890"), TOTP: &plainTOTP, LastStep: 77, PausedUntil: at(100), Created: at(-9)},
		},
		Proposed: &account.Factor{ID: "proposed", Kind: account.KindPhone, Secret: sealed("proposed", account.KindPhone, "+4915198765432"), Hint: "32", Created: at(-2)},
		Demand:   &account.Demand{From: at(5), By: "carla", At: at(-3)},
		Exempt:   &account.Exemption{Until: at(300), Why: "phone lost", At: at(-3)}, Suspended: &account.Suspension{Why: "left", At: at(-2)},
		AllowOff:   true,
		Invitation: &account.Invitation{Hash: [32]byte{9, 8, 7}, Tries: 1, At: at(-1), Expires: at(300)},
		MailCode:   &account.Invitation{Hash: [32]byte{7, 8, 9}, Tries: 2, At: at(-1), Expires: at(300)},
		Offered:    at(-8), PutOff: at(-7), Texts: []time.Time{time.Now().Add(-time.Hour).UTC().Round(0)}, Alarm: at(-1), Activated: at(-2), Created: at(-10), Updated: at(-1),
	}
	done, err := lease.Parts().Store.ChangeAccount(t.Context(), store.Change{Instance: "crm", Account: "anna", Create: &a}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(done.Account)
	for i := range v.NumField() {
		if v.Field(i).IsZero() && v.Type().Field(i).Name != "Was" { // That is not stored.
			t.Fatalf("the test sets no %s", v.Type().Field(i).Name)
		}
	}
	return done.Account
}

func TestAnImportKeepsEveryFieldThatItDoesNotSpeakOf(t *testing.T) {
	take, lease := importing(t)
	was := fullAccount(t, lease)
	for _, file := range []string{
		"user\nanna\n",
		"user,aliases,phone,mail,group,team,owner,language,totp_secret\nAnna,a.berg,+4915123456789,anna@example.com,marketing,acme,yes,de,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n",
	} {
		if _, err := take(file); err != nil {
			t.Fatal(err)
		}
		is := mustAccount(t, lease, "anna")
		was, now := reflect.ValueOf(was), reflect.ValueOf(is)
		for i := range was.NumField() {
			name := was.Type().Field(i).Name
			switch name {
			case "Name", "Group", "Updated":
				continue // The files say these.
			}
			if !reflect.DeepEqual(was.Field(i).Interface(), now.Field(i).Interface()) {
				t.Errorf("after %q the %s is\n%+v, it was\n%+v", file, name, now.Field(i), was.Field(i))
			}
		}
	}
}

func TestAnImportSaysTeamOwnerAndLanguage(t *testing.T) {
	take, lease := importing(t)
	for _, step := range []struct{ name, file, want string }{
		{"a new account", "user,team,owner,language\nanna,acme,YES,DE-de\n", "acme true de-DE"},
		{"columns that are not there", "user,group\nanna,sales\n", "acme true de-DE"},
		{"another team, of which the row does not say that it is owned", "user,team\nanna,other\n", "other false de-DE"},
		{"no owner any more", "user,owner,language\nanna,no,pt-br\n", "other false pt-BR"},
		{"JSON", `[{"user":"anna","owner":true,"language":null}]`, "other true pt-BR"},
		{"empty cells", "user,team,owner,language\nanna,,,\n", " false "},
	} {
		if _, err := take(step.file); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		a := mustAccount(t, lease, "anna")
		if got := strings.Join([]string{a.Team, yesNo(a.Owner), a.Language}, " "); got != strings.NewReplacer("true", "yes", "false", "no").Replace(step.want) {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
	for _, bad := range []struct{ file, want string }{
		{"user,owner\nbob,yes\n", "line 2, column owner: an owner needs a team"},
		{"user,team,owner\nbob,acme,perhaps\n", "want yes or no"},
		{"user,language\nbob,english please\n", "want a language tag"},
		{"user,team\nbob,a\x01b\n", "column team: want at most 128 bytes"},
		{"user,company\nbob,x\n", "did you mean team?"},
	} {
		if _, err := take(bad.file); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%q: got %v, want an error with %q", bad.file, err, bad.want)
		}
	}
	if _, err := take("user,team\nanna,acme\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := take("user,owner\nanna,yes\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := take("user,team\nanna,\n"); err == nil || !strings.Contains(err.Error(), "an owner needs a team") {
		t.Errorf("an owner has lost the team: %v", err)
	}
}

func TestRule17WhereAnImportTakesTheLastFactorTheRecoveryCodesGoToo(t *testing.T) {
	take, lease := importing(t)
	fullAccount(t, lease)
	if _, err := take("user,phone\nanna,\n"); err != nil {
		t.Fatal(err)
	}
	if a := mustAccount(t, lease, "anna"); len(a.Factors) != 2 {
		t.Errorf("with an authenticator left the factors are %+v", a.Factors)
	}
	got, err := take("user,totp_secret\nanna,\n")
	if err != nil || got.WithoutFactor != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if a := mustAccount(t, lease, "anna"); len(a.Factors) != 0 {
		t.Errorf("the factors are %+v", a.Factors)
	}
}
