package handler

import (
	"crypto/sha256"
	"encoding/hex"
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
	now := client{v.clientIP(), bounded(v.r.UserAgent(), maxAgent)}
	if now.ip == v.session.ClientIP && now.userAgent == v.session.UserAgent {
		return nil, nil
	}
	if logout, err := v.matchesAll(v.g.Logout); logout || err != nil {
		return nil, err
	}
	what := v.g.changed(client{v.session.ClientIP, v.session.UserAgent}, now)
	if what == "" {
		return nil, nil
	}
	s := &StepUp{Key: changeKey(what), change: true, MaxAge: caddy.Duration(v.g.Absolute), Policy: p}
	if !v.session.Steps.FreshAt(s.Key).IsZero() || v.g.unchanged.has(v.session.Standing, s.Key, v.now) {
		return nil, nil
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

// changeKey names a change among the routes of a session.
func changeKey(what string) string {
	sum := sha256.Sum256([]byte(what))
	return "change-" + hex.EncodeToString(sum[:8])
}

// whereAsked leaves those routes of which the policy asks for a code. It returns
// false if the request has been answered.
func (v *visit) whereAsked(routes []*StepUp) ([]*StepUp, bool, error) {
	var asked []*StepUp
	for _, s := range routes {
		if s.Policy == nil {
			asked = append(asked, s)
			continue
		}
		d, err := v.decideAgain(s.Policy)
		if err != nil {
			return nil, false, v.refuse(page.StoreUnavailable, err)
		}
		switch d.Verdict {
		case policy.Challenge:
			asked = append(asked, s)
		case policy.Allow:
			if s.change {
				v.g.unchanged.add(v.session.Standing, s.Key, v.now)
			}
		default:
			return nil, false, v.refuse(page.Denied, nil)
		}
	}
	return asked, true, nil
}

// decideAgain decides once more, inside a session.
func (v *visit) decideAgain(p *Policy) (policy.Decision, error) {
	acc, err := v.parts.Store.Account(v.r.Context(), v.g.Instance, v.session.Account)
	if err != nil {
		return policy.Decision{}, err
	}
	t, err := v.askMatchers(p)
	if err != nil {
		return policy.Decision{}, err
	}
	f := v.g.factsOf(client{v.clientIP(), bounded(v.r.UserAgent(), maxAgent)}, v.session.User, &acc, p, t, v.now)
	// The session is this browser's.
	f.Device = policy.DeviceKnown
	h, err := v.g.historyOf(v.r.Context(), v.parts.Store, acc.ID, v.now)
	if err != nil {
		return policy.Decision{}, err
	}
	d := p.rules.Decide(&f, &h)
	v.again, v.mayAnswer = &f, d.Factors
	if d.Verdict != policy.Allow {
		v.record(Event{Kind: LoginAssessed, Result: Result(d.Verdict), User: v.session.User, Account: v.session.Account, Decision: &d, Facts: &f, Detail: "in a session"})
	}
	return d, nil
}

// learnStep lets the account be used to what a step-up was passed with.
func (v *visit) learnStep(ch *account.Challenge) {
	learn := v.g.lessonOf(ch)
	if learn == nil {
		return
	}
	ctx, cancel := v.ctx()
	defer cancel()
	if err := v.parts.Store.LearnHistory(ctx, v.g.Instance, v.session.Account, learn); err != nil {
		v.storeFailed()
		v.g.Logger.Error("what a code was given for is not learnt: it may be asked for again", zap.Error(err))
	}
}

// The bounds of what a node remembers of changes that ask nobody.
const (
	maxUnchanged = 4096
	unchangedFor = 10 * time.Minute
)

// changeCache remembers for a while which changes of which sessions ask for no
// code, so that the policy is not asked at each of their requests.
type changeCache struct {
	mu    sync.Mutex
	until map[changeOf]time.Time
}

type changeOf struct {
	standing account.StandingID
	key      string
}

func (c *changeCache) has(id account.StandingID, key string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Before(c.until[changeOf{id, key}])
}

func (c *changeCache) add(id account.StandingID, key string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil || len(c.until) >= maxUnchanged {
		c.until = make(map[changeOf]time.Time)
	}
	c.until[changeOf{id, key}] = now.Add(unchangedFor)
}
