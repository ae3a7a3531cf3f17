package handler

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// policyOf is the policy that a login is decided by.
func (g *Gate) policyOf(l *Login) *Policy {
	if l != nil && l.Policy != nil {
		return l.Policy
	}
	return g.Policy
}

// decide decides what becomes of a right password of an account, and returns
// the facts that it rests on. The browser's device is used by that.
func (a *attempt) decide(ctx context.Context, s *account.Session, acc *account.Account) (policy.Decision, *policy.Facts, error) {
	if err := a.useDevice(ctx, acc); err != nil {
		return policy.Decision{}, nil, err
	}
	p := a.g.policyOf(a.login.Login)
	f := a.g.factsOf(client{s.ClientIP, s.UserAgent}, s.User, acc, p, a.told, s.Created)
	f.Device = deviceWorth(a.device.State)
	if err := a.g.addTries(ctx, a.parts, &f, a.login.User, acc); err != nil {
		return policy.Decision{}, nil, err
	}
	h, err := a.g.historyOf(ctx, a.parts.Store, acc.ID, s.Created)
	if err != nil {
		return policy.Decision{}, nil, err
	}
	return p.rules.Decide(&f, &h), &f, nil
}

// deviceWorth is what a device cookie counts for a policy.
func deviceWorth(s account.DeviceState) policy.Device {
	switch s {
	case account.DeviceKnown:
		return policy.DeviceKnown
	case account.DeviceStolen:
		return policy.DeviceStolen
	default:
		return policy.DeviceNone
	}
}

// onlyFactors leaves a challenge those of its factors that a decision lets
// answer; false if it is none of them.
func onlyFactors(ch *account.Challenge, acc *account.Account, kinds []string) bool {
	if len(kinds) == 0 {
		return true
	}
	var left []string
	for _, id := range ch.Factors {
		f, ok := acc.Factor(id)
		if !ok {
			continue
		}
		if slices.Contains(kinds, string(f.Kind)) {
			left = append(left, id)
		}
	}
	ch.Factors = left
	return len(left) > 0
}

// mayPassAgain reports whether the factor that was passed just before is one
// that may answer now.
func (a *attempt) mayPassAgain(d *policy.Decision) bool {
	return len(d.Factors) == 0 || a.old != nil && slices.Contains(d.Factors, string(a.old.Factor))
}

// noFactorLeft answers where the account has none of the factors that may
// answer at this score.
func (a *attempt) noFactorLeft(s *account.Session, d *policy.Decision) error {
	a.g.Logger.Warn("a right password was refused: at this score only some factors may answer, and the account has none of them; see high in the policy",
		zap.String("user", s.User), zap.Int("score", d.Assessment.Score), zap.Strings("factors", d.Factors))
	return a.message(page.MessagePage{Message: page.NoUsableFactor, Host: a.site(), User: s.User, Ways: a.ways(page.NoUsableFactor)})
}
