package twofactor

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/policy"
)

// signalRows are the lines of the table of signals.
func signalRows() string {
	var b strings.Builder
	for _, s := range policy.Signals() {
		means := s.Means
		if s.Data {
			means += " (unknown without a database or a list)"
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", s.Name, s.Points, means)
	}
	return b.String()
}

func TestTheReadmeListsEverySignal(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	const head = "| signal | points | what it looks for |\n| --- | --- | --- |\n"
	before, after, found := strings.Cut(string(text), head)
	if !found {
		t.Fatalf("README.md has no table that begins with %q", head)
	}
	rest := after
	for strings.HasPrefix(rest, "| ") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	if strings.TrimSuffix(after, rest) == signalRows() {
		return
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(before+head+signalRows()+rest), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Error("README.md does not list the signals that there are: run go test -run TestTheReadmeListsEverySignal . -update")
}

// The line of the audit log in the README leaves signals out; all else of it is
// as it is written.
func TestTheReadmeShowsADecisionAsItIsLogged(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, line, found := strings.Cut(string(text), "```json\n{\"time\"")
	line, _, ended := strings.Cut(line, "\n```")
	if !found || !ended {
		t.Fatal("README.md shows no line of the audit log")
	}
	line = `{"time"` + line
	whole := strings.Replace(line, "},…]", "}]", 1)
	if whole == line {
		t.Error("the line does not say that signals are left out")
	}
	d := json.NewDecoder(strings.NewReader(whole))
	d.DisallowUnknownFields()
	var e auditEntry
	if err := d.Decode(&e); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != whole {
		t.Errorf("it is written as\n%s\nand shown as\n%s", again, whole)
	}
	sum, names := 0, []string{}
	for _, s := range policy.Signals() {
		names = append(names, s.Name)
	}
	for _, s := range e.Signals {
		sum += s.Points
		if !slices.Contains(names, s.Name) {
			t.Errorf("there is no signal %s", s.Name)
		}
	}
	if sum != *e.Score {
		t.Errorf("the points shown are %d together, and the score is %d", sum, *e.Score)
	}
}
