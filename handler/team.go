package handler

import (
	"errors"
	"net/url"
	"strconv"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// The owner of a team sees its members, enters numbers for those who have no
// factor, and demands one of all once each has a number or an authenticator.

// maxTeam is how many members of a team are shown. Of all it is looked who is
// missing.
const maxTeam = 1000

// fieldMember names a member in addresses and forms, by the ID of the account.
const fieldMember = "member"

// isOwner reports whether the person is the owner of a team; if not, the request
// has been answered.
func (p *person) isOwner() (bool, error) {
	if p.acc.Owner && account.TeamKey(p.acc.Team) != "" {
		return true, nil
	}
	return false, p.refuse(page.NotAllowed, nil)
}

// members are those of the team, and the names of those without a factor or a
// number that waits for its code.
func (p *person) members() (all []account.Account, missing []string, err error) {
	for a, err := range p.parts.Store.ListAccounts(p.r.Context(), p.g.Instance) {
		if err != nil {
			return nil, nil, err
		}
		if !a.InTeam(p.acc.Team) {
			continue
		}
		if len(all) < maxTeam {
			all = append(all, a)
		}
		if len(missing) < maxTeam && !a.HasFactor() && a.Proposed == nil {
			missing = append(missing, a.Name)
		}
	}
	return all, missing, nil
}

// showTeam shows the owner the members.
func (p *person) showTeam() error {
	if is, err := p.isOwner(); !is {
		return err
	}
	all, missing, err := p.members()
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	demands, err := p.parts.Store.Demands(p.r.Context(), p.g.Instance)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	there, demanded := demands.Teams[account.TeamKey(p.acc.Team)]
	v := page.TeamPage{
		Host: p.site(), User: p.session.User, Name: p.acc.Team, Done: teamDone(p.orig.Query().Get(fieldDone)),
		Missing: missing, Demanded: demanded, Back: p.g.Prefix,
	}
	p.listMembers(&v, all)
	switch {
	case demanded && p.mayEndDemand(there):
		off := p.form(pageTeamDemand, fieldDone, teamOff)
		v.TurnOff = &off
	case !demanded && len(missing) == 0:
		on := p.form(pageTeamDemand, fieldDone, teamOn)
		v.TurnOn = &on
	}
	return p.show(p.g.Pages.Team(p.language(), v))
}

// fieldPage is the number of the page of members, from 0.
const fieldPage = "page"

// listMembers puts those members on the page that its number asks for.
func (p *person) listMembers(v *page.TeamPage, all []account.Account) {
	at, err := strconv.Atoi(p.orig.Query().Get(fieldPage))
	if err != nil || at < 0 || at > (len(all)-1)/page.MaxMembers {
		at = 0
	}
	from := at * page.MaxMembers
	to := min(from+page.MaxMembers, len(all))
	for i := range all[from:to] {
		v.Members = append(v.Members, p.memberRow(&all[from+i]))
	}
	if at > 0 {
		v.Earlier = p.to(pageTeam, fieldPage, itoa(at-1))
	}
	if to < len(all) {
		v.Later = p.to(pageTeam, fieldPage, itoa(at+1))
	}
}

// mayEndDemand reports whether the owner may end the demand: only their own, and
// only where the operator lets them.
func (p *person) mayEndDemand(d account.Demand) bool {
	return p.g.Enrolment.OwnersOff && d.By != account.ByOperator
}

func (p *person) memberRow(a *account.Account) page.MemberRow {
	row := page.MemberRow{Name: a.Name, You: a.ID == p.acc.ID, Owner: a.Owner}
	for i := range a.Factors {
		switch f := &a.Factors[i]; f.Kind {
		case account.KindTOTP:
			row.App = true
		case account.KindPhone:
			row.Phone, row.Ending = true, f.Hint
		case account.KindRecovery:
			row.Recovery = true
		}
	}
	if a.HasFactor() || a.ID == p.acc.ID {
		return row
	}
	if a.Proposed != nil {
		row.Waiting, row.Ending = true, a.Proposed.Hint
	}
	row.SetNumber = p.to(pageTeamNumber, fieldMember, a.ID)
	return row
}

const (
	teamOn     = "on"
	teamOff    = "off"
	teamNumber = "number"
)

func teamDone(name string) page.TeamDone {
	return map[string]page.TeamDone{teamNumber: page.TeamNumber, teamOn: page.TeamOn, teamOff: page.TeamOff}[name]
}

// member finds a member whose number the owner may enter: one without a factor,
// as of that no session but the member's own may change anything.
func (p *person) member(id string) (*account.Account, bool, error) {
	a, err := p.parts.Store.Account(p.r.Context(), p.g.Instance, account.Fold(id))
	switch {
	case err != nil && !isGone(err):
		return nil, false, p.refuse(page.StoreUnavailable, err)
	case err != nil, !a.InTeam(p.acc.Team), a.ID == p.acc.ID:
		// The owner does not learn whether others have such a user.
		return nil, false, p.refuse(page.NotAllowed, nil)
	case a.HasFactor():
		return nil, false, p.refuse(page.ChangedElsewhere, nil)
	}
	return &a, true, nil
}

// showMemberNumber asks the owner for the number of a member.
func (p *person) showMemberNumber() error {
	if is, err := p.isOwner(); !is {
		return err
	}
	if asked, err := p.ownerFresh(); asked || err != nil {
		return err
	}
	a, ok, err := p.member(p.orig.Query().Get(fieldMember))
	if !ok {
		return err
	}
	return p.askMember(a, "", "", page.NumberNone)
}

// ownerFresh asks the owner for a fresh code; an owner without a factor has to
// add one first.
func (p *person) ownerFresh() (bool, error) {
	if !p.acc.HasFactor() {
		return true, p.redirect(p.to(pageEnrol))
	}
	return p.needFresh()
}

func (p *person) askMember(a *account.Account, region, typed string, problem page.NumberProblem) error {
	v := page.EnrolPhonePage{
		Host: p.site(), User: p.session.User, Member: a.Name, Countries: countries(), Region: region, Number: typed, Problem: problem,
		Post: p.form(pageTeamNumber, fieldMember, a.ID), Back: p.to(pageTeam),
	}
	if v.Region == "" {
		v.Region = p.likelyRegion()
	}
	return p.showNumber(v)
}

// setMemberNumber keeps the number of a member until the member has entered a code
// of it.
func (p *person) setMemberNumber(form url.Values) error {
	if is, err := p.isOwner(); !is {
		return err
	}
	if asked, err := p.ownerFresh(); asked || err != nil {
		return err
	}
	a, ok, err := p.member(form.Get(fieldMember))
	if !ok {
		return err
	}
	region, typed := bounded(form.Get(page.FieldRegion), 2), bounded(form.Get(page.FieldNumber), 64)
	number, err := challenge.ParseNumber(region, typed)
	switch {
	case typed == "":
		return p.askMember(a, region, typed, page.NumberEmpty)
	case errors.Is(err, challenge.ErrNumberKind):
		return p.askMember(a, region, typed, page.NumberKind)
	case err != nil:
		return p.askMember(a, region, typed, page.NumberInvalid)
	}
	f, err := p.parts.Challenges.NewFactor(a, challenge.Candidate{Number: number.E164}, p.now)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	return p.propose(a, &f)
}

// propose keeps the number for the member, who is told by mail.
func (p *person) propose(a *account.Account, f *account.Factor) error {
	n := p.noticeTo(NoticeOwnerNumber, a, a.Name).of(f)
	n.IP, n.Country, n.Browser, n.System = "", "", "", "" // The owner's.
	notices, err := p.noticesFor(a.ID, n)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	ctx, cancel := p.ctx()
	defer cancel()
	_, err = p.parts.Store.ChangeAccount(ctx, store.Change{Instance: a.Instance, Account: a.ID, Notices: notices, Edit: func(m *account.Account) error {
		switch {
		case m.HasFactor(), !m.InTeam(p.acc.Team):
			return errElsewhere
		case isAlarmed(m):
			return errNotAllowed
		}
		m.Proposed, m.Updated = f, p.now
		return nil
	}}, p.g.Clock())
	if err != nil {
		return p.notApplied(err)
	}
	p.record(Event{Kind: FactorChange, Result: Proposed, User: a.Name, Account: a.ID, Factor: f.Kind, Hint: f.Hint, Detail: "by " + p.acc.ID})
	return p.redirect(p.to(pageTeam, fieldDone, teamNumber))
}

// demand turns the demand for the whole team on, or off where the operator lets
// the owner.
func (p *person) demand(form url.Values) error {
	if is, err := p.isOwner(); !is {
		return err
	}
	if asked, err := p.ownerFresh(); asked || err != nil {
		return err
	}
	_, missing, err := p.members()
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	on := form.Get(fieldDone) == teamOn
	if on && len(missing) > 0 {
		return p.redirect(p.to(pageTeam))
	}
	ctx, cancel := p.ctx()
	defer cancel()
	now, team := p.g.Clock(), account.TeamKey(p.acc.Team)
	err = p.parts.Store.ChangeDemands(ctx, p.g.Instance, func(d *account.Demands) error {
		there, is := d.Teams[team]
		switch {
		case on && is:
			return nil
		case on:
			if d.Teams == nil {
				d.Teams = map[string]account.Demand{}
			}
			d.Teams[team] = account.Demand{From: now, By: p.acc.ID, At: now}
		case is && !p.mayEndDemand(there):
			return errNotAllowed
		default:
			delete(d.Teams, team)
		}
		return nil
	})
	if err != nil {
		return p.notApplied(err)
	}
	done, result := teamOff, DemandOff
	if on {
		done, result = teamOn, DemandOn
	}
	p.record(Event{Kind: DemandChanged, Result: result, User: p.acc.Name, Account: p.acc.ID, Detail: p.acc.Team})
	return p.redirect(p.to(pageTeam, fieldDone, done))
}
