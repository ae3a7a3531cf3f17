package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// demo is where everything of the demo is.
type demo struct {
	dir, caddy, config, logFile string
	port, upstream, inbox,
	admin string
	// ownApp says that UPSTREAM names the operator's own app.
	ownApp bool
	// secret is the seed of alice's authenticator, in base32.
	secret string
	// invitation is the link by which carol comes to a factor; empty if she has one.
	invitation string
}

func newDemo() (*demo, error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	d := &demo{
		dir:      filepath.Join(wd, ".run"),
		config:   filepath.Join(wd, "Caddyfile.example"),
		port:     env("PORT", "8080"),
		upstream: env("APP", "127.0.0.1:8081"),
		inbox:    env("INBOX", "127.0.0.1:8082"),
		admin:    env("ADMIN", "127.0.0.1:2019"),
	}
	if own := os.Getenv("UPSTREAM"); own != "" {
		d.upstream, d.ownApp = own, true
	}
	d.caddy = filepath.Join(d.dir, "bin", "caddy")
	d.logFile = filepath.Join(d.dir, "caddy.log")
	if _, err := os.Stat(d.caddy); err != nil {
		return nil, fmt.Errorf("there is no %s: run it by make run, in the folder of the project", rel(d.caddy))
	}
	return d, nil
}

func env(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

func (d *demo) site() string { return "http://localhost:" + d.port }

// command runs Caddy with everything it writes under ./.run.
func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.caddy, args...)
	cmd.Env = append(os.Environ(),
		"PORT="+d.port, "UPSTREAM="+d.upstream, "INBOX="+d.inbox, "ADMIN="+d.admin,
		"XDG_DATA_HOME="+filepath.Join(d.dir, "data"),
		"XDG_CONFIG_HOME="+filepath.Join(d.dir, "config"))
	return cmd
}

// enrol puts the two users into the store, as an operator does. The seed is
// made once and kept, so that an authenticator stays good over restarts.
func (d *demo) enrol(ctx context.Context) error {
	file := filepath.Join(d.dir, "demo-users.json")
	type row struct {
		User   string `json:"user"`
		Phone  string `json:"phone,omitempty"`
		Secret string `json:"totp_secret,omitempty"`
	}
	var rows []row
	if text, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(text, &rows); err != nil || len(rows) == 0 || rows[0].Secret == "" {
			return fmt.Errorf("%s is damaged: remove it and start again", rel(file))
		}
	} else {
		seed := make([]byte, 20)
		if _, err := rand.Read(seed); err != nil {
			return err
		}
		secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(seed)
		rows = []row{{User: "alice@example.com", Secret: secret}, {User: "bob@example.com", Phone: "+4915112345678"}}
		text, err := json.MarshalIndent(rows, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return err
		}
	}
	d.secret = rows[0].Secret
	out, err := d.command(ctx, "two-factor", "import", file, "--config", d.config, "--adapter", "caddyfile").CombinedOutput()
	if err != nil {
		return fmt.Errorf("the two users could not be imported: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return d.invite(ctx)
}

// invite gives carol, who has no factor, an account and an invitation.
func (d *demo) invite(ctx context.Context) error {
	const carol = "carol@example.com"
	var known struct {
		Factors []any `json:"factors"`
	}
	switch out, err := d.operator(ctx, "accounts", "show", carol, "--json"); {
	case err != nil:
		if out, err := d.operator(ctx, "accounts", "add", carol); err != nil {
			return fmt.Errorf("carol could not be given an account: %w\n%s", err, out)
		}
	case json.Unmarshal([]byte(out), &known) == nil && len(known.Factors) > 0:
		return nil
	}
	out, err := d.operator(ctx, "invite", carol, "--url", d.site(), "--json")
	if err != nil {
		return fmt.Errorf("carol could not be invited: %w\n%s", err, out)
	}
	var made struct {
		Link string `json:"link"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		return fmt.Errorf("carol's invitation cannot be read: %w", err)
	}
	d.invitation = made.Link
	return nil
}

// operator runs a command of an operator on the running gateway.
func (d *demo) operator(ctx context.Context, args ...string) (string, error) {
	out, err := d.command(ctx, append(append([]string{"two-factor"}, args...), "--address", d.admin)...).Output()
	return strings.TrimSpace(string(out)), err
}

// lock makes sure that one demo at a time uses the folder: a second one would
// end at the store, after it has emptied the log of the first.
func (d *demo) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(d.dir, "demo.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another make run of this clone is running: end it with Ctrl-C, or run this one in a clone of its own (%w)", err)
	}
	return func() { _ = f.Close() }, nil
}

// process is a program that the demo started.
type process struct {
	cmd *exec.Cmd
	// ended is closed when it has ended, and err says how.
	ended chan struct{}
	err   error
}

// start starts the gateway.
func (d *demo) start() (*process, error) {
	log, err := os.OpenFile(d.logFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := d.command(context.Background(), "run", "--config", d.config, "--adapter", "caddyfile")
	cmd.Stdout, cmd.Stderr = log, log
	// Ctrl-C is for us; Caddy is stopped when everything else is.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting caddy: %w", err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		if p.err = cmd.Wait(); p.err == nil {
			p.err = errors.New("it stopped by itself")
		}
	}()
	return p, nil
}

// stop ends the process, gently first.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
