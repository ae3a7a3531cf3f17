package twofactor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// enrolment says how people come to a second factor of their own. Syntax:
//
//	enrolment required|offered|off {
//	    group      <name> required|offered|off
//	    user       <name> required|offered|off
//	    from       <date>
//	    again      <duration>
//	    grace      <duration>
//	    confirm    operator|mail|known_device|open
//	    switch_off code|operator
//	    not_me     challenge|suspend
//	    owners_off
//	    issuer     <name>
//	    period     15s|30s|60s
//	}
//
// The block may be left out. A <date> is 2027-01-31, its beginning in UTC, or a
// time such as 2027-01-31T08:00:00+01:00.
func (d *directive) enrolment() error {
	word := d.Token()
	if err := d.once.claim(d.Dispenser); err != nil {
		return err
	}
	const usage = "enrolment required|offered|off { … }"
	if !d.NextArg() {
		return errAt(word, "enrolment lacks an argument; expected: %s", usage)
	}
	e := new(handler.Enrolment)
	if err := d.mode(&e.Mode); err != nil {
		return err
	}
	if d.NextArg() {
		return d.Errf("enrolment: unexpected '%s'; expected: %s", d.Val(), usage)
	}
	once := singles{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := d.enrolmentLine(e, once); err != nil {
			return err
		}
	}
	if err := checkEnrolment(e); err != nil {
		return errAt(word, "enrolment: %w", err)
	}
	d.hd.Enrolment = e
	return nil
}

func (d *directive) mode(to *account.Mode) error {
	if err := checkOneOf(d.Val(), "required", "offered", "off"); err != nil {
		return d.Errf("enrolment %v; got '%s'", err, d.Val())
	}
	*to = account.Mode(d.Val())
	return nil
}

func (d *directive) enrolmentLine(e *handler.Enrolment, once singles) error {
	switch word := d.Val(); word {
	case "group", "user":
		return d.enrolmentRule(e, word)
	case "from":
		return once.one(d.Dispenser, "from <date>, for example from 2027-01-31", func(arg caddyfile.Token) (err error) {
			e.From, err = parseDate(arg.Text)
			return err
		})
	case "again":
		return once.one(d.Dispenser, "again <duration>, for example again 7d", enrolmentDuration(&e.Again))
	case "grace":
		return once.one(d.Dispenser, "grace <duration>, for example grace 14d", enrolmentDuration(&e.Grace))
	case "confirm":
		return once.one(d.Dispenser, "confirm operator|mail|known_device|open", oneOfInto(&e.Confirm, handler.ConfirmOperator, handler.ConfirmMail, handler.ConfirmKnownDevice, handler.ConfirmOpen))
	case "switch_off":
		return once.one(d.Dispenser, "switch_off code|operator", oneOfInto(&e.SwitchOff, handler.OffByCode, handler.OffByOperator))
	case "not_me":
		return once.one(d.Dispenser, "not_me challenge|suspend", oneOfInto(&e.NotMe, handler.NotMeChallenge, handler.NotMeSuspend))
	case "issuer":
		return once.one(d.Dispenser, `issuer <name>, for example issuer "Example CRM"`, func(arg caddyfile.Token) error {
			e.Issuer = arg.Text
			return checkLine(arg.Text)
		})
	case "period":
		return once.one(d.Dispenser, "period 15s|30s|60s", func(arg caddyfile.Token) (err error) {
			e.Period, err = positiveDuration(arg.Text)
			return err
		})
	case "owners_off":
		e.OwnersOff = true
		if err := once.claim(d.Dispenser); err != nil {
			return err
		}
		if d.NextArg() {
			return d.Errf("owners_off takes no argument; got '%s'", d.Val())
		}
		return nil
	default:
		return unknownWord(d.Dispenser, "enrolment", "group, user, from, again, grace, confirm, switch_off, not_me, owners_off, issuer and period")
	}
}

func (d *directive) enrolmentRule(e *handler.Enrolment, word string) error {
	usage := word + " <name> required|offered|off"
	args, err := arguments(d.Dispenser, 2, 2, usage)
	if err != nil {
		return err
	}
	if err := checkOneOf(args[1].Text, "required", "offered", "off"); err != nil {
		return errAt(args[1], "%s %w; got '%s'", word, err, args[1].Text)
	}
	r := handler.EnrolmentRule{Mode: account.Mode(args[1].Text)}
	if word == "group" {
		r.Group = args[0].Text
	} else if r.User = args[0].Text; account.Fold(r.User) == "" {
		return errAt(args[0], "user: '%s' cannot be a name", args[0].Text)
	}
	e.Rules = append(e.Rules, r)
	return nil
}

func enrolmentDuration(to *caddy.Duration) func(caddyfile.Token) error {
	return func(arg caddyfile.Token) (err error) {
		*to, err = positiveDuration(arg.Text)
		return err
	}
}

func oneOfInto(to *string, words ...string) func(caddyfile.Token) error {
	return func(arg caddyfile.Token) error {
		*to = arg.Text
		return checkOneOf(arg.Text, words...)
	}
}

// parseDate reads a day, its beginning in UTC, or a time (RFC 3339).
func parseDate(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	return time.Time{}, errors.New("must be a day such as 2027-01-31, or a time such as 2027-01-31T08:00:00Z")
}

// maxAgainFor bounds how long 'not now' can hold, and the time of grace.
const maxAgainFor = 366 * 24 * time.Hour

// checkEnrolment checks what the settings mean together.
func checkEnrolment(e *handler.Enrolment) error {
	modes := []account.Mode{e.Mode}
	named := map[string]bool{}
	for _, r := range e.Rules {
		modes = append(modes, r.Mode)
		if (r.Group == "") == (account.Fold(r.User) == "") {
			return errors.New("a rule is for a group or for a user: give one of them")
		}
		who := "user " + account.Fold(r.User)
		if r.Group != "" {
			who = "group " + strings.ToLower(r.Group)
		}
		if named[who] {
			return fmt.Errorf("there are two rules for %s, of which the second would never count", clip(who))
		}
		named[who] = true
	}
	has := map[account.Mode]bool{}
	for _, m := range modes {
		switch m {
		case "", account.ModeOff, account.ModeOffered, account.ModeRequired:
			has[m] = true
		default:
			return fmt.Errorf("the mode is required, offered or off, not %s", clip(string(m)))
		}
	}
	for _, w := range []struct{ name, is, of string }{
		{"confirm", e.Confirm, "operator mail known_device open"}, {"switch_off", e.SwitchOff, "code operator"}, {"not_me", e.NotMe, "challenge suspend"},
	} {
		if w.is != "" && checkOneOf(w.is, strings.Fields(w.of)...) != nil {
			return fmt.Errorf("%s cannot be %s", w.name, clip(w.is))
		}
	}
	switch p := time.Duration(e.Period); {
	case p != 0 && p != 15*time.Second && p != 30*time.Second && p != time.Minute:
		return fmt.Errorf("period is 15s, 30s or 60s, not %s: authenticator apps know no other", p)
	case e.Again < 0 || e.Grace < 0 || time.Duration(e.Again) > maxAgainFor || time.Duration(e.Grace) > maxAgainFor:
		return errors.New("again and grace are at most 366 days")
	case e.Again != 0 && time.Duration(e.Again) < time.Minute:
		return errors.New("again is at least a minute: at each login it would be asked anyway with required")
	case !e.From.IsZero() && !has[account.ModeRequired]:
		return errors.New("from is when required begins, and nothing is required here")
	case e.Grace != 0 && !has[account.ModeOffered]:
		return errors.New("grace is for offered, and nothing is offered here")
	case len(e.Issuer) > 60:
		return errors.New("the issuer has more than 60 bytes: apps would cut it")
	case strings.Contains(e.Issuer, ":"):
		return errors.New("the issuer must have no colon: apps would show what is behind it as the user")
	case e.Issuer != "" && checkLine(e.Issuer) != nil:
		return fmt.Errorf("the issuer %w", checkLine(e.Issuer))
	}
	return nil
}
