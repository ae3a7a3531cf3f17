package storetest

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// tryName is one of many names. As hashes do, they differ in every part.
func tryName(n int) (name account.TryName) {
	binary.BigEndian.PutUint64(name[:], uint64(n+1)*0x9e3779b97f4a7c15)
	return name
}

// tryAddress is one of many addresses, every second of them an IPv6 one.
func tryAddress(n int) netip.Prefix {
	if n%2 == 0 {
		return account.TryAddress(netip.AddrFrom4([4]byte{10, byte(n >> 17), byte(n >> 9), byte(n >> 1)}))
	}
	return account.TryAddress(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(n >> 25), byte(n >> 17), byte(n >> 9), byte(n >> 1), 15: 1}))
}

func (f *fixture) try(name, address int) account.Try {
	return account.Try{Instance: instance, Name: tryName(name), Address: tryAddress(address), At: f.now}
}

// tries checks what is counted of a name and an address.
func (f *fixture) tries(name, address int, now time.Time, want store.TriesSeen) {
	f.t.Helper()
	got, err := f.s.Tries(f.ctx, store.TriesQuery{Instance: instance, Name: tryName(name), Address: tryAddress(address)}, now)
	f.must(err)
	if got != want {
		f.t.Errorf("of name %d and address %d %+v are counted, want %+v", name, address, got, want)
	}
}

func tryTests() []test {
	return []test{
		{"a name is counted from anywhere, an address by whatever names", func(t *testing.T, f *fixture) {
			f.tries(1, 1, f.now, store.TriesSeen{})
			for _, n := range [][2]int{{1, 1}, {1, 1}, {1, 2}, {2, 1}, {3, 3}} {
				f.s.NoteTry(f.try(n[0], n[1]))
			}
			f.tries(1, 1, f.now, store.TriesSeen{NameFailures: 3, AddressFailures: 3, AddressNames: 2})
			f.tries(2, 2, f.now, store.TriesSeen{NameFailures: 1, AddressFailures: 1, AddressNames: 1})
			f.tries(4, 3, f.now, store.TriesSeen{AddressFailures: 1, AddressNames: 1})
			f.tries(3, 4, f.now, store.TriesSeen{NameFailures: 1})
		}},
		{"another instance counts for itself", func(t *testing.T, f *fixture) {
			there := f.try(1, 1)
			there.Instance = "shop"
			f.s.NoteTry(there)
			f.tries(1, 1, f.now, store.TriesSeen{})
			f.s.NoteTry(f.try(1, 1))
			f.tries(1, 1, f.now, store.TriesSeen{NameFailures: 1, AddressFailures: 1, AddressNames: 1})
		}},
		{"an IPv4 address, the IPv6 one that looks like it, and a shorter prefix are three", func(t *testing.T, f *fixture) {
			v4 := netip.MustParseAddr("203.0.113.9")
			all := []netip.Prefix{netip.PrefixFrom(v4, 32), netip.PrefixFrom(v4, 24), netip.MustParsePrefix("cb00:7109::/64"), netip.MustParsePrefix("cb00:7109::/32")}
			for i, p := range all {
				for range i + 1 {
					f.s.NoteTry(account.Try{Instance: instance, Address: p, At: f.now})
				}
			}
			for i, p := range all {
				got, err := f.s.Tries(f.ctx, store.TriesQuery{Instance: instance, Address: p}, f.now)
				f.must(err)
				if got.AddressFailures != i+1 {
					t.Errorf("%s: %+v, want %d", p, got, i+1)
				}
			}
		}},
		{"the unknown are not one name and one address, nor one of the names of an address", func(t *testing.T, f *fixture) {
			unnamed, nowhere, nobody := f.try(1, 1), f.try(1, 1), f.try(1, 1)
			unnamed.Name, nowhere.Address = account.TryName{}, netip.Prefix{}
			nobody.Name, nobody.Address = account.TryName{}, netip.Prefix{}
			for _, it := range []account.Try{unnamed, unnamed, nowhere, nowhere, nowhere, nobody} {
				f.s.NoteTry(it)
			}
			f.tries(1, 1, f.now, store.TriesSeen{NameFailures: 3, AddressFailures: 2})
			got, err := f.s.Tries(f.ctx, store.TriesQuery{Instance: instance}, f.now)
			f.must(err)
			if got != (store.TriesSeen{}) {
				t.Errorf("of nobody from nowhere %+v are counted", got)
			}
		}},
		{"a try without an instance or a time, or with an instance that is too long, is not counted", func(t *testing.T, f *fixture) {
			for _, spoil := range []func(*account.Try){
				func(it *account.Try) { it.Instance = "" },
				func(it *account.Try) { it.Instance = strings.Repeat("i", account.MaxName+1) },
				func(it *account.Try) { it.At = time.Time{} },
			} {
				it := f.try(1, 1)
				spoil(&it)
				f.s.NoteTry(it)
				got, err := f.s.Tries(f.ctx, store.TriesQuery{Instance: it.Instance, Name: it.Name, Address: it.Address}, f.now)
				f.must(err)
				if got != (store.TriesSeen{}) {
					t.Errorf("%+v is counted: %+v", it, got)
				}
			}
			f.tries(1, 1, f.now, store.TriesSeen{})
		}},
		{"a try counts for an hour, or up to a second longer", func(t *testing.T, f *fixture) {
			it := f.try(1, 1)
			it.At = f.now.Add(time.Millisecond)
			f.s.NoteTry(it)
			one := store.TriesSeen{NameFailures: 1, AddressFailures: 1, AddressNames: 1}
			f.tries(1, 1, it.At.Add(account.TryWindow-time.Nanosecond), one)
			f.tries(1, 1, it.At.Add(account.TryWindow+time.Second), store.TriesSeen{})
			f.tries(1, 1, it.At.Add(-time.Minute), one)
		}},
		{"a clock that is set back takes nothing away", func(t *testing.T, f *fixture) {
			for _, at := range []time.Duration{0, time.Minute, -time.Minute, -2 * time.Hour, 0} {
				it := f.try(1, 1)
				it.At = f.now.Add(at)
				f.s.NoteTry(it)
			}
			f.tries(1, 1, f.now, store.TriesSeen{NameFailures: 4, AddressFailures: 4, AddressNames: 1})
			f.tries(1, 1, f.now.Add(-2*time.Hour), store.TriesSeen{NameFailures: 5, AddressFailures: 5, AddressNames: 1})
		}},
		{"the counts have a bound, and the last tries are those that count", func(t *testing.T, f *fixture) {
			const many = 3 * store.MaxAddressTries
			for i := range many {
				it := f.try(i, 1)
				if i >= many-store.MaxAddressTries {
					it.At = f.now.Add(time.Minute)
				}
				f.s.NoteTry(it)
				it.Name, it.Address = tryName(many), tryAddress(2+i)
				f.s.NoteTry(it)
			}
			full := store.TriesSeen{NameFailures: store.MaxNameTries, AddressFailures: store.MaxAddressTries, AddressNames: store.MaxAddressTries}
			f.tries(many, 1, f.now, full)
			f.tries(many, 1, f.now.Add(account.TryWindow), full)
			f.tries(many, 1, f.now.Add(account.TryWindow+time.Minute), store.TriesSeen{})
		}},
		{"of many more names and addresses than are kept, the last are", func(t *testing.T, f *fixture) {
			const many = 3 * store.MaxTried
			for i := range many {
				f.s.NoteTry(f.try(i, i))
			}
			kept := 0
			for i := range many {
				got, err := f.s.Tries(f.ctx, store.TriesQuery{Instance: instance, Name: tryName(i), Address: tryAddress(i)}, f.now)
				f.must(err)
				kept += got.NameFailures + got.AddressFailures
				if i >= many-store.MaxTried/2 && got != (store.TriesSeen{NameFailures: 1, AddressFailures: 1, AddressNames: 1}) {
					t.Fatalf("of the %dth of %d %+v are counted", i, many, got)
				}
			}
			if kept > 2*store.MaxTried {
				t.Errorf("%d names and addresses are kept, want at most %d", kept, 2*store.MaxTried)
			}
		}},
		{"a store that was closed counts nothing more", func(t *testing.T, f *fixture) {
			f.must(f.s.Close())
			f.s.NoteTry(f.try(1, 1))
			_, err := f.s.Tries(f.ctx, store.TriesQuery{Instance: instance, Name: tryName(1)}, f.now)
			f.wants(err, errRefused)
		}},
	}
}

func tryRaces() []raceTest {
	return []raceTest{
		{"NoteTry", "of many tries at once each is counted", func(t *testing.T, f *fixture) {
			race(func(i int) error {
				f.s.NoteTry(f.try(i, 0))
				f.s.NoteTry(f.try(0, i))
				got, err := f.s.Tries(f.ctx, store.TriesQuery{Instance: instance, Name: tryName(i), Address: tryAddress(i)}, f.now)
				f.must(err)
				if got.NameFailures == 0 || got.AddressFailures == 0 {
					t.Errorf("what was noted is not counted at once: %+v", got)
				}
				return nil
			})
			f.tries(0, 0, f.now, store.TriesSeen{NameFailures: min(racers+1, store.MaxNameTries), AddressFailures: racers + 1, AddressNames: racers})
		}},
	}
}

func tryExpiries() []expiryTest {
	return []expiryTest{
		{"Tries", "a try counts until its window has passed", false, func(f *fixture) thing {
			f.s.NoteTry(f.try(1, 1))
			return thing{f.now.Add(account.TryWindow), func(now time.Time) bool {
				got, err := f.s.Tries(f.ctx, store.TriesQuery{Instance: instance, Name: tryName(1), Address: tryAddress(1)}, now)
				f.must(err)
				if (got.NameFailures == 1) != (got.AddressFailures == 1) || got.AddressFailures != got.AddressNames {
					f.t.Errorf("got %+v", got)
				}
				return got.NameFailures == 1
			}, nil}
		}},
	}
}

func durableTryTests() []durableTest {
	return []durableTest{
		{"tries are counted on, with their times", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			var all []account.Try
			for i := range 200 {
				all = append(all, f.try(1+i, 0), f.try(0, 1+i))
			}
			late, unnamed, nowhere, elsewhere := f.try(500, 500), f.try(0, 600), f.try(600, 0), f.try(500, 500)
			late.At = f.now.Add(time.Minute)
			unnamed.Name, nowhere.Address, elsewhere.Instance = account.TryName{}, netip.Prefix{}, "shop"
			for _, it := range append(all, late, unnamed, nowhere, elsewhere) {
				f.s.NoteTry(it)
			}
			return func(t *testing.T, f *fixture) {
				f.tries(0, 0, f.now, store.TriesSeen{NameFailures: store.MaxNameTries, AddressFailures: store.MaxAddressTries, AddressNames: store.MaxAddressTries})
				f.tries(7, 9, f.now, store.TriesSeen{NameFailures: 1, AddressFailures: 1, AddressNames: 1})
				f.tries(600, 600, f.now, store.TriesSeen{NameFailures: 1, AddressFailures: 1})
				f.tries(7, 9, f.now.Add(account.TryWindow), store.TriesSeen{})
				f.tries(500, 500, f.now.Add(account.TryWindow), store.TriesSeen{NameFailures: 1, AddressFailures: 1, AddressNames: 1})
			}
		}},
	}
}
