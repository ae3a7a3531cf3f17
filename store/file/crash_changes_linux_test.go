package file

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// crashNumbers is how often a child that changes numbers is killed.
const crashNumbers = 40

// The ids of what a change of number makes follow from the account and from how
// many changes there were, so that the file can be looked at without what was
// said.
func numberID(n int64) string                 { return fmt.Sprint("phone-", n) }
func numberNotice(acc string, n int64) string { return fmt.Sprint("number-", n, "-", acc) }

func numberSession(acc string, n int64) account.SessionID {
	return sha256.Sum256(fmt.Append(nil, acc, n))
}

func numberFactor(n int64) account.Factor {
	return account.Factor{ID: numberID(n), Kind: account.KindPhone, Secret: []byte(numberID(n))}
}

// numbersChild changes the number of an account again and again, until it is
// killed.
func numbersChild(dir string) error {
	s, err := Open(filepath.Join(dir, "store.db"), Options{SweepEvery: 5 * time.Millisecond})
	if err != nil {
		return err
	}
	ctx, acc, now := context.Background(), newName(), time.Now()
	a := account.Account{Instance: "crm", ID: acc, Name: acc, Factors: []account.Factor{numberFactor(0)}}
	if err := s.PutAccounts(ctx, []account.Account{a}); err != nil {
		return err
	}
	v := verified(acc, now)
	v.ID = numberSession(acc, 0)
	if err := s.BeginSession(ctx, store.Begin{Session: v}, now); err != nil {
		return err
	}
	var r reporter
	for n := int64(1); ; n++ {
		if err := changeNumber(ctx, s, &r, v, n); err != nil {
			return err
		}
		v.ID = numberSession(acc, n)
	}
}

// changeNumber is all of one change: the enrolment of the new number, its code,
// and the change.
func changeNumber(ctx context.Context, s *Store, r *reporter, v account.Session, n int64) error {
	now := time.Now()
	e := newEnrolment(v, now)
	e.Factor, e.Replaces = numberFactor(n), numberID(n-1)
	of := func(what string) fact { return fact{What: what, ID: v.Account, N: n} }
	send := store.EnrolmentSend{ID: e.ID, Standing: e.Standing, New: newPhoneCode(now), PerCode: 5}
	change := store.Change{
		Instance: "crm", Account: v.Account, Session: v.ID, Next: numberSession(v.Account, n), End: store.EndOthers, Forget: true,
		Enrolment: &store.Enrolled{ID: e.ID, Standing: e.Standing, CodeHash: send.New.Hash},
		Notices:   []account.Notice{newNotice(numberNotice(v.Account, n), v.Account, now)},
		Edit: func(a *account.Account) error {
			if len(a.Factors) != 1 || a.Factors[0].ID != e.Replaces {
				return errors.New("the number is not the one before")
			}
			a.Factors[0], a.Texts = e.Factor, nil
			return nil
		},
	}
	for _, do := range []deed{
		{of("enrolling"), func() error { return s.BeginEnrolment(ctx, e, now) }},
		{of("sent"), func() error { return second(s.ReserveEnrolmentSend(ctx, send, now)) }},
		{of("taken"), func() error { return s.RecordEnrolmentSend(ctx, e.ID, 1, account.SendTaken) }},
		{of("tried"), func() error { return second(s.TryEnrolment(ctx, e.ID, e.Standing, 5, now)) }},
		// The time from which the old id is known so long is that of the call.
		{of("changed"), func() error { return second(s.ChangeAccount(ctx, change, time.Now())) }},
	} {
		if err := r.do(do.fact, do.run); err != nil {
			return err
		}
	}
	return nil
}

// TestInvariant10AfterACrashTheOldNumberWorksOrTheNewOneAlone kills the process
// between any two steps of a change of number, and in them. Until the change is
// acknowledged the old number may still be the one that works; after that it is
// the new one; never both, never none. The notice of the change, the session's
// new id and the end of the enrolment are there if and only if the change is.
func TestInvariant10AfterACrashTheOldNumberWorksOrTheNewOneAlone(t *testing.T) {
	t.Parallel()
	k := &known{t: t, facts: make(map[string][]fact), count: make(map[string]int), random: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))}
	dir := t.TempDir()
	last := make(map[string]int)
	for range crashNumbers {
		k.order = nil
		k.killed("numbers", dir, k.random.IntN(60))
		s := openAt(t, filepath.Join(dir, "store.db"))
		checkFile(t, s)
		for _, acc := range k.order {
			last[k.number(s, acc)]++
		}
		must(t, s.Close())
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("acknowledged: %v; killed after: %v", k.count, last)
	if k.count["changed"] == 0 || last["changed"] == len(k.facts) {
		t.Error("the children did too little, or were never killed within a change")
	}
}

// number checks the account of a child that was killed, and returns what it did
// last.
func (k *known) number(s *Store, acc string) string {
	k.t.Helper()
	ctx, now := k.t.Context(), time.Now()
	var acknowledged, begun int64
	for _, f := range k.facts[acc] {
		switch {
		case f.What == "changed" && f.Doing:
			begun = f.N
		case f.What == "changed":
			acknowledged = f.N
		}
	}
	a, err := s.Account(ctx, "crm", acc)
	must(k.t, err)
	if len(a.Factors) != 1 {
		k.t.Fatalf("the account has the factors %v", a.Factors)
	}
	var n int64
	_, err = fmt.Sscanf(a.Factors[0].ID, "phone-%d", &n)
	must(k.t, err)
	if n < acknowledged || n > begun {
		k.t.Errorf("the number is %d; the change to %d was acknowledged, that to %d had begun", n, acknowledged, begun)
	}
	k.works(s, acc, n)
	for i := int64(1); i <= n+1; i++ {
		if there := has(k.t, s, notices.bucket, []byte(numberNotice(acc, i))); there != (i <= n) {
			k.t.Errorf("the number is %d, and the notice of %d is there: %t", n, i, there)
		}
	}
	for i := max(0, n-3); i <= n; i++ {
		v, err := s.Session(ctx, numberSession(acc, i), now)
		if err != nil || v.ID != numberSession(acc, n) {
			k.t.Errorf("the number is %d, and the session of %d is %s, %v", n, i, v.ID, err)
		}
	}
	if _, err := s.Session(ctx, numberSession(acc, n+1), now); !errors.Is(err, store.ErrNotFound) {
		k.t.Errorf("the number is %d, and the next session: %v", n, err)
	}
	must(k.t, s.viewOnce(func(tx *bbolt.Tx) error {
		for _, e := range all(k.t, tx, enrolments) {
			if e.Account == acc && e.Factor.ID != numberID(n+1) {
				k.t.Errorf("the number is %d, and the enrolment of %s is there", n, e.Factor.ID)
			}
		}
		return nil
	}))
	facts := k.facts[acc]
	f := facts[len(facts)-1]
	if f.Doing {
		return "doing " + f.What
	}
	return f.What
}

// works checks that this number lets its user in, and no other one.
func (k *known) works(s *Store, acc string, n int64) {
	k.t.Helper()
	ctx, now := k.t.Context(), time.Now()
	for _, i := range []int64{n - 1, n + 1, n} {
		b := pending(acc, now, []byte("held"))
		b.Challenge.Factors = []string{numberID(n - 1), numberID(n), numberID(n + 1)}
		must(k.t, s.BeginSession(ctx, b, now))
		_, sendErr := s.ReserveSend(ctx, store.Send{
			Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: numberID(i), New: newPhoneCode(now), PerCode: 5,
		}, now)
		p := store.Pass{Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: numberID(i), CodeHash: newPhoneCode(now).Hash, Next: verified(acc, now)}
		_, passErr := s.PassChallenge(ctx, p, now)
		if i == n && (sendErr != nil || passErr != nil) {
			k.t.Errorf("the number %d does not work: %v, %v", n, sendErr, passErr)
		}
		if i != n && (!errors.Is(sendErr, store.ErrNotFound) || !errors.Is(passErr, store.ErrNotFound)) {
			k.t.Errorf("the number is %d, and %d works: %v, %v", n, i, sendErr, passErr)
		}
	}
}
