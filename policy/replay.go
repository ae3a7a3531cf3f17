package policy

import "iter"

// Login is one login of a record.
type Login struct {
	Facts Facts
	// Verified says that it ended in a verified session: only such a login is
	// learnt from. Where the gateway only observed, it is every right password.
	Verified bool
}

// Replay feeds logins, in the order of their times, through a policy, as it
// would have decided then: each account's history is what the logins before
// have left in it, and ages as r says. It yields each login with its decision.
//
// A record tells what the world was like under the policy of its time: who was
// asked more often has ticked 'remember this browser' more often.
func Replay(p *Policy, r Retention, logins iter.Seq[Login]) iter.Seq2[Login, Decision] {
	return func(yield func(Login, Decision) bool) {
		histories := make(map[string]*History)
		for l := range logins {
			h := histories[l.Facts.Account]
			if h == nil {
				h = new(History)
				histories[l.Facts.Account] = h
			}
			h.Age(r, l.Facts.Time)
			d := p.Decide(&l.Facts, h)
			if l.Verified {
				h.Learn(&l.Facts)
			}
			if !yield(l, d) {
				return
			}
		}
	}
}
