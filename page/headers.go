package page

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Frame says who may show a page in a frame.
type Frame int

const (
	// FrameNone lets nobody frame the page.
	FrameNone Frame = iota
	// FrameSelf lets pages of the same origin frame it, for apps whose login
	// stands in a frame of their own.
	FrameSelf
)

// Headers sets the headers of a page of our own, replacing those that stand
// there: a Content-Security-Policy that allows our style sheets, images that
// stand in the page itself, forms to this origin and nothing else, and the headers against caching, sniffing, referrers and framing.
// Cross-Origin-Opener-Policy is not among them: it would cut the opener of a
// login in a pop-up window.
//
// With Referrer-Policy no-referrer a browser sends "Origin: null" with the
// forms of these pages, to this origin too [Fetch, append a request Origin
// header]; what tells them from a foreign form is Sec-Fetch-Site and the form
// token.
func (s *Set) Headers(h http.Header, f Frame) {
	h.Set("Content-Security-Policy", fmt.Sprintf(
		"default-src 'none'; style-src %s; img-src data:; form-action 'self'; frame-ancestors %s; base-uri 'none'",
		s.styleHash, f.ancestors()))
	commonHeaders(h, f)
}

// WriteInside is Write for the pages that are opened from the settings, and not in the
// middle of a sign-in: with Cross-Origin-Opener-Policy same-origin, so that no window
// of another origin keeps hold of them, and never in a frame.
func (s *Set) WriteInside(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
	return s.Write(w, status, FrameNone, body)
}

// Write sends a finished page of the given status with its headers. With HEAD
// the server leaves the body out.
func (s *Set) Write(w http.ResponseWriter, status int, f Frame, body []byte) error {
	h := w.Header()
	s.Headers(h, f)
	h.Set("Content-Type", "text/html; charset=utf-8")
	return send(w, status, body)
}

// SetRetryAfter says in whole seconds, rounded up, when the request may be
// tried again [RFC 9110, section 10.2.3]. It does nothing if d is not positive.
func SetRetryAfter(h http.Header, d time.Duration) {
	if d > 0 {
		h.Set("Retry-After", strconv.Itoa(ceil(d, time.Second)))
	}
}

// send writes status and body; the headers are there already.
func send(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("page: write: %w", err)
	}
	return nil
}

// commonHeaders sets what pages and problem documents share.
func commonHeaders(h http.Header, f Frame) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", f.legacy())
}

func (f Frame) ancestors() string {
	if f == FrameSelf {
		return "'self'"
	}
	return "'none'"
}

// legacy is the word of X-Frame-Options for browsers without frame-ancestors.
func (f Frame) legacy() string {
	if f == FrameSelf {
		return "SAMEORIGIN"
	}
	return "DENY"
}
