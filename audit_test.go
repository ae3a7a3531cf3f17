package twofactor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// auditLines reads an audit log; every one of its lines must be whole.
func auditLines(t *testing.T, path string) []auditEntry {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var all []auditEntry
	for line := range bytes.Lines(text) {
		var e auditEntry
		if err := json.Unmarshal(line, &e); err != nil || line[len(line)-1] != '\n' {
			t.Fatalf("a line of %s is not whole: %v: %q", path, err, line)
		}
		all = append(all, e)
	}
	return all
}

// standOf is where a counter stands.
func standOf(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("%d metrics, %v", len(families), err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

// testAudit is an audit log in a folder of the test's own, and what Caddy's log
// is told.
func testAudit(t *testing.T, path string) (*auditLog, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	l := newAuditLog(newAuditFile(path))
	l.logger.Store(zap.New(core))
	return l, logs
}

func end(t *testing.T, l *auditLog) {
	t.Helper()
	if err := l.Destruct(); err != nil {
		t.Fatal(err)
	}
}

// wrongPassword is an event as an attacker can bring it about.
func wrongPassword(n int) *handler.Event {
	return &handler.Event{
		Time: time.Now(), Instance: "default", Kind: handler.LoginFailed, Result: handler.WrongPassword,
		ClientIP: "203.0.113.9", UserAgent: fmt.Sprintf("agent %d %s", n, strings.Repeat("x", 300)),
	}
}

func TestRule29TheAuditLogIsBoundedInSizeAndForCaddyAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "two_factor")
	f := newAuditFile(filepath.Join(dir, auditName))
	f.mib, f.keep = 1, 2
	written := 0
	for n := 0; written < 6<<20; n++ {
		line := auditLine(wrongPassword(n))
		if err := f.write(line); err != nil {
			t.Fatal(err)
		}
		written += len(line)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	list := files(t, dir)
	if len(list) != 3 {
		t.Errorf("there are %v, want the file and 2 that were put aside", list)
	}
	for _, name := range list {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 1<<20 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes and mode %o, want at most 1 MiB and 600", name, info.Size(), info.Mode().Perm())
		}
		if len(auditLines(t, path)) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
}

func TestRule29NoLineOfTheAuditLogGetsOlderThanItsBound(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, auditName)
	now := time.Now()
	days := func(n int) time.Time { return now.Add(-time.Duration(n) * 24 * time.Hour) }
	aside := func(n int) string { return "audit-" + days(n).UTC().Format("2006-01-02T15-04-05.000") + "-age.log" }
	e := wrongPassword(1)
	e.Time = days(auditSpan + 1)
	write(t, path, string(auditLine(e)))
	old, young := aside(auditDays-2*auditSpan+1), aside(auditDays-2*auditSpan-1)
	write(t, filepath.Join(dir, old), "{}\n")
	write(t, filepath.Join(dir, young), "{}\n")
	f := newAuditFile(path)
	if err := f.checkAge(now); err != nil {
		t.Fatal(err)
	}
	if err := f.write(auditLine(wrongPassword(2))); err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if n := len(auditLines(t, path)); n != 1 {
		t.Errorf("the file has %d lines, want the new one alone", n)
	}
	list := strings.Join(files(t, dir), " ")
	if strings.Contains(list, old) || !strings.Contains(list, young) || len(files(t, dir)) != 3 {
		t.Errorf("there are %s; want the file, what was put aside now, and %s", list, young)
	}
	// A file that is younger stays.
	g := newAuditFile(path)
	if err := g.checkAge(now.Add((auditSpan*24 - 1) * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := len(files(t, dir)); n != 3 {
		t.Errorf("there are %d files, want 3", n)
	}
}

func TestTheBoundsOfTheAuditLogFitTogether(t *testing.T) {
	// The files that age puts aside must not be more than are kept, and one is
	// removed a span late at most.
	if aside := (auditDays - 2*auditSpan) / auditSpan; aside > auditKeep {
		t.Errorf("%d files come of age, %d are kept", aside, auditKeep)
	}
}

func TestInvariant09AnAuditLogThatCannotBeWrittenIsLoudAndLosesNoEvent(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "two_factor")
	write(t, blocked, "a file where the folder should be")
	l, logs := testAudit(t, filepath.Join(blocked, auditName))
	before := standOf(t, metricAudit.WithLabelValues(auditFailed))
	l.put(auditLine(wrongPassword(1)))
	l.put(auditLine(wrongPassword(2)))
	if err := l.flush(auditPatience); err == nil {
		t.Error("flush says that all is written")
	}
	if n := standOf(t, metricAudit.WithLabelValues(auditFailed)) - before; n != 2 {
		t.Errorf("the metric counts %v events that were not written, want 2", n)
	}
	if n := logs.FilterMessageSnippet("cannot be written").Len(); n != 1 {
		t.Errorf("Caddy's log says %d times that the file cannot be written, want once", n)
	}
	missing := logs.FilterMessageSnippet("missing in the audit log").All()
	if len(missing) != 2 || missing[0].Level != zap.ErrorLevel {
		t.Fatalf("Caddy's log has %v, want both events as errors", missing)
	}
	if event := fmt.Sprintf("%s", missing[0].ContextMap()["audit"]); !strings.Contains(event, "agent 1") {
		t.Errorf("Caddy's log has %s, want the event", event)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	l.put(auditLine(wrongPassword(3)))
	if err := l.flush(auditPatience); err != nil {
		t.Error(err)
	}
	end(t, l)
	if n := len(auditLines(t, filepath.Join(blocked, auditName))); n != 1 {
		t.Errorf("the healed file has %d lines, want 1", n)
	}
	if logs.FilterMessageSnippet("written again").Len() != 1 {
		t.Error("Caddy's log does not say that it is written again")
	}
}

func TestALineThatWasCutSwallowsNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), auditName)
	whole := string(auditLine(wrongPassword(1)))
	write(t, path, whole+whole[:40])
	f := newAuditFile(path)
	if err := f.write(auditLine(wrongPassword(2))); err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(readFile(t, path)), "\n"), "\n")
	if len(lines) != 3 || !json.Valid([]byte(lines[2])) || lines[1] != whole[:40] {
		t.Errorf("the file has %q", lines)
	}
}

func TestAnAuditLogThatWasMovedAwayIsMadeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), auditName)
	f := newAuditFile(path)
	for n := range 2 {
		if err := f.write(auditLine(wrongPassword(n))); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path, fmt.Sprint(path, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	if n := len(auditLines(t, path+"1")); n != 1 {
		t.Errorf("the second file has %d lines, want 1", n)
	}
}

func TestAFullQueueDropsAndCountsAndHoldsNothingUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), auditName)
	l, logs := testAudit(t, path)
	// The writer waits, as for a disk that hangs.
	l.started = true
	before := standOf(t, metricAudit.WithLabelValues(auditDropped))
	began := time.Now()
	for n := range auditQueue + 10 {
		l.put(auditLine(wrongPassword(n)))
	}
	if took := time.Since(began); took > auditPatience {
		t.Errorf("it took %s", took)
	}
	if n := standOf(t, metricAudit.WithLabelValues(auditDropped)) - before; n != 10 {
		t.Errorf("the metric counts %v dropped events, want 10", n)
	}
	go l.run()
	end(t, l)
	if n := len(auditLines(t, path)); n != auditQueue {
		t.Errorf("%d events were written, want %d", n, auditQueue)
	}
	told := logs.FilterMessageSnippet("events are missing").All()
	if len(told) != 1 || told[0].ContextMap()["events"] != int64(10) {
		t.Errorf("Caddy's log says %v, want that 10 are missing", told)
	}
	l.put(auditLine(wrongPassword(0)))
	if n := standOf(t, metricAudit.WithLabelValues(auditDropped)) - before; n != 11 {
		t.Errorf("the metric counts %v dropped events after the end, want 11", n)
	}
}

func TestTwoConfigsWriteOneAuditLogWithWholeLines(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, auditName)
	old, err := acquireAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	old.file.mib = 1
	young, err := acquireAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, l := range []*auditLog{old, young} {
		for range 4 {
			all.Go(func() {
				for n := range 500 {
					l.putWaiting(t.Context(), auditLine(wrongPassword(n)))
				}
			})
		}
	}
	all.Wait()
	for range 2 {
		if err := releaseAudit(young); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, name := range files(t, dir) {
		n += len(auditLines(t, filepath.Join(dir, name)))
	}
	if n != 4000 || len(files(t, dir)) < 2 {
		t.Errorf("%d lines in %v, want 4000 in several files", n, files(t, dir))
	}
	if _, there := auditLogs.References(path); there {
		t.Error("the log is still in the pool")
	}
}

func TestRule29AnAuditLineIsOneBoundedHarmlessLine(t *testing.T) {
	nasty := "evil\r\n{\"event\":\"sys_startup\"}\x00\x1b[2J\u202e\u2028\x9b\xff" + strings.Repeat("ü", 5000)
	e := &handler.Event{
		Time: time.Now(), Instance: "default", Kind: handler.LoginAssessed, Result: "challenge", User: nasty, Account: nasty,
		UserAgent: nasty, Detail: nasty, ClientIP: "203.0.113.9", Factor: account.KindPhone, Hint: "42",
		Decision: &policy.Decision{Verdict: policy.Challenge, Assessment: policy.Assessment{
			Score: 40, Signals: []policy.Signal{{Name: "new_ip", Points: 40, Reason: "never seen"}},
		}},
	}
	line := auditLine(e)
	if len(line) > 16<<10 || bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
		t.Fatalf("it has %d bytes: %q", len(line), line)
	}
	for _, bad := range []string{"\r", "\x00", "\x1b", "\u202e", "\u2028", "\u009b", `\u202e`, `\u2028`, `\r`, `\u001b`} {
		if bytes.Contains(line, []byte(bad)) {
			t.Errorf("it has %q: %q", bad, line[:200])
		}
	}
	var got auditEntry
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if got.Factor != "phone …42" || got.Score == nil || *got.Score != 40 || len(got.Signals) != 1 || got.Verdict != "challenge" || got.Level != "INFO" {
		t.Errorf("it says %+v", got)
	}
}

func TestNoAuditLogIsOpenedBeforeTheFirstEvent(t *testing.T) {
	dir := t.TempDir()
	r, err := newRecorder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.release(); err != nil {
		t.Fatal(err)
	}
	if list := files(t, dir); len(list) != 0 {
		t.Errorf("there are %v", list)
	}
}

func TestRule29WhoHasNoPasswordPushesNothingOutOfTheAuditLog(t *testing.T) {
	dir := t.TempDir()
	r, err := newRecorder(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.attempts.file.mib, r.attempts.file.keep = 1, 1
	r.audit.file.mib, r.audit.file.keep = 1, 1
	r.Record(handler.Event{Time: time.Now(), Instance: "default", Kind: handler.LoginSucceeded, Result: handler.ByCode, User: alice})
	for n := range 20000 {
		e := wrongPassword(n)
		switch n % 3 {
		case 1:
			e.Kind, e.Result = handler.Refused, "blocked"
		case 2:
			e.Kind, e.Result = handler.LoginUnread, "twice"
		}
		r.Record(*e)
		if n%1000 == 0 {
			// As fast as the disk takes them, so that many are written.
			if err := r.flush(auditPatience); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Record(handler.Event{Time: time.Now(), Instance: "default", Kind: handler.LoginFailed, Result: handler.WrongCode, User: alice, Account: alice})
	if err := r.release(); err != nil {
		t.Fatal(err)
	}
	got := auditLines(t, filepath.Join(dir, auditName))
	if len(got) != 2 || got[0].Event != handler.LoginSucceeded || got[1].Result != handler.WrongCode {
		t.Errorf("the audit log has %+v, want what alice did alone", got)
	}
	if list := files(t, dir); len(list) != 3 {
		t.Errorf("there are %v, want the audit log, the attempts and one file that was put aside", list)
	}
}
