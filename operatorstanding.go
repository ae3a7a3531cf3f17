package twofactor

import (
	"context"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// maxExemption is how long an exemption may be.
const maxExemption = 366 * 24 * time.Hour

// allowOffRequest lets a user switch the second factor off, or no longer.
type allowOffRequest struct {
	User string `json:"user"`
	No   bool   `json:"no,omitempty"`
}

func (o *operator) allowOff(ctx context.Context, q allowOffRequest) (*acted, error) {
	done, err := o.change(ctx, q.User, store.Change{Edit: func(a *account.Account) error {
		a.AllowOff = !q.No
		return nil
	}})
	if err != nil {
		return nil, err
	}
	if q.No {
		o.record(ctx, done.Account, handler.ActOffForbidden, "")
		return o.did(done.Account, "may not switch the second factor off against the config and the demands any more"), nil
	}
	o.record(ctx, done.Account, handler.ActOffAllowed, "")
	return o.did(done.Account, "may switch the second factor off, with a fresh code, whatever is demanded"), nil
}

// exemptRequest lets a user in without a second factor until a time, or ends that.
type exemptRequest struct {
	User  string    `json:"user"`
	Until time.Time `json:"until,omitzero"`
	Why   string    `json:"why,omitempty"`
	End   bool      `json:"end,omitempty"`
}

func (o *operator) exempt(ctx context.Context, q exemptRequest) (*acted, error) {
	if q.End {
		return o.endExemption(ctx, q)
	}
	switch {
	case q.Until.IsZero():
		return nil, inputErrorf("--until: an end is required, such as 2026-12-24")
	case !q.Until.After(o.now):
		return nil, inputErrorf("--until: %s is over", q.Until.UTC().Format(time.RFC3339))
	case q.Until.After(o.now.Add(maxExemption)):
		return nil, inputErrorf("--until: an exemption is for at most 366 days; make a new one when it ends")
	}
	if err := reason(q.Why); err != nil {
		return nil, err
	}
	done, err := o.change(ctx, q.User, store.Change{Edit: func(a *account.Account) error {
		a.Exempt = &account.Exemption{Until: q.Until, Why: q.Why, At: o.now}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	end := "until " + q.Until.UTC().Format(time.RFC3339)
	o.record(ctx, done.Account, handler.ActExempted, end+": "+q.Why)
	return o.did(done.Account, "let in without a second factor "+end+"; a step-up asks nevertheless"), nil
}

func (o *operator) endExemption(ctx context.Context, q exemptRequest) (*acted, error) {
	if !q.Until.IsZero() || q.Why != "" {
		return nil, inputErrorf("--end goes with neither --until nor --why")
	}
	was := false
	done, err := o.change(ctx, q.User, store.Change{Edit: func(a *account.Account) error {
		was = a.ExemptAt(o.now)
		a.Exempt = nil
		return nil
	}})
	if err != nil {
		return nil, err
	}
	o.record(ctx, done.Account, handler.ActExemptionEnded, "")
	if !was {
		return o.did(done.Account, "there was no exemption"), nil
	}
	return o.did(done.Account, "exempted no longer"), nil
}

// suspendRequest keeps a user out.
type suspendRequest struct {
	User string `json:"user"`
	Why  string `json:"why"`
}

func (o *operator) suspend(ctx context.Context, q suspendRequest) (*acted, error) {
	if err := reason(q.Why); err != nil {
		return nil, err
	}
	cut, err := o.cut(ctx, q.User, store.Change{Edit: func(a *account.Account) error {
		a.Suspended = &account.Suspension{Why: q.Why, At: o.now}
		return nil
	}})
	return o.didCut(ctx, handler.ActSuspended, q.Why, "suspended, until caddy two-factor activate", cut, err)
}

func (o *operator) activate(ctx context.Context, q actOn) (*acted, error) {
	suspended, alarmed := false, false
	done, err := o.change(ctx, q.User, store.Change{Edit: func(a *account.Account) error {
		suspended, alarmed = a.Suspended != nil, !a.Alarm.IsZero()
		a.Suspended, a.Alarm, a.Activated = nil, time.Time{}, o.now
		return nil
	}})
	if err != nil {
		return nil, err
	}
	words := "was neither suspended nor under alarm"
	switch {
	case suspended && alarmed:
		words = "suspended no longer, and the alarm is over"
	case suspended:
		words = "suspended no longer"
	case alarmed:
		words = "the alarm is over"
	}
	o.record(ctx, done.Account, handler.ActActivated, words)
	return o.did(done.Account, words), nil
}
