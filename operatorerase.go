package twofactor

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// erased says what was erased of a user, and what could not be.
type erased struct {
	acted
	// Left is where something of the user may still be.
	Left []string `json:"left"`
}

// erasedNot are the places that erasing does not reach.
var erasedNot = []string{
	"the audit log: its lines go when they are as old as the config says, and say who was erased",
	"backups of the store and of the audit log",
	"failed passwords of the last hour: an address and a keyed hash of the name",
	"mails and texts that were sent, Caddy's access log, and the app itself",
}

// erase removes all that the store knows of a user (rule 30).
func (o *operator) erase(ctx context.Context, q actOn) (*erased, error) {
	acc, err := o.find(ctx, q.User)
	if isStranger(err) {
		return nil, &strangersError{fmt.Errorf("%w; of a user who was only seen, without an account, add one (caddy two-factor accounts add) and erase that", err)}
	}
	if err != nil {
		return nil, err
	}
	if o.seen != nil {
		o.seen()
	}
	sessions, err := o.sessionsOf(ctx, acc)
	if err != nil {
		return nil, err
	}
	gone, err := o.parts.Store.Devices(ctx, o.instance, acc.ID, o.now)
	if err != nil {
		return nil, fmt.Errorf("looking for the browsers of %s: %w", clip(acc.Name), err)
	}
	if err := o.disown(ctx, acc); err != nil {
		return nil, fmt.Errorf("nothing was erased: %w", err)
	}
	if _, err := o.endAliases(ctx, acc); err != nil {
		return nil, fmt.Errorf("nothing was erased: %w", err)
	}
	if err := o.parts.Store.EraseAccount(ctx, o.instance, acc.ID); err != nil {
		return nil, fmt.Errorf("erasing %s: %w", clip(acc.Name), err)
	}
	events := append([]handler.Event{o.event(acc, handler.UserDeleted, handler.ByOperator, o.by)}, o.endEvents(acc, len(sessions), gone)...)
	o.record(ctx, acc, handler.ActErased, "", events...)
	r := &erased{acted: *o.did(acc, "erased"), Left: erasedNot}
	r.Ended, r.Forgotten = len(sessions), len(gone)
	return r, nil
}

// disown makes demands that an owner of a team has made the operator's, so that
// they do not name who is erased.
func (o *operator) disown(ctx context.Context, acc account.Account) error {
	if !acc.Owner {
		return nil
	}
	err := o.parts.Store.ChangeDemands(ctx, o.instance, func(all *account.Demands) error {
		for name, d := range all.Teams {
			if d.By == acc.ID {
				d.By = account.ByOperator
				all.Teams[name] = d
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("changing the demands of instance %s: %w", o.instance, err)
	}
	for a, err := range o.parts.Store.ListAccounts(ctx, o.instance) {
		if err != nil || a.Demand == nil || a.Demand.By != acc.ID {
			continue // One that cannot be read names nobody who could be found.
		}
		_, err := o.changeOf(ctx, a, store.Change{Edit: func(a *account.Account) error {
			if a.Demand != nil && a.Demand.By == acc.ID {
				a.Demand.By = account.ByOperator
			}
			return nil
		}})
		if err != nil && !isStranger(err) {
			return err
		}
	}
	return nil
}

// write writes lines for people.
func (r *erased) write(w io.Writer) error {
	if err := r.acted.write(w); err != nil {
		return err
	}
	_, err := io.WriteString(w, "What cannot be erased from here:\n  - "+strings.Join(r.Left, "\n  - ")+"\n")
	return err
}
