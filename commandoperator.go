package twofactor

import (
	"fmt"
	"io"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
)

// actUsage are the flags that every command of an act has.
const actUsage = "[--instance <name>] [--json] [--config <path> [--adapter <name>] | --address <admin> | --store <path>]"

// actAnswer is what a command shows of an act, for people.
type actAnswer interface{ write(w io.Writer) error }

// actCommand completes a command that has an act done. ask makes the request out
// of the arguments; its flags are there by then.
func actCommand[A actAnswer](cmd *cobra.Command, name string, ask func(args []string) (any, error)) *cobra.Command {
	var t target
	var instance string
	var asJSON bool
	cmd.Use += " " + actUsage
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		request, err := ask(args)
		if err != nil {
			return err
		}
		b, err := t.open(cmd.Context())
		if err != nil {
			return err
		}
		defer b.close()
		result, err := perform[A](cmd.Context(), b, name, instance, request)
		if err != nil {
			return err
		}
		return show(cmd, asJSON, result, result.write)
	}
	t.flags(cmd)
	where, words := defaultName, "Name of the two_factor instance that the account is of"
	if acts()[name].allInstances {
		where, words = "", "Name of the two_factor instance; all of them if empty"
	}
	cmd.Flags().StringVarP(&instance, "instance", "i", where, words)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Writes a JSON object")
	return cmd
}

// onUser is the request of a command that takes nothing but a user.
func onUser(args []string) (any, error) { return actOn{User: args[0]}, nil }

// day or time of a flag; of a day its beginning, or its end where that is asked.
func timeFlag(name, value string, end bool) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	t, isDay, err := dateOrTime(value)
	if err != nil {
		return t, fmt.Errorf("--%s %w", name, err)
	}
	if isDay && end {
		t = t.AddDate(0, 0, 1)
	}
	return t, nil
}

// demandCommand is `caddy two-factor demand`.
func demandCommand() *cobra.Command {
	var q demandRequest
	var from string
	cmd := &cobra.Command{
		Use:   "demand [USER | --group <name> | --team <name> | --all] [--from <date> | --off]",
		Short: "Demands a second factor of a user, a group, a team or all, from a date on",
		Long: `
Demands a second factor of one user, of a group, of a team or of all users of an
instance. Until the date it is announced at each login; from then on there is no
way past. Without --from it begins at once. --off ends a demand. Without a user,
a group, a team and --all it lists the demands in the store.

What the Caddyfile demands is not touched by it: the store can only demand more.
caddy two-factor accounts show says which of the two decides. The date is the
beginning of that day in UTC, or a time such as 2026-12-01T08:00:00+01:00.
`,
		Example: "  caddy two-factor demand --group sales --from 2026-12-15\n  caddy two-factor demand anna@example.com --off",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVar(&q.Group, "group", "", "Name of a group")
	cmd.Flags().StringVar(&q.Team, "team", "", "Name of a team")
	cmd.Flags().BoolVar(&q.All, "all", false, "All users of the instance")
	cmd.Flags().StringVar(&from, "from", "", "From when on, a date or a time; now if empty")
	cmd.Flags().BoolVar(&q.Off, "off", false, "Ends the demand")
	return actCommand[*demandResult](cmd, actDemand, func(args []string) (_ any, err error) {
		if len(args) > 0 {
			q.User = args[0]
		}
		if q.From, err = timeFlag("from", from, false); err != nil {
			return nil, err
		}
		if _, err = q.target(); err != nil {
			return nil, err
		}
		return q, nil
	})
}

// allowOffCommand is `caddy two-factor allow-off`.
func allowOffCommand() *cobra.Command {
	var q allowOffRequest
	cmd := &cobra.Command{
		Use:   "allow-off USER [--no]",
		Short: "Lets a user switch the second factor off, whatever is demanded",
		Long: `
Lets a user switch the second factor off, with a fresh code, whatever config and
demands say, and use the app without one. It holds until it is taken back with
--no. A step-up asks nevertheless. To let somebody in without a code for a while,
use caddy two-factor exempt.
`,
		Example: "  caddy two-factor allow-off anna@example.com",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&q.No, "no", false, "Takes it back")
	return actCommand[*acted](cmd, actAllowOff, func(args []string) (any, error) {
		q.User = args[0]
		return q, nil
	})
}

// exemptCommand is `caddy two-factor exempt`.
func exemptCommand() *cobra.Command {
	var q exemptRequest
	var until string
	cmd := &cobra.Command{
		Use:   "exempt USER (--until <date> --why <text> | --end)",
		Short: "Lets a user in without a second factor until a date",
		Long: `
Lets a user in without a second factor until a date, the day included (UTC), or a
time: for somebody whose phone was lost, say. It ends by itself, after 366 days at
most, and is never enough for a step-up. The reason is required; it stands in the
account and in the audit log.
`,
		Example: "  caddy two-factor exempt anna@example.com --until 2026-12-04 --why 'phone lost, new one ordered'",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&until, "until", "", "Its last day, or a time")
	cmd.Flags().StringVar(&q.Why, "why", "", "The reason")
	cmd.Flags().BoolVar(&q.End, "end", false, "Ends the exemption now")
	return actCommand[*acted](cmd, actExempt, func(args []string) (_ any, err error) {
		q.User = args[0]
		q.Until, err = timeFlag("until", until, true)
		return q, err
	})
}

// suspendCommand is `caddy two-factor suspend`.
func suspendCommand() *cobra.Command {
	var q suspendRequest
	cmd := &cobra.Command{
		Use:   "suspend USER --why <text>",
		Short: "Keeps a user out, and ends all sessions",
		Long: `
Keeps a user out until caddy two-factor activate: a right password opens nothing.
All sessions end at once and the remembered browsers are forgotten; the factors
stay. The reason is required; the user is not shown it.
`,
		Example: "  caddy two-factor suspend anna@example.com --why 'laptop stolen'",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&q.Why, "why", "", "The reason")
	return actCommand[*acted](cmd, actSuspend, func(args []string) (any, error) {
		q.User = args[0]
		return q, nil
	})
}

// activateCommand is `caddy two-factor activate`.
func activateCommand() *cobra.Command {
	return actCommand[*acted](&cobra.Command{
		Use:   "activate USER",
		Short: "Lets a suspended user in again, and ends the alarm of 'this was not me'",
		Long: `
Lets a user in again who was suspended, and ends the alarm that the user has
raised with 'this was not me'. Have the password changed before.
`,
		Example: "  caddy two-factor activate anna@example.com",
		Args:    cobra.ExactArgs(1),
	}, actActivate, onUser)
}

// unlockCommand is `caddy two-factor unlock`.
func unlockCommand() *cobra.Command {
	return factorCommand(&cobra.Command{
		Use:   "unlock USER [--factor <id or kind>]",
		Short: "Ends the pause of factors after too many wrong codes",
		Long: `
Ends the pause of a user's factors after ten wrong codes in a row, and forgets the
wrong codes. Ask first who has entered them: they came after a right password.
`,
		Example: "  caddy two-factor unlock anna@example.com",
	}, actUnlock)
}

// resetCommand is `caddy two-factor reset`.
func resetCommand() *cobra.Command {
	return factorCommand(&cobra.Command{
		Use:   "reset USER [--factor <id or kind>]",
		Short: "Removes factors of a user, who can add new ones at the next login",
		Long: `
Removes one factor of a user, those of a kind (totp, phone, recovery), or all. With
the last one the recovery codes go too. All sessions end and the remembered
browsers are forgotten. Where no factor is left, the user adds one at the next
login, as the config says; caddy two-factor invite confirms who that is.

Be sure who asks for it: it is how a thief of a password would get in.
`,
		Example: "  caddy two-factor reset anna@example.com\n  caddy two-factor reset anna@example.com --factor phone",
	}, actReset)
}

// factorCommand completes a command about one factor of a user, or about all.
func factorCommand(cmd *cobra.Command, name string) *cobra.Command {
	var q factorRequest
	cmd.Args = cobra.ExactArgs(1)
	cmd.Flags().StringVar(&q.Factor, "factor", "", "ID of a factor as accounts show has it, or totp, phone or recovery; all if empty")
	return actCommand[*acted](cmd, name, func(args []string) (any, error) {
		q.User = args[0]
		return q, nil
	})
}

// inviteCommand is `caddy two-factor invite`.
func inviteCommand() *cobra.Command {
	var q inviteRequest
	var good string
	cmd := &cobra.Command{
		Use:   "invite USER [--for <duration>] [--url <site>]",
		Short: "Makes a code that confirms a user's first enrolment",
		Long: `
Makes a code, and with --url a link, that confirms who a user is who adds a first
factor after a right password. It is shown this once, good for one enrolment, and
takes the place of the one before. The user must have an account and no factor.
`,
		Example: "  caddy two-factor invite anna@example.com --url https://crm.example.com",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&good, "for", "72h", "How long it is good, 15m to 30d")
	cmd.Flags().StringVar(&q.URL, "url", "", "Address of the site as browsers see it, for a link")
	return actCommand[*invited](cmd, actInvite, func(args []string) (any, error) {
		q.User = args[0]
		d, err := caddy.ParseDuration(good)
		if err != nil {
			return nil, fmt.Errorf("--for %s: want a duration such as 72h or 7d", clip(good))
		}
		q.For = caddy.Duration(d)
		return q, nil
	})
}

// sessionsCommand is `caddy two-factor sessions`.
func sessionsCommand() *cobra.Command {
	var q sessionsRequest
	cmd := &cobra.Command{
		Use:   "sessions USER [--end <id>... | --end all]",
		Short: "Lists and ends the sessions of a user",
		Long: `
Lists the sessions of a user, the newest first: since when, last seen, with which
factor, from where and what the browser calls itself. --end ends some of them, or
all; the remembered browsers stay (caddy two-factor revoke forgets them too). If
one of the IDs is not there, none ends, and the command fails.
`,
		Example: "  caddy two-factor sessions anna@example.com\n  caddy two-factor sessions anna@example.com --end 5f0c22ab01d94e77",
		Args:    cobra.ExactArgs(1),
	}
	var end []string
	cmd.Flags().StringSliceVar(&end, "end", nil, "ID of a session to be ended, as it is listed, several with commas or again; or all")
	return actCommand[*sessionList](cmd, actSessions, func(args []string) (any, error) {
		q.User, q.End = args[0], end
		if len(end) == 1 && end[0] == "all" {
			q.All, q.End = true, nil
		}
		if cmd.Flags().Changed("end") && !q.All && len(q.End) == 0 {
			return nil, fmt.Errorf("--end: want the ID of a session, or all")
		}
		return q, nil
	})
}
