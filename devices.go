package twofactor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// maxDevicesBytes bounds one request to forget remembered browsers.
const maxDevicesBytes = 16 << 10

// devicesRequest is what the admin API takes to forget some of a user's
// remembered browsers, or all.
type devicesRequest struct {
	User string `json:"user"`
	// Forget are the IDs as they are listed. Either these or All.
	Forget []string `json:"forget,omitempty"`
	All    bool     `json:"all,omitempty"`
}

// deviceList is a user's remembered browsers: those that there are, or those
// that were forgotten.
type deviceList struct {
	Instance string       `json:"instance"`
	User     string       `json:"user"`
	Devices  []deviceView `json:"devices"`
}

// deviceView is what an operator is shown of a remembered browser: nothing that
// could be used as one.
type deviceView struct {
	ID        string    `json:"id"`
	Since     time.Time `json:"since"`
	LastUsed  time.Time `json:"last_used"`
	Until     time.Time `json:"until"`
	ClientIP  string    `json:"client_ip,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
}

// deviceKeeper lists and forgets remembered browsers.
type deviceKeeper struct {
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

// list lists the devices of a user, who is found by name or alias. It returns a
// strangersError if there is no such account.
func (k *deviceKeeper) list(ctx context.Context, user string) (deviceList, error) {
	acc, devices, err := k.find(ctx, user)
	if err != nil {
		return deviceList{}, err
	}
	k.record(ctx, acc, handler.DevicesListed, k.by, nil)
	return k.view(acc, devices), nil
}

// forget forgets devices of a user and returns them: those of the IDs, or all.
// If one of the IDs is not there, none is forgotten, and it returns a
// strangersError.
func (k *deviceKeeper) forget(ctx context.Context, r devicesRequest) (deviceList, error) {
	if r.All == (len(r.Forget) > 0) || len(r.Forget) > account.MaxDevices {
		return deviceList{}, inputErrorf("want the IDs of 1 to %d devices, or all of them", account.MaxDevices)
	}
	acc, devices, err := k.find(ctx, r.User)
	if err != nil {
		return deviceList{}, err
	}
	var ids []account.DeviceID
	for _, wanted := range r.Forget {
		at := slices.IndexFunc(devices, func(d account.Device) bool { return d.ID.String() == strings.ToLower(wanted) })
		if at < 0 {
			return deviceList{}, &strangersError{fmt.Errorf("no browser was forgotten: %s of instance %s has no device %s", clip(acc.Name), k.instance, clip(wanted))}
		}
		ids = append(ids, devices[at].ID)
	}
	if len(ids) > 0 {
		devices = slices.DeleteFunc(devices, func(d account.Device) bool { return !slices.Contains(ids, d.ID) })
	}
	if _, err := k.store.ForgetDevices(ctx, k.instance, acc.ID, ids...); err != nil {
		return deviceList{}, fmt.Errorf("forgetting browsers of %s: %w", clip(acc.Name), err)
	}
	k.record(context.WithoutCancel(ctx), acc, handler.DevicesForgotten, fmt.Sprintf("%s: %d forgotten", k.by, len(devices)), devices)
	return k.view(acc, devices), nil
}

func (k *deviceKeeper) find(ctx context.Context, user string) (acc account.Account, list []account.Device, err error) {
	if err := checkInstance(k.instance, k.instances); err != nil {
		return acc, nil, err
	}
	folded := account.Fold(user)
	if folded == "" {
		return acc, nil, inputErrorf("%s cannot be the name of a user", clip(user))
	}
	acc, err = k.store.Account(ctx, k.instance, folded)
	if errors.Is(err, store.ErrNotFound) {
		return acc, nil, &strangersError{fmt.Errorf("in instance %s there is no account of %s", k.instance, clip(user))}
	}
	if err == nil {
		list, err = k.store.Devices(ctx, k.instance, acc.ID, k.now)
	}
	if err != nil {
		return acc, nil, fmt.Errorf("looking for the browsers of %s: %w", clip(user), err)
	}
	return acc, list, nil
}

// record tells of the act, and of each device that is forgotten.
func (k *deviceKeeper) record(ctx context.Context, acc account.Account, act handler.Result, detail string, gone []account.Device) {
	e := handler.Event{
		Time: k.now, Instance: k.instance, Kind: handler.OperatorActed, Result: act,
		User: acc.Name, Account: acc.ID, ClientIP: k.from, Detail: detail,
	}
	k.events.recordAll(ctx, append([]handler.Event{e}, forgottenEvents(e, gone)...))
}

// forgottenEvents tell of each device that an operator's act has ended.
func forgottenEvents(act handler.Event, gone []account.Device) (events []handler.Event) {
	act.Kind, act.Result, act.ClientIP = handler.TokenRevoked, handler.OfDevice, ""
	for _, d := range gone {
		act.Detail = d.ID.String()
		events = append(events, act)
	}
	return events
}

func (k *deviceKeeper) view(acc account.Account, list []account.Device) deviceList {
	out := deviceList{Instance: k.instance, User: acc.Name, Devices: []deviceView{}}
	for _, d := range list {
		out.Devices = append(out.Devices, deviceView{
			ID: d.ID.String(), Since: d.Created, LastUsed: d.LastUsed, Until: d.Expires, ClientIP: d.ClientIP, UserAgent: d.UserAgent,
		})
	}
	return out
}

// readDevices reads what the admin API is sent.
func readDevices(body io.Reader) (in devicesRequest, err error) {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, inputErrorf(`want a JSON object such as {"user": "anna", "forget": ["1f0c22ab"]} or {"user": "anna", "all": true} of at most %d KiB: %w`, maxDevicesBytes>>10, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return in, inputErrorf("want one JSON object and nothing after it")
	}
	return in, nil
}

// write writes a table for people.
func (l *deviceList) write(w io.Writer) error {
	if len(l.Devices) == 0 {
		_, err := fmt.Fprintf(w, "%s in instance %s: no browser is remembered\n", plain(l.User), l.Instance)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSINCE\tLAST USED\tUNTIL\tADDRESS\tBROWSER")
	for _, d := range l.Devices {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, day(d.Since), day(d.LastUsed), day(d.Until), plain(d.ClientIP), plain(d.UserAgent))
	}
	return t.Flush()
}

// writeForgotten says for people what was forgotten.
func (l *deviceList) writeForgotten(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s in instance %s: %s\n", plain(l.User), l.Instance, forgotten(len(l.Devices)))
	return err
}

func forgotten(n int) string {
	switch n {
	case 0:
		return "no browser was remembered"
	case 1:
		return "1 remembered browser forgotten"
	default:
		return fmt.Sprintf("%d remembered browsers forgotten", n)
	}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }
