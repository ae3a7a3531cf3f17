package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/sms/smstest"
)

func TestWebhookIsASender(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("by HTTP/2 %t", h2), func(t *testing.T) {
			smstest.Run(t, func(t *testing.T) smstest.Subject {
				rc := newReceiver(t, func(s *httptest.Server) { s.EnableHTTP2 = h2 })
				set := func(what *bool) func() {
					return func() {
						rc.mu.Lock()
						defer rc.mu.Unlock()
						*what = true
					}
				}
				return smstest.Subject{Sender: rc.sender(t, "/texts"), Delivered: rc.delivered, Fail: set(&rc.no), Hang: set(&rc.hang)}
			})
		})
	}
}

func TestTheRequestIsASignedPostOfTheMessage(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		rc := newReceiver(t, func(s *httptest.Server) { s.EnableHTTP2 = h2 })
		r, err := rc.sender(t, "/texts?from=crm").Send(t.Context(), message("one"))
		if err != nil || r.ProviderID != "p-one" {
			t.Fatalf("Send = %v, %v", r, err)
		}
		got := rc.got()
		if len(got) != 1 {
			t.Fatalf("%d requests came, want 1", len(got))
		}
		p := got[0]
		if p.method != "POST" || p.target != "/texts?from=crm" || h2 != (p.proto == "HTTP/2.0") {
			t.Errorf("got %s %s by %s", p.method, p.target, p.proto)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Webhook-Id": "one", "Webhook-Timestamp": "1795329485",
		} {
			if p.header.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, p.header.Get(name), want)
			}
		}
		var fields map[string]string
		if err := json.Unmarshal(p.body, &fields); err != nil {
			t.Fatal(err)
		}
		want := message("one")
		if len(fields) != 3 || fields["id"] != "one" || fields["to"] != want.To || fields["text"] != want.Text {
			t.Errorf("the body is %s", p.body)
		}
	}
}

func TestTheSignatureIsThatOfTheStandardsTestVector(t *testing.T) {
	// The vector that the reference libraries are tested with. Its key is
	// shorter than what we take.
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := newSigner(key)("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("the signature is %s, want %s", got, want)
	}
}

func TestAnotherSecretIsRefusedByTheReceiver(t *testing.T) {
	rc := newReceiver(t)
	s := rc.sender(t, "/", func(c *Config) { c.Secret = strings.Replace(secret, "MDEy", "MDEz", 1) })
	_, err := s.Send(t.Context(), message("one"))
	if !errors.Is(err, sms.ErrNotSent) || !strings.Contains(err.Error(), "the same secret") {
		t.Errorf("Send = %v", err)
	}
}

// What an answer is taken for.
const (
	taken   = "taken"
	notSent = "certainly not sent"
	unknown = "nobody knows"
)

func verdict(err error) string {
	switch {
	case err == nil:
		return taken
	case errors.Is(err, sms.ErrNotSent):
		return notSent
	default:
		return unknown
	}
}

func TestRule08OnlyACertainNoIsOne(t *testing.T) {
	for _, c := range []struct {
		name       string
		status     int
		retryAfter string
		want       string
	}{
		{"200", 200, "", taken},
		{"201", 201, "", taken},
		{"202", 202, "", taken},
		{"204 without a body", 204, "", taken},
		{"299", 299, "", taken},
		{"304", 304, "", notSent},
		{"400", 400, "", notSent},
		{"401", 401, "", notSent},
		{"404", 404, "", notSent},
		{"408", 408, "", notSent},
		{"422", 422, "", notSent},
		{"429", 429, "", notSent},
		{"429 for a while", 429, "30", notSent},
		{"499", 499, "", notSent},
		{"500", 500, "", unknown},
		{"500 for a while", 500, "30", unknown},
		{"502", 502, "", unknown},
		{"503 without a word when", 503, "", unknown},
		{"503 for 30 seconds", 503, "30", notSent},
		{"503 until a date", 503, "Sun, 22 Nov 2026 07:00:00 GMT", notSent},
		{"503 until nobody can read when", 503, "soon", unknown},
		{"503 until before now", 503, "-1", unknown},
		{"504", 504, "", unknown},
		{"599", 599, "", unknown},
		{"a status beyond all classes", 700, "", unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			rc := newReceiver(t)
			rc.answer = func(w http.ResponseWriter, r *http.Request) {
				if c.retryAfter != "" {
					w.Header().Set("Retry-After", c.retryAfter)
				}
				w.WriteHeader(c.status)
			}
			r, err := rc.sender(t, "/").Send(t.Context(), message("one"))
			if got := verdict(err); got != c.want {
				t.Errorf("Send = %v, which is %s, want %s", err, got, c.want)
			}
			if err == nil && r.ProviderID != "one" {
				t.Errorf("the receipt is %q, want the message's own id", r.ProviderID)
			}
			if err != nil && !strings.Contains(err.Error(), fmt.Sprint(c.status)) {
				t.Errorf("the error %v does not name the status", err)
			}
			if n := len(rc.got()); n != 1 {
				t.Errorf("%d requests were sent, want 1", n)
			}
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := newReceiver(t)
		rc := newReceiver(t)
		rc.answer = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
		}
		_, err := rc.sender(t, "/").Send(t.Context(), message("one"))
		if !errors.Is(err, sms.ErrNotSent) || !strings.Contains(err.Error(), "is not followed") {
			t.Errorf("%d: Send = %v", status, err)
		}
		if n := len(elsewhere.got()); n != 0 {
			t.Errorf("%d was followed", status)
		}
	}
}

func TestTheReceiversIDIsTakenWhereItCanBe(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"an id", `{"id": "SM-42"}`, "SM-42"},
		{"an id beside others", `{"status": "queued", "id": "SM-42", "price": 3}`, "SM-42"},
		{"no body", ``, "one"},
		{"text", `OK`, "one"},
		{"no id", `{"status": "queued"}`, "one"},
		{"an empty id", `{"id": ""}`, "one"},
		{"a number", `{"id": 42}`, "one"},
		{"a list", `["SM-42"]`, "one"},
		{"an id with a blank", `{"id": "SM 42"}`, "one"},
		{"an id with a line break", `{"id": "SM\n42"}`, "one"},
		{"an id that is not ASCII", `{"id": "SM–42"}`, "one"},
		{"the longest id", `{"id": "` + strings.Repeat("x", sms.MaxID) + `"}`, strings.Repeat("x", sms.MaxID)},
		{"a longer one", `{"id": "` + strings.Repeat("x", sms.MaxID+1) + `"}`, "one"},
		{"the number", `{"id": "sms-4915112345678-1"}`, "one"},
		{"the code", `{"id": "739154"}`, "one"},
		{"the code in pieces", `{"id": "73-91-54"}`, "one"},
		{"a body of 64 KiB", `{"id": "SM-42"}` + strings.Repeat(" ", maxAnswer-15), "SM-42"},
		{"a longer body", `{"id": "SM-42"}` + strings.Repeat(" ", maxAnswer), "one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rc := newReceiver(t)
			rc.answer = func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, c.body) }
			r, err := rc.sender(t, "/").Send(t.Context(), message("one"))
			if err != nil || r.ProviderID != c.want {
				t.Errorf("Send = %v, %v, want %q", r, err, c.want)
			}
		})
	}
}

func TestNoErrorTellsTheAddressTheSecretOrTheMessage(t *testing.T) {
	m := message("one")
	telling := []string{m.To[1:], "739154", "ünïque", "t0ken", "whsec_", secret[6:], plainSecret}
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", m.To)
		http.Error(w, "cannot send "+m.Text+" to "+m.To, 500)
	}
	raw := func(answer string) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) { hijack(t, w, answer) }
	}
	answers := map[string]func(w http.ResponseWriter, r *http.Request){
		"an answer that repeats the request": echo,
		"no HTTP":                            raw(m.To + " " + m.Text + "\r\n\r\n"),
		"a status that is none":              raw("HTTP/1.1 " + m.To + " no\r\n\r\n"),
		"a header that is none":              raw("HTTP/1.1 200 OK\r\n" + m.To + "\r\n\r\n"),
		"a length that is none":              raw("HTTP/1.1 200 OK\r\nContent-Length: " + m.To + "\r\n\r\n"),
		"a coding that is none":              raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + m.To + "\r\n\r\n"),
		"a huge header":                      raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat(m.To, maxHeader) + "\r\n\r\n"),
		"nothing":                            raw(""),
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			rc := newReceiver(t)
			rc.answer = answer
			s := rc.sender(t, "/t0ken?key=t0ken")
			_, err := s.Send(t.Context(), m)
			if verdict(err) != unknown {
				t.Fatalf("Send = %v, want an error that leaves it open", err)
			}
			for _, secret := range telling {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells %q: %v", secret, err)
				}
				if printed := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(printed, secret) && secret != "t0ken" {
					t.Errorf("printing the sender tells %q", secret)
				}
			}
		})
	}
}

func TestManyAtOnceHoldABoundedNumberOfConnections(t *testing.T) {
	var mu sync.Mutex
	var open, most int
	rc := newReceiver(t)
	rc.answer = func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		open++
		most = max(most, open)
		mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		mu.Lock()
		open--
		mu.Unlock()
	}
	s := rc.sender(t, "/")
	var wg sync.WaitGroup
	for i := range 3 * maxConns {
		wg.Go(func() {
			if _, err := s.Send(t.Context(), message(fmt.Sprintf("m%d", i))); err != nil {
				t.Errorf("Send: %v", err)
			}
		})
	}
	wg.Wait()
	if most > maxConns {
		t.Errorf("%d connections were open at once, want at most %d", most, maxConns)
	}
}

func TestTheSettingsTimeOutEndsASending(t *testing.T) {
	rc := newReceiver(t)
	rc.hang = true
	s := rc.sender(t, "/", func(c *Config) { c.Timeout = MinTimeout })
	began := time.Now()
	_, err := s.Send(context.Background(), message("one"))
	if took := time.Since(began); took < MinTimeout/2 || took > 3*MinTimeout {
		t.Errorf("Send took %s, want about %s", took, MinTimeout)
	}
	if verdict(err) != unknown || !strings.Contains(err.Error(), "in time") {
		t.Errorf("Send = %v", err)
	}
}
