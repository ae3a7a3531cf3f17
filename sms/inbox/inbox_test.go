package inbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/sms"
	"github.com/caddy-twofactor/caddy-twofactor/sms/smstest"
)

var at = time.Date(2026, 11, 22, 6, 38, 5, 0, time.UTC)

func fixed() time.Time { return at }

func TestInboxIsASender(t *testing.T) {
	smstest.Run(t, func(t *testing.T) smstest.Subject {
		b := New(fixed)
		return smstest.Subject{
			Sender: b,
			Delivered: func() []sms.Message {
				var list []sms.Message
				for _, e := range b.Entries() {
					list = append(list, sms.Message{To: e.To, Text: e.Text, ID: e.ID})
				}
				return list
			},
		}
	})
}

func fill(t *testing.T, b *Inbox, n int) {
	t.Helper()
	for i := range n {
		m := sms.Message{To: "+4915112345678", Text: fmt.Sprintf("text <%d>", i+1), ID: fmt.Sprintf("id%d", i+1)}
		if _, err := b.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInboxKeepsTheLastHundred(t *testing.T) {
	b := New(fixed)
	fill(t, b, Keep+3)
	got := b.Entries()
	if len(got) != Keep {
		t.Fatalf("%d entries, want %d", len(got), Keep)
	}
	if got[0].Number != Keep+3 || got[Keep-1].Number != 4 {
		t.Errorf("newest %d and oldest %d, want %d and 4", got[0].Number, got[Keep-1].Number, Keep+3)
	}
}

func get(b *Inbox, method, target, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

func TestPageShowsTheNewestFirst(t *testing.T) {
	b := New(fixed)
	fill(t, b, 2)
	w := get(b, "GET", "/", "localhost:8025")
	body := w.Body.String()
	if w.Code != 200 {
		t.Fatalf("status %d", w.Code)
	}
	second, first := strings.Index(body, "text &lt;2&gt;"), strings.Index(body, "text &lt;1&gt;")
	if second < 0 || first < 0 || second > first {
		t.Errorf("texts at %d and %d, want both, escaped, the newest first", second, first)
	}
	for _, want := range []string{`http-equiv="refresh" content="3"`, "&#43;4915112345678", "06:38:05"} {
		if !strings.Contains(body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, styleHash()) {
		t.Errorf("CSP is %q", csp)
	}
	if cc := w.Header().Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control is %q", cc)
	}
}

func TestJSONGivesTheEntries(t *testing.T) {
	b := New(fixed)
	if got := strings.TrimSpace(get(b, "GET", "/?json", "127.0.0.1:9").Body.String()); got != "[]" {
		t.Errorf("empty inbox gives %s, want []", got)
	}
	fill(t, b, 2)
	w := get(b, "GET", "/?json", "[::1]:9")
	var list []Entry
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Text != "text <2>" || list[0].To != "+4915112345678" || !list[0].Time.Equal(at) {
		t.Errorf("entries %+v", list)
	}
}

func TestInboxAnswersOnlyToItsOwnMachineAndOnlyToReaders(t *testing.T) {
	tests := []struct {
		name, method, host string
		want               int
	}{
		{"localhost may read", "GET", "localhost", 200},
		{"a name below localhost may read", "GET", "inbox.localhost:80", 200},
		{"a loopback address may read", "GET", "127.0.0.2:80", 200},
		{"the other family may read", "HEAD", "[::1]", 200},
		{"a name that points here may not", "GET", "evil.example:8025", http.StatusMisdirectedRequest},
		{"a name that ends like localhost may not", "GET", "notlocalhost", http.StatusMisdirectedRequest},
		{"another address may not", "GET", "192.0.2.1:8025", http.StatusMisdirectedRequest},
		{"no name may not", "GET", "", http.StatusMisdirectedRequest},
		{"nobody may post", "POST", "localhost", http.StatusMethodNotAllowed},
	}
	b := New(fixed)
	fill(t, b, 1)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := get(b, tt.method, "/", tt.host)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d", w.Code, tt.want)
			}
			if tt.want != 200 && strings.Contains(w.Body.String(), "text") {
				t.Errorf("a refusal shows %q", w.Body.String())
			}
		})
	}
}
