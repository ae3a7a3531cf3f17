package page

import (
	"html/template"
	"strconv"
)

// TeamDone says what an account's owner changed a moment ago.
type TeamDone int

const (
	// TeamNothing: the page was opened.
	TeamNothing TeamDone = iota
	// TeamNumber: a member has a new number.
	TeamNumber
	// TeamOn: a second factor is now asked of every member.
	TeamOn
	// TeamOff: it is not any more.
	TeamOff
)

// MemberRow is one member of an account.
type MemberRow struct {
	// Name is the member's user name.
	Name string
	// App, Phone and Recovery say what the member has.
	App, Phone, Recovery bool
	// Ending is the last digits of the phone's number. It may be empty.
	Ending string
	// Waiting says that an owner has entered the number, which ends in Ending, and
	// that it waits for the member to confirm it.
	Waiting bool
	// You says that it is the person who looks, and Owner that it is an owner.
	You, Owner bool
	// SetNumber is the address where the owner sets the number, fetched by GET.
	// Empty: no link.
	SetNumber string
}

// TeamPage shows an account's owner the members and their second factors.
type TeamPage struct {
	// Host is the host of the site as the browser sees it.
	Host string
	// User is the user's name as typed. It may be empty.
	User string
	// Name is the name of the account.
	Name string
	// Done is the change that the page tells of.
	Done TeamDone
	// Members are shown in their order, at most MaxMembers; of more the page says
	// how many.
	Members []MemberRow
	// Missing are the members without a factor; of more than MaxMembers the page
	// says how many.
	Missing []string
	// Demanded says that a second factor is asked of every member.
	Demanded bool
	// TurnOn asks it of every member; nil where somebody is missing, which is said.
	TurnOn *Post
	// TurnOff asks it no more; nil: only the people who run the site can.
	TurnOff *Post
	// Earlier and Later are the addresses of the members before and after these, for
	// teams of more than MaxMembers, fetched by GET. Empty: no link.
	Earlier, Later string
	// Back is the address to go back to, fetched by GET. Empty: no link.
	Back string
}

// MaxMembers is the number of members that the page of a team shows.
const MaxMembers = 12

type teamView struct {
	insideView
	Members []memberView
	More    []part
	Earlier template.HTMLAttr
	Later   template.HTMLAttr
	Demand  []part
	Missing [][]part
	Unsaid  []part
	TurnOn  *postView
	TurnOff *postView
}

type memberView struct {
	ID     string
	Name   []part
	Tag    []part
	Has    [][]part
	Number template.HTMLAttr
}

// Team renders the page of an account's owner.
func (s *Set) Team(l Lang, p TeamPage) ([]byte, error) {
	sp, site := s.inside(l), given("site", s.siteOr(p.Host))
	var to target
	v := teamView{
		TurnOff: to.post("turn off", p.TurnOff),
		Earlier: to.local("href", "earlier", p.Earlier),
		Later:   to.local("href", "later", p.Later),
	}
	for i, m := range p.Members[:min(len(p.Members), MaxMembers)] {
		v.Members = append(v.Members, m.view(sp, &to, "member-"+strconv.Itoa(i)))
	}
	if more := len(p.Members) - MaxMembers; more > 0 {
		v.More = sp.say("team.more", count(more))
	}
	switch {
	case p.Demanded && p.TurnOff == nil:
		v.Demand = sp.say("team.demand.on.operator", site)
	case p.Demanded:
		v.Demand = sp.say("team.demand.on")
	case len(p.Missing) > 0:
		v.Demand = sp.say("team.demand.missing", count(len(p.Missing)))
		p.missing(sp, &v)
	default:
		v.Demand = sp.say("team.demand.off")
		v.TurnOn = to.post("turn on", p.TurnOn)
	}
	v.Heading = sp.say("team.title", given("account", p.Name))
	v.Who = sp.who(site, p.User)
	v.Status = p.status(sp)
	v.Back = to.local("href", "back", p.Back)
	return s.renderInside(pageTeam, sp, &to, p.Host, &v.insideView, &v)
}

// missing names the members without a factor.
func (p TeamPage) missing(sp *speaker, v *teamView) {
	for _, name := range p.Missing[:min(len(p.Missing), MaxMembers)] {
		v.Missing = append(v.Missing, []part{{Text: tidyTo(name, maxRow), Given: true}})
	}
	if more := len(p.Missing) - MaxMembers; more > 0 {
		v.Unsaid = sp.say("team.more", count(more))
	}
}

// status tells of the change, or else how things stand.
func (p TeamPage) status(sp *speaker) []part {
	switch p.Done {
	case TeamNumber:
		return sp.say("team.done.number")
	case TeamOn:
		return sp.say("team.done.on")
	case TeamOff:
		return sp.say("team.done.off")
	}
	return sp.say("team.status")
}

func (m MemberRow) view(sp *speaker, to *target, id string) memberView {
	v := memberView{
		ID:     id,
		Name:   []part{{Text: tidyTo(m.Name, maxRow), Given: true}},
		Number: to.local("href", "set number", m.SetNumber),
	}
	switch {
	case m.You:
		v.Tag = sp.say("team.you")
	case m.Owner:
		v.Tag = sp.say("team.owner")
	}
	if m.App {
		v.Has = append(v.Has, sp.say("factor.authenticator"))
	}
	if m.Phone && m.Ending != "" {
		v.Has = append(v.Has, sp.say("team.phone.ending", given("ending", m.Ending)))
	} else if m.Phone {
		v.Has = append(v.Has, sp.say("factor.phone"))
	}
	if m.Waiting {
		v.Has = append(v.Has, sp.say("team.waiting", given("ending", m.Ending)))
	}
	if m.Recovery {
		v.Has = append(v.Has, sp.say("settings.recovery"))
	}
	if !m.App && !m.Phone && !m.Waiting {
		v.Has = append(v.Has, sp.say("team.none"))
	}
	return v
}
