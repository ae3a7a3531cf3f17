package twofactor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/report"
)

const reportLong = `
Says what the policy has asked in a period, from the audit log, and what another
policy would have: how many logins and whom, by which signals and for what
reasons, and what the texts cost. In mode observe nobody was asked, and the
report says who would have been.

It reads audit.log, with the files put aside beside it, in Caddy's data
directory, or in the folder of --audit; Caddy may run or not. Run it as the user
that Caddy runs as. The config is read only for its history (how long accounts
are remembered), which a replay needs.

  --policy   another policy to replay over the recorded logins, at most three: a
             preset (every_login, new_device, new_ip, unfamiliar), or a file with
             one "policy … { … }" as in the Caddyfile. Rules by a matcher cannot
             be replayed, since a record has no requests.
  --from     the beginning of the period, --to its end: a date in UTC (of --to,
             the day is in it), or a time such as 2026-11-30T12:00:00Z.
  --price    what a text costs, such as 0.075. How many texts a login takes is
             not known before: the report counts one for each that is asked, at
             most, and those that were really sent.
`

// reportFlags are what the command is asked for.
type reportFlags struct {
	target          target
	audit, instance string
	from, to, last  string
	price, currency string
	policies        []string
	asJSON          bool
	html            string
	now             func() time.Time
	progress        report.Progress
}

// reportDefault is the period where none is named, in days.
const reportDefault = 30

// maxCandidates is how many policies are replayed at once.
const maxCandidates = 3

// reportCommand is `caddy two-factor report`.
func reportCommand() *cobra.Command {
	f := reportFlags{now: time.Now}
	cmd := &cobra.Command{
		Use: "report [--instance <name>] [--from <date>] [--to <date>] [--last <duration>] [--policy <preset or file>]... [--price <amount> [--currency <text>]] " +
			"[--json | --html <file>] [--audit <folder> | --config <path> [--adapter <name>] | --store <path>]",
		Short:   "Says what the policy has asked, and what another one would have",
		Long:    reportLong,
		Example: "  caddy two-factor report --last 14d --policy new_device --price 0.075 --currency EUR",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			ctx := contextOf(cmd)
			f.progress = progressOn(cmd.ErrOrStderr())
			r, err := f.report(ctx)
			if err != nil {
				return err
			}
			return f.write(cmd.OutOrStdout(), r)
		},
	}
	f.flags(cmd)
	return cmd
}

func (f *reportFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.target.config, "config", "c", "", "Configuration file that says how long accounts are remembered")
	flags.StringVarP(&f.target.adapter, "adapter", "a", "", "Name of the config adapter")
	flags.StringVar(&f.target.store, "store", "", "File of the store beside which the audit log lies, where its key is there")
	flags.StringVar(&f.audit, "audit", "", "Folder of the audit log, if it is another than two_factor in Caddy's data directory")
	flags.StringVarP(&f.instance, "instance", "i", "", "Name of the two_factor instance; all of them if empty")
	flags.StringVar(&f.from, "from", "", "Beginning of the period, a date or a time; 30 days before its end if empty")
	flags.StringVar(&f.to, "to", "", "End of the period, a date or a time; now if empty")
	flags.StringVar(&f.last, "last", "", "Length of the period until its end, such as 14d")
	flags.StringArrayVar(&f.policies, "policy", nil, "A policy to replay: a preset or a file; can be repeated")
	flags.StringVar(&f.price, "price", "", "Price of a text, such as 0.075")
	flags.StringVar(&f.currency, "currency", "", "Currency of the price, such as EUR")
	flags.BoolVar(&f.asJSON, "json", false, "Writes a JSON object")
	flags.StringVar(&f.html, "html", "", "Writes a page with plots into this file; - is standard output")
	cmd.MarkFlagsMutuallyExclusive("audit", "store")
	cmd.MarkFlagsMutuallyExclusive("config", "store")
	cmd.MarkFlagsMutuallyExclusive("from", "last")
	cmd.MarkFlagsMutuallyExclusive("json", "html")
}

// report reads the log and counts.
func (f *reportFlags) report(ctx context.Context) (*report.Report, error) {
	q := report.Query{Instance: f.instance}
	var err error
	if q.From, q.To, err = f.period(); err != nil {
		return nil, err
	}
	if f.currency != "" && f.price == "" {
		return nil, errors.New("--currency needs a --price")
	}
	if f.price != "" {
		if q.Price, err = report.ParsePrice(f.price, f.currency); err != nil {
			return nil, err
		}
	}
	if q.Candidates, err = candidates(f.policies); err != nil {
		return nil, err
	}
	if q.Retention, err = f.retention(); err != nil {
		return nil, err
	}
	folder, err := auditFolder(f.audit, f.target.store)
	if err != nil {
		return nil, err
	}
	log, err := report.Read(ctx, folder, f.progress)
	if err != nil {
		return nil, logTrouble(folder, err)
	}
	return log.Report(q)
}

// logTrouble says what to do about a log that cannot be read.
func logTrouble(folder string, err error) error {
	switch {
	case errors.Is(err, report.ErrNoLog), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no audit log in %s: run this as the user that Caddy runs as, whose data directory has it, or name its folder with --audit", folder)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the audit log is for Caddy's user alone: run this as the user that Caddy runs as, or as root with --audit: %w", err)
	default:
		return fmt.Errorf("audit log: %w", err)
	}
}

// auditFolder is where the audit log lies: in the folder that is named, or beside
// a store's file, or in Caddy's data directory.
func auditFolder(named, store string) (string, error) {
	switch {
	case named != "":
		return named, nil
	case store != "":
		path, err := filepath.Abs(store)
		return keyDirOf(path), err
	default:
		return dataDir(), nil
	}
}

// retention is how long the config keeps what accounts are used to. Without a
// config it is the default.
func (f *reportFlags) retention() (policy.Retention, error) {
	var rules *HistoryRules
	if f.target.store != "" {
		return rules.retention(), nil
	}
	raw, _, _, err := caddycmd.LoadConfig(f.target.config, f.target.adapter)
	if err != nil {
		return policy.Retention{}, fmt.Errorf("reading the config, which says how long accounts are remembered: %w", err)
	}
	if len(raw) == 0 {
		return rules.retention(), nil
	}
	var c struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	var app struct {
		History *HistoryRules `json:"history"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return policy.Retention{}, fmt.Errorf("reading the config: %w", err)
	}
	if own := c.Apps[appName]; len(own) > 0 {
		if err := json.Unmarshal(own, &app); err != nil {
			return policy.Retention{}, fmt.Errorf("reading the config of two_factor: %w", err)
		}
	}
	return app.History.retention(), app.History.check()
}

// period is the period that the flags name.
func (f *reportFlags) period() (from, to time.Time, err error) {
	to = f.now()
	if f.to != "" {
		day := false
		if to, day, err = dateOrTime(f.to); err != nil {
			return from, to, fmt.Errorf("--to %w", err)
		}
		if day {
			to = to.AddDate(0, 0, 1)
		}
	}
	from = to.AddDate(0, 0, -reportDefault)
	switch {
	case f.from != "":
		if from, _, err = dateOrTime(f.from); err != nil {
			return from, to, fmt.Errorf("--from %w", err)
		}
	case f.last != "":
		last, err := positiveDuration(f.last)
		if err != nil {
			return from, to, fmt.Errorf("--last %w; got %s", err, clip(f.last))
		}
		from = to.Add(-time.Duration(last))
	}
	if !from.Before(to) {
		return from, to, fmt.Errorf("the period ends at %s, before it begins at %s", to.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339))
	}
	return from, to, nil
}

func dateOrTime(s string) (t time.Time, isDay bool, err error) {
	if t, err = time.Parse(time.DateOnly, s); err == nil {
		return t, true, nil
	}
	if t, err = time.Parse(time.RFC3339, s); err != nil {
		return t, false, fmt.Errorf("must be a date such as 2026-11-30 or a time such as 2026-11-30T12:00:00Z; got %s", clip(s))
	}
	return t, false, nil
}

// write writes the report in the form that is asked for.
func (f *reportFlags) write(out io.Writer, r *report.Report) error {
	switch {
	case f.asJSON:
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	case f.html == "":
		return r.Text(out)
	case f.html == "-":
		return r.HTML(out)
	}
	var page bytes.Buffer
	if err := r.HTML(&page); err != nil {
		return err
	}
	// It names users.
	if err := os.WriteFile(f.html, page.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	_, err := fmt.Fprintf(out, "the report is in %s\n", plain(f.html))
	return err
}

// progressOn shows how much of a large log was read, where somebody looks.
func progressOn(w io.Writer) report.Progress {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	const large = 8 << 20
	shown := int64(-1)
	return func(read, all int64) {
		if all < large {
			return
		}
		percent := 100 * read / all
		if percent == shown {
			return
		}
		shown = percent
		line := "\rreading the audit log: " + strconv.FormatInt(percent, 10) + " %"
		if percent >= 100 {
			line = "\r\x1b[K"
		}
		_, _ = io.WriteString(file, line) // It is only for whoever looks.
	}
}
