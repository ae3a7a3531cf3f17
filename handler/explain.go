package handler

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Question is about a right password that nobody has entered, or nobody yet.
type Question struct {
	// User is the name as it would be typed.
	User string
	// Address is the client's; the zero value means that it is unknown.
	Address netip.Addr
	// UserAgent is the browser's; 512 bytes count.
	UserAgent string
	// Device is what the browser's device cookie is worth: known, none or stolen.
	// Default: none; of a step-up known, and where the gateway only observes what
	// the history says.
	Device string
	Time   time.Time
	// Login and StepUp say by whose policy it is decided, from 1 on: that of a
	// login or of a step-up. Both 0: that of the instance.
	Login, StepUp int
}

// Explanation is what a right password would come to, and why.
type Explanation struct {
	// By is whose policy it is: instance, "login 2" or "step_up 1".
	By string
	// Known says that the user has an account. Without one the decision is that
	// on a new user, or by what was observed of the name, whatever becomes of it.
	// Used says that something is known of how the name is used.
	Known    bool
	Used     bool
	Facts    policy.Facts
	Decision policy.Decision
	// Outcome says in words what it comes to, and Factors are the kinds of the
	// account's factors that could answer.
	Outcome string
	Factors []string
	// Unasked are the matchers of the policy, which nobody can ask without a
	// request: they were taken as not matching.
	Unasked []string
}

// ErrQuestion is wrapped by errors that concern the question.
var ErrQuestion = errors.New("it cannot be explained")

// Explain decides as a login would be decided, and says why. It changes nothing,
// in the store or elsewhere. It returns an error that wraps [ErrQuestion] for
// what is wrong with the question, and the store's if the store cannot say.
func (g *Gate) Explain(ctx context.Context, parts *Parts, q Question) (Explanation, error) {
	e := Explanation{Known: true}
	p, err := g.asked(q, &e)
	if err != nil {
		return e, err
	}
	folded := account.Fold(q.User)
	if folded == "" {
		return e, fmt.Errorf("%w: this cannot be the name of a user", ErrQuestion)
	}
	acc, err := parts.Store.Account(ctx, g.Instance, folded)
	if errors.Is(err, store.ErrNotFound) {
		e.Known, acc, err = false, account.Account{Instance: g.Instance, ID: folded}, nil
	}
	if err != nil {
		return e, err
	}
	f := g.factsOf(client{q.Address.String(), bounded(q.UserAgent, maxAgent)}, q.User, &acc, p, matched{}, q.Time)
	if f.Device, err = g.deviceOf(q); err != nil {
		return e, err
	}
	if q.StepUp == 0 {
		if err := g.addTries(ctx, parts, &f, q.User, &acc); err != nil {
			return e, err
		}
	}
	h, err := g.historyOf(ctx, parts.Store, acc.ID, q.Time)
	if err != nil {
		return e, err
	}
	e.Facts, e.Decision, e.Used = f, p.rules.Decide(&f, &h), h.Logins > 0
	e.Outcome, e.Factors, err = g.outcome(ctx, parts, &acc, e.Known, e.Decision, q.Time)
	if q.StepUp > 0 && e.Known && e.Decision.Verdict == policy.Allow {
		e.Outcome = "let through without a fresh code"
	}
	return e, err
}

// asked is the policy that a question is about.
func (g *Gate) asked(q Question, e *Explanation) (*Policy, error) {
	p := g.Policy
	e.By = "instance"
	switch {
	case q.Login != 0 && q.StepUp != 0:
		return nil, fmt.Errorf("%w: name a login or a step-up, not both", ErrQuestion)
	case q.Login < 0 || q.Login > len(g.Logins):
		return nil, fmt.Errorf("%w: there is no login %d: instance %s has %d of them", ErrQuestion, q.Login, g.Instance, len(g.Logins))
	case q.StepUp < 0 || q.StepUp > len(g.StepUps):
		return nil, fmt.Errorf("%w: there is no step_up %d: instance %s has %d of them", ErrQuestion, q.StepUp, g.Instance, len(g.StepUps))
	case q.Login > 0:
		if own := g.Logins[q.Login-1].Policy; own != nil {
			p, e.By = own, fmt.Sprintf("login %d", q.Login)
		}
	case q.StepUp > 0:
		e.By = fmt.Sprintf("step_up %d", q.StepUp)
		if p = g.StepUps[q.StepUp-1].Policy; p == nil {
			return nil, fmt.Errorf("%w: %s has no policy of its own, so that it asks whatever the score is", ErrQuestion, e.By)
		}
	}
	for _, m := range []struct {
		word string
		sets caddyhttp.MatcherSets
	}{{"trust", p.TrustSets}, {"always", p.AlwaysSets}, {"never", p.NeverSets}} {
		for _, set := range m.sets {
			e.Unasked = append(e.Unasked, m.word+" by "+matcherNames(set))
		}
	}
	return p, nil
}

// deviceOf is what the device is worth in a question.
func (g *Gate) deviceOf(q Question) (policy.Device, error) {
	switch q.Device {
	case "":
		switch {
		case q.StepUp > 0:
			return policy.DeviceKnown, nil
		case g.Observe:
			return policy.DeviceUnwatched, nil
		}
		return policy.DeviceNone, nil
	case "none":
		return policy.DeviceNone, nil
	case string(policy.DeviceKnown), string(policy.DeviceStolen):
		return policy.Device(q.Device), nil
	}
	return "", fmt.Errorf("%w: the device is known, none or stolen; got %.64q", ErrQuestion, q.Device)
}

// matcherNames names the matchers of a set, as a Caddyfile does.
func matcherNames(set caddyhttp.MatcherSet) string {
	var names []string
	for _, m := range set {
		if m, ok := m.(caddy.Module); ok {
			names = append(names, m.CaddyModule().ID.Name())
		}
	}
	slices.Sort(names)
	return strings.Join(names, " and ")
}
