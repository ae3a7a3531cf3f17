package file

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// sweepBatch is how many records one transaction removes or writes at most, so
// that no call waits long for the sweeper.
const sweepBatch = 256

// sweepAndFlush is the goroutine that removes expired records and writes the
// times at which sessions were last seen.
func (s *Store) sweepAndFlush(every time.Duration) {
	defer close(s.sweeperDone)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.stopSweeper:
			cancel()
		case <-ctx.Done():
		}
	}()

	sweep := time.NewTicker(every)
	defer sweep.Stop()
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	for {
		var err error
		select {
		case <-s.stopSweeper:
			return
		case <-sweep.C:
			err = s.sweep(ctx)
		case <-flush.C:
			err = s.flush(ctx)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			s.log("the store's file could not be swept", "error", err)
		}
	}
}

// sweep removes what has expired by the clock.
func (s *Store) sweep(ctx context.Context) error {
	for {
		n, err := decide(ctx, s, func(t *txn) (int, error) { return s.sweepSome(t, s.now()) })
		if err != nil || n < sweepBatch {
			return err
		}
	}
}

// sweepSome looks at the first entries of the expiry index that are due and
// returns how many there were.
func (s *Store) sweepSome(t *txn, now time.Time) (int, error) {
	due := s.due(t, now)
	for _, entry := range due {
		if err := t.erase(bucketExpiry, entry); err != nil {
			return 0, err
		}
		_, tag, key, ok := splitExpiryKey(entry)
		if !ok {
			continue
		}
		if err := s.sweepRecord(t, tag, key, now); err != nil {
			return 0, err
		}
	}
	return len(due), nil
}

func (s *Store) due(t *txn, now time.Time) [][]byte {
	var due [][]byte
	limit := uint64(max(now.Unix(), 0))
	c := t.tx.Bucket([]byte(bucketExpiry)).Cursor()
	for k, _ := c.First(); k != nil && len(due) < sweepBatch; k, _ = c.Next() {
		if len(k) >= 8 && binary.BigEndian.Uint64(k) > limit {
			break
		}
		due = append(due, append([]byte(nil), k...))
	}
	return due
}

func (s *Store) sweepRecord(t *txn, tag byte, key []byte, now time.Time) error {
	switch tag {
	case locks.tag:
		return s.sweepLock(t, key, now)
	case sessions.tag:
		return s.sweepSession(t, key, now)
	case challenges.tag:
		return sweepKind(t, challenges, key, now)
	case holds.tag:
		return sweepKind(t, holds, key, now)
	case values.tag:
		return sweepKind(t, values, key, now)
	case sightings.tag:
		return sweepKind(t, sightings, key, now)
	case devices.tag:
		return sweepKind(t, devices, key, now)
	case enrolments.tag:
		return sweepEnrolment(t, key, now)
	case notices.tag:
		return sweepNotice(t, key, now)
	}
	return nil
}

// sweepLock removes a lock that has ended. One that cannot be read stays: its
// absence would open the line.
func (s *Store) sweepLock(t *txn, key []byte, now time.Time) error {
	l, err := get(t.tx, locks, key)
	switch {
	case err != nil:
		s.complain(err)
		return nil
	case l == nil:
		return nil
	case now.Before(l.Until):
		return t.write(bucketExpiry, locks.expiryKey(key, l), []byte{})
	}
	return t.removeLock(key)
}

// sweepSession removes a session that is no longer alive. What is in memory
// says when it was last seen; if it goes on, that is written.
func (s *Store) sweepSession(t *txn, key []byte, now time.Time) error {
	var id account.SessionID
	if len(key) != len(id) {
		return nil
	}
	copy(id[:], key)
	if v, ok := t.session(id); ok && v.Alive(now) {
		if err := t.write(bucketExpiry, sessions.expiryKey(key, v), []byte{}); err != nil {
			return err
		}
		return t.putSession(v)
	}
	return t.removeSession(id)
}

// sweepKind removes a record that has expired, also one that cannot be read:
// its entry was made from one that could be, and says that its time is over.
func sweepKind[T any](t *txn, k *kind[T], key []byte, now time.Time) error {
	v, err := get(t.tx, k, key)
	if err == nil && v != nil && now.Before(k.deadline(v)) {
		return t.write(bucketExpiry, k.expiryKey(key, v), []byte{})
	}
	return remove(t, k, key)
}

// flush writes the times at which sessions were last seen.
func (s *Store) flush(ctx context.Context) error {
	ids := s.table.takeDirty()
	for len(ids) > 0 {
		some := ids[:min(sweepBatch, len(ids))]
		_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
			for _, id := range some {
				v, ok := t.session(id)
				if !ok {
					continue
				}
				if err := t.putSession(v); err != nil {
					return struct{}{}, err
				}
			}
			return struct{}{}, nil
		})
		if err != nil {
			s.table.markDirty(ids)
			return err
		}
		ids = ids[len(some):]
	}
	return nil
}
