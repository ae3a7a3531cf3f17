package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// bucketDue holds, in the order of their Due, the ids of all notices; see dueKey.
const bucketDue = "due"

// maxSealed is the largest size of what a notice says, sealed, in bytes.
const maxSealed = 2 * account.MaxNotice

// notices are what users are to be told, by their ids.
var notices = &kind[account.Notice]{
	bucket: "notices", tag: 'n',
	absent: true, meaning: "the user is not told what it says: see the audit log for what has happened",
	deadline: func(n *account.Notice) time.Time { return n.Expires },
	check: func(key []byte, n *account.Notice) error {
		if n.ID != string(key) {
			return errOtherKey
		}
		return nil
	},
}

// checkNotices refuses notices that cannot be stored.
func checkNotices(list []account.Notice) error {
	for i := range list {
		n := &list[i]
		err := errors.Join(checkName("a notice's id", n.ID), checkName("a notice's instance", n.Instance), checkName("a notice's account", n.Account))
		switch {
		case err != nil:
			return err
		case n.Channel != account.ByMail && n.Channel != account.ByText:
			return fmt.Errorf("a notice does not go out by %.20q", n.Channel)
		case len(n.Sealed) == 0 || len(n.Sealed) > maxSealed:
			return fmt.Errorf("a notice has %d bytes: 1 to %d are stored", len(n.Sealed), maxSealed)
		case n.Tries != 0 || n.Created.IsZero() || n.Due.IsZero() || !n.Due.Before(n.Expires):
			return errors.New("a notice begins untried, with the time of its making, and due before it expires")
		}
	}
	return nil
}

// checkFailed refuses a notice of failed codes that is another one.
func checkFailed(a *store.Attempt) error {
	if a.Failed == nil {
		return nil
	}
	if a.Failed.ID != store.FailedNotice(a.Challenge) {
		return errors.New("a notice of failed codes has the id of its challenge")
	}
	return checkNotices([]account.Notice{*a.Failed})
}

// The length of a time in the bucket of what is due.
const dueTime = 8 + 4

// dueKey is a notice's entry in the bucket of what is due: its time, its id.
// What stands there, the times of its making and of its end, is for counting
// alone.
func dueKey(n *account.Notice) []byte { return append(appendTime(nil, n.Due), n.ID...) }

func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(max(t.Unix(), 0)))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func readTime(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}

// notice reads a notice; one that cannot be read is absent.
func (t *txn) notice(id []byte) (*account.Notice, error) {
	n, err := get(t.tx, notices, id)
	if isGarbage(err) {
		t.store.complain(err)
		return nil, nil
	}
	return n, err
}

// putNotices puts notices that are not there into the outbox.
func (t *txn) putNotices(list []account.Notice) error {
	for i := range list {
		there, err := t.notice([]byte(list[i].ID))
		if err != nil {
			return err
		}
		if there != nil {
			continue
		}
		if err := t.putNotice(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// putNotice writes a notice with its entry, which must not be there.
func (t *txn) putNotice(n *account.Notice) error {
	if err := put(t, notices, []byte(n.ID), n); err != nil {
		return err
	}
	return t.write(bucketDue, dueKey(n), appendTime(appendTime(nil, n.Created), n.Expires))
}

// removeNotice removes a notice and its entry. Of one that cannot be read the
// entry stays until it is due.
func (t *txn) removeNotice(id string) error {
	key := []byte(id)
	n, err := t.notice(key)
	if err != nil {
		return err
	}
	if n != nil {
		if err := t.erase(bucketDue, dueKey(n)); err != nil {
			return err
		}
	}
	return remove(t, notices, key)
}

// removeNotices removes the notices of an account.
func (t *txn) removeNotices(instance, acc string) error {
	var ids []string
	c := t.tx.Bucket([]byte(notices.bucket)).Cursor()
	for k, raw := c.First(); k != nil; k, raw = c.Next() {
		n, err := notices.decode(k, raw)
		t.store.complain(err)
		if err == nil && n.Instance == instance && n.Account == acc {
			ids = append(ids, n.ID)
		}
	}
	for _, id := range ids {
		if err := t.removeNotice(id); err != nil {
			return err
		}
	}
	return nil
}

// sweepNotice is sweepKind, and removes the notice's entry too.
func sweepNotice(t *txn, key []byte, now time.Time) error {
	n, err := t.notice(key)
	if err != nil {
		return err
	}
	if n != nil && !now.Before(n.Expires) {
		return t.removeNotice(n.ID)
	}
	return sweepKind(t, notices, key, now)
}

// PutNotices implements store.Outbox.
func (s *Store) PutNotices(ctx context.Context, list []account.Notice) error {
	if err := checkNotices(list); err != nil {
		return err
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) { return struct{}{}, t.putNotices(list) })
	return err
}

// TakeNotices implements store.Outbox. It reads no more than what is due.
func (s *Store) TakeNotices(ctx context.Context, max int, lease time.Duration, now time.Time) ([]account.Notice, error) {
	if max <= 0 || lease <= 0 {
		return nil, errors.New("some notices are taken, for some time")
	}
	for {
		var more bool
		list, err := decide(ctx, s, func(t *txn) (list []account.Notice, err error) {
			list, more, err = t.takeNotices(max, lease, now)
			return list, err
		})
		if err != nil || len(list) > 0 || !more {
			return list, err
		}
	}
}

// takeNotices also says whether there may be more after what had to be removed.
func (t *txn) takeNotices(max int, lease time.Duration, now time.Time) (list []account.Notice, more bool, err error) {
	due, more, err := t.dueNotices(max, now)
	if err != nil {
		return nil, false, err
	}
	for _, n := range due {
		if err := t.removeNotice(n.ID); err != nil {
			return nil, false, err
		}
		n.Tries++
		n.Due = now.Add(lease)
		list = append(list, *n)
		if n.Channel == account.ByText {
			continue
		}
		if err := t.putNotice(n); err != nil {
			return nil, false, err
		}
	}
	return list, more, nil
}

// dueNotices returns the notices that are due, the one due longest first.
// Entries that lead to none, and what has expired, it removes, a batch of them
// at most.
func (t *txn) dueNotices(max int, now time.Time) (list []*account.Notice, more bool, err error) {
	var (
		over []string
		dead [][]byte
	)
	c := t.tx.Bucket([]byte(bucketDue)).Cursor()
	for k, _ := c.First(); k != nil && len(list) < max && !more; k, _ = c.Next() {
		if len(k) >= dueTime && readTime(k).After(now) {
			break
		}
		n, err := t.notice(k[min(dueTime, len(k)):])
		switch {
		case err != nil:
			return nil, false, err
		case n == nil || !bytes.Equal(dueKey(n), k):
			dead = append(dead, bytes.Clone(k))
		case !now.Before(n.Expires):
			over = append(over, n.ID)
		default:
			list = append(list, n)
		}
		more = len(over)+len(dead) >= sweepBatch
	}
	for _, k := range dead {
		if err := t.erase(bucketDue, k); err != nil {
			return nil, false, err
		}
	}
	for _, id := range over {
		if err := t.removeNotice(id); err != nil {
			return nil, false, err
		}
	}
	return list, more, nil
}

// SettleNotice implements store.Outbox.
func (s *Store) SettleNotice(ctx context.Context, id string, again time.Time) error {
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		n, err := t.notice([]byte(id))
		if err != nil || n == nil {
			return struct{}{}, err
		}
		if err := t.removeNotice(id); err != nil || again.IsZero() {
			return struct{}{}, err
		}
		n.Due = again
		return struct{}{}, t.putNotice(n)
	})
	return err
}

// Waiting implements store.Outbox. It reads no notice.
func (s *Store) Waiting(ctx context.Context, now time.Time) (count int, oldest time.Time, err error) {
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		count, oldest = 0, time.Time{}
		return tx.Bucket([]byte(bucketDue)).ForEach(func(_, times []byte) error {
			if len(times) != 2*dueTime || !now.Before(readTime(times[dueTime:])) {
				return nil
			}
			count++
			if created := readTime(times); oldest.IsZero() || created.Before(oldest) {
				oldest = created
			}
			return nil
		})
	})
	return count, oldest, err
}
