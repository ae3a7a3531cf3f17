package challenge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/sms/inbox"
)

// eventually waits until the status of the phone's last sending is as wanted.
func (l *login) eventually(want account.SendStatus) {
	l.f.t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for l.fresh().Codes[testPhone].Status != want {
		if time.Now().After(deadline) {
			l.f.t.Fatalf("the status is %q, want %q", l.fresh().Codes[testPhone].Status, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestASentTextArrivesAndIsRecorded(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	out := l.send()
	if out.State != SendTaken || !out.Until.Equal(start.Add(30*time.Second)) {
		t.Errorf("outcome %+v, want taken and the next in 30 s", out)
	}
	got := f.phone.got()
	if len(got) != 1 || got[0].To != testNumber {
		t.Fatalf("arrived: %v", got)
	}
	code := f.phone.lastCode(t)
	if want := "is your code to sign in to crm.example.com."; !strings.Contains(got[0].Text, want) {
		t.Errorf("the text lacks %q", want)
	}
	if !strings.HasSuffix(got[0].Text, "\n\n@crm.example.com #"+code) {
		t.Error("the text does not end with the host's line")
	}
	if err := got[0].Check(); err != nil {
		t.Error(err)
	}
	l.eventually(account.SendTaken)
}

func TestTheInboxTakesTheTexts(t *testing.T) {
	box := inbox.New(time.Now)
	f := newFixture(t, func(c *Config) { c.Sender = box })
	l := f.login("alice")
	if out := l.send(); out.State != SendTaken {
		t.Fatalf("outcome %+v", out)
	}
	entries := box.Entries()
	if len(entries) != 1 {
		t.Fatalf("%d texts in the inbox, want 1", len(entries))
	}
	wantResult[Passed](t, l.check(testPhone, entries[0].Text[:6]))
}

func TestRule08NothingIsSentByOpeningAChallenge(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	wantResult[NoCode](t, l.check(testPhone, "123456"))
	if got := f.phone.got(); len(got) != 0 {
		t.Errorf("%d texts arrived, want none", len(got))
	}
}

func TestRule08NothingIsSentThatIsNotReserved(t *testing.T) {
	f := newFixture(t)
	tests := []struct {
		name   string
		change func(*login, *SendRequest)
		want   SendState
	}{
		{"another session's challenge", func(_ *login, r *SendRequest) { r.Challenge.Session = sessionID(99, "x") }, SendGone},
		{"an unknown challenge", func(_ *login, r *SendRequest) { r.Challenge.ID = "unknown" }, SendGone},
		{"a cancelled challenge", func(l *login, _ *SendRequest) {
			if err := f.store.CancelSession(t.Context(), l.session); err != nil {
				t.Fatal(err)
			}
		}, SendGone},
		{"a suspended session", func(l *login, _ *SendRequest) {
			if _, err := f.store.SuspendSession(t.Context(), l.session, account.LoginID{1}, f.clock.now()); err != nil {
				t.Fatal(err)
			}
		}, SendGone},
		{"a passed challenge", func(l *login, _ *SendRequest) {
			wantResult[Passed](t, l.check(testApp, f.appCode(0)))
		}, SendAlreadyUsed},
		{"an expired challenge", func(*login, *SendRequest) { f.clock.add(10 * time.Minute) }, SendGone},
		{"a factor that may not answer", func(_ *login, r *SendRequest) { r.Challenge.Factors = []string{testApp} }, ""},
		{"an authenticator", func(_ *login, r *SendRequest) { r.Factor = testApp }, ""},
		{"another's account", func(_ *login, r *SendRequest) { r.Account.ID = "bob" }, ""},
		{"no account", func(_ *login, r *SendRequest) { r.Account = nil }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := f.login("alice")
			r := l.sendRequest()
			tt.change(l, &r)
			out, err := f.service.Send(t.Context(), r)
			if (err != nil) != (tt.want == "") || out.State != tt.want {
				t.Errorf("Send = %+v, %v, want %q", out, err, tt.want)
			}
		})
	}
	if got := f.phone.got(); len(got) != 0 {
		t.Errorf("%d texts arrived, want none", len(got))
	}
}

func TestRule08AnOutboxThatCannotBeWrittenSendsNothing(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	s := f.newService(zap.NewNop(), func(c *Config) { c.Store = &faulty{Challenges: f.store, fail: "ReserveSend"} })
	if out, err := s.Send(t.Context(), l.sendRequest()); !errors.Is(err, errBroken) || out.State != "" {
		t.Errorf("Send = %+v, %v, want the store's error", out, err)
	}
	if got := f.phone.got(); len(got) != 0 {
		t.Errorf("%d texts arrived, want none", len(got))
	}
}

func TestRule08ATimeOutIsNotSentAgain(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.Limits.SendTimeout, c.Limits.SendWait = 100*time.Millisecond, 50*time.Millisecond
	})
	f.phone.do = func(ctx context.Context, _ sms.Message) (sms.Receipt, error) {
		<-ctx.Done()
		return sms.Receipt{}, ctx.Err()
	}
	l := f.login("alice")
	if out := l.send(); out.State != SendQueued {
		t.Errorf("outcome %+v, want queued", out)
	}
	f.wait()
	l.eventually(account.SendQueued)
	if n := len(f.phone.got()); n != 1 {
		t.Errorf("the sender was called %d times, want once", n)
	}
	// At the person's wish it is sent again, with the same code.
	f.phone.mu.Lock()
	f.phone.do = nil
	f.phone.mu.Unlock()
	first := f.phone.lastCode(t)
	f.clock.add(30 * time.Second)
	if again := l.mustSend(); again != first {
		t.Error("the second text has another code")
	}
}

// wait waits until no sending runs.
func (f *fixture) wait() {
	f.t.Helper()
	done := make(chan struct{})
	go func() {
		f.service.sending.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		f.t.Fatal("a sending still runs")
	}
}

func TestRule08AnEndedRequestDoesNotEndItsSending(t *testing.T) {
	f := newFixture(t)
	release := make(chan struct{})
	ended := make(chan error, 1)
	f.phone.do = func(ctx context.Context, _ sms.Message) (sms.Receipt, error) {
		<-release
		ended <- ctx.Err()
		return sms.Receipt{ProviderID: "p"}, nil
	}
	l := f.login("alice")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for len(f.phone.got()) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	out, err := f.service.Send(ctx, l.sendRequest())
	if err != nil || out.State != SendQueued {
		t.Fatalf("Send = %+v, %v, want queued", out, err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Errorf("the sender's context has ended: %v", err)
	}
	l.eventually(account.SendTaken)
}

func TestRule09WaitsGrowAndThereAreFourSendings(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	for n, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		out := l.send()
		if out.State != SendTaken || !out.Until.Equal(f.clock.now().Add(wait)) {
			t.Fatalf("sending %d: %+v, want taken and the next in %v", n+1, out, wait)
		}
		f.clock.add(wait - time.Second)
		if early := l.send(); early.State != SendWait || !early.Until.Equal(out.Until) {
			t.Errorf("a second too early: %+v, want to wait until %v", early, out.Until)
		}
		f.clock.add(time.Second)
	}
	if out := l.send(); out.State != SendTaken || !out.Until.IsZero() {
		t.Errorf("the last sending: %+v, want taken and none left", out)
	}
	f.clock.add(4 * time.Minute)
	if out := l.send(); out.State != SendNoneLeft {
		t.Errorf("a fifth sending: %+v, want none left", out)
	}
	got := f.phone.got()
	if len(got) != 4 {
		t.Fatalf("%d texts arrived, want 4", len(got))
	}
	ids := make(map[string]bool)
	for _, m := range got {
		ids[m.ID] = true
		if strings.Contains(m.ID, l.challenge.ID) {
			t.Errorf("the id %q tells the challenge", m.ID)
		}
	}
	if len(ids) != 4 {
		t.Errorf("4 sendings have %d ids", len(ids))
	}
}

func TestRule09OfManyWishesAtOnceOneIsSent(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	r := l.sendRequest()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if out, err := f.service.Send(t.Context(), r); err != nil || out.State != SendTaken && out.State != SendWait {
				t.Errorf("Send = %+v, %v", out, err)
			}
		})
	}
	wg.Wait()
	if n := len(f.phone.got()); n != 1 {
		t.Errorf("%d texts arrived, want 1", n)
	}
}

func TestASlowSenderKeepsNobodyWaiting(t *testing.T) {
	f := newFixture(t)
	release := make(chan struct{})
	f.phone.do = func(ctx context.Context, _ sms.Message) (sms.Receipt, error) {
		select {
		case <-time.After(30 * time.Second):
		case <-release:
		}
		return sms.Receipt{ProviderID: "late"}, nil
	}
	l := f.login("alice")
	began := time.Now()
	out := l.send()
	took := time.Since(began)
	if out.State != SendQueued || took < 1500*time.Millisecond || took > 4*time.Second {
		t.Errorf("outcome %+v after %v, want queued after 2 s", out, took)
	}
	l.eventually(account.SendQueued)
	// The code works as soon as it is there.
	close(release)
	l.eventually(account.SendTaken)
	wantResult[Passed](t, l.check(testPhone, f.phone.lastCode(t)))
}

func TestASenderThatPanicsIsContained(t *testing.T) {
	f := newFixture(t)
	f.phone.do = func(_ context.Context, m sms.Message) (sms.Receipt, error) {
		panic("cannot send " + m.Text + " to " + m.To)
	}
	l := f.login("alice")
	if out := l.send(); out.State != SendQueued {
		t.Errorf("outcome %+v, want queued: nobody knows", out)
	}
	f.wait()
	if f.logs.FilterMessage("the sms sender panicked").Len() != 1 {
		t.Error("the panic is not in the log")
	}
	f.discreet()

	f.phone.mu.Lock()
	f.phone.do = nil
	f.phone.mu.Unlock()
	f.clock.add(30 * time.Second)
	wantResult[Passed](t, l.check(testPhone, l.mustSend()))
}

func TestARuntimePanicOfASenderIsNamed(t *testing.T) {
	f := newFixture(t)
	f.phone.do = func(context.Context, sms.Message) (sms.Receipt, error) {
		var m map[string]string
		m["x"] = "y"
		return sms.Receipt{}, nil
	}
	f.login("alice").send()
	f.wait()
	entries := f.logs.FilterMessage("the sms sender panicked").All()
	if len(entries) != 1 || !strings.Contains(fmt.Sprint(entries[0].ContextMap()["panic"]), "nil map") {
		t.Errorf("the log has %+v, want the runtime's words", entries)
	}
}

func TestACertainNoIsToldAndMayBeTriedAgain(t *testing.T) {
	f := newFixture(t)
	f.phone.do = func(_ context.Context, m sms.Message) (sms.Receipt, error) {
		return sms.Receipt{}, sms.NotSent(fmt.Errorf("provider says 402 for %s (%s)", m.To, m.Text))
	}
	l := f.login("alice")
	out := l.send()
	if out.State != SendFailed || !out.Until.Equal(start.Add(30*time.Second)) {
		t.Errorf("outcome %+v, want failed and the next in 30 s", out)
	}
	l.eventually(account.SendFailed)
	entries := f.logs.FilterMessage("a code was not sent").All()
	if len(entries) != 1 || !strings.Contains(fmt.Sprint(entries[0].ContextMap()["error"]), "402") {
		t.Errorf("the log has %+v, want the provider's answer", entries)
	}
	f.discreet()
	f.phone.mu.Lock()
	f.phone.do = nil
	f.phone.mu.Unlock()
	f.clock.add(30 * time.Second)
	wantResult[Passed](t, l.check(testPhone, l.mustSend()))
}

// discreet fails if a log shows a number, a code, or a part of a text.
func (f *fixture) discreet() {
	f.t.Helper()
	enc := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	for _, e := range f.logs.All() {
		buf, err := enc.EncodeEntry(e.Entry, e.Context)
		if err != nil {
			f.t.Fatal(err)
		}
		line := buf.String()
		for _, m := range f.phone.got() {
			for _, secret := range []string{m.Text[:6], m.To[1:], m.To[4:10]} {
				if strings.Contains(line, secret) {
					f.t.Errorf("the log tells %q: %s", secret, line)
				}
			}
		}
	}
}

func TestRule06NoLogTellsACodeOrANumber(t *testing.T) {
	f := newFixture(t)
	f.phone.do = func(_ context.Context, m sms.Message) (sms.Receipt, error) {
		return sms.Receipt{ProviderID: "id-" + m.To + "-" + m.Text[:6]}, nil
	}
	l := f.login("alice")
	code := l.mustSend()
	for range 5 {
		wantResult[Wrong](t, l.check(testPhone, other(code)))
	}
	wantResult[Exhausted](t, l.check(testPhone, code))
	l = f.login("alice")
	code = l.mustSend()
	for range 5 {
		l.check(testPhone, other(code))
	}
	wantResult[Paused](t, l.check(testPhone, code))
	f.wait()
	if f.logs.Len() < 3 {
		t.Errorf("%d log lines, want those of two sendings and a pause at least", f.logs.Len())
	}
	if got := f.logs.FilterMessage("a code was taken by the sms provider").All()[0].ContextMap()["to"]; got != "…78" {
		t.Errorf("the number is logged as %v, want its last two digits", got)
	}
	f.discreet()
}

func TestWithoutASenderPhonesCannotBeUsed(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	core, logs := observer.New(zapcore.InfoLevel)
	s := f.newService(zap.New(core), func(c *Config) { c.Sender = nil })
	if _, err := s.Send(t.Context(), l.sendRequest()); !errors.Is(err, ErrNoSender) {
		t.Errorf("Send = %v, want ErrNoSender", err)
	}
	if logs.FilterMessageSnippet("no sms sender").Len() != 1 {
		t.Error("the log does not say so")
	}
	v, err := s.View(&l.challenge, f.account("alice"), testPhone, start)
	if err != nil || v.CanSend {
		t.Errorf("View = %+v, %v, want that nothing can be sent", v, err)
	}
}

func TestTooManySendingsAreRefusedAndSaidSo(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.Limits.Concurrent, c.Limits.Waiting = 1, 1
		c.Limits.SendWait = 20 * time.Millisecond
	})
	release := make(chan struct{})
	f.phone.do = func(context.Context, sms.Message) (sms.Receipt, error) {
		<-release
		return sms.Receipt{ProviderID: "p"}, nil
	}
	var logins []*login
	for i := range 3 {
		user := fmt.Sprintf("user%d", i)
		f.putAccount(user, account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30})
		logins = append(logins, f.login(user))
	}
	for i, want := range []SendState{SendQueued, SendQueued, SendCrowded} {
		if out := logins[i].send(); out.State != want {
			t.Errorf("sending %d: %+v, want %s", i+1, out, want)
		}
	}
	if n := len(f.phone.got()); n != 1 {
		t.Errorf("%d are at the provider, want 1", n)
	}
	if f.logs.FilterMessageSnippet("too many codes wait").Len() != 1 {
		t.Error("the log does not say so")
	}
	close(release)
	logins[0].eventually(account.SendTaken)
	logins[1].eventually(account.SendTaken)
	// What was refused used up nothing.
	f.wait()
	if out := logins[2].send(); out.State != SendTaken && out.State != SendQueued {
		t.Errorf("afterwards: %+v, want that it is sent", out)
	}
	logins[2].eventually(account.SendTaken)
}

func TestASendingWhoseTurnNeverComesFails(t *testing.T) {
	f := newFixture(t, func(c *Config) {
		c.Limits.Concurrent = 1
		c.Limits.SendTimeout, c.Limits.SendWait = 50*time.Millisecond, 20*time.Millisecond
	})
	release := make(chan struct{})
	f.phone.do = func(context.Context, sms.Message) (sms.Receipt, error) {
		<-release // deaf to its context
		return sms.Receipt{ProviderID: "p"}, nil
	}
	f.putAccount("bob", account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30})
	alice, bob := f.login("alice"), f.login("bob")
	alice.send()
	bob.send()
	bob.eventually(account.SendFailed)
	close(release)
	alice.eventually(account.SendTaken)
	if n := len(f.phone.got()); n != 1 {
		t.Errorf("%d texts came to the provider, want 1", n)
	}
}

func TestALostKeyUsesUpNoSending(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	s := f.newService(zap.NewNop(), func(c *Config) { c.Sealer = ring(t, "another") })
	if _, err := s.Send(t.Context(), l.sendRequest()); err == nil || !strings.Contains(err.Error(), "key") {
		t.Errorf("Send = %v, want an error that names the key", err)
	}
	if n := len(l.fresh().Codes[testPhone].Sends); n != 0 {
		t.Errorf("%d sendings were counted", n)
	}
}

func TestABrokenSourceOfRandomnessSendsNothing(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	s := f.newService(zap.NewNop(), func(c *Config) { c.Rand = failing{} })
	if out, err := s.Send(t.Context(), l.sendRequest()); err == nil {
		t.Errorf("Send = %+v, want an error", out)
	}
	if _, err := s.Open(f.account("alice"), "main", sessionID(1, "x"), account.PurposeLogin, "", start); err == nil {
		t.Error("a challenge was opened")
	}
	if got := f.phone.got(); len(got) != 0 {
		t.Errorf("%d texts arrived, want none", len(got))
	}
}

func TestAnOutcomeThatCannotBeRecordedIsLogged(t *testing.T) {
	f := newFixture(t)
	l := f.login("alice")
	core, logs := observer.New(zapcore.ErrorLevel)
	s := f.newService(zap.New(core), func(c *Config) { c.Store = &faulty{Challenges: f.store, fail: "RecordSend"} })
	out, err := s.Send(t.Context(), l.sendRequest())
	if err != nil || out.State != SendTaken {
		t.Errorf("Send = %+v, %v, want taken", out, err)
	}
	if logs.FilterMessageSnippet("could not be recorded").Len() != 1 {
		t.Error("the log does not say so")
	}
	wantResult[Passed](t, l.check(testPhone, f.phone.lastCode(t)))
}

func TestCloseWaitsForSendingsAndThenGivesUp(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Limits.SendWait = 10 * time.Millisecond })
	release := make(chan struct{})
	f.phone.do = func(ctx context.Context, _ sms.Message) (sms.Receipt, error) {
		select {
		case <-release:
			return sms.Receipt{ProviderID: "p"}, nil
		case <-ctx.Done():
			return sms.Receipt{}, ctx.Err()
		}
	}
	l := f.login("alice")
	l.send()
	closed := make(chan error, 1)
	go func() { closed <- f.service.Close(t.Context()) }()
	select {
	case err := <-closed:
		t.Fatalf("Close = %v while a sending runs", err)
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := f.service.Send(t.Context(), l.sendRequest()); !errors.Is(err, ErrClosed) {
		t.Errorf("Send after Close = %v, want ErrClosed", err)
	}
	close(release)
	if err := <-closed; err != nil {
		t.Errorf("Close = %v", err)
	}
	l.eventually(account.SendTaken)

	s := f.newService(zap.NewNop(), func(c *Config) { c.Limits.SendWait = 10 * time.Millisecond })
	hang := make(chan struct{})
	f.phone.mu.Lock()
	f.phone.do = func(ctx context.Context, _ sms.Message) (sms.Receipt, error) {
		<-ctx.Done()
		close(hang)
		return sms.Receipt{}, ctx.Err()
	}
	f.phone.mu.Unlock()
	f.clock.add(time.Minute)
	if _, err := s.Send(t.Context(), l.sendRequest()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v, want that it gave up", err)
	}
	select {
	case <-hang:
	case <-time.After(5 * time.Second):
		t.Error("the sender's context did not end")
	}
}
