//go:build unix

package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// identity names the file itself, whatever its path: a copy of it, such as one
// put back from a backup, has another. Writing a backup over the file where it
// lies cannot be told by it.
func identity(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return strconv.FormatUint(uint64(st.Ino), 10)
}

// unlock undoes the lock that bbolt holds a file by.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// syncFolder makes a new file's name durable.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("open the store's folder: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync the store's folder: %w", err)
	}
	return nil
}
