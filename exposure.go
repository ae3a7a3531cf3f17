package twofactor

import (
	"fmt"
	"reflect"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// location is where a handler stands: on which server, for which hosts.
type location struct {
	handler *Handler
	server  *caddyhttp.Server
	name    string
	// hosts are the hosts that lead to it; empty for any.
	hosts []string
}

// locations finds the two_factor handlers of the servers of a config.
func locations(app *caddyhttp.App) []location {
	var found []location
	for name, server := range app.Servers {
		eachHandler(server.Routes, nil, func(h *Handler, hosts []string) {
			found = append(found, location{handler: h, server: server, name: name, hosts: hosts})
		})
	}
	return found
}

func eachHandler(routes caddyhttp.RouteList, hosts []string, found func(*Handler, []string)) {
	for i := range routes {
		here := hosts
		if named := routeHosts(&routes[i]); len(named) > 0 {
			here = named
		}
		for _, h := range routes[i].Handlers {
			switch h := h.(type) {
			case *Handler:
				found(h, here)
			case *caddyhttp.Subroute:
				eachHandler(h.Routes, here, found)
			}
		}
	}
}

// routeHosts returns the hosts that a route is for, if each of its matcher
// sets names some.
func routeHosts(r *caddyhttp.Route) []string {
	var hosts []string
	for _, set := range r.MatcherSets {
		named := false
		for _, m := range set {
			if host, ok := m.(*caddyhttp.MatchHost); ok {
				hosts, named = append(hosts, *host...), true
			}
			if host, ok := m.(caddyhttp.MatchHost); ok {
				hosts, named = append(hosts, host...), true
			}
		}
		if !named {
			return nil
		}
	}
	return hosts
}

// checkExposure refuses a config that would carry passwords, codes and
// sessions over plain http, and warns of what an address could be made up by.
func checkExposure(ctx caddy.Context, log *zap.Logger) ([]location, error) {
	v, err := ctx.AppIfConfigured("http")
	if err != nil || v == nil {
		return nil, nil //nolint:nilerr // Without the http app there is no handler either.
	}
	app, ok := v.(*caddyhttp.App)
	if !ok {
		return nil, nil
	}
	found := locations(app)
	warned := map[string]bool{}
	for _, p := range found {
		p.handler.gate.SetHosts(p.hosts)
		if len(p.server.TLSConnPolicies) == 0 {
			if err := p.checkPlain(log); err != nil {
				return nil, err
			}
		}
		if p.believesForgedAddresses() && !warned[p.name] {
			warned[p.name] = true
			log.Warn("trusted_proxies is on without trusted_proxies_strict: a client can make its address up, and every decision by address with it; write trusted_proxies_strict beside it, in the block servers of the global options",
				zap.String("server", p.name), zap.Strings("listen", p.server.Listen))
		}
	}
	return found, nil
}

// believesForgedAddresses reports whether a client can make its address up: a
// proxy adds to what the client itself has sent, and without the strict reading
// the first of these is taken.
func (p *location) believesForgedAddresses() bool {
	return (trustsProxies(p.server) || p.server.TrustedProxiesUnix) && p.server.TrustedProxiesStrict == 0
}

// trustsProxies reports whether the operator has set trusted_proxies. Caddy
// empties the public field when it loads the module and keeps the module in a
// private one, which can only be looked at; should a later Caddy name it
// otherwise, this says no, which closes, and a test fails.
func trustsProxies(server *caddyhttp.Server) bool {
	f := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return f.IsValid() && f.Kind() == reflect.Interface && !f.IsNil()
}

// checkPlain checks a place that is served without TLS.
func (p *location) checkPlain(log *zap.Logger) error {
	if trustsProxies(p.server) || p.server.TrustedProxiesUnix {
		return nil
	}
	if len(p.hosts) == 0 {
		return fmt.Errorf("two_factor %s: the server %s speaks plain http for any host, so passwords, codes and sessions would cross the network in the clear: name the site (crm.example.com) and Caddy serves it over https; or, behind a proxy that speaks TLS, set trusted_proxies",
			p.handler.Name, p.name)
	}
	for _, host := range p.hosts {
		if !handler.IsLoopbackHost(host) {
			return fmt.Errorf("two_factor %s: the site %s is served over plain http, so passwords, codes and sessions would cross the network in the clear: drop http:// from its address and Caddy serves it over https; or, behind a proxy that speaks TLS, set trusted_proxies",
				p.handler.Name, host)
		}
	}
	log.Warn("plain http on a loopback host: the cookies go without Secure and without the prefix __Host-; for trying out only",
		zap.String("instance", p.handler.Name), zap.Strings("hosts", p.hosts))
	return nil
}
