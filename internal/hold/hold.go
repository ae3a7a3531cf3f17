// Package hold keeps an app's answer back: it collects status, headers and
// body of an answer without letting any of it reach the browser, until the
// owner says at the answer's headers, or after its end, what becomes of it.
package hold

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Verdict is what becomes of an answer, said at its headers.
type Verdict int

const (
	// Keep collects the body, up to the cap.
	Keep Verdict = iota
	// Stream lets the answer go on to the browser from here, with the headers
	// as the decision left them.
	Stream
	// Drop throws the answer away; the owner answers in its place.
	Drop
)

// Decide says what becomes of an answer whose headers are there. It may change
// the headers, which are the answer's own and not yet the browser's. It is
// called once, never for an informational status.
type Decide func(status int, header http.Header) Verdict

// Writer is an http.ResponseWriter that keeps an answer back. Its header map
// is not the browser's, so that what an app set and the owner did not release
// cannot go out with another answer. It never returns an error while it keeps
// or drops, since a proxy would break the connection over it; it drops
// informational answers, and it can't be hijacked.
type Writer struct {
	w       http.ResponseWriter
	header  http.Header
	decide  Decide
	limit   int
	status  int
	kept    http.Header
	verdict Verdict
	body    bytes.Buffer
	over    bool
	// sent are the cookies that a streamed answer went out with.
	sent []string
}

// NewWriter returns a Writer in front of w that keeps at most limit bytes of
// body. What is in w's header map stays there and goes out with whatever is
// streamed.
func NewWriter(w http.ResponseWriter, limit int, decide Decide) *Writer {
	header := w.Header().Clone()
	if header == nil {
		header = make(http.Header)
	}
	delete(header, "Set-Cookie")
	return &Writer{w: w, header: header, decide: decide, limit: limit}
}

// Replace puts the fields of an answer in the place of those of the header
// map that it goes out with. Cookies that are there already stay.
func Replace(out, answer http.Header) {
	for name := range out {
		if _, ok := answer[name]; !ok && name != "Set-Cookie" {
			delete(out, name)
		}
	}
	for name, values := range answer {
		if name == "Set-Cookie" {
			values = append(out[name], values...)
		}
		out[name] = values
	}
}

// Header returns the answer's own header map.
func (w *Writer) Header() http.Header { return w.header }

// WriteHeader takes the status and asks for the verdict.
func (w *Writer) WriteHeader(status int) {
	if w.status != 0 || (status >= 100 && status < 200 && status != http.StatusSwitchingProtocols) {
		return
	}
	w.status = status
	w.verdict = w.decide(status, w.header)
	if w.verdict != Stream {
		w.kept = w.header.Clone()
		return
	}
	out := w.w.Header()
	Replace(out, w.header)
	unannounce(out)
	w.sent = out["Set-Cookie"]
	w.w.WriteHeader(status)
}

// Write takes a piece of the body.
func (w *Writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.verdict == Stream:
		return w.w.Write(p)
	case w.verdict == Drop || w.over:
	case w.body.Len()+len(p) > w.limit:
		w.over = true
		w.body = bytes.Buffer{}
	default:
		w.body.Write(p)
	}
	return len(p), nil
}

// FlushError flushes an answer that is streamed.
func (w *Writer) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.verdict != Stream {
		return nil
	}
	return http.NewResponseController(w.w).Flush()
}

// Finish must be called when the app has answered; it hands on the trailers of
// an answer that was streamed.
func (w *Writer) Finish() {
	if w.verdict != Stream || w.status == 0 {
		return
	}
	out := w.w.Header()
	dropTrailers(out, w.sent)
	announced := strings.Split(strings.Join(w.header.Values("Trailer"), ","), ",")
	for name, values := range w.header {
		isTrailer := strings.HasPrefix(name, http.TrailerPrefix) || slices.ContainsFunc(announced, func(a string) bool {
			return http.CanonicalHeaderKey(strings.TrimSpace(a)) == name
		})
		if isTrailer && name != "Set-Cookie" && name != http.TrailerPrefix+"Set-Cookie" {
			out[name] = slices.Clone(values)
		}
	}
}

// Answered reports whether the app said anything at all.
func (w *Writer) Answered() bool { return w.status != 0 }

// Verdict is what was said at the headers.
func (w *Writer) Verdict() Verdict { return w.verdict }

// Over reports whether the body was larger than the limit; then none of it is
// kept.
func (w *Writer) Over() bool { return w.over }

// Answer returns what was kept.
func (w *Writer) Answer() Answer {
	return Answer{Status: w.status, Header: maps.Clone(w.kept), Body: w.body.Bytes()}
}

// Answer is an answer that was kept.
type Answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}
