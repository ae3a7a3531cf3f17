package twofactor

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// accountDetail is everything that an operator is shown of an account.
type accountDetail struct {
	accountView
	ID       string          `json:"id"`
	Proposed *factorView     `json:"proposed,omitempty"`
	Demand   *account.Demand `json:"demand,omitempty"`
	AllowOff bool            `json:"allow_off,omitempty"`
	// Invited is until when an invitation is good.
	Invited  time.Time `json:"invited_until,omitzero"`
	Offered  time.Time `json:"offered,omitzero"`
	PutOff   time.Time `json:"put_off,omitzero"`
	Sessions int       `json:"sessions"`
	Devices  int       `json:"devices"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
	Need     needView  `json:"second_factor"`
}

// needView says how much the user is asked for a factor, if there is none, and
// which of config and store decides that.
type needView struct {
	HasFactor bool              `json:"has_factor"`
	WithoutIt account.NeedState `json:"without_one"`
	// Until is until when it may be put off.
	Until time.Time `json:"until,omitzero"`
	// DecidedBy is config or store; Decider says what of it, and Why the rest: the
	// rule, the name of the group or team, the operator's reason.
	DecidedBy string          `json:"decided_by"`
	Decider   account.Decider `json:"decider"`
	Why       string          `json:"why,omitempty"`
	// ConfigUnknown says that the store alone was asked.
	ConfigUnknown bool `json:"config_unknown,omitempty"`
}

// show shows all that is known of a user but what export has.
func (o *operator) show(ctx context.Context, q actOn) (*accountDetail, error) {
	v, acc, _, _, err := o.detail(ctx, q.User)
	if err != nil {
		return nil, err
	}
	o.record(ctx, acc, handler.ActShown, "")
	return v, nil
}

// detail reads an account with its devices and sessions.
func (o *operator) detail(ctx context.Context, user string) (v *accountDetail, acc account.Account, devices []account.Device, sessions []account.Session, err error) {
	if acc, err = o.find(ctx, user); err != nil {
		return nil, acc, nil, nil, err
	}
	v = &accountDetail{
		accountView: viewAccount(acc, o.now), ID: acc.ID, Demand: acc.Demand, AllowOff: acc.AllowOff,
		Offered: acc.Offered, PutOff: acc.PutOff, Created: acc.Created, Updated: acc.Updated,
	}
	if acc.Proposed != nil {
		f := viewFactor(*acc.Proposed, o.now)
		v.Proposed = &f
	}
	if i := acc.Invitation; i != nil && o.now.Before(i.Expires) {
		v.Invited = i.Expires
	}
	if devices, err = o.parts.Store.Devices(ctx, o.instance, acc.ID, o.now); err != nil {
		return nil, acc, nil, nil, fmt.Errorf("looking for the browsers of %s: %w", clip(acc.Name), err)
	}
	if sessions, err = o.sessionsOf(ctx, acc); err != nil {
		return nil, acc, nil, nil, err
	}
	v.Devices, v.Sessions = len(devices), len(sessions)
	v.Need, err = o.need(ctx, &acc)
	return v, acc, devices, sessions, err
}

// need asks config and store what they want of a user.
func (o *operator) need(ctx context.Context, acc *account.Account) (needView, error) {
	demands, err := o.parts.Store.Demands(ctx, o.instance)
	if err != nil {
		return needView{}, fmt.Errorf("looking for the demands of instance %s: %w", o.instance, err)
	}
	wanted := account.Wanted{Mode: account.ModeOff}
	if o.gate != nil {
		wanted = o.gate.Wanted(acc)
	}
	n := acc.Need(wanted, demands, o.now)
	v := needView{
		HasFactor: acc.HasFactor(), WithoutIt: n.State, Until: n.By, DecidedBy: "store", Decider: n.Decider, Why: n.Why,
		ConfigUnknown: o.gate == nil,
	}
	if n.Decider == account.DecidedByConfig {
		v.DecidedBy = "config"
	}
	return v, nil
}

// words say it for people.
func (v *needView) words() string {
	var what string
	switch v.WithoutIt {
	case account.NeedOffered:
		what = "is offered"
	case account.NeedAnnounced:
		what = "is offered, and demanded later"
	case account.NeedRequired:
		what = "is demanded"
	default:
		what = "is not asked for"
	}
	if !v.Until.IsZero() {
		what += " (until " + v.Until.UTC().Format(time.RFC3339) + ")"
	}
	if v.HasFactor {
		return "the user has one; without it, one " + what
	}
	return "the user has none; one " + what
}

// decision says which of the two decides, and why.
func (v *needView) decision() string {
	if v.ConfigUnknown && v.DecidedBy == "config" {
		return "nothing in the store; the config is not known here (name it with --config)"
	}
	by := "the store: "
	if v.DecidedBy == "config" {
		by = "the Caddyfile: "
	}
	words := string(v.Decider)
	switch {
	case v.Decider == account.DecidedByConfig && v.Why == "":
		words = "what it says for all"
	case v.Decider == account.DecidedByConfig:
		words = "its rule for " + v.Why
	case v.Why != "":
		words += " (" + v.Why + ")"
	}
	return by + words
}

// write writes lines for people.
func (v *accountDetail) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, plain(value))
		}
	}
	line("user", v.User)
	line("instance", v.Instance)
	line("aliases", strings.Join(v.Aliases, " "))
	line("mail", v.Mail)
	line("group", v.Group)
	if v.Team != "" {
		line("team", v.teamWords())
	}
	line("language", v.Language)
	for i := range v.Factors {
		line("factor", v.Factors[i].words())
	}
	if v.Proposed != nil {
		line("proposed", v.Proposed.words())
	}
	line("second factor", v.Need.words())
	line("decided by", v.Need.decision())
	v.writeStanding(line)
	line("sessions", fmt.Sprint(v.Sessions))
	line("devices", fmt.Sprint(v.Devices))
	line("created", day(v.Created))
	line("changed", sinceDay(v.Updated))
	return t.Flush()
}

// writeStanding writes what the operator and the user have said.
func (v *accountDetail) writeStanding(line func(name, value string)) {
	if s := v.Suspended; s != nil {
		line("suspended", strings.TrimSuffix(day(s.At)+": "+s.Why, ": "))
	}
	if !v.Alarm.IsZero() {
		line("alarm", day(v.Alarm)+": the user said 'this was not me'")
	}
	if e := v.Exempt; e != nil {
		line("exempt", "until "+e.Until.UTC().Format(time.RFC3339)+": "+e.Why)
	}
	if d := v.Demand; d != nil {
		line("demand", demandWords(*d))
	}
	if v.AllowOff {
		line("allow-off", "the user may switch the second factor off")
	}
	line("invited", untilDay(v.Invited))
	line("offered", sinceDay(v.Offered))
	line("put off", sinceDay(v.PutOff))
}

// words say all of a factor, for people.
func (f *factorView) words() string {
	words := []string{string(f.Kind)}
	if f.Hint != "" {
		words = append(words, f.Hint)
	}
	if f.Label != "" {
		words = append(words, clip(f.Label))
	}
	if f.Left != nil {
		words = append(words, fmt.Sprintf("(%d left)", *f.Left))
	}
	words = append(words, "since", day(f.Created))
	if !f.Used.IsZero() {
		words = append(words, "used", day(f.Used))
	}
	if !f.PausedUntil.IsZero() {
		words = append(words, "paused until", f.PausedUntil.Format(time.RFC3339))
	}
	return strings.Join(append(words, "id", f.ID), " ")
}

func sinceDay(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return day(t)
}

func untilDay(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "until " + day(t)
}
