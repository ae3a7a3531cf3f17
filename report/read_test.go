package report_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
	"github.com/caddy-twofactor/caddy-twofactor/report"
)

// start is when the recorded logins begin.
var start = time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// month is the period of the tests.
func month() report.Query {
	from := start.Truncate(day)
	return report.Query{From: from, To: from.AddDate(0, 0, 30), Retention: policy.DefaultRetention}
}

// observed is the line of a login that asks for a code in mode observe.
func observed(at time.Time, user string) string {
	return fmt.Sprintf(`{"time":%q,"event":"authn_assessed","result":"challenge","instance":"crm","user":%q,"account":%q,"verdict":"challenge","score":0,`+
		`"signals":[],"policy":"every_login","reason":"asked at every login","facts":{"device":"unwatched"},"detail":"observed"}`+"\n", at.Format(time.RFC3339Nano), user, user)
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir string) *report.Log {
	t.Helper()
	log, err := report.Read(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func mustReport(t *testing.T, log *report.Log, q report.Query) *report.Report {
	t.Helper()
	r, err := log.Report(q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLinesThatAreDamagedAreCountedAndSkipped(t *testing.T) {
	good := observed(start, "anna")
	for name, c := range map[string]struct {
		text                    string
		logins, damaged, tooBig int
	}{
		"nothing":                              {"", 0, 0, 0},
		"a cut line at the end":                {good + good[:50], 1, 1, 0},
		"a line without its end":               {good + strings.TrimSuffix(good, "\n"), 2, 0, 0},
		"a cut line within":                    {good[:50] + "\n" + good, 1, 1, 0},
		"a blank line where a line was cut":    {good + "\n" + good, 2, 0, 0},
		"bytes that are no text":               {"\x00\xff\x00\n" + good, 1, 1, 0},
		"another JSON value":                   {"[]\nnull\n7\n" + good, 1, 3, 0},
		"a line without a time":                {`{"event":"authn_assessed"}` + "\n" + good, 1, 1, 0},
		"a verdict that there is not":          {strings.Replace(good, `"verdict":"challenge"`, `"verdict":"perhaps"`, 1) + good, 1, 1, 0},
		"a score that there cannot be":         {strings.Replace(good, `"score":0`, `"score":9000000000`, 1) + good, 1, 1, 0},
		"a score below nothing":                {strings.Replace(good, `"score":0`, `"score":-1`, 1) + good, 1, 1, 0},
		"an address that is none":              {strings.Replace(good, `"facts":{`, `"facts":{"address":"anywhere",`, 1) + good, 1, 1, 0},
		"a line of 64 KiB":                     {strings.Replace(good, "anna", strings.Repeat("a", 64<<10), 1) + good, 1, 0, 1},
		"a line of 3 MiB without an end":       {good + strings.Repeat("x", 3<<20), 1, 0, 1},
		"an event and a field of later times":  {`{"time":"2026-11-01T09:00:00Z","event":"later","more":[1]}` + "\n" + good, 1, 0, 0},
		"ends of lines as Windows writes them": {strings.ReplaceAll(good+good, "\n", "\r\n"), 2, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "audit.log", c.text)
			r := mustReport(t, read(t, dir), month())
			if r.Observed != c.logins || r.Read.Damaged != c.damaged || r.Read.TooLong != c.tooBig {
				t.Errorf("got %d logins, %d damaged lines and %d too long; want %d, %d, %d", r.Observed, r.Read.Damaged, r.Read.TooLong, c.logins, c.damaged, c.tooBig)
			}
		})
	}
}

func TestFilesThatWerePutAsideAreReadInTheOrderOfTheirTimes(t *testing.T) {
	dir := t.TempDir()
	// A replay shows the order: only the first login of an address is new.
	line := func(n int, ip string) string {
		return strings.Replace(observed(start.Add(time.Duration(n)*day), "anna"), `"facts":{`, `"facts":{"address":"`+ip+`",`, 1)
	}
	put(t, dir, "audit-2026-11-10T00-00-00.000-age.log", line(5, "192.0.2.1")+line(4, "192.0.2.1"))
	put(t, dir, "audit-2026-11-04T00-00-00.000-size.log", line(0, "192.0.2.1"))
	put(t, dir, "audit-2026-11-04T00-00-00.000-size_1.log", line(1, "192.0.2.1"))
	put(t, dir, "audit.log", line(12, "198.51.100.1"))
	// These are not the log's.
	put(t, dir, "attempts.log", line(3, "203.0.113.1"))
	put(t, dir, "audit-of-mine.log", line(3, "203.0.113.1"))
	put(t, dir, "audit-2026-11-04T00-00-00.000-size.log.bak", line(3, "203.0.113.1"))
	q := month()
	q.Candidates = []report.Candidate{{Name: "new_ip", Rules: policy.Rules{Preset: policy.OnNewIP}}}
	r := mustReport(t, read(t, dir), q)
	if f := r.Policies[1]; r.Read.Files != 4 || f.Logins != 5 || f.Asked != 2 {
		t.Errorf("got %d files, %d logins, %d asked; want 4, 5, 2", r.Read.Files, f.Logins, f.Asked)
	}
	if want := start.Add(12 * day); !r.Read.First.Equal(start) || !r.Read.Last.Equal(want) {
		t.Errorf("the log goes from %s to %s, want %s to %s", r.Read.First, r.Read.Last, start, want)
	}
}

func TestALogThatWasPutAsideWhileItIsOpenedCountsOnce(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "audit.log", observed(start, "anna"))
	if err := os.Link(filepath.Join(dir, "audit.log"), filepath.Join(dir, "audit-2026-11-10T00-00-00.000-size.log")); err != nil {
		t.Fatal(err)
	}
	if r := mustReport(t, read(t, dir), month()); r.Observed != 1 {
		t.Errorf("got %d logins, want 1", r.Observed)
	}
}

func TestWhereThereIsNoLogReadingSaysSo(t *testing.T) {
	dir := t.TempDir()
	if _, err := report.Read(t.Context(), dir, nil); !errors.Is(err, report.ErrNoLog) {
		t.Errorf("an empty folder gives %v", err)
	}
	if _, err := report.Read(t.Context(), filepath.Join(dir, "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that there is not gives %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "audit.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := report.Read(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("a folder in the log's place gives %v", err)
	}
}

func TestReadingTellsHowFarItIsAndCanBeEnded(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "audit.log", strings.Repeat(observed(start, "anna"), 3000))
	var told []int64
	log, err := report.Read(t.Context(), dir, func(read, all int64) {
		if read > all || len(told) > 0 && read < told[len(told)-1] {
			t.Errorf("%d of %d bytes after %v", read, all, told)
		}
		told = append(told, read)
	})
	if err != nil || len(told) < 3 || told[len(told)-1] != log.Bytes {
		t.Errorf("told %v, %v", told, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = report.Read(ctx, dir, func(int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}
