package storetest

import (
	"fmt"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// accountRaces are races for accounts and what is known of their factors.
func accountRaces() []raceTest {
	return []raceTest{
		{"PutAccounts", "lists are put whole, one after the other", func(t *testing.T, f *fixture) {
			f.allWin(race(func(i int) error {
				// Each list gives its alias to another one of three.
				var list []account.Account
				for n, id := range []string{"ada", "bob", "eve"} {
					a := f.newAccount(id)
					a.Group = fmt.Sprint(i)
					if n == i%3 {
						a.Aliases = []string{"first"}
					}
					list = append(list, a)
				}
				return f.s.PutAccounts(f.ctx, list)
			}))
			owner := f.account("first")
			for _, id := range []string{"ada", "bob", "eve"} {
				a := f.account(id)
				if a.Group != owner.Group || (len(a.Aliases) == 1) != (id == owner.ID) {
					t.Errorf("%s is of list %s with the aliases %q; the alias is %s's of list %s", id, a.Group, a.Aliases, owner.ID, owner.Group)
				}
			}
		}},
		{"PutAccounts PassChallenge", "replacing an account while codes pass brings no spent step back", func(t *testing.T, f *fixture) {
			stale := f.enrol("ada")
			open := make([]store.Begin, racers)
			for i := range open {
				open[i] = f.beginPending("ada")
			}
			errs := race(func(i int) error {
				if i%2 == 0 {
					return f.s.PutAccounts(f.ctx, []account.Account{stale})
				}
				_, err := f.s.PassChallenge(f.ctx, f.passOf(open[i], int64(100+i)), f.now)
				return err
			})
			var last int64
			for i, err := range errs {
				if f.won(err, store.ErrSpent) && i%2 == 1 {
					last = max(last, int64(100+i))
				}
			}
			if got := f.factor("ada", totpID).LastStep; got != last || last == 0 {
				t.Errorf("step %d is spent, want %d", got, last)
			}
		}},
		{"PutAccounts CountAttempt", "replacing an account while codes are tried forgets no failure", func(t *testing.T, f *fixture) {
			stale := f.enrol("ada")
			a := attemptOf(f.beginPending("ada"), totpID)
			a.PerCode, a.InARow = 1000, 1000
			f.allWin(race(func(i int) error {
				if i%2 == 0 {
					return f.s.PutAccounts(f.ctx, []account.Account{stale})
				}
				_, err := f.s.CountAttempt(f.ctx, a, f.now)
				return err
			}))
			if n := f.factor("ada", totpID).Failures; n != racers/2 {
				t.Errorf("%d failures, want %d", n, racers/2)
			}
		}},
	}
}
