package twofactor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

const (
	testKey  = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	otherKey = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
)

// ownDataDir gives the test a data directory of its own.
func ownDataDir(t *testing.T) string {
	t.Helper()
	dir := dataFolder(t)
	t.Setenv("XDG_DATA_HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	return filepath.Join(dir, "caddy", "two_factor")
}

// config returns a Caddy config with this app; an empty admin address is none.
func config(app, admin string) []byte {
	listen := `"disabled": true`
	if admin != "" {
		listen = `"listen": "` + admin + `"`
	}
	return fmt.Appendf(nil, `{"admin": {%s, "config": {"persist": false}}, "logging": {"logs": {"default": {"writer": {"output": "discard"}}}}, "apps": {"two_factor": %s}}`, listen, app)
}

// load loads a config into this process's Caddy until the test's end.
func load(t *testing.T, cfg []byte) error {
	t.Helper()
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return caddy.Load(cfg, true)
}

func mustLoad(t *testing.T, cfg []byte) *App {
	t.Helper()
	if err := load(t, cfg); err != nil {
		t.Fatal(err)
	}
	return activeApp(t)
}

func activeApp(t *testing.T) *App {
	t.Helper()
	v, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*App)
}

func validate(t *testing.T, cfg []byte) error {
	t.Helper()
	var c *caddy.Config
	if err := caddy.StrictUnmarshalJSON(cfg, &c); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(c)
}

func mustLease(t *testing.T, app *App) *Lease {
	t.Helper()
	lease, err := app.Lease()
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	names := []string{}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func putAccount(t *testing.T, app *App, user string) {
	t.Helper()
	lease := mustLease(t, app)
	defer lease.Release()
	im := importer{parts: lease.Parts(), instance: "default", now: time.Now()}
	if _, err := im.run(t.Context(), strings.NewReader("user,phone\n"+user+",+4915123456789\n")); err != nil {
		t.Fatal(err)
	}
}

func TestStartMakesStoreKeyAndCheckForCaddyAlone(t *testing.T) {
	dir := ownDataDir(t)
	mustLoad(t, config(`{}`, ""))
	if err := activeApp(t).shared.events.flush(auditPatience); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"store.db", "store.db.key-check", seal.KeyFile, auditName} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, mode)
		}
	}
	if n := len(files(t, dir)); n != 4 {
		t.Errorf("the data directory holds %v", files(t, dir))
	}
}

func TestValidateOpensAndMakesNothing(t *testing.T) {
	dir := ownDataDir(t)
	if err := validate(t, config(`{"sms": [{"name": "dev", "provider": {"provider": "inbox", "listen": "127.0.0.1:1"}}]}`, "")); err != nil {
		t.Fatal(err)
	}
	if list := files(t, dir); len(list) != 0 {
		t.Errorf("validate made %v", list)
	}
}

func TestValidateWorksBesideARunningCaddy(t *testing.T) {
	dir := ownDataDir(t)
	// Another process has the file open.
	hold := holdStore(t, filepath.Join(dir, "store.db"))
	defer hold.Close()
	if err := validate(t, config(`{}`, "")); err != nil {
		t.Fatal(err)
	}
}

func TestCaddyDoesNotStartWithoutItsStore(t *testing.T) {
	for _, c := range []struct {
		name, want string
		prepare    func(t *testing.T, path string)
	}{
		{"another process has it open", "another process has the store's file", func(t *testing.T, path string) {
			hold := holdStore(t, path)
			t.Cleanup(func() { hold.Close() })
		}},
		{"it is damaged", "is damaged", func(t *testing.T, path string) {
			write(t, path, strings.Repeat("no store ", 4096))
		}},
		{"it is a folder", "is not a file", func(t *testing.T, path string) {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{"its folder is a file", "store.db", func(t *testing.T, path string) {
			write(t, filepath.Dir(path), "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ownDataDir(t)
			path := filepath.Join(t.TempDir(), "folder", "store.db")
			c.prepare(t, path)
			err := load(t, config(`{"store": {"engine": "file", "path": "`+path+`"}}`, ""))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Dir(path)) {
				t.Fatalf("got %v, want an error with %q that names the file", err, c.want)
			}
		})
	}
}

func TestCaddyDoesNotStartWithoutTheRightToReadItsStore(t *testing.T) {
	if os.Geteuid() == 0 {
		// Root may read everything, so the words are asked for themselves.
		f := FileStore{Path: "/proc/1/no/store.db"}
		if _, err := f.Open(t.Context()); err == nil {
			t.Fatal("a store under /proc could be opened")
		}
		return
	}
	ownDataDir(t)
	path := filepath.Join(t.TempDir(), "store.db")
	write(t, path, "")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	err := load(t, config(`{"store": {"engine": "file", "path": "`+path+`"}}`, ""))
	if err == nil || !strings.Contains(err.Error(), "read and write it") {
		t.Fatalf("got %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// holdStore opens a store's file as another process would.
func holdStore(t *testing.T, path string) store.Store {
	t.Helper()
	s, err := (&FileStore{Path: path}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProvisionRefusesInWords(t *testing.T) {
	for _, c := range []struct{ name, app, want string }{
		{"mail by nothing", `{"mail": {}}`, "mail: module name not specified"},
		{"mail by what there is not", `{"mail": {"provider": "pigeon"}}`, "unknown module: two_factor.mail.pigeon"},
		{"mail without a server", `{"mail": {"provider": "smtp", "from": "a@example.com"}}`, "mail: server must be a host and a port"},
		{"mail with a server in two words", `{"mail": {"provider": "smtp", "server": ["mail.example.com", "587"]}}`, "cannot unmarshal array"},
		{"mail in the clear to another machine", `{"mail": {"provider": "smtp", "server": "192.0.2.1:25", "tls": "none", "from": "a@example.com"}}`, "mail: tls none is for a mail server on this machine"},
		{"mail with a password that is not set", `{"mail": {"provider": "smtp", "server": "192.0.2.1:587", "from": "a@example.com", "username": "crm", "password": "{env.TWO_FACTOR_NOT_SET}"}}`, "mail: password: a placeholder in its value stands for nothing"},
		{"mail with a password alone", `{"mail": {"provider": "smtp", "server": "192.0.2.1:587", "from": "a@example.com", "password": "open sesame"}}`, "mail: username is empty; it goes with the password"},
		{"mail with a file that is not there", `{"mail": {"provider": "smtp", "server": "192.0.2.1:587", "from": "a@example.com", "ca": "/no/such/file.pem"}}`, "mail: ca: open /no/such/file.pem"},
		{"mail with a long time-out", `{"mail": {"provider": "smtp", "server": "192.0.2.1:587", "from": "a@example.com", "timeout": "1h"}}`, "mail: timeout must be from 1s to 1m0s"},
		{"an engine that is none", `{"store": {"engine": "paper"}}`, "two_factor.stores.paper"},
		{"a provider without a name", `{"sms": [{"provider": {"provider": "inbox"}}]}`, "is not 1 to 32 of"},
		{"two providers of one name", `{"sms": [{"name": "a", "provider": {"provider": "inbox"}}, {"name": "a", "provider": {"provider": "inbox"}}]}`, "by one sender in this version, and there are 2"},
		{"a name without a provider", `{"sms": [{"name": "a"}]}`, "sms a: names no provider"},
		{"a public address of the inbox", `{"sms": [{"name": "a", "provider": {"provider": "inbox", "listen": "0.0.0.0:8082"}}]}`, "other machines could read every code there"},
		{"a name for the inbox", `{"sms": [{"name": "a", "provider": {"provider": "inbox", "listen": "example.com:8082"}}]}`, "want a loopback address"},
		{"no host for the inbox", `{"sms": [{"name": "a", "provider": {"provider": "inbox", "listen": ":8082"}}]}`, "want a loopback address"},
		{"many ports for the inbox", `{"sms": [{"name": "a", "provider": {"provider": "inbox", "listen": "127.0.0.1:8082-8084"}}]}`, "want a loopback address and one port"},
		{"a socket for the inbox", `{"sms": [{"name": "a", "provider": {"provider": "inbox", "listen": "unix//run/x"}}]}`, "want a loopback address"},
		{"a short key", `{"keys": [{"id": "a", "value": "c2VjcmV0c2VjcmV0"}]}`, `key "a": expected 32 random bytes`},
		{"a key that is no base64", `{"keys": [{"id": "a", "value": "secretsecret*"}]}`, "openssl rand -base64 32"},
		{"an empty key", `{"keys": [{"id": "a", "value": ""}]}`, `key "a": its value is empty`},
		{"a variable that is not set", `{"keys": [{"id": "a", "value": "{env.TWO_FACTOR_NOT_SET}"}]}`, `key "a": a placeholder in its value stands for nothing`},
		{"a file that is not there", `{"keys": [{"id": "a", "value": "{file./no/such/secret}"}]}`, `key "a": a placeholder in its value stands for nothing`},
		{"a key without a name", `{"keys": [{"id": "", "value": "` + testKey + `"}]}`, "key name"},
		{"two keys of one name", `{"keys": [{"id": "a", "value": "` + testKey + `"}, {"id": "a", "value": "` + otherKey + `"}]}`, "two keys are named"},
		{"one key twice", `{"keys": [{"id": "a", "value": "` + testKey + `"}, {"id": "b", "value": "` + testKey + `"}]}`, "are the same"},
		{"a path with a variable that is not set", `{"store": {"engine": "file", "path": "{env.TWO_FACTOR_NOT_SET}/x"}}`, "path"},
		{"a word that is none", `{"storage": {}}`, "storage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ownDataDir(t)
			err := validate(t, config(c.app, ""))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			for _, secret := range []string{"secretsecret", "c2VjcmV0", testKey, otherKey} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a key: %v", err)
				}
			}
		})
	}
}

func TestKeysComeFromTheEnvironmentAndFromFiles(t *testing.T) {
	ownDataDir(t)
	t.Setenv("TWO_FACTOR_KEY", testKey)
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, otherKey+"\n")
	app := mustLoad(t, config(`{"keys": [{"id": "new", "value": "{env.TWO_FACTOR_KEY}"}, {"id": "old", "value": "{file.`+path+`}"}]}`, ""))
	lease := mustLease(t, app)
	defer lease.Release()
	if names := lease.Parts().Ring.Names(); len(names) != 2 || names[0] != "new" {
		t.Errorf("got the keys %v", names)
	}
}

// TestRule28AWrongKeyOverwritesNothing: security.md, rule 28.
func TestRule28AWrongKeyOverwritesNothing(t *testing.T) {
	const with = `{"keys": [{"id": "%s", "value": "%s"}]}`
	right := fmt.Sprintf(with, "right", testKey)
	for _, c := range []struct {
		name, app, want string
		before          func(t *testing.T, dir string)
	}{
		{"another key of another name", fmt.Sprintf(with, "wrong", otherKey), "written with the key right", nil},
		{"another key of the same name", fmt.Sprintf(with, "right", otherKey), "written with the key right", nil},
		{"no key in the config any more", `{}`, "written with the key right", nil},
		{"another key, and the check lost", fmt.Sprintf(with, "wrong", otherKey), "not those that the store's data was written with", removeCheck},
		{"no key, and the check lost", `{}`, "the key that they were sealed with is gone", removeCheck},
		{"a check that is damaged", right, "is damaged", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "store.db.key-check"), "{") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := ownDataDir(t)
			app := mustLoad(t, config(right, ""))
			putAccount(t, app, "anna")
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				c.before(t, dir)
			}
			before := snapshot(t, dir)
			err := load(t, config(c.app, ""))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			for name, text := range snapshot(t, dir) {
				if name != "store.db" && before[name] != text {
					t.Errorf("%s was changed", name)
				}
			}
			restore(t, dir)
			app = mustLoad(t, config(right, ""))
			lease := mustLease(t, app)
			defer lease.Release()
			a, err := lease.Parts().Store.Account(t.Context(), "default", "anna")
			if err != nil || len(a.Factors) != 1 {
				t.Errorf("with the right key the account is %+v, %v", a, err)
			}
		})
	}
}

func removeCheck(t *testing.T, dir string) {
	if err := os.Remove(filepath.Join(dir, "store.db.key-check")); err != nil {
		t.Fatal(err)
	}
}

// restore does what the message about a damaged check says.
func restore(t *testing.T, dir string) {
	data, err := os.ReadFile(filepath.Join(dir, "store.db.key-check"))
	if err == nil && string(data) == "{" {
		removeCheck(t, dir)
	}
}

func snapshot(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	for _, name := range files(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

func TestALostKeyFileIsNotReplaced(t *testing.T) {
	dir := ownDataDir(t)
	mustLoad(t, config(`{}`, ""))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, seal.KeyFile)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	err := load(t, config(`{}`, ""))
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v, want an error that names %s", err, path)
	}
	if hasKeyFile(dir) {
		t.Error("a new key was made")
	}
}

func TestAKeyIsReplacedByAReload(t *testing.T) {
	ownDataDir(t)
	app := mustLoad(t, config(`{"keys": [{"id": "old", "value": "`+testKey+`"}]}`, ""))
	putAccount(t, app, "anna")
	both := config(`{"keys": [{"id": "new", "value": "`+otherKey+`"}, {"id": "old", "value": "`+testKey+`"}]}`, "")
	app = mustLoad(t, both)
	putAccount(t, app, "bob")
	// Data of both keys is there now.
	err := caddy.Load(config(`{"keys": [{"id": "new", "value": "`+otherKey+`"}]}`, ""), true)
	if err == nil || !strings.Contains(err.Error(), "written with the key old") {
		t.Fatalf("without the old key: got %v", err)
	}
	lease := mustLease(t, activeApp(t))
	defer lease.Release()
	for _, user := range []string{"anna", "bob"} {
		a, err := lease.Parts().Store.Account(t.Context(), "default", user)
		if err != nil {
			t.Fatal(err)
		}
		if err := opensFactor(&a, &a.Factors[0], lease.Parts().Ring); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
}

func TestAReloadKeepsTheStoreOpen(t *testing.T) {
	ownDataDir(t)
	app := mustLoad(t, config(`{}`, ""))
	first := mustLease(t, app)
	defer first.Release()
	app = mustLoad(t, config(`{"sms": [{"name": "dev", "provider": {"provider": "inbox", "listen": "127.0.0.1:0"}}]}`, ""))
	second := mustLease(t, app)
	defer second.Release()
	if first.Parts().Store != second.Parts().Store {
		t.Error("the reload opened the store a second time")
	}
	if first.Parts().Challenges == second.Parts().Challenges {
		t.Error("the reload kept the senders of the old config")
	}
}

// TestInvariant10ARunningRequestKeepsItsStore: a request that began before a
// reload has its store until it ends.
func TestInvariant10ARunningRequestKeepsItsStore(t *testing.T) {
	dir := ownDataDir(t)
	app := mustLoad(t, config(`{}`, ""))
	lease := mustLease(t, app)
	mustLoad(t, config(`{"store": {"engine": "file", "path": "`+filepath.Join(dir, "other.db")+`"}}`, ""))

	if _, err := lease.Parts().Store.Account(t.Context(), "default", "anna"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("the running request's store: %v", err)
	}
	// Back to the first store while the request still runs: the file's lock
	// must not be taken twice.
	back := mustLoad(t, config(`{}`, ""))
	again := mustLease(t, back)
	if again.Parts().Store != lease.Parts().Store {
		t.Error("the store was opened a second time")
	}
	again.Release()
	mustLoad(t, config(`{"store": {"engine": "file", "path": "`+filepath.Join(dir, "other.db")+`"}}`, ""))
	lease.Release()
	lease.Release() // does nothing
	waitFor(t, "the old config lets nobody in", func() bool {
		l, err := app.Lease()
		if err == nil {
			l.Release()
		}
		return errors.Is(err, ErrClosed)
	})
	waitFor(t, "the store was closed after the last lease", func() bool {
		s, err := (&FileStore{Path: filepath.Join(dir, "store.db")}).Open(t.Context())
		if err != nil {
			return false
		}
		return s.Close() == nil
	})
}

func TestALateRequestIsServedWhileAnotherConfigHasTheStore(t *testing.T) {
	ownDataDir(t)
	old := mustLoad(t, config(`{}`, ""))
	mustLoad(t, config(`{"sms": [{"name": "dev", "provider": {"provider": "inbox", "listen": "127.0.0.1:0"}}]}`, ""))
	late, err := old.Lease()
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := late.Parts().Store.Account(t.Context(), "default", "anna"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("the late request's store: %v", err)
	}
	late.Release()
	if _, err := old.Lease(); !errors.Is(err, ErrClosed) {
		t.Fatalf("after the end: got %v, want ErrClosed", err)
	}
}

func TestManyRequestsThroughManyReloads(t *testing.T) {
	ownDataDir(t)
	mustLoad(t, config(`{}`, ""))
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v, err := caddy.ActiveContext().AppIfConfigured(appName)
				if err != nil {
					t.Error(err)
					return
				}
				lease, err := v.(*App).Lease()
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := lease.Parts().Store.Account(context.Background(), "default", "anna"); !errors.Is(err, store.ErrNotFound) {
					t.Error(err)
				}
				lease.Release()
			}
		})
	}
	for range 10 {
		mustLoad(t, config(`{}`, ""))
	}
	close(stop)
	all.Wait()
}

func TestTwentyReloadsLeakNothing(t *testing.T) {
	ownDataDir(t)
	cfg := func(i int) []byte {
		return config(fmt.Sprintf(`{"sms": [{"name": "dev%d", "provider": {"provider": "inbox", "listen": "127.0.0.1:0"}}]}`, i), "")
	}
	mustLoad(t, cfg(0))
	mustLoad(t, cfg(1))
	goroutines, descriptors := settled(), openFiles(t)
	for i := range 20 {
		mustLoad(t, cfg(i))
	}
	waitFor(t, "goroutines and open files are as many as before", func() bool {
		return runtime.NumGoroutine() <= goroutines && openFiles(t) <= descriptors
	})
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	stores.Range(func(key, _ any) bool {
		t.Errorf("the store %v is still in the pool", key)
		return true
	})
	inboxes.Range(func(key, _ any) bool {
		t.Errorf("the inbox %v is still in the pool", key)
		return true
	})
}

// settled returns the number of goroutines once it no longer falls.
func settled() int {
	n := runtime.NumGoroutine()
	for range 20 {
		time.Sleep(20 * time.Millisecond)
		n = min(n, runtime.NumGoroutine())
	}
	return n
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // a system without it: goroutines alone are counted
	}
	return len(list)
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not after 10 seconds: %s", what)
}

func TestAFailedReloadLeavesTheOldConfigWorking(t *testing.T) {
	ownDataDir(t)
	app := mustLoad(t, config(`{}`, ""))
	for _, bad := range []string{`{"mail": {}}`, `{"keys": [{"id": "x", "value": "` + testKey + `"}]}`, `{"store": {"engine": "paper"}}`} {
		if err := caddy.Load(config(bad, ""), true); err == nil {
			t.Fatalf("%s was loaded", bad)
		}
		lease := mustLease(t, app)
		if _, err := lease.Parts().Store.Account(t.Context(), "default", "anna"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after %s: %v", bad, err)
		}
		lease.Release()
	}
}

func TestTheInboxShowsTextsThroughAReload(t *testing.T) {
	ownDataDir(t)
	address := freePort(t)
	cfg := func(name string) []byte {
		return config(`{"sms": [{"name": "`+name+`", "provider": {"provider": "inbox", "listen": "`+address+`"}}]}`, "")
	}
	app := mustLoad(t, cfg("one"))
	_, err := app.shared.senders[0].Send(t.Context(), sms.Message{To: "+4915123456789", Text: "123456 is your code", ID: "one"})
	if err != nil {
		t.Fatal(err)
	}
	mustLoad(t, cfg("two"))
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	// The kernel may still give a connection to the old listener and reset it.
	waitFor(t, "the inbox shows the text", func() bool {
		answer, err := client.Get("http://" + address + "/?json")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return false
		}
		if !bytes.Contains(body, []byte("123456 is your code")) {
			t.Fatalf("got %s", body)
		}
		return true
	})
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		conn.Close()
		t.Error("the inbox still listens after the end")
	}
}

func TestCaddyDoesNotStartWithoutTheInboxsPort(t *testing.T) {
	ownDataDir(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = load(t, config(`{"sms": [{"name": "dev", "provider": {"provider": "inbox", "listen": "`+taken.Addr().String()+`"}}]}`, ""))
	if err == nil || !strings.Contains(err.Error(), "free the port") {
		t.Fatalf("got %v", err)
	}
}

func TestASecondSenderIsRefusedSinceItWouldNeverBeUsed(t *testing.T) {
	ownDataDir(t)
	err := load(t, config(`{"sms": [
		{"name": "one", "provider": {"provider": "inbox", "listen": "127.0.0.1:0"}},
		{"name": "two", "provider": {"provider": "inbox", "listen": "127.0.0.2:0"}}]}`, ""))
	if err == nil || !strings.Contains(err.Error(), `one sender in this version, and there are 2 ("one", "two"): remove`) {
		t.Fatalf("got %v", err)
	}
}

func TestKeyCheckTellsNothingOfTheKey(t *testing.T) {
	dir := ownDataDir(t)
	mustLoad(t, config(`{"keys": [{"id": "2026", "value": "`+testKey+`"}]}`, ""))
	data, err := os.ReadFile(filepath.Join(dir, "store.db.key-check"))
	if err != nil {
		t.Fatal(err)
	}
	var check keyCheck
	if err := json.Unmarshal(data, &check); err != nil || len(check.Keys) != 1 || check.Keys[0].Name != "2026" {
		t.Fatalf("got %s, %v", data, err)
	}
	if strings.Contains(string(data), testKey[:8]) || strings.Contains(string(data), "0123456789abcdef0123456789abcdef") {
		t.Error("the check shows the key")
	}
}

func TestRule28TheKeyIsCheckedByAFactorThatHasASecret(t *testing.T) {
	const with = `{"keys": [{"id": "right", "value": "%s"}]}`
	dir := ownDataDir(t)
	lease := mustLease(t, mustLoad(t, config(fmt.Sprintf(with, testKey), "")))
	a := fullAccount(t, lease)
	lease.Release()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if a.Factors[0].Kind != account.KindRecovery {
		t.Fatal("the first factor is not the recovery codes")
	}
	removeCheck(t, dir)
	if err := load(t, config(fmt.Sprintf(with, otherKey), "")); err == nil || !strings.Contains(err.Error(), "not those that the store's data was written with") {
		t.Errorf("with another key: %v", err)
	}
	if err := load(t, config(fmt.Sprintf(with, testKey), "")); err != nil {
		t.Errorf("with the right key: %v", err)
	}
}
