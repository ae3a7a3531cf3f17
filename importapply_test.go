package twofactor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

var importTime = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// importing returns a function that imports a file into a store of the test's
// own, and its lease.
func importing(t *testing.T) (func(file string) (importResult, error), *Lease) {
	t.Helper()
	ownDataDir(t)
	lease := mustLease(t, mustLoad(t, config(`{"keys": [{"id": "a", "value": "`+testKey+`"}]}`, "")))
	t.Cleanup(lease.Release)
	return func(file string) (importResult, error) {
		im := importer{parts: lease.Parts(), instance: "crm", now: importTime}
		return im.run(t.Context(), strings.NewReader(file))
	}, lease
}

func mustAccount(t *testing.T, lease *Lease, id string) account.Account {
	t.Helper()
	a, err := lease.Parts().Store.Account(t.Context(), "crm", id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestImportMakesAccountsWhoseSecretsOpen(t *testing.T) {
	take, lease := importing(t)
	got, err := take("user,aliases,phone,totp_secret,totp_period\n" +
		"Anna,anna@example.com,+4915123456789,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP,60\n" +
		"bob,,+447400123456,,\n")
	if err != nil {
		t.Fatal(err)
	}
	if got.New != 2 || got.Changed != 0 || got.Unchanged != 0 || got.Weak != nil {
		t.Errorf("got %+v", got)
	}
	a := mustAccount(t, lease, "anna@example.com")
	if a.ID != "anna" || a.Name != "Anna" || len(a.Factors) != 2 || !a.Created.Equal(importTime) {
		t.Fatalf("got %+v", a)
	}
	want := map[account.Kind]string{account.KindPhone: "+4915123456789", account.KindTOTP: "Hello!\xde\xad\xbe\xefHello!\xde\xad\xbe\xef"}
	for _, f := range a.Factors {
		secret, err := challenge.OpenFactorSecret(sealer{lease.Parts().Ring}, "crm", a.ID, f.ID, f.Kind, f.Secret, importTime)
		if err != nil || string(secret) != want[f.Kind] {
			t.Errorf("%s: got %q, %v", f.Kind, secret, err)
		}
		if strings.Contains(string(f.Secret), want[f.Kind]) {
			t.Errorf("%s: the secret is stored in the clear", f.Kind)
		}
	}
	if p := a.Factors[0]; p.Kind != account.KindPhone || p.Hint != "89" || p.TOTP != nil {
		t.Errorf("phone: got %+v", p)
	}
	if o := a.Factors[1]; o.TOTP == nil || *o.TOTP != (account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 60}) || o.Hint != "" {
		t.Errorf("authenticator: got %+v", o)
	}
}

// TestInvariant04AnImportKeepsSpentSteps: a code that was accepted before an
// import is not accepted after it.
func TestInvariant04AnImportKeepsSpentSteps(t *testing.T) {
	take, lease := importing(t)
	const file = "user,totp_secret\nanna,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n"
	if _, err := take(file); err != nil {
		t.Fatal(err)
	}
	a := mustAccount(t, lease, "anna")
	before := a.Factors[0]
	a.Factors[0].LastStep = 42
	if err := lease.Parts().Store.PutAccounts(t.Context(), []account.Account{a}); err != nil {
		t.Fatal(err)
	}
	got, err := take(file)
	if err != nil || got.Unchanged != 1 {
		t.Fatalf("the same file again: got %+v, %v", got, err)
	}
	if got, err = take("user,totp_secret,group\nanna,jbswy3dpehpk3pxp jbswy3dpehpk3pxp,sales\n"); err != nil || got.Changed != 1 {
		t.Fatalf("with a group: got %+v, %v", got, err)
	}
	if f := mustAccount(t, lease, "anna").Factors[0]; f.ID != before.ID || f.LastStep != 42 {
		t.Errorf("got factor %s with step %d, want %s with 42", f.ID, f.LastStep, before.ID)
	}
	if _, err = take("user,totp_secret,totp_period\nanna,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP,60\n"); err != nil {
		t.Fatal(err)
	}
	if f := mustAccount(t, lease, "anna").Factors[0]; f.ID == before.ID || f.LastStep != 0 {
		t.Error("another period counts other steps, but it is the same factor")
	}
}

func TestImportChangesWhatTheFileSpeaksOf(t *testing.T) {
	take, lease := importing(t)
	for _, step := range []struct {
		name, file, want string
	}{
		{"a new account", "user,phone,mail,totp_secret\nanna,+4915123456789,a@x.de,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n", "a@x.de phone 89, totp"},
		{"a column that is not there stays", "user\nANNA\n", "a@x.de phone 89, totp"},
		{"another number", "user,phone\nanna,+4915123456788\n", "a@x.de phone 88, totp"},
		{"an empty cell removes", "user,phone,mail\nanna,,\n", " totp"},
		{"JSON null leaves", `[{"user":"anna","totp_secret":null}]`, " totp"},
		{"JSON empty removes", `[{"user":"anna","totp_secret":""}]`, " "},
	} {
		if _, err := take(step.file); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		a := mustAccount(t, lease, "anna")
		var factors []string
		for _, kind := range []account.Kind{account.KindPhone, account.KindTOTP} {
			for _, f := range a.Factors {
				if f.Kind == kind {
					factors = append(factors, strings.TrimSpace(string(f.Kind)+" "+f.Hint))
				}
			}
		}
		if got := a.Mail + " " + strings.Join(factors, ", "); got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
}

func TestImportTakesAllOrNothing(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"a bad row at the end", "user,phone\nbob,+4915123456789\ncarl,123\n", "line 3, column phone"},
		{"an alias of an account that is there", "user,aliases\nbob,\ncarl,anna@x.de\n", "anna@x.de"},
		{"a user that is another's alias", "user,phone\nbob,\nanna@x.de,+4915123456789\n", `line 3, column user: "anna@x.de" is a name of "anna"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			take, lease := importing(t)
			if _, err := take("user,aliases\nanna,anna@x.de\n"); err != nil {
				t.Fatal(err)
			}
			_, err := take(c.file)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nothing was imported") {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			if _, err := lease.Parts().Store.Account(t.Context(), "crm", "bob"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the good row was taken: %v", err)
			}
		})
	}
}

func TestImportRefusesNamesOfNoInstanceOrRegion(t *testing.T) {
	for _, im := range []importer{{instance: "My CRM"}, {instance: ""}, {instance: "crm", region: "Germany"}, {instance: "crm", region: "de"}} {
		if _, err := im.run(t.Context(), strings.NewReader("user\n")); err == nil {
			t.Errorf("instance %q, region %q were taken", im.instance, im.region)
		}
	}
}

func TestImportTellsOfWeakSecrets(t *testing.T) {
	take, _ := importing(t)
	got, err := take("user,totp_secret\nanna,JBSWY3DPEHPK3PXP\nbob,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n")
	if err != nil || len(got.Weak) != 1 || got.Weak[0] != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
}
