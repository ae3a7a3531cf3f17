package twofactor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWhatACommandOfRootWritesStaysCaddys(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can give a file away; another user's files are its own")
		return
	}
	const caddys = 65534
	dir := t.TempDir()
	if err := os.Chown(dir, caddys, caddys); err != nil {
		t.Fatal(err)
	}
	f := newAuditFile(filepath.Join(dir, auditName))
	if err := f.write(auditLine(wrongPassword(1))); err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(f.path)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != caddys {
		t.Errorf("the file is of the user %d, want %d", st.Uid, caddys)
	}
}

func TestInvariant09AFullDiskCutsOneLineOfTheAuditLogAtMost(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "size=64k,mode=0700"); err != nil {
		t.Logf("no small file system can be mounted here (%v); TestALineThatWasCutSwallowsNoOther has stood for it", err)
		return
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(dir, auditName)
	l, logs := testAudit(t, path)
	for n := range 300 {
		l.put(auditLine(wrongPassword(n)))
	}
	if err := l.flush(auditPatience); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("flush says %v, want that the disk is full", err)
	}
	written := strings.Count(string(readFile(t, path)), "\n")
	missing := logs.FilterMessageSnippet("missing in the audit log").Len()
	if written < 10 || written+missing != 300 {
		t.Errorf("%d lines are written, %d are in Caddy's log, want 300 together", written, missing)
	}
	// Room comes back: what was cut stays alone on its line.
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=1m"); err != nil {
		t.Fatal(err)
	}
	l.put(auditLine(wrongPassword(1000)))
	if err := l.flush(auditPatience); err != nil {
		t.Error(err)
	}
	end(t, l)
	broken := 0
	lines := strings.Split(strings.TrimSuffix(string(readFile(t, path)), "\n"), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}") {
			broken++
		}
	}
	if broken > 1 || !strings.Contains(lines[len(lines)-1], "agent 1000") {
		t.Errorf("%d broken lines, the last is %s", broken, lines[len(lines)-1])
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
