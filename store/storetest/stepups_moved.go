package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// move passes a step-up of a session, which gets a new id by that.
func (f *fixture) move(v account.Session) account.Session {
	f.t.Helper()
	u := f.beginStepUp(v)
	return f.steppedUp(v, u, f.stepOf(v, u, f.factor(v.Account, totpID).LastStep+1))
}

// underOld are calls of every method that is given a session and a time. A
// session that is found must be the one given; id is one that it had before.
// The last one ends the session.
func (f *fixture) underOld(v account.Session, id account.SessionID, now time.Time) []namedError {
	s := f.s
	old := v
	old.ID = id
	var all []namedError
	add := func(name string, err error) { all = append(all, namedError{name, err}) }
	is := func(name string, got account.Session, err error) {
		f.t.Helper()
		if err == nil && (got.ID != v.ID || got.State != account.StateVerified) {
			f.t.Errorf("%s: found session %s in the state %s, want %s", name, got.ID, got.State, v.ID)
		}
		add(name, err)
	}
	soon := now.Add(time.Hour)
	opens := func(u store.StepUp) (store.StepUp, error) {
		u.Challenge.Expires = soon
		if u.Hold != nil {
			u.Hold.Expires = soon
		}
		_, err := s.OpenStepUp(f.ctx, u, now)
		return u, err
	}

	got, err := s.Session(f.ctx, id, now)
	is("Session", got, err)
	add("TouchSession", s.TouchSession(f.ctx, id, now))
	add("BindToken", s.BindToken(f.ctx, id, tokenNo(1), now))
	waits, err := opens(f.waitingStepUp(old))
	add("OpenStepUp", err)
	cancelled, err := opens(f.stepUp(old))
	add("OpenStepUp", err)
	_, err = s.ShowStepUp(f.ctx, id, waits.Challenge.ID, "/", now)
	add("ShowStepUp", err)
	add("CancelStepUp", s.CancelStepUp(f.ctx, id, cancelled.Challenge.ID, now))
	_, err = s.CountAttempt(f.ctx, attemptOf(asBegin(old, waits), totpID), now)
	add("CountAttempt", err)
	send := f.sendOf(asBegin(old, waits), "111111")
	send.New.Expires = soon
	_, err = s.ReserveSend(f.ctx, send, now)
	add("ReserveSend", err)
	stepped, err := s.PassStepUp(f.ctx, f.stepCodeOf(old, waits, "111111"), now)
	if err == nil {
		v.ID = stepped.Session.ID
	}
	is("PassStepUp", stepped.Session, err)
	add("TakePass", s.TakePass(f.ctx, id, waits.Challenge.Request, now))
	add("ReturnPass", s.ReturnPass(f.ctx, id, waits.Challenge.Request, now))
	login := newLoginID()
	got, err = s.SuspendSession(f.ctx, id, login, now)
	is("SuspendSession", got, err)
	add("ResumeSession", s.ResumeSession(f.ctx, id, login, now))
	_, err = s.SuspendSession(f.ctx, id, login, now)
	add("SuspendSession", err)
	next := f.verified(v.Account)
	next.LastSeen, next.Expires = now, now.Add(time.Hour)
	add("BeginSession", s.BeginSession(f.ctx, store.Begin{Session: next, Old: &id, Login: login}, now))
	return all
}

type namedError struct {
	method string
	err    error
}

func movedTests() []test {
	return []test{
		{"a session that has moved is the same in all but its id", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.verified("ada")
			v.Credential, v.Tokens, v.Identified = tokenNo(1), []account.Fingerprint{tokenNo(2)}, true
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v}, f.now))
			f.must(f.s.TouchSession(f.ctx, v.ID, f.now.Add(time.Second)))
			got := f.move(v)
			got.ID, got.Steps, v.LastSeen = v.ID, nil, f.now.Add(time.Second)
			same(t, got, v)
		}},
		{"every method finds it under its old ids until that time is over", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for _, tt := range []struct {
				after time.Duration
				found bool
			}{{0, true}, {account.MovedFor - time.Nanosecond, true}, {account.MovedFor, false}, {time.Hour, false}} {
				for moves := range 2 {
					first := f.beginVerified("ada")
					v := f.move(first)
					if moves > 0 {
						v = f.move(v)
					}
					for _, got := range f.underOld(v, first.ID, f.now.Add(tt.after)) {
						want := store.ErrNotFound
						switch {
						case tt.found:
							want = nil
						case got.method == "BeginSession":
							want = store.ErrConflict
						}
						if !errors.Is(got.err, want) {
							t.Errorf("%s, %s after the last of %d moves: got error %v, want %v", got.method, tt.after, moves+1, got.err, want)
						}
					}
					if !tt.found {
						same(t, f.session(v.ID), v)
					}
				}
			}
		}},
		{"under its old id it is as usable as it is, and no more", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			old := f.beginVerified("ada")
			v := f.move(old)
			login := f.suspended(v.ID)
			for _, id := range []account.SessionID{old.ID, v.ID} {
				if got := f.session(id); got.SuspendedBy != login || got.Usable(f.now) {
					t.Errorf("under %s the session is not suspended", id)
				}
			}
			f.wants(f.s.CancelSession(f.ctx, old.ID), store.ErrNotFound)
			f.must(f.s.ResumeSession(f.ctx, old.ID, login, f.now))
			same(t, f.session(old.ID), v)
		}},
		{"it ends under all its ids, by whichever of them it is ended", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			for by := range 3 {
				first := f.beginVerified("ada")
				open := f.beginStepUp(first)
				second := f.move(first)
				third := f.move(second)
				ids := []account.SessionID{first.ID, second.ID, third.ID}
				f.must(f.s.EndSession(f.ctx, ids[by]))
				for _, id := range ids {
					f.noSession(id, f.now)
					f.wants(f.s.TouchSession(f.ctx, id, f.now), store.ErrNotFound)
					f.must(f.s.EndSession(f.ctx, id))
				}
				f.noChallenge(open.Challenge.ID)
			}
		}},
		{"it lives no longer by the old id", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			old := f.verified("ada")
			old.IdleFor, old.Expires = 0, f.now.Add(account.MovedFor/2)
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: old}, f.now))
			v := f.move(old)
			for _, id := range []account.SessionID{old.ID, v.ID} {
				f.noSession(id, v.Expires)
			}
		}},
		{"it is not idle while it is seen under the old id", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			old := f.beginVerified("ada")
			v := f.move(old)
			seen := f.now.Add(20 * time.Second)
			f.must(f.s.TouchSession(f.ctx, old.ID, seen))
			if got := f.session(v.ID).LastSeen; !got.Equal(seen) {
				t.Errorf("last seen %s, want %s", got, seen)
			}
		}},
		{"no session begins under an id that one had", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			old := f.beginVerified("ada")
			v := f.move(old)
			next := f.verified("bob")
			next.ID = old.ID
			f.wants(f.s.BeginSession(f.ctx, store.Begin{Session: next}, f.now), store.ErrConflict)
			b := f.beginPending("ada")
			p := f.passOf(b, 1000)
			p.Next.ID = old.ID
			_, err := f.s.PassChallenge(f.ctx, p, f.now)
			f.wants(err, store.ErrConflict)
			same(t, f.session(old.ID), v)
		}},
		{"a step-up that was open when the id changed is passed under each of them", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			first := f.beginVerified("ada")
			a, b := f.beginStepUp(first), f.beginStepUp(first)
			f.sent(asBegin(first, a), "111111", f.now)
			second := f.move(first)
			f.attempts(attemptOf(asBegin(first, a), phoneID), 1)
			f.attempts(attemptOf(asBegin(second, a), phoneID), 1)
			third := f.steppedUp(second, a, f.stepCodeOf(second, a, "111111"))
			fourth := f.steppedUp(first, b, f.stepOf(first, b, 1000))
			for _, id := range []account.SessionID{first.ID, second.ID, third.ID, fourth.ID} {
				same(t, f.session(id), fourth)
			}
		}},
		{"it is found however often it has moved within the time", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			first := f.beginVerified("ada")
			v := first
			for range 2 * account.MaxStepUps {
				v = f.move(v)
			}
			same(t, f.session(first.ID), v)
		}},
	}
}

func requestPassTests() []test {
	return []test{
		{"a pass is taken once, and again when it was given back", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			v = f.steppedUp(v, u, f.stepOf(v, u, 100))
			r := u.Challenge.Request
			for range 2 {
				f.must(f.s.ReturnPass(f.ctx, v.ID, r, f.now))
				f.must(f.s.TakePass(f.ctx, v.ID, r, f.now))
				p, ok := f.session(v.ID).Steps.Pass(r, f.now)
				if !ok || !p.Taken || !p.Until.Equal(f.now.Add(account.PassFor)) {
					t.Errorf("there is a pass: %t, %+v", ok, p)
				}
				f.wants(f.s.TakePass(f.ctx, v.ID, r, f.now), store.ErrSpent)
				f.must(f.s.ReturnPass(f.ctx, v.ID, r, f.now))
			}
			same(t, f.session(v.ID), v)
		}},
		{"a pass that is given back lives no longer", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			v = f.steppedUp(v, u, f.stepOf(v, u, 100))
			last := f.now.Add(account.PassFor - time.Nanosecond)
			f.must(f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, last))
			f.must(f.s.ReturnPass(f.ctx, v.ID, u.Challenge.Request, last))
			f.wants(f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, f.now.Add(account.PassFor)), store.ErrNotFound)
			f.must(f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, last))
		}},
		{"a pass is one request's and one session's", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v, other := f.beginVerified("ada"), f.beginVerified("ada")
			u := f.beginStepUp(v)
			v = f.steppedUp(v, u, f.stepOf(v, u, 100))
			f.wants(f.s.TakePass(f.ctx, v.ID, newRequest(), f.now), store.ErrNotFound)
			f.wants(f.s.ReturnPass(f.ctx, v.ID, newRequest(), f.now), store.ErrNotFound)
			f.wants(f.s.TakePass(f.ctx, other.ID, u.Challenge.Request, f.now), store.ErrNotFound)
			f.wants(f.s.ReturnPass(f.ctx, other.ID, u.Challenge.Request, f.now), store.ErrNotFound)
			same(t, f.session(v.ID), v)
			same(t, f.session(other.ID), other)
		}},
		{"a second code for the same request gives it a new pass", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			u := f.beginStepUp(v)
			v = f.steppedUp(v, u, f.stepOf(v, u, 100))
			f.must(f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, f.now))
			w := f.stepUp(v)
			w.Challenge.Request = u.Challenge.Request
			f.openStepUp(w)
			v = f.steppedUp(v, w, f.stepOf(v, w, 101))
			if n := len(v.Steps.Passes); n != 1 {
				t.Errorf("there are %d passes, want one", n)
			}
			f.must(f.s.TakePass(f.ctx, v.ID, u.Challenge.Request, f.now))
		}},
		{"the newest passes are kept", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			v := f.beginVerified("ada")
			var requests []account.RequestID
			for i := range account.MaxPasses + 2 {
				u := f.beginStepUp(v)
				v = f.steppedUp(v, u, f.stepOf(v, u, int64(100+i)))
				requests = append(requests, u.Challenge.Request)
			}
			for i, r := range requests {
				want := error(nil)
				if i < 2 {
					want = store.ErrNotFound
				}
				f.wants(f.s.TakePass(f.ctx, v.ID, r, f.now), want)
			}
		}},
	}
}
