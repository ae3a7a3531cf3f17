package smstest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/sms/smstest"
)

// provider is a sender whose provider can say no, or nothing.
type provider struct {
	mu       sync.Mutex
	no, hang bool
	taken    []sms.Message
	receipts map[string]sms.Receipt
}

func (p *provider) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) {
	if err := m.Check(); err != nil {
		return sms.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return sms.Receipt{}, sms.NotSent(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.no {
		return sms.Receipt{}, sms.NotSent(errors.New("no credit"))
	}
	if r, ok := p.receipts[m.ID]; ok {
		return r, nil
	}
	p.taken = append(p.taken, m)
	if p.hang {
		<-ctx.Done()
		return sms.Receipt{}, fmt.Errorf("wait for the provider's answer: %w", ctx.Err())
	}
	p.receipts[m.ID] = sms.Receipt{ProviderID: fmt.Sprintf("p%d", len(p.taken))}
	return p.receipts[m.ID], nil
}

func TestTheSuitePassesASenderThatKeepsTheContract(t *testing.T) {
	smstest.Run(t, func(*testing.T) smstest.Subject {
		p := &provider{receipts: make(map[string]sms.Receipt)}
		return smstest.Subject{
			Sender: p,
			Delivered: func() []sms.Message {
				p.mu.Lock()
				defer p.mu.Unlock()
				return append([]sms.Message(nil), p.taken...)
			},
			Fail: func() { p.no = true },
			Hang: func() { p.hang = true },
		}
	})
}
