package geo

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Bounds of files, in bytes. A file lies in memory whole, and twice while it is
// read again.
const (
	maxDatabase = 512 << 20
	maxList     = 64 << 20
)

// readWhole reads a regular file of at most most bytes, as it was at one
// moment: one that changes meanwhile is an error.
func readWhole(path string, most int64) ([]byte, os.FileInfo, error) {
	// Before it is opened, since opening a pipe waits for its other end.
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	if info.Size() > most {
		return nil, nil, fmt.Errorf("%s has %d MiB, and %d MiB are the most that is read", path, info.Size()>>20, most>>20)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("reading %s: %w", path, err)
	}
	after, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !unchanged(info, after) {
		return nil, nil, fmt.Errorf("%s was written while it was read", path)
	}
	return data, info, nil
}

// unchanged reports whether a file is still the one it was. Either may be nil,
// for a file that was not there.
func unchanged(a, b os.FileInfo) bool {
	return a != nil && b != nil && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}
