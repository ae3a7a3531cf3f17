package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// stepOf answers a step-up with an authenticator's step.
func (f *fixture) stepOf(v account.Session, u store.StepUp, step int64) store.PassStepUp {
	return store.PassStepUp{
		Challenge: u.Challenge.ID, Session: v.ID, Factor: totpID, Step: step, Next: newSessionID(),
	}
}

// stepCodeOf answers a step-up with the phone's code.
func (f *fixture) stepCodeOf(v account.Session, u store.StepUp, code string) store.PassStepUp {
	p := f.stepOf(v, u, 0)
	p.Factor, p.CodeHash = phoneID, hashOf(code)
	return p
}

// steppedUp passes a step-up now and checks everything that this changes. It
// returns the session under its new id.
func (f *fixture) steppedUp(v account.Session, u store.StepUp, p store.PassStepUp) account.Session {
	f.t.Helper()
	want := f.session(v.ID)
	want.Steps = want.Steps.Clone()
	want.Steps.Factor, want.Steps.FactorAt = account.KindPhone, f.now
	if p.Factor == totpID {
		want.Steps.Factor = account.KindTOTP
	}
	for _, r := range u.Challenge.Routes {
		want.Steps.SetFresh(r, f.now)
	}
	if u.Challenge.Once {
		want.Steps.SetPass(account.Pass{Request: u.Challenge.Request, Until: f.now.Add(account.PassFor), Taken: p.Take}, f.now)
	}
	if want.Steps.Waiting == u.Challenge.ID {
		want.Steps.Waiting = ""
	}
	old := want.ID
	want.ID = p.Next

	got, err := f.s.PassStepUp(f.ctx, p, f.now)
	f.must(err)
	same(f.t, got, store.Stepped{Session: want, Hold: u.Hold})
	for _, id := range []account.SessionID{p.Next, old, v.ID} {
		same(f.t, f.session(id), want)
	}
	c := f.challenge(u.Challenge.ID)
	if c.State != account.ChallengePassed {
		f.t.Errorf("the challenge is %s, want it passed", c.State)
	}
	for id, code := range c.Codes {
		if code.Hash != [32]byte{} || len(code.Sealed) > 0 {
			f.t.Errorf("the code of %s is still there", id)
		}
	}
	if fa := f.factor(want.Account, p.Factor); fa.Failures != 0 || !fa.PausedUntil.IsZero() || fa.Kind == account.KindTOTP && fa.LastStep != p.Step {
		f.t.Errorf("the factor has step %d and %d failures and is paused until %s", fa.LastStep, fa.Failures, fa.PausedUntil)
	}
	return want
}

// notPassed answers a step-up now in vain and checks that nothing changes.
func (f *fixture) notPassed(v account.Session, u store.StepUp, p store.PassStepUp, want error) {
	f.t.Helper()
	f.notPassedAt(v, u, p, want, f.now)
}

func (f *fixture) notPassedAt(v account.Session, u store.StepUp, p store.PassStepUp, want error, now time.Time) {
	f.t.Helper()
	session, a, c := f.session(v.ID), f.account(v.Account), f.challenge(u.Challenge.ID)
	_, err := f.s.PassStepUp(f.ctx, p, now)
	f.wants(err, want)
	same(f.t, f.session(v.ID), session)
	same(f.t, f.account(v.Account), a)
	same(f.t, f.challenge(u.Challenge.ID), c)
	if p.Next != v.ID && p.Next != session.ID && want != store.ErrConflict {
		f.noSession(p.Next, f.now)
	}
}

func passStepUpTests() []test {
	return []test{
		{"a right step opens the routes that asked, gives the request a pass and releases the hold", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.stepUp(v)
			u.Challenge.Routes = []string{"export", "admin"}
			f.openStepUp(u)
			f.attempts(attemptOf(asBegin(v, u), totpID), 2)
			f.steppedUp(v, u, f.stepOf(v, u, 100))
		}},
		{"a right code from the phone does too", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			f.sent(asBegin(v, u), "111111", f.now)
			f.must(f.s.RecordSend(f.ctx, u.Challenge.ID, phoneID, 1, account.SendTaken))
			f.attempts(attemptOf(asBegin(v, u), phoneID), 5)
			f.steppedUp(v, u, f.stepCodeOf(v, u, "111111"))
		}},
		{"the pass is taken at once by who sends the held request", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			p := f.stepOf(v, u, 100)
			p.Take = true
			v = f.steppedUp(v, u, p)
			f.wants(f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, f.now), store.ErrSpent)
		}},
		{"without a request that gets one there is no pass", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for i, take := range []bool{false, true} {
				v := f.beginVerified("ada")
				u := f.stepUp(v)
				u.Challenge.Once = false
				f.openStepUp(u)
				p := f.stepOf(v, u, int64(100+i))
				p.Take = take
				v = f.steppedUp(v, u, p)
				f.wants(f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, f.now), store.ErrNotFound)
			}
		}},
		{"one that holds nothing is passed, but not by who would send what it holds", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			gone, none := f.stepUp(v), f.stepUp(v)
			gone.Hold.Expires, none.Hold = f.now.Add(time.Minute), nil
			f.openStepUp(gone)
			f.openStepUp(none)
			p := f.stepOf(v, none, 100)
			p.Take = true
			f.notPassed(v, none, p, store.ErrNotFound)
			p = f.stepOf(v, gone, 100)
			p.Take = true
			f.notPassedAt(v, gone, p, store.ErrNotFound, gone.Hold.Expires)

			v = f.steppedUp(v, none, f.stepOf(v, none, 100))
			got, err := f.s.PassStepUp(f.ctx, f.stepOf(v, gone, 101), gone.Hold.Expires)
			f.must(err)
			if got.Hold != nil {
				t.Errorf("a hold that has expired was released: %+v", got.Hold)
			}
		}},
		{"a step-up passes once", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			f.sent(asBegin(v, u), "111111", f.now)
			now := f.steppedUp(v, u, f.stepCodeOf(v, u, "111111"))
			for _, by := range []account.Session{v, now} {
				for _, p := range []store.PassStepUp{f.stepCodeOf(by, u, "111111"), f.stepCodeOf(by, u, "222222"), f.stepOf(by, u, 100)} {
					f.notPassed(by, u, p, store.ErrSpent)
				}
				_, err := f.s.CountAttempt(f.ctx, attemptOf(asBegin(by, u), totpID), f.now)
				f.wants(err, store.ErrSpent)
				_, err = f.s.ReserveSend(f.ctx, f.sendOf(asBegin(by, u), "333333"), f.now)
				f.wants(err, store.ErrSpent)
			}
		}},
		{"a step is spent once, by a login or a step-up", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			a, b := f.beginStepUp(v), f.beginStepUp(v)
			first, second := f.beginPending("ada"), f.beginPending("ada")
			f.released(first, f.passOf(first, 100))
			f.notPassed(v, a, f.stepOf(v, a, 100), store.ErrSpent)
			v = f.steppedUp(v, a, f.stepOf(v, a, 101))
			for _, step := range []int64{101, 100, 0, -1} {
				f.notPassed(v, b, f.stepOf(v, b, step), store.ErrSpent)
				p := f.passOf(second, step)
				_, err := f.s.PassChallenge(f.ctx, p, f.now)
				f.wants(err, store.ErrSpent)
				f.unpassed(second, p)
			}
			f.released(second, f.passOf(second, 102))
		}},
		{"a right code ends the pause that its own attempt began", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			a := attemptOf(asBegin(v, u), totpID)
			a.InARow = 1
			f.attempts(a, 1)
			f.steppedUp(v, u, f.stepOf(v, u, 100))
		}},
		{"failures count on from logins to step-ups, and pause the factor in both", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			login, v := f.beginPending("ada"), f.beginVerified("ada")
			u := f.beginStepUp(v)
			f.attempts(attemptOf(login, totpID), 5)
			f.attempts(attemptOf(asBegin(v, u), totpID), 5)
			for _, b := range []store.Begin{login, asBegin(v, u), asBegin(v, f.beginStepUp(v))} {
				if r := f.attempt(attemptOf(b, totpID), f.now); r.PausedUntil.IsZero() {
					t.Errorf("got %+v, want a pause", r)
				}
			}
		}},
		{"a later code is what a route is fresh by, and makes no other route fresh", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			w := f.stepUp(v)
			w.Challenge.Routes = []string{"admin"}
			f.openStepUp(w)
			v = f.steppedUp(v, u, f.stepOf(v, u, 100))
			later := &fixture{t: t, s: f.s, ctx: f.ctx, now: f.now.Add(time.Minute)}
			v = later.steppedUp(v, w, f.stepOf(v, w, 101))
			for route, want := range map[string]time.Time{"export": f.now, "admin": later.now, "users": {}} {
				if got := v.Steps.FreshAt(route); !got.Equal(want) {
					t.Errorf("a code was given for %s at %s, want %s", route, got, want)
				}
			}
		}},
		{"a code makes only those routes fresh that it is said to count for", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for _, counts := range [][]string{{}, {"admin"}, {"admin", "another's"}} {
				v := f.beginVerified("ada")
				u := f.stepUp(v)
				u.Challenge.Routes = []string{"export", "admin"}
				f.openStepUp(u)
				p := f.stepOf(v, u, f.factor("ada", totpID).LastStep+1)
				p.Routes = counts
				got, err := f.s.PassStepUp(f.ctx, p, f.now)
				f.must(err)
				fresh := len(got.Session.Steps.Fresh)
				if want := min(len(counts), 1); fresh != want || want > 0 && got.Session.Steps.FreshAt("admin").IsZero() {
					t.Errorf("counting for %q, a code was given for %+v", counts, got.Session.Steps.Fresh)
				}
			}
		}},
		{"the same request with other routes is another step-up", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			first := f.beginStepUp(v)
			other := f.stepUp(v)
			other.Challenge.Request, other.Challenge.Routes = first.Challenge.Request, []string{"admin"}
			got, err := f.s.OpenStepUp(f.ctx, other, f.now)
			f.must(err)
			if got.ID != other.Challenge.ID {
				t.Errorf("it is that of %q", got.Routes)
			}
		}},
		{"a code that is not the living one passes nothing", wrongStepUpCodes},
		{"what cannot be answered is not", stepUpsNotAsked},
		{"a step-up is not answered from another session of the same account", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, other := f.beginVerified("ada"), f.beginVerified("ada")
			f.beginStepUp(other)
			u, waits := f.beginStepUp(v), f.beginWaiting(v)
			f.sent(asBegin(v, u), "111111", f.now)
			c, before, others := f.challenge(u.Challenge.ID), f.session(v.ID), f.session(other.ID)
			for _, id := range []string{u.Challenge.ID, waits.Challenge.ID} {
				_, err := f.s.ShowStepUp(f.ctx, other.ID, id, "/", f.now)
				f.wants(err, store.ErrNotFound)
				f.wants(f.s.CancelStepUp(f.ctx, other.ID, id, f.now), store.ErrNotFound)
			}
			f.notPassed(v, u, f.stepOf(other, u, 100), store.ErrNotFound)
			f.notPassed(v, u, f.stepCodeOf(other, u, "111111"), store.ErrNotFound)
			_, err := f.s.CountAttempt(f.ctx, attemptOf(asBegin(other, u), totpID), f.now)
			f.wants(err, store.ErrNotFound)
			_, err = f.s.ReserveSend(f.ctx, f.sendOf(asBegin(other, u), "222222"), f.now.Add(time.Minute))
			f.wants(err, store.ErrNotFound)
			same(t, f.challenge(u.Challenge.ID), c)
			same(t, f.session(v.ID), before)
			same(t, f.session(other.ID), others)
			v = f.steppedUp(v, u, f.stepCodeOf(v, u, "111111"))
			f.notPassed(v, u, f.stepOf(other, u, 100), store.ErrNotFound)
		}},
		{"a login is not passed as a step-up, nor a step-up as a login", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, b := f.beginVerified("ada"), f.beginPending("ada")
			u := f.beginStepUp(v)
			f.sent(b, "111111", f.now)
			asStep := store.StepUp{Challenge: *b.Challenge, Hold: b.Hold}
			f.notPassed(b.Session, asStep, f.stepOf(b.Session, asStep, 100), errRefused)
			f.notPassed(b.Session, asStep, f.stepCodeOf(b.Session, asStep, "111111"), errRefused)
			f.notPassed(b.Session, asStep, f.stepOf(v, asStep, 100), store.ErrNotFound)
			f.sent(asBegin(v, u), "222222", f.now)
			for _, p := range []store.Pass{f.passOf(asBegin(v, u), 100), f.codeOf(asBegin(v, u), "222222")} {
				_, err := f.s.PassChallenge(f.ctx, p, f.now)
				f.wants(err, errRefused)
				f.noSession(p.Next.ID, f.now)
			}
			f.released(b, f.passOf(b, 100))
			f.steppedUp(v, u, f.stepOf(v, u, 101))
		}},
		{"an id that is another session's, was the session's or is none is refused, and nothing is spent", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			first, other := f.beginVerified("ada"), f.beginVerified("bob")
			moved, u := f.beginStepUp(first), f.beginStepUp(first)
			v := f.steppedUp(first, moved, f.stepOf(first, moved, 100))
			for _, tt := range []struct {
				by   account.Session
				next account.SessionID
				want error
			}{
				{v, other.ID, store.ErrConflict},
				{v, first.ID, store.ErrConflict},
				{first, v.ID, store.ErrConflict},
				{v, v.ID, errRefused},
				{v, account.SessionID{}, errRefused},
			} {
				p := f.stepOf(tt.by, u, 101)
				p.Next = tt.next
				f.notPassed(tt.by, u, p, tt.want)
			}
			same(t, f.session(other.ID), other)
			f.steppedUp(v, u, f.stepOf(v, u, 101))
		}},
	}
}
