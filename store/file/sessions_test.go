package file

import (
	"slices"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Calls that wait at the same time share a transaction, and the table knows
// nothing of it before it is over.
func TestAnAccountsSessionsAreThoseThatTheCallsBeforeHaveLeft(t *testing.T) {
	s, now := openNew(t), time.Now()
	before, gone := verified("ada", now), verified("ada", now)
	for _, v := range []account.Session{before, gone} {
		must(t, s.BeginSession(t.Context(), store.Begin{Session: v}, now))
	}
	next := verified("ada", now)
	_, err := decide(t.Context(), s, func(tx *txn) (struct{}, error) {
		must(t, tx.removeSession(gone.ID))
		must(t, begin(tx, &store.Begin{Session: next}, now))
		must(t, begin(tx, &store.Begin{Session: verified("bob", now)}, now))
		must(t, tx.putSession(&before))
		ids := tx.sessionsOf("crm", "ada")
		if len(ids) != 2 || !slices.Contains(ids, before.ID) || !slices.Contains(ids, next.ID) {
			t.Errorf("got %v, want %v and %v", ids, before.ID, next.ID)
		}
		return struct{}{}, nil
	})
	must(t, err)
}
