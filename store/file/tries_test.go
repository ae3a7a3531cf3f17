package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// nthTry is a try of one of many names, from one of many addresses.
func nthTry(n int, at time.Time) account.Try {
	t := account.Try{Instance: "crm", At: at}
	binary.BigEndian.PutUint64(t.Name[:], uint64(n+1)*0x9e3779b97f4a7c15)
	t.Address = account.TryAddress(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}))
	return t
}

func seenOf(t *testing.T, s *Store, it account.Try, now time.Time) store.TriesSeen {
	t.Helper()
	seen, err := s.Tries(t.Context(), store.TriesQuery{Instance: it.Instance, Name: it.Name, Address: it.Address}, now)
	must(t, err)
	return seen
}

// size returns how many names or addresses are in memory, which its lists must
// have too.
func (ts *triers) size(t *testing.T) (n int) {
	t.Helper()
	for i := range ts.shards {
		sh := &ts.shards[i]
		there := 0
		for r := sh.newest; r != nil; r = r.older {
			if sh.m[r.key] != r || len(r.tries) == 0 || len(r.tries) > ts.most {
				t.Fatalf("the list has %+v", r)
			}
			there++
		}
		for r := sh.oldest; r != nil; r = r.newer {
			there--
		}
		if there != 0 {
			t.Errorf("from the one end to the other there are %d more", there)
		}
		n += len(sh.m)
	}
	return n
}

// onDisk returns how many tries the file has, in how many records.
func onDisk(t *testing.T, s *Store) (tries, records int) {
	t.Helper()
	must(t, s.viewOnce(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(tryRecords.bucket)).ForEach(func(k, raw []byte) error {
			text, err := tryRecords.decode(k, raw)
			if err != nil {
				return err
			}
			list, err := unpackTries(text)
			tries, records = tries+len(list), records+1
			return err
		})
	}))
	return tries, records
}

// eventually waits for something that another goroutine does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func TestWhatIsKeptOfTriesIsBoundedInMemoryAndGoesWhenItIsOver(t *testing.T) {
	var ahead atomic.Int64
	s, err := Open(filepath.Join(t.TempDir(), "store.db"), Options{
		SweepEvery: 10 * time.Millisecond,
		Now:        func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	must(t, err)
	defer s.Close()
	now := time.Now()
	for i := range 3 * store.MaxTried {
		s.NoteTry(nthTry(i, now))
	}
	for _, ts := range []*triers{s.tries.names, s.tries.addresses} {
		if n := ts.size(t); n > store.MaxTried || n < store.MaxTried*9/10 {
			t.Errorf("%d are kept, want at most %d", n, store.MaxTried)
		}
	}
	if n := len(s.tries.take()); n > maxWaiting {
		t.Errorf("%d wait to be written, want at most %d", n, maxWaiting)
	}
	s.NoteTry(nthTry(1, now))
	eventually(t, "a try is written", func() bool { n, _ := onDisk(t, s); return n > 0 })

	ahead.Store(int64(account.TryWindow + time.Minute))
	eventually(t, "all are forgotten", func() bool {
		left := 0
		for _, ts := range []*triers{s.tries.names, s.tries.addresses} {
			for i := range ts.shards {
				ts.shards[i].mu.Lock()
				left += len(ts.shards[i].m)
				ts.shards[i].mu.Unlock()
			}
		}
		_, records := onDisk(t, s)
		return left+records == 0
	})
}

func TestWhatTheFileHasOfTriesIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, _ := openLogged(t, path)
	ctx, now, noted := t.Context(), time.Now(), 0
	for noted < maxLogged+maxLogged/4 {
		// Half of the room, since not all stripes fill alike.
		for range maxWaiting / 2 {
			s.NoteTry(nthTry(noted, now))
			noted++
		}
		must(t, s.saveTries(ctx))
	}
	tries, records := onDisk(t, s)
	if tries > maxLogged || tries < maxLogged-2*maxTryRecord {
		t.Errorf("%d tries are on the disk, want %d", tries, maxLogged)
	}
	var alloc int
	must(t, s.viewOnce(func(tx *bbolt.Tx) error {
		st := tx.Bucket([]byte(tryRecords.bucket)).Stats()
		alloc = st.LeafAlloc + st.BranchAlloc
		return nil
	}))
	if alloc > 12<<20 {
		t.Errorf("they take %d bytes", alloc)
	}
	must(t, s.Close())
	start := time.Now()
	s, _ = openLogged(t, path)
	t.Logf("%d tries in %d records of %d KiB in all are read in %s", tries, records, alloc>>10, time.Since(start).Round(time.Millisecond))
	if got := seenOf(t, s, nthTry(noted-1, now), now); got != (store.TriesSeen{NameFailures: 1, AddressFailures: 1, AddressNames: 1}) {
		t.Errorf("of the last one %+v are counted", got)
	}
	if s.tries.names.size(t) > store.MaxTried {
		t.Errorf("%d names are read", s.tries.names.size(t))
	}
}

// A flood of failed passwords must not take the disk from those who log in.
func TestAThousandFailedPasswordsASecondAreAFewTransactions(t *testing.T) {
	s := openNew(t)
	ctx, before := t.Context(), lastTx(t, s)
	const seconds = 3
	var (
		wg      sync.WaitGroup
		logins  int
		slowest time.Duration
		stop    = make(chan struct{})
	)
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			from := time.Now()
			must(t, s.BeginSession(ctx, store.Begin{Session: verified("ada", from)}, from))
			slowest = max(slowest, time.Since(from))
			logins++
		}
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	n := 0
	for start := time.Now(); time.Since(start) < seconds*time.Second; <-tick.C {
		for n < int(time.Since(start).Milliseconds()) {
			s.NoteTry(nthTry(n, time.Now()))
			n++
		}
	}
	close(stop)
	wg.Wait()
	own := lastTx(t, s) - before - logins
	t.Logf("%d tries of as many addresses took at most %d transactions beside %d logins, the slowest of which took %s", n, own, logins, slowest)
	if own > 2*seconds+1 {
		t.Errorf("%d transactions in %d s", own, seconds)
	}
}

func TestTriesThatCannotBeWrittenWaitUntilTheyCan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	ctx, now := t.Context(), time.Now()
	full := errors.New("no room")
	s.broken.Store(&full)
	for i := range 100 {
		s.NoteTry(nthTry(i, now))
	}
	for range 3 {
		if err := s.saveTries(ctx); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	}
	s.NoteTry(nthTry(100, now))
	s.broken.Store(nil)
	must(t, s.saveTries(ctx))
	if n, _ := onDisk(t, s); n != 101 {
		t.Errorf("%d tries are on the disk, want 101", n)
	}
	must(t, s.Close())
	s = openAt(t, path)
	defer s.Close()
	for i := range 101 {
		if got := seenOf(t, s, nthTry(i, now), now); got.NameFailures != 1 || got.AddressFailures != 1 {
			t.Errorf("of the %dth %+v are counted", i, got)
		}
	}
}

func TestTriesThatCannotBeReadCountNoMore(t *testing.T) {
	all := append(damages(), damage{"framed nothing", func(bucket string, key, _, _, _ []byte) []byte { return frame(bucket, key, nil) }})
	for name, text := range map[string][]byte{
		"an instance that is not there": {1, 1, 'x', 1, 0, 0, 0, 0, 0},
		"a number without an end":       bytes.Repeat([]byte{0xff}, 20),
		"many instances":                {0xff, 0xff, 0x7f},
		"an instance that is too long":  {1, 200, 'x'},
		"unknown flags":                 {1, 1, 'x', 0, 0x80, 0, 0, 0, 0},
		"two addresses":                 {1, 1, 'x', 0, tryHasIPv4 | tryHasIPv6, 0, 0, 0, 0, 0, 0},
		"a prefix that is too long":     {1, 1, 'x', 0, tryHasIPv4, 0, 0, 0, 0, 33, 1, 2, 3, 4},
		"half an address":               {1, 1, 'x', 0, tryHasIPv6, 0, 0, 0, 0, 64, 1, 2, 3, 4},
		"half a time":                   {1, 1, 'x', 0, 0, 0, 0},
	} {
		all = append(all, damage{"framed: " + name, func(bucket string, key, _, _, _ []byte) []byte { return frame(bucket, key, text) }})
	}
	for _, d := range all {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			s, _ := openLogged(t, path)
			ctx, now, sc := t.Context(), time.Now(), newScene(t, s)
			for i := range 2 {
				s.NoteTry(nthTry(i, now))
				must(t, s.saveTries(ctx))
			}
			key, other := binary.BigEndian.AppendUint64(nil, 0), binary.BigEndian.AppendUint64(nil, 1)
			spoil(t, s, tryRecords.bucket, key, d.make(tryRecords.bucket, key, rawOf(t, s, tryRecords.bucket, key),
				rawOf(t, s, tryRecords.bucket, other), rawOf(t, s, values.bucket, []byte(sc.handle))))
			must(t, s.Close())
			s, m := openLogged(t, path)
			if got := seenOf(t, s, nthTry(0, now), now); got != (store.TriesSeen{}) {
				t.Errorf("%+v are counted", got)
			}
			if got := seenOf(t, s, nthTry(1, now), now); got.NameFailures != 1 {
				t.Errorf("of what can be read %+v are counted", got)
			}
			if n := m.naming(tryRecords.bucket, shownKey(tryRecords.bucket, key)); n != 1 {
				t.Errorf("the log names the record %d times, want once", n)
			}
			// What comes later takes no other's place.
			s.NoteTry(nthTry(2, now))
			must(t, s.saveTries(ctx))
			if rawOf(t, s, tryRecords.bucket, other) == nil || rawOf(t, s, tryRecords.bucket, binary.BigEndian.AppendUint64(nil, 2)) == nil {
				t.Error("the next tries were written elsewhere")
			}
		})
	}
}

func TestTriesComeBackAsTheyWerePacked(t *testing.T) {
	at := time.Unix(1_800_000_000, 0).UTC()
	var want []account.Try
	for i := range 5000 {
		it := nthTry(i, at.Add(time.Duration(i)*time.Second))
		it.Instance = fmt.Sprint("instance", i%1000)
		switch i % 5 {
		case 1:
			it.Address = netip.MustParsePrefix("2001:db8:1:2::/64")
		case 2:
			it.Address = netip.MustParsePrefix("2001:db8::1/128")
		case 3:
			it.Name = account.TryName{}
		case 4:
			it.Address = netip.Prefix{}
		}
		want = append(want, it)
	}
	want = append(want, account.Try{Instance: "crm", At: at, Address: netip.MustParsePrefix("0.0.0.0/0")},
		account.Try{Instance: "crm", At: at, Address: netip.MustParsePrefix("::/0")})
	got, err := unpackTries(packTries(want))
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d tries come back, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("the %dth is %+v, want %+v", i, got[i], want[i])
		}
	}
	raw := packTries(want[:100])
	for n := range raw {
		// It may be cut between two tries; it must come to an end, and to no
		// other try.
		some, err := unpackTries(raw[:n])
		for i := range some {
			if err == nil && some[i] != want[i] {
				t.Fatalf("cut off after %d bytes, the %dth is %+v", n, i, some[i])
			}
		}
	}
}

func TestNotingATryAllocatesNextToNothing(t *testing.T) {
	s := openNew(t)
	it := nthTry(1, time.Now())
	if got := testing.AllocsPerRun(10_000, func() { s.NoteTry(it) }); got > 1 {
		t.Errorf("%v allocations", got)
	}
	ctx, q := context.Background(), store.TriesQuery{Instance: it.Instance, Name: it.Name, Address: it.Address}
	if got := testing.AllocsPerRun(1000, func() { _, _ = s.Tries(ctx, q, it.At) }); got != 0 {
		t.Errorf("%v allocations to count", got)
	}
}
