package policy

import "strconv"

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
	Verdict Verdict `json:"verdict"`
	// Policy is the preset that the rules begin with, and Reason says in words
	// what has decided.
	Policy string `json:"policy,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Remember says of a challenge that a remembered browser could be spared it
	// the next time.
	Remember bool `json:"remember,omitempty"`
	// High says of a challenge that the score is above the second threshold: the
	// browser cannot be remembered, and only Factors may answer; all if there are
	// none.
	High    bool     `json:"high,omitempty"`
	Factors []string `json:"factors,omitempty"`
	// Thresholds are what the score was measured by.
	Thresholds Thresholds `json:"thresholds"`

	Assessment Assessment `json:"assessment"`
}

// Thresholds are the scores from which something is done, 0 to 1000.
type Thresholds struct {
	// Challenge is the score from which a code is asked for; 0: always.
	Challenge int `json:"challenge"`
	// High is the score from which no browser is remembered and only HighFactors
	// may answer, all if there are none; 0: never.
	High        int      `json:"high,omitempty"`
	HighFactors []string `json:"high_factors,omitempty"`
	// Deny is the score from which the login is refused; 0: never.
	Deny int `json:"deny,omitempty"`
}

// Decide decides. It looks at all signals, whatever decides in the end, and
// changes nothing.
func (p *Policy) Decide(f *Facts, h *History) Decision {
	d := Decision{
		Policy: p.preset, Thresholds: Thresholds{p.challenge, p.high, p.highFactors, p.deny},
		Assessment: Assessment{Signals: make([]Signal, len(kinds))},
	}
	asks, byOthers := "", 0
	learning, trusted := p.learning.learning(h, f.Time), p.trust.are(f, f.Trusted)
	for i := range kinds {
		k := &kinds[i]
		found := k.look(f, h)
		if k.place && trusted && found.state != Quiet {
			found = finding{Quiet, "trusted: " + found.reason}
		}
		s := Signal{Name: k.name, State: found.state, Reason: found.reason, Points: p.pointsOf(i, found.state)}
		d.Assessment.Signals[i] = s
		d.Assessment.Score += s.Points
		if k.name == FailedPasswords || k.name == ManyUsers {
			byOthers += s.Points
		}
		switch {
		case asks != "":
		case found.state == Unknown && p.unknownAsks(i):
			asks = found.reason
		case learning && k.novelty && p.points[i] > 0 && found.state != Quiet && found.state != Unknown:
			asks = "while the account is learnt: " + found.reason
		}
	}
	p.judge(&d, f, asks, byOthers)
	return d
}

// pointsOf is what a signal counts.
func (p *Policy) pointsOf(i int, s State) int {
	switch s {
	case Seen:
		return p.points[i]
	case Faded:
		return (p.points[i] + 1) / 2
	case Unknown:
		if p.unknown == UnknownNew {
			return p.points[i]
		}
	}
	return 0
}

// unknownAsks reports whether a code is asked for since a signal is unknown.
func (p *Policy) unknownAsks(i int) bool {
	switch p.unknown {
	case UnknownChallenge:
		return p.points[i] > 0
	case "":
		return p.asked[i]
	default:
		return false
	}
}

// judge makes the verdict of the score and of what asks by itself. Points that
// others can bring about, who only type wrong passwords, can have somebody asked,
// and never refused nor kept from a factor: whoever lacks the password can lock nobody out (ASVS 5.0,
// 6.1.1).
func (p *Policy) judge(d *Decision, f *Facts, asks string, byOthers int) {
	score := d.Assessment.Score
	d.Verdict = Allow
	switch {
	case p.deny > 0 && score-byOthers >= p.deny:
		d.Verdict, d.Reason = Deny, reached(score-byOthers, p.deny)
	case p.always.are(f, f.Always):
		d.Verdict, d.Reason = Challenge, "always asked by a rule"
	case p.never.are(f, f.Never):
		d.Reason = "never asked by a rule"
	case p.challenge == 0:
		d.Verdict, d.Reason = Challenge, "asked at every login"
	case score >= p.challenge:
		d.Verdict, d.Reason = Challenge, reached(score, p.challenge)
	case asks != "":
		d.Verdict, d.Reason = Challenge, asks
	default:
		d.Reason = strconv.Itoa(score) + " points, fewer than " + strconv.Itoa(p.challenge)
	}
	d.Remember = d.Verdict == Challenge && p.challenge > 0 && p.points[indexOf(NewDevice)] > 0 && !p.always.are(f, f.Always)
	if d.Verdict == Challenge && p.high > 0 && score-byOthers >= p.high {
		d.High, d.Factors, d.Remember = true, p.highFactors, false
	}
}

func reached(score, threshold int) string {
	return strconv.Itoa(score) + " points, of " + strconv.Itoa(threshold) + " that it takes"
}
