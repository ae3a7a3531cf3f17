package handler

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// fieldDone says in the address of the settings what was done a moment ago: they
// are the page's words, never the address's.
const fieldDone = "done"

const (
	doneAdded     = "added"
	doneRemoved   = "removed"
	doneRenamed   = "renamed"
	doneChanged   = "changed"
	doneRecovery  = "recovery"
	doneOff       = "off"
	doneSession   = "session"
	doneSessions  = "sessions"
	doneForgotten = "forgotten"
)

func settingsDone(name string) page.SettingsDone {
	return map[string]page.SettingsDone{
		doneAdded: page.DoneAdded, doneRemoved: page.DoneRemoved, doneRenamed: page.DoneRenamed, doneChanged: page.DoneChanged,
		doneRecovery: page.DoneRecovery, doneOff: page.DoneOff, doneSession: page.DoneSession, doneSessions: page.DoneSessions,
		doneForgotten: page.DoneForgotten,
	}[name]
}

func trimmed(s string) string { return strings.TrimSpace(s) }

// showSettings shows the page on which people look after their own factors.
func (p *person) showSettings() error {
	demands, err := p.parts.Store.Demands(p.r.Context(), p.g.Instance)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	need := p.acc.Need(p.g.Wanted(&p.acc), demands, p.now)
	v := page.SettingsPage{
		Host: p.site(), User: p.session.User, Done: settingsDone(p.orig.Query().Get(fieldDone)),
		AddApp: p.to(pageEnrolApp), Activity: p.to(pageActivity), Home: "/",
	}
	if p.parts.Challenges.CanSend() {
		v.AddPhone = p.to(pageEnrolPhone)
	}
	if len(p.acc.Factors) > account.MaxFactors {
		v.AddApp, v.AddPhone = "", ""
	}
	for i := range p.acc.Factors {
		p.addRow(&v, &p.acc.Factors[i])
	}
	v.Demand, v.By = demandOf(need)
	if need.Decider == account.DecidedForTeam {
		v.DemandBy = page.ByOwner
	}
	if p.acc.HasFactor() {
		v.OffBy = p.offBy(&p.acc, need)
		if v.OffBy == page.OffByUser {
			v.SwitchOff = p.to(pageOff)
		}
	}
	if p.acc.Owner && account.TeamKey(p.acc.Team) != "" {
		v.Team = p.to(pageTeam)
	}
	return p.show(p.g.Pages.Settings(p.language(), v))
}

func (p *person) addRow(v *page.SettingsPage, f *account.Factor) {
	row := page.FactorRow{ID: f.ID, Label: f.Label, Ending: f.Hint, Since: f.Created, Used: f.Used}
	rename := p.form(pageRename, fieldShowFactor, f.ID)
	switch f.Kind {
	case account.KindRecovery:
		v.RecoveryLeft, v.RecoveryOf, v.NewRecovery = len(f.Recovery.Hashes), f.Recovery.Of, p.to(pageRecovery)
		return
	case account.KindPhone:
		row.Factor, row.Change = page.TextMessage, p.to(pageChange, fieldShowFactor, f.ID)
	default:
		row.Factor = page.Authenticator
	}
	row.Rename = &rename
	if p.mayRemove(&p.acc, f.ID) {
		row.Remove = p.to(pageRemove, fieldShowFactor, f.ID)
	}
	v.Factors = append(v.Factors, row)
}

// offBy says who may switch the second factor off.
func (g *Gate) offBy(acc *account.Account, need account.Need) page.OffBy {
	switch {
	case acc.AllowOff:
		return page.OffByUser
	case need.State == account.NeedRequired:
		return page.OffByNobody
	case g.Enrolment.SwitchOff == OffByCode:
		return page.OffByUser
	default:
		return page.OffByOperator
	}
}

func (p *person) offBy(acc *account.Account, need account.Need) page.OffBy {
	return p.g.offBy(acc, need)
}

// mayRemove reports whether a factor may be removed by itself: another is left.
// The last one goes by switching off.
func (p *person) mayRemove(acc *account.Account, id string) bool {
	return slices.ContainsFunc(acc.Factors, func(f account.Factor) bool { return f.ID != id && f.Kind != account.KindRecovery })
}

// factorNamed finds the factor that an address or a form names; nil if there is
// none.
func (p *person) factorNamed(id string) *account.Factor {
	f, ok := p.acc.Factor(id)
	if !ok || f.Kind == account.KindRecovery {
		return nil
	}
	return f
}

// rename gives a factor another name. It opens nothing, and asks for no code.
func (p *person) rename(form url.Values) error {
	id, name := form.Get(fieldShowFactor), label(form.Get(page.FieldLabel))
	ctx, cancel := p.ctx()
	defer cancel()
	_, err := p.parts.Store.ChangeAccount(ctx, store.Change{Instance: p.g.Instance, Account: p.acc.ID, Edit: func(a *account.Account) error {
		if isAlarmed(a) {
			return errNotAllowed
		}
		f, ok := a.Factor(id)
		if !ok || f.Kind == account.KindRecovery {
			return errElsewhere
		}
		f.Label = name
		return nil
	}}, p.g.Clock())
	if err != nil {
		return p.notApplied(err)
	}
	return p.redirect(p.to(pageSettings, fieldDone, doneRenamed))
}

// askRemove asks once more before a factor is removed.
func (p *person) askRemove() error {
	f := p.factorNamed(p.orig.Query().Get(fieldShowFactor))
	if f == nil || !p.mayRemove(&p.acc, f.ID) {
		return p.redirect(p.g.Prefix)
	}
	if asked, err := p.needFresh(); asked || err != nil {
		return err
	}
	v := page.SurePage{Host: p.site(), User: p.session.User, What: page.SureRemoveApp, Name: f.Label, Post: p.form(pageRemove, fieldShowFactor, f.ID), Back: p.g.Prefix}
	if f.Kind == account.KindPhone {
		v.What, v.Name = page.SureRemovePhone, f.Hint
	}
	return p.show(p.g.Pages.Sure(p.language(), v))
}

// remove removes a factor that is not the last.
func (p *person) remove(form url.Values) error {
	f := p.factorNamed(form.Get(fieldShowFactor))
	if f == nil {
		return p.refuse(page.ChangedElsewhere, nil)
	}
	if asked, err := p.needFresh(); asked || err != nil {
		return err
	}
	n := p.notice(NoticeRemoved).of(f)
	tell := []notice{n}
	if f.Kind == account.KindPhone {
		if number, err := p.parts.Challenges.Secret(&p.acc, f); err == nil {
			tell = append(tell, n.byText(string(number)))
		}
	}
	id := f.ID
	return p.applyAndTell(store.Change{End: store.EndOthers, Edit: func(a *account.Account) error {
		if !p.mayRemove(a, id) {
			return errElsewhere
		}
		n := len(a.Factors)
		a.Factors = slices.DeleteFunc(slices.Clone(a.Factors), func(f account.Factor) bool { return f.ID == id })
		if len(a.Factors) == n {
			return errElsewhere
		}
		a.Updated = p.now
		return nil
	}}, FactorRemoved, f, doneRemoved, tell...)
}

// applyAndTell makes a change and goes back to the settings.
func (p *person) applyAndTell(c store.Change, kind Result, f *account.Factor, done string, tell ...notice) error {
	ctx, cancel := p.ctx()
	defer cancel()
	var err error
	if c.Notices, err = p.noticesFor(p.acc.ID, tell...); err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	of, hint := account.Kind(""), ""
	if f != nil {
		of, hint = f.Kind, f.Hint
	}
	if _, err := p.apply(ctx, c); err != nil {
		return p.notApplied(err)
	}
	p.recordOwn(kind, of, hint)
	return p.redirect(p.to(pageSettings, fieldDone, done))
}

// askOff asks once more before the second factor is switched off.
func (p *person) askOff() error {
	if may, err := p.mayOff(); !may || err != nil {
		return err
	}
	if asked, err := p.needFresh(); asked || err != nil {
		return err
	}
	return p.show(p.g.Pages.Sure(p.language(), page.SurePage{
		Host: p.site(), User: p.session.User, What: page.SureOff, Post: p.form(pageOff), Back: p.g.Prefix, Last: true,
	}))
}

// mayOff reports whether the user may switch it off; if not, the request has been
// answered.
func (p *person) mayOff() (bool, error) {
	demands, err := p.parts.Store.Demands(p.r.Context(), p.g.Instance)
	if err != nil {
		return false, p.refuse(page.StoreUnavailable, err)
	}
	if !p.acc.HasFactor() {
		return false, p.redirect(p.g.Prefix)
	}
	if p.offBy(&p.acc, p.acc.Need(p.g.Wanted(&p.acc), demands, p.now)) != page.OffByUser {
		return false, p.refuse(page.NotAllowed, nil)
	}
	return true, nil
}

// switchOff removes all factors. The need is asked again in the step that does
// it, but for the demands of groups and teams, which are kept apart.
func (p *person) switchOff(url.Values) error {
	if may, err := p.mayOff(); !may || err != nil {
		return err
	}
	if asked, err := p.needFresh(); asked || err != nil {
		return err
	}
	return p.applyAndTell(store.Change{End: store.EndOthers, Edit: func(a *account.Account) error {
		if p.offBy(a, a.Need(p.g.Wanted(a), account.Demands{}, p.now)) != page.OffByUser {
			return errNotAllowed
		}
		a.Factors, a.Updated, a.PutOff = nil, p.now, p.now
		return nil
	}}, FactorsOff, nil, doneOff, p.notice(NoticeOff))
}

// askRecovery asks once more before new recovery codes are made.
func (p *person) askRecovery() error {
	if p.ch != nil {
		return p.redirect(p.to(pageEnrol))
	}
	if !p.acc.HasFactor() {
		return p.redirect(p.g.Prefix)
	}
	if asked, err := p.needFresh(); asked || err != nil {
		return err
	}
	return p.show(p.g.Pages.Sure(p.language(), page.SurePage{
		Host: p.site(), User: p.session.User, What: page.SureRecovery, Post: p.form(pageRecovery), Back: p.g.Prefix,
	}))
}

// makeRecovery makes new recovery codes; the old ones are worth nothing then.
func (p *person) makeRecovery(url.Values) error {
	if p.ch != nil && p.ch.Enrolled == "" {
		return p.redirect(p.to(pageEnrol))
	}
	if asked, err := p.needFresh(); asked || err != nil {
		return err
	}
	ctx, cancel := p.ctx()
	defer cancel()
	made, codes, err := p.parts.Challenges.NewRecovery(ctx)
	if errors.Is(err, challenge.ErrBusy) {
		return p.refuse(page.TooBusy, err)
	}
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	c := store.Change{Edit: func(a *account.Account) error {
		if _, mine := a.Factor(p.enrolled()); !a.HasFactor() || p.ch != nil && !mine {
			return errElsewhere
		}
		a.Factors = slices.DeleteFunc(slices.Clone(a.Factors), func(f account.Factor) bool { return f.Kind == account.KindRecovery })
		a.Factors, a.Updated = append(a.Factors, made), p.now
		return nil
	}}
	if c.Notices, err = p.noticesFor(p.acc.ID, p.notice(NoticeRecoveryMade)); err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	if p.ch == nil {
		_, err = p.apply(ctx, c)
	} else {
		c.Instance, c.Account = p.g.Instance, p.acc.ID
		_, err = p.parts.Store.ChangeAccount(ctx, c, p.g.Clock())
	}
	if err != nil {
		return p.notApplied(err)
	}
	p.recordOwn(RecoveryMade, account.KindRecovery, "")
	v := page.RecoveryPage{Host: p.site(), User: p.session.User, Codes: codes, When: p.now}
	if p.ch != nil {
		v.First, v.Continue = true, p.goOnForm(p.ch, goOnWith)
	} else {
		v.Done = p.to(pageSettings, fieldDone, doneRecovery)
	}
	return p.show(p.g.Pages.Recovery(p.language(), v))
}

// enrolled is the factor that was added in the login; empty in a verified session.
func (p *person) enrolled() string {
	if p.ch == nil {
		return ""
	}
	return p.ch.Enrolled
}
