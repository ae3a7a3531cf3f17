package twofactor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// HistoryRules say how long it is kept what accounts are used to (rule 30).
type HistoryRules struct {
	// Shorten is after how long without use an address is shortened to its /24,
	// of IPv6 its /48, and the place of the last login forgotten. Default: 30
	// days.
	Shorten caddy.Duration `json:"shorten,omitempty"`
	// Forget is after how long without use an address, a network, a country, a
	// browser or a system is forgotten, and what is known of an account that was
	// not used at all. Default: 180 days.
	Forget caddy.Duration `json:"forget,omitempty"`
}

// ageEach is how often histories are aged beside the logins, each of which ages
// its own.
const ageEach = 6 * time.Hour

func (r *HistoryRules) check() error {
	if r == nil {
		return nil
	}
	if r.Shorten < 0 || r.Forget < 0 {
		return errors.New("history: a time must not be negative")
	}
	if p := r.retention(); p.Shorten > p.Forget {
		return fmt.Errorf("history: what is forgotten after %s cannot be shortened after %s: give both, shorten no longer than forget", inDays(p.Forget), inDays(p.Shorten))
	}
	return nil
}

// inDays writes a duration as operators do, in days if it is whole ones.
func inDays(d time.Duration) string {
	if day := 24 * time.Hour; d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

func (r *HistoryRules) retention() policy.Retention {
	p := policy.DefaultRetention
	if r != nil && r.Shorten > 0 {
		p.Shorten = time.Duration(r.Shorten)
	}
	if r != nil && r.Forget > 0 {
		p.Forget = time.Duration(r.Forget)
	}
	return p
}

// retention is how long the histories of this config are kept.
func (a *App) retention() policy.Retention { return a.History.retention() }

// ageHistories shortens and forgets what is old, of accounts too that nobody
// uses any more, until the context ends.
func (a *App) ageHistories(ctx context.Context) {
	defer close(a.aged)
	tick := time.NewTicker(ageEach)
	defer tick.Stop()
	for {
		if err := a.ageOnce(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.logger.Error("what accounts are used to could not be aged; it is tried again", zap.Error(err), zap.Duration("in", ageEach))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (a *App) ageOnce(ctx context.Context, now time.Time) error {
	lease, err := a.Lease()
	if err != nil {
		return err
	}
	defer lease.Release()
	keep := a.retention()
	n, err := lease.Parts().Store.AgeHistories(ctx, func(old []byte) []byte {
		h, err := policy.ParseHistory(old)
		if err != nil {
			return old
		}
		h.Age(keep, now)
		return h.Append(nil)
	})
	if n > 0 {
		a.logger.Info("what accounts are used to was shortened or forgotten", zap.Int("accounts", n))
	}
	return err
}
