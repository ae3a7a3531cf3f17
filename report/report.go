package report

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// Query says what a report is of.
type Query struct {
	// Instance is the instance; all if it is empty.
	Instance string
	// From and To are the period, without To itself.
	From, To time.Time
	// Price is what a text costs; nil if nobody has said.
	Price *Price
	// Candidates are replayed.
	Candidates []Candidate
	// Retention is how long the replayed histories keep what they know.
	Retention policy.Retention
}

// Report is what a policy has asked in a period, and what others would have.
// Days are days in UTC.
type Report struct {
	Instance string    `json:"instance,omitempty"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Read     Source    `json:"read"`
	// Observed are logins of which nobody was held to the decision, Enforced the
	// others, as they were recorded. InSession are decisions inside of sessions
	// that asked or refused; they are no logins.
	Observed  int `json:"observed"`
	Enforced  int `json:"enforced"`
	InSession int `json:"in_session"`
	// Policies are the recorded one and those that were replayed.
	Policies   []Figures  `json:"policies"`
	Challenges Challenges `json:"challenges"`
	Price      *Price     `json:"price,omitempty"`
	// Notes say in words what the figures do not show.
	Notes []string `json:"notes"`

	// untold are the logins that a replay takes in and that were recorded without
	// data of a kind, by the signal that needs it; named are the signals that need
	// data and to which a replayed policy gives points of its own.
	untold map[string]int
	named  map[string]bool

	// matched are logins in which a matcher of the recorded policy matched.
	matched int
}

// Source is what was read.
type Source struct {
	Files   int       `json:"files"`
	Lines   int       `json:"lines"`
	Damaged int       `json:"damaged"`
	TooLong int       `json:"too_long"`
	First   time.Time `json:"first,omitzero"`
	Last    time.Time `json:"last,omitzero"`
}

// Challenges are what became of the challenges of logins in the period, where
// the gateway enforced.
type Challenges struct {
	Opened int `json:"opened"`
	Passed int `json:"passed"`
	// Failed had wrong codes and no right one, Cancelled were cancelled, and
	// Abandoned left without a code; those that run still are among them.
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	Abandoned int `json:"abandoned"`
	// NoFactor are logins that were refused since the account had no factor that
	// could be asked for.
	NoFactor int `json:"no_factor"`
	// Texts are those that a provider took, or may have, for logins; StepUpTexts
	// the others.
	Texts       int         `json:"texts"`
	StepUpTexts int         `json:"step_up_texts"`
	Cost        json.Number `json:"cost,omitempty"`
}

// Recorded is the name of what was decided in the end.
const Recorded = "as recorded"

// Report counts. It returns an error that names the candidate whose rules are
// none.
func (g *Log) Report(q Query) (*Report, error) {
	r := &Report{
		Instance: q.Instance, From: q.From.UTC(), To: q.To.UTC(), Price: q.Price, Notes: []string{},
		untold: map[string]int{}, named: map[string]bool{},
		Read: Source{Files: g.Files, Lines: g.Lines, Damaged: g.Damaged, TooLong: g.TooLong, First: g.First.UTC(), Last: g.Last.UTC()},
	}
	c := newCounter(&q, Recorded)
	for l, o := range g.decisions() {
		if !q.counts(l.instance, l.facts.Time) {
			continue
		}
		r.kind(l)
		r.dataOf(l)
		c.count(l, o)
	}
	r.Policies = append(r.Policies, c.figures())
	data := g.data()
	for _, candidate := range q.Candidates {
		p, err := policy.New(candidate.Rules, data)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", candidate.Name, err)
		}
		for signal, points := range candidate.Rules.Points {
			r.named[signal] = r.named[signal] || points > 0
		}
		r.Policies = append(r.Policies, g.candidate(&q, candidate.Name, p))
	}
	r.challenges(g, &q)
	r.notes()
	return r, nil
}

// candidate is what a policy would have asked.
func (g *Log) candidate(q *Query, name string, p *policy.Policy) Figures {
	c := newCounter(q, name)
	c.f.Replayed = true
	for l, o := range g.replay(p, q.Retention) {
		if q.counts(l.instance, l.facts.Time) {
			c.count(l, o)
		}
	}
	for l, o := range g.decisions() {
		switch {
		case l.inSession || !q.counts(l.instance, l.facts.Time):
		case !l.known:
			c.f.NotReplayable++
		case l.stranger:
			c.count(l, o)
		}
	}
	return c.figures()
}

// counts reports whether what happened belongs to the query.
func (q *Query) counts(instance string, at time.Time) bool {
	return (q.Instance == "" || q.Instance == instance) && !at.Before(q.From) && at.Before(q.To)
}

// kind counts what a login was.
func (r *Report) kind(l *login) {
	switch {
	case l.inSession:
		r.InSession++
		return
	case l.observed:
		r.Observed++
	default:
		r.Enforced++
	}
	if l.facts.Trusted || l.facts.Always || l.facts.Never {
		r.matched++
	}
}

func (r *Report) challenges(g *Log, q *Query) {
	c := &r.Challenges
	for i := range g.challenges {
		a := &g.challenges[i]
		if a.stepUp || !q.counts(a.instance, a.at) {
			continue
		}
		c.Opened++
		switch {
		case a.passed:
			c.Passed++
		case a.cancelled:
			c.Cancelled++
		case a.wrong:
			c.Failed++
		default:
			c.Abandoned++
		}
	}
	for _, s := range g.sent {
		switch {
		case !q.counts(s.instance, s.at):
		case s.stepUp:
			c.StepUpTexts++
		default:
			c.Texts++
		}
	}
	for _, n := range g.refused {
		if q.counts(n.instance, n.at) {
			c.NoFactor++
		}
	}
	c.Cost = q.Price.Of(c.Texts)
}

// Empty reports whether there was no login.
func (r *Report) Empty() bool { return r.Observed+r.Enforced == 0 }

// notes says what one must know to read the figures.
func (r *Report) notes() {
	note := func(say bool, format string, args ...any) {
		if say {
			r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
		}
	}
	replayed := len(r.Policies) > 1
	note(r.Read.Damaged+r.Read.TooLong > 0, "Of the log, %s that cannot be read and %s of more than 64 KiB were skipped.", many(r.Read.Damaged, "line"), many(r.Read.TooLong, "line"))
	note(!r.Read.First.IsZero() && r.Read.First.After(r.From), "The log begins at %s, after the beginning of the period.", r.Read.First.Format(time.RFC3339))
	if r.Empty() {
		return
	}
	note(true, "Texts at most: one for each login that is asked. It is less where people use an authenticator, and more where they ask for another text.")
	note(r.Observed > 0, "In mode observe no browser is remembered: one counts as remembered where the account used such a browser on such a system in the last 30 days.")
	note(replayed, "Replayed from the oldest line of the log on, with no account known before it: the first logins after that look newer than they were. Who was asked more often has had a browser remembered more often.")
	note(replayed && r.matched > 0, "A matcher of the recorded policy trusted, always asked or never asked in %s; a replay leaves that out.", many(r.matched, "login"))
	note(replayed && r.Policies[1].NotReplayable > 0, "Without recorded facts %s cannot be replayed; a replay does not count them.", many(r.Policies[len(r.Policies)-1].NotReplayable, "login"))
	for _, s := range policy.Signals() {
		note(r.named[s.Name] && r.untold[s.Name] > 0, "%s: %s recorded without the data that it needs, and nobody can tell it there. A replayed policy gives it points, so that it asks for a code in each of them unless the policy says unknown ignore.", s.Name, were(r.untold[s.Name]))
	}
}
