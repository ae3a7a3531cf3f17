package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func stepUpTests() []test {
	return slices.Concat(openStepUpTests(), showStepUpTests(), cancelStepUpTests(), passStepUpTests(), movedTests(), requestPassTests())
}

func newRequest() account.RequestID { return account.RequestID(random(32)) }

// stepUp is an open step-up of a session, which holds a request, not stored.
func (f *fixture) stepUp(v account.Session) store.StepUp {
	id := newID()
	return store.StepUp{
		Challenge: account.Challenge{
			ID: id, Instance: v.Instance, Account: v.Account, Purpose: account.PurposeStepUp,
			State: account.ChallengeOpen, Session: v.ID, Standing: v.Standing, Address: "/export?x=1",
			Action: "export all contacts", Routes: []string{"export"}, Request: newRequest(), Once: true,
			Back: "/contacts", Factors: []string{totpID, phoneID}, Created: f.now, Expires: f.now.Add(10 * time.Minute),
		},
		Hold: &account.Hold{
			Challenge: id, Instance: v.Instance, Sealed: []byte("sealed request " + id), Expires: f.now.Add(10 * time.Minute),
		},
	}
}

// waitingStepUp is one that nobody has seen yet, not stored.
func (f *fixture) waitingStepUp(v account.Session) store.StepUp {
	u := f.stepUp(v)
	u.Challenge.State, u.Hold = account.ChallengeWaiting, nil
	return u
}

// open stores a step-up that must be new.
func (f *fixture) openStepUp(u store.StepUp) {
	f.t.Helper()
	got, err := f.s.OpenStepUp(f.ctx, u, f.now)
	f.must(err)
	same(f.t, got, u.Challenge)
}

// beginStepUp opens a step-up of a session.
func (f *fixture) beginStepUp(v account.Session) store.StepUp {
	f.t.Helper()
	u := f.stepUp(v)
	f.openStepUp(u)
	return u
}

// beginWaiting lets a step-up of a session wait.
func (f *fixture) beginWaiting(v account.Session) store.StepUp {
	f.t.Helper()
	u := f.waitingStepUp(v)
	f.openStepUp(u)
	return u
}

// asBegin is a step-up in the form of what a login begins, for attempts and
// sendings.
func asBegin(v account.Session, u store.StepUp) store.Begin {
	return store.Begin{Session: v, Challenge: &u.Challenge, Hold: u.Hold}
}

// steps are what the session keeps of its step-ups.
func (f *fixture) steps(id account.SessionID) account.Steps {
	f.t.Helper()
	return *f.session(id).Steps.Clone()
}

// suspend suspends a session for a login that goes on.
func (f *fixture) suspend(id account.SessionID) { f.t.Helper(); f.suspended(id) }

func openStepUpTests() []test {
	return []test{
		{"an open step-up is recorded, and the session has it", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			a, b := f.beginStepUp(v), f.beginStepUp(v)
			same(t, f.challenge(a.Challenge.ID), a.Challenge)
			v.Steps = &account.Steps{Challenges: []string{a.Challenge.ID, b.Challenge.ID}}
			same(t, f.session(v.ID), v)
		}},
		{"the newest that waits is the one for the next page", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			a, b := f.beginWaiting(v), f.beginWaiting(v)
			c := f.beginStepUp(v)
			v.Steps = &account.Steps{Challenges: []string{a.Challenge.ID, b.Challenge.ID, c.Challenge.ID}, Waiting: b.Challenge.ID}
			same(t, f.session(v.ID), v)
		}},
		{"for the same request the one that is there is returned, and nothing is recorded", sameRequests},
		{"one that waits is opened by an open one for the same request, with its hold", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			waits, u := f.beginWaiting(v), f.stepUp(v)
			u.Challenge.Request, u.Challenge.Address, u.Challenge.Back = waits.Challenge.Request, "/export?y", "/reports"
			got, err := f.s.OpenStepUp(f.ctx, u, f.now)
			f.must(err)
			want := waits.Challenge
			want.State, want.Address, want.Back = account.ChallengeOpen, "/export?y", "/reports"
			same(t, got, want)
			same(t, f.challenge(want.ID), want)
			f.noChallenge(u.Challenge.ID)
			same(t, f.steps(v.ID), account.Steps{Challenges: []string{want.ID}})
			u.Challenge, u.Hold.Challenge = want, want.ID
			f.steppedUp(v, u, f.stepOf(v, u, 100))
		}},
		{"one that was passed, was cancelled or has expired is not gone on with", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			passed, cancelled, short := f.beginStepUp(v), f.beginStepUp(v), f.stepUp(v)
			short.Challenge.Expires = f.now.Add(time.Minute)
			f.openStepUp(short)
			f.must(f.s.CancelStepUp(f.ctx, v.ID, cancelled.Challenge.ID, f.now))
			v = f.steppedUp(v, passed, f.stepOf(v, passed, 100))
			for _, there := range []store.StepUp{passed, cancelled, short} {
				u := f.stepUp(v)
				u.Challenge.Request = there.Challenge.Request
				got, err := f.s.OpenStepUp(f.ctx, u, f.now.Add(time.Minute))
				f.must(err)
				same(t, got, u.Challenge)
			}
		}},
		{"the request of another session is another", func(t *testing.T, f *fixture) {
			v, other := f.beginVerified("ada"), f.beginVerified("ada")
			a, b := f.beginStepUp(v), f.stepUp(other)
			b.Challenge.Request = a.Challenge.Request
			f.openStepUp(b)
			same(t, f.steps(v.ID).Challenges, []string{a.Challenge.ID})
			same(t, f.steps(other.ID).Challenges, []string{b.Challenge.ID})
		}},
		{"a step-up does not take another challenge's place", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, other, login := f.beginVerified("ada"), f.beginVerified("bob"), f.beginPending("ada")
			own, others := f.beginStepUp(v), f.beginStepUp(other)
			before := f.session(v.ID)
			for _, there := range []account.Challenge{own.Challenge, others.Challenge, *login.Challenge} {
				u := f.stepUp(v)
				u.Challenge.ID, u.Hold.Challenge = there.ID, there.ID
				_, err := f.s.OpenStepUp(f.ctx, u, f.now)
				f.wants(err, store.ErrConflict)
				same(t, f.challenge(there.ID), there)
				same(t, f.session(v.ID), before)
			}
			f.steppedUp(v, own, f.stepOf(v, own, 100))
		}},
		{"the newest are kept, and the oldest goes with its hold", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			first := f.beginStepUp(v)
			f.sent(asBegin(v, first), "111111", f.now)
			var kept []string
			for range account.MaxStepUps {
				kept = append(kept, f.beginStepUp(v).Challenge.ID)
			}
			f.noChallenge(first.Challenge.ID)
			same(t, f.steps(v.ID), account.Steps{Challenges: kept})
			_, err := f.s.PassStepUp(f.ctx, f.stepCodeOf(v, first, "111111"), f.now)
			f.wants(err, store.ErrNotFound)
			// Were its hold still there, one of the same id would have it.
			first.Hold = nil
			f.openStepUp(first)
			f.steppedUp(v, first, f.stepOf(v, first, 100))
		}},
		{"one that goes waits no more", func(t *testing.T, f *fixture) {
			v := f.beginVerified("ada")
			waits := f.beginWaiting(v)
			for range account.MaxStepUps - 1 {
				f.beginStepUp(v)
			}
			same(t, f.steps(v.ID).Waiting, waits.Challenge.ID)
			f.beginStepUp(v)
			f.noChallenge(waits.Challenge.ID)
			same(t, f.steps(v.ID).Waiting, "")
		}},
		{"the step-ups of one session drop none of another's", func(t *testing.T, f *fixture) {
			v, other := f.beginVerified("ada"), f.beginVerified("ada")
			u := f.beginStepUp(other)
			for range 2 * account.MaxStepUps {
				f.beginStepUp(v)
			}
			same(t, f.challenge(u.Challenge.ID), u.Challenge)
		}},
		{"what does not belong together is refused and records nothing", stepUpRefusals},
		{"a request of 1 MiB is held whole, sealed and written as text", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.stepUp(v)
			u.Hold.Sealed = random((1<<20 + 64<<10) * 4 / 3)
			f.openStepUp(u)
			f.steppedUp(v, u, f.stepOf(v, u, 100))
		}},
		{"a session that was read before a step-up stays as it was read", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginWaiting(v)
			before := f.session(v.ID)
			want := account.Steps{Challenges: []string{u.Challenge.ID}, Waiting: u.Challenge.ID}
			_, err := f.s.ShowStepUp(f.ctx, v.ID, u.Challenge.ID, "/", f.now)
			f.must(err)
			f.beginStepUp(v)
			last := f.session(v.ID)
			lastWant := *last.Steps.Clone()
			f.steppedUp(v, store.StepUp{Challenge: u.Challenge}, f.stepOf(v, u, 100))
			same(t, before.Steps, want)
			same(t, last.Steps, lastWant)
		}},
	}
}

// sameRequests opens step-ups for a request for which there is one.
func sameRequests(t *testing.T, f *fixture) {
	f.enrol("ada")
	for _, tt := range []struct {
		name       string
		there, new account.ChallengeState
	}{
		{"open twice", account.ChallengeOpen, account.ChallengeOpen},
		{"waiting twice", account.ChallengeWaiting, account.ChallengeWaiting},
		{"open, and then waiting", account.ChallengeOpen, account.ChallengeWaiting},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			of := map[account.ChallengeState]func(account.Session) store.StepUp{
				account.ChallengeOpen: f.stepUp, account.ChallengeWaiting: f.waitingStepUp,
			}
			v := f.beginVerified("ada")
			there, u := of[tt.there](v), of[tt.new](v)
			f.openStepUp(there)
			before := f.session(v.ID)
			u.Challenge.Request, u.Challenge.Address, u.Challenge.Back = there.Challenge.Request, "/other", "/other"
			got, err := f.s.OpenStepUp(f.ctx, u, f.now)
			f.must(err)
			same(t, got, there.Challenge)
			same(t, f.challenge(there.Challenge.ID), there.Challenge)
			same(t, f.session(v.ID), before)
			f.noChallenge(u.Challenge.ID)
			if tt.there == account.ChallengeOpen {
				f.steppedUp(v, there, f.stepOf(v, there, f.factor("ada", totpID).LastStep+1))
			}
		})
	}
}

func stepUpRefusals(t *testing.T, f *fixture) {
	for _, tt := range []struct {
		name  string
		spoil func(*store.StepUp)
		want  error
	}{
		{"the challenge of a login", func(u *store.StepUp) { u.Challenge.Purpose = account.PurposeLogin }, errRefused},
		{"a challenge without a purpose", func(u *store.StepUp) { u.Challenge.Purpose = "" }, errRefused},
		{"a challenge without an id", func(u *store.StepUp) { u.Challenge.ID, u.Hold.Challenge = "", "" }, errRefused},
		{"a challenge without a session", func(u *store.StepUp) { u.Challenge.Session = account.SessionID{} }, errRefused},
		{"a challenge without a standing", func(u *store.StepUp) { u.Challenge.Standing = account.StandingID{} }, errRefused},
		{"a challenge that is passed", func(u *store.StepUp) { u.Challenge.State = account.ChallengePassed }, errRefused},
		{"a challenge that is cancelled", func(u *store.StepUp) { u.Challenge.State = account.ChallengeCancelled }, errRefused},
		{"a challenge in no state", func(u *store.StepUp) { u.Challenge.State = "" }, errRefused},
		{"a challenge with a code", func(u *store.StepUp) { u.Challenge.Codes = map[string]account.Code{phoneID: {}} }, errRefused},
		{"a challenge with a try", func(u *store.StepUp) { u.Challenge.Tries = map[string]int{totpID: 1} }, errRefused},
		{"a challenge without time left", func(u *store.StepUp) { u.Challenge.Expires = u.Challenge.Created }, errRefused},
		{"a challenge that waits with a hold", func(u *store.StepUp) { u.Challenge.State = account.ChallengeWaiting }, errRefused},
		{"a hold of another challenge", func(u *store.StepUp) { u.Hold.Challenge = newID() }, errRefused},
		{"a hold of another instance", func(u *store.StepUp) { u.Hold.Instance = "shop" }, errRefused},
		{"a hold of more than 2 MiB", func(u *store.StepUp) { u.Hold.Sealed = make([]byte, 2<<20+1) }, errRefused},
		{"a challenge of more than 1 MiB", func(u *store.StepUp) { u.Challenge.Back = string(make([]byte, 1<<20+1)) }, errRefused},
		{"a challenge of another account", func(u *store.StepUp) { u.Challenge.Account = "bob" }, store.ErrNotFound},
		{"a challenge of another instance", func(u *store.StepUp) { u.Challenge.Instance, u.Hold.Instance = "shop", "shop" }, store.ErrNotFound},
		{"a challenge of another standing", func(u *store.StepUp) { u.Challenge.Standing = newStandingID() }, store.ErrNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fixture{t: t, s: f.s, ctx: t.Context(), now: f.now}
			v := f.beginVerified("ada")
			var there []string
			for range account.MaxStepUps {
				there = append(there, f.beginStepUp(v).Challenge.ID)
			}
			before, u := f.session(v.ID), f.stepUp(v)
			tt.spoil(&u)
			_, err := f.s.OpenStepUp(f.ctx, u, f.now)
			f.wants(err, tt.want)
			same(t, f.session(v.ID), before)
			for _, id := range there {
				f.challenge(id)
			}
			if u.Challenge.ID != "" {
				f.noChallenge(u.Challenge.ID)
			}
		})
	}
}

// notUsable are the reasons for which a session has no step-ups. Each makes
// such a session of a verified one and says when it is asked for.
func notUsable() map[string]func(f *fixture, v account.Session) time.Time {
	return map[string]func(f *fixture, v account.Session) time.Time{
		"it is over":           func(f *fixture, v account.Session) time.Time { return v.Expires },
		"it was idle too long": func(f *fixture, v account.Session) time.Time { return f.now.Add(v.IdleFor) },
		"it has ended": func(f *fixture, v account.Session) time.Time {
			f.must(f.s.EndSession(f.ctx, v.ID))
			return f.now
		},
		"a login has suspended it": func(f *fixture, v account.Session) time.Time {
			f.suspend(v.ID)
			return f.now
		},
		"a login that is too old has suspended it": func(f *fixture, v account.Session) time.Time {
			f.suspend(v.ID)
			return f.now.Add(account.RunningFor + time.Second)
		},
	}
}

// stepUpCalls are calls of every method of a step-up that is answered with
// ErrNotFound if the session cannot use it. All of them but the first, which
// opens another step-up, would go on with the session and step-up given.
func (f *fixture) stepUpCalls(v account.Session, u store.StepUp, now time.Time) map[string]error {
	calls := map[string]error{}
	other := f.stepUp(v)
	other.Challenge.Expires, other.Hold.Expires = now.Add(time.Hour), now.Add(time.Hour)
	_, calls["OpenStepUp"] = f.s.OpenStepUp(f.ctx, other, now)
	_, calls["ShowStepUp"] = f.s.ShowStepUp(f.ctx, v.ID, u.Challenge.ID, "/", now)
	_, calls["CountAttempt"] = f.s.CountAttempt(f.ctx, attemptOf(asBegin(v, u), totpID), now)
	send := f.sendOf(asBegin(v, u), "111111")
	send.New.Expires = now.Add(time.Hour)
	_, calls["ReserveSend"] = f.s.ReserveSend(f.ctx, send, now)
	_, calls["PassStepUp"] = f.s.PassStepUp(f.ctx, f.stepOf(v, u, 1000), now)
	calls["CancelStepUp"] = f.s.CancelStepUp(f.ctx, v.ID, u.Challenge.ID, now)
	calls["TakePass"] = f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, now)
	calls["ReturnPass"] = f.s.ReturnPass(f.ctx, v.ID, u.Challenge.Request, now)
	return calls
}

// allNotFound checks that every call was answered with ErrNotFound.
func (f *fixture) allNotFound(calls map[string]error) {
	f.t.Helper()
	for name, err := range calls {
		if fmt.Sprint(err) != store.ErrNotFound.Error() {
			f.t.Errorf("%s: got error %v, want %v", name, err, store.ErrNotFound)
		}
	}
}
