package twofactor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"reflect"
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
}

// importer takes an import into a store.
type importer struct {
	parts    *handler.Parts
	instance string
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

// apply is run, with an event for each account that it makes or changes.
func (im *importer) apply(ctx context.Context, r io.Reader) (importResult, []handler.Event, error) {
	result := importResult{Instance: im.instance}
	if !shortName.MatchString(im.instance) {
		return result, nil, inputErrorf("the instance %s is not 1 to 32 of a-z, 0-9 and -", clip(im.instance))
	}
	if im.region != "" && !isRegion(im.region) {
		return result, nil, inputErrorf("the region %s is none: want two letters such as DE", clip(im.region))
	}
	rows, err := readRows(r)
	if err != nil {
		return result, nil, err
	}
	list, err := checkRows(rows, im.region)
	if err != nil {
		return result, nil, err
	}
	var put []account.Account
	var changes []handler.Event
	for _, row := range list {
		a, known, err := im.merge(ctx, row)
		if err != nil {
			return result, nil, fmt.Errorf("nothing was imported: line %d: %w", row.line, err)
		}
		if row.totp != nil && row.totp.weak {
			result.Weak = append(result.Weak, row.line)
		}
		switch {
		case a == nil:
			result.Unchanged++
			continue
		case known:
			result.Changed++
			changes = append(changes, im.event(handler.UserUpdated, a))
		default:
			result.New++
			changes = append(changes, im.event(handler.UserCreated, a))
		}
		put = append(put, *a)
	}
	if len(put) == 0 {
		return result, changes, nil
	}
	if err := im.parts.Store.PutAccounts(ctx, put); err != nil {
		return result, nil, fmt.Errorf("nothing was imported: %w", err)
	}
	return result, changes, nil
}

// merge returns the account as it is to be, or nil if it is so already, and
// whether there was one.
func (im *importer) merge(ctx context.Context, row importAccount) (*account.Account, bool, error) {
	old, err := im.parts.Store.Account(ctx, im.instance, row.id)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, false, err
	}
	if known && old.ID != row.id {
		return nil, false, fmt.Errorf("user: %s is an alias of %s", clip(row.name), clip(old.Name))
	}
	a := old
	if !known {
		a = account.Account{Instance: im.instance, ID: row.id, Created: im.now}
	}
	a.Name = row.name
	if row.aliases != nil {
		a.Aliases = *row.aliases
	}
	if row.mail != nil {
		a.Mail = *row.mail
	}
	if row.group != nil {
		a.Group = *row.group
	}
	if a.Factors, err = im.factors(row, old); err != nil {
		return nil, false, err
	}
	if known && reflect.DeepEqual(normal(a), normal(old)) {
		return nil, true, nil
	}
	a.Updated = im.now
	return &a, known, nil
}

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
