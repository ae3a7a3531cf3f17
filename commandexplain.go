package twofactor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

const explainLong = `
Explains what the policy would decide on a login of a user: every signal with
its points, its state and its reason, the score, the decision, and which factors
could answer. It goes by what the account is used to, by the failed passwords of
the last hour, and by the databases and lists of the config. It changes nothing.

A login of a user without an account is explained as that of a new user, or by
what was observed of the name. What a policy says by matchers of the request is
left out, and named.
`

// explainCommand is `caddy two-factor explain`.
func explainCommand() *cobra.Command {
	var t target
	var ask explainRequest
	var instance, at string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "explain USER [--ip <address>] [--user-agent <text>] [--device known|none|stolen] [--time <time>] [--login <n> | --step-up <n>] [--instance <name>] [--json] [--config <path> [--adapter <name>] | --address <admin>]",
		Short:   "Explains what the policy would decide on a login, signal by signal",
		Long:    explainLong,
		Example: `  caddy two-factor explain anna@example.com --ip 192.0.2.7 --user-agent "$UA" --instance crm`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.SilenceUsage = true
			ask.User = args[0]
			if at != "" {
				var err error
				if ask.Time, err = time.Parse(time.RFC3339, at); err != nil {
					return fmt.Errorf("--time %s: want a time such as 2026-05-04T09:30:00Z", clip(at))
				}
			}
			for name, n := range map[string]int{"login": ask.Login, "step-up": ask.StepUp} {
				if cmd.Flags().Changed(name) && n < 1 {
					return fmt.Errorf("--%s %d: they are counted from 1", name, n)
				}
			}
			b, err := t.open(cmd.Context())
			if err != nil {
				return err
			}
			defer b.close()
			result, err := b.explain(cmd.Context(), instance, ask)
			if err != nil {
				return err
			}
			return show(cmd, asJSON, result, result.write)
		},
	}
	t.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&ask.IP, "ip", "", "Address that the login comes from; unknown if empty")
	flags.StringVar(&ask.UserAgent, "user-agent", "", "What the browser says of itself, as the header User-Agent has it")
	flags.StringVar(&ask.Device, "device", "", "Whether the browser is remembered for this account: known, none or stolen (default none; of a step-up known; in mode observe what the history says)")
	flags.StringVar(&at, "time", "", "When the login is, in RFC 3339 (default now)")
	flags.IntVar(&ask.Login, "login", 0, "Number of the login by whose policy it is decided, from 1 on (default the instance's policy)")
	flags.IntVar(&ask.StepUp, "step-up", 0, "Number of the step_up by whose policy it is decided, from 1 on")
	flags.StringVarP(&instance, "instance", "i", defaultName, "Name of the two_factor instance that the login is at")
	flags.BoolVar(&asJSON, "json", false, "Writes a JSON object")
	cmd.MarkFlagsMutuallyExclusive("login", "step-up")
	return cmd
}

func (b *adminBackend) explain(ctx context.Context, instance string, ask explainRequest) (explainResult, error) {
	var result explainResult
	// JSON would change what is wrong with it.
	if _, _, err := ask.question(time.Now()); err != nil {
		return result, err
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return result, fmt.Errorf("asking Caddy's admin API: %w", err)
	}
	answer, err := b.do(ctx, http.MethodPost, adminExplain, url.Values{"instance": {instance}}, "application/json", bytes.NewReader(body))
	if err != nil {
		return result, err
	}
	defer answer.Close()
	if err := json.NewDecoder(io.LimitReader(answer, maxAdminAnswer)).Decode(&result); err != nil {
		return result, fmt.Errorf("reading Caddy's answer: %w", err)
	}
	return result, nil
}

func (b *storeBackend) explain(ctx context.Context, instance string, ask explainRequest) (explainResult, error) {
	if b.config == nil {
		return explainResult{}, errors.New("the policy stands in the config: name that with --config instead of --store")
	}
	gate, err := b.gate(instance)
	if err != nil {
		return explainResult{}, err
	}
	events := b.app.shared.events
	x := explainer{gate: gate, parts: b.lease.Parts(), now: time.Now(), events: events, by: byCommand}
	result, err := x.run(ctx, ask)
	if err != nil {
		return result, err
	}
	if err := events.flush(auditPatience); err != nil {
		return result, fmt.Errorf("that a login was explained is not in the audit log: %w", err)
	}
	return result, nil
}
