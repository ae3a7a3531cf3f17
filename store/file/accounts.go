package file

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

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
		for i := range list {
			if err := t.isAsRead(&list[i]); err != nil {
				return struct{}{}, err
			}
		}
		_, err := putAccounts(t, list, claims, keepKnown)
		return struct{}{}, err
	})
	return err
}

// isAsRead returns ErrChanged if an account is not the one any more that the one in
// its place was made of.
func (t *txn) isAsRead(a *account.Account) error {
	if a.Was == nil {
		return nil
	}
	now, err := get(t.tx, accounts, accountKey(a.Instance, a.ID))
	if err != nil {
		return err
	}
	changed := fmt.Errorf("%q: %w", a.ID, store.ErrChanged)
	switch {
	case now == nil && a.Was.ID == "":
		return nil
	case now == nil, a.Was.ID == "":
		return changed
	}
	was, err := cloneAccount(a.Was)
	if err != nil {
		return err
	}
	keepKnown(now, was)
	before, err := json.Marshal(was)
	if err != nil {
		return err
	}
	there, err := json.Marshal(now)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, there) {
		return changed
	}
	return nil
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
	recovery := 0
	for i := range a.Factors {
		f := &a.Factors[i]
		if f.ID == "" || ids[f.ID] {
			return fmt.Errorf("the factors of %q have no ids of their own", a.ID)
		}
		ids[f.ID] = true
		if f.Kind != account.KindRecovery {
			continue
		}
		if r := f.Recovery; r == nil || len(r.Salt) == 0 || len(r.Salt) > account.MaxSalt {
			return fmt.Errorf("the recovery codes of %q have no salt of 1 to %d bytes", a.ID, account.MaxSalt)
		}
		if recovery++; recovery > 1 {
			return fmt.Errorf("%q has several sets of recovery codes: there is one at most", a.ID)
		}
	}
	return nil
}

// putAccounts looks at everything before it writes anything. Keep brings what
// the store knows of an account into that which replaces it. It returns how many
// devices were forgotten.
func putAccounts(t *txn, list []account.Account, claims map[string]claim, keep func(old, a *account.Account)) (forgotten int, err error) {
	replaced := make(map[string]*account.Account, len(list))
	for i := range list {
		key := accountKey(list[i].Instance, list[i].ID)
		old, err := get(t.tx, accounts, key)
		if err != nil {
			return 0, err
		}
		replaced[string(key)] = old
	}
	for key, c := range claims {
		owner, err := get(t.tx, names, []byte(key))
		if err != nil {
			return 0, err
		}
		if owner == nil || owner.Account == c.id {
			continue
		}
		// The owner gives it up if the list replaces the owner: did it keep
		// the name, the list would claim it twice.
		if _, ok := replaced[string(accountKey(c.instance, owner.Account))]; !ok {
			return 0, fmt.Errorf("%q is a name of %q: %w", c.name, owner.Account, store.ErrConflict)
		}
	}

	for _, old := range replaced {
		if old == nil {
			continue
		}
		for _, name := range append([]string{old.ID}, old.Aliases...) {
			if err := t.erase(names.bucket, accountKey(old.Instance, name)); err != nil {
				return 0, err
			}
		}
	}
	for i := range list {
		a := list[i]
		key := accountKey(a.Instance, a.ID)
		if old := replaced[string(key)]; old != nil {
			if !account.SameFactors(old.Factors, a.Factors) {
				n, err := t.forgetDevices(a.Instance, a.ID)
				if err != nil {
					return 0, err
				}
				forgotten += n
			}
			keep(old, &a)
		}
		if err := put(t, accounts, key, &a); err != nil {
			return 0, err
		}
	}
	for key, c := range claims {
		if err := put(t, names, []byte(key), &nameOf{c.id}); err != nil {
			return 0, err
		}
	}
	return forgotten, nil
}

// keepKnown brings what the store knows of an account into one that replaces it:
// whoever replaces an account has read it some time before.
func keepKnown(old, a *account.Account) {
	keepSpent(old, a)
	a.Texts, a.Invitation, a.MailCode = old.Texts, old.Invitation, old.MailCode
	for i := range a.Factors {
		if was, ok := old.Factor(a.Factors[i].ID); ok {
			f := &a.Factors[i]
			f.Failures, f.PausedUntil, f.CurrentChallenge = was.Failures, was.PausedUntil, was.CurrentChallenge
		}
	}
}

// keepSpent brings what was spent into an account that replaces another. The
// list of factors that was there is left as it was.
func keepSpent(old, a *account.Account) {
	a.Factors = slices.Clone(a.Factors)
	for i := range a.Factors {
		f := &a.Factors[i]
		was, ok := old.Factor(f.ID)
		if !ok {
			continue
		}
		f.LastStep = max(f.LastStep, was.LastStep)
		if was.Used.After(f.Used) {
			f.Used = was.Used
		}
		if f.Recovery == nil || was.Recovery == nil || !bytes.Equal(f.Recovery.Salt, was.Recovery.Salt) {
			continue
		}
		left := *f.Recovery
		left.Hashes = slices.DeleteFunc(slices.Clone(left.Hashes), func(h account.TokenHash) bool {
			return !slices.Contains(was.Recovery.Hashes, h)
		})
		f.Recovery = &left
	}
}
