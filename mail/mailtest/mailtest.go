// Package mailtest is the conformance suite for senders of mails: what is true
// of one sender must be true of all, or a notice could be lost, be sent for
// ever, or end up in a log.
package mailtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/mail"
)

// Subject is one sender to be tested, with a look at what its server got.
type Subject struct {
	// Sender is the sender, fresh for each test.
	Sender mail.Sender
	// Delivered returns what the server took until now, in any order.
	Delivered func() []mail.Message
	// Refuse makes the server say of the next mails that it never takes them.
	Refuse func()
	// Defer makes the server say of the next mails that it takes them later.
	Defer func()
	// Hang makes the server take the next mail and never answer.
	Hang func()
}

// Run runs the suite; start makes a new subject and cleans up by t.Cleanup.
func Run(t *testing.T, start func(t *testing.T) Subject) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, Subject)
	}{
		{"a mail arrives as it is", mailArrives},
		{"subjects and addresses of any script arrive as they are", scripts},
		{"lines of any length arrive as they are", longLines},
		{"a mail that is sent twice has one id", sentTwice},
		{"a message beyond the limits is refused for good", limits},
		{"a context that has ended sends nothing", endedContext},
		{"many at once all arrive", manyAtOnce},
		{"a no for good wraps ErrRefused", refused},
		{"a no for now does not wrap ErrRefused", deferred},
		{"a server that does not answer is given up", hangs},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, start(t)) })
	}
}

const (
	address = "anna.lindqvist@example.com"
	secret  = "Tromsø 739154"
)

func message(id string) mail.Message {
	return mail.Message{
		To:      address,
		Subject: "A new phone in " + secret,
		Text:    "A new phone\n\n.\n..\nFrom " + secret + ": 100% ünïque = nice \n",
		HTML:    "<!DOCTYPE html>\n<html lang=\"en\">\n<p>From " + secret + " &amp; more = nice</p>\n</html>\n",
		ID:      id,
		Lang:    "pt-BR",
	}
}

func send(t *testing.T, s mail.Sender, m mail.Message) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := s.Send(ctx, m)
	if err != nil {
		discreet(t, err)
	}
	return err
}

func mustSend(t *testing.T, s mail.Sender, m mail.Message) {
	t.Helper()
	if err := send(t, s, m); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

// discreet fails if the error tells what may never be in a log.
func discreet(t *testing.T, err error) {
	t.Helper()
	for _, hidden := range []string{"lindqvist", secret, "new phone", "ünïque"} {
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("the error tells %q: %v", hidden, err)
		}
	}
}

// arrived fails unless exactly this mail came.
func arrived(t *testing.T, s Subject, want mail.Message) {
	t.Helper()
	got := s.Delivered()
	if len(got) != 1 {
		t.Fatalf("%d mails arrived, want 1", len(got))
	}
	if got[0] != want {
		t.Errorf("arrived to %q with %q\n%q\n%q\n%q %q\nwant to %q with %q\n%q\n%q\n%q %q",
			got[0].To, got[0].Subject, got[0].Text, got[0].HTML, got[0].ID, got[0].Lang,
			want.To, want.Subject, want.Text, want.HTML, want.ID, want.Lang)
	}
}

func mailArrives(t *testing.T, s Subject) {
	m := message("one-1_A")
	mustSend(t, s.Sender, m)
	arrived(t, s, m)
}

func scripts(t *testing.T, s Subject) {
	subjects := []string{
		"Neue Telefonnummer für Jürgen Müßiggänger, bestätigt mit Gruß aus Ísafjörður und Łódź",
		"تمت إضافة هاتف جديد إلى حسابك في Northwind CRM (ينتهي بـ 42)",
		"אַ נייַ טעלעפאָן 42",
		"添加了新手机号码🔐",
		strings.Repeat("ö", mail.MaxSubject/2),
		strings.Repeat("x", mail.MaxSubject),
		"a: b <c@example.com>, \"d\"; e",
	}
	for i, subject := range subjects {
		m := message(fmt.Sprintf("s%d", i))
		m.Subject = subject
		mustSend(t, s.Sender, m)
	}
	m := message("address")
	m.To = "jürgen@example.com"
	mustSend(t, s.Sender, m)
	got := map[string]mail.Message{}
	for _, m := range s.Delivered() {
		got[m.ID] = m
	}
	for i, subject := range subjects {
		if arrived := got[fmt.Sprintf("s%d", i)].Subject; arrived != subject {
			t.Errorf("the subject %q arrived as %q", subject, arrived)
		}
	}
	if arrived := got["address"].To; arrived != m.To {
		t.Errorf("the mail to %q arrived at %q", m.To, arrived)
	}
}

func longLines(t *testing.T, s Subject) {
	m := message("long")
	m.Text = strings.Repeat("x", 5000) + "\n" + strings.Repeat(".", 3000) + "\n" + strings.Repeat("ж ", 2000) + "\n"
	m.HTML = "<p>" + strings.Repeat("ع", 20000) + "</p>"
	mustSend(t, s.Sender, m)
	arrived(t, s, m)
}

func sentTwice(t *testing.T, s Subject) {
	mustSend(t, s.Sender, message("same"))
	mustSend(t, s.Sender, message("same"))
	for _, m := range s.Delivered() {
		if m.ID != "same" {
			t.Errorf("a mail has the id %q, want same", m.ID)
		}
	}
}

func limits(t *testing.T, s Subject) {
	bad := map[string]func(*mail.Message){
		"no address":                func(m *mail.Message) { m.To = "" },
		"two addresses":             func(m *mail.Message) { m.To = address + "," + address },
		"an address with a command": func(m *mail.Message) { m.To = address + ">\r\nRCPT TO:<eve@example.com" },
		"a subject with a field":    func(m *mail.Message) { m.Subject = "a\r\nBcc: eve@example.com" },
		"a long subject":            func(m *mail.Message) { m.Subject = strings.Repeat("x", mail.MaxSubject+1) },
		"no text":                   func(m *mail.Message) { m.Text = "" },
		"a long text":               func(m *mail.Message) { m.Text = strings.Repeat("x", mail.MaxText+1) },
		"no HTML":                   func(m *mail.Message) { m.HTML = "" },
		"no id":                     func(m *mail.Message) { m.ID = "" },
		"an id with a field":        func(m *mail.Message) { m.ID = "a\r\nBcc: eve@example.com" },
		"a language with a field":   func(m *mail.Message) { m.Lang = "en\r\nBcc: eve@example.com" },
	}
	for name, change := range bad {
		m := message("bad")
		change(&m)
		if err := send(t, s.Sender, m); !errors.Is(err, mail.ErrRefused) {
			t.Errorf("%s: Send = %v, want ErrRefused", name, err)
		}
	}
	nothing(t, s)
}

func nothing(t *testing.T, s Subject) {
	t.Helper()
	if n := len(s.Delivered()); n != 0 {
		t.Errorf("%d mails arrived, want none", n)
	}
}

func endedContext(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Sender.Send(ctx, message("ended")); err == nil || errors.Is(err, mail.ErrRefused) {
		t.Errorf("Send = %v, want an error that may pass", err)
	}
	nothing(t, s)
}

func manyAtOnce(t *testing.T, s Subject) {
	const n = 30
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := send(t, s.Sender, message(fmt.Sprintf("m%d", i))); err != nil {
				t.Errorf("Send: %v", err)
			}
		})
	}
	wg.Wait()
	ids := map[string]bool{}
	for _, m := range s.Delivered() {
		ids[m.ID] = true
	}
	if len(ids) != n {
		t.Errorf("%d mails arrived, want %d", len(ids), n)
	}
}

func refused(t *testing.T, s Subject) {
	s.Refuse()
	if err := send(t, s.Sender, message("no")); !errors.Is(err, mail.ErrRefused) {
		t.Errorf("Send = %v, want ErrRefused", err)
	}
	nothing(t, s)
}

func deferred(t *testing.T, s Subject) {
	s.Defer()
	if err := send(t, s.Sender, message("later")); err == nil || errors.Is(err, mail.ErrRefused) {
		t.Errorf("Send = %v, want an error that may pass", err)
	}
	nothing(t, s)
}

func hangs(t *testing.T, s Subject) {
	s.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	err := s.Sender.Send(ctx, message("hang"))
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Send returned %v after the context began, want soon after it ended", took)
	}
	if err == nil || errors.Is(err, mail.ErrRefused) {
		t.Fatalf("Send = %v, want an error that may pass", err)
	}
	discreet(t, err)
}
