package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func changeInSessionTests() []test {
	return []test{
		{"a verified session gets its new id, and is found under the old one for a while", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			v = f.move(v)
			c := editIn(v, setsGroup("staff"))
			got := f.change(c)
			want := v
			want.ID = c.Next
			same(t, got.Session, want)
			for _, id := range []account.SessionID{v.ID, c.Next} {
				same(t, f.session(id), want)
			}
			over := f.now.Add(account.MovedFor)
			f.noSession(v.ID, over)
			_, err := f.s.Session(f.ctx, c.Next, over)
			f.must(err)
		}},
		{"it may be named by an id that it had, and keeps its step-ups", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			moved := f.change(editIn(v, nil)).Session
			again := f.change(editIn(v, nil)).Session
			if again.ID == moved.ID {
				t.Error("the session has the id that it had")
			}
			f.steppedUp(v, u, f.stepOf(v, u, 100))
		}},
		{"routes become fresh in the session in which it is changed, and others do not", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, other := f.beginVerified("ada"), f.beginVerified("ada")
			c := editIn(v, setsGroup("staff"))
			c.Fresh = []string{"settings"}
			f.change(c)
			now := f.session(c.Next)
			if at := now.Steps.FreshAt("settings"); !at.Equal(f.now) || !now.Steps.FreshAt("export").IsZero() {
				t.Errorf("the session has %+v", now.Steps)
			}
			if there := f.session(other.ID); !there.Steps.FreshAt("settings").IsZero() {
				t.Error("it is fresh in another session")
			}
		}},
		{"a session of the next id is a conflict, and nothing is changed", func(t *testing.T, f *fixture) {
			a := f.enrol("ada")
			v, other := f.beginVerified("ada"), f.beginVerified("ada")
			c := editIn(v, setsGroup("staff"))
			c.Next = other.ID
			_, err := f.s.ChangeAccount(f.ctx, c, f.now)
			f.wants(err, store.ErrConflict)
			same(t, f.account("ada"), a)
			same(t, f.session(v.ID), v)
		}},
		{"in a session that is not usable nothing is changed", func(t *testing.T, f *fixture) {
			a := f.enrol("ada")
			for name, spoil := range notUsable() {
				v := f.beginVerified("ada")
				now := spoil(f, v)
				_, err := f.s.ChangeAccount(f.ctx, editIn(v, setsGroup("staff")), now)
				if f.wants(err, store.ErrNotFound); t.Failed() {
					t.Fatalf("a session that is %s", name)
				}
				same(t, f.account("ada").Group, a.Group)
			}
		}},
		{"in a session of another account or instance nothing is changed", func(t *testing.T, f *fixture) {
			a := f.enrol("ada")
			f.enrol("bob")
			shop := f.newAccount("ada")
			shop.Instance = "shop"
			f.must(f.s.PutAccounts(f.ctx, []account.Account{shop}))
			c := editIn(f.beginVerified("bob"), setsGroup("staff"))
			c.Account = "ada"
			_, err := f.s.ChangeAccount(f.ctx, c, f.now)
			f.wants(err, store.ErrNotFound)
			c = editIn(f.beginVerified("ada"), setsGroup("staff"))
			c.Instance = "shop"
			_, err = f.s.ChangeAccount(f.ctx, c, f.now)
			f.wants(err, store.ErrNotFound)
			same(t, f.account("ada"), a)
		}},
		{"a pending session changes nothing without the challenge of its enrolment", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginEnrolling("ada")
			_, err := f.s.ChangeAccount(f.ctx, editIn(b.Session, setsGroup("staff")), f.now)
			f.wants(err, store.ErrNotFound)
		}},
		{"all other sessions end, the one in which it is changed stays under all its ids", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			bob := f.beginVerified("bob")
			all := f.beginAll("ada")
			v := f.beginVerified("ada")
			moved := f.move(v)
			c := editIn(moved, setsGroup("staff"))
			c.End = store.EndOthers
			got := f.change(c)
			if got.Ended == 0 {
				t.Error("no session has ended")
			}
			f.onlySessions("ada", c.Next)
			for _, id := range []account.SessionID{v.ID, moved.ID, c.Next} {
				same(t, f.session(id), got.Session)
			}
			f.allGone(all)
			f.session(bob.ID)
		}},
		{"without a session all of them are others", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, b := f.beginVerified("ada"), f.beginPending("ada")
			c := edit("ada", nil)
			c.End = store.EndOthers
			if got := f.change(c); got.Ended != 2 {
				t.Errorf("%d sessions have ended, want 2", got.Ended)
			}
			f.noSession(v.ID, f.now)
			f.noSession(b.Session.ID, f.now)
			f.noChallenge(b.Challenge.ID)
		}},
		{"all sessions end, also the one in which it is changed", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, other, d := f.beginVerified("ada"), f.beginVerified("ada"), f.remember(f.newDevice("ada"))
			c := editIn(v, nil)
			c.End = store.EndAll
			got := f.change(c)
			if got.Ended != 3 || got.Session.ID != (account.SessionID{}) {
				t.Errorf("%d sessions have ended and %s is left, want 3 and none", got.Ended, got.Session.ID)
			}
			for _, id := range []account.SessionID{v.ID, other.ID, c.Next} {
				f.noSession(id, f.now)
			}
			// Devices are only forgotten where that is said.
			same(t, f.devices("ada"), []account.Device{d})
		}},
		{"the sessions of an account are those that could let a browser in, the newest first, each once", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("bob")
			f.beginVerified("bob")
			old := f.verified("ada")
			old.Created = f.now.Add(-time.Hour)
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: old}, f.now))
			moved := f.move(old)
			v := f.beginVerified("ada")
			f.suspend(v.ID)
			cancelled := f.beginPending("ada")
			f.must(f.s.CancelSession(f.ctx, cancelled.Session.ID))
			got, err := f.s.SessionsOf(f.ctx, instance, "ada", f.now)
			f.must(err)
			same(t, got, []account.Session{f.session(v.ID), moved})
			got, err = f.s.SessionsOf(f.ctx, "shop", "ada", f.now)
			f.must(err)
			same(t, got, []account.Session(nil))
		}},
	}
}

// onlySessions checks which sessions an account has, in whatever order.
func (f *fixture) onlySessions(acc string, want ...account.SessionID) {
	f.t.Helper()
	got, err := f.s.SessionsOf(f.ctx, instance, acc, f.now)
	f.must(err)
	there := make(map[account.SessionID]bool)
	for _, v := range got {
		there[v.ID] = true
	}
	for _, id := range want {
		if !there[id] {
			f.t.Errorf("the session %s is not listed", id)
		}
	}
	if len(got) != len(want) {
		f.t.Errorf("%d sessions are listed, want %d", len(got), len(want))
	}
}
