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
	Factors  []factorView `json:"factors"`
	// Seen is what `mode observe` has seen of the user's logins.
	Seen *seenTimes `json:"seen,omitempty"`
}

// factorView is what an operator is shown of a factor.
type factorView struct {
	Kind        account.Kind `json:"kind"`
	Hint        string       `json:"hint,omitempty"`
	Created     time.Time    `json:"created"`
	PausedUntil time.Time    `json:"paused_until,omitzero"`
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
	v := accountView{Instance: a.Instance, User: a.Name, Aliases: a.Aliases, Mail: a.Mail, Group: a.Group, Factors: []factorView{}}
	for _, f := range a.Factors {
		fv := factorView{Kind: f.Kind, Created: f.Created.UTC()}
		if f.Hint != "" {
			fv.Hint = "…" + f.Hint
		}
		if now.Before(f.PausedUntil) {
			fv.PausedUntil = f.PausedUntil.UTC()
		}
		v.Factors = append(v.Factors, fv)
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
	fmt.Fprintln(table, "INSTANCE\tUSER\tFACTORS\tSEEN\tALIASES\tMAIL\tGROUP")
	for _, a := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			plain(a.Instance), plain(a.User), plain(factorWords(a.Factors)), a.Seen.words(), plain(strings.Join(a.Aliases, " ")), plain(a.Mail), plain(a.Group))
	}
	return table.Flush()
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
