package twofactor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile(`(?m)^func (Test(Invariant|Rule)(\d\d)\w*)\(`)
	docRow    = regexp.MustCompile(`(?m)^\| ([IR])(\d+) \| ([^|]+) \| ([^|]+) \|([^|\n]*)\|$`)
)

// namedTests returns the tests named after an invariant (I1) or a rule (R1).
func namedTests(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range namedTest.FindAllStringSubmatch(string(text), -1) {
			n, err := strconv.Atoi(m[3])
			if err != nil {
				return err
			}
			id := fmt.Sprintf("%c%d", m[2][0], n)
			if !slices.Contains(found[id], m[1]) {
				found[id] = append(found[id], m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range found {
		slices.Sort(names)
	}
	return found
}

func TestTheSecurityTableNamesTheTestsThatThereAre(t *testing.T) {
	const file = "docs/security.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tests := namedTests(t)
	rows := map[string]bool{}
	want := docRow.ReplaceAllStringFunc(string(text), func(row string) string {
		m := docRow.FindStringSubmatch(row)
		id := m[1] + m[2]
		rows[id] = true
		cell := " — "
		if names := tests[id]; len(names) > 0 {
			cell = " `" + strings.Join(names, "` `") + "` "
		} else if strings.HasPrefix(m[4], "1") {
			t.Errorf("%s (%s) is kept by this version and has no test of its name", id, m[3])
		}
		return fmt.Sprintf("| %s | %s | %s |%s|", id, m[3], m[4], cell)
	})
	if len(rows) != 12+33 {
		t.Errorf("the tables have %d rows, want 12 invariants and 33 rules", len(rows))
	}
	for id := range tests {
		if !rows[id] {
			t.Errorf("there are tests of %s, which the tables do not have", id)
		}
	}
	if want == string(text) {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s does not name the tests that there are: run go test -run TestTheSecurityTable . -update", file)
}
