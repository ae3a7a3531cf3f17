package page

import (
	"html/template"
	"slices"
	"strconv"
)

type settingsView struct {
	insideView
	Demand       []part
	Factors      []factorView
	AddApp       template.HTMLAttr
	AddPhone     template.HTMLAttr
	Recovery     []part
	RecoveryHint []part
	NewRecovery  template.HTMLAttr
	Off          template.HTMLAttr
	OffText      []part
	Activity     template.HTMLAttr
	Team         template.HTMLAttr
	Home         template.HTMLAttr
	HomeText     []part
}

type factorView struct {
	// ID is of the element with the name, by which the links are described.
	ID     string
	Phone  bool
	Name   []part
	Lines  [][]part
	Rename *postView
	Label  inputView
	Change template.HTMLAttr
	Remove template.HTMLAttr
}

// Settings renders the settings page.
func (s *Set) Settings(l Lang, p SettingsPage) ([]byte, error) {
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	v := settingsView{
		Demand:      p.demand(sp, site),
		AddApp:      to.local("href", "add app", p.AddApp),
		AddPhone:    to.local("href", "add phone", p.AddPhone),
		NewRecovery: to.local("href", "new recovery", p.NewRecovery),
		Off:         to.local("href", "switch off", p.SwitchOff),
		Activity:    to.local("href", "activity", p.Activity),
		Team:        to.local("href", "team", p.Team),
		Home:        to.local("href", "home", p.Home),
		HomeText:    sp.say("settings.home", site),
	}
	sorted := slices.Clone(p.Factors)
	slices.SortStableFunc(sorted, func(a, b FactorRow) int { return int(a.Factor) - int(b.Factor) })
	for i, f := range sorted {
		v.Factors = append(v.Factors, f.view(sp, &to, "factor-"+strconv.Itoa(i)))
	}
	p.recovery(sp, &v)
	p.off(sp, site, &v)
	v.Heading = sp.say("settings.title")
	v.Who = sp.who(site, p.User)
	v.Status = p.status(sp, site)
	return s.renderInside(pageSettings, sp, &to, p.Host, &v.insideView, &v)
}

// doneKeys are the texts of what was changed.
var doneKeys = map[SettingsDone]string{
	DoneAdded:     "settings.done.added",
	DoneRemoved:   "settings.done.removed",
	DoneRenamed:   "settings.done.renamed",
	DoneChanged:   "settings.done.changed",
	DoneRecovery:  "settings.done.recovery",
	DoneOff:       "settings.done.off",
	DoneSession:   "activity.done.session",
	DoneSessions:  "activity.done.sessions",
	DoneForgotten: "activity.done.forgotten",
}

// status tells of the change, or else how things stand.
func (p SettingsPage) status(sp *speaker, site arg) []part {
	if key, ok := doneKeys[p.Done]; ok {
		return sp.say(key)
	}
	if len(p.Factors) == 0 {
		return sp.say("settings.status.off", site)
	}
	return sp.say("settings.status.on", site)
}

// demand says who asks for a second factor, and from when on.
func (p SettingsPage) demand(sp *speaker, site arg) []part {
	who := ".operator"
	if p.DemandBy == ByOwner {
		who = ".owner"
	}
	switch p.Demand {
	case DemandFrom:
		return sp.dated("settings.demand.from"+who, p.By, site)
	case DemandNow:
		return sp.say("settings.demand.now"+who, site)
	}
	return nil
}

// fewCodes is how many recovery codes are so few that the page says so.
const fewCodes = 3

func (p SettingsPage) recovery(sp *speaker, v *settingsView) {
	if p.RecoveryOf == 0 {
		v.Recovery = sp.say("settings.recovery.none")
		return
	}
	v.Recovery = sp.say("settings.recovery.left", count(p.RecoveryLeft), words("of", strconv.Itoa(p.RecoveryOf)))
	if p.RecoveryLeft <= fewCodes && p.NewRecovery != "" {
		v.RecoveryHint = sp.say("settings.recovery.few")
	}
}

// off says who may switch it off, where there is something to switch off.
func (p SettingsPage) off(sp *speaker, site arg, v *settingsView) {
	if len(p.Factors) == 0 {
		return
	}
	switch p.OffBy {
	case OffByOperator:
		v.OffText = sp.say("settings.off.operator", site)
	case OffByNobody:
		v.OffText = sp.say("settings.off.nobody")
	}
}

func (f FactorRow) view(sp *speaker, to *target, id string) factorView {
	v := factorView{
		ID:     id,
		Phone:  f.Factor == TextMessage,
		Name:   Choice{Factor: f.Factor, Label: f.Label}.view(sp).Name,
		Rename: to.post("rename", f.Rename),
		Change: to.local("href", "change", f.Change),
		Remove: to.local("href", "remove", f.Remove),
		Label:  labelInput(sp, f.Label),
	}
	v.Label.ID, v.Label.Label = id+"-label", sp.say("settings.name")
	if v.Phone && f.Ending != "" {
		v.Lines = append(v.Lines, sp.say("settings.ending", given("ending", f.Ending)))
	}
	if since := sp.dated("settings.since", f.Since); since != nil {
		v.Lines = append(v.Lines, since)
	}
	if used := sp.dated("settings.used", f.Used); used != nil {
		return v.with(used)
	}
	return v.with(sp.say("settings.unused"))
}

func (v factorView) with(line []part) factorView {
	v.Lines = append(v.Lines, line)
	return v
}
