package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// keptOutput bounds what is kept of one test's output, in bytes.
const keptOutput = 256 << 10

// event is one line of go test -json (go doc test2json).
type event struct {
	Action      string
	Package     string
	Test        string
	Elapsed     float64
	Output      string
	ImportPath  string
	FailedBuild string
}

// name is what an event is about: a test, or a package if Test is empty.
type name struct{ pkg, test string }

// tally counts tests and keeps what running ones have written.
type tally struct {
	w                       io.Writer
	passed, failed, skipped int
	output                  map[name]*bytes.Buffer
	build                   map[string]*bytes.Buffer
	failedIn                map[string]int
	skips                   []string
	errs                    []error
}

func newTally(w io.Writer) *tally {
	return &tally{
		w:        w,
		output:   make(map[name]*bytes.Buffer),
		build:    make(map[string]*bytes.Buffer),
		failedIn: make(map[string]int),
	}
}

// String is the line of counts.
func (t *tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}

// broken notes that the tests could not be run as asked.
func (t *tally) broken(err error) {
	t.errs = append(t.errs, err)
}

// verdict lists the skipped tests and says whether all is well.
func (t *tally) verdict(ci bool) error {
	for _, line := range t.skips {
		fmt.Fprintln(t.w, "skipped:", line)
	}
	errs := slices.Clone(t.errs)
	if t.failed > 0 {
		errs = append(errs, fmt.Errorf("%d tests failed", t.failed))
	}
	if t.passed+t.failed+t.skipped == 0 {
		errs = append(errs, errors.New("no test was run"))
	}
	if ci && t.skipped > 0 {
		errs = append(errs, fmt.Errorf("%d tests were skipped, and in CI none may be", t.skipped))
	}
	return errors.Join(errs...)
}

// read takes the lines of one go test -json to their end.
func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			t.line(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the output of go test: %w", err)
		}
	}
}

func (t *tally) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		fmt.Fprintf(t.w, "%s", line)
		return
	}
	switch e.Action {
	case "output":
		keep(t.output, name{e.Package, e.Test}, e.Output)
	case "build-output":
		keep(t.build, e.ImportPath, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endOfPackage(e)
			return
		}
		t.endOfTest(e)
	}
}

func (t *tally) endOfTest(e event) {
	id := name{e.Package, e.Test}
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		t.failedIn[e.Package]++
		fmt.Fprintf(t.w, "\n--- FAIL %s %s (%.1f s)\n%s\n", e.Package, e.Test, e.Elapsed, indent(text(t.output, id)))
	case "skip":
		t.skipped++
		t.skips = append(t.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(text(t.output, id))))
	}
	delete(t.output, id)
}

// endOfPackage prints a package's line. A package that failed although none of
// its tests did could not be built, ended early or ran out of time: that is one
// failure, with all that is known.
func (t *tally) endOfPackage(e event) {
	id := name{e.Package, ""}
	defer func() {
		for other := range t.output {
			if other.pkg == e.Package {
				delete(t.output, other)
			}
		}
	}()
	switch e.Action {
	case "skip":
		return // no test files
	case "pass":
		fmt.Fprintf(t.w, "ok    %6.1f s  %s\n", e.Elapsed, e.Package)
		return
	}
	if t.failedIn[e.Package] == 0 {
		t.failed++
		var unfinished []string
		for other := range t.output {
			if other.pkg == e.Package && other.test != "" {
				unfinished = append(unfinished, other.test)
			}
		}
		slices.Sort(unfinished)
		fmt.Fprintf(t.w, "\n--- FAIL %s\n%s%s\n", e.Package, indent(text(t.build, e.FailedBuild)), indent(text(t.output, id)))
		for _, test := range unfinished {
			fmt.Fprintf(t.w, "unfinished: %s\n%s\n", test, indent(text(t.output, name{e.Package, test})))
		}
	}
	t.failedIn[e.Package] = 0
	fmt.Fprintf(t.w, "FAIL  %6.1f s  %s\n", e.Elapsed, e.Package)
}

// keep adds output up to the bound.
func keep[K comparable](all map[K]*bytes.Buffer, id K, output string) {
	b := all[id]
	if b == nil {
		b = &bytes.Buffer{}
		all[id] = b
	}
	if room := keptOutput - b.Len(); room > 0 {
		b.WriteString(output[:min(room, len(output))])
	}
}

func text[K comparable](all map[K]*bytes.Buffer, id K) string {
	if b := all[id]; b != nil {
		return b.String()
	}
	return ""
}

// indent leaves out go test's own marks and sets the rest off.
func indent(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "=== ") {
			continue
		}
		b.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

// reason is the last line that a skipped test wrote.
func reason(output string) string {
	last := "no reason given"
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		last = line
	}
	return last
}
