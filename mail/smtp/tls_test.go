package smtp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-twofactor/caddy-twofactor/internal/realapp/smtpd"
)

func TestACertificateThatIsNotTheServersIsRefused(t *testing.T) {
	for _, mode := range []Mode{STARTTLS, Implicit} {
		o := signedIn(mode)
		t.Run(string(mode)+" signed by nobody that is trusted", func(t *testing.T) {
			server := smtpd.Start(t, o)
			s := sender(t, server, o, func(c *Config) { c.CA = nil })
			mayPass(t, s.Send(t.Context(), message("one")), "its certificate is not trusted: x509: certificate signed by unknown authority")
			nothingCame(t, server)
		})
		t.Run(string(mode)+" of another name", func(t *testing.T) {
			named := o
			named.Names = []string{"mail.example.com"}
			server := smtpd.Start(t, named)
			mayPass(t, sender(t, server, o).Send(t.Context(), message("one")), "its certificate is not trusted: x509: cannot validate certificate for 127.0.0.1")
			nothingCame(t, server)
		})
	}
}

func nothingCame(t *testing.T, server *smtpd.Server) {
	t.Helper()
	if n := len(server.Mails(t)); n != 0 {
		t.Errorf("%d mails were taken", n)
	}
}

func TestAServerThatDoesNotEncryptGetsNeitherPasswordNorMail(t *testing.T) {
	var mu sync.Mutex
	var said []string
	// Somebody on the way has taken STARTTLS out of what the server offers.
	talk := func(answer string) func(net.Conn, *bufio.Reader) {
		return func(conn net.Conn, lines *bufio.Reader) {
			fmt.Fprint(conn, "220 mail.example.com\r\n")
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				mu.Lock()
				said = append(said, strings.TrimSpace(line))
				mu.Unlock()
				if strings.HasPrefix(line, "EHLO") {
					fmt.Fprint(conn, "250-mail.example.com\r\n"+answer+"250 AUTH PLAIN LOGIN\r\n")
					continue
				}
				fmt.Fprint(conn, "454 4.7.0 server-says no TLS today\r\n")
			}
		}
	}
	with := func(mode Mode) func(*Config) {
		return func(c *Config) { c.TLS, c.Username, c.Password = mode, username, password }
	}
	mayPass(t, to(t, fake(t, talk("")), with(STARTTLS)).Send(t.Context(), message("one")), "does not offer STARTTLS, or somebody on the way hides it")
	mayPass(t, to(t, fake(t, talk("250-STARTTLS\r\n")), with(STARTTLS)).Send(t.Context(), message("one")), "answered 454 4.7.0 at the start of TLS")
	mayPass(t, to(t, fake(t, talk("")), with(Implicit)).Send(t.Context(), message("one")), "it does not speak TLS there")
	mu.Lock()
	defer mu.Unlock()
	for _, line := range said {
		if strings.HasPrefix(line, "AUTH") || strings.HasPrefix(line, "MAIL") {
			t.Errorf("the server in the clear heard %q", line)
		}
	}
	if len(said) == 0 {
		t.Error("the server heard nothing at all")
	}
}

func TestInTheClearOnlyThisMachineIsSpokenTo(t *testing.T) {
	o := smtpd.Options{TLS: smtpd.None}
	server := smtpd.Start(t, o)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		s := sender(t, server, o, func(c *Config) { c.CA, c.Server = nil, net.JoinHostPort(host, server.Port()) })
		if err := s.Send(t.Context(), message("one")); err != nil {
			t.Fatalf("%s: %v", host, err)
		}
	}
	for _, m := range server.Await(t, 2) {
		if m.TLS {
			t.Error("a mail came over TLS")
		}
	}
}

func TestThePasswordGoesTheSafestWayThatTheServerOffers(t *testing.T) {
	for _, c := range []struct {
		offered []string
		want    string
	}{
		{[]string{"PLAIN", "LOGIN", "SCRAM-SHA-256"}, "SCRAM-SHA-256"},
		{[]string{"PLAIN", "LOGIN"}, "PLAIN"},
		{[]string{"LOGIN"}, "LOGIN"},
	} {
		t.Run(strings.Join(c.offered, " "), func(t *testing.T) {
			o := signedIn(STARTTLS)
			o.Mechanisms = c.offered
			server := smtpd.Start(t, o)
			if err := sender(t, server, o).Send(t.Context(), message("one")); err != nil {
				t.Fatal(err)
			}
			if m := server.Await(t, 1)[0]; m.Mechanism != c.want || m.User != username {
				t.Errorf("%s signed in by %s, want %s", m.User, m.Mechanism, c.want)
			}
			wrong := sender(t, server, o, func(c *Config) { c.Password = "wrong horse" })
			mayPass(t, wrong.Send(t.Context(), message("two")), "answered 535 5.7.8 at the sign-in")
			none := sender(t, server, o, func(c *Config) { c.Username, c.Password = "", "" })
			mayPass(t, none.Send(t.Context(), message("three")), "answered 530 5.7.0 to the sender's address: check username")
			if n := len(server.Mails(t)); n != 1 {
				t.Errorf("%d mails were taken, want 1", n)
			}
		})
	}
	o := signedIn(Implicit)
	o.Mechanisms = []string{}
	server := smtpd.Start(t, o)
	mayPass(t, sender(t, server, o).Send(t.Context(), message("one")), "it offers none of SCRAM-SHA-256")
}

func TestAServerThatTalksWithoutEndIsGivenUp(t *testing.T) {
	endless := func(conn net.Conn, beginning, more string) {
		if _, err := io.WriteString(conn, beginning); err != nil {
			return
		}
		for {
			if _, err := io.WriteString(conn, more); err != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		name string
		talk func(conn net.Conn, lines *bufio.Reader)
		want string
	}{
		{"a greeting without an end", func(conn net.Conn, _ *bufio.Reader) { endless(conn, "220 ", "xxxxxxxx") }, "it says too much"},
		{"a greeting of lines without an end", func(conn net.Conn, _ *bufio.Reader) { endless(conn, "", "220-server-says\r\n") }, "it says too much"},
		{"a hello without an end", func(conn net.Conn, lines *bufio.Reader) {
			fmt.Fprint(conn, "220 x\r\n")
			_, _ = lines.ReadString('\n')
			endless(conn, "250-x\r\n", "250-server-says\r\n")
		}, "it says too much"},
		{"no greeting", func(_ net.Conn, lines *bufio.Reader) { _, _ = lines.ReadString('\n') }, "did not answer in time"},
		{"a greeting that breaks off", func(conn net.Conn, _ *bufio.Reader) { fmt.Fprint(conn, "220 server-says") }, "broke the connection off"},
		{"another protocol", func(conn net.Conn, _ *bufio.Reader) { fmt.Fprint(conn, "HTTP/1.1 400 server-says\r\n\r\n") }, "answered what is no SMTP"},
		{"nothing at all", func(net.Conn, *bufio.Reader) {}, "broke the connection off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := to(t, fake(t, c.talk))
			err := soon(t, func(ctx context.Context) error { return s.Send(ctx, message("one")) })
			mayPass(t, err, c.want)
		})
	}
}

func TestThePasswordIsInNoFormOfPrintingASender(t *testing.T) {
	s, err := New(Config{Server: "mail.example.com:587", Username: username, Password: password, From: "a@example.com", Clock: fixed})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, s) + fmt.Sprintf(verb, *s); strings.Contains(got, password) {
			t.Errorf("%s prints the password: %s", verb, got)
		}
	}
}

func TestCertificatesOfAFileAreReadWithABound(t *testing.T) {
	server := smtpd.Start(t, smtpd.Options{})
	ca, err := os.ReadFile(server.CA)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		pem  []byte
		want string
	}{
		{"a certificate", ca, ""},
		{"nothing", nil, "holds no certificate"},
		{"a text", []byte("hello"), "holds no certificate"},
		{"too much", append(make([]byte, MaxCA), ca...), "is larger than"},
	} {
		_, err := ParseCA(c.pem)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
