package handler

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// errStandingChanged breaks off a request body.
var errStandingChanged = errors.New("a login has begun, or the session has ended, while the request was coming in")

// watchedBody is the body of a request that goes to the app with opened values.
// An app serves a request when its body is there, and by then a login may have
// made the values another user's: so the standing is looked up at every piece,
// and the request breaks off where it has changed.
type watchedBody struct {
	io.ReadCloser
	v *visit
	// opened says that the request carries opened values, or is one of a verified
	// session.
	opened bool
	cut    atomic.Bool
}

// watchBody watches the body of the request, if it has one; nil if not.
func (v *visit) watchBody() *watchedBody {
	if !v.hasBody() || v.wantsTunnel() {
		return nil
	}
	v.watchRules()
	// The body is read while the answer comes, which may change the visit.
	asked := *v
	v.sent = &asked
	b := &watchedBody{ReadCloser: v.r.Body, v: &asked, opened: len(v.opened) > 0 || v.verified()}
	v.r.Body = b
	return b
}

func (v *visit) hasBody() bool {
	return v.r.Body != nil && v.r.Body != http.NoBody && v.r.ContentLength != 0
}

// waited reports whether the standing was looked up a while ago: before a body
// was read, or before a proof was asked for.
func (v *visit) waited() bool {
	return len(v.opened) > 0 && (v.hasBody() || v.asking)
}

// Read hands a piece of the body on.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.opened && (n > 0 || err != nil) && !b.v.standingNow() {
		b.cut.Store(true)
		return 0, errStandingChanged
	}
	if err == io.EOF { //nolint:errorlint // Readers return it as it is.
		b.v.cleanTrailer()
	}
	return n, err
}

// isLong reports whether the body of a verified request may come in for long.
func (b *watchedBody) isLong() bool {
	return b != nil && b.v.verified() && (b.v.r.ContentLength < 0 || b.v.r.ContentLength > maxBody)
}

// isCut reports whether the body was broken off.
func (b *watchedBody) isCut() bool { return b != nil && b.cut.Load() }
