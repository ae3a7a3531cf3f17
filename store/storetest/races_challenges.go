package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// challengeRaces are races for a challenge, a factor or a value.
func challengeRaces() []raceTest {
	return []raceTest{
		{"CountAttempt PassChallenge", "a right code forgets every failure, and nothing is counted after it", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			a := attemptOf(b, totpID)
			a.PerCode, a.InARow = 1000, 1000
			errs := race(func(i int) error {
				if i%2 == 0 {
					_, err := f.s.CountAttempt(f.ctx, a, f.now)
					return err
				}
				_, err := f.s.PassChallenge(f.ctx, f.passOf(b, int64(100+i)), f.now)
				return err
			})
			passed := 0
			for i, err := range errs {
				if f.won(err, store.ErrSpent) && i%2 == 1 {
					passed++
				}
			}
			if fa := f.factor("ada", totpID); passed != 1 || fa.Failures != 0 {
				t.Errorf("%d have passed and %d failures are left, want 1 and 0", passed, fa.Failures)
			}
		}},
		{"ReserveSend RecordSend", "what became of a sending overwrites no later one", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			s := f.sendOf(b, "111111")
			s.Waits = []time.Duration{0}
			_, err := f.s.ReserveSend(f.ctx, s, f.now)
			f.must(err)
			f.allWin(race(func(i int) error {
				if i%2 == 0 {
					return f.s.RecordSend(f.ctx, b.Challenge.ID, phoneID, 1, account.SendFailed)
				}
				_, err := f.s.ReserveSend(f.ctx, s, f.now)
				return err
			}))
			if c := f.challenge(b.Challenge.ID).Codes[phoneID]; len(c.Sends) != 2 || c.Status != account.SendQueued {
				t.Errorf("there were %d sendings and the last is %s, want 2 and queued", len(c.Sends), c.Status)
			}
		}},
		{"RecordSend CountAttempt", "noting a sending loses no attempt", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.sent(b, "111111", f.now)
			a := attemptOf(b, phoneID)
			a.PerCode, a.InARow = 1000, 1000
			f.allWin(race(func(i int) error {
				if i%2 == 0 {
					return f.s.RecordSend(f.ctx, b.Challenge.ID, phoneID, 1, account.SendTaken)
				}
				_, err := f.s.CountAttempt(f.ctx, a, f.now)
				return err
			}))
			if c := f.challenge(b.Challenge.ID).Codes[phoneID]; c.Tries != racers/2 || c.Status != account.SendTaken {
				t.Errorf("%d attempts were counted and the sending is %s, want %d and taken", c.Tries, c.Status, racers/2)
			}
		}},
		{"PutValue", "of many values of one handle one is kept, whole", func(t *testing.T, f *fixture) {
			handle := newID()
			f.allWin(race(func(i int) error {
				return f.s.PutValue(f.ctx, handle, bytes.Repeat([]byte{byte(i)}, 4<<10), f.now.Add(time.Duration(1+i)*time.Minute))
			}))
			got, err := f.s.Value(f.ctx, handle, f.now)
			f.must(err)
			if len(got) != 4<<10 || bytes.Count(got, got[:1]) != len(got) {
				t.Fatalf("%d bytes came back, of several values", len(got))
			}
			ends := f.now.Add(time.Duration(1+got[0]) * time.Minute)
			_, err = f.s.Value(f.ctx, handle, ends.Add(-time.Nanosecond))
			f.must(err)
			_, err = f.s.Value(f.ctx, handle, ends)
			f.wants(err, store.ErrNotFound)
		}},
	}
}
