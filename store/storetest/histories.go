package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// adds learns some bytes behind what is known.
func adds(text string) store.Learn {
	return func(old []byte) []byte { return append(old, text...) }
}

// learns begins a verified session of an account, which learns.
func (f *fixture) learns(acc string, learn store.Learn) error {
	return f.s.BeginSession(f.ctx, store.Begin{Session: f.verified(acc), Learn: learn}, f.now)
}

// history checks what an account is used to.
func (f *fixture) history(in, acc, want string) {
	f.t.Helper()
	got, err := f.s.History(f.ctx, in, acc)
	f.must(err)
	if string(got) != want {
		f.t.Errorf("the history of %s in %s is %q, want %q", acc, in, got, want)
	}
	if want == "" && got != nil {
		f.t.Errorf("the history of %s is %v, want nil", acc, got)
	}
}

func historyTests() []test {
	return []test{
		{"an account has no history before it has learnt one, and that is no error", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.history(instance, "ada", "")
			f.history(instance, "nobody", "")
			f.history("nowhere", "ada", "")
		}},
		{"a verified session learns, each after what was learnt before", func(t *testing.T, f *fixture) {
			f.must(f.learns("ada", func(old []byte) []byte {
				if old != nil {
					t.Errorf("there was %q before anything was learnt", old)
				}
				return []byte("a")
			}))
			f.must(f.learns("ada", adds("b")))
			f.beginVerified("ada")
			f.history(instance, "ada", "ab")
		}},
		{"a passed challenge learns, one that is not passed does not", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			f.history(instance, "ada", "")
			p := f.passOf(b, 0)
			p.Learn = adds("wrong")
			_, err := f.s.PassChallenge(f.ctx, p, f.now)
			f.wants(err, store.ErrSpent)
			f.history(instance, "ada", "")
			p = f.passOf(b, 1)
			p.Learn = adds("right")
			f.released(b, p)
			f.history(instance, "ada", "right")
			_, err = f.s.PassChallenge(f.ctx, p, f.now)
			f.wants(err, store.ErrSpent)
			f.history(instance, "ada", "right")
		}},
		{"a pending session learns nothing: who only knows the password makes nothing known", func(t *testing.T, f *fixture) {
			b := f.pending("ada")
			b.Learn = adds("x")
			f.wants(f.s.BeginSession(f.ctx, b, f.now), errRefused)
			f.notBegun(b)
			f.history(instance, "ada", "")
		}},
		{"what is learnt by itself is learnt as with a session, or not at all", func(t *testing.T, f *fixture) {
			f.must(f.s.LearnHistory(f.ctx, instance, "ada", adds("a")))
			f.must(f.learns("ada", adds("b")))
			f.must(f.s.LearnHistory(f.ctx, instance, "ada", adds("c")))
			f.must(f.s.LearnHistory(f.ctx, instance, "ada", nil))
			f.history(instance, "ada", "abc")
			f.wants(f.s.LearnHistory(f.ctx, instance, "ada", func([]byte) []byte { return make([]byte, account.MaxHistory+1) }), errRefused)
			f.wants(f.s.LearnHistory(f.ctx, instance, "", adds("x")), errRefused)
			f.history(instance, "ada", "abc")
		}},
		{"a session that does not begin learns nothing", func(t *testing.T, f *fixture) {
			v, gone := f.verified("ada"), newSessionID()
			f.wants(f.s.BeginSession(f.ctx, store.Begin{Session: v, Old: &gone, Login: newLoginID(), Learn: adds("x")}, f.now), store.ErrConflict)
			f.history(instance, "ada", "")
		}},
		{"another account's and another instance's history is left alone", func(t *testing.T, f *fixture) {
			there := f.verified("ada")
			there.Instance = "shop"
			f.must(f.s.BeginSession(f.ctx, store.Begin{Session: there, Learn: adds("of the shop")}, f.now))
			f.must(f.learns("ada", adds("ada's")))
			f.must(f.learns("ada2", adds("another's")))
			f.must(f.learns("ad", adds("a shorter one's")))
			f.must(f.learns("ada", func([]byte) []byte { return nil }))
			f.history(instance, "ada", "")
			f.history(instance, "ada2", "another's")
			f.history(instance, "ad", "a shorter one's")
			f.history("shop", "ada", "of the shop")
		}},
		{"the largest history comes back, whatever its bytes are; nobody is spelt into another's", func(t *testing.T, f *fixture) {
			full := string(random(account.MaxHistory))
			f.must(f.learns("ada", adds(full)))
			f.history(instance, "ada", full)
			for _, name := range [][2]string{{instance + "\x00ada", ""}, {"", instance + "\x00ada"}, {instance, ""}, {"", "ada"}} {
				_, err := f.s.History(f.ctx, name[0], name[1])
				f.wants(err, errRefused)
				v := f.verified(name[1])
				v.Instance = name[0]
				f.wants(f.s.BeginSession(f.ctx, store.Begin{Session: v, Learn: adds("x")}, f.now), errRefused)
				f.noSession(v.ID, f.now)
			}
		}},
		{"a larger history is refused with the login, and nothing has changed", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			f.must(f.learns("ada", adds("as it was")))
			tooMuch := func([]byte) []byte { return make([]byte, account.MaxHistory+1) }
			v := f.verified("ada")
			f.wants(f.s.BeginSession(f.ctx, store.Begin{Session: v, Learn: tooMuch}, f.now), errRefused)
			f.noSession(v.ID, f.now)
			b := f.beginPending("ada")
			p := f.passOf(b, 1)
			p.Learn = tooMuch
			_, err := f.s.PassChallenge(f.ctx, p, f.now)
			f.wants(err, errRefused)
			f.unpassed(b, p)
			f.history(instance, "ada", "as it was")
			p.Learn = adds(".")
			f.released(b, p)
			f.history(instance, "ada", "as it was.")
		}},
		{"a function that panics is its own login's error, and the store goes on", func(t *testing.T, f *fixture) {
			v := f.verified("ada")
			f.wants(f.s.BeginSession(f.ctx, store.Begin{Session: v, Learn: func([]byte) []byte { panic("learn") }}, f.now), errRefused)
			f.noSession(v.ID, f.now)
			f.must(f.learns("ada", adds("x")))
			_, err := f.s.AgeHistories(f.ctx, func([]byte) []byte { panic("age") })
			f.wants(err, errRefused)
			f.history(instance, "ada", "x")
		}},
		{"what a function does to what it is given changes nothing", func(t *testing.T, f *fixture) {
			f.must(f.learns("ada", adds("as it was")))
			spoil := func(old []byte) []byte { clear(old); return []byte("as it was") }
			f.must(f.learns("ada", spoil))
			_, err := f.s.AgeHistories(f.ctx, spoil)
			f.must(err)
			f.history(instance, "ada", "as it was")
		}},
		{"the facts of a challenge come back, and larger ones are refused", func(t *testing.T, f *fixture) {
			b := f.pending("ada")
			b.Challenge.Facts = random(account.MaxFacts)
			f.must(f.s.BeginSession(f.ctx, b, f.now))
			same(t, f.challenge(b.Challenge.ID), b.Challenge)
			b = f.pending("ada")
			b.Challenge.Facts = random(account.MaxFacts + 1)
			f.wants(f.s.BeginSession(f.ctx, b, f.now), errRefused)
			f.notBegun(b)
			u := f.stepUp(f.beginVerified("ada"))
			u.Challenge.Facts = random(account.MaxFacts + 1)
			_, err := f.s.OpenStepUp(f.ctx, u, f.now)
			f.wants(err, errRefused)
			f.noChallenge(u.Challenge.ID)
		}},
		{"all histories are aged, those that become empty are gone, and the changed ones are counted", ageAll},
	}
}

func ageAll(t *testing.T, f *fixture) {
	const many = 300
	for i := range many {
		v := f.verified(fmt.Sprintf("user%03d", i))
		if i%2 == 0 {
			v.Instance = "shop"
		}
		f.must(f.s.BeginSession(f.ctx, store.Begin{Session: v, Learn: adds(fmt.Sprint(i % 3))}, f.now))
	}
	age := func(old []byte) []byte {
		switch string(old) {
		case "0":
			return nil
		case "1":
			return []byte("older")
		}
		return old
	}
	for _, want := range []int{2 * many / 3, 0} {
		n, err := f.s.AgeHistories(f.ctx, age)
		f.must(err)
		if n != want {
			t.Errorf("%d histories were aged, want %d", n, want)
		}
	}
	for i := range many {
		in := instance
		if i%2 == 0 {
			in = "shop"
		}
		f.history(in, fmt.Sprintf("user%03d", i), []string{"", "older", "2"}[i%3])
	}
}

func historyRaces() []raceTest {
	return []raceTest{
		{"BeginSession", "of what many logins learn at once nothing is lost", func(t *testing.T, f *fixture) {
			race(func(i int) error {
				err := f.learns("ada", adds(string([]byte{byte(i)})))
				f.must(err)
				return err
			})
			f.learntAll("ada")
		}},
		{"LearnHistory", "of what is learnt by itself, many times at once, nothing is lost", func(t *testing.T, f *fixture) {
			race(func(i int) error {
				err := f.s.LearnHistory(f.ctx, instance, "ada", adds(string([]byte{byte(i)})))
				f.must(err)
				return err
			})
			f.learntAll("ada")
		}},
		{"PassChallenge", "of what many challenges learn at once nothing is lost, and one challenge teaches once", func(t *testing.T, f *fixture) {
			f.enrol("ada")
			b := f.beginPending("ada")
			oneWins(t, race(func(i int) error {
				p := f.passOf(b, int64(i)+1)
				p.Learn = adds("x")
				_, err := f.s.PassChallenge(f.ctx, p, f.now)
				return err
			}), store.ErrSpent)
			f.history(instance, "ada", "x")
		}},
		{"AgeHistories BeginSession", "what is learnt while it is aged is there", func(t *testing.T, f *fixture) {
			// A mark takes the place of the last one, so that ageing always changes
			// something.
			const mark = 0xff
			age := func(old []byte) []byte {
				n := bytes.Count(old, []byte{mark})
				old = bytes.ReplaceAll(old, []byte{mark}, nil)
				return append(old, bytes.Repeat([]byte{mark}, n%2+1)...)
			}
			race(func(i int) error {
				if i%4 == 3 {
					_, err := f.s.AgeHistories(f.ctx, age)
					f.must(err)
				}
				err := f.learns("ada", adds(string([]byte{byte(i)})))
				f.must(err)
				return err
			})
			_, err := f.s.AgeHistories(f.ctx, func(old []byte) []byte { return bytes.ReplaceAll(old, []byte{mark}, nil) })
			f.must(err)
			f.learntAll("ada")
		}},
	}
}

// learntAll checks that each racer's byte was learnt, once.
func (f *fixture) learntAll(acc string) {
	f.t.Helper()
	got, err := f.s.History(f.ctx, instance, acc)
	f.must(err)
	slices.Sort(got)
	if len(got) != racers || len(slices.Compact(got)) != racers {
		f.t.Errorf("%d bytes were learnt, want those of all %d: %v", len(got), racers, got)
	}
}

func durableHistoryTests() []durableTest {
	return []durableTest{
		{"histories are kept, as they were learnt and aged", func(t *testing.T, f *fixture) func(*testing.T, *fixture) {
			full := string(random(account.MaxHistory))
			f.must(f.learns("ada", adds(full)))
			f.must(f.learns("bob", adds("b")))
			f.must(f.learns("eve", adds("e")))
			_, err := f.s.AgeHistories(f.ctx, func(old []byte) []byte {
				switch string(old) {
				case "b":
					return []byte("older")
				case "e":
					return nil
				}
				return old
			})
			f.must(err)
			return func(t *testing.T, f *fixture) {
				f.history(instance, "ada", full)
				f.history(instance, "bob", "older")
				f.history(instance, "eve", "")
			}
		}},
	}
}
