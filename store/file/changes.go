package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// ChangeAccount implements store.Changes.
func (s *Store) ChangeAccount(ctx context.Context, c store.Change, now time.Time) (store.Changed, error) {
	if err := checkChange(&c); err != nil {
		return store.Changed{}, err
	}
	return decide(ctx, s, func(t *txn) (store.Changed, error) {
		p, err := t.plan(&c, now)
		if err != nil {
			return store.Changed{}, err
		}
		return p.carryOut(t, &c, now)
	})
}

func checkChange(c *store.Change) error {
	none := account.SessionID{}
	switch {
	case c.Create != nil && (c.Create.Instance != c.Instance || c.Create.ID != c.Account):
		return errors.New("an account is made by a change of its own and no other")
	case c.End < store.EndNone || c.End > store.EndAll:
		return fmt.Errorf("%d says not which sessions end", c.End)
	case c.Session == none && (c.Enrolment != nil || c.Challenge != "" || c.Next != none):
		return errors.New("an enrolment, a challenge and a new id are of the session in which an account is changed")
	case c.Session != none && c.Challenge == "" && (c.Next == none || c.Next == c.Session):
		return errors.New("a change in a verified session gives it a new id")
	}
	return errors.Join(checkName("an account's instance", c.Instance), checkName("an account's id", c.Account), checkNotices(c.Notices))
}

// plan is all that a change will write: nothing of it is written yet.
type plan struct {
	// account is the account as it is to be; nil if it stays as it is.
	account *account.Account
	claims  map[string]claim
	// session and challenge are nil if there is none, and so is the enrolment's
	// key.
	session   *account.Session
	challenge *account.Challenge
	enrolment []byte
}

// plan looks at everything that a change needs.
func (t *txn) plan(c *store.Change, now time.Time) (*plan, error) {
	p := &plan{}
	var err error
	if p.session, p.challenge, err = t.changedIn(c, now); err != nil {
		return nil, err
	}
	if p.enrolment, err = t.enrolled(c, p.session, now); err != nil {
		return nil, err
	}
	key := accountKey(c.Instance, c.Account)
	old, err := get(t.tx, accounts, key)
	if err != nil {
		return nil, err
	}
	if old == nil && c.Create == nil {
		return nil, store.ErrNotFound
	}
	if p.account, err = edited(old, c, now); err != nil {
		return nil, err
	}
	if p.account != nil {
		if p.claims, err = claimNames([]account.Account{*p.account}); err != nil {
			return nil, err
		}
	}
	if p.challenge != nil {
		if p.challenge.Enrolled, err = added(old, p.account); err != nil {
			return nil, err
		}
	}
	if p.session != nil && p.challenge == nil {
		if _, ok := t.session(c.Next); ok {
			return nil, store.ErrConflict
		}
	}
	return p, nil
}

// changedIn finds the session in which an account is changed, and the challenge
// of a pending one.
func (t *txn) changedIn(c *store.Change, now time.Time) (v *account.Session, ch *account.Challenge, err error) {
	switch {
	case c.Session == account.SessionID{}:
		return nil, nil, nil
	case c.Challenge == "":
		if v, err = t.verified(c.Session, now); err != nil {
			return nil, nil, err
		}
	default:
		q, err := enrolling(t, c.Challenge, c.Session, now)
		if err != nil {
			return nil, nil, err
		}
		v, ch = q.session, q.challenge
		if q.account != nil && ch.Enrolled != "" {
			if _, ok := q.account.Factor(ch.Enrolled); ok {
				return nil, nil, store.ErrSpent
			}
		}
	}
	if v.Instance != c.Instance || v.Account != c.Account {
		return nil, nil, store.ErrNotFound
	}
	return v, ch, nil
}

// edited returns the account as a change makes it; nil if it stays as it is.
func edited(old *account.Account, c *store.Change, now time.Time) (*account.Account, error) {
	from := old
	switch {
	case old == nil:
		from = c.Create
	case c.Edit == nil:
		return nil, nil
	}
	a, err := cloneAccount(from)
	if err != nil {
		return nil, err
	}
	if c.Edit != nil {
		if err := c.Edit(a); err != nil {
			return nil, err
		}
	}
	if a.Instance != c.Instance || a.ID != c.Account {
		return nil, errors.New("a change leaves the instance and the id of an account as they are")
	}
	a.Texts = recentTexts(a.Texts, now)
	return a, nil
}

// cloneAccount is a copy that shares nothing with the account.
func cloneAccount(a *account.Account) (*account.Account, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("copy an account: %w", err)
	}
	c := new(account.Account)
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("copy an account: %w", err)
	}
	return c, nil
}

// added returns the id of the factor that a change adds, its recovery codes not
// counted.
func added(old, a *account.Account) (id string, err error) {
	n := 0
	for i := 0; a != nil && i < len(a.Factors); i++ {
		f := &a.Factors[i]
		was := false
		if old != nil {
			_, was = old.Factor(f.ID)
		}
		if !was && f.Kind != account.KindRecovery {
			id = f.ID
			n++
		}
	}
	if n != 1 {
		return "", fmt.Errorf("an enrolment adds one factor, not %d", n)
	}
	return id, nil
}

// carryOut writes the change. The first step, the account, says ErrConflict
// before it writes anything; after it there is no answer but success.
func (p *plan) carryOut(t *txn, c *store.Change, now time.Time) (out store.Changed, err error) {
	if p.account != nil {
		if out.Forgotten, err = putAccounts(t, []account.Account{*p.account}, p.claims, keepSpent); err != nil {
			return out, err
		}
	}
	if p.enrolment != nil {
		if err := t.removeEnrolment(p.enrolment); err != nil {
			return out, err
		}
	}
	if err := p.moveOn(t, c, now); err != nil {
		return out, err
	}
	if out.Ended, err = p.end(t, c); err != nil {
		return out, err
	}
	if err := p.forget(t, c, &out); err != nil {
		return out, err
	}
	if err := t.putNotices(c.Notices); err != nil {
		return out, err
	}
	a, err := get(t.tx, accounts, accountKey(c.Instance, c.Account))
	if err != nil {
		return out, err
	}
	out.Account = *a
	if p.session != nil && c.End != store.EndAll {
		out.Session = *p.session
	}
	return out, nil
}

// moveOn gives a verified session its new id, or notes the enrolment in the
// challenge of a pending one.
func (p *plan) moveOn(t *txn, c *store.Change, now time.Time) error {
	switch {
	case p.challenge != nil:
		return put(t, challenges, []byte(p.challenge.ID), p.challenge)
	case p.session != nil:
		at := now.UTC().Round(0)
		for _, route := range c.Fresh {
			p.session.Steps.SetFresh(route, at)
		}
		return t.moveSession(p.session, c.Next, at)
	}
	return nil
}

// end ends sessions, those too that began under a name before it became an alias.
func (p *plan) end(t *txn, c *store.Change) (ended int, err error) {
	var but account.SessionID
	switch {
	case c.End == store.EndNone:
		return 0, nil
	case c.End == store.EndOthers && p.session != nil:
		but = p.session.ID
	}
	a, err := get(t.tx, accounts, accountKey(c.Instance, c.Account))
	if err != nil {
		return 0, err
	}
	for _, name := range append([]string{c.Account}, a.Aliases...) {
		n, err := t.endSessions(c.Instance, name, but)
		if err != nil {
			return 0, err
		}
		ended += n
	}
	return ended, nil
}

func (p *plan) forget(t *txn, c *store.Change, out *store.Changed) error {
	if c.Forget {
		n, err := t.forgetDevices(c.Instance, c.Account)
		if err != nil {
			return err
		}
		out.Forgotten += n
	}
	if !c.Unlearn {
		return nil
	}
	return t.erase(histories.bucket, accountKey(c.Instance, c.Account))
}
