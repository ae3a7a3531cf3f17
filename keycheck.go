package twofactor

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// purposeKeyCheck separates the check values from all that is sealed.
const purposeKeyCheck seal.Purpose = "key-check"

// keyCheck says which keys a store's data was ever sealed with, without telling
// anything of them: of each key that was the newest of a config a keyed hash of
// a fixed text.
type keyCheck struct {
	Keys []checkedKey `json:"keys"`
}

// checkedKey is one key of a keyCheck.
type checkedKey struct {
	// Name is what the operator called the key.
	Name string `json:"name"`
	// Check is the keyed hash, in hexadecimal.
	Check string `json:"check"`
}

// readKeyCheck returns the check that the guest keeps, empty if there is none.
func (s *shared) readKeyCheck(ctx context.Context) (keyCheck, error) {
	var c keyCheck
	data, err := s.guest.ReadKeyCheck(ctx)
	if err != nil {
		return c, fmt.Errorf("reading with which keys the store was used: %w", err)
	}
	if data == nil {
		return c, nil
	}
	if err := json.Unmarshal(data, &c); err != nil || len(c.Keys) == 0 {
		return c, fmt.Errorf("%s is damaged: put a backup of it in its place, or remove it if the keys of this config are those that the store was always used with", s.guest.KeyCheckPlace())
	}
	return c, nil
}

// missing returns the names of the keys that are not on the ring.
func (c keyCheck) missing(ring *seal.Ring) []string {
	var names []string
	have := checkValues(ring)
	for _, k := range c.Keys {
		if !slices.Contains(have, k.Check) {
			names = append(names, k.Name)
		}
	}
	return names
}

// withNewest returns the check with the ring's newest key in it, and whether it
// was not there before.
func (c keyCheck) withNewest(ring *seal.Ring) (keyCheck, bool) {
	newest := checkedKey{Name: ring.Names()[0], Check: checkValues(ring)[0]}
	for _, k := range c.Keys {
		if k.Check == newest.Check {
			return c, false
		}
	}
	return keyCheck{Keys: append(slices.Clone(c.Keys), newest)}, true
}

// checkValues returns the keyed hashes under the keys of the ring, the newest
// first.
func checkValues(ring *seal.Ring) []string {
	var values []string
	for _, mac := range ring.MACs(purposeKeyCheck, []byte("two_factor key check")) {
		values = append(values, hex.EncodeToString(mac[:]))
	}
	return values
}

// checkKeys refuses keys that cannot open what the store holds, and changes
// nothing then. Otherwise it notes the newest key, which is about to be used.
func (s *shared) checkKeys(ctx context.Context, check keyCheck, ring *seal.Ring, open store.Store) error {
	if names := check.missing(ring); len(names) > 0 {
		return s.wrongKeys(names)
	}
	if len(check.Keys) == 0 {
		// The list of keys may have been lost.
		a, f, err := firstWithFactor(ctx, open)
		if err != nil {
			return err
		}
		if a != nil {
			if err := opensFactor(a, f, ring); err != nil {
				return fmt.Errorf("the keys of this config (%s) are not those that the store's data was written with: put those back, behind the newest; nothing was changed: %w", s.keySource(), err)
			}
		}
	}
	check, changed := check.withNewest(ring)
	if !changed {
		return nil
	}
	if s.existing {
		return fmt.Errorf("the store was never used with the key %q: start Caddy with it first", ring.Names()[0])
	}
	data, err := json.MarshalIndent(check, "", "  ")
	if err != nil {
		return err
	}
	if err := s.guest.WriteKeyCheck(ctx, append(data, '\n')); err != nil {
		return fmt.Errorf("noting in %s which key the store is used with: %w", s.guest.KeyCheckPlace(), err)
	}
	return nil
}

// wrongKeys names the keys that are missing and what to do.
func (s *shared) wrongKeys(names []string) error {
	return fmt.Errorf("the store's data was written with the key %s, which this config does not have (%s): put it back, behind the newest; nothing was changed. To give up for good all that was sealed with it, remove its entry from %s",
		strings.Join(names, ", "), s.keySource(), s.guest.KeyCheckPlace())
}

// firstWithFactor returns the first account that has a factor with a secret, which
// recovery codes have not, and the factor; nil if there is none.
func firstWithFactor(ctx context.Context, open store.Store) (*account.Account, *account.Factor, error) {
	for a, err := range open.ListAccounts(ctx, "") {
		if err != nil {
			return nil, nil, fmt.Errorf("reading the accounts: %w", err)
		}
		for i := range a.Factors {
			if len(a.Factors[i].Secret) > 0 {
				return &a, &a.Factors[i], nil
			}
		}
	}
	return nil, nil, nil
}

func opensFactor(a *account.Account, f *account.Factor, ring *seal.Ring) error {
	_, err := challenge.OpenFactorSecret(sealer{ring}, a.Instance, a.ID, f.ID, f.Kind, f.Secret, time.Now())
	return err
}
