package twofactor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/handler"
	"github.com/caddy-twofactor/caddy-twofactor/report"
)

const (
	// maxAuditLine is the longest line that is read, in bytes; a longer one is
	// skipped.
	maxAuditLine = 64 << 10
	// auditFollowEach is how often whoever follows looks for new lines.
	auditFollowEach = 250 * time.Millisecond
)

// auditQuery says which lines of the audit log are wanted.
type auditQuery struct {
	// user is a folded name or the ID of an account; empty for all. instance and
	// kinds are empty for all, too.
	user, instance string
	kinds          []handler.Kind
	since          time.Time
	// follow waits for new lines until the context ends.
	follow bool
}

// auditLineView is what is looked at of a line.
type auditLineView struct {
	Time     time.Time        `json:"time"`
	Level    handler.Severity `json:"level"`
	Event    handler.Kind     `json:"event"`
	Result   handler.Result   `json:"result"`
	Instance string           `json:"instance"`
	User     string           `json:"user"`
	Account  string           `json:"account"`
	ClientIP string           `json:"client_ip"`
	Factor   string           `json:"factor"`
	Detail   string           `json:"detail"`
}

func (q *auditQuery) matches(v *auditLineView) bool {
	return !v.Time.Before(q.since) &&
		(q.instance == "" || v.Instance == q.instance) &&
		(q.user == "" || v.Account == q.user || account.Fold(v.User) == q.user) &&
		(len(q.kinds) == 0 || slices.Contains(q.kinds, v.Event))
}

// auditReader reads the audit log and the log of attempts as one.
type auditReader struct {
	tails []*logTail
	// damaged counts the lines that cannot be read.
	damaged int
}

// openAudit opens both logs in a folder, of which one may not be there. The error
// wraps report.ErrNoLog if neither is.
func openAudit(folder string) (*auditReader, error) {
	r := new(auditReader)
	var missing error
	for _, name := range []string{auditName, attemptsName} {
		files, err := report.OpenLog(folder, name)
		if err != nil && !errors.Is(err, report.ErrNoLog) {
			r.close()
			return nil, err
		}
		if err != nil {
			missing = err
		}
		r.tails = append(r.tails, &logTail{folder: folder, name: name, files: files})
	}
	if len(r.tails[0].files)+len(r.tails[1].files) == 0 {
		return nil, missing
	}
	return r, nil
}

func (r *auditReader) close() {
	for _, t := range r.tails {
		t.close()
	}
}

// run calls show with each line that is wanted, in the order of the times. It
// ends at the end of the logs, or with the context if it follows.
func (r *auditReader) run(ctx context.Context, q auditQuery, show func(line []byte, v *auditLineView) error) error {
	for {
		if err := r.drain(ctx, q, show); err != nil || !q.follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(auditFollowEach):
		}
		for _, t := range r.tails {
			if err := t.refresh(); err != nil {
				return err
			}
		}
	}
}

// drain shows what there is by now.
func (r *auditReader) drain(ctx context.Context, q auditQuery, show func(line []byte, v *auditLineView) error) error {
	for ctx.Err() == nil {
		var first *logTail
		for _, t := range r.tails {
			if err := r.fill(t); err != nil {
				return err
			}
			if t.line != nil && (first == nil || t.view.Time.Before(first.view.Time)) {
				first = t
			}
		}
		if first == nil {
			return nil
		}
		if q.matches(&first.view) {
			if err := show(first.line, &first.view); err != nil {
				return err
			}
		}
		first.line = nil
	}
	if q.follow {
		return nil
	}
	return ctx.Err()
}

// fill reads a tail's next line that can be read, if it has none.
func (r *auditReader) fill(t *logTail) error {
	for t.line == nil {
		line, err := t.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue // It parts a line that was cut from the next.
		}
		t.view = auditLineView{}
		if err := json.Unmarshal(line, &t.view); err != nil || t.view.Time.IsZero() {
			r.damaged++
			continue
		}
		t.line = line
	}
	return nil
}

// logTail reads the lines of one log across the files that are put aside.
type logTail struct {
	folder, name string
	// files are those that were not read to their ends, the oldest first.
	files []*os.File
	// pending was read and has no line more; skip says that it is in a line that
	// is too long.
	pending []byte
	skip    bool
	// line is the next line, with what it says; nil if none was read yet.
	line []byte
	view auditLineView
	buf  [32 << 10]byte
}

// next returns the next whole line, valid until the next call; io.EOF if there is
// none by now.
func (t *logTail) next() ([]byte, error) {
	for {
		if line, rest, ok := bytes.Cut(t.pending, []byte("\n")); ok {
			t.pending = rest
			if !t.skip {
				return line, nil
			}
			t.skip = false
			continue
		}
		if len(t.pending) > maxAuditLine {
			t.pending, t.skip = nil, true
		}
		if len(t.files) == 0 {
			return nil, io.EOF
		}
		n, err := t.files[0].Read(t.buf[:])
		t.pending = append(t.pending, t.buf[:n]...)
		switch {
		case n > 0:
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case len(t.files) == 1:
			return nil, io.EOF
		default:
			_ = t.files[0].Close() // It was only read.
			t.files, t.pending, t.skip = t.files[1:], nil, false
		}
	}
}

// refresh goes on with the files that have taken the place of the last one.
func (t *logTail) refresh() error {
	path := filepath.Join(t.folder, t.name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // The next line makes it.
	}
	if err != nil {
		return err
	}
	if n := len(t.files); n > 0 {
		if last, err := t.files[n-1].Stat(); err == nil && os.SameFile(last, info) {
			return nil
		}
	}
	fresh, err := report.OpenLog(t.folder, t.name)
	if errors.Is(err, report.ErrNoLog) {
		return nil
	}
	if err != nil {
		return err
	}
	at := -1
	if n := len(t.files); n > 0 {
		at = slices.IndexFunc(fresh, func(f *os.File) bool { return sameFile(f, t.files[n-1]) })
	}
	for _, f := range fresh[:at+1] {
		_ = f.Close() // It was not read.
	}
	t.files = append(t.files, fresh[at+1:]...)
	return nil
}

func sameFile(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func (t *logTail) close() {
	for _, f := range t.files {
		_ = f.Close() // They were only read.
	}
}
