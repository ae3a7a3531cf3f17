package report

import (
	"fmt"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// Cause is what a decision hung on.
type Cause string

// The causes.
const (
	// ByScore means that the points reached the threshold.
	ByScore Cause = "score"
	// ByLearning means that something was new while the account was learnt, and
	// ByUnknown that nobody could tell a signal. The points alone would not have
	// done it.
	ByLearning Cause = "learning"
	ByUnknown  Cause = "unknown_signal"
	// ByEvery is a policy that asks always; ByAlways and ByNever are its rules for
	// somebody.
	ByEvery  Cause = "every_login"
	ByAlways Cause = "always"
	ByNever  Cause = "never"
	// ByFewPoints means that the points stayed below the threshold.
	ByFewPoints Cause = "few_points"
	// ByCodeBefore means that a code was given for the login before.
	ByCodeBefore Cause = "code_just_before"
	// ByStranger means that there is no account, so that no policy was asked.
	ByStranger Cause = "no_account"
	// ByOther is what a later version may say.
	ByOther Cause = "other"
)

// codeBefore is the reason of a login that passes by the code before.
const codeBefore = "a code was given just before"

// outcome is what matters of a decision.
type outcome struct {
	verdict policy.Verdict
	high    bool
	policy  string
	cause   Cause
	// by is the signal that asked by itself; -1 if none did.
	by int
	// threshold is what the score was compared with; 0 if that is not known.
	score, threshold int
	// raised are the signals that are not quiet.
	raised []raised
}

// raised is a signal of a decision, by its place among policy.Signals.
type raised struct {
	signal int
	state  policy.State
	points int
}

// signalPlace is the place of each signal by its name.
var signalPlace = func() map[string]int {
	m := make(map[string]int)
	for i, s := range policy.Signals() {
		m[s.Name] = i
	}
	return m
}()

// outcomeOf is the outcome that a line tells.
func outcomeOf(l *line) outcome {
	d := policy.Decision{
		Verdict: l.Verdict, Policy: l.Policy, Reason: l.Reason, High: l.High,
		Assessment: policy.Assessment{Signals: l.Signals, Score: l.Score},
	}
	o := short(&d)
	if l.Facts != nil && l.Policy == "" && len(l.Signals) == 0 {
		o.cause = ByStranger
	}
	return o
}

// short is the outcome of a decision.
func short(d *policy.Decision) outcome {
	o := outcome{verdict: d.Verdict, high: d.High, policy: d.Policy, by: -1, score: d.Assessment.Score}
	for _, s := range d.Assessment.Signals {
		place, known := signalPlace[s.Name]
		if !known || s.State == policy.Quiet {
			continue
		}
		o.raised = append(o.raised, raised{place, s.State, s.Points})
	}
	o.because(d)
	return o
}

const learnt = "while the account is learnt: "

// because reads the reason that a policy gives in words.
func (o *outcome) because(d *policy.Decision) {
	var score int
	switch {
	case d.Reason == "asked at every login":
		o.cause = ByEvery
	case d.Reason == "always asked by a rule":
		o.cause = ByAlways
	case d.Reason == "never asked by a rule":
		o.cause = ByNever
	case d.Reason == codeBefore:
		o.cause = ByCodeBefore
	case scan(d.Reason, "%d points, of %d that it takes", &score, &o.threshold):
		o.cause = ByScore
	case scan(d.Reason, "%d points, fewer than %d", &score, &o.threshold):
		o.cause = ByFewPoints
	case strings.HasPrefix(d.Reason, learnt):
		o.cause, o.by = ByLearning, bySignal(d, strings.TrimPrefix(d.Reason, learnt), policy.Seen, policy.Faded)
	case d.Verdict == policy.Challenge:
		o.by = bySignal(d, d.Reason, policy.Unknown)
		o.cause = ByUnknown
		if o.by < 0 {
			o.cause = ByOther
		}
	default:
		o.cause = ByOther
	}
}

func scan(s, format string, a, b *int) bool {
	n, err := fmt.Sscanf(s, format, a, b)
	return n == 2 && err == nil
}

// bySignal finds the signal that has given the reason.
func bySignal(d *policy.Decision, reason string, states ...policy.State) int {
	for _, s := range d.Assessment.Signals {
		for _, state := range states {
			if place, known := signalPlace[s.Name]; known && s.Reason == reason && s.State == state {
				return place
			}
		}
	}
	return -1
}

// alone reports whether a code was asked for only since this signal had points:
// without them the score would have been below the threshold.
func (o *outcome) alone(r raised) bool {
	return o.verdict == policy.Challenge && o.cause == ByScore && r.points > 0 && o.score-r.points < o.threshold
}
