package handler

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/internal/fields"
)

// Rules may tell a request by a field, of which a body can have more than is
// read before it is forwarded. What such a rule cannot know by then it watches
// for while the body streams to the app.

// fieldRule is a rule that asks for fields.
type fieldRule struct {
	// name is the rule's in the operator's config: "block", "login 2".
	name string
	kind ruleKind
	// step is the route of a step-up.
	step *StepUp
}

type ruleKind int

const (
	// ruleCloses is for rules that keep a request from the app, or end
	// something: a request that meets one beyond the cap is cut off.
	ruleCloses ruleKind = iota
	ruleLogin
	ruleProtect
	ruleStepUp
	// ruleToken finds what opens nothing if it is not found.
	ruleToken
	// ruleOpens may not ask for a field.
	ruleOpens
	// rulePolicy says when a code is asked for, and may not either.
	rulePolicy
)

// beyondCap is a rule that could not be decided in the part of the body that
// was read.
type beyondCap struct {
	rule  *fieldRule
	asked *FieldMatcher
}

// fieldSaid is what the request says of a matcher.
type fieldSaid struct {
	asked   *FieldMatcher
	verdict fields.Verdict
}

// findFieldRules notes which rules ask for fields, and refuses those that may
// not. It puts what asks for a field behind what else a matcher asks for, so
// that a body is read only where the rest of the matcher matches.
func (g *Gate) findFieldRules() error {
	rules := map[*caddyhttp.MatcherSet]*fieldRule{}
	var err error
	add := func(sets caddyhttp.MatcherSets, rule fieldRule) {
		switch {
		case !asksForFields(sets):
		case rule.kind == ruleOpens:
			err = errors.Join(err, fmt.Errorf("%s cannot be told by %w", rule.name, ErrOpens))
		case rule.kind == rulePolicy:
			err = errors.Join(err, fmt.Errorf("%s cannot be told by %w", rule.name, ErrOwnField))
		default:
			rules[&sets[0]] = &rule
		}
	}
	add(g.Public, fieldRule{name: "public", kind: ruleOpens})
	add(g.AllowPath, fieldRule{name: "allow_path", kind: ruleOpens})
	add(g.Block, fieldRule{name: "block"})
	add(g.Logout, fieldRule{name: "logout"})
	add(g.Protect, fieldRule{name: "protect", kind: ruleProtect})
	for i := range g.Logins {
		add(g.Logins[i].Match, fieldRule{name: fmt.Sprintf("login %d", i+1), kind: ruleLogin})
	}
	for i := range g.StepUps {
		add(g.StepUps[i].Match, fieldRule{name: fmt.Sprintf("step_up %d", i+1), kind: ruleStepUp, step: &g.StepUps[i]})
	}
	for i := range g.Tokens {
		add(g.Tokens[i].Match, fieldRule{name: fmt.Sprintf("token %d", i+1), kind: ruleToken})
	}
	addPolicy := func(where string, p *Policy) {
		if p == nil {
			return
		}
		add(p.TrustSets, fieldRule{name: where + "policy: trust", kind: rulePolicy})
		add(p.AlwaysSets, fieldRule{name: where + "policy: always", kind: rulePolicy})
		add(p.NeverSets, fieldRule{name: where + "policy: never", kind: rulePolicy})
	}
	addPolicy("", g.Policy)
	for i := range g.Logins {
		addPolicy(fmt.Sprintf("login %d: ", i+1), g.Logins[i].Policy)
	}
	for i := range g.StepUps {
		addPolicy(fmt.Sprintf("step_up %d: ", i+1), g.StepUps[i].Policy)
	}
	if len(rules) > 0 {
		g.fieldRules = rules
	}
	return err
}

// ErrOwnField says why no rule of a policy may ask for a field.
var ErrOwnField = errors.New("two_factor_field: who logs in writes the fields of the request, and would say by one whether a code is asked for; tell it by the client's address (client_ip), by path, or by user and group")

// ErrOpens says why a rule that opens something may not ask for a field.
var ErrOpens = errors.New("two_factor_field: a field can stand beyond the 65536 bytes of a body that are read before it is forwarded, and this rule opens something; tell it by path, method or header")

// asksForFields reports whether any matcher of the sets asks for a field, within
// not too, and puts those behind the others.
func asksForFields(sets caddyhttp.MatcherSets) (found bool) {
	for _, set := range sets {
		slices.SortStableFunc(set, func(a, b any) int { return cmp.Compare(fieldRank(a), fieldRank(b)) })
		found = found || len(set) > 0 && fieldRank(set[len(set)-1]) > 0
	}
	return found
}

// fieldRank is 0 for a matcher that asks for no field, 1 for a not with one that
// does, and 2 for one that does itself.
func fieldRank(matcher any) int {
	switch m := matcher.(type) {
	case interface{ FieldMatcher() *FieldMatcher }:
		return 2
	case *caddyhttp.MatchNot:
		if asksForFields(m.MatcherSets) {
			return 1
		}
	}
	return 0
}

// hasField answers a matcher that asks for a field. One that cannot be decided
// yet is noted: all else of its set has matched by then.
func (v *visit) hasField(r *http.Request, rule *fieldRule, m *FieldMatcher) (bool, error) {
	said, err := v.sayField(r, m)
	if err != nil || said != fields.Beyond {
		return said == fields.Present, err
	}
	if m.nots > 0 || rule.kind == ruleLogin {
		if !v.body.IsOpaque() {
			return true, nil
		}
		if m.nots > 0 {
			return false, nil
		}
	}
	if b := (beyondCap{rule, m}); !slices.Contains(v.beyond, b) {
		v.beyond = append(v.beyond, b)
	}
	return false, nil
}

// sayField says what the request has of a field, judged once. What is asked is r,
// a copy of the request, which has its body.
func (v *visit) sayField(r *http.Request, m *FieldMatcher) (fields.Verdict, error) {
	for i := range v.said {
		if v.said[i].asked == m {
			return v.said[i].verdict, nil
		}
	}
	if v.hasBody() {
		v.r.Body = r.Body
		err := v.readBody()
		r.Body = v.r.Body
		if err != nil {
			return fields.Absent, &unreadBody{err}
		}
	}
	said := m.say(v.r.URL.RawQuery, v.body)
	v.said = append(v.said, fieldSaid{m, said})
	return said, nil
}

// matchesProtect reports whether protect matches. In a verified session it
// counts as matching where it cannot be decided: that costs the session nothing.
func (v *visit) matchesProtect() (bool, error) {
	protected, err := v.matches(v.g.Protect)
	return protected || v.verified() && slices.ContainsFunc(v.beyond, func(b beyondCap) bool { return b.rule.kind == ruleProtect }), err
}

// watchRules watches a body for the fields of rules that could not be decided.
func (v *visit) watchRules() {
	if v.g.fieldRules == nil {
		return
	}
	// It is asked again when the body may be read on; an error shows then.
	_, _ = v.isLogout()
	for _, b := range v.beyond {
		switch b.rule.kind {
		case ruleToken:
			continue
		case ruleProtect:
			if public, err := v.matchesAll(v.g.Public); v.protected || err == nil && public {
				continue
			}
		case ruleStepUp:
			if v.protected && v.verified() && len(v.stale([]*StepUp{b.rule.step})) == 0 {
				continue
			}
		}
		if v.cutBy == nil {
			v.cutBy = new(cutBy)
		}
		from := v.browser()
		v.body.WatchFor(v.r, b.asked.condition, func() { v.metField(from, b) })
	}
}

// metField is called, as metLogin is, when a body that streams to the app turns
// out to carry a field that a rule asks for.
func (v *visit) metField(from browser, b beyondCap) {
	if b.rule.kind == ruleLogin {
		v.metLogin(from)
		return
	}
	v.cutBy.Store(true)
	v.g.Logger.Error("a field that a rule asks for stood in a body beyond 65536 bytes: the request was cut off",
		zap.String("rule", b.rule.name), zap.Strings("fields", b.asked.names), zap.String("path", v.orig.Path))
	v.recordFrom(from, Event{Kind: Refused, Result: FieldBeyondCap, Detail: b.rule.name})
}

// cutByField reports whether the request was cut off for a field of a rule that
// is no login.
func (v *visit) cutByField() bool { return v.cutBy != nil && v.cutBy.Load() }

// withoutBody makes a copy of the visit one of a request without a body.
func (v *visit) withoutBody() {
	v.body, v.said, v.beyond = nil, nil, nil
	v.r.Body, v.r.ContentLength = http.NoBody, 0
}
