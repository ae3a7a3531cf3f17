package twofactor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// actRoutes are the routes of the acts.
func actRoutes() (routes []caddy.AdminRoute) {
	for name, a := range acts() {
		routes = append(routes, caddy.AdminRoute{Pattern: adminActsPath + name, Handler: caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			return serveAct(w, r, a)
		})})
	}
	return routes
}

func serveAct(w http.ResponseWriter, r *http.Request, a act) error {
	if err := wantJSON(r, a.post); err != nil {
		return err
	}
	app, lease, err := activeLease()
	if err != nil {
		return err
	}
	defer lease.Release()
	instance := a.instanceOf(r.URL.Query().Get("instance"))
	o := operator{
		parts: lease.Parts(), instance: instance, instances: app.instances.names(), gate: app.instances.gate(instance),
		seen: app.instances.writeSeen,
		now:  time.Now(), random: rand.Reader, events: lease.from.events, by: byAdminAPI, from: remoteIP(r),
	}
	result, err := a.run(r.Context(), &o, http.MaxBytesReader(w, r.Body, maxActBytes))
	return answerOf(w, result, err)
}

func (b *adminBackend) act(ctx context.Context, name, instance string, body io.Reader) (io.ReadCloser, error) {
	query := url.Values{}
	if instance != "" {
		query.Set("instance", instance)
	}
	return b.do(ctx, http.MethodPost, adminActsPath+name, query, "application/json", body)
}

func (b *storeBackend) act(ctx context.Context, name, instance string, body io.Reader) (io.ReadCloser, error) {
	a := acts()[name]
	events := b.app.shared.events
	o := operator{
		parts: b.lease.Parts(), instance: a.instanceOf(instance), instances: b.instances,
		now: time.Now(), random: rand.Reader, events: events, by: byCommand,
	}
	var err error
	if o.gate, err = b.ruling(o.instance); err != nil {
		return nil, err
	}
	result, err := a.run(ctx, &o, body)
	if err != nil {
		return nil, err
	}
	if err := events.flush(auditPatience); err != nil {
		return nil, fmt.Errorf("it was done, but this is not in the audit log: %w", err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("it was done, but not to be told: %w", err)
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

// ruling makes an instance's gate from the config of a stopped Caddy, with no more
// than what it says of its users; nil if the config is not known or has none of
// that name.
func (b *storeBackend) ruling(instance string) (*handler.Gate, error) {
	if b.config == nil || checkInstance(instance, b.instances) != nil || len(b.instances) == 0 {
		return nil, nil
	}
	h, err := configuredHandler(b.config, instance)
	if err != nil {
		return nil, err
	}
	h.setDefaults()
	gate, err := handler.New(handler.Config{Instance: instance, Prefix: h.Prefix, Enrolment: *h.Enrolment, Clock: time.Now})
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", instance, err)
	}
	return gate, nil
}
