package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// The tries lie on the disk as they came: each writing is one record, so that a
// thousand of them cost no more pages than their bytes fill, and the file is read
// once, at the start.
var tryRecords = &rawKind{
	bucket: "tries", max: maxHold,
	meaning: "some failed passwords of the hour before this start count no more",
}

const (
	// maxTryRecord is how many tries one record has at most: about 80 KB, so
	// that no login waits for more.
	maxTryRecord = 4096
	// maxLogged is how many tries the file has at most, about 10 MB; beyond
	// that the oldest records go.
	maxLogged = 1 << 19
	// maxErased is how many records one transaction removes.
	maxErased = sweepBatch
)

// tryLog is what the file has of tries.
type tryLog struct {
	// mu is held while they are written.
	mu      sync.Mutex
	records []tryRecord
	// next is the number of the next record.
	next uint64
	// count is how many tries all records have.
	count int
}

// tryRecord is one record.
type tryRecord struct {
	key   []byte
	count int
	// last is the time of its last try.
	last uint32
}

// saveTries writes the tries that wait, and removes those that are over by the
// engine's clock. Those that cannot be written go on waiting, as long as there is
// room.
func (s *Store) saveTries(ctx context.Context) error {
	l := &s.tries.log
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := s.tries.take()
	for {
		some := waiting[:min(maxTryRecord, len(waiting))]
		gone := l.outdated(s.now(), len(some))
		if len(some) == 0 && gone == 0 {
			return nil
		}
		if err := s.saveSome(ctx, some, gone); err != nil {
			for i := range waiting {
				s.tries.wait(&waiting[i], uint64(i%tryShards))
			}
			return err
		}
		waiting = waiting[len(some):]
	}
}

// outdated returns how many records, from the first, are to be removed when some
// tries come.
func (l *tryLog) outdated(now time.Time, coming int) (n int) {
	left := l.count + coming
	for _, r := range l.records[:min(maxErased, len(l.records))] {
		if tryCounts(r.last, now) && left <= maxLogged {
			break
		}
		left -= r.count
		n++
	}
	return n
}

// saveSome writes one record and removes the first ones.
func (s *Store) saveSome(ctx context.Context, some []account.Try, gone int) error {
	l := &s.tries.log
	r := tryRecord{key: binary.BigEndian.AppendUint64(nil, l.next), count: len(some)}
	var raw []byte
	if len(some) > 0 {
		var err error
		if raw, err = tryRecords.encode(r.key, packTries(some)); err != nil {
			return err
		}
	}
	_, err := decide(ctx, s, func(t *txn) (struct{}, error) {
		for _, old := range l.records[:gone] {
			if err := t.erase(tryRecords.bucket, old.key); err != nil {
				return struct{}{}, err
			}
		}
		if raw == nil {
			return struct{}{}, nil
		}
		return struct{}{}, t.write(tryRecords.bucket, r.key, raw)
	})
	if err != nil {
		return err
	}
	for _, old := range l.records[:gone] {
		l.count -= old.count
	}
	l.records = l.records[gone:]
	if raw != nil {
		for i := range some {
			r.last = max(r.last, tryTime(some[i].At))
		}
		l.add(r)
	}
	return nil
}

func (l *tryLog) add(r tryRecord) {
	l.records = append(l.records, r)
	l.count += r.count
	l.next++
}

// loadTries reads what the file has, and counts it.
func (s *Store) loadTries() error {
	now, l := s.now(), &s.tries.log
	return view(s.db, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(tryRecords.bucket)).ForEach(func(k, raw []byte) error {
			r := tryRecord{key: bytes.Clone(k), last: tryTime(now)}
			text, err := tryRecords.decode(k, raw)
			var list []account.Try
			if err == nil {
				list, err = unpackTries(text)
			}
			if err == nil && len(k) != 8 {
				err = errOtherKey
			}
			if err != nil {
				s.complain(tryRecords.garbage(k, err))
				l.add(r)
				return nil
			}
			l.next = binary.BigEndian.Uint64(k)
			r.count, r.last = len(list), 0
			for i := range list {
				r.last = max(r.last, tryTime(list[i].At))
				if tryCounts(tryTime(list[i].At), now) {
					s.tries.count(&list[i])
				}
			}
			l.add(r)
			return nil
		})
	})
}
