package twofactor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/DeRuina/timberjack"
)

// The bounds of the audit log where the config names none: at most auditKeep+1
// files of auditMiB, and no line older than auditDays.
const (
	// auditMiB is the size of a file in MiB; a full one is put aside.
	auditMiB = 10
	// auditKeep is how many files that were put aside are kept.
	auditKeep = 10
	// auditDays is how old, in days, a line may get.
	auditDays = 90
	// auditSpan is how many days one file covers: it is put aside after that
	// even if it is not full, since files are removed whole.
	auditSpan = 9
)

// errAuditSlow means that the disk does not take events in time.
var errAuditSlow = errors.New("the audit log is not written in time: is the disk overloaded?")

// auditFile is the file with those that were put aside beside it, named after
// the time when they were. It is written by one goroutine; one process may have
// it open.
type auditFile struct {
	path string
	// auditBounds are those that it is written by; tests set smaller ones. next
	// are those of the config that started last, if they were not looked at yet.
	auditBounds
	next atomic.Pointer[auditBounds]

	out *timberjack.Logger
	// cut says that the last line may have been written in part.
	cut bool

	mu   sync.Mutex
	last error
}

func newAuditFile(path string) *auditFile {
	return &auditFile{path: path, auditBounds: defaultAudit}
}

// rebind goes over to the bounds of the config that started last.
func (f *auditFile) rebind() {
	b := f.next.Swap(nil)
	if b == nil || *b == f.auditBounds {
		return
	}
	f.auditBounds = *b
	_ = f.close() // It is opened again, and a line that is missing is noticed there.
	f.out = nil
}

// trouble is the error of the last line; nil if it was written.
func (f *auditFile) trouble() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// write writes one line.
func (f *auditFile) write(line []byte) error {
	err := f.tryWrite(line)
	f.mu.Lock()
	f.last = err
	f.mu.Unlock()
	return err
}

func (f *auditFile) tryWrite(line []byte) error {
	f.rebind()
	if _, err := os.Stat(f.path); f.out != nil && errors.Is(err, fs.ErrNotExist) {
		// Somebody has moved it away; what is open would be written to nobody.
		_ = f.close()
		f.out = nil
	}
	if err := f.open(); err != nil {
		return err
	}
	if f.cut {
		// The rest of a line that a full disk has cut must not swallow this
		// one.
		line = append([]byte{'\n'}, line...)
	}
	n, err := f.out.Write(line)
	if err != nil {
		f.cut = f.cut || n > 0
		return fmt.Errorf("audit log: %w", err)
	}
	f.cut = false
	return nil
}

// open makes the folder and the file, for Caddy's user alone. Timberjack, by
// which Caddy rotates its own logs, opens it at the first line.
func (f *auditFile) open() error {
	if f.out != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	defer file.Close()
	if err := file.Chmod(0o600); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if err := giveToOwner(f.path); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	f.cut = endsInside(file)
	f.out = &timberjack.Logger{
		Filename: f.path, MaxSize: f.mib, MaxBackups: f.keep,
		// What was put aside is looked at each time the next one is.
		MaxAge:   f.maxAge(),
		FileMode: 0o600, Compression: "none",
	}
	return nil
}

// endsInside reports whether the file does not end with a whole line, as after
// a loss of power.
func endsInside(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = file.ReadAt(last[:], info.Size()-1)
	return err != nil || last[0] != '\n'
}

// checkAge puts the file aside if its first line is too old, and has those
// removed that were put aside too long ago.
func (f *auditFile) checkAge(now time.Time) error {
	f.rebind()
	if f.days == 0 {
		return nil
	}
	since, err := auditSince(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if now.Sub(since) < time.Duration(f.span)*24*time.Hour {
		return nil
	}
	if err := f.open(); err != nil {
		return err
	}
	if err := f.out.RotateWithReason("age"); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// auditSince is the time of a file's first line, or that of its last change if
// it has none that can be read.
func auditSince(path string) (time.Time, error) {
	file, err := os.Open(path)
	if err != nil {
		return time.Time{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return time.Time{}, err
	}
	line, err := bufio.NewReader(io.LimitReader(file, 64<<10)).ReadBytes('\n')
	var first struct {
		Time time.Time `json:"time"`
	}
	if err != nil || json.Unmarshal(line, &first) != nil || first.Time.IsZero() {
		return info.ModTime(), nil
	}
	return first.Time, nil
}

// close ends the file.
func (f *auditFile) close() error {
	if f.out == nil {
		return nil
	}
	return f.out.Close()
}
