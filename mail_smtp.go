package twofactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-twofactor/caddy-twofactor/mail"
	"github.com/caddy-twofactor/caddy-twofactor/mail/smtp"
)

func init() {
	caddy.RegisterModule(SMTPSender{})
}

// SMTPSender sends the notices by a mail server of yours, as a program hands in
// mails of its own.
type SMTPSender struct {
	// Server is the mail server, <host>:<port>. Placeholders are replaced, here
	// and in the other settings.
	Server string `json:"server,omitempty"`
	// TLS is how the connection is encrypted: starttls (TLS before anything is
	// said, mostly port 587; a server that does not offer it gets nothing),
	// implicit (TLS from the start, mostly port 465), or none, for a server on
	// this machine alone. Default: starttls.
	TLS string `json:"tls,omitempty"`
	// CA is a file in PEM with the certificates that the server's must be signed
	// by, for a server of an own authority. Default: the system's.
	CA string `json:"ca,omitempty"`
	// Username and Password sign in at the server, over TLS only, by
	// SCRAM-SHA-256, SCRAM-SHA-1, PLAIN or LOGIN, the first that it offers.
	// {env.NAME} is a variable of the environment, {file./path} what a file
	// holds. Default: nobody signs in.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	// From is the sender, with or without a name: "Northwind CRM
	// <no-reply@example.com>".
	From string `json:"from,omitempty"`
	// ReplyTo is where answers go. Default: none is named.
	ReplyTo string `json:"reply_to,omitempty"`
	// Timeout is how long the sending of one mail may take, from 1s to 1m. One
	// that was not sent is tried again. Default: 15s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	sender *smtp.Sender
}

// CaddyModule returns the module's information.
func (SMTPSender) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "two_factor.mail.smtp",
		New: func() caddy.Module { return new(SMTPSender) },
	}
}

// Provision checks the settings and reads the certificates. It asks nobody for
// anything.
func (s *SMTPSender) Provision(caddy.Context) error {
	c := smtp.Config{Timeout: time.Duration(s.Timeout), Clock: time.Now}
	mode := ""
	for _, v := range []struct {
		name, value string
		to          *string
	}{
		{"server", s.Server, &c.Server}, {"tls", s.TLS, &mode}, {"username", s.Username, &c.Username},
		{"password", s.Password, &c.Password}, {"from", s.From, &c.From}, {"reply_to", s.ReplyTo, &c.ReplyTo},
	} {
		// One that holds the password in the wrong place is not shown either.
		value, err := replaceSecret(v.value)
		if err != nil {
			return fmt.Errorf("mail: %s: %w", v.name, err)
		}
		*v.to = value
	}
	c.TLS = smtp.Mode(mode)
	if s.CA != "" {
		path, err := replacePath(s.CA)
		if err != nil {
			return fmt.Errorf("mail: ca: %w", err)
		}
		if c.CA, err = readCA(path); err != nil {
			return fmt.Errorf("mail: ca: %w", err)
		}
	}
	var err error
	if s.sender, err = smtp.New(c); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}

// readCA reads a file of certificates, and refuses one that has none.
func readCA(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, smtp.MaxCA+1))
	if err != nil {
		return nil, err
	}
	if _, err := smtp.ParseCA(pem); err != nil {
		return nil, fmt.Errorf("%w: %s", err, path)
	}
	return pem, nil
}

// Send hands the mail to the server.
func (s *SMTPSender) Send(ctx context.Context, m mail.Message) error {
	return s.sender.Send(ctx, m)
}

// loadMailer returns what sends notices, nil if nothing does.
func (a *App) loadMailer(ctx caddy.Context) (mail.Sender, error) {
	if len(a.MailRaw) == 0 {
		return nil, nil
	}
	v, err := ctx.LoadModule(a, "MailRaw")
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	sender, ok := v.(mail.Sender)
	if !ok {
		return nil, errors.New("mail: the provider sends no mails")
	}
	return sender, nil
}

// Interface guards.
var (
	_ caddy.Provisioner = (*SMTPSender)(nil)
	_ mail.Sender       = (*SMTPSender)(nil)
)
