package fields

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/caddy-twofactor/caddy-twofactor/internal/cookie"
)

// Strip removes the fields whose name is says from an urlencoded body that was
// read whole; the others stay byte for byte, and length and header follow. Any
// other body that carries such a field, or cannot be read for certain and may
// carry one, is an *Error. A body that is not Whole is watched from then on:
// reading it fails with ErrMet where such a field comes.
func (b *Body) Strip(r *http.Request, is func(name string) bool) error {
	if b.Empty() || r.Body == nil {
		return nil
	}
	f := &stripFinder{is: is}
	j := newJudge(b.media, f, stripDepth)
	if !b.whole {
		b.watch(r, j, nil)
		return nil
	}
	j.feed(b.raw, true)
	if !j.found() {
		return nil
	}
	if b.media.kind != kindForm || b.media.fault != nil || j.broken || f.hidden {
		return fault(reasonAmbiguous, "the body carries a credential, and is none from which one can be taken")
	}
	if body, changed := cookie.StripQuery(string(b.raw), is); changed {
		b.replace(r, []byte(body))
	}
	return nil
}

// IsForm reports whether the body says that it is a form, urlencoded or
// multipart: the two that servers read fields of by themselves.
func (b *Body) IsForm() bool { return b.media.kind == kindForm || b.media.kind == kindMultipart }

// IsJSON reports whether the body says that it is JSON.
func (b *Body) IsJSON() bool { return b.media.kind == kindJSON }

// replace puts another body in place of the one that was read.
func (b *Body) replace(r *http.Request, raw []byte) {
	b.raw = raw
	r.Body = &joined{Reader: bytes.NewReader(raw), Closer: r.Body, raw: raw, limit: b.limit}
	if r.ContentLength < 0 {
		return // it came in chunks and goes on in chunks
	}
	r.ContentLength = int64(len(raw))
	if len(raw) == 0 {
		r.Body = http.NoBody
	}
	if _, ok := r.Header["Content-Length"]; ok {
		r.Header["Content-Length"] = []string{strconv.Itoa(len(raw))}
	}
}
