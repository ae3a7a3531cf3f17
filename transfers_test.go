package twofactor

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// TestInvariant12AVerifiedSessionsExchangesPassUntouched asks, by each protocol,
// for what servers in between often break.
func TestInvariant12AVerifiedSessionsExchangesPassUntouched(t *testing.T) {
	s, app := startStreams(t)
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			c := s.client().by(protocol).enters("ann")
			c.t = t
			t.Run("trailers both ways, of a chunked body", func(t *testing.T) {
				app.arrivals("")
				r, _ := http.NewRequest(http.MethodPost, s.url+"/trailers", io.MultiReader(strings.NewReader("one,"), strings.NewReader("two")))
				r.Trailer = http.Header{"X-Sum": {"7"}}
				res, err := c.http.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				if err != nil || string(body) != "one,two" || res.Proto != protocol {
					t.Errorf("%s %q, %v", res.Proto, body, err)
				}
				// Of HTTP/3, Caddy's server gives nobody the trailer of a request.
				want := map[bool]string{true: "7 of 7", false: "of 7"}[protocol != "HTTP/3.0"]
				if got := res.Trailer.Get("X-Back"); got != want {
					t.Errorf("the trailer that came back is %q, want %q", got, want)
				}
			})
			t.Run("a range", func(t *testing.T) {
				r := c.do(http.MethodGet, "/range", nil, http.Header{"Range": {"bytes=3-5"}})
				if r.StatusCode != http.StatusPartialContent || r.body != "345" || r.Header.Get("Content-Range") != "bytes 3-5/10" {
					t.Errorf("%d %q %q", r.StatusCode, r.body, r.Header.Get("Content-Range"))
				}
				if r := c.do(http.MethodHead, "/range", nil, nil); r.body != "" || r.ContentLength != 10 {
					t.Errorf("HEAD: %d bytes of %d", len(r.body), r.ContentLength)
				}
			})
			t.Run("early hints on a page that is not protected", func(t *testing.T) {
				var hints []int
				r, _ := http.NewRequest(http.MethodGet, s.url+"/open/early", nil)
				r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
					Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
						if code == http.StatusEarlyHints && h.Get("Link") != "" {
							hints = append(hints, code)
						}
						return nil
					},
				}))
				res, err := c.http.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if len(hints) != 1 {
					t.Errorf("%d early hints came", len(hints))
				}
			})
			t.Run("a chunked body as long as it likes, both ways", func(t *testing.T) {
				sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
				r, _ := http.NewRequest(http.MethodPut, s.url+"/echo", io.MultiReader(bytes.NewReader(sent[:7]), bytes.NewReader(sent[7:])))
				res, err := c.http.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if back, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(back, sent) {
					t.Errorf("of %d bytes %d came back, %v", len(sent), len(back), err)
				}
			})
			t.Run("events as they come, and a WebSocket's words", func(t *testing.T) {
				open := []*exchange{c.fetch("/events")}
				if protocol != "HTTP/2.0" {
					open = append(open, c.tunnel(protocol))
				}
				began := time.Now()
				endsSession(t, c)
				allEnd(t, app, open, began, 0)
			})
		})
	}
}

// transferred is how much goes through in each direction: more than anything in
// between could keep.
const transferred = 1 << 30

// TestAGibibyteGoesThroughInNoMemory sends as much up and gets as much down in a
// verified session while the memory is looked at.
func TestAGibibyteGoesThroughInNoMemory(t *testing.T) {
	app := startStreamApp(t)
	s := newSite(t)
	s.start(strings.Replace(streamSite("", ""), "https:", "http:", 1), app.address)
	c := s.client().enters("ann")
	c.http.Timeout = 0
	for _, tt := range []struct {
		name string
		pass func(t *testing.T) int64
	}{
		{"down, of a known length", func(t *testing.T) int64 { return gets(t, c, fmt.Sprintf("/many?length&bytes=%d", transferred)) }},
		{"down, chunked", func(t *testing.T) int64 { return gets(t, c, fmt.Sprintf("/many?bytes=%d", transferred)) }},
		{"up, of a known length", func(t *testing.T) int64 { return puts(t, c, app, transferred) }},
		{"up, chunked", func(t *testing.T) int64 { return puts(t, c, app, -1) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runtime.GC()
			debug.FreeOSMemory()
			var before runtime.MemStats
			runtime.ReadMemStats(&before)
			stop := watchHeap()
			began := time.Now()
			if n := tt.pass(t); n != transferred {
				t.Errorf("%d bytes came through, want %d", n, transferred)
			}
			grown := int64(stop()) - int64(before.HeapAlloc)
			t.Logf("%d MiB in %v, the heap grew by %d MiB at most", transferred>>20, time.Since(began).Round(time.Millisecond), grown>>20)
			if grown > 64<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
}

// watchHeap looks at the heap until stop, which returns the most it saw.
func watchHeap() (stop func() uint64) {
	var most uint64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(end)
		<-ended
		return most
	}
}

func gets(t *testing.T, c *client, path string) int64 {
	t.Helper()
	res, err := c.http.Get(c.s.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%d, %v", res.StatusCode, err)
	}
	return n
}

func puts(t *testing.T, c *client, app *streamApp, length int64) int64 {
	t.Helper()
	before := app.got.Load()
	r, err := http.NewRequest(http.MethodPut, c.s.url+"/upload", io.LimitReader(zeros{}, transferred))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = length
	r.Header.Set("Content-Type", "application/octet-stream")
	res, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != fmt.Sprint(transferred) {
		t.Errorf("the app said %d %q, %v", res.StatusCode, body, err)
	}
	return app.got.Load() - before
}
