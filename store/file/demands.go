package file

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// demandsOf are the demands of an instance.
type demandsOf struct {
	Instance string `json:"instance"`
	account.Demands
}

// demands are kept by the name of their instance. What cannot be read is an
// error: its absence would let users in without a second factor.
var demands = &kind[demandsOf]{
	bucket:  "demands",
	meaning: "it is not known of whom a second factor is demanded, and nobody can log in: stop the gateway, move the store's file away and put a backup in its place",
	check: func(key []byte, d *demandsOf) error {
		if d.Instance != string(key) {
			return errOtherKey
		}
		return nil
	},
}

// Demands implements store.Changes.
func (s *Store) Demands(ctx context.Context, instance string) (account.Demands, error) {
	if err := checkName("the instance of demands", instance); err != nil {
		return account.Demands{}, err
	}
	var out account.Demands
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		out = account.Demands{}
		d, err := get(tx, demands, []byte(instance))
		if d != nil {
			out = d.Demands
		}
		return err
	})
	return out, err
}

// ChangeDemands implements store.Changes.
func (s *Store) ChangeDemands(ctx context.Context, instance string, edit func(*account.Demands) error) error {
	if err := checkName("the instance of demands", instance); err != nil {
		return err
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		d, err := get(t.tx, demands, []byte(instance))
		if err != nil {
			return struct{}{}, err
		}
		if d == nil {
			d = &demandsOf{Instance: instance}
		}
		if d.Groups == nil {
			d.Groups = make(map[string]account.Demand)
		}
		if d.Teams == nil {
			d.Teams = make(map[string]account.Demand)
		}
		if err := edit(&d.Demands); err != nil {
			return struct{}{}, err
		}
		if err := checkDemands(&d.Demands); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, put(t, demands, []byte(instance), d)
	})
	return err
}

func checkDemands(d *account.Demands) error {
	for what, of := range map[string]map[string]account.Demand{"a group": d.Groups, "a team": d.Teams} {
		for name := range of {
			if err := checkName(what, name); err != nil {
				return err
			}
		}
	}
	return nil
}
