// Package smtp is the sender that hands mails to a mail server of the
// operator's, as a program hands in mails of its own (RFC 6409): over TLS with a
// checked certificate, signed in if the server asks for it. Each mail has a
// connection of its own.
//
// What the protocol and the form of a mail are made with is
// github.com/wneessen/go-mail; the steps are taken here one by one, since what
// an answer means hangs on the step, and so that no error repeats what the
// server wrote.
package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"time"

	protocol "github.com/wneessen/go-mail/smtp"

	contract "github.com/caddy-twofactor/caddy-twofactor/mail"
)

const (
	// maxConns bounds the connections that are open at once; further sendings
	// wait for one as long as they may take.
	maxConns = 4
	// quitTimeout is how long a server may take to say goodbye, when it has
	// taken the mail.
	quitTimeout = time.Second
)

// Config is how a sender is made.
type Config struct {
	// Server is the mail server, <host>:<port>, see [ParseServer].
	Server string
	// TLS is how the connection is encrypted. Default: [STARTTLS].
	TLS Mode
	// CA are certificates in PEM that the server's may be signed by, instead of
	// the system's. Default: nil, the system's.
	CA []byte
	// Username and Password sign in at the server; both or neither. They are
	// sent over TLS only.
	Username, Password string
	// From is the sender, with or without a name; the right part of its
	// address is that of the Message-IDs too.
	From string
	// ReplyTo is where answers go. Default: none is named.
	ReplyTo string
	// Timeout bounds a sending, from [MinTimeout] to [MaxTimeout]. Default:
	// [DefaultTimeout].
	Timeout time.Duration
	// Clock dates the mails.
	Clock func() time.Time
}

// Sender is a [contract.Sender]. It is safe for use by many goroutines and
// keeps nothing between two sendings, so it needs no end.
type Sender struct {
	server  string
	host    string
	mode    Mode
	tls     *tls.Config
	auth    func() protocol.Auth // nil if nobody signs in
	from    *mail.Address
	replyTo *mail.Address
	timeout time.Duration
	clock   func() time.Time
	conns   chan struct{}
}

var _ contract.Sender = (*Sender)(nil)

// New returns a sender. Its errors say which setting is wrong and never show
// the password.
func New(c Config) (*Sender, error) {
	host, port, err := ParseServer(c.Server)
	if err != nil {
		return nil, fmt.Errorf("server %w", err)
	}
	if c.TLS == "" {
		c.TLS = STARTTLS
	}
	if err := CheckMode(c.TLS, host); err != nil {
		return nil, fmt.Errorf("tls %w", err)
	}
	s := &Sender{
		server: net.JoinHostPort(host, port), host: host, mode: c.TLS,
		tls:   &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12},
		clock: c.Clock, conns: make(chan struct{}, maxConns),
	}
	if c.CA != nil {
		if s.tls.RootCAs, err = ParseCA(c.CA); err != nil {
			return nil, fmt.Errorf("ca %w", err)
		}
	}
	if err := s.signIn(c); err != nil {
		return nil, err
	}
	return s, s.rest(c)
}

// signIn takes the user name and the password.
func (s *Sender) signIn(c Config) error {
	if c.Username == "" && c.Password == "" {
		return nil
	}
	if err := CheckCredential(c.Username); err != nil {
		return fmt.Errorf("username %w; it goes with the password", err)
	}
	if err := CheckCredential(c.Password); err != nil {
		return fmt.Errorf("password %w; it goes with the username", err)
	}
	if s.mode == None {
		return errors.New("username and password are never sent in the clear: use tls starttls or tls implicit, or leave them out")
	}
	s.auth = func() protocol.Auth { return &login{username: c.Username, password: c.Password, host: s.host} }
	return nil
}

// rest takes what remains.
func (s *Sender) rest(c Config) error {
	var err error
	if s.from, err = ParseAddress(c.From); err != nil {
		return fmt.Errorf("from %w", err)
	}
	if c.ReplyTo != "" {
		if s.replyTo, err = ParseAddress(c.ReplyTo); err != nil {
			return fmt.Errorf("reply_to %w", err)
		}
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if err := CheckTimeout(c.Timeout); err != nil {
		return fmt.Errorf("timeout %w", err)
	}
	s.timeout = c.Timeout
	return nil
}

// Send hands the mail to the server. It is sent when the server has said so to
// its end; what it says at the goodbye changes nothing.
func (s *Sender) Send(ctx context.Context, m contract.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	to, err := asciiDomain(m.To)
	if err != nil {
		return contract.Refused(errors.New("the domain of the address cannot be one"))
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer func() { <-s.conns }()

	conn, err := s.dial(ctx)
	if err != nil {
		return s.failed(ctx, stepConnect, err)
	}
	defer conn.Close()
	// What is said on the connection knows no context; without it, it ends.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	client, err := s.greet(ctx, conn)
	if err != nil {
		return err
	}
	if err := s.handOver(ctx, client, to, m); err != nil {
		return err
	}
	if stop() {
		_ = conn.SetDeadline(time.Now().Add(quitTimeout))
		_ = client.Quit()
	}
	return nil
}

// enter waits for one of the connections.
func (s *Sender) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("before the mail was sent: %w", err)
	}
	select {
	case s.conns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for other mails to be sent: %w", ctx.Err())
	}
}

// greet goes through the beginning: hello, TLS, hello again, sign in.
func (s *Sender) greet(ctx context.Context, conn net.Conn) (*protocol.Client, error) {
	client, err := protocol.NewClient(conn, s.host)
	if err != nil {
		return nil, s.failed(ctx, stepConnect, err)
	}
	if err := client.Hello(localName()); err != nil {
		return nil, s.failed(ctx, stepHello, err)
	}
	if s.mode == STARTTLS {
		if offered, _ := client.Extension("STARTTLS"); !offered {
			return nil, fmt.Errorf("the mail server %s does not offer STARTTLS, or somebody on the way hides it: use the port for it (mostly 587), or tls implicit with its port (mostly 465)", s.server)
		}
		if err := client.StartTLS(s.tls); err != nil {
			return nil, s.failed(ctx, stepTLS, err)
		}
	}
	if s.auth != nil {
		if err := client.Auth(s.auth()); err != nil {
			return nil, s.failed(ctx, stepSignIn, err)
		}
	}
	return client, nil
}

// localName is what the gateway calls itself: the machine's name, or, where it
// has none that a server could take, localhost.
func localName() string {
	name, err := os.Hostname()
	if err != nil || !isHostname.MatchString(name) {
		return "localhost"
	}
	return name
}

// handOver says from whom, to whom and what.
func (s *Sender) handOver(ctx context.Context, client *protocol.Client, to string, m contract.Message) error {
	if utf8, _ := client.Extension("SMTPUTF8"); !utf8 && !isASCII(to) {
		return contract.Refused(fmt.Errorf("the mail server %s takes no address with other than ASCII letters", s.server))
	}
	// A server may have to hand the mail on to one that knows no SMTPUTF8.
	client.SkipSMTPUTF8(isASCII(to))
	if err := client.Mail("<" + s.from.Address + ">"); err != nil {
		return s.failed(ctx, stepFrom, err)
	}
	if err := client.Rcpt("<" + to + ">"); err != nil {
		return s.failed(ctx, stepTo, err)
	}
	w, err := client.Data()
	if err != nil {
		return s.failed(ctx, stepContent, err)
	}
	if _, err := s.compose(to, m).WriteTo(w); err != nil {
		return s.failed(ctx, stepContent, err)
	}
	if err := w.Close(); err != nil {
		return s.failed(ctx, stepContent, err)
	}
	return nil
}
