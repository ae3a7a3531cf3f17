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
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// crashRounds is how often the child is killed.
const crashRounds = 20

// fact is one line that the child has written: before a call that is to change
// something for good ("doing"), and after it was acknowledged.
type fact struct {
	What  string           `json:"what"`
	Doing bool             `json:"doing,omitempty"`
	ID    string           `json:"id"`
	N     int64            `json:"n,omitempty"`
	Begin *store.Begin     `json:"begin,omitempty"`
	Key   *account.LineKey `json:"key,omitempty"`
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
	if err := s.PutAccounts(ctx, []account.Account{newAccount(id)}); err != nil {
		return err
	}
	r.say(fact{What: "account", ID: id})
	for step := int64(1); ; step++ {
		if err := crashLogin(ctx, s, r, id, step, now); err != nil {
			return err
		}
	}
}

// crashLogin is a login from its lock to the end of its session.
func crashLogin(ctx context.Context, s *Store, r *reporter, id string, step int64, now time.Time) error {
	key, lifted, login := newLine(), newLine(), newLogin()
	until := now.Add(time.Hour)
	b := pending(id, now, random(2000))
	b.Line, b.Login, b.LineUntil = &key, login, until
	p := stepOf(b, step, now)
	attempt := store.Attempt{Challenge: b.Challenge.ID, Session: b.Session.ID, Factor: "totp", PerCode: 5, InARow: 1000}

	for _, do := range []struct {
		fact fact
		run  func() error
	}{
		{fact{What: "locked", ID: lineID(lifted), Key: &lifted}, func() error { return second(s.LockLine(ctx, lifted, login, now, until)) }},
		{fact{What: "lifted", ID: lineID(lifted), Key: &lifted}, func() error { return s.LiftLine(ctx, lifted, login, now) }},
		{fact{What: "locked", ID: lineID(key), Key: &key}, func() error { return second(s.LockLine(ctx, key, login, now, until)) }},
		{fact{What: "begun", ID: idOf(b.Session.ID), Begin: &b}, func() error { return s.BeginSession(ctx, b, now) }},
		{fact{What: "tried", ID: b.Challenge.ID, N: 1}, func() error { return second(s.CountAttempt(ctx, attempt, now)) }},
		{fact{What: "tried", ID: b.Challenge.ID, N: 2}, func() error { return second(s.CountAttempt(ctx, attempt, now)) }},
		{fact{What: "passed", ID: idOf(b.Session.ID), Begin: &store.Begin{Session: p.Next}, N: step}, func() error { return second(s.PassChallenge(ctx, p, now)) }},
		{fact{What: "bound", ID: idOf(p.Next.ID)}, func() error { return s.BindToken(ctx, p.Next.ID, crashToken, now) }},
		{fact{What: "suspended", ID: idOf(p.Next.ID)}, func() error { return second(s.SuspendSession(ctx, p.Next.ID, login, now)) }},
		{fact{What: "resumed", ID: idOf(p.Next.ID)}, func() error { return s.ResumeSession(ctx, p.Next.ID, login, now) }},
		{fact{What: "ended", ID: idOf(p.Next.ID)}, func() error { return s.EndSession(ctx, p.Next.ID) }},
	} {
		doing := do.fact
		doing.Doing = true
		r.say(doing)
		if err := do.run(); err != nil {
			return fmt.Errorf("%s: %w", do.fact.What, err)
		}
		r.say(do.fact)
	}
	return nil
}

func idOf(id account.SessionID) string { return hex.EncodeToString(id[:]) }

func lineID(k account.LineKey) string { return hex.EncodeToString(k.Line[:]) }

// TestAKilledProcessLosesNothingThatItHasAcknowledged kills the engine's process
// at random moments. It shows that what is acknowledged has been handed to the
// system whole; that it was also synced only a loss of power would show.
func TestAKilledProcessLosesNothingThatItHasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	k := &known{t: t, facts: make(map[string][]fact)}
	for round := range crashRounds {
		k.order = nil
		k.killed(dir, round*10+rand.N(10))
		k.check(dir)
	}
	for _, what := range []string{"account", "locked", "lifted", "begun", "tried", "passed", "bound", "suspended", "resumed", "ended"} {
		if k.count[what] == 0 {
			t.Errorf("nothing was ever %s: the children did too little", what)
		}
	}
	t.Logf("acknowledged: %v", k.count)
}

// known is what the children have said, by the id that it is about.
type known struct {
	t     *testing.T
	facts map[string][]fact
	order []string
	count map[string]int
}

// killed runs a child, kills it a moment after it has said so many facts (the
// later rounds come farther, however slow the machine is), and reads all that
// it has said.
func (k *known) killed(dir string, after int) {
	k.t.Helper()
	cmd := childCommand(k.t, "crash", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(k.t, err)
	must(k.t, cmd.Start())
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			// What has no line end was not said.
			break
		}
		if n == after {
			time.AfterFunc(rand.N(10*time.Millisecond), func() { _ = cmd.Process.Kill() })
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
	if k.count == nil {
		k.count = make(map[string]int)
	}
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
	case "account":
		_, err := s.Account(ctx, "crm", f.ID)
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
		return k.begun(s, f, said(rest, "passed"))
	case "passed":
		return k.passed(s, f)
	case "bound":
		return bound(s, f.ID, said(rest, "suspended"))
	case "suspended":
		// The login has died with its process.
		return gone(s, f.ID, said(rest, "resumed"))
	case "ended":
		return gone(s, f.ID, false)
	}
	return nil
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
	var old account.SessionID
	raw, _ := hex.DecodeString(f.ID)
	copy(old[:], raw)
	if v, err := s.Session(ctx, old, now); err != nil || v.State != account.StatePassed {
		return fmt.Errorf("the pending session is %q, %w", v.State, err)
	}
	return nil
}

// crashToken is the token that is bound to every session.
var crashToken = account.Fingerprint{1, 2, 3}

func bound(s *Store, id string, may bool) error {
	var sid account.SessionID
	raw, _ := hex.DecodeString(id)
	copy(sid[:], raw)
	if v, ok := s.table.get(sid); !may && (!ok || !v.HasToken(crashToken)) {
		return errors.New("the token is not bound")
	}
	return nil
}

func gone(s *Store, id string, may bool) error {
	var sid account.SessionID
	raw, _ := hex.DecodeString(id)
	copy(sid[:], raw)
	if _, ok := s.table.get(sid); ok && !may {
		return errors.New("the session is still there")
	}
	return nil
}
