package twofactor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// exportedData is all that the store knows of a user, but what opens anything: no seed,
// no code, no hash and no token (rule 30).
type exportedData struct {
	Exported time.Time      `json:"exported"`
	Account  *accountDetail `json:"account"`
	// Numbers are the phones' numbers, by the factor's id.
	Numbers  map[string]string `json:"numbers,omitempty"`
	Sessions []sessionView     `json:"sessions"`
	Devices  []deviceView      `json:"devices"`
	History  *historyView      `json:"history,omitempty"`
	// Seen is what mode observe has seen of the user's names.
	Seen []seenUser `json:"seen,omitempty"`
	// Texts are the times of the enrolment texts of the last 24 hours.
	Texts []time.Time `json:"enrolment_texts,omitempty"`
	// Elsewhere is where more of the user may be.
	Elsewhere []string `json:"elsewhere"`
}

// exportedNot is where an export does not look.
var exportedNot = []string{
	"the audit log: caddy two-factor audit --user NAME --json shows its lines",
	"notices that wait to be sent, Caddy's access log, backups, and the app itself",
}

// historyView is what the account is used to, for its user to read.
type historyView struct {
	Logins    int         `json:"logins"`
	First     time.Time   `json:"first"`
	Last      time.Time   `json:"last"`
	Addresses []valueView `json:"addresses,omitempty"`
	Networks  []valueView `json:"networks,omitempty"`
	Countries []valueView `json:"countries,omitempty"`
	Browsers  []valueView `json:"browsers,omitempty"`
	Systems   []valueView `json:"systems,omitempty"`
	// Hours are logins by the hour of the day, in UTC.
	Hours [24]int `json:"hours_utc"`
	// Place is where the last login was from of which that is known.
	Place *policy.Visited `json:"last_place,omitempty"`
}

type valueView struct {
	Value string `json:"value"`
	Count int    `json:"count"`
	First string `json:"first"`
	Last  string `json:"last"`
}

func viewValues[K comparable](values []policy.Value[K]) (views []valueView) {
	for _, v := range values {
		views = append(views, valueView{Value: fmt.Sprint(v.Key), Count: v.Count, First: v.First.String(), Last: v.Last.String()})
	}
	return views
}

func (o *operator) export(ctx context.Context, q actOn) (*exportedData, error) {
	if o.seen != nil {
		o.seen()
	}
	detail, acc, devices, sessions, err := o.detail(ctx, q.User)
	if err != nil {
		return nil, err
	}
	out := &exportedData{Exported: o.now.UTC(), Account: detail, Texts: acc.Texts, Sessions: []sessionView{}, Elsewhere: exportedNot}
	for i := range sessions {
		out.Sessions = append(out.Sessions, viewSession(&sessions[i]))
	}
	out.Devices = (&deviceKeeper{instance: o.instance}).view(acc, devices).Devices
	if out.Numbers, err = o.numbers(&acc); err != nil {
		return nil, err
	}
	if out.History, err = o.history(ctx, acc); err != nil {
		return nil, err
	}
	if out.Seen, err = o.seenOf(ctx, acc); err != nil {
		return nil, err
	}
	o.record(ctx, acc, handler.ActExported, "")
	return out, nil
}

// numbers opens the numbers of the account's phones.
func (o *operator) numbers(acc *account.Account) (map[string]string, error) {
	numbers := map[string]string{}
	phones := slices.Clone(acc.Factors)
	if acc.Proposed != nil {
		phones = append(phones, *acc.Proposed)
	}
	for _, f := range phones {
		if f.Kind != account.KindPhone {
			continue
		}
		number, err := challenge.OpenFactorSecret(sealer{o.parts.Ring}, o.instance, acc.ID, f.ID, f.Kind, f.Secret, o.now)
		if err != nil {
			return nil, err
		}
		numbers[f.ID] = string(number)
	}
	return numbers, nil
}

// history is what the account is used to; nil if nothing is known.
func (o *operator) history(ctx context.Context, acc account.Account) (*historyView, error) {
	raw, err := o.parts.Store.History(ctx, o.instance, acc.ID)
	if err != nil {
		return nil, fmt.Errorf("looking for what %s is used to: %w", clip(acc.Name), err)
	}
	if len(raw) == 0 {
		return nil, nil
	}
	h, err := policy.ParseHistory(raw)
	if err != nil {
		return nil, fmt.Errorf("what %s is used to: %w", clip(acc.Name), err)
	}
	v := &historyView{
		Logins: h.Logins, First: h.First, Last: h.Last, Hours: h.Hours,
		Addresses: viewValues(h.Addresses), Networks: viewValues(h.Networks), Countries: viewValues(h.Countries),
		Browsers: viewValues(h.Browsers), Systems: viewValues(h.Systems),
	}
	if !h.Place.At.IsZero() {
		v.Place = &h.Place
	}
	return v, nil
}

// seenOf is what mode observe has seen of the account's names.
func (o *operator) seenOf(ctx context.Context, acc account.Account) (list []seenUser, err error) {
	seen, err := listSeen(ctx, o.parts.Store, o.instance, o.now)
	if err != nil {
		return nil, err
	}
	names := append([]string{acc.ID}, acc.Aliases...)
	for _, s := range seen {
		if s.Kind == store.SeenUser && slices.Contains(names, s.Key) {
			list = append(list, seenUser{s.Instance, s.Detail, seenTimes{Count: s.Count, First: s.First.UTC(), Last: s.Last.UTC()}})
		}
	}
	return list, nil
}
