package twofactor

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// gate makes an instance's gate from the config of a stopped Caddy, with no more
// than what a decision hangs on: it serves no requests.
func (b *storeBackend) gate(instance string) (*handler.Gate, error) {
	if err := checkInstance(instance, b.instances); err != nil {
		return nil, err
	}
	h, err := configuredHandler(b.config, instance)
	if err != nil {
		return nil, err
	}
	b.app.GeoIP, b.app.NetworkLists = b.geoIP, b.lists
	if err := b.app.openPlaces(b.app.ctx); err != nil {
		return nil, err
	}
	h.setDefaults()
	c := handler.Config{
		Instance: instance, Logins: h.Logins, StepUps: h.StepUps, Observe: h.observes(),
		UnknownUser: handler.UnknownUser(h.UnknownUser), Policy: h.Policy,
		Places: b.app.places(), Agents: b.app.agents, Retention: b.app.retention(),
		Logger: zap.NewNop(), Clock: time.Now, Rand: rand.Reader,
	}
	if err := compileUnasked(h, c.Places); err != nil {
		return nil, err
	}
	gate, err := handler.New(c)
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", instance, err)
	}
	return gate, nil
}

// configuredHandler is the handler of an instance in a config.
func configuredHandler(config []byte, instance string) (*Handler, error) {
	var found map[string]any
	eachInstance(config, func(name string, h map[string]any) {
		if found == nil && name == instance {
			found = maps.Clone(h)
		}
	})
	if found == nil {
		return nil, inputErrorf("there is no instance %s in this config", clip(instance))
	}
	delete(found, "handler")
	raw, err := json.Marshal(found)
	if err != nil {
		return nil, fmt.Errorf("reading the config of instance %s: %w", instance, err)
	}
	h := new(Handler)
	if err := caddy.StrictUnmarshalJSON(raw, h); err != nil {
		return nil, fmt.Errorf("reading the config of instance %s: %w", instance, err)
	}
	return h, nil
}

// compileUnasked compiles the policies of a handler whose matchers nobody asks.
func compileUnasked(h *Handler, places handler.Places) error {
	var data policy.Data
	if places != nil {
		data = places.Data()
	}
	compile := func(where string, p *handler.Policy) error {
		if p == nil {
			return nil
		}
		p.TrustSets, p.AlwaysSets, p.NeverSets = unaskedSets(p.TrustRaw), unaskedSets(p.AlwaysRaw), unaskedSets(p.NeverRaw)
		if err := errors.Join(foldUsers(p), p.Compile(data)); err != nil {
			return fmt.Errorf("%spolicy: %w", where, err)
		}
		return nil
	}
	if err := compile("", h.Policy); err != nil {
		return err
	}
	for i := range h.Logins {
		if err := compile(fmt.Sprintf("login %d: ", i+1), h.Logins[i].Policy); err != nil {
			return err
		}
	}
	for i := range h.StepUps {
		if err := compile(fmt.Sprintf("step_up %d: ", i+1), h.StepUps[i].Policy); err != nil {
			return err
		}
	}
	return nil
}

// unaskedMatcher stands for a matcher that has only a name.
type unaskedMatcher string

// CaddyModule returns the module's information.
func (m unaskedMatcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: caddy.ModuleID("http.matchers." + string(m))}
}

func unaskedSets(raw caddyhttp.RawMatcherSets) (sets caddyhttp.MatcherSets) {
	for _, r := range raw {
		var set caddyhttp.MatcherSet
		for _, name := range slices.Sorted(maps.Keys(r)) {
			set = append(set, unaskedMatcher(name))
		}
		sets = append(sets, set)
	}
	return sets
}
