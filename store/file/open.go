package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// format is the version of what is in the file. A file of a newer one is not
// opened.
const format = 1

// lockTimeout is how long Open waits for another process to let go of the
// file: a reload hands it over, a second gateway does not.
const lockTimeout = 2 * time.Second

// The keys of the meta bucket.
const (
	metaFormat = "format"
	metaEpoch  = "epoch"
	metaFile   = "file"
)

// meta is what the file says of itself.
type meta struct {
	epoch time.Time
	// file is the identity of the file that this was written to, empty where
	// the system has none: a copy put back from a backup is another file.
	file string
}

// openDB opens the file at the path, which it makes if there is none, and
// refuses one that is not ours to write to.
func openDB(path string) (db *bbolt.DB, err error) {
	var opened *os.File
	// A damaged file can make bbolt panic, or point to pages beyond its end.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if opened != nil {
				// Its mapping stays and with it the lock, if that is not undone.
				unlock(opened)
				_ = opened.Close()
			}
			db, err = nil, damaged(path, fmt.Errorf("%v", p))
		}
	}()

	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockTimeout,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode fs.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			opened = f
			return f, err
		},
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("another process has the store's file %s open: stop the other gateway, or give this one a file of its own", path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return nil, damaged(path, err)
	case err != nil:
		return nil, fmt.Errorf("open the store's file %s: %w", path, err)
	}
	if err := checkSize(db, opened); err != nil {
		return nil, errors.Join(damaged(path, err), db.Close())
	}
	return db, nil
}

func damaged(path string, err error) error {
	return fmt.Errorf("%s is not a store's file, or it is damaged, and was left as it is: move it away, then put a backup in its place or begin with an empty store: %w", path, err)
}

// checkSize refuses a file that was cut off: its missing pages would be asked
// for later.
func checkSize(db *bbolt.DB, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("ask for its size: %w", err)
	}
	return view(db, func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("it has %d bytes and should have %d", info.Size(), tx.Size())
		}
		return nil
	})
}

// readMeta reads the meta bucket, which must be there.
func readMeta(tx *bbolt.Tx) (meta, error) {
	b := tx.Bucket([]byte(bucketMeta))
	if b == nil {
		return meta{}, errors.New("it is a bbolt file of something else")
	}
	text := string(b.Get([]byte(metaFormat)))
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 {
		return meta{}, fmt.Errorf("its format %.20q is unknown", text)
	}
	if version > format {
		return meta{}, &newerError{version}
	}
	epoch, err := readEpoch(b.Get([]byte(metaEpoch)))
	if err != nil {
		return meta{}, fmt.Errorf("its epoch cannot be read: %w", err)
	}
	for _, name := range recordBuckets() {
		if tx.Bucket([]byte(name)) == nil {
			return meta{}, fmt.Errorf("its bucket %s is missing", name)
		}
	}
	return meta{epoch: epoch, file: string(b.Get([]byte(metaFile)))}, nil
}

func readEpoch(raw []byte) (time.Time, error) {
	text, err := unframe(bucketMeta, []byte(metaEpoch), raw)
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339Nano, string(text))
}

// newerError is a file that a newer version has written.
type newerError struct{ version int }

func (e *newerError) Error() string {
	return fmt.Sprintf("it was written by a newer version (format %d; this one knows %d): install that version again, or go on with a file of the older one", e.version, format)
}

// prepare begins a new file, or checks an old one and starts a new epoch in it
// if it is not the file that it was.
func prepare(tx *bbolt.Tx, file string, now time.Time, log func(string, ...any)) (meta, bool, error) {
	if isEmpty(tx) {
		m := meta{epoch: now.UTC().Round(0), file: file}
		for _, name := range append(append(recordBuckets(), laterBuckets()...), bucketMeta) {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return meta{}, false, fmt.Errorf("make bucket %s: %w", name, err)
			}
		}
		return m, true, writeMeta(tx, m)
	}
	m, err := readMeta(tx)
	if err != nil {
		return m, false, err
	}
	added, err := addLater(tx)
	if err != nil {
		return m, false, err
	}
	copied := m.file != file
	fresh, err := prepareDevices(tx, copied)
	if err != nil {
		return m, false, err
	}
	if copied {
		log("the store's file is a copy: a new epoch begins, anonymous seals from before do not open, and no browser is remembered",
			"epoch_before", m.epoch)
		m = meta{epoch: after(m.epoch, now), file: file}
		err = writeMeta(tx, m)
	}
	if m.epoch.After(now) {
		log("the clock of this machine is behind the store's epoch: anonymous seals do not open until then; set the clock right",
			"epoch", m.epoch, "clock", now)
	}
	return m, added || fresh || copied, err
}

// after is now, but where the clock was set back it is later than the epoch
// before: else seals of that one would open again.
func after(epoch, now time.Time) time.Time {
	if now.After(epoch) {
		return now.UTC().Round(0)
	}
	return epoch.Add(time.Millisecond)
}

func isEmpty(tx *bbolt.Tx) bool {
	name, _ := tx.Cursor().First()
	return name == nil
}

func writeMeta(tx *bbolt.Tx, m meta) error {
	b := tx.Bucket([]byte(bucketMeta))
	epoch := []byte(m.epoch.Format(time.RFC3339Nano))
	for _, kv := range []struct {
		key   string
		value []byte
	}{
		{metaFormat, []byte(strconv.Itoa(format))},
		{metaEpoch, frame(bucketMeta, []byte(metaEpoch), epoch)},
		{metaFile, []byte(m.file)},
	} {
		if err := b.Put([]byte(kv.key), kv.value); err != nil {
			return fmt.Errorf("write %s: %w", kv.key, err)
		}
	}
	return nil
}

// makeRoom makes the folder, and says whether there is a file at the path; one
// that others may read is closed to them.
func makeRoom(path string) (exists bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("make the store's folder: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look at the store's file: %w", err)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s is not a file: give the store another path", path)
	case info.Mode().Perm()&0o077 == 0:
		return true, nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return true, fmt.Errorf("others may read the store's file %s, and that cannot be changed: %w", path, err)
	}
	return true, nil
}

// recoverFile tidies up after a gateway that has died: its logins are over, so
// running locks become standing and suspended sessions end. It returns the
// sessions that are left.
func (s *Store) recoverFile(t *txn) (map[account.SessionID]*account.Session, error) {
	if err := s.standRunning(t); err != nil {
		return nil, err
	}
	all, err := s.readSessions(t.tx)
	if err != nil {
		return nil, err
	}
	for id, v := range all {
		if !v.Suspended() {
			continue
		}
		if err := t.endSession(v); err != nil {
			return nil, err
		}
		delete(all, id)
	}
	return all, nil
}

func (s *Store) standRunning(t *txn) error {
	var keys [][]byte
	err := t.tx.Bucket([]byte(bucketRunning)).ForEach(func(k, _ []byte) error {
		keys = append(keys, append([]byte(nil), k...))
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the running locks: %w", err)
	}
	for _, key := range keys {
		l, err := get(t.tx, locks, key)
		if err != nil {
			s.complain(err)
			continue
		}
		if l == nil {
			if err := t.erase(bucketRunning, key); err != nil {
				return err
			}
			continue
		}
		l.State = account.LockStanding
		if err := t.putLock(key, l); err != nil {
			return err
		}
	}
	return nil
}

// readSessions reads all sessions; one that cannot be read is absent, which
// closes.
func (s *Store) readSessions(tx *bbolt.Tx) (map[account.SessionID]*account.Session, error) {
	all := make(map[account.SessionID]*account.Session)
	err := tx.Bucket([]byte(sessions.bucket)).ForEach(func(k, raw []byte) error {
		v, err := sessions.decode(k, raw)
		if err != nil {
			s.complain(err)
			return nil
		}
		all[v.ID] = v
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the sessions: %w", err)
	}
	return all, nil
}
