package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// hijack takes the connection, writes what is given and closes it.
func hijack(t *testing.T, w http.ResponseWriter, answer string) {
	t.Helper()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Errorf("hijack: %v", err)
		return
	}
	defer conn.Close()
	// The client may have closed it already.
	_, _ = conn.Write([]byte(answer))
}

func TestRule08WhatFailsBeforeTheRequestIsACertainNo(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		refused(t, newTo(t, "https://"+address), "refused")
	})
	t.Run("a name that nobody has", func(t *testing.T) {
		refused(t, newTo(t, "https://nobody.invalid/texts"), "lookup nobody.invalid")
	})
	t.Run("a certificate of nobody that is trusted", func(t *testing.T) {
		rc := newReceiver(t)
		s := rc.sender(t, "/")
		s.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		refused(t, s, "certificate")
		if n := len(rc.got()); n != 0 {
			t.Errorf("%d requests came", n)
		}
	})
	t.Run("a certificate of another name", func(t *testing.T) {
		rc := newReceiver(t)
		s := rc.sender(t, "/")
		s.url.Host = "localhost:" + s.url.Port()
		refused(t, s, "certificate is valid for")
	})
	t.Run("an old TLS", func(t *testing.T) {
		rc := newReceiver(t, func(s *httptest.Server) {
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		})
		refused(t, rc.sender(t, "/"), "version")
	})
	t.Run("no TLS", func(t *testing.T) {
		plain := httptest.NewServer(http.NotFoundHandler())
		defer plain.Close()
		refused(t, newTo(t, "https://"+plain.Listener.Addr().String()), "does not look like a TLS handshake")
	})
	t.Run("a handshake that never ends", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		began := time.Now()
		refused(t, newTo(t, "https://"+l.Addr().String()), "deadline exceeded")
		if took := time.Since(began); took > 3*MinTimeout {
			t.Errorf("Send took %s", took)
		}
	})
}

func newTo(t *testing.T, address string) *Sender {
	t.Helper()
	s, err := New(Config{URL: address, Secret: secret, Timeout: MinTimeout, Clock: fixed})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refused(t *testing.T, s *Sender, want string) {
	t.Helper()
	_, err := s.Send(t.Context(), message("one"))
	if verdict(err) != notSent || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), s.url.Host) {
		t.Errorf("Send = %v, want a certain no with %q and the host", err, want)
	}
}

func TestRule08WhatFailsAfterTheRequestIsNotKnown(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(rc *receiver, w http.ResponseWriter, r *http.Request)
		want   string
	}{
		{"a connection that is closed", func(rc *receiver, w http.ResponseWriter, r *http.Request) { hijack(t, w, "") }, unknown},
		{"half a header", func(rc *receiver, w http.ResponseWriter, r *http.Request) { hijack(t, w, "HTTP/1.1 200 OK\r\nX") }, unknown},
		{"a header without an end", func(rc *receiver, w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("hijack: %v", err)
				return
			}
			defer conn.Close()
			if _, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nX: ")); err != nil {
				return
			}
			for range 100 {
				if _, err := conn.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		}, unknown},
		{"no answer", func(rc *receiver, w http.ResponseWriter, r *http.Request) { <-rc.done }, unknown},
		{"a yes whose body breaks off", func(rc *receiver, w http.ResponseWriter, r *http.Request) {
			hijack(t, w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\": \"SM")
		}, taken},
		{"a yes whose body never ends", func(rc *receiver, w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"id": "SM`))
			_ = http.NewResponseController(w).Flush()
			<-rc.done
		}, taken},
		{"a yes whose body is huge", func(rc *receiver, w http.ResponseWriter, r *http.Request) {
			for range 1 << 12 {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, taken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rc := newReceiver(t)
			rc.answer = func(w http.ResponseWriter, r *http.Request) { c.answer(rc, w, r) }
			s := rc.sender(t, "/", func(c *Config) { c.Timeout = MinTimeout })
			began := time.Now()
			r, err := s.Send(t.Context(), message("one"))
			if got := verdict(err); got != c.want {
				t.Errorf("Send = %v, which is %s, want %s", err, got, c.want)
			}
			if err == nil && r.ProviderID != "one" {
				t.Errorf("the receipt is %q", r.ProviderID)
			}
			if took := time.Since(began); took > 3*MinTimeout {
				t.Errorf("Send took %s", took)
			}
			if n := len(rc.got()); n != 1 {
				t.Errorf("%d requests were sent, want 1", n)
			}
		})
	}
}

func TestNothingIsKeptBetweenTwoSendings(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		closed := make(chan struct{}, 4)
		rc := newReceiver(t, func(s *httptest.Server) {
			s.EnableHTTP2 = h2
			s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					closed <- struct{}{}
				}
			}
		})
		s := rc.sender(t, "/")
		for _, id := range []string{"one", "two"} {
			if _, err := s.Send(t.Context(), message(id)); err != nil {
				t.Fatal(err)
			}
			select {
			case <-closed:
			case <-time.After(5 * time.Second):
				t.Fatalf("HTTP/2 %t: the connection of a text is still open", h2)
			}
		}
	}
}
