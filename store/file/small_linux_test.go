package file

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// mountSmall mounts a file system of 2 MiB in memory on a folder.
func mountSmall(dir string) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "size=2m,mode=0700")
}

func unmount(dir string) error { return syscall.Unmount(dir, 0) }

// limitMemory lets the process have so many more bytes of address space, until
// lift is called.
func limitMemory(more uint64) (lift func() error, err error) {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return nil, err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(raw), &pages); err != nil {
		return nil, err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &old); err != nil {
		return nil, err
	}
	small := old
	small.Cur = pages*uint64(os.Getpagesize()) + more
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &small); err != nil {
		return nil, err
	}
	return func() error { return syscall.Setrlimit(syscall.RLIMIT_AS, &old) }, nil
}

func TestALostMappingIsMadeAgain(t *testing.T) {
	runChild(t, "unmap", t.TempDir())
}
