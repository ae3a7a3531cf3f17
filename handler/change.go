package handler

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Where the operator says so, a policy is asked once more inside a session when
// its address, country or browser is another than that of the login. A code
// that it asks for is a step-up, which counts for this change as long as the
// session lives.

// changeSteps is what a change of the client asks for: nothing, or a code. It is
// asked for by whatever would go to the app with the session's values, but the
// logout.
func (v *visit) changeSteps() ([]*StepUp, error) {
	p := v.g.Policy
	if !p.again.any() {
		return nil, nil
	}
	now := v.client()
	if now.ip == v.session.ClientIP && now.userAgent == v.session.UserAgent {
		return nil, nil
	}
	// A field by which a logout is told can stand at any address.
	if logout, err := v.bare().matchesAll(v.g.Logout); logout || err != nil {
		return nil, err
	}
	what := v.g.changed(client{v.session.ClientIP, v.session.UserAgent}, now)
	if what == "" {
		return nil, nil
	}
	s := &StepUp{Key: changeKey(what), change: true, MaxAge: caddy.Duration(v.g.Absolute), Policy: p}
	if !v.session.Steps.FreshAt(s.Key).IsZero() {
		return nil, nil
	}
	told, err := v.askMatchers(p)
	if err != nil || v.g.unchanged.has(changeOf{v.session.Standing, s.Key, told}, v.now) {
		return nil, err
	}
	return []*StepUp{s}, nil
}

// areChanges reports whether nothing but a change of the client asks for a code.
func areChanges(routes []*StepUp) bool {
	return !slices.ContainsFunc(routes, func(s *StepUp) bool { return !s.change })
}

// changed says what is another than before, of what asks the policy again; empty
// if nothing is.
func (g *Gate) changed(before, now client) string {
	var what []string
	if g.Policy.again.ip && before.ip != now.ip {
		what = append(what, "ip "+now.ip)
	}
	if g.Policy.again.country && before.ip != now.ip {
		if c := g.countryOf(now.ip); c != g.countryOf(before.ip) {
			what = append(what, "country "+c)
		}
	}
	if g.Policy.again.browser && before.userAgent != now.userAgent {
		if a := g.Agents.read(now.userAgent); a != g.Agents.read(before.userAgent) {
			what = append(what, "browser "+a.Browser+" on "+a.System)
		}
	}
	return strings.Join(what, "\n")
}

func (g *Gate) countryOf(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	return g.placeOf(a).Country
}

// changePrefix begins the names of changes among the routes of a session.
const changePrefix = "change-"

// changeKey names a change among the routes of a session.
func changeKey(what string) string {
	sum := sha256.Sum256([]byte(what))
	return changePrefix + hex.EncodeToString(sum[:8])
}

// ownRoutes are those routes of a step-up that a code of this client counts for:
// a copy of the session can have opened it elsewhere, and its change is not what
// the code was given for.
func (v *visit) ownRoutes(routes []string) []string {
	own := ""
	if what := v.g.changed(client{v.session.ClientIP, v.session.UserAgent}, v.client()); what != "" {
		own = changeKey(what)
	}
	return slices.DeleteFunc(slices.Clone(routes), func(key string) bool {
		return strings.HasPrefix(key, changePrefix) && key != own
	})
}

// client is whoever sent the request.
func (v *visit) client() client { return client{v.clientIP(), bounded(v.r.UserAgent(), maxAgent)} }

// whereAsked leaves those routes of which the policy asks for a code. It returns
// false if the request has been answered.
func (v *visit) whereAsked(routes []*StepUp) ([]*StepUp, bool, error) {
	var asked []*StepUp
	for _, s := range routes {
		if s.Policy == nil {
			asked = append(asked, s)
			continue
		}
		told, err := v.askMatchers(s.Policy)
		if err != nil {
			return nil, false, v.refuse(page.Blocked, err)
		}
		d, err := v.decideAgain(s, told)
		if err != nil {
			return nil, false, v.refuse(page.StoreUnavailable, err)
		}
		switch d.Verdict {
		case policy.Challenge:
			asked = append(asked, s)
		case policy.Allow:
			if s.change {
				v.g.unchanged.add(changeOf{v.session.Standing, s.Key, told}, v.now)
			}
		default:
			return nil, false, v.refuse(page.Denied, nil)
		}
	}
	return asked, true, nil
}

// decideAgain decides once more, inside a session.
func (v *visit) decideAgain(s *StepUp, t matched) (policy.Decision, error) {
	acc, err := v.parts.Store.Account(v.r.Context(), v.g.Instance, v.session.Account)
	if errors.Is(err, store.ErrNotFound) {
		// Whoever is let in without an account has no factor to be asked for.
		if s.change && v.g.UnknownUser == AllowUnknown {
			return policy.Decision{Verdict: policy.Allow}, nil
		}
		return policy.Decision{Verdict: policy.Challenge}, nil
	}
	if err != nil {
		return policy.Decision{}, err
	}
	f := v.g.factsOf(v.client(), v.session.User, &acc, s.Policy, t, v.now)
	// The session is this browser's.
	f.Device = policy.DeviceKnown
	h, err := v.g.historyOf(v.r.Context(), v.parts.Store, acc.ID, v.now)
	if err != nil {
		return policy.Decision{}, err
	}
	d := s.Policy.rules.Decide(&f, &h)
	v.again, v.mayAnswer = &f, d.Factors
	if of := (changeOf{v.session.Standing, s.Key, t}); d.Verdict != policy.Allow && !v.g.assessed.has(of, v.now) {
		// Of the requests of one page, the first is told.
		v.g.assessed.add(of, v.now)
		v.record(Event{Kind: LoginAssessed, Result: Result(d.Verdict), User: v.session.User, Account: v.session.Account, Decision: &d, Facts: &f, Detail: SessionDetail})
	}
	return d, nil
}

// learnStep lets the account be used to what a step-up was passed with, if the
// client that gave the code is the one that it was asked for.
func (v *visit) learnStep(ch *account.Challenge) {
	f, ok := v.g.factsKept(ch)
	if now := v.client(); !ok || f.Address != addressIn(now.ip) || f.Agent != v.g.Agents.read(now.userAgent) {
		return
	}
	ctx, cancel := v.ctx()
	defer cancel()
	if err := v.parts.Store.LearnHistory(ctx, v.g.historyOwner(), v.session.Account, v.g.lesson(f)); err != nil {
		v.storeFailed()
		v.g.Logger.Error("what a code was given for is not learnt: it may be asked for again", zap.Error(err))
	}
}

// The bounds of what a node remembers of changes that ask nobody.
const (
	maxUnchanged = 4096
	unchangedFor = 10 * time.Minute
)

// changeCache remembers for a while something of changes of sessions: which ask
// for no code, so that the policy is not asked at each of their requests, or which
// were told of.
type changeCache struct {
	mu    sync.Mutex
	until map[changeOf]time.Time
}

// changeOf is a change of a session. What the matchers say is part of it: what
// one request is spared, another is not.
type changeOf struct {
	standing account.StandingID
	key      string
	told     matched
}

func (c *changeCache) has(of changeOf, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Before(c.until[of])
}

func (c *changeCache) add(of changeOf, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil || len(c.until) >= maxUnchanged {
		c.until = make(map[changeOf]time.Time)
	}
	c.until[of] = now.Add(unchangedFor)
}
