package twofactor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/sms/inbox"
)

func init() {
	caddy.RegisterModule(InboxSender{})
}

// defaultInboxListen is where the inbox page is served by default.
const defaultInboxListen = "127.0.0.1:8082"

// Time-outs and limits of the inbox page.
const (
	inboxReadTimeout  = 5 * time.Second
	inboxWriteTimeout = 10 * time.Second
	inboxIdleTimeout  = 30 * time.Second
	inboxStopTimeout  = 2 * time.Second
	inboxMaxHeader    = 16 << 10
)

// inboxes keeps the texts of each inbox through a reload, by its address.
var inboxes = caddy.NewUsagePool()

// InboxSender is the SMS provider for development: it sends nothing and shows
// the texts on a page of this machine. It must not be used where the phones
// are real, since whoever can see the page can see every code. The texts are
// kept in memory: the last 100, through a reload, not through a restart.
type InboxSender struct {
	// Listen is where the page is served, over plain HTTP: a loopback address
	// and a port. Placeholders are replaced. Default: 127.0.0.1:8082.
	Listen string `json:"listen,omitempty"`

	address  caddy.NetworkAddress
	texts    *inbox.Inbox
	acquired bool
	server   *http.Server
	listener net.Listener
	logger   *zap.Logger
}

// CaddyModule returns the module's information.
func (InboxSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "two_factor.sms.inbox",
		New: func() caddy.Module { return new(InboxSender) },
	}
}

// Provision checks the address and takes the inbox that belongs to it.
func (s *InboxSender) Provision(ctx caddy.Context) error {
	s.logger = ctx.Logger()
	if s.Listen == "" {
		s.Listen = defaultInboxListen
	}
	listen, err := caddy.NewReplacer().ReplaceOrErr(s.Listen, true, true)
	if err != nil {
		return fmt.Errorf("sms inbox: listen: %w", err)
	}
	s.address, err = parseLoopback(listen)
	if err != nil {
		return fmt.Errorf("sms inbox: listen %q: %w", listen, err)
	}
	v, _ := inboxes.LoadOrStore(s.address.String(), inbox.New(time.Now))
	s.acquired = true
	s.texts = v.(*inbox.Inbox)
	return nil
}

// parseLoopback reads a host and a port that only this machine can reach.
func parseLoopback(listen string) (caddy.NetworkAddress, error) {
	const want = "want a loopback address and one port, such as " + defaultInboxListen
	a, err := caddy.ParseNetworkAddress(listen)
	if err != nil {
		return a, fmt.Errorf("%w; %s", err, want)
	}
	if !strings.HasPrefix(a.Network, "tcp") || a.PortRangeSize() != 1 {
		return a, errors.New(want)
	}
	if a.Host == "localhost" {
		return a, nil
	}
	ip, err := netip.ParseAddr(a.Host)
	if err != nil {
		return a, errors.New(want)
	}
	if !ip.Unmap().IsLoopback() {
		return a, fmt.Errorf("other machines could read every code there; %s", want)
	}
	return a, nil
}

// Run serves the page.
func (s *InboxSender) Run() error {
	v, err := s.address.Listen(context.Background(), 0, net.ListenConfig{})
	if err != nil {
		return fmt.Errorf("sms inbox: listening at %s: %w (free the port, or choose another with: listen 127.0.0.1:<port>)", s.address, err)
	}
	listener, ok := v.(net.Listener)
	if !ok {
		return fmt.Errorf("sms inbox: %s is not a stream address", s.address)
	}
	s.listener = listener
	s.server = &http.Server{
		Handler:           s.texts,
		ReadHeaderTimeout: inboxReadTimeout,
		ReadTimeout:       inboxReadTimeout,
		WriteTimeout:      inboxWriteTimeout,
		IdleTimeout:       inboxIdleTimeout,
		MaxHeaderBytes:    inboxMaxHeader,
		ErrorLog:          zap.NewStdLog(s.logger),
	}
	go func() {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("the SMS inbox page has ended", zap.Error(err))
		}
	}()
	s.logger.Warn("texts are not sent: they are shown on the SMS inbox page, for development only",
		zap.String("address", "http://"+listener.Addr().String()))
	return nil
}

// End stops serving it.
func (s *InboxSender) End() error {
	ctx, cancel := context.WithTimeout(context.Background(), inboxStopTimeout)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		return s.server.Close()
	}
	return nil
}

// Cleanup gives the inbox back.
func (s *InboxSender) Cleanup() error {
	if !s.acquired {
		return nil
	}
	s.acquired = false
	_, err := inboxes.Delete(s.address.String())
	return err
}

// Send keeps the text for the page.
func (s *InboxSender) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) {
	return s.texts.Send(ctx, m)
}

// UnmarshalCaddyfile sets up the sender from Caddyfile tokens. Syntax:
//
//	inbox {
//		listen <address>
//	}
func (s *InboxSender) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		switch d.Val() {
		case "listen":
			if s.Listen != "" {
				return d.Err("listen: already specified")
			}
			if !d.AllArgs(&s.Listen) {
				return d.ArgErr()
			}
		default:
			return d.Errf("unrecognized subdirective of sms inbox: %s", d.Val())
		}
	}
	return nil
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*InboxSender)(nil)
	_ caddy.CleanerUpper    = (*InboxSender)(nil)
	_ caddyfile.Unmarshaler = (*InboxSender)(nil)
	_ sms.Sender            = (*InboxSender)(nil)
	_ runner                = (*InboxSender)(nil)
)
