package twofactor

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// demandRequest makes or ends the demand for one of user, group, team and all;
// without any of them it asks for a list.
type demandRequest struct {
	User  string `json:"user,omitempty"`
	Group string `json:"group,omitempty"`
	Team  string `json:"team,omitempty"`
	All   bool   `json:"all,omitempty"`
	// From is when it begins; zero for now. Off ends it.
	From time.Time `json:"from,omitzero"`
	Off  bool      `json:"off,omitempty"`
}

// demandView is one demand.
type demandView struct {
	// For is all, or user, group or team with the name.
	For  string    `json:"for"`
	From time.Time `json:"from"`
	// By is operator, or the ID of the owner's account.
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// demandResult is what became of a request.
type demandResult struct {
	Instance string `json:"instance"`
	// Demands are the one that was made or ended, or those that there are.
	Demands []demandView `json:"demands"`
	// Listed and Ended say which; neither: it was made.
	Listed bool `json:"listed,omitempty"`
	Ended  bool `json:"ended,omitempty"`
	// Users are how many it concerns, Without how many of them have no factor.
	Users   int `json:"users"`
	Without int `json:"without_factor"`
	// Told are how many of those are told by mail.
	Told int `json:"told"`
}

// target checks what the demand is for, in words; empty for a list.
func (q *demandRequest) target() (words string, err error) {
	n := 0
	for _, t := range []struct {
		given bool
		words string
	}{{q.User != "", "user " + q.User}, {q.Group != "", "group " + q.Group}, {q.Team != "", "team " + q.Team}, {q.All, "all"}} {
		if t.given {
			words, n = t.words, n+1
		}
	}
	switch {
	case n > 1:
		return "", inputErrorf("want one of a user, --group, --team and --all")
	case n == 0 && (q.Off || !q.From.IsZero()):
		return "", inputErrorf("for whom? want a user, --group, --team or --all")
	case q.Off && !q.From.IsZero():
		return "", inputErrorf("a demand that ends has no beginning: want --from or --off")
	}
	return words, nil
}

// demand makes a demand, ends it, or lists those that there are.
func (o *operator) demand(ctx context.Context, q demandRequest) (*demandResult, error) {
	// So do imports read them.
	q.Group, q.Team = strings.TrimSpace(q.Group), strings.TrimSpace(q.Team)
	words, err := q.target()
	if err != nil {
		return nil, err
	}
	if words == "" {
		return o.demands(ctx)
	}
	d := account.Demand{From: q.From, By: account.ByOperator, At: o.now}
	if d.From.IsZero() {
		d.From = o.now
	}
	r := &demandResult{Instance: o.instance, Ended: q.Off}
	var acc account.Account
	was := &d
	if q.User != "" {
		acc, was, err = o.demandOfUser(ctx, q, d)
		words = "user " + acc.Name
	} else {
		was, err = o.demandOfMany(ctx, q, d)
	}
	if err != nil {
		return nil, err
	}
	if q.Off {
		if was == nil {
			return nil, &strangersError{fmt.Errorf("in instance %s nothing is demanded of %s: caddy two-factor demand lists what is", o.instance, clip(words))}
		}
		d = *was
	}
	r.Demands = []demandView{viewDemand(words, d)}
	without := r.count(ctx, o, q, acc)
	if !q.Off {
		if r.Told, err = o.announce(ctx, without, d); err != nil {
			return nil, err
		}
	}
	act, detail := handler.ActDemanded, words+" from "+d.From.UTC().Format(time.RFC3339)
	if q.Off {
		act, detail = handler.ActDemandEnded, words
	}
	o.record(ctx, acc, act, detail)
	return r, nil
}

// demandOfUser makes or ends the demand for one user, and returns the one that
// there was.
func (o *operator) demandOfUser(ctx context.Context, q demandRequest, d account.Demand) (acc account.Account, was *account.Demand, err error) {
	done, err := o.change(ctx, q.User, store.Change{Edit: func(a *account.Account) error {
		was = a.Demand
		a.Demand = &d
		if q.Off {
			a.Demand = nil
		}
		return nil
	}})
	return done.Account, was, err
}

// demandOfMany does the same for a group, a team or all.
func (o *operator) demandOfMany(ctx context.Context, q demandRequest, d account.Demand) (was *account.Demand, err error) {
	for name, what := range map[string]string{q.Group: "group", q.Team: "team"} {
		if name != "" && !isGroupName(name) {
			return nil, inputErrorf("the name of a %s has at most %d bytes of text without control characters", what, maxImportGroup)
		}
	}
	err = o.parts.Store.ChangeDemands(ctx, o.instance, func(all *account.Demands) error {
		was = nil
		if q.All {
			was, all.All = all.All, &d
			if q.Off {
				all.All = nil
			}
			return nil
		}
		of, name := all.Groups, q.Group
		if q.Team != "" {
			of, name = all.Teams, account.TeamKey(q.Team)
		}
		if x, ok := of[name]; ok {
			was = &x
		}
		of[name] = d
		if q.Off {
			delete(of, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("changing the demands of instance %s: %w", o.instance, err)
	}
	return was, nil
}

// count counts the users whom a demand concerns. An account that cannot be read is
// left out: the demand holds for it nevertheless. It returns those without a factor.
func (r *demandResult) count(ctx context.Context, o *operator, q demandRequest, acc account.Account) (without []account.Account) {
	add := func(a *account.Account) {
		r.Users++
		if !a.HasFactor() {
			r.Without++
			without = append(without, *a)
		}
	}
	if q.User != "" {
		add(&acc)
		return without
	}
	for a, err := range o.parts.Store.ListAccounts(ctx, o.instance) {
		if err == nil && (q.All || q.Group != "" && a.Group == q.Group || q.Team != "" && a.InTeam(q.Team)) {
			add(&a)
		}
	}
	return without
}

// demands lists what is demanded in the store.
func (o *operator) demands(ctx context.Context) (*demandResult, error) {
	all, err := o.parts.Store.Demands(ctx, o.instance)
	if err != nil {
		return nil, fmt.Errorf("looking for the demands of instance %s: %w", o.instance, err)
	}
	r := &demandResult{Instance: o.instance, Listed: true, Demands: []demandView{}}
	if all.All != nil {
		r.Demands = append(r.Demands, viewDemand("all", *all.All))
	}
	for _, name := range slices.Sorted(maps.Keys(all.Groups)) {
		r.Demands = append(r.Demands, viewDemand("group "+name, all.Groups[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(all.Teams)) {
		r.Demands = append(r.Demands, viewDemand("team "+name, all.Teams[name]))
	}
	for a, err := range o.parts.Store.ListAccounts(ctx, o.instance) {
		if err != nil {
			return nil, fmt.Errorf("listing accounts: %w", err)
		}
		if a.Demand != nil {
			r.Demands = append(r.Demands, viewDemand("user "+a.Name, *a.Demand))
		}
	}
	o.record(ctx, account.Account{}, handler.ActDemandsListed, "")
	return r, nil
}

func viewDemand(words string, d account.Demand) demandView {
	v := demandView{For: words, From: d.From.UTC(), By: d.By, At: d.At.UTC()}
	if d.By == account.ByOperator {
		v.By = "operator"
	}
	return v
}

// demandWords say a demand of one user for people.
func demandWords(d account.Demand) string {
	v := viewDemand("", d)
	return "from " + v.From.Format(time.RFC3339) + ", by " + v.By
}

// write writes lines for people.
func (r *demandResult) write(w io.Writer) error {
	var out strings.Builder
	switch {
	case r.Listed && len(r.Demands) == 0:
		fmt.Fprintf(&out, "in instance %s the store demands a second factor of nobody; what the Caddyfile demands is not listed here\n", r.Instance)
	case r.Listed:
		for _, d := range r.Demands {
			fmt.Fprintf(&out, "%s: from %s, by %s\n", plain(d.For), d.From.Format(time.RFC3339), plain(d.By))
		}
	case r.Ended:
		fmt.Fprintf(&out, "%s in instance %s: the store demands no second factor any more; what the Caddyfile demands stays\n", plain(r.Demands[0].For), r.Instance)
	default:
		d := r.Demands[0]
		fmt.Fprintf(&out, "%s in instance %s: a second factor is demanded from %s; it concerns %s, of which %d have none yet\n",
			plain(d.For), r.Instance, d.From.Format(time.RFC3339), count1(r.Users, "account"), r.Without)
		if r.Users == 0 {
			out.WriteString("warning: it concerns no account yet; is the name right?\n")
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}
