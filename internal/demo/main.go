// Command demo shows the gateway at work on one machine: an old app, Caddy
// with the module in front of it, and a page where the texts can be read. It
// keeps everything under ./.run and ends all of it with Ctrl-C.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/caddy-twofactor/caddy-twofactor/internal/demoapp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	d, err := newDemo()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.checkPorts(); err != nil {
		return err
	}
	appEnded := make(chan error, 1)
	if !d.ownApp {
		l, err := net.Listen("tcp", d.upstream)
		if err != nil {
			return taken("the demo app", d.upstream, "APP=127.0.0.1:9081", err)
		}
		app := demoapp.New(demoapp.Options{})
		go func() { appEnded <- app.Serve(ctx, l) }()
	}
	gateway, err := d.start()
	if err != nil {
		return err
	}
	defer gateway.stop()
	if err := d.waitReady(ctx, gateway); err != nil {
		return err
	}
	if !d.ownApp {
		if err := d.enrol(ctx); err != nil {
			return err
		}
		go d.showCodes(ctx)
	}
	fmt.Print(d.greeting())
	select {
	case <-ctx.Done():
	case err = <-appEnded:
		err = fmt.Errorf("the demo app has ended: %w", err)
	case <-gateway.ended:
		err = fmt.Errorf("caddy has ended: %w; its log is %s", gateway.err, rel(d.logFile))
	}
	if ctx.Err() == nil {
		return err
	}
	// Ctrl-C may end the app and the gateway before it is seen here.
	fmt.Println("\nStopping.")
	return nil
}

// checkPorts finds out what Caddy would only say in its log: that somebody
// listens already where it wants to.
func (d *demo) checkPorts() error {
	for _, p := range []struct{ what, at, other string }{
		{"the gateway", "localhost:" + d.port, "PORT=9080"},
		{"the page with the texts", d.inbox, "INBOX=127.0.0.1:9082"},
		{"Caddy's admin address", d.admin, "ADMIN=127.0.0.1:9019"},
	} {
		l, err := net.Listen("tcp", p.at)
		if err != nil {
			return taken(p.what, p.at, p.other, err)
		}
		_ = l.Close()
	}
	return nil
}

func taken(what, at, other string, err error) error {
	return fmt.Errorf("%s cannot have %s: %w (another one: %s make run)", what, at, err, other)
}

// waitReady waits until the gateway answers.
func (d *demo) waitReady(ctx context.Context, g *process) error {
	client := &http.Client{
		Timeout:       2 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		res, err := client.Get(d.site() + "/.two-factor/challenge")
		if err == nil {
			_ = res.Body.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-g.ended:
			return fmt.Errorf("caddy did not start: %w\n%s", g.err, tail(d.logFile))
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("caddy does not answer on %s; its log is %s", d.site(), rel(d.logFile))
}

// tail returns the last lines of a log.
func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// showCodes prints the current code of the authenticator at each Enter, for
// whoever has none at hand.
func (d *demo) showCodes(ctx context.Context) {
	for in := bufio.NewScanner(os.Stdin); in.Scan() && ctx.Err() == nil; {
		code, err := totp.GenerateCodeCustom(d.secret, time.Now(), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return
		}
		left := 30 - time.Now().Unix()%30
		fmt.Printf("  alice's code: %s  (changes in %d s)\n", code, left)
	}
}

func (d *demo) greeting() string {
	b := &strings.Builder{}
	fmt.Fprintf(b, `
  The app, behind the second factor   %s
  The texts that were sent            http://%s
  The log of the gateway              %s
`, d.site(), d.inbox, rel(d.logFile))
	if d.ownApp {
		fmt.Fprintf(b, "  Your app                            http://%s\n", d.upstream)
	} else {
		fmt.Fprintf(b, "  The app itself, without it          http://%s\n", d.upstream)
	}
	if d.ownApp {
		fmt.Fprintf(b, `
  Say in %s how your app's login looks, and who has which second factor:
    echo '[{"user": "anna@example.com", "phone": "+4915112345678"}]' |
      %s two-factor import - --address %s

  Ctrl-C ends all of it.

`, rel(d.config), rel(d.caddy), d.admin)
		return b.String()
	}
	fmt.Fprintf(b, `
  Three users of the demo app:
    alice@example.com   password: correct horse     an authenticator
                        secret: %[1]s
                        (no authenticator at hand? press Enter here for the code)
    bob@example.com     password: battery staple    a phone; read the text on the page above
    carol@example.com   password: tulip mania       %[5]s

  Try: sign in as each with the right and the wrong password; open /contacts
  in a second browser; press Back at the challenge; enter a wrong code; copy the
  cookies to another browser; on the contacts' page, download all as CSV, by
  the link and by the form; tick the box at the code, sign out and in again:
  this browser is asked no more, another one is.
  Signed in, open %[6]s/.two-factor/ to look after your own factors.

  In another terminal, what is remembered of bob (accounts and explain go the
  same way), and what was asked until now:
    %[2]s two-factor devices bob@example.com --address %[3]s
    %[2]s two-factor report --audit %[4]s

  Ctrl-C ends all of it.

`, d.secret, rel(d.caddy), d.admin, rel(filepath.Join(d.dir, "data", "caddy", "two_factor")), d.carol(), d.site())
	return b.String()
}

func rel(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	r, err := filepath.Rel(wd, path)
	if err != nil {
		return path
	}
	return r
}

// carol is what there is to say of the third user.
func (d *demo) carol() string {
	if d.invitation == "" {
		return "what you set up for her"
	}
	return "nothing yet: open her invitation, then sign in\n                        " + d.invitation
}
