package twofactor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

const aDay = caddy.Duration(24 * time.Hour)

func TestTheBoundsOfTheAuditLogAreThoseOfTheConfig(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules *AuditRules
		want  auditBounds
	}{
		{"none", nil, auditBounds{mib: 10, keep: 10, days: 90, span: 9}},
		{"an empty block of JSON", &AuditRules{}, auditBounds{mib: 10, keep: 10, days: 90, span: 9}},
		{"all", &AuditRules{KeepFor: 365 * aDay, MaxSize: 100, Keep: 20}, auditBounds{mib: 100, keep: 20, days: 365, span: 36}},
		{"the least", &AuditRules{KeepFor: 10 * aDay}, auditBounds{mib: 10, keep: 10, days: 10, span: 1}},
	} {
		if got := c.rules.bounds(); got != c.want || c.rules.check() != nil {
			t.Errorf("%s: got %+v, %v, want %+v", c.name, got, c.rules.check(), c.want)
		}
		// The files that age puts aside must not be more than are kept.
		if b := c.rules.bounds(); b.maxAge() < b.span || b.maxAge()/b.span > b.keep {
			t.Errorf("%s: files are removed after %d days, one covers %d, %d are kept", c.name, b.maxAge(), b.span, b.keep)
		}
	}
	for _, bad := range []AuditRules{{KeepFor: -1}, {KeepFor: 9 * aDay}, {KeepFor: aDay * 25 / 2}, {KeepFor: 3651 * aDay}, {MaxSize: -1}, {MaxSize: 1025}, {Keep: 1}, {Keep: 1001}} {
		text, err := json.Marshal(bad)
		if err != nil {
			t.Fatal(err)
		}
		if err := load(t, config(`{"audit": `+string(text)+`}`, "")); err == nil || !strings.Contains(err.Error(), "audit: ") {
			t.Errorf("%+v was loaded: %v", bad, err)
		}
	}
}

func TestRule29TheAuditLogIsKeptAsLongAsTheConfigSays(t *testing.T) {
	dir := ownDataDir(t)
	path := filepath.Join(dir, auditName)
	e := wrongPassword(1)
	e.Time = time.Now().Add(-20 * 24 * time.Hour)
	old := "audit-" + time.Now().Add(-100*24*time.Hour).UTC().Format("2006-01-02T15-04-05.000") + "-age.log"
	put := func() {
		t.Helper()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, string(auditLine(e)))
		write(t, filepath.Join(dir, old), "{}\n")
	}
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	put()
	mustLoad(t, config(`{"audit": {"keep_for": 31536000000000000}}`, ""))
	if err := activeApp(t).shared.events.flush(auditPatience); err != nil {
		t.Fatal(err)
	}
	if !there(old) || len(auditLines(t, path)) != 2 {
		t.Errorf("of a log that is kept for a year there are %v", files(t, dir))
	}
	// A config that is loaded takes its bounds along.
	mustLoad(t, config(`{"audit": {"keep_for": 864000000000000}}`, ""))
	audit := activeApp(t).shared.events.audit
	if err := audit.flush(auditPatience); err != nil {
		t.Fatal(err)
	}
	if got, want := audit.file.auditBounds, (auditBounds{mib: 10, keep: 10, days: 10, span: 1}); got != want {
		t.Errorf("after a reload the bounds are %+v, want %+v", got, want)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	f := newAuditFile(path)
	f.auditBounds = (&AuditRules{KeepFor: 10 * aDay}).bounds()
	if err := f.checkAge(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if there(old) {
		t.Errorf("of a log that is kept for 10 days there are %v", files(t, dir))
	}
}

func TestACommandThatDoesNotKnowTheConfigRemovesNothingOfTheAuditLog(t *testing.T) {
	dir := ownDataDir(t)
	mustLoad(t, config(`{"audit": {"keep_for": 31536000000000000}}`, ""))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, auditName)
	e := wrongPassword(1)
	e.Time = time.Now().Add(-30 * 24 * time.Hour)
	write(t, path, string(auditLine(e)))
	for n := 91; n < 110; n++ {
		write(t, filepath.Join(dir, "audit-"+time.Now().Add(-time.Duration(n)*24*time.Hour).UTC().Format("2006-01-02T15-04-05.000")+"-age.log"), "{}\n")
	}
	before := len(files(t, dir))
	if _, err := command(t, "", "accounts", "--store", filepath.Join(dir, "store.db")); err != nil {
		t.Fatal(err)
	}
	if n := len(files(t, dir)); n != before || len(auditLines(t, path)) != 2 {
		t.Errorf("of %d files %d are left", before, n)
	}
}
