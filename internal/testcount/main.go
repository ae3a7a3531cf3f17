// Command testcount runs go test, shows how it goes package by package, prints
// what failing tests wrote, and ends with one line that counts the tests:
//
//	testcount [-o <file>] <arguments of go test> [-- <more arguments>]
//
// Each group of arguments is one go test; their tests are counted together,
// subtests too. It exits with 1 if a test failed or none ran, and where the
// environment variable CI is true also if one was skipped. With -o the counts
// are written to a file as well.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Getenv("CI") == "true"); err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	}
}

// run runs every group of arguments and says what came of it.
func run(args []string, w io.Writer, ci bool) error {
	var file string
	if len(args) >= 2 && args[0] == "-o" {
		file, args = args[1], args[2:]
		// What an earlier run has left must not be taken for this one's.
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	total := newTally(w)
	for _, group := range groups(args) {
		if err := goTest(group, total); err != nil {
			total.broken(err)
		}
	}
	err := total.verdict(ci)
	fmt.Fprintln(w, total)
	if file == "" {
		return err
	}
	if wErr := os.WriteFile(file, []byte(total.String()+"\n"), 0o644); wErr != nil {
		return wErr
	}
	return err
}

// groups splits arguments at "--".
func groups(args []string) [][]string {
	var all [][]string
	for {
		i := slices.Index(args, "--")
		if i < 0 {
			return append(all, args)
		}
		all, args = append(all, args[:i]), args[i+1:]
	}
}

// goTest runs one go test and adds what it reports.
func goTest(args []string, total *tally) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := total.failed
	readErr := total.read(out)
	if err := cmd.Wait(); err != nil && total.failed == failed {
		return fmt.Errorf("go test: %w", err)
	}
	return readErr
}
