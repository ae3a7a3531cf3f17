package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func sendTests() []test {
	return []test{
		{"the first code is sent at once, from the outbox", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			r := f.sent(b, "111111", f.now)
			same(t, r, store.SendResult{Send: true, Sealed: []byte("sealed 111111"), N: 1, NotBefore: f.now.Add(30 * time.Second)})
			want := f.sendOf(b, "111111").New
			want.Sends, want.Status = []time.Time{f.now}, account.SendQueued
			same(t, f.challenge(b.Challenge.ID).Codes[phoneID], want)
			if c := f.factor("ada", phoneID).CurrentChallenge; c != b.Challenge.ID {
				t.Errorf("the current challenge is %q, want %q", c, b.Challenge.ID)
			}
		}},
		{"sending again sends the same code after growing waits, extends nothing, and ends", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			at := f.now
			for n, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
				r, err := f.s.ReserveSend(f.ctx, f.sendOf(b, "222222"), at.Add(wait-time.Nanosecond))
				f.must(err)
				same(t, r, store.SendResult{NotBefore: at.Add(wait)})
				at = at.Add(wait)
				r = f.sent(b, "222222", at)
				if string(r.Sealed) != "sealed 111111" || r.N != n+2 {
					t.Errorf("sending %d sends %q, want sending %d of the first code", r.N, r.Sealed, n+2)
				}
			}
			late := f.sendOf(b, "222222")
			late.New.Expires = f.now.Add(time.Hour)
			r, err := f.s.ReserveSend(f.ctx, late, f.now.Add(9*time.Minute))
			f.must(err)
			same(t, r, store.SendResult{})
			c := f.challenge(b.Challenge.ID).Codes[phoneID]
			if !c.Expires.Equal(f.now.Add(5*time.Minute)) || len(c.Sends) != 4 || c.Hash != hashOf("111111") {
				t.Errorf("the code has changed: %+v", c)
			}
		}},
		{"the last sending says that there is none after it", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			s := f.sendOf(b, "111111")
			s.Waits = nil
			r, err := f.s.ReserveSend(f.ctx, s, f.now)
			f.must(err)
			if !r.Send || !r.NotBefore.IsZero() {
				t.Errorf("got %+v, want a sending that is the last", r)
			}
		}},
		{"a code without a try left is replaced, and its sendings count on", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			f.attempts(attemptOf(b, phoneID), 5)
			r, err := f.s.ReserveSend(f.ctx, f.sendOf(b, "222222"), f.now)
			f.must(err)
			if r.Send {
				t.Error("a new code is sent without the wait")
			}
			at := f.now.Add(30 * time.Second)
			if r := f.sent(b, "222222", at); string(r.Sealed) != "sealed 222222" || r.N != 2 {
				t.Errorf("sending %d sends %q, want sending 2 of the new code", r.N, r.Sealed)
			}
			if r := f.attempt(attemptOf(b, phoneID), at); !r.Counted || r.Left != 4 {
				t.Errorf("got %+v, want 4 tries left", r)
			}
			if r := f.sent(b, "333333", at.Add(time.Minute)); string(r.Sealed) != "sealed 222222" || r.N != 3 {
				t.Errorf("sending %d sends %q, want sending 3 of the new code", r.N, r.Sealed)
			}
			if n := f.factor("ada", phoneID).Failures; n != 6 {
				t.Errorf("%d failures, want 6: a new code forgets none", n)
			}
		}},
		{"a code that has expired is replaced, and its sendings count on", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			at := f.now.Add(5 * time.Minute)
			s := f.sendOf(b, "222222")
			s.New.Expires = at.Add(time.Minute)
			r, err := f.s.ReserveSend(f.ctx, s, at)
			f.must(err)
			if string(r.Sealed) != "sealed 222222" || r.N != 2 {
				t.Errorf("got %+v, want sending 2 of the new code", r)
			}
		}},
		{"the first sending of a newer challenge kills the older one's code, and not the other way round by a sending that is refused", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			older, newer := f.beginPending("ada"), f.beginPending("ada")
			f.sent(older, "111111", f.now)
			f.sent(newer, "222222", f.now)
			r, err := f.s.ReserveSend(f.ctx, f.sendOf(older, "333333"), f.now.Add(time.Second))
			f.must(err)
			if r.Send {
				t.Error("the older challenge sends without its wait")
			}
			_, err = f.s.PassChallenge(f.ctx, f.codeOf(older, "111111"), f.now)
			f.wants(err, store.ErrNotFound)
			f.released(newer, f.codeOf(newer, "222222"))
		}},
		{"an older challenge that sends again sends a new code, and kills the newer one's", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			older, newer := f.beginPending("ada"), f.beginPending("ada")
			f.sent(older, "111111", f.now)
			f.sent(newer, "222222", f.now)
			if r := f.sent(older, "333333", f.now.Add(30*time.Second)); string(r.Sealed) != "sealed 333333" {
				t.Errorf("%q is sent, want the new code", r.Sealed)
			}
			_, err := f.s.PassChallenge(f.ctx, f.codeOf(newer, "222222"), f.now)
			f.wants(err, store.ErrNotFound)
			_, err = f.s.PassChallenge(f.ctx, f.codeOf(older, "111111"), f.now)
			f.wants(err, store.ErrNotFound)
			f.released(older, f.codeOf(older, "333333"))
		}},
		{"a challenge of another account or factor kills nothing", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.enrol("bob")
			b, c := f.beginPending("ada"), f.beginPending("bob")
			f.sent(b, "111111", f.now)
			f.sent(c, "222222", f.now)
			f.beginPending("ada")
			f.released(b, f.codeOf(b, "111111"))
			f.released(c, f.codeOf(c, "222222"))
		}},
		{"nothing is sent to an authenticator, or where there is nothing to answer", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			s := f.sendOf(f.beginPending("ada"), "111111")
			s.Factor = totpID
			_, err := f.s.ReserveSend(f.ctx, s, f.now)
			f.wants(err, store.ErrNotFound)
			notAsked(t, f, func(f *fixture, c asked) error {
				s := s
				s.Challenge, s.Session, s.Factor = c.challenge, c.session, c.factor
				s.New.Expires = c.now.Add(time.Hour)
				r, err := f.s.ReserveSend(f.ctx, s, c.now)
				if r.Send {
					f.t.Error("a code is to be sent")
				}
				return err
			})
		}},
		{"nothing is sent after the challenge was passed", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.released(b, f.passOf(b, 100))
			_, err := f.s.ReserveSend(f.ctx, f.sendOf(b, "111111"), f.now)
			f.wants(err, store.ErrSpent)
		}},
		{"a code without a hash, a text or time left is refused", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			for _, spoil := range []func(*account.Code){
				func(c *account.Code) { c.Hash = [32]byte{} },
				func(c *account.Code) { c.Sealed = nil },
				func(c *account.Code) { c.Expires = f.now },
			} {
				s := f.sendOf(b, "111111")
				spoil(&s.New)
				_, err := f.s.ReserveSend(f.ctx, s, f.now)
				f.wants(err, errRefused)
			}
			same(t, f.challenge(b.Challenge.ID), b.Challenge)
		}},
		{"what became of a sending is noted, and not of an earlier one", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			id := b.Challenge.ID
			status := func(want account.SendStatus) {
				t.Helper()
				if got := f.challenge(id).Codes[phoneID].Status; got != want {
					t.Errorf("the sending is %s, want %s", got, want)
				}
			}
			f.sent(b, "111111", f.now)
			f.must(f.s.RecordSend(f.ctx, id, phoneID, 1, account.SendFailed))
			status(account.SendFailed)
			f.sent(b, "111111", f.now.Add(30*time.Second))
			status(account.SendQueued)
			f.must(f.s.RecordSend(f.ctx, id, phoneID, 1, account.SendFailed))
			status(account.SendQueued)
			f.must(f.s.RecordSend(f.ctx, id, phoneID, 2, account.SendTaken))
			status(account.SendTaken)
		}},
		{"noting a sending of what is gone is no error, one that never was is", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.must(f.s.RecordSend(f.ctx, newID(), phoneID, 1, account.SendTaken))
			b := f.beginPending("ada")
			f.must(f.s.RecordSend(f.ctx, b.Challenge.ID, phoneID, 1, account.SendTaken))
			f.sent(b, "111111", f.now)
			f.wants(f.s.RecordSend(f.ctx, b.Challenge.ID, phoneID, 2, account.SendTaken), errRefused)
			f.wants(f.s.RecordSend(f.ctx, b.Challenge.ID, phoneID, 1, "lost"), errRefused)
			f.released(b, f.codeOf(b, "111111"))
			f.must(f.s.RecordSend(f.ctx, b.Challenge.ID, phoneID, 1, account.SendTaken))
			f.must(f.s.EndSession(f.ctx, b.Session.ID))
			f.must(f.s.RecordSend(f.ctx, b.Challenge.ID, phoneID, 1, account.SendTaken))
		}},
	}
}
