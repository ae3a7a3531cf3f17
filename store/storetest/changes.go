package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func changeTests() []test {
	return []test{
		{"an account is changed by what the store has, and returned as it is then", func(t *testing.T, f *fixture) {
			a := f.enrol("ada", "countess")
			f.change(edit("ada", setsGroup("staff")))
			got := f.change(edit("ada", func(now *account.Account) error {
				a.Group = "staff"
				same(t, *now, a)
				now.Team, now.Owner = "acme", true
				return nil
			}))
			a.Team, a.Owner = "acme", true
			same(t, got, store.Changed{Account: a})
			same(t, f.account("countess"), a)
		}},
		{"without an edit nothing of the account is changed", func(t *testing.T, f *fixture) {
			a := f.enrol("ada")
			same(t, f.change(edit("ada", nil)).Account, a)
			same(t, f.account("ada"), a)
		}},
		{"the error of the edit is returned as it is, and nothing is changed", func(t *testing.T, f *fixture) {
			d := f.remembered("ada")
			a, v, b := f.account("ada"), f.beginVerified("ada"), f.beginPending("ada")
			f.must(f.learns("ada", adds("x")))
			for _, want := range []error{errEdit, store.ErrSpent, store.ErrNotFound} {
				c := everything(f, v)
				c.Edit = func(a *account.Account) error {
					a.Factors = nil
					return want
				}
				_, err := f.s.ChangeAccount(f.ctx, c, f.now)
				f.wants(err, want)
				f.unchanged(a, v, b, d, c)
			}
		}},
		{"where there is no account it is an error, or the one that is to be made", func(t *testing.T, f *fixture) {
			_, err := f.s.ChangeAccount(f.ctx, edit("ada", setsGroup("staff")), f.now)
			f.wants(err, store.ErrNotFound)
			a := f.newAccount("ada", "countess")
			c := edit("ada", setsGroup("staff"))
			c.Create = &a
			want := a
			want.Group = "staff"
			same(t, f.change(c).Account, want)
			if a.Group != "" {
				t.Error("the account that was given was written to")
			}
			c.Create, c.Edit = &account.Account{Instance: instance, ID: "ada"}, setsGroup("board")
			want.Group = "board"
			same(t, f.change(c).Account, want)
			same(t, f.account("countess"), want)
		}},
		{"names are claimed and given up as by PutAccounts", func(t *testing.T, f *fixture) {
			f.enrol("ada", "countess")
			bob := f.enrol("bob")
			takes := edit("bob", func(a *account.Account) error {
				a.Aliases = []string{"countess"}
				return nil
			})
			_, err := f.s.ChangeAccount(f.ctx, takes, f.now)
			f.wants(err, store.ErrConflict)
			same(t, f.account("bob"), bob)
			f.change(edit("ada", func(a *account.Account) error {
				a.Aliases = nil
				return nil
			}))
			f.change(takes)
			if id := f.account("countess").ID; id != "bob" {
				t.Errorf("the name is %s's", id)
			}
		}},
		{"what cannot be an account, or is another one, is refused", changeRefusals},
		{"devices are forgotten where the factors are others than before, and not else", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.remembered("ada")
			if got := f.change(edit("ada", setsGroup("staff"))); got.Forgotten != 0 || len(f.devices("ada")) != 1 {
				t.Errorf("%d devices were forgotten", got.Forgotten)
			}
			f.remembered("ada")
			if got := f.change(edit("ada", removesFactor(phoneID))); got.Forgotten != 2 || len(f.devices("ada")) != 0 {
				t.Errorf("%d devices were forgotten, want 2", got.Forgotten)
			}
		}},
		{"devices and history are forgotten if that is said, those of others never", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("bob")
			for _, acc := range []string{"ada", "bob"} {
				f.remembered(acc)
				f.must(f.learns(acc, adds("x")))
			}
			c := edit("ada", nil)
			c.Forget = true
			if got := f.change(c); got.Forgotten != 1 || len(f.devices("ada")) != 0 {
				t.Errorf("%d devices were forgotten, want one", got.Forgotten)
			}
			f.history(instance, "ada", "x")
			c.Unlearn = true
			f.change(c)
			f.history(instance, "ada", "")
			f.history(instance, "bob", "x")
			if n := len(f.devices("bob")); n != 1 {
				t.Errorf("%d devices of another account are there, want one", n)
			}
		}},
		{"no spent step comes back, and failures and a pause end if the edit says so", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.released(b, f.passOf(b, 100))
			a := attemptOf(f.beginPending("ada"), totpID)
			a.InARow = 2
			f.attempts(a, 2)
			f.change(edit("ada", func(a *account.Account) error {
				fa, _ := a.Factor(totpID)
				fa.LastStep, fa.Used, fa.Failures, fa.PausedUntil = 0, time.Time{}, 0, time.Time{}
				return nil
			}))
			fa := f.factor("ada", totpID)
			if fa.LastStep != 100 || !fa.Used.Equal(f.now) || fa.Failures != 0 || !fa.PausedUntil.IsZero() {
				t.Errorf("the factor is %+v", fa)
			}
		}},
		{"a factor that is added brings its last step", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			fa := f.totp("totp-2")
			fa.LastStep = 7
			f.change(edit("ada", addsFactor(fa)))
			same(t, f.factor("ada", "totp-2"), fa)
		}},
		{"texts that count no more are dropped", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			counts := f.now.Add(-account.TextsFor + time.Second)
			got := f.change(edit("ada", func(a *account.Account) error {
				a.Texts = []time.Time{f.now.Add(-account.TextsFor), counts}
				return nil
			}))
			same(t, got.Account.Texts, []time.Time{counts})
		}},
		{"notices are put with the change, one that is there is left out", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			first := f.newNotice("one", "ada")
			f.must(f.s.PutNotices(f.ctx, []account.Notice{first}))
			c := edit("ada", nil)
			c.Notices = []account.Notice{f.newNotice("one", "bob"), f.newNotice("two", "ada")}
			f.change(c)
			f.waits(2)
			list, err := f.s.TakeNotices(f.ctx, 5, lease, f.now)
			f.must(err)
			for _, n := range list {
				if n.Account != "ada" {
					t.Errorf("the notice %s is %s's", n.ID, n.Account)
				}
			}
		}},
	}
}

// everything is a change of all that can be changed in a session.
func everything(f *fixture, v account.Session) store.Change {
	c := editIn(v, addsFactor(f.totp("totp-2")))
	c.End, c.Forget, c.Unlearn = store.EndOthers, true, true
	c.Notices = []account.Notice{f.newNotice(newID(), v.Account)}
	return c
}

// unchanged checks that nothing came of a change.
func (f *fixture) unchanged(a account.Account, v account.Session, b store.Begin, d account.Device, c store.Change) {
	f.t.Helper()
	same(f.t, f.account(a.ID), a)
	same(f.t, f.session(v.ID), v)
	same(f.t, f.session(b.Session.ID), b.Session)
	same(f.t, f.devices(a.ID), []account.Device{d})
	f.history(instance, a.ID, "x")
	f.noSession(c.Next, f.now)
	f.waits(0)
}

func changeRefusals(t *testing.T, f *fixture) {
	d := f.remembered("ada")
	a, v, b := f.account("ada"), f.beginVerified("ada"), f.beginPending("ada")
	f.must(f.learns("ada", adds("x")))
	edits := func(do func(*account.Account)) func(*store.Change) {
		return func(c *store.Change) {
			c.Edit = func(a *account.Account) error {
				do(a)
				return nil
			}
		}
	}
	for name, spoil := range map[string]func(*store.Change){
		"another id":                    edits(func(a *account.Account) { a.ID = "bob" }),
		"another instance":              edits(func(a *account.Account) { a.Instance = "shop" }),
		"an alias without a name":       edits(func(a *account.Account) { a.Aliases = []string{""} }),
		"a factor without an id":        edits(func(a *account.Account) { a.Factors[0].ID = "" }),
		"two factors of one id":         edits(func(a *account.Account) { a.Factors[0].ID = a.Factors[1].ID }),
		"recovery codes without a salt": edits(func(a *account.Account) { a.Factors[0].Kind = account.KindRecovery }),
		"more than 1 MiB":               edits(func(a *account.Account) { a.Factors[0].Secret = make([]byte, 1<<20) }),
		"an account to make of another": func(c *store.Change) { c.Create = &account.Account{Instance: instance, ID: "bob"} },
		"no instance":                   func(c *store.Change) { c.Instance = "" },
		"no account":                    func(c *store.Change) { c.Account = "" },
		"no next id":                    func(c *store.Change) { c.Next = account.SessionID{} },
		"the next id is the session's":  func(c *store.Change) { c.Next = c.Session },
		"an ending that there is not":   func(c *store.Change) { c.End = 9 },
		"a next id without a session":   func(c *store.Change) { c.Session = account.SessionID{} },
		"an enrolment without a session": func(c *store.Change) {
			c.Session, c.Next, c.Enrolment = account.SessionID{}, account.SessionID{}, &store.Enrolled{ID: "x"}
		},
		"a challenge without a session": func(c *store.Change) { c.Session, c.Next, c.Challenge = account.SessionID{}, account.SessionID{}, "x" },
		"a notice that cannot go out":   func(c *store.Change) { c.Notices[0].Channel = "pigeon" },
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			c := everything(f, v)
			spoil(&c)
			_, err := f.s.ChangeAccount(f.ctx, c, f.now)
			f.wants(err, errRefused)
			c.Next = newSessionID()
			f.unchanged(a, v, b, d, c)
		})
	}
}
