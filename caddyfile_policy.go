package twofactor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// policyBlock reads one policy.
type policyBlock struct {
	*directive
	policy *handler.Policy
	once   singles
	// points are the places of the signals that have points.
	points map[string]string
	// words are the subdirectives' where they last stood, for errors of the whole.
	words map[string]caddyfile.Token
	// replayed says that no request is there that a matcher could match.
	replayed bool
}

// policy reads when a code is asked for. Syntax:
//
//	policy [every_login|new_device|new_ip|unfamiliar] {
//	    points    <signal> <points>
//	    challenge <points>
//	    high      <points> [totp|phone]...
//	    deny      <points>
//	    unknown   challenge|new|ignore
//	    learning  <logins> <days> | off
//	    trust     <m> | user <name>... | group <name>...
//	    always    <m> | user <name>... | group <name>...
//	    never     <m> | user <name>... | group <name>...
//	    remember  <duration> | off
//	    again     ip|country|browser...
//	}
//
// The preset is what the rules begin with. Without a policy it is unfamiliar.
func (d *directive) policy() (*handler.Policy, error) {
	b := &policyBlock{directive: d}
	return b.read()
}

func (b *policyBlock) read() (*handler.Policy, error) {
	d, start := b.directive, b.Token()
	b.policy, b.once, b.points, b.words = new(handler.Policy), singles{}, map[string]string{}, map[string]caddyfile.Token{}
	if d.NextArg() {
		b.policy.Preset = d.Val()
		if err := checkOneOf(d.Val(), policy.EveryLogin, policy.OnNewDevice, policy.OnNewIP, policy.Unfamiliar); err != nil {
			return nil, errAt(d.Token(), "policy %w; got '%s'", err, d.Val())
		}
	}
	if d.NextArg() {
		return nil, d.Errf("policy takes one word at most; got '%s' after it", d.Val())
	}
	if b.policy.Preset == "" && !blockOpens(d.Dispenser) {
		return nil, errAt(start, "policy needs a word (every_login, new_device, new_ip or unfamiliar), a block, or both")
	}
	opens, empty := blockOpens(d.Dispenser), true
	for nesting := d.Nesting(); d.NextBlock(nesting); empty = false {
		if err := b.subdirective(); err != nil {
			return nil, err
		}
	}
	if opens && empty {
		return nil, errAt(start, "the block of policy is empty; remove it, or say in it what differs, for example points new_country 50")
	}
	// With whatever data there may be: what depends on them is said at the start.
	if err := b.check(); err != nil {
		return nil, errAt(start, "policy: %w", err)
	}
	return b.policy, nil
}

// check says what is wrong with the rules as a whole.
func (b *policyBlock) check() error {
	return checkPolicy(b.policy, len(b.policy.Again) > 0)
}

// checkPolicy checks rules as if there were data of every kind, and a matcher
// for every rule of one. Inside says that they are asked inside a session.
func checkPolicy(p *handler.Policy, inside bool) error {
	r := p.Rules
	r.Always.Matched, r.Never.Matched, r.Trust.Matched = len(p.AlwaysRaw) > 0, len(p.NeverRaw) > 0, len(p.TrustRaw) > 0
	rules, err := policy.New(r, policy.Data{Country: true, Location: true, Network: true, Anonymous: true})
	if err != nil || !inside {
		return err
	}
	return rules.CanAskInside()
}

func (b *policyBlock) subdirective() error {
	p := b.policy
	b.words[b.Val()] = b.Token()
	switch word := b.Val(); word {
	case "points":
		return b.signal()
	case "challenge":
		return b.threshold("challenge <points>, for example challenge 100", func(n int) { p.Challenge = &n })
	case "deny":
		return b.threshold("deny <points>, for example deny 300", func(n int) { p.Deny = n })
	case "high":
		return b.high()
	case "unknown":
		return b.once.one(b.Dispenser, "unknown challenge|new|ignore", func(arg caddyfile.Token) error {
			p.Unknown = arg.Text
			return checkOneOf(arg.Text, policy.UnknownChallenge, policy.UnknownNew, policy.UnknownIgnore)
		})
	case "learning":
		return b.learning()
	case "trust":
		return b.who(&p.Trust, &p.TrustRaw)
	case "always":
		return b.who(&p.Always, &p.AlwaysRaw)
	case "never":
		return b.who(&p.Never, &p.NeverRaw)
	case "remember":
		return b.once.one(b.Dispenser, "remember <duration>|off, for example remember 30d", b.remember)
	case "again":
		return b.again()
	default:
		return unknownWord(b.Dispenser, "policy", "points, challenge, high, deny, unknown, learning, trust, always, never, remember and again")
	}
}

// signal sets the points of a signal. Syntax:
//
//	points <signal> <points>
func (b *policyBlock) signal() error {
	args, err := arguments(b.Dispenser, 2, 2, "points <signal> <points>, for example points new_country 50")
	if err != nil {
		return err
	}
	name := args[0]
	var names []string
	for _, s := range policy.Signals() {
		names = append(names, s.Name)
	}
	if err := checkOneOf(name.Text, names...); err != nil {
		return errAt(name, "points: there is no signal '%s': there are %s", name.Text, strings.Join(names, ", "))
	}
	if before, ok := b.points[name.Text]; ok {
		return errAt(name, "points %s is already specified at %s", name.Text, before)
	}
	b.points[name.Text] = place(b.Dispenser)
	n, err := points(args[1].Text)
	if err != nil {
		return errAt(args[1], "points %s %w; got '%s'", name.Text, err, args[1].Text)
	}
	if b.policy.Points == nil {
		b.policy.Points = map[string]int{}
	}
	b.policy.Points[name.Text] = n
	return nil
}

// points reads a number of points.
func points(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1000 || text != strconv.Itoa(n) {
		return 0, errors.New("must be a whole number from 0 to 1000")
	}
	return n, nil
}

func (b *policyBlock) threshold(usage string, set func(int)) error {
	return b.once.one(b.Dispenser, usage, func(arg caddyfile.Token) error {
		n, err := points(arg.Text)
		set(n)
		return err
	})
}

// high sets the score from which the browser cannot be remembered, and which
// factors may answer there. Syntax:
//
//	high <points> [totp|phone]...
func (b *policyBlock) high() error {
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	args, err := arguments(b.Dispenser, 1, 3, "high <points> [totp|phone], for example high 200 totp")
	if err != nil {
		return err
	}
	n, err := points(args[0].Text)
	if err != nil {
		return errAt(args[0], "high %w; got '%s'", err, args[0].Text)
	}
	b.policy.High = &n
	for _, arg := range args[1:] {
		if err := checkOneOf(arg.Text, string(account.KindTOTP), string(account.KindPhone)); err != nil {
			return errAt(arg, "high: a factor %w; got '%s'", err, arg.Text)
		}
		b.policy.HighFactors = append(b.policy.HighFactors, arg.Text)
	}
	return nil
}

// learning sets how long an account is learnt. Syntax:
//
//	learning <logins> <days> | off
func (b *policyBlock) learning() error {
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	const usage = "learning <logins> <days> or learning off, for example learning 10 14d"
	args, err := arguments(b.Dispenser, 1, 2, usage)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		if args[0].Text != "off" {
			return errAt(args[0], "learning: unexpected '%s'; expected: %s", args[0].Text, usage)
		}
		b.policy.Learning = &policy.Learning{}
		return nil
	}
	logins, err := points(args[0].Text)
	if err != nil {
		return errAt(args[0], "learning: the number of logins %w; got '%s'", err, args[0].Text)
	}
	days, err := points(strings.TrimSuffix(args[1].Text, "d"))
	if err != nil {
		return errAt(args[1], "learning: the number of days %w; got '%s'", err, args[1].Text)
	}
	b.policy.Learning = &policy.Learning{Logins: logins, Days: days}
	return nil
}

// who says who is meant: by name, by group or by a matcher. Syntax:
//
//	trust|always|never <m> | user <name>... | group <name>...
func (b *policyBlock) who(w *policy.Who, sets *caddyhttp.RawMatcherSets) error {
	ahead := *b.Dispenser
	if !ahead.NextArg() || ahead.Val() != "user" && ahead.Val() != "group" {
		return b.byMatcher(sets)
	}
	word, kind := b.Token(), ahead.Val()
	args, err := arguments(b.Dispenser, 2, 0, fmt.Sprintf("%s %s <name>..., for example %[1]s %[2]s %s", word.Text, kind, map[string]string{"user": "alice", "group": "staff"}[kind]))
	if err != nil {
		return err
	}
	for _, arg := range args[1:] {
		if args[0].Text == "group" {
			w.Groups = append(w.Groups, arg.Text)
			continue
		}
		folded := account.Fold(arg.Text)
		if folded == "" {
			return errAt(arg, "%s user: '%s' cannot be a user name", word.Text, arg.Text)
		}
		w.Users = append(w.Users, folded)
	}
	return nil
}

// whoUsage says what can stand behind a word that says who is meant.
func whoUsage(word string) string {
	return fmt.Sprintf("%s <m>, or %[1]s user <name>..., or %[1]s group <name>..., where <m> is /path, @name, * or a block of matchers such as { remote_ip 10.0.0.0/8 } in lines of its own", word)
}

func isMatcherToken(text string) bool {
	return text == "*" || strings.HasPrefix(text, "/") || strings.HasPrefix(text, "@")
}

// byMatcher reads a matcher, where there are requests to match.
func (b *policyBlock) byMatcher(sets *caddyhttp.RawMatcherSets) error {
	if b.replayed {
		return b.Errf("%s by a matcher cannot be replayed, since a record of logins has no requests to match: leave it out, or name users and groups", b.Val())
	}
	ahead := *b.Dispenser
	switch {
	case !ahead.NextArg():
		if !blockOpens(b.Dispenser) {
			return b.Errf("%s lacks an argument; expected: %s", b.Val(), whoUsage(b.Val()))
		}
	case !isMatcherToken(ahead.Val()):
		return ahead.Errf("%s: unexpected '%s'; expected: %s", b.Val(), ahead.Val(), whoUsage(b.Val()))
	}
	return b.matchers(sets)
}

// remember reads for how long a browser can be remembered.
func (b *policyBlock) remember(arg caddyfile.Token) error {
	var d caddy.Duration
	if arg.Text != "off" {
		var err error
		if d, err = positiveDuration(arg.Text); err != nil {
			return err
		}
		if err := handler.CheckRemember(d); err != nil {
			return err
		}
	}
	b.policy.Remember = &d
	return nil
}

// again lists what asks the policy once more inside a session. Syntax:
//
//	again ip|country|browser...
func (b *policyBlock) again() error {
	if err := b.once.claim(b.Dispenser); err != nil {
		return err
	}
	args, err := arguments(b.Dispenser, 1, 3, "again ip|country|browser, for example again country browser")
	if err != nil {
		return err
	}
	for _, arg := range args {
		if err := checkOneOf(arg.Text, "ip", "country", "browser"); err != nil {
			return errAt(arg, "again %w; got '%s'", err, arg.Text)
		}
		b.policy.Again = append(b.policy.Again, arg.Text)
	}
	return nil
}

// policyOfLogin reads the policy of one login, which cannot say what holds
// inside a session: that is the handler's.
func (d *directive) policyOfLogin() (*handler.Policy, error) {
	b := &policyBlock{directive: d}
	p, err := b.read()
	if err != nil {
		return nil, err
	}
	if err := checkLoginPolicy(p); err != nil {
		return nil, errAt(b.ofHandler(), "policy: %w", err)
	}
	return p, nil
}

// ofHandler is the word that has its place in the handler's policy only.
func (b *policyBlock) ofHandler() caddyfile.Token {
	if again, ok := b.words["again"]; ok {
		return again
	}
	return b.words["remember"]
}

func checkLoginPolicy(p *handler.Policy) error {
	switch {
	case len(p.Again) > 0:
		return errors.New("again concerns whole sessions, and stands in the policy of two_factor, not in that of a login")
	case p.Remember != nil:
		return errors.New("remember holds for all logins, and stands in the policy of two_factor, not in that of one login")
	}
	return nil
}

// policyOfRoute reads the policy of a step-up. What lasts longer than a request
// has no place there.
func (d *directive) policyOfRoute() (*handler.Policy, error) {
	b, start := &policyBlock{directive: d}, d.Token()
	p, err := b.read()
	if err != nil {
		return nil, err
	}
	if err := checkRoutePolicy(p); err != nil {
		return nil, errAt(b.ofHandler(), "policy: %w", err)
	}
	if err := checkPolicy(p, true); err != nil {
		return nil, errAt(start, "policy: %w", err)
	}
	return p, nil
}

func checkRoutePolicy(p *handler.Policy) error {
	switch {
	case len(p.Again) > 0:
		return errors.New("again concerns whole sessions, and stands in the policy of two_factor, not in that of a step_up")
	case p.Remember != nil:
		return errors.New("a remembered browser never stands for a step-up (rule 21): remember has no place in a step_up")
	}
	return nil
}
