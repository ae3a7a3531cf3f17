package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
)

var at = time.Date(2026, 11, 22, 6, 38, 5, 0, time.UTC)

func fixed() time.Time { return at }

// plainSecret are the 32 bytes that secret holds.
const plainSecret = "0123456789abcdefghijklmnopqrstuv"

var secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(plainSecret))

func message(id string) sms.Message {
	return sms.Message{To: "+4915112345678", Text: "739154 is your code <&> 100% ünïque", ID: id}
}

// post is one request that a receiver got.
type post struct {
	method, target, proto string
	header                http.Header
	body                  []byte
}

// receiver is the operator's side: a real TLS server. It takes each id once,
// after it has checked the signature in its own way.
type receiver struct {
	*httptest.Server
	t *testing.T
	// answer, if set, answers instead; the body has been read.
	answer func(w http.ResponseWriter, r *http.Request)

	mu    sync.Mutex
	posts []post
	taken map[string]sms.Message
	ids   []string
	no    bool
	hang  bool
	done  chan struct{}
}

func newReceiver(t *testing.T, change ...func(*httptest.Server)) *receiver {
	t.Helper()
	rc := &receiver{t: t, taken: map[string]sms.Message{}, done: make(chan struct{})}
	rc.Server = httptest.NewUnstartedServer(rc)
	rc.Config.ErrorLog = log.New(io.Discard, "", 0)
	for _, c := range change {
		c(rc.Server)
	}
	rc.StartTLS()
	t.Cleanup(func() {
		close(rc.done)
		rc.CloseClientConnections()
		rc.Close()
	})
	return rc
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		rc.t.Errorf("reading the request: %v", err)
	}
	rc.mu.Lock()
	rc.posts = append(rc.posts, post{r.Method, r.RequestURI, r.Proto, r.Header.Clone(), body})
	rc.mu.Unlock()
	if rc.answer != nil {
		rc.answer(w, r)
		return
	}
	rc.take(w, r, body)
}

func (rc *receiver) take(w http.ResponseWriter, r *http.Request, body []byte) {
	if !signed(r.Header, body) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	var m struct{ ID, To, Text string }
	if err := json.Unmarshal(body, &m); err != nil || m.ID != r.Header.Get("webhook-id") {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if rc.no {
		http.Error(w, "no credit", http.StatusPaymentRequired)
		return
	}
	if _, known := rc.taken[m.ID]; !known {
		rc.taken[m.ID] = sms.Message{To: m.To, Text: m.Text, ID: m.ID}
		rc.ids = append(rc.ids, m.ID)
	}
	if rc.hang {
		rc.mu.Unlock()
		select {
		case <-r.Context().Done():
		case <-rc.done:
		}
		rc.mu.Lock()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id": "p-`+m.ID+`"}`)
}

func (rc *receiver) delivered() []sms.Message {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	var list []sms.Message
	for _, m := range rc.taken {
		list = append(list, m)
	}
	return list
}

func (rc *receiver) got() []post {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]post(nil), rc.posts...)
}

// signed checks a signature as a receiver does that has read the Standard
// Webhooks and not our code.
func signed(h http.Header, body []byte) bool {
	sent, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || sent != at.Unix() {
		return false
	}
	mac := hmac.New(sha256.New, []byte(plainSecret))
	_, _ = io.WriteString(mac, h.Get("webhook-id")+"."+h.Get("webhook-timestamp")+"."+string(body))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(h.Get("webhook-signature")))
}

// sender returns a sender to an address of the receiver, which it trusts.
func (rc *receiver) sender(t *testing.T, path string, change ...func(*Config)) *Sender {
	t.Helper()
	c := Config{URL: rc.URL + path, Secret: secret, Clock: fixed}
	for _, f := range change {
		f(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	s.transport.TLSClientConfig.RootCAs.AddCert(rc.Certificate())
	return s
}
