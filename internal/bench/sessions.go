package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ownCookie is the name of the gateway's own cookie over plain http.
const ownCookie = "two-factor-default"

// client follows no redirect and keeps no cookies.
var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{MaxIdleConnsPerHost: wrkConnections},
}

// fetch asks once and returns the cookies that the answer sets, as a header.
func fetch(ctx context.Context, method, address string, form url.Values, want int) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		return "", fmt.Errorf("%s %s was answered %s, want %d", method, address, res.Status, want)
	}
	var pairs []string
	for _, c := range res.Cookies() {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; "), nil
}

// login is one real login through the gateway. Its users are unknown there and
// allowed, so that it asks for no code.
func login(ctx context.Context, address string, n int) (string, error) {
	form := url.Values{"email": {fmt.Sprintf("user%d@example.com", n)}, "password": {"right"}}
	cookies, err := fetch(ctx, http.MethodPost, "http://"+address+"/login", form, http.StatusFound)
	if err == nil && (!strings.Contains(cookies, ownCookie+"=") || !strings.Contains(cookies, "sid=2f1.")) {
		err = errors.New("a login gave no session")
	}
	return cookies, err
}

// fill logs a number of users in and returns the cookies of one of them.
func fill(ctx context.Context, address string, sessions int) (string, error) {
	one, err := login(ctx, address, 0)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range wrkConnections {
		group.Go(func() {
			for n := next.Add(1); n < int64(sessions) && ctx.Err() == nil; n = next.Add(1) {
				if _, err := login(ctx, address, int(n)); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return one, context.Cause(ctx)
}
