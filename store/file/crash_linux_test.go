package file

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// A child is killed so often, in lanes that run beside each other, each with a
// file of its own that is used by all of the lane's children.
const (
	crashLanes  = 4
	crashRounds = 50
)

// crashSeed names a seed to begin with that was printed by a failed test.
const crashSeed = "TWO_FACTOR_CRASH_SEED"

// fact is one line that the child has written: before a call that is to change
// something for good ("doing"), and after it was acknowledged.
type fact struct {
	What  string           `json:"what"`
	Doing bool             `json:"doing,omitempty"`
	ID    string           `json:"id"`
	N     int64            `json:"n,omitempty"`
	Begin *store.Begin     `json:"begin,omitempty"`
	Key   *account.LineKey `json:"key,omitempty"`

	Device *account.Device `json:"device,omitempty"`
}

// reporter writes facts to the standard output, each in one write, so that all
// of them are in the pipe when the process is killed.
type reporter struct{ mu sync.Mutex }

func (r *reporter) say(f fact) {
	raw, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := os.Stdout.Write(append(raw, '\n')); err != nil {
		os.Exit(3)
	}
}

// crashChild lets logins run until it is killed.
func crashChild(dir string) error {
	s, err := Open(filepath.Join(dir, "store.db"), Options{SweepEvery: 5 * time.Millisecond})
	if err != nil {
		return err
	}
	var r reporter
	errs := make(chan error)
	for range 4 {
		go func() { errs <- crashLogins(s, &r) }()
	}
	return <-errs
}

func crashLogins(s *Store, r *reporter) error {
	ctx, now := context.Background(), time.Now()
	id := newName()
	for step := int64(1); ; step++ {
		put := fact{What: "put", ID: id, N: step}
		if err := r.do(put, func() error { return s.PutAccounts(ctx, crashAccounts(id, step)) }); err != nil {
			return err
		}
		if err := crashLogin(ctx, s, r, id, step, now); err != nil {
			return err
		}
	}
}

// crashAccounts are three accounts of one list, which is put again and again:
// each time the alias is another one's, and the group says how often.
func crashAccounts(id string, n int64) []account.Account {
	var list []account.Account
	for i, of := range []string{id, id + "-2", id + "-3"} {
		a := newAccount(of)
		a.Group = fmt.Sprint(n)
		if int64(i) == n%3 {
			a.Aliases = []string{id + "-alias"}
		}
		list = append(list, a)
	}
	return list
}

// do says what is going to be done, does it, and says that it was done.
func (r *reporter) do(f fact, run func() error) error {
	doing := f
	doing.Doing = true
	r.say(doing)
	if err := run(); err != nil {
		return fmt.Errorf("%s: %w", f.What, err)
	}
	r.say(f)
	return nil
}

// deed is something that a child does and says.
type deed struct {
	fact fact
	run  func() error
}

// crashLogin is a login from its lock to the end of its session.
func crashLogin(ctx context.Context, s *Store, r *reporter, id string, step int64, now time.Time) error {
	key, lifted, login := newLine(), newLine(), newLogin()
	until := now.Add(time.Hour)
	b := pending(id, now, random(2000))
	b.Line, b.Login, b.LineUntil = &key, login, until
	// A login and a step-up spend one time step each.
	step *= 2
	p := stepOf(b, step, now)
	// By these the file can be looked at without what was said; see halfDone.
	b.Challenge.Address, p.Next.Address = fmt.Sprint(step), b.Challenge.ID
	p.Learn = crashLearn(lessonPassed, step)
	allowed := store.Begin{Session: verified(id, now), Learn: crashLearn(lessonBegun, step)}
	allowed.Session.Address = crashLesson(lessonBegun, step)
	device := newDevice(id, now)
	device.UserAgent, p.Device = b.Challenge.ID, &device
	dropped := pending(id, now, random(100))
	attempt := store.Attempt{Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: "totp", PerCode: 5, InARow: 1000}

	for _, do := range slices.Concat([]deed{
		{fact{What: "locked", ID: lineID(lifted), Key: &lifted}, func() error { return second(s.LockLine(ctx, lifted, login, now, until)) }},
		{fact{What: "lifted", ID: lineID(lifted), Key: &lifted}, func() error { return s.LiftLine(ctx, lifted, login, now) }},
		{fact{What: "locked", ID: lineID(key), Key: &key}, func() error { return second(s.LockLine(ctx, key, login, now, until)) }},
		{fact{What: "begun", ID: idOf(b.Session.ID), Begin: &b}, func() error { return s.BeginSession(ctx, b, now) }},
		{fact{What: "tried", ID: b.Challenge.ID, N: 1}, func() error { return second(s.CountAttempt(ctx, attempt, now)) }},
		{fact{What: "tried", ID: b.Challenge.ID, N: 2}, func() error { return second(s.CountAttempt(ctx, attempt, now)) }},
		{fact{What: "passed", ID: idOf(b.Session.ID), Begin: &store.Begin{Session: p.Next}, N: step, Device: &device}, func() error { return second(s.PassChallenge(ctx, p, now)) }},
		{fact{What: "begun", ID: idOf(dropped.Session.ID), Begin: &dropped}, func() error { return s.BeginSession(ctx, dropped, now) }},
		{fact{What: "cancelled", ID: idOf(dropped.Session.ID)}, func() error { return s.CancelSession(ctx, dropped.Session.ID) }},
		{fact{What: "learnt", ID: idOf(allowed.Session.ID), N: step, Begin: &allowed}, func() error { return s.BeginSession(ctx, allowed, now) }},
		{fact{What: "bound", ID: idOf(p.Next.ID)}, func() error { return s.BindToken(ctx, p.Next.ID, crashToken, now) }},
	}, crashDevices(ctx, s, device), crashStepUps(ctx, s, p.Next, step+1), []deed{
		{fact{What: "suspended", ID: idOf(p.Next.ID)}, func() error { return second(s.SuspendSession(ctx, p.Next.ID, login, now)) }},
		{fact{What: "resumed", ID: idOf(p.Next.ID)}, func() error { return s.ResumeSession(ctx, p.Next.ID, login, now) }},
		{fact{What: "ended", ID: idOf(p.Next.ID)}, func() error { return s.EndSession(ctx, p.Next.ID) }},
	}) {
		if err := r.do(do.fact, do.run); err != nil {
			return err
		}
	}
	return nil
}

func idOf(id account.SessionID) string { return hex.EncodeToString(id[:]) }

func sessionOf(id string) (s account.SessionID) {
	raw, _ := hex.DecodeString(id)
	copy(s[:], raw)
	return s
}

func lineID(k account.LineKey) string { return hex.EncodeToString(k.Line[:]) }

// TestInvariant10AKilledProcessLosesNothingThatItHasAcknowledged kills the
// engine's process at random moments. It shows that what is acknowledged has
// been handed to the system whole, and that nothing is there half; that it was
// also synced only a loss of power would show.
func TestInvariant10AKilledProcessLosesNothingThatItHasAcknowledged(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(crashSeed); text != "" {
		_, err := fmt.Sscan(text, &seed)
		must(t, err)
	}
	for lane := range uint64(crashLanes) {
		t.Run(fmt.Sprintf("lane %d", lane), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			k := &known{t: t, facts: make(map[string][]fact), count: make(map[string]int), random: rand.New(rand.NewPCG(seed, lane))}
			for round := range crashRounds {
				k.order = nil
				k.killed("crash", dir, k.random.IntN(220))
				k.check(dir)
				if t.Failed() {
					t.Fatalf("in round %d; to kill at the same facts again: %s=%d", round, crashSeed, seed)
				}
			}
			for _, what := range []string{"put", "locked", "lifted", "begun", "tried", "passed", "learnt", "bound", "cancelled", "suspended", "resumed", "ended",
				"opened", "shown", "stepped", "dropped", "taken", "returned", "used", "forgotten"} {
				if k.count[what] == 0 {
					t.Errorf("nothing was ever %s: the children did too little", what)
				}
			}
			t.Logf("acknowledged: %v; found: %v", k.count, k.found)
		})
	}
}

// known is what the children have said, by the id that it is about.
type known struct {
	t     *testing.T
	facts map[string][]fact
	order []string
	count map[string]int
	// found counts what was looked at in the files.
	found  map[string]int
	random *rand.Rand
}

// killed runs a child, kills it a moment after it has said so many facts,
// however slow the machine is, and reads all that it has said.
func (k *known) killed(child, dir string, after int) {
	k.t.Helper()
	cmd := childCommand(k.t, child, dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(k.t, err)
	must(k.t, cmd.Start())
	lines := bufio.NewReader(out)
	wait := time.Duration(k.random.Int64N(int64(4 * time.Millisecond)))
	for n := 0; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			// What has no line end was not said.
			break
		}
		if n == after {
			time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
		}
		var f fact
		must(k.t, json.Unmarshal(line, &f))
		k.note(f)
	}
	err = cmd.Wait()
	if cmd.ProcessState.Exited() {
		k.t.Fatalf("the child has ended by itself: %v", err)
	}
}

func (k *known) note(f fact) {
	if !f.Doing {
		k.count[f.What]++
	}
	if len(k.facts[f.ID]) == 0 {
		k.order = append(k.order, f.ID)
	}
	k.facts[f.ID] = append(k.facts[f.ID], f)
}

// check opens the store and looks for what was said in the last round.
func (k *known) check(dir string) {
	k.t.Helper()
	s := openAt(k.t, filepath.Join(dir, "store.db"))
	defer s.Close()
	checkFile(k.t, s)
	k.found = halfDone(k.t, s)
	for _, id := range k.order {
		for i, f := range k.facts[id] {
			if f.Doing {
				continue
			}
			rest := k.facts[id][i+1:]
			if err := k.holds(s, f, rest); err != nil {
				k.t.Errorf("%s %.16s was acknowledged: %v", f.What, id, err)
			}
		}
	}
}

// holds looks whether a fact holds, unless something that was said after it,
// or was going on, has made it untrue.
func (k *known) holds(s *Store, f fact, rest []fact) error {
	ctx, now := k.t.Context(), time.Now()
	switch f.What {
	case "put":
		a, err := s.Account(ctx, "crm", f.ID+"-alias")
		if n, _ := strconv.ParseInt(a.Group, 10, 64); err == nil && n < f.N {
			return fmt.Errorf("the list is the %dth", n)
		}
		return err
	case "locked", "lifted":
		want := account.LockStanding
		if f.What == "lifted" {
			want = account.LockFree
		}
		if got, err := s.LineState(ctx, *f.Key, now); err != nil || got != want && !said(rest, "lifted") {
			return fmt.Errorf("the line is %s, %w", got, err)
		}
		return nil
	case "tried":
		c, err := s.Challenge(ctx, f.ID, now)
		if err == nil && int64(c.Tries["totp"]) < f.N {
			return fmt.Errorf("%d tries", c.Tries["totp"])
		}
		return err
	case "begun":
		return k.begun(s, f, said(rest, "passed") || said(rest, "cancelled"))
	case "passed":
		return k.passed(s, f)
	case "cancelled":
		if v, err := s.Session(ctx, sessionOf(f.ID), now); err != nil || v.State != account.StateCancelled {
			return fmt.Errorf("the session is %q, %w", v.State, err)
		}
		return nil
	case "learnt":
		if _, err := s.Session(ctx, f.Begin.Session.ID, now); err != nil {
			return err
		}
		return learntOf(ctx, s, f.Begin.Session.Account, lessonBegun, f.N)
	case "bound":
		return bound(s, f.ID, said(rest, "suspended"))
	case "suspended":
		// The login has died with its process.
		return gone(s, f.ID, said(rest, "resumed"))
	case "ended":
		return gone(s, f.ID, false)
	case "used", "forgotten":
		return k.device(s, f, rest)
	}
	return k.stepUp(s, f, rest)
}

func said(facts []fact, what string) bool {
	for _, f := range facts {
		if f.What == what {
			return true
		}
	}
	return false
}

func (k *known) begun(s *Store, f fact, passing bool) error {
	ctx, now := k.t.Context(), time.Now()
	v, err := s.Session(ctx, f.Begin.Session.ID, now)
	if err != nil || v.State != account.StatePending && !passing {
		return fmt.Errorf("the session is %q, %w", v.State, err)
	}
	if _, err := s.Challenge(ctx, f.Begin.Challenge.ID, now); err != nil {
		return fmt.Errorf("the challenge: %w", err)
	}
	if !passing && !has(k.t, s, holds.bucket, []byte(f.Begin.Challenge.ID)) {
		return errors.New("the hold is gone")
	}
	if f.Begin.Line == nil {
		return nil
	}
	if state, err := s.LineState(ctx, *f.Begin.Line, now); err != nil || state != account.LockStanding {
		return fmt.Errorf("the line is %q, %w", state, err)
	}
	return nil
}

func (k *known) passed(s *Store, f fact) error {
	ctx, now := k.t.Context(), time.Now()
	next := f.Begin.Session
	a, err := s.Account(ctx, "crm", next.Account)
	if err != nil {
		return err
	}
	if totp, _ := a.Factor("totp"); totp.LastStep < f.N || totp.Failures > 2 {
		return fmt.Errorf("the factor has step %d and %d failures", totp.LastStep, totp.Failures)
	}
	later := k.facts[idOf(next.ID)]
	if _, err := s.Session(ctx, next.ID, now); err != nil && !said(later, "suspended") {
		return fmt.Errorf("the verified session: %w", err)
	}
	if v, err := s.Session(ctx, sessionOf(f.ID), now); err != nil || v.State != account.StatePassed {
		return fmt.Errorf("the pending session is %q, %w", v.State, err)
	}
	if err := learntOf(ctx, s, next.Account, lessonPassed, f.N); err != nil {
		return err
	}
	return k.device(s, f, k.facts[f.Device.ID.String()])
}

// crashToken is the token that is bound to every session.
var crashToken = account.Fingerprint{1, 2, 3}

func bound(s *Store, id string, may bool) error {
	if v, ok := s.table.find(sessionOf(id), time.Time{}); !may && (!ok || !v.HasToken(crashToken)) {
		return errors.New("the token is not bound")
	}
	return nil
}

func gone(s *Store, id string, may bool) error {
	if _, ok := s.table.find(sessionOf(id), time.Time{}); ok && !may {
		return errors.New("the session is still there")
	}
	return nil
}
