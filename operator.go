package twofactor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// maxActBytes bounds what the admin API takes for one act.
const maxActBytes = 64 << 10

// operator does what an operator asks of accounts, by the admin API or by a
// command.
type operator struct {
	parts    *handler.Parts
	instance string
	// instances are those of the config; empty if they are not known.
	instances []string
	// gate is the instance's; nil if its config is not known.
	gate *handler.Gate
	now  time.Time
	// seen has written what mode observe has seen; nil where nobody looks.
	seen func()
	// random is where ids and codes are drawn from.
	random io.Reader
	// events are told; by says by what it came, and from which address, if there
	// is one.
	events   *recorder
	by, from string
}

// act is one thing that an operator can ask for: a request in JSON, and an answer.
type act struct {
	// post says, for whoever comes by another method, what POST does.
	post string
	// allInstances says that it is asked of all of them where none is named.
	allInstances bool
	run          func(ctx context.Context, o *operator, body io.Reader) (any, error)
}

// actOf is the act that takes a Q.
func actOf[Q, A any](post string, run func(o *operator, ctx context.Context, q Q) (A, error)) act {
	return act{post: post, run: func(ctx context.Context, o *operator, body io.Reader) (any, error) {
		var q Q
		if err := readAct(body, &q); err != nil {
			return nil, err
		}
		if o.instance != "" {
			if err := checkInstance(o.instance, o.instances); err != nil {
				return nil, err
			}
		}
		return run(o, ctx, q)
	}}
}

// ofAll is the act that is asked of all instances where none is named.
func (a act) ofAll() act {
	a.allInstances = true
	return a
}

// The acts, by their names in the admin API (see AdminAPI) and for commands.
const (
	actShow       = "accounts/show"
	actSearch     = "accounts/search"
	actAdd        = "accounts/add"
	actSet        = "accounts/set"
	actAliases    = "accounts/aliases"
	actErase      = "erase"
	actExport     = "export-data"
	actDemand     = "demand"
	actAllowOff   = "allow-off"
	actExempt     = "exempt"
	actSuspend    = "suspend"
	actActivate   = "activate"
	actUnlock     = "unlock"
	actReset      = "reset"
	actInvite     = "invite"
	actSessions   = "sessions"
	adminActsPath = "/two_factor/"
)

// acts returns the acts by their names.
func acts() map[string]act {
	return map[string]act{
		actShow:     actOf("what is known of a user is asked for by POST", (*operator).show),
		actSearch:   actOf("accounts are searched by POST", (*operator).search).ofAll(),
		actAdd:      actOf("an account is added by POST", (*operator).add),
		actSet:      actOf("an account is changed by POST", (*operator).set),
		actAliases:  actOf("the aliases of an account are changed by POST", (*operator).aliases),
		actErase:    actOf("a user is erased by POST", (*operator).erase),
		actExport:   actOf("the data of a user are asked for by POST", (*operator).export),
		actDemand:   actOf("a second factor is demanded by POST", (*operator).demand),
		actAllowOff: actOf("a user is allowed to switch the second factor off by POST", (*operator).allowOff),
		actExempt:   actOf("a user is exempted by POST", (*operator).exempt),
		actSuspend:  actOf("a user is suspended by POST", (*operator).suspend),
		actActivate: actOf("a user is activated by POST", (*operator).activate),
		actUnlock:   actOf("factors are unlocked by POST", (*operator).unlock),
		actReset:    actOf("factors are reset by POST", (*operator).reset),
		actInvite:   actOf("a user is invited by POST", (*operator).invite),
		actSessions: actOf("sessions are listed and ended by POST", (*operator).sessions),
	}
}

// readAct reads a request.
func readAct(body io.Reader, into any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return inputErrorf("want a JSON object of at most %d KiB: %w", maxActBytes>>10, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return inputErrorf("want one JSON object and nothing after it")
	}
	return nil
}

// perform has a backend do an act of an instance.
func perform[A any](ctx context.Context, b backend, name, instance string, request any) (result A, err error) {
	if ctx == nil {
		ctx = context.Background()
	}
	body, err := json.Marshal(request)
	if err != nil {
		return result, fmt.Errorf("asking for %s: %w", name, err)
	}
	answer, err := b.act(ctx, name, instance, bytes.NewReader(body))
	if err != nil {
		return result, err
	}
	defer answer.Close()
	if err := json.NewDecoder(io.LimitReader(answer, maxAdminAnswer)).Decode(&result); err != nil {
		return result, fmt.Errorf("reading the answer: %w; look at the account to see what was done", err)
	}
	return result, nil
}

// find returns the account of a user, by name or alias. It returns an inputError
// for what cannot be a name, and a strangersError if there is no account.
func (o *operator) find(ctx context.Context, user string) (account.Account, error) {
	folded := account.Fold(user)
	if folded == "" {
		return account.Account{}, inputErrorf("%s cannot be the name of a user", clip(user))
	}
	acc, err := o.parts.Store.Account(ctx, o.instance, folded)
	if err != nil {
		return acc, o.notFound(user, err)
	}
	return acc, nil
}

// notFound words an error of looking for an account.
func (o *operator) notFound(user string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &strangersError{fmt.Errorf("in instance %s there is no account of %s: caddy two-factor accounts lists those that there are", o.instance, clip(user))}
	}
	return fmt.Errorf("looking for the account of %s: %w", clip(user), err)
}

// isStranger reports whether an error says that somebody is not known.
func isStranger(err error) bool {
	var s *strangersError
	return errors.As(err, &s)
}

// change changes the account of a user in one step; Instance and Account of the
// change are filled in.
func (o *operator) change(ctx context.Context, user string, c store.Change) (store.Changed, error) {
	acc, err := o.find(ctx, user)
	if err != nil {
		return store.Changed{}, err
	}
	return o.changeOf(ctx, acc, c)
}

func (o *operator) changeOf(ctx context.Context, acc account.Account, c store.Change) (store.Changed, error) {
	c.Instance, c.Account = o.instance, acc.ID
	if edit := c.Edit; edit != nil {
		c.Edit = func(a *account.Account) error {
			if err := edit(a); err != nil {
				return err
			}
			a.Updated = o.now
			return nil
		}
	}
	done, err := o.parts.Store.ChangeAccount(ctx, c, o.now)
	var input *inputError
	switch {
	case err == nil:
		return done, nil
	case errors.As(err, &input):
		return done, err
	case errors.Is(err, store.ErrConflict):
		return done, inputErrorf("nothing was changed: %w", err)
	case errors.Is(err, store.ErrNotFound):
		return done, o.notFound(acc.Name, err)
	default:
		return done, fmt.Errorf("changing the account of %s: %w", clip(acc.Name), err)
	}
}

// cutting is what became of an act that ends all sessions of a user.
type cutting struct {
	// acc is the account as it is now, done says that it was changed.
	acc  account.Account
	done bool
	// ended is how many sessions ended, gone are the devices that were forgotten.
	ended int
	gone  []account.Device
}

// cut is change for an act that ends all sessions of a user and forgets the
// devices. It may be done beside an error.
func (o *operator) cut(ctx context.Context, user string, c store.Change) (cutting, error) {
	var cut cutting
	acc, err := o.find(ctx, user)
	if err != nil {
		return cut, err
	}
	if cut.gone, err = o.parts.Store.Devices(ctx, o.instance, acc.ID, o.now); err != nil {
		return cut, fmt.Errorf("looking for the browsers of %s: %w", clip(acc.Name), err)
	}
	c.End, c.Forget = store.EndAll, true
	changed, err := o.changeOf(ctx, acc, c)
	if err != nil {
		return cut, err
	}
	cut.acc, cut.done, cut.ended = changed.Account, true, changed.Ended
	n, err := o.endAliases(ctx, cut.acc)
	cut.ended += n
	return cut, err
}

// didCut tells of it.
func (o *operator) didCut(ctx context.Context, act handler.Result, detail, words string, cut cutting, err error) (*acted, error) {
	if cut.done {
		o.record(ctx, cut.acc, act, detail, o.endEvents(cut.acc, cut.ended, cut.gone)...)
	}
	if err != nil {
		return nil, err
	}
	a := o.did(cut.acc, words)
	a.Ended, a.Forgotten = cut.ended, len(cut.gone)
	return a, nil
}

// endAliases ends the sessions of the time before a name became an alias: they
// are under that name.
func (o *operator) endAliases(ctx context.Context, acc account.Account) (ended int, err error) {
	for _, alias := range acc.Aliases {
		n, err := o.parts.Store.EndSessions(ctx, o.instance, alias)
		if err != nil {
			return ended, fmt.Errorf("it is done, but the sessions of the alias %s could not be ended (caddy two-factor revoke tries again): %w", clip(alias), err)
		}
		ended += n
	}
	return ended, nil
}

// record tells of an act on an account, or of none if it is empty.
func (o *operator) record(ctx context.Context, acc account.Account, result handler.Result, detail string, more ...handler.Event) {
	e := o.event(acc, handler.OperatorActed, result, o.by)
	if detail != "" {
		e.Detail += ": " + detail
	}
	e.Instance = ""
	if shortName.MatchString(o.instance) {
		e.Instance = o.instance
	}
	o.events.recordAll(context.WithoutCancel(ctx), append([]handler.Event{e}, more...))
}

func (o *operator) event(acc account.Account, kind handler.Kind, result handler.Result, detail string) handler.Event {
	return handler.Event{
		Time: o.now, Instance: o.instance, Kind: kind, Result: result,
		User: acc.Name, Account: acc.ID, ClientIP: o.from, Detail: detail,
	}
}

// endEvents tell of each session and each device that an act has ended.
func (o *operator) endEvents(acc account.Account, ended int, gone []account.Device) []handler.Event {
	e := o.event(acc, handler.SessionExpired, handler.Revoked, "")
	e.ClientIP = ""
	return append(forgottenEvents(e, gone), slices.Repeat([]handler.Event{e}, ended)...)
}

// actOn is the request of an act that needs nothing but a user.
type actOn struct {
	User string `json:"user"`
}

// acted is the answer of an act on one user.
type acted struct {
	Instance string `json:"instance"`
	User     string `json:"user"`
	// Done says in words what was done.
	Done string `json:"done"`
	// Ended and Forgotten are how many sessions ended and browsers were forgotten.
	Ended     int `json:"ended,omitempty"`
	Forgotten int `json:"forgotten,omitempty"`
}

// write writes a line for people.
func (a *acted) write(w io.Writer) error {
	ends := ""
	if a.Ended > 0 {
		ends += fmt.Sprintf(", %s ended", count1(a.Ended, "session"))
	}
	if a.Forgotten > 0 {
		ends += ", " + forgotten(a.Forgotten)
	}
	_, err := fmt.Fprintf(w, "%s in instance %s: %s%s\n", plain(a.User), a.Instance, plain(a.Done), ends)
	return err
}

// count1 is a number with its word: one thing, or several.
func count1(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// reason checks what an operator gives as a reason.
func reason(why string) error {
	const most = 200
	if err := checkLine(why); err != nil {
		return inputErrorf("--why: a reason is required, and it %w", err)
	}
	if len(why) > most {
		return inputErrorf("--why: want at most %d bytes", most)
	}
	return nil
}

// instanceOf is the instance that an act is asked of.
func (a act) instanceOf(named string) string {
	if a.allInstances {
		return named
	}
	return cmp.Or(named, defaultName)
}
