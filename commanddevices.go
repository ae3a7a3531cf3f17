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

const devicesLong = `
Lists the browsers that are remembered for a user, the one used last in front,
or forgets some of them or all. A browser that is forgotten is asked for a code
at its next sign-in; its session goes on (caddy two-factor revoke ends that, and
forgets all browsers too).

A user is found by name or alias. If one of the IDs is not there, no browser is
forgotten, and the command fails.
`

// devicesCommand is `caddy two-factor devices`.
func devicesCommand() *cobra.Command {
	var t target
	var instance string
	var asJSON bool
	var request devicesRequest
	cmd := &cobra.Command{
		Use:   "devices USER [--forget ID... | --forget-all] [--instance <name>] [--json] [--config <path> [--adapter <name>] | --address <admin> | --store <path>]",
		Short: "Lists and forgets the remembered browsers of a user",
		Long:  devicesLong,
		Example: "  caddy two-factor devices anna@example.com --instance crm\n" +
			"  caddy two-factor devices anna@example.com --forget 1f0c22ab",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.SilenceUsage = true
			b, err := t.open(cmd.Context())
			if err != nil {
				return err
			}
			defer b.close()
			request.User = args[0]
			forgets := request.All || cmd.Flags().Changed("forget")
			var list deviceList
			if forgets {
				list, err = b.forgetDevices(cmd.Context(), instance, request)
			} else {
				list, err = b.devices(cmd.Context(), instance, request.User)
			}
			if err != nil {
				return err
			}
			text := list.write
			if forgets {
				text = list.writeForgotten
			}
			return show(cmd, asJSON, list, text)
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&instance, "instance", "i", defaultName, "Name of the two_factor instance that the account is of")
	cmd.Flags().StringSliceVar(&request.Forget, "forget", nil, "ID of a browser to be forgotten, as it is listed; several with commas or again")
	cmd.Flags().BoolVar(&request.All, "forget-all", false, "Forgets all remembered browsers of the user")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Writes a JSON object")
	cmd.MarkFlagsMutuallyExclusive("forget", "forget-all")
	return cmd
}

func (b *adminBackend) devices(ctx context.Context, instance, user string) (deviceList, error) {
	return b.askDevices(ctx, http.MethodGet, url.Values{"instance": {instance}, "user": {user}}, "", nil)
}

func (b *adminBackend) forgetDevices(ctx context.Context, instance string, r devicesRequest) (deviceList, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return deviceList{}, fmt.Errorf("asking Caddy's admin API: %w", err)
	}
	return b.askDevices(ctx, http.MethodPost, url.Values{"instance": {instance}}, "application/json", bytes.NewReader(body))
}

func (b *adminBackend) askDevices(ctx context.Context, method string, query url.Values, kind string, body io.Reader) (list deviceList, err error) {
	answer, err := b.do(ctx, method, adminDevices, query, kind, body)
	if err != nil {
		return list, err
	}
	defer answer.Close()
	if err := json.NewDecoder(io.LimitReader(answer, maxAdminAnswer)).Decode(&list); err != nil {
		return list, fmt.Errorf("reading Caddy's answer: %w; list the devices to see what was forgotten", err)
	}
	return list, nil
}

func (b *storeBackend) devices(ctx context.Context, instance, user string) (deviceList, error) {
	k := b.keeper(instance)
	return k.list(ctx, user)
}

func (b *storeBackend) forgetDevices(ctx context.Context, instance string, r devicesRequest) (deviceList, error) {
	k := b.keeper(instance)
	list, err := k.forget(ctx, r)
	if err != nil {
		return list, err
	}
	if err := k.events.flush(auditPatience); err != nil {
		return list, fmt.Errorf("the browsers were forgotten, but this is not in the audit log: %w", err)
	}
	return list, nil
}

func (b *storeBackend) keeper(instance string) deviceKeeper {
	return deviceKeeper{store: b.lease.Parts().Store, instance: instance, instances: b.instances, now: time.Now(), events: b.app.shared.events, by: byCommand}
}
