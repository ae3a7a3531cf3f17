package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// feed reads lines as those of one go test and returns the tally and what it
// printed.
func feed(t *testing.T, lines ...string) (*tally, string) {
	t.Helper()
	var out strings.Builder
	total := newTally(&out)
	if err := total.read(strings.NewReader(strings.Join(lines, "\n") + "\n")); err != nil {
		t.Fatal(err)
	}
	return total, out.String()
}

func TestTally(t *testing.T) {
	const (
		pass     = `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}`
		passSub  = `{"Action":"pass","Package":"p","Test":"TestA/one","Elapsed":0.1}`
		said     = `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: it is wrong\n"}`
		fail     = `{"Action":"fail","Package":"p","Test":"TestB","Elapsed":0.2}`
		saidSkip = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:9: no chromium\n"}`
		skip     = `{"Action":"skip","Package":"p","Test":"TestC","Elapsed":0}`
		ok       = `{"Action":"pass","Package":"p","Elapsed":1.5}`
		bad      = `{"Action":"fail","Package":"p","Elapsed":1.5}`
	)
	for _, c := range []struct {
		name    string
		lines   []string
		counts  string
		shown   []string
		problem string
		inCI    string
	}{
		{"tests and subtests are counted", []string{pass, passSub, ok}, "2 passed, 0 failed, 0 skipped", []string{"ok ", "1.5 s  p"}, "", ""},
		{"a failing test shows what it wrote", []string{pass, said, fail, bad}, "1 passed, 1 failed, 0 skipped",
			[]string{"--- FAIL p TestB", "it is wrong", "FAIL     1.5 s  p"}, "1 tests failed", "1 tests failed"},
		{"a skipped test is fine, but not in CI", []string{pass, saidSkip, skip, ok}, "1 passed, 0 failed, 1 skipped", nil, "", "skipped"},
		{"a package that ends early is one failure with its unfinished tests",
			[]string{pass, said, `{"Action":"output","Package":"p","Output":"panic: boom\n"}`, bad}, "1 passed, 1 failed, 0 skipped",
			[]string{"panic: boom", "unfinished: TestB", "it is wrong"}, "1 tests failed", "1 tests failed"},
		{"a package that does not build is one failure with the compiler's words",
			[]string{`{"ImportPath":"p [p.test]","Action":"build-output","Output":"p.go:3: undefined: x\n"}`,
				`{"ImportPath":"p [p.test]","Action":"build-fail"}`,
				`{"Action":"fail","Package":"p","Elapsed":0,"FailedBuild":"p [p.test]"}`},
			"0 passed, 1 failed, 0 skipped", []string{"undefined: x"}, "1 tests failed", "1 tests failed"},
		{"a package without tests counts nothing", []string{`{"Action":"skip","Package":"q"}`}, "0 passed, 0 failed, 0 skipped", nil, "no test was run", "no test was run"},
		{"a line that is no JSON is shown", []string{"warning: something", pass, ok}, "1 passed, 0 failed, 0 skipped", []string{"warning: something"}, "", ""},
		{"the same package twice fails only once for the first's failure", []string{said, fail, bad, pass, ok}, "1 passed, 1 failed, 0 skipped", nil, "1 tests failed", "1 tests failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			total, shown := feed(t, c.lines...)
			if total.String() != c.counts {
				t.Errorf("got %q, want %q", total, c.counts)
			}
			for _, part := range c.shown {
				if !strings.Contains(shown, part) {
					t.Errorf("the output lacks %q:\n%s", part, shown)
				}
			}
			for _, v := range []struct {
				ci   bool
				want string
			}{{false, c.problem}, {true, c.inCI}} {
				err := total.verdict(v.ci)
				if v.want == "" && err != nil || v.want != "" && (err == nil || !strings.Contains(err.Error(), v.want)) {
					t.Errorf("CI %v: got %v, want %q", v.ci, err, v.want)
				}
			}
		})
	}
}

func TestVerdictNamesTheSkippedAndTheBroken(t *testing.T) {
	total, _ := feed(t,
		`{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:9: no chromium\n"}`,
		`{"Action":"skip","Package":"p","Test":"TestC"}`)
	var out strings.Builder
	total.w = &out
	total.broken(errors.New("go test: exit status 2"))
	err := total.verdict(false)
	if err == nil || !strings.Contains(err.Error(), "exit status 2") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out.String(), "skipped: p TestC: c_test.go:9: no chromium") {
		t.Errorf("got %q", out.String())
	}
}

func TestGroupsAreSplitAtTheDashes(t *testing.T) {
	got := groups([]string{"-v", "./...", "--", "-race", "./a"})
	want := [][]string{{"-v", "./..."}, {"-race", "./a"}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRunWithRealGoTest runs go test on small modules of its own.
func TestRunWithRealGoTest(t *testing.T) {
	for _, c := range []struct {
		name, test, counts string
		fails              bool
	}{
		{"one that passes", `func TestA(t *testing.T) { t.Run("sub", func(*testing.T) {}) }`, "2 passed, 0 failed, 0 skipped", false},
		{"one that fails", `func TestA(t *testing.T) { t.Error("wrong") }`, "0 passed, 1 failed, 0 skipped", true},
		{"one that does not build", `func TestA(t *testing.T) { undefined() }`, "0 passed, 1 failed, 0 skipped", true},
		{"one that ends in the middle", `func TestA(t *testing.T) { panic("boom") }`, "0 passed, 1 failed, 0 skipped", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			for file, text := range map[string]string{
				"go.mod":    "module small\n\ngo 1.26.0\n",
				"a_test.go": "package small\n\nimport \"testing\"\n\n" + c.test + "\n",
			} {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(folder)
			var out strings.Builder
			counts := filepath.Join(folder, "counts")
			err := run([]string{"-o", counts, "-count=1", "-vet=off", "./..."}, &out, false)
			if (err != nil) != c.fails {
				t.Errorf("got %v", err)
			}
			written, readErr := os.ReadFile(counts)
			if readErr != nil || string(written) != c.counts+"\n" || !strings.HasSuffix(out.String(), c.counts+"\n") {
				t.Errorf("got %q (%v) and\n%s", written, readErr, out.String())
			}
		})
	}
}
