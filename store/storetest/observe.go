package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// seen is something that was seen once, now.
func (f *fixture) seen(kind store.SeenKind, key string) store.Seen {
	return store.Seen{Instance: instance, Kind: kind, Key: key, Count: 1, First: f.now, Last: f.now}
}

// note notes what fits.
func (f *fixture) note(seen ...store.Seen) {
	f.t.Helper()
	full, err := f.s.NoteSeen(f.ctx, seen)
	f.must(err)
	if len(full) > 0 {
		f.t.Errorf("full of %v", full)
	}
}

func (f *fixture) listSeen(in string, now time.Time) []store.Seen {
	f.t.Helper()
	list, err := f.s.ListSeen(f.ctx, in, now)
	f.must(err)
	return list
}

func (f *fixture) keysSeen() []string {
	f.t.Helper()
	var keys []string
	for _, s := range f.listSeen("", f.now) {
		keys = append(keys, string(s.Kind)+" "+s.Key)
	}
	return keys
}

func observationTests() []test {
	return []test{
		{"what is seen again is one entry", func(t *testing.T, f *fixture) {
			a, b := f.seen(store.SeenCookie, "sid"), f.seen(store.SeenCookie, "sid")
			a.Detail, a.Marks = "first", store.SeenOpen
			b.Marks, b.Count = store.SeenAtYes, 4
			b.First, b.Last = f.now.Add(-time.Hour), f.now.Add(time.Hour)
			f.note(a)
			f.note(b)
			want := a
			want.Marks, want.Count, want.First, want.Last = store.SeenOpen|store.SeenAtYes, 5, b.First, b.Last
			list := f.listSeen(instance, f.now)
			if len(list) != 1 || !list[0].First.Equal(want.First) || !list[0].Last.Equal(want.Last) ||
				list[0].Count != want.Count || list[0].Marks != want.Marks || list[0].Detail != want.Detail {
				t.Errorf("got %+v, want %+v", list, want)
			}
		}},
		{"twice in one call is one entry too", func(t *testing.T, f *fixture) {
			f.note(f.seen(store.SeenUser, "ada"), f.seen(store.SeenUser, "ada"))
			if list := f.listSeen("", f.now); len(list) != 1 || list[0].Count != 2 {
				t.Errorf("got %+v", list)
			}
		}},
		{"instances and kinds are listed by themselves, in their order", func(t *testing.T, f *fixture) {
			other := f.seen(store.SeenUser, "ada")
			other.Instance = instance + "2"
			f.note(f.seen(store.SeenUser, "bob"), f.seen(store.SeenUser, "ada"), f.seen(store.SeenCookie, "ada"), other)
			same(t, f.keysSeen(), []string{"cookie ada", "user ada", "user bob", "user ada"})
			if n := len(f.listSeen(instance, f.now)); n != 3 {
				t.Errorf("%d entries of one instance, want 3", n)
			}
			if n := len(f.listSeen("nobody", f.now)); n != 0 {
				t.Errorf("%d entries of no instance", n)
			}
		}},
		{"each kind has its bound, and says so", func(t *testing.T, f *fixture) {
			for _, kind := range []store.SeenKind{store.SeenUser, store.SeenCookie, store.SeenSent, store.SeenUnrecognised} {
				var all []store.Seen
				for i := range kind.Max() + 3 {
					all = append(all, f.seen(kind, fmt.Sprintf("%06d", i)))
				}
				full, err := f.s.NoteSeen(f.ctx, all)
				f.must(err)
				same(t, full, []store.SeenKind{kind})
				f.note(all[0]) // what is there already is counted on
				full, err = f.s.NoteSeen(f.ctx, []store.Seen{f.seen(kind, "another")})
				f.must(err)
				same(t, full, []store.SeenKind{kind})
			}
			want := 0
			for _, kind := range []store.SeenKind{store.SeenUser, store.SeenCookie, store.SeenSent, store.SeenUnrecognised} {
				want += kind.Max()
			}
			if n := len(f.listSeen(instance, f.now)); n != want {
				t.Errorf("%d entries are kept, want %d", n, want)
			}
		}},
		{"what breaks the rules is refused, and nothing is noted", func(t *testing.T, f *fixture) {
			for what, spoil := range map[string]func(*store.Seen){
				"no instance":      func(s *store.Seen) { s.Instance = "" },
				"no kind":          func(s *store.Seen) { s.Kind = "thing" },
				"no key":           func(s *store.Seen) { s.Key = "" },
				"a long key":       func(s *store.Seen) { s.Key = strings.Repeat("k", store.MaxSeenKey+1) },
				"a long detail":    func(s *store.Seen) { s.Detail = strings.Repeat("d", store.MaxSeenDetail+1) },
				"no UTF-8":         func(s *store.Seen) { s.Key = "\xff" },
				"a negative count": func(s *store.Seen) { s.Count = -1 },
				"no time":          func(s *store.Seen) { s.First, s.Last = time.Time{}, time.Time{} },
			} {
				bad := f.seen(store.SeenUser, "bad")
				spoil(&bad)
				if _, err := f.s.NoteSeen(f.ctx, []store.Seen{f.seen(store.SeenUser, "good"), bad}); err == nil {
					t.Errorf("%s: taken", what)
				}
			}
			same(t, f.keysSeen(), []string(nil))
		}},
	}
}

func observationRaces() []raceTest {
	return []raceTest{
		{"NoteSeen", "of many notes at once each is counted, and the bound holds", func(t *testing.T, f *fixture) {
			race(func(i int) error {
				_, err := f.s.NoteSeen(f.ctx, []store.Seen{f.seen(store.SeenUser, "ada"), f.seen(store.SeenUnrecognised, fmt.Sprint(i))})
				f.must(err)
				return err
			})
			list := f.listSeen("", f.now)
			if n := len(list); n != 1+store.SeenUnrecognised.Max() {
				t.Errorf("%d entries, want %d", n, 1+store.SeenUnrecognised.Max())
			}
			if last := list[len(list)-1]; last.Kind != store.SeenUser || last.Count != racers {
				t.Errorf("got %+v, want it counted %d times", last, racers)
			}
		}},
	}
}

func observationExpiries() []expiryTest {
	return []expiryTest{
		{"ListSeen", "an entry is forgotten in time", false, func(f *fixture) thing {
			f.note(f.seen(store.SeenUser, "ada"))
			return thing{f.now.Add(store.SeenFor), func(now time.Time) bool { return len(f.listSeen("", now)) == 1 }, nil}
		}},
	}
}
