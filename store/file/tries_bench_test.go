package file

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

func BenchmarkNoteTry(b *testing.B) {
	for _, many := range []int{1, 1000, 1_000_000} {
		b.Run(fmt.Sprintf("of %d addresses", many), func(b *testing.B) {
			s, _ := filled(b, 0, time.Now())
			now := time.Now()
			var n atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					s.NoteTry(nthTry(int(n.Add(1))%many, now))
				}
			})
		})
	}
}

func BenchmarkTries(b *testing.B) {
	s, _ := filled(b, 0, time.Now())
	now := time.Now()
	for i := range 1000 {
		it := nthTry(i, now)
		it.Address = nthTry(0, now).Address
		s.NoteTry(it)
	}
	q := store.TriesQuery{Instance: "crm", Name: nthTry(0, now).Name, Address: nthTry(0, now).Address}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Tries(b.Context(), q, now); err != nil {
			b.Fatal(err)
		}
	}
}
