package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// crashStepUps are the step-ups of a verified session: one is passed and sends
// its request, one waits and is cancelled. All calls name the session by the id
// that it had first.
func crashStepUps(ctx context.Context, s *Store, v account.Session, step int64) []deed {
	now := time.Now()
	u, waits := stepUp(v, now), stepUp(v, now)
	u.Challenge.Address, u.Hold.Sealed = fmt.Sprint(step), random(2000)
	waits.Challenge.State, waits.Hold = account.ChallengeWaiting, nil
	next := v
	next.ID = account.SessionID(random(32))
	of := func(what string, u store.StepUp) fact {
		return fact{What: what, ID: u.Challenge.ID, N: step, Begin: &store.Begin{Session: v, Challenge: &u.Challenge}}
	}
	stepped := of("stepped", u)
	stepped.Begin.Old = &next.ID
	attempt := store.Attempt{Challenge: u.Challenge.ID, Session: v.ID, Factor: "totp", PerCode: 5, InARow: 1000}
	pass := store.PassStepUp{Challenge: u.Challenge.ID, Session: v.ID, Factor: "totp", Step: step, Next: next.ID}
	return []deed{
		{of("opened", u), func() error { return second(s.OpenStepUp(ctx, u, now)) }},
		{of("opened", waits), func() error { return second(s.OpenStepUp(ctx, waits, now)) }},
		{of("attempted", u), func() error { return second(s.CountAttempt(ctx, attempt, now)) }},
		{of("shown", waits), func() error { return second(s.ShowStepUp(ctx, v.ID, waits.Challenge.ID, "/", now)) }},
		// The time from which the old id is known so long is that of the call.
		{stepped, func() error { return second(s.PassStepUp(ctx, pass, time.Now())) }},
		{of("dropped", waits), func() error { return s.CancelStepUp(ctx, v.ID, waits.Challenge.ID, now) }},
		{of("taken", u), func() error { return s.TakePass(ctx, v.ID, u.Challenge.Request, now) }},
		{of("returned", u), func() error { return s.ReturnPass(ctx, v.ID, u.Challenge.Request, now) }},
	}
}

// stepUp looks whether a fact of a step-up holds; see holds.
func (k *known) stepUp(s *Store, f fact, rest []fact) error {
	if f.Begin == nil || f.Begin.Challenge == nil || f.Begin.Challenge.Purpose != account.PurposeStepUp {
		return nil
	}
	ctx, now := k.t.Context(), time.Now()
	a, err := s.Account(ctx, "crm", f.Begin.Session.Account)
	if err != nil {
		return err
	}
	totp, _ := a.Factor("totp")
	if f.What == "stepped" && totp.LastStep < f.N {
		return fmt.Errorf("step %d is spent, want %d", totp.LastStep, f.N)
	}
	if said(k.facts[idOf(f.Begin.Session.ID)], "suspended") {
		// The session is ended by then, and with it all of this.
		return nil
	}
	c, err := s.Challenge(ctx, f.ID, now)
	if err != nil {
		return err
	}
	v, err := s.Session(ctx, f.Begin.Session.ID, now)
	if err != nil {
		return err
	}
	pass, passed := v.Steps.Pass(c.Request, now)
	switch f.What {
	case "opened":
		if c.State != f.Begin.Challenge.State && !said(rest, "shown") && !said(rest, "stepped") || !v.Steps.Has(c.ID) {
			return fmt.Errorf("the step-up is %s, and the session's: %t", c.State, v.Steps.Has(c.ID))
		}
	case "attempted":
		if c.Tries["totp"] != 1 {
			return fmt.Errorf("%d tries", c.Tries["totp"])
		}
	case "shown":
		if c.State != account.ChallengeOpen && !said(rest, "dropped") || v.Steps.Waiting != "" {
			return fmt.Errorf("the step-up is %s, and %q waits", c.State, v.Steps.Waiting)
		}
	case "stepped":
		if c.State != account.ChallengePassed || v.ID != *f.Begin.Old || v.Steps.FreshAt("export").IsZero() || !passed {
			return fmt.Errorf("the step-up is %s, and the session %+v", c.State, v.Steps)
		}
		if has(k.t, s, holds.bucket, []byte(c.ID)) {
			return errors.New("the hold is still there")
		}
	case "dropped":
		if c.State != account.ChallengeCancelled {
			return fmt.Errorf("the step-up is %s", c.State)
		}
	case "taken":
		if !passed || !pass.Taken && !said(rest, "returned") {
			return fmt.Errorf("there is a pass: %t, %+v", passed, pass)
		}
	case "returned":
		if !passed || pass.Taken {
			return fmt.Errorf("there is a pass: %t, %+v", passed, pass)
		}
	}
	return nil
}

// steps checks that a session and its step-ups are there together, in states
// that belong together, and that a session has one place.
func (h *half) steps() {
	of := make(map[string]*account.Session)
	for key, v := range h.sessions {
		switch {
		case v.State == account.StateMoved:
			to := h.sessions[string(v.Steps.MovedTo[:])]
			if to != nil && to.State != account.StateVerified && to.State != account.StateMoved {
				h.t.Errorf("a session has moved to one that is %s", to.State)
			}
		case v.Steps != nil:
			for _, id := range v.Steps.Challenges {
				if of[id] != nil {
					h.t.Error("two sessions have one step-up")
				}
				if of[id] = v; h.challenges[id] == nil {
					h.t.Errorf("the session %x has a step-up that is not there", key[:4])
				}
			}
		}
	}
	for id, c := range h.challenges {
		if c.Purpose != account.PurposeStepUp {
			continue
		}
		h.found["step-up "+string(c.State)]++
		v := of[id]
		if v == nil || v.Standing != c.Standing {
			h.t.Errorf("a step-up that is %s has no session", c.State)
			continue
		}
		// The one with an address is passed, and by nothing else does the
		// session move.
		did := c.State == account.ChallengePassed
		_, passed := v.Steps.Pass(c.Request, c.Created)
		if own := c.Address != ""; passed != did || own && ((v.ID != c.Session) != did || v.Steps.FreshAt("export").IsZero() == did) {
			h.t.Errorf("a step-up is %s; its session has moved: %t, and has %+v", c.State, v.ID != c.Session, v.Steps)
		}
		if held := h.holds[id] != nil; held && c.State != account.ChallengeOpen || !held && c.State == account.ChallengeOpen && c.Address != "" {
			h.t.Errorf("a step-up that is %s has its hold: %t", c.State, held)
		}
		if waits := v.Steps.Waiting == id; waits != (c.State == account.ChallengeWaiting) {
			h.t.Errorf("a step-up that is %s is the one for the next page: %t", c.State, waits)
		}
	}
}
