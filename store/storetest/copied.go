package storetest

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Copy is a way in which a store is put in another place.
type Copy struct {
	Name string
	// Make copies the store that lies in a folder, and is closed, to another
	// folder, which is empty.
	Make func(t *testing.T, from, to string)
}

// RunCopied runs the part of the suite that puts a store back from a backup:
// the copy knows what was recorded until it was made, and since it knows
// nothing of what came later, no seal from before it was opened may open. open
// opens the store of a folder, as for RunDurable.
func RunCopied(t *testing.T, open func(t *testing.T, dir string) store.Store, copies []Copy) {
	for _, c := range copies {
		t.Run(c.Name, func(t *testing.T) { runCopied(t, open, c) })
	}
}

func runCopied(t *testing.T, open func(t *testing.T, dir string) store.Store, c Copy) {
	from, to := t.TempDir(), t.TempDir()
	at := func(dir string, do func(f *fixture)) {
		t.Helper()
		f := newFixture(t, open(t, dir))
		do(f)
		f.must(f.s.Close())
	}
	epoch := func(f *fixture) time.Time {
		t.Helper()
		e, err := f.s.Epoch(f.ctx)
		f.must(err)
		return e
	}
	var first, second time.Time
	var device account.Device
	line, lost, login := newLine(), newLine(), newLoginID()
	at(from, func(f *fixture) {
		first = epoch(f)
		f.enrol("ada")
		b := f.beginPending("ada")
		f.released(b, f.passOf(b, 100))
		device = f.remember(f.newDevice("ada"))
		f.lock(line, login, f.now, f.now.Add(time.Hour), account.LockFree)
	})
	c.Make(t, from, to)
	at(from, func(f *fixture) {
		if got := epoch(f); !got.Equal(first) {
			t.Errorf("the epoch of the store that was copied was %s and is %s", first, got)
		}
		f.lock(lost, login, f.now, f.now.Add(time.Hour), account.LockFree)
	})
	sealed := time.Now()
	at(to, func(f *fixture) {
		// The copy does not know the second lock: no seal of its line may open.
		f.line(lost, f.now, account.LockFree)
		if second = epoch(f); second.Before(sealed) {
			t.Errorf("the copy has the epoch %s: a seal of %s would open, whose lock it does not know", second, sealed)
		}
		f.line(line, f.now, account.LockStanding)
		b := f.beginPending("ada")
		_, err := f.s.PassChallenge(f.ctx, f.passOf(b, 100), f.now)
		f.wants(err, store.ErrSpent)
		// Nor does it know which of a browser's tokens came since.
		f.state(useOf(device, device.Token), f.now, account.DeviceNone)
		device = f.remember(f.newDevice("ada"))
	})
	at(to, func(f *fixture) {
		if got := epoch(f); !got.Equal(second) {
			t.Errorf("the epoch of the copy was %s and is %s", second, got)
		}
		f.state(useOf(device, device.Token), f.now, account.DeviceKnown)
	})
}
