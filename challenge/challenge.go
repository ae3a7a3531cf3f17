// Package challenge issues and checks the codes that answer a challenge: codes
// sent by SMS and codes of an authenticator. It decides nothing that the store
// decides: counting an attempt, spending a code and reserving a sending are
// atomic steps there, and this package puts them in the order that keeps a code
// safe: count first, compare in constant time, spend last.
//
// The numbers of the rules in the comments are those of docs/security.md.
package challenge

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Errors that a caller may want to tell apart. None of them opens anything.
var (
	// ErrNoFactor means that the account has no factor that could answer.
	ErrNoFactor = errors.New("the account has no factor that can answer")
	// ErrNoSender means that no sender of texts is configured, so that phones
	// cannot be used.
	ErrNoSender = errors.New("no sms sender is configured, so phones cannot be used: name one with 'sms' in the global option two_factor")
	// ErrClosed means that the service is shutting down and sends no more.
	ErrClosed = errors.New("the service is shutting down and sends no more codes")
)

// Config is what a [Service] is made of.
type Config struct {
	// Store keeps the challenges. Required.
	Store store.Challenges
	// Enrolments keeps the factors that are about to be added; nil if none can be.
	Enrolments store.Enrolments
	// Sealer seals the texts and hashes the codes. Required.
	Sealer Sealer
	// Sender sends the texts; nil if there is none, then phones cannot be used.
	Sender sms.Sender
	// Clock tells the time; time.Now if nil.
	Clock func() time.Time
	// Rand is where codes and ids come from: the system's if nil. It must be
	// safe for use by many goroutines.
	Rand io.Reader
	// Limits are the limits; its zero fields take their defaults.
	Limits Limits
	// Wording are the texts' languages; [Languages] if nil.
	Wording Wording
	// Logger gets what operators should know; never a code, a number or a
	// text. No log is written if it is nil.
	Logger *zap.Logger
	// Sent is told what became of each text that was to go to the provider. It
	// is called behind the request and must not block. Nobody is told if it is
	// nil.
	Sent func(Sending)
}

// Service issues and checks codes. It is safe for use by many goroutines.
// It must be closed.
type Service struct {
	store      store.Challenges
	enrolments store.Enrolments
	sealer     Sealer
	sender     sms.Sender
	clock      func() time.Time
	rand       io.Reader
	limits     Limits
	wording    Wording
	log        *zap.Logger
	sent       func(Sending)

	slow hashing
	// slots holds one token for each sending that is at the provider.
	slots chan struct{}
	// base ends when Close has given up waiting.
	base   context.Context
	giveUp context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running int
	sending sync.WaitGroup
}

// New returns a service. It returns an error if a part is missing or a limit is
// weaker than the rules allow.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.Sealer == nil {
		return nil, errors.New("the challenge service needs a store and a sealer")
	}
	limits := c.Limits.withDefaults()
	if err := limits.validate(); err != nil {
		return nil, err
	}
	s := &Service{
		store:      c.Store,
		enrolments: c.Enrolments,
		slow:       newHashing(),
		sealer:     c.Sealer,
		sender:     c.Sender,
		clock:      c.Clock,
		rand:       c.Rand,
		limits:     limits,
		wording:    c.Wording,
		log:        c.Logger,
		sent:       c.Sent,
		slots:      make(chan struct{}, limits.Concurrent),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.wording == nil {
		s.wording = Languages{}
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.sent == nil {
		s.sent = func(Sending) {}
	}
	if s.sender == nil {
		s.log.Info("no sms sender is configured: phones cannot be used as a second factor")
	}
	s.base, s.giveUp = context.WithCancel(context.Background())
	return s, nil
}

// Close lets no new sending begin and waits for those that run. If the context
// ends first, their own contexts are ended too and Close returns its error;
// what became of them is then unknown and stays 'queued' in the store.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	defer s.giveUp()

	done := make(chan struct{})
	go func() {
		s.sending.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
