package twofactor

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// seenThings are one of each kind, some with what a terminal would obey.
func seenThings(now time.Time) []store.Seen {
	at := func(s store.Seen) store.Seen {
		s.Instance, s.Count, s.First, s.Last = "crm", s.Count+1, now.Add(-time.Hour), now
		return s
	}
	return []store.Seen{
		at(store.Seen{Kind: store.SeenUser, Key: "anna.b", Detail: "Anna.B", Count: 2}),
		at(store.Seen{Kind: store.SeenUser, Key: "anna", Detail: "anna"}),
		at(store.Seen{Kind: store.SeenUser, Key: "eve", Detail: "Eve\x1b[2J\u202e\tx\n"}),
		at(store.Seen{Kind: store.SeenCookie, Key: "sid", Marks: store.SeenHTTPOnly | store.SeenElsewhere}),
		at(store.Seen{Kind: store.SeenCookie, Key: "remember", Marks: store.SeenHTTPOnly | store.SeenAtYes}),
		at(store.Seen{Kind: store.SeenCookie, Key: "lang", Marks: store.SeenOpen | store.SeenElsewhere}),
		at(store.Seen{Kind: store.SeenSent, Key: "sid"}),
		at(store.Seen{Kind: store.SeenSent, Key: "_ga\x1b]0;x"}),
		at(store.Seen{Kind: store.SeenUnrecognised, Key: "POST /login 418", Detail: "neither\r\nnor"}),
	}
}

func TestAccountsShowWhatWasSeenSafely(t *testing.T) {
	ownDataDir(t)
	dir := inDir(t)
	address := freePort(t)
	mustLoad(t, config(`{}`, address))
	if _, err := command(t, accountsFile, "import", "-", "-i", "crm", "--address", address); err != nil {
		t.Fatal(err)
	}
	lease := mustLease(t, mustLoad(t, config(`{}`, address)))
	if _, err := lease.Parts().Store.NoteSeen(t.Context(), seenThings(time.Now())); err != nil {
		t.Fatal(err)
	}
	lease.Release()
	var running [2]string
	for i, args := range [][]string{{"accounts"}, {"accounts", "--json"}} {
		got, err := command(t, "", append(args, "--address", address)...)
		if err != nil {
			t.Fatal(err)
		}
		running[i] = got
		golden(t, []string{"accounts_seen.txt", "accounts_seen.json"}[i], got)
	}
	if bad := strings.IndexFunc(running[0], func(r rune) bool { return r != '\n' && r < ' ' || r == '\u202e' || r >= 0x7f && r < 0xa0 }); bad >= 0 {
		t.Errorf("the table has a character that a terminal obeys: %q", running[0][bad:min(bad+20, len(running[0]))])
	}
	if got, err := command(t, "", "accounts", "-i", "other", "--address", address); err != nil || got != "no accounts\n" {
		t.Errorf("of another instance: %q, %v", got, err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	cfg := filepath.Join(dir, "caddy.json")
	write(t, cfg, string(config(`{}`, freePort(t))))
	if got, err := command(t, "", "accounts", "--config", cfg); err != nil || got != running[0] {
		t.Errorf("of the stopped Caddy: %v\n%s", err, got)
	}
}

func TestAccountsSayWhereNoRoomIsLeft(t *testing.T) {
	var seen []store.Seen
	for i := range store.SeenUnrecognised.Max() {
		seen = append(seen, store.Seen{Instance: "crm", Kind: store.SeenUnrecognised, Key: fmt.Sprint(i), Count: 1})
	}
	report := newReport(nil, seen)
	var out bytes.Buffer
	if err := report.write(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "No more room in instance crm: the logins that were not recognised;") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestACommandThatThereIsNotIsAnError(t *testing.T) {
	for args, want := range map[string]string{
		"nonsense":      `there is no command two-factor "nonsense": there are accounts, activate, allow-off, audit, demand, devices, erase, exempt, explain, export-data, import, invite, report, reset`,
		"acounts":       "did you mean accounts?",
		"nonsense x --": "there is no command",
	} {
		out, err := command(t, "", strings.Fields(args)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", args, err, want)
		}
		if strings.Contains(out, "Usage") {
			t.Errorf("%s: the help hides the error:\n%s", args, out)
		}
	}
	if out, err := command(t, ""); err != nil || !strings.Contains(out, "import") {
		t.Errorf("by itself it gives %v\n%s", err, out)
	}
}

func TestAnImportIntoAnInstanceThatThereIsNotIsRefused(t *testing.T) {
	const sites = "\ttwo_factor crm {\n\t\tlogin fields a b {\n\t\t\tyes status 302\n\t\t\tno status 401\n\t\t}\n\t\tprotect *\n\t}\n"
	ownDataDir(t)
	dir := inDir(t)
	address := freePort(t)
	site := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf("{\n\tadmin %s\n\tauto_https off\n\tpersist_config off\n}\nhttp://localhost:%s {\n%s\thandle /x {\n%s\t}\n}\n", address, strings.Split(freePort(t), ":")[1], sites,
		strings.ReplaceAll(sites, "crm", "shop"))
	write(t, site, text)
	adapted, err := adapt(text)
	if err != nil {
		t.Fatal(err)
	}
	mustLoad(t, []byte(adapted))
	const want = "there is no instance \"default\" in this config; there is crm, shop"
	if _, err := command(t, accountsFile, "import", "-", "--config", site); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("of the running Caddy: got %v, want an error with %q", err, want)
	}
	if _, err := command(t, accountsFile, "import", "-", "--config", site, "-i", "shop"); err != nil {
		t.Error(err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	// Caddy's admin server outlives a stop inside of a process.
	write(t, site, strings.Replace(text, address, freePort(t), 1))
	if _, err := command(t, accountsFile, "import", "-", "--config", site); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("of the stopped Caddy: got %v, want an error with %q", err, want)
	}
	if _, err := command(t, accountsFile, "import", "-", "--config", site, "-i", "crm"); err != nil {
		t.Error(err)
	}
}

func TestAnImportNamesBadRowsOfEveryKindAtOnce(t *testing.T) {
	take, _ := importing(t)
	if _, err := take("user,aliases\nanna,anna@x.de\n"); err != nil {
		t.Fatal(err)
	}
	_, err := take("user,phone,aliases\nbob\ncarl,123,\ndora,,anna@x.de\nerik,,\nErik,,\n")
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{"line 2: 1 columns", "line 3, column phone:", `line 4, column aliases: "anna@x.de" is a name of "anna"`, "line 6, column user:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestTheAdminAPIGivesWhatWasSeenByGetOnly(t *testing.T) {
	ownDataDir(t)
	address := freePort(t)
	mustLoad(t, config(`{}`, address))
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodPost: 405} {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+adminSeen, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := (&http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s gave %d, want %d", method, answer.StatusCode, want)
		}
	}
}
