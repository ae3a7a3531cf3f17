package twofactor

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/handler"
)

const (
	// auditQueue is how many events may wait for the disk. What comes beyond
	// is dropped, counted and logged: a slow disk holds no login up.
	auditQueue = 4096
	// auditPatience is how long an operator's action waits for room in it, and
	// how long an end of a config waits for what is queued.
	auditPatience = 5 * time.Second
	// auditWarnEach is how often at most Caddy's log is told that events were
	// dropped, or of the same trouble with the file.
	auditWarnEach = 10 * time.Second
	// auditCheckEach is how often the age of the file is looked at.
	auditCheckEach = time.Hour
)

// The files of the audit log, in the folder of the key and, by default, of the
// store. What anybody can bring about who has no password stands in a file of
// its own, with a queue and bounds of its own: however much of it there is, it
// pushes nothing else out.
const (
	auditName    = "audit.log"
	attemptsName = "attempts.log"
)

// auditLogs keeps the audit logs of all configs that are loaded at this moment,
// by their path: while Caddy reloads, the old and the new config write to one
// file through one queue.
var auditLogs = caddy.NewUsagePool()

// auditLog writes events to a file, one behind the other. Nothing is opened and
// no goroutine runs before the first event.
type auditLog struct {
	file  *auditFile
	queue chan auditItem
	// logger is the audit logger of the config that started last.
	logger atomic.Pointer[zap.Logger]
	// dropped counts events since the log was last told of it.
	dropped atomic.Int64

	mu      sync.RWMutex
	started bool
	// begun says that a config has started, and not only a command.
	begun  bool
	closed bool
	done   chan struct{}
}

// auditItem is a line, or a wish to know when all before it is written.
type auditItem struct {
	line    []byte
	written chan<- struct{}
}

func newAuditLog(file *auditFile) *auditLog {
	l := &auditLog{file: file, queue: make(chan auditItem, auditQueue), done: make(chan struct{})}
	l.logger.Store(zap.NewNop())
	return l
}

// acquireAudit takes a reference to the audit log of this path; releaseAudit
// gives it back.
func acquireAudit(path string) (*auditLog, error) {
	v, _, err := auditLogs.LoadOrNew(path, func() (caddy.Destructor, error) {
		return newAuditLog(newAuditFile(path)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return v.(*auditLog), nil
}

func releaseAudit(l *auditLog) error {
	_, err := auditLogs.Delete(l.file.path)
	return err
}

// put queues a line. It does not wait: where the queue is full the line is
// dropped.
func (l *auditLog) put(line []byte) {
	if !l.try(auditItem{line: line}) {
		l.drop()
	}
}

// putWaiting queues a line and waits a while for room.
func (l *auditLog) putWaiting(ctx context.Context, line []byte) {
	if !l.tryFor(ctx, auditItem{line: line}, auditPatience) {
		l.drop()
	}
}

func (l *auditLog) drop() {
	l.dropped.Add(1)
	metricAudit.WithLabelValues(auditDropped).Inc()
}

// try queues an item if there is room and the log has not ended. It starts the
// writer if it does not run.
func (l *auditLog) try(item auditItem) bool {
	l.start()
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return false
	}
	select {
	case l.queue <- item:
		return true
	default:
		return false
	}
}

// tryFor tries again until there is room. It holds nothing up meanwhile.
func (l *auditLog) tryFor(ctx context.Context, item auditItem, wait time.Duration) bool {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for !l.try(item) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline.C:
			return false
		case <-l.done:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// start starts the writer unless it runs or has ended.
func (l *auditLog) start() {
	l.mu.RLock()
	started := l.started || l.closed
	l.mu.RUnlock()
	if started {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started && !l.closed {
		l.started = true
		go l.run()
	}
}

// begin notes that a config has started: the first starts the log, every
// further one is a reload.
func (l *auditLog) begin(now time.Time) {
	kind := handler.SystemStarted
	l.mu.Lock()
	if l.begun {
		kind = handler.SystemReloaded
	}
	l.begun = true
	l.mu.Unlock()
	l.put(auditLine(&handler.Event{Time: now, Kind: kind, Result: handler.Done}))
}

// flush waits until what is queued by now is written. It returns an error if
// that takes too long, or if the last line could not be written.
func (l *auditLog) flush(wait time.Duration) error {
	l.mu.RLock()
	idle := !l.started || l.closed
	l.mu.RUnlock()
	if idle {
		return nil
	}
	written := make(chan struct{})
	if !l.tryFor(context.Background(), auditItem{written: written}, wait) {
		return errAuditSlow
	}
	select {
	case <-written:
		return l.file.trouble()
	case <-time.After(wait):
		return errAuditSlow
	}
}

// Destruct writes what is queued and ends the log. It is called when no config
// refers to it any more.
func (l *auditLog) Destruct() error {
	l.mu.RLock()
	begun := l.begun
	l.mu.RUnlock()
	if begun {
		l.put(auditLine(&handler.Event{Time: time.Now(), Kind: handler.SystemStopped, Result: handler.Done}))
	}
	l.mu.Lock()
	l.closed = true
	started := l.started
	close(l.queue)
	l.mu.Unlock()
	if !started {
		return nil
	}
	select {
	case <-l.done:
		return nil
	case <-time.After(auditPatience):
		return errAuditSlow
	}
}

// run writes until the queue is closed and empty.
func (l *auditLog) run() {
	defer close(l.done)
	w := auditWriter{log: l}
	tick := time.NewTicker(auditCheckEach)
	defer tick.Stop()
	w.checkAge()
	for {
		select {
		case item, ok := <-l.queue:
			switch {
			case !ok:
				w.warnDropped(true)
				if err := l.file.close(); err != nil {
					w.log.logger.Load().Error("the audit log could not be closed", zap.Error(err))
				}
				return
			case item.written != nil:
				close(item.written)
			default:
				w.write(item.line)
			}
		case <-tick.C:
			w.checkAge()
		}
		w.warnDropped(false)
	}
}

// auditWriter is the one goroutine that writes to the file.
type auditWriter struct {
	log *auditLog
	// warned is when Caddy's log was last told of dropped events, failed of
	// trouble with the file.
	warned, failed time.Time
}

// write writes a line, and hands it to those of Caddy's logs that take it. A
// line that the file does not take goes to Caddy's log as an error: it is not
// lost, and it is loud.
func (w *auditWriter) write(line []byte) {
	logger := w.log.logger.Load()
	event := zap.Any("audit", json.RawMessage(line[:len(line)-1]))
	if err := w.log.file.write(line); err != nil {
		metricAudit.WithLabelValues(auditFailed).Inc()
		w.complain(err)
		logger.Error("an event that is missing in the audit log", event)
		return
	}
	metricAudit.WithLabelValues(auditWritten).Inc()
	if !w.failed.IsZero() {
		w.failed = time.Time{}
		logger.Warn("the audit log is written again", zap.String("file", w.log.file.path))
	}
	if entry := logger.Check(zap.DebugLevel, "event"); entry != nil {
		entry.Write(event)
	}
}

func (w *auditWriter) complain(err error) {
	if !w.failed.IsZero() && time.Since(w.failed) < auditWarnEach {
		return
	}
	w.failed = time.Now()
	w.log.logger.Load().Error("the audit log cannot be written: its events go to this log until it can; the second factor is asked for as before. Give the disk room, and the user that Caddy runs as the right to write the file and its folder",
		zap.String("file", w.log.file.path), zap.Error(err))
}

func (w *auditWriter) checkAge() {
	if err := w.log.file.checkAge(time.Now()); err != nil {
		w.complain(err)
	}
}

// warnDropped tells of events that were dropped.
func (w *auditWriter) warnDropped(now bool) {
	if w.log.dropped.Load() == 0 || !now && time.Since(w.warned) < auditWarnEach {
		return
	}
	w.warned = time.Now()
	w.log.logger.Load().Error("events are missing in the audit log: they came faster than the disk takes them, or after the end of their config",
		zap.Int64("events", w.log.dropped.Swap(0)), zap.String("file", w.log.file.path))
}

// Interface guard.
var _ caddy.Destructor = (*auditLog)(nil)
