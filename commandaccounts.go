package twofactor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// accountList are accounts that a command shows.
type accountList []accountView

func (l accountList) write(w io.Writer) error { return writeAccounts(w, l) }

// accountsCommands are the commands under `caddy two-factor accounts`.
func accountsCommands() []*cobra.Command {
	return []*cobra.Command{showCommand(), searchCommand(), addCommand(), setCommand(), eraseCommand("accounts remove"), aliasesCommand()}
}

func showCommand() *cobra.Command {
	return actCommand[*accountDetail](&cobra.Command{
		Use:   "show USER",
		Short: "Shows all of an account, and which of Caddyfile and store decides about it",
		Long: `
Shows all that is known of a user, who is found by name or alias: names, factors
with their IDs, demands, exemption and suspension, how many sessions and devices.
"second factor" says how much the user is asked for one, and "decided by" which of
Caddyfile and store decides that, and why. It shows no secret, and of a number the
last two digits.
`,
		Example: "  caddy two-factor accounts show anna@example.com --instance crm",
		Args:    cobra.ExactArgs(1),
	}, actShow, onUser)
}

func searchCommand() *cobra.Command {
	return actCommand[accountList](&cobra.Command{
		Use:     "search TEXT",
		Short:   "Searches accounts by name, alias, mail address, team or group",
		Example: "  caddy two-factor accounts search example.com",
		Args:    cobra.ExactArgs(1),
	}, actSearch, func(args []string) (any, error) { return searchRequest{Text: args[0]}, nil })
}

func addCommand() *cobra.Command {
	return fieldsCommand(&cobra.Command{
		Use:   "add USER",
		Short: "Adds an account, without a factor",
		Long: `
Adds an account without a factor, under the name that the user logs in with. What
comes next is the config's to say: the user adds a factor at the next login, or
caddy two-factor import brings one.
`,
		Example: "  caddy two-factor accounts add anna@example.com --mail anna@example.com --team acme --owner",
	}, actAdd)
}

func setCommand() *cobra.Command {
	return fieldsCommand(&cobra.Command{
		Use:   "set USER",
		Short: "Changes an account's mail address, group, team, owner, language or aliases",
		Long: `
Changes of an account what is named; an empty value removes it. The aliases that
are named take the place of those that there are (caddy two-factor accounts aliases
adds and removes single ones).
`,
		Example: "  caddy two-factor accounts set anna@example.com --group sales --owner=false",
	}, actSet)
}

// fieldsCommand completes a command that says something of an account.
func fieldsCommand(cmd *cobra.Command, name string) *cobra.Command {
	var mail, group, team, language string
	var aliases []string
	var owner bool
	cmd.Use += " [--mail <address>] [--group <name>] [--team <name>] [--owner] [--language <tag>] [--alias <name>...]"
	cmd.Args = cobra.ExactArgs(1)
	flags := cmd.Flags()
	flags.StringVar(&mail, "mail", "", "Address for notices")
	flags.StringVar(&group, "group", "", "Name of yours for a set of users")
	flags.StringVar(&team, "team", "", "Customer account that the user belongs to")
	flags.BoolVar(&owner, "owner", false, "The user looks after the team's members")
	flags.StringVar(&language, "language", "", "Language that the user is written to in, such as de or pt-BR")
	flags.StringArrayVar(&aliases, "alias", nil, "Further name that the app lets the same user in with; can be repeated")
	return actCommand[*acted](cmd, name, func(args []string) (any, error) {
		f := accountFields{User: args[0]}
		for flag, field := range map[string]struct {
			to   **string
			from *string
		}{"mail": {&f.Mail, &mail}, "group": {&f.Group, &group}, "team": {&f.Team, &team}, "language": {&f.Language, &language}} {
			if flags.Changed(flag) {
				*field.to = field.from
			}
		}
		if flags.Changed("owner") {
			f.Owner = &owner
		}
		if flags.Changed("alias") {
			f.Aliases = &aliases
		}
		return f, nil
	})
}

func aliasesCommand() *cobra.Command {
	var q aliasRequest
	cmd := &cobra.Command{
		Use:   "aliases USER [--add <name>...] [--remove <name>...]",
		Short: "Lists, adds and removes the further names of a user",
		Long: `
Lists the further names under which the app lets the same user in, adds some or
removes some. A name can be one account's alone. If one that is to be removed is
not there, nothing changes, and the command fails.
`,
		Example: "  caddy two-factor accounts aliases anna@example.com --add anna --remove a.berg",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringArrayVar(&q.Add, "add", nil, "Name to be added; can be repeated")
	cmd.Flags().StringArrayVar(&q.Remove, "remove", nil, "Name to be removed; can be repeated")
	return actCommand[*aliasList](cmd, actAliases, func(args []string) (any, error) {
		q.User = args[0]
		return q, nil
	})
}

// eraseCommand is `caddy two-factor erase`, and `accounts remove`.
func eraseCommand(path string) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   path[strings.LastIndex(path, " ")+1:] + " USER [--yes]",
		Short: "Erases an account and all that the store knows of its user",
		Long: `
Erases an account with its factors, names, sessions, remembered browsers, habits,
notices and what mode observe has seen of it. It asks before, unless --yes is given,
and says what it cannot erase. The user can log in again only as the config says of
users without an account (unknown_user).
`,
		Example: "  caddy two-factor " + path + " anna@example.com",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "Asks nothing")
	return actCommand[*erased](cmd, actErase, func(args []string) (any, error) {
		if yes {
			return actOn{User: args[0]}, nil
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Erase %s and all that is known of the user? This cannot be undone. Type yes to go on: ", clip(args[0]))
		answer, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 64)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if strings.ToLower(strings.TrimSpace(answer)) != "yes" {
			return nil, errors.New("nothing was erased: answer yes, or give --yes")
		}
		return actOn{User: args[0]}, nil
	})
}

// exportCommand is `caddy two-factor export-data`.
func exportCommand() *cobra.Command {
	var t target
	var instance, out string
	cmd := &cobra.Command{
		Use:   "export-data USER [--out <file>] " + strings.Replace(actUsage, "[--json] ", "", 1),
		Short: "Writes all that the store knows of a user, as JSON",
		Long: `
Writes all that the store knows of a user as a JSON object: the account, the phones'
whole numbers, sessions, remembered browsers, habits and what mode observe has seen.
It holds nothing that opens anything: no secret of an authenticator, no code, hash or
token. --out writes it into a new file for you alone (mode 0600).
`,
		Example: "  caddy two-factor export-data anna@example.com --out anna.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.SilenceUsage = true
			ask := func() (json.RawMessage, error) {
				b, err := t.open(cmd.Context())
				if err != nil {
					return nil, err
				}
				defer b.close()
				return perform[json.RawMessage](cmd.Context(), b, actExport, instance, actOn{User: args[0]})
			}
			if out != "" {
				return writeExport(cmd, out, ask)
			}
			data, err := ask()
			if err != nil {
				return err
			}
			return show(cmd, true, data, nil)
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&instance, "instance", "i", defaultName, "Name of the two_factor instance that the account is of")
	cmd.Flags().StringVar(&out, "out", "", "File to write it into, which must not be there; standard output if empty")
	cmd.Flags().Bool("json", true, "Writes a JSON object, as it always does")
	return cmd
}

// writeExport writes what is exported into a new file. Where nothing is, there is no
// file either.
func writeExport(cmd *cobra.Command, name string, ask func() (json.RawMessage, error)) (err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the data: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	data, err := ask()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	enc := json.NewEncoder(file)
	enc.SetIndent("", "  ")
	if err := errors.Join(enc.Encode(data), file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("writing the data: %w", err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "the data are in %s\n", plain(name))
	return err
}
