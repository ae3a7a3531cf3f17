package challenge

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

// recordTimeout bounds how long the store may take to note what became of a
// sending.
const recordTimeout = 5 * time.Second

// delivery is one sending that is reserved.
type delivery struct {
	instance, account, factor string
	// challenge or enrolment is what it is for.
	challenge, enrolment string
	n                    int
	hint                 string
	message              sms.Message
}

// Sending is what became of one text: nothing of what it said, and of the
// number its last two digits.
type Sending struct {
	Time time.Time
	// Challenge is the id of the challenge, or of the enrolment.
	Instance, Account, Challenge, Factor string
	// Hint are the last two digits of the number.
	Hint string
	// Status is SendQueued where nobody knows.
	Status account.SendStatus
}

// enter takes a place among the sendings that run or wait. It reports false if
// there is none, with an error if the service is closed.
func (s *Service) enter() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, ErrClosed
	}
	if s.running >= s.limits.Concurrent+s.limits.Waiting {
		s.log.Warn("too many codes wait to be sent; one was refused",
			zap.Int("at_once", s.limits.Concurrent), zap.Int("waiting", s.limits.Waiting))
		return false, nil
	}
	s.running++
	s.sending.Add(1)
	return true, nil
}

// leave gives back the place that enter took.
func (s *Service) leave() {
	s.mu.Lock()
	s.running--
	s.mu.Unlock()
	s.sending.Done()
}

// deliver sends behind the request and records what became of it. It takes over
// the place that enter took. The channel gets the outcome once it is recorded.
func (s *Service) deliver(ctx context.Context, d delivery) <-chan account.SendStatus {
	ctx = context.WithoutCancel(ctx)
	status := make(chan account.SendStatus, 1)
	go func() {
		defer s.leave()
		st := s.transmit(ctx, d)
		s.record(ctx, d, st)
		s.sent(Sending{s.clock(), d.instance, d.account, d.challenge + d.enrolment, d.factor, d.hint, st})
		status <- st
	}()
	return status
}

// transmit waits for its turn and hands the text to the sender.
func (s *Service) transmit(ctx context.Context, d delivery) account.SendStatus {
	log := s.log.With(zap.String("instance", d.instance), zap.String("factor", d.factor),
		zap.Int("sending", d.n), zap.String("to", sms.Mask(d.message.To)))
	if !s.takeSlot() {
		log.Warn("a code was not sent: too many others wait for the provider",
			zap.Int("at_once", s.limits.Concurrent), zap.Duration("waited", s.limits.SendTimeout))
		return account.SendFailed
	}
	defer func() { <-s.slots }()

	ctx, cancel := context.WithTimeout(ctx, s.limits.SendTimeout)
	defer cancel()
	defer context.AfterFunc(s.base, cancel)()

	receipt, err := s.sendContained(ctx, d.message)
	switch {
	case err == nil:
		log.Info("a code was taken by the sms provider", zap.String("provider_id", scrubID(receipt.ProviderID, d.message)))
		return account.SendTaken
	case errors.Is(err, sms.ErrNotSent):
		log.Warn("a code was not sent", zap.String("error", scrub(err.Error())))
		return account.SendFailed
	default:
		log.Warn("nobody knows whether a code was sent; it is not sent again by itself", zap.String("error", scrub(err.Error())))
		return account.SendQueued
	}
}

// takeSlot waits until fewer than Concurrent texts are at the provider, at most
// as long as a sending may take.
func (s *Service) takeSlot() bool {
	timer := time.NewTimer(s.limits.SendTimeout)
	defer timer.Stop()
	select {
	case s.slots <- struct{}{}:
		return true
	case <-timer.C:
		return false
	case <-s.base.Done():
		return false
	}
}

// sendContained calls the sender. A panic in it is an error that leaves open
// whether the text was sent, and does not end the process.
func (s *Service) sendContained(ctx context.Context, m sms.Message) (r sms.Receipt, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = contained("the sms sender", v)
			s.log.Error("the sms sender panicked", zap.String("panic", err.Error()), zap.ByteString("stack", debug.Stack()))
		}
	}()
	return s.sender.Send(ctx, m)
}

// record notes what became of a sending. It runs after the request and must
// not end the process either.
func (s *Service) record(ctx context.Context, d delivery, status account.SendStatus) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = contained("the store", v)
			}
		}()
		if d.enrolment != "" {
			return s.enrolments.RecordEnrolmentSend(ctx, d.enrolment, d.n, status)
		}
		return s.store.RecordSend(ctx, d.challenge, d.factor, d.n, status)
	}()
	if err != nil {
		s.log.Error("what became of a sending could not be recorded; it stays 'queued'",
			zap.String("factor", d.factor), zap.Int("sending", d.n), zap.String("status", string(status)), zap.Error(err))
	}
}

// contained turns what was recovered into an error that can be logged: the
// runtime's own panics in full, of others only the type, since a sender may
// panic with what it was to send.
func contained(who string, v any) error {
	if err, ok := v.(runtime.Error); ok {
		return fmt.Errorf("%s panicked: %s", who, scrub(err.Error()))
	}
	return fmt.Errorf("%s panicked with a value of type %T", who, v)
}
