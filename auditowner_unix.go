//go:build unix

package twofactor

import (
	"os"
	"path/filepath"
	"syscall"
)

// giveToOwner gives a file that root has made to the owner of its folder: an
// operator may run a command as root, and Caddy must be able to write on.
func giveToOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Lchown(path, int(st.Uid), int(st.Gid))
}
