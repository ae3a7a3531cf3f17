package twofactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// accountFields are what an operator says of an account; nil leaves what it has,
// an empty text removes it.
type accountFields struct {
	User     string    `json:"user"`
	Mail     *string   `json:"mail,omitempty"`
	Group    *string   `json:"group,omitempty"`
	Team     *string   `json:"team,omitempty"`
	Owner    *bool     `json:"owner,omitempty"`
	Language *string   `json:"language,omitempty"`
	Aliases  *[]string `json:"aliases,omitempty"`
}

// row is the same as the row of an import that says it.
func (f *accountFields) row() importRow {
	row := importRow{cell: map[string]string{columnUser: f.User}}
	for column, v := range map[string]*string{columnMail: f.Mail, columnGroup: f.Group, columnTeam: f.Team, columnLanguage: f.Language} {
		if v != nil {
			row.cell[column] = *v
		}
	}
	if f.Owner != nil {
		row.cell[columnOwner] = yesNo(*f.Owner)
	}
	if f.Aliases != nil {
		row.cell[columnAliases] = strings.Join(*f.Aliases, ";")
	}
	return row
}

// check checks the fields as those of an import.
func (f *accountFields) check() (importAccount, error) {
	var bad importError
	checked := checkRow(&bad, f.row(), "")
	if len(bad.problems) == 0 {
		return checked, nil
	}
	var all []string
	for _, p := range bad.problems {
		all = append(all, p.Column+": "+p.Reason)
	}
	return checked, inputErrorf("nothing was changed: %s", strings.Join(all, "; "))
}

// named are the fields that were given.
func (f *accountFields) named() (names []string) {
	for column := range f.row().cell {
		if column != columnUser {
			names = append(names, column)
		}
	}
	slices.Sort(names)
	return names
}

// add makes an account. It returns an inputError if there is one of that name.
func (o *operator) add(ctx context.Context, f accountFields) (*acted, error) {
	checked, err := f.check()
	if err != nil {
		return nil, err
	}
	there, err := o.parts.Store.Account(ctx, o.instance, checked.id)
	if err == nil {
		return nil, inputErrorf("%s is a name of %s already: caddy two-factor accounts set changes an account", clip(f.User), clip(there.Name))
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("looking for the account of %s: %w", clip(f.User), err)
	}
	fresh := account.Account{Instance: o.instance, ID: checked.id, Name: checked.name, Created: o.now}
	done, err := o.changeOf(ctx, fresh, store.Change{Create: &fresh, Edit: func(a *account.Account) error {
		// Another one may have been made meanwhile: it has been changed once.
		if !a.Updated.IsZero() || !a.Created.Equal(o.now) {
			return inputErrorf("%s is a name of %s already", clip(f.User), clip(a.Name))
		}
		return checked.fill(a)
	}})
	if err != nil {
		return nil, err
	}
	o.record(ctx, done.Account, handler.ActAdded, strings.Join(f.named(), ", "), o.event(done.Account, handler.UserCreated, handler.ByOperator, o.by))
	return o.did(done.Account, "added; it has no second factor yet"), nil
}

// set changes an account.
func (o *operator) set(ctx context.Context, f accountFields) (*acted, error) {
	if len(f.named()) == 0 {
		return nil, inputErrorf("nothing was named that is to be changed")
	}
	return o.edit(ctx, f.User, f, strings.Join(f.named(), ", "))
}

// edit changes an account, with what of it for the audit log.
func (o *operator) edit(ctx context.Context, user string, f accountFields, what string) (*acted, error) {
	checked, err := f.check()
	if err != nil {
		return nil, err
	}
	done, err := o.change(ctx, user, store.Change{Edit: func(a *account.Account) error { return checked.fill(a) }})
	if err != nil {
		return nil, err
	}
	o.record(ctx, done.Account, handler.ActChanged, what, o.event(done.Account, handler.UserUpdated, handler.ByOperator, o.by))
	return o.did(done.Account, "changed: "+what), nil
}

// aliasRequest changes the aliases of an account.
type aliasRequest struct {
	User   string   `json:"user"`
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// aliasList are the aliases of an account.
type aliasList struct {
	Instance string   `json:"instance"`
	User     string   `json:"user"`
	Aliases  []string `json:"aliases"`
}

// aliases adds aliases to an account, removes some, or lists them if neither is
// asked for. An alias that is to be removed and is not there is an inputError.
func (o *operator) aliases(ctx context.Context, q aliasRequest) (*aliasList, error) {
	acc, err := o.find(ctx, q.User)
	if err != nil {
		return nil, err
	}
	if len(q.Add)+len(q.Remove) == 0 {
		o.record(ctx, acc, handler.ActShown, "aliases")
		return o.aliasesOf(acc), nil
	}
	f := accountFields{User: acc.Name, Aliases: &q.Add}
	checked, err := f.check()
	if err != nil {
		return nil, err
	}
	done, err := o.changeOf(ctx, acc, store.Change{Edit: func(a *account.Account) error {
		return editAliases(a, *checked.aliases, q.Remove)
	}})
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("aliases: %d added, %d removed", len(q.Add), len(q.Remove))
	o.record(ctx, done.Account, handler.ActChanged, what, o.event(done.Account, handler.UserUpdated, handler.ByOperator, o.by))
	return o.aliasesOf(done.Account), nil
}

func editAliases(a *account.Account, add, remove []string) error {
	for _, name := range remove {
		at := slices.Index(a.Aliases, account.Fold(name))
		if at < 0 {
			return inputErrorf("nothing was changed: %s is no alias of %s", clip(name), clip(a.Name))
		}
		a.Aliases = slices.Delete(a.Aliases, at, at+1)
	}
	for _, name := range add {
		if !slices.Contains(a.Aliases, name) {
			a.Aliases = append(a.Aliases, name)
		}
	}
	if len(a.Aliases) > maxImportAliases {
		return inputErrorf("nothing was changed: an account has at most %d aliases", maxImportAliases)
	}
	return nil
}

func (o *operator) aliasesOf(acc account.Account) *aliasList {
	return &aliasList{Instance: o.instance, User: acc.Name, Aliases: append([]string{}, acc.Aliases...)}
}

// write writes the aliases, one a line.
func (l *aliasList) write(w io.Writer) error {
	if len(l.Aliases) == 0 {
		_, err := fmt.Fprintf(w, "%s in instance %s has no alias\n", plain(l.User), l.Instance)
		return err
	}
	var out strings.Builder
	for _, alias := range l.Aliases {
		out.WriteString(plain(alias) + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// searchRequest asks for accounts by a part of a name, address, team or group.
type searchRequest struct {
	Text string `json:"text"`
}

// search lists the accounts of an instance, or of all, that have a text in a
// name, alias, mail address, team or group.
func (o *operator) search(ctx context.Context, q searchRequest) (accountList, error) {
	text := strings.ToLower(strings.TrimSpace(q.Text))
	if text == "" {
		return nil, inputErrorf("want a text to search for")
	}
	found := accountList{}
	for a, err := range o.parts.Store.ListAccounts(ctx, o.instance) {
		if err != nil {
			return nil, fmt.Errorf("listing accounts: %w", err)
		}
		has := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
		if slices.ContainsFunc(append([]string{a.ID, a.Name, a.Mail, a.Team, a.Group}, a.Aliases...), has) {
			found = append(found, viewAccount(a, o.now))
		}
	}
	o.record(ctx, account.Account{}, handler.ActSearched, "")
	return found, nil
}

// did is the answer of an act on an account.
func (o *operator) did(acc account.Account, words string) *acted {
	return &acted{Instance: o.instance, User: acc.Name, Done: words}
}
