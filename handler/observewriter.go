package handler

import (
	"bytes"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// peek is an http.ResponseWriter that lets an answer through as it is, looks
// once at its headers, and takes headers and the beginning of its body down if it
// is asked to. Informational answers, trailers, flushes and upgrades go on.
type peek struct {
	*caddyhttp.ResponseWriterWrapper
	see func(header http.Header, before int)
	// before is how many Set-Cookie fields were there before the app's.
	before int
	status int
	keep   bool
	// header and body are what was taken down.
	header http.Header
	body   bytes.Buffer
	// over says that the body is longer than what was taken down.
	over bool
}

func newPeek(w http.ResponseWriter, keep bool, see func(header http.Header, before int)) *peek {
	return &peek{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		see:                   see, keep: keep, before: len(w.Header()["Set-Cookie"]),
	}
}

// WriteHeader looks at the headers and passes the status on.
func (p *peek) WriteHeader(status int) {
	if p.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		p.status = status
		if p.keep {
			p.header = p.ResponseWriter.Header().Clone()
		}
		p.see(p.ResponseWriter.Header(), p.before)
	}
	p.ResponseWriter.WriteHeader(status)
}

// ensure has the headers looked at where the app writes none itself.
func (p *peek) ensure() {
	if p.status == 0 {
		p.WriteHeader(http.StatusOK)
	}
}

// Write passes a piece of the body on.
func (p *peek) Write(b []byte) (int, error) {
	p.ensure()
	if p.keep {
		p.take(b)
	}
	return p.ResponseWriter.Write(b)
}

// ReadFrom passes a body on, by the fast way where there is one.
func (p *peek) ReadFrom(r io.Reader) (int64, error) {
	p.ensure()
	if p.keep {
		r = io.TeeReader(r, taker{p})
	}
	return p.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError flushes what has gone out.
func (p *peek) FlushError() error {
	p.ensure()
	return http.NewResponseController(p.ResponseWriter).Flush()
}

func (p *peek) take(b []byte) {
	if room := maxAnswer - p.body.Len(); len(b) > room {
		b, p.over = b[:room], true
	}
	p.body.Write(b)
}

// taker takes down what is written to it, and never fails.
type taker struct{ p *peek }

// Write takes a piece of the body down.
func (t taker) Write(b []byte) (int, error) {
	t.p.take(b)
	return len(b), nil
}

var (
	_ http.ResponseWriter = (*peek)(nil)
	_ io.ReaderFrom       = (*peek)(nil)
)
