package twofactor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// importResult says what an import did.
type importResult struct {
	Instance  string `json:"instance"`
	New       int    `json:"new"`
	Changed   int    `json:"changed"`
	Unchanged int    `json:"unchanged"`
	// Weak are the lines with an authenticator's secret that was taken though
	// it is shorter than RFC 4226 asks for.
	Weak []int `json:"weak_secrets,omitempty"`
	// WithoutFactor is how many accounts of the file have no factor now, and
	// FirstWithout the first of their names.
	WithoutFactor int      `json:"without_factor,omitempty"`
	FirstWithout  []string `json:"first_without_factor,omitempty"`
}

// importer takes an import into a store.
type importer struct {
	parts    *handler.Parts
	instance string
	// instances are those of the config; empty if they are not known.
	instances []string
	// region is where numbers without a country code are read; empty for
	// nowhere.
	region string
	now    time.Time
	// events are told of the import; by says by what it came, and from which
	// address, if there is one.
	events   *recorder
	by, from string
}

// run takes all of the import or, if anything is wrong with it, nothing, and
// has it recorded.
func (im *importer) run(ctx context.Context, r io.Reader) (importResult, error) {
	result, changes, err := im.apply(ctx, r)
	im.record(context.WithoutCancel(ctx), result, changes, err)
	return result, err
}

// checkInstance says whether there can be an instance of that name; all are
// those of the config, empty if they are not known.
func checkInstance(name string, all []string) error {
	if !shortName.MatchString(name) {
		return inputErrorf("the instance %s is not 1 to 32 of a-z, 0-9 and -", clip(name))
	}
	if len(all) > 0 && !slices.Contains(all, name) {
		return inputErrorf("there is no instance %s in this config; there is %s: name one with --instance", clip(name), strings.Join(all, ", "))
	}
	return nil
}

// apply is run, with an event for each account that it makes or changes.
func (im *importer) apply(ctx context.Context, r io.Reader) (importResult, []handler.Event, error) {
	result := importResult{Instance: im.instance}
	if err := checkInstance(im.instance, im.instances); err != nil {
		return result, nil, err
	}
	if im.region != "" && !isRegion(im.region) {
		return result, nil, inputErrorf("the region %s is none: want two letters such as DE", clip(im.region))
	}
	var bad importError
	rows, err := readRows(r, &bad)
	if err != nil {
		return result, nil, err
	}
	list := checkRows(rows, im.region, &bad)
	for try := 1; ; try++ {
		result = importResult{Instance: im.instance}
		put, changes, err := im.mergeAll(ctx, list, &result, &bad)
		if err != nil {
			return result, nil, fmt.Errorf("nothing was imported: %w", err)
		}
		if err := bad.err(); err != nil {
			return result, nil, err
		}
		if len(put) == 0 {
			return result, nil, nil
		}
		err = im.parts.Store.PutAccounts(ctx, put)
		switch {
		case err == nil:
			return result, changes, nil
		case !errors.Is(err, store.ErrChanged) || try == importTries:
			return result, nil, fmt.Errorf("nothing was imported: %w", err)
		}
	}
}

// importTries is how often an import is made anew where an account has changed since
// it was read.
const importTries = 5

// mergeAll returns the accounts that change with an event for each, and notes
// rows that do not go together with what the store has.
func (im *importer) mergeAll(ctx context.Context, list []importAccount, result *importResult, bad *importError) ([]account.Account, []handler.Event, error) {
	inFile := make(map[string]bool, len(list))
	for _, row := range list {
		inFile[row.id] = true
	}
	var put []account.Account
	var changes []handler.Event
	for _, row := range list {
		if bad.isFull() {
			return nil, nil, nil
		}
		if row.bad {
			continue
		}
		if ok, err := im.isFree(ctx, row, inFile, bad); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", row.line, err)
		} else if !ok {
			continue
		}
		a, done, err := im.merge(ctx, row)
		if errors.Is(err, errNoTeam) {
			bad.add(row.line, columnOwner, "an owner needs a team")
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", row.line, err)
		}
		result.count(row, a, done)
		switch done {
		case unchanged:
			continue
		case created:
			changes = append(changes, im.event(handler.UserCreated, &a))
		case changed:
			changes = append(changes, im.event(handler.UserUpdated, &a))
		}
		put = append(put, a)
	}
	return put, changes, nil
}

// outcome is what a row makes of its account.
type outcome int

const (
	unchanged outcome = iota
	changed
	created
)

// count counts a row and its account as it is to be.
func (r *importResult) count(row importAccount, a account.Account, done outcome) {
	if row.totp != nil && row.totp.weak {
		r.Weak = append(r.Weak, row.line)
	}
	if !a.HasFactor() {
		if r.WithoutFactor++; len(r.FirstWithout) < maxFirstNames {
			r.FirstWithout = append(r.FirstWithout, a.Name)
		}
	}
	switch done {
	case unchanged:
		r.Unchanged++
	case changed:
		r.Changed++
	case created:
		r.New++
	}
}

// isFree notes names of a row that are another account's, and reports whether
// there are none. An alias of an account that is in the file too may be given
// up by it; the store decides that.
func (im *importer) isFree(ctx context.Context, row importAccount, inFile map[string]bool, bad *importError) (bool, error) {
	free := true
	check := func(name, column string) error {
		owner, err := im.parts.Store.Account(ctx, im.instance, name)
		if errors.Is(err, store.ErrNotFound) || err == nil && owner.ID == row.id {
			return nil
		}
		if err != nil {
			return err
		}
		if column == columnAliases && inFile[owner.ID] {
			return nil
		}
		free = false
		bad.add(row.line, column, "%s is a name of %s", clip(name), clip(owner.Name))
		return nil
	}
	if err := check(row.id, columnUser); err != nil {
		return false, err
	}
	if row.aliases == nil {
		return free, nil
	}
	for _, alias := range *row.aliases {
		if err := check(alias, columnAliases); err != nil {
			return false, err
		}
	}
	return free, nil
}

// merge returns the account as it is to be, and what that makes of it.
func (im *importer) merge(ctx context.Context, row importAccount) (account.Account, outcome, error) {
	old, err := im.parts.Store.Account(ctx, im.instance, row.id)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return old, unchanged, err
	}
	a := old
	if !known {
		a = account.Account{Instance: im.instance, ID: row.id, Created: im.now}
	}
	a.Name = row.name
	if err := row.fill(&a); err != nil {
		return old, unchanged, err
	}
	if a.Factors, err = im.factors(row, old); err != nil {
		return old, unchanged, err
	}
	a.DropIdleRecovery()
	if known && reflect.DeepEqual(normal(a), normal(old)) {
		return old, unchanged, nil
	}
	a.Updated = im.now
	// What happens meanwhile must not be undone: a factor that the user adds, a
	// suspension.
	a.Was = &account.Account{}
	if known {
		a.Was = &old
		return a, changed, nil
	}
	return a, created, nil
}

// fill writes what the row says of the account besides its name and its factors.
// An owner without a team is an error. Who moves to another team owns it only if the
// row says so, and no number of the old one's owner is left.
func (row importAccount) fill(a *account.Account) error {
	if row.team != nil && *row.team != "" && account.TeamKey(a.Team) != account.TeamKey(*row.team) {
		a.Owner, a.Proposed = false, nil
	}
	if row.aliases != nil {
		a.Aliases = *row.aliases
	}
	for _, field := range []struct{ from, to *string }{{row.mail, &a.Mail}, {row.group, &a.Group}, {row.team, &a.Team}, {row.language, &a.Language}} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	if row.owner != nil {
		a.Owner = *row.owner
	}
	if a.Owner && a.Team == "" {
		return errNoTeam
	}
	return nil
}

// errNoTeam is an account that is to be what it cannot be.
var errNoTeam = inputErrorf("%s: an owner needs a team", columnOwner)

// normal drops the difference between no list and an empty one.
func normal(a account.Account) account.Account {
	if len(a.Aliases) == 0 {
		a.Aliases = nil
	}
	if len(a.Factors) == 0 {
		a.Factors = nil
	}
	return a
}

// wantedFactor is what an import says of one kind of factor; one without a
// secret means that the account shall have none.
type wantedFactor struct {
	secret []byte
	hint   string
	params *account.TOTP
	found  bool
}

// wanted returns what the row says, by kind; a kind that the file does not
// speak of is not in it.
func (row importAccount) wanted() map[account.Kind]*wantedFactor {
	wanted := make(map[account.Kind]*wantedFactor, 2)
	if row.phone != nil {
		w := &wantedFactor{secret: []byte(*row.phone)}
		if len(w.secret) > 2 {
			w.hint = string(w.secret[len(w.secret)-2:])
		}
		wanted[account.KindPhone] = w
	}
	if row.totp != nil {
		wanted[account.KindTOTP] = &wantedFactor{secret: row.totp.secret, params: &row.totp.params}
	}
	return wanted
}

// factors returns the account's factors: of a kind that the file does not speak
// of those that it has, of the others the one in the file. A factor with the
// same secret and parameters is kept as it is, so that its spent steps stay
// spent and its failures counted.
func (im *importer) factors(row importAccount, old account.Account) ([]account.Factor, error) {
	wanted := row.wanted()
	var list []account.Factor
	for _, f := range old.Factors {
		w := wanted[f.Kind]
		if w == nil {
			list = append(list, f)
			continue
		}
		had, err := challenge.OpenFactorSecret(sealer{im.parts.Ring}, im.instance, old.ID, f.ID, f.Kind, f.Secret, im.now)
		if err != nil {
			return nil, err
		}
		if !w.found && bytes.Equal(had, w.secret) && reflect.DeepEqual(f.TOTP, w.params) {
			w.found = true
			list = append(list, f)
		}
	}
	for _, kind := range []account.Kind{account.KindPhone, account.KindTOTP} {
		w := wanted[kind]
		if w == nil || w.found || len(w.secret) == 0 {
			continue
		}
		f, err := im.newFactor(row.id, kind, w)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

func (im *importer) newFactor(accountID string, kind account.Kind, w *wantedFactor) (account.Factor, error) {
	id, err := challenge.NewID(rand.Reader)
	if err != nil {
		return account.Factor{}, err
	}
	sealed, err := challenge.SealFactorSecret(sealer{im.parts.Ring}, im.instance, accountID, id, kind, w.secret, im.now)
	if err != nil {
		return account.Factor{}, err
	}
	return account.Factor{ID: id, Kind: kind, Secret: sealed, Hint: w.hint, TOTP: w.params, Created: im.now}, nil
}
