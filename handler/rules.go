package handler

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// Policy says when a code is asked for.
type Policy struct {
	policy.Rules

	// TrustRaw are the requests whose place counts as familiar, beside those whom
	// Trust names.
	TrustRaw caddyhttp.RawMatcherSets `json:"trust_match,omitempty" caddy:"namespace=http.matchers"`
	// AlwaysRaw are the requests by which everybody is asked, NeverRaw those by
	// which nobody is, beside those whom Always and Never name.
	AlwaysRaw caddyhttp.RawMatcherSets `json:"always_match,omitempty" caddy:"namespace=http.matchers"`
	NeverRaw  caddyhttp.RawMatcherSets `json:"never_match,omitempty" caddy:"namespace=http.matchers"`
	// Remember is for how long a browser can be remembered whose user wants that;
	// 0 for not at all. It stands in the handler's policy and holds for all of its
	// logins. Default: 30 days; at most 365.
	Remember *caddy.Duration `json:"remember,omitempty"`
	// Again lists what asks the policy once more inside a session when it
	// changes: ip, country, browser. Default: nothing.
	Again []string `json:"again,omitempty"`

	// TrustSets, AlwaysSets and NeverSets are the matchers, decoded by whoever
	// provisions the handler.
	TrustSets, AlwaysSets, NeverSets caddyhttp.MatcherSets `json:"-"`

	rules *policy.Policy
	again againBy
}

// CanAskInside refuses compiled rules by which nobody is ever asked inside a
// session.
func (p *Policy) CanAskInside() error { return p.rules.CanAskInside() }

// Blind returns the signals by which compiled rules ask at every login, for want
// of data.
func (p *Policy) Blind() []string { return p.rules.Blind() }

// againBy is what asks the policy once more inside a session.
type againBy struct{ ip, country, browser bool }

func (a againBy) any() bool { return a.ip || a.country || a.browser }

// Compile checks the rules, for these data. It returns an error that names the
// rule, with what to do.
func (p *Policy) Compile(data policy.Data) error {
	r := p.Rules
	// An account has aliases, of which the rules know nothing.
	r.Always.Matched = len(p.AlwaysSets)+len(p.Always.Users) > 0
	r.Never.Matched = len(p.NeverSets)+len(p.Never.Users) > 0
	r.Trust.Matched = len(p.TrustSets)+len(p.Trust.Users) > 0
	var err error
	if p.rules, err = policy.New(r, data); err != nil {
		return err
	}
	if p.Remember != nil {
		if err := CheckRemember(*p.Remember); err != nil {
			return fmt.Errorf("remember %w", err)
		}
	}
	for _, what := range p.Again {
		switch what {
		case "ip":
			p.again.ip = true
		case "country":
			p.again.country = true
		case "browser":
			p.again.browser = true
		default:
			return fmt.Errorf("again %q: it is ip, country or browser", what)
		}
	}
	if p.again.any() {
		if err := p.CanAskInside(); err != nil {
			return fmt.Errorf("again: %w", err)
		}
	}
	if p.again.country && !data.Country {
		return errors.New("again country: no database tells countries: name one by geoip <file> in the global two_factor option")
	}
	return nil
}

// The bounds of how long a browser can be remembered.
const (
	rememberFor = 30 * 24 * time.Hour
	maxRemember = 365 * 24 * time.Hour
)

// CheckRemember refuses what is too long to be remembered, or less than nothing.
func CheckRemember(d caddy.Duration) error {
	switch {
	case d < 0:
		return errors.New("must not be negative: 0 remembers no browser")
	case time.Duration(d) > maxRemember:
		return errors.New("is at most 365 days")
	}
	return nil
}

// RememberFor is for how long a browser can be remembered; 0 for not at all.
func (p *Policy) RememberFor() time.Duration {
	if p.Remember == nil {
		return rememberFor
	}
	return time.Duration(*p.Remember)
}
