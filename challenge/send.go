package challenge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// SendRequest asks for a code to be sent.
type SendRequest struct {
	// Challenge is the stored challenge, Account whose it is.
	Challenge account.Challenge
	Account   *account.Account
	// Factor is the id of the phone.
	Factor string
	// Host is the host of the site as the operator names it, for the last line
	// of the text; a port is dropped. Browsers trust this line, so it must not
	// be a name that the client made up.
	Host string
	// Site is what the text calls the site; Host if it is empty.
	Site string
	// Lang is the language of the text as a BCP 47 tag.
	Lang string
}

// SendState is what became of the wish to have a code sent.
type SendState string

// What can become of it.
const (
	// SendTaken means that the provider has taken the text.
	SendTaken SendState = "taken"
	// SendQueued means that the text is on its way, or that nobody knows.
	SendQueued SendState = "queued"
	// SendFailed means that the text was certainly not sent. Like every sending
	// it counts.
	SendFailed SendState = "failed"
	// SendCrowded means that too many texts wait already: nothing was sent and
	// nothing counted, it can be tried again in a moment.
	SendCrowded SendState = "crowded"
	// SendWait means that it is too early: not before Until.
	SendWait SendState = "wait"
	// SendNoneLeft means that this challenge has no sending left.
	SendNoneLeft SendState = "none left"
	// SendPaused means that the phone takes no code before Until, after too
	// many failures, so that none is sent.
	SendPaused SendState = "paused"
	// SendAlreadyUsed means that the challenge was passed before.
	SendAlreadyUsed SendState = "already used"
	// SendGone means that the challenge is cancelled, has expired or cannot be
	// answered now.
	SendGone SendState = "gone"
)

// SendOutcome is the answer to a [SendRequest].
type SendOutcome struct {
	State SendState
	// Until is when the next sending may be asked for; with SendPaused when
	// the pause ends; zero if there is none left.
	Until time.Time
}

// Send sends the code of the challenge to a phone, a new one or the living one
// once more, and returns after SendWait at the latest; the sending goes on
// behind that. What became of it is recorded in the store. The request's context
// may end without ending the sending.
//
// An error means that nothing was sent because something is broken.
func (s *Service) Send(ctx context.Context, r SendRequest) (SendOutcome, error) {
	if s.sender == nil {
		return SendOutcome{}, ErrNoSender
	}
	f, err := factorOf(&r.Challenge, r.Account, r.Factor)
	if err != nil {
		return SendOutcome{}, err
	}
	if f.Kind != account.KindPhone {
		return SendOutcome{}, fmt.Errorf("factor %q is not a phone: no code is sent to it", f.ID)
	}
	now := s.clock()
	if !now.Before(r.Challenge.Expires) {
		return SendOutcome{State: SendGone}, nil
	}
	if now.Before(f.PausedUntil) {
		return SendOutcome{State: SendPaused, Until: f.PausedUntil}, nil
	}
	// The number is opened before anything is reserved, so that a lost key
	// uses up no sending.
	number, err := OpenFactorSecret(s.sealer, r.Account.Instance, r.Account.ID, f.ID, f.Kind, f.Secret, now)
	if err != nil {
		return SendOutcome{}, err
	}
	code, err := s.drawCode(codeBinding(&r.Challenge, r.Factor), letter{r.Lang, r.Challenge.Purpose, r.Site, r.Host, r.Challenge.Action}, r.Challenge.Expires, now)
	if err != nil {
		return SendOutcome{}, err
	}
	if ok, err := s.enter(); !ok {
		return SendOutcome{State: SendCrowded, Until: now}, err
	}
	res, err := s.store.ReserveSend(ctx, store.Send{
		Challenge: r.Challenge.ID,
		Session:   r.Challenge.Session,
		Factor:    f.ID,
		New:       code,
		PerCode:   s.limits.PerCode,
		Waits:     s.limits.Waits,
	}, now)
	if err != nil || !res.Send {
		s.leave()
		return notReserved(res, err)
	}
	text, err := s.sealer.Open(purposeCode, codeBinding(&r.Challenge, f.ID), res.Sealed, now)
	d := delivery{
		instance:  r.Challenge.Instance,
		account:   r.Account.ID,
		challenge: r.Challenge.ID,
		factor:    f.ID,
		n:         res.N,
		hint:      f.Hint,
		message:   sms.Message{To: string(number), ID: s.outboxID(r.Challenge.ID, f.ID, res.N)},
	}
	if err != nil {
		s.record(ctx, d, account.SendFailed)
		s.leave()
		return SendOutcome{}, fmt.Errorf("open the text to be sent (is its key still in the configuration?): %w", err)
	}
	d.message.Text = string(text)
	return SendOutcome{State: s.await(ctx, s.deliver(ctx, d)), Until: res.NotBefore}, nil
}

// notReserved says why nothing is sent.
func notReserved(res store.SendResult, err error) (SendOutcome, error) {
	switch {
	case errors.Is(err, store.ErrSpent):
		return SendOutcome{State: SendAlreadyUsed}, nil
	case errors.Is(err, store.ErrNotFound):
		return SendOutcome{State: SendGone}, nil
	case err != nil:
		return SendOutcome{}, fmt.Errorf("reserve a sending: %w", err)
	case res.NotBefore.IsZero():
		return SendOutcome{State: SendNoneLeft}, nil
	default:
		return SendOutcome{State: SendWait, Until: res.NotBefore}, nil
	}
}

// letter is what a text says besides its code.
type letter struct {
	lang       string
	purpose    account.Purpose
	site, host string
	action     string
}

// drawCode draws a code and returns what the store keeps of it: its keyed hash
// and the sealed text, both bound to what it is for. It lives no longer than
// that.
func (s *Service) drawCode(binding []byte, l letter, until, now time.Time) (account.Code, error) {
	digits, err := newCode(s.rand)
	if err != nil {
		return account.Code{}, err
	}
	if l.site == "" {
		l.site = originHost(l.host)
	}
	text := Text(s.wording, l.lang, l.purpose, l.site, l.host, digits, l.action)
	sealed, err := s.sealer.Seal(purposeCode, binding, []byte(text), now)
	if err != nil {
		return account.Code{}, fmt.Errorf("seal the text to be sent: %w", err)
	}
	expires := now.Add(s.limits.CodeLife)
	if until.Before(expires) {
		expires = until
	}
	return account.Code{
		Hash:    s.sealer.MAC(purposeCode, binding, []byte(digits)),
		Sealed:  sealed,
		Created: now,
		Expires: expires,
	}, nil
}

// await returns what became of a sending if that is known in time, else that it
// is on its way.
func (s *Service) await(ctx context.Context, status <-chan account.SendStatus) SendState {
	timer := time.NewTimer(s.limits.SendWait)
	defer timer.Stop()
	select {
	case st := <-status:
		return SendState(st)
	case <-timer.C:
	case <-ctx.Done():
	}
	return SendQueued
}

// factorOf returns the factor if the challenge is this account's and the factor
// may answer it. Anything else is a mistake of the caller, and nothing is sent
// or compared.
func factorOf(ch *account.Challenge, acc *account.Account, id string) (*account.Factor, error) {
	if acc == nil || ch.Instance != acc.Instance || ch.Account != acc.ID {
		return nil, errors.New("the challenge is another account's")
	}
	f, ok := acc.Factor(id)
	if !ok || !ch.MayAnswer(id) {
		return nil, fmt.Errorf("%w: factor %q may not answer this challenge", store.ErrNotFound, id)
	}
	return f, nil
}
