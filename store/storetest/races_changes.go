package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// changeRaces are races of those who change an account, or the demands.
func changeRaces() []raceTest {
	return []raceTest{
		{"ChangeAccount", "two browsers add and remove factors at once: every edit is seen", func(t *testing.T, f *fixture) {
			a := f.newAccount("ada")
			want := f.idsOf(a)
			for i := range racers {
				if i%2 == 1 {
					a.Factors = append(a.Factors, f.totp(fmt.Sprint("old-", i)))
				} else {
					want = append(want, fmt.Sprint("new-", i))
				}
			}
			f.must(f.s.PutAccounts(f.ctx, []account.Account{a}))
			browsers := []account.Session{f.beginVerified("ada"), f.beginVerified("ada"), f.beginVerified("ada"), f.beginVerified("ada")}
			f.allWin(race(func(i int) error {
				do := removesFactor(fmt.Sprint("old-", i))
				if i%2 == 0 {
					do = addsFactor(f.totp(fmt.Sprint("new-", i)))
				}
				_, err := f.s.ChangeAccount(f.ctx, editIn(browsers[i%len(browsers)], do), f.now)
				return err
			}))
			got := f.factorIDs("ada")
			slices.Sort(got)
			slices.Sort(want)
			same(t, got, want)
		}},
		{"ChangeAccount", "one enrolment that is finished by many at once adds one factor", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			e := f.beginEnrolment(v, f.totp("totp-2"))
			oneWins(t, race(func(i int) error {
				c := editIn(v, addsFactor(f.totp(fmt.Sprint("new-", i))))
				c.Enrolment = finish(e, "")
				_, err := f.s.ChangeAccount(f.ctx, c, f.now)
				return err
			}), store.ErrNotFound)
			if n := len(f.factorIDs("ada")); n != 3 {
				t.Errorf("%d factors are there, want 3", n)
			}
		}},
		{"ChangeAccount", "a login adds one factor, however many tabs it has", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginEnrolling("ada")
			oneWins(t, race(func(i int) error {
				_, err := f.s.ChangeAccount(f.ctx, addIn(b, f.totp(fmt.Sprint("new-", i))), f.now)
				return err
			}), store.ErrSpent)
			ids := f.factorIDs("ada")
			if len(ids) != 3 || f.challenge(b.Challenge.ID).Enrolled != ids[2] {
				t.Errorf("the factors are %q, and %q was added", ids, f.challenge(b.Challenge.ID).Enrolled)
			}
		}},
		{"ChangeAccount", "one new account gets a name, however many want it", func(t *testing.T, f *fixture) {
			oneWins(t, race(func(i int) error {
				a := f.newAccount(fmt.Sprint("user-", i), "first")
				c := edit(a.ID, nil)
				c.Create = &a
				_, err := f.s.ChangeAccount(f.ctx, c, f.now)
				return err
			}), store.ErrConflict)
			if n := len(f.list("")); n != 1 {
				t.Errorf("%d accounts are there, want one", n)
			}
		}},
		{"ChangeAccount", "of two browsers that end each other one is left at most", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			browsers := make([]account.Session, racers)
			for i := range browsers {
				browsers[i] = f.beginVerified("ada")
			}
			oneWins(t, race(func(i int) error {
				c := editIn(browsers[i], nil)
				c.End = store.EndOthers
				_, err := f.s.ChangeAccount(f.ctx, c, f.now)
				return err
			}), store.ErrNotFound)
			left, err := f.s.SessionsOf(f.ctx, instance, "ada", f.now)
			f.must(err)
			if len(left) != 1 {
				t.Errorf("%d sessions are left, want one", len(left))
			}
		}},
		{"ChangeAccount CountAttempt", "a change loses no failure", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			a := attemptOf(f.beginPending("ada"), totpID)
			a.PerCode, a.InARow = 1000, 1000
			f.allWin(race(func(i int) error {
				if i%2 == 0 {
					return second(f.s.ChangeAccount(f.ctx, edit("ada", setsGroup(fmt.Sprint(i))), f.now))
				}
				return second(f.s.CountAttempt(f.ctx, a, f.now))
			}))
			if n := f.factor("ada", totpID).Failures; n != racers/2 {
				t.Errorf("%d failures, want %d", n, racers/2)
			}
		}},
		{"ChangeAccount PassChallenge", "a factor that is removed passes before that or not at all", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			open := make([]store.Begin, racers)
			for i := range open {
				open[i] = f.beginPending("ada")
			}
			errs := race(func(i int) error {
				if i == 0 {
					c := edit("ada", removesFactor(totpID))
					c.End = store.EndAll
					return second(f.s.ChangeAccount(f.ctx, c, f.now))
				}
				return second(f.s.PassChallenge(f.ctx, f.passOf(open[i], int64(100+i)), f.now))
			})
			for _, err := range errs {
				f.won(err, store.ErrNotFound, store.ErrSpent)
			}
			left, err := f.s.SessionsOf(f.ctx, instance, "ada", f.now)
			f.must(err)
			if len(left) != 0 {
				t.Errorf("%d sessions are left, want none", len(left))
			}
		}},
		{"EraseAccount", "one erasing erases the account", func(t *testing.T, f *fixture) {
			f.enrol("ada", "countess")
			oneWins(t, race(func(int) error { return f.s.EraseAccount(f.ctx, instance, "ada") }), store.ErrNotFound)
		}},
		{"EraseAccount ChangeAccount", "an account that is erased is not brought back by a change", func(t *testing.T, f *fixture) {
			f.enrol("ada", "countess")
			errs := race(func(i int) error {
				if i == racers/2 {
					return f.s.EraseAccount(f.ctx, instance, "ada")
				}
				c := edit("ada", addsFactor(f.totp(fmt.Sprint("new-", i))))
				c.Notices = []account.Notice{f.newNotice(fmt.Sprint(i), "ada")}
				return second(f.s.ChangeAccount(f.ctx, c, f.now))
			})
			for _, err := range errs {
				f.won(err, store.ErrNotFound)
			}
			_, err := f.s.Account(f.ctx, instance, "countess")
			f.wants(err, store.ErrNotFound)
			same(t, f.list(""), []string(nil))
			f.waits(0)
		}},
		{"ChangeDemands", "every change of the demands is seen", func(t *testing.T, f *fixture) {
			f.allWin(race(func(i int) error {
				return f.s.ChangeDemands(f.ctx, instance, func(d *account.Demands) error {
					d.Teams[fmt.Sprint("team-", i)] = account.Demand{From: f.now.Add(time.Duration(i) * time.Hour), By: "ada", At: f.now}
					return nil
				})
			}))
			d, err := f.s.Demands(f.ctx, instance)
			f.must(err)
			if len(d.Teams) != racers {
				t.Errorf("%d demands are there, want %d", len(d.Teams), racers)
			}
		}},
	}
}
