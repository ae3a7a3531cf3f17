package file

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// stepScene is a verified session of a scene's user with step-ups: one is open
// and holds a request, one waits.
type stepScene struct {
	v           account.Session
	open, waits store.StepUp
	next        account.SessionID
	// old is the id that the session had before it moved.
	old account.SessionID
}

// stepUp is an open step-up of a session, which holds a request.
func stepUp(v account.Session, now time.Time) store.StepUp {
	id := newName()
	return store.StepUp{
		Challenge: account.Challenge{
			ID: id, Instance: "crm", Account: v.Account, Purpose: account.PurposeStepUp, State: account.ChallengeOpen,
			Session: v.ID, Standing: v.Standing, Routes: []string{"export"}, Once: true, Request: account.RequestID(random(32)),
			Factors: []string{"totp", "phone"}, Created: now, Expires: now.Add(time.Hour),
		},
		Hold: &account.Hold{Challenge: id, Instance: "crm", Sealed: []byte("held"), Expires: now.Add(time.Hour)},
	}
}

// withSteps gives the scene its session with step-ups, once.
func (sc *scene) withSteps() {
	if sc.steps != nil {
		return
	}
	sc.t.Helper()
	v := verified(sc.acc, sc.now)
	ss := &stepScene{v: v, open: stepUp(v, sc.now), waits: stepUp(v, sc.now), next: account.SessionID(random(32))}
	ss.waits.Challenge.State, ss.waits.Hold = account.ChallengeWaiting, nil
	must(sc.t, sc.s.BeginSession(sc.t.Context(), store.Begin{Session: v}, sc.now))
	must(sc.t, second(sc.s.OpenStepUp(sc.t.Context(), ss.open, sc.now)))
	must(sc.t, second(sc.s.OpenStepUp(sc.t.Context(), ss.waits, sc.now)))
	sc.steps = ss
}

// withPass lets a request of the session wait for being sent, which has given
// the session a new id.
func (sc *scene) withPass() {
	if sc.steps != nil {
		return
	}
	sc.withSteps()
	must(sc.t, sc.passStep())
	sc.steps.old, sc.steps.v.ID, sc.steps.next = sc.steps.v.ID, sc.steps.next, account.SessionID(random(32))
}

func (sc *scene) openStep(turn func(*store.StepUp)) error {
	u := stepUp(sc.steps.v, sc.now)
	turn(&u)
	return second(sc.s.OpenStepUp(sc.t.Context(), u, sc.now))
}

// openAnother opens a step-up for another request.
func (sc *scene) openAnother() error { return sc.openStep(func(*store.StepUp) {}) }

// openMany opens so many that the ones that were there are dropped.
func (sc *scene) openMany() error {
	for range account.MaxStepUps {
		must(sc.t, sc.openAnother())
	}
	if has(sc.t, sc.s, challenges.bucket, []byte(sc.steps.open.Challenge.ID)) || has(sc.t, sc.s, holds.bucket, []byte(sc.steps.open.Challenge.ID)) {
		sc.t.Error("a step-up that was dropped is still there, or its hold")
	}
	return nil
}

func (sc *scene) showStep() error {
	return second(sc.s.ShowStepUp(sc.t.Context(), sc.steps.v.ID, sc.steps.waits.Challenge.ID, "/", sc.now))
}

func (sc *scene) showOpenStep() error {
	return second(sc.s.ShowStepUp(sc.t.Context(), sc.steps.v.ID, sc.steps.open.Challenge.ID, "/", sc.now))
}

func (sc *scene) cancelStep() error {
	return sc.s.CancelStepUp(sc.t.Context(), sc.steps.v.ID, sc.steps.open.Challenge.ID, sc.now)
}

func (sc *scene) cancelWaiting() error {
	return sc.s.CancelStepUp(sc.t.Context(), sc.steps.v.ID, sc.steps.waits.Challenge.ID, sc.now)
}

func (sc *scene) stepPass(take bool) (store.Stepped, error) {
	return sc.s.PassStepUp(sc.t.Context(), store.PassStepUp{
		Challenge: sc.steps.open.Challenge.ID, Session: sc.steps.v.ID, Factor: "totp", Step: 1, Next: sc.steps.next, Take: take,
	}, sc.now)
}

func (sc *scene) passStep() error { return second(sc.stepPass(false)) }

// passWithoutHold passes the step-up, whose hold must not come back.
func (sc *scene) passWithoutHold() error {
	got, err := sc.stepPass(false)
	if got.Hold != nil {
		sc.t.Errorf("the hold %q was released", got.Hold.Sealed)
	}
	return err
}

// takeUnspent passes nothing, and checks that nothing was spent.
func (sc *scene) takeUnspent() error {
	_, err := sc.stepPass(true)
	a, readErr := sc.s.Account(sc.t.Context(), "crm", sc.acc)
	must(sc.t, readErr)
	if totp, _ := a.Factor("totp"); totp.LastStep != 0 {
		sc.t.Errorf("step %d was spent", totp.LastStep)
	}
	return err
}

func (sc *scene) attemptStep() error {
	return second(sc.s.CountAttempt(sc.t.Context(), store.Attempt{
		Challenge: sc.steps.open.Challenge.ID, Session: sc.steps.v.ID, Factor: "totp", PerCode: 5, InARow: 10,
	}, sc.now))
}

func (sc *scene) sendStep() error {
	return second(sc.s.ReserveSend(sc.t.Context(), store.Send{
		Challenge: sc.steps.open.Challenge.ID, Session: sc.steps.v.ID, Factor: "phone", PerCode: 5,
		New: account.Code{Hash: [32]byte{1}, Sealed: []byte("x"), Expires: sc.now.Add(time.Minute)},
	}, sc.now))
}

func (sc *scene) takePass() error {
	return sc.s.TakePass(sc.t.Context(), sc.steps.v.ID, sc.steps.open.Challenge.Request, sc.now)
}

// returnPass gives the pass back, which was taken before.
func (sc *scene) returnPass() error {
	return sc.s.ReturnPass(sc.t.Context(), sc.steps.v.ID, sc.steps.open.Challenge.Request, sc.now)
}

func (sc *scene) withTakenPass() {
	if sc.steps != nil {
		return
	}
	sc.withPass()
	must(sc.t, sc.takePass())
}

func (sc *scene) endSteps() error {
	return sc.stepsEnd(sc.s.EndSession(sc.t.Context(), sc.steps.v.ID))
}

func (sc *scene) endAllSteps() error {
	return sc.stepsEnd(second(sc.s.EndSessions(sc.t.Context(), "crm", sc.acc)))
}

// stepsEnd checks that nothing is left of the step-ups.
func (sc *scene) stepsEnd(err error) error {
	for _, u := range []store.StepUp{sc.steps.open, sc.steps.waits} {
		if has(sc.t, sc.s, challenges.bucket, []byte(u.Challenge.ID)) || has(sc.t, sc.s, holds.bucket, []byte(u.Challenge.ID)) {
			sc.t.Error("a step-up of a session that has ended is still there, or its hold")
		}
	}
	return err
}

// underOldID looks for the session under the id that it had.
func (sc *scene) underOldID() error {
	if _, err := sc.s.Session(sc.t.Context(), sc.steps.v.ID, sc.now); err != nil {
		sc.t.Errorf("under its own id: %v", err)
	}
	return second(sc.s.Session(sc.t.Context(), sc.steps.old, sc.now))
}

// stepTargets are the records of step-ups.
func stepTargets() []target {
	openKey := func(sc *scene) []byte { sc.withSteps(); return []byte(sc.steps.open.Challenge.ID) }
	gone := func(method string, before func(*scene), call func(*scene) error) probe {
		return probe{method: method, before: before, call: call, want: store.ErrNotFound}
	}
	return []target{
		{
			name: "accounts of a step-up", bucket: accounts.bucket,
			key: func(sc *scene) []byte { sc.withSteps(); return accountKey("crm", sc.acc) },
			probes: []probe{
				{method: "PassStepUp", call: (*scene).passStep, want: errCannotSay},
				{method: "CountAttempt", call: (*scene).attemptStep, want: errCannotSay},
				{method: "ReserveSend", call: (*scene).sendStep, want: errCannotSay},
			},
		},
		{
			name: "sessions with step-ups at a start", bucket: sessions.bucket, restart: true,
			key: func(sc *scene) []byte { sc.withSteps(); return sc.steps.v.ID[:] },
			probes: []probe{
				gone("OpenStepUp", nil, (*scene).openAnother),
				gone("ShowStepUp", nil, (*scene).showStep),
				gone("CancelStepUp", nil, (*scene).cancelStep),
				gone("PassStepUp", nil, (*scene).passStep),
				gone("CountAttempt", nil, (*scene).attemptStep),
				gone("ReserveSend", nil, (*scene).sendStep),
				gone("TakePass", (*scene).withPass, (*scene).takePass),
				gone("ReturnPass", (*scene).withTakenPass, (*scene).returnPass),
			},
		},
		{
			name: "sessions with step-ups of a gateway that runs", bucket: sessions.bucket,
			key: func(sc *scene) []byte { sc.withSteps(); return sc.steps.v.ID[:] },
			probes: []probe{
				keptSteps("OpenStepUp", nil, (*scene).openAnother),
				keptSteps("ShowStepUp", nil, (*scene).showStep),
				keptSteps("CancelStepUp", nil, (*scene).cancelWaiting),
				keptSteps("PassStepUp", nil, (*scene).passStep),
				keptSteps("TakePass", (*scene).withPass, (*scene).takePass),
				keptSteps("ReturnPass", (*scene).withTakenPass, (*scene).returnPass),
			},
		},
		{
			name: "old ids of sessions at a start", bucket: sessions.bucket, restart: true,
			key: func(sc *scene) []byte { sc.withPass(); return sc.steps.old[:] },
			probes: []probe{
				gone("Session", nil, (*scene).underOldID),
				gone("TakePass", nil, func(sc *scene) error {
					return sc.s.TakePass(sc.t.Context(), sc.steps.old, sc.steps.open.Challenge.Request, sc.now)
				}),
				{method: "TakePass", how: "under the new id", call: (*scene).takePass},
			},
		},
		{
			name: "challenges of step-ups", bucket: challenges.bucket, key: openKey,
			probes: []probe{
				{method: "OpenStepUp", how: "with this challenge", want: errCannotSay, call: func(sc *scene) error {
					return sc.openStep(func(u *store.StepUp) {
						u.Challenge.ID, u.Hold.Challenge = sc.steps.open.Challenge.ID, sc.steps.open.Challenge.ID
					})
				}},
				{method: "OpenStepUp", how: "for the same request", call: func(sc *scene) error {
					return sc.openStep(func(u *store.StepUp) { u.Challenge.Request = sc.steps.open.Challenge.Request })
				}},
				{method: "OpenStepUp", how: "until it is dropped", call: (*scene).openMany},
				{method: "ShowStepUp", call: (*scene).showOpenStep, want: errCannotSay},
				{method: "CancelStepUp", call: (*scene).cancelStep, want: errCannotSay},
				{method: "PassStepUp", call: (*scene).passStep, want: errCannotSay},
				{method: "CountAttempt", call: (*scene).attemptStep, want: errCannotSay},
				{method: "ReserveSend", call: (*scene).sendStep, want: errCannotSay},
				{method: "EndSession", call: (*scene).endSteps},
				{method: "EndSessions", call: (*scene).endAllSteps},
			},
		},
		{
			name: "holds of step-ups", bucket: holds.bucket, key: openKey,
			probes: []probe{
				{method: "PassStepUp", how: "to send it", call: (*scene).takeUnspent, want: store.ErrNotFound},
				{method: "PassStepUp", call: (*scene).passWithoutHold},
				{method: "CancelStepUp", call: (*scene).cancelStep},
				{method: "OpenStepUp", how: "until it is dropped", call: (*scene).openMany},
				{method: "EndSession", call: (*scene).endSteps},
				{method: "EndSessions", call: (*scene).endAllSteps},
			},
		},
	}
}

// keptSteps is what becomes of a session with step-ups whose record is damaged
// while it is in memory: it goes on, and is written anew.
func keptSteps(method string, before func(*scene), call func(*scene) error) probe {
	return probe{method: method, before: before, call: func(sc *scene) error {
		if err := call(sc); err != nil {
			return err
		}
		id := sc.steps.v.ID
		v, there := sc.s.table.get(id)
		disk, err := sessions.decode(id[:], rawOf(sc.t, sc.s, sessions.bucket, id[:]))
		switch {
		case !there:
			return errors.New("the session is gone")
		case err != nil:
			return err
		case disk.State != v.State || fmt.Sprintf("%+v", *disk.Steps) != fmt.Sprintf("%+v", *v.Steps):
			return fmt.Errorf("the session is %s with %+v in memory and %s with %+v on the disk", v.State, *v.Steps, disk.State, *disk.Steps)
		}
		return nil
	}}
}
