package twofactor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/account"
	"github.com/caddy-twofactor/caddy-twofactor/challenge"
	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

// reloadFor is how long the config is reloaded each second.
const reloadFor = 12 * time.Second

// reloaders are the visitors of a site that is reloaded, and the app behind it.
type reloaders struct {
	s     *site
	app   *demoapp.App
	guard *guard
	users chan string
	ctx   context.Context

	mu    sync.Mutex
	count map[string]int
	errs  []error
	// all are the browsers there were, living those that are verified.
	all, living []*visitor
}

// TestInvariant10AReloadEachSecondLosesAndOpensNothing reloads the config while
// people log in, work, mistype and break in.
func TestInvariant10AReloadEachSecondLosesAndOpensNothing(t *testing.T) {
	var users []demoapp.User
	for i := range 600 {
		email := fmt.Sprintf("u%03d@example.com", i)
		users = append(users, demoapp.User{Email: email, Name: email, Password: right})
	}
	app := demoapp.New(demoapp.Options{Users: users, AtLogin: demoapp.SessionKept})
	g := &guard{app: app}
	upstream := newUpstream(t, g)
	s := newSite(t)
	// Requests that the old config still has under way leave a connection to the
	// app idle when they end; Caddy keeps those for two minutes, if not told so.
	caddyfile := strings.Replace(styleFile(t, "kept-session"), "127.0.0.1:8081}", "127.0.0.1:8081} {\n\t\ttransport http {\n\t\t\tkeepalive 1s\n\t\t}\n\t}", 1)
	s.start(caddyfile, upstream)
	r := &reloaders{s: s, app: app, guard: g, users: make(chan string, len(users)), count: map[string]int{}}
	r.enrol(users)

	// What a site that has served its visitors, those who mistyped too, has open
	// one reload later.
	r.ctx = t.Context()
	r.must(t, r.logIn(0, nil))
	mistyper := r.visitor("a wrong password")
	r.must(t, r.mistype(mistyper))
	r.closeIdle()
	r.reload(t, caddyfile, 0)
	goroutines, descriptors := settled(), openFiles(t)
	before := s.lease()
	opened := before.Parts().Store
	before.Release()

	ctx, stop := context.WithCancel(t.Context())
	r.ctx = ctx
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() { r.loop(func(n int) error { return r.logIn(i, &n) }) })
	}
	all.Go(func() { r.loop(r.work) })
	all.Go(func() { r.loop(func(int) error { return r.mistype(mistyper) }) })
	all.Go(func() { r.loop(func(int) error { return r.visit() }) })

	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	begin := time.Now()
	for n := 1; time.Since(begin) < reloadFor; n++ {
		<-tick.C
		if n%3 == 0 {
			r.failToReload(t, caddyfile, n/3)
		}
		r.reload(t, caddyfile, n)
	}
	stop()
	all.Wait()

	r.ctx = t.Context()
	r.check(t)
	after := s.lease()
	if after.Parts().Store != opened {
		t.Error("the store was opened again while it was in use")
	}
	after.Release()
	r.closeIdle()
	r.reload(t, caddyfile, 0)
	settlesTo(t, goroutines, descriptors)

	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	stores.Range(func(key, _ any) bool {
		t.Errorf("the store %v is still in the pool", key)
		return true
	})
	guest := &FileStore{}
	if err := guest.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	free, err := guest.Open(t.Context())
	if err != nil {
		t.Fatalf("the store's file is not free after the end: %v", err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	// And who was verified is so after a start.
	s.load(caddyfile)
	for _, v := range r.living {
		r.must(t, v.works())
	}
}

// reload loads one of two configs, which differ in what they answer with.
func (r *reloaders) reload(t *testing.T, caddyfile string, n int) {
	t.Helper()
	r.s.load(strings.Replace(caddyfile, "\treverse_proxy", fmt.Sprintf("\theader +X-Config %d\n\treverse_proxy", n%2), 1))
}

// failToReload loads a config that is refused: by the adapter, by a module, by
// the port of another listener, by that of our own app.
func (r *reloaders) failToReload(t *testing.T, caddyfile string, n int) {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inbox := r.s.inbox
	defer func() { r.s.inbox = inbox }()
	bad := caddyfile
	switch n % 4 {
	case 0:
		bad = strings.Replace(caddyfile, "two_factor {", "two_factor {\n\t\tnonsense", 1)
	case 1:
		bad = strings.Replace(caddyfile, "\treverse_proxy", "\ttwo_factor {\n\t\tlogin_page /login\n\t}\n\treverse_proxy", 1)
	case 2:
		bad += "\nhttp://" + taken.Addr().String() + " {\n\trespond ok\n}\n"
	case 3:
		r.s.inbox = taken.Addr().String()
	}
	if err := r.s.tryLoad(bad); err == nil {
		t.Fatalf("a config that is broken was loaded:\n%s", bad)
	}
	r.note("a failed reload")
}

// enrol gives every user an authenticator.
func (r *reloaders) enrol(users []demoapp.User) {
	t := r.s.t
	t.Helper()
	l := r.s.lease()
	defer l.Release()
	now := time.Now()
	var list []account.Account
	for _, u := range users {
		secret, err := challenge.SealFactorSecret(sealer{l.Parts().Ring}, defaultName, u.Email, "f0", account.KindTOTP, r.s.secret, now)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, account.Account{Instance: defaultName, ID: u.Email, Name: u.Email, Created: now, Updated: now, Factors: []account.Factor{{
			ID: "f0", Kind: account.KindTOTP, TOTP: &account.TOTP{Algorithm: "SHA1", Digits: 6, Period: 30}, Secret: secret, Created: now,
		}}})
		r.users <- u.Email
	}
	if err := l.Parts().Store.PutAccounts(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

// loop does something again and again until the end, and keeps what went wrong.
func (r *reloaders) loop(do func(n int) error) {
	for n := 0; r.ctx.Err() == nil; n++ {
		if err := do(n); err != nil && !errors.Is(err, context.Canceled) {
			r.mu.Lock()
			r.errs = append(r.errs, err)
			r.mu.Unlock()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (r *reloaders) note(what string) {
	r.mu.Lock()
	r.count[what]++
	r.mu.Unlock()
}

func (r *reloaders) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// check looks at what the visitors and the app have met.
func (r *reloaders) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, err := range r.errs {
		if i == 20 {
			t.Errorf("and %d more", len(r.errs)-i)
			break
		}
		t.Error(err)
	}
	for _, what := range r.guard.violations() {
		t.Error(what)
	}
	for _, what := range []string{"a login", "a wrong code", "work", "a wrong password", "an anonymous visit", "a locked line", "a failed reload", "config 0", "config 1"} {
		if r.count[what] == 0 {
			t.Errorf("there was never %s", what)
		}
	}
	t.Logf("there were %v, and at the app %v", r.count, r.guard.met())
}

func (r *reloaders) closeIdle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.all {
		v.http.CloseIdleConnections()
	}
}

// newUpstream serves an app, and closes what was idle at the end.
func newUpstream(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return l.Addr().String()
}

// settlesTo waits until there are as few goroutines and open files as before.
func settlesTo(t *testing.T, goroutines, descriptors int) {
	t.Helper()
	var g, d int
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if g, d = runtime.NumGoroutine(), openFiles(t); g <= goroutines && d <= descriptors {
			return
		}
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("there are %d goroutines and %d open files, and were %d and %d:\n%s", g, d, goroutines, descriptors, stacks[:runtime.Stack(stacks, true)])
}
