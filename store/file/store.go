package file

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Options are the settings of the engine; the zero value is good.
type Options struct {
	// Now is the clock of the sweeper and of the epoch; time.Now if nil. It
	// decides nothing else.
	Now func() time.Time
	// Logger takes what an operator should know, as a message and pairs of
	// keys and values: records that cannot be read, a disk that is full. It is
	// called by the goroutine that writes and must not wait for the store.
	// Nothing is logged if it is nil.
	Logger func(msg string, kv ...any)
	// SweepEvery is how often expired records are removed: every minute if it
	// is 0. The first sweep is one interval after Open.
	SweepEvery time.Duration
}

// flushEvery is how often the times at which sessions were last seen are
// written.
const flushEvery = 5 * time.Minute

// Store is the embedded engine. It is a store.Store.
type Store struct {
	path  string
	epoch time.Time
	now   func() time.Time
	log   func(msg string, kv ...any)
	table table
	tries tryBook
	// complaints are the records that the log has named.
	complaints complaints

	// db is replaced by the writer alone, under dbMu.
	dbMu sync.RWMutex
	db   *bbolt.DB
	// broken is set when nothing can be written until the next start.
	broken atomic.Pointer[error]

	calls      chan *call
	stopWriter chan struct{}
	writerDone chan struct{}
	// stopSweeper ends the sweeper and the one that writes the tries, which must
	// be over before the writer is.
	stopSweeper chan struct{}
	sweeperDone chan struct{}
	triesDone   chan struct{}

	closing  sync.Once
	closeErr error
}

var _ store.Store = (*Store)(nil)

// Open opens the file at path, which is made if there is none (mode 0600, its
// folder 0700). It waits two seconds at most for another process that has the
// file open. It returns an error that says what to do if the file is another
// process's, a newer version's, damaged or not a store's; such a file is left
// as it is. What a gateway that has died left behind is tidied up: its running
// locks stand, its suspended sessions are ended.
//
// A file that is a copy, put back from a backup for example, begins a new
// epoch, where the system can tell it from the first one (by its inode). A
// backup that was written over the file where it lay cannot be told: move the
// file away first.
func Open(path string, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = func(string, ...any) {}
	}
	if opts.SweepEvery <= 0 {
		opts.SweepEvery = time.Minute
	}
	exists, err := makeRoom(path)
	if err != nil {
		return nil, err
	}
	db, err := openDB(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, db: db, now: opts.Now, log: opts.Logger,
		tries:       newTryBook(),
		calls:       make(chan *call),
		stopWriter:  make(chan struct{}),
		writerDone:  make(chan struct{}),
		stopSweeper: make(chan struct{}),
		sweeperDone: make(chan struct{}),
		triesDone:   make(chan struct{}),
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if !exists {
		if err := syncFolder(path); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	go s.write()
	go s.sweepAndFlush(opts.SweepEvery)
	go s.keepTries(opts.SweepEvery)
	return s, nil
}

// load reads the file's meta bucket and its sessions, in one transaction with
// what has to be written to begin.
func (s *Store) load() error {
	var (
		all map[account.SessionID]*account.Session
		bad error
	)
	err := s.update(func(tx *bbolt.Tx) error {
		m, changed, err := prepare(tx, identity(s.path), s.now(), s.log)
		if err != nil {
			bad = err
			return err
		}
		s.epoch = m.epoch
		t := &txn{tx: tx, store: s, changed: changed, sessions: make(map[account.SessionID]*account.Session)}
		if all, err = s.recoverFile(t); err != nil {
			return err
		}
		if !t.changed {
			return errUnchanged
		}
		return nil
	})
	var newer *newerError
	switch {
	case errors.As(bad, &newer):
		return fmt.Errorf("the store's file %s was left as it is: %w", s.path, bad)
	case bad != nil:
		return damaged(s.path, bad)
	case err != nil && !errors.Is(err, errUnchanged):
		return fmt.Errorf("begin with the store's file %s: %w", s.path, err)
	}
	s.table.apply(all)
	if err := s.loadTries(); err != nil {
		return fmt.Errorf("read the failed passwords of the store's file %s: %w", s.path, err)
	}
	return nil
}

// Epoch is when the file was made, or when Open found that it is a copy.
func (s *Store) Epoch(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, fmt.Errorf("ask the store: %w", err)
	}
	return s.epoch, nil
}

// Close writes what is in memory only, ends the goroutines and closes the
// file. Calls that come later return an error. Closing again does nothing and
// returns the same error.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.stopSweeper)
		<-s.sweeperDone
		<-s.triesDone
		flushErr := errors.Join(s.flush(context.Background()), s.saveTries(context.Background()))
		close(s.stopWriter)
		<-s.writerDone
		if s.broken.Load() != nil {
			// Its locks may be held for ever.
			s.closeErr = flushErr
			return
		}
		s.dbMu.Lock()
		defer s.dbMu.Unlock()
		s.closeErr = errors.Join(flushErr, s.db.Close())
	})
	return s.closeErr
}
