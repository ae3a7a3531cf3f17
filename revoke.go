package twofactor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Limits of one request to end sessions.
const (
	maxRevoked     = 1000
	maxRevokeBytes = 1 << 20
)

// revokeRequest is what the admin API takes.
type revokeRequest struct {
	// Users are names or aliases, as users type them.
	Users []string `json:"users"`
}

// revokeResult says whose sessions were ended.
type revokeResult struct {
	Instance string        `json:"instance"`
	Users    []revokedUser `json:"users"`
}

type revokedUser struct {
	User string `json:"user"`
	// Ended is how many sessions: a browser each, verified or at its challenge.
	Ended int `json:"ended"`
	// Devices is how many browsers were remembered.
	Devices int `json:"devices"`
	// devices are they; account is the ID of the account.
	devices []account.Device
	account string
}

// strangersError names users of whom nothing is known.
type strangersError struct{ error }

// revoker ends the sessions of users.
type revoker struct {
	store    store.Store
	instance string
	// instances are those of the config; empty if they are not known.
	instances []string
	now       time.Time
	// events are told; by says by what it came, and from which address, if there
	// is one.
	events   *recorder
	by, from string
}

// run ends all sessions of the users. If anybody of them has neither an account
// nor a session, it ends none of those who have an account and returns a
// strangersError. An error says whose sessions have ended nevertheless.
func (rv *revoker) run(ctx context.Context, users []string) (revokeResult, error) {
	result, err := rv.end(ctx, users)
	rv.record(context.WithoutCancel(ctx), result)
	if err == nil {
		return result, nil
	}
	var done []string
	for _, u := range result.Users {
		if u.Ended > 0 {
			done = append(done, clip(u.User))
		}
	}
	if len(done) == 0 {
		return result, fmt.Errorf("no session was ended: %w", err)
	}
	return result, fmt.Errorf("only the sessions of %s were ended: %w", strings.Join(done, ", "), err)
}

// end is run; whom the result names had their sessions ended, also if there is
// an error.
func (rv *revoker) end(ctx context.Context, users []string) (revokeResult, error) {
	result := revokeResult{Instance: rv.instance, Users: []revokedUser{}}
	if err := checkInstance(rv.instance, rv.instances); err != nil {
		return result, err
	}
	known, strange, err := rv.find(ctx, users)
	if err != nil {
		return result, err
	}
	// Where users without an account may come in, they have sessions too.
	var nobody []string
	for _, a := range strange {
		if err := rv.endOf(ctx, &result, a); err != nil {
			return result, err
		}
		if last := len(result.Users) - 1; result.Users[last].Ended == 0 {
			result.Users = result.Users[:last]
			nobody = append(nobody, clip(a.Name))
		}
	}
	if len(nobody) > 0 {
		return result, &strangersError{fmt.Errorf("in instance %s there is neither an account nor a session of %s", rv.instance, strings.Join(nobody, ", "))}
	}
	for _, a := range known {
		if err := rv.endOf(ctx, &result, a); err != nil {
			return result, err
		}
	}
	return result, nil
}

// find returns the accounts of the users, each once, and apart from them, as
// accounts with nothing but their names, those who have none.
func (rv *revoker) find(ctx context.Context, users []string) (known, strange []account.Account, err error) {
	if len(users) == 0 || len(users) > maxRevoked {
		return nil, nil, inputErrorf("want 1 to %d users, not %d", maxRevoked, len(users))
	}
	var ids []string
	for _, user := range users {
		folded := account.Fold(user)
		if folded == "" {
			return nil, nil, inputErrorf("%s cannot be the name of a user", clip(user))
		}
		a, err := rv.store.Account(ctx, rv.instance, folded)
		stranger := errors.Is(err, store.ErrNotFound)
		if stranger {
			a = account.Account{ID: folded, Name: user}
		} else if err != nil {
			return nil, nil, fmt.Errorf("looking for the account of %s: %w", clip(user), err)
		}
		switch {
		case slices.Contains(ids, a.ID):
		case stranger:
			strange = append(strange, a)
		default:
			known = append(known, a)
		}
		ids = append(ids, a.ID)
	}
	return known, strange, nil
}

// endOf ends the sessions of one user, and with them the devices. One that began before the name it is of
// became an alias, of a user without an account, is under that name.
func (rv *revoker) endOf(ctx context.Context, result *revokeResult, a account.Account) error {
	u := revokedUser{User: a.Name, account: a.ID}
	var err error
	if u.devices, err = rv.store.Devices(ctx, rv.instance, a.ID, rv.now); err != nil {
		return fmt.Errorf("looking for the browsers of %s: %w", clip(a.Name), err)
	}
	u.Devices = len(u.devices)
	for i, id := range append([]string{a.ID}, a.Aliases...) {
		n, err := rv.store.EndSessions(ctx, rv.instance, id)
		if err != nil {
			if i > 0 {
				result.Users = append(result.Users, u)
			}
			return fmt.Errorf("ending the sessions of %s: %w", clip(a.Name), err)
		}
		u.Ended += n
	}
	result.Users = append(result.Users, u)
	return nil
}

// record tells of each user, and of each session that was ended.
func (rv *revoker) record(ctx context.Context, result revokeResult) {
	var events []handler.Event
	for _, u := range result.Users {
		e := handler.Event{
			Time: rv.now, Instance: rv.instance, Kind: handler.OperatorActed, Result: handler.SessionsRevoked,
			User: u.User, Account: u.account, ClientIP: rv.from, Detail: fmt.Sprintf("%s: %d ended", rv.by, u.Ended),
		}
		if u.Devices > 0 {
			e.Detail += ", " + forgotten(u.Devices)
		}
		events = append(events, e)
		events = append(events, forgottenEvents(e, u.devices)...)
		e.Kind, e.Result, e.ClientIP, e.Detail = handler.SessionExpired, handler.Revoked, "", ""
		for range u.Ended {
			events = append(events, e)
		}
	}
	rv.events.recordAll(ctx, events)
}

// readRevoke reads what the admin API is sent.
func readRevoke(body io.Reader) ([]string, error) {
	var in revokeRequest
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, inputErrorf(`want a JSON object such as {"users": ["anna"]} of at most %d KiB: %w`, maxRevokeBytes>>10, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, inputErrorf("want one JSON object and nothing after it")
	}
	return in.Users, nil
}

// write writes lines for people.
func (r *revokeResult) write(w io.Writer) error {
	var out strings.Builder
	for _, u := range r.Users {
		ended := fmt.Sprintf("%d sessions ended", u.Ended)
		switch u.Ended {
		case 0:
			ended = "there was no session"
		case 1:
			ended = "1 session ended"
		}
		if u.Devices > 0 {
			ended += ", " + forgotten(u.Devices)
		}
		fmt.Fprintf(&out, "%s in instance %s: %s\n", plain(u.User), r.Instance, ended)
	}
	_, err := io.WriteString(w, out.String())
	return err
}
