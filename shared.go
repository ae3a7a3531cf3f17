package twofactor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/mail"
	"github.com/caddy-twofactor/caddy-twofactor/page"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

// closeWait bounds how long the end of a config waits for texts that are at
// their provider: a sending may take 10 seconds.
const closeWait = 11 * time.Second

// shared is what the handlers of one config share while it lives: a reference
// to the pooled store, the keys, the senders and the challenge service.
type shared struct {
	logger  *zap.Logger
	guest   StoreGuest
	senders []sms.Sender
	// mailer sends notices; nil if nothing does.
	mailer mail.Sender
	ring   *seal.Ring // nil if the config has no keys
	// keyDir is where the key file is if it has none.
	keyDir string
	// existing refuses a store that was never started with Caddy.
	existing bool

	// events tells the metrics and the audit log what happens; audit bounds it.
	events *recorder
	audit  auditBounds

	gate   gate
	ending sync.Once
	pooled *pooledStore

	opening sync.Mutex
	parts   atomic.Pointer[handler.Parts]

	running []runner
	// courier delivers notices; nil if it does not run.
	courier *courier
}

// newShared takes a reference to the store, which close gives back.
func newShared(guest StoreGuest, senders []sms.Sender, mailer mail.Sender, ring *seal.Ring, logger *zap.Logger) (*shared, error) {
	pooled, err := acquireStore(guest)
	if err != nil {
		return nil, err
	}
	events, err := newRecorder(dataDir())
	if err != nil {
		return nil, errors.Join(err, releaseStore(guest))
	}
	s := &shared{
		logger: logger, guest: guest, senders: senders, mailer: mailer, ring: ring, keyDir: dataDir(), pooled: pooled,
		events: events, audit: defaultAudit,
	}
	s.gate.drained = func() { go s.shut() }
	return s, nil
}

// start opens what must be open, starts the guests that run something, and the
// courier of notices, which asks pages for those of an instance.
func (s *shared) start(pages func(instance string) *page.Set) error {
	parts, err := s.open(context.Background())
	if err != nil {
		return err
	}
	for _, sender := range s.senders {
		g, ok := sender.(runner)
		if !ok {
			continue
		}
		if err := g.Run(); err != nil {
			// Caddy does not stop an app that did not start.
			return errors.Join(err, s.stop())
		}
		s.running = append(s.running, g)
	}
	s.events.bound(s.audit)
	s.events.begin(s.logger, time.Now())
	if s.mailer != nil || s.sender() != nil {
		s.courier = &courier{
			parts: parts, mailer: s.mailer, texter: s.sender(), pages: pages, events: s.events, logger: s.logger,
			clock: time.Now, told: &s.pooled.told,
		}
		s.courier.start()
	}
	return nil
}

func (s *shared) stop() error {
	var errs []error
	if s.courier != nil {
		s.courier.stop()
		s.courier = nil
	}
	for _, g := range s.running {
		errs = append(errs, g.End())
	}
	s.running = nil
	if err := s.events.flush(auditPatience); err != nil {
		s.logger.Error("the config ends with events that are not in the audit log", zap.Error(err))
	}
	return errors.Join(errs...)
}

// open makes the parts, once. What fails is tried again at the next call.
func (s *shared) open(ctx context.Context) (*handler.Parts, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if parts := s.parts.Load(); parts != nil {
		return parts, nil
	}
	check, err := s.readKeyCheck(ctx)
	if err != nil {
		return nil, err
	}
	if s.existing && len(check.Keys) == 0 {
		return nil, fmt.Errorf("there is no store here that Caddy has used (%s is missing): start Caddy once, or name another store", s.guest.KeyCheckPlace())
	}
	open, err := s.pooled.get(ctx)
	if err != nil {
		return nil, err
	}
	ring, err := s.loadRing(ctx, check, open)
	if err != nil {
		return nil, err
	}
	if err := s.checkKeys(ctx, check, ring, open); err != nil {
		return nil, err
	}
	epoch, err := open.Epoch(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking the store for its epoch: %w", err)
	}
	challenges, err := challenge.New(challenge.Config{Store: open, Enrolments: open, Sealer: sealer{ring}, Sender: s.sender(), Logger: s.logger, Sent: handler.RecordSends(s.events)})
	if err != nil {
		return nil, fmt.Errorf("challenges: %w", err)
	}
	parts := &handler.Parts{Store: open, Ring: ring, Challenges: challenges, Mails: s.mailer != nil, Epoch: epoch}
	s.parts.Store(parts)
	return parts, nil
}

// sender returns what sends texts, nil if nothing does.
func (s *shared) sender() sms.Sender {
	if len(s.senders) == 0 {
		return nil
	}
	return s.senders[0]
}

// close ends the config's use of all of it, now or when the last lease ends.
func (s *shared) close() {
	s.ending.Do(func() {
		if s.gate.close() {
			s.shut()
		}
	})
}

// shut ends the config's own parts and gives the store back.
func (s *shared) shut() {
	if parts := s.parts.Load(); parts != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		defer cancel()
		if err := parts.Challenges.Close(ctx); err != nil {
			s.logger.Warn("texts were still at their provider when the config ended; whether they were sent is not known", zap.Error(err))
		}
	}
	if err := s.events.release(); err != nil {
		s.logger.Error("the audit log could not be ended", zap.Error(err))
	}
	s.releaseStore()
}

// moveAudit has the audit log written in another folder. It is called before
// anything is.
func (s *shared) moveAudit(dir string) error {
	there, err := newRecorder(dir)
	if err != nil {
		return err
	}
	err = s.events.release()
	s.events = there
	return err
}

// releaseStore gives one reference to the store back.
func (s *shared) releaseStore() {
	if err := releaseStore(s.guest); err != nil {
		s.logger.Error("the store could not be closed", zap.Error(err))
	}
}
