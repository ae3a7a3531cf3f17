package mailtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/mail"
	"github.com/caddy-twofactor/caddy-twofactor/mail/mailtest"
)

// server is a sender whose server can say no, later, or nothing.
type server struct {
	mu    sync.Mutex
	no    error
	hang  bool
	taken []mail.Message
}

func (s *server) Send(ctx context.Context, m mail.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("before the mail was sent: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang {
		<-ctx.Done()
		return fmt.Errorf("wait for the server's answer: %w", ctx.Err())
	}
	if s.no != nil {
		return s.no
	}
	s.taken = append(s.taken, m)
	return nil
}

func TestTheSuitePassesASenderThatKeepsTheContract(t *testing.T) {
	mailtest.Run(t, func(*testing.T) mailtest.Subject {
		s := &server{}
		return mailtest.Subject{
			Sender: s,
			Delivered: func() []mail.Message {
				s.mu.Lock()
				defer s.mu.Unlock()
				return slices.Clone(s.taken)
			},
			Refuse: func() { s.no = mail.Refused(errors.New("nobody has that address")) },
			Defer:  func() { s.no = errors.New("the mailbox is busy") },
			Hang:   func() { s.hang = true },
		}
	})
}
