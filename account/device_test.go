package account

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// tokens makes tokens that nobody has had before.
type tokens struct{ n uint64 }

func (t *tokens) next() (h TokenHash) {
	t.n++
	binary.BigEndian.PutUint64(h[:], t.n)
	return h
}

var remembered = time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)

func newDevice(t *tokens) *Device {
	return &Device{ID: DeviceID{1}, Token: t.next(), Created: remembered, LastUsed: remembered, Expires: remembered.Add(30 * 24 * time.Hour)}
}

// holder is somebody who has a copy of a browser's cookie.
type holder struct {
	token TokenHash
	uses  int
}

// use uses the device with what the holder has, and keeps what the answer
// brings, unless that is lost.
func (h *holder) use(d *Device, made *tokens, now time.Time, lost bool) DeviceState {
	next := made.next()
	state, issued := d.Use(h.token, next, now)
	h.uses++
	if issued && !lost {
		h.token = next
	}
	return state
}

func TestRule21OneBrowserIsNeverTakenForTwo(t *testing.T) {
	// Answers get lost, and the browser goes on with what it has.
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var made tokens
		d := newDevice(&made)
		h := holder{token: d.Token}
		now := remembered
		for range 60 {
			now = now.Add(time.Duration(r.IntN(8)) * time.Hour)
			if state := h.use(d, &made, now, r.IntN(3) == 0); state != DeviceKnown {
				t.Fatalf("seed %d: use %d says %s", seed, h.uses, state)
			}
		}
	}
}

func TestRule21OneBrowsersParallelLoginsAreNeverTakenForTwo(t *testing.T) {
	// In each round some tabs send what the browser has; the answers come in any
	// order, within the grace, and the last one is what the browser keeps.
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		var made tokens
		d := newDevice(&made)
		has, now := d.Token, remembered
		for round := range 30 {
			now = now.Add(time.Duration(r.IntN(100)) * time.Hour / 5)
			sent, brought := has, []TokenHash(nil)
			for range 1 + r.IntN(MaxIssued) {
				now = now.Add(time.Duration(r.IntN(int(DeviceGrace) / MaxIssued)))
				next := made.next()
				state, issued := d.Use(sent, next, now)
				if state != DeviceKnown {
					t.Fatalf("seed %d, round %d: %s", seed, round, state)
				}
				if issued {
					brought = append(brought, next)
				}
			}
			has = brought[r.IntN(len(brought))]
		}
	}
}

// twoHolders walks through every order in which two holders of one token use
// it, n uses long, and calls for each what became of it.
func twoHolders(n int, walk func(order []int)) {
	for bits := range 1 << n {
		order := make([]int, n)
		for i := range order {
			order[i] = bits >> i & 1
		}
		walk(order)
	}
}

func TestRule21OfTwoWhoGoOnWithACopyTheDeviceDiesWithinTwoUsesOfEach(t *testing.T) {
	const n = 10
	for before := range 3 { // uses before it was copied
		twoHolders(n, func(order []int) {
			var made tokens
			d := newDevice(&made)
			owner := holder{token: d.Token}
			now := remembered
			for range before {
				now = now.Add(time.Hour)
				owner.use(d, &made, now, false)
			}
			two := [2]holder{{token: owner.token}, {token: owner.token}}
			for at, who := range order {
				now = now.Add(time.Hour)
				state := two[who].use(d, &made, now, false)
				both := two[0].uses >= 2 && two[1].uses >= 2
				switch {
				case state == DeviceStolen:
					return
				case both:
					t.Fatalf("%d uses before, order %v: after %d uses nobody has noticed", before, order, at+1)
				}
			}
		})
	}
}

// A thief need not play by the rules: he comes with whatever he has ever had,
// and throws away what he is given.
func TestRule21AThiefWhoKeepsEveryTokenIsOutAfterTheBrowsersSecondUse(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 3))
		var made tokens
		d := newDevice(&made)
		owner := holder{token: d.Token}
		his := []TokenHash{d.Token}
		now := remembered
		for step := range 40 {
			now = now.Add(DeviceGrace + time.Duration(r.IntN(100))*time.Minute)
			if r.IntN(5) == 0 {
				if owner.use(d, &made, now, false) == DeviceStolen {
					break
				}
				continue
			}
			next := made.next()
			state, issued := d.Use(his[r.IntN(len(his))], next, now)
			if state == DeviceKnown && owner.uses >= 2 {
				t.Fatalf("seed %d, step %d: a copy counts after %d uses by the browser", seed, step, owner.uses)
			}
			if state == DeviceStolen {
				break
			}
			if issued {
				his = append(his, next)
			}
		}
	}
}

func TestRule21EveryEndOfATokenHasOneGraceInWhichNothingIsIssued(t *testing.T) {
	var made tokens
	d := newDevice(&made)
	first := d.Token
	second, third := made.next(), made.next()
	d.Use(first, second, remembered)
	d.Use(second, third, remembered.Add(time.Second))
	end := remembered.Add(time.Second + DeviceGrace)
	// The token goes on changing, which gives the old one no more time.
	last := third
	for i := range 5 {
		next := made.next()
		if state, _ := d.Use(last, next, remembered.Add(time.Duration(2+i)*time.Second)); state != DeviceKnown {
			t.Fatalf("use %d: %s", i, state)
		}
		last = next
	}
	for _, tt := range []struct {
		at   time.Time
		want DeviceState
	}{{end.Add(-time.Nanosecond), DeviceKnown}, {end, DeviceStolen}} {
		c := *d
		if state, issued := c.Use(first, made.next(), tt.at); state != tt.want || issued {
			t.Errorf("at %s: %s, issued %t, want %s and nothing issued", tt.at, state, issued, tt.want)
		}
	}
}

func TestRule21MoreParallelLoginsThanAreKeptAreWithinTheGrace(t *testing.T) {
	var made tokens
	d := newDevice(&made)
	first := d.Token
	var all []TokenHash
	for range MaxIssued + MaxRetired {
		next := made.next()
		if state, issued := d.Use(first, next, remembered); state != DeviceKnown || !issued {
			t.Fatalf("%s, issued %t", state, issued)
		}
		all = append(all, next)
	}
	for i, token := range all {
		c := *d
		if state, _ := c.Use(token, made.next(), remembered.Add(time.Second)); state != DeviceKnown {
			t.Errorf("token %d: %s", i, state)
		}
	}
	if state, _ := d.Use(made.next(), made.next(), remembered); state != DeviceStolen {
		t.Errorf("a made-up token is %s", state)
	}
}

func TestADeviceThatHasExpiredIsNone(t *testing.T) {
	var made tokens
	d := newDevice(&made)
	for _, tt := range []struct {
		at   time.Time
		want DeviceState
	}{{d.Expires.Add(-time.Nanosecond), DeviceKnown}, {d.Expires, DeviceNone}} {
		c := *d
		if state, _ := c.Use(d.Token, made.next(), tt.at); state != tt.want {
			t.Errorf("at %s: %s, want %s", tt.at, state, tt.want)
		}
	}
	if state, _ := d.Use(TokenHash{}, made.next(), remembered); state != DeviceStolen {
		t.Errorf("no token at all is %s", state)
	}
}

func TestAUseOfADeviceLeavesOtherCopiesOfItAsTheyWere(t *testing.T) {
	var made tokens
	d := newDevice(&made)
	for range 6 {
		d.Use(d.Token, made.next(), remembered)
	}
	before := fmt.Sprint(*d)
	for _, token := range []TokenHash{d.Token, d.Issued[1].Hash, d.Retired[0].Hash} {
		c := *d
		c.Use(token, made.next(), remembered.Add(time.Minute/2))
		if after := fmt.Sprint(*d); after != before {
			t.Errorf("was %s\nis  %s", before, after)
		}
	}
}

func TestADeviceIsWrittenAndReadAsItIs(t *testing.T) {
	var made tokens
	d := newDevice(&made)
	d.Use(d.Token, made.next(), remembered)
	d.Use(d.Issued[0].Hash, made.next(), remembered)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back Device
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(back); string(again) != string(text) {
		t.Errorf("got  %s\nwant %s", again, text)
	}
	for _, bad := range []string{`{"id":"01"}`, `{"id":"zz000000000000000000000000000000"}`, `{"token":"00"}`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}
