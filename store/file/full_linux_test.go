package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// TestAFullDiskRefusesLosesNothingAndHeals runs the engine in a process of its
// own on a small file system that is full for a while; where the test may not
// mount one, and always besides, under a limit of the file's size.
func TestAFullDiskRefusesLosesNothingAndHeals(t *testing.T) {
	t.Run("a file of limited size", func(t *testing.T) { runChild(t, "limit", t.TempDir()) })
	t.Run("a small file system", func(t *testing.T) {
		dir := t.TempDir()
		if err := mountSmall(dir); err != nil {
			t.Logf("no small file system can be mounted here (%v); the limit of the file's size has stood for it", err)
			return
		}
		defer func() {
			if err := unmount(dir); err != nil {
				t.Error(err)
			}
		}()
		runChild(t, "full", dir)
	})
}

// limiter makes the disk full and gives it room again.
type limiter interface {
	fill() error
	free() error
	// isReal reports whether an error tells what the system has said.
	isReal(error) bool
}

// ballast fills a file system with a file.
type ballast struct{ path string }

func (b *ballast) fill() error {
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (b *ballast) free() error { return os.Remove(b.path) }

func (b *ballast) isReal(err error) bool { return errors.Is(err, syscall.ENOSPC) }

// fileLimit lets no file of the process grow beyond what the store has. The
// error of bbolt's truncate is told by its text only.
type fileLimit struct {
	path string
	old  syscall.Rlimit
}

func (l *fileLimit) fill() error {
	signal.Ignore(syscall.SIGXFSZ)
	info, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l.old); err != nil {
		return err
	}
	small := l.old
	small.Cur = uint64(info.Size())
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small)
}

func (l *fileLimit) free() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l.old) }

func (l *fileLimit) isReal(err error) bool {
	return strings.Contains(err.Error(), syscall.EFBIG.Error())
}

// fullRun is a store on a disk that gets full, with what it has acknowledged.
type fullRun struct {
	s   *Store
	ctx context.Context
	now time.Time
	lim limiter

	kept    map[string][]byte
	refused []string
	lines   map[account.LineKey]account.LockState

	// done is what was acknowledged of the changes that try makes.
	done     map[string]bool
	standing account.Session
	ending   account.Session
	waiting  store.Begin
	trying   store.Begin
	step     store.Pass
	never    store.Begin
	change   store.Change
}

func newFullRun(lim limiter) *fullRun {
	now := time.Now()
	r := &fullRun{
		ctx: context.Background(), now: now, lim: lim, kept: make(map[string][]byte), done: make(map[string]bool),
		lines:    make(map[account.LineKey]account.LockState),
		standing: verified("ada", now), ending: verified("ada", now),
		waiting: pending("ada", now, []byte("held")), trying: pending("bob", now, []byte("held")),
		never: pending("ada", now, random(200<<10)),
	}
	r.step = stepOf(r.waiting, 5, now)
	r.change = store.Change{
		Instance: "crm", Account: "bob", Notices: []account.Notice{newNotice("changed", "bob", now)},
		Edit: func(a *account.Account) error {
			a.Group = "changed"
			return nil
		},
	}
	return r
}

// fullChild is the process of the test.
func fullChild(dir string, lim limiter) error {
	r := newFullRun(lim)
	path := dir + "/store.db"
	var err error
	if r.s, err = Open(path, Options{}); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"begin", r.begin},
		{"fill the disk", lim.fill},
		{"fill the store", r.fillStore},
		{"refuse what is large and what is small", r.refuse},
		{"make room", lim.free},
		{"work again", r.heal},
		{"close", r.s.Close},
	} {
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	fmt.Printf("%d values kept, %d refused\n", len(r.kept), len(r.refused))
	if r.s, err = Open(path, Options{}); err != nil {
		return err
	}
	if err := r.keptAll(); err != nil {
		return fmt.Errorf("open again: %w", err)
	}
	return r.s.Close()
}

func (r *fullRun) begin() error {
	return errors.Join(
		r.s.PutAccounts(r.ctx, []account.Account{newAccount("ada"), newAccount("bob")}),
		r.s.BeginSession(r.ctx, store.Begin{Session: r.standing}, r.now),
		r.s.BeginSession(r.ctx, store.Begin{Session: r.ending}, r.now),
		r.s.BeginSession(r.ctx, r.waiting, r.now),
		r.s.BeginSession(r.ctx, r.trying, r.now),
		r.put(10<<10), r.put(10<<10),
	)
}

// put puts a value and keeps account of what has become of it.
func (r *fullRun) put(size int) error {
	handle, value := newName(), random(size)
	err := r.s.PutValue(r.ctx, handle, value, r.now.Add(time.Hour))
	if err == nil {
		r.kept[handle] = value
	} else {
		r.refused = append(r.refused, handle)
	}
	return err
}

// fillStore uses up the pages that the file has free: with values, then with
// locks, which need no more than the smallest changes do.
func (r *fullRun) fillStore() error {
	for _, put := range []func() error{
		func() error { return r.put(40 << 10) },
		func() error { return r.put(200) },
		r.lock,
	} {
		for misses := 0; misses < 10; {
			if len(r.kept)+len(r.lines) > 20000 {
				return errors.New("the disk does not get full")
			}
			err := put()
			if err == nil {
				continue
			}
			misses++
			if isAnswer(err) || !r.lim.isReal(err) {
				return fmt.Errorf("the refusal does not tell the real error: %w", err)
			}
		}
	}
	return nil
}

// lock locks lines and keeps account of what has become of it.
func (r *fullRun) lock() error {
	key := newLine()
	err := r.s.StandLine(r.ctx, key, r.now, r.now.Add(time.Hour))
	state := account.LockStanding
	if err != nil {
		state = account.LockFree
	}
	r.lines[key] = state
	return err
}

// try does what needs room, once each, if it was not done already. What is
// acknowledged counts as done; a refusal must tell the real error. A small
// change may still find the few free pages that it needs in the file.
func (r *fullRun) try() error {
	for name, run := range map[string]func() error{
		"begin":   func() error { return r.s.BeginSession(r.ctx, r.never, r.now) },
		"suspend": func() error { return second(r.s.SuspendSession(r.ctx, r.standing.ID, newLogin(), r.now)) },
		"end":     func() error { return r.s.EndSession(r.ctx, r.ending.ID) },
		"pass":    func() error { return second(r.s.PassChallenge(r.ctx, r.step, r.now)) },
		"count": func() error {
			return second(r.s.CountAttempt(r.ctx, store.Attempt{
				Challenge: r.trying.Challenge.ID, Session: r.trying.Session.ID, Factor: "totp", PerCode: 5, InARow: 10,
			}, r.now))
		},
		"change": func() error { return second(r.s.ChangeAccount(r.ctx, r.change, r.now)) },
	} {
		if r.done[name] {
			continue
		}
		err := run()
		if err != nil && (isAnswer(err) || !r.lim.isReal(err)) {
			return fmt.Errorf("%s: got %w, want a refusal with the real error", name, err)
		}
		r.done[name] = err == nil
	}
	return nil
}

func (r *fullRun) refuse() error {
	if err := r.try(); err != nil {
		return err
	}
	fmt.Println("acknowledged on the full disk:", r.done)
	// What is small may find room in pages that another step has given back.
	if r.done["begin"] {
		return errors.New("the disk was not full")
	}
	return r.look()
}

// look checks that what was done is there, and of what was refused nothing.
func (r *fullRun) look() error {
	usable := func(id account.SessionID) bool {
		v, err := r.s.Session(r.ctx, id, r.now)
		return err == nil && v.Usable(r.now)
	}
	state := func(id account.SessionID) account.State {
		v, _ := r.s.Session(r.ctx, id, r.now)
		return v.State
	}
	_, noChallenge := r.s.Challenge(r.ctx, r.never.Challenge.ID, r.now)
	c, err := r.s.Challenge(r.ctx, r.trying.Challenge.ID, r.now)
	if err != nil {
		return err
	}
	a, err := r.s.Account(r.ctx, "crm", "ada")
	if err != nil {
		return err
	}
	f, _ := a.Factor("totp")
	bob, err := r.s.Account(r.ctx, "crm", "bob")
	if err != nil {
		return err
	}
	told, _, err := r.s.Waiting(r.ctx, r.now)
	if err != nil {
		return err
	}
	if told := told == 1; told != r.done["change"] {
		return fmt.Errorf("the notice of a change is there: %t", told)
	}
	for what, is := range map[string]bool{
		"begin":   state(r.never.Session.ID) == account.StatePending,
		"suspend": !usable(r.standing.ID),
		"end":     state(r.ending.ID) == "",
		"pass":    usable(r.step.Next.ID),
		"count":   c.Tries["totp"] == 1,
		"change":  bob.Group == "changed",
	} {
		if is != r.done[what] {
			return fmt.Errorf("%s was acknowledged: %t, and is there: %t", what, r.done[what], is)
		}
	}
	if got := state(r.waiting.Session.ID) == account.StatePassed; got != r.done["pass"] {
		return fmt.Errorf("the pending session has passed: %t, want %t", got, r.done["pass"])
	}
	if got := f.LastStep == 5; got != r.done["pass"] {
		return fmt.Errorf("the step is spent: %t, want %t", got, r.done["pass"])
	}
	if got := errors.Is(noChallenge, store.ErrNotFound); got == r.done["begin"] {
		return fmt.Errorf("the challenge is missing: %t", got)
	}
	return r.keptAll()
}

// keptAll looks for every acknowledged value, and for none that was refused.
func (r *fullRun) keptAll() error {
	for handle, want := range r.kept {
		got, err := r.s.Value(r.ctx, handle, r.now)
		if err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("an acknowledged value is lost: %w", err)
		}
	}
	for _, handle := range r.refused {
		if _, err := r.s.Value(r.ctx, handle, r.now); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("a refused value: %v", err)
		}
	}
	for key, want := range r.lines {
		if got, err := r.s.LineState(r.ctx, key, r.now); err != nil || got != want {
			return fmt.Errorf("a line is %q, want it %s: %w", got, want, err)
		}
	}
	return sound(r.s)
}

// heal does, each at the first try, what was refused before.
func (r *fullRun) heal() error {
	if err := r.try(); err != nil {
		return err
	}
	for name, done := range r.done {
		if !done {
			return fmt.Errorf("%s is still refused", name)
		}
	}
	for range 10 {
		if err := r.put(40 << 10); err != nil {
			return fmt.Errorf("put: %w", err)
		}
	}
	return r.look()
}

// unmapChild lets the mapping of a larger file fail for want of address space.
func unmapChild(dir string) error {
	r := newFullRun(&noMemory{})
	path := dir + "/store.db"
	var err error
	if r.s, err = Open(path, Options{}); err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	// Up to where the next doubling of the mapping is from 32 to 64 MiB.
	if err := r.s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketMeta)).Put([]byte("ballast"), make([]byte, 31<<20))
	}); err != nil {
		return err
	}
	runtime.GC()
	lift, err := limitMemory(16 << 20)
	if err != nil {
		return err
	}
	var failed error
	for i := 0; failed == nil && i < 200; i++ {
		failed = r.put(60 << 10)
	}
	if failed == nil || !r.lim.isReal(failed) {
		return fmt.Errorf("got %v, want the mapping to fail", failed)
	}
	if err := r.s.viewOnce(func(*bbolt.Tx) error { return nil }); !lost(err) {
		return fmt.Errorf("got %v, want the mapping lost", err)
	}
	// Sessions are served from memory; what needs the file is refused.
	if v, err := r.s.Session(r.ctx, r.standing.ID, r.now); err != nil || !v.Usable(r.now) {
		return fmt.Errorf("the verified session is %+v, %w", v, err)
	}
	if _, err := r.s.LineState(r.ctx, newLine(), r.now); err == nil || isAnswer(err) {
		return fmt.Errorf("got %v, want a refusal", err)
	}
	if err := lift(); err != nil {
		return err
	}
	if err := r.look(); err != nil {
		return fmt.Errorf("read again: %w", err)
	}
	if err := r.heal(); err != nil {
		return fmt.Errorf("work again: %w", err)
	}
	if err := r.s.Close(); err != nil {
		return err
	}
	if r.s, err = Open(path, Options{}); err != nil {
		return err
	}
	return errors.Join(r.keptAll(), r.s.Close())
}

// noMemory is the limit of that test.
type noMemory struct{}

func (*noMemory) fill() error { return nil }

func (*noMemory) free() error { return nil }

func (*noMemory) isReal(err error) bool { return strings.Contains(err.Error(), syscall.ENOMEM.Error()) }
