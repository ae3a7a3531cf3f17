package challenge

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// Open makes the challenge that a session has to answer, for the caller to store
// with the session (store.Sessions.BeginSession). Its factors are the account's
// authenticators, then, if there is a sender, its phones, and its recovery codes
// last: what an SMS cannot protect from is not offered first (rule 12). It returns an error that wraps
// [ErrNoFactor] if none is left, and [ErrNoSender] too if a phone would be.
// Nothing is sent (rule 8).
func (s *Service) Open(acc *account.Account, instance string, session account.SessionID, purpose account.Purpose, address string, now time.Time) (account.Challenge, error) {
	if acc.Instance != instance {
		return account.Challenge{}, fmt.Errorf("the account is of instance %q, not of %q", acc.Instance, instance)
	}
	if purpose == "" || session == (account.SessionID{}) {
		return account.Challenge{}, errors.New("a challenge needs a purpose and a session")
	}
	factors, err := s.order(acc)
	if err != nil {
		return account.Challenge{}, err
	}
	id, err := NewID(s.rand)
	if err != nil {
		return account.Challenge{}, err
	}
	return account.Challenge{
		ID:       id,
		Instance: instance,
		Account:  acc.ID,
		Purpose:  purpose,
		State:    account.ChallengeOpen,
		Session:  session,
		Address:  address,
		Factors:  factors,
		Created:  now,
		Expires:  now.Add(s.limits.PendingLife),
	}, nil
}

// order returns the ids of the factors that can answer, the one to offer first
// in front.
func (s *Service) order(acc *account.Account) ([]string, error) {
	var apps, phones, recovery []string
	for _, f := range acc.Factors {
		switch f.Kind {
		case account.KindTOTP:
			apps = append(apps, f.ID)
		case account.KindPhone:
			phones = append(phones, f.ID)
		case account.KindRecovery:
			if f.Recovery != nil && len(f.Recovery.Hashes) > 0 {
				recovery = append(recovery, f.ID)
			}
		}
	}
	switch {
	case s.sender != nil:
		apps = append(apps, phones...)
	case len(apps)+len(recovery) == 0 && len(phones) > 0:
		return nil, fmt.Errorf("%w: %w", ErrNoFactor, ErrNoSender)
	}
	if apps = append(apps, recovery...); len(apps) == 0 {
		return nil, ErrNoFactor
	}
	return apps, nil
}

// CanSend reports whether there is a sender of texts.
func (s *Service) CanSend() bool { return s.sender != nil }
