package handler

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// maxAgent is how much of a user agent is kept, in bytes.
const maxAgent = 512

// matched is what the matchers of a policy say of a request. They are asked before
// it goes to the app, since it is changed on the way.
type matched struct{ trusted, always, never bool }

// askMatchers asks the matchers of a policy: what makes the gateway ask counts
// in any reading of the path, what spares somebody in every one.
func (v *visit) askMatchers(p *Policy) (t matched, err error) {
	if t.always, err = v.matches(p.AlwaysSets); err != nil {
		return t, err
	}
	if t.trusted, err = v.matchesAll(p.TrustSets); err != nil {
		return t, err
	}
	t.never, err = v.matchesAll(p.NeverSets)
	return t, err
}

// client is what is known of whoever sent a request.
type client struct{ ip, userAgent string }

// factsOf are what is known of a login of an account, but for its device and
// what was tried before.
func (g *Gate) factsOf(c client, user string, acc *account.Account, p *Policy, t matched, now time.Time) policy.Facts {
	address := addressIn(c.ip)
	return policy.Facts{
		Time: now, User: user, Account: acc.ID, Group: acc.Group, Address: address,
		Place: g.placeOf(address), Agent: g.Agents.read(c.userAgent), Changed: changedAt(acc),
		Trusted: t.trusted || names(p.Trust.Users, acc), Always: t.always || names(p.Always.Users, acc), Never: t.never || names(p.Never.Users, acc),
	}
}

// addressIn is an address as facts have it; the zero value for what is none.
func addressIn(ip string) netip.Addr {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// names reports whether a list of folded names has one of the account's.
func names(list []string, acc *account.Account) bool {
	return slices.Contains(list, acc.ID) || slices.ContainsFunc(acc.Aliases, func(alias string) bool { return slices.Contains(list, alias) })
}

// changedAt is when a factor was last added or changed; those that came with the
// account are no change of it.
func changedAt(acc *account.Account) (at time.Time) {
	for i := range acc.Factors {
		if c := acc.Factors[i].Created; c.After(at) && c.After(acc.Created) {
			at = c
		}
	}
	return at
}

// observedOwner is what that name ends in while the gateway only observes. No
// instance has a name with a blank.
const observedOwner = " observed"

// historyOwner is the instance that histories are kept under. What is seen while
// the gateway only observes stays apart: whom the app has let in is not certain
// there, and nobody was asked for a code, so that none of it is familiar once
// codes are asked for.
func (g *Gate) historyOwner() string {
	if g.Observe {
		return g.Instance + observedOwner
	}
	return g.Instance
}

// historyOf is what the account is used to. What cannot be read counts as
// nothing: then everything is new.
func (g *Gate) historyOf(ctx context.Context, s store.Store, acc string, now time.Time) (policy.History, error) {
	raw, err := s.History(ctx, g.historyOwner(), acc)
	if err != nil {
		return policy.History{}, err
	}
	return g.parseHistory(raw, now), nil
}

func (g *Gate) parseHistory(raw []byte, now time.Time) policy.History {
	h, err := policy.ParseHistory(raw)
	if err != nil {
		g.Logger.Error("what an account is used to cannot be read and begins anew: its next logins are asked for a code", zap.Error(err))
	}
	h.Age(g.Retention, now)
	return h
}

// lesson is what a login teaches once it is verified.
func (g *Gate) lesson(f policy.Facts) store.Learn {
	return func(old []byte) []byte {
		h := g.parseHistory(old, f.Time)
		h.Learn(&f)
		return h.Append(nil)
	}
}

// factsToKeep are the facts as a challenge keeps them until it is passed.
func factsToKeep(f policy.Facts) []byte {
	f.User, f.Account, f.Group = "", "", ""
	raw, err := json.Marshal(f)
	if err != nil {
		// They are numbers, times and short texts.
		panic(err)
	}
	return raw
}

// lessonOf is what a challenge teaches that is passed; nil for one that keeps
// no facts.
func (g *Gate) lessonOf(ch *account.Challenge) store.Learn {
	f, ok := g.factsKept(ch)
	if !ok {
		return nil
	}
	return g.lesson(f)
}

// factsKept are the facts that a challenge keeps, if it keeps any.
func (g *Gate) factsKept(ch *account.Challenge) (f policy.Facts, ok bool) {
	if len(ch.Facts) == 0 {
		return f, false
	}
	if err := json.Unmarshal(ch.Facts, &f); err != nil {
		g.Logger.Error("the facts of a challenge cannot be read: nothing is learnt from it", zap.Error(err))
		return f, false
	}
	return f, true
}
