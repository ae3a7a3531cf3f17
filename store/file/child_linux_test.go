package file

import (
	"os"
	"os/exec"
	"testing"
)

// children are what the test binary can be as a process of its own; each gets
// the folder of its store.
func children() map[string]func(dir string) error {
	return map[string]func(string) error{
		"crash": crashChild,
		"full":  func(dir string) error { return fullChild(dir, &ballast{path: dir + "/ballast"}) },
		"limit": func(dir string) error { return fullChild(dir, &fileLimit{path: dir + "/store.db"}) },
		"unmap": unmapChild,
		"tries": triesChild,

		"numbers": numbersChild,
	}
}

// childCommand starts this test binary as a child.
func childCommand(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), exe, dir)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	return cmd
}

// runChild runs a child to its end, which must be a good one.
func runChild(t *testing.T, name, dir string) {
	t.Helper()
	out, err := childCommand(t, name, dir).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the child has failed: %v", err)
	}
}
