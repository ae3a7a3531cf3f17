package twofactor

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/geo"
	"github.com/caddy-twofactor/caddy-twofactor/geo/geotest"
)

// countryFile writes a database in which 192.0.2.0/24 is in this country.
func countryFile(t *testing.T, path, code string) {
	t.Helper()
	data := geotest.Database(t, "GeoLite2-Country", geotest.Records{"192.0.2.0/24": geotest.Country(code)})
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// placesConfig is a config of this app with a database and a list of Tor.
func placesConfig(admin, database, list string) []byte {
	return config(fmt.Sprintf(`{"geoip": [%q], "network_lists": [{"kind": "tor", "files": [%q]}]}`, database, list), admin)
}

// activePlaces is what the running config tells places by.
func activePlaces(t *testing.T) *geo.Reader {
	t.Helper()
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*App).geo
}

// followers are the goroutines that follow files.
func followers() int {
	stacks := make([]byte, 8<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "geo.(*Reader).Watch(")
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about that %s", what)
		}
	}
}

func TestAConfigTellsPlacesAndFollowsItsFiles(t *testing.T) {
	ownDataDir(t)
	dir := t.TempDir()
	database, list := filepath.Join(dir, "country.mmdb"), filepath.Join(dir, "tor.txt")
	countryFile(t, database, "DE")
	write(t, list, "192.0.2.7\n")
	admin := freePort(t)
	if err := load(t, placesConfig(admin, database, list)); err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("192.0.2.7")
	if got, want := activePlaces(t).Look(addr), (geo.Place{Country: "DE", Anonymous: geo.Tor}); got != want {
		t.Errorf("the address is at %+v, want %+v", got, want)
	}
	countryFile(t, database, "FR")
	until(t, "the new database is in use", func() bool { return activePlaces(t).Look(addr).Country == "FR" })
	write(t, list, "<html>\n")
	refused := fmt.Sprintf(`caddy_two_factor_geo_files_total{file=%q,result="refused"} 1`, list)
	until(t, "the broken list is counted", func() bool { return strings.Contains(scraped(t, admin), refused) })
	if got := activePlaces(t).Look(addr).Anonymous; got != geo.Tor {
		t.Errorf("with a broken list in its place the address is %q", got)
	}
	metrics := scraped(t, admin)
	for _, want := range []string{
		fmt.Sprintf(`caddy_two_factor_geo_files_total{file=%q,result="loaded"} 2`, database),
		fmt.Sprintf(`caddy_two_factor_geo_files_total{file=%q,result="refused"} 0`, database),
		fmt.Sprintf(`caddy_two_factor_geo_built_timestamp_seconds{file=%q} %s`, database, promFloat(float64(geotest.Built.Unix()))),
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics do not say %s", want)
		}
	}
}

func promFloat(f float64) string { return fmt.Sprintf("%g", f) }

func scraped(t *testing.T, admin string) string {
	t.Helper()
	res, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatFollowsFilesEndsWithItsConfig(t *testing.T) {
	ownDataDir(t)
	dir := t.TempDir()
	database, list := filepath.Join(dir, "country.mmdb"), filepath.Join(dir, "tor.txt")
	countryFile(t, database, "DE")
	write(t, list, "192.0.2.7\n")
	before := followers()
	if err := validate(t, placesConfig("", database, list)); err != nil {
		t.Fatal(err)
	}
	if n := followers() - before; n != 0 {
		t.Errorf("%d goroutines follow files after caddy validate", n)
	}
	for range 3 {
		if err := load(t, placesConfig("", database, list)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "one config's files are followed", func() bool { return followers()-before == 1 })
	if err := load(t, config(`{}`, "")); err != nil {
		t.Fatal(err)
	}
	if activePlaces(t) != nil {
		t.Error("a config without files tells places")
	}
	until(t, "no files are followed", func() bool { return followers() == before })
}

func TestFilesThatTellNoPlacesAreRefusedByValidate(t *testing.T) {
	dir := t.TempDir()
	city, other := filepath.Join(dir, "a.mmdb"), filepath.Join(dir, "b.mmdb")
	countryFile(t, city, "DE")
	countryFile(t, other, "DE")
	text := filepath.Join(dir, "text.mmdb")
	write(t, text, "192.0.2.0/24,DE\n")
	list := filepath.Join(dir, "tor.txt")
	write(t, list, "192.0.2.0/24\n192.0.2.0/33\n")
	missing := filepath.Join(dir, "missing.mmdb")
	lists := func(kind string, paths ...string) map[string]any {
		return map[string]any{"network_lists": []any{map[string]any{"kind": kind, "files": paths}}}
	}
	for _, tc := range []struct {
		name string
		app  map[string]any
		say  []string
	}{
		{"a missing database", map[string]any{"geoip": []string{missing}}, []string{"geoip", missing, "no such file"}},
		{"a text", map[string]any{"geoip": []string{text}}, []string{"geoip", text, "no database in MaxMind's format"}},
		{"two that tell the same", map[string]any{"geoip": []string{city, other}}, []string{city, other, "remove it"}},
		{"an empty name", map[string]any{"geoip": []string{""}}, []string{"geoip", "empty"}},
		{"a variable that is not set", map[string]any{"geoip": []string{"{env.TWO_FACTOR_NOT_SET}"}}, []string{"geoip", "TWO_FACTOR_NOT_SET"}},
		{"a bad line of a list", lists("tor", list), []string{"network_list", list, "line 2"}},
		{"a missing list", lists("vpn", missing), []string{"network_list", missing, "no such file"}},
		{"a kind that is none", lists("evil", list), []string{"network_list", `evil`, "tor, vpn, proxy, hosting, egress"}},
		{"a list without files", lists("egress"), []string{"network_list egress", "names no file"}},
		{"an empty name of a list", lists("egress", ""), []string{"network_list egress", "empty"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ownDataDir(t)
			app, err := json.Marshal(tc.app)
			if err != nil {
				t.Fatal(err)
			}
			err = validate(t, config(string(app), ""))
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range tc.say {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}

func TestAFileMayBeNamedByTheEnvironment(t *testing.T) {
	ownDataDir(t)
	database := filepath.Join(t.TempDir(), "country.mmdb")
	countryFile(t, database, "DE")
	t.Setenv("TWO_FACTOR_TEST_DATABASE", database)
	if err := validate(t, config(`{"geoip": ["{env.TWO_FACTOR_TEST_DATABASE}"]}`, "")); err != nil {
		t.Error(err)
	}
}

func TestCommandsNeedNoDatabaseOfPlaces(t *testing.T) {
	ownDataDir(t)
	dir := inDir(t)
	mustLoad(t, config(`{}`, ""))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	cfg := filepath.Join(dir, "caddy.json")
	write(t, cfg, string(config(`{"geoip": ["/no/such/file.mmdb"], "network_lists": [{"kind": "tor", "files": ["/no/such/list"]}]}`, freePort(t))))
	if out, err := command(t, "", "accounts", "--config", cfg); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
