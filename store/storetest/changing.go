package storetest

import (
	"errors"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

const recoveryID = "recovery-1"

var errEdit = errors.New("the edit has found something")

// recovery are recovery codes.
func (f *fixture) recovery(id string, codes ...string) account.Factor {
	r := &account.Recovery{Salt: []byte("salt of " + id), Of: len(codes)}
	for _, c := range codes {
		r.Hashes = append(r.Hashes, account.TokenHash(hashOf(c)))
	}
	return account.Factor{ID: id, Kind: account.KindRecovery, Recovery: r, Created: f.now}
}

// change changes an account, in no session if it is given none.
func (f *fixture) change(c store.Change) store.Changed {
	f.t.Helper()
	got, err := f.s.ChangeAccount(f.ctx, c, f.now)
	f.must(err)
	return got
}

// edit is a change in no session.
func edit(acc string, do func(*account.Account) error) store.Change {
	return store.Change{Instance: instance, Account: acc, Edit: do}
}

// editIn is a change in a verified session.
func editIn(v account.Session, do func(*account.Account) error) store.Change {
	c := edit(v.Account, do)
	c.Session, c.Next = v.ID, newSessionID()
	return c
}

func addsFactor(fa account.Factor) func(*account.Account) error {
	return func(a *account.Account) error {
		a.Factors = append(a.Factors, fa)
		return nil
	}
}

func removesFactor(id string) func(*account.Account) error {
	return func(a *account.Account) error {
		for i := range a.Factors {
			if a.Factors[i].ID == id {
				a.Factors = append(a.Factors[:i], a.Factors[i+1:]...)
				return nil
			}
		}
		return errEdit
	}
}

func setsGroup(group string) func(*account.Account) error {
	return func(a *account.Account) error {
		a.Group = group
		return nil
	}
}

// factorIDs are the ids of an account's factors.
func (f *fixture) factorIDs(acc string) []string {
	f.t.Helper()
	return f.idsOf(f.account(acc))
}

func (f *fixture) idsOf(a account.Account) []string {
	var ids []string
	for i := range a.Factors {
		ids = append(ids, a.Factors[i].ID)
	}
	return ids
}

// newEnrolment is an enrolment of a factor in a session, not stored.
func (f *fixture) newEnrolment(v account.Session, fa account.Factor) account.Enrolment {
	return account.Enrolment{
		ID: newID(), Instance: v.Instance, Account: v.Account, Standing: v.Standing, Factor: fa,
		Created: f.now, Expires: f.now.Add(account.EnrolFor),
	}
}

func (f *fixture) beginEnrolment(v account.Session, fa account.Factor) account.Enrolment {
	f.t.Helper()
	e := f.newEnrolment(v, fa)
	f.must(f.s.BeginEnrolment(f.ctx, e, f.now))
	return e
}

func (f *fixture) enrolment(e account.Enrolment) account.Enrolment {
	f.t.Helper()
	got, err := f.s.Enrolment(f.ctx, e.ID, e.Standing, f.now)
	f.must(err)
	return got
}

func (f *fixture) noEnrolment(e account.Enrolment) {
	f.t.Helper()
	_, err := f.s.Enrolment(f.ctx, e.ID, e.Standing, f.now)
	f.wants(err, store.ErrNotFound)
}

// enrolmentSend asks for a code to the phone of an enrolment.
func (f *fixture) enrolmentSend(e account.Enrolment, code string) store.EnrolmentSend {
	return store.EnrolmentSend{
		ID: e.ID, Standing: e.Standing,
		New: account.Code{
			Hash: hashOf(code), Sealed: []byte("sealed " + code), Created: f.now, Expires: f.now.Add(5 * time.Minute),
		},
		PerCode: 5, Waits: []time.Duration{30 * time.Second, time.Minute},
	}
}

func (f *fixture) sentTo(e account.Enrolment, code string, now time.Time) store.SendResult {
	f.t.Helper()
	r, err := f.s.ReserveEnrolmentSend(f.ctx, f.enrolmentSend(e, code), now)
	f.must(err)
	if !r.Send {
		f.t.Fatalf("the code is not to be sent: %+v", r)
	}
	return r
}

// finish is the change that adds the factor of an enrolment.
func finish(e account.Enrolment, code string) *store.Enrolled {
	return &store.Enrolled{ID: e.ID, Standing: e.Standing, CodeHash: hashOf(code)}
}

// enrolling is a login that waits for an enrolment, not stored.
func (f *fixture) enrolling(acc string) store.Begin {
	b := f.pending(acc)
	b.Challenge.Purpose, b.Challenge.Factors = account.PurposeEnrolment, nil
	return b
}

func (f *fixture) beginEnrolling(acc string) store.Begin {
	f.t.Helper()
	b := f.enrolling(acc)
	f.must(f.s.BeginSession(f.ctx, b, f.now))
	return b
}

// addIn is the change that adds a factor in a login.
func addIn(b store.Begin, fa account.Factor) store.Change {
	c := edit(b.Session.Account, addsFactor(fa))
	c.Session, c.Challenge = b.Session.ID, b.Challenge.ID
	return c
}

// goesOn lets a login go on that waits for an enrolment.
func (f *fixture) goesOn(b store.Begin, kind account.Kind) store.PassEnrolment {
	p := store.PassEnrolment{Challenge: b.Challenge.ID, Session: b.Session.ID, Next: f.verified(b.Session.Account)}
	if p.Next.Factor = kind; kind == "" {
		p.PutOff, p.Next.FactorAt = true, time.Time{}
	}
	return p
}

// newNotice is a notice of a user that is due now, not stored.
func (f *fixture) newNotice(id, acc string) account.Notice {
	return account.Notice{
		ID: id, Instance: instance, Account: acc, Channel: account.ByMail, Sealed: []byte("sealed " + id),
		Due: f.now, Created: f.now, Expires: f.now.Add(account.NoticeFor),
	}
}

// waits checks how many notices wait.
func (f *fixture) waits(want int) {
	f.t.Helper()
	n, _, err := f.s.Waiting(f.ctx, f.now)
	f.must(err)
	if n != want {
		f.t.Errorf("%d notices wait, want %d", n, want)
	}
}

const lease = time.Minute

// take takes the notices that are due at a time, and returns their ids.
func (f *fixture) take(max int, now time.Time) []string {
	f.t.Helper()
	list, err := f.s.TakeNotices(f.ctx, max, lease, now)
	f.must(err)
	ids := []string{}
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids
}
