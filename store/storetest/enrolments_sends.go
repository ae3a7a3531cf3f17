package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func enrolmentSendTests() []test {
	return []test{
		{"a code is sent, again the same one after its waits, and no more often than there are waits", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			e := f.beginEnrolment(f.verified("ada"), f.phone("phone-2"))
			at := f.now
			r := f.sentTo(e, "111111", at)
			same(t, r, store.SendResult{Send: true, Sealed: []byte("sealed 111111"), N: 1, NotBefore: at.Add(30 * time.Second)})
			f.waitsFor(e, at.Add(30*time.Second-time.Nanosecond), at.Add(30*time.Second))
			at = at.Add(30 * time.Second)
			r = f.sentTo(e, "222222", at)
			same(t, r, store.SendResult{Send: true, Sealed: []byte("sealed 111111"), N: 2, NotBefore: at.Add(time.Minute)})
			at = at.Add(time.Minute)
			r = f.sentTo(e, "333333", at)
			same(t, r, store.SendResult{Send: true, Sealed: []byte("sealed 111111"), N: 3})
			f.waitsFor(e, at.Add(10*time.Minute), time.Time{})
			if n := len(f.account("ada").Texts); n != 3 {
				t.Errorf("%d texts are counted, want 3", n)
			}
		}},
		{"a code that has no try left is not sent again: a new one is", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			e := f.beginEnrolment(f.verified("ada"), f.phone("phone-2"))
			f.sentTo(e, "111111", f.now)
			for range 5 {
				f.tries1(e, 5)
			}
			r := f.sentTo(e, "222222", f.now.Add(time.Minute))
			same(t, r.Sealed, []byte("sealed 222222"))
			if c := f.enrolment(e).Code; c.Tries != 0 || len(c.Sends) != 2 || c.Hash != hashOf("222222") {
				t.Errorf("the code is %+v", c)
			}
		}},
		{"beyond the texts of a day nothing is sent to an account, to whatever number, in whatever session", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("bob")
			first := f.now
			for i := range account.MaxTexts {
				e := f.beginEnrolment(f.verified("ada"), f.phone(newID()))
				r := f.sentTo(e, "111111", first.Add(time.Duration(i)*time.Second))
				if full := i == account.MaxTexts-1; full != r.NotBefore.Equal(first.Add(account.TextsFor)) {
					t.Errorf("after text %d the next may be sent at %s", i+1, r.NotBefore)
				}
			}
			e := f.beginEnrolment(f.verified("ada"), f.phone("phone-2"))
			f.waitsFor(e, f.now.Add(time.Minute), first.Add(account.TextsFor))
			same(t, f.enrolment(e), e)
			f.sentTo(f.beginEnrolment(f.verified("bob"), f.phone("phone-2")), "111111", f.now)

			again := f.newEnrolment(f.verified("ada"), f.phone("phone-2"))
			again.Expires = f.now.Add(48 * time.Hour)
			f.must(f.s.BeginEnrolment(f.ctx, again, f.now))
			s := f.enrolmentSend(again, "111111")
			s.New.Expires = f.now.Add(48 * time.Hour)
			r, err := f.s.ReserveEnrolmentSend(f.ctx, s, first.Add(account.TextsFor))
			f.must(err)
			if !r.Send || len(f.account("ada").Texts) != account.MaxTexts {
				t.Errorf("got %+v, and %d texts are counted", r, len(f.account("ada").Texts))
			}
		}},
		{"nothing is sent without an account, for what is no phone, or in another session", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.verified("ada")
			totp := f.beginEnrolment(v, f.totp("totp-2"))
			nobody := f.beginEnrolment(f.verified("nobody"), f.phone("phone-2"))
			theirs := f.beginEnrolment(f.verified("ada"), f.phone("phone-2"))
			theirs.Standing = v.Standing
			for _, e := range []account.Enrolment{totp, nobody, theirs} {
				_, err := f.s.ReserveEnrolmentSend(f.ctx, f.enrolmentSend(e, "111111"), f.now)
				f.wants(err, store.ErrNotFound)
			}
			if n := len(f.account("ada").Texts); n != 0 {
				t.Errorf("%d texts are counted", n)
			}
		}},
		{"a code without a hash, a text or time is refused", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			e := f.beginEnrolment(f.verified("ada"), f.phone("phone-2"))
			for _, spoil := range []func(*account.Code){
				func(c *account.Code) { c.Hash = [32]byte{} },
				func(c *account.Code) { c.Sealed = nil },
				func(c *account.Code) { c.Expires = f.now },
			} {
				s := f.enrolmentSend(e, "111111")
				spoil(&s.New)
				_, err := f.s.ReserveEnrolmentSend(f.ctx, s, f.now)
				f.wants(err, errRefused)
			}
		}},
		{"what became of a sending is noted, of the last one only", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			e := f.beginEnrolment(f.verified("ada"), f.phone("phone-2"))
			f.sentTo(e, "111111", f.now)
			f.becameOf(e, 1, account.SendTaken, account.SendTaken)
			f.sentTo(e, "111111", f.now.Add(time.Minute))
			f.becameOf(e, 1, account.SendFailed, account.SendQueued)
			f.becameOf(e, 2, account.SendFailed, account.SendFailed)
			f.wants(f.s.RecordEnrolmentSend(f.ctx, e.ID, 3, account.SendTaken), errRefused)
			f.wants(f.s.RecordEnrolmentSend(f.ctx, e.ID, 2, "lost"), errRefused)
			f.must(f.s.RecordEnrolmentSend(f.ctx, newID(), 1, account.SendTaken))
			if got := f.enrolment(e).Code.Status; got != account.SendFailed {
				t.Errorf("the sending is %s", got)
			}
		}},
	}
}

// waitsFor asks for a code at a time, in vain.
func (f *fixture) waitsFor(e account.Enrolment, now, until time.Time) {
	f.t.Helper()
	s := f.enrolmentSend(e, "999999")
	s.New.Expires = now.Add(time.Minute)
	r, err := f.s.ReserveEnrolmentSend(f.ctx, s, now)
	f.must(err)
	same(f.t, r, store.SendResult{NotBefore: until})
}

func (f *fixture) becameOf(e account.Enrolment, n int, status, want account.SendStatus) {
	f.t.Helper()
	f.must(f.s.RecordEnrolmentSend(f.ctx, e.ID, n, status))
	if got := f.enrolment(e).Code.Status; got != want {
		f.t.Errorf("the sending is %s, want %s", got, want)
	}
}
