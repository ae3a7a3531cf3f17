package handler

import (
	"errors"
	"strings"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// outcome says in words what a decision on a right password comes to, and which
// kinds of factors can answer where a code is asked for. It stores nothing.
func (g *Gate) outcome(parts *Parts, acc *account.Account, known bool, d policy.Decision, now time.Time) (string, []string, error) {
	switch {
	case !known && g.UnknownUser == AllowUnknown:
		return "let in without a second factor: there is no account of this name", nil, nil
	case !known:
		return "refused: there is no account of this name; import it", nil, nil
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
