package report

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// Figures are what one policy makes of the logins of the period.
type Figures struct {
	Name     string `json:"name"`
	Replayed bool   `json:"replayed"`
	// Logins are right passwords: LetIn, Asked for a code and Refused. High are
	// those of Asked whose browser cannot be remembered.
	Logins  int `json:"logins"`
	LetIn   int `json:"let_in"`
	Asked   int `json:"asked"`
	Refused int `json:"refused"`
	High    int `json:"high"`
	// NotReplayable are logins whose facts are not known; they are not counted.
	NotReplayable int `json:"not_replayable"`
	// Users are distinct accounts; UsersAsked those that were asked.
	Users      int `json:"users"`
	UsersAsked int `json:"users_asked"`
	// Median and Most are how often each of UsersAsked was asked.
	Median float64 `json:"asked_per_user_median"`
	Most   int     `json:"asked_per_user_most"`
	// MostAsked are those who were asked most often, at most 10.
	MostAsked []UserFigures   `json:"most_asked"`
	Reasons   []ReasonFigures `json:"reasons"`
	Signals   []SignalFigures `json:"signals"`
	// Presets are the policies that have decided, by their presets.
	Presets []PresetFigures `json:"presets"`
	Days    []DayFigures    `json:"days"`
	// Scores say how many logins have so many points at least.
	Scores []ScoreFigures `json:"scores"`
	// Threshold is the score from which a code is asked for; 0 if it is not known
	// or not the same for all logins.
	Threshold int `json:"threshold,omitempty"`
	// TextsAtMost is one for each login that is asked, CostAtMost what they cost.
	TextsAtMost int         `json:"texts_at_most"`
	CostAtMost  json.Number `json:"cost_at_most,omitempty"`
}

// UserFigures are one user's.
type UserFigures struct {
	Instance string `json:"instance,omitempty"`
	User     string `json:"user"`
	Logins   int    `json:"logins"`
	Asked    int    `json:"asked"`
}

// ReasonFigures are the decisions of one cause.
type ReasonFigures struct {
	Verdict policy.Verdict `json:"verdict"`
	Cause   Cause          `json:"cause"`
	Logins  int            `json:"logins"`
}

// SignalFigures are one signal's, by logins.
type SignalFigures struct {
	Signal  string `json:"signal"`
	Seen    int    `json:"seen"`
	Faded   int    `json:"faded"`
	Unknown int    `json:"unknown"`
	// Asked are the logins with it that were asked. Alone says of how many of
	// them the points would not have been enough without its own; ByItself of how
	// many it asked whatever the points: while the account was learnt, or since
	// nobody could tell it.
	Asked    int `json:"asked"`
	Alone    int `json:"alone"`
	ByItself int `json:"by_itself"`
}

// PresetFigures are one preset's.
type PresetFigures struct {
	Policy string `json:"policy"`
	Logins int    `json:"logins"`
	Asked  int    `json:"asked"`
}

// DayFigures are those of a day in UTC.
type DayFigures struct {
	Day     string `json:"day"`
	Logins  int    `json:"logins"`
	Asked   int    `json:"asked"`
	Refused int    `json:"refused"`
}

// ScoreFigures say how many logins have a score of AtLeast or more.
type ScoreFigures struct {
	AtLeast int `json:"at_least"`
	Logins  int `json:"logins"`
}

// Share is how many logins of a hundred are asked.
func (f *Figures) Share() float64 { return percent(f.Asked, f.Logins) }

func percent(part, all int) float64 {
	if all == 0 {
		return 0
	}
	return 100 * float64(part) / float64(all)
}

// median is that of counts; 0 of none.
func median(counts []int) float64 {
	if len(counts) == 0 {
		return 0
	}
	slices.Sort(counts)
	mid := len(counts) / 2
	if len(counts)%2 == 1 {
		return float64(counts[mid])
	}
	return float64(counts[mid-1]+counts[mid]) / 2
}

// maxMostAsked is how many users are named.
const maxMostAsked = 10

// mostAsked are the users who were asked most often.
func mostAsked(users map[accountOf]*UserFigures) []UserFigures {
	list := []UserFigures{}
	for _, u := range users {
		if u.Asked > 0 {
			list = append(list, *u)
		}
	}
	slices.SortFunc(list, func(a, b UserFigures) int {
		return cmp.Or(b.Asked-a.Asked, b.Logins-a.Logins, cmp.Compare(a.User, b.User), cmp.Compare(a.Instance, b.Instance))
	})
	return list[:min(len(list), maxMostAsked)]
}

// stepOf is the distance of the thresholds that are shown, in points.
const stepOf = 10

// scoreSteps are how many logins reach the thresholds that one would choose,
// every 10 points. Of those by which the same logins are asked the highest
// stands for all: it is the one that logins have just reached.
func scoreSteps(scores map[int]int) []ScoreFigures {
	buckets := make(map[int]int)
	most, all := 0, 0
	for s, logins := range scores {
		buckets[s/stepOf] += logins
		most = max(most, s/stepOf)
		all += logins
	}
	list := []ScoreFigures{}
	for at := 0; at <= most; at++ {
		if buckets[at] > 0 {
			list = append(list, ScoreFigures{at * stepOf, all})
			all -= buckets[at]
		}
	}
	if len(list) > 0 {
		list = append(list, ScoreFigures{(most + 1) * stepOf, 0})
	}
	return list
}

// sorted are the values of a map in the order of its keys.
func sorted[K cmp.Ordered, V any](m map[K]*V) []V {
	list := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, *m[k])
	}
	return list
}
