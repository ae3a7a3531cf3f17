package report

import (
	"fmt"
	"strconv"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// table is what stands both in the terminal and on the page.
type table struct {
	Title string
	Head  []string
	// Words is how many of the first columns are words; the others are numbers.
	Words int
	Rows  [][]string
}

// causeWords are the causes in words.
var causeWords = map[Cause]string{
	ByScore:      "enough points",
	ByLearning:   "something new while the account is learnt",
	ByUnknown:    "a signal that nobody could tell",
	ByEvery:      "every login is asked",
	ByAlways:     "always asked by a rule",
	ByNever:      "never asked by a rule",
	ByFewPoints:  "too few points",
	ByCodeBefore: "a code was given just before",
	ByStranger:   "no account, so that no policy is asked",
	ByOther:      "another reason",
}

var verdictWords = map[policy.Verdict]string{policy.Allow: "let in", policy.Challenge: "asked", policy.Deny: "refused"}

func number(n int) string { return strconv.Itoa(n) }

// many is a number of things.
func many(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return number(n) + " " + thing
}

func share(part, all int) string {
	if all == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", percent(part, all))
}

// moment is a time as people write it; the beginning of a day is the day.
func moment(t time.Time) string {
	if t = t.UTC(); isDay(t) {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04:05")
}

func isDay(t time.Time) bool { return t.Equal(t.Truncate(24 * time.Hour)) }

// Period is the period in words.
func (r *Report) Period() string {
	where := "all instances"
	if r.Instance != "" {
		where = "instance " + r.Instance
	}
	end := moment(r.To)
	if isDay(r.To) {
		end = "the end of " + moment(r.To.AddDate(0, 0, -1))
	}
	return fmt.Sprintf("%s to %s (UTC), %s", moment(r.From), end, where)
}

// What says what was counted.
func (r *Report) What() string {
	s := fmt.Sprintf("%s with a right password: %d only observed, %d enforced.", many(r.Observed+r.Enforced, "login"), r.Observed, r.Enforced)
	if r.InSession > 0 {
		s += fmt.Sprintf(" Not among them: %s inside sessions, to ask or to refuse.", many(r.InSession, "decision"))
	}
	return s
}

// Sources says what was read.
func (r *Report) Sources() string {
	s := fmt.Sprintf("Read: %s in %s", many(r.Read.Lines, "line"), many(r.Read.Files, "file"))
	if !r.Read.First.IsZero() {
		s += fmt.Sprintf(", from %s to %s", moment(r.Read.First.Truncate(time.Second)), moment(r.Read.Last.Truncate(time.Second)))
	}
	return s + "."
}

// policies compares the policies.
func (r *Report) policies() table {
	t := table{
		Title: "What each policy asks", Words: 1,
		Head: []string{"Policy", "Logins", "Asked", "Share", "Refused", "Let in", "Users", "Users asked", "Asked each, median", "Most", "Texts at most"},
	}
	if r.Price != nil {
		t.Head = append(t.Head, "Cost at most")
	}
	for i := range r.Policies {
		f := &r.Policies[i]
		row := []string{
			f.Name, number(f.Logins), number(f.Asked), share(f.Asked, f.Logins), number(f.Refused), number(f.LetIn), number(f.Users),
			number(f.UsersAsked), strconv.FormatFloat(f.Median, 'f', -1, 64), number(f.Most), number(f.TextsAtMost),
		}
		if r.Price != nil {
			row = append(row, r.Price.show(f.CostAtMost))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// outcomes are what became of the challenges.
func (r *Report) outcomes() table {
	c := &r.Challenges
	t := table{
		Title: "What became of the challenges", Words: 0,
		Head: []string{"Opened", "Passed", "Failed", "Cancelled", "Abandoned", "Refused without a factor", "Texts sent", "Texts for step-ups"},
		Rows: [][]string{{number(c.Opened), number(c.Passed), number(c.Failed), number(c.Cancelled), number(c.Abandoned), number(c.NoFactor), number(c.Texts), number(c.StepUpTexts)}},
	}
	if r.Price != nil {
		t.Head, t.Rows[0] = append(t.Head, "Cost of texts sent"), append(t.Rows[0], r.Price.show(c.Cost))
	}
	if *c == (Challenges{Cost: c.Cost}) {
		t.Rows = nil
	}
	return t
}

// tables are those of one policy.
func (f *Figures) tables() []table {
	return []table{f.reasonTable(), f.signalTable(), f.presetTable(), f.scoreTable(), f.userTable()}
}

func (f *Figures) reasonTable() table {
	t := table{Title: "Why", Head: []string{"Verdict", "Because", "Logins", "Share"}, Words: 2}
	for _, r := range f.Reasons {
		t.Rows = append(t.Rows, []string{verdictWords[r.Verdict], causeWords[r.Cause], number(r.Logins), share(r.Logins, f.Logins)})
	}
	return t
}

func (f *Figures) signalTable() table {
	t := table{
		Title: "Signals", Words: 1,
		Head: []string{"Signal", "Seen", "Half", "Unknown", "In asked logins", "Its points decided", "Asked by itself"},
	}
	for _, s := range f.Signals {
		t.Rows = append(t.Rows, []string{s.Signal, number(s.Seen), number(s.Faded), number(s.Unknown), number(s.Asked), number(s.Alone), number(s.ByItself)})
	}
	return t
}

// presetTable is empty where one preset has decided all, as in a replay.
func (f *Figures) presetTable() table {
	t := table{Title: "By policy", Head: []string{"Preset", "Logins", "Asked", "Share"}, Words: 1}
	if f.Replayed || len(f.Presets) < 2 {
		return t
	}
	for _, p := range f.Presets {
		name := p.Policy
		if name == "" {
			name = "none"
		}
		t.Rows = append(t.Rows, []string{name, number(p.Logins), number(p.Asked), share(p.Asked, p.Logins)})
	}
	return t
}

func (f *Figures) scoreTable() table {
	t := table{Title: "Logins by score", Head: []string{"Points", "Logins with so many or more", "Share"}, Words: 0}
	for _, s := range f.Scores {
		t.Rows = append(t.Rows, []string{number(s.AtLeast), number(s.Logins), share(s.Logins, f.Logins)})
	}
	return t
}

func (f *Figures) userTable() table {
	t := table{Title: "Asked most often", Head: []string{"User", "Instance", "Asked", "Logins"}, Words: 2}
	for _, u := range f.MostAsked {
		t.Rows = append(t.Rows, []string{u.User, u.Instance, number(u.Asked), number(u.Logins)})
	}
	return t
}
