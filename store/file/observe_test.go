package file

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func TestWhatWasSeenAndCannotBeReadCountsAsNotSeen(t *testing.T) {
	for _, d := range damages() {
		t.Run(d.name, func(t *testing.T) {
			s, m := openLogged(t, filepath.Join(t.TempDir(), "store.db"))
			ctx, now := t.Context(), time.Now()
			n := store.Seen{Instance: "crm", Kind: store.SeenUser, Key: "ada", Count: 1, First: now, Last: now}
			other := n
			other.Key = "bob"
			must(t, second(s.NoteSeen(ctx, []store.Seen{n, other})))
			sc := newScene(t, s)
			key := seenKey(n.Instance, n.Kind, n.Key)
			spoil(t, s, sightings.bucket, key, d.make(sightings.bucket, key,
				rawOf(t, s, sightings.bucket, key), rawOf(t, s, sightings.bucket, seenKey(n.Instance, n.Kind, other.Key)), rawOf(t, s, values.bucket, []byte(sc.handle))))
			before := m.count()
			if list, err := s.ListSeen(ctx, "", now); err != nil || len(list) != 1 || list[0].Key != other.Key || m.count() != before+1 {
				t.Errorf("got %v, %v, %d lines in the log", list, err, m.count()-before)
			}
			n.Count = 7
			must(t, second(s.NoteSeen(ctx, []store.Seen{n})))
			if list, err := s.ListSeen(ctx, "", now); err != nil || len(list) != 2 || list[0].Count != 7 {
				t.Errorf("noted anew: %v, %v", list, err)
			}
		})
	}
}
