package twofactor

import (
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// memoryDir is a folder in memory where there is one: what a disk takes to
// write is not the gateway's own time.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "two-factor-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestRule26AWrongPasswordAndAnUnknownUserTakeTheSameTime(t *testing.T) {
	const pairs, attempts, limit = 1000, 3, 0.05
	var inApp atomic.Int64
	app := startAnswering(t, func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		if r.Method == http.MethodGet {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "visitor", Path: "/"})
		}
		_, _ = w.Write([]byte("The name or the password is wrong."))
		inApp.Store(int64(time.Since(started)))
	})
	s := newSite(t)
	t.Setenv("XDG_DATA_HOME", memoryDir(t))
	s.start(oneLogin("yes redirect /home\nno status 200"), app.address)
	s.enrol(alice, "totp")
	c := s.client()
	c.get("/login")
	own := func(user string) time.Duration {
		started := time.Now()
		if r := c.post("/login", filled(user, "wrong")); r.StatusCode != 200 {
			t.Fatal(words(r))
		}
		return time.Since(started) - time.Duration(inApp.Load())
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2])
	}
	for range 50 {
		own(alice)
		own(erin)
	}
	for i := range attempts {
		var known, unknown []time.Duration
		for n := range pairs {
			if n%2 == 0 {
				known = append(known, own(alice))
				unknown = append(unknown, own(erin))
			} else {
				unknown = append(unknown, own(erin))
				known = append(known, own(alice))
			}
		}
		app.requests()
		k, u := median(known), median(unknown)
		apart := (k - u) / min(k, u)
		t.Logf("attempt %d: a wrong password takes %s, an unknown user %s: %+.2f %% apart",
			i+1, time.Duration(k), time.Duration(u), 100*apart)
		if apart < limit && apart > -limit {
			return
		}
	}
	t.Errorf("in %d attempts the medians were never less than %.0f %% apart", attempts, 100*limit)
}
