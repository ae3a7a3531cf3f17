// Package inbox is the sender for development: it sends nothing, keeps the
// last texts in memory and shows them on a page. Nothing is written to disk.
// It is never to be used where the phones are real: who can see the page can
// see every code.
package inbox

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

// Keep is how many texts an inbox keeps; the oldest goes first.
const Keep = 100

// Entry is one text that arrived.
type Entry struct {
	// Number counts the texts from 1 and never begins again.
	Number int       `json:"number"`
	ID     string    `json:"id"`
	To     string    `json:"to"`
	Text   string    `json:"text"`
	Time   time.Time `json:"time"`
}

// Inbox is an [sms.Sender] and an http.Handler that shows what was sent. It is
// safe for use by many goroutines.
type Inbox struct {
	clock func() time.Time

	mu      sync.Mutex
	count   int
	entries []Entry
}

var _ sms.Sender = (*Inbox)(nil)

// New returns an empty inbox that dates its texts by the clock.
func New(clock func() time.Time) *Inbox {
	return &Inbox{clock: clock}
}

// Send keeps the text. An ID that is still kept is answered with its receipt
// and not kept twice. All its errors wrap [sms.ErrNotSent].
func (b *Inbox) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) {
	if err := m.Check(); err != nil {
		return sms.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return sms.Receipt{}, sms.NotSent(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		if e.ID == m.ID {
			return receipt(e), nil
		}
	}
	b.count++
	e := Entry{Number: b.count, ID: m.ID, To: m.To, Text: m.Text, Time: b.clock()}
	if len(b.entries) == Keep {
		b.entries = append(b.entries[:0], b.entries[1:]...)
	}
	b.entries = append(b.entries, e)
	return receipt(e), nil
}

// Entries returns the texts that are kept, the newest first. It is never nil.
func (b *Inbox) Entries() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Entry, 0, len(b.entries))
	for i := len(b.entries) - 1; i >= 0; i-- {
		list = append(list, b.entries[i])
	}
	return list
}

func receipt(e Entry) sms.Receipt {
	return sms.Receipt{ProviderID: "inbox-" + strconv.Itoa(e.Number)}
}
