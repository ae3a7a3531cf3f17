package hold

import (
	"io"
	"maps"
	"net"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Edit sees the headers of an answer just before they go to the browser and
// may change them. If it returns false, nothing of the answer goes out, and
// the owner answers in its place.
type Edit func(status int, header http.Header) bool

// Lasting is told of an answer that may last. It is called by whoever writes
// the answer, after its headers went out.
type Lasting interface {
	// Wrote is told before each piece of a body how long it is, and Streams
	// before a flush. An error keeps what was to go out back.
	Wrote(n int) error
	Streams() error
	// From returns what a body is read from that is passed on in one go.
	From(body io.Reader, header http.Header) (io.Reader, error)
	// Hijacked is told of a connection that was handed over.
	Hijacked(conn net.Conn) error
}

// Editor is an http.ResponseWriter that lets an answer through untouched but
// for one look at its headers. Bodies stream, upgrades and flushes go on.
type Editor struct {
	caddyhttp.ResponseWriterWrapper
	edit    Edit
	lasting Lasting
	done    bool
	dropped bool
	early   bool
	before  []string
	sent    []string
	// present are the fields that others had set before: the first few, and
	// where there are more, all of them in rest.
	present [8]field
	rest    http.Header
}

type field struct {
	name   string
	values []string
}

// Start puts the editor, which nobody may hold any more, in front of w.
// Informational answers go on, without their cookies, if early is true, and are
// dropped if not. The Set-Cookie fields that are in w's header map already are
// not the app's; they are kept apart from the edit and go out with the answer.
func (e *Editor) Start(w http.ResponseWriter, early bool, edit Edit) {
	*e = Editor{edit: edit, early: early}
	e.ResponseWriter = w
	h := w.Header()
	if len(h["Set-Cookie"]) > 0 {
		e.before = h["Set-Cookie"]
		delete(h, "Set-Cookie")
	}
	n := 0
	for name, values := range h {
		if n == len(e.present) {
			e.rest = h.Clone()
			break
		}
		// Whoever adds a value appends behind what is seen here.
		e.present[n] = field{name, values}
		n++
	}
}

// Tell has somebody told if the answer lasts.
func (e *Editor) Tell(l Lasting) { e.lasting = l }

// Dropped reports whether the edit kept the answer from going out. The header
// map is then empty of what the app had set.
func (e *Editor) Dropped() bool { return e.dropped }

// Answered reports whether the headers of the answer have come.
func (e *Editor) Answered() bool { return e.done }

// WriteHeader runs the edit and passes the status on.
func (e *Editor) WriteHeader(status int) {
	if e.done {
		if !e.dropped {
			e.ResponseWriter.WriteHeader(status)
		}
		return
	}
	h := e.ResponseWriter.Header()
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		if e.early {
			delete(h, "Set-Cookie")
			e.ResponseWriter.WriteHeader(status)
		}
		return
	}
	e.done = true
	if !e.edit(status, h) {
		e.dropped = true
		e.reset(h)
		e.restore(h)
		return
	}
	e.restore(h)
	unannounce(h)
	e.sent = h["Set-Cookie"]
	e.ResponseWriter.WriteHeader(status)
}

// Finish must be called when the app has answered, or failed to. What the app
// sets a cookie with in a trailer has been seen by nobody, and does not go out.
func (e *Editor) Finish() {
	h := e.ResponseWriter.Header()
	if !e.done {
		e.restore(h)
		return
	}
	if !e.dropped {
		dropTrailers(h, e.sent)
	}
}

// unannounce takes Set-Cookie out of the trailers that an answer announces.
func unannounce(h http.Header) {
	announced := h["Trailer"]
	if len(announced) == 0 {
		return
	}
	var kept []string
	for _, line := range announced {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" && !strings.EqualFold(name, "Set-Cookie") {
				kept = append(kept, name)
			}
		}
	}
	delete(h, "Trailer")
	if len(kept) > 0 {
		h["Trailer"] = []string{strings.Join(kept, ", ")}
	}
}

// dropTrailers removes the cookies that were set behind the headers of an answer.
// Those of the headers stay in the map: over HTTP/3 the headers of a short answer
// are read from it only when the answer has ended.
func dropTrailers(h http.Header, sent []string) {
	delete(h, http.TrailerPrefix+"Set-Cookie")
	if sent == nil {
		delete(h, "Set-Cookie")
		return
	}
	h["Set-Cookie"] = sent
}

// reset puts back what was there before the app answered.
func (e *Editor) reset(h http.Header) {
	clear(h)
	if e.rest != nil {
		maps.Copy(h, e.rest)
		return
	}
	for _, f := range e.present {
		if f.name != "" {
			h[f.name] = f.values
		}
	}
}

func (e *Editor) restore(h http.Header) {
	if e.before != nil {
		h["Set-Cookie"] = append(e.before, h["Set-Cookie"]...)
		e.before = nil
	}
}

// Write passes a piece of the body on.
func (e *Editor) Write(p []byte) (int, error) {
	if !e.done {
		e.WriteHeader(http.StatusOK)
	}
	if e.dropped {
		return len(p), nil
	}
	if e.lasting != nil {
		if err := e.lasting.Wrote(len(p)); err != nil {
			return 0, err
		}
	}
	return e.ResponseWriter.Write(p)
}

// ReadFrom passes a body on, by the fast way where there is one.
func (e *Editor) ReadFrom(r io.Reader) (int64, error) {
	if !e.done {
		e.WriteHeader(http.StatusOK)
	}
	if e.dropped {
		return io.Copy(io.Discard, r)
	}
	if e.lasting != nil {
		var err error
		if r, err = e.lasting.From(r, e.Header()); err != nil {
			return 0, err
		}
	}
	return e.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError flushes what has gone out.
func (e *Editor) FlushError() error {
	if !e.done {
		e.WriteHeader(http.StatusOK)
	}
	if e.dropped {
		return nil
	}
	if e.lasting != nil {
		if err := e.lasting.Streams(); err != nil {
			return err
		}
	}
	return http.NewResponseController(e.ResponseWriter).Flush()
}

var (
	_ http.ResponseWriter = (*Editor)(nil)
	_ io.ReaderFrom       = (*Editor)(nil)
)
