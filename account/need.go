package account

import (
	"slices"
	"time"
)

// Mode is what a config says of enrolment.
type Mode string

// The modes.
const (
	// ModeOff asks nobody to add a factor.
	ModeOff Mode = "off"
	// ModeOffered offers it after a right password, until the user has put it off
	// for the whole time of grace.
	ModeOffered Mode = "offered"
	// ModeRequired lets nobody in without one.
	ModeRequired Mode = "required"
)

// Wanted is what the config wants of one user.
type Wanted struct {
	Mode Mode
	// From is when ModeRequired begins; until then it is announced. Zero: at once.
	From time.Time
	// Again is how long 'not now' holds. Grace is after how long from the first
	// offer it becomes a demand; 0: never.
	Again, Grace time.Duration
	// Why names what in the config decides, such as 'group sales'; empty for what
	// holds for all.
	Why string
}

// NeedState says how much a user without a factor is asked for one.
type NeedState string

// How much that can be.
const (
	// NeedNone: not at all, for now.
	NeedNone NeedState = "none"
	// NeedOffered: it is offered.
	NeedOffered NeedState = "offered"
	// NeedAnnounced: it is offered, and demanded from Need.By on.
	NeedAnnounced NeedState = "announced"
	// NeedRequired: there is no way past.
	NeedRequired NeedState = "required"
)

// Decider says which of config and store decides.
type Decider string

// What can decide.
const (
	DecidedByConfig    Decider = "config"
	DecidedByExemption Decider = "exemption"
	DecidedByAllowOff  Decider = "allow-off"
	DecidedForUser     Decider = "demand for the user"
	DecidedForGroup    Decider = "demand for the group"
	DecidedForTeam     Decider = "demand for the team"
	DecidedForAll      Decider = "demand for all"
)

// Need is how much a user without a factor is asked for one, and why.
type Need struct {
	State NeedState
	// By is until when it may be put off; zero for ever, or not at all.
	By time.Time
	// Decider says who decides, Why the rest: the rule of the config, the name of
	// the group or team.
	Decider Decider
	Why     string
}

// HasFactor reports whether the account has a factor besides recovery codes.
func (a *Account) HasFactor() bool {
	return slices.ContainsFunc(a.Factors, func(f Factor) bool { return f.Kind != KindRecovery })
}

// ExemptAt reports whether the user is let in without a factor at a time.
func (a *Account) ExemptAt(now time.Time) bool { return a.Exempt != nil && now.Before(a.Exempt.Until) }

// Need is how much this user would be asked for a factor at a time, if there is
// none. The store can only demand more than the config does, but for an exemption
// and for allow-off, which are the operator's for one user.
func (a *Account) Need(w Wanted, d Demands, now time.Time) Need {
	if a.ExemptAt(now) {
		return Need{State: NeedNone, By: a.Exempt.Until, Decider: DecidedByExemption, Why: a.Exempt.Why}
	}
	demanded := a.demanded(w, d, now)
	if demanded.State == NeedRequired && a.AllowOff {
		return Need{State: a.offer(w, now), Decider: DecidedByAllowOff, Why: demanded.Why}
	}
	if demanded.State == NeedAnnounced && a.PutOff.Add(w.Again).After(now) {
		demanded.State = NeedNone
	}
	return demanded
}

// offer is whether it is offered now, or was put off a while ago.
func (a *Account) offer(w Wanted, now time.Time) NeedState {
	if !a.PutOff.IsZero() && a.PutOff.Add(w.Again).After(now) {
		return NeedNone
	}
	return NeedOffered
}

// demanded is the demand that begins first, or else what the config offers.
func (a *Account) demanded(w Wanted, d Demands, now time.Time) Need {
	first := a.configured(w, now)
	for _, x := range a.demands(d) {
		n := Need{State: NeedAnnounced, By: x.from, Decider: x.decider, Why: x.why}
		if !now.Before(x.from) {
			n.State, n.By = NeedRequired, time.Time{}
		}
		if first.State == NeedRequired || !earlier(n, first) {
			continue
		}
		first = n
	}
	return first
}

// earlier reports whether a demand begins before what there is, or is one where
// that is none.
func earlier(n, than Need) bool {
	return n.State == NeedRequired || than.By.IsZero() || n.By.Before(than.By)
}

type demandOf struct {
	from    time.Time
	decider Decider
	why     string
}

// demands are those of the store that concern the user, the nearest first.
func (a *Account) demands(d Demands) (all []demandOf) {
	if a.Demand != nil {
		all = append(all, demandOf{a.Demand.From, DecidedForUser, a.ID})
	}
	if x, ok := d.Groups[a.Group]; ok && a.Group != "" {
		all = append(all, demandOf{x.From, DecidedForGroup, a.Group})
	}
	if x, ok := d.Teams[TeamKey(a.Team)]; ok && a.Team != "" {
		all = append(all, demandOf{x.From, DecidedForTeam, a.Team})
	}
	if d.All != nil {
		all = append(all, demandOf{d.All.From, DecidedForAll, ""})
	}
	return all
}

// configured is what the config alone comes to.
func (a *Account) configured(w Wanted, now time.Time) Need {
	n := Need{State: NeedNone, Decider: DecidedByConfig, Why: w.Why}
	switch w.Mode {
	case ModeRequired:
		n.State = NeedRequired
		if now.Before(w.From) {
			n.State, n.By = NeedAnnounced, w.From
		}
	case ModeOffered:
		n.State = a.offer(w, now)
		if w.Grace <= 0 {
			break
		}
		n.By = now.Add(w.Grace)
		if !a.Offered.IsZero() {
			n.By = a.Offered.Add(w.Grace)
		}
		if !now.Before(n.By) {
			n.State, n.By = NeedRequired, time.Time{}
		}
	}
	return n
}
