// Package policy turns what is known of a login into a decision: allow,
// challenge or deny. It is pure: facts in, decision out, no clock and no input
// or output, so that a policy can be replayed over recorded logins.
package policy

// Facts are what is known of one login when it is assessed.
type Facts struct {
	// User is the user name as it was read, and Account the account's key.
	User    string
	Account string
	// ClientIP is the client's address as Caddy determined it; empty if it is
	// unknown, which is never the same as familiar.
	ClientIP string
	// UserAgent is the browser's own description of itself.
	UserAgent string
}

// Signal is one observed fact, with its points and a reason in words.
type Signal struct {
	Name   string `json:"name"`
	Points int    `json:"points"`
	Reason string `json:"reason"`
}

// Assessment is a request's signals with their score.
type Assessment struct {
	Signals []Signal `json:"signals"`
	Score   int      `json:"score"`
}

// Verdict is what a decision comes to.
type Verdict string

// The verdicts.
const (
	Allow     Verdict = "allow"
	Challenge Verdict = "challenge"
	Deny      Verdict = "deny"
)

// Decision is a verdict with the assessment that it rests on.
type Decision struct {
	Verdict    Verdict    `json:"verdict"`
	Assessment Assessment `json:"assessment"`
}

// Policy decides.
type Policy interface {
	Decide(f Facts) Decision
}

// EveryLogin is the policy that asks at every login.
type EveryLogin struct{}

// Decide returns a challenge, whatever the facts are.
func (EveryLogin) Decide(Facts) Decision {
	return Decision{
		Verdict: Challenge,
		Assessment: Assessment{
			Signals: []Signal{{Name: "every_login", Points: 1, Reason: "this policy asks at every login"}},
			Score:   1,
		},
	}
}
