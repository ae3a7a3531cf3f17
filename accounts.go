package twofactor

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// accountView is what an operator is shown of an account: no secret, of a
// number its last two digits.
type accountView struct {
	Instance string       `json:"instance"`
	User     string       `json:"user"`
	Aliases  []string     `json:"aliases,omitempty"`
	Mail     string       `json:"mail,omitempty"`
	Group    string       `json:"group,omitempty"`
	Team     string       `json:"team,omitempty"`
	Owner    bool         `json:"owner,omitempty"`
	Language string       `json:"language,omitempty"`
	Factors  []factorView `json:"factors"`
	// Suspended keeps the user out, Exempt lets the user in without a factor, as
	// long as it holds.
	Suspended *account.Suspension `json:"suspended,omitempty"`
	Exempt    *account.Exemption  `json:"exempt,omitempty"`
	// Alarm is when the user said 'this was not me'.
	Alarm time.Time `json:"alarm,omitzero"`
	// Seen is what `mode observe` has seen of the user's logins.
	Seen *seenTimes `json:"seen,omitempty"`
}

// factorView is what an operator is shown of a factor.
type factorView struct {
	ID    string       `json:"id"`
	Kind  account.Kind `json:"kind"`
	Label string       `json:"label,omitempty"`
	Hint  string       `json:"hint,omitempty"`
	// Left is how many recovery codes are left.
	Left        *int      `json:"left,omitempty"`
	Created     time.Time `json:"created"`
	Used        time.Time `json:"used,omitzero"`
	PausedUntil time.Time `json:"paused_until,omitzero"`
}

// listAccounts calls yield with each account of an instance, or of all
// instances if it is empty, in the order of their IDs.
func listAccounts(ctx context.Context, s store.Accounts, instance string, now time.Time, yield func(accountView) error) error {
	for a, err := range s.ListAccounts(ctx, instance) {
		if err != nil {
			return fmt.Errorf("listing accounts: %w", err)
		}
		if err := yield(viewAccount(a, now)); err != nil {
			return err
		}
	}
	return nil
}

// listSeen returns what `mode observe` has seen in an instance, or in all
// instances if it is empty.
func listSeen(ctx context.Context, s store.Observations, instance string, now time.Time) ([]store.Seen, error) {
	seen, err := s.ListSeen(ctx, instance, now)
	if err != nil {
		return nil, fmt.Errorf("listing what was seen: %w", err)
	}
	return seen, nil
}

func viewAccount(a account.Account, now time.Time) accountView {
	v := accountView{
		Instance: a.Instance, User: a.Name, Aliases: a.Aliases, Mail: a.Mail, Group: a.Group,
		Team: a.Team, Owner: a.Owner, Language: a.Language, Suspended: a.Suspended, Alarm: a.Alarm, Factors: []factorView{},
	}
	if a.ExemptAt(now) {
		v.Exempt = a.Exempt
	}
	for _, f := range a.Factors {
		v.Factors = append(v.Factors, viewFactor(f, now))
	}
	return v
}

func viewFactor(f account.Factor, now time.Time) factorView {
	v := factorView{ID: f.ID, Kind: f.Kind, Label: f.Label, Created: f.Created.UTC(), Used: f.Used.UTC()}
	if f.Hint != "" {
		v.Hint = "…" + f.Hint
	}
	if f.Recovery != nil {
		left := len(f.Recovery.Hashes)
		v.Left = &left
	}
	if now.Before(f.PausedUntil) {
		v.PausedUntil = f.PausedUntil.UTC()
	}
	return v
}

// writeAccounts writes a table for people.
func writeAccounts(w io.Writer, list []accountView) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no accounts")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "INSTANCE\tUSER\tFACTORS\tSTATE\tSEEN\tALIASES\tMAIL\tGROUP\tTEAM")
	for _, a := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			plain(a.Instance), plain(a.User), plain(factorWords(a.Factors)), a.stateWords(), a.Seen.words(),
			plain(strings.Join(a.Aliases, " ")), plain(a.Mail), plain(a.Group), a.teamWords())
	}
	return table.Flush()
}

// stateWords say what the operator has to know of the account.
func (v *accountView) stateWords() string {
	var words []string
	if v.Suspended != nil {
		words = append(words, "suspended")
	}
	if !v.Alarm.IsZero() {
		words = append(words, "alarm")
	}
	if v.Exempt != nil {
		words = append(words, "exempt until "+v.Exempt.Until.UTC().Format(time.RFC3339))
	}
	return plain(strings.Join(words, ", "))
}

// teamWords are the team, and whether the user is its owner.
func (v *accountView) teamWords() string {
	if v.Owner {
		return plain(v.Team) + " (owner)"
	}
	return plain(v.Team)
}

func factorWords(factors []factorView) string {
	if len(factors) == 0 {
		return "-"
	}
	words := make([]string, 0, len(factors))
	for _, f := range factors {
		word := string(f.Kind)
		if f.Hint != "" {
			word += " " + f.Hint
		}
		if f.Left != nil {
			word += fmt.Sprintf(" (%d left)", *f.Left)
		}
		if !f.PausedUntil.IsZero() {
			word += " (paused until " + f.PausedUntil.Format(time.RFC3339) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// plain returns the text as it can stand in a cell of a terminal's table:
// without what moves the cursor, ends a cell or turns the writing around.
func plain(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, s)
}
