package file

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// changeScene is a login of a scene's user that waits for an enrolment, with
// one of a phone and one of an authenticator that was added, a notice, and
// demands of an instance of its own.
type changeScene struct {
	b      store.Begin
	e      account.Enrolment
	notice account.Notice
	pass   store.PassEnrolment
}

// withChanges gives the scene its login that waits for an enrolment, once.
func (sc *scene) withChanges() {
	if sc.changes != nil {
		return
	}
	sc.t.Helper()
	ctx := sc.t.Context()
	b := pending(sc.acc, sc.now, []byte("held"))
	b.Challenge.Purpose, b.Challenge.Factors = account.PurposeEnrolment, nil
	must(sc.t, sc.s.BeginSession(ctx, b, sc.now))
	cs := &changeScene{
		b: b, e: newEnrolment(b.Session, sc.now), notice: newNotice(store.FailedNotice(sc.b.Challenge.ID), sc.acc, sc.now),
		pass: store.PassEnrolment{Challenge: b.Challenge.ID, Session: b.Session.ID, Next: verified(sc.acc, sc.now)},
	}
	cs.pass.Next.Factor = account.KindTOTP
	must(sc.t, sc.s.BeginEnrolment(ctx, cs.e, sc.now))
	must(sc.t, sc.s.PutNotices(ctx, []account.Notice{cs.notice}))
	must(sc.t, sc.s.ChangeDemands(ctx, sc.acc, func(d *account.Demands) error {
		d.All = &account.Demand{From: sc.now, At: sc.now}
		return nil
	}))
	sc.changes = cs
	must(sc.t, sc.reserveEnrolment())
}

// withAdded adds a factor in the login too.
func (sc *scene) withAdded() {
	sc.withChanges()
	must(sc.t, sc.add())
}

func newEnrolment(v account.Session, now time.Time) account.Enrolment {
	return account.Enrolment{
		ID: newName(), Instance: v.Instance, Account: v.Account, Standing: v.Standing,
		Factor:  account.Factor{ID: "phone-2", Kind: account.KindPhone, Secret: []byte("number")},
		Created: now, Expires: now.Add(account.EnrolFor),
	}
}

func newNotice(id, acc string, now time.Time) account.Notice {
	return account.Notice{
		ID: id, Instance: "crm", Account: acc, Channel: account.ByMail, Sealed: []byte("sealed"),
		Due: now, Created: now, Expires: now.Add(account.NoticeFor),
	}
}

func newPhoneCode(now time.Time) account.Code {
	return account.Code{Hash: [32]byte{1}, Sealed: []byte("x"), Expires: now.Add(time.Minute)}
}

func (sc *scene) reserveEnrolment() error {
	return second(sc.s.ReserveEnrolmentSend(sc.t.Context(), store.EnrolmentSend{
		ID: sc.changes.e.ID, Standing: sc.changes.e.Standing, PerCode: 5, Waits: []time.Duration{0, 0}, New: newPhoneCode(sc.now),
	}, sc.now))
}

// edit changes the account in no session.
func (sc *scene) edit() error { return sc.change(func(*store.Change) {}) }

// change changes the account's group, and what is said besides.
func (sc *scene) change(turn func(*store.Change)) error {
	c := store.Change{Instance: "crm", Account: sc.acc, Edit: func(a *account.Account) error {
		a.Group = "changed"
		return nil
	}}
	turn(&c)
	return second(sc.s.ChangeAccount(sc.t.Context(), c, sc.now))
}

// add adds an authenticator in the login.
func (sc *scene) add() error {
	return sc.change(func(c *store.Change) {
		c.Session, c.Challenge = sc.changes.b.Session.ID, sc.changes.b.Challenge.ID
		c.Edit = func(a *account.Account) error {
			a.Factors = append(a.Factors, account.Factor{ID: "totp-2", Kind: account.KindTOTP, Secret: []byte("seed")})
			return nil
		}
	})
}

// addPhone adds the phone of the enrolment.
func (sc *scene) addPhone() error {
	return sc.change(func(c *store.Change) {
		c.Session, c.Challenge = sc.changes.b.Session.ID, sc.changes.b.Challenge.ID
		c.Enrolment = &store.Enrolled{ID: sc.changes.e.ID, Standing: sc.changes.e.Standing, CodeHash: [32]byte{1}}
		c.Edit = func(a *account.Account) error {
			a.Factors = append(a.Factors, sc.changes.e.Factor)
			return nil
		}
	})
}

func (sc *scene) passEnrolment() error {
	return second(sc.s.PassEnrolment(sc.t.Context(), sc.changes.pass, sc.now))
}

func (sc *scene) confirm() error {
	return second(sc.s.ConfirmEnrolment(sc.t.Context(), store.Confirm{
		Challenge: sc.changes.b.Challenge.ID, Session: sc.changes.b.Session.ID, Codes: &[2][32]byte{}, PerCode: 5,
	}, sc.now))
}

func (sc *scene) eraseAccount() error { return sc.s.EraseAccount(sc.t.Context(), "crm", sc.acc) }

func (sc *scene) enrolmentKey() []byte {
	sc.withChanges()
	return enrolmentKey(sc.changes.e.Standing, sc.changes.e.ID)
}

func (sc *scene) noticeKey() []byte {
	sc.withChanges()
	return []byte(sc.changes.notice.ID)
}

// changeTargets are the records of changes, and those of logins where a method
// of a change reads them.
func changeTargets() []target {
	return slices.Concat(changedTargets(), []target{enrolmentTarget(), noticeTarget(), {
		name: "demands", bucket: demands.bucket,
		key: func(sc *scene) []byte { sc.withChanges(); return []byte(sc.acc) },
		probes: []probe{
			{method: "Demands", want: errCannotSay, call: func(sc *scene) error {
				return second(sc.s.Demands(sc.t.Context(), sc.acc))
			}},
			{method: "ChangeDemands", want: errCannotSay, call: func(sc *scene) error {
				return sc.s.ChangeDemands(sc.t.Context(), sc.acc, func(*account.Demands) error { return nil })
			}},
		},
	}})
}

func changedTargets() []target {
	return []target{
		{
			name: "accounts that are changed", bucket: accounts.bucket,
			key: func(sc *scene) []byte { return accountKey("crm", sc.acc) },
			probes: []probe{
				{method: "ChangeAccount", call: (*scene).edit, want: errCannotSay},
				{method: "ChangeAccount", how: "in a login", before: (*scene).withChanges, call: (*scene).addPhone, want: errCannotSay},
				{method: "ChangeAccount", how: "that would be made", want: errCannotSay, call: func(sc *scene) error {
					a := newAccount(sc.acc)
					return sc.change(func(c *store.Change) { c.Create = &a })
				}},
				{method: "EraseAccount", call: (*scene).eraseAccount, want: errCannotSay},
				{method: "PassEnrolment", before: (*scene).withAdded, call: (*scene).passEnrolment, want: errCannotSay},
				{method: "ConfirmEnrolment", before: (*scene).withChanges, call: (*scene).confirm, want: errCannotSay},
				{method: "ReserveEnrolmentSend", before: (*scene).withChanges, call: (*scene).reserveEnrolment, want: errCannotSay},
			},
		},
		{
			name: "names of accounts that are changed", bucket: names.bucket,
			key:    func(sc *scene) []byte { return accountKey("crm", sc.acc) },
			probes: []probe{{method: "ChangeAccount", call: (*scene).edit, want: errCannotSay}},
		},
		{
			name: "challenges of enrolments", bucket: challenges.bucket,
			key: func(sc *scene) []byte { sc.withChanges(); return []byte(sc.changes.b.Challenge.ID) },
			probes: []probe{
				{method: "ChangeAccount", call: (*scene).addPhone, want: errCannotSay},
				{method: "PassEnrolment", before: (*scene).withAdded, call: (*scene).passEnrolment, want: errCannotSay},
				{method: "ConfirmEnrolment", call: (*scene).confirm, want: errCannotSay},
				{method: "EraseAccount", call: (*scene).eraseAccount},
			},
		},
		{
			name: "holds of enrolments", bucket: holds.bucket,
			key: func(sc *scene) []byte { sc.withChanges(); return []byte(sc.changes.b.Challenge.ID) },
			probes: []probe{
				{method: "PassEnrolment", before: (*scene).withAdded, call: (*scene).passEnrolment, want: store.ErrNotFound},
				{method: "EraseAccount", call: (*scene).eraseAccount},
			},
		},
	}
}

// enrolmentTarget: one that cannot be read is not there, and is begun again.
func enrolmentTarget() target {
	gone := func(sc *scene, err error) error {
		if err == nil && has(sc.t, sc.s, enrolments.bucket, sc.enrolmentKey()) {
			return errors.New("the enrolment is still there")
		}
		return err
	}
	return target{
		name: "enrolments", bucket: enrolments.bucket, key: (*scene).enrolmentKey,
		probes: []probe{
			{method: "Enrolment", want: store.ErrNotFound, call: func(sc *scene) error {
				return second(sc.s.Enrolment(sc.t.Context(), sc.changes.e.ID, sc.changes.e.Standing, sc.now))
			}},
			{method: "TryEnrolment", want: store.ErrNotFound, call: func(sc *scene) error {
				return second(sc.s.TryEnrolment(sc.t.Context(), sc.changes.e.ID, sc.changes.e.Standing, 5, sc.now))
			}},
			{method: "ReserveEnrolmentSend", want: store.ErrNotFound, call: (*scene).reserveEnrolment},
			{method: "ChangeAccount", want: store.ErrNotFound, call: (*scene).addPhone},
			{method: "RecordEnrolmentSend", call: func(sc *scene) error {
				return sc.s.RecordEnrolmentSend(sc.t.Context(), sc.changes.e.ID, 1, account.SendTaken)
			}},
			{method: "BeginEnrolment", how: "of the same id", call: func(sc *scene) error {
				must(sc.t, sc.s.BeginEnrolment(sc.t.Context(), sc.changes.e, sc.now))
				return second(sc.s.Enrolment(sc.t.Context(), sc.changes.e.ID, sc.changes.e.Standing, sc.now))
			}},
			{method: "BeginEnrolment", how: "in its place", call: func(sc *scene) error {
				return gone(sc, sc.s.BeginEnrolment(sc.t.Context(), newEnrolment(sc.changes.b.Session, sc.now), sc.now))
			}},
			{method: "DropEnrolment", call: func(sc *scene) error {
				return gone(sc, sc.s.DropEnrolment(sc.t.Context(), "crm", sc.changes.e.Standing))
			}},
			{method: "EndSession", call: func(sc *scene) error {
				return gone(sc, sc.s.EndSession(sc.t.Context(), sc.changes.b.Session.ID))
			}},
			{method: "EraseAccount", call: func(sc *scene) error { return gone(sc, sc.eraseAccount()) }},
		},
	}
}

// noticeTarget: one that cannot be read is lost, and is in nobody's way.
func noticeTarget() target {
	there := func(sc *scene, err error) error {
		if err != nil {
			return err
		}
		_, err = notices.decode(sc.noticeKey(), rawOf(sc.t, sc.s, notices.bucket, sc.noticeKey()))
		return err
	}
	return target{
		name: "notices", bucket: notices.bucket, key: (*scene).noticeKey,
		probes: []probe{
			{method: "PutNotices", call: func(sc *scene) error {
				return there(sc, sc.s.PutNotices(sc.t.Context(), []account.Notice{sc.changes.notice}))
			}},
			{method: "ChangeAccount", call: func(sc *scene) error {
				return there(sc, sc.change(func(c *store.Change) { c.Notices = []account.Notice{sc.changes.notice} }))
			}},
			{method: "CountAttempt", call: func(sc *scene) error {
				return there(sc, second(sc.s.CountAttempt(sc.t.Context(), store.Attempt{
					Challenge: sc.b.Challenge.ID, Session: sc.b.Session.ID, Factor: "totp", PerCode: 5, InARow: 10, Failed: &sc.changes.notice,
				}, sc.now)))
			}},
			{method: "PassChallenge", call: func(sc *scene) error {
				err := sc.pass()
				if err == nil && has(sc.t, sc.s, notices.bucket, sc.noticeKey()) {
					return errors.New("the notice is still there")
				}
				return err
			}},
			{method: "SettleNotice", call: func(sc *scene) error {
				return sc.s.SettleNotice(sc.t.Context(), sc.changes.notice.ID, time.Time{})
			}},
			{method: "EraseAccount", call: (*scene).eraseAccount},
			{method: "TakeNotices", call: func(sc *scene) error {
				good := newNotice(newName(), sc.acc, sc.now)
				must(sc.t, sc.s.PutNotices(sc.t.Context(), []account.Notice{good}))
				list, err := sc.s.TakeNotices(sc.t.Context(), 100, time.Minute, sc.now)
				is := func(id string) bool {
					return slices.ContainsFunc(list, func(n account.Notice) bool { return n.ID == id })
				}
				if err == nil && (is(sc.changes.notice.ID) || !is(good.ID)) {
					return fmt.Errorf("got %v", list)
				}
				return err
			}},
		},
	}
}

// The buckets that lead to notices and enrolments are not framed: what is wrong
// in them must stop nothing.
func TestADamagedIndexOfNoticesAndEnrolmentsStopsNothing(t *testing.T) {
	s, _ := openLogged(t, t.TempDir()+"/store.db")
	sc := newScene(t, s)
	sc.withChanges()
	n, ctx := sc.changes.notice, t.Context()
	early := n
	early.Due = n.Due.Add(-time.Hour)
	must(t, s.db.Update(func(tx *bbolt.Tx) error {
		due, enrolling := tx.Bucket([]byte(bucketDue)), tx.Bucket([]byte(bucketEnrolling))
		for _, key := range [][]byte{{0}, make([]byte, dueTime-1), make([]byte, dueTime), dueKey(&early), append(make([]byte, dueTime), "nobody"...)} {
			if err := due.Put(key, random(3)); err != nil {
				return err
			}
		}
		return errors.Join(enrolling.Put([]byte("short"), random(3)), enrolling.Put([]byte("other"), random(16)), enrolling.Put([]byte("long"), random(40)))
	}))
	count, _, err := s.Waiting(ctx, sc.now)
	if err != nil || count != 1 {
		t.Errorf("%d notices wait, %v", count, err)
	}
	list, err := s.TakeNotices(ctx, 10, time.Minute, sc.now)
	if err != nil || len(list) != 1 || list[0].ID != n.ID {
		t.Errorf("got %v, %v", list, err)
	}
	for _, id := range []string{"short", "other", "long"} {
		must(t, s.RecordEnrolmentSend(ctx, id, 1, account.SendTaken))
		e := newEnrolment(verified(sc.acc, sc.now), sc.now)
		e.ID = id
		must(t, s.BeginEnrolment(ctx, e, sc.now))
		must(t, second(s.Enrolment(ctx, id, e.Standing, sc.now)))
	}
	checkFile(t, s)
}

func TestAnEnrolmentAndANoticeThatHaveExpiredAreSwept(t *testing.T) {
	s := openNew(t)
	sc := newScene(t, s)
	sc.withChanges()
	for _, of := range []struct {
		bucket string
		key    []byte
		ends   time.Time
	}{
		{enrolments.bucket, sc.enrolmentKey(), sc.changes.e.Expires}, {notices.bucket, sc.noticeKey(), sc.changes.notice.Expires},
	} {
		for _, tt := range []struct {
			at    time.Time
			there bool
		}{{of.ends.Add(-time.Second), true}, {of.ends.Add(time.Second), false}} {
			must(t, second(decide(t.Context(), s, func(x *txn) (int, error) { return s.sweepSome(x, tt.at) })))
			if got := has(t, s, of.bucket, of.key); got != tt.there {
				t.Errorf("at %s the record of %s is there: %t", tt.at, of.bucket, got)
			}
		}
	}
	if count, _, err := s.Waiting(t.Context(), sc.now); count != 0 || err != nil {
		t.Errorf("%d notices wait, %v", count, err)
	}
}
