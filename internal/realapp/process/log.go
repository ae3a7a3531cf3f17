package process

import (
	"bytes"
	"sync"
)

// logBuffer keeps the first 64 KiB of what a server writes.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes everything and keeps what fits.
func (b *logBuffer) Write(p []byte) (int, error) {
	const limit = 64 << 10
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := limit - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// String returns what was kept.
func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
