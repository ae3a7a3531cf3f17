package challenge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// CheckRequest is a code that was entered.
type CheckRequest struct {
	// Challenge is the id of the challenge as the browser named it, Session the
	// browser's session; only this session may answer.
	Challenge string
	Session   account.SessionID
	// Account is the account of the session, Factor the id of the factor that
	// the code is of, as the browser named it.
	Account *account.Account
	Factor  string
	// Input is what was typed.
	Input string
	// Next is the verified session, or the one in account.StateAgain, that takes
	// the pending one's place if the code is right. Check sets its Factor and
	// FactorAt.
	Next account.Session
	// Routes are those routes of a step-up that the code counts for.
	Routes []string
	// Failed tells the user of wrong codes once the challenge is over, and Notices
	// tell of a right one; see [store.Attempt] and [store.Pass].
	Failed  *account.Notice
	Notices []account.Notice
	// Learn changes the account's history if the code is right; nil leaves it.
	Learn store.Learn
	// Device is the browser that is to be remembered if the code is right, in the
	// place of Replaces; see [store.Pass]. A step-up has none.
	Device   *account.Device
	Replaces account.DeviceID
}

// Result is what a check found: one of [Passed], [Wrong], [Malformed],
// [Exhausted], [Paused], [NoCode], [AlreadyUsed] and [Gone]. Only Passed opens
// anything.
type Result interface{ result() }

// Passed means that the code was right: it is spent, the session is stored and
// the hold is the caller's to release. A step-up may have held nothing.
type Passed struct {
	Hold account.Hold
	// Session is the session as it is stored: Next with its factor, or that of
	// the step-up under its new id.
	Session account.Session
}

// Wrong means that the code was not right.
type Wrong struct {
	// Left is how many tries are left for this code, or for the authenticator
	// in this challenge.
	Left int
	// Used is true if the code was right but its time step was accepted before:
	// the person has to wait for the next code.
	Used bool
}

// Malformed means that what was typed cannot be a code; nothing was counted.
type Malformed struct {
	// Digits is how many digits a code of this factor has.
	Digits int
}

// Exhausted means that the code, or the authenticator in this challenge, has no
// try left.
type Exhausted struct{}

// Paused means that the factor had too many failures in a row.
type Paused struct{ Until time.Time }

// NoCode means that no code lives that could be right: none was sent, it has
// expired, or a newer challenge has killed it.
type NoCode struct{}

// AlreadyUsed means that the challenge was passed before.
type AlreadyUsed struct{}

// Gone means that the challenge is not there for this session and factor: it is
// cancelled, has expired, is another's, or a login has suspended its session.
type Gone struct{}

func (Passed) result()      {}
func (Wrong) result()       {}
func (Malformed) result()   {}
func (Exhausted) result()   {}
func (Paused) result()      {}
func (NoCode) result()      {}
func (AlreadyUsed) result() {}
func (Gone) result()        {}

// Check checks a code. Before it is compared the attempt is counted in the
// store, whatever becomes of it (rule 5); spending it is the store's one step
// (rule 3), so that of any number of right codes at once one passes.
//
// An error means that nobody could say; nothing is opened then.
func (s *Service) Check(ctx context.Context, r CheckRequest) (Result, error) {
	now := s.clock()
	q, no, err := s.ask(ctx, &r, now)
	if no != nil || err != nil {
		return no, err
	}
	if err := fits(&r.Next, &q.challenge); err != nil {
		return nil, err
	}
	left, m, no, err := s.compare(ctx, &r, q.factor, now)
	if no != nil || err != nil {
		return no, err
	}
	r.Next.Factor, r.Next.FactorAt = q.factor.Kind, now
	hold, err := s.store.PassChallenge(ctx, store.Pass{
		Challenge: r.Challenge,
		Session:   r.Session,
		Factor:    q.factor.ID,
		Step:      m.step,
		CodeHash:  m.hash,
		Next:      r.Next,
		Learn:     r.Learn,
		Device:    r.Device,
		Notices:   r.Notices,
		Replaces:  r.Replaces,
	}, now)
	if err != nil {
		return s.notSpent(ctx, &r, q.factor.Kind, left, err, now)
	}
	return Passed{Hold: hold, Session: r.Next}, nil
}

// CheckStepUp checks a code that answers a step-up, as Check does. Of the next
// session only the id counts, which the session gets with a right code. Take
// says that the caller sends the held request now.
func (s *Service) CheckStepUp(ctx context.Context, r CheckRequest, take bool) (Result, error) {
	now := s.clock()
	q, no, err := s.ask(ctx, &r, now)
	if no != nil || err != nil {
		return no, err
	}
	if q.challenge.Purpose != account.PurposeStepUp {
		return nil, errors.New("the challenge is no step-up")
	}
	left, m, no, err := s.compare(ctx, &r, q.factor, now)
	if no != nil || err != nil {
		return no, err
	}
	stepped, err := s.store.PassStepUp(ctx, store.PassStepUp{
		Challenge: r.Challenge,
		Session:   r.Session,
		Factor:    q.factor.ID,
		Step:      m.step,
		CodeHash:  m.hash,
		Next:      r.Next.ID,
		Routes:    r.Routes,
		Notices:   r.Notices,
		Take:      take,
	}, now)
	if err != nil {
		return s.notSpent(ctx, &r, q.factor.Kind, left, err, now)
	}
	passed := Passed{Session: stepped.Session}
	if stepped.Hold != nil {
		passed.Hold = *stepped.Hold
	}
	return passed, nil
}

// question is a challenge with the factor that is to answer it.
type question struct {
	challenge account.Challenge
	factor    *account.Factor
}

// ask finds what a code is to answer. It returns a result if there is nothing.
func (s *Service) ask(ctx context.Context, r *CheckRequest, now time.Time) (question, Result, error) {
	ch, err := s.store.Challenge(ctx, r.Challenge, now)
	if errors.Is(err, store.ErrNotFound) {
		return question{}, Gone{}, nil
	}
	if err != nil {
		return question{}, nil, fmt.Errorf("read the challenge: %w", err)
	}
	// The id of a verified session changes; the store compares its standing.
	if ch.Purpose != account.PurposeStepUp && ch.Session != r.Session {
		return question{}, Gone{}, nil
	}
	f, err := factorOf(&ch, r.Account, r.Factor)
	if errors.Is(err, store.ErrNotFound) {
		return question{}, Gone{}, nil
	}
	return question{ch, f}, nil, err
}

// compare counts the attempt and compares the code. It returns a result if the
// code is not right.
func (s *Service) compare(ctx context.Context, r *CheckRequest, f *account.Factor, now time.Time) (left int, m match, no Result, err error) {
	v, err := s.verifierOf(r.Account, f, now)
	if err != nil {
		return 0, m, nil, err
	}
	code, ok := v.fold(r.Input)
	if !ok {
		return 0, m, Malformed{Digits: v.digits()}, nil
	}
	if left, no, err = s.count(ctx, r, now); no != nil || err != nil {
		return 0, m, no, err
	}
	if m, err = v.match(ctx, code, r.Challenge, now); err != nil || m.right {
		return left, m, nil, err
	}
	if again, err := s.store.Challenge(ctx, r.Challenge, now); err == nil && again.State == account.ChallengePassed {
		// Another submit passed between the counting and the comparison,
		// and its code is gone since.
		return left, m, AlreadyUsed{}, nil
	}
	return left, m, Wrong{Left: left, Used: m.used}, nil
}

// notSpent says why a right code was not spent.
func (s *Service) notSpent(ctx context.Context, r *CheckRequest, kind account.Kind, left int, err error, now time.Time) (Result, error) {
	if errors.Is(err, store.ErrSpent) || errors.Is(err, store.ErrNotFound) {
		return s.lost(ctx, r, kind, left, err, now)
	}
	return nil, fmt.Errorf("spend the code: %w", err)
}

// fits refuses a next session that is not the challenged user's: what was
// verified for one is worth nothing for another (invariant 3).
func fits(next *account.Session, ch *account.Challenge) error {
	if next.Instance != ch.Instance || next.Account != ch.Account || !next.Follows() || next.ID == ch.Session {
		return errors.New("the next session is not a new verified session of the challenged account")
	}
	return nil
}

// count counts the attempt. It returns a result if it must not go on.
func (s *Service) count(ctx context.Context, r *CheckRequest, now time.Time) (left int, no Result, err error) {
	a, err := s.store.CountAttempt(ctx, store.Attempt{
		Challenge: r.Challenge,
		Session:   r.Session,
		Factor:    r.Factor,
		PerCode:   s.limits.PerCode,
		InARow:    s.limits.InARow,
		Pause:     s.limits.Pause,
		Failed:    r.Failed,
	}, now)
	switch {
	case errors.Is(err, store.ErrSpent):
		return 0, AlreadyUsed{}, nil
	case errors.Is(err, store.ErrNotFound):
		return 0, Gone{}, nil
	case err != nil:
		return 0, nil, fmt.Errorf("count the attempt: %w", err)
	case a.Counted:
		return a.Left, nil, nil
	case !a.PausedUntil.IsZero():
		s.log.Warn("a code was refused: the factor is paused after too many failures in a row",
			zap.String("instance", r.Account.Instance), zap.String("account", r.Account.ID),
			zap.String("factor", r.Factor), zap.Time("until", a.PausedUntil))
		return 0, Paused{Until: a.PausedUntil}, nil
	case a.Exhausted:
		return 0, Exhausted{}, nil
	case a.NoCode:
		return 0, NoCode{}, nil
	default:
		return 0, nil, errors.New("count the attempt: the store neither counted nor refused it")
	}
}

// lost says why a right code was not accepted: somebody was faster, or it died
// between the comparison and the spending.
func (s *Service) lost(ctx context.Context, r *CheckRequest, kind account.Kind, left int, why error, now time.Time) (Result, error) {
	ch, err := s.store.Challenge(ctx, r.Challenge, now)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Gone{}, nil
	case err != nil:
		return nil, fmt.Errorf("read the challenge: %w", err)
	case ch.State == account.ChallengePassed:
		return AlreadyUsed{}, nil
	case ch.State != account.ChallengeOpen:
		return Gone{}, nil
	case errors.Is(why, store.ErrSpent) && kind == account.KindTOTP:
		return Wrong{Left: left, Used: true}, nil
	case errors.Is(why, store.ErrSpent):
		return AlreadyUsed{}, nil
	case kind == account.KindPhone:
		return NoCode{}, nil
	default:
		return Gone{}, nil
	}
}
