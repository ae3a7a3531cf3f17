package page

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRule24PagesCarryTheHeadersOfAPageOfOurOwn(t *testing.T) {
	s := testSet(t, Options{})
	for _, tt := range []struct {
		frame             Frame
		ancestors, legacy string
	}{{FrameNone, "'none'", "DENY"}, {FrameSelf, "'self'", "SAMEORIGIN"}} {
		w := httptest.NewRecorder()
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Header().Set("Content-Security-Policy", "default-src *")
		if err := s.Write(w, http.StatusForbidden, tt.frame, []byte("page")); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src " + s.styleHash +
				"; img-src data:; form-action 'self'; frame-ancestors " + tt.ancestors + "; base-uri 'none'",
			"Cache-Control":                "no-store",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin",
			"X-Frame-Options":              tt.legacy,
			"Content-Type":                 "text/html; charset=utf-8",
			"Content-Length":               "4",
			"Cross-Origin-Opener-Policy":   "",
		}
		for name, value := range want {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s is %q, wanted %q", name, got, value)
			}
			if len(w.Header().Values(name)) > 1 {
				t.Errorf("%s is there twice", name)
			}
		}
		if w.Code != http.StatusForbidden || w.Body.String() != "page" {
			t.Errorf("%d %q was sent", w.Code, w.Body)
		}
	}
}

func TestRetryAfterIsInWholeSecondsRoundedUp(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "", -time.Second: "", time.Millisecond: "1", 1500 * time.Millisecond: "2", time.Minute: "60"} {
		h := http.Header{}
		SetRetryAfter(h, d)
		if got := h.Get("Retry-After"); got != want {
			t.Errorf("%s gives %q, wanted %q", d, got, want)
		}
	}
}

func TestEveryMessageHasAProblemDocumentInEnglish(t *testing.T) {
	s := testSet(t, Options{})
	types := map[string]Message{}
	for _, m := range slices.Sorted(maps.Keys(messages)) {
		w := httptest.NewRecorder()
		p := Problem{Message: m, Host: "crm.example.com", Instance: "k3f9 \"<x>", Challenge: "/.two-factor/challenge", RetryIn: 1500 * time.Millisecond}
		if m == Unreadable {
			p.Reason = ReasonJSON
		}
		if err := s.WriteProblem(w, p); err != nil {
			t.Errorf("%s: %v", m, err)
			continue
		}
		var doc map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatalf("%s: %v", m, err)
		}
		if doc["status"] != float64(m.Status()) || w.Code != m.Status() {
			t.Errorf("%s: status %v in the document, %d sent, wanted %d", m, doc["status"], w.Code, m.Status())
		}
		kind, _ := doc["type"].(string)
		if other, ok := types[kind]; ok || !strings.HasPrefix(kind, "urn:caddy-twofactor:problem:") || strings.Contains(kind, "_") {
			t.Errorf("%s: type %q, also of %q", m, kind, other)
		}
		types[kind] = m
		sp := s.speak("").inStepUp(m.stepUp(""))
		if doc["title"] != sp.plain(m.key("title")) {
			t.Errorf("%s: title %v", m, doc["title"])
		}
		detail, _ := doc["detail"].(string)
		if remedy := sp.plain(m.key("remedy"), given("site", "crm.example.com")); !strings.Contains(detail, remedy) {
			t.Errorf("%s: the detail %q lacks the remedy", m, detail)
		}
		if doc["challenge"] != "/.two-factor/challenge" || doc["retry_after"] != float64(2) || doc["instance"] != "urn:caddy-twofactor:reference:k3f9%20%22%3Cx%3E" {
			t.Errorf("%s: members %v", m, doc)
		}
		for name, want := range map[string]string{
			"Content-Type": ContentTypeProblem, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Retry-After": "2",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, wanted %q", m, name, got, want)
			}
		}
	}
}

func TestAProblemDocumentCanTakeAnotherStatusAndLeavesOutWhatIsNotGiven(t *testing.T) {
	s := testSet(t, Options{})
	status, body, err := s.Problem(Problem{Message: CodeNeeded, Status: http.StatusForbidden})
	if err != nil || status != http.StatusForbidden {
		t.Fatalf("%d, %v", status, err)
	}
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"instance", "challenge", "retry_after"} {
		if _, ok := doc[name]; ok {
			t.Errorf("%s is there", name)
		}
	}
	if detail, _ := doc["detail"].(string); !strings.Contains(detail, "Reload this page to go on") {
		t.Errorf("the detail is %q", detail)
	}
	w := httptest.NewRecorder()
	if err := s.WriteProblem(w, Problem{Message: "nonsense"}); err == nil || w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("an unknown message: error %v, %d bytes, headers %v", err, w.Body.Len(), w.Header())
	}
	if got := Message("nonsense").Status(); got != http.StatusInternalServerError {
		t.Errorf("an unknown message has the status %d", got)
	}
}
