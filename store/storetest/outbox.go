package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func outboxTests() []test {
	return []test{
		{"notices are taken when they are due, the one due longest first, so many at most", func(t *testing.T, f *fixture) {
			f.outbox(map[string]time.Duration{"c": 0, "a": -2 * time.Second, "later": time.Nanosecond, "b": -time.Nanosecond})
			same(t, f.take(2, f.now), []string{"a", "b"})
			same(t, f.take(5, f.now), []string{"c"})
			same(t, f.take(5, f.now), []string{})
			same(t, f.take(5, f.now.Add(time.Nanosecond)), []string{"later"})
			f.waits(4)
		}},
		{"one that was taken is as it was put, with how often it was taken and when it is due again", func(t *testing.T, f *fixture) {
			n := f.newNotice("n", "ada")
			f.must(f.s.PutNotices(f.ctx, []account.Notice{n}))
			for at := f.now; n.Tries < 3; at = at.Add(lease) {
				list, err := f.s.TakeNotices(f.ctx, 5, lease, at)
				f.must(err)
				n.Tries, n.Due = n.Tries+1, at.Add(lease)
				same(t, list, []account.Notice{n})
				same(t, f.take(5, at.Add(lease-time.Nanosecond)), []string{})
			}
		}},
		{"one that goes out as a text is returned once", func(t *testing.T, f *fixture) {
			n := f.newNotice("n", "ada")
			n.Channel = account.ByText
			f.must(f.s.PutNotices(f.ctx, []account.Notice{n}))
			same(t, f.take(5, f.now), []string{"n"})
			same(t, f.take(5, f.now.Add(time.Hour)), []string{})
			f.waits(0)
			f.must(f.s.SettleNotice(f.ctx, "n", time.Time{}))
			f.must(f.s.SettleNotice(f.ctx, "n", f.now))
			f.waits(0)
		}},
		{"one that is settled is gone, or due at a later time", func(t *testing.T, f *fixture) {
			f.outbox(map[string]time.Duration{"a": 0, "b": time.Second})
			same(t, f.take(5, f.now), []string{"a"})
			f.must(f.s.SettleNotice(f.ctx, "a", f.now.Add(time.Hour)))
			f.must(f.s.SettleNotice(f.ctx, "b", time.Time{}))
			f.waits(1)
			same(t, f.take(5, f.now.Add(time.Hour-time.Nanosecond)), []string{})
			same(t, f.take(5, f.now.Add(time.Hour)), []string{"a"})
			for range 2 {
				f.must(f.s.SettleNotice(f.ctx, "a", time.Time{}))
			}
			f.waits(0)
		}},
		{"one whose id is there is left out, the others are put", func(t *testing.T, f *fixture) {
			f.outbox(map[string]time.Duration{"a": time.Hour})
			again := f.newNotice("a", "bob")
			f.must(f.s.PutNotices(f.ctx, []account.Notice{again, f.newNotice("b", "ada"), f.newNotice("b", "bob")}))
			same(t, f.take(5, f.now), []string{"b"})
			f.waits(2)
			f.must(f.s.SettleNotice(f.ctx, "a", time.Time{}))
			f.must(f.s.PutNotices(f.ctx, []account.Notice{again}))
			same(t, f.take(5, f.now), []string{"a"})
		}},
		{"what cannot be a notice is refused, and nothing of the list is put", func(t *testing.T, f *fixture) {
			for _, spoil := range noNotices() {
				n := f.newNotice("n", "ada")
				spoil(&n)
				f.wants(f.s.PutNotices(f.ctx, []account.Notice{f.newNotice("good", "ada"), n}), errRefused)
			}
			f.waits(0)
			for _, take := range []func() error{
				func() error { return second(f.s.TakeNotices(f.ctx, 0, lease, f.now)) },
				func() error { return second(f.s.TakeNotices(f.ctx, 1, 0, f.now)) },
			} {
				f.wants(take(), errRefused)
			}
		}},
		{"it says how many wait, due or not, and when the oldest was made", func(t *testing.T, f *fixture) {
			for i, age := range []time.Duration{time.Hour, 3 * time.Hour, 2 * time.Hour} {
				n := f.newNotice(fmt.Sprint(i), "ada")
				n.Created, n.Due = f.now.Add(-age), f.now.Add(time.Duration(i)*time.Hour)
				f.must(f.s.PutNotices(f.ctx, []account.Notice{n}))
			}
			n, oldest, err := f.s.Waiting(f.ctx, f.now)
			f.must(err)
			if n != 3 || !oldest.Equal(f.now.Add(-3*time.Hour)) {
				t.Errorf("%d wait since %s", n, oldest)
			}
			f.must(f.s.SettleNotice(f.ctx, "1", time.Time{}))
			n, oldest, err = f.s.Waiting(f.ctx, f.now)
			f.must(err)
			if n != 2 || !oldest.Equal(f.now.Add(-2*time.Hour)) {
				t.Errorf("%d wait since %s", n, oldest)
			}
		}},
		{"many that have expired are in nobody's way", func(t *testing.T, f *fixture) {
			var list []account.Notice
			for i := range 600 {
				n := f.newNotice(fmt.Sprint("old", i), "ada")
				n.Due, n.Expires = f.now.Add(time.Hour), f.now.Add(2*time.Hour)
				list = append(list, n)
			}
			last := f.newNotice("last", "ada")
			last.Due = f.now.Add(90 * time.Minute)
			f.must(f.s.PutNotices(f.ctx, append(list, last)))
			same(t, f.take(5, f.now.Add(3*time.Hour)), []string{"last"})
		}},
		{"of failed codes the user is told once, and not if a right one follows", failedNotices},
		{"a notice of failed codes that is another one is refused, and the attempt is not counted", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			a := attemptOf(f.beginPending("ada"), totpID)
			n := f.newNotice("other", "ada")
			a.Failed = &n
			_, err := f.s.CountAttempt(f.ctx, a, f.now)
			f.wants(err, errRefused)
			if n := f.factor("ada", totpID).Failures; n != 0 {
				t.Errorf("%d attempts are counted", n)
			}
			f.waits(0)
		}},
		{"the notices of a right code are put with it, and with a wrong one they are not", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			b, u := f.beginPending("ada"), f.beginStepUp(v)
			p, s := f.passOf(b, 100), f.stepOf(v, u, 101)
			p.Notices, s.Notices = []account.Notice{f.newNotice("login", "ada")}, []account.Notice{f.newNotice("step-up", "ada")}
			wrong, wrongStep := p, s
			wrong.Factor, wrongStep.Factor = phoneID, phoneID
			f.wants(second(f.s.PassChallenge(f.ctx, wrong, f.now)), store.ErrNotFound)
			f.wants(second(f.s.PassStepUp(f.ctx, wrongStep, f.now)), store.ErrNotFound)
			f.waits(0)
			f.released(b, p)
			f.waits(1)
			f.must(second(f.s.PassStepUp(f.ctx, s, f.now)))
			f.waits(2)
		}},
		{"a notice that cannot go out is refused with all of the step", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			b, u := f.beginPending("ada"), f.beginStepUp(v)
			p, s := f.passOf(b, 100), f.stepOf(v, u, 101)
			p.Notices, s.Notices = []account.Notice{{}}, []account.Notice{{}}
			f.wants(second(f.s.PassChallenge(f.ctx, p, f.now)), errRefused)
			f.wants(second(f.s.PassStepUp(f.ctx, s, f.now)), errRefused)
			f.unpassed(b, p)
		}},
	}
}

// second is the error of a call.
func second[T any](_ T, err error) error { return err }

// outbox puts notices that are due so long after now.
func (f *fixture) outbox(due map[string]time.Duration) {
	f.t.Helper()
	var list []account.Notice
	for id, after := range due {
		n := f.newNotice(id, "ada")
		n.Due = f.now.Add(after)
		list = append(list, n)
	}
	f.must(f.s.PutNotices(f.ctx, list))
}

// noNotices make of a notice what cannot be one.
func noNotices() []func(*account.Notice) {
	return []func(*account.Notice){
		func(n *account.Notice) { n.ID = "" },
		func(n *account.Notice) { n.Instance = "" },
		func(n *account.Notice) { n.Account = "" },
		func(n *account.Notice) { n.Channel = "pigeon" },
		func(n *account.Notice) { n.Sealed = nil },
		func(n *account.Notice) { n.Sealed = make([]byte, 2*account.MaxNotice+1) },
		func(n *account.Notice) { n.Tries = 1 },
		func(n *account.Notice) { n.Due = time.Time{} },
		func(n *account.Notice) { n.Created = time.Time{} },
		func(n *account.Notice) { n.Due = n.Expires },
	}
}

func failedNotices(t *testing.T, f *fixture) {
	f.enrol("ada")
	v := f.beginVerified("ada")
	b, u, left := f.beginPending("ada"), f.beginStepUp(v), f.beginPending("ada")
	for _, of := range []store.Begin{b, asBegin(v, u), left} {
		n := f.newNotice(store.FailedNotice(of.Challenge.ID), "ada")
		a := attemptOf(of, totpID)
		a.Failed = &n
		f.attempts(a, 2)
		// Nothing is counted of a code that was never sent, and nobody is told.
		a.Factor = phoneID
		other := n
		a.Failed = &other
		if r := f.attempt(a, f.now); !r.NoCode {
			t.Errorf("got %+v", r)
		}
	}
	f.waits(3)
	f.released(b, f.passOf(b, 100))
	f.waits(2)
	f.steppedUp(v, u, f.stepOf(v, u, 101))
	f.waits(1)
	f.must(f.s.CancelSession(f.ctx, left.Session.ID))
	same(t, f.take(5, f.now), []string{store.FailedNotice(left.Challenge.ID)})

	late := f.beginPending("ada")
	a := attemptOf(late, phoneID)
	n := f.newNotice(store.FailedNotice(late.Challenge.ID), "ada")
	a.Failed = &n
	f.attempt(a, f.now)
	f.waits(1)
}
