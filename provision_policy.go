package twofactor

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

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
	h.warnOfBlind(ctx, "policy", h.Policy)
	for i := range h.Logins {
		if p := h.Logins[i].Policy; p != nil {
			if err := errors.Join(checkLoginPolicy(p), loadPolicy(ctx, p, data)); err != nil {
				return fmt.Errorf("login %d: policy: %w", i+1, err)
			}
			h.warnOfBlind(ctx, fmt.Sprintf("login %d: policy", i+1), p)
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

// warnOfBlind warns of rules by which everybody is asked for want of data.
func (h *Handler) warnOfBlind(ctx caddy.Context, where string, p *handler.Policy) {
	if names := p.Blind(); len(names) > 0 {
		ctx.Logger().Warn("everybody is asked for a code at every login, since no database or list tells what the policy gives points for: name one by geoip or network_list in the global two_factor option, or write unknown ignore",
			zap.String("instance", h.Name), zap.String("where", where), zap.Strings("signals", names))
	}
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
