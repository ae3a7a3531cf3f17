package challenge

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Candidate is what is to be enrolled: one field is set.
type Candidate struct {
	// TOTP are the parameters of a new authenticator.
	TOTP *account.TOTP
	// Number is a phone's, in E.164 form.
	Number string
	// Factor is a phone that the owner of the team has entered: its secret is
	// sealed already.
	Factor *account.Factor
}

// Enrol begins the enrolment of a factor for an account, in the session of the
// given standing, and stores it. Replaces is the factor whose place it takes;
// empty for none. Nothing is sent.
func (s *Service) Enrol(ctx context.Context, acc *account.Account, standing account.StandingID, c Candidate, replaces string) (account.Enrolment, error) {
	now := s.clock()
	f, err := s.candidate(acc, c, now)
	if err != nil {
		return account.Enrolment{}, err
	}
	id, err := NewID(s.rand)
	if err != nil {
		return account.Enrolment{}, err
	}
	e := account.Enrolment{
		ID: id, Instance: acc.Instance, Account: acc.ID, Standing: standing, Factor: f, Replaces: replaces,
		Created: now, Expires: now.Add(account.EnrolFor),
	}
	if err := s.enrolments.BeginEnrolment(ctx, e, now); err != nil {
		return account.Enrolment{}, fmt.Errorf("begin an enrolment: %w", err)
	}
	return e, nil
}

func (s *Service) candidate(acc *account.Account, c Candidate, now time.Time) (account.Factor, error) {
	if c.Factor != nil {
		return *c.Factor, nil
	}
	f, err := s.NewFactor(acc, c, now)
	if err == nil && f.Kind == account.KindPhone && s.sender == nil {
		err = ErrNoSender
	}
	return f, err
}

// NewFactor makes a factor of an account: an authenticator with a new secret, or
// a phone. It is stored nowhere.
func (s *Service) NewFactor(acc *account.Account, c Candidate, now time.Time) (account.Factor, error) {
	id, err := NewID(s.rand)
	if err != nil {
		return account.Factor{}, err
	}
	f := account.Factor{ID: id, Kind: account.KindPhone, Created: now}
	secret := []byte(c.Number)
	if c.TOTP != nil {
		if _, err := totpOptions(c.TOTP); err != nil {
			return f, err
		}
		f.Kind, f.TOTP = account.KindTOTP, c.TOTP
		if secret, err = NewTOTPSecret(s.rand); err != nil {
			return f, err
		}
	} else {
		f.Hint = c.Number[max(0, len(c.Number)-2):]
	}
	f.Secret, err = SealFactorSecret(s.sealer, acc.Instance, acc.ID, f.ID, f.Kind, secret, now)
	return f, err
}

// Secret opens the secret of a factor of an account, or of one that is being
// enrolled for it: the bytes of an authenticator's, or a phone's number.
func (s *Service) Secret(acc *account.Account, f *account.Factor) ([]byte, error) {
	return OpenFactorSecret(s.sealer, acc.Instance, acc.ID, f.ID, f.Kind, f.Secret, s.clock())
}

// EnrolSend asks for a code to be sent to a phone that is being enrolled.
type EnrolSend struct {
	Enrolment account.Enrolment
	// Host, Site and Lang are as in SendRequest.
	Host, Site, Lang string
}

// SendEnrolment sends a code to the phone that is being enrolled, as Send does
// in a challenge. With SendWait beyond an hour, the account has got as many
// enrolment texts as it may in a day.
func (s *Service) SendEnrolment(ctx context.Context, r EnrolSend) (SendOutcome, error) {
	e := &r.Enrolment
	if s.sender == nil {
		return SendOutcome{}, ErrNoSender
	}
	now := s.clock()
	number, err := OpenFactorSecret(s.sealer, e.Instance, e.Account, e.Factor.ID, e.Factor.Kind, e.Factor.Secret, now)
	if err != nil {
		return SendOutcome{}, err
	}
	code, err := s.drawCode(enrolmentBinding(e), letter{r.Lang, account.PurposeEnrolment, r.Site, r.Host, ""}, e.Expires, now)
	if err != nil {
		return SendOutcome{}, err
	}
	if ok, err := s.enter(); !ok {
		return SendOutcome{State: SendCrowded, Until: now}, err
	}
	res, err := s.enrolments.ReserveEnrolmentSend(ctx, store.EnrolmentSend{
		ID: e.ID, Standing: e.Standing, New: code, PerCode: s.limits.PerCode, Waits: s.limits.Waits,
	}, now)
	if err != nil || !res.Send {
		s.leave()
		return notReserved(res, err)
	}
	d := delivery{
		instance: e.Instance, account: e.Account, enrolment: e.ID, factor: e.Factor.ID, n: res.N, hint: e.Factor.Hint,
		message: sms.Message{To: string(number), ID: s.outboxID(e.ID, e.Factor.ID, res.N)},
	}
	text, err := s.sealer.Open(purposeCode, enrolmentBinding(e), res.Sealed, now)
	if err != nil {
		s.record(ctx, d, account.SendFailed)
		s.leave()
		return SendOutcome{}, fmt.Errorf("open the text to be sent (is its key still in the configuration?): %w", err)
	}
	d.message.Text = string(text)
	return SendOutcome{State: s.await(ctx, s.deliver(ctx, d)), Until: res.NotBefore}, nil
}

// Proved is a Result: the code of an enrolment was right, and what the store
// needs to spend it.
type Proved struct {
	// Enrolled spends the enrolment (store.Change).
	Enrolled store.Enrolled
	// Factor is the factor as it is to be added.
	Factor account.Factor
}

func (Proved) result() {}

// CheckEnrolment checks a code of the factor that is being enrolled: it is
// counted and compared, and not spent. The result is one of Proved, Wrong,
// Malformed, Exhausted, NoCode and Gone.
func (s *Service) CheckEnrolment(ctx context.Context, e *account.Enrolment, input string) (Result, error) {
	now := s.clock()
	digits := sentDigits
	if e.Factor.Kind == account.KindTOTP {
		if _, err := totpOptions(e.Factor.TOTP); err != nil {
			return nil, err
		}
		digits = e.Factor.TOTP.Digits
	}
	code, ok := foldCode(input, digits)
	if !ok {
		return Malformed{Digits: digits}, nil
	}
	a, err := s.enrolments.TryEnrolment(ctx, e.ID, e.Standing, s.limits.PerCode, now)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Gone{}, nil
	case err != nil:
		return nil, fmt.Errorf("count the attempt: %w", err)
	case a.Exhausted:
		return Exhausted{}, nil
	case !a.Counted:
		return NoCode{}, nil
	}
	m, err := s.matchEnrolment(ctx, e, code, now)
	if err != nil {
		return nil, err
	}
	if !m.right {
		return Wrong{Left: a.Left}, nil
	}
	f := e.Factor
	f.LastStep, f.Created, f.Used = m.step, now, now
	return Proved{Enrolled: store.Enrolled{ID: e.ID, Standing: e.Standing, CodeHash: m.hash}, Factor: f}, nil
}

// matchEnrolment compares a code. That of a phone is read again: it may have
// been sent after the enrolment was read first.
func (s *Service) matchEnrolment(ctx context.Context, e *account.Enrolment, code string, now time.Time) (match, error) {
	if e.Factor.Kind == account.KindTOTP {
		secret, err := OpenFactorSecret(s.sealer, e.Instance, e.Account, e.Factor.ID, e.Factor.Kind, e.Factor.Secret, now)
		if err != nil {
			return match{}, err
		}
		return totpVerifier{secret, e.Factor.TOTP, 0, s.limits.StepAhead}.match(ctx, code, "", now)
	}
	again, err := s.enrolments.Enrolment(ctx, e.ID, e.Standing, now)
	if errors.Is(err, store.ErrNotFound) {
		return match{}, nil
	}
	if err != nil {
		return match{}, fmt.Errorf("read the enrolment: %w", err)
	}
	right := s.sealer.VerifyMAC(purposeCode, again.Code.Hash, enrolmentBinding(e), []byte(code))
	return match{right: right, hash: again.Code.Hash}, nil
}

// enrolmentBinding is what the code of an enrolment is bound to: it opens no
// login, no step-up and no other enrolment (rule 4).
func enrolmentBinding(e *account.Enrolment) []byte {
	return frame([]byte(e.Instance), []byte(e.ID), []byte(e.Account), e.Standing[:], []byte(e.Factor.ID), []byte(account.PurposeEnrolment))
}

// ViewEnrolment returns what a page shows of an enrolment.
func (s *Service) ViewEnrolment(e *account.Enrolment, now time.Time) View {
	v := View{Kind: e.Factor.Kind, Label: e.Factor.Label, Hint: e.Factor.Hint, Digits: sentDigits}
	if e.Factor.Kind == account.KindTOTP {
		v.Digits, v.Period = e.Factor.TOTP.Digits, time.Duration(e.Factor.TOTP.Period)*time.Second
		v.TriesLeft = max(0, s.limits.PerCode-e.Tries)
		return v
	}
	ch := account.Challenge{ID: e.ID, Codes: map[string]account.Code{e.Factor.ID: e.Code}}
	f := e.Factor
	f.CurrentChallenge = e.ID
	if len(e.Code.Sends) == 0 {
		ch.Codes = nil
	}
	s.viewPhone(&v, &ch, &f, now)
	return v
}

// outboxID names a sending: the same for the same sending, and telling nothing
// of the challenge.
func (s *Service) outboxID(challenge, factor string, n int) string {
	mac := s.sealer.MAC(purposeOutbox, []byte(challenge), []byte(factor), []byte(strconv.Itoa(n)))
	return encodeID(mac[:16])
}
