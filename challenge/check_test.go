package challenge

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func TestARightCodeReleasesTheHoldAndVerifiesTheSession(t *testing.T) {
	for _, factor := range []string{testApp, testPhone} {
		f := newFixture(t)
		l := f.login("alice")
		code := f.appCode(0)
		kind := account.KindTOTP
		if factor == testPhone {
			code, kind = l.mustSend(), account.KindPhone
		}
		r := l.checkRequest(factor, " "+code[:3]+"-"+code[3:])
		res, err := f.service.Check(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if got := wantResult[Passed](t, res); string(got.Hold.Sealed) != "held for alice" {
			t.Errorf("%s: the hold is %q", factor, got.Hold.Sealed)
		}
		next, err := f.store.Session(t.Context(), r.Next.ID, f.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		if next.State != account.StateVerified || next.Factor != kind || !next.FactorAt.Equal(f.clock.now()) {
			t.Errorf("%s: the session is %+v", factor, next)
		}
	}
}

func TestAuthenticatorsOfEveryKindPass(t *testing.T) {
	for _, algorithm := range []string{"SHA1", "SHA256"} {
		for _, digits := range []int{6, 8} {
			for _, period := range []int{15, 30, 60} {
				f := newFixture(t)
				p := account.TOTP{Algorithm: algorithm, Digits: digits, Period: period}
				f.putAccount("bob", p)
				l := f.login("bob")
				if got := wantResult[Malformed](t, l.check(testApp, "1234567")); got.Digits != digits {
					t.Errorf("%+v: wants %d digits", p, got.Digits)
				}
				wantResult[Wrong](t, l.check(testApp, f.totp(p, 1)))
				wantResult[Passed](t, l.check(testApp, f.totp(p, -1)))
			}
		}
	}
}

func TestRule02ASentCodeDiesAfterItsLife(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	code := l.mustSend()
	f.clock.add(5*time.Minute - time.Second)
	if got := wantResult[Wrong](t, l.check(testPhone, other(code))); got.Left != 4 {
		t.Errorf("%d tries left, want 4", got.Left)
	}
	f.clock.add(time.Second)
	wantResult[NoCode](t, l.check(testPhone, code))
}

func TestRule02SendingAgainSendsTheSameCodeAndExtendsNothing(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	first := l.mustSend()
	f.clock.add(4 * time.Minute)
	if second := l.mustSend(); second != first {
		t.Fatalf("the second text has another code")
	}
	f.clock.add(time.Minute)
	wantResult[NoCode](t, l.check(testPhone, first))
	// After its life a new one is sent, which counts as one more sending.
	f.clock.add(time.Second)
	third := l.mustSend()
	if third == first {
		t.Fatal("an expired code was sent again")
	}
	wantResult[Passed](t, l.check(testPhone, third))
}

func TestRule02ACodeLivesNoLongerThanItsChallenge(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	f.clock.add(8 * time.Minute)
	l.mustSend()
	if got := l.fresh().Codes[testPhone].Expires; !got.Equal(l.challenge.Expires) {
		t.Errorf("the code expires at %v, the challenge at %v", got, l.challenge.Expires)
	}
}

func TestRule02ANewChallengeKillsTheOldCode(t *testing.T) {
	f := newFixture(t)
	old := f.login("alice")
	oldCode := old.mustSend()
	young := f.login("alice")
	youngCode := young.mustSend()
	wantResult[NoCode](t, old.check(testPhone, oldCode))
	wantResult[Passed](t, young.check(testPhone, youngCode))
}

func TestRule03OfManyRightCodesAtOnceOnePasses(t *testing.T) {
	for _, factor := range []string{testApp, testPhone} {
		t.Run(factor, func(t *testing.T) {
			f := newFixture(t)
			l := f.login("alice")
			code := f.appCode(0)
			if factor == testPhone {
				code = l.mustSend()
			}
			const n = 64
			results := make([]Result, n)
			requests := make([]CheckRequest, n)
			for i := range n {
				requests[i] = l.checkRequest(factor, code)
			}
			// Two services over one store, as two gateways are.
			services := []*Service{f.service, f.newService(zap.NewNop())}
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					res, err := services[i%2].Check(t.Context(), requests[i])
					if err != nil {
						t.Errorf("Check: %v", err)
					}
					results[i] = res
				})
			}
			wg.Wait()
			passed := 0
			for i, res := range results {
				switch res.(type) {
				case Passed:
					passed++
				case AlreadyUsed, Exhausted:
				default:
					t.Errorf("submission %d is %T%+v", i, res, res)
				}
				_, err := f.store.Session(t.Context(), requests[i].Next.ID, f.clock.now())
				if _, ok := res.(Passed); ok != (err == nil) {
					t.Errorf("submission %d is %T and its session is there: %v", i, res, err == nil)
				}
			}
			if passed != 1 {
				t.Errorf("%d passed, want 1", passed)
			}
			wantResult[AlreadyUsed](t, l.check(factor, code))
		})
	}
}

func TestRule03ATimeStepIsNeverAcceptedTwice(t *testing.T) {
	f := newFixture(t)
	first, second := f.login("alice"), f.login("alice")
	code, before := f.appCode(0), f.appCode(-1)
	wantResult[Passed](t, first.check(testApp, code))
	if got := wantResult[Wrong](t, second.check(testApp, code)); !got.Used || got.Left != 4 {
		t.Errorf("the code again is %+v, want used", got)
	}
	if got := wantResult[Wrong](t, second.check(testApp, before)); !got.Used {
		t.Errorf("the code before it is %+v, want used", got)
	}
	if got := wantResult[Wrong](t, second.check(testApp, other(code))); got.Used {
		t.Errorf("a wrong code is %+v, want not used", got)
	}
	f.clock.add(30 * time.Second)
	wantResult[Passed](t, second.check(testApp, f.appCode(0)))
}

func TestRule03AStaleAccountAcceptsNoStepTwice(t *testing.T) {
	f := newFixture(t)
	first, second := f.login("alice"), f.login("alice")
	stale := second.checkRequest(testApp, f.appCode(0))
	wantResult[Passed](t, first.check(testApp, f.appCode(0)))
	res, err := f.service.Check(t.Context(), stale)
	if err != nil {
		t.Fatal(err)
	}
	if got := wantResult[Wrong](t, res); !got.Used {
		t.Errorf("result %+v, want used", got)
	}
}

func TestRule04OneUsersCodeOpensNothingOfAnothers(t *testing.T) {
	f := newFixture(t)
	f.putAccount("bob", account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30})
	alice, bob := f.login("alice"), f.login("bob")
	code := alice.mustSend()
	bob.mustSend()

	wantResult[Wrong](t, bob.check(testPhone, code))

	r := bob.checkRequest(testPhone, code)
	r.Challenge = alice.challenge.ID
	if res, err := f.service.Check(t.Context(), r); err != nil {
		t.Fatal(err)
	} else {
		wantResult[Gone](t, res)
	}
	r.Session = alice.session
	if res, err := f.service.Check(t.Context(), r); err == nil {
		t.Errorf("alice's challenge with bob's account is %T, want an error", res)
	}
	r = alice.checkRequest(testPhone, code)
	r.Next.Account = "bob"
	if res, err := f.service.Check(t.Context(), r); err == nil {
		t.Errorf("alice's code for a session of bob's is %T, want an error", res)
	}
	r = alice.checkRequest(testPhone, code)
	r.Next.Instance = "other"
	if res, err := f.service.Check(t.Context(), r); err == nil {
		t.Errorf("alice's code for another instance's session is %T, want an error", res)
	}
	if n := alice.fresh().Codes[testPhone].Tries; n != 0 {
		t.Errorf("%d of alice's tries were used up", n)
	}
	wantResult[Passed](t, alice.check(testPhone, code))
}

func TestRule04ACodeIsBoundToEverythingItIsFor(t *testing.T) {
	base := account.Challenge{ID: "id", Instance: "main", Account: "alice", Purpose: account.PurposeLogin, Session: sessionID(1, "x")}
	changes := map[string]func(*account.Challenge, *string){
		"another challenge": func(c *account.Challenge, _ *string) { c.ID = "other" },
		"another instance":  func(c *account.Challenge, _ *string) { c.Instance = "other" },
		"another account":   func(c *account.Challenge, _ *string) { c.Account = "bob" },
		"another purpose":   func(c *account.Challenge, _ *string) { c.Purpose = "enrolment" },
		"another session":   func(c *account.Challenge, _ *string) { c.Session = sessionID(2, "x") },
		"another factor":    func(_ *account.Challenge, f *string) { *f = "app" },
		"shifted names":     func(c *account.Challenge, _ *string) { c.Instance, c.ID = "maini", "d" },
	}
	s := ring(t, "k")
	hash := s.MAC(purposeCode, codeBinding(&base, "phone"), []byte("123456"))
	sealed, err := s.Seal(purposeCode, codeBinding(&base, "phone"), []byte("text"), start)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range changes {
		c, factor := base, "phone"
		change(&c, &factor)
		if s.VerifyMAC(purposeCode, hash, codeBinding(&c, factor), []byte("123456")) {
			t.Errorf("the code is good for %s", name)
		}
		if _, err := s.Open(purposeCode, codeBinding(&c, factor), sealed, start); err == nil {
			t.Errorf("the text opens for %s", name)
		}
	}
}

func TestRule05ACodeHasFiveTries(t *testing.T) {
	for _, factor := range []string{testApp, testPhone} {
		f := newFixture(t)
		l := f.login("alice")
		code := f.appCode(0)
		if factor == testPhone {
			code = l.mustSend()
		}
		for left := 4; left >= 0; left-- {
			if got := wantResult[Wrong](t, l.check(factor, other(code))); got.Left != left {
				t.Errorf("%s: %d left, want %d", factor, got.Left, left)
			}
		}
		wantResult[Exhausted](t, l.check(factor, code))
	}
}

func TestRule05ARepeatedSendingResetsNoTries(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	code := l.mustSend()
	for range 3 {
		wantResult[Wrong](t, l.check(testPhone, other(code)))
	}
	f.clock.add(time.Minute)
	l.mustSend()
	if got := wantResult[Wrong](t, l.check(testPhone, other(code))); got.Left != 1 {
		t.Errorf("%d left after sending again, want 1", got.Left)
	}
}

func TestRule05BruteForceAcrossChallengesMeetsThePause(t *testing.T) {
	for _, factor := range []string{testApp, testPhone} {
		t.Run(factor, func(t *testing.T) {
			f := newFixture(t)
			compared := 0
			for range 20 {
				l := f.login("alice")
				code := f.appCode(0)
				if factor == testPhone {
					if out := l.send(); out.State == SendPaused {
						continue
					}
					code = f.phone.lastCode(t)
				}
				for range 5 {
					if _, ok := l.check(factor, other(code)).(Wrong); ok {
						compared++
					}
				}
			}
			if compared != 10 {
				t.Fatalf("%d codes were compared, want 10", compared)
			}
			// The right code does not help during the pause, the other factor does.
			l := f.login("alice")
			if factor == testApp {
				got := wantResult[Paused](t, l.check(factor, f.appCode(0)))
				if want := f.clock.now().Add(30 * time.Minute); !got.Until.Equal(want) {
					t.Errorf("paused until %v, want %v", got.Until, want)
				}
				wantResult[Passed](t, l.check(testPhone, l.mustSend()))
			} else {
				if out := l.send(); out.State != SendPaused || !out.Until.Equal(f.clock.now().Add(30*time.Minute)) {
					t.Errorf("a paused phone is sent a code: %+v", out)
				}
				wantResult[Passed](t, l.check(testApp, f.appCode(0)))
			}
			f.clock.add(30 * time.Minute)
			l = f.login("alice")
			code := f.appCode(0)
			if factor == testPhone {
				code = l.mustSend()
			}
			wantResult[Passed](t, l.check(factor, code))
			if got := f.account("alice").Factors[0].Failures + f.account("alice").Factors[1].Failures; got != 0 {
				t.Errorf("%d failures are left after the right codes", got)
			}
		})
	}
}

func TestRule05BruteForceInParallelMeetsThePauseToo(t *testing.T) {
	f := newFixture(t)
	wrong := other(f.appCode(0))
	var requests []CheckRequest
	for range 8 {
		l := f.login("alice")
		for range 8 {
			requests = append(requests, l.checkRequest(testApp, wrong))
		}
	}
	var mu sync.Mutex
	compared := 0
	var wg sync.WaitGroup
	for _, r := range requests {
		wg.Go(func() {
			res, err := f.service.Check(t.Context(), r)
			if err != nil {
				t.Errorf("Check: %v", err)
			}
			if _, ok := res.(Wrong); ok {
				mu.Lock()
				compared++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if compared != 10 {
		t.Errorf("%d codes were compared, want 10", compared)
	}
}

func TestRule05TheTenthTryMayStillBeRight(t *testing.T) {
	f := newFixture(t)
	for range 9 {
		l := f.login("alice")
		wantResult[Wrong](t, l.check(testApp, other(f.appCode(0))))
	}
	wantResult[Passed](t, f.login("alice").check(testApp, f.appCode(0)))
	if until := f.account("alice").Factors[1].PausedUntil; !until.IsZero() {
		t.Errorf("the factor is paused until %v after a right code", until)
	}
}

func TestRule05AnAttemptThatCannotBeCountedIsNotCompared(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	code := l.mustSend()
	broken := &faulty{Challenges: f.store, fail: "CountAttempt"}
	s := f.newService(zap.NewNop(), func(c *Config) { c.Store = broken })
	for _, r := range []CheckRequest{l.checkRequest(testPhone, code), l.checkRequest(testApp, f.appCode(0))} {
		res, err := s.Check(t.Context(), r)
		if err == nil || res != nil {
			t.Errorf("Check = %T, %v, want an error", res, err)
		}
	}
	if n := broken.calls["PassChallenge"]; n != 0 {
		t.Errorf("the code was spent %d times", n)
	}
}

func TestRule06TheStoreKeepsNoCodeAndNoNumberInTheClear(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	code := l.mustSend()
	raw, err := json.Marshal(struct {
		C account.Challenge
		A *account.Account
	}{l.fresh(), f.account("alice")})
	if err != nil {
		t.Fatal(err)
	}
	ch := l.fresh()
	for _, b := range [][]byte{raw, ch.Codes[testPhone].Sealed, f.account("alice").Factors[0].Secret} {
		if strings.Contains(string(b), code) || strings.Contains(string(b), testNumber[1:]) {
			t.Errorf("the store shows the code or the number: %s", b)
		}
	}
	if plain := sha256.Sum256([]byte(code)); ch.Codes[testPhone].Hash == plain {
		t.Error("the hash has no key")
	}
}

func TestRule07AMalformedInputCountsNoAttempt(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	code := l.mustSend()
	for _, input := range []string{"", "12345", "1234567", "abcdef", strings.Repeat("1", 100_000)} {
		if got := wantResult[Malformed](t, l.check(testPhone, input)); got.Digits != 6 {
			t.Errorf("wants %d digits, want 6", got.Digits)
		}
	}
	if n := l.fresh().Codes[testPhone].Tries; n != 0 {
		t.Errorf("%d tries were counted", n)
	}
	wantResult[Passed](t, l.check(testPhone, code))
}

func TestWhatIsNotThereIsGone(t *testing.T) {
	f := newFixture(t)
	tests := []struct {
		name   string
		change func(*login, *CheckRequest)
	}{
		{"an unknown challenge", func(_ *login, r *CheckRequest) { r.Challenge = "unknown" }},
		{"no challenge", func(_ *login, r *CheckRequest) { r.Challenge = "" }},
		{"another session", func(_ *login, r *CheckRequest) { r.Session = sessionID(99, "other") }},
		{"an unknown factor", func(_ *login, r *CheckRequest) { r.Factor = "unknown" }},
		{"no factor", func(_ *login, r *CheckRequest) { r.Factor = "" }},
		{"an expired challenge", func(*login, *CheckRequest) { f.clock.add(10 * time.Minute) }},
		{"a cancelled challenge", func(l *login, _ *CheckRequest) {
			if err := f.store.CancelSession(t.Context(), l.session); err != nil {
				t.Fatal(err)
			}
		}},
		{"an ended session", func(l *login, _ *CheckRequest) {
			if err := f.store.EndSession(t.Context(), l.session); err != nil {
				t.Fatal(err)
			}
		}},
		{"a suspended session", func(l *login, _ *CheckRequest) {
			if _, err := f.store.SuspendSession(t.Context(), l.session, account.LoginID{1}, f.clock.now()); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := f.login("alice")
			r := l.checkRequest(testApp, f.appCode(0))
			tt.change(l, &r)
			res, err := f.service.Check(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			wantResult[Gone](t, res)
		})
	}
}

func TestAPhoneWithoutACodeSaysSo(t *testing.T) {
	f := newFixture(t)
	wantResult[NoCode](t, f.login("alice").check(testPhone, "123456"))
}

func TestAFactorThatMayNotAnswerOpensNothing(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Sender = nil })
	l := f.login("alice")
	wantResult[Gone](t, l.check(testPhone, "123456"))
}

func TestALostKeyIsAnErrorAndCostsNoTry(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	s := f.newService(zap.NewNop(), func(c *Config) { c.Sealer = ring(t, "another") })
	res, err := s.Check(t.Context(), l.checkRequest(testApp, f.appCode(0)))
	if err == nil || res != nil {
		t.Errorf("Check = %T, %v, want an error", res, err)
	}
	if n := l.fresh().Tries[testApp]; n != 0 {
		t.Errorf("%d tries were counted", n)
	}
}

func TestInvariant09AStoreThatFailsOpensNothing(t *testing.T) {
	f := newFixture(t)
	for _, method := range []string{"Challenge", "CountAttempt", "PassChallenge"} {
		l := f.login("alice")
		broken := &faulty{Challenges: f.store, fail: method}
		s := f.newService(zap.NewNop(), func(c *Config) { c.Store = broken })
		r := l.checkRequest(testApp, f.appCode(0))
		res, err := s.Check(t.Context(), r)
		if err == nil || res != nil || !errors.Is(err, errBroken) {
			t.Errorf("%s fails: Check = %T, %v, want its error", method, res, err)
		}
		if _, err := f.store.Session(t.Context(), r.Next.ID, f.clock.now()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s fails: the session is there (%v)", method, err)
		}
	}
}

var errBroken = errors.New("the disk is gone")

// faulty is a store of which one method fails.
type faulty struct {
	store.Challenges
	fail string

	mu    sync.Mutex
	calls map[string]int
}

func (b *faulty) call(method string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls == nil {
		b.calls = make(map[string]int)
	}
	b.calls[method]++
	if method == b.fail {
		return errBroken
	}
	return nil
}

func (b *faulty) Challenge(ctx context.Context, id string, now time.Time) (account.Challenge, error) {
	if err := b.call("Challenge"); err != nil {
		return account.Challenge{}, err
	}
	return b.Challenges.Challenge(ctx, id, now)
}

func (b *faulty) CountAttempt(ctx context.Context, a store.Attempt, now time.Time) (store.AttemptResult, error) {
	if err := b.call("CountAttempt"); err != nil {
		return store.AttemptResult{Counted: true}, err
	}
	return b.Challenges.CountAttempt(ctx, a, now)
}

func (b *faulty) PassChallenge(ctx context.Context, p store.Pass, now time.Time) (account.Hold, error) {
	if err := b.call("PassChallenge"); err != nil {
		return account.Hold{}, err
	}
	return b.Challenges.PassChallenge(ctx, p, now)
}

func (b *faulty) ReserveSend(ctx context.Context, s store.Send, now time.Time) (store.SendResult, error) {
	if err := b.call("ReserveSend"); err != nil {
		return store.SendResult{Send: true}, err
	}
	return b.Challenges.ReserveSend(ctx, s, now)
}

func (b *faulty) RecordSend(ctx context.Context, challenge, factor string, n int, status account.SendStatus) error {
	if err := b.call("RecordSend"); err != nil {
		return err
	}
	return b.Challenges.RecordSend(ctx, challenge, factor, n, status)
}

func TestACodeSentUnderAnOldKeyStillPasses(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	code := l.mustSend()
	rotated := f.newService(zap.NewNop(), func(c *Config) { c.Sealer = ring(t, "second", "first") })
	f.clock.add(30 * time.Second)
	out, err := rotated.Send(t.Context(), l.sendRequest())
	if err != nil || out.State != SendTaken || f.phone.lastCode(t) != code {
		t.Fatalf("Send = %+v, %v, want the same code again", out, err)
	}
	res, err := rotated.Check(t.Context(), l.checkRequest(testPhone, code))
	if err != nil {
		t.Fatal(err)
	}
	wantResult[Passed](t, res)
}
