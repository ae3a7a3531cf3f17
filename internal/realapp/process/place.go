package process

import (
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// LookPath finds a program, the administrator's ones too, which are not on
// everybody's path.
func LookPath(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + program)
}

// Unprivileged returns the user that the servers run as when the test is root,
// and nil otherwise: some servers refuse to be root, and the others had better
// not be.
func Unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"www-data", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("process: running as root, and there is neither a user www-data nor a user nobody to run its servers as")
	return nil
}

// GiveTo hands a folder to the servers' user.
func GiveTo(t testing.TB, folder string, who *syscall.Credential) {
	t.Helper()
	if who == nil {
		return
	}
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(who.Uid), int(who.Gid))
	})
	if err != nil && !os.IsNotExist(err) { // a running database renames its files
		t.Fatalf("process: %v", err)
	}
}

// Folder makes an app's folder, with these folders in it, that goes when the
// test ends. It lies beside the test's own temporary folder, which another user
// could not enter.
func Folder(t testing.TB, app string, within ...string) string {
	t.Helper()
	folder, err := os.MkdirTemp("", app+"-")
	if err != nil {
		t.Fatalf("process: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Errorf("process: removing the folder of %s: %v", app, err)
		}
	})
	for _, name := range within {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatalf("process: %v", err)
		}
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatalf("process: %v", err)
	}
	return folder
}

// FreeAddress returns a loopback address that nobody listens at.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("process: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Listens says whether somebody takes connections there.
func Listens(network, address string) bool {
	c, err := net.DialTimeout(network, address, dialTimeout)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
