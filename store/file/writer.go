package file

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// maxBatch is how many calls share one transaction at most.
const maxBatch = 64

var (
	errClosed = errors.New("the store is closed")
	// errAborted means that a call failed and nothing was committed.
	errAborted = errors.New("aborted")
	// errUnchanged rolls a transaction back that has nothing to commit.
	errUnchanged = errors.New("nothing changed")
)

// call is one call of a method that writes.
type call struct {
	// run changes nothing but the transaction, since it may run again in
	// another one after the first was rolled back. If it returns one of the
	// errors of package store, what it wrote before is committed.
	run  func(*txn) error
	err  error
	done chan struct{}
}

// decide runs a call that decides and returns what it has found, after that
// was committed. A context that ends while the call is waiting ends it; one
// that ends later does not, so that what was done is also told.
func decide[T any](ctx context.Context, s *Store, fn func(*txn) (T, error)) (T, error) {
	var out, none T
	err := s.submit(ctx, func(t *txn) error {
		var err error
		out, err = fn(t)
		return err
	})
	if err != nil {
		return none, err
	}
	return out, nil
}

func (s *Store) submit(ctx context.Context, run func(*txn) error) error {
	c := &call{run: run, done: make(chan struct{})}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ask the store: %w", err)
	}
	select {
	case s.calls <- c:
		<-c.done
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("ask the store: %w", ctx.Err())
	case <-s.stopWriter:
		return errClosed
	}
}

// write is the goroutine that writes; see the package's comment.
func (s *Store) write() {
	defer close(s.writerDone)
	// A page that the disk cannot give is then a panic, which transact turns
	// into an error, and not the end of the process.
	debug.SetPanicOnFault(true)
	for {
		select {
		case c := <-s.calls:
			s.perform(s.gather(c))
		case <-s.stopWriter:
			return
		}
	}
}

// gather takes the calls that are waiting, but waits for none.
func (s *Store) gather(first *call) []*call {
	batch := []*call{first}
	for len(batch) < maxBatch {
		select {
		case c := <-s.calls:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

func (s *Store) perform(batch []*call) {
	err := s.transact(batch)
	if errors.Is(err, errAborted) && len(batch) > 1 {
		for _, c := range batch {
			s.perform([]*call{c})
		}
		return
	}
	for _, c := range batch {
		if err != nil && !errors.Is(err, errAborted) {
			c.err = err
		}
		close(c.done)
	}
}

// transact runs the calls in one transaction. It returns errAborted if one of
// them failed, whose error then says why; any other error is all calls'.
func (s *Store) transact(batch []*call) error {
	var t *txn
	err := s.update(func(tx *bbolt.Tx) error {
		t = &txn{tx: tx, store: s, sessions: make(map[account.SessionID]*account.Session)}
		for _, c := range batch {
			if c.err = safely(c.run, t); c.err != nil && !isAnswer(c.err) {
				s.complain(c.err)
				return errAborted
			}
		}
		if !t.changed {
			return errUnchanged
		}
		return nil
	})
	switch {
	case err == nil:
		s.table.apply(t.sessions)
		return nil
	case errors.Is(err, errUnchanged):
		return nil
	case errors.Is(err, errAborted):
		return err
	}
	if t != nil {
		s.readBack(t.sessions)
	}
	s.log("the store's file cannot be written", "error", err)
	return fmt.Errorf("write the store's file (is there room on its disk?): %w", err)
}

func isAnswer(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrBusy) ||
		errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrSpent)
}

// safely runs a call; a panic of it is its error.
func safely(run func(*txn) error, t *txn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read the store's file: %v", p)
		}
	}()
	return run(t)
}

// update is bbolt's Update, which opens a file again whose mapping was lost,
// and which refuses to go on after a panic of bbolt's own. Only the writer
// calls it.
func (s *Store) update(fn func(*bbolt.Tx) error) (err error) {
	if broken := s.broken.Load(); broken != nil {
		return *broken
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the store's file or its disk is damaged, and nothing is written until the gateway is started again: %v", p)
			s.broken.Store(&err)
		}
	}()
	if err = s.db.Update(fn); !lost(err) {
		return err
	}
	if err = s.reopen(); err != nil {
		return err
	}
	return s.db.Update(fn)
}

// lost reports whether no transaction can begin until the file is opened again.
func lost(err error) bool {
	return errors.Is(err, berrors.ErrInvalidMapping) || errors.Is(err, berrors.ErrDatabaseNotOpen)
}

// readBack makes the table agree with the state that bbolt goes on with after
// a failed commit. If even that cannot be read, the mapping is lost, which
// happens before anything is written, or reopen will read all of it.
func (s *Store) readBack(touched map[account.SessionID]*account.Session) {
	found := make(map[account.SessionID]*account.Session, len(touched))
	err := view(s.db, func(tx *bbolt.Tx) error {
		for id := range touched {
			v, err := get(tx, sessions, id[:])
			if err != nil {
				s.complain(err)
			}
			found[id] = v
		}
		return nil
	})
	if err == nil {
		s.table.apply(found)
	}
}

// reopen closes the file and opens it again.
func (s *Store) reopen() error {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the store's file to open it again: %w", err)
	}
	db, err := openDB(s.path)
	if err != nil {
		return err
	}
	m, disk, err := s.readAgain(db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	if !m.epoch.Equal(s.epoch) {
		return errors.Join(errors.New("another file lies at the store's path: start the gateway again"), db.Close())
	}
	s.db = db
	s.table.replace(disk)
	s.log("the store's file was opened again")
	return nil
}

func (s *Store) readAgain(db *bbolt.DB) (m meta, disk map[account.SessionID]*account.Session, err error) {
	err = view(db, func(tx *bbolt.Tx) error {
		if m, err = readMeta(tx); err != nil {
			return err
		}
		disk, err = s.readSessions(tx)
		return err
	})
	return m, disk, err
}

// view is bbolt's View; a page that cannot be read is an error.
func view(db *bbolt.DB, fn func(*bbolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read the store's file: %v", p)
		}
	}()
	return db.View(fn)
}

// view reads what was committed.
func (s *Store) view(ctx context.Context, fn func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ask the store: %w", err)
	}
	err := s.viewOnce(fn)
	if !lost(err) {
		s.complain(err)
		return err
	}
	// The writer opens the file again, if it can and the store is not closed.
	if err := s.submit(ctx, func(*txn) error { return nil }); err != nil {
		return err
	}
	return s.viewOnce(fn)
}

func (s *Store) viewOnce(fn func(*bbolt.Tx) error) error {
	s.dbMu.RLock()
	defer s.dbMu.RUnlock()
	return view(s.db, fn)
}
