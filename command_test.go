package twofactor

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
)

const accountsFile = "user,aliases,phone,mail,group,totp_secret\n" +
	"Anna,anna@example.com;anna.b,+4915123456789,anna@example.com,sales,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n" +
	"bob,,+447400123456,,,\n" +
	"carla,,,,,\n"

// command runs `caddy two-factor …` and returns what it writes.
func command(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	root := &cobra.Command{Use: "caddy", SilenceErrors: true}
	cmd := &cobra.Command{Use: "two-factor"}
	setUpCommand(cmd)
	root.AddCommand(cmd)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetIn(strings.NewReader(stdin))
	root.SetArgs(append([]string{"two-factor"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	got = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`).ReplaceAllString(got, "TIME")
	got = regexp.MustCompile(`"id": "[\w-]{22}"`).ReplaceAllString(got, `"id": "ID"`)
	path := filepath.Join(commandFiles, name)
	if *update {
		write(t, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// commandFiles is where the golden files are, from wherever a test runs.
var commandFiles, _ = filepath.Abs(filepath.Join("testdata", "command"))

// inDir makes the test run in an empty folder, without a Caddyfile.
func inDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	return dir
}

func TestCommandsWorkThroughTheAdminAPI(t *testing.T) {
	ownDataDir(t)
	address := freePort(t)
	mustLoad(t, config(`{"keys": [{"id": "a", "value": "`+testKey+`"}]}`, address))
	steps := []struct {
		golden, stdin string
		args          []string
	}{
		{"accounts_none.txt", "", []string{"accounts"}},
		{"import_new.txt", accountsFile, []string{"import", "-", "--instance", "crm"}},
		{"import_again.txt", accountsFile, []string{"import", "-", "--instance", "crm"}},
		{"import_json.txt", `[{"user": "dora", "totp_secret": "JBSWY3DPEHPK3PXP"}]`, []string{"import", "-"}},
		{"accounts.txt", "", []string{"accounts"}},
		{"accounts_crm.json", "", []string{"accounts", "--json", "--instance", "crm"}},
		{"accounts_default.txt", "", []string{"accounts", "-i", "default"}},
	}
	for _, s := range steps {
		got, err := command(t, s.stdin, append(s.args, "--address", address)...)
		if err != nil {
			t.Fatalf("%s: %v", s.golden, err)
		}
		golden(t, s.golden, got)
	}
	_, err := command(t, "user,phone,totp_secret\nanna,123,\n,+493012345,x\n", "import", "-", "--address", address)
	if err == nil {
		t.Fatal("a bad file was taken")
	}
	golden(t, "import_bad.txt", err.Error()+"\n")
}

func TestCommandsWorkOnTheStoreOfAStoppedCaddy(t *testing.T) {
	dataDir := ownDataDir(t)
	dir := inDir(t)
	mustLoad(t, config(`{}`, ""))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "accounts.csv")
	write(t, file, accountsFile)
	cfg := filepath.Join(dir, "caddy.json")
	write(t, cfg, string(config(`{}`, freePort(t))))
	site := filepath.Join(dir, "Caddyfile")
	write(t, site, fmt.Sprintf("{\n\tadmin %s\n\ttwo_factor {\n\t\tstore file\n\t}\n}\n", freePort(t)))
	for _, args := range [][]string{
		{"--config", cfg},
		{"--config", site, "--adapter", "caddyfile"},
		{}, // the Caddyfile of this folder
		{"--store", filepath.Join(dataDir, "store.db")},
	} {
		if _, err := command(t, "", append([]string{"import", file, "-i", "crm"}, args...)...); err != nil {
			t.Fatalf("import %v: %v", args, err)
		}
		got, err := command(t, "", append([]string{"accounts", "--json", "-i", "crm"}, args...)...)
		if err != nil {
			t.Fatalf("accounts %v: %v", args, err)
		}
		golden(t, "accounts_crm.json", got)
	}
	// What the command left is what Caddy takes.
	lease := mustLease(t, mustLoad(t, config(`{}`, "")))
	defer lease.Release()
	if _, err := lease.Parts().Store.Account(t.Context(), "crm", "anna@example.com"); err != nil {
		t.Error(err)
	}
}

func TestCommandsMakeNoStoreOfTheirOwn(t *testing.T) {
	dataDir := ownDataDir(t)
	dir := inDir(t)
	cfg := filepath.Join(dir, "caddy.json")
	write(t, cfg, string(config(`{}`, freePort(t))))
	for _, args := range [][]string{{"--config", cfg}, {"--store", filepath.Join(dir, "no.db")}} {
		_, err := command(t, accountsFile, append([]string{"import", "-"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), "start Caddy once") {
			t.Errorf("%v: got %v", args, err)
		}
	}
	if list := append(files(t, dataDir), files(t, dir)...); len(list) != 1 {
		t.Errorf("the command made %v", list)
	}
}

func TestCommandsSayWhatToDo(t *testing.T) {
	dataDir := ownDataDir(t)
	dir := inDir(t)
	mustLoad(t, config(`{}`, ""))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	nobody := freePort(t)
	cfg := filepath.Join(dir, "caddy.json")
	write(t, cfg, string(config(`{}`, nobody)))
	plain := filepath.Join(dir, "plain.json")
	write(t, plain, `{"admin": {"listen": "`+nobody+`"}, "apps": {}}`)
	keyed := filepath.Join(dir, "keyed.json")
	write(t, keyed, string(config(`{"keys": [{"id": "x", "value": "`+testKey+`"}]}`, nobody)))

	hold := holdStore(t, filepath.Join(dataDir, "store.db"))
	for _, args := range [][]string{{"--config", cfg}, {"--store", filepath.Join(dataDir, "store.db")}} {
		_, err := command(t, accountsFile, append([]string{"import", "-"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), "--address") || !strings.Contains(err.Error(), "another process") {
			t.Errorf("the store is open elsewhere, %v: got %v", args, err)
		}
	}
	if err := hold.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"no file", "no.csv", []string{"import", "no.csv", "--config", cfg}},
		{"a folder", "is a folder", []string{"import", dir, "--config", cfg}},
		{"nobody at the address", "asking Caddy's admin API", []string{"import", "-", "--address", nobody}},
		{"no address", "want one such as", []string{"import", "-", "--address", "localhost:1-5"}},
		{"a config without two_factor", "has no two_factor", []string{"import", "-", "--config", plain}},
		{"a config with another key", "put it back", []string{"import", "-", "--config", keyed}},
		{"no instance", "is not 1 to 32 of", []string{"import", "-", "--config", cfg, "-i", "My CRM"}},
		{"no region", "want two letters", []string{"import", "-", "--config", cfg, "--region", "Germany"}},
		{"a store and a config", "store", []string{"import", "-", "--config", cfg, "--store", "x"}},
		{"no file named", "accepts 1 arg", []string{"import"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := command(t, accountsFile, c.args...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestAdminAPIRefuses(t *testing.T) {
	ownDataDir(t)
	address := freePort(t)
	mustLoad(t, config(`{}`, address))
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct {
		name, method, path, kind, body string
		want                           int
	}{
		{"accounts by POST", "POST", adminAccounts, "", "", 405},
		{"an import by GET", "GET", adminImport, "", "", 405},
		{"an import of a form, which a web page can send", "POST", adminImport, "application/x-www-form-urlencoded", "user\na\n", 415},
		{"an import as plain text, which a web page can send", "POST", adminImport, "text/plain", "user\na\n", 415},
		{"an import without a type", "POST", adminImport, "", "user\na\n", 415},
		{"a file that is too long", "POST", adminImport, "text/csv", "user\n" + strings.Repeat("a\n", maxImportBytes/2), 400},
		{"a bad row", "POST", adminImport, "text/csv", "user\n \n", 400},
		{"a bad instance", "POST", adminImport + "?instance=A%20B", "text/csv", "user\na\n", 400},
		{"a good one", "POST", adminImport + "?instance=crm", "text/csv; charset=utf-8", "user\na\n", 200},
		{"accounts", "GET", adminAccounts, "", "", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+address+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.kind != "" {
				r.Header.Set("Content-Type", c.kind)
			}
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != c.want {
				t.Errorf("got %d, want %d", answer.StatusCode, c.want)
			}
		})
	}
}

func TestAdminAPIAsksTheConfigThatRuns(t *testing.T) {
	ownDataDir(t)
	address := freePort(t)
	mustLoad(t, config(`{}`, address))
	// The router that answers from now on is that of a config that failed.
	if err := caddy.Load(config(`{"mail": {}}`, address), true); err == nil {
		t.Fatal("a config with mail by nothing was loaded")
	}
	waitFor(t, "the import is taken", func() bool {
		_, err := command(t, "user\nanna\n", "import", "-", "--address", address)
		return err == nil
	})
	if err := load(t, fmt.Appendf(nil, `{"admin": {"listen": "%s", "config": {"persist": false}}}`, address)); err != nil {
		t.Fatal(err)
	}
	// The kernel may still give a connection to the old admin server and reset it.
	waitFor(t, "the API says that there is no two_factor", func() bool {
		_, err := command(t, "", "accounts", "--address", address)
		return err != nil && strings.Contains(err.Error(), "the running config has no two_factor")
	})
}
