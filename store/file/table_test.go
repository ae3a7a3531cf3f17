package file

import (
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// trail is what one transaction leaves of a session that got a new id so often:
// its ids, the newest last, and the changes.
func trail(v account.Session, moves int, now time.Time) ([]account.SessionID, map[account.SessionID]*account.Session) {
	ids := []account.SessionID{v.ID}
	changes := make(map[account.SessionID]*account.Session)
	for range moves {
		old := ids[len(ids)-1]
		next := account.SessionID(random(32))
		changes[old] = &account.Session{
			ID: old, State: account.StateMoved, LastSeen: now, Expires: now.Add(account.MovedFor),
			Steps: &account.Steps{MovedTo: next},
		}
		ids = append(ids, next)
	}
	v.ID = ids[moves]
	changes[v.ID] = &v
	return ids, changes
}

// The changes of a transaction become visible one after the other, in the order
// of a map where nothing else is said: so this is tried often.
func TestASessionIsFoundAtEveryMomentInWhichItsIDChanges(t *testing.T) {
	now := time.Now()
	for range 50 {
		var tab table
		v := verified("ada", now)
		tab.set(v.ID, &v)
		ids, changes := trail(v, 5, now)
		ended := verified("bob", now)
		changes[ended.ID] = nil
		for i, id := range order(changes) {
			tab.set(id, changes[id])
			if got, ok := tab.find(v.ID, now); !ok || !got.Usable(now) {
				t.Fatalf("after change %d the session is found: %t, in the state %q", i, ok, got.State)
			}
			if !tab.touch(v.ID, now) {
				t.Fatalf("after change %d the session cannot be seen", i)
			}
		}
		for _, id := range ids {
			if got, ok := tab.find(id, now); !ok || got.ID != ids[len(ids)-1] {
				t.Errorf("found %t, session %s", ok, got.ID)
			}
			if _, ok := tab.find(id, now.Add(account.MovedFor)); ok != (id == ids[len(ids)-1]) {
				t.Errorf("found after its time: %t", ok)
			}
		}
		if n := len(order(changes)); n != len(changes) {
			t.Errorf("%d of %d changes become visible", n, len(changes))
		}
	}
}

// What closes a session is visible before what opens one.
func TestASessionThatIsSuspendedAsItsIDChangesIsAtNoMomentUsableUnderTheNewOne(t *testing.T) {
	now := time.Now()
	for range 50 {
		var tab table
		v := verified("ada", now)
		tab.set(v.ID, &v)
		ids, changes := trail(v, 3, now)
		changes[ids[3]].SuspendedBy, changes[ids[3]].SuspendedAt = newLogin(), now
		for _, id := range order(changes) {
			tab.set(id, changes[id])
			if got, ok := tab.find(ids[3], now); ok && got.Usable(now) {
				t.Fatal("the session is usable under its new id")
			}
		}
		if got, ok := tab.find(v.ID, now); !ok || got.Usable(now) {
			t.Errorf("found %t, and usable %t", ok, got.Usable(now))
		}
	}
}

func TestARequestThatIsNotedWhileTheIDChangesIsNotForgotten(t *testing.T) {
	now := time.Now().UTC()
	for range 50 {
		var tab table
		v := verified("ada", now)
		tab.set(v.ID, &v)
		// The transaction has read the session before this request.
		ids, changes := trail(v, 3, now)
		seen := now.Add(10 * time.Second)
		if !tab.touch(v.ID, seen) {
			t.Fatal("the session cannot be seen")
		}
		tab.apply(changes)
		for _, id := range ids {
			if got, ok := tab.find(id, now); !ok || !got.LastSeen.Equal(seen) {
				t.Errorf("found %t, last seen %s, want %s", ok, got.LastSeen, seen)
			}
		}
		listed := false
		for _, id := range tab.takeDirty() {
			listed = listed || id == ids[3]
		}
		if !listed {
			t.Error("that the session was seen is not written later")
		}
	}
}
