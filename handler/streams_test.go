package handler

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// saying is a store that knows one session, or cannot say.
type saying struct {
	store.Store
	session account.Session
	err     error
	asked   []account.SessionID
}

func (s *saying) Session(_ context.Context, id account.SessionID, now time.Time) (account.Session, error) {
	s.asked = append(s.asked, id)
	switch {
	case s.err != nil:
		return account.Session{}, s.err
	case !s.session.Alive(now):
		return account.Session{}, store.ErrNotFound
	}
	return s.session, nil
}

// deadlines is a writer that notes whether it was broken off.
type deadlines struct {
	quiet
	read, write bool
}

func (d *deadlines) SetReadDeadline(time.Time) error  { d.read = true; return nil }
func (d *deadlines) SetWriteDeadline(time.Time) error { d.write = true; return nil }

// openStream is a stream of a session that lives for an hour, of a gate whose
// clock is moved by the test.
func openStream(t *testing.T, now *time.Time) (*stream, *saying, *deadlines) {
	t.Helper()
	s := &saying{session: account.Session{
		ID: account.SessionID{1}, Standing: account.StandingID{1}, State: account.StateVerified,
		LastSeen: *now, IdleFor: 30 * time.Minute, Expires: now.Add(time.Hour),
	}}
	g := &Gate{Config: Config{Logger: zap.NewNop(), Clock: func() time.Time { return *now }, Recorder: nowhere{}}}
	w := &deadlines{quiet: quiet{http.Header{}}}
	return &stream{g: g, parts: &Parts{Store: s}, standing: s.session.Standing, id: s.session.ID, w: w}, s, w
}

func TestAStreamIsClosedWhenItsSessionIsNoLongerVerified(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name   string
		change func(s *saying, now *time.Time)
		closed bool
	}{
		{"nothing happens", func(*saying, *time.Time) {}, false},
		{"a login suspends it", func(s *saying, now *time.Time) {
			s.session.SuspendedBy, s.session.SuspendedAt = account.LoginID{1}, *now
		}, false},
		{"it is gone", func(s *saying, _ *time.Time) { s.err = store.ErrNotFound }, true},
		{"it is idle for too long", func(_ *saying, now *time.Time) { *now = now.Add(31 * time.Minute) }, true},
		{"it is seen, and over", func(s *saying, now *time.Time) {
			*now = now.Add(61 * time.Minute)
			s.session.LastSeen = *now
		}, true},
		{"it is no verified one", func(s *saying, _ *time.Time) { s.session.State = account.StateAgain }, true},
		{"it is another's", func(s *saying, _ *time.Time) { s.session.Standing = account.StandingID{2} }, true},
		{"the store cannot say", func(s *saying, _ *time.Time) { s.err = broken }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			st, s, w := openStream(t, &now)
			tt.change(s, &now)
			look([]*stream{st})
			if got := st.goesOn() != nil; got != tt.closed || w.read != tt.closed || w.write != tt.closed {
				t.Errorf("closed: %v, deadlines for reading %v and writing %v; want %v", got, w.read, w.write, tt.closed)
			}
		})
	}
}

func TestInvariant09AStreamWhoseSessionNobodyKnowsIsClosedAfterTenSeconds(t *testing.T) {
	now := time.Now()
	st, s, _ := openStream(t, &now)
	broken := errors.New("broken")
	after := func(d time.Duration, err error, closed bool) {
		t.Helper()
		now = now.Add(d)
		s.err = err
		look([]*stream{st})
		if got := st.goesOn() != nil; got != closed {
			t.Fatalf("closed is %v, want %v", got, closed)
		}
	}
	after(0, broken, false)
	after(9*time.Second, broken, false)
	after(time.Second/2, nil, false)
	after(time.Second/2, broken, false)
	after(9*time.Second, broken, false)
	after(time.Second, broken, true)
}

func TestAStoreThatFailsIsAskedOnceARound(t *testing.T) {
	now := time.Now()
	st, s, _ := openStream(t, &now)
	s.err = errors.New("broken")
	all := []*stream{st}
	for range 2 * streamBatch {
		other := &stream{g: st.g, parts: st.parts, standing: st.standing, id: st.id, w: st.w}
		all = append(all, other)
	}
	look(all)
	if len(s.asked) != 1 {
		t.Errorf("it was asked %d times", len(s.asked))
	}
	now = now.Add(streamBlind)
	look(all)
	for _, st := range all {
		if st.goesOn() == nil {
			t.Fatal("one goes on though nobody can say whose it is")
		}
	}
}

func TestAStreamFollowsItsSessionToANewToken(t *testing.T) {
	now := time.Now()
	st, s, _ := openStream(t, &now)
	s.session.ID = account.SessionID{2}
	look([]*stream{st})
	look([]*stream{st})
	if st.goesOn() != nil || len(s.asked) != 2 || s.asked[1] != s.session.ID {
		t.Errorf("it asked for %v, %v", s.asked, st.goesOn())
	}
}

func TestARequestThatIsOverIsNotBrokenOff(t *testing.T) {
	now := time.Now()
	st, s, w := openStream(t, &now)
	m := &room{stream: st}
	st.g.streams.add(st)
	m.endStream()
	s.err = store.ErrNotFound
	look([]*stream{st})
	if w.read || w.write || len(s.asked) > 0 {
		t.Error("the connection may serve another request by now")
	}
	if n := len(st.g.streams.list(nil)); n != 0 {
		t.Errorf("%d are registered", n)
	}
}

func TestAnAnswerThatWasBrokenOffDoesNotEndAsIfItWereWhole(t *testing.T) {
	g, r := verifiedRequest(t)
	w := &deadlines{quiet: quiet{header: http.Header{}}}
	next := caddyhttp.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) error {
		// Some handlers do not look at what became of a write.
		if _, err := out.Write(make([]byte, longAnswer)); err != nil {
			t.Errorf("a long answer: %v", err)
		}
		all := g.streams.list(nil)
		if len(all) != 1 {
			t.Fatalf("%d are registered, want the long answer", len(all))
		}
		if err := all[0].parts.Store.EndSession(t.Context(), all[0].id); err != nil {
			t.Fatal(err)
		}
		look(all)
		if _, err := out.Write([]byte("more")); !errors.Is(err, errSessionOver) {
			t.Errorf("after the end of the session a piece goes out: %v", err)
		}
		if err := http.NewResponseController(out).Flush(); !errors.Is(err, errSessionOver) {
			t.Errorf("after the end of the session a flush goes out: %v", err)
		}
		return nil
	})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so.
			t.Errorf("the answer ended with %v", p)
		}
		if !w.read || !w.write {
			t.Error("the connection was not broken off")
		}
		if n := len(g.streams.list(nil)); n != 0 {
			t.Errorf("%d are registered when the request is over", n)
		}
	}()
	_ = g.ServeHTTP(w, r, next)
}

func TestAShortAnswerIsNotWatched(t *testing.T) {
	g, r := verifiedRequest(t)
	next := caddyhttp.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) error {
		out.Header().Set("Content-Length", "10")
		_, _ = io.Copy(out, strings.NewReader("01234"))
		_, _ = out.Write([]byte("56789"))
		if n := len(g.streams.list(nil)); n != 0 {
			t.Errorf("%d are registered", n)
		}
		return nil
	})
	if err := g.ServeHTTP(&quiet{header: http.Header{}}, r, next); err != nil {
		t.Error(err)
	}
}
