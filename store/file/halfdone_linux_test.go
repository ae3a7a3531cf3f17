package file

import (
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// halfDone looks at a file that crashChild has filled for anything that a
// method does in one step and that is there in part: a session begun without
// its challenge or its hold, a challenge passed without its step spent, a list
// of accounts put in part. It returns how much of each it has seen.
func halfDone(t *testing.T, s *Store) map[string]int {
	t.Helper()
	found := make(map[string]int)
	err := s.viewOnce(func(tx *bbolt.Tx) error {
		h := &half{t: t, tx: tx, found: found,
			accounts: all(t, tx, accounts), sessions: all(t, tx, sessions),
			challenges: all(t, tx, challenges), holds: all(t, tx, holds), names: all(t, tx, names)}
		h.begun()
		h.passed()
		h.put()
		h.steps()
		h.learnt()
		h.devices(all(t, tx, devices))
		return nil
	})
	must(t, err)
	return found
}

// half is everything of a file, by its keys.
type half struct {
	t          *testing.T
	tx         *bbolt.Tx
	found      map[string]int
	accounts   map[string]*account.Account
	sessions   map[string]*account.Session
	challenges map[string]*account.Challenge
	holds      map[string]*account.Hold
	names      map[string]*nameOf
}

func all[T any](t *testing.T, tx *bbolt.Tx, k *kind[T]) map[string]*T {
	t.Helper()
	m := make(map[string]*T)
	_ = tx.Bucket([]byte(k.bucket)).ForEach(func(key, raw []byte) error {
		v, err := k.decode(key, raw)
		if err != nil {
			t.Error(err)
			return nil
		}
		m[string(key)] = v
		return nil
	})
	return m
}

// begun checks that session, challenge and hold are there together, in states
// that belong together.
func (h *half) begun() {
	together := map[account.State]struct {
		challenge account.ChallengeState
		held      bool
	}{
		account.StatePending:   {account.ChallengeOpen, true},
		account.StatePassed:    {account.ChallengePassed, false},
		account.StateCancelled: {account.ChallengeCancelled, false},
	}
	for _, v := range h.sessions {
		h.found["session "+string(v.State)]++
		if v.State == account.StateVerified || v.State == account.StateMoved {
			continue
		}
		c, want := h.challenges[v.Challenge], together[v.State]
		switch {
		case c == nil:
			h.t.Errorf("a %s session has no challenge", v.State)
		case c.Session != v.ID || c.State != want.challenge:
			h.t.Errorf("a %s session has a challenge that is %s, and its own: %t", v.State, c.State, c.Session == v.ID)
		case (h.holds[v.Challenge] != nil) != want.held:
			h.t.Errorf("a %s session has its hold: %t", v.State, !want.held)
		}
	}
	for id, c := range h.challenges {
		if c.Purpose == account.PurposeStepUp {
			continue
		}
		if v := h.sessions[string(c.Session[:])]; v == nil || v.Challenge != id {
			h.t.Errorf("a challenge that is %s has no session", c.State)
		}
	}
	for id := range h.holds {
		if h.challenges[id] == nil {
			h.t.Error("a hold has no challenge")
		}
	}
}

// passed checks that what a passed challenge opens is there if its step is
// spent, and only then, and that an attempt is counted at both places. Each child has its accounts to itself and takes one
// step after the other, so those before the last one have passed.
func (h *half) passed() {
	opened := make(map[string]bool)
	tries := make(map[*account.Account]int)
	for _, v := range h.sessions {
		if v.State == account.StateVerified {
			opened[v.Address] = true
		}
	}
	for id, c := range h.challenges {
		step, err := strconv.ParseInt(c.Address, 10, 64)
		if err != nil {
			continue
		}
		a := h.accounts[string(accountKey(c.Instance, c.Account))]
		if a == nil {
			h.t.Error("a challenge has no account")
			continue
		}
		totp, _ := a.Factor("totp")
		h.found["challenge "+string(c.State)]++
		if passed := c.State == account.ChallengePassed; passed != (totp.LastStep >= step) {
			h.t.Errorf("the challenge of step %d is %s, and step %d is spent", step, c.State, totp.LastStep)
		}
		if c.State != account.ChallengePassed && opened[id] {
			h.t.Errorf("a challenge that is %s has opened a session", c.State)
		}
		if c.State == account.ChallengeOpen {
			tries[a] += c.Tries["totp"]
		}
	}
	for _, a := range h.accounts {
		if totp, _ := a.Factor("totp"); totp.Failures != tries[a] {
			h.t.Errorf("%d tries were counted since the last step, and %d failures", tries[a], totp.Failures)
		}
	}
}

// put checks that the accounts of one list are all there, of one putting, and
// that each name is of the account that has it.
func (h *half) put() {
	groups := make(map[string]map[string]int)
	count := 0
	for key, a := range h.accounts {
		list, _, _ := strings.Cut(a.ID, "-")
		if groups[list] == nil {
			groups[list] = make(map[string]int)
		}
		groups[list][a.Group]++
		for _, name := range append([]string{a.ID}, a.Aliases...) {
			count++
			if n := h.names[string(accountKey(a.Instance, name))]; n == nil || n.Account != a.ID {
				h.t.Errorf("the name %q of %q is %v's", name, key, n)
			}
		}
	}
	if count != len(h.names) {
		h.t.Errorf("the accounts have %d names, and there are %d", count, len(h.names))
	}
	for list, g := range groups {
		h.found["lists"]++
		for group, n := range g {
			if n != 3 {
				h.t.Errorf("of the list %s, %d accounts are of putting %s: %v", list, n, group, g)
			}
		}
	}
}
