package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/browser"
)

// The demo must be up, and down again, within these times.
const (
	buildLimit = 8 * time.Minute
	startLimit = 60 * time.Second
	stopLimit  = 20 * time.Second
)

// running is the demo as its user has it: a terminal, in a folder of its own.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	keys  io.Writer
	ended chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// project is a folder with what `make run` has built.
type project struct {
	t   *testing.T
	dir string
	env []string
	// site, inbox and app are the addresses that were chosen.
	site, inbox, app string
	// ports are all that must be free when the demo has ended.
	ports []string
}

func newProject(t *testing.T) *project {
	t.Helper()
	p := &project{t: t, dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), buildLimit)
	defer cancel()
	for name, of := range map[string]string{"caddy": "../../cmd/caddy", "demo": "."} {
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(p.dir, ".run", "bin", name), of)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, out)
		}
	}
	example, err := os.ReadFile("../../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "Caddyfile.example"), example, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		p.ports = append(p.ports, l.Addr().String())
	}
	_, port, _ := net.SplitHostPort(p.ports[0])
	p.site, p.app, p.inbox = "http://localhost:"+port, p.ports[1], "http://"+p.ports[2]
	p.env = append(os.Environ(), "PORT="+port, "APP="+p.app, "INBOX="+p.ports[2], "ADMIN="+p.ports[3], "UPSTREAM=")
	return p
}

// start starts the demo and waits until it says that it is there, or ends.
func (p *project) start(env ...string) *running {
	p.t.Helper()
	r := &running{t: p.t, ended: make(chan struct{})}
	r.cmd = exec.Command(filepath.Join(p.dir, ".run", "bin", "demo"))
	r.cmd.Dir, r.cmd.Env = p.dir, append(p.env, env...)
	r.cmd.Stdout, r.cmd.Stderr = r, r
	var err error
	if r.keys, err = r.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		_ = r.cmd.Wait()
	}()
	p.t.Cleanup(func() {
		select {
		case <-r.ended:
		default:
			r.interrupt()
		}
	})
	r.waitFor("Ctrl-C ends all of it")
	return r
}

// waitFor waits until the demo has said something or has ended.
func (r *running) waitFor(words string) {
	r.t.Helper()
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if strings.Contains(r.said(), words) {
			return
		}
		select {
		case <-r.ended:
			return
		default:
		}
	}
	r.t.Fatalf("the demo has not said %q within %s but:\n%s", words, startLimit, r.said())
}

// interrupt is Ctrl-C.
func (r *running) interrupt() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		r.t.Fatal(err)
	}
	select {
	case <-r.ended:
	case <-time.After(stopLimit):
		_ = r.cmd.Process.Signal(syscall.SIGKILL)
		<-r.ended
		r.t.Fatalf("Ctrl-C has not ended the demo within %s:\n%s", stopLimit, r.said())
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		r.t.Errorf("after Ctrl-C the demo ended with %d:\n%s", code, r.said())
	}
}

// find returns the one group of an expression in what the demo has said.
func (r *running) find(expression string) string {
	r.t.Helper()
	m := regexp.MustCompile(expression).FindAllStringSubmatch(r.said(), -1)
	if m == nil {
		r.t.Fatalf("the demo has not said %s but:\n%s", expression, r.said())
	}
	return m[len(m)-1][1]
}

// areFree fails if somebody still listens.
func (p *project) areFree() {
	p.t.Helper()
	for _, at := range p.ports {
		l, err := net.Listen("tcp", at)
		if err != nil {
			p.t.Errorf("after Ctrl-C somebody still listens on %s: %v", at, err)
			continue
		}
		_ = l.Close()
	}
}

func signIn(p *browser.Page, site, user, password string) {
	p.Open(site + "/contacts")
	p.Fill("#email", user)
	p.Fill("#password", password)
	p.Click("#submit")
}

func TestTheDemoDoesWhatItSays(t *testing.T) {
	b := browser.Start(t)
	p := newProject(t)
	r := p.start()
	for _, words := range []string{p.site, p.inbox, "http://" + p.app, "alice@example.com", "correct horse", "bob@example.com", "battery staple", "devices bob@example.com --address ", "report --audit .run/data/caddy/two_factor"} {
		if !strings.Contains(r.said(), words) {
			t.Errorf("the demo does not say %q:\n%s", words, r.said())
		}
	}
	secret := r.find(`secret: ([A-Z2-7]{32})`)

	anna := b.NewPerson(t)
	signIn(anna, p.site, "alice@example.com", "wrong")
	anna.WaitText("password is wrong")
	signIn(anna, p.site, "alice@example.com", "correct horse")
	anna.WaitText("Enter the code from your authenticator")
	if _, err := r.keys.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	r.waitFor("alice's code:")
	anna.Fill("#code", r.find(`alice's code: (\d{6})`))
	anna.Click("#code ~ button")
	anna.WaitText("Hello Alice")

	ben := b.NewPerson(t)
	signIn(ben, p.site, "bob@example.com", "battery staple")
	ben.WaitText("Enter the code we texted you")
	inbox := ben.NewTab(t)
	inbox.Open(p.inbox)
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(inbox.Text())
	if code == "" {
		t.Fatalf("no code on the page with the texts:\n%s", inbox.Text())
	}
	ben.Fill("#code", code)
	ben.Click("#code ~ button")
	ben.WaitText("Hello Bob")

	r.interrupt()
	p.areFree()

	// Once more: an authenticator that was set up stays good.
	r = p.start()
	if again := r.find(`secret: ([A-Z2-7]{32})`); again != secret {
		t.Errorf("the second start shows another secret")
	}
	for name, text := range map[string]string{"demo-users.json": secret, "caddy.log": code} {
		raw, err := os.ReadFile(filepath.Join(p.dir, ".run", name))
		if err != nil {
			t.Fatal(err)
		}
		if has := bytes.Contains(raw, []byte(text)); has != (name == "demo-users.json") {
			t.Errorf("%s has the secret in it: %t", name, has)
		}
	}
	r.interrupt()
	p.areFree()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("the demo has written outside of .run: %v", entries)
	}

	t.Run("a port that is taken is named", func(t *testing.T) {
		for i, words := range []string{"PORT=", "APP=", "INBOX=", "ADMIN="} {
			at := p.ports[i]
			if i == 0 {
				at = strings.Replace(at, "127.0.0.1", "localhost", 1)
			}
			l, err := net.Listen("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			r := p.start()
			<-r.ended
			_ = l.Close()
			if r.cmd.ProcessState.ExitCode() == 0 || !strings.Contains(r.said(), words) {
				t.Errorf("with %s taken the demo ends with %d and says:\n%s", at, r.cmd.ProcessState.ExitCode(), r.said())
			}
		}
	})

	t.Run("the operator's own app", func(t *testing.T) {
		own := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "the operator's own login page")
		}), ReadHeaderTimeout: time.Second}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = own.Serve(l) }()
		defer own.Close()
		r := p.start("UPSTREAM=" + l.Addr().String())
		if !strings.Contains(r.said(), l.Addr().String()) || strings.Contains(r.said(), "correct horse") {
			t.Errorf("in front of another app the demo says:\n%s", r.said())
		}
		c := b.NewPerson(t)
		c.Open(p.site + "/anything")
		c.WaitText("the operator's own login page")
		r.interrupt()
		p.areFree()
	})
}
