package twofactor

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/account"
)

// plainSite is a site of which only /in is protected.
func plainSite(t *testing.T, upstream http.Handler) *site {
	t.Helper()
	srv := httptest.NewServer(upstream)
	t.Cleanup(srv.Close)
	s := newSite(t)
	s.start(`http://localhost:{$PORT} {
	two_factor {
		login fields email password {
			yes redirect /dashboard*
			no status 200
		}
		protect /in
		protect /in/*
	}
	reverse_proxy {$UPSTREAM} {
		flush_interval -1
	}
}
`, srv.Listener.Addr().String())
	return s
}

func TestInvariant12AnAnswerThatNoRuleConcernsPassesUntouched(t *testing.T) {
	release := make(chan struct{})
	s := plainSite(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/early":
			w.Header().Set("Link", "</x.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
			fmt.Fprint(w, "late")
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: one\n\n")
			_ = http.NewResponseController(w).Flush()
			<-release
			fmt.Fprint(w, "data: two\n\n")
		case "/trailer":
			w.Header().Set("Trailer", "X-Sum")
			fmt.Fprint(w, "body")
			w.Header().Set("X-Sum", "42")
		case "/echo":
			w.Header().Set("X-Got", r.Method+" "+r.RequestURI+" "+strings.Join(r.TransferEncoding, ","))
			w.Header()["X-Twice"] = []string{"a", "b"}
			body, _ := io.ReadAll(r.Body)
			w.WriteHeader(299)
			_, _ = w.Write(body)
		}
	}))
	client := &http.Client{Timeout: 10 * time.Second}

	t.Run("early hints go on", func(t *testing.T) {
		var hints []int
		r, _ := http.NewRequest(http.MethodGet, s.url+"/early", nil)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints = append(hints, code); return nil },
		}))
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if len(hints) != 1 || hints[0] != http.StatusEarlyHints {
			t.Errorf("informational answers %v, want one 103", hints)
		}
	})
	t.Run("a stream is not held up", func(t *testing.T) {
		res, err := client.Get(s.url + "/stream")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		line, err := bufio.NewReader(res.Body).ReadString('\n')
		close(release)
		if err != nil || line != "data: one\n" {
			t.Errorf("the first event is %q, %v", line, err)
		}
	})
	t.Run("trailers go on", func(t *testing.T) {
		res, err := client.Get(s.url + "/trailer")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.ReadAll(res.Body); err != nil {
			t.Fatal(err)
		}
		if got := res.Trailer.Get("X-Sum"); got != "42" {
			t.Errorf("the trailer is %q", got)
		}
	})
	for name, body := range map[string]io.Reader{
		"a body of known length":     strings.NewReader("a=1&b=%zz&&c"),
		"a chunked body":             io.MultiReader(strings.NewReader("a=1&b="), strings.NewReader("%zz&&c")),
		"a body beyond what is read": strings.NewReader(strings.Repeat("0123456789abcdef", 8<<10)),
	} {
		t.Run(name+" keeps its bytes, method and address", func(t *testing.T) {
			keep := &strings.Builder{}
			r, _ := http.NewRequest("PROPFIND", s.url+"/echo?x=%7E&;y", io.TeeReader(body, keep))
			if l, ok := body.(*strings.Reader); ok {
				r.ContentLength = int64(l.Len())
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != keep.String() {
				t.Errorf("%d bytes came back, %d were sent", len(got), keep.Len())
			}
			if res.StatusCode != 299 || !strings.HasPrefix(res.Header.Get("X-Got"), "PROPFIND /echo?x=%7E&;y") || len(res.Header["X-Twice"]) != 2 {
				t.Errorf("status %d, headers %v", res.StatusCode, res.Header)
			}
		})
	}
}

func TestRule19TheTokenIsNewAtEveryChangeOfStandingAndStoredHashed(t *testing.T) {
	s, _ := classicSite(t)
	c := s.client()
	own := func() string { return c.cookies("/")["two-factor-default"] }
	r := c.password(alice, alicePassword)
	pending := own()
	checkOwn(t, r)
	r = c.enter(s.code(alice))
	verified := own()
	checkOwn(t, r)
	if pending == "" || verified == "" || pending == verified {
		t.Fatalf("the tokens are %q pending and %q verified, want two", pending, verified)
	}
	l := s.lease()
	defer l.Release()
	for token, state := range map[string]account.State{pending: account.StatePassed, verified: account.StateVerified} {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(raw) != 32 {
			t.Fatalf("the token is not 256 bits: %d bytes, %v", len(raw), err)
		}
		got, err := l.Parts().Store.Session(t.Context(), sha256.Sum256(raw), time.Now())
		if err != nil || got.State != state {
			t.Errorf("the hash of the token finds %q, %v; want %q", got.State, err, state)
		}
	}
	c.setCookie("two-factor-default", pending)
	if r := c.get("/contacts"); r.StatusCode != 303 {
		t.Errorf("the token from before the code still opens: %d", r.StatusCode)
	}
}

// checkOwn checks the own cookie that an answer sets.
func checkOwn(t *testing.T, r reply) {
	t.Helper()
	for _, c := range r.Cookies() {
		if c.Name == "two-factor-default" {
			if !c.HttpOnly || c.Path != "/" || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
				t.Errorf("the own cookie is %s", c.Raw)
			}
			return
		}
	}
	t.Errorf("the answer sets no own cookie: %v", r.Header["Set-Cookie"])
}
