package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// checkNewCode refuses a code that cannot be sent.
func checkNewCode(c *account.Code, now time.Time) error {
	if c.Hash == ([32]byte{}) || len(c.Sealed) == 0 || !now.Before(c.Expires) {
		return errors.New("a code to be sent has a hash, a sealed text and time left")
	}
	return nil
}

// nextSend is from when a code may be sent after the sendings that were; zero if
// at once, and not ok if none is left.
func nextSend(sends []time.Time, waits []time.Duration) (from time.Time, ok bool) {
	switch n := len(sends); {
	case n > len(waits):
		return time.Time{}, false
	case n > 0:
		return sends[n-1].Add(waits[n-1]), true
	}
	return time.Time{}, true
}

// sentAgain is the code after one more sending: the one that was, if it lives, or
// a new one.
func sentAgain(code account.Code, lives bool, next account.Code, now time.Time) account.Code {
	sends := code.Sends
	if !lives {
		code = next
		code.Tries = 0
	}
	code.Sends = append(sends, now)
	code.Status = account.SendQueued
	return code
}

func checkStatus(status account.SendStatus) error {
	switch status {
	case account.SendQueued, account.SendTaken, account.SendFailed:
		return nil
	}
	return fmt.Errorf("%q is nothing that can become of a sending", status)
}

// ReserveSend implements store.Challenges.
func (s *Store) ReserveSend(ctx context.Context, r store.Send, now time.Time) (store.SendResult, error) {
	if err := checkNewCode(&r.New, now); err != nil {
		return store.SendResult{}, err
	}
	return decide(ctx, s, func(t *txn) (store.SendResult, error) {
		q, err := ask(t, r.Challenge, r.Session, r.Factor, now)
		if err != nil {
			return store.SendResult{}, err
		}
		if q.factor.Kind != account.KindPhone {
			return store.SendResult{}, store.ErrNotFound
		}
		code, lives := q.code(now)
		if from, ok := nextSend(code.Sends, r.Waits); !ok || now.Before(from) {
			return store.SendResult{NotBefore: from}, nil
		}
		code = sentAgain(code, lives && code.Tries < r.PerCode, r.New, now)
		if q.challenge.Codes == nil {
			q.challenge.Codes = make(map[string]account.Code)
		}
		q.challenge.Codes[r.Factor] = code
		q.factor.CurrentChallenge = q.challenge.ID

		out := store.SendResult{Send: true, Sealed: code.Sealed, N: len(code.Sends)}
		out.NotBefore, _ = nextSend(code.Sends, r.Waits)
		return out, q.save(t)
	})
}

// RecordSend implements store.Challenges.
func (s *Store) RecordSend(ctx context.Context, challenge, factor string, n int, status account.SendStatus) error {
	if err := checkStatus(status); err != nil {
		return err
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		c, err := get(t.tx, challenges, []byte(challenge))
		if err != nil || c == nil {
			return struct{}{}, err
		}
		code, ok := c.Codes[factor]
		if !ok || n < len(code.Sends) {
			return struct{}{}, nil
		}
		if n > len(code.Sends) {
			return struct{}{}, fmt.Errorf("sending %d was never asked for: there were %d", n, len(code.Sends))
		}
		code.Status = status
		c.Codes[factor] = code
		return struct{}{}, put(t, challenges, []byte(challenge), c)
	})
	return err
}
