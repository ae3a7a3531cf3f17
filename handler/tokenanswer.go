package handler

import (
	"bytes"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/page"
)

// tokenAnswer is the writer behind the look at the headers of an answer that
// may carry a new token. It keeps the body back until the token is bound, up to
// maxAnswer bytes; a larger one goes on, and its token is not bound.
type tokenAnswer struct {
	v     *visit
	w     http.ResponseWriter
	paths []string

	status int
	body   bytes.Buffer
	passed bool
}

// tokenWriter returns what the answer of this request goes out by: the
// browser's writer, or one that looks for new tokens first, for which the
// answer is asked for in no coding.
func (v *visit) tokenWriter() (http.ResponseWriter, *tokenAnswer, error) {
	if len(v.g.Tokens) == 0 || !v.verified() || v.wantsTunnel() {
		return v.w, nil, nil
	}
	var paths []string
	for i := range v.g.Tokens {
		matched, err := v.matches(v.g.Tokens[i].Match)
		if err != nil {
			return nil, nil, err
		}
		if matched {
			paths = append(paths, v.g.Tokens[i].JSON)
		}
	}
	if len(paths) == 0 {
		return v.w, nil, nil
	}
	v.r.Header.Set("Accept-Encoding", "identity")
	// A part of an answer is no answer in which a token can be found.
	delete(v.r.Header, "Range")
	t := &tokenAnswer{v: v, w: v.w, paths: paths}
	return t, t, nil
}

// Header is the browser's.
func (t *tokenAnswer) Header() http.Header { return t.w.Header() }

// WriteHeader keeps the status back with the body.
func (t *tokenAnswer) WriteHeader(status int) {
	if t.passed || status >= 100 && status < 200 {
		t.w.WriteHeader(status)
		return
	}
	t.status = status
	if media, _, _ := strings.Cut(t.w.Header().Get("Content-Type"), ";"); strings.EqualFold(strings.TrimSpace(media), "text/event-stream") {
		// It has no end that one could wait for, and no token.
		t.write()
		return
	}
	if encoded(t.w.Header()) {
		t.give("came in a Content-Encoding, in which none can be seen")
	}
}

// Write keeps a piece of the body back.
func (t *tokenAnswer) Write(p []byte) (int, error) {
	if !t.passed && t.body.Len()+len(p) > maxAnswer {
		t.give("is larger than 262144 bytes")
	}
	if t.passed {
		return t.w.Write(p)
	}
	return t.body.Write(p)
}

// FlushError flushes what goes on unread.
func (t *tokenAnswer) FlushError() error {
	if !t.passed {
		return nil
	}
	return http.NewResponseController(t.w).Flush()
}

// give lets the answer go on with its token not bound.
func (t *tokenAnswer) give(why string) {
	t.v.g.Logger.Warn("an answer that may carry a new token "+why+": its token is not bound, and requests that carry it lose it",
		zap.String("path", t.v.orig.Path), zap.Int("status", t.status))
	t.write()
}

// write lets go what was kept.
func (t *tokenAnswer) write() {
	t.passed = true
	if t.status == 0 {
		return
	}
	t.w.WriteHeader(t.status)
	_, _ = t.w.Write(t.body.Bytes())
	t.body = bytes.Buffer{}
}

// finish binds the tokens of an answer that was kept and lets it go. It returns
// false if the session has ended in the meantime; then nothing went out.
func (t *tokenAnswer) finish() bool {
	if t == nil || t.passed || t.status == 0 {
		return true
	}
	doc, bound := parseJSON(t.body.Bytes()), 0
	ctx, cancel := t.v.ctx()
	defer cancel()
	for _, path := range t.paths {
		token := tokenIn(path, doc)
		if token == "" {
			continue
		}
		if !t.v.bindToken(ctx, token) {
			return false
		}
		bound++
	}
	if bound == 0 && t.status < 300 && t.v.r.Method != http.MethodHead {
		t.give("has none where one is declared")
		return true
	}
	t.write()
	return true
}

// drop throws an answer away that was kept, and answers in its place.
func (t *tokenAnswer) drop() error {
	h := t.w.Header()
	clear(h)
	return t.v.refuse(page.SessionEnded, nil)
}
