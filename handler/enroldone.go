package handler

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"
	"unicode"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// checkApp takes the first code of a new authenticator.
func (p *person) checkApp(form url.Values) error {
	if may, err := p.mayAdd(); !may {
		return err
	}
	e, ok, err := p.enrolment(form.Get(fieldEnrolment), account.KindTOTP)
	if !ok {
		return err
	}
	e.Factor.Label = label(form.Get(page.FieldLabel))
	return p.checkEnrolment(&e, form.Get(page.FieldCode), pageEnrolApp)
}

// checkPhone takes the code that was sent to a new phone.
func (p *person) checkPhone(form url.Values) error {
	e, ok, err := p.enrolment(form.Get(fieldEnrolment), account.KindPhone)
	if !ok {
		return err
	}
	if !p.isProposed(&e) {
		if _, ok, err := p.replaced(e.Replaces); !ok {
			return err
		}
	}
	return p.checkEnrolment(&e, form.Get(page.FieldCode), pageEnrolCode)
}

// label is the name of a factor as it is kept: on one line, without characters
// that steer a terminal or a page, at most account.MaxLabel of them.
func label(typed string) string {
	var out []rune
	for _, r := range bounded(typed, 4*account.MaxLabel) {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar && len(out) < account.MaxLabel {
			out = append(out, r)
		}
	}
	return trimmed(string(out))
}

// checkEnrolment checks the code of an enrolment; with a right one the factor is added.
func (p *person) checkEnrolment(e *account.Enrolment, code, from string) error {
	ctx, cancel := p.ctx()
	defer cancel()
	result, err := p.parts.Challenges.CheckEnrolment(ctx, e, code)
	if err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	switch r := result.(type) {
	case challenge.Proved:
		r.Factor.Label = e.Factor.Label
		return p.add(ctx, e, &r)
	case challenge.Gone:
		return p.refuse(page.EnrolmentExpired, nil)
	default:
		p.recordRefused(result, &e.Factor)
		return p.redirect(p.to(from, fieldEnrolment, e.ID, fieldProblem, problemOf(result)))
	}
}

// add adds the factor, or puts it in the place of another, in one step with all
// that hangs on it. With the first one recovery codes are made.
func (p *person) add(ctx context.Context, e *account.Enrolment, proved *challenge.Proved) error {
	old, changes := p.acc.Factor(e.Replaces)
	first := !hasAnyFactor(&p.acc)
	now := p.g.Clock()
	c := store.Change{Enrolment: &proved.Enrolled, Fresh: []string{routeSettings}}
	var codes []string
	var recovery account.Factor
	if first {
		var err error
		if recovery, codes, err = p.parts.Challenges.NewRecovery(ctx); errors.Is(err, challenge.ErrBusy) {
			return p.refuse(page.TooBusy, err)
		} else if err != nil {
			return p.refuse(page.StoreUnavailable, err)
		}
	}
	lang := string(p.language())
	c.Edit = func(a *account.Account) error {
		if len(a.Factors) > account.MaxFactors {
			return errNotAllowed
		}
		if first != (len(a.Factors) == 0) {
			return errElsewhere
		}
		if e.Replaces != "" {
			i := slices.IndexFunc(a.Factors, func(f account.Factor) bool { return f.ID == e.Replaces })
			if i < 0 {
				return errElsewhere
			}
			a.Factors = slices.Delete(a.Factors, i, i+1)
		}
		a.Factors = append(a.Factors, proved.Factor)
		if first {
			a.Factors = append(a.Factors, recovery)
		}
		a.Language, a.Updated, a.Proposed, a.PutOff = lang, now, nil, time.Time{}
		return nil
	}
	n := p.notice(NoticeAdded).of(&proved.Factor)
	if changes {
		n = p.notice(NoticeNumberChanged).of(&proved.Factor)
		n.OldEnding = old.Hint
	}
	tell := []notice{n}
	if changes {
		if number, err := p.parts.Challenges.Secret(&p.acc, old); err == nil {
			tell = append(tell, n.byText(string(number)))
		}
	}
	var err error
	if c.Notices, err = p.noticesFor(p.acc.ID, tell...); err != nil {
		return p.refuse(page.StoreUnavailable, err)
	}
	if first || changes {
		c.End = store.EndOthers
	}
	if _, err := p.apply(ctx, c); err != nil {
		return p.notApplied(err)
	}
	kind := FactorAdded
	if changes {
		kind = NumberChanged
	}
	p.recordOwn(kind, proved.Factor.Kind, proved.Factor.Hint)
	return p.added(codes, changes)
}

// added shows the recovery codes, once, or goes back to the settings.
func (p *person) added(codes []string, changed bool) error {
	done := doneAdded
	if changed {
		done = doneChanged
	}
	back := p.to(pageSettings, fieldDone, done)
	if codes == nil {
		return p.redirect(back)
	}
	v := page.RecoveryPage{Host: p.site(), User: p.session.User, Codes: codes, When: p.now, First: true}
	if p.ch != nil {
		v.Continue = p.goOnForm(p.ch, goOnWith)
	} else {
		v.Done = back
	}
	return p.show(p.g.Pages.Recovery(p.language(), v))
}

// create makes the account of a user who has none yet.
func (p *person) create(ctx context.Context) (account.Account, error) {
	made := p.acc
	done, err := p.parts.Store.ChangeAccount(ctx, store.Change{Instance: made.Instance, Account: made.ID, Create: &made}, p.g.Clock())
	if err != nil {
		return made, err
	}
	p.acc, p.known = done.Account, true
	return done.Account, nil
}
