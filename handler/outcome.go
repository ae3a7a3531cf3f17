package handler

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// outcome says in words what a decision on a right password comes to, and which
// kinds of factors can answer where a code is asked for. It stores nothing.
func (g *Gate) outcome(ctx context.Context, parts *Parts, acc *account.Account, known bool, d policy.Decision, now time.Time) (string, []string, error) {
	need, err := g.needs(ctx, parts.Store, acc, &d, now)
	if err != nil {
		return "", nil, err
	}
	switch {
	case !known && g.UnknownUser == AllowUnknown:
		return "let in without a second factor: there is no account of this name", nil, nil
	case !known && g.UnknownUser != EnrolUnknown:
		return "refused: there is no account of this name; import it", nil, nil
	case acc.Suspended != nil:
		return "refused: the account is suspended; see 'caddy two-factor activate'", nil, nil
	case d.Verdict == policy.Deny:
		return "refused", nil, nil
	case asksForFactor(&need) && !acc.Alarm.IsZero():
		return "refused: the user has said that somebody else signed in, and has no factor; see 'caddy two-factor activate'", nil, nil
	case asksForFactor(&need):
		return "asked to add a second factor: " + string(need.State), nil, nil
	case d.Verdict == policy.Allow:
		return "let in without a second factor", nil, nil
	case d.Verdict != policy.Challenge:
		return "refused", nil, nil
	}
	ch, err := parts.Challenges.Open(acc, g.Instance, account.SessionID{1}, account.PurposeLogin, "", now)
	if errors.Is(err, challenge.ErrNoFactor) {
		return "refused: the account has no factor that can be used", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	if !onlyFactors(&ch, acc, d.Factors) {
		return "refused: at this score only " + strings.Join(d.Factors, " or ") + " may answer, and the account has none", nil, nil
	}
	return "asked for a code", kindsOf(acc, ch.Factors), nil
}

// kindsOf are the kinds of factors, each once.
func kindsOf(acc *account.Account, ids []string) (kinds []string) {
	seen := map[account.Kind]bool{}
	for _, id := range ids {
		if f, ok := acc.Factor(id); ok && !seen[f.Kind] {
			seen[f.Kind] = true
			kinds = append(kinds, string(f.Kind))
		}
	}
	return kinds
}
