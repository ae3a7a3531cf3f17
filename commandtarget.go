package twofactor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// probeTimeout bounds how long a command looks for a running Caddy.
const probeTimeout = 2 * time.Second

// target is where a command finds the accounts.
type target struct {
	config, adapter, address, store string
}

// backend is what a command works on: the admin API, or a store.
type backend interface {
	importFile(ctx context.Context, instance, region string, file io.Reader) (importResult, error)
	accounts(ctx context.Context, instance string) ([]accountView, error)
	seen(ctx context.Context, instance string) ([]store.Seen, error)
	explain(ctx context.Context, instance string, ask explainRequest) (explainResult, error)
	revoke(ctx context.Context, instance string, users []string) (revokeResult, error)
	devices(ctx context.Context, instance, user string) (deviceList, error)
	forgetDevices(ctx context.Context, instance string, r devicesRequest) (deviceList, error)
	// act does one of acts, of an instance, and answers in JSON.
	act(ctx context.Context, name, instance string, body io.Reader) (io.ReadCloser, error)
	close()
}

func (t *target) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&t.config, "config", "c", "", "Configuration file that names the admin address, the store and the keys")
	cmd.Flags().StringVarP(&t.adapter, "adapter", "a", "", "Name of the config adapter")
	cmd.Flags().StringVar(&t.address, "address", "", "Address of the admin API of a running Caddy")
	cmd.Flags().StringVar(&t.store, "store", "", "File of the store of a stopped Caddy that has no key in its config")
	cmd.MarkFlagsMutuallyExclusive("config", "store")
	cmd.MarkFlagsMutuallyExclusive("address", "store")
}

// open decides where to work. A running Caddy is asked first, since only one
// process can have the store's file open.
func (t *target) open(ctx context.Context) (backend, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	if t.store != "" {
		return openStoreFile(ctx, t.store)
	}
	if t.address != "" {
		return newAdminBackend(t.address)
	}
	config, name, adapter, err := caddycmd.LoadConfig(t.config, t.adapter)
	if err != nil {
		return nil, err
	}
	address, err := adminAddress(config, name, adapter)
	if err != nil {
		return nil, err
	}
	if address != "" && answers(ctx, address) {
		return newAdminBackend(address)
	}
	if len(config) == 0 {
		return nil, fmt.Errorf("no Caddy answers at its admin address %s: name that with --address, or the config of a stopped Caddy with --config, or its store with --store", address)
	}
	b, err := openConfigured(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("no Caddy answers at its admin address %s, so its store is opened itself: %w", address, err)
	}
	return b, nil
}

// adminAddress returns the admin address of a config, empty if it has none.
func adminAddress(config []byte, name, adapter string) (string, error) {
	var c struct {
		Admin struct {
			Disabled bool `json:"disabled"`
		} `json:"admin"`
	}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &c); err != nil {
			return "", fmt.Errorf("reading the config: %w", err)
		}
	}
	if c.Admin.Disabled {
		return "", nil
	}
	return caddycmd.DetermineAdminAPIAddress("", config, name, adapter)
}

// answers reports whether something listens at an admin address.
func answers(ctx context.Context, address string) bool {
	a, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return false
	}
	d := net.Dialer{Timeout: probeTimeout}
	conn, err := d.DialContext(ctx, a.Network, dialAddress(a))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// openConfigured works on the store of a stopped Caddy as its config names it.
func openConfigured(ctx context.Context, config []byte) (backend, error) {
	var c struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	raw, ok := c.Apps[appName]
	if !ok && !bytes.Contains(config, []byte(`"`+appName+`"`)) {
		return nil, errors.New("the config has no two_factor")
	}
	app := new(App)
	if len(raw) > 0 {
		if err := caddy.StrictUnmarshalJSON(raw, app); err != nil {
			return nil, fmt.Errorf("reading the config of two_factor: %w", err)
		}
	}
	// All commands but one ask nobody where an address is, and must not fail for
	// a database that is gone.
	geoIP, lists := app.GeoIP, app.NetworkLists
	app.GeoIP, app.NetworkLists = nil, nil
	b, err := openStopped(ctx, app, dataDir())
	if err != nil {
		return nil, err
	}
	app.shared.events.bound(app.Audit.bounds())
	b.instances, b.config, b.geoIP, b.lists = configuredInstances(config), config, geoIP, lists
	return b, nil
}

// configuredInstances returns the names of the instances in a config, wherever
// in it their handlers stand.
func configuredInstances(config []byte) []string {
	names := make(map[string]bool)
	eachInstance(config, func(name string, _ map[string]any) { names[name] = true })
	return slices.Sorted(maps.Keys(names))
}

// eachInstance calls a function with the handlers of a config, wherever in it
// they stand, and their names.
func eachInstance(config []byte, found func(name string, handler map[string]any)) {
	var root any
	if json.Unmarshal(config, &root) != nil {
		return
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			if v["handler"] == appName {
				name, _ := v["name"].(string)
				found(cmp.Or(name, defaultName), v)
			}
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(root)
}

// openStoreFile works on a store's file, with the key that lies beside it or
// in Caddy's data directory.
func openStoreFile(ctx context.Context, path string) (backend, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(map[string]string{"engine": "file", "path": path})
	if err != nil {
		return nil, err
	}
	b, err := openStopped(ctx, &App{StoreRaw: raw}, keyDirOf(path))
	if err != nil {
		return nil, err
	}
	b.app.shared.events.bound(wholeAudit)
	return b, nil
}

// keyDirOf is the folder of the key and the audit log that go with a store's
// file: its own, or Caddy's data directory.
func keyDirOf(path string) string {
	if dir := filepath.Dir(path); hasKeyFile(dir) {
		return dir
	}
	return dataDir()
}

// openStopped provisions the app outside of any config and opens its store,
// but starts nothing. It makes neither a store nor a key: only Caddy does, as
// the user that it runs as.
func openStopped(ctx context.Context, app *App, keyDir string) (*storeBackend, error) {
	cctx, cancel := caddy.NewContext(caddy.Context{Context: ctx})
	b := &storeBackend{app: app, cancel: cancel}
	if err := app.Provision(cctx); err != nil {
		b.close()
		return nil, err
	}
	app.shared.keyDir = keyDir
	if err := app.shared.moveAudit(keyDir); err != nil {
		b.close()
		return nil, err
	}
	app.shared.logger = zap.NewNop() // what is wrong is the command's error
	app.shared.existing = true
	lease, err := app.Lease()
	if err != nil {
		b.close()
		return nil, fmt.Errorf("%w (if Caddy is running, name its admin address with --address)", err)
	}
	b.lease = lease
	return b, nil
}

// storeBackend works on the store itself.
type storeBackend struct {
	app    *App
	lease  *Lease
	cancel context.CancelFunc
	// instances are those of the config; empty if they are not known.
	instances []string
	// config is the whole config, nil if it is not known; geoIP and lists are
	// what of it the app was opened without.
	config []byte
	geoIP  []string
	lists  []NetworkList
}

func (b *storeBackend) importFile(ctx context.Context, instance, region string, file io.Reader) (importResult, error) {
	events := b.app.shared.events
	im := importer{parts: b.lease.Parts(), instance: instance, instances: b.instances, region: region, now: time.Now(), events: events, by: byCommand}
	result, err := im.run(ctx, file)
	if err != nil {
		return result, err
	}
	if err := events.flush(auditPatience); err != nil {
		return result, fmt.Errorf("the accounts were imported, but this is not in the audit log: %w", err)
	}
	return result, nil
}

func (b *storeBackend) accounts(ctx context.Context, instance string) ([]accountView, error) {
	list := []accountView{}
	err := listAccounts(ctx, b.lease.Parts().Store, instance, time.Now(), func(v accountView) error {
		list = append(list, v)
		return nil
	})
	if err == nil {
		b.app.shared.events.recordListed(ctx, instance, byCommand, "")
	}
	return list, err
}

func (b *storeBackend) seen(ctx context.Context, instance string) ([]store.Seen, error) {
	return listSeen(ctx, b.lease.Parts().Store, instance, time.Now())
}

func (b *storeBackend) close() {
	if b.lease != nil {
		b.lease.Release()
	}
	// Cleanup has nothing to return an error for.
	_ = b.app.Cleanup()
	b.cancel()
}
