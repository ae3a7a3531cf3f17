package twofactor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

var errDiskFull = errors.New("no space left on device")

// failing is a store of which one method fails.
type failing struct {
	store.Store
	method atomic.Value
	// asked counts the calls that failed.
	asked atomic.Int32
}

// fail makes a method fail; "" heals the store.
func (f *failing) fail(method string) {
	f.asked.Store(0)
	f.method.Store(method)
}

func (f *failing) in(method string) error {
	if f.method.Load() != method {
		return nil
	}
	f.asked.Add(1)
	return fmt.Errorf("%s: %w", method, errDiskFull)
}

func (f *failing) Account(ctx context.Context, instance, folded string) (account.Account, error) {
	if err := f.in("Account"); err != nil {
		return account.Account{}, err
	}
	return f.Store.Account(ctx, instance, folded)
}

func (f *failing) History(ctx context.Context, instance, acc string) ([]byte, error) {
	if err := f.in("History"); err != nil {
		return nil, err
	}
	return f.Store.History(ctx, instance, acc)
}

func (f *failing) Tries(ctx context.Context, q store.TriesQuery, now time.Time) (store.TriesSeen, error) {
	if err := f.in("Tries"); err != nil {
		return store.TriesSeen{}, err
	}
	return f.Store.Tries(ctx, q, now)
}

func (f *failing) LockLine(ctx context.Context, key account.LineKey, login account.LoginID, now, until time.Time) (account.LockState, error) {
	if err := f.in("LockLine"); err != nil {
		return account.LockFree, err
	}
	return f.Store.LockLine(ctx, key, login, now, until)
}

func (f *failing) LiftLine(ctx context.Context, key account.LineKey, login account.LoginID, now time.Time) error {
	if err := f.in("LiftLine"); err != nil {
		return err
	}
	return f.Store.LiftLine(ctx, key, login, now)
}

func (f *failing) StandLine(ctx context.Context, key account.LineKey, now, until time.Time) error {
	if err := f.in("StandLine"); err != nil {
		return err
	}
	return f.Store.StandLine(ctx, key, now, until)
}

func (f *failing) LineState(ctx context.Context, key account.LineKey, now time.Time) (account.LockState, error) {
	if err := f.in("LineState"); err != nil {
		return account.LockFree, err
	}
	return f.Store.LineState(ctx, key, now)
}

func (f *failing) Session(ctx context.Context, id account.SessionID, now time.Time) (account.Session, error) {
	if err := f.in("Session"); err != nil {
		return account.Session{}, err
	}
	return f.Store.Session(ctx, id, now)
}

func (f *failing) SuspendSession(ctx context.Context, id account.SessionID, login account.LoginID, now time.Time) (account.Session, error) {
	if err := f.in("SuspendSession"); err != nil {
		return account.Session{}, err
	}
	return f.Store.SuspendSession(ctx, id, login, now)
}

func (f *failing) BindToken(ctx context.Context, id account.SessionID, token account.Fingerprint, now time.Time) error {
	if err := f.in("BindToken"); err != nil {
		return err
	}
	return f.Store.BindToken(ctx, id, token, now)
}

func (f *failing) ResumeSession(ctx context.Context, id account.SessionID, login account.LoginID, now time.Time) error {
	if err := f.in("ResumeSession"); err != nil {
		return err
	}
	return f.Store.ResumeSession(ctx, id, login, now)
}

func (f *failing) EndSession(ctx context.Context, id account.SessionID) error {
	if err := f.in("EndSession"); err != nil {
		return err
	}
	return f.Store.EndSession(ctx, id)
}

func (f *failing) BeginSession(ctx context.Context, b store.Begin, now time.Time) error {
	if err := f.in("BeginSession"); err != nil {
		return err
	}
	return f.Store.BeginSession(ctx, b, now)
}

func (f *failing) Challenge(ctx context.Context, id string, now time.Time) (account.Challenge, error) {
	if err := f.in("Challenge"); err != nil {
		return account.Challenge{}, err
	}
	return f.Store.Challenge(ctx, id, now)
}

func (f *failing) CountAttempt(ctx context.Context, a store.Attempt, now time.Time) (store.AttemptResult, error) {
	if err := f.in("CountAttempt"); err != nil {
		return store.AttemptResult{}, err
	}
	return f.Store.CountAttempt(ctx, a, now)
}

func (f *failing) PassChallenge(ctx context.Context, p store.Pass, now time.Time) (account.Hold, error) {
	if err := f.in("PassChallenge"); err != nil {
		return account.Hold{}, err
	}
	return f.Store.PassChallenge(ctx, p, now)
}

func (f *failing) ReserveSend(ctx context.Context, s store.Send, now time.Time) (store.SendResult, error) {
	if err := f.in("ReserveSend"); err != nil {
		return store.SendResult{}, err
	}
	return f.Store.ReserveSend(ctx, s, now)
}

func (f *failing) UseDevice(ctx context.Context, u store.DeviceUse, now time.Time) (store.DeviceResult, error) {
	if err := f.in("UseDevice"); err != nil {
		return store.DeviceResult{}, err
	}
	return f.Store.UseDevice(ctx, u, now)
}

// failing puts a store that can fail in front of the site's own. It is called
// before the first request.
func (s *site) failing() *failing {
	s.t.Helper()
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		s.t.Fatal(err)
	}
	sh := v.(*App).shared
	parts := *sh.parts.Load()
	f := &failing{Store: parts.Store}
	f.fail("")
	parts.Store = f
	if parts.Challenges, err = challenge.New(challenge.Config{Store: f, Enrolments: f, Sealer: sealer{parts.Ring}, Sender: sh.sender()}); err != nil {
		s.t.Fatal(err)
	}
	sh.parts.Store((*handler.Parts)(&parts))
	return f
}

func TestInvariant09WhereverTheStoreFailsInALoginNothingOpensAndItWorksAgainAfterwards(t *testing.T) {
	// Each step is taken with the method failing, and once more when it works.
	type browser struct {
		*client
		app *kept
	}
	visitor := func(b browser) { b.get("/login") }
	verified := func(b browser) {
		b.get("/login")
		b.post("/login", filled(bob, "right"))
		b.enter(b.s.textCode())
	}
	pending := func(b browser) {
		b.get("/login")
		b.post("/login", filled(alice, "right"))
	}
	right := func(b browser) reply { return b.post("/login", filled(alice, "right")) }
	wrong := func(b browser) reply { return b.post("/login", filled(alice, "wrong")) }
	inbox := func(b browser) reply { return b.get("/inbox") }
	code := func(b browser) reply {
		page := b.get(codePage)
		if page.StatusCode != 200 {
			return page
		}
		return b.submit(page, codeField, map[string]string{"code": b.s.code(alice)})
	}
	tests := []struct {
		method, step string
		before       func(browser)
		do           func(browser) reply
		forwarded    bool
		// again is the status of the same step when the store works again.
		again int
	}{
		{"LineState", "a page of a visitor", visitor, func(b browser) reply { return b.get("/login") }, false, 200},
		{"LockLine", "a login", visitor, right, false, 303},
		{"LiftLine", "a wrong password", visitor, wrong, true, 302},
		{"StandLine", "a right password of nobody", visitor, func(b browser) reply { return b.post("/login", filled(erin, "right")) }, true, 403},
		{"Account", "a right password", visitor, right, true, 303},
		{"BeginSession", "a right password", visitor, right, true, 303},
		{"Session", "a page of a session", verified, inbox, false, 200},
		{"SuspendSession", "a login in a session", verified, right, false, 303},
		{"ResumeSession", "a wrong password in a session", verified, wrong, true, 302},
		{"EndSession", "a right password of nobody in a session", verified, func(b browser) reply { return b.post("/login", filled(erin, "right")) }, true, 403},
		{"Challenge", "a code", pending, code, false, 302},
		{"CountAttempt", "a code", pending, code, false, 302},
		{"PassChallenge", "a code", pending, code, false, 302},
	}
	for _, tt := range tests {
		t.Run(tt.method+" in "+tt.step, func(t *testing.T) {
			app := startKept(t)
			s := startSite(t, proofLogin("/me", tellsWho), app.address)
			clock := s.clock()
			f := s.failing()
			b := browser{s.client(), app}
			tt.before(b)
			cookies := b.cookies("/")
			app.requests()
			f.fail(tt.method)
			r := tt.do(b)
			// What ends a login that was refused may come after its answer.
			waitFor(t, tt.method+" is called: "+words(r), func() bool { return f.asked.Load() > 0 })
			want := http.StatusServiceUnavailable
			if tt.method == "StandLine" || tt.method == "EndSession" {
				want = http.StatusForbidden // It was refused, and stays so.
			}
			if r.StatusCode != want || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s, want a page with %d", words(r), want)
			}
			if want == http.StatusServiceUnavailable && r.Header.Get("Retry-After") == "" {
				t.Error("the page does not say when to try again")
			}
			if forwarded := len(app.requests()) > 0; forwarded != tt.forwarded {
				t.Errorf("the request reached the app: %v, want %v", forwarded, tt.forwarded)
			}
			for name, value := range b.cookies("/") {
				if cookies[name] != value {
					t.Errorf("the browser has a new cookie %s", name)
				}
			}
			if r := b.get("/inbox"); strings.Contains(r.body, "a page for "+alice) || strings.Contains(r.body, "a page for "+erin) {
				t.Errorf("it opened something: %s", words(r))
			}
			if !strings.Contains(s.twoFactorLog(), errDiskFull.Error()) {
				t.Error("the log does not say what failed")
			}
			f.fail("")
			if r := b.get("/inbox"); strings.Contains(r.body, "a page for "+alice) || strings.Contains(r.body, "a page for "+erin) {
				t.Errorf("it opened something afterwards: %s", words(r))
			}
			switch tt.method {
			case "ResumeSession":
				verified(b)
			case "StandLine", "EndSession":
				// What could not be settled settles itself.
				clock.pass(account.RunningFor + time.Second)
			}
			if r := tt.do(b); r.StatusCode != tt.again {
				t.Errorf("when the store works again: %s, want status %d", words(r), tt.again)
			}
		})
	}
}

func TestACodeThatCouldNotBeSentIsSaidOnThePageAndCanBeSentLater(t *testing.T) {
	app := startKept(t)
	s := startSite(t, proofLogin("/me", tellsWho), app.address)
	f := s.failing()
	c := s.client()
	c.get("/login")
	f.fail("ReserveSend")
	if r := c.post("/login", filled(bob, "right")); r.location() != codePage {
		t.Fatal(words(r))
	}
	page := c.get(codePage)
	if page.StatusCode != 200 || len(s.texts()) != 0 {
		t.Fatalf("%s; %d texts", words(page), len(s.texts()))
	}
	f.fail("")
	if r := c.submit(page, `/send"`, nil); r.StatusCode != http.StatusSeeOther {
		t.Fatal(words(r))
	}
	if r := c.enter(s.textCode()); r.StatusCode != http.StatusFound {
		t.Errorf("the code gave %s", words(r))
	}
}
