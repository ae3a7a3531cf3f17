package twofactor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

const revokeLong = `
Ends all sessions of users, at once: a browser that was let in has to log in
again, with a code, a code that is being asked for is worth nothing any more,
and WebSockets, streams and long transfers are closed within a second. Browsers
that are remembered for them are forgotten.

A user is found by name or alias. If there is neither an account nor a session
of one of them, the sessions of those who have an account go on, and the command
fails. It keeps nobody out: who still knows the password and has the factor logs
in again.
`

// revokeCommand is `caddy two-factor revoke`.
func revokeCommand() *cobra.Command {
	var t target
	var instance string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "revoke USER... [--instance <name>] [--json] [--config <path> [--adapter <name>] | --address <admin> | --store <path>]",
		Short:   "Ends all sessions of users",
		Long:    revokeLong,
		Example: "  caddy two-factor revoke anna@example.com --instance crm",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.SilenceUsage = true
			b, err := t.open(cmd.Context())
			if err != nil {
				return err
			}
			defer b.close()
			result, err := b.revoke(cmd.Context(), instance, args)
			if err != nil {
				return err
			}
			return show(cmd, asJSON, result, result.write)
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&instance, "instance", "i", defaultName, "Name of the two_factor instance that the sessions are of")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Writes a JSON object")
	return cmd
}

func (b *adminBackend) revoke(ctx context.Context, instance string, users []string) (revokeResult, error) {
	var result revokeResult
	body, err := json.Marshal(revokeRequest{Users: users})
	if err != nil {
		return result, fmt.Errorf("asking Caddy's admin API: %w", err)
	}
	answer, err := b.do(ctx, http.MethodPost, adminRevoke, url.Values{"instance": {instance}}, "application/json", bytes.NewReader(body))
	if err != nil {
		return result, err
	}
	defer answer.Close()
	if err := json.NewDecoder(io.LimitReader(answer, maxAdminAnswer)).Decode(&result); err != nil {
		return result, fmt.Errorf("reading Caddy's answer: %w; ask again to be sure that the sessions have ended", err)
	}
	return result, nil
}

func (b *storeBackend) revoke(ctx context.Context, instance string, users []string) (revokeResult, error) {
	events := b.app.shared.events
	rv := revoker{store: b.lease.Parts().Store, instance: instance, instances: b.instances, now: time.Now(), events: events, by: byCommand}
	result, err := rv.run(ctx, users)
	if err != nil {
		return result, err
	}
	if err := events.flush(auditPatience); err != nil {
		return result, fmt.Errorf("the sessions were ended, but this is not in the audit log: %w", err)
	}
	return result, nil
}
