package fields

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
)

// Body is a request's body as far as it was read before forwarding.
type Body struct {
	raw   []byte
	whole bool
	limit int64
	media media
	met   atomic.Bool
}

// Read reads up to limit bytes of the body of r and puts them back, so that
// r.Body yields what it would have, byte for byte; the request's length, its
// transfer encoding and its trailers stay as they are. The method does not
// matter: some apps read the body of a GET.
//
// Bodies of a type in which no app looks for fields (images, archives, gRPC)
// are left unread if they are longer than limit or of unknown length, since
// they may be streams in which the client waits for an answer.
//
// What was read already, and nobody has read on since, is not read again. An
// error is that of reading the body; what came before it is put back too, and
// then the error.
func Read(r *http.Request, limit int64) (*Body, error) {
	b := &Body{limit: limit}
	if r.Body == nil || r.Body == http.NoBody || isTunnel(r) {
		b.whole = true
		return b, nil
	}
	b.media = mediaOf(r.Header)
	if b.media.kind == kindOpaque && !b.media.gzip && (r.ContentLength < 0 || r.ContentLength > limit) {
		return b, nil
	}
	raw, known := readBefore(r.Body, limit)
	if !known {
		var err error
		if raw, err = io.ReadAll(io.LimitReader(r.Body, limit+1)); err != nil {
			r.Body = &joined{Reader: io.MultiReader(bytes.NewReader(raw), failing{err}), Closer: r.Body, begun: true}
			return nil, err
		}
		r.Body = &joined{Reader: io.MultiReader(bytes.NewReader(raw), r.Body), Closer: r.Body, raw: raw, limit: limit}
	}
	b.raw = raw
	b.whole = int64(len(raw)) <= limit
	if b.media.gzip && isOpaqueInside(raw) {
		b.media.hidden, b.media.fault = false, nil
	}
	return b, nil
}

// Whole says whether the whole body was read, or there is none.
func (b *Body) Whole() bool { return b.whole }

// Empty says whether there is no body, or one without a byte.
func (b *Body) Empty() bool { return b.whole && len(b.raw) == 0 }

// Met says whether a watched body turned out to hold what may not pass.
func (b *Body) Met() bool { return b.met.Load() }

// joined reads from one thing and closes another.
type joined struct {
	io.Reader
	io.Closer
	// raw is what it begins with, read up to limit, until somebody has begun to
	// read it.
	raw   []byte
	limit int64
	begun bool
}

// Read reads on.
func (j *joined) Read(p []byte) (int, error) {
	j.raw, j.begun = nil, true
	return j.Reader.Read(p)
}

// readBefore returns what a body begins with, if Read has put that back.
func readBefore(body io.ReadCloser, limit int64) (raw []byte, known bool) {
	j, ok := body.(*joined)
	if !ok || j.begun || j.limit != limit {
		return nil, false
	}
	return j.raw, true
}

// failing is a reader of nothing but an error.
type failing struct{ err error }

// Read returns the error.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// isTunnel says whether what looks like a body is one half of a WebSocket
// (RFC 8441, RFC 9220), as Caddy's reverse proxy tells it.
func isTunnel(r *http.Request) bool {
	if r.Method != http.MethodConnect {
		return false
	}
	return r.ProtoMajor == 2 && r.Header.Get(":protocol") == "websocket" || r.ProtoMajor == 3 && r.Proto == "websocket"
}
