// Package webhook is the sender that hands a text to an address of the
// operator's, where a few lines of theirs pass it on to whoever sends texts for
// them: a JSON POST, signed as the Standard Webhooks 1.0.0 ask, for which there
// are libraries in most languages.
//
//	POST <url>
//	Content-Type: application/json
//	webhook-id: <id>                  the message's id
//	webhook-timestamp: <seconds>      Unix time of this sending
//	webhook-signature: v1,<base64>    HMAC-SHA256 of "<id>.<seconds>.<body>"
//
//	{"id": "<id>", "to": "+4915112345678", "text": "…"}
//
// What the status of the answer says, and an answer that does not come, stands
// in answer.go.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

// Limits of one sending.
const (
	// DefaultTimeout is how long a sending may take.
	DefaultTimeout = 10 * time.Second
	// MinTimeout and MaxTimeout bound what may be set. The gateway gives a
	// sending 10 seconds, so a longer time-out would never be seen.
	MinTimeout = time.Second
	MaxTimeout = 10 * time.Second

	dialTimeout = 5 * time.Second
	tlsTimeout  = 5 * time.Second
	// maxConns bounds the connections that are open at once; further sendings
	// wait for one as long as they may take.
	maxConns = 32
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 16 << 10
)

// Config is how a sender is made.
type Config struct {
	// URL is where the texts are posted, see [ParseURL].
	URL string
	// Secret is the key of the signatures, see [ParseSecret].
	Secret string
	// Timeout bounds a sending, from [MinTimeout] to [MaxTimeout]. Default:
	// [DefaultTimeout].
	Timeout time.Duration
	// Clock dates the sendings.
	Clock func() time.Time
}

// Sender is an [sms.Sender]. It is safe for use by many goroutines and keeps
// nothing between two sendings, so it needs no end.
type Sender struct {
	url       *url.URL
	sign      signer
	timeout   time.Duration
	clock     func() time.Time
	transport *http.Transport
}

var _ sms.Sender = (*Sender)(nil)

// New returns a sender. Its errors say which setting is wrong and never show
// the secret or the address.
func New(c Config) (*Sender, error) {
	u, err := ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("the address %w", err)
	}
	key, err := ParseSecret(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("the secret %w", err)
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if err := CheckTimeout(c.Timeout); err != nil {
		return nil, fmt.Errorf("the timeout %w", err)
	}
	return &Sender{url: u, sign: newSigner(key), timeout: c.Timeout, clock: c.Clock, transport: newTransport(c.Timeout)}, nil
}

// CheckTimeout says what is wrong with a time-out.
func CheckTimeout(d time.Duration) error {
	if d < MinTimeout || d > MaxTimeout {
		return fmt.Errorf("must be from %s to %s", MinTimeout, MaxTimeout)
	}
	return nil
}

// newTransport makes what carries the requests. Every text has a connection of
// its own: one that lay idle may be dead, and of what was written to a dead one
// nobody knows whether it arrived. The environment's proxy is not asked, since
// what goes this way are codes.
func newTransport(timeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  timeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        maxConns,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// payload is the body of the POST.
type payload struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Text string `json:"text"`
}

// Send posts the message. It is taken where the answer says so by a status from
// 200 to 299; an answer is never followed elsewhere and a request never sent
// twice.
func (s *Sender) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) {
	if err := m.Check(); err != nil {
		return sms.Receipt{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return sms.Receipt{}, sms.NotSent(err)
	}
	// The transport gives a connection away when it is ready, TLS included:
	// nothing of the request was written before.
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := s.request(ctx, m)
	if err != nil {
		return sms.Receipt{}, sms.NotSent(err)
	}
	// Not by an http.Client: it would follow redirects, and its errors show
	// the whole address.
	res, err := s.transport.RoundTrip(req)
	if err != nil {
		return sms.Receipt{}, s.noAnswer(ctx, err, connected.Load())
	}
	defer res.Body.Close()
	return s.read(res, m)
}

// request makes the signed POST.
func (s *Sender) request(ctx context.Context, m sms.Message) (*http.Request, error) {
	body, err := json.Marshal(payload{ID: m.ID, To: m.To, Text: m.Text})
	if err != nil {
		return nil, errors.New("the message cannot be written as JSON")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("no request can be made of the address")
	}
	seconds := strconv.FormatInt(s.clock().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "caddy-twofactor")
	req.Header.Set("Webhook-Id", m.ID)
	req.Header.Set("Webhook-Timestamp", seconds)
	req.Header.Set("Webhook-Signature", s.sign(m.ID, seconds, body))
	return req, nil
}
