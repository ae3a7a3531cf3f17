package twofactor

import (
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-twofactor/caddy-twofactor/challenge"
)

// clock is a clock that a test can set forward. It runs.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// pass makes time pass.
func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// clock gives the running config a clock that the test can set forward. It is
// called before the first request.
func (s *site) clock() *clock {
	s.t.Helper()
	c := new(clock)
	v, err := caddy.ActiveContext().AppIfConfigured("http")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range locations(v.(*caddyhttp.App)) {
		l.handler.gate.Clock = c.now
	}
	if v, err = caddy.ActiveContext().AppIfConfigured(appName); err != nil {
		s.t.Fatal(err)
	}
	sh := v.(*App).shared
	old := sh.parts.Load()
	challenges, err := challenge.New(challenge.Config{
		Store: old.Store, Enrolments: old.Store, Sealer: sealer{old.Ring}, Sender: sh.sender(), Clock: c.now,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	parts := *old
	parts.Challenges = challenges
	sh.parts.Store(&parts)
	return c
}

// wrongCodes returns n different codes that the authenticators of the test's
// users do not show within an hour.
func wrongCodes(s *site, n int) []string {
	s.t.Helper()
	right := map[string]bool{}
	now := time.Now().Unix() / 30
	for step := now - 120; step <= now+120; step++ {
		right[s.codeAt(step)] = true
	}
	var codes []string
	for i := 0; len(codes) < n; i++ {
		sum := sha256.Sum256([]byte{byte(i)})
		code := fmt.Sprintf("%06d", (int(sum[0])<<16|int(sum[1])<<8|int(sum[2]))%1_000_000)
		if !right[code] {
			codes = append(codes, code)
		}
	}
	return codes
}

func TestTheClockOfATestPasses(t *testing.T) {
	c := new(clock)
	c.pass(time.Hour)
	if ahead := time.Until(c.now()); ahead < 59*time.Minute {
		t.Errorf("the clock is %v ahead, want an hour", ahead)
	}
}
