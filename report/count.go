package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// counter counts what one policy decides.
type counter struct {
	q       *Query
	f       Figures
	users   map[accountOf]*UserFigures
	days    map[string]*DayFigures
	presets map[string]*PresetFigures
	reasons map[reason]int
	signals []SignalFigures
	scores  map[int]int
	// thresholds are those that were met.
	thresholds map[int]bool
}

type reason struct {
	verdict policy.Verdict
	cause   Cause
}

// maxDays is how many days without a login are shown between others.
const maxDays = 400

func newCounter(q *Query, name string) *counter {
	c := &counter{
		q: q, f: Figures{Name: name}, users: map[accountOf]*UserFigures{}, days: map[string]*DayFigures{},
		presets: map[string]*PresetFigures{}, reasons: map[reason]int{}, scores: map[int]int{}, thresholds: map[int]bool{},
	}
	for _, s := range policy.Signals() {
		c.signals = append(c.signals, SignalFigures{Signal: s.Name})
	}
	return c
}

// count counts a login of the period; what is none is left out.
func (c *counter) count(l *login, o outcome) {
	if l.inSession {
		return
	}
	c.f.Logins++
	user := c.user(l)
	user.Logins++
	day := c.day(l.facts.Time)
	day.Logins++
	preset := c.preset(o.policy)
	preset.Logins++
	switch o.verdict {
	case policy.Challenge:
		c.f.Asked++
		user.Asked++
		day.Asked++
		preset.Asked++
		if o.high {
			c.f.High++
		}
	case policy.Deny:
		c.f.Refused++
		day.Refused++
	default:
		c.f.LetIn++
	}
	c.reasons[reason{o.verdict, o.cause}]++
	c.scores[o.score]++
	if o.threshold > 0 && o.verdict != policy.Deny {
		c.thresholds[o.threshold] = true
	}
	c.raised(&o)
}

func (c *counter) raised(o *outcome) {
	for _, r := range o.raised {
		s := &c.signals[r.signal]
		switch r.state {
		case policy.Seen:
			s.Seen++
		case policy.Faded:
			s.Faded++
		default:
			s.Unknown++
		}
		if o.verdict == policy.Challenge {
			s.Asked++
		}
		if o.alone(r) {
			s.Alone++
		}
		if o.by == r.signal && o.verdict == policy.Challenge {
			s.ByItself++
		}
	}
}

func (c *counter) user(l *login) *UserFigures {
	key := accountOf{l.instance, l.facts.Account}
	u := c.users[key]
	if u == nil {
		u = &UserFigures{Instance: l.instance, User: cmp.Or(l.facts.User, l.facts.Account)}
		c.users[key] = u
	}
	return u
}

func (c *counter) day(at time.Time) *DayFigures {
	name := at.UTC().Format(time.DateOnly)
	d := c.days[name]
	if d == nil {
		d = &DayFigures{Day: name}
		c.days[name] = d
	}
	return d
}

func (c *counter) preset(name string) *PresetFigures {
	p := c.presets[name]
	if p == nil {
		p = &PresetFigures{Policy: name}
		c.presets[name] = p
	}
	return p
}

// figures are what was counted.
func (c *counter) figures() Figures {
	f := c.f
	f.Users = len(c.users)
	var counts []int
	for _, u := range c.users {
		if u.Asked > 0 {
			counts = append(counts, u.Asked)
			f.Most = max(f.Most, u.Asked)
		}
	}
	f.UsersAsked, f.Median = len(counts), median(counts)
	f.MostAsked = mostAsked(c.users)
	f.Presets = sorted(c.presets)
	f.Days = c.allDays()
	f.Scores = scoreSteps(c.scores)
	f.Signals, f.Reasons = c.raisedSignals(), c.sortedReasons()
	if len(c.thresholds) == 1 {
		for f.Threshold = range c.thresholds {
		}
	}
	f.TextsAtMost, f.CostAtMost = f.Asked, c.q.Price.Of(f.Asked)
	return f
}

// allDays are the days from the first login to the last, those between without
// one too.
func (c *counter) allDays() []DayFigures {
	list := sorted(c.days)
	if len(list) == 0 {
		return list
	}
	first, errFirst := time.Parse(time.DateOnly, list[0].Day)
	last, errLast := time.Parse(time.DateOnly, list[len(list)-1].Day)
	if errFirst != nil || errLast != nil || last.Sub(first) > maxDays*24*time.Hour {
		return list
	}
	for at := first; at.Before(last); at = at.AddDate(0, 0, 1) {
		c.day(at)
	}
	return sorted(c.days)
}

// raisedSignals are the signals that were not always quiet.
func (c *counter) raisedSignals() []SignalFigures {
	list := []SignalFigures{}
	for _, s := range c.signals {
		if s.Seen+s.Faded+s.Unknown > 0 {
			list = append(list, s)
		}
	}
	return list
}

// sortedReasons are the reasons of refusing, of asking and of letting in, the
// most frequent of each first.
func (c *counter) sortedReasons() []ReasonFigures {
	list := []ReasonFigures{}
	for r, n := range c.reasons {
		list = append(list, ReasonFigures{r.verdict, r.cause, n})
	}
	order := []policy.Verdict{policy.Deny, policy.Challenge, policy.Allow}
	slices.SortFunc(list, func(a, b ReasonFigures) int {
		return cmp.Or(slices.Index(order, a.Verdict)-slices.Index(order, b.Verdict), b.Logins-a.Logins, cmp.Compare(a.Cause, b.Cause))
	})
	return list
}
