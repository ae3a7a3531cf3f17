package twofactor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/store"
)

// Limits of a command's requests to the admin API.
const (
	adminTimeout   = 2 * time.Minute
	maxAdminAnswer = 256 << 20
	maxAdminError  = 1 << 20
)

// adminBackend works through the admin API of a running Caddy.
type adminBackend struct {
	origin string
	client *http.Client
}

func newAdminBackend(address string) (*adminBackend, error) {
	a, err := caddy.ParseNetworkAddress(address)
	if err != nil || a.PortRangeSize() != 1 {
		return nil, fmt.Errorf("the admin address %s is none: want one such as %s", clip(address), caddy.DefaultAdminListen)
	}
	b := &adminBackend{origin: "http://127.0.0.1"}
	if !a.IsUnixNetwork() {
		b.origin = "http://" + a.JoinHostPort(0)
	}
	dialer := net.Dialer{Timeout: probeTimeout}
	b.client = &http.Client{
		Timeout: adminTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, a.Network, dialAddress(a))
			},
		},
	}
	return b, nil
}

// dialAddress returns the address without the mode of a Unix socket.
func dialAddress(a caddy.NetworkAddress) string {
	if a.IsUnixNetwork() {
		path, _, _ := strings.Cut(a.Host, "|")
		return path
	}
	return a.JoinHostPort(0)
}

func (b *adminBackend) importFile(ctx context.Context, instance, region string, file io.Reader) (importResult, error) {
	var result importResult
	in := bufio.NewReader(file)
	kind := "text/csv"
	if isJSONList(in) {
		kind = "application/json"
	}
	query := url.Values{"instance": {instance}}
	if region != "" {
		query.Set("region", region)
	}
	answer, err := b.do(ctx, http.MethodPost, adminImport, query, kind, in)
	if err != nil {
		return result, err
	}
	defer answer.Close()
	if err := json.NewDecoder(io.LimitReader(answer, maxAdminAnswer)).Decode(&result); err != nil {
		return result, fmt.Errorf("reading Caddy's answer: %w; list the accounts to see whether they were imported", err)
	}
	return result, nil
}

// isJSONList looks at the first bytes, and leaves them to be read.
func isJSONList(in *bufio.Reader) bool {
	head, _ := in.Peek(512) // fewer if the file is shorter
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(head) > 0 && (head[0] == '[' || head[0] == '{')
}

func (b *adminBackend) accounts(ctx context.Context, instance string) ([]accountView, error) {
	list := []accountView{}
	err := b.list(ctx, adminAccounts, instance, &list)
	return list, err
}

func (b *adminBackend) seen(ctx context.Context, instance string) ([]store.Seen, error) {
	list := []store.Seen{}
	err := b.list(ctx, adminSeen, instance, &list)
	return list, err
}

// list reads a list from the admin API.
func (b *adminBackend) list(ctx context.Context, path, instance string, into any) error {
	query := url.Values{}
	if instance != "" {
		query.Set("instance", instance)
	}
	answer, err := b.do(ctx, http.MethodGet, path, query, "", nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	if err := json.NewDecoder(io.LimitReader(answer, maxAdminAnswer)).Decode(into); err != nil {
		return fmt.Errorf("reading Caddy's answer: %w", err)
	}
	return nil
}

func (b *adminBackend) close() { b.client.CloseIdleConnections() }

// do returns the body of an answer below 400, and the error of another.
func (b *adminBackend) do(ctx context.Context, method, path string, query url.Values, kind string, body io.Reader) (io.ReadCloser, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	r, err := http.NewRequestWithContext(ctx, method, b.origin+path+"?"+query.Encode(), body)
	if err != nil {
		return nil, fmt.Errorf("asking Caddy's admin API: %w", err)
	}
	// What a browser would send of a page of the admin API's own: Caddy may
	// ask for it.
	r.Header.Set("Origin", b.origin)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("asking Caddy's admin API: %w", err)
	}
	if answer.StatusCode < http.StatusBadRequest {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	return nil, adminRefusal(answer)
}

// adminRefusal words an answer of an error.
func adminRefusal(answer *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAdminError))
	if err != nil {
		return fmt.Errorf("Caddy answered with status %d, and the reason cannot be read: %w", answer.StatusCode, err)
	}
	var refusal importRefusal
	if err := json.Unmarshal(text, &refusal); err != nil || refusal.Error == "" {
		return fmt.Errorf("Caddy answered with status %d; is two_factor compiled into it?", answer.StatusCode)
	}
	if len(refusal.Problems) > 0 {
		return &importError{problems: refusal.Problems, more: refusal.More}
	}
	return fmt.Errorf("Caddy at %s says: %s", answer.Request.URL.Host, refusal.Error)
}
