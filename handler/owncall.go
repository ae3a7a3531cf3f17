package handler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/internal/hold"
)

// cameWith are the fields of a request that change on its way to the app, as
// they came.
type cameWith struct {
	cookies, authorization []string
}

func cameWithOf(r *http.Request) cameWith {
	return cameWith{cookies: r.Header["Cookie"], authorization: r.Header["Authorization"]}
}

// ownCall is one request of our own to the app. It enters the server by its
// front door with what the browser sent, so that whatever stands before us, a
// rewrite, a prefix or an authentication, is there for it as it is for the
// browser. When it reaches its gate, what is the browser's is taken off, and
// the cookies that are asked about are put in. The answer is taken down there
// too, so that only what was said behind the gate counts: never a page of the
// server's own, an error page for example. The call is told by its context,
// which no client can set.
type ownCall struct {
	gate *Gate
	// cookies is the Cookie line that the app gets; empty for none.
	cookies string
	reached atomic.Bool
	kept    *hold.Writer
	err     error
}

type ownCallKey struct{}

// ownCallOf returns the call that a request is, nil if it is a client's.
func ownCallOf(ctx context.Context) *ownCall {
	c, _ := ctx.Value(ownCallKey{}).(*ownCall)
	return c
}

// serve is the gate for a call of its own: it asks the app and takes the
// answer down. Outside goes an empty answer, and never an error, which would
// start the server's error routes.
func (c *ownCall) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !c.reached.CompareAndSwap(false, true) {
		return next.ServeHTTP(w, r)
	}
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	delete(r.Header, "Cookie")
	if c.cookies != "" {
		r.Header["Cookie"] = []string{c.cookies}
	}
	// By an Authorization of the client the app would name whom the client
	// wants, and not whose the session is.
	delete(r.Header, "Authorization")
	c.gate.takeOffIdentity(r.Header)
	c.kept = hold.NewWriter(newVoid(), maxAnswer, func(int, http.Header) hold.Verdict { return hold.Keep })
	c.err = next.ServeHTTP(c.kept, r)
	c.kept.Finish()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// outcome is what the app said, once the call has ended.
func (c *ownCall) outcome() (hold.Answer, error) {
	switch {
	case c.kept == nil:
		return hold.Answer{}, errors.New("the request was answered before it came here: a proof must lead through this handler")
	case c.err != nil:
		return hold.Answer{}, c.err
	case !c.kept.Answered():
		return hold.Answer{}, errors.New("the app did not answer")
	case c.kept.Over():
		return hold.Answer{}, errors.New("the answer is larger than 262144 bytes")
	}
	return c.kept.Answer(), nil
}

// run makes the call. It comes back when the app has answered or the context
// ends, whatever becomes of the request then.
func (c *ownCall) run(ctx context.Context, server http.Handler, r *http.Request) (hold.Answer, error) {
	type outcome struct {
		answer hold.Answer
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- outcome{err: c.brokeOff(p)}
			}
		}()
		server.ServeHTTP(newVoid(), r.WithContext(context.WithValue(ctx, ownCallKey{}, c)))
		answer, err := c.outcome()
		done <- outcome{answer, err}
	}()
	select {
	case o := <-done:
		return o.answer, o.err
	case <-ctx.Done():
		return hold.Answer{}, fmt.Errorf("the app did not answer in time: %w", ctx.Err())
	}
}

// brokeOff stands for net/http, which catches the panic by which a proxy gives
// up on an answer, and logs every other.
func (c *ownCall) brokeOff(p any) error {
	if p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so.
		c.gate.Logger.Error("a request of our own ended in a panic", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
	}
	return errors.New("the app broke off its answer")
}

// ownRequest is a request for a page of the app by the same client: from its
// address, with its browser, to the host that it asked for, but in a language
// of the operator's choice.
func (v *visit) ownRequest(ctx context.Context, target *url.URL, language string) (*http.Request, error) {
	u := url.URL{Path: target.Path, RawPath: target.RawPath, RawQuery: target.RawQuery}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.RequestURI(), nil)
	if err != nil {
		return nil, err
	}
	r.URL, r.RequestURI, r.Host = &u, u.RequestURI(), v.r.Host
	r.RemoteAddr, r.TLS = v.r.RemoteAddr, v.r.TLS
	r.Body = http.NoBody
	for _, name := range append(v.clientHeaders(), "User-Agent", "Origin", "Referer", "X-Requested-With") {
		if values := v.r.Header.Values(name); len(values) > 0 {
			r.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
		}
	}
	if len(v.came.cookies) > 0 {
		r.Header["Cookie"] = slices.Clone(v.came.cookies)
	}
	if len(v.came.authorization) > 0 {
		r.Header["Authorization"] = slices.Clone(v.came.authorization)
	}
	if language == "" {
		language = "en"
	}
	r.Header.Set("Accept-Language", language)
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Accept", "text/html,application/json;q=0.9,*/*;q=0.8")
	return r, nil
}

// clientHeaders are the fields by which the server knows the client behind a
// trusted proxy; those of others it does not believe here either.
func (v *visit) clientHeaders() []string {
	names := []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"}
	if s, ok := v.r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		names = append(names, s.ClientIPHeaders...)
	}
	return names
}

// void is the writer of a request that nobody waits for at the other end.
type void struct{ header http.Header }

func newVoid() *void { return &void{header: make(http.Header)} }

func (v *void) Header() http.Header              { return v.header }
func (*void) WriteHeader(int)                    {}
func (*void) Write(p []byte) (int, error)        { return len(p), nil }
func (*void) FlushError() error                  { return nil }
func (*void) EnableFullDuplex() error            { return nil }
func (*void) SetReadDeadline(_ time.Time) error  { return nil }
func (*void) SetWriteDeadline(_ time.Time) error { return nil }
