package twofactor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/smtpd"
	"github.com/caddy-twofactor/caddy-twofactor/mail"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// courier is one of the test's own in the place of the site's: the test says when
// it goes, and what time it is.
func (s *site) courier() (*courier, *time.Time) {
	s.t.Helper()
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		s.t.Fatal(err)
	}
	was := v.(*App).shared.courier
	was.stop()
	now := time.Now()
	return &courier{
		parts: was.parts, mailer: was.mailer, texter: was.texter, pages: was.pages, events: was.events, logger: was.logger,
		clock: func() time.Time { return now }, told: new(toldUsers),
	}, &now
}

// postbox keeps the mails and texts that it is given; what answer says is what it
// answers.
type postbox struct {
	mu     sync.Mutex
	mails  []mail.Message
	texts  []sms.Message
	answer func(mail.Message) error
}

func (p *postbox) Send(_ context.Context, m mail.Message) error {
	if p.answer != nil {
		if err := p.answer(m); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, m)
	return nil
}

func (p *postbox) sent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mails)
}

// notices puts so many notices of a kind into the outbox.
func (s *site) notices(n int, at time.Time, edit func(i int, t *handler.NoticeText)) {
	s.t.Helper()
	l := s.lease()
	defer l.Release()
	var list []account.Notice
	for i := range n {
		text := handler.NoticeText{Kind: handler.NoticeRecoveryMade, Mail: fmt.Sprintf("u%d@example.com", i), Lang: "en", Host: "localhost", User: "u", When: at}
		if edit != nil {
			edit(i, &text)
		}
		made, err := handler.SealNotice(l.Parts().Ring, rand.Reader, defaultName, fmt.Sprintf("u%d", i), text, "", at)
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, made)
	}
	for some := range slices.Chunk(list, 500) {
		if err := l.Parts().Store.PutNotices(context.Background(), some); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestAMailIsTriedAgainLaterAndLater(t *testing.T) {
	s, server := mailing(t, "offered")
	c, clock := s.courier()
	server.Answer(t, smtpd.RCPT, "450 4.2.0 later")
	began := *clock
	s.notices(1, began, nil)
	var tried []time.Duration
	for ; !clock.After(began.Add(5 * time.Hour)); *clock = clock.Add(10 * time.Second) {
		if c.round(t.Context()) == 1 {
			tried = append(tried, clock.Sub(began))
		}
	}
	want := []time.Duration{0, 30 * time.Second}
	for len(want) < len(tried) {
		last := want[len(want)-1]
		want = append(want, last+min(2*(last-want[len(want)-2]), time.Hour))
	}
	if len(tried) < 8 || !slices.Equal(tried, want) {
		t.Errorf("it was tried after %v, want %v", tried, want)
	}
	server.Behave(t)
	*clock = clock.Add(time.Hour)
	c.round(t.Context())
	s.isTold(server, 1, "u0@example.com", "new recovery codes were made")
}

func TestWhatCannotBeDeliveredIsGivenUpWithALineAndAnEvent(t *testing.T) {
	s, server := mailing(t, "offered")
	c, clock := s.courier()
	server.Answer(t, smtpd.RCPT, "550 5.1.1 nobody")
	s.notices(1, *clock, nil)
	counted := standOf(t, metricNotice.WithLabelValues(defaultName, "failed"))
	c.round(t.Context())
	if n := standOf(t, metricNotice.WithLabelValues(defaultName, "failed")) - counted; n != 1 {
		t.Errorf("%v failures are counted", n)
	}
	if s.waiting() != 0 {
		t.Error("a mail that was refused for good waits")
	}
	if log := s.logged(); !strings.Contains(log, "a user was not told") || strings.Contains(log, "u0@example.com") {
		t.Errorf("the log says\n%s", log)
	}
	failed := func() int { return strings.Count(s.audited(), `"recovery_made by mail"`) }
	waitFor(t, "the audit log tells of it", func() bool { return failed() == 1 && strings.Contains(s.audited(), `"result":"failed"`) })

	server.Answer(t, smtpd.RCPT, "450 4.2.0 later")
	s.notices(1, *clock, nil)
	for tries := 0; s.waiting() > 0; *clock = clock.Add(lastRetry) {
		c.round(t.Context())
		if tries++; tries == 100 {
			t.Fatal("a notice is tried for ever")
		}
	}
	server.Behave(t)
	c.round(t.Context())
	if n := len(server.Mails(t)); n != 0 {
		t.Errorf("%d mails went out", n)
	}
}

func TestAnOutboxThatCannotBeReadIsToldOnceAndReadAgain(t *testing.T) {
	s, _ := mailing(t, "offered")
	c, clock := s.courier()
	box := new(postbox)
	c.mailer = box
	s.notices(1, *clock, nil)
	parts, outbox := *c.parts, &unreadable{Store: c.parts.Store}
	parts.Store, c.parts = outbox, &parts
	outbox.fails.Store(true)
	for range 5 {
		c.round(t.Context())
	}
	outbox.fails.Store(false)
	c.round(t.Context())
	if n := strings.Count(s.logged(), "the outbox of notices cannot be read"); n != 1 || box.sent() != 1 {
		t.Errorf("it is told %d times, and %d mails went out", n, box.sent())
	}
}

// unreadable is a store whose outbox fails.
type unreadable struct {
	store.Store
	fails atomic.Bool
}

func (u *unreadable) TakeNotices(ctx context.Context, n int, lease time.Duration, now time.Time) ([]account.Notice, error) {
	if u.fails.Load() {
		return nil, errDiskFull
	}
	return u.Store.TakeNotices(ctx, n, lease, now)
}

func TestANoticeThatDoesNotOpenHoldsUpNoOther(t *testing.T) {
	s, _ := mailing(t, "offered")
	c, clock := s.courier()
	box := new(postbox)
	c.mailer = box
	l := s.lease()
	defer l.Release()
	// Sealed with a key that is gone, of an instance that is gone, of a kind that
	// nobody knows: each before the good ones.
	s.notices(20, clock.Add(-time.Second), func(_ int, n *handler.NoticeText) { n.Kind = "horoscope" })
	var lost []account.Notice
	for i := range 20 {
		lost = append(lost, account.Notice{
			ID: fmt.Sprint("lost", i), Instance: []string{defaultName, "gone"}[i%2], Account: "ada", Channel: account.ByMail, Sealed: []byte("sealed with another key"),
			Due: clock.Add(-time.Second), Created: clock.Add(-time.Second), Expires: clock.Add(24 * time.Hour),
		})
	}
	if err := l.Parts().Store.PutNotices(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	s.notices(20, *clock, nil)
	for range 4 {
		c.round(t.Context())
	}
	if box.sent() != 20 {
		t.Errorf("%d of 20 went out", box.sent())
	}
	if log := s.logged(); !strings.Contains(log, "is its key still in the configuration?") {
		t.Errorf("the log does not complain:\n%s", log)
	}
	for tries := 0; s.waiting() > 0; *clock = clock.Add(lastRetry) {
		c.round(t.Context())
		if tries++; tries == 100 {
			t.Fatalf("%d notices are tried for ever", s.waiting())
		}
	}
}

func TestRule16ATextToTheOldNumberWaitsForNoMail(t *testing.T) {
	s, server := mailing(t, "offered")
	c, clock := s.courier()
	server.Hang(t, smtpd.EHLO)
	s.notices(10, clock.Add(-time.Second), nil)
	s.notices(6, *clock, func(_ int, n *handler.NoticeText) {
		n.Kind, n.Mail, n.Number = handler.NoticeNumberChanged, "", "+4915112345642"
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	began := time.Now()
	go func() { defer close(ended); c.round(ctx) }()
	waitFor(t, "the texts went out", func() bool { return len(s.texts()) == 6 })
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the texts took %v", took)
	}
	// What had to be given up is there for the next one, at once.
	cancel()
	<-ended
	box := new(postbox)
	c.mailer = box
	*clock = clock.Add(time.Millisecond)
	c.round(t.Context())
	if box.sent() != 10 || s.waiting() != 0 {
		t.Errorf("%d of 10 mails went out, %d wait", box.sent(), s.waiting())
	}
}

func TestATextThatWasNotBegunWhenAConfigEndsGoesOutOnceByTheNext(t *testing.T) {
	s, _ := mailing(t, "offered")
	c, clock := s.courier()
	s.notices(3, *clock, func(_ int, n *handler.NoticeText) {
		n.Kind, n.Mail, n.Number = handler.NoticeNumberChanged, "", "+4915112345642"
	})
	taken, err := c.parts.Store.TakeNotices(t.Context(), 2, noticeLease, *clock)
	if err != nil || len(taken) != 2 {
		t.Fatalf("%d notices, %v", len(taken), err)
	}
	for i := range taken {
		c.giveBack(t.Context(), &taken[i])
	}
	c.round(t.Context())
	c.round(t.Context())
	if n := len(s.texts()); n != 3 || s.waiting() != 0 {
		t.Errorf("%d of 3 texts went out, %d wait", n, s.waiting())
	}
}

func TestCouriersOfTwoConfigsDeliverEachNoticeOnce(t *testing.T) {
	s, _ := mailing(t, "offered")
	a, clock := s.courier()
	box := &postbox{answer: func(mail.Message) error { time.Sleep(time.Millisecond); return nil }}
	a.mailer = box
	b := &courier{parts: a.parts, mailer: box, pages: a.pages, events: a.events, logger: a.logger, clock: a.clock, told: a.told}
	s.notices(200, *clock, nil)
	var wait sync.WaitGroup
	for _, c := range []*courier{a, b} {
		wait.Go(func() {
			for c.round(t.Context()) > 0 {
			}
		})
	}
	wait.Wait()
	to := map[string]int{}
	for _, m := range box.mails {
		to[m.To]++
	}
	if len(to) != 200 || len(box.mails) != 200 {
		t.Errorf("%d mails to %d people, want 200 each", len(box.mails), len(to))
	}
}

func TestALongOutboxSlowsNoRequest(t *testing.T) {
	s, _ := mailing(t, "offered")
	c, clock := s.courier()
	browser := s.german()
	browser.signIn(alice, alicePassword)
	median := func() time.Duration {
		var took []time.Duration
		for range 31 {
			began := time.Now()
			if r := browser.get(settingsPage); r.StatusCode != http.StatusOK {
				t.Fatalf("the settings gave %d", r.StatusCode)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[15]
	}
	before := median()
	s.notices(10_000, *clock, nil)
	box := new(postbox)
	c.mailer = box
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(ended)
		for c.round(ctx) > 0 {
		}
	}()
	with := median()
	n, took := box.sent(), time.Since(began)
	cancel()
	<-ended
	t.Logf("the settings took %v, with 10,000 notices in the outbox %v; %d went out in %v", before, with, n, took)
	if with > before+200*time.Millisecond {
		t.Errorf("the settings took %v, with 10,000 notices in the outbox %v", before, with)
	}
}

// failsCodes signs in with the right password and wrong codes.
func (c *client) failsCodes(user, password string, n int) {
	c.t.Helper()
	c.password(user, password)
	for range n {
		c.enter("000000")
	}
}

func TestRule16ARightPasswordWithWrongCodesIsToldOnceAnHour(t *testing.T) {
	s, server := mailing(t, "offered")
	c, clock := s.courier()
	began := *clock
	thief := s.german()
	thief.failsCodes(alice, alicePassword, 1)
	if c.round(t.Context()) != 0 {
		t.Error("the user is told while the challenge is open")
	}
	s.german().failsCodes(alice, alicePassword, 3)
	*clock = began.Add(pendingLife + time.Minute)
	// Whom the mail server did not take it for is told when it does.
	server.Answer(t, smtpd.RCPT, "450 4.2.0 later")
	c.round(t.Context())
	server.Behave(t)
	*clock = clock.Add(firstRetry)
	c.round(t.Context())
	m := s.isTold(server, 1, alice, "somebody tried to sign in as you", append(facts()[:4], "somebody knows your password", "/.two-factor/not-me?t=")...)
	tellsNothing(t, m, "000000")
	s.german().failsCodes(alice, alicePassword, 1)
	*clock = began.Add(pendingLife + 30*time.Minute)
	c.round(t.Context())
	s.isTold(server, 1, alice, "somebody tried to sign in as you")
	s.german().failsCodes(alice, alicePassword, 1)
	*clock = began.Add(pendingLife + 2*time.Hour)
	c.round(t.Context())
	s.isTold(server, 2, alice, "somebody tried to sign in as you")
}

func TestRule16WhoGetsTheCodeRightInTheEndIsNotToldOfWrongOnes(t *testing.T) {
	s, server := mailing(t, "offered")
	c, clock := s.courier()
	browser := s.german()
	browser.failsCodes(alice, alicePassword, 2)
	if r := browser.enter(s.code(alice)); r.location() != "/dashboard" {
		t.Fatalf("the right code gave %d to %q", r.StatusCode, r.location())
	}
	*clock = clock.Add(2 * time.Hour)
	c.round(t.Context())
	if n := len(server.Mails(t)); n != 0 || s.waiting() != 0 {
		t.Errorf("%d mails went out, %d wait", n, s.waiting())
	}
}

func TestAUserIsToldOfWrongCodesByOneOfManyNotices(t *testing.T) {
	now := time.Now()
	told := new(toldUsers)
	ada, bea := &account.Notice{Instance: "crm", Account: "ada"}, &account.Notice{Instance: "crm", Account: "bea"}
	if !told.begin(ada, now) || told.begin(ada, now.Add(failedPause-1)) || !told.begin(bea, now) {
		t.Error("ada is told once within the pause, and bea for herself")
	}
	if told.undo(bea); !told.begin(bea, now) {
		t.Error("who could not be told is not told later")
	}
	if !told.begin(ada, now.Add(failedPause)) || len(told.at) != 1 {
		t.Errorf("after the pause %d are kept", len(told.at))
	}
}
