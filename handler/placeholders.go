package handler

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// placeholders begin the names of what the rest of the Caddyfile and the access
// log can ask for.
const placeholders = "http.two_factor."

// The names of the placeholders.
const (
	placeUser       = "user"
	placeAccount    = "account"
	placeSession    = "session"
	placeState      = "state"
	placeFactor     = "factor"
	placeFactorTime = "factor_time"
	placeScore      = "score"
	placeDecision   = "decision"
)

// placeNames are all of them.
var placeNames = []string{placeUser, placeAccount, placeSession, placeState, placeFactor, placeFactorTime, placeScore, placeDecision}

// stateNone is the state of a request that comes in no session.
const stateNone = "none"

// seenFor is what the placeholders say of one session. It is small, and none of
// the room's: the access log asks for it when the room is another visit's.
type seenFor struct {
	user, account string
	factor        account.Kind
	at            int64
	score         int
	id            [8]byte
}

func seenForOf(id account.SessionID, s *account.Session) seenFor {
	factor, at := s.LastFactor()
	f := seenFor{user: s.User, account: s.Account, factor: factor, score: s.Score}
	copy(f.id[:], id[:])
	if !at.IsZero() {
		f.at = at.Unix()
	}
	return f
}

// say returns what a placeholder says.
func (s seenFor) say(name string) (any, bool) {
	switch name {
	case placeUser:
		return s.user, true
	case placeAccount:
		return s.account, true
	case placeSession:
		return hex.EncodeToString(s.id[:]), true
	case placeState:
		return string(account.StateVerified), true
	case placeFactor:
		return string(s.factor), true
	case placeFactorTime:
		if s.at == 0 {
			return "", true
		}
		return timeText(time.Unix(s.at, 0)), true
	case placeScore:
		return s.score, true
	case placeDecision:
		return string(decisionOf(s.factor)), true
	}
	return nil, false
}

// decisionOf is what the policy made of the login of a verified session, by the
// factor that was asked for.
func decisionOf(factor account.Kind) policy.Verdict {
	if factor == "" {
		return policy.Allow
	}
	return policy.Challenge
}

// nobodys returns the placeholders of requests that come in no verified
// session: all are empty but the state.
func nobodys(state string) caddy.ReplacerFunc {
	return func(key string) (any, bool) {
		name, ours := strings.CutPrefix(key, placeholders)
		switch {
		case !ours || !slices.Contains(placeNames, name):
			return nil, false
		case name == placeState:
			return state, true
		default:
			return "", true
		}
	}
}

// What is the same for every request costs none of them anything.
var (
	ofNobody  = nobodys(stateNone)
	ofPending = nobodys(string(account.StatePending))
)

// replacer is the request's; nil where there is none.
func (v *visit) replacer() *caddy.Replacer {
	repl, _ := v.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	return repl
}

// place gives the placeholders their values, which are made when somebody asks
// for them.
func (v *visit) place() {
	repl := v.replacer()
	switch {
	case repl == nil:
	case v.verified():
		s := seenForOf(v.sessionID, &v.session)
		repl.Map(func(key string) (any, bool) {
			name, ours := strings.CutPrefix(key, placeholders)
			if !ours {
				return nil, false
			}
			return s.say(name)
		})
	case v.found && v.session.State == account.StatePending:
		repl.Map(ofPending)
	default:
		repl.Map(ofNobody)
	}
}

// placeObserved says nothing of a session, in which somebody else may be logged
// in by now: observing keeps nobody from it.
func (v *visit) placeObserved() {
	if repl := v.replacer(); repl != nil {
		repl.Map(ofNobody)
	}
}

// placeNobody takes the values back: a login has suspended the session, or the
// request is not its user's.
func (v *visit) placeNobody() {
	repl := v.replacer()
	if repl == nil || !v.found {
		return
	}
	for _, name := range placeNames {
		value, _ := ofNobody(placeholders + name)
		repl.Set(placeholders+name, value)
	}
}

// placeAnswer says whom a login or a code has let in, or keeps waiting. The app
// has been asked by then: only the access log can see it.
func (v *visit) placeAnswer(s *account.Session, verdict policy.Verdict) {
	repl := v.replacer()
	if repl == nil {
		return
	}
	f := seenForOf(s.ID, s)
	for _, name := range placeNames {
		value, _ := f.say(name)
		repl.Set(placeholders+name, value)
	}
	repl.Set(placeholders+placeDecision, string(verdict))
	if s.State != account.StateVerified {
		state := stateNone
		if verdict == policy.Challenge {
			state = string(account.StatePending)
		}
		repl.Set(placeholders+placeState, state)
		repl.Set(placeholders+placeSession, "")
	}
}
