// Package smstest is the conformance suite for senders of texts: what is true
// of one sender must be true of all, or the gateway could send a code twice,
// not at all, or into a log.
package smstest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

// Subject is one sender to be tested, with a look at what its provider got.
type Subject struct {
	// Sender is the sender, fresh for each test.
	Sender sms.Sender
	// Delivered returns what the provider took until now, in any order.
	Delivered func() []sms.Message
	// Fail makes the provider answer the next sending with a certain no; nil
	// if this one cannot say no.
	Fail func()
	// Hang makes the provider take the next sending and never answer; nil if
	// this one always answers.
	Hang func()
}

// Run runs the suite; start makes a new subject and cleans up by t.Cleanup.
func Run(t *testing.T, start func(t *testing.T) Subject) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, Subject)
	}{
		{"a text arrives as it is", textArrives},
		{"one id arrives once", idArrivesOnce},
		{"the same text under two ids arrives twice", twoIDs},
		{"a message beyond the limits is certainly not sent", limits},
		{"a context that has ended sends nothing", endedContext},
		{"many at once all arrive", manyAtOnce},
		{"a certain no wraps ErrNotSent", certainNo},
		{"a provider that does not answer leaves it unknown", hangs},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, start(t)) })
	}
}

const (
	number = "+4915112345678"
	code   = "739154"
)

func message(id string) sms.Message {
	return sms.Message{
		To:   number,
		Text: code + " is your code & 100% ünïque.\nDo not share it.\n\n@crm.example.com #" + code,
		ID:   id,
	}
}

func send(t *testing.T, s sms.Sender, m sms.Message) (sms.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := s.Send(ctx, m)
	if err != nil {
		discreet(t, err)
	}
	return r, err
}

func mustSend(t *testing.T, s sms.Sender, m sms.Message) sms.Receipt {
	t.Helper()
	r, err := send(t, s, m)
	if err != nil {
		t.Fatalf("Send: %v", err)
	}
	if r.ProviderID == "" {
		t.Fatal("the receipt names no provider id")
	}
	if strings.Contains(r.ProviderID, number[1:]) || strings.Contains(r.ProviderID, code) {
		t.Fatalf("the provider id %q tells the number or the code", r.ProviderID)
	}
	return r
}

// discreet fails if the error tells what may never be in a log.
func discreet(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{number[1:], code, "Do not share"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q: %v", secret, err)
		}
	}
}

func textArrives(t *testing.T, s Subject) {
	m := message("one")
	mustSend(t, s.Sender, m)
	got := s.Delivered()
	if len(got) != 1 {
		t.Fatalf("%d texts arrived, want 1", len(got))
	}
	if got[0].To != m.To || got[0].Text != m.Text {
		t.Errorf("arrived to %q with %q, want %q with %q", got[0].To, got[0].Text, m.To, m.Text)
	}
}

func idArrivesOnce(t *testing.T, s Subject) {
	first := mustSend(t, s.Sender, message("same"))
	second := mustSend(t, s.Sender, message("same"))
	if first != second {
		t.Errorf("receipts %v and %v of one id differ", first, second)
	}
	if n := len(s.Delivered()); n != 1 {
		t.Errorf("%d texts arrived, want 1", n)
	}
}

func twoIDs(t *testing.T, s Subject) {
	first := mustSend(t, s.Sender, message("first"))
	second := mustSend(t, s.Sender, message("second"))
	if first == second {
		t.Errorf("two texts have one receipt %v", first)
	}
	if n := len(s.Delivered()); n != 2 {
		t.Errorf("%d texts arrived, want 2", n)
	}
}

func limits(t *testing.T, s Subject) {
	bad := map[string]func(*sms.Message){
		"no number":         func(m *sms.Message) { m.To = "" },
		"a national number": func(m *sms.Message) { m.To = "015112345678" },
		"two numbers":       func(m *sms.Message) { m.To = number + "," + number },
		"no text":           func(m *sms.Message) { m.Text = "" },
		"a long text":       func(m *sms.Message) { m.Text = strings.Repeat("x", sms.MaxText+1) },
		"no id":             func(m *sms.Message) { m.ID = "" },
	}
	for name, change := range bad {
		m := message("bad")
		change(&m)
		if _, err := send(t, s.Sender, m); !errors.Is(err, sms.ErrNotSent) {
			t.Errorf("%s: Send = %v, want ErrNotSent", name, err)
		}
	}
	if n := len(s.Delivered()); n != 0 {
		t.Errorf("%d texts arrived, want none", n)
	}
}

func endedContext(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Sender.Send(ctx, message("ended"))
	if !errors.Is(err, sms.ErrNotSent) {
		t.Errorf("Send = %v, want ErrNotSent", err)
	}
	if n := len(s.Delivered()); n != 0 {
		t.Errorf("%d texts arrived, want none", n)
	}
}

func manyAtOnce(t *testing.T, s Subject) {
	const n = 50
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := send(t, s.Sender, message(fmt.Sprintf("m%d", i))); err != nil {
				t.Errorf("Send: %v", err)
			}
		})
	}
	wg.Wait()
	if got := len(s.Delivered()); got != n {
		t.Errorf("%d texts arrived, want %d", got, n)
	}
}

func certainNo(t *testing.T, s Subject) {
	if s.Fail == nil {
		return
	}
	s.Fail()
	if _, err := send(t, s.Sender, message("no")); !errors.Is(err, sms.ErrNotSent) {
		t.Errorf("Send = %v, want ErrNotSent", err)
	}
	if n := len(s.Delivered()); n != 0 {
		t.Errorf("%d texts arrived, want none", n)
	}
}

func hangs(t *testing.T, s Subject) {
	if s.Hang == nil {
		return
	}
	s.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.Sender.Send(ctx, message("hang"))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Send returned %v after the context began, want soon after it ended", took)
	}
	if err == nil || errors.Is(err, sms.ErrNotSent) {
		t.Fatalf("Send = %v, want an error that leaves it open", err)
	}
	discreet(t, err)
}
