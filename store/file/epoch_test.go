package file

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/store"
	"github.com/caddy-twofactor/caddy-twofactor/store/storetest"
)

func storeIn(dir string) string { return filepath.Join(dir, "store.db") }

// copyFile copies as cp does.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	must(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, err)
	must(t, out.Close())
}

func TestACopyBeginsANewEpoch(t *testing.T) {
	storetest.RunCopied(t, func(t *testing.T, dir string) store.Store { return openAt(t, storeIn(dir)) }, []storetest.Copy{
		{Name: "copied", Make: func(t *testing.T, from, to string) { copyFile(t, storeIn(from), storeIn(to)) }},
		{Name: "restored from a backup under a new name", Make: func(t *testing.T, from, to string) {
			backup := filepath.Join(from, "backup.db")
			copyFile(t, storeIn(from), backup)
			must(t, os.Rename(backup, storeIn(to)))
		}},
		{Name: "restored over another store that was moved away", Make: func(t *testing.T, from, to string) {
			must(t, openAt(t, storeIn(to)).Close())
			must(t, os.Rename(storeIn(to), filepath.Join(to, "old.db")))
			copyFile(t, storeIn(from), storeIn(to))
		}},
		{Name: "restored over another store, which is a different file", Make: func(t *testing.T, from, to string) {
			must(t, openAt(t, storeIn(to)).Close())
			raw, err := os.ReadFile(storeIn(from))
			must(t, err)
			must(t, os.WriteFile(storeIn(to), raw, 0o600))
		}},
		{Name: "a copy of a copy", Make: func(t *testing.T, from, to string) {
			between := storeIn(t.TempDir())
			copyFile(t, storeIn(from), between)
			must(t, openAt(t, between).Close())
			copyFile(t, between, storeIn(to))
		}},
		{Name: "compacted by bbolt", Make: func(t *testing.T, from, to string) {
			src, err := bbolt.Open(storeIn(from), 0o600, nil)
			must(t, err)
			defer src.Close()
			dst, err := bbolt.Open(storeIn(to), 0o600, nil)
			must(t, err)
			must(t, bbolt.Compact(dst, src, 0))
			must(t, dst.Close())
		}},
		{Name: "written out by a transaction of bbolt", Make: func(t *testing.T, from, to string) {
			src, err := bbolt.Open(storeIn(from), 0o600, nil)
			must(t, err)
			defer src.Close()
			must(t, src.View(func(tx *bbolt.Tx) error { return tx.CopyFile(storeIn(to), 0o600) }))
		}},
	})
}

func TestAFileThatIsTheSameKeepsItsEpoch(t *testing.T) {
	for name, move := range map[string]func(t *testing.T, path string) string{
		"moved": func(t *testing.T, path string) string {
			to := storeIn(t.TempDir())
			must(t, os.Rename(path, to))
			return to
		},
		"moved away and back": func(t *testing.T, path string) string {
			must(t, os.Rename(path, path+".away"))
			must(t, os.Rename(path+".away", path))
			return path
		},
		"of another mode and time": func(t *testing.T, path string) string {
			must(t, os.Chmod(path, 0o400))
			must(t, os.Chmod(path, 0o600))
			must(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
			return path
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := storeIn(t.TempDir())
			s := openAt(t, path)
			want, err := s.Epoch(t.Context())
			must(t, err)
			must(t, s.Close())
			s = openAt(t, move(t, path))
			defer s.Close()
			if got, err := s.Epoch(t.Context()); err != nil || !got.Equal(want) {
				t.Errorf("the epoch was %s and is %s, %v", want, got, err)
			}
		})
	}
}

// A clock that was set back before a copy is opened must not give it an epoch
// that is older than that of the store it is a copy of.
func TestTheEpochOfACopyNeverGoesBack(t *testing.T) {
	dir := t.TempDir()
	first := time.Now()
	openWhen := func(path string, now time.Time) (time.Time, *memo) {
		t.Helper()
		m := &memo{}
		s, err := Open(path, Options{Now: func() time.Time { return now }, Logger: m.log})
		must(t, err)
		defer s.Close()
		epoch, err := s.Epoch(t.Context())
		must(t, err)
		return epoch, m
	}
	openWhen(storeIn(dir), first)
	copied := filepath.Join(dir, "copy.db")
	copyFile(t, storeIn(dir), copied)
	back := first.Add(-time.Hour)
	epoch, m := openWhen(copied, back)
	if !epoch.After(first) {
		t.Errorf("the epoch of the copy is %s, not after %s", epoch, first)
	}
	if got := strings.Join(m.lines, "\n"); !strings.Contains(got, "the clock") {
		t.Errorf("the log does not tell of the clock: %q", got)
	}
	if again, m := openWhen(copied, first.Add(time.Hour)); !again.Equal(epoch) || m.count() != 0 {
		t.Errorf("the epoch was %s and is %s; logged: %q", epoch, again, m.lines)
	}
}
