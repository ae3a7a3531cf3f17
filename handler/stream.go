package handler

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// An answer that is not flushed, and none of a known small length, lasts once
// it is longer or slower than this.
const (
	longAnswer = 256 << 10
	slowAnswer = time.Second
)

// errSessionOver breaks off an exchange.
var errSessionOver = errors.New("the session has ended while the request was being served")

// stream is an exchange of a verified session that lasts.
type stream struct {
	g        *Gate
	parts    *Parts
	standing account.StandingID
	// What there is to say of it when it is closed.
	user, account, ip, userAgent, path string

	// cut says that the session has ended, so that nothing more goes out.
	cut atomic.Bool

	// mu is held while the exchange is looked at or closed: what it is closed by
	// may serve another request once this one is over.
	mu   sync.Mutex
	over bool
	id   account.SessionID
	w    http.ResponseWriter
	// major is the version of HTTP.
	major int
	// conn is the connection of an exchange that took it over, and cancel ends
	// the request's context, where that can be ended; both may be nil.
	conn   net.Conn
	cancel context.CancelFunc
	// blind is since when the store could not say.
	blind time.Time
}

// lasts notes that the exchange lasts, if its session is verified. An error
// means that the session has ended already.
func (v *visit) lasts() error {
	m := v.room
	if m.stream != nil {
		return m.stream.goesOn()
	}
	st := &stream{
		g: v.g, parts: v.parts, standing: v.session.Standing, id: v.sessionID, w: v.w, major: v.r.ProtoMajor, cancel: v.endContext,
		user: v.session.User, account: v.session.Account, ip: v.rawIP(), userAgent: v.r.UserAgent(), path: v.orig.Path,
	}
	m.stream = st
	v.g.streams.add(st)
	if v.g.Clock().Sub(v.now) < slowAnswer {
		return nil
	}
	// Its session was looked at a while ago.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), streamAsk)
	defer cancel()
	_ = st.look(ctx, nil)
	return st.goesOn()
}

// endStream takes the exchange out of the registry, when its request is over. It
// reports whether it was broken off, and whether the connection was taken over.
func (m *room) endStream() (cut, hijacked bool) {
	st := m.stream
	if st == nil {
		return false, false
	}
	m.stream = nil
	st.g.streams.remove(st)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.over = true
	return st.cut.Load(), st.conn != nil
}

// breakOff ends a request whose exchange was broken off. An end of its own
// would look like that of a whole answer to the browser.
func (v *visit) breakOff(cut, hijacked bool) {
	if cut && !hijacked {
		panic(http.ErrAbortHandler)
	}
}

// Wrote is told how much of an answer's body goes out. It implements
// hold.Lasting, as the next two do.
func (m *room) Wrote(n int) error {
	if m.stream != nil {
		return m.stream.goesOn()
	}
	m.wrote += n
	v := &m.visit
	if m.wrote < longAnswer && v.g.Clock().Sub(v.now) < slowAnswer {
		return nil
	}
	return v.lasts()
}

// Streams is told that an answer goes out piece by piece.
func (m *room) Streams() error { return m.visit.lasts() }

// From is told of a body that is passed on in one go, and ends it with the
// session, unless it is known to be short.
func (m *room) From(body io.Reader, header http.Header) (io.Reader, error) {
	if lines := header["Content-Length"]; len(lines) == 1 && m.stream == nil {
		if n, err := strconv.ParseInt(lines[0], 10, 64); err == nil && n < longAnswer {
			return body, nil
		}
	}
	if err := m.visit.lasts(); err != nil {
		return nil, err
	}
	return brokenOff{body, m.stream}, nil
}

// Hijacked is told that a connection was taken over.
func (m *room) Hijacked(conn net.Conn) error {
	err := m.visit.lasts()
	st := m.stream
	st.mu.Lock()
	defer st.mu.Unlock()
	st.conn = conn
	return err
}

func (st *stream) goesOn() error {
	if st.cut.Load() {
		return errSessionOver
	}
	return nil
}

// look asks whether the session lives, and closes the exchange if not. Where
// the store could not say, for this one or for another just before, it returns
// that error.
func (st *stream) look(ctx context.Context, failed error) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over {
		return nil
	}
	if st.cut.Load() {
		if st.major == 1 && st.conn == nil {
			st.close()
		}
		return nil
	}
	now := st.g.Clock()
	var s account.Session
	err := failed
	if err == nil {
		s, err = st.parts.Store.Session(ctx, st.id, now)
	}
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (s.State != account.StateVerified || s.Standing != st.standing):
		st.end(StreamEnded, now)
	case err != nil:
		if st.blind.IsZero() {
			st.blind = now
		}
		if now.Sub(st.blind) >= streamBlind {
			st.end(StreamBlind, now)
		}
		return err
	default:
		// Its token may be another by now.
		st.id, st.blind = s.ID, time.Time{}
	}
	return nil
}

// end closes the exchange and says why.
func (st *stream) end(why Result, now time.Time) {
	st.cut.Store(true)
	st.close()
	st.g.Recorder.Record(Event{
		Time: now, Instance: st.g.Instance, Kind: StreamClosed, Result: why, User: st.user, Account: st.account,
		ClientIP: cleanIP(st.ip), UserAgent: st.userAgent,
	})
	st.g.Logger.Info("an open exchange was closed, since its session has ended or the store cannot say",
		zap.String("why", string(why)), zap.String("path", st.path), zap.Stringer("session", st.id))
}

// close breaks off what the exchange reads and writes. In HTTP/1, whoever writes
// at the same moment may put a deadline of his own in the place of these, so it
// is done again at each look until the request is over.
func (st *stream) close() {
	past := time.Unix(1, 0)
	if st.conn != nil {
		_ = st.conn.SetDeadline(past)
		conn := st.conn
		// It says goodbye to a client that may not listen.
		go func() { _ = conn.Close() }()
		return
	}
	if st.cancel != nil {
		st.cancel()
	}
	// HTTP/1 waits for the client's next request, which ends the context when it
	// fails; in HTTP/2 the other deadline resets the stream. Caddy's own writers
	// keep a deadline of theirs, which nobody but the handler may set.
	_ = http.NewResponseController(st.w).SetReadDeadline(past)
	_ = http.NewResponseController(innermost(st.w)).SetWriteDeadline(past)
}

// innermost is the server's own writer.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = outer.Unwrap()
	}
}

// cancelable makes the context of a request one that can be ended, where the
// connection gives no other hold: HTTP/3 has nothing that wakes an app which
// waits. The func it returns must be called when the request is over.
func (v *visit) cancelable() func() {
	if v.r.ProtoMajor < 3 || !v.verified() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(v.r.Context())
	v.endContext, v.r = cancel, v.r.WithContext(ctx)
	return cancel
}

// brokenOff is a source that ends when the session does.
type brokenOff struct {
	io.Reader
	st *stream
}

// Read hands a piece on.
func (b brokenOff) Read(p []byte) (int, error) {
	if err := b.st.goesOn(); err != nil {
		return 0, err
	}
	return b.Reader.Read(p)
}
