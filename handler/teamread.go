package handler

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// A login can say which team its user belongs to. It counts where the app has said
// yes, and changes the account before the policy is asked.

// teamIn reads the team from a login's request; empty if there is none. One that
// cannot be read for certain changes nothing.
func (v *visit) teamIn(l *Login) string {
	if l.Team == nil {
		return ""
	}
	if from := l.Team.From; from == FromForm || from == FromJSON {
		if err := v.readBody(); err != nil {
			return ""
		}
	}
	name, err := v.userFrom(l.Team)
	if err != nil && !isMissing(err) {
		v.g.Logger.Warn("the team of a login cannot be read for certain and changes nothing", zap.Error(err))
	}
	if err != nil {
		return ""
	}
	return teamName(name)
}

// teamName is the name of a team as it is kept: without blanks at its ends, of 1
// to account.MaxTeam bytes that can be shown. Empty for anything else.
func teamName(read string) string {
	name := strings.TrimSpace(read)
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if len(name) > account.MaxTeam || !utf8.ValidString(name) || strings.ContainsFunc(name, hidden) || account.TeamKey(name) == "" {
		return ""
	}
	return name
}

// takeTeam keeps the team that the login has said with the account, if it is
// another one. An owner owns the new one not, and a number that the owner of the
// old one has entered goes. For an unknown user it holds for this login.
func (a *attempt) takeTeam(ctx context.Context, acc *account.Account, unknown bool) error {
	if a.team == "" || acc.ID == "" || acc.InTeam(a.team) {
		return nil
	}
	before := acc.Team
	move := func(x *account.Account) error {
		if !x.InTeam(a.team) {
			x.Team, x.Owner, x.Proposed = a.team, false, nil
		}
		return nil
	}
	if unknown {
		return move(acc)
	}
	done, err := a.parts.Store.ChangeAccount(ctx, store.Change{Instance: acc.Instance, Account: acc.ID, Edit: move}, a.g.Clock())
	if err != nil {
		return err
	}
	*acc = done.Account
	a.record(Event{Kind: DemandChanged, Result: TeamRead, User: acc.Name, Account: acc.ID, Detail: strings.TrimPrefix("from "+before+" to ", "from  ") + acc.Team})
	return nil
}
