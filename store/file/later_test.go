package file

import (
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func TestAFileOfBeforeGetsRoomForWhatCameLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	must(t, s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range laterBuckets() {
			if err := tx.DeleteBucket([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, s.Close())
	s = openAt(t, path)
	ctx, now := t.Context(), time.Now()
	must(t, second(s.NoteSeen(ctx, []store.Seen{{Instance: "crm", Kind: store.SeenUser, Key: "ada", Count: 1, First: now, Last: now}})))
	must(t, s.BeginSession(ctx, store.Begin{Session: verified("ada", now), Learn: func([]byte) []byte { return []byte("x") }}, now))
	must(t, s.Close())
}
