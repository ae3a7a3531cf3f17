package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// histories are what accounts are used to, by the key of the account.
var histories = &rawKind{
	bucket: "histories", max: account.MaxHistory,
	meaning: "nothing is known of what the account is used to: its user is asked as a new one is, and it is learnt anew",
}

// agePage is how many histories one transaction reads, and changes, when they
// are aged.
const agePage = 64

// historyKey is accountKey, for a name that is checked.
func historyKey(instance, acc string) ([]byte, error) {
	if err := checkName("a history's instance", instance); err != nil {
		return nil, err
	}
	if err := checkName("a history's account", acc); err != nil {
		return nil, err
	}
	return accountKey(instance, acc), nil
}

// history reads a history, nil if there is none or it cannot be read. It shares
// the memory of the transaction.
func (s *Store) history(tx *bbolt.Tx, key []byte) []byte {
	raw := tx.Bucket([]byte(histories.bucket)).Get(key)
	if raw == nil {
		return nil
	}
	text, err := histories.decode(key, raw)
	s.complain(err)
	return text
}

// History implements store.Histories.
func (s *Store) History(ctx context.Context, instance, acc string) ([]byte, error) {
	key, err := historyKey(instance, acc)
	if err != nil {
		return nil, err
	}
	var out []byte
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		out = bytes.Clone(s.history(tx, key))
		return nil
	})
	return out, err
}

// LearnHistory implements store.Histories.
func (s *Store) LearnHistory(ctx context.Context, instance, acc string, learn store.Learn) error {
	if _, err := historyKey(instance, acc); err != nil {
		return err
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) { return struct{}{}, t.learn(instance, acc, learn) })
	return err
}

// learn changes the history of an account; a nil function leaves it.
func (t *txn) learn(instance, acc string, fn store.Learn) error {
	if fn == nil {
		return nil
	}
	key, err := historyKey(instance, acc)
	if err != nil {
		return err
	}
	_, err = t.changeHistory(key, fn)
	return err
}

// changeHistory reports whether the function has changed the history.
func (t *txn) changeHistory(key []byte, fn func([]byte) []byte) (bool, error) {
	old := t.store.history(t.tx, key)
	next, err := learnt(fn, old)
	if err != nil {
		return false, err
	}
	switch {
	case len(next) > 0 && bytes.Equal(old, next):
		return false, nil
	case len(next) > 0:
		raw, err := histories.encode(key, next)
		if err != nil {
			return false, err
		}
		return true, t.write(histories.bucket, key, raw)
	case t.tx.Bucket([]byte(histories.bucket)).Get(key) == nil:
		return false, nil
	}
	// One that cannot be read goes too.
	return true, t.erase(histories.bucket, key)
}

// learnt asks the function, which gets bytes of its own: those of the file
// cannot be written to.
func learnt(fn func([]byte) []byte, old []byte) (next []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("learn what an account is used to: %v", p)
		}
	}()
	return fn(bytes.Clone(old)), nil
}

// AgeHistories implements store.Histories. It looks for what has to change
// without the writer, which ages only that, as it is by then.
func (s *Store) AgeHistories(ctx context.Context, age func(old []byte) []byte) (int, error) {
	if age == nil {
		return 0, errors.New("histories are not aged without a function")
	}
	total := 0
	for after := []byte(nil); ; {
		page, last, err := s.aging(ctx, age, after)
		if err != nil {
			return total, err
		}
		n, err := s.ageSome(ctx, age, page)
		total += n
		if err != nil || last == nil {
			return total, err
		}
		after = last
	}
}

// aging returns, of a page of the histories after a key, the keys of those that
// the function changes, and the page's last key; nil if it was the last page.
func (s *Store) aging(ctx context.Context, age func([]byte) []byte, after []byte) (keys [][]byte, last []byte, err error) {
	type entry struct {
		key, text []byte
	}
	var page []entry
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		page = nil
		c := tx.Bucket([]byte(histories.bucket)).Cursor()
		k, raw := c.Seek(after)
		if k != nil && bytes.Equal(k, after) {
			k, raw = c.Next()
		}
		for ; k != nil && len(page) < agePage; k, raw = c.Next() {
			text, err := histories.decode(k, raw)
			s.complain(err)
			page = append(page, entry{bytes.Clone(k), bytes.Clone(text)})
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, e := range page {
		next, err := learnt(age, e.text)
		if err != nil {
			return nil, nil, err
		}
		if len(next) == 0 || !bytes.Equal(e.text, next) {
			keys = append(keys, e.key)
		}
	}
	if len(page) == agePage {
		last = page[agePage-1].key
	}
	return keys, last, nil
}

// ageSome ages some histories in one step, and returns how many it has changed.
func (s *Store) ageSome(ctx context.Context, age func([]byte) []byte, keys [][]byte) (int, error) {
	if len(keys) == 0 {
		return 0, nil
	}
	return decide(ctx, s, func(t *txn) (int, error) {
		n := 0
		for _, key := range keys {
			changed, err := t.changeHistory(key, age)
			if err != nil {
				return 0, err
			}
			if changed {
				n++
			}
		}
		return n, nil
	})
}
