package twofactor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

// anEvent is an event of a user, some minutes after noon.
func anEvent(minute int, user string, kind handler.Kind, result handler.Result) string {
	return string(auditLine(&handler.Event{
		Time: time.Date(2026, 11, 20, 12, minute, 0, 0, time.UTC), Instance: "crm", Kind: kind, Result: result,
		User: user, Account: strings.ToLower(user), ClientIP: "203.0.113.9",
	}))
}

// anAuditLog puts a log of several files into a folder.
func anAuditLog(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "audit-2026-11-20T12-02-00.000-size.log"), anEvent(0, "Anna", handler.LoginSucceeded, handler.ByCode)+anEvent(1, "bob", handler.LoginSucceeded, handler.ByPassword))
	write(t, filepath.Join(dir, auditName), anEvent(3, "Anna", handler.LoginFailed, handler.WrongCode)+"{\"cut\n\n"+strings.Repeat("x", 3*maxAuditLine)+"\n"+anEvent(5, "carla\x1b[2J", handler.OperatorActed, handler.Listed))
	write(t, filepath.Join(dir, attemptsName), anEvent(2, "", handler.LoginFailed, handler.WrongPassword)+anEvent(4, "", handler.LoginFailed, handler.WrongPassword))
	return dir
}

// minutes are those of the events that a command has shown.
func minutes(t *testing.T, out string) string {
	t.Helper()
	var all []string
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "warning") {
			at, err := time.Parse(time.RFC3339, strings.Fields(line)[0])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprint(at.Minute()))
		}
	}
	return strings.Join(all, " ")
}

func TestTheAuditLogIsShownWithItsFilesInTheOrderOfTheTimes(t *testing.T) {
	dir := anAuditLog(t)
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"all of it", "0 1 2 3 4 5", nil},
		{"of a user, however the name is written", "0 3", []string{"--user", " ANNA "}},
		{"of a kind", "2 3 4", []string{"--kind", "authn_login_fail"}},
		{"of two kinds", "0 1 5", []string{"--kind", "authn_login_success,authz_admin"}},
		{"of an instance that there is not", "", []string{"-i", "shop"}},
		{"since a time", "4 5", []string{"--since", "2026-11-20T12:04:00Z"}},
		{"since a day", "0 1 2 3 4 5", []string{"--since", "2026-11-20"}},
		{"since the day after", "", []string{"--since", "2026-11-21"}},
		{"since a second ago", "", []string{"--since", "1s"}},
		{"a user and a kind", "3", []string{"--user", "anna", "--kind", "authn_login_fail"}},
	} {
		out, err := command(t, "", append([]string{"audit", "--audit", dir}, c.args...)...)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := minutes(t, out); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if strings.Contains(out, "\x1b") || !strings.Contains(out, "warning: 1 lines cannot be read") {
			t.Errorf("%s: got\n%q", c.name, out)
		}
	}
	out, err := command(t, "", "audit", "--audit", dir, "--user", "bob", "--json")
	var e auditEntry
	if err != nil || json.Unmarshal([]byte(strings.SplitAfter(out, "\n")[0]), &e) != nil || e.User != "bob" || e.Event != handler.LoginSucceeded {
		t.Errorf("got %v, %s", err, out)
	}
}

func TestTheAuditCommandSaysWhatToDo(t *testing.T) {
	dir := anAuditLog(t)
	ownDataDir(t)
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"no log", "name its folder with --audit", nil},
		{"a kind that there is not", "there are authn_assessed", []string{"--audit", dir, "--kind", "login"}},
		{"one that is only counted", "there is no such event", []string{"--audit", dir, "--kind", "page_shown"}},
		{"a time that is none", "such as 24h", []string{"--audit", dir, "--since", "yesterday"}},
		{"no name", "cannot be the name", []string{"--audit", dir, "--user", " "}},
		{"an argument", "unknown command", []string{"--audit", dir, "anna"}},
		{"two places", "were all set", []string{"--audit", dir, "--store", "x"}},
	} {
		if _, err := command(t, "", append([]string{"audit"}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

// heard collects what is written while somebody waits for it.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

func TestFollowingTheAuditLogMissesNothingWhereItIsPutAside(t *testing.T) {
	dir := anAuditLog(t)
	if err := os.Remove(filepath.Join(dir, attemptsName)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out heard
	ended := make(chan error, 1)
	f := auditFlags{audit: dir, follow: true, since: "2026-11-20T12:05:00Z"}
	go func() { ended <- f.run(ctx, &out, &out, time.Now()) }()
	shows := func(want string) {
		t.Helper()
		waitFor(t, "it shows "+want+", not "+minutes(t, out.String()), func() bool { return minutes(t, out.String()) == want })
	}
	add := func(name, text string) {
		t.Helper()
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	aside := func(at string) {
		t.Helper()
		if err := os.Rename(filepath.Join(dir, auditName), filepath.Join(dir, "audit-2026-11-20T12-"+at+"-00.000-size.log")); err != nil {
			t.Fatal(err)
		}
	}
	shows("5")
	line := anEvent(6, "bob", handler.LoginSucceeded, handler.ByCode)
	add(auditName, line[:30])
	add(auditName, line[30:])
	shows("5 6")
	// Twice between two looks, with a line that was not seen before.
	add(auditName, anEvent(7, "bob", handler.LoginSucceeded, handler.ByCode))
	aside("07")
	add(auditName, anEvent(8, "bob", handler.LoginSucceeded, handler.ByCode))
	aside("08")
	add(auditName, anEvent(9, "bob", handler.LoginSucceeded, handler.ByCode))
	shows("5 6 7 8 9")
	add(attemptsName, anEvent(10, "", handler.LoginFailed, handler.WrongPassword))
	shows("5 6 7 8 9 10")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}
