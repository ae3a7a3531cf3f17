package file

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// filled returns a store with this many verified sessions in memory.
func filled(tb testing.TB, sessions int, now time.Time) (*Store, []account.SessionID) {
	tb.Helper()
	s, err := Open(tb.TempDir()+"/store.db", Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	ids := make([]account.SessionID, sessions)
	for i := range ids {
		v := verified(fmt.Sprintf("user%d", i), now)
		s.table.set(v.ID, &v)
		ids[i] = v.ID
	}
	return s, ids
}

func TestALookUpOfASessionAllocatesNothing(t *testing.T) {
	now := time.Now()
	s, ids := filled(t, 1000, now)
	unknown := account.SessionID(random(32))
	n, ctx := 0, t.Context()
	if got := testing.AllocsPerRun(1000, func() {
		id := ids[n%len(ids)]
		n++
		if _, err := s.Session(ctx, id, now); err != nil {
			t.Error(err)
		}
		if _, err := s.Session(ctx, unknown, now); err == nil {
			t.Error("an unknown session is found")
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	// The first touch notes the session as one to be written later.
	if err := s.TouchSession(ctx, ids[0], now); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(1000, func() { _ = s.TouchSession(ctx, ids[0], now) }); got != 0 {
		t.Errorf("a touch: %v allocations", got)
	}
}

func BenchmarkSessionAndTouch(b *testing.B) {
	now := time.Now()
	for _, sessions := range []int{1, 100_000} {
		s, ids := filled(b, sessions, now)
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for i := 0; b.Loop(); i++ {
				id := ids[i*7919%len(ids)]
				if _, err := s.Session(ctx, id, now); err != nil {
					b.Fatal(err)
				}
				_ = s.TouchSession(ctx, id, now)
			}
		})
	}
}
