package twofactor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "two-factor",
		Usage:     "<command>",
		Short:     "Manages the accounts of two_factor",
		Long:      commandLong,
		CobraFunc: setUpCommand,
	})
}

const commandLong = `
Manages the accounts of the two_factor module, their factors and sessions.

The commands speak to a running Caddy through its admin API. If none runs at
the admin address of the config, they work on the store itself, as the config
names it. With --address only the admin API is used, with --store only the file.
The report and the audit command read the audit log alone.
`

const importLong = `
Imports accounts from a file, or from standard input if FILE is -.

The file is CSV with a header row, or a JSON list of objects. The columns:

  user            the name that the user logs in with; required
  aliases         further names, separated by ; or a blank
  phone           a mobile number in international form, +4915123456789
  mail            the address for notices
  group           a name of yours for a set of users
  team            the customer account that the user belongs to
  owner           yes or no: whether the user looks after the team's members
  language        the language that the user is written to in, such as de or pt-BR
  totp_secret     the secret of an authenticator, in base32
  totp_algorithm  SHA1 (default) or SHA256
  totp_digits     6 (default) or 8
  totp_period     15, 30 (default) or 60 seconds

An account that exists is changed. A column that the file does not have leaves
what the account has; an empty cell removes it. All of the file is taken, or
nothing: every bad row is named. At most 16 MiB and 100,000 rows.
`

const accountsLong = `
Lists the accounts with their factors, never a secret. Where an instance is or
was in mode observe, it also lists who was seen logging in, the app's cookies
that enforcing would seal, and the logins that were not recognised. What was
seen is forgotten after 90 days.
`

// setUpCommand gives the command its subcommands. By itself it shows its help;
// a subcommand that there is not is an error.
func setUpCommand(cmd *cobra.Command) {
	cmd.AddCommand(importCommand(), accountsCommand(), demandCommand(), allowOffCommand(), exemptCommand(), suspendCommand(), activateCommand(),
		unlockCommand(), resetCommand(), inviteCommand(), devicesCommand(), sessionsCommand(), revokeCommand(), eraseCommand("erase"), exportCommand(),
		explainCommand(), reportCommand(), auditCommand())
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		cmd.SilenceUsage = true
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		meant := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			meant = "; did you mean " + near[0] + "?"
		}
		return fmt.Errorf("there is no command two-factor %s: there are %s%s", clip(args[0]), strings.Join(names, ", "), meant)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// importCommand is `caddy two-factor import`.
func importCommand() *cobra.Command {
	var t target
	var instance, region string
	cmd := &cobra.Command{
		Use:     "import FILE [--instance <name>] [--region <XX>] [--config <path> [--adapter <name>] | --address <admin> | --store <path>]",
		Short:   "Imports accounts with their phones and authenticators",
		Long:    importLong,
		Example: "  caddy two-factor import users.csv --instance crm",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.SilenceUsage = true
			file, err := openImport(cmd, args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			b, err := t.open(cmd.Context())
			if err != nil {
				return err
			}
			defer b.close()
			result, err := b.importFile(cmd.Context(), instance, region, file)
			if err != nil {
				return err
			}
			return writeResult(cmd.OutOrStdout(), result)
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&instance, "instance", "i", defaultName, "Name of the two_factor instance that the accounts are for")
	cmd.Flags().StringVar(&region, "region", "", "Region of numbers without a country code, two letters such as DE")
	return cmd
}

// accountsCommand is `caddy two-factor accounts`.
func accountsCommand() *cobra.Command {
	var t target
	var instance string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "accounts [--instance <name>] [--json] [--config <path> [--adapter <name>] | --address <admin> | --store <path>]",
		Short:   "Lists accounts with their factors, never a secret, and what mode observe has seen; shows, adds and changes them",
		Long:    accountsLong,
		Example: "  caddy two-factor accounts --instance crm",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			b, err := t.open(cmd.Context())
			if err != nil {
				return err
			}
			defer b.close()
			list, err := b.accounts(cmd.Context(), instance)
			if err != nil {
				return err
			}
			seen, err := b.seen(cmd.Context(), instance)
			if err != nil {
				return err
			}
			report := newReport(list, seen)
			return show(cmd, asJSON, report, report.write)
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&instance, "instance", "i", "", "Name of the two_factor instance; all of them if empty")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Writes a JSON object")
	cmd.AddCommand(accountsCommands()...)
	return cmd
}

func openImport(cmd *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a folder: want a file", name)
	}
	if info.Size() > maxImportBytes {
		return nil, fmt.Errorf("%s is longer than %d MiB: split it", name, maxImportBytes>>20)
	}
	return os.Open(name)
}

// maxFirstNames is how many names of users a warning shows.
const maxFirstNames = 5

func writeResult(w io.Writer, r importResult) error {
	var out strings.Builder
	for _, line := range r.Weak {
		fmt.Fprintf(&out, "warning: line %d: the authenticator's secret has less than 128 bits; enrol a new one when you can\n", line)
	}
	if r.WithoutFactor > 0 {
		names := strings.Join(r.FirstWithout, ", ")
		if r.WithoutFactor > len(r.FirstWithout) {
			names += ", …"
		}
		fmt.Fprintf(&out, "warning: accounts with neither phone nor authenticator, whose right passwords will be refused: %d (%s)\n", r.WithoutFactor, plain(names))
	}
	fmt.Fprintf(&out, "imported into instance %s: %d created, %d changed, %d unchanged\n", r.Instance, r.New, r.Changed, r.Unchanged)
	_, err := io.WriteString(w, out.String())
	return err
}

// contextOf is the context of a command; Caddy gives it none.
func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// show writes what a command has found, as text or as JSON.
func show(cmd *cobra.Command, asJSON bool, result any, text func(io.Writer) error) error {
	if !asJSON {
		return text(cmd.OutOrStdout())
	}
	out := json.NewEncoder(cmd.OutOrStdout())
	out.SetIndent("", "  ")
	return out.Encode(result)
}
