package demoapp

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSeenTellsWhatReachedTheAppAndInWhoseSession(t *testing.T) {
	b := start(t, Options{})
	b.login(alice, alicePassword)
	b.app.Reset()
	r, err := http.NewRequest(http.MethodPost, b.base+"/contacts/export?a=%2f", strings.NewReader("x=1"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Cookie"] = []string{"one=1; odd", "crm_session=" + b.session()}
	r.Header.Set("Authorization", "Bearer abc")
	r.Header.Set("X-User", "mallory")
	b.http.Jar = nil
	b.send(r).must(t, 403, "")
	b.get("/assets/style.css")

	seen := b.app.Seen()
	if len(seen) != 2 {
		t.Fatalf("%d requests were seen", len(seen))
	}
	got := seen[0]
	if got.Method != "POST" || got.URI != "/contacts/export?a=%2f" || got.Host == "" || string(got.Body) != "x=1" ||
		got.ContentLength != 3 || got.User != alice || got.Authorization != "Bearer abc" || got.Header.Get("X-User") != "mallory" {
		t.Errorf("%+v", got)
	}
	if len(got.Cookies) != 2 || got.Cookies[0] != "one=1; odd" {
		t.Errorf("cookie lines: %q", got.Cookies)
	}
	if seen[1].User != "" || seen[1].URI != "/assets/style.css" {
		t.Errorf("%+v", seen[1])
	}
	b.app.Reset()
	if len(b.app.Seen()) != 0 {
		t.Error("Reset forgot nothing")
	}
}

func TestALoginIsSeenAsWhoItsSessionWasBeforeIt(t *testing.T) {
	b := start(t, Options{AtLogin: SessionKept})
	b.login(alice, alicePassword)
	b.login(bob, bobPassword)
	var users []string
	for _, r := range b.app.Seen() {
		if r.Method == http.MethodPost {
			users = append(users, r.User)
		}
	}
	if len(users) != 2 || users[0] != "" || users[1] != alice {
		t.Errorf("%q", users)
	}
}

func TestTheRecordIsBounded(t *testing.T) {
	b := start(t, Options{})
	b.do(http.MethodPost, "/", "text/plain", strings.Repeat("x", maxSeenBody+5))
	if got := b.app.Seen()[0]; len(got.Body) != maxSeenBody || got.ContentLength != maxSeenBody+5 {
		t.Errorf("%d bytes of %d", len(got.Body), got.ContentLength)
	}
	r, err := http.NewRequest(http.MethodGet, "/last", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.RequestURI = "/last"
	for range maxSeen {
		b.app.record(r, nil, &visit{app: b.app, r: r})
	}
	if seen := b.app.Seen(); len(seen) != maxSeen || seen[0].URI != "/last" {
		t.Errorf("%d kept, the first is %s", len(seen), seen[0].URI)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	app := New(Options{})
	go func() { ended <- app.Serve(ctx, l) }()
	b := another(t, app, "http://"+l.Addr().String())
	b.page(PageStart).must(t, 200, "")
	b.http.CloseIdleConnections()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it did not end")
	}
	if err := app.Serve(context.Background(), l); err == nil {
		t.Error("serving on a closed listener is no error")
	}
}
