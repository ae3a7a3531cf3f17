package twofactor

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

const auditLong = `
Shows the audit log: what happened, one event a line, the oldest first. What
needs no right password, such as a wrong one, is among it.

It reads audit.log and attempts.log, with the files put aside beside them, in
Caddy's data directory, or in the folder of --audit; Caddy may run or not. Run it
as the user that Caddy runs as. Reading leaves no event.

  --user    what happened to a user, by name or by the ID of the account. Before
            a right password the log knows no names.
  --kind    events of a kind, such as authz_admin; the README lists them.
  --since   what happened in a time such as 24h or 7d, or from a date in UTC or
            a time on, such as 2026-11-30 or 2026-11-30T12:00:00Z.
  --follow  goes on with what happens, until Ctrl-C; without --since it begins
            with that.
  --json    writes the lines as they are: a JSON object each.
`

// auditFlags are what the command is asked for.
type auditFlags struct {
	audit, store, instance, user, since string
	kinds                               []string
	follow, asJSON                      bool
}

// auditCommand is `caddy two-factor audit`.
func auditCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit [--user <name>] [--kind <event>]... [--since <duration or date>] [--follow] [--instance <name>] [--json] [--audit <folder> | --store <path>]",
		Short: "Shows the audit log, and follows it",
		Long:  auditLong,
		Example: "  caddy two-factor audit --user anna@example.com --since 7d\n" +
			"  caddy two-factor audit --kind authz_admin --follow",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			ctx := contextOf(cmd)
			if f.follow {
				var stop context.CancelFunc
				ctx, stop = signal.NotifyContext(ctx, os.Interrupt)
				defer stop()
			}
			return f.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), time.Now())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "Name of a user, or the ID of the account")
	flags.StringSliceVar(&f.kinds, "kind", nil, "Kind of the events, such as authz_admin; several with commas or again")
	flags.StringVar(&f.since, "since", "", "For how long, such as 24h or 7d, or from when on; all that is kept if empty")
	flags.BoolVarP(&f.follow, "follow", "f", false, "Goes on with what happens, until Ctrl-C")
	flags.StringVarP(&f.instance, "instance", "i", "", "Name of the two_factor instance; all of them if empty")
	flags.BoolVar(&f.asJSON, "json", false, "Writes a JSON object a line")
	flags.StringVar(&f.audit, "audit", "", "Folder of the audit log, if it is another than two_factor in Caddy's data directory")
	flags.StringVar(&f.store, "store", "", "File of the store beside which the audit log lies, where its key is there")
	cmd.MarkFlagsMutuallyExclusive("audit", "store")
	return cmd
}

func (f *auditFlags) run(ctx context.Context, out, complaints io.Writer, now time.Time) error {
	q, err := f.query(now)
	if err != nil {
		return err
	}
	folder, err := auditFolder(f.audit, f.store)
	if err != nil {
		return err
	}
	r, err := openAudit(folder)
	if err != nil {
		return logTrouble(folder, err)
	}
	defer r.close()
	show := f.writer(out)
	if err := r.run(ctx, q, show); err != nil {
		return logTrouble(folder, err)
	}
	if r.damaged > 0 {
		_, err = fmt.Fprintf(complaints, "warning: %d lines cannot be read and were left out\n", r.damaged)
	}
	return err
}

func (f *auditFlags) query(now time.Time) (auditQuery, error) {
	q := auditQuery{instance: f.instance, follow: f.follow}
	if f.user != "" {
		if q.user = account.Fold(f.user); q.user == "" {
			return q, fmt.Errorf("--user %s cannot be the name of a user", clip(f.user))
		}
	}
	for _, kind := range f.kinds {
		if info, ok := kindInfos[handler.Kind(kind)]; !ok || !info.Audited {
			return q, fmt.Errorf("--kind %s: there is no such event: there are %s", clip(kind), strings.Join(auditedKinds(), ", "))
		}
		q.kinds = append(q.kinds, handler.Kind(kind))
	}
	var err error
	switch q.since, err = sinceWhen(f.since, now); {
	case err != nil:
		return q, err
	case f.since == "" && f.follow:
		q.since = now
	}
	return q, nil
}

// sinceWhen reads a duration until now, or a date or time; zero if it is empty.
func sinceWhen(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := positiveDuration(s); err == nil {
		return now.Add(-time.Duration(d)), nil
	}
	t, _, err := dateOrTime(s)
	if err != nil {
		return t, fmt.Errorf("--since must be a time such as 24h or 7d, a date such as 2026-11-30 or a time such as 2026-11-30T12:00:00Z; got %s", clip(s))
	}
	return t, nil
}

// auditedKinds are the names of the events that the audit log has.
func auditedKinds() (names []string) {
	for _, info := range handler.Kinds() {
		if info.Audited {
			names = append(names, string(info.Kind))
		}
	}
	slices.Sort(names)
	return names
}

// writer writes lines for people, or as they are.
func (f *auditFlags) writer(out io.Writer) func(line []byte, v *auditLineView) error {
	if f.asJSON {
		return func(line []byte, _ *auditLineView) error {
			_, err := out.Write(append(slices.Clone(line), '\n'))
			return err
		}
	}
	return func(_ []byte, v *auditLineView) error {
		user := v.User
		if user == "" {
			user = v.Account
		}
		cells := []string{string(v.Level), string(v.Event), string(v.Result), v.Instance, user, v.ClientIP, v.Factor, v.Detail}
		for i := range cells {
			cells[i] = plain(cells[i])
		}
		_, err := fmt.Fprintln(out, v.Time.UTC().Format(time.RFC3339), strings.Join(cells, "  "))
		return err
	}
}
