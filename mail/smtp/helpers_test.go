package smtp

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/smtpd"
	contract "github.com/caddy-twofactor/caddy-twofactor/mail"
)

const (
	username = "crm@example.com"
	password = "correct horse"
)

var at = time.Date(2026, 11, 30, 9, 5, 0, 0, time.FixedZone("", 3600))

func fixed() time.Time { return at }

func message(id string) contract.Message {
	return contract.Message{
		To: "anna.lindqvist@example.com", Subject: "A new phone", Text: "Your phone ends in 42.\n",
		HTML: "<p>Your phone ends in 42.</p>\n", ID: id, Lang: "en",
	}
}

// signedIn are servers that ask for a password.
func signedIn(mode Mode) smtpd.Options {
	return smtpd.Options{TLS: string(mode), Username: username, Password: password}
}

// sender returns one that trusts the server and signs in as it wants.
func sender(t *testing.T, s *smtpd.Server, o smtpd.Options, change ...func(*Config)) *Sender {
	t.Helper()
	ca, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Server: s.Address, TLS: Mode(o.TLS), CA: ca, Username: o.Username, Password: o.Password,
		From: "Northwind CRM <no-reply@crm.example.com>", Clock: fixed,
	}
	for _, f := range change {
		f(&c)
	}
	made, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// mayPass fails unless the error is one of a mail that may be tried again, with
// these words in it and nothing that is nobody's business.
func mayPass(t *testing.T, err error, words string) {
	t.Helper()
	judge(t, err, words)
	if errors.Is(err, contract.ErrRefused) {
		t.Errorf("Send = %v, want an error that may pass", err)
	}
}

// forGood fails unless the error is one of a mail that will never be taken.
func forGood(t *testing.T, err error, words string) {
	t.Helper()
	judge(t, err, words)
	if !errors.Is(err, contract.ErrRefused) {
		t.Errorf("Send = %v, want ErrRefused", err)
	}
}

func judge(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Fatalf("Send = %v, want an error with %q", err, words)
	}
	for _, hidden := range []string{"lindqvist", "phone", "horse", "server-says"} {
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("the error tells %q: %v", hidden, err)
		}
	}
}

// fake is a server made of a few lines, for what no real one does.
func fake(t *testing.T, talk func(conn net.Conn, lines *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				talk(conn, bufio.NewReader(conn))
			}()
		}
	}()
	return l.Addr().String()
}

// to returns a sender to a fake server in the clear, with the shortest time-out.
func to(t *testing.T, address string, change ...func(*Config)) *Sender {
	t.Helper()
	c := Config{Server: address, TLS: None, From: "no-reply@example.com", Timeout: MinTimeout, Clock: fixed}
	for _, f := range change {
		f(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func soon(t *testing.T, send func(ctx context.Context) error) error {
	t.Helper()
	began := time.Now()
	err := send(t.Context())
	if took := time.Since(began); took > 3*MinTimeout {
		t.Errorf("Send took %s", took)
	}
	return err
}
