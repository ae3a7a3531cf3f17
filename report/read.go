package report

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// maxLine is the longest line that is read, in bytes; a longer one is skipped.
const maxLine = 64 << 10

// Log is what was read of an audit log.
type Log struct {
	// Files and Bytes are what was read, Lines the lines of it.
	Files int
	Bytes int64
	Lines int
	// Damaged are lines that could not be read and were skipped, TooLong those of
	// more than 64 KiB.
	Damaged, TooLong int
	// First and Last are the times of the oldest and the newest line.
	First, Last time.Time

	logins     []login
	challenges []asked
	sent       []sent
	refused    []noFactor
}

// Progress is told how many bytes of how many were read.
type Progress func(read, all int64)

// Read reads the audit log in a folder, with what was put aside of it. Lines that
// are cut, damaged or too long are counted and skipped. It keeps what it needs of
// each login, about a kilobyte. The error wraps [ErrNoLog] if there is none.
func Read(ctx context.Context, folder string, progress Progress) (*Log, error) {
	files, err := OpenLog(folder, logName)
	if err != nil {
		return nil, err
	}
	defer closeAll(files)
	var all int64
	for _, f := range files {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		all += info.Size()
	}
	r := newReader()
	for _, f := range files {
		err := r.file(ctx, f, func() { progress.tell(r.log.Bytes, all) })
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", f.Name(), err)
		}
	}
	progress.tell(all, all)
	return r.end(), nil
}

func (p Progress) tell(read, all int64) {
	if p != nil {
		p(read, all)
	}
}

// reader makes a log of lines.
type reader struct {
	log   *Log
	line  line
	texts texts
	links links
}

func newReader() *reader {
	return &reader{log: new(Log), texts: texts{}, links: newLinks()}
}

// progressEach is after how many lines the progress is told.
const progressEach = 1 << 10

func (r *reader) file(ctx context.Context, f *os.File, tell func()) error {
	r.log.Files++
	in := bufio.NewReaderSize(f, maxLine)
	for n := 1; ; n++ {
		raw, size, err := readLine(in)
		r.log.Bytes += size
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.take(raw)
		if n%progressEach == 0 {
			tell()
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
}

// readLine returns a line, valid until the next, and its size in the file; nil
// for one that is too long. The last line may lack its end.
func readLine(in *bufio.Reader) (raw []byte, size int64, err error) {
	raw, err = in.ReadSlice('\n')
	size = int64(len(raw))
	if !errors.Is(err, bufio.ErrBufferFull) {
		if errors.Is(err, io.EOF) && len(raw) > 0 {
			err = nil
		}
		return raw, size, err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		raw, err = in.ReadSlice('\n')
		size += int64(len(raw))
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return nil, size, err
}

// take takes a line in.
func (r *reader) take(raw []byte) {
	if raw == nil {
		r.log.Lines++
		r.log.TooLong++
		return
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return // It parts a line that was cut from the next.
	}
	r.log.Lines++
	if err := parse(raw, &r.line); err != nil {
		r.log.Damaged++
		return
	}
	l := &r.line
	if r.log.First.IsZero() || l.Time.Before(r.log.First) {
		r.log.First = l.Time
	}
	if l.Time.After(r.log.Last) {
		r.log.Last = l.Time
	}
	for _, s := range []*string{&l.Instance, &l.User, &l.Account, &l.Policy} {
		r.texts.one(s)
	}
	if f := l.Facts; f != nil {
		for _, s := range []*string{&f.Group, &f.Place.Country, &f.Place.Anonymous, &f.Agent.Browser, &f.Agent.System, (*string)(&f.Device)} {
			r.texts.one(s)
		}
	}
	r.event(l)
}

// end puts the logins into the order of their times: they were written by many
// requests at once.
func (r *reader) end() *Log {
	slices.SortStableFunc(r.log.logins, func(a, b login) int { return a.facts.Time.Compare(b.facts.Time) })
	return r.log
}
