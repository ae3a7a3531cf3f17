package handler

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/internal/seal"
	"github.com/caddy-twofactor/caddy-twofactor/store"
	"github.com/caddy-twofactor/caddy-twofactor/store/file"
)

// fixedLease is a lease that never ends.
type fixedLease struct{ parts *Parts }

func (l *fixedLease) Parts() *Parts { return l.parts }
func (*fixedLease) Release()        {}

// quiet is a writer that keeps nothing.
type quiet struct{ header http.Header }

func (q *quiet) Header() http.Header       { return q.header }
func (*quiet) WriteHeader(int)             {}
func (*quiet) Write(p []byte) (int, error) { return len(p), nil }

// verifiedRequest returns a gate, and a request of a verified session with one
// sealed cookie for one of its protected addresses.
func verifiedRequest(tb testing.TB, edits ...func(*Config)) (*Gate, *http.Request) {
	tb.Helper()
	now := time.Now()
	s, err := file.Open(tb.TempDir()+"/store.db", file.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	key, err := seal.ParseKey("a", strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		tb.Fatal(err)
	}
	ring, err := seal.NewRing([]seal.Key{key}, seal.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	lease := &fixedLease{&Parts{Store: s, Ring: ring, Epoch: now.Add(-time.Hour)}}
	config := Config{
		Instance: "default", Prefix: "/.two-factor/", AppSessionMax: 24 * time.Hour,
		Logins:  []Login{{Fields: &Fields{User: "email", Password: "password"}}},
		Protect: caddyhttp.MatcherSets{{caddyhttp.MatchPath{"/app/*"}}},
		Logger:  zap.NewNop(), Clock: time.Now, Rand: rand.Reader,
		Lease: func() (Lease, error) { return lease, nil },
	}
	for _, edit := range edits {
		edit(&config)
	}
	g, err := New(config)
	if err != nil {
		tb.Fatal(err)
	}
	token := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("t", tokenBytes)))
	id, _ := hashToken(token)
	session := account.Session{
		ID: id, Instance: "default", Standing: account.StandingID{1}, State: account.StateVerified, Account: "alice", User: "alice",
		Created: now, LastSeen: now, IdleFor: time.Hour, Expires: now.Add(time.Hour),
	}
	if err := s.BeginSession(context.Background(), store.Begin{Session: session}, now); err != nil {
		tb.Fatal(err)
	}
	sealed := ring.SealCookie("default", "sid", seal.Value{
		Standing: seal.Standing{Kind: seal.KindSession, ID: session.Standing}, Issued: now,
		Attributes: []byte{0, 1, '/'}, Value: "0123456789abcdef",
	}, now)

	ctx := context.WithValue(context.Background(), caddy.ReplacerCtxKey, caddy.NewReplacer())
	ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, map[string]any{})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost:8080/app/page", nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.RequestURI = "/app/page"
	r.Header.Set("Cookie", "two-factor-default="+token+"; sid="+sealed)
	return g, r
}

func TestAVerifiedRequestAllocatesFiveTimes(t *testing.T) {
	g, r := verifiedRequest(t)
	seen := ""
	w := &quiet{header: http.Header{}}
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		seen = r.Header["Cookie"][0]
		w.WriteHeader(http.StatusOK)
		return nil
	})
	n := testing.AllocsPerRun(1000, func() {
		if err := g.ServeHTTP(w, r, next); err != nil {
			t.Error(err)
		}
	})
	if seen != "sid=0123456789abcdef" {
		t.Errorf("the app got %q", seen)
	}
	// The value and the attributes of the seal, the Cookie line and its slice, and
	// what the placeholders say of the session. Under the race detector pools drop at random.
	if n > 5 && !raceEnabled {
		t.Errorf("%v allocations, want 5", n)
	}
}

func BenchmarkVerifiedRequest(b *testing.B) {
	g, r := verifiedRequest(b)
	w := &quiet{header: http.Header{}}
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
	b.ReportAllocs()
	for b.Loop() {
		if err := g.ServeHTTP(w, r, next); err != nil {
			b.Fatal(err)
		}
	}
}
