package file

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// BenchmarkOutbox takes notices, and counts them, while many wait that are not
// due.
func BenchmarkOutbox(b *testing.B) {
	for _, waiting := range []int{100, 10_000, 100_000} {
		s, err := Open(b.TempDir()+"/store.db", Options{})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		now := time.Now()
		var list []account.Notice
		for i := range waiting {
			n := newNotice(fmt.Sprint(i), "ada", now)
			n.Due = now.Add(time.Hour)
			list = append(list, n)
		}
		if err := s.PutNotices(b.Context(), list); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("take of ", waiting), func(b *testing.B) {
			for b.Loop() {
				if list, err := s.TakeNotices(b.Context(), 10, time.Minute, now); err != nil || len(list) > 0 {
					b.Fatal(list, err)
				}
			}
		})
		b.Run(fmt.Sprint("count of ", waiting), func(b *testing.B) {
			for b.Loop() {
				if n, _, err := s.Waiting(b.Context(), now); err != nil || n != waiting {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkChangeAccount changes an account in a session, with a notice.
func BenchmarkChangeAccount(b *testing.B) {
	s, err := Open(b.TempDir()+"/store.db", Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	v := verified("ada", now)
	if err := s.PutAccounts(b.Context(), []account.Account{newAccount("ada")}); err != nil {
		b.Fatal(err)
	}
	if err := s.BeginSession(b.Context(), store.Begin{Session: v}, now); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c := store.Change{
			Instance: "crm", Account: "ada", Session: v.ID, Next: account.SessionID(random(32)),
			Notices: []account.Notice{newNotice(newName(), "ada", now)},
			Edit: func(a *account.Account) error {
				a.Group = newName()
				return nil
			},
		}
		got, err := s.ChangeAccount(b.Context(), c, now)
		if err != nil {
			b.Fatal(err)
		}
		v = got.Session
	}
}
