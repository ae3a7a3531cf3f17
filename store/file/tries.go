package file

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

const (
	// triesEvery is how long a try waits for others to be written with it.
	triesEvery = 500 * time.Millisecond
	// triesRetry is how long at most they wait for a disk that is full.
	triesRetry = time.Minute
	// maxWaiting is how many tries wait at most to be written. Those beyond are
	// counted until the next start.
	maxWaiting = 65_536
)

// tryBook is the tries of the last hour: in memory, where they are counted, and
// those that wait to be written. See tryLog for what is on the disk.
type tryBook struct {
	hash             trierHash
	names, addresses *triers
	waiting          [tryShards]waitingTries
	// wake tells the goroutine that writes them that some are waiting.
	wake chan struct{}
	log  tryLog
}

type waitingTries struct {
	mu   sync.Mutex
	list []account.Try
}

func newTryBook() tryBook {
	return tryBook{
		hash:  trierHash{maphash.MakeSeed()},
		names: &triers{most: store.MaxNameTries}, addresses: &triers{most: store.MaxAddressTries},
		wake: make(chan struct{}, 1),
	}
}

// NoteTry implements store.Tries.
func (s *Store) NoteTry(t account.Try) {
	if checkName("a try's instance", t.Instance) != nil || t.At.IsZero() || !hasTrier(&t) {
		return
	}
	select {
	case <-s.stopWriter:
		return
	default:
	}
	s.tries.wait(&t, s.tries.count(&t))
}

// hasTrier reports whether there is anybody to count a try for. All the unknown
// ones are not one name and one address.
func hasTrier(t *account.Try) bool { return t.Name != account.TryName{} || t.Address.IsValid() }

// count counts a try in memory, and returns the number of one of the shards that
// it is in.
func (b *tryBook) count(t *account.Try) (shard uint64) {
	it := tried{at: tryTime(t.At)}
	if t.Name != (account.TryName{}) {
		it.name = max(binary.BigEndian.Uint32(t.Name[:]), 1)
		k := b.hash.name(t.Instance, t.Name)
		b.names.note(k, it)
		shard = uint64(k % tryShards)
	}
	if t.Address.IsValid() {
		k := b.hash.address(t.Instance, t.Address)
		b.addresses.note(k, it)
		shard = uint64(k % tryShards)
	}
	return shard
}

// wait lets a try wait in a shard until it is written.
func (b *tryBook) wait(t *account.Try, shard uint64) {
	w := &b.waiting[shard]
	w.mu.Lock()
	first := len(w.list) == 0
	if len(w.list) < maxWaiting/tryShards {
		w.list = append(w.list, *t)
	}
	w.mu.Unlock()
	if !first {
		return
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns all tries that wait.
func (b *tryBook) take() []account.Try {
	var all []account.Try
	for i := range b.waiting {
		w := &b.waiting[i]
		w.mu.Lock()
		all = append(all, w.list...)
		w.list = nil
		w.mu.Unlock()
	}
	return all
}

// Tries implements store.Tries: it is a look-up in memory.
func (s *Store) Tries(ctx context.Context, q store.TriesQuery, now time.Time) (store.TriesSeen, error) {
	if err := s.usable(ctx); err != nil {
		return store.TriesSeen{}, err
	}
	var seen store.TriesSeen
	if q.Name != (account.TryName{}) {
		seen.NameFailures, _ = s.tries.names.tally(s.tries.hash.name(q.Instance, q.Name), now)
	}
	if q.Address.IsValid() {
		seen.AddressFailures, seen.AddressNames = s.tries.addresses.tally(s.tries.hash.address(q.Instance, q.Address), now)
	}
	return seen, nil
}

// keepTries is the goroutine that writes the tries, and forgets those that are
// over.
func (s *Store) keepTries(sweepEvery time.Duration) {
	defer close(s.triesDone)
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	var due <-chan time.Time
	wait := triesEvery
	for {
		select {
		case <-s.stopSweeper:
			// Close writes what is left.
			return
		case <-s.tries.wake:
			if due == nil {
				due = time.After(wait)
			}
			continue
		case <-sweep.C:
			now := s.now()
			s.tries.names.sweep(now)
			s.tries.addresses.sweep(now)
			if due != nil {
				// They are written soon, or cannot be.
				continue
			}
		case <-due:
			due = nil
		}
		// The writer has logged why.
		if err := s.saveTries(context.Background()); err != nil {
			wait = min(2*wait, triesRetry)
			due = time.After(wait)
			continue
		}
		wait = triesEvery
	}
}
