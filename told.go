package twofactor

import (
	"sync"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// failedPause is for how long a user is not told again of wrong codes: somebody
// who has the password could else fill the mailbox.
const failedPause = time.Hour

// toldUsers are the accounts whose users were told of wrong codes a while ago. It
// lives with the store, so that a reload does not forget them.
type toldUsers struct {
	mu sync.Mutex
	at map[string]time.Time
}

// begin notes that the user is told now, and reports false if that was so a while
// ago.
func (t *toldUsers) begin(n *account.Notice, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, at := range t.at {
		if now.Sub(at) >= failedPause {
			delete(t.at, k)
		}
	}
	if _, was := t.at[toldKey(n)]; was {
		return false
	}
	if t.at == nil {
		t.at = make(map[string]time.Time)
	}
	t.at[toldKey(n)] = now
	return true
}

// undo takes that back: the user could not be told.
func (t *toldUsers) undo(n *account.Notice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.at, toldKey(n))
}

func toldKey(n *account.Notice) string { return n.Instance + "\x00" + n.Account }
