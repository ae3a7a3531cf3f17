package file

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// table is the sessions in memory, in shards by the first byte of their id,
// which is a hash and so spreads them evenly. A look-up takes the read lock of
// one shard.
type table struct {
	shards [256]shard
}

type shard struct {
	mu sync.RWMutex
	m  map[account.SessionID]*entry

	// dirty are the ids of entries whose last request is not on the disk.
	dirtyMu sync.Mutex
	dirty   []account.SessionID
}

// entry is one session, packed. All but seen and dirty is never changed: a change puts
// a new entry in its place.
type entry struct {
	session packed
	// seen is the last request after session.LastSeen, in nanoseconds since
	// 1970; 0 if there was none.
	seen atomic.Int64
	// dirty is true while the id stands in the shard's list.
	dirty atomic.Bool
}

// now returns the session with the time at which it was last seen.
func (e *entry) now() account.Session { return e.seenIn(e.session.unpack()) }

// seenIn returns what was unpacked with the time at which it was last seen.
func (e *entry) seenIn(s account.Session) account.Session {
	if seen := time.Unix(0, e.seen.Load()); seen.After(s.LastSeen) {
		s.LastSeen = seen.UTC()
	}
	return s
}

func (t *table) shard(id account.SessionID) *shard { return &t.shards[id[0]] }

func (t *table) get(id account.SessionID) (account.Session, bool) {
	sh := t.shard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	e, ok := sh.m[id]
	if !ok {
		return account.Session{}, false
	}
	return e.now(), true
}

// of returns the ids of an account's sessions. It looks at all sessions, a shard
// at a time.
func (t *table) of(instance, acc string) (ids []account.SessionID) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.RLock()
		for id, e := range sh.m {
			if e.session.isOf(instance, acc) {
				ids = append(ids, id)
			}
		}
		sh.mu.RUnlock()
	}
	return ids
}

// maxMoves bounds how many new ids are followed, each of a step-up within
// account.MovedFor: many more than a person can pass, and than there are steps
// of an authenticator in that time.
const maxMoves = 64

// find returns the session of an id, also of one that it had until a step-up
// gave it a new one. A time that is zero asks for none.
func (t *table) find(id account.SessionID, now time.Time) (account.Session, bool) {
	for range maxMoves {
		s, ok := t.get(id)
		if !ok || s.State != account.StateMoved {
			return s, ok
		}
		if !now.IsZero() && !s.Alive(now) {
			break
		}
		id = s.Steps.MovedTo
	}
	return account.Session{}, false
}

// touch notes a request of a session that is alive.
func (t *table) touch(id account.SessionID, now time.Time) bool {
	for range maxMoves {
		seen, to := t.touchUnder(id, now)
		if !seen || to == (account.SessionID{}) {
			return seen
		}
		id = to
	}
	return false
}

// touchUnder is touch for this very id; where the session has another one now,
// it returns that.
func (t *table) touchUnder(id account.SessionID, now time.Time) (seen bool, to account.SessionID) {
	sh := t.shard(id)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	e, ok := sh.m[id]
	if !ok {
		return false, to
	}
	if steps := e.session.steps; steps != nil && steps.MovedTo != to {
		s := e.session.life()
		return s.Alive(now), steps.MovedTo
	}
	s := e.seenIn(e.session.life())
	if !s.Alive(now) {
		return false, to
	}
	if !now.After(s.LastSeen) {
		return true, to
	}
	for n := now.UnixNano(); ; {
		old := e.seen.Load()
		if n <= old || e.seen.CompareAndSwap(old, n) {
			break
		}
	}
	if e.dirty.CompareAndSwap(false, true) {
		sh.note(id)
	}
	return true, to
}

func (sh *shard) note(id account.SessionID) {
	sh.dirtyMu.Lock()
	sh.dirty = append(sh.dirty, id)
	sh.dirtyMu.Unlock()
}

// apply brings the table up to what a transaction has committed; nil is a
// session that was removed.
func (t *table) apply(changes map[account.SessionID]*account.Session) {
	for _, id := range order(changes) {
		s := changes[id]
		seen := t.set(id, s)
		if moved(s) && seen > 0 {
			// Requests that were noted under the old id since the transaction
			// read the session.
			t.touch(s.Steps.MovedTo, time.Unix(0, seen))
		}
	}
}

// order says in which order changes become visible. What closes goes first: at
// no moment are an old session and the one that takes its place both usable.
// What leads to a session's new id comes last, and after that to which it
// leads: at no moment is the session not found.
func order(changes map[account.SessionID]*account.Session) []account.SessionID {
	all := make([]account.SessionID, 0, len(changes))
	for id, s := range changes {
		if !opens(s) && !moved(s) {
			all = append(all, id)
		}
	}
	for id, s := range changes {
		if opens(s) {
			all = append(all, id)
		}
	}
	done := make(map[account.SessionID]bool)
	var lead func(id account.SessionID)
	lead = func(id account.SessionID) {
		if s := changes[id]; moved(s) && !done[id] {
			done[id] = true
			lead(s.Steps.MovedTo)
			all = append(all, id)
		}
	}
	for id := range changes {
		lead(id)
	}
	return all
}

func moved(s *account.Session) bool { return s != nil && s.State == account.StateMoved }

func opens(s *account.Session) bool {
	return s != nil && !s.Suspended() && (s.State == account.StateVerified || s.State == account.StatePending)
}

// set puts a session into the table. It returns when the entry that was there
// was last seen, as entry.seen.
func (t *table) set(id account.SessionID, s *account.Session) (seen int64) {
	sh := t.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	old, there := sh.m[id]
	if there {
		seen = old.seen.Load()
	}
	if s == nil {
		delete(sh.m, id)
		return seen
	}
	e := &entry{session: pack(s)}
	if there {
		// Requests that were noted since the transaction read the session.
		e.seen.Store(seen)
		e.dirty.Store(old.dirty.Load())
	}
	if sh.m == nil {
		sh.m = make(map[account.SessionID]*entry)
	}
	sh.m[id] = e
	return seen
}

// takeDirty empties the lists of dirty entries and returns the ids. An entry
// touched from now on is listed anew.
func (t *table) takeDirty() []account.SessionID {
	var all []account.SessionID
	for i := range t.shards {
		sh := &t.shards[i]
		sh.dirtyMu.Lock()
		ids := sh.dirty
		sh.dirty = nil
		sh.dirtyMu.Unlock()

		sh.mu.RLock()
		for _, id := range ids {
			if e, ok := sh.m[id]; ok {
				e.dirty.Store(false)
				all = append(all, id)
			}
		}
		sh.mu.RUnlock()
	}
	return all
}

// markDirty lists entries again that could not be written.
func (t *table) markDirty(ids []account.SessionID) {
	for _, id := range ids {
		sh := t.shard(id)
		sh.mu.RLock()
		if e, ok := sh.m[id]; ok && e.dirty.CompareAndSwap(false, true) {
			sh.note(id)
		}
		sh.mu.RUnlock()
	}
}

// replace makes the table what is on the disk, keeping the times at which the
// sessions were last seen.
func (t *table) replace(disk map[account.SessionID]*account.Session) {
	for i := range t.shards {
		sh := &t.shards[i]
		var gone []account.SessionID
		sh.mu.RLock()
		for id := range sh.m {
			if disk[id] == nil {
				gone = append(gone, id)
			}
		}
		sh.mu.RUnlock()
		for _, id := range gone {
			t.set(id, nil)
		}
	}
	t.apply(disk)
}
