package twofactor

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

var described = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]+)", unit: "", constLabels: \{\}, variableLabels: \{([^}]*)\}`)

// eventRows are the lines of the table of events.
func eventRows() string {
	var b strings.Builder
	for _, info := range handler.Kinds() {
		if !info.Audited {
			continue
		}
		var results []string
		for _, r := range info.Results {
			results = append(results, "`"+string(r)+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", info.Kind, info.Severity, strings.Join(results, " "), info.Means)
	}
	return b.String()
}

// metricRows are the lines of the table of metrics.
func metricRows(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	all := []prometheus.Collector{geoAges{}}
	for _, c := range collectors {
		all = append(all, c)
	}
	for _, c := range all {
		list := make(chan *prometheus.Desc, 1)
		c.Describe(list)
		text := (<-list).String()
		m := described.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("a metric describes itself in another form: %s", text)
		}
		labels := "`" + strings.ReplaceAll(m[3], ",", "` `") + "`"
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m[1], labels, m[2])
	}
	return b.String()
}

func TestTheReadmeListsEveryEventAndEveryMetric(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	for _, table := range []struct{ head, rows string }{
		{"| event | level | result | when |\n| --- | --- | --- | --- |\n", eventRows()},
		{"| metric | labels | counts |\n| --- | --- | --- |\n", metricRows(t)},
	} {
		before, after, found := strings.Cut(readme, table.head)
		if !found {
			t.Fatalf("README.md has no table that begins with %q", table.head)
		}
		for strings.HasPrefix(after, "| ") {
			_, after, _ = strings.Cut(after, "\n")
		}
		readme = before + table.head + table.rows + after
	}
	if readme == string(text) {
		return
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(readme), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Error("README.md does not list the events and metrics that there are: run go test -run TestTheReadmeLists . -update")
}

func TestTheReadmeSaysTheBoundsOfTheAuditLog(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, bound := range []string{
		fmt.Sprintf("%d MiB", auditMiB), fmt.Sprintf("%d of them", auditKeep), fmt.Sprintf("%d days", auditDays),
	} {
		if !strings.Contains(string(text), bound) {
			t.Errorf("README.md does not say %q", bound)
		}
	}
}
