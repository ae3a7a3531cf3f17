package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// listPage is how many accounts one transaction of a list reads: a reader that
// takes its time must not hold the writer up.
const listPage = 64

// Account implements store.Accounts.
func (s *Store) Account(ctx context.Context, instance, folded string) (account.Account, error) {
	var out account.Account
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		key := accountKey(instance, folded)
		n, err := get(tx, names, key)
		if err != nil {
			return err
		}
		if n == nil {
			return store.ErrNotFound
		}
		a, err := get(tx, accounts, accountKey(instance, n.Account))
		if err != nil {
			return err
		}
		if a == nil {
			return names.garbage(key, errors.New("it names an account that is not there"))
		}
		out = *a
		return nil
	})
	return out, err
}

// ListAccounts implements store.Accounts. It sees each page of the list as it
// is when the page is read.
func (s *Store) ListAccounts(ctx context.Context, instance string) iter.Seq2[account.Account, error] {
	return func(yield func(account.Account, error) bool) {
		var after []byte
		for {
			page, last, err := s.accountsAfter(ctx, instance, after)
			if err != nil {
				yield(account.Account{}, err)
				return
			}
			for _, p := range page {
				s.complain(p.err)
				if !yield(p.account, p.err) {
					return
				}
			}
			if len(page) < listPage {
				return
			}
			after = last
		}
	}
}

type listed struct {
	account account.Account
	err     error
}

// accountsAfter reads a page of the list, after a key, and its last key.
func (s *Store) accountsAfter(ctx context.Context, instance string, after []byte) (page []listed, last []byte, err error) {
	var prefix []byte
	if instance != "" {
		prefix = accountKey(instance, "")
	}
	from := prefix
	if after != nil {
		from = append(append([]byte(nil), after...), 0)
	}
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		page, last = nil, nil
		c := tx.Bucket([]byte(accounts.bucket)).Cursor()
		for k, raw := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix) && len(page) < listPage; k, raw = c.Next() {
			last = append(last[:0], k...)
			a, err := accounts.decode(k, raw)
			if err != nil {
				page = append(page, listed{err: err})
				continue
			}
			page = append(page, listed{account: *a})
		}
		return nil
	})
	return page, last, err
}

// PutAccounts implements store.Accounts.
func (s *Store) PutAccounts(ctx context.Context, list []account.Account) error {
	claims, err := claimNames(list)
	if err != nil {
		return err
	}
	_, err = decide(ctx, s, func(t *txn) (struct{}, error) {
		return struct{}{}, putAccounts(t, list, claims)
	})
	return err
}

// claim is a name or alias with the account that wants it.
type claim struct {
	instance, name, id string
}

// claimNames returns the names that the accounts of a list want, by their key.
func claimNames(list []account.Account) (map[string]claim, error) {
	claims := make(map[string]claim)
	seen := make(map[string]bool)
	for i := range list {
		a := &list[i]
		if err := checkAccount(a); err != nil {
			return nil, err
		}
		if key := string(accountKey(a.Instance, a.ID)); seen[key] {
			return nil, fmt.Errorf("%q stands twice in the list: %w", a.ID, store.ErrConflict)
		} else {
			seen[key] = true
		}
		for _, name := range append([]string{a.ID}, a.Aliases...) {
			key := string(accountKey(a.Instance, name))
			if c, ok := claims[key]; ok && c.id != a.ID {
				return nil, fmt.Errorf("%q is a name of %q and of %q: %w", name, c.id, a.ID, store.ErrConflict)
			}
			claims[key] = claim{a.Instance, name, a.ID}
		}
	}
	return claims, nil
}

func checkAccount(a *account.Account) error {
	if err := checkName("an account's instance", a.Instance); err != nil {
		return err
	}
	if err := checkName("an account's id", a.ID); err != nil {
		return err
	}
	for _, alias := range a.Aliases {
		if err := checkName(fmt.Sprintf("an alias of %q", a.ID), alias); err != nil {
			return err
		}
	}
	ids := make(map[string]bool, len(a.Factors))
	for i := range a.Factors {
		id := a.Factors[i].ID
		if id == "" || ids[id] {
			return fmt.Errorf("the factors of %q have no ids of their own", a.ID)
		}
		ids[id] = true
	}
	return nil
}

// putAccounts looks at everything before it writes anything.
func putAccounts(t *txn, list []account.Account, claims map[string]claim) error {
	replaced := make(map[string]*account.Account, len(list))
	for i := range list {
		key := accountKey(list[i].Instance, list[i].ID)
		old, err := get(t.tx, accounts, key)
		if err != nil {
			return err
		}
		replaced[string(key)] = old
	}
	for key, c := range claims {
		owner, err := get(t.tx, names, []byte(key))
		if err != nil {
			return err
		}
		if owner == nil || owner.Account == c.id {
			continue
		}
		// The owner gives it up if the list replaces the owner: did it keep
		// the name, the list would claim it twice.
		if _, ok := replaced[string(accountKey(c.instance, owner.Account))]; !ok {
			return fmt.Errorf("%q is a name of %q: %w", c.name, owner.Account, store.ErrConflict)
		}
	}

	for _, old := range replaced {
		if old == nil {
			continue
		}
		for _, name := range append([]string{old.ID}, old.Aliases...) {
			if err := t.erase(names.bucket, accountKey(old.Instance, name)); err != nil {
				return err
			}
		}
	}
	for i := range list {
		a := list[i]
		key := accountKey(a.Instance, a.ID)
		if old := replaced[string(key)]; old != nil {
			if !account.SameFactors(old.Factors, a.Factors) {
				if _, err := t.forgetDevices(a.Instance, a.ID); err != nil {
					return err
				}
			}
			a.Factors = keepSpent(old, a.Factors)
		}
		if err := put(t, accounts, key, &a); err != nil {
			return err
		}
	}
	for key, c := range claims {
		if err := put(t, names, []byte(key), &nameOf{c.id}); err != nil {
			return err
		}
	}
	return nil
}

// keepSpent returns the factors with what the store knows of those it has
// already: whoever replaces an account has read it some time before.
func keepSpent(old *account.Account, factors []account.Factor) []account.Factor {
	kept := append([]account.Factor(nil), factors...)
	for i := range kept {
		f := &kept[i]
		was, ok := old.Factor(f.ID)
		if !ok {
			continue
		}
		f.LastStep = max(f.LastStep, was.LastStep)
		f.Failures = was.Failures
		f.PausedUntil = was.PausedUntil
		f.CurrentChallenge = was.CurrentChallenge
	}
	return kept
}
