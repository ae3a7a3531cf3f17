package file

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

func TestANewFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "store.db")
	s := openAt(t, path)
	defer s.Close()
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

func TestAFileThatOthersMayReadIsClosedToThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	must(t, openAt(t, path).Close())
	must(t, os.Chmod(path, 0o644))
	must(t, openAt(t, path).Close())
	info, err := os.Stat(path)
	must(t, err)
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the file has mode %o, want 600", got)
	}
}

func TestASecondProcessIsToldWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	begin := time.Now()
	_, err := Open(path, Options{})
	if err == nil || !strings.Contains(err.Error(), "another process has") || !strings.Contains(err.Error(), "stop the other gateway") {
		t.Errorf("got error %v, want one that says what to do", err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %s to say so, want about two seconds", d)
	}
	must(t, s.Close())
	must(t, openAt(t, path).Close())
}

func TestAReloadHandsTheFileOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	time.AfterFunc(200*time.Millisecond, func() { _ = s.Close() })
	must(t, openAt(t, path).Close())
}

func TestAFileThatIsNotOursIsRefusedInWordsAndLeftAsItIs(t *testing.T) {
	meta := func(key, value string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			withDB(t, path, func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte(bucketMeta)).Put([]byte(key), []byte(value))
			})
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		says  string
	}{
		{"a newer format", meta(metaFormat, "2"), "newer version (format 2"},
		{"a format that is no number", meta(metaFormat, "new"), "format \"new\" is unknown"},
		{"no format", meta(metaFormat, ""), "is unknown"},
		{"an epoch that is no time", meta(metaEpoch, "yesterday"), "epoch cannot be read"},
		{"a missing bucket", func(t *testing.T, path string) {
			withDB(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(locks.bucket)) })
		}, "bucket locks is missing"},
		{"a bbolt file of something else", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			withDB(t, path, func(tx *bbolt.Tx) error {
				_, err := tx.CreateBucket([]byte("cats"))
				return err
			})
		}, "something else"},
		{"a text", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte("not a store\n"), 5000), 0o600))
		}, "is not a store's file, or it is damaged"},
		{"a short text", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte("x"), 0o600))
		}, "is not a store's file, or it is damaged"},
		{"zeros", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, make([]byte, 1<<16), 0o600))
		}, "is not a store's file, or it is damaged"},
		{"a file that was cut off", func(t *testing.T, path string) {
			must(t, os.Truncate(path, 3*4096))
		}, "is not a store's file, or it is damaged"},
		{"pages that are noise", func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			defer f.Close()
			info, err := f.Stat()
			must(t, err)
			_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size())-2*os.Getpagesize()), int64(2*os.Getpagesize()))
			must(t, err)
		}, "is not a store's file, or it is damaged"},
		{"a folder", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		}, "is not a file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			s := openAt(t, path)
			fillSome(t, s)
			must(t, s.Close())
			tt.spoil(t, path)
			before, _ := os.ReadFile(path)
			for range 2 {
				s, err := Open(path, Options{})
				if err == nil {
					_ = s.Close()
				}
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got error %v, want one that says %q", err, tt.says)
				}
			}
			after, _ := os.ReadFile(path)
			if !bytes.Equal(before, after) {
				t.Error("the file has changed")
			}
		})
	}
}

func withDB(t *testing.T, path string, fn func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(fn))
	must(t, db.Close())
}

// fillSome makes the file some pages long.
func fillSome(t *testing.T, s *Store) {
	t.Helper()
	for range 8 {
		must(t, s.PutValue(t.Context(), newName(), random(30<<10), time.Now().Add(time.Hour)))
	}
}

func TestAnEmptyFileIsBegun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	must(t, os.WriteFile(path, nil, 0o600))
	s := openAt(t, path)
	must(t, s.PutAccounts(t.Context(), []account.Account{newAccount("ada")}))
	must(t, s.Close())
}

func TestTheEpochIsWhenTheFileWasMadeOrCopied(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	at := func(path string, now time.Time) time.Time {
		t.Helper()
		s, err := Open(path, Options{Now: func() time.Time { return now }})
		must(t, err)
		defer s.Close()
		epoch, err := s.Epoch(t.Context())
		must(t, err)
		return epoch
	}
	first := time.Now()
	for _, now := range []time.Time{first, first.Add(time.Hour)} {
		if got := at(path, now); !got.Equal(first) {
			t.Errorf("the epoch is %s, want %s", got, first)
		}
	}
	moved := filepath.Join(dir, "moved.db")
	must(t, os.Rename(path, moved))
	if got := at(moved, first.Add(2*time.Hour)); !got.Equal(first) {
		t.Errorf("the epoch of the moved file is %s, want %s", got, first)
	}

	raw, err := os.ReadFile(moved)
	must(t, err)
	copied := filepath.Join(dir, "copy.db")
	must(t, os.WriteFile(copied, raw, 0o600))
	later := first.Add(3 * time.Hour)
	for _, now := range []time.Time{later, later.Add(time.Hour)} {
		if got := at(copied, now); !got.Equal(later) {
			t.Errorf("the epoch of the copy is %s, want %s", got, later)
		}
	}
}

func TestAStoreWhoseFolderCannotBeMadeSaysSo(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(blocked, nil, 0o600))
	_, err := Open(filepath.Join(blocked, "store.db"), Options{})
	var path *fs.PathError
	if !errors.As(err, &path) {
		t.Errorf("got error %v, want the path's", err)
	}
}
