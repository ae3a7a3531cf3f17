package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// made is an account with another group, made of what was read.
func made(a account.Account, was *account.Account, group string) account.Account {
	a.Group, a.Was = group, was
	return a
}

func accountTests() []test {
	return []test{
		{"an account comes back as it was put", func(t *testing.T, f *fixture) {
			a := f.newAccount("ada", "ada@example.com")
			a.Mail, a.Group = "ada@example.com", "sales"
			a.Factors[0].LastStep, a.Factors[0].Failures = 7, 2
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			same(t, f.account("ada"), a)
		}},
		{"an account that was read takes the place of itself alone, and else none of the list does", func(t *testing.T, f *fixture) {
			read, other := f.enrol("ada"), f.newAccount("bob")
			f.must(f.s.PutAccounts(f.ctx, []account.Account{made(read, &read, "sales")}))
			err := f.s.PutAccounts(f.ctx, []account.Account{made(other, &account.Account{}, ""), made(read, &read, "staff")})
			if f.wants(err, store.ErrChanged); f.account("ada").Group != "sales" {
				t.Error("it was replaced by what it was before")
			}
			_, err = f.s.Account(f.ctx, instance, "bob")
			f.wants(err, store.ErrNotFound)
		}},
		{"an account that was not there takes the place of none", func(t *testing.T, f *fixture) {
			a := f.enrol("ada")
			f.wants(f.s.PutAccounts(f.ctx, []account.Account{made(a, &account.Account{}, "staff")}), store.ErrChanged)
			gone := f.newAccount("bob")
			f.wants(f.s.PutAccounts(f.ctx, []account.Account{made(gone, &gone, "staff")}), store.ErrChanged)
			same(t, f.account("ada"), a)
		}},
		{"an account is found by each of its aliases", func(t *testing.T, f *fixture) {
			a := f.enrol("ada", "ada@example.com", "countess", "ada")
			for _, name := range []string{"ada@example.com", "countess"} {
				same(t, f.account(name), a)
			}
		}},
		{"a name that nobody has is not found", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for _, name := range []string{"adam", "ad", "", "Ada"} {
				_, err := f.s.Account(f.ctx, instance, name)
				f.wants(err, store.ErrNotFound)
			}
		}},
		{"an account of another instance is not found", func(t *testing.T, f *fixture) {
			f.enrol("ada", "countess")
			for _, name := range []string{"ada", "countess"} {
				_, err := f.s.Account(f.ctx, "shop", name)
				f.wants(err, store.ErrNotFound)
			}
		}},
		{"the accounts of an instance are listed in the order of their ids", func(t *testing.T, f *fixture) {
			f.fillAccounts()
			same(t, f.list(instance), numbered(instance, 150))
		}},
		{"the accounts of all instances are listed one instance after the other", func(t *testing.T, f *fixture) {
			f.fillAccounts()
			same(t, f.list(""), append(numbered(instance, 150), numbered("crm2", 3)...))
		}},
		{"an empty store lists nothing", func(t *testing.T, f *fixture) {
			same(t, f.list(""), []string(nil))
		}},
		{"whoever reads a list may stop, and write while he reads", func(t *testing.T, f *fixture) {
			f.fillAccounts()
			n := 0
			for a, err := range f.s.ListAccounts(f.ctx, instance) {
				f.must(err)
				f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
				if n++; n == 70 {
					break
				}
			}
		}},
		{"a replaced account has its new aliases and not its old ones", func(t *testing.T, f *fixture) {
			f.enrol("ada", "old", "kept")
			a := f.enrol("ada", "kept", "new")
			same(t, f.account("kept"), a)
			same(t, f.account("new"), a)
			_, err := f.s.Account(f.ctx, instance, "old")
			f.wants(err, store.ErrNotFound)
			f.enrol("bob", "old")
		}},
		{"an empty list changes nothing", func(t *testing.T, f *fixture) {
			f.must(f.s.PutAccounts(f.ctx, nil))
		}},
		{"an alias that an account of the list gives up is free for the others", func(t *testing.T, f *fixture) {
			f.enrol("ada", "x")
			f.enrol("bob", "y")
			f.must(f.s.PutAccounts(f.ctx, []account.Account{f.newAccount("bob", "x"), f.newAccount("ada", "y")}))
			if a := f.account("x"); a.ID != "bob" {
				t.Errorf("x is %s's, want bob's", a.ID)
			}
			if a := f.account("y"); a.ID != "ada" {
				t.Errorf("y is %s's, want ada's", a.ID)
			}
		}},
		{"one alias may be of two accounts of different instances", func(t *testing.T, f *fixture) {
			f.enrol("ada", "x")
			b := f.newAccount("bob", "x")
			b.Instance = "shop"
			f.must(f.s.PutAccounts(f.ctx, []account.Account{b}))
		}},
		{"a name that is another account's is a conflict that names it, and nothing of the list is kept", putConflicts},
		{"an account that has no name, no instance or factors without an id is refused", func(t *testing.T, f *fixture) {
			for _, spoil := range []func(*account.Account){
				func(a *account.Account) { a.ID = "" },
				func(a *account.Account) { a.Instance = "" },
				func(a *account.Account) { a.Aliases = []string{""} },
				func(a *account.Account) { a.Factors[0].ID = "" },
				func(a *account.Account) { a.Factors[0].ID = a.Factors[1].ID },
			} {
				a := f.newAccount("ada")
				spoil(&a)
				f.wants(f.s.PutAccounts(f.ctx, []account.Account{f.newAccount("bob"), a}), errRefused)
			}
			same(t, f.list(""), []string(nil))
		}},
		{"an account of more than 1 MiB is refused, and nothing of the list is kept", func(t *testing.T, f *fixture) {
			a := f.newAccount("ada")
			a.Factors[0].Secret = make([]byte, 1<<20+1)
			f.wants(f.s.PutAccounts(f.ctx, []account.Account{f.newAccount("bob"), a}), errRefused)
			same(t, f.list(""), []string(nil))
		}},
		{"replacing an account brings back no spent step, no failure and no dead code", func(t *testing.T, f *fixture) {
			stale := f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			f.attempts(attemptOf(b, phoneID), 3)
			c := f.beginPending("ada")
			_, err := f.s.PassChallenge(f.ctx, f.passOf(c, 100), f.now)
			f.must(err)
			d := f.beginPending("ada")
			a := attemptOf(d, totpID)
			a.InARow = 2
			f.attempts(a, 2)

			f.must(f.s.PutAccounts(f.ctx, []account.Account{stale}))

			totp, phone := f.factor("ada", totpID), f.factor("ada", phoneID)
			if totp.LastStep != 100 || totp.Failures != 2 || !totp.PausedUntil.Equal(f.now.Add(30*time.Minute)) {
				t.Errorf("the authenticator has lost what was spent: %+v", totp)
			}
			if phone.Failures != 3 || phone.CurrentChallenge != b.Challenge.ID {
				t.Errorf("the phone has lost what was spent: %+v", phone)
			}
		}},
		{"a later last step of a replacing account is taken, and a factor with a new id begins as it is given", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			a := f.newAccount("ada")
			a.Factors[0].LastStep = 9
			fresh := f.totp("totp-2")
			fresh.LastStep = 4
			a.Factors = append(a.Factors, fresh)
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			same(t, f.account("ada"), a)
		}},
	}
}

// putConflicts puts lists that clash with each other or with the store.
func putConflicts(t *testing.T, f *fixture) {
	f.enrol("ada", "countess")
	for _, tt := range []struct {
		name  string
		list  []account.Account
		names string
	}{
		{"an alias is another account's alias", []account.Account{f.newAccount("new"), f.newAccount("bob", "countess")}, "countess"},
		{"an alias is another account's id", []account.Account{f.newAccount("new"), f.newAccount("bob", "ada")}, "ada"},
		{"an id is another account's alias", []account.Account{f.newAccount("new"), f.newAccount("countess")}, "countess"},
		{"two accounts of the list want one alias", []account.Account{f.newAccount("new", "twin"), f.newAccount("bob", "twin")}, "twin"},
		{"an alias is an id of the list", []account.Account{f.newAccount("new"), f.newAccount("bob", "new")}, "new"},
		{"an account stands twice in the list", []account.Account{f.newAccount("new"), f.newAccount("new")}, "new"},
		{"the list's own replacement keeps the alias", []account.Account{f.newAccount("ada", "countess"), f.newAccount("bob", "countess")}, "countess"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			err := f.s.PutAccounts(f.ctx, tt.list)
			f.wants(err, store.ErrConflict)
			if err != nil && !strings.Contains(err.Error(), tt.names) {
				t.Errorf("%q does not name %q", err, tt.names)
			}
			same(t, f.list(""), []string{"crm/ada"})
			same(t, f.account("countess"), f.newAccount("ada", "countess"))
		})
	}
}

func (f *fixture) list(instance string) []string {
	f.t.Helper()
	var ids []string
	for a, err := range f.s.ListAccounts(f.ctx, instance) {
		f.must(err)
		ids = append(ids, a.Instance+"/"+a.ID)
	}
	return ids
}

// fillAccounts puts accounts of two instances, one of whose names begins like
// the other's.
func (f *fixture) fillAccounts() {
	f.t.Helper()
	var list []account.Account
	for i := 149; i >= 0; i-- {
		list = append(list, account.Account{Instance: instance, ID: fmt.Sprintf("user-%03d", i)})
	}
	for i := range 3 {
		list = append(list, account.Account{Instance: "crm2", ID: fmt.Sprintf("user-%03d", i)})
	}
	f.must(f.s.PutAccounts(f.ctx, list))
}

func numbered(instance string, n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s/user-%03d", instance, i))
	}
	return ids
}
