package twofactor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

func init() {
	caddy.RegisterModule(App{})
}

// appName is the name of the app in a config.
const appName = "two_factor"

// App keeps what all two_factor handlers of a config share: the store, the
// keys and the senders. Without any configuration it keeps accounts in a file
// in Caddy's data directory, makes a key there, and sends no texts.
type App struct {
	// StoreRaw is where accounts, sessions and locks are kept. Default: the
	// engine "file", in Caddy's data directory.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=two_factor.stores inline_key=engine"`
	// SMS lists the providers that send texts. The first is used. Default:
	// none; then phones cannot be used as a second factor.
	SMS []SMSProvider `json:"sms,omitempty"`
	// MailRaw is what sends notices by mail. Default: none; then nobody is told
	// by mail what happens to an account.
	MailRaw json.RawMessage `json:"mail,omitempty" caddy:"namespace=two_factor.mail inline_key=provider"`
	// GeoIP lists databases that tell where an address is, in MaxMind's format
	// (.mmdb): City, Country or Enterprise, ASN and Anonymous-IP, at most 512 MiB
	// each; what lies in them is kept in memory. They are read again when they
	// change; while one is broken, the one before stays in use. Placeholders are
	// replaced; a relative path is one of the folder that Caddy was started in.
	// Default: none; then nothing is known of an address.
	GeoIP []string `json:"geoip,omitempty"`
	// NetworkLists name lists of anonymous networks and of egress networks.
	// Default: none.
	NetworkLists []NetworkList `json:"network_lists,omitempty"`
	// History is how long it is kept what accounts are used to.
	History *HistoryRules `json:"history,omitempty"`
	// Audit bounds the audit log.
	Audit *AuditRules `json:"audit,omitempty"`
	// Keys are the keys under which secrets at rest and cookies are sealed, the
	// newest first: the first seals, all of them open. Default: one key that is
	// made at the first start and kept in Caddy's data directory, in
	// two_factor/, readable for Caddy's user alone. Losing it loses all
	// enrolments.
	Keys []Key `json:"keys,omitempty"`

	shared    *shared
	instances *instances
	ctx       caddy.Context
	logger    *zap.Logger
	geo       *geo.Reader // nil if nothing tells of places
	agents    *handler.Agents
	// end ends what runs besides requests: the trying of the login pages, and
	// the look at the files of networks.
	end context.CancelFunc
	// aged is closed when no history is aged any more; nil before the start.
	aged chan struct{}
}

// SMSProvider is one provider of texts, under a name of the operator's.
type SMSProvider struct {
	// Name is what logs and metrics call it: 1 to 32 of a-z, 0-9 and -.
	Name string `json:"name"`
	// ProviderRaw is the provider's module with its settings.
	ProviderRaw json.RawMessage `json:"provider,omitempty" caddy:"namespace=two_factor.sms inline_key=provider"`
}

// shortName is what instances and providers may be called.
var shortName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// CaddyModule returns the module's information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  appName,
		New: func() caddy.Module { return new(App) },
	}
}

// Provision checks the configuration, and reads the files that tell of places.
// It does not open the store: `caddy validate` comes this far too, beside a
// Caddy that has it open.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.instances, a.logger, a.agents = ctx, new(instances), ctx.Logger(), handler.NewAgents()
	if err := errors.Join(a.History.check(), a.Audit.check()); err != nil {
		return err
	}
	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	if err := a.openPlaces(ctx); err != nil {
		return err
	}
	var ring *seal.Ring
	if len(a.Keys) > 0 {
		var err error
		if ring, err = newRing(a.Keys); err != nil {
			return err
		}
	}
	guest, err := a.loadStore(ctx)
	if err != nil {
		return err
	}
	senders, err := a.loadSenders(ctx)
	if err != nil {
		return err
	}
	mailer, err := a.loadMailer(ctx)
	if err != nil {
		return err
	}
	if a.shared, err = newShared(guest, senders, mailer, ring, a.logger); err != nil {
		return err
	}
	a.shared.audit = a.Audit.bounds()
	return nil
}

func (a *App) loadStore(ctx caddy.Context) (StoreGuest, error) {
	if len(a.StoreRaw) == 0 {
		a.StoreRaw = json.RawMessage(`{"engine":"file"}`)
	}
	v, err := ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	guest, ok := v.(StoreGuest)
	if !ok {
		return nil, fmt.Errorf("store: %T is no store", v)
	}
	return guest, nil
}

func (a *App) loadSenders(ctx caddy.Context) ([]sms.Sender, error) {
	var senders []sms.Sender
	if len(a.SMS) > 1 {
		return nil, fmt.Errorf("sms: texts go by one sender in this version, and there are %d (%s, %s): remove those that are not to be used", len(a.SMS), clip(a.SMS[0].Name), clip(a.SMS[1].Name))
	}
	for i := range a.SMS {
		p := &a.SMS[i]
		if !shortName.MatchString(p.Name) {
			return nil, fmt.Errorf("sms: the name %s is not 1 to 32 of a-z, 0-9 and -", clip(p.Name))
		}
		if len(p.ProviderRaw) == 0 {
			return nil, fmt.Errorf("sms %s: names no provider", p.Name)
		}
		v, err := ctx.LoadModule(p, "ProviderRaw")
		if err != nil {
			return nil, fmt.Errorf("sms %s: %w", p.Name, err)
		}
		sender, ok := v.(sms.Sender)
		if !ok {
			return nil, fmt.Errorf("sms %s: %T sends no texts", p.Name, v)
		}
		senders = append(senders, sender)
	}
	return senders, nil
}

// Start checks that no site is served in the clear, opens the store, checks
// that the keys are those it was written with, starts the senders, and follows
// the files that tell of places.
func (a *App) Start() error {
	found, err := checkExposure(a.ctx, a.logger)
	if err != nil {
		return err
	}
	if err := a.shared.start(a.instances.pages); err != nil {
		return err
	}
	a.warnAtStart()
	ctx, cancel := context.WithCancel(a.ctx)
	a.end = cancel
	go tryLoginPages(ctx, found, a.logger)
	a.aged = make(chan struct{})
	go a.ageHistories(ctx)
	if a.geo != nil {
		go a.geo.Watch(ctx)
	}
	return nil
}

// Stop ends the senders, but does not close the store: requests may still need
// it.
func (a *App) Stop() error {
	if a.end != nil {
		a.end()
		// It ends between two steps; what it is at, the store must be there for.
		<-a.aged
	}
	return a.shared.stop()
}

// Cleanup closes the store when the last request that has a lease on it ends,
// unless another config uses it. After a Provision that failed it gives nothing
// back, since nothing was taken.
func (a *App) Cleanup() error {
	if a.shared != nil {
		a.shared.close()
	}
	return nil
}

// Lease gives the caller the use of the store, which it must end with Release.
// It costs one atomic add once the app has started; the first one may open the
// store, since Caddy starts its apps in no order. It returns ErrClosed after
// the end of the config, and the store's error if it cannot be opened.
func (a *App) Lease() (*Lease, error) { return a.shared.lease() }

// Interface guards.
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
