package twofactor

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// wire stands between browsers and a site and keeps all that goes to them.
type wire struct {
	mu   sync.Mutex
	sent bytes.Buffer
}

// listenIn puts a wire before a site: browsers reach it by the wire's address
// from then on.
func listenIn(t *testing.T, s *site) *wire {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go w.pass(t, near, "127.0.0.1:"+u.Port())
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s.url = "http://localhost:" + port
	return w
}

// pass copies both ways until one side ends or the test does.
func (w *wire) pass(t *testing.T, near net.Conn, to string) {
	far, err := net.Dial("tcp", to)
	if err != nil {
		_ = near.Close()
		return
	}
	end := func() { _, _ = near.Close(), far.Close() }
	defer end()
	go func() {
		<-t.Context().Done()
		end()
	}()
	go func() {
		_, _ = io.Copy(far, near)
		end()
	}()
	_, _ = io.Copy(io.MultiWriter(w, near), far)
}

// Write keeps bytes on their way to a browser.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent.Write(p)
}

// has reports whether a text went to a browser.
func (w *wire) has(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.sent.Bytes(), []byte(text))
}
