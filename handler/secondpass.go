package handler

import (
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// A login by script whose answer carries a token cannot be finished by letting
// the held answer go: the script that would take the token is gone, and a page
// cannot stand in for it. So the answer is thrown away, and the next right
// password of this account in this browser passes once without a code. The
// session that says so opens nothing else; the login that suspends it and
// begins a verified one in its place uses it up, in one step of the store.

// againFor is how long the next right password passes.
const againFor = 2 * time.Minute

// makeAgain makes the session that takes a pending one's place one that waits
// for the password once more.
func (v *visit) makeAgain(s *account.Session) {
	s.State, s.Again, s.Tokens = account.StateAgain, false, nil
	s.IdleFor, s.Expires = 0, s.LastSeen.Add(againFor)
}

// signInOnceMore says that the code was right and what is left to do.
func (v *visit) signInOnceMore(back string) error {
	if back == "" {
		back = v.g.LoginPage
	}
	if back == "" {
		back = "/"
	}
	return v.message(page.MessagePage{
		Message: page.SignInOnceMore, Host: v.site(), User: v.session.User,
		Ways: []page.Way{{Name: page.WaySignIn, To: back}},
	})
}

// endAgain ends, at a logout, a session that waits for the password once more:
// whoever comes to this browser after it needs a code.
func (v *visit) endAgain() error {
	if !v.found || v.session.State != account.StateAgain {
		return nil
	}
	if logout, err := v.matches(v.g.Logout); err == nil && !logout {
		return nil
	}
	return v.endSession(LoggedOut)
}

// passesAgain reports whether this right password is the one that needs no
// code, since the browser has just given one for this very account. The new
// session then has the factor that was passed.
func (a *attempt) passesAgain(s *account.Session) bool {
	if a.old == nil || a.old.State != account.StateAgain || a.againIsOver(s.Created) || a.old.Account != s.Account {
		return false
	}
	s.Factor, s.FactorAt = a.old.Factor, a.old.FactorAt
	a.g.Logger.Info("a login passes without a code, which was given just before", zap.String("user", s.User))
	return true
}

// againIsOver reports whether the session that the login has suspended waited
// for a password and does so no more: then there is none whose place a new one
// could take.
func (a *attempt) againIsOver(now time.Time) bool {
	return a.old != nil && a.old.State == account.StateAgain && !a.old.Alive(now)
}
