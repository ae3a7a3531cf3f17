package report

import (
	"iter"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// Candidate is a policy that is replayed.
type Candidate struct {
	// Name is what the operator called it.
	Name  string
	Rules policy.Rules
}

// decisions are the recorded ones of all logins, in the order of their times.
func (g *Log) decisions() iter.Seq2[*login, outcome] {
	return func(yield func(*login, outcome) bool) {
		for i := range g.logins {
			if !yield(&g.logins[i], g.logins[i].decided) {
				return
			}
		}
	}
}

// replay is what a policy decides of the logins whose facts are known, an
// instance after the other: one name is another account in each.
//
// What the matchers of the recorded policy said belongs to that policy and is
// left out. A code that was given just before is given under any policy.
func (g *Log) replay(p *policy.Policy, keep policy.Retention) iter.Seq2[*login, outcome] {
	return func(yield func(*login, outcome) bool) {
		for _, list := range g.byInstance() {
			// The login that Replay is at.
			var at *login
			record := func(yield func(policy.Login) bool) {
				for _, at = range list {
					f := at.facts
					f.Trusted, f.Always, f.Never = false, false, false
					if !yield(policy.Login{Facts: f, Verified: at.verified}) {
						return
					}
				}
			}
			for _, d := range policy.Replay(p, keep, record) {
				o := short(&d)
				if d.Verdict == policy.Challenge && at.decided.cause == ByCodeBefore {
					o.verdict, o.cause, o.high = policy.Allow, ByCodeBefore, false
				}
				if !yield(at, o) {
					return
				}
			}
		}
	}
}

// byInstance are the logins of each instance that can be replayed, in the order
// of their times.
func (g *Log) byInstance() map[string][]*login {
	m := make(map[string][]*login)
	for i := range g.logins {
		if l := &g.logins[i]; l.known && !l.stranger {
			m[l.instance] = append(m[l.instance], l)
		}
	}
	return m
}
