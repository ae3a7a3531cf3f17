package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files of the log: the one that is written, and those beside it that were
// put aside, named after the time when they were.
const (
	logName   = "audit.log"
	logSuffix = ".log"
	asideTime = "2006-01-02T15-04-05.000"
)

// ErrNoLog means that a folder has no audit log.
var ErrNoLog = errors.New("there is no audit log here")

// OpenLog opens the files of a log, such as audit.log, that lie in a folder: the
// one that is written, and in front of it those that were put aside, the oldest
// first. What is put aside while they are opened is not missed and not opened
// twice. The error wraps [ErrNoLog] if there is none. The caller closes them.
func OpenLog(folder, name string) (files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
			files = nil
		}
	}()
	last, err := open(filepath.Join(folder, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	names, err := aside(folder, strings.TrimSuffix(name, logSuffix)+"-")
	if err != nil {
		return append(files, some(last)...), err
	}
	for _, name := range names {
		f, err := open(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // It was too old just now.
		}
		if err != nil {
			return append(files, some(last)...), err
		}
		files = append(files, f)
	}
	if last == nil && len(files) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoLog, folder)
	}
	if last != nil && len(files) > 0 && same(files[len(files)-1], last) {
		return files, last.Close()
	}
	return append(files, some(last)...), nil
}

func some(f *os.File) []*os.File {
	if f == nil {
		return nil
	}
	return []*os.File{f}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // They are only read.
	}
}

// aside are the names of the files that were put aside, the oldest first.
func aside(folder, prefix string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		rest, is := strings.CutPrefix(e.Name(), prefix)
		if !is || !strings.HasSuffix(rest, logSuffix) || len(rest) < len(asideTime) {
			continue
		}
		if _, err := time.Parse(asideTime, rest[:len(asideTime)]); err == nil {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// open opens a file if it is one: a pipe would be waited for.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	return os.Open(path)
}

func same(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}
