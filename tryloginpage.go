package twofactor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Trying the login page waits until the servers have started, and not longer
// than a slow app needs.
const (
	tryAfter = 2 * time.Second
	tryFor   = 10 * time.Second
	// tryMost is how much of the page is looked at, in bytes.
	tryMost = 256 << 10
)

// tried is what a login page answered: no more than the first of its bytes.
type tried struct {
	header http.Header
	status int
	body   []byte
}

func (t *tried) Header() http.Header { return t.header }

func (t *tried) WriteHeader(status int) {
	if t.status == 0 && status >= 200 {
		t.status = status
	}
}

func (t *tried) Write(p []byte) (int, error) {
	t.WriteHeader(http.StatusOK)
	n := min(len(p), tryMost-len(t.body))
	t.body = append(t.body, p[:n]...)
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// tryLoginPages asks for each login page as a visitor's browser does, and
// warns where it does not answer as a login page.
func tryLoginPages(ctx context.Context, found []location, log *zap.Logger) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(tryAfter):
	}
	for _, p := range found {
		if p.handler.LoginPage == "" || ctx.Err() != nil {
			continue
		}
		answer, err := p.try(ctx)
		if err != nil {
			log.Warn("the login page could not be tried", zap.String("login_page", p.handler.LoginPage), zap.Error(err))
			continue
		}
		if warning := p.judge(answer); warning != "" {
			log.Warn(warning, zap.String("login_page", p.handler.LoginPage), zap.Int("status", answer.status),
				zap.String("leads_to", clip(answer.header.Get("Location"))))
		}
	}
}

// judge says what is wrong with a login page's answer, nothing if it may be
// one. A page whose form is made by a script shows no field, so that a missing
// one is told as what it is.
func (p *location) judge(answer *tried) string {
	switch {
	case answer.status >= 400:
		return "the login page does not answer as one: unverified browsers are sent there, so check login_page"
	case answer.status >= 300:
		return "the login page leads elsewhere: login_page must be the page with the form itself, since unverified browsers are sent there"
	}
	var missing []string
	for i := range p.handler.Logins {
		f := p.handler.Logins[i].Fields
		if f == nil || bytes.Contains(answer.body, []byte(f.Password)) {
			return ""
		}
		missing = append(missing, f.Password)
	}
	if len(missing) == 0 {
		return ""
	}
	return "the login page does not name the field " + strings.Join(missing, " or ") +
		": check login_page and login fields, unless a script makes its form"
}

// try asks for the login page by a plain GET through the whole site.
func (p *location) try(ctx context.Context) (answer *tried, err error) {
	w := &tried{header: make(http.Header)}
	defer func() {
		if r := recover(); r != nil {
			if len(w.body) == tryMost {
				// It was longer than what is looked at.
				answer = w
				return
			}
			if fault, ok := r.(error); ok && errors.Is(fault, http.ErrAbortHandler) {
				// A proxy gives up on a broken answer so.
				err = errors.New("the app broke off its answer")
				return
			}
			err = fmt.Errorf("asking for it ended in a panic: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	host := "localhost"
	if len(p.hosts) > 0 {
		host = p.hosts[0]
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+p.handler.LoginPage, nil)
	if err != nil {
		return nil, err
	}
	r.TLS = &tls.ConnectionState{ServerName: host, HandshakeComplete: true}
	r.Body = http.NoBody
	r.RequestURI = p.handler.LoginPage
	r.RemoteAddr = "127.0.0.1:0"
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("User-Agent", "caddy-twofactor (is the login page there?)")
	p.server.ServeHTTP(w, r)
	return w, nil
}
