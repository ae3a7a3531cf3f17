package account

import (
	"testing"
	"time"
)

func TestHowMuchAUserIsAskedForAFactor(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	at := func(d time.Duration) *Demand { return &Demand{From: now.Add(d)} }
	required := Wanted{Mode: ModeRequired, Again: 7 * day}
	offered := Wanted{Mode: ModeOffered, Again: 7 * day, Grace: 14 * day}
	for _, tt := range []struct {
		name string
		a    Account
		w    Wanted
		d    Demands
		want Need
	}{
		{"off asks nobody", Account{}, Wanted{Mode: ModeOff}, Demands{},
			Need{State: NeedNone, Decider: DecidedByConfig}},
		{"required lets nobody past", Account{}, required, Demands{},
			Need{State: NeedRequired, Decider: DecidedByConfig}},
		{"required from tomorrow is announced today", Account{}, Wanted{Mode: ModeRequired, From: now.Add(day)}, Demands{},
			Need{State: NeedAnnounced, By: now.Add(day), Decider: DecidedByConfig}},
		{"an offer says when its grace would end", Account{}, offered, Demands{},
			Need{State: NeedOffered, By: now.Add(14 * day), Decider: DecidedByConfig}},
		{"an offer that was put off yesterday is not made again", Account{Offered: now.Add(-day), PutOff: now.Add(-day)}, offered, Demands{},
			Need{State: NeedNone, By: now.Add(13 * day), Decider: DecidedByConfig}},
		{"an offer that was put off a week ago is made again", Account{Offered: now.Add(-7 * day), PutOff: now.Add(-7 * day)}, offered, Demands{},
			Need{State: NeedOffered, By: now.Add(7 * day), Decider: DecidedByConfig}},
		{"the end of the grace demands it, whatever was put off", Account{Offered: now.Add(-14 * day), PutOff: now}, offered, Demands{},
			Need{State: NeedRequired, Decider: DecidedByConfig}},
		{"a demand for the user holds where the config says off", Account{ID: "ada", Demand: at(-day)}, Wanted{Mode: ModeOff}, Demands{},
			Need{State: NeedRequired, Decider: DecidedForUser, Why: "ada"}},
		{"a demand for the group does not concern others", Account{Group: "sales"}, Wanted{Mode: ModeOff}, Demands{Groups: map[string]Demand{"it": *at(-day)}},
			Need{State: NeedNone, Decider: DecidedByConfig}},
		{"a demand for the team of nobody concerns nobody", Account{}, Wanted{Mode: ModeOff}, Demands{Teams: map[string]Demand{"": *at(-day)}},
			Need{State: NeedNone, Decider: DecidedByConfig}},
		{"of two demands the one that begins first counts", Account{ID: "ada", Group: "sales", Demand: at(3 * day)}, Wanted{Mode: ModeOff}, Demands{Groups: map[string]Demand{"sales": *at(day)}},
			Need{State: NeedAnnounced, By: now.Add(day), Decider: DecidedForGroup, Why: "sales"}},
		{"a demand that is announced does not weaken the config's", Account{}, required, Demands{All: at(day)},
			Need{State: NeedRequired, Decider: DecidedByConfig}},
		{"a demand for all that has begun", Account{}, offered, Demands{All: at(0)},
			Need{State: NeedRequired, Decider: DecidedForAll}},
		{"an announced demand is not shown at every login", Account{PutOff: now.Add(-day)}, offered, Demands{All: at(day)},
			Need{State: NeedNone, By: now.Add(day), Decider: DecidedForAll}},
		{"an exemption goes before everything", Account{Demand: at(-day), Exempt: &Exemption{Until: now.Add(day), Why: "new phone"}}, required, Demands{},
			Need{State: NeedNone, By: now.Add(day), Decider: DecidedByExemption, Why: "new phone"}},
		{"an exemption ends by itself", Account{Exempt: &Exemption{Until: now}}, required, Demands{},
			Need{State: NeedRequired, Decider: DecidedByConfig}},
		{"whom the operator lets switch it off is only offered it", Account{AllowOff: true}, required, Demands{},
			Need{State: NeedOffered, Decider: DecidedByAllowOff}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Need(tt.w, tt.d, now); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
