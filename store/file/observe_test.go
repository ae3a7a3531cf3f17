package file

import (
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func TestWhatWasSeenAndCannotBeReadCountsAsNotSeen(t *testing.T) {
	eachGarbage(t, func(t *testing.T, raw []byte) {
		s, m := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
		ctx, now := t.Context(), time.Now()
		n := store.Seen{Instance: "crm", Kind: store.SeenUser, Key: "ada", Count: 1, First: now, Last: now}
		spoil(t, s, sightings.bucket, seenKey(n.Instance, n.Kind, n.Key), raw)
		if list, err := s.ListSeen(ctx, "", now); err != nil || len(list) != 0 || m.count() != 1 {
			t.Errorf("got %v, %v, %d lines in the log", list, err, m.count())
		}
		must(t, second(s.NoteSeen(ctx, []store.Seen{n})))
		if list, err := s.ListSeen(ctx, "", now); err != nil || len(list) != 1 {
			t.Errorf("noted anew: %v, %v", list, err)
		}
	})
}

func TestAFileOfBeforeGetsRoomForWhatIsSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	must(t, s.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(sightings.bucket)) }))
	must(t, s.Close())
	s = openAt(t, path)
	now := time.Now()
	must(t, second(s.NoteSeen(t.Context(), []store.Seen{{Instance: "crm", Kind: store.SeenUser, Key: "ada", Count: 1, First: now, Last: now}})))
	must(t, s.Close())
}
