package twofactor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// NetworkList names lists of networks of one kind. A list is a text file with
// a prefix (192.0.2.0/24, 2001:db8::/32), an address or AS and a number on
// each line; what follows a # is a comment. It may have 64 MiB and 2 million
// entries, and is read again when it changes.
type NetworkList struct {
	// Kind is what the networks are known for: tor, vpn, proxy or hosting, which
	// are anonymous ones, or egress, the ways out of companies and relays, from
	// where an address tells nothing of a person's place.
	Kind string `json:"kind"`
	// Files are the lists. Placeholders are replaced; a relative path is one of
	// the folder that Caddy was started in.
	Files []string `json:"files"`
}

// checkListKind refuses what is no kind of a list.
func checkListKind(kind string) error {
	kinds := geo.ListKinds()
	if slices.Contains(kinds, geo.Kind(kind)) {
		return nil
	}
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return fmt.Errorf("is none of %s", strings.Join(names, ", "))
}

// openPlaces reads the databases and lists, if there are any, but does not
// follow them: `caddy validate` comes this far too.
func (a *App) openPlaces(ctx caddy.Context) error {
	cfg := geo.Config{Log: a.logger, Count: countGeo}
	for _, path := range a.GeoIP {
		path, err := replacePath(path)
		if err != nil {
			return fmt.Errorf("geoip: %w", err)
		}
		cfg.Files = append(cfg.Files, path)
	}
	for _, l := range a.NetworkLists {
		if err := checkListKind(l.Kind); err != nil {
			return fmt.Errorf("network_list: the kind %s %w", clip(l.Kind), err)
		}
		if len(l.Files) == 0 {
			return fmt.Errorf("network_list %s: names no file", l.Kind)
		}
		for _, path := range l.Files {
			path, err := replacePath(path)
			if err != nil {
				return fmt.Errorf("network_list %s: %w", l.Kind, err)
			}
			cfg.Lists = append(cfg.Lists, geo.List{Kind: geo.Kind(l.Kind), File: path})
		}
	}
	if len(cfg.Files)+len(cfg.Lists) == 0 {
		return nil
	}
	reader, err := geo.Open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("geoip and network_list: %w", err)
	}
	a.geo = reader
	if registry := ctx.GetMetricsRegistry(); registry != nil {
		if err := registry.Register(geoAges{reader}); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	return nil
}

// replacePath replaces the placeholders of a path.
func replacePath(path string) (string, error) {
	path, err := caddy.NewReplacer().ReplaceOrErr(path, true, true)
	if err != nil {
		return "", err
	}
	if path == "" {
		return "", errors.New("the name of a file is empty")
	}
	return path, nil
}

// places tells where addresses are. It is nil if the config names no files for
// that, and then nothing is known.
func (a *App) places() handler.Places {
	if a.geo == nil {
		return nil
	}
	return knownPlaces{a.geo}
}

// countGeo counts what happens to a file of networks.
func countGeo(file string, event geo.Event) {
	if event == geo.Loaded {
		// An alarm needs the counters before their first event.
		metricGeo.WithLabelValues(file, string(geo.Refused))
		metricGeo.WithLabelValues(file, string(geo.Unreadable))
	}
	metricGeo.WithLabelValues(file, string(event)).Inc()
}

// geoBuilt describes the age of a database.
var geoBuilt = prometheus.NewDesc("caddy_two_factor_geo_built_timestamp_seconds",
	"When each database of places that is in use was built by its maker, in seconds since 1970.", []string{"file"}, nil)

// geoAges tells the ages of the databases of one config. Unlike the counters it
// ends with its config: a file that is no longer named has no age.
type geoAges struct{ reader *geo.Reader }

// Describe describes the metric.
func (geoAges) Describe(ch chan<- *prometheus.Desc) { ch <- geoBuilt }

// Collect tells the time of each database.
func (g geoAges) Collect(ch chan<- prometheus.Metric) {
	for _, d := range g.reader.Databases() {
		ch <- prometheus.MustNewConstMetric(geoBuilt, prometheus.GaugeValue, float64(d.Built.Unix()), d.File)
	}
}
