package twofactor

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// loadPolicies loads and compiles the policies of the handler, its logins and
// its step-ups.
func (h *Handler) loadPolicies(ctx caddy.Context, places handler.Places) error {
	var data policy.Data
	if places != nil {
		data = places.Data()
	}
	if err := loadPolicy(ctx, h.Policy, data); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	for i := range h.Logins {
		if p := h.Logins[i].Policy; p != nil {
			if err := errors.Join(checkLoginPolicy(p), loadPolicy(ctx, p, data)); err != nil {
				return fmt.Errorf("login %d: policy: %w", i+1, err)
			}
		}
	}
	for i := range h.StepUps {
		if p := h.StepUps[i].Policy; p != nil {
			if err := errors.Join(checkRoutePolicy(p), loadPolicy(ctx, p, data)); err != nil {
				return fmt.Errorf("step_up %d: policy: %w", i+1, err)
			}
			if err := p.CanAskInside(); err != nil {
				return fmt.Errorf("step_up %d: policy: %w", i+1, err)
			}
		}
	}
	return nil
}

func loadPolicy(ctx caddy.Context, p *handler.Policy, data policy.Data) error {
	for _, m := range []struct {
		field string
		to    *caddyhttp.MatcherSets
	}{
		{"TrustRaw", &p.TrustSets}, {"AlwaysRaw", &p.AlwaysSets}, {"NeverRaw", &p.NeverSets},
	} {
		if err := loadMatchers(ctx, p, m.field, m.to); err != nil {
			return err
		}
	}
	if err := foldUsers(p); err != nil {
		return err
	}
	return p.Compile(data)
}

// foldUsers folds the names that a policy has, as those of accounts are.
func foldUsers(p *handler.Policy) error {
	for _, w := range []struct {
		word  string
		names []string
	}{{"trust", p.Trust.Users}, {"always", p.Always.Users}, {"never", p.Never.Users}} {
		for i, name := range w.names {
			if w.names[i] = account.Fold(name); w.names[i] == "" {
				return fmt.Errorf("%s: %s cannot be a user name", w.word, clip(name))
			}
		}
	}
	return nil
}
