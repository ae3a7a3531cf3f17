package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// sightings are what `mode observe` has seen.
var sightings = &kind[store.Seen]{
	bucket: "seen", tag: 'o',
	meaning:  "it counts as not seen, and is noted anew",
	deadline: func(s *store.Seen) time.Time { return s.Last.Add(store.SeenFor) },
	check: func(key []byte, s *store.Seen) error {
		if string(seenKey(s.Instance, s.Kind, s.Key)) != string(key) {
			return errOtherKey
		}
		return nil
	},
}

func seenKey(instance string, kind store.SeenKind, key string) []byte {
	return []byte(instance + "\x00" + string(kind) + "\x00" + key)
}

func checkSeen(s *store.Seen) error {
	if err := checkName("the instance of what was seen", s.Instance); err != nil {
		return err
	}
	switch {
	case s.Kind.Max() == 0:
		return fmt.Errorf("%.20q is no kind of what was seen", s.Kind)
	case s.Key == "" || len(s.Key) > store.MaxSeenKey:
		return fmt.Errorf("the key of what was seen has %d bytes: 1 to %d are stored", len(s.Key), store.MaxSeenKey)
	case len(s.Detail) > store.MaxSeenDetail:
		return fmt.Errorf("the detail of what was seen has %d bytes: at most %d are stored", len(s.Detail), store.MaxSeenDetail)
	case !utf8.ValidString(s.Key) || !utf8.ValidString(s.Detail):
		return errors.New("what was seen is no UTF-8")
	case s.Count < 0 || s.Last.IsZero() || s.Last.Before(s.First):
		return errors.New("what was seen has no count, or no time")
	}
	return nil
}

// NoteSeen implements store.Observations.
func (s *Store) NoteSeen(ctx context.Context, seen []store.Seen) ([]store.SeenKind, error) {
	for i := range seen {
		if err := checkSeen(&seen[i]); err != nil {
			return nil, err
		}
	}
	return decide(ctx, s, func(t *txn) ([]store.SeenKind, error) { return noteSeen(t, seen) })
}

func noteSeen(t *txn, seen []store.Seen) (full []store.SeenKind, err error) {
	counts := make(map[string]int)
	told := make(map[store.SeenKind]bool)
	for _, again := range seen {
		key := seenKey(again.Instance, again.Kind, again.Key)
		old, err := get(t.tx, sightings, key)
		if isGarbage(err) {
			t.store.complain(err)
			if err := t.erase(sightings.bucket, key); err != nil {
				return nil, err
			}
		} else if err != nil {
			return nil, err
		}
		if old != nil {
			merged := *old
			merged.Merge(again)
			if err := put(t, sightings, key, &merged); err != nil {
				return nil, err
			}
			continue
		}
		prefix := string(seenKey(again.Instance, again.Kind, ""))
		if _, ok := counts[prefix]; !ok {
			counts[prefix] = countSeen(t.tx, []byte(prefix))
		}
		if counts[prefix] >= again.Kind.Max() {
			if !told[again.Kind] {
				told[again.Kind] = true
				full = append(full, again.Kind)
			}
			continue
		}
		counts[prefix]++
		if err := put(t, sightings, key, &again); err != nil {
			return nil, err
		}
	}
	return full, nil
}

func countSeen(tx *bbolt.Tx, prefix []byte) int {
	n := 0
	c := tx.Bucket([]byte(sightings.bucket)).Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		n++
	}
	return n
}

// ListSeen implements store.Observations.
func (s *Store) ListSeen(ctx context.Context, instance string, now time.Time) ([]store.Seen, error) {
	var prefix []byte
	if instance != "" {
		prefix = accountKey(instance, "")
	}
	var list []store.Seen
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		list = nil
		c := tx.Bucket([]byte(sightings.bucket)).Cursor()
		for k, raw := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, raw = c.Next() {
			v, err := sightings.decode(k, raw)
			if err != nil {
				s.complain(err)
				continue
			}
			if now.Before(sightings.deadline(v)) {
				list = append(list, *v)
			}
		}
		return nil
	})
	return list, err
}
